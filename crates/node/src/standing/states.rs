//! Market states held against the questions that wait for them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use market::event::InstrumentId;
use market::publish::{Frame, MarketState};

use super::alert::{Alert, StateArrival};
use super::watcher::Sink;
use crate::Node;
use crate::outlet::{Kind, Kinds, Laned, Outlet, SlowPolicy};

/// States that may wait to be matched: some seconds of a whole market. Of more the oldest go, and the outlet counts them.
const CAPACITY: usize = 65_536;
const BATCH: usize = 4_096;

/// Reads the states that lanes publish. A question is told of a symbol when it comes near enough, and again only once it was
/// farther away: a state lasts, and each of its steps is near.
pub struct StateWatcher {
    node: Arc<Node>,
    /// Open while a question waits for a state.
    outlet: Option<Outlet>,
    sinks: Vec<Arc<dyn Sink>>,
    /// Of each instrument the questions that its last state was near enough to, each with the entry that it waits from.
    near: HashMap<(usize, InstrumentId), Vec<(String, u64)>>,
    batch: Vec<Laned>,
}

impl StateWatcher {
    /// One that has read nothing yet.
    #[must_use]
    pub fn new(node: Arc<Node>, sinks: Vec<Arc<dyn Sink>>) -> Self {
        Self {
            outlet: None,
            sinks,
            near: HashMap::new(),
            batch: Vec::with_capacity(BATCH),
            node,
        }
    }

    /// Matches what there is. The first turn with a question begins with the states of now.
    pub fn turn(&mut self) {
        let node = Arc::clone(&self.node);
        if node.standing().matcher().of_states().next().is_none() {
            self.outlet = None;
            self.near.clear();
            return;
        }
        let mut outlet = self.outlet.take().unwrap_or_else(|| {
            let kinds = Kinds::of(&[Kind::State]);
            let outlets = node.outlets();
            outlets.open_for("standing", SlowPolicy::DropWithMark, CAPACITY, kinds)
        });
        let mut batch = std::mem::take(&mut self.batch);
        while outlet.take(BATCH, &mut batch) > 0 {
            for (lane, frame) in batch.drain(..) {
                if let Frame::State(state) = frame {
                    self.state(&node, lane, &state);
                }
            }
        }
        (self.batch, self.outlet) = (batch, Some(outlet));
    }

    fn state(&mut self, node: &Node, lane: usize, state: &MarketState) {
        let standing = node.standing();
        standing.tally.states.fetch_add(1, Ordering::Relaxed);
        let matcher = standing.matcher();
        let symbol = node
            .market()
            .of_lane(lane, state.instrument)
            .map(|s| s.symbol.clone());
        let (Some(symbol), vector) = (symbol, state.vector()) else {
            return;
        };
        let of = (lane, state.instrument);
        // A symbol that was near to no question has no entry.
        let before = self.near.remove(&of).unwrap_or_default();
        let mut near = Vec::new();
        for question in matcher.of_states() {
            let wish = question.question.state.as_ref();
            let Some(distance) = wish.and_then(|wish| wish.judge(&symbol, &vector)) else {
                continue;
            };
            let key = (question.question.id.clone(), question.after_seq);
            if !before.contains(&key) {
                let arrival = StateArrival {
                    symbol: symbol.clone(),
                    end_ns: state.end_ns,
                    known_ns: state.known_ns,
                    distance,
                };
                let alert = Alert::of_state(question, arrival, node.clock().now_ns());
                let alert = standing.alerts().push(alert);
                self.sinks.iter().for_each(|sink| sink.take(&alert, None));
            }
            near.push(key);
        }
        if !near.is_empty() {
            self.near.insert(of, near);
        }
    }
}
