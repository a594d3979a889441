//! When something in a window was last not ok.

use crate::publish::Integrity;

/// The newest step with something of this integrity or worse: suspect, recovering, stale. Steps
/// are numbered from the epoch, so step 0 stands for never.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Stains([u64; 3]);

impl Stains {
    /// Something in `step` was no better than `integrity`.
    #[inline]
    pub(super) fn add(&mut self, step: u64, integrity: Integrity) {
        for stain in &mut self.0[..integrity as usize] {
            *stain = (*stain).max(step);
        }
    }

    /// The worst in `from_step` or later.
    #[inline]
    pub(super) fn worst(&self, from_step: u64) -> Integrity {
        let levels = [Integrity::Suspect, Integrity::Recovering, Integrity::Stale];
        let seen = self.0.iter().rposition(|step| *step >= from_step.max(1));
        seen.map_or(Integrity::Ok, |level| levels[level])
    }
}
