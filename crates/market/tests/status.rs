//! What the venue says of states, auctions, limits and amended prints: as events, and as published.

use market::event::{Auction, Price, Qty, ShortSale, Side, TradingState, VenuePhase};
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{AmendmentKind, Frame, SignalKind, SymbolStatus};
use wire::itch50::{
    BrokenTrade, CrossTrade, Header, LuldAuctionCollar, MwcbDeclineLevel, MwcbStatus, Noii,
    OperationalHalt, Reason, RegShoRestriction, Stock, StockTradingAction, SystemEvent, Trade,
};

const SECOND: u64 = 1_000_000_000;

struct Session {
    pipeline: ItchPipeline,
    frames: Vec<Frame>,
}

fn header(locate: u16, second: u64) -> Header {
    Header {
        locate,
        tracking: 0,
        timestamp_ns: 34_200 * SECOND + second * SECOND,
    }
}

fn stock() -> Stock {
    Stock::new("OZL").expect("fits")
}

impl Session {
    fn new() -> Self {
        let config = PipelineConfig {
            instruments_limit: 4,
            ..PipelineConfig::default()
        };
        Self {
            pipeline: ItchPipeline::new(&config),
            frames: Vec::new(),
        }
    }

    fn say(&mut self, message: &[u8]) {
        self.pipeline.message(1, message);
        self.pipeline.publish(&mut self.frames);
    }

    fn action(&mut self, second: u64, state: u8, reason: &str) {
        let reason = Reason::new(reason).expect("fits");
        let action = StockTradingAction::new(header(1, second), stock(), state, b' ', reason);
        self.say(action.as_bytes());
    }

    fn status(&self) -> SymbolStatus {
        let newest = self.frames.iter().rev().find_map(|frame| match frame {
            Frame::Status(status) => Some(*status),
            _ => None,
        });
        newest.expect("a status was published")
    }
}

#[test]
fn a_volatility_pause_from_collar_to_cross() {
    let mut session = Session::new();
    session.action(0, b'T', "");
    session.say(RegShoRestriction::new(header(1, 0), stock(), b'1').as_bytes());
    assert_eq!(session.status().short_sale, Some(ShortSale::Restricted));
    session.action(1, b'P', "LUDP");
    let collar = LuldAuctionCollar::new(header(1, 1), stock(), 100_000, 105_000, 95_000, 1);
    session.say(collar.as_bytes());
    let noii = Noii::new(
        header(1, 2),
        900,
        100,
        b'S',
        stock(),
        0,
        99_000,
        100_000,
        b'H',
        b'L',
    );
    session.say(noii.as_bytes());
    let status = session.status();
    assert_eq!(
        (status.state, &status.reason),
        (TradingState::Paused, b"LUDP")
    );
    let collar = status.collar.expect("told");
    assert_eq!(
        (collar.lower, collar.upper),
        (Price::from_e4(95_000), Price::from_e4(105_000))
    );
    let imbalance = status.imbalance.expect("told");
    assert_eq!(imbalance.auction, Some(Auction::Reopening));
    assert_eq!(
        (imbalance.paired, imbalance.unpaired, imbalance.side),
        (Qty(900), Qty(100), Some(Side::Ask))
    );
    assert_eq!(
        (imbalance.near, imbalance.far),
        (Some(Price::from_e4(99_000)), None),
        "zero is no price"
    );
    let cross = CrossTrade::new(header(1, 3), 900, stock(), 99_500, 7, b'H');
    session.say(cross.as_bytes());
    session.action(3, b'T', "R4");
    let status = session.status();
    assert_eq!((status.imbalance, status.collar), (None, None));
    let signals: Vec<_> = session
        .frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::Signal(signal) => Some(signal.kind),
            _ => None,
        })
        .collect();
    assert_eq!(
        signals,
        [SignalKind::Halt { reason: *b"LUDP" }, SignalKind::Resume]
    );
}

#[test]
fn a_halt_on_this_venue_alone_is_told_apart() {
    let mut session = Session::new();
    session.action(0, b'T', "");
    for (action, expected) in [(b'H', true), (b'T', false)] {
        let halt = OperationalHalt::new(header(1, 1), stock(), b'Q', action);
        session.say(halt.as_bytes());
        assert_eq!(session.status().operational_halt, expected);
        assert_eq!(session.status().state, TradingState::Trading);
    }
    session.say(OperationalHalt::new(header(1, 1), stock(), b'Q', b'?').as_bytes());
    assert_eq!(session.pipeline.status().rejected, 1);
}

#[test]
fn the_whole_market_has_a_phase_and_a_breaker() {
    let mut session = Session::new();
    session.say(SystemEvent::new(header(0, 0), b'Q').as_bytes());
    session.say(MwcbDeclineLevel::new(header(0, 0), 400_000_000_000, 2, u64::MAX).as_bytes());
    session.say(MwcbStatus::new(header(0, 1), b'2').as_bytes());
    session.say(MwcbStatus::new(header(0, 1), b'1').as_bytes());
    let newest = session.frames.iter().rev().find_map(|frame| match frame {
        Frame::Venue(status) => Some(*status),
        _ => None,
    });
    let venue = newest.expect("told");
    assert_eq!(venue.phase, Some(VenuePhase::Regular));
    assert_eq!(venue.breached, Some(2));
    let levels = [Price(4_000 * Price::SCALE), Price(20), Price(i64::MAX)];
    assert_eq!(venue.breaker_levels, Some(levels));
    assert!(
        session.pipeline.instruments().is_empty(),
        "locate 0 is no instrument"
    );
}

/// The stated policy: what was published stands, and the bust is told as a frame of its own.
#[test]
fn a_bust_changes_no_published_figure() {
    let run = |busts: bool| {
        let mut session = Session::new();
        session.action(0, b'T', "");
        for n in 1..=3 {
            let trade = Trade::new(
                header(1, 1),
                0,
                wire::itch50::Side::Buy,
                100,
                stock(),
                100_000 + n as u32,
                n,
            );
            session.say(trade.as_bytes());
        }
        if busts {
            session.say(BrokenTrade::new(header(1, 1), 2).as_bytes());
        }
        let trade = Trade::new(
            header(1, 130),
            0,
            wire::itch50::Side::Buy,
            5,
            stock(),
            100_000,
            9,
        );
        session.say(trade.as_bytes());
        session
    };
    let figures = |session: &Session| -> Vec<Frame> {
        let kept = session
            .frames
            .iter()
            .filter(|frame| matches!(frame, Frame::Bar(_) | Frame::Vwap(_)));
        kept.copied().collect()
    };
    let (with, without) = (run(true), run(false));
    assert!(figures(&with).len() > 2);
    assert_eq!(figures(&with), figures(&without));
    assert_eq!(with.pipeline.amendments(), 1);
    let told = with.frames.iter().find_map(|frame| match frame {
        Frame::Amendment(amendment) => Some(*amendment),
        _ => None,
    });
    let told = told.expect("told");
    assert_eq!((told.match_id, told.kind), (2, AmendmentKind::Bust));
}
