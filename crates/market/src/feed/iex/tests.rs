use wire::iextp::{
    AuctionInformation, Header, PacketWriter, SystemEvent, TradeReport, TradingStatus,
};

use super::*;
use crate::event::{Auction, Official, TradingState};

#[derive(Default)]
struct Log {
    names: Vec<String>,
    events: Vec<(u32, u64, Event, bool)>,
    phases: Vec<VenueEvent>,
    lost: Vec<(u64, u64)>,
    restarts: u32,
    refused: Vec<(Option<u32>, IexFault)>,
}

impl Handler for Log {
    fn list(&mut self, symbol: &str, _round_lot: Option<Qty>) -> InstrumentId {
        let known = self.names.iter().position(|name| name == symbol);
        let idx = known.unwrap_or_else(|| {
            self.names.push(symbol.to_owned());
            self.names.len() - 1
        });
        InstrumentId(idx as u32)
    }

    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event, is_last: bool) {
        self.events.push((id.0, stamp.seq, *event, is_last));
    }

    fn venue(&mut self, _stamp: Stamp, event: VenueEvent) {
        self.phases.push(event);
    }

    fn observe(&mut self, _stamp: Stamp) {}

    fn lost(&mut self, from_seq: u64, to_seq: u64) {
        self.lost.push((from_seq, to_seq));
    }

    fn restart(&mut self) {
        self.restarts += 1;
    }

    fn refused(&mut self, id: Option<InstrumentId>, _: u64, fault: IexFault, _: &[u8]) {
        self.refused.push((id.map(|id| id.0), fault));
    }
}

/// A packet of DEEP: session, first number, bytes before it, send time.
fn packet(session: u32, first: u64, offset: u64, sent: u64, messages: &[&[u8]]) -> Vec<u8> {
    let mut buffer = [0; 1_400];
    let header = Header::new(protocol::DEEP, 1, session, first, offset, sent);
    let mut writer = PacketWriter::new(&mut buffer, header);
    for message in messages {
        assert!(writer.push(message));
    }
    writer.finish().to_vec()
}

fn level(kind: u8, flags: u8, price: i64, size: u32) -> Vec<u8> {
    let mut level = PriceLevelUpdate::empty(kind);
    level.symbol = iextp::Symbol::new("ZIEXT").expect("it fits");
    (level.flags, level.price, level.size) = (flags, price.into(), size.into());
    level.as_bytes().to_vec()
}

fn take(feed: &mut IexFeed, log: &mut Log, bytes: &[u8]) {
    feed.packet(9, bytes, log).expect("a whole packet");
}

#[test]
fn numbers_decide_what_is_new_lost_and_void() {
    let (mut feed, mut log) = (IexFeed::new(), Log::default());
    let bid = level(b'8', 1, 990_500, 100);
    let two = [&bid[..], &bid[..]];
    take(&mut feed, &mut log, &packet(7, 1, 0, 10, &two));
    // The other line's copy, and one that overlaps.
    take(&mut feed, &mut log, &packet(7, 1, 0, 10, &two));
    take(&mut feed, &mut log, &packet(7, 2, 32, 11, &two));
    let seqs = |log: &Log| log.events.iter().map(|event| event.1).collect::<Vec<_>>();
    assert_eq!((seqs(&log), log.lost.len()), (vec![1, 2, 3], 0));
    assert_eq!(feed.status().state, FeedState::Live);
    // A heartbeat tells of a hole, too.
    take(&mut feed, &mut log, &packet(7, 6, 160, 12, &[]));
    take(&mut feed, &mut log, &packet(7, 8, 224, 13, &two[..1]));
    assert_eq!(log.lost, [(4, 6), (6, 8)]);
    let status = feed.status();
    assert_eq!((status.gaps, status.lost, status.next_seq), (2, 4, 9));
    assert_eq!(status.state, FeedState::Refreshing);
    // The same session begins anew; then another one; a late packet of the old one is nothing.
    take(&mut feed, &mut log, &packet(7, 1, 0, 20, &two[..1]));
    take(&mut feed, &mut log, &packet(8, 1, 0, 30, &two[..1]));
    take(&mut feed, &mut log, &packet(7, 2, 32, 21, &two[..1]));
    assert_eq!(log.restarts, 2);
    assert_eq!(seqs(&log), [1, 2, 3, 8, 1, 1]);
    assert_eq!(feed.status().state, FeedState::Live);
    assert_eq!((feed.restarts(), feed.messages()), (2, 6));
}

#[test]
fn a_late_joiner_has_lost_what_came_before() {
    let (mut feed, mut log) = (IexFeed::new(), Log::default());
    take(&mut feed, &mut log, &packet(7, 50, 900, 10, &[]));
    assert_eq!(log.lost, [(1, 50)]);
}

#[test]
fn a_book_is_whole_when_its_change_is_complete() {
    let (mut feed, mut log) = (IexFeed::new(), Log::default());
    let (first, second) = (level(b'8', 0, 990_500, 100), level(b'5', 1, 990_600, 0));
    take(
        &mut feed,
        &mut log,
        &packet(7, 1, 0, 10, &[&first, &second]),
    );
    let told = |side, price, qty| Event::Level {
        side,
        price: Price(price),
        qty: Qty(qty),
    };
    let expected = [
        (0, 1, told(Side::Bid, 99_050_000_000, 100), false),
        (0, 2, told(Side::Ask, 99_060_000_000, 0), true),
    ];
    assert_eq!(log.events, expected);
}

