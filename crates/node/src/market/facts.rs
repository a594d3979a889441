//! The market as answers see it: one symbol, the movers and the head of the stream, as of an
//! instant. Pure reads of [`MarketView`]; nothing after the instant is looked at.

use market::event::TradingState;
use market::publish::SignalKind;
use rag::{Halt, Jump, Mover, StreamHead, SymbolFacts};

use super::symbol::change_bp;
use super::view::MarketView;
use super::{SymbolView, words};

/// A jump counts as what is moving now for this long.
const JUMP_FRESH_NS: u64 = 180_000_000_000;

impl MarketView {
    /// The instant that "now" means: the newest event, since a replayed market lives in its own
    /// time.
    #[must_use]
    pub fn event_now(&self) -> Option<u64> {
        self.head().map(|(_, at)| at)
    }

    /// Facts of one symbol; `None` when it is unknown or had not traded or quoted by then.
    #[must_use]
    pub fn facts(&self, symbol: &str, as_of: Option<u64>) -> Option<SymbolFacts> {
        let (idx, found) = self.find(symbol)?;
        let mut facts = match as_of {
            Some(at) if at < self.event_now()? => past(found, at)?,
            _ => present(found)?,
        };
        self.add_signals(idx, as_of.unwrap_or(u64::MAX), &mut facts);
        Some(facts)
    }

    fn add_signals(&self, idx: usize, as_of: u64, facts: &mut SymbolFacts) {
        let signals = self
            .signals_from(0)
            .filter(|logged| logged.symbol_idx == idx);
        for logged in signals.filter(|logged| logged.signal.stamp.ts_event <= as_of) {
            let stamp = logged.signal.stamp;
            match logged.signal.kind {
                SignalKind::Jump {
                    from, to, span_ns, ..
                } => facts.jumps.push(Jump {
                    at: stamp.ts_event,
                    span_ns,
                    from: from.to_f64(),
                    to: to.to_f64(),
                    seq: stamp.seq,
                }),
                SignalKind::Halt { reason } => facts.halts.push(Halt {
                    at: stamp.ts_event,
                    resumed_at: None,
                    reason: String::from_utf8_lossy(&reason).trim_end().to_owned(),
                }),
                SignalKind::Resume => {
                    if let Some(halt) = facts.halts.last_mut() {
                        halt.resumed_at.get_or_insert(stamp.ts_event);
                    }
                }
                // What a user's rule means is not known here.
                SignalKind::Rule { .. } => {}
            }
        }
        let halted = facts
            .halts
            .last()
            .is_some_and(|halt| halt.resumed_at.is_none());
        if facts.state.is_empty() && halted {
            words::HALTED.clone_into(&mut facts.state);
        }
    }

    /// The `n` symbols that moved most as of an instant: fresh jumps by size, then the largest
    /// change from the session's first print.
    #[must_use]
    pub fn movers(&self, as_of: Option<u64>, n: usize) -> Vec<Mover> {
        let Some(now) = self
            .event_now()
            .map(|newest| as_of.map_or(newest, |at| at.min(newest)))
        else {
            return Vec::new();
        };
        let mut movers = self.fresh_jumps(now);
        movers.sort_by(|a, b| b.move_bp.abs().total_cmp(&a.move_bp.abs()));
        let mut drifts: Vec<Mover> = self
            .symbols()
            .iter()
            .filter_map(|s| drift(s, as_of, now))
            .collect();
        drifts.sort_by(|a, b| b.move_bp.abs().total_cmp(&a.move_bp.abs()));
        for drift in drifts {
            if movers.len() >= n {
                break;
            }
            if movers.iter().all(|m| m.symbol != drift.symbol) {
                movers.push(drift);
            }
        }
        movers.truncate(n);
        movers
    }

