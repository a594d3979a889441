//! A market state: the last seconds of one symbol's book and flow, as integers, and as the vector
//! that is searched.

use super::Integrity;
use crate::event::{InstrumentId, Price, Qty};

/// Components of a state's vector.
pub const STATE_DIM: usize = 24;
/// How many levels of each side each depth counts.
pub const STATE_DEPTHS: [usize; 4] = [1, 3, 5, 10];
/// Time constants of the three scales, in steps: a mean forgets `1 / 2^shift` of itself a step. With
/// steps of 100 ms they are 0.8 s, 3.2 s and 25.6 s.
pub const STATE_SHIFTS: [u32; 3] = [3, 5, 8];
/// Means of counts and quantities are kept in units of `2^-16`.
pub const STATE_FRACTION_BITS: u32 = 16;

/// What an instrument's book and flow were like as of the end of a step.
///
/// A mean over a scale is exponential: each step it moves by `(value - mean) >> shift`, towards the
/// step's own value. Means of flow begin at zero and those of prices and book at their first value,
/// whenever the instrument wakes from a silence that outlasts all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct MarketState {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Exclusive end of the step, a multiple of the step's length, ns UTC.
    pub end_ns: u64,
    /// Event time at which the step was closed: the book's depth is as of then, which may be one event
    /// after `end_ns`. Nothing later is in it.
    pub known_ns: u64,
    /// Middle of the touch; `None` while a side is empty.
    pub mid: Option<Price>,
    /// Ask less bid, 1e-9, and its mean over the longest scale.
    pub spread: i64,
    /// See `spread`.
    pub spread_mean: i64,
    /// The touch weighted by the other side's quantity, 1e-9, and its means.
    pub micro: i64,
    /// See `micro`.
    pub micro_means: [i64; 3],
    /// Bid and ask quantity in the best [`STATE_DEPTHS`] levels.
    pub depths: [[u64; 2]; 4],
    /// Mean over the longest scale of both sides' quantity in ten levels.
    pub depth_mean: u64,
    /// Quantity that takers bought less what they sold, a step, in `2^-16`.
    pub taken_means: [i64; 3],
    /// Quantity printed a step, in `2^-16`.
    pub volume_means: [i64; 3],
    /// Prints a step, in `2^-16`.
    pub trade_means: [i64; 3],
    /// Changes of the touch a step, in `2^-16`.
    pub quote_means: [i64; 3],
    /// Squared returns of the middle from step to step, in `1e-18`.
    pub return_means: [i64; 3],
    /// Order-flow imbalance a step (as [`Measure::flow`](super::Measure::flow)) over the two shorter
    /// scales, in `2^-16`.
    pub flow_means: [i64; 2],
    /// Quantity printed in the step itself.
    pub volume: Qty,
    /// The worst integrity in the step.
    pub integrity: Integrity,
}

/// What each component of [`MarketState::vector`] says, in order.
pub const STATE_FEATURES: [&str; STATE_DIM] = [
    "imbalance_1",
    "imbalance_3",
    "imbalance_5",
    "imbalance_10",
    "depth",
    "spread",
    "spread_in_volatility",
    "drift_fast",
    "drift_mid",
    "drift_slow",
    "sign_fast",
    "sign_mid",
    "sign_slow",
    "trades_fast",
    "trades_mid",
    "volume_fast",
    "volume_mid",
    "quotes_fast",
    "quotes_mid",
    "volatility_fast",
    "volatility_mid",
    "volatility_in_spreads",
    "flow_fast",
    "flow_mid",
];

impl MarketState {
    /// The state as numbers from -1 to 1 without units, so that states of any two symbols can be
    /// compared; 0 where nothing is known. In the order of [`STATE_FEATURES`]:
    ///
    /// * imbalance: bid less ask over their sum, in 1, 3, 5 and 10 levels;
    /// * depth, spread: ln of now over the slow mean;
    /// * drift: microprice less its mean on each scale, in standard deviations of the slow scale;
    /// * sign: bought less sold over all printed, on each scale;
    /// * trades, volume, quotes, volatility: ln of the faster scales over the slow one;
    /// * volatility in spreads: ln of what the middle moves in a slow time constant over the mean
    ///   spread; spread in volatility: ln of the spread over what it moves in a step;
    /// * flow: order-flow imbalance over the depth of the book.
    ///
    /// A logarithm or a drift is cut at 4 either way and divided by 4.
    #[must_use]
    pub fn vector(&self) -> [f32; STATE_DIM] {
        let mut out = [0.0; STATE_DIM];
        self.book(&mut out);
        self.prices(&mut out);
        self.flow(&mut out);
        out.map(|value| value as f32)
    }

    fn book(&self, out: &mut [f64; STATE_DIM]) {
        for (out, [bid, ask]) in out.iter_mut().zip(self.depths) {
            *out = share(bid as f64 - ask as f64, bid as f64 + ask as f64);
        }
        let [bid, ask] = self.depths[3];
        out[4] = log_ratio(bid as f64 + ask as f64, self.depth_mean as f64, 1.0);
        out[5] = log_ratio(self.spread as f64, self.spread_mean as f64, 1.0);
    }

