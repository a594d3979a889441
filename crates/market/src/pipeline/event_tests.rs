use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::event::{OrderId, Price, Qty, TradingState};
use crate::pipeline::JumpPrice;
use crate::publish::{Frame, Level, SignalKind};
use crate::signal::JumpConfig;

const START_NS: u64 = 1_000_000_000;

fn config() -> PipelineConfig {
    PipelineConfig {
        instruments_limit: 4,
        orders_limit: 64,
        levels_reserve: 16,
        bar_ns: vec![1_000],
        vwap_length_ns: 1_000,
        vwap_step_ns: 100,
        ..PipelineConfig::default()
    }
}

fn stamp(seq: u64) -> Stamp {
    Stamp {
        seq,
        ts_event: START_NS + seq,
        ts_recv: START_NS + seq,
    }
}

fn level(side: Side, price: i64, qty: u64) -> Event {
    Event::Level {
        side,
        price: Price(price),
        qty: Qty(qty),
    }
}

fn add(order_id: u64, side: Side, price: i64, qty: u64) -> Event {
    Event::Add {
        order_id: OrderId(order_id),
        side,
        price: Price(price),
        qty: Qty(qty),
    }
}

fn published(pipeline: &mut EventPipeline) -> Vec<Frame> {
    let mut frames = Vec::new();
    pipeline.publish(&mut frames);
    frames
}

fn books(frames: &[Frame]) -> Vec<BookTop> {
    let book = |frame: &Frame| match frame {
        Frame::Book(top) => Some(*top),
        _ => None,
    };
    frames.iter().filter_map(book).collect()
}

/// The slow and obvious twin: orders and levels in maps, tops summed each time.
#[derive(Default)]
struct Naive {
    kinds: BTreeMap<u32, BookKind>,
    orders: BTreeMap<(u32, u64), (Side, i64, u64)>,
    levels: BTreeMap<(u32, bool, i64), u64>,
    volume: BTreeMap<u32, u64>,
}

impl Naive {
    fn kind(&mut self, id: u32, kind: BookKind) -> Result<(), Reject> {
        let known = *self.kinds.entry(id).or_insert(kind);
        if known == kind {
            Ok(())
        } else {
            Err(Reject::WrongKind)
        }
    }

    fn apply(&mut self, id: u32, event: &Event) -> Result<(), Reject> {
        match *event {
            Event::Level { side, price, qty } => {
                self.kind(id, BookKind::Levels)?;
                let key = (id, side == Side::Ask, price.0);
                self.levels.remove(&key);
                if qty.0 > 0 {
                    self.levels.insert(key, qty.0);
                }
            }
            Event::Add {
                order_id,
                side,
                price,
                qty,
            } => {
                self.kind(id, BookKind::Orders)?;
                if self.orders.keys().any(|&(_, order)| order == order_id.0) {
                    return Err(Reject::DuplicateOrder);
                }
                let order = (side, price.0, qty.0);
                self.orders.insert((id, order_id.0), order);
            }
            Event::Delete { order_id } => {
                self.kind(id, BookKind::Orders)?;
                self.order(id, order_id)?;
                self.orders.remove(&(id, order_id.0));
            }
            Event::Amend {
                order_id,
                price,
                qty,
            } => {
                self.kind(id, BookKind::Orders)?;
                let (side, ..) = self.order(id, order_id)?;
                let order = (side, price.0, qty.0);
                self.orders.insert((id, order_id.0), order);
            }
            Event::Clear => {
                self.orders.retain(|&(of, _), _| of != id);
                self.levels.retain(|&(of, ..), _| of != id);
            }
            Event::Trade { qty, .. } => *self.volume.entry(id).or_default() += qty.0,
            _ => unreachable!("not made below"),
        }
        Ok(())
    }

