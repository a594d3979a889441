//! Our books against the venue's: the same sequence number must give the same digest.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::market::VenueCheck;

/// Digests that were announced and not seen yet, at most; older ones are given up.
const OPEN_LIMIT: usize = 64;

/// What the venue says its books were.
#[derive(Debug, Default)]
pub struct DigestCheck {
    expected: Mutex<BTreeMap<u64, u64>>,
}

impl DigestCheck {
    /// After `seq` the venue's books had this digest.
    pub fn expect(&self, seq: u64, digest: u64) {
        let mut expected = self.expected.lock().unwrap_or_else(PoisonError::into_inner);
        expected.insert(seq, digest);
        while expected.len() > OPEN_LIMIT {
            expected.pop_first();
        }
    }

    /// After `seq` our books had this digest. Nothing is counted for a sequence never announced.
    pub fn saw(&self, seq: u64, digest: u64, check: &mut VenueCheck) {
        let expected = self
            .expected
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(&seq);
        let Some(expected) = expected else { return };
        check.checked += 1;
        check.unequal += u64::from(expected != digest);
        check.seq = Some(seq);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_announced_digests_count() {
        let digests = DigestCheck::default();
        let mut check = VenueCheck::default();
        digests.expect(10, 7);
        digests.expect(20, 8);
        digests.saw(10, 7, &mut check);
        digests.saw(15, 7, &mut check);
        digests.saw(20, 9, &mut check);
        assert_eq!((check.checked, check.unequal, check.seq), (2, 1, Some(20)));
    }
}
