//! The best vertices seen by a walk, nearest first, and which of them were visited.
//!
//! One sorted array of integers: distance in the high half, slot and marks in the low one, so that
//! comparing two entries is comparing two numbers, and ties go to the smaller slot.

const VISITED: u64 = 1;
const HIDDEN: u64 = 2;

/// The order of floats as the order of integers.
#[inline(always)]
pub(crate) fn key(distance: f32) -> u32 {
    let bits = distance.to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 0x8000_0000
    }
}

/// The float of a key.
#[inline(always)]
pub(crate) fn distance(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 {
        key & 0x7fff_ffff
    } else {
        !key
    })
}

/// A visited vertex as one number that orders by distance, then slot.
#[inline(always)]
pub(crate) fn found(distance: f32, slot: u32) -> u64 {
    u64::from(key(distance)) << 32 | u64::from(slot)
}

/// At most `ef` visible entries and whatever hidden ones lie between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Beam {
    entries: Vec<u64>,
    ef: usize,
    visible: usize,
    /// Entries at most: so many are still visited at most, the others only take time.
    most: usize,
    /// Everything before it was visited.
    cursor: usize,
}

impl Beam {
    /// Empties it for a walk with at most `ef` visible entries and at most `visits` visits.
    pub fn begin(&mut self, ef: usize, visits: usize) {
        self.entries.clear();
        (self.ef, self.visible, self.cursor) = (ef, 0, 0);
        self.most = visits;
    }

    /// Distances at or above this cannot enter.
    #[inline(always)]
    pub fn bound(&self) -> f32 {
        match self.entries.last() {
            Some(last) if self.visible >= self.ef => distance((last >> 32) as u32),
            _ => f32::INFINITY,
        }
    }

    /// Offers a vertex below the bound.
    #[inline]
    pub fn insert(&mut self, estimate: f32, slot: u32, is_visible: bool) {
        let mark = if is_visible { 0 } else { HIDDEN };
        let entry = u64::from(key(estimate)) << 32 | u64::from(slot) << 2 | mark;
        let at = self.entries.partition_point(|&other| other < entry);
        self.entries.insert(at, entry);
        self.cursor = self.cursor.min(at);
        if is_visible {
            self.visible += 1;
            self.cut();
        }
        if self.entries.len() > self.most {
            self.pop();
        }
    }

    #[inline]
    fn pop(&mut self) {
        let last = self.entries.pop();
        if last.is_some_and(|entry| entry & HIDDEN == 0) {
            self.visible -= 1;
        }
        self.cursor = self.cursor.min(self.entries.len());
    }

    /// Drops what lies behind the last visible entry that has a place.
    #[inline]
    fn cut(&mut self) {
        while self.visible > self.ef
            || self.visible == self.ef && self.entries.last().is_some_and(|e| e & HIDDEN != 0)
        {
            self.pop();
        }
    }

    /// The nearest vertex not visited, which counts as visited from now on.
    #[inline]
    pub fn next(&mut self) -> Option<u32> {
        let open = self.entries.get(self.cursor..)?;
        let step = open.iter().position(|entry| entry & VISITED == 0);
        let Some(step) = step else {
            self.cursor = self.entries.len();
            return None;
        };
        self.cursor += step;
        let entry = &mut self.entries[self.cursor];
        *entry |= VISITED;
        let slot = (*entry as u32) >> 2;
        self.cursor += 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;

    proptest! {
        #![proptest_config(cases(256))]

        #[test]
        fn keys_order_as_floats(a in any::<f32>(), b in any::<f32>()) {
            prop_assume!(!a.is_nan() && !b.is_nan());
            prop_assert_eq!(key(a).cmp(&key(b)), a.total_cmp(&b));
            prop_assert_eq!(distance(key(a)).to_bits(), a.to_bits());
        }

        /// Against a list that is sorted anew each time.
        #[test]
        fn equals_sorting_everything(
            ef in 1usize..8,
            offers in prop::collection::vec((0u8..40, any::<bool>(), any::<bool>()), 0..80),
        ) {
            let mut beam = Beam::default();
            beam.begin(ef, usize::MAX);
            let mut twin: Vec<(u8, u32, bool, bool)> = Vec::new();
            for (slot, (estimate, is_visible, takes)) in offers.into_iter().enumerate() {
                if f32::from(estimate) < beam.bound() {
                    beam.insert(f32::from(estimate), slot as u32, is_visible);
                    twin.push((estimate, slot as u32, is_visible, false));
                    twin.sort_unstable();
                    let visible = |twin: &[(u8, u32, bool, bool)]| twin.iter().filter(|e| e.2).count();
                    while visible(&twin) > ef || visible(&twin) == ef && !twin[twin.len() - 1].2 {
                        twin.pop();
                    }
                }
                if takes {
                    let open = twin.iter_mut().find(|entry| !entry.3);
                    let want = open.map(|entry| { entry.3 = true; entry.1 });
                    prop_assert_eq!(beam.next(), want);
                }
            }
        }
    }
}
