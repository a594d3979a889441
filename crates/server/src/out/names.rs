//! What instruments are called, kept beside an outlet: the node's view is asked once a name, not once a frame.

use std::collections::HashMap;

use market::event::{Instrument, InstrumentId};
use node::Node;

/// One instrument of a lane.
pub struct Named {
    /// As people know it: with its venue before it where two have the same text.
    pub symbol: String,
    /// What its numbers mean.
    pub instrument: Instrument,
}

/// Names by lane and the lane's number.
#[derive(Default)]
pub struct Names(HashMap<(usize, u32), Named>);

impl Names {
    /// Takes over a new or changed instrument; whether it had another name before.
    pub fn learn(&mut self, node: &Node, lane: usize, new: &Instrument) -> bool {
        let view = node.market();
        let shown = view.of_lane(lane, new.id).map(|s| s.symbol.clone());
        drop(view);
        let symbol = shown.unwrap_or_else(|| new.symbol().to_owned());
        let named = Named {
            symbol,
            instrument: *new,
        };
        let old = self.0.get(&(lane, new.id.0));
        let is_renamed = old.is_some_and(|old| old.symbol != named.symbol);
        self.0.insert((lane, new.id.0), named);
        is_renamed
    }

    /// The instrument, if its name has come.
    #[must_use]
    pub fn get(&self, lane: usize, id: InstrumentId) -> Option<&Named> {
        self.0.get(&(lane, id.0))
    }
}
