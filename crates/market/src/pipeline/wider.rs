//! The steps that a pipeline runs only when asked to: activity bars, measures, users' rules, joined
//! prints and reference data.

use std::sync::Arc;

use super::board::Symbol;
use super::config::PipelineConfig;
use crate::event::{InstrumentId, Stamp, Terms};
use crate::publish::{
    Integrity, JoinedPrint, Measure, Publisher, Quote, Signal, SignalKind, TradePrint,
};
use crate::reference::{Reference, Row, Table};
use crate::signal::Rules;
use crate::window::{ActivityBars, Depths, LateCount, Measures, Print, QuoteJoin, States};

/// Depth streams may be told for up to so long ahead of the watermark that trades set.
const AHEAD_NS: u64 = 1_000_000_000;

/// What is known beside an event when something is emitted.
pub(super) struct Around<'a> {
    pub symbols: &'a [Symbol],
    pub feed: Integrity,
    pub now_ns: u64,
    pub publisher: &'a mut Publisher,
}

impl Around<'_> {
    /// The worst of what the windows saw and what holds now.
    fn integrity(&self, id: InstrumentId, seen: Integrity) -> Integrity {
        let flag = self.symbols[id.0 as usize].flag();
        seen.max(flag).max(self.feed)
    }
}

#[derive(Debug)]
pub(super) struct Wider {
    activity: ActivityBars,
    measures: Option<Measures>,
    states: Option<States>,
    rules: Option<Rules>,
    join: QuoteJoin,
    publishes_joined: bool,
    reference: Reference,
}

impl Wider {
    /// `None` where the configuration asks for none of it.
    pub(super) fn new(config: &PipelineConfig, publisher: &mut Publisher) -> Option<Box<Self>> {
        let limit = config.instruments_limit;
        let has_rules = !config.rules.is_empty();
        let measure = config.measure.or(has_rules.then(Default::default));
        let has_windows = measure.is_some() || config.state_step_ns.is_some();
        let is_asked = has_windows || !config.activity.is_empty();
        if !is_asked && config.join_tolerance_ns.is_none() && !config.has_reference {
            return None;
        }
        if measure.is_some() {
            publisher.reserve_measures(limit);
        }
        if config.state_step_ns.is_some() {
            publisher.reserve_states(limit);
        }
        let pending_ns = config.lateness_held_ns() + config.book_lag_ns.max(AHEAD_NS);
        let ema_steps = measure.map_or(1, |measure| measure.ema_steps);
        Some(Box::new(Self {
            activity: ActivityBars::new(limit, &config.activity),
            measures: measure.map(|measure| Measures::new(limit, &measure, pending_ns)),
            states: config
                .state_step_ns
                .map(|step_ns| States::new(limit, step_ns)),
            rules: has_rules.then(|| Rules::new(&config.rules, limit, ema_steps)),
            join: QuoteJoin::new(limit, config.join_tolerance_ns.unwrap_or(u64::MAX)),
            publishes_joined: config.join_tolerance_ns.is_some(),
            reference: Reference::new(limit),
        }))
    }

    /// A new or renamed instrument; true when that allocated.
    pub(super) fn listed(
        &mut self,
        id: InstrumentId,
        symbol: [u8; 16],
        publisher: &mut Publisher,
    ) -> bool {
        let count = id.0 as usize + 1;
        let mut grew = self.reference.list(id, symbol, None);
        grew |= self.activity.reserve(count) | self.join.reserve(count);
        if let Some(measures) = &mut self.measures
            && measures.reserve(count)
        {
            publisher.reserve_measures(count);
            grew = true;
        }
        if let Some(states) = &mut self.states
            && states.reserve(count)
        {
            publisher.reserve_states(count);
            grew = true;
        }
        grew | self
            .rules
            .as_mut()
            .is_some_and(|rules| rules.reserve(count))
    }

    /// What the feed itself says of an instrument; true when that allocated.
    pub(super) fn terms(&mut self, id: InstrumentId, symbol: [u8; 16], terms: &Terms) -> bool {
        self.reference.list(id, symbol, Row::of_feed(terms))
    }

    pub(super) fn swap_reference(&mut self, table: Arc<Table>) {
        self.reference.swap(table);
    }

    /// The touch of a book that changed near it.
    #[inline]
    pub(super) fn quote(&mut self, id: InstrumentId, quote: &Quote, integrity: Integrity) {
        self.join.quote(id, quote);
        if let Some(measures) = &mut self.measures {
            measures.quote(id, quote, integrity);
        }
        if let Some(states) = &mut self.states {
            states.quote(id, quote, integrity);
        }
    }

