//! Any published frame as one JSON object, for the ways out that carry one frame a message. Prints, bars
//! and signals have the fields that they have on `/v1/stream`.

use market::event::Instrument;
use market::publish::{Amendment, AmendmentKind, FeedStatus, Frame, VenueStatus};
use node::market::words::{feed_state, integrity, venue_phase};
use serde::Serialize;

use super::Instant;
use super::market::{
    BarRow, BookRow, LineRow, SignalRow, StatusRow, TradeRow, VwapRow, lines, qty,
};
use super::state::StateRow;
use super::wider::{ActivityRow, JoinedRow, MeasureRow};

/// What the frame is, its place among those of its address, and its own fields.
#[derive(Clone, Debug, Serialize)]
pub struct FrameRow<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    n: u64,
    #[serde(skip_serializing_if = "is_zero")]
    dropped: u64,
    #[serde(flatten)]
    fields: Fields<'a>,
}

#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
enum Fields<'a> {
    Instrument {
        symbol: &'a str,
        lane: usize,
        instrument: u32,
        price_decimals: u8,
        qty_decimals: u8,
    },
    Book(BookRow),
    Trade(TradeRow),
    Bar {
        symbol: &'a str,
        bar: BarRow,
    },
    Activity {
        symbol: &'a str,
        bar: ActivityRow,
    },
    Vwap(VwapRow),
    Measure(Box<MeasureRow>),
    State(Box<StateRow>),
    Signal(SignalRow),
    Joined {
        symbol: &'a str,
        #[serde(flatten)]
        print: Box<JoinedRow>,
    },
    Status {
        symbol: &'a str,
        #[serde(flatten)]
        status: Box<StatusRow>,
    },
    Venue {
        lane: usize,
        phase: Option<&'static str>,
        breached: Option<u8>,
        ts_event: Instant,
    },
    Amendment {
        symbol: &'a str,
        kind: &'static str,
        match_id: u64,
        price: Option<f64>,
        price_e9: Option<i64>,
        qty: Option<f64>,
        seq: u64,
        ts_event: Instant,
        integrity: &'static str,
    },
    Feed(Box<LaneRow>),
    Lost {
        lane: usize,
        from_seq: u64,
        to_seq: u64,
    },
    Refreshed {
        lane: usize,
        seq: u64,
    },
    Dropped {
        lane: usize,
        count: u64,
    },
}

/// The feed of one lane.
#[derive(Clone, Debug, Serialize)]
struct LaneRow {
    lane: usize,
    state: &'static str,
    next_seq: u64,
    head_seq: u64,
    gaps: u64,
    requested: u64,
    recovered: u64,
    lost: u64,
    refuted: u64,
    refreshed: u64,
    rejected: u64,
    lines: Vec<LineRow>,
}

/// What a frame is about: its lane, and its instrument with the text that it is shown as.
#[derive(Clone, Copy, Debug)]
pub struct About<'a> {
    /// The lane that published it.
    pub lane: usize,
    /// `None` for frames of a lane or of the whole market.
    pub named: Option<(&'a str, &'a Instrument)>,
}

impl<'a> FrameRow<'a> {
    /// `frame` as number `n` of its address, `dropped` frames of its lane having been lost since the one
    /// before. `None` when it is of an instrument that was not named.
    #[must_use]
    pub fn new(
        kind: &'a str,
        n: u64,
        dropped: u64,
        about: About<'a>,
        frame: &Frame,
    ) -> Option<Self> {
        Some(Self {
            kind,
            n,
            dropped,
            fields: fields(about, frame)?,
        })
    }
}