#[test]
fn a_quote_takes_the_place_of_the_one_before() {
    let (mut feed, mut log) = (IexFeed::new(), Log::default());
    let quote = |bid: i64, bid_size: u32, ask: i64, ask_size: u32| {
        let mut quote = QuoteUpdate::empty(b'Q');
        quote.symbol = iextp::Symbol::new("ZIEXT").expect("it fits");
        quote.bid_price.set(Some(bid));
        quote.ask_price.set(Some(ask));
        (quote.bid_size, quote.ask_size) = (bid_size.into(), ask_size.into());
        quote.as_bytes().to_vec()
    };
    let quotes = [quote(10, 5, 12, 6), quote(11, 5, 12, 7), quote(0, 0, 0, 0)];
    let quotes: Vec<&[u8]> = quotes.iter().map(Vec::as_slice).collect();
    take(&mut feed, &mut log, &packet(7, 1, 0, 10, &quotes));
    let mut got = Vec::new();
    for (_, seq, event, is_last) in &log.events {
        let Event::Level { side, price, qty } = event else {
            panic!("levels only")
        };
        got.push((*seq, *side == Side::Bid, price.0 / 100_000, qty.0, *is_last));
    }
    let expected = [
        (1, true, 10, 5, false),
        (1, false, 12, 6, true),
        (2, true, 10, 0, false),
        (2, true, 11, 5, false),
        (2, false, 12, 7, true),
        (3, true, 11, 0, false),
        (3, false, 12, 0, true),
    ];
    assert_eq!(got, expected);
}

#[test]
fn states_prints_and_auctions() {
    let (mut feed, mut log) = (IexFeed::new(), Log::default());
    let symbol = iextp::Symbol::new("ZIEXT").expect("it fits");
    let mut system = SystemEvent::empty(b'S');
    system.event = b'R';
    let mut status = TradingStatus::empty(b'H');
    (status.symbol, status.status) = (symbol, b'H');
    status.reason = wire::itch50::Alpha::new("T1").expect("it fits");
    let mut trade = TradeReport::empty(b'T');
    (trade.symbol, trade.flags) = (symbol, iextp::sale::SINGLE_PRICE_CROSS);
    (trade.size, trade.price, trade.trade_id) = (100.into(), 990_500.into(), 42.into());
    let mut auction = AuctionInformation::empty(b'A');
    (auction.symbol, auction.auction_type) = (symbol, b'V');
    (auction.imbalance_side, auction.paired_shares) = (b'S', 300.into());
    auction.indicative_clearing_price.set(Some(990_400));
    let mut strange = TradingStatus::empty(b'H');
    (strange.symbol, strange.status) = (symbol, b'?');
    let messages = [
        system.as_bytes(),
        status.as_bytes(),
        trade.as_bytes(),
        auction.as_bytes(),
        strange.as_bytes(),
        &[b'z', 0, 0],
        &level(b'8', 1, i64::MAX, 1),
    ];
    take(&mut feed, &mut log, &packet(7, 1, 0, 10, &messages));
    assert_eq!(log.phases, [VenueEvent::Phase(VenuePhase::Regular)]);
    let events: Vec<Event> = log.events.iter().map(|event| event.2).collect();
    let (price, qty) = (Price(99_050_000_000), Qty(100));
    assert_eq!(
        events[..2],
        [
            Event::State {
                state: TradingState::Halted,
                reason: *b"T1  "
            },
            Event::Cross {
                price,
                qty,
                match_id: 42,
                auction: None
            },
        ]
    );
    let Event::Imbalance(imbalance) = events[2] else {
        panic!("an imbalance")
    };
    assert_eq!(imbalance.auction, Some(Auction::Reopening));
    assert_eq!(
        (imbalance.paired, imbalance.side, imbalance.near),
        (Qty(300), Some(Side::Ask), Some(Price(99_040_000_000)))
    );
    assert_eq!((events.len(), imbalance.reference), (3, None));
    let refused = [
        (
            Some(0),
            IexFault::Code {
                kind: b'H',
                code: b'?',
            },
        ),
        (None, IexFault::Malformed(iextp::Error::UnknownType(b'z'))),
        (Some(0), IexFault::Price { kind: b'8' }),
    ];
    assert_eq!(log.refused, refused);
}

#[test]
fn other_streams_are_told_apart() {
    let (mut feed, mut log) = (IexFeed::new(), Log::default());
    let deep = packet(7, 1, 0, 10, &[]);
    assert!(is_iex(&deep) && !is_iex(&deep[..39]));
    take(&mut feed, &mut log, &deep);
    let mut buffer = [0; 64];
    let header = Header::new(protocol::TOPS, 1, 7, 1, 0, 11);
    let tops = PacketWriter::new(&mut buffer, header).finish();
    let stream = IexFault::Stream {
        protocol: protocol::TOPS,
        channel: 1,
    };
    assert_eq!(feed.packet(9, tops, &mut log), Err(stream));
    assert_eq!(feed.strangers(), 1);
}

#[test]
fn official_prices_are_told_and_unknown_kinds_refused() {
    let (mut feed, mut log) = (IexFeed::new(), Log::default());
    let official = |kind: u8, price: i64| {
        let mut told = iextp::OfficialPrice::empty(b'X');
        told.symbol = iextp::Symbol::new("ZIEXT").expect("it fits");
        (told.price_type, told.price) = (kind, price.into());
        told.as_bytes().to_vec()
    };
    let (open, close) = (official(b'Q', 990_500), official(b'M', 991_200));
    let strange = official(b'?', 1);
    let all = [&open[..], &close[..], &strange[..]];
    take(&mut feed, &mut log, &packet(7, 1, 0, 10, &all));
    let told: Vec<Event> = log.events.iter().map(|event| event.2).collect();
    let expected = [
        Event::Official(Official::Opening(Price(99_050_000_000))),
        Event::Official(Official::Closing(Price(99_120_000_000))),
    ];
    assert_eq!(told, expected);
    assert_eq!((feed.unread(), log.refused.len()), (0, 1));
}