    fn order(&self, id: u32, order_id: OrderId) -> Result<(Side, i64, u64), Reject> {
        let found = self
            .orders
            .iter()
            .find(|((_, order), _)| *order == order_id.0);
        match found {
            Some((&(of, _), &order)) if of == id => Ok(order),
            Some(_) => Err(Reject::WrongInstrument),
            None => Err(Reject::UnknownOrder),
        }
    }

    fn top(&self, id: u32, side: Side) -> Vec<Level> {
        let mut totals: BTreeMap<i64, (u64, u32)> = BTreeMap::new();
        for (&(of, _), &(on, price, qty)) in &self.orders {
            if (of, on) == (id, side) {
                let total = totals.entry(price).or_default();
                *total = (total.0 + qty, total.1 + 1);
            }
        }
        for (&(of, is_ask, price), &qty) in &self.levels {
            if (of, is_ask) == (id, side == Side::Ask) {
                totals.insert(price, (qty, 0));
            }
        }
        let level = |(price, (qty, orders))| Level {
            price: Price(price),
            qty: Qty(qty),
            orders,
        };
        let mut levels: Vec<Level> = totals.into_iter().map(level).collect();
        if side == Side::Bid {
            levels.reverse();
        }
        levels.truncate(10);
        levels
    }
}

fn side() -> impl Strategy<Value = Side> {
    prop_oneof![Just(Side::Bid), Just(Side::Ask)]
}

fn event() -> impl Strategy<Value = Event> {
    let id = || (0u64..20).prop_map(OrderId);
    let price = || (90i64..110).prop_map(Price);
    let qty = || (1u64..6).prop_map(Qty);
    prop_oneof![
        4 => (id(), side(), price(), qty())
            .prop_map(|(order_id, side, price, qty)| Event::Add { order_id, side, price, qty }),
        2 => (id(), price(), qty())
            .prop_map(|(order_id, price, qty)| Event::Amend { order_id, price, qty }),
        2 => id().prop_map(|order_id| Event::Delete { order_id }),
        4 => (side(), price(), 0u64..4)
            .prop_map(|(side, price, qty)| Event::Level { side, price, qty: Qty(qty) }),
        2 => (price(), qty()).prop_map(|(price, qty)| Event::Trade {
            aggressor: None, price, qty, match_id: 0
        }),
        1 => Just(Event::Clear),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]

    /// Three instruments, any events, some in parts: books, refusals and volumes equal the twin's,
    /// and nothing half done is ever published.
    #[test]
    fn books_of_both_kinds_equal_the_naive_twin(
        steps in prop::collection::vec((0u32..3, event(), prop::bool::weighted(0.3)), 0..200),
    ) {
        let mut pipeline = EventPipeline::new(&config());
        let ids = ["A", "B", "C"].map(|name| pipeline.list(name, 0, 2));
        let mut naive = Naive::default();
        let mut open = [false; 3];
        let mut volume: BTreeMap<u32, u64> = BTreeMap::new();
        for (seq, (of, event, is_part)) in steps.into_iter().enumerate() {
            let (id, stamp) = (ids[of as usize], stamp(seq as u64));
            let expected = naive.apply(of, &event);
            let got = if is_part {
                pipeline.apply_part(id, stamp, &event)
            } else {
                pipeline.apply(id, stamp, &event)
            };
            prop_assert_eq!(got, expected, "{:?}", event);
            open[of as usize] = is_part && (open[of as usize] || got.is_ok());
            for frame in published(&mut pipeline) {
                match frame {
                    Frame::Book(top) => prop_assert!(!open[top.instrument.0 as usize]),
                    Frame::Trade(trade) => {
                        *volume.entry(trade.instrument.0).or_default() += trade.qty.0;
                    }
                    _ => {}
                }
            }
        }
        for id in ids {
            let top = pipeline.book_top(id).expect("listed above");
            let bids = &top.bids[..usize::from(top.bid_count)];
            let asks = &top.asks[..usize::from(top.ask_count)];
            prop_assert_eq!(bids, &naive.top(id.0, Side::Bid)[..]);
            prop_assert_eq!(asks, &naive.top(id.0, Side::Ask)[..]);
        }
        prop_assert_eq!(volume, naive.volume);
    }
}

