//! The published records. All are `Copy`, so that they cross a ring without an allocation.

use super::status::{Amendment, Lost, Refreshed, SymbolStatus, VenueStatus};
use super::{ActivityBar, JoinedPrint, MarketState, Measure};
use crate::event::{Instrument, InstrumentId, Notional, Price, Qty, Side, Stamp, TradingState};

/// Levels of each side in a published book.
pub const TOP_LEVELS: usize = 10;

/// How far a symbol's numbers can be trusted. Ordered: larger is worse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Integrity {
    /// Every message up to `seq` was applied.
    #[default]
    Ok,
    /// A message was malformed, or the book is crossed in continuous trading.
    Suspect,
    /// A gap is open and is being filled; numbers are as of before the gap.
    Recovering,
    /// Messages were lost for good; the book may be wrong until it is refreshed.
    Stale,
}

/// All resting quantity at one price.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Level {
    /// The price.
    pub price: Price,
    /// The total shown.
    pub qty: Qty,
    /// How many orders; 0 where the feed is by level and does not say.
    pub orders: u32,
}

/// The best levels of one book. `bids[0]` and `asks[0]` are the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BookTop {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The last message applied to this book.
    pub stamp: Stamp,
    /// Best first; only the first `bid_count` are meaningful.
    pub bids: [Level; TOP_LEVELS],
    /// Best first; only the first `ask_count` are meaningful.
    pub asks: [Level; TOP_LEVELS],
    /// How many of `bids` are filled.
    pub bid_count: u8,
    /// How many of `asks` are filled.
    pub ask_count: u8,
    /// Best bid equals best ask.
    pub locked: bool,
    /// Best bid is above best ask.
    pub crossed: bool,
    /// How far to trust it.
    pub integrity: Integrity,
    /// The venue's trading state.
    pub state: TradingState,
    /// Last print, if any.
    pub last: Option<TradePrint>,
}

impl BookTop {
    /// No book: what a published one is written over.
    pub const VACANT: Self = {
        let level = Level {
            price: Price(0),
            qty: Qty(0),
            orders: 0,
        };
        Self {
            instrument: InstrumentId(0),
            stamp: Stamp {
                seq: 0,
                ts_event: 0,
                ts_recv: 0,
            },
            bids: [level; TOP_LEVELS],
            asks: [level; TOP_LEVELS],
            bid_count: 0,
            ask_count: 0,
            locked: false,
            crossed: false,
            integrity: Integrity::Ok,
            state: TradingState::Unknown,
            last: None,
        }
    };
}

/// One print.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TradePrint {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// When and where in the feed.
    pub stamp: Stamp,
    /// At what price.
    pub price: Price,
    /// How much.
    pub qty: Qty,
    /// Who removed liquidity, if known.
    pub aggressor: Option<Side>,
    /// True for an auction print.
    pub cross: bool,
    /// The venue's number of the match.
    pub match_id: u64,
    /// How far to trust it.
    pub integrity: Integrity,
}

/// OHLCV over the half-open event-time span `[start_ns, end_ns)`. Only spans with a print exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bar {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Start of the span, ns UTC.
    pub start_ns: u64,
    /// End of the span, ns UTC, exclusive.
    pub end_ns: u64,
    /// First print.
    pub open: Price,
    /// Highest print.
    pub high: Price,
    /// Lowest print.
    pub low: Price,
    /// Last print.
    pub close: Price,
    /// Sum of quantities.
    pub volume: Qty,
    /// Exact sum of price times quantity.
    pub notional: Notional,
    /// How many prints.
    pub trades: u32,
    /// The worst integrity seen while the bar was open.
    pub integrity: Integrity,
}

/// Volume-weighted average price over `[end_ns - length_ns, end_ns)`, event time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Vwap {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// Exclusive end of the window, a multiple of the emission step, ns UTC.
    pub end_ns: u64,
    /// Length of the window.
    pub length_ns: u64,
    /// Exact sum of price times quantity in the window.
    pub notional: Notional,
    /// Sum of quantities in the window.
    pub volume: Qty,
    /// How many prints.
    pub trades: u32,
    /// The worst integrity in the window.
    pub integrity: Integrity,
}

impl Vwap {
    /// `notional / volume` rounded towards zero; `None` when nothing traded in the window.
    #[must_use]
    pub fn price(&self) -> Option<Price> {
        let price = self.notional.checked_div(i128::from(self.volume.0))?;
        i64::try_from(price).ok().map(Price)
    }
}

/// What a signal says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignalKind {
    /// The price moved from `from` to `to` within `span_ns`, more than the threshold.
    Jump {
        /// Reference price at the start of the span.
        from: Price,
        /// Price that crossed the threshold.
        to: Price,
        /// Over how long.
        span_ns: u64,
        /// Signed move in basis points.
        move_bp: i32,
    },
    /// Trading stopped.
    Halt {
        /// The venue's reason code, ASCII, space padded.
        reason: [u8; 4],
    },
    /// Trading goes on.
    Resume,
    /// An expression of the user's became true.
    Rule {
        /// What the user calls it.
        rule: RuleName,
        /// The value of the first field that the expression names, in 1e-9.
        value_e9: i64,
    },
}