    /// Each symbol's largest fresh jump.
    fn fresh_jumps(&self, now: u64) -> Vec<Mover> {
        let mut movers: Vec<Mover> = Vec::new();
        for logged in self.signals_from(0) {
            let at = logged.signal.stamp.ts_event;
            let SignalKind::Jump { move_bp, .. } = logged.signal.kind else {
                continue;
            };
            if at > now || now - at > JUMP_FRESH_NS {
                continue;
            }
            let symbol = self.symbols()[logged.symbol_idx].symbol.clone();
            let jump = Mover {
                symbol,
                move_bp: f64::from(move_bp),
                at,
            };
            match movers.iter_mut().find(|m| m.symbol == jump.symbol) {
                Some(known) if known.move_bp.abs() < jump.move_bp.abs() => *known = jump,
                Some(_) => {}
                None => movers.push(jump),
            }
        }
        movers
    }

    /// How far the feeds have got; `None` before the first event.
    #[must_use]
    pub fn stream_head(&self) -> Option<StreamHead> {
        let (seq, ts_event) = self.head()?;
        let worst = self
            .symbols()
            .iter()
            .map(SymbolView::integrity)
            .max()
            .unwrap_or_default();
        let state = self.feeds().iter().map(|f| f.state).next();
        Some(StreamHead {
            seq,
            ts_event,
            integrity: words::integrity(worst).to_owned(),
            feed_state: state.map(words::feed_state).unwrap_or_default().to_owned(),
        })
    }

    fn find(&self, symbol: &str) -> Option<(usize, &SymbolView)> {
        let found = self
            .symbol(symbol)
            .or_else(|| self.symbol(&symbol.to_uppercase()))?;
        let idx = self.symbols().iter().position(|s| std::ptr::eq(s, found))?;
        Some((idx, found))
    }
}

fn present(view: &SymbolView) -> Option<SymbolFacts> {
    let book = view.book.as_ref();
    Some(SymbolFacts {
        at: view.ts_event()?,
        last: view.last.map(|t| t.price.to_f64()),
        volume: Some(whole_units(view, view.volume.0)),
        vwap: view
            .vwaps
            .back()
            .and_then(|v| v.price())
            .map(|p| p.to_f64()),
        bid: book
            .filter(|b| b.bid_count > 0)
            .map(|b| b.bids[0].price.to_f64()),
        ask: book
            .filter(|b| b.ask_count > 0)
            .map(|b| b.asks[0].price.to_f64()),
        state: book
            .map(|b| words::trading_state(b.state))
            .unwrap_or_default()
            .to_owned(),
        integrity: words::integrity(view.integrity()).to_owned(),
        locked: book.is_some_and(|b| b.locked),
        crossed: book.is_some_and(|b| b.crossed && b.state == TradingState::Trading),
        ..named(view)
    })
}

/// From closed bars only: a bar that was open at the instant is not looked into.
fn past(view: &SymbolView, at: u64) -> Option<SymbolFacts> {
    let bar = *view.bar_at(at)?;
    let vwap = view.vwaps.iter().rev().find(|v| v.end_ns <= at);
    Some(SymbolFacts {
        at: bar.end_ns,
        last: Some(bar.close.to_f64()),
        volume: Some(whole_units(view, view.volume_at(at))),
        vwap: vwap.and_then(|v| v.price()).map(|p| p.to_f64()),
        integrity: words::integrity(bar.integrity).to_owned(),
        ..named(view)
    })
}

fn named(view: &SymbolView) -> SymbolFacts {
    SymbolFacts {
        symbol: view.symbol.clone(),
        name: view.name.clone(),
        open: view.open.map(|p| p.to_f64()),
        open_at: view.open_at,
        ..SymbolFacts::default()
    }
}

fn whole_units(view: &SymbolView, units: u64) -> f64 {
    units as f64 / 10f64.powi(i32::from(view.instrument.qty_decimals))
}

fn drift(view: &SymbolView, as_of: Option<u64>, now: u64) -> Option<Mover> {
    let (price, at) = match as_of {
        Some(_) => view.price_at(now)?,
        None => (view.last?.price, view.last?.stamp.ts_event),
    };
    let move_bp = change_bp(view.open?, price)?;
    Some(Mover {
        symbol: view.symbol.clone(),
        move_bp,
        at,
    })
}