#[test]
fn a_change_in_parts_is_published_once_and_whole() {
    let mut pipeline = EventPipeline::new(&config());
    let id = pipeline.list("X", 0, 2);
    let apply = |pipeline: &mut EventPipeline, seq, event: Event| {
        pipeline
            .apply_part(id, stamp(seq), &event)
            .expect("levels may always change");
        books(&published(pipeline))
    };
    assert_eq!(apply(&mut pipeline, 1, level(Side::Bid, 100, 5)), []);
    assert_eq!(apply(&mut pipeline, 2, level(Side::Ask, 99, 5)), []);
    // Crossed until the third part; nobody saw it.
    assert_eq!(apply(&mut pipeline, 3, level(Side::Bid, 100, 0)), []);
    pipeline.settle(id, stamp(3));
    let frames = books(&published(&mut pipeline));
    assert_eq!(frames.len(), 1);
    let top = frames[0];
    assert_eq!((top.bid_count, top.ask_count, top.stamp.seq), (0, 1, 3));
    assert_eq!(top.integrity, Integrity::Ok);
}

#[test]
fn the_middle_is_looked_at_only_when_the_book_is_whole() {
    let jump = JumpConfig {
        threshold_bp: 100,
        ..JumpConfig::default()
    };
    let mut pipeline = EventPipeline::new(&PipelineConfig {
        jump_price: JumpPrice::Mid,
        jump,
        ..config()
    });
    let id = pipeline.list("X", 0, 2);
    let quotes = |bid, ask| [level(Side::Bid, bid, 1), level(Side::Ask, ask, 1)];
    let moves: [&[Event]; 2] = [
        &quotes(10_000, 10_010),
        &[
            level(Side::Ask, 10_010, 0),
            level(Side::Ask, 90_000, 1),
            level(Side::Ask, 90_000, 0),
            level(Side::Ask, 10_012, 1),
        ],
    ];
    let mut seq = 0;
    for parts in moves {
        for event in parts {
            seq += 1;
            pipeline.apply_part(id, stamp(seq), event).expect("levels");
        }
        pipeline.settle(id, stamp(seq));
    }
    let is_jump = |frame: &Frame| {
        matches!(frame, Frame::Signal(signal)
            if matches!(signal.kind, SignalKind::Jump { .. }))
    };
    assert!(!published(&mut pipeline).iter().any(is_jump));
    for event in quotes(10_500, 10_510).iter().rev() {
        seq += 1;
        pipeline.apply(id, stamp(seq), event).expect("levels");
    }
    assert!(published(&mut pipeline).iter().any(is_jump));
}

#[test]
fn a_refused_event_is_counted_and_flags_its_symbol() {
    let mut pipeline = EventPipeline::new(&config());
    let id = pipeline.list("X", 0, 2);
    let other = pipeline.list("Y", 0, 2);
    let first = add(1, Side::Bid, 100, 5);
    assert_eq!(pipeline.apply(id, stamp(1), &first), Ok(()));
    let mut refused = |event: Event, reject| {
        assert_eq!(pipeline.apply(id, stamp(2), &event), Err(reject));
    };
    refused(first, Reject::DuplicateOrder);
    refused(level(Side::Bid, 1, 1), Reject::WrongKind);
    let order_id = OrderId(9);
    refused(Event::Delete { order_id }, Reject::UnknownOrder);
    let nowhere = InstrumentId(7);
    let outcome = pipeline.apply(nowhere, stamp(3), &first);
    assert_eq!(outcome, Err(Reject::UnknownInstrument));
    assert_eq!(pipeline.status().rejected, 4);
    let integrity = |of| pipeline.book_top(of).map(|top| top.integrity);
    assert_eq!(integrity(id), Some(Integrity::Suspect));
    assert_eq!(integrity(other), Some(Integrity::Ok));
    pipeline.set_flag(id, Integrity::Ok);
    assert_eq!(
        pipeline.book_top(id).map(|top| top.integrity),
        Some(Integrity::Ok)
    );
}

