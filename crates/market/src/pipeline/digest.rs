//! A digest of all books as of a message.

/// What was asked for, and what is ready.
#[derive(Debug, Default)]
pub(super) struct DigestWish {
    wanted: Option<u64>,
    taken: Option<(u64, u64)>,
}

impl DigestWish {
    /// As of when message `seq` has been applied; the newest wish counts.
    pub(super) fn at(&mut self, seq: u64) {
        self.wanted = Some(seq);
    }

    /// Looks whether what was asked for has been applied: all before `next_seq` has.
    #[inline]
    pub(super) fn look(&mut self, next_seq: u64, digest: impl FnOnce() -> u64) {
        if let Some(seq) = self.wanted
            && next_seq > seq
        {
            self.taken = Some((seq, digest()));
            self.wanted = None;
        }
    }

    /// What is ready: `(seq, digest)`.
    pub(super) fn take(&mut self) -> Option<(u64, u64)> {
        self.taken.take()
    }
}
