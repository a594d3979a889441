//! A venue that speaks whole depth levels over a stream: its pipeline and its place in the view.
//!
//! It runs on whichever thread brings messages, since such feeds are hundreds of messages a second,
//! not hundreds of thousands.

use market::pipeline::{DepthPipeline, PipelineConfig};
use market::publish::{FeedState, Frame};

use super::pump::with_causes;
use crate::market::Rejected;
use crate::node::Node;

/// A depth feed's pipeline, publishing into the node's view as lane `lane`.
pub struct DepthLane {
    pipeline: DepthPipeline,
    lane: usize,
    frames: Vec<Frame>,
    /// The connection was lost, and no message has come since.
    is_interrupted: bool,
    /// Of the reference data in force.
    revision: u32,
}

impl DepthLane {
    /// A lane with memory for what `config` expects.
    #[must_use]
    pub fn new(config: &PipelineConfig, lane: usize) -> Self {
        Self {
            pipeline: DepthPipeline::new(config),
            lane,
            frames: Vec::new(),
            is_interrupted: false,
            revision: 0,
        }
    }

    /// Takes one message of the venue.
    pub fn message(&mut self, node: &Node, ts_recv: u64, json: &[u8]) {
        self.is_interrupted = false;
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

    /// The connection is lost: what happens meanwhile is unknown, and readers must see that. Each
    /// book is taken back into order by its first change after it.
    pub fn interrupt(&mut self, node: &Node) {
        self.is_interrupted = true;
        node.interrupt(self.lane);
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

    /// The pipeline, for checks against it.
    #[must_use]
    pub fn pipeline(&self) -> &DepthPipeline {
        &self.pipeline
    }

    fn publish(&mut self, node: &Node, at: u64, json: &[u8], refused: Option<String>) {
        let loaded = node.reference().revision();
        if loaded != self.revision {
            self.revision = loaded;
            self.pipeline.swap_reference(node.reference().table());
        }
        self.pipeline.publish(&mut self.frames);
        if self.frames.is_empty() && refused.is_none() {
            return;
        }
        for frame in &mut self.frames {
            if let Frame::Feed(status) = frame
                && self.is_interrupted
            {
                status.state = FeedState::Recovering;
            }
        }
        node.publish(self.lane, &self.frames);
        self.frames.clear();
        if let Some(reason) = refused {
            let bytes = json[..json.len().min(256)].to_vec();
            node.market_mut().reject(Rejected {
                at,
                line: "binance".to_owned(),
                reason,
                bytes,
            });
        }
    }
}
