//! What followed past moments.

use super::store::Inner;

/// How moves are spread, in basis points. Quantiles are values that were seen (nearest rank).
#[derive(Clone, Debug, PartialEq)]
pub struct Spread {
    /// How long after the moment, ns.
    pub horizon_ns: u64,
    /// Moments whose outcome was known.
    pub known: usize,
    /// Moments whose outcome was not known yet, or that had no price.
    pub unknown: usize,
    /// Mean; 0 of none.
    pub mean: f64,
    /// Least, tenth, quarter, half, three quarters, nine tenths and most; zeros of none.
    pub quantiles: [f64; 7],
    /// Share of moves above zero, and below.
    pub up: f64,
    /// See `up`.
    pub down: f64,
}

/// Sums up the moves that followed; `None` stands for one that is not known.
#[must_use]
pub fn spread(horizon_ns: u64, moves: &[Option<f64>]) -> Spread {
    let mut seen: Vec<f64> = moves.iter().copied().flatten().collect();
    seen.sort_by(f64::total_cmp);
    let count = seen.len();
    let rank = |share: f64| {
        let at = (share * count as f64).ceil() as usize;
        seen.get(at.clamp(1, count.max(1)) - 1)
            .copied()
            .unwrap_or(0.0)
    };
    let share =
        |is_in: fn(&&f64) -> bool| seen.iter().filter(is_in).count() as f64 / count.max(1) as f64;
    Spread {
        horizon_ns,
        known: count,
        unknown: moves.len() - count,
        mean: seen.iter().sum::<f64>() / count.max(1) as f64,
        quantiles: [0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0].map(rank),
        up: share(|bp| **bp > 0.0),
        down: share(|bp| **bp < 0.0),
    }
}

impl Inner {
    /// The move of the middle from a state to `horizon_ns` after it, in basis points. `None`: the
    /// horizon lies after `as_of`, no state of the symbol in between says where the price went, or nothing at all was
    /// published around the horizon.
    pub fn move_bp(&self, number: u64, horizon_ns: u64, as_of: u64) -> Option<f64> {
        let until_ns = self.end_ns(number).checked_add(horizon_ns)?;
        if until_ns > as_of {
            return None;
        }
        let last = self.last_by(self.symbol_of(number), until_ns, as_of)?;
        if last == number || !self.gaps.stands(self.end_ns(last), until_ns) {
            return None;
        }
        let (from, to) = (self.mid(number)?.0, self.mid(last)?.0);
        (from > 0).then(|| (to as f64 - from as f64) / from as f64 * 1e4)
    }
}
