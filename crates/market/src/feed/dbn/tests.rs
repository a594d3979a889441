use std::collections::BTreeMap;

use proptest::prelude::*;
use wire::dbn::{Header, HeaderText, Mbo, Mbp1, Status as WireStatus, Trade, rtype, write_header};

use super::*;

/// Writes down what it is given; names are numbered as they come.
#[derive(Default)]
struct Log {
    names: Vec<String>,
    events: Vec<(u32, Event, bool)>,
    settled: Vec<(u32, u64)>,
    flags: Vec<(u32, Integrity)>,
    resting: BTreeMap<u64, ()>,
    losses: usize,
}

impl Handler for Log {
    fn list(&mut self, symbol: &str, _price_decimals: u8) -> InstrumentId {
        let known = self.names.iter().position(|name| name == symbol);
        let idx = known.unwrap_or_else(|| {
            self.names.push(symbol.to_owned());
            self.names.len() - 1
        });
        InstrumentId(idx as u32)
    }

    fn terms(&mut self, _id: InstrumentId, _terms: &Terms) {}

    fn event(&mut self, id: InstrumentId, _stamp: Stamp, event: &Event, is_last: bool) {
        if let Event::Add { order_id, .. } = event {
            self.resting.insert(order_id.0, ());
        }
        self.events.push((id.0, *event, is_last));
    }

    fn settle(&mut self, id: InstrumentId, stamp: Stamp) {
        self.settled.push((id.0, stamp.ts_event));
    }

    fn rests(&self, order_id: OrderId) -> bool {
        self.resting.contains_key(&order_id.0)
    }

    fn set_flag(&mut self, id: InstrumentId, integrity: Integrity) {
        self.flags.push((id.0, integrity));
    }

    fn lost(&mut self) {
        self.losses += 1;
    }
}

const DAY_NS: u64 = 86_400_000_000_000;
/// 2023-12-25.
const CHRISTMAS_NS: u64 = 1_703_462_400_000_000_000;

fn mbo(action: u8, side: u8, flags: u8, order_id: u64, price: i64, size: u32) -> Mbo {
    let mut mbo = Mbo::absent(rtype::MBO, Header::new(1, 7, CHRISTMAS_NS));
    mbo.action.0 = action;
    mbo.side.0 = side;
    mbo.flags = flags;
    mbo.order_id.set(order_id);
    mbo.price.set(Some(price));
    mbo.size.set(Some(size));
    mbo.ts_recv.set(Some(CHRISTMAS_NS + 5));
    mbo
}

fn events(records: &[Mbo]) -> Log {
    let (mut feed, mut log) = (DbnFeed::new(), Log::default());
    for record in records {
        feed.record(record.as_bytes(), &mut log)
            .expect("good records");
    }
    log
}

#[test]
fn each_action_has_its_verb() {
    let check = |record: Mbo, expected: Option<Event>| {
        let log = events(&[record]);
        let got: Vec<Event> = log.events.iter().map(|(_, event, _)| *event).collect();
        assert_eq!(got, Vec::from_iter(expected));
    };
    let (order_id, price, qty) = (OrderId(3), Price(5_000_000_000), Qty(2));
    let add = Event::Add {
        order_id,
        side: Side::Ask,
        price,
        qty,
    };
    let plain = |action| mbo(action, b'A', flag::LAST, 3, price.0, 2);
    check(plain(b'A'), Some(add));
    // Never added: it joins.
    check(plain(b'M'), Some(add));
    check(plain(b'C'), Some(Event::Reduce { order_id, qty }));
    check(plain(b'R'), Some(Event::Clear));
    check(plain(b'F'), None);
    check(plain(b'N'), None);
    let trade = Event::Trade {
        aggressor: Some(Side::Ask),
        price,
        qty,
        match_id: 0,
    };
    check(plain(b'T'), Some(trade));
    let log = events(&[plain(b'A'), plain(b'M')]);
    let amend = Event::Amend {
        order_id,
        price,
        qty,
    };
    assert_eq!(log.events[1].1, amend);
}

#[test]
fn a_book_is_whole_at_the_last_record_of_a_change() {
    let mut later = mbo(b'C', b'B', 0, 1, 100, 1);
    later.header.ts_event.set(Some(CHRISTMAS_NS + 50));
    let log = events(&[
        mbo(b'A', b'B', 0, 1, 100, 2),
        mbo(b'F', b'B', flag::LAST, 1, 100, 1),
        mbo(b'C', b'B', 0, 1, 100, 1),
        // The end of that change was never said.
        later,
    ]);
    let lasts: Vec<bool> = log.events.iter().map(|(_, _, is_last)| *is_last).collect();
    assert_eq!(lasts, [false, false, false]);
    assert_eq!(log.settled, [(0, CHRISTMAS_NS), (0, CHRISTMAS_NS)]);
}

