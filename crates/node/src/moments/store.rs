//! The rolling store: names, blocks, and where each symbol's states lie.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use market::event::{InstrumentId, Price};
use market::publish::{Frame, MarketState};

use super::block::{BLOCK_ROWS, Block, Row, STATE_BYTES, SymbolIdx};
use super::gaps::Gaps;
use super::keep::{KeepCounts, Keeping};

/// States of all symbols, the newest within a limit in bytes. One writer appends; readers hold it for
/// as long as the newest block takes to scan.
#[derive(Debug)]
pub struct MomentStore {
    inner: RwLock<Inner>,
    keeping: Keeping,
}

/// What a store holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MomentCounts {
    /// States kept.
    pub states: u64,
    /// Bytes that they take.
    pub bytes: u64,
    /// States that left because the limit was reached.
    pub left: u64,
    /// States that were not newer than the newest of their symbol, and were left out.
    pub stale: u64,
    /// End of the newest state, ns UTC; 0 before the first.
    pub newest_ns: u64,
}

#[derive(Debug, Default)]
pub(super) struct Inner {
    names: Vec<String>,
    by_name: HashMap<String, SymbolIdx>,
    by_lane: HashMap<(usize, InstrumentId), SymbolIdx>,
    /// Of each symbol the numbers of its states, in order of time.
    series: Vec<VecDeque<u64>>,
    pub sealed: VecDeque<Arc<Block>>,
    pub tail: Block,
    /// The number of the first state of the first block.
    pub first: u64,
    blocks_limit: usize,
    stale: u64,
    pub gaps: Gaps,
}

impl MomentStore {
    /// An empty store that keeps at most about `bytes_limit`; nothing at all of 0.
    #[must_use]
    pub fn new(bytes_limit: usize) -> Self {
        let block_bytes = BLOCK_ROWS * STATE_BYTES;
        let inner = Inner {
            blocks_limit: match bytes_limit {
                0 => 0,
                bytes => (bytes / block_bytes).max(2),
            },
            ..Inner::default()
        };
        Self {
            inner: RwLock::new(inner),
            keeping: Keeping::default(),
        }
    }

    /// What of them was written to files in this run.
    #[must_use]
    pub fn kept(&self) -> KeepCounts {
        self.keeping.counts()
    }

    pub(super) fn keeping(&self) -> &Keeping {
        &self.keeping
    }

    /// Changes the limit. What is too much leaves with the next block.
    pub fn set_limit(&self, bytes_limit: usize) {
        let limit = Self::new(bytes_limit).read().blocks_limit;
        self.write(|inner| inner.blocks_limit = limit);
    }

    /// Takes the names and states among `frames` of `lane`. `shown` says what people call an
    /// instrument.
    pub fn take(
        &self,
        lane: usize,
        frames: &[Frame],
        mut shown: impl FnMut(InstrumentId) -> Option<String>,
    ) {
        let is_ours = |frame: &&Frame| matches!(frame, Frame::State(_) | Frame::Instrument(_));
        if !frames.iter().any(|frame| is_ours(&frame)) {
            return;
        }
        self.write(|inner| {
            for frame in frames {
                match frame {
                    Frame::Instrument(new) => {
                        let name = shown(new.id).unwrap_or_else(|| new.symbol().to_owned());
                        inner.name(lane, new.id, name);
                    }
                    Frame::State(state) => inner.push(lane, state),
                    _ => {}
                }
            }
        });
    }

    /// Takes states that an earlier run kept, in their order.
    pub(super) fn take_back(&self, rows: &[(&str, Row)]) {
        self.write(|inner| {
            for (name, row) in rows {
                let symbol = inner.symbol(name);
                inner.put(Row { symbol, ..*row });
            }
        });
    }

    /// Hands `each` up to `most` states from number `from` on, with the symbols' names, and says the number of the first
    /// that it has and the one after the last handed out.
    pub(super) fn rows(
        &self,
        from: u64,
        most: u64,
        mut each: impl FnMut(&str, &Row),
    ) -> (u64, u64) {
        let inner = self.read();
        let from = from.max(inner.first);
        let to = (from + most).min(inner.first + inner.len());
        for number in from..to {
            let (block, row) = inner.row(number);
            let row = block.row(row);
            each(inner.text(row.symbol), &row);
        }
        (inner.first, to)
    }

