//! A venue that speaks whole depth levels over a stream: its pipeline and its place in the view.
//!
//! It runs on whichever thread brings messages, since such feeds are hundreds of messages a second,
//! not hundreds of thousands.

use engine::pipeline::Late;
use market::pipeline::{DepthPipeline, DepthVenue, PipelineConfig};
use market::publish::Frame;

use super::pump::with_causes;
use crate::market::Rejected;
use crate::node::Node;

/// A depth feed's pipeline, publishing into the node's view as lane `lane`.
pub struct DepthLane {
    pipeline: DepthPipeline,
    name: String,
    lane: usize,
    frames: Vec<Frame>,
    late: Late,
    /// Of the reference data in force.
    revision: u32,
}

impl DepthLane {
    /// A lane with memory for what `config` expects. `name` says whose it is, to people and before
    /// symbols that two venues share: `kraken`, `binance-usdm`.
    #[must_use]
    pub fn new(venue: DepthVenue, name: &str, config: &PipelineConfig, lane: usize) -> Self {
        Self {
            pipeline: DepthPipeline::new(venue, config),
            name: name.to_owned(),
            lane,
            frames: Vec::new(),
            late: Late::default(),
            revision: 0,
        }
    }

    /// Its place in the node's view.
    #[must_use]
    pub fn lane(&self) -> usize {
        self.lane
    }

    /// Takes one message of the venue.
    pub fn message(&mut self, node: &Node, ts_recv: u64, json: &[u8]) {
        let refused = self.pipeline.message(ts_recv, json).err();
        self.publish(
            node,
            ts_recv,
            json,
            refused.map(|reason| with_causes(&reason)),
        );
    }

    /// Takes a depth snapshot of one symbol.
    pub fn snapshot(&mut self, node: &Node, ts_recv: u64, symbol: &str, json: &[u8]) {
        let refused = self.pipeline.snapshot(symbol, ts_recv, json).err();
        self.publish(
            node,
            ts_recv,
            json,
            refused.map(|reason| with_causes(&reason)),
        );
    }

    /// The connection is lost: what happens meanwhile is unknown, and readers must see that. A
    /// Binance book is taken back into order by its first change after it, others by a snapshot.
    pub fn interrupt(&mut self, node: &Node, now_ns: u64) {
        self.pipeline.cut(now_ns);
        node.interrupt(self.lane);
        self.publish(node, now_ns, &[], None);
    }

    /// The connection was made, or made again, and everything was subscribed.
    pub fn connected(&mut self, now_ns: u64) {
        self.pipeline.connected(now_ns);
    }

    /// Lets time pass.
    pub fn tick(&mut self, node: &Node, now_ns: u64) {
        self.pipeline.tick(now_ns);
        self.publish(node, now_ns, &[], None);
    }

    /// The next symbol that needs a snapshot.
    pub fn next_snapshot(&mut self) -> Option<String> {
        self.pipeline
            .next_snapshot()
            .map(|instrument| instrument.symbol().to_owned())
    }

    /// The next symbol to be unsubscribed and subscribed again.
    pub fn next_resubscribe(&mut self) -> Option<String> {
        self.pipeline
            .next_resubscribe()
            .map(|instrument| instrument.symbol().to_owned())
    }

    /// The pipeline, for checks against it.
    #[must_use]
    pub fn pipeline(&self) -> &DepthPipeline {
        &self.pipeline
    }

    fn note_late(&mut self, node: &Node) {
        let (bars, vwap) = self.pipeline.late();
        let late = Late {
            bars,
            vwap,
            measures: self.pipeline.late_measures(),
        };
        if late != self.late {
            self.late = late;
            node.market_mut().note_late(self.lane, late);
        }
    }

    fn publish(&mut self, node: &Node, at: u64, json: &[u8], refused: Option<String>) {
        let loaded = node.reference().revision();
        if loaded != self.revision {
            self.revision = loaded;
            self.pipeline.swap_reference(node.reference().table());
        }
        self.pipeline.publish(&mut self.frames);
        self.note_late(node);
        if self.frames.is_empty() && refused.is_none() {
            return;
        }
        node.publish(self.lane, &self.frames);
        self.frames.clear();
        if let Some(reason) = refused {
            let bytes = json[..json.len().min(256)].to_vec();
            node.market_mut().reject(Rejected {
                at,
                line: self.name.clone(),
                reason,
                bytes,
            });
        }
    }
}