#[test]
fn a_bad_book_is_stale_until_it_is_cleared() {
    let log = events(&[
        mbo(b'A', b'B', flag::LAST | flag::MAYBE_BAD_BOOK, 1, 100, 2),
        mbo(b'R', b'N', flag::SNAPSHOT, 0, i64::MAX, 0),
    ]);
    assert_eq!(log.flags, [(0, Integrity::Stale), (0, Integrity::Ok)]);
}

#[test]
fn numbers_have_the_names_of_their_day() {
    let text = HeaderText {
        version: 3,
        dataset: "XNAS.ITCH",
        schema: Some(4),
        start: 0,
        end: None,
        ts_out: false,
        mappings: &[
            ("AAPL", 20_231_225, 20_231_226, "7"),
            ("MSFT", 20_231_226, 20_231_227, "7"),
        ],
    };
    let mut out = [0; 2_048];
    let size = write_header(&mut out, &text).expect("it fits");
    let (metadata, _) = Metadata::parse(&out[..size]).expect("just written");
    let (mut feed, mut log) = (DbnFeed::new(), Log::default());
    feed.header(&metadata);
    for (day, publisher) in [(0, 1), (1, 1), (1, 2), (2, 1)] {
        let at = CHRISTMAS_NS + day * DAY_NS;
        let mut trade = Trade::absent(rtype::TRADE, Header::new(publisher, 7, at));
        trade.price.set(Some(1));
        trade.size.set(Some(1));
        trade.ts_recv.set(Some(at));
        feed.record(trade.as_bytes(), &mut log)
            .expect("good records");
    }
    let names: Vec<&str> = log
        .events
        .iter()
        .map(|(id, _, _)| log.names[*id as usize].as_str())
        .collect();
    assert_eq!(names, ["AAPL", "MSFT", "MSFT@2", "7"]);
}

#[test]
fn states_say_what_people_may_do() {
    let check = |action: u16, is_trading: u8, expected: Option<TradingState>| {
        let mut status = WireStatus::absent(rtype::STATUS, Header::new(1, 7, CHRISTMAS_NS));
        status.action.set(action);
        status.reason.set(50);
        status.is_trading.0 = is_trading;
        let (mut feed, mut log) = (DbnFeed::new(), Log::default());
        feed.record(status.as_bytes(), &mut log).expect("a status");
        let got: Vec<Event> = log.events.iter().map(|(_, event, _)| *event).collect();
        let expected = expected.map(|state| Event::State {
            state,
            reason: *b"50  ",
        });
        assert_eq!(got, Vec::from_iter(expected), "{action}");
    };
    check(status_action::TRADING, b'~', Some(TradingState::Trading));
    check(status_action::HALT, b'N', Some(TradingState::Halted));
    check(status_action::PAUSE, b'N', Some(TradingState::Paused));
    check(
        status_action::PRE_OPEN,
        b'~',
        Some(TradingState::QuotationOnly),
    );
    check(status_action::PRE_CLOSE, b'Y', Some(TradingState::Trading));
    check(status_action::NONE, b'~', None);
}

#[test]
fn reasons_are_shown_in_digits() {
    assert_eq!(reason_of(0), *b"    ");
    assert_eq!(reason_of(7), *b"7   ");
    assert_eq!(reason_of(124), *b"124 ");
    assert_eq!(reason_of(9_999), *b"9999");
    assert_eq!(reason_of(10_000), *b"    ");
}

proptest! {
    /// However the best levels move, the events rebuild them.
    #[test]
    fn quotes_are_rebuilt_by_their_changes(
        steps in prop::collection::vec(prop::collection::vec((0i64..20, 0u32..3), 2), 1..40),
    ) {
        let (mut feed, mut log) = (DbnFeed::new(), Log::default());
        let mut book: [BTreeMap<i64, u64>; 2] = Default::default();
        for step in steps {
            let mut mbp = Mbp1::absent(rtype::MBP_1, Header::new(1, 7, CHRISTMAS_NS));
            mbp.action.0 = b'A';
            mbp.flags = flag::LAST;
            let level = &mut mbp.levels[0];
            level.bid_px.set(Some(step[0].0).filter(|price| *price > 0));
            level.bid_sz.set(step[0].1);
            level.ask_px.set(Some(step[1].0).filter(|price| *price > 0));
            level.ask_sz.set(step[1].1);
            log.events.clear();
            feed.record(mbp.as_bytes(), &mut log).expect("a good record");
            for (_, event, _) in &log.events {
                let Event::Level { side, price, qty } = *event else {
                    panic!("levels only")
                };
                let side = &mut book[usize::from(side == Side::Ask)];
                side.remove(&price.0);
                if qty.0 > 0 {
                    side.insert(price.0, qty.0);
                }
            }
            for (side, (price, size)) in book.iter().zip(&step) {
                let expected: BTreeMap<i64, u64> = [(*price, u64::from(*size))]
                    .into_iter()
                    .filter(|(price, size)| *price > 0 && *size > 0)
                    .collect();
                prop_assert_eq!(side, &expected);
            }
        }
    }
}