    /// What it holds.
    #[must_use]
    pub fn counts(&self) -> MomentCounts {
        let inner = self.read();
        let states = inner.len();
        let newest = inner.sealed.back().map_or(0, |block| block.end_max);
        MomentCounts {
            states,
            bytes: states * STATE_BYTES as u64,
            left: inner.first,
            stale: inner.stale,
            newest_ns: newest.max(inner.tail.end_max),
        }
    }

    pub(super) fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self, change: impl FnOnce(&mut Inner)) {
        change(&mut self.inner.write().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Inner {
    fn name(&mut self, lane: usize, id: InstrumentId, name: String) {
        let idx = self.symbol(&name);
        self.by_lane.insert((lane, id), idx);
    }

    /// The place of a name; a new one's, if it is new.
    fn symbol(&mut self, name: &str) -> SymbolIdx {
        if let Some(idx) = self.by_name.get(name) {
            return *idx;
        }
        let next = self.names.len() as SymbolIdx;
        self.by_name.insert(name.to_owned(), next);
        self.names.push(name.to_owned());
        self.series.push(VecDeque::new());
        next
    }

    fn push(&mut self, lane: usize, state: &MarketState) {
        let Some(&symbol) = self.by_lane.get(&(lane, state.instrument)) else {
            return;
        };
        self.put(Row::of(symbol, state));
    }

    fn put(&mut self, row: Row) {
        if self.blocks_limit == 0 {
            return;
        }
        let series = row.symbol as usize;
        let newest = self.series[series].back().copied();
        if newest.is_some_and(|number| self.end_ns(number) >= row.end_ns) {
            self.stale += 1;
            return;
        }
        let number = self.first + self.len();
        self.gaps.state(row.end_ns);
        self.tail.push(&row);
        self.series[series].push_back(number);
        if self.tail.len() == BLOCK_ROWS {
            self.sealed
                .push_back(Arc::new(std::mem::take(&mut self.tail)));
            while self.sealed.len() >= self.blocks_limit {
                self.forget_oldest();
            }
        }
    }

    fn forget_oldest(&mut self) {
        let Some(block) = self.sealed.pop_front() else {
            return;
        };
        self.gaps.forget_before(block.end_max);
        // States of a symbol leave in the order in which they came.
        for symbol in &block.symbols {
            self.series[*symbol as usize].pop_front();
        }
        self.first += block.len() as u64;
    }

    pub fn len(&self) -> u64 {
        (self.sealed.len() * BLOCK_ROWS + self.tail.len()) as u64
    }

    /// Where a state lies.
    pub fn row(&self, number: u64) -> (&Block, usize) {
        let place = (number - self.first) as usize;
        match self.sealed.get(place / BLOCK_ROWS) {
            Some(block) => (block, place % BLOCK_ROWS),
            None => (&self.tail, place - self.sealed.len() * BLOCK_ROWS),
        }
    }

    pub fn end_ns(&self, number: u64) -> u64 {
        let (block, row) = self.row(number);
        block.ends[row]
    }

    pub fn known_ns(&self, number: u64) -> u64 {
        let (block, row) = self.row(number);
        block.knowns[row]
    }

    pub fn symbol_of(&self, number: u64) -> SymbolIdx {
        let (block, row) = self.row(number);
        block.symbols[row]
    }

    pub fn mid(&self, number: u64) -> Option<Price> {
        let (block, row) = self.row(number);
        block.mid(row)
    }

    pub fn text(&self, symbol: SymbolIdx) -> &str {
        &self.names[symbol as usize]
    }

    pub fn find(&self, symbol: &str) -> Option<SymbolIdx> {
        let known = |name: &str| self.by_name.get(name).copied();
        known(symbol).or_else(|| known(&symbol.to_uppercase()))
    }

    pub fn series(&self, symbol: SymbolIdx) -> &VecDeque<u64> {
        &self.series[symbol as usize]
    }

    pub fn symbols(&self) -> std::ops::Range<SymbolIdx> {
        0..self.names.len() as SymbolIdx
    }

    /// The newest state of a symbol that ended by `end_ns` and was known by `as_of`.
    pub fn last_by(&self, symbol: SymbolIdx, end_ns: u64, as_of: u64) -> Option<u64> {
        let series = self.series(symbol);
        // Ends and instants of knowing rise together.
        let is_there =
            |number: &u64| self.end_ns(*number) <= end_ns && self.known_ns(*number) <= as_of;
        let count = series.partition_point(is_there);
        series.get(count.checked_sub(1)?).copied()
    }
}
