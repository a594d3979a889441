//! What traded, out of whatever event says so.

use crate::event::{Event, Price, Qty, Side};

/// A trade as a feed reports it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Trade {
    pub(super) price: Price,
    pub(super) qty: Qty,
    pub(super) aggressor: Option<Side>,
    pub(super) cross: bool,
    pub(super) match_id: u64,
}

impl Trade {
    /// What traded, where the venue counts it in volume.
    pub(super) fn of(event: &Event, execution: Option<(Price, Side)>) -> Option<Self> {
        let (price, qty, aggressor, cross, match_id) = match (*event, execution) {
            (
                Event::Execute {
                    qty,
                    match_id,
                    printable: true,
                    ..
                },
                Some((price, aggressor)),
            ) => (price, qty, Some(aggressor), false, match_id),
            (
                Event::Trade {
                    aggressor,
                    price,
                    qty,
                    match_id,
                },
                _,
            ) => (price, qty, aggressor, false, match_id),
            (
                Event::Cross {
                    price,
                    qty,
                    match_id,
                    ..
                },
                _,
            ) => (price, qty, None, true, match_id),
            _ => return None,
        };
        let trade = Self {
            price,
            qty,
            aggressor,
            cross,
            match_id,
        };
        (qty.0 > 0).then_some(trade)
    }
}