#[test]
fn a_new_session_empties_books_and_keeps_names() {
    let mut pipeline = EventPipeline::new(&config());
    let empty = pipeline.book_digest();
    let id = pipeline.list_as("X", 0, 2, BookKind::Orders);
    let id = id.expect("it has no book of another kind");
    assert_eq!(
        pipeline.list_as("X", 0, 2, BookKind::Levels),
        Err(Reject::WrongKind)
    );
    let state = Event::State {
        state: TradingState::Halted,
        reason: *b"T1  ",
    };
    pipeline.apply(id, stamp(1), &state).expect("any state");
    let event = add(1, Side::Bid, 100, 5);
    pipeline.apply(id, stamp(2), &event).expect("a new order");
    pipeline.flag_all(Integrity::Stale);
    pipeline.set_gap(true);
    assert_ne!(pipeline.book_digest(), empty);
    pipeline.reset();
    assert_eq!(pipeline.book_digest(), empty);
    let top = pipeline.book_top(id).expect("it is still listed");
    let facts = (top.bid_count, top.integrity, top.state);
    assert_eq!(facts, (0, Integrity::Ok, TradingState::Unknown));
    assert_eq!(pipeline.list("X", 0, 2), id);
    pipeline.apply(id, stamp(3), &event).expect("free again");
}

#[test]
fn digests_do_not_depend_on_the_order_of_listing() {
    let digest = |names: [&str; 2]| {
        let mut pipeline = EventPipeline::new(&config());
        for name in names {
            pipeline.list(name, 0, 2);
        }
        let (x, y) = (pipeline.list("X", 0, 2), pipeline.list("Y", 0, 2));
        let event = add(1, Side::Bid, 100, 5);
        pipeline.apply(x, stamp(1), &event).expect("a new order");
        let event = level(Side::Bid, 100, 5);
        pipeline.apply(y, stamp(1), &event).expect("a level");
        pipeline.book_digest()
    };
    assert_eq!(digest(["X", "Y"]), digest(["Y", "X"]));
}

#[test]
fn long_names_stay_apart() {
    let mut pipeline = EventPipeline::new(&config());
    let exact = pipeline.list("ABCDEFGHIJKLMNOP", 0, 2);
    let first = pipeline.list("AAPL  210924C00150000", 0, 2);
    let second = pipeline.list("AAPL  210924P00150000", 0, 2);
    assert_eq!(pipeline.list("AAPL  210924C00150000", 0, 2), first);
    assert_ne!(first, second);
    let name = |id: InstrumentId| pipeline.instruments()[id.0 as usize].symbol;
    assert_eq!(&name(exact), b"ABCDEFGHIJKLMNOP");
    assert!(name(first).starts_with(b"AAPL  210~"));
    assert!(name(first).is_ascii());
}

#[test]
fn late_levels_do_not_make_older_prints_late() {
    let lagged = |book_lag_ns| {
        let mut pipeline = EventPipeline::new(&PipelineConfig {
            book_lag_ns,
            ..config()
        });
        let id = pipeline.list("X", 0, 2);
        let at = |ts_event| Stamp {
            seq: 1,
            ts_event,
            ts_recv: ts_event,
        };
        let trade = Event::Trade {
            aggressor: None,
            price: Price(1),
            qty: Qty(1),
            match_id: 1,
        };
        for (ns, event) in [
            (10_000, trade),
            (12_000, level(Side::Bid, 1, 1)),
            (10_500, trade),
        ] {
            pipeline
                .apply(id, at(START_NS + ns), &event)
                .expect("good events");
        }
        let (bars, _) = pipeline.late();
        bars
    };
    assert_ne!(lagged(0), LateCount::default());
    assert_eq!(lagged(2_000), LateCount::default());
}

