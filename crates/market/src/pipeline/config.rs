//! Every limit and threshold of a pipeline, resolved by whoever starts it.

use super::shard::Shard;
use super::snapshot::SnapshotConfig;
use crate::feed::binance::DepthConfig;
use crate::feed::mold::MoldConfig;
use crate::publish::BarRule;
use crate::signal::{JumpConfig, RuleConfig};
use crate::window::MeasureConfig;

/// Which price is watched for jumps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum JumpPrice {
    /// The last print.
    #[default]
    Last,
    /// The middle of best bid and best ask, at every change near the touch.
    Mid,
}

/// Limits are memory taken at start; beyond them a pipeline goes on, allocates and counts it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PipelineConfig {
    /// The venue's midnight, ns UTC: ITCH counts from there.
    pub midnight_ns: u64,
    /// Which share of the symbols to keep; ITCH only.
    pub shard: Shard,
    /// Instruments expected.
    pub instruments_limit: usize,
    /// Live orders expected, all instruments together: about 112 bytes each.
    pub orders_limit: usize,
    /// Price levels expected on each side of each book: 64 bytes each, touched as they are used.
    pub levels_reserve: usize,
    /// Lengths of bars.
    pub bar_ns: Vec<u64>,
    /// Length of the sliding VWAP: 32 bytes a step and instrument.
    pub vwap_length_ns: u64,
    /// How often the sliding VWAP is emitted.
    pub vwap_step_ns: u64,
    /// How far event times may run behind the latest. A feed in the order of its matching engine
    /// needs none; at most the shortest bar.
    pub lateness_ns: u64,
    /// How far level changes may run ahead of older prints, for feeds whose streams are not in order
    /// with each other: levels then move event time only to this long before themselves.
    pub book_lag_ns: u64,
    /// Silence after which event time runs on with our clock.
    pub quiet_ns: u64,
    /// What counts as a jump.
    pub jump: JumpConfig,
    /// Which price is watched for jumps.
    pub jump_price: JumpPrice,
    /// Lines, gaps and retransmission of MoldUDP64.
    pub mold: MoldConfig,
    /// Snapshots of order feeds, where `mold.has_snapshot` says that there is a server.
    pub snapshot: SnapshotConfig,
    /// How long signals stay flagged after a hole: what their detectors remember, event time, ns.
    pub signal_memory_ns: u64,
    /// Snapshots of depth feeds.
    pub depth: DepthConfig,
    /// Least time between two frames of the same book; 0: at every publish.
    pub book_interval_ns: u64,
    /// Least time between two frames of the feed's status.
    pub status_interval_ns: u64,
    /// Lossless frames kept for a reader that falls behind.
    pub queue_limit: usize,
    /// The window that is measured (spread, flow, volatility, ...); `None`: nothing is, at no cost,
    /// unless there are rules.
    pub measure: Option<MeasureConfig>,
    /// A market state of each active instrument each so many ns; `None`: none, at no cost.
    pub state_step_ns: Option<u64>,
    /// Bars that activity closes.
    pub activity: Vec<BarRule>,
    /// Users' signals over the measures.
    pub rules: Vec<RuleConfig>,
    /// Publishes each print with the quote and the reference row in force, where the quote is no
    /// older than this before the print, ns; `None`: does not.
    pub join_tolerance_ns: Option<u64>,
    /// A table of reference data may be put in force.
    pub has_reference: bool,
}

impl Default for PipelineConfig {
    fn default() -> Self {
        Self {
            midnight_ns: 0,
            shard: Shard::WHOLE,
            instruments_limit: 256,
            orders_limit: 1 << 18,
            levels_reserve: 1_024,
            bar_ns: vec![1_000_000_000, 60_000_000_000],
            vwap_length_ns: 60_000_000_000,
            vwap_step_ns: 100_000_000,
            lateness_ns: 0,
            book_lag_ns: 0,
            quiet_ns: 250_000_000,
            jump: JumpConfig::default(),
            jump_price: JumpPrice::Last,
            mold: MoldConfig::default(),
            snapshot: SnapshotConfig::default(),
            signal_memory_ns: 60_000_000_000,
            depth: DepthConfig::default(),
            book_interval_ns: 0,
            status_interval_ns: 100_000_000,
            queue_limit: 65_536,
            measure: None,
            state_step_ns: None,
            activity: Vec::new(),
            rules: Vec::new(),
            join_tolerance_ns: None,
            has_reference: false,
        }
    }
}

impl PipelineConfig {
    /// The configured lateness, held to the shortest bar.
    pub(super) fn lateness_held_ns(&self) -> u64 {
        let shortest = self.bar_ns.iter().copied().filter(|ns| *ns > 0).min();
        self.lateness_ns.min(shortest.unwrap_or(u64::MAX))
    }
}
