//! The best texts of one part: windows of slots, bounded before they are read.
//!
//! Terms are walked in step through windows of slots. In each, the blocks' impacts bound what every term can
//! add there. A window whose bounds together do not reach the worst of the best k is skipped without
//! being read. Otherwise terms whose bounds together do not reach it cannot bring a text in by
//! themselves: only the others' postings are read, and a text found there is looked up in the rest, dearest term
//! first, while it can still make it. That is MaxScore (Turtle and Flood, "Query Evaluation: Strategies
//! and Optimizations", 1995) with the bounds of blocks (Ding and Suel, 2011) in place of those of lists.

use std::ops::Range;

use super::Slots;
use super::cursor::Cursor;
use super::explain::Work;
use super::query::Phrase;
use super::top::Top;

/// Slots that are added up side by side, at most.
const WINDOW: u32 = 2048;
/// Below this it is cheaper to read a window than to look at it again.
const WINDOW_MIN: u32 = 512;

/// To look a slot up costs as much as to read so many.
const FEW: usize = 32;
/// Sums that are looked at together.
const GROUP: usize = 16;

/// Memory that a thread keeps between searches.
#[derive(Debug)]
pub struct TextScratch {
    /// By slot of the window; zero between windows.
    sums: Vec<u32>,
    /// Slots that may make it, and what they scored so far.
    candidates: Vec<(u32, u32)>,
    /// Bounds in the window with their cursors, ascending.
    bounds: Vec<(u32, usize)>,
    /// What was done since the thread began.
    pub(super) work: Work,
}

impl Default for TextScratch {
    fn default() -> Self {
        Self {
            sums: vec![0; WINDOW as usize],
            candidates: Vec::new(),
            bounds: Vec::new(),
            work: Work::default(),
        }
    }
}

/// Which slots may answer.
pub(super) struct Pass<'a, V, A> {
    pub(super) visible: &'a V,
    pub(super) allowed: Option<&'a A>,
}

impl<V: Slots, A: Slots> Pass<'_, V, A> {
    #[inline]
    fn has(&self, slot: u32) -> bool {
        self.visible.has(slot) && self.allowed.is_none_or(|allowed| allowed.has(slot))
    }

    /// The first slot from here on that a filter lets through.
    fn next(&self, slot: u32) -> Option<u32> {
        match self.allowed {
            Some(allowed) => allowed.next(slot),
            None => Some(slot),
        }
    }

    /// Whether a filter lets so few slots of a window through that they are looked up one by one. They
    /// are then the candidates.
    fn few(&self, window: Range<u32>, candidates: &mut Vec<(u32, u32)>) -> bool {
        candidates.clear();
        let Some(allowed) = self.allowed else {
            return false;
        };
        let most = window.len() / FEW;
        let mut from = window.start;
        while let Some(slot) = allowed.next(from).filter(|slot| *slot < window.end) {
            if candidates.len() == most {
                return false;
            }
            candidates.push((slot, 0));
            from = slot + 1;
        }
        true
    }
}

/// Offers every text in `slots` that has one of the terms.
pub(super) fn search_any<V: Slots, A: Slots>(
    cursors: &mut Vec<Cursor<'_>>,
    slots: Range<u32>,
    pass: &Pass<'_, V, A>,
    top: &mut Top,
    scratch: &mut TextScratch,
) {
    let mut from = slots.start;
    loop {
        cursors.retain_mut(|cursor| cursor.seek_block(from));
        let possible = cursors.iter().map(|cursor| cursor.next_possible(from));
        let next = possible.min().and_then(|next| pass.next(next));
        let Some(next) = next.filter(|next| *next < slots.end) else {
            return;
        };
        if next > from {
            from = next;
            cursors.retain_mut(|cursor| cursor.seek_block(from));
        }
        let Some(near) = cursors.iter().map(Cursor::block_end).min() else {
            return;
        };
        let near = near.max(from + 1);
        if !top.wants(bound_all(cursors, near, scratch)) {
            from = near;
            scratch.work.windows_skipped += 1;
            continue;
        }
        let mut end = near;
        if cursors.len() > 1 {
            end = near.clamp(from.saturating_add(WINDOW_MIN), from.saturating_add(WINDOW));
            bound_all(cursors, end, scratch);
        }
        // Slots behind the part are another's to look up.
        let end = end.min(slots.end);
        search_window(cursors, from..end, pass, top, scratch);
        from = end;
    }
}