impl SignalKind {
    /// When what is told at `ts_event` began, ns UTC.
    #[must_use]
    pub fn began_ns(&self, ts_event: u64) -> u64 {
        match self {
            Self::Jump { span_ns, .. } => ts_event.saturating_sub(*span_ns),
            _ => ts_event,
        }
    }
}

/// The name of a signal's rule: 1 to 24 bytes of ASCII letters, digits, `-` and `_`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RuleName([u8; 24]);

impl RuleName {
    /// `None` when `name` is empty, too long or has other characters.
    #[must_use]
    pub fn new(name: &str) -> Option<Self> {
        let fits = (1..=24).contains(&name.len());
        let is_word = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !fits || !name.bytes().all(is_word) {
            return None;
        }
        let mut padded = [b' '; 24];
        padded[..name.len()].copy_from_slice(name.as_bytes());
        Some(Self(padded))
    }

    /// The name.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0)
            .map(str::trim_end)
            .unwrap_or("")
    }
}

impl std::fmt::Debug for RuleName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Something worth a person's attention.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Signal {
    /// Which instrument.
    pub instrument: InstrumentId,
    /// The message that triggered it.
    pub stamp: Stamp,
    /// What it is.
    pub kind: SignalKind,
    /// How far to trust it.
    pub integrity: Integrity,
}

/// Where a feed stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub enum FeedState {
    /// Nothing received yet.
    #[default]
    Joining,
    /// In sequence.
    Live,
    /// A gap is open.
    Recovering,
    /// Messages were lost, or the feed was joined late: books are stale until a snapshot has come.
    Refreshing,
    /// The venue said end of session.
    Ended,
}

/// One copy of a feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LineStatus {
    /// Packets received.
    pub packets: u64,
    /// Messages this line brought first.
    pub wins: u64,
    /// Messages that the other line had brought already.
    pub duplicates: u64,
    /// Messages this line never brought (seen on the other line or recovered).
    pub missed: u64,
    /// Packets that could not be decoded.
    pub malformed: u64,
    /// Packets the kernel dropped before we could read them.
    pub kernel_drops: u64,
    /// Receive time of the last packet, ns UTC; 0 before the first.
    pub last_recv_ns: u64,
}

/// A feed and its two lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct FeedStatus {
    /// Where it stands.
    pub state: FeedState,
    /// The next sequence number to apply.
    pub next_seq: u64,
    /// The highest sequence number seen on any line, plus one.
    pub head_seq: u64,
    /// Line A and line B.
    pub lines: [LineStatus; 2],
    /// Gaps ever opened.
    pub gaps: u64,
    /// Messages asked for again.
    pub requested: u64,
    /// Messages that came by retransmission.
    pub recovered: u64,
    /// Messages given up: books are stale from there until they are refreshed.
    pub lost: u64,
    /// Gaps that were none: what lay ahead was refuted by what the lines said later.
    pub refuted: u64,
    /// Snapshots asked for.
    pub snapshots_asked: u64,
    /// Snapshots that never came whole, or came too late to be joined to the feed.
    pub snapshots_failed: u64,
    /// Times the books were refreshed from a snapshot.
    pub refreshed: u64,
    /// Messages that could not be applied to stale books while a snapshot was on its way.
    pub unresolved: u64,
    /// Messages that could not be decoded or applied.
    pub rejected: u64,
}

/// Anything a lane publishes.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(
    clippy::large_enum_variant,
    reason = "frames cross a ring by value; boxing would allocate"
)]
pub enum Frame {
    /// A new or changed instrument; always before the first other frame of its id.
    Instrument(Instrument),
    /// Newest book, conflated.
    Book(BookTop),
    /// Every print, lossless (an overflow is counted).
    Trade(TradePrint),
    /// A closed bar, lossless.
    Bar(Bar),
    /// Newest sliding VWAP, conflated.
    Vwap(Vwap),
    /// A signal, lossless.
    Signal(Signal),
    /// Newest measures of a sliding window, conflated.
    Measure(Measure),
    /// Newest market state, conflated.
    State(MarketState),
    /// A bar closed by activity, lossless.
    Activity(ActivityBar),
    /// A print with the quote and the reference row in force, lossless.
    Joined(JoinedPrint),
    /// Newest feed status, conflated.
    Feed(FeedStatus),
    /// Newest trading status of a symbol, conflated.
    Status(SymbolStatus),
    /// Newest state of the whole market, conflated.
    Venue(VenueStatus),
    /// A print was busted or corrected, lossless. Windows and bars stand as published.
    Amendment(Amendment),
    /// Messages are gone for good, lossless: what follows is flagged.
    Lost(Lost),
    /// Books are whole again, lossless.
    Refreshed(Refreshed),
    /// Lossless frames that found the ring full and were dropped since the last one got through.
    Dropped {
        /// How many.
        count: u64,
    },
}
