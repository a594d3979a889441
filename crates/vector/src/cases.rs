//! How much the property tests try: as many cases as were asked for, or a few of them under Miri, which takes
//! some hundred times as long for each.

use proptest::prelude::ProptestConfig;

/// `full`, or under Miri `few`: what a length may be at most.
pub(crate) const fn most(full: usize, few: usize) -> usize {
    if cfg!(miri) { few } else { full }
}

/// `full` cases, or a sixty-fourth of them under Miri.
pub(crate) fn cases(full: u32) -> ProptestConfig {
    let mut config = ProptestConfig::with_cases(full);
    if cfg!(miri) {
        config.cases = (full / 64).max(1);
        // Miri's programs see no files.
        config.failure_persistence = None;
    }
    config
}
