//! Which share of a feed's symbols a pipeline keeps.

/// One of several pipelines that read the same feed, each the books of its own symbols.
///
/// A symbol belongs to the pipeline whose number is its locate code modulo their count. Every
/// pipeline sees every message: it keeps the feed's order and its event time as if it were alone,
/// so that what it says of its symbols is what one pipeline for all would have said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    idx: u16,
    count: u16,
}

impl Shard {
    /// All symbols.
    pub const WHOLE: Self = Self { idx: 0, count: 1 };

    /// Number `idx` of `count`, the number taken modulo the count; a count of 0 is 1.
    #[must_use]
    pub const fn new(idx: u16, count: u16) -> Self {
        let count = if count == 0 { 1 } else { count };
        Self {
            idx: idx % count,
            count,
        }
    }

    /// Its number.
    #[must_use]
    pub const fn idx(self) -> u16 {
        self.idx
    }

    /// How many there are.
    #[must_use]
    pub const fn count(self) -> u16 {
        self.count
    }

    /// Whether an ITCH message is about another pipeline's symbol. Locate stands at the same place
    /// in all of them; what is too short to have one is number 0's.
    #[inline]
    pub(super) fn is_foreign(self, message: &[u8]) -> bool {
        if self.count == 1 {
            return false;
        }
        locate_of(message).unwrap_or(0) % self.count != self.idx
    }
}

impl Default for Shard {
    fn default() -> Self {
        Self::WHOLE
    }
}

/// The locate code of an ITCH message.
pub(super) fn locate_of(message: &[u8]) -> Option<u16> {
    let bytes = message.get(1..3)?.first_chunk()?;
    Some(u16::from_be_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_belongs_to_one() {
        let message = |locate: u16| [&b"A"[..], &locate.to_be_bytes(), &[0; 33]].concat();
        for count in 1..5 {
            for locate in [0, 1, 2, 3, 77, u16::MAX] {
                let owners =
                    (0..count).filter(|&idx| !Shard::new(idx, count).is_foreign(&message(locate)));
                assert_eq!(owners.count(), 1);
            }
            let owners = (0..count).filter(|&idx| !Shard::new(idx, count).is_foreign(b"A"));
            assert!(owners.eq([0]));
        }
        assert_eq!(Shard::new(5, 0), Shard::WHOLE);
    }
}