    fn prices(&self, out: &mut [f64; STATE_DIM]) {
        let Some(mid) = self.mid.filter(|mid| mid.0 > 0) else {
            return;
        };
        let deviation = |scale: usize| (self.return_means[scale].max(0) as f64).sqrt() * 1e-9;
        let spread = self.spread_mean.max(1) as f64;
        // A price that has stood still moves by a twentieth of a spread at least.
        let moves = (deviation(2) * mid.0 as f64).max(spread / 20.0);
        out[6] = log_ratio(self.spread as f64, moves, 1.0);
        for scale in 0..3 {
            let steps = f64::from(1u32 << STATE_SHIFTS[scale]);
            let drift = self.micro as f64 - self.micro_means[scale] as f64;
            out[7 + scale] = squash(drift / (moves * steps.sqrt()));
        }
        out[19] = log_ratio(deviation(0), deviation(2), 1e-9);
        out[20] = log_ratio(deviation(1), deviation(2), 1e-9);
        let slow = f64::from(1u32 << STATE_SHIFTS[2]).sqrt();
        out[21] = log_ratio(moves * slow, spread, 1.0);
    }

    fn flow(&self, out: &mut [f64; STATE_DIM]) {
        let one = f64::from(1u32 << STATE_FRACTION_BITS);
        for scale in 0..3 {
            let volume = self.volume_means[scale] as f64;
            out[10 + scale] = share(self.taken_means[scale] as f64, volume);
        }
        for scale in 0..2 {
            let against_slow = |means: &[i64; 3], least: f64| {
                log_ratio(means[scale] as f64, means[2] as f64, least)
            };
            out[13 + scale] = against_slow(&self.trade_means, one / 64.0);
            let volume_least = (self.volume_means[2] as f64 / 64.0).max(1.0);
            out[15 + scale] = against_slow(&self.volume_means, volume_least);
            out[17 + scale] = against_slow(&self.quote_means, one / 64.0);
            let [bid, ask] = self.depths[0];
            let steps = f64::from(1u32 << STATE_SHIFTS[scale]);
            let moved = self.flow_means[scale] as f64 / one * steps;
            let depth = (bid as f64 + ask as f64).max(1.0);
            out[22 + scale] = moved / (moved.abs() + depth);
        }
    }
}

/// `part` of `whole`, from -1 to 1; 0 of nothing.
fn share(part: f64, whole: f64) -> f64 {
    if whole > 0.0 {
        (part / whole).clamp(-1.0, 1.0)
    } else {
        0.0
    }
}

/// Squashed ln of `now` over `usual`, each at least `least`.
fn log_ratio(now: f64, usual: f64, least: f64) -> f64 {
    squash((now.max(least) / usual.max(least)).ln())
}

fn squash(value: f64) -> f64 {
    value.clamp(-4.0, 4.0) / 4.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state() -> MarketState {
        MarketState {
            mid: Some(Price(100_000_000_000)),
            spread: 20_000_000,
            spread_mean: 10_000_000,
            micro: 100_005_000_000,
            micro_means: [100_000_000_000; 3],
            depths: [[300, 100], [500, 500], [800, 0], [900, 100]],
            depth_mean: 500,
            taken_means: [-50, 25, 0],
            volume_means: [100, 50, 80],
            return_means: [400_000_000, 100_000_000, 100_000_000],
            ..MarketState::default()
        }
    }

    #[test]
    fn components_say_what_their_names_say() {
        let vector = state().vector();
        let of = |name: &str| {
            let at = STATE_FEATURES.iter().position(|known| *known == name);
            f64::from(vector[at.expect("a feature")])
        };
        let near = |name: &str, value: f64| {
            assert!((of(name) - value).abs() < 1e-5, "{name}: {}", of(name));
        };
        near("imbalance_1", 0.5);
        near("imbalance_3", 0.0);
        near("imbalance_5", 1.0);
        near("imbalance_10", 0.8);
        near("depth", 2f64.ln() / 4.0);
        near("spread", 2f64.ln() / 4.0);
        near("sign_fast", -0.5);
        near("sign_mid", 0.5);
        near("volatility_fast", 2f64.ln() / 4.0);
        near("volatility_mid", 0.0);
        // One standard deviation is 1e-5 of 100: 0.001; the drift is 0.005 over eight steps.
        near("drift_fast", 5.0 / 8f64.sqrt() / 4.0);
        assert!(vector.iter().all(|value| (-1.0..=1.0).contains(value)));
    }

    #[test]
    fn prices_and_quantities_have_no_scale() {
        let mut large = state();
        large.mid = large.mid.map(|mid| Price(mid.0 * 7));
        (large.spread, large.spread_mean) = (large.spread * 7, large.spread_mean * 7);
        large.micro *= 7;
        large.micro_means = large.micro_means.map(|mean| mean * 7);
        large.depths = large.depths.map(|sides| sides.map(|qty| qty * 9));
        large.depth_mean *= 9;
        large.volume_means = large.volume_means.map(|mean| mean * 9);
        large.taken_means = large.taken_means.map(|mean| mean * 9);
        for (one, other) in state().vector().iter().zip(large.vector()) {
            assert!((one - other).abs() < 1e-6, "{one} {other}");
        }
    }

    #[test]
    fn nothing_known_is_zero() {
        assert_eq!(MarketState::default().vector(), [0.0; STATE_DIM]);
    }
}
