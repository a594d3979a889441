//! A run of states, column by column.

use market::event::Price;
use market::publish::{Integrity, MarketState, STATE_DIM};
use vector::flat::Tiles;

/// States a block.
pub(super) const BLOCK_ROWS: usize = 8_192;
/// A component of -1 to 1 is kept as this many steps either way.
pub(super) const CODE_ONE: f32 = 127.0;
/// What a state takes, its place in its symbol's series included.
pub(super) const STATE_BYTES: usize = STATE_DIM + 4 + 8 + 8 + 8 + 8 + 1 + 8;

/// Which symbol, by its place in the store's table of names.
pub(super) type SymbolIdx = u32;

/// A state as it is kept.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Row {
    pub symbol: SymbolIdx,
    pub end_ns: u64,
    pub known_ns: u64,
    pub mid: Option<Price>,
    pub volume: u64,
    pub integrity: Integrity,
    pub codes: [i8; STATE_DIM],
}

impl Row {
    pub fn of(symbol: SymbolIdx, state: &MarketState) -> Self {
        Self {
            symbol,
            end_ns: state.end_ns,
            known_ns: state.known_ns,
            mid: state.mid,
            volume: state.volume.0,
            integrity: state.integrity,
            codes: codes(state),
        }
    }
}

#[derive(Clone, Debug)]
pub(super) struct Block {
    /// Of [`STATE_DIM`] components.
    pub codes: Tiles,
    pub symbols: Vec<SymbolIdx>,
    pub ends: Vec<u64>,
    pub knowns: Vec<u64>,
    mids: Vec<Option<Price>>,
    pub volumes: Vec<u64>,
    pub flags: Vec<Integrity>,
    /// The latest of `knowns`.
    pub known_max: u64,
    pub end_max: u64,
}

impl Default for Block {
    fn default() -> Self {
        Self {
            codes: Tiles::with_capacity(STATE_DIM, 0),
            symbols: Vec::new(),
            ends: Vec::new(),
            knowns: Vec::new(),
            mids: Vec::new(),
            volumes: Vec::new(),
            flags: Vec::new(),
            known_max: 0,
            end_max: 0,
        }
    }
}

impl Block {
    pub fn len(&self) -> usize {
        self.symbols.len()
    }

    pub fn push(&mut self, row: &Row) {
        if self.symbols.capacity() == 0 {
            self.reserve();
        }
        self.codes.push(&row.codes);
        self.symbols.push(row.symbol);
        self.ends.push(row.end_ns);
        self.knowns.push(row.known_ns);
        self.mids.push(row.mid);
        self.volumes.push(row.volume);
        self.flags.push(row.integrity);
        self.known_max = self.known_max.max(row.known_ns);
        self.end_max = self.end_max.max(row.end_ns);
    }

    pub fn row(&self, row: usize) -> Row {
        let mut codes = [0; STATE_DIM];
        for (code, of) in codes.iter_mut().zip(self.codes.row(row)) {
            *code = of;
        }
        Row {
            symbol: self.symbols[row],
            end_ns: self.ends[row],
            known_ns: self.knowns[row],
            mid: self.mids[row],
            volume: self.volumes[row],
            integrity: self.flags[row],
            codes,
        }
    }

    pub fn mid(&self, row: usize) -> Option<Price> {
        self.mids[row]
    }

    /// The vector of a row, in steps of [`CODE_ONE`].
    pub fn query(&self, row: usize) -> Vec<f32> {
        self.codes.row(row).map(f32::from).collect()
    }

    fn reserve(&mut self) {
        self.codes = Tiles::with_capacity(STATE_DIM, BLOCK_ROWS);
        self.symbols.reserve_exact(BLOCK_ROWS);
        self.ends.reserve_exact(BLOCK_ROWS);
        self.knowns.reserve_exact(BLOCK_ROWS);
        self.mids.reserve_exact(BLOCK_ROWS);
        self.volumes.reserve_exact(BLOCK_ROWS);
        self.flags.reserve_exact(BLOCK_ROWS);
    }
}

fn codes(state: &MarketState) -> [i8; STATE_DIM] {
    state.vector().map(|value| (value * CODE_ONE).round() as i8)
}
