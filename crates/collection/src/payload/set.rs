//! Sets of slots: borrowed from the index where nothing has to be joined.

use std::ops::Deref;
use std::sync::Arc;

use roaring::RoaringBitmap;

use super::Damaged;

/// A set that somebody owns.
#[derive(Clone, Debug)]
pub enum Set<'a> {
    /// The index, in memory.
    Held(&'a RoaringBitmap),
    /// The index, read from its bytes once and kept.
    Kept(Arc<RoaringBitmap>),
    /// Whoever asked.
    Made(RoaringBitmap),
}

impl Deref for Set<'_> {
    type Target = RoaringBitmap;

    fn deref(&self) -> &RoaringBitmap {
        match self {
            Self::Held(set) => set,
            Self::Kept(set) => set,
            Self::Made(set) => set,
        }
    }
}

impl Set<'_> {
    /// Its slots in a set of one's own.
    #[must_use]
    pub fn into_owned(self) -> RoaringBitmap {
        match self {
            Self::Made(set) => set,
            other => (*other).clone(),
        }
    }
}

/// The set that bytes are, all of it below `slots`.
pub(super) fn read_set(bytes: &[u8], slots: u32) -> Result<RoaringBitmap, Damaged> {
    let set = RoaringBitmap::deserialize_from(bytes).map_err(|_| Damaged)?;
    match set.max() {
        Some(last) if last >= slots => Err(Damaged),
        _ => Ok(set),
    }
}

/// The set of slots that come in any order, each any number of times; what is not below `slots`
/// comes of damage and is left out.
pub(super) fn gathered(mut list: Vec<u32>, slots: u32) -> RoaringBitmap {
    // Sorting costs about 10 ns a slot, bits a share of a ns for each slot there is.
    if list.len() < slots as usize / 64 {
        list.retain(|&slot| slot < slots);
        list.sort_unstable();
        list.dedup();
        return RoaringBitmap::from_sorted_iter(list)
            .expect("sorted, each once, is what it asks for");
    }
    let mut bytes = vec![0u8; (slots as usize).div_ceil(8)];
    for slot in list {
        if slot < slots {
            bytes[slot as usize / 8] |= 1 << (slot % 8);
        }
    }
    RoaringBitmap::from_lsb0_bytes(0, &bytes)
}