    pub(super) fn print(&mut self, print: &TradePrint, around: Around<'_>) {
        let id = print.instrument;
        let ts_event = print.stamp.ts_event;
        let short = Print {
            instrument: id,
            ts_event,
            price: print.price,
            qty: print.qty,
        };
        let publisher = around.publisher;
        self.activity
            .add(&short, print.integrity, |bar| publisher.activity(&bar));
        let quote = self.join.at(id, ts_event);
        // An auction has no taker.
        let aggressor = print.aggressor.filter(|_| !print.cross);
        let sign = self
            .join
            .sign(id, print.price, aggressor, quote.as_ref())
            .filter(|_| !print.cross);
        if let Some(measures) = &mut self.measures {
            measures.print(&short, sign.map(|(side, _)| side), print.integrity);
        }
        if let Some(states) = &mut self.states {
            states.print(&short, sign.map(|(side, _)| side), print.integrity);
        }
        if self.publishes_joined {
            publisher.joined(&JoinedPrint {
                print: *print,
                quote,
                sign,
                reference: self.reference.at(id, ts_event),
            });
        }
    }

    /// Closes and emits what the watermark has reached.
    pub(super) fn advance(&mut self, watermark: u64, around: &mut Around<'_>) {
        self.activity.advance(watermark, |mut bar| {
            bar.bar.integrity = around.integrity(bar.bar.instrument, bar.bar.integrity);
            around.publisher.activity(&bar);
        });
        let Some(measures) = &mut self.measures else {
            return;
        };
        let (rules, reference) = (&mut self.rules, &mut self.reference);
        measures.advance(watermark, |mut measure: Measure| {
            let id = measure.instrument;
            measure.integrity = around.integrity(id, measure.integrity);
            around.publisher.measure(&measure);
            let Some(rules) = rules else {
                return;
            };
            let row = reference.at(id, measure.end_ns);
            rules.update(&measure, row.as_ref(), |rule, value_e9| {
                let stamp = Stamp {
                    seq: around.symbols[id.0 as usize].stamp.seq,
                    ts_event: measure.end_ns,
                    ts_recv: around.now_ns,
                };
                around.publisher.signal(&Signal {
                    instrument: id,
                    stamp,
                    kind: SignalKind::Rule { rule, value_e9 },
                    integrity: measure.integrity,
                });
            });
        });
    }

    /// Closes the states that the watermark has reached, from books as they are now.
    pub(super) fn close_states(
        &mut self,
        (watermark, known_ns): (u64, u64),
        depths: impl FnMut(InstrumentId) -> Depths,
        around: &mut Around<'_>,
    ) {
        if let Some(states) = &mut self.states {
            states.close(watermark, known_ns, depths, |mut state| {
                state.integrity = around.integrity(state.instrument, state.integrity);
                around.publisher.state(&state);
            });
        }
    }

    /// When the next states are to be closed.
    pub(super) fn states_end_ns(&self) -> u64 {
        self.states.as_ref().map_or(u64::MAX, States::next_end_ns)
    }

    pub(super) fn next_end_ns(&self) -> u64 {
        let measures = self
            .measures
            .as_ref()
            .map_or(u64::MAX, Measures::next_end_ns);
        self.activity.next_end_ns().min(measures)
    }

    /// Closes what is open, for the end of a session.
    pub(super) fn flush(&mut self, around: &mut Around<'_>) {
        self.activity.flush(|mut bar| {
            bar.bar.integrity = around.integrity(bar.bar.instrument, bar.bar.integrity);
            around.publisher.activity(&bar);
        });
    }

    /// Something unknown happened to an instrument while it was flagged.
    pub(super) fn stain(&mut self, id: InstrumentId, integrity: Integrity) {
        if let Some(measures) = &mut self.measures {
            measures.stain(id, integrity);
        }
        if let Some(states) = &mut self.states {
            states.stain(id, integrity);
        }
    }

    /// Forgets all but names and reference data, for a new session.
    pub(super) fn clear(&mut self) {
        self.activity.flush(|_| {});
        self.join.clear();
        if let Some(measures) = &mut self.measures {
            measures.clear();
        }
        if let Some(states) = &mut self.states {
            states.clear();
        }
        if let Some(rules) = &mut self.rules {
            rules.clear();
        }
    }

    pub(super) fn late(&self) -> LateCount {
        self.measures
            .as_ref()
            .map(Measures::late)
            .unwrap_or_default()
    }
}