/// Bounds every cursor before `end`, sorts the bounds and adds them up.
fn bound_all(cursors: &mut [Cursor<'_>], end: u32, scratch: &mut TextScratch) -> u32 {
    let bounds = &mut scratch.bounds;
    bounds.clear();
    bounds.extend(
        cursors
            .iter_mut()
            .enumerate()
            .map(|(at, c)| (c.bound(end), at)),
    );
    bounds.sort_unstable();
    bounds
        .iter()
        .fold(0, |sum: u32, (bound, _)| sum.saturating_add(*bound))
}

fn search_window<V: Slots, A: Slots>(
    cursors: &mut [Cursor<'_>],
    window: Range<u32>,
    pass: &Pass<'_, V, A>,
    top: &mut Top,
    scratch: &mut TextScratch,
) {
    let bounds = std::mem::take(&mut scratch.bounds);
    let mut rest = 0u32;
    let split = bounds.iter().position(|(bound, _)| {
        let with = rest.saturating_add(*bound);
        let enough = top.wants(with);
        if !enough {
            rest = with;
        }
        enough
    });
    if let Some(split) = split {
        scratch.work.windows_read += 1;
        let few = pass.few(window.clone(), &mut scratch.candidates);
        let (looked_up, read) = bounds.split_at(if few { bounds.len() } else { split });
        if few {
            rest = bounds
                .iter()
                .fold(0, |sum, (bound, _)| sum.saturating_add(*bound));
        } else {
            gather(cursors, read, window, rest, top, scratch);
        }
        scratch.work.candidates += scratch.candidates.len() as u64;
        for &(slot, sum) in &scratch.candidates {
            if top.wants(sum.saturating_add(rest)) && pass.has(slot) {
                look_up(cursors, looked_up, slot, sum, rest, top);
            }
        }
    } else {
        scratch.work.windows_skipped += 1;
    }
    scratch.bounds = bounds;
}

/// Adds up the terms that are read, and keeps the slots that make it if the others add `rest`.
fn gather(
    cursors: &mut [Cursor<'_>],
    read: &[(u32, usize)],
    window: Range<u32>,
    rest: u32,
    top: &Top,
    scratch: &mut TextScratch,
) {
    let TextScratch {
        sums, candidates, ..
    } = scratch;
    candidates.clear();
    let (from, end) = (window.start, window.end);
    let mut offer = |slot: u32, sum: u32| {
        if top.wants(sum.saturating_add(rest)) {
            candidates.push((slot, sum));
        }
    };
    if let [(_, alone)] = read {
        cursors[*alone].drain(from, end, offer);
        return;
    }
    for (_, term) in read {
        cursors[*term].drain(from, end, |slot, score| {
            let at = slot.wrapping_sub(from) as usize;
            if let Some(sum) = sums.get_mut(at) {
                *sum = sum.saturating_add(score);
            }
        });
    }
    // Most sums are too small: they are passed over sixteen at a time.
    let least = top.least().saturating_sub(rest).max(1);
    let window = &mut sums[..(end - from) as usize];
    for (start, group) in (from..end).step_by(GROUP).zip(window.chunks_mut(GROUP)) {
        if group.iter().fold(0, |most, sum| most.max(*sum)) >= least {
            for (slot, &sum) in (start..).zip(group.iter()) {
                if sum >= least {
                    offer(slot, sum);
                }
            }
        }
        group.fill(0);
    }
}

fn look_up(
    cursors: &mut [Cursor<'_>],
    looked_up: &[(u32, usize)],
    slot: u32,
    mut sum: u32,
    mut rest: u32,
    top: &mut Top,
) {
    for &(bound, term) in looked_up.iter().rev() {
        if !top.wants(sum.saturating_add(rest)) {
            return;
        }
        sum = sum.saturating_add(cursors[term].score_of(slot));
        rest = rest.saturating_sub(bound);
    }
    // Every posting scores: nothing is what a text without any of the terms gets.
    if sum > 0 && top.wants(sum) {
        top.push(sum, slot);
    }
}

/// Offers every text in `slots` in which all phrases occur. `terms` says which term of the query each
/// cursor walks, ascending.
pub(super) fn search_phrases<V: Slots, A: Slots>(
    cursors: &mut [Cursor<'_>],
    terms: &[usize],
    phrases: &[Phrase],
    slots: Range<u32>,
    pass: &Pass<'_, V, A>,
    top: &mut Top,
    work: &mut Work,
) {
    let words = phrases.iter().flat_map(|phrase| &phrase.0);
    let needed: Option<Vec<usize>> = words
        .map(|(term, _)| terms.binary_search(term).ok())
        .collect();
    let Some(mut needed) = needed else { return };
    needed.sort_unstable_by_key(|at| (cursors[*at].block_count(), *at));
    needed.dedup();
    let mut from = slots.start;
    while let Some(next) = pass.next(from).filter(|next| *next < slots.end) {
        let Some(slot) = agree(cursors, &needed, next) else {
            return;
        };
        from = slot.saturating_add(1);
        if !pass.has(slot) {
            continue;
        }
        work.candidates += 1;
        let scores = cursors.iter_mut().map(|cursor| cursor.score_of(slot));
        let sum = scores.fold(0, u32::saturating_add);
        let occurs = |phrase: &Phrase| {
            phrase.occurs(|term, places| match terms.binary_search(&term) {
                Ok(at) => cursors[at].places(places),
                Err(_) => places.clear(),
            })
        };
        if top.wants(sum) && phrases.iter().all(occurs) {
            top.push(sum, slot);
        }
    }
}

/// The first slot from `from` on that all the needed cursors have, with them standing there.
fn agree(cursors: &mut [Cursor<'_>], needed: &[usize], from: u32) -> Option<u32> {
    let mut slot = from;
    loop {
        let mut agreed = true;
        for &at in needed {
            let found = cursors[at].seek(slot)?;
            agreed &= found == slot;
            slot = found.max(slot);
        }
        if agreed {
            return Some(slot);
        }
    }
}
