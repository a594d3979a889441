//! Past moments by the course of a series through the window.

use vector::series::{POINTS_MIN, nearest_shapes};

use super::find::{Asked, MomentQuery, Similar, Unanswered, fold};
use super::store::{Inner, MomentStore};

/// Points of a window; fewer where it is short.
const POINTS: u64 = 64;
/// Points are at least as far apart as states.
const STEP_NS: u64 = 100_000_000;
/// Silence after which a series begins anew: a window does not reach over it.
const BREAK_NS: u64 = 60_000_000_000;
/// Windows taken at first for each moment wanted.
const AHEAD: usize = 32;

/// Which series is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// The middle of the touch.
    Price,
    /// Quantity printed.
    Volume,
}

/// A stretch of a symbol's series without a break.
struct Stretch {
    symbol: u32,
    /// The grid step of its first point.
    first: u64,
    values: Vec<f64>,
}

impl MomentStore {
    pub(super) fn similar_shapes(
        &self,
        query: &MomentQuery,
        shape: Shape,
    ) -> Result<Similar, Unanswered> {
        let inner = self.read();
        let asked = Asked::of(&inner, query)?;
        let grid = Grid::of(query.window_ns);
        let short = || Unanswered::Short {
            symbol: inner.text(asked.symbol).to_owned(),
        };
        // The cell in which the moment ends is not over yet.
        let end = asked.end_ns / grid.step_ns;
        let own = inner.stretches(asked.symbol, &grid, shape, end, asked.as_of);
        let begin = end.checked_sub(grid.points).ok_or_else(short)?;
        let own = own
            .into_iter()
            .find(|of| of.first <= begin && of.first + of.values.len() as u64 >= end)
            .ok_or_else(short)?;
        let from = (begin - own.first) as usize;
        let course = &own.values[from..from + grid.points as usize];
        let before = begin;
        let symbols = match query.same_symbol {
            true => asked.symbol..asked.symbol + 1,
            false => inner.symbols(),
        };
        let past: Vec<Stretch> = symbols
            .flat_map(|symbol| inner.stretches(symbol, &grid, shape, before, asked.as_of))
            .collect();
        let series: Vec<&[f64]> = past.iter().map(|of| of.values.as_slice()).collect();
        let windows = series
            .iter()
            .map(|values| (values.len() as u64 + 1).saturating_sub(grid.points))
            .sum();
        let end_of = |(stretch, start): (u32, u32)| {
            let of = &past[stretch as usize];
            let end = of.first + u64::from(start) + grid.points;
            (of.symbol, end * grid.step_ns)
        };
        let mut wanted = query.k.saturating_mul(AHEAD).max(AHEAD);
        let folded = loop {
            let hits = nearest_shapes(course, &series, wanted);
            let is_all = hits.len() < wanted;
            let places = hits
                .iter()
                .map(|hit| ((hit.series, hit.start), hit.distance));
            let folded = fold(places.collect(), query, end_of);
            if is_all || folded.len() >= query.k {
                break folded;
            }
            wanted = wanted.saturating_mul(8);
        };
        let found = folded.into_iter().filter_map(|(place, distance)| {
            let (symbol, end_ns) = end_of(place);
            Some((inner.last_by(symbol, end_ns, asked.as_of)?, distance))
        });
        let found: Vec<(u64, f64)> = found.collect();
        Ok(inner.answer(query, &asked, Vec::new(), &found, windows))
    }
}

/// How a window is cut into points.
struct Grid {
    step_ns: u64,
    points: u64,
}

impl Grid {
    fn of(window_ns: u64) -> Self {
        let steps = window_ns.div_ceil(POINTS).div_ceil(STEP_NS).max(1);
        let step_ns = steps * STEP_NS;
        Self {
            step_ns,
            points: (window_ns / step_ns).max(POINTS_MIN as u64),
        }
    }
}

impl Inner {
    /// A symbol's series in the cells before `to`, as known at `as_of`. A price holds until the next; a
    /// cell without a print has a volume of 0.
    fn stretches(
        &self,
        symbol: u32,
        grid: &Grid,
        shape: Shape,
        to: u64,
        as_of: u64,
    ) -> Vec<Stretch> {
        let mut all: Vec<Stretch> = Vec::new();
        let mut last_ns = 0;
        for number in self.series(symbol) {
            let (block, row) = self.row(*number);
            // A state speaks of the time before its end.
            let cell = (block.ends[row] - 1) / grid.step_ns;
            if cell >= to || block.knowns[row] > as_of {
                break;
            }
            let value = match shape {
                Shape::Price => match block.mid(row) {
                    Some(mid) => mid.0 as f64,
                    None => continue,
                },
                Shape::Volume => block.volumes[row] as f64,
            };
            let is_new = last_ns == 0 || block.ends[row] - last_ns > BREAK_NS;
            last_ns = block.ends[row];
            match all.last_mut().filter(|_| !is_new) {
                Some(stretch) => stretch.put(cell, value, shape),
                None => all.push(Stretch {
                    symbol,
                    first: cell,
                    values: vec![value],
                }),
            }
        }
        all
    }
}

impl Stretch {
    fn put(&mut self, cell: u64, value: f64, shape: Shape) {
        let at = (cell - self.first) as usize;
        let held = match shape {
            Shape::Price => self.values.last().copied().unwrap_or(value),
            Shape::Volume => 0.0,
        };
        if at >= self.values.len() {
            self.values.resize(at + 1, held);
        }
        match shape {
            Shape::Price => self.values[at] = value,
            Shape::Volume => self.values[at] += value,
        }
    }
}
