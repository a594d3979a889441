//! What happened to texts, in order: one stream of births and one of deaths.
//!
//! A text is born when its version is stored and dies when something supersedes it. Both streams are
//! numbered without holes in the order of the log; a birth's number is the slot. So the texts visible as
//! of entry `s` are a prefix of the births less a prefix of the deaths, and a count over them is
//! the difference of two counts, each found by halving:
//!
//! ```text
//! births   slot  0 1 2 3 4 5 ...      entry  1 1 2 4 4 7 ...
//! deaths   number 0 1 2 ...           entry  4 6 6 ...
//! as of 5: slots 0..5 less deaths 0..1
//! ```
//!
//! A version that arrives late is born and dies in the same entry and counts at none.

use super::columns::{long, word};

/// How many lengths lie between two running totals.
const TOTALS_STEP: usize = 128;

/// Events as they are gathered, in the bytes in which they are stored.
#[derive(Debug, Default)]
pub(super) struct EventLog {
    first: u32,
    /// The entries that events came from, ascending.
    seqs: Vec<[u8; 8]>,
    /// How many events there were by the end of each.
    ends: Vec<[u8; 4]>,
    /// The lengths before each group of 128 events, added up.
    totals: Vec<[u8; 8]>,
    /// Of the texts in question, in terms.
    lengths: Vec<[u8; 4]>,
    total: u64,
}

/// A stretch of events, numbered from `first`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Events<'a> {
    pub(super) first: u32,
    pub(super) seqs: &'a [[u8; 8]],
    pub(super) ends: &'a [[u8; 4]],
    pub(super) totals: &'a [[u8; 8]],
    pub(super) lengths: &'a [[u8; 4]],
}

impl EventLog {
    pub(super) fn starting_at(first: u32) -> Self {
        Self {
            first,
            ..Self::default()
        }
    }

    /// The number that the next event gets.
    pub(super) fn next(&self) -> u32 {
        self.first + self.lengths.len() as u32
    }

    /// # Panics
    /// When entries go backwards.
    pub(super) fn push(&mut self, seq: u64, length: u32) {
        if self.lengths.len().is_multiple_of(TOTALS_STEP) {
            self.totals.push(self.total.to_le_bytes());
        }
        self.lengths.push(length.to_le_bytes());
        self.total += u64::from(length);
        let end = (self.lengths.len() as u32).to_le_bytes();
        let last = self.seqs.last().map(|seq| u64::from_le_bytes(*seq));
        match self.ends.last_mut() {
            Some(open) if last == Some(seq) => *open = end,
            _ => {
                assert!(last.is_none_or(|last| last < seq), "entries are in order");
                self.seqs.push(seq.to_le_bytes());
                self.ends.push(end);
            }
        }
    }

    /// Takes over the events of a later stretch.
    pub(super) fn extend(&mut self, more: &Events<'_>) {
        let mut number = 0;
        for run in 0..more.seqs.len() {
            let end = word(more.ends, run).min(more.len());
            // Entries that go backwards can only be damage.
            let last = self.seqs.last().map_or(0, |seq| u64::from_le_bytes(*seq));
            let seq = long(more.seqs, run).max(last);
            while number < end {
                self.push(seq, more.length(number));
                number += 1;
            }
        }
    }

    pub(super) fn view(&self) -> Events<'_> {
        Events {
            first: self.first,
            seqs: &self.seqs,
            ends: &self.ends,
            totals: &self.totals,
            lengths: &self.lengths,
        }
    }

    pub(super) fn size_bytes(&self) -> usize {
        (self.seqs.capacity() + self.totals.capacity()) * 8
            + (self.ends.capacity() + self.lengths.capacity()) * 4
    }
}

impl Events<'_> {
    pub(super) fn len(&self) -> u32 {
        self.lengths.len() as u32
    }

    /// How many there were by the end of entry `seq`.
    pub(super) fn until(&self, seq: u64) -> u32 {
        let runs = self
            .seqs
            .partition_point(|other| u64::from_le_bytes(*other) <= seq);
        runs.checked_sub(1)
            .map_or(0, |run| word(self.ends, run).min(self.len()))
    }

    /// The length of the text of the event `at` after the first.
    #[inline]
    pub(super) fn length(&self, at: u32) -> u32 {
        word(self.lengths, at as usize)
    }

    /// The lengths of the first `count` texts, added up.
    pub(super) fn total(&self, count: u32) -> u64 {
        let count = (count as usize).min(self.lengths.len());
        let Some(last) = count.checked_sub(1) else {
            return 0;
        };
        let group = last / TOTALS_STEP;
        let rest = self.lengths[group * TOTALS_STEP..count].iter();
        let rest: u64 = rest.map(|l| u64::from(u32::from_le_bytes(*l))).sum();
        long(self.totals, group).wrapping_add(rest)
    }

    /// How many totals go with `count` lengths.
    pub(super) fn totals_count(count: usize) -> usize {
        count.div_ceil(TOTALS_STEP)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn prefixes_add_up(runs in prop::collection::vec((1u64..4, 0u32..400), 0..8), cut in 0usize..8) {
            let mut all = Vec::new();
            let (mut whole, mut first, mut seq) = (EventLog::starting_at(7), EventLog::starting_at(7), 0);
            let mut second = None;
            for (at, &(step, count)) in runs.iter().enumerate() {
                seq += step;
                if at == cut {
                    second = Some(EventLog::starting_at(first.next()));
                }
                for n in 0..count {
                    let length = n * 31 % 17;
                    all.push((seq, length));
                    whole.push(seq, length);
                    second.as_mut().unwrap_or(&mut first).push(seq, length);
                }
            }
            if let Some(second) = &second {
                first.extend(&second.view());
            }
            for log in [&whole, &first] {
                let events = log.view();
                prop_assert_eq!(events.len() as usize, all.len());
                prop_assert_eq!(log.totals.len(), Events::totals_count(all.len()));
                for asked in 0..seq + 2 {
                    let want = all.iter().filter(|(seq, _)| *seq <= asked).count();
                    prop_assert_eq!(events.until(asked) as usize, want);
                }
                for count in (0..=all.len()).step_by(13).chain([all.len()]) {
                    let want: u64 = all[..count].iter().map(|(_, length)| u64::from(*length)).sum();
                    prop_assert_eq!(events.total(count as u32), want);
                }
            }
        }
    }
}
