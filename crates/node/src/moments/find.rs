//! Past moments like a given one.

use std::sync::Arc;

use market::event::Price;
use market::publish::{Integrity, STATE_DIM};
use vector::Metric;
use vector::flat::{Scan, Scratch};

use super::block::{BLOCK_ROWS, Block, CODE_ONE};
use super::outcome::{Spread, spread};
use super::shape::Shape;
use super::store::{Inner, MomentStore};

/// How old a symbol's newest state may be to say what the instant is like: as long as it stays active.
pub(super) const FRESH_NS: u64 = 5_000_000_000;
/// States taken at first for each moment wanted: neighbours of one moment fold to one.
const AHEAD: usize = 64;

/// What to look for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MomentQuery {
    /// Which symbol's moment.
    pub symbol: String,
    /// As of when, ns UTC; `None`: now.
    pub at: Option<u64>,
    /// How long a moment is, ns: of those that overlap the nearest stands for all, and a past one ended
    /// before this one began.
    pub window_ns: u64,
    /// How many.
    pub k: usize,
    /// How long after each moment its outcome is looked at, ns.
    pub outcomes: Vec<u64>,
    /// What is compared: states, or the course of a series through the window.
    pub shape: Option<Shape>,
    /// Only moments of the same symbol.
    pub same_symbol: bool,
}

/// A past moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Whose.
    pub symbol: String,
    /// When it ended, ns UTC.
    pub at: u64,
    /// Smaller is nearer. Of states: the root of the mean squared difference of the components, 0 to 2.
    /// Of shapes: the Euclidean distance of the two courses, each of mean 0 and variance 1.
    pub distance: f64,
    /// Middle of the touch then.
    pub mid: Option<Price>,
    /// How far it can be trusted.
    pub integrity: Integrity,
    /// Move of the middle after it, in basis points, one for each outcome asked for.
    pub moves_bp: Vec<Option<f64>>,
}

/// Moments found and what followed them.
pub type Moments = Vec<Moment>;

/// What was found.
#[derive(Clone, Debug, PartialEq)]
pub struct Similar {
    /// As the store knows it.
    pub symbol: String,
    /// End of the moment that was asked about, ns UTC.
    pub at: u64,
    /// Its vector, as it was searched; empty where shapes were compared.
    pub vector: Vec<f32>,
    /// Nearest first.
    pub moments: Moments,
    /// What followed, one for each outcome asked for.
    pub outcomes: Vec<Spread>,
    /// States, or windows, that were compared.
    pub compared: u64,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// No lane has published a state of it.
    #[error("no market state of {0:?} is kept")]
    UnknownSymbol(String),
    /// It was quiet.
    #[error("{symbol} had no market state within {FRESH_S} s before that instant")]
    Quiet {
        /// Which symbol.
        symbol: String,
        /// End of the newest state before, ns UTC.
        newest: Option<u64>,
    },
    /// The window cannot be cut into points.
    #[error("{symbol} has not traded without a break through the window before that instant")]
    Short {
        /// Which symbol.
        symbol: String,
    },
}

const FRESH_S: u64 = FRESH_NS / 1_000_000_000;

impl MomentStore {
    /// Past moments like the one of `query`, and what followed them; all of it as known at its instant.
    ///
    /// # Errors
    /// When the symbol is unknown or was quiet at that instant.
    pub fn similar(&self, query: &MomentQuery) -> Result<Similar, Unanswered> {
        match query.shape {
            None => self.similar_states(query),
            Some(shape) => self.similar_shapes(query, shape),
        }
    }

    fn similar_states(&self, query: &MomentQuery) -> Result<Similar, Unanswered> {
        let inner = self.read();
        let asked = Asked::of(&inner, query)?;
        let before_ns = asked.end_ns.saturating_sub(query.window_ns);
        let (block, row) = inner.row(asked.number);
        let vector = block.query(row);
        let only = query.same_symbol.then_some(asked.symbol);
        let sealed: Vec<Arc<Block>> = inner.sealed.iter().cloned().collect();
        let search = Search {
            vector: &vector,
            before_ns,
            as_of: asked.as_of,
            only,
        };
        let tail = Block::clone(&inner.tail);
        let first = inner.first;
        drop(inner);
        let pieces: Vec<&Block> = sealed.iter().map(Arc::as_ref).chain([&tail]).collect();
        let mut wanted = query.k.saturating_mul(AHEAD).max(AHEAD);
        let (folded, compared) = loop {
            let (hits, compared) = search.nearest(&pieces, wanted);
            let is_all = hits.len() < wanted;
            let folded = fold(hits, query, |place| {
                let block = pieces[place / BLOCK_ROWS];
                let row = place % BLOCK_ROWS;
                (block.symbols[row], block.ends[row])
            });
            if is_all || folded.len() >= query.k {
                break (folded, compared);
            }
            wanted = wanted.saturating_mul(8);
        };
        let found = folded.into_iter().map(|(place, score)| {
            let distance = (f64::from(score) / STATE_DIM as f64).sqrt() / f64::from(CODE_ONE);
            (first + place as u64, distance)
        });
        let found: Vec<(u64, f64)> = found.collect();
        let inner = self.read();
        let vector = vector.iter().map(|code| code / CODE_ONE).collect();
        Ok(inner.answer(query, &asked, vector, &found, compared))
    }
}

