//! A set as one bit a slot: asked thousands of times in a walk, where a search in a bitmap of
//! containers would be felt.

use roaring::RoaringBitmap;

/// Slots of one container of the bitmap.
const CONTAINER_WORDS: usize = 1024;
/// Above this many slots a container is written as bits.
const LIST_MAX: usize = 4096;
/// First half-word of a bitmap that has containers of runs, and of one that has none.
const COOKIE_RUNS: u32 = 12347;
const COOKIE: u32 = 12346;

/// One bit a slot.
#[derive(Debug, Default)]
pub(super) struct Dense {
    words: Vec<u64>,
    /// The bitmap as bytes, kept for its memory.
    bytes: Vec<u8>,
}

impl Dense {
    /// Whether the slot is in.
    #[inline]
    pub(super) fn has(&self, slot: u32) -> bool {
        let word = self.words.get(slot as usize / 64).copied().unwrap_or(0);
        word >> (slot % 64) & 1 == 1
    }

    /// Becomes the set. Containers of bits are copied as they are, which their portable form allows
    /// (RoaringFormatSpec): slot by slot takes ten times as long.
    pub(super) fn fill(&mut self, set: &RoaringBitmap) {
        let mut bytes = std::mem::take(&mut self.bytes);
        bytes.clear();
        set.serialize_into(&mut bytes)
            .expect("writing to memory does not fail");
        self.words.clear();
        if let Some(last) = set.max() {
            let containers = last as usize / 65536 + 1;
            self.words.resize(containers * CONTAINER_WORDS, 0);
        }
        self.read(Reader(&bytes));
        self.bytes = bytes;
    }

    fn read(&mut self, mut reader: Reader<'_>) {
        let cookie = reader.u32();
        let has_runs = cookie & 0xffff == COOKIE_RUNS;
        let count = if has_runs {
            (cookie >> 16) as usize + 1
        } else {
            debug_assert_eq!(cookie, COOKIE);
            reader.u32() as usize
        };
        let runs = reader.take(if has_runs { count.div_ceil(8) } else { 0 });
        let mut headers = Reader(reader.take(count * 4));
        // Offsets stand where there are no runs, or not only few containers; containers follow in
        // order, so nobody needs them.
        if !has_runs || count >= 4 {
            reader.take(count * 4);
        }
        for n in 0..count {
            let (key, len) = (headers.u16() as usize, headers.u16() as usize + 1);
            let words = &mut self.words[key * CONTAINER_WORDS..(key + 1) * CONTAINER_WORDS];
            if has_runs && runs[n / 8] >> (n % 8) & 1 == 1 {
                for _ in 0..reader.u16() {
                    let (first, more) = (reader.u16() as usize, reader.u16() as usize);
                    set_run(words, first, first + more);
                }
            } else if len > LIST_MAX {
                for word in words {
                    *word = reader.u64();
                }
            } else {
                for _ in 0..len {
                    let slot = reader.u16() as usize;
                    words[slot / 64] |= 1 << (slot % 64);
                }
            }
        }
    }
}

/// Sets the bits from `first` to `last`.
fn set_run(words: &mut [u64], first: usize, last: usize) {
    let (from, to) = (first / 64, last / 64);
    for (at, word) in words.iter_mut().enumerate().take(to + 1).skip(from) {
        let low = if at == from { first % 64 } else { 0 };
        let high = if at == to { last % 64 } else { 63 };
        *word |= u64::MAX << low & u64::MAX >> (63 - high);
    }
}

/// Reads bytes that the bitmap has just written.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, count: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(count);
        self.0 = rest;
        taken
    }

    #[inline]
    fn array<const N: usize>(&mut self) -> [u8; N] {
        let (taken, rest) = self
            .0
            .split_first_chunk()
            .expect("as many containers are written as are said");
        self.0 = rest;
        *taken
    }

    #[inline]
    fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    fn u32(&mut self) -> u32 {
        u32::from_le_bytes(self.array())
    }

    #[inline]
    fn u64(&mut self) -> u64 {
        u64::from_le_bytes(self.array())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn equals_the_bitmap(
            runs in prop::collection::vec((0u32..500_000, 0u32..20_000), 0..6),
            steps in prop::collection::vec((0u32..500_000, 0u32..9_000, 2u32..9), 0..4),
            is_optimized in any::<bool>(),
        ) {
            let mut set = RoaringBitmap::new();
            for (first, len) in runs {
                set.insert_range(first..first + len);
            }
            for (first, count, step) in steps {
                set.extend((0..count).map(|n| first + n * step));
            }
            if is_optimized {
                set.optimize();
            }
            let mut dense = Dense::default();
            dense.fill(&(0..900_000).collect());
            dense.fill(&set);
            let differs = (0..700_000).find(|&slot| dense.has(slot) != set.contains(slot));
            prop_assert_eq!(differs, None);
        }
    }
}