fn fields<'a>(about: About<'a>, frame: &Frame) -> Option<Fields<'a>> {
    let lane = about.lane;
    Some(match frame {
        Frame::Feed(status) => Fields::Feed(Box::new(lane_row(lane, status))),
        Frame::Venue(status) => venue(lane, status),
        Frame::Lost(lost) => Fields::Lost {
            lane,
            from_seq: lost.from_seq,
            to_seq: lost.to_seq,
        },
        Frame::Refreshed(fresh) => Fields::Refreshed {
            lane,
            seq: fresh.seq,
        },
        Frame::Dropped { count } => Fields::Dropped {
            lane,
            count: *count,
        },
        _ => {
            let (symbol, instrument) = about.named?;
            of_instrument(lane, symbol, instrument, frame)?
        }
    })
}

fn of_instrument<'a>(
    lane: usize,
    symbol: &'a str,
    instrument: &Instrument,
    frame: &Frame,
) -> Option<Fields<'a>> {
    Some(match frame {
        Frame::Instrument(new) => Fields::Instrument {
            symbol,
            lane,
            instrument: new.id.0,
            price_decimals: new.price_decimals,
            qty_decimals: new.qty_decimals,
        },
        Frame::Book(book) => Fields::Book(BookRow::of(symbol, instrument, book, usize::MAX)),
        Frame::Trade(print) => Fields::Trade(TradeRow::of(symbol, instrument, print)),
        Frame::Bar(bar) => Fields::Bar {
            symbol,
            bar: BarRow::new(instrument, bar),
        },
        Frame::Activity(closed) => Fields::Activity {
            symbol,
            bar: ActivityRow::new(instrument, closed.rule, &closed.bar),
        },
        Frame::Vwap(vwap) => Fields::Vwap(VwapRow::of(symbol, instrument, vwap)),
        Frame::Measure(measure) => {
            Fields::Measure(Box::new(MeasureRow::of(symbol, instrument, measure)))
        }
        Frame::State(state) => Fields::State(Box::new(StateRow::of(symbol, instrument, state))),
        Frame::Signal(signal) => Fields::Signal(SignalRow::new(symbol, signal)),
        Frame::Joined(joined) => Fields::Joined {
            symbol,
            print: Box::new(JoinedRow::new(instrument, joined)),
        },
        Frame::Status(status) => Fields::Status {
            symbol,
            status: Box::new(StatusRow::new(instrument, status)),
        },
        Frame::Amendment(amended) => amendment(symbol, instrument, amended),
        Frame::Feed(_)
        | Frame::Venue(_)
        | Frame::Lost(_)
        | Frame::Refreshed(_)
        | Frame::Dropped { .. } => return None,
    })
}

fn amendment<'a>(symbol: &'a str, instrument: &Instrument, amended: &Amendment) -> Fields<'a> {
    let (kind, new) = match amended.kind {
        AmendmentKind::Bust => ("bust", None),
        AmendmentKind::Correction { price, qty } => ("correction", Some((price, qty))),
    };
    Fields::Amendment {
        symbol,
        kind,
        match_id: amended.match_id,
        price: new.map(|(price, _)| price.to_f64()),
        price_e9: new.map(|(price, _)| price.0),
        qty: new.map(|(_, units)| qty(instrument, units.0)),
        seq: amended.stamp.seq,
        ts_event: Instant(amended.stamp.ts_event),
        integrity: integrity(amended.integrity),
    }
}

fn venue(lane: usize, status: &VenueStatus) -> Fields<'static> {
    Fields::Venue {
        lane,
        phase: status.phase.map(venue_phase),
        breached: status.breached,
        ts_event: Instant(status.stamp.ts_event),
    }
}

fn lane_row(lane: usize, status: &FeedStatus) -> LaneRow {
    LaneRow {
        lane,
        state: feed_state(status.state),
        next_seq: status.next_seq,
        head_seq: status.head_seq,
        gaps: status.gaps,
        requested: status.requested,
        recovered: status.recovered,
        lost: status.lost,
        refuted: status.refuted,
        refreshed: status.refreshed,
        rejected: status.rejected,
        lines: lines(status, &[]),
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde calls it with a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