/// The moment that was asked about.
pub(super) struct Asked {
    pub symbol: u32,
    /// Its state.
    pub number: u64,
    pub end_ns: u64,
    pub as_of: u64,
}

impl Asked {
    pub fn of(inner: &Inner, query: &MomentQuery) -> Result<Self, Unanswered> {
        let unknown = || Unanswered::UnknownSymbol(query.symbol.clone());
        let symbol = inner.find(&query.symbol).ok_or_else(unknown)?;
        let as_of = query.at.unwrap_or(u64::MAX);
        let newest = inner.last_by(symbol, as_of, as_of);
        let quiet = || Unanswered::Quiet {
            symbol: inner.text(symbol).to_owned(),
            newest: newest.map(|number| inner.end_ns(number)),
        };
        let number = newest.ok_or_else(quiet)?;
        let end_ns = inner.end_ns(number);
        // Now is when the symbol last spoke; an instant of the past may have been a silence.
        if query.at.is_some_and(|at| at - end_ns > FRESH_NS) {
            return Err(quiet());
        }
        Ok(Self {
            symbol,
            number,
            end_ns,
            as_of: query.at.unwrap_or(inner.known_ns(number)),
        })
    }
}

impl Inner {
    /// The answer over the states found. One that has left meanwhile is left out.
    pub fn answer(
        &self,
        query: &MomentQuery,
        asked: &Asked,
        vector: Vec<f32>,
        found: &[(u64, f64)],
        compared: u64,
    ) -> Similar {
        let kept = found.iter().filter(|(number, _)| *number >= self.first);
        let moments: Moments = kept
            .map(|&(number, distance)| {
                let (block, row) = self.row(number);
                let moves = query.outcomes.iter();
                Moment {
                    symbol: self.text(block.symbols[row]).to_owned(),
                    at: block.ends[row],
                    distance,
                    mid: block.mid(row),
                    integrity: block.flags[row],
                    moves_bp: moves
                        .map(|horizon| self.move_bp(number, *horizon, asked.as_of))
                        .collect(),
                }
            })
            .collect();
        let outcomes = query.outcomes.iter().enumerate().map(|(at, horizon)| {
            let moves: Vec<Option<f64>> = moments.iter().map(|m| m.moves_bp[at]).collect();
            spread(*horizon, &moves)
        });
        Similar {
            symbol: self.text(asked.symbol).to_owned(),
            at: asked.end_ns,
            vector,
            outcomes: outcomes.collect(),
            moments,
            compared,
        }
    }
}

struct Search<'a> {
    vector: &'a [f32],
    /// Moments end by then.
    before_ns: u64,
    as_of: u64,
    only: Option<u32>,
}

impl Search<'_> {
    /// The nearest states by place over all pieces, nearest first, and how many were compared.
    fn nearest(&self, pieces: &[&Block], k: usize) -> (Vec<(usize, f32)>, u64) {
        let mut scratch = Scratch::default();
        let mut scan = Scan::new(Metric::L2, self.vector, k, &mut scratch);
        let mut compared = 0;
        for (at, block) in pieces.iter().enumerate() {
            let base = (at * BLOCK_ROWS) as u32;
            let is_past = block.end_max <= self.before_ns && block.known_max <= self.as_of;
            match (is_past, self.only) {
                (true, None) => {
                    compared += block.len() as u64;
                    scan.tiles(base, &block.codes, |_| true);
                }
                (true, Some(only)) => {
                    let symbols = &block.symbols;
                    compared += symbols.iter().filter(|of| **of == only).count() as u64;
                    scan.tiles(base, &block.codes, |slot| {
                        symbols[(slot - base) as usize] == only
                    });
                }
                (false, only) => {
                    let is_visible = |row: usize| {
                        block.ends[row] <= self.before_ns
                            && block.knowns[row] <= self.as_of
                            && only.is_none_or(|only| block.symbols[row] == only)
                    };
                    compared += (0..block.len()).filter(|row| is_visible(*row)).count() as u64;
                    scan.tiles(base, &block.codes, |slot| {
                        is_visible((slot - base) as usize)
                    });
                }
            }
        }
        let hits = scan.finish();
        let places = hits.iter().map(|hit| (hit.slot as usize, hit.score));
        (places.collect(), compared)
    }
}

/// Nearest first, of those of one symbol that overlap the nearest; at most `k`.
pub(super) fn fold<P: Copy, S>(
    hits: Vec<(P, S)>,
    query: &MomentQuery,
    of: impl Fn(P) -> (u32, u64),
) -> Vec<(P, S)> {
    let mut kept: Vec<(u32, u64)> = Vec::new();
    let mut folded = Vec::new();
    for (place, score) in hits {
        if folded.len() == query.k {
            break;
        }
        let (symbol, end_ns) = of(place);
        let overlaps =
            |(known, at): &(u32, u64)| *known == symbol && at.abs_diff(end_ns) < query.window_ns;
        if !kept.iter().any(overlaps) {
            kept.push((symbol, end_ns));
            folded.push((place, score));
        }
    }
    folded
}