/// What the feed's own directory says reaches rules and joined prints; a table's word goes before it.
#[test]
fn signals_and_joined_prints_see_the_feeds_own_terms() {
    let wide = "wide: spread_ticks > 3; clear spread_ticks < 2; cooldown 0ms";
    let mut pipeline = EventPipeline::new(&PipelineConfig {
        rules: vec![wide.parse().expect("sound")],
        measure: Some(crate::window::MeasureConfig {
            length_ns: 100_000_000,
            step_ns: 10_000_000,
            ema_steps: 2,
        }),
        join_tolerance_ns: Some(u64::MAX),
        bar_ns: vec![1_000_000_000],
        vwap_length_ns: 1_000_000_000,
        vwap_step_ns: 100_000_000,
        ..config()
    });
    // In milliseconds.
    let stamp = |ms: u64| Stamp {
        seq: ms,
        ts_event: START_NS + ms * 1_000_000,
        ts_recv: START_NS + ms * 1_000_000,
    };
    let id = pipeline.list("ESH4", 0, 2);
    let quote = |pipeline: &mut EventPipeline, seq, bid, ask| {
        for event in [
            Event::Clear,
            level(Side::Bid, bid, 1),
            level(Side::Ask, ask, 1),
        ] {
            pipeline.apply(id, stamp(seq), &event).expect("sound");
        }
        published(pipeline)
    };
    let told = |frames: &[Frame]| {
        let rules = frames.iter().filter(|frame| {
            matches!(frame, Frame::Signal(signal) if matches!(signal.kind, SignalKind::Rule { .. }))
        });
        rules.count()
    };
    // No tick is known: the rule is silent however wide the spread is.
    quote(&mut pipeline, 1, 100, 200);
    assert_eq!(told(&quote(&mut pipeline, 25, 100, 200)), 0);
    let terms = Terms {
        tick_size: Some(Price(25)),
        round_lot: Some(Qty(1)),
        ..Terms::default()
    };
    pipeline.terms(id, &terms);
    let frames = quote(&mut pipeline, 45, 100, 200);
    assert_eq!(told(&frames), 1, "{frames:?}");
    let listed = frames.iter().find_map(|frame| match frame {
        Frame::Instrument(instrument) => Some(instrument.terms),
        _ => None,
    });
    assert_eq!(listed, Some(terms));
    let trade = Event::Trade {
        aggressor: None,
        price: Price(200),
        qty: Qty(1),
        match_id: 1,
    };
    let row_of = |pipeline: &mut EventPipeline, seq| {
        pipeline.apply(id, stamp(seq), &trade).expect("sound");
        let row = published(pipeline).iter().find_map(|frame| match frame {
            Frame::Joined(joined) => joined.reference,
            _ => None,
        });
        row.expect("the feed says something")
    };
    let row = row_of(&mut pipeline, 46);
    assert_eq!(
        (row.tick_size, row.round_lot, row.revision),
        (Some(Price(25)), Some(Qty(1)), 0)
    );
    // A table says another tick, and nothing of lots.
    let loaded = crate::reference::Row {
        tick_size: Some(Price(50)),
        ..crate::reference::Row::default()
    };
    let rows = vec![(crate::reference::padded("ESH4"), loaded)];
    pipeline.swap_reference(Arc::new(Table::new(1, 0, rows)));
    let row = row_of(&mut pipeline, 47);
    assert_eq!(
        (row.tick_size, row.round_lot, row.revision),
        (Some(Price(50)), Some(Qty(1)), 1)
    );
    // Two ticks of the new size: the rule is calm, and told again when it is four.
    quote(&mut pipeline, 65, 100, 150);
    assert_eq!(
        told(&quote(&mut pipeline, 85, 100, 300)),
        0,
        "it is told when its step ends"
    );
    assert_eq!(told(&quote(&mut pipeline, 105, 100, 300)), 1);
}
