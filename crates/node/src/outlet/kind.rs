//! What sort of frame it is: which outlets want it, and what may replace it.

use market::event::InstrumentId;
use market::publish::Frame;

/// The sorts of frames that an outlet can choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// Names and scales; always sent.
    Instrument,
    /// Newest book.
    Book,
    /// Prints.
    Trade,
    /// Closed bars.
    Bar,
    /// Sliding VWAP.
    Vwap,
    /// Signals.
    Signal,
    /// Feed status.
    Feed,
    /// Trading status of a symbol.
    Status,
    /// State of the whole market.
    Venue,
    /// Busted and corrected prints.
    Amendment,
    /// Marks of messages that the feed lost, and of the books' refresh; always sent.
    Loss,
    /// Marks of a hole; always sent.
    Dropped,
    /// Sliding measures.
    Measure,
    /// Bars closed by activity.
    Activity,
    /// Prints with the quote and the reference row in force.
    Joined,
    /// Market states.
    State,
}

impl Kind {
    /// Every sort and its name, as subjects, topics and options say it.
    pub const NAMES: [(Self, &'static str); 16] = [
        (Self::Instrument, "instrument"),
        (Self::Book, "book"),
        (Self::Trade, "trade"),
        (Self::Bar, "bar"),
        (Self::Vwap, "vwap"),
        (Self::Signal, "signal"),
        (Self::Feed, "feed"),
        (Self::Status, "status"),
        (Self::Venue, "venue"),
        (Self::Amendment, "amendment"),
        (Self::Loss, "loss"),
        (Self::Dropped, "dropped"),
        (Self::Measure, "measure"),
        (Self::Activity, "activity"),
        (Self::Joined, "joined"),
        (Self::State, "state"),
    ];

    /// The name.
    #[must_use]
    pub fn name(self) -> &'static str {
        let mut all = Self::NAMES.iter();
        all.find(|(kind, _)| *kind == self)
            .map_or("", |(_, name)| name)
    }

    /// The sort of that name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        let mut all = Self::NAMES.iter();
        all.find(|(_, of)| *of == name).map(|(kind, _)| *kind)
    }

    /// The sort of `frame`.
    #[must_use]
    pub fn of(frame: &Frame) -> Self {
        match frame {
            Frame::Instrument(_) => Self::Instrument,
            Frame::Book(_) => Self::Book,
            Frame::Trade(_) => Self::Trade,
            Frame::Bar(_) => Self::Bar,
            Frame::Vwap(_) => Self::Vwap,
            Frame::Signal(_) => Self::Signal,
            Frame::Feed(_) => Self::Feed,
            Frame::Status(_) => Self::Status,
            Frame::Venue(_) => Self::Venue,
            Frame::Amendment(_) => Self::Amendment,
            Frame::Lost(_) | Frame::Refreshed(_) => Self::Loss,
            Frame::Dropped { .. } => Self::Dropped,
            Frame::Measure(_) => Self::Measure,
            Frame::Activity(_) => Self::Activity,
            Frame::Joined(_) => Self::Joined,
            Frame::State(_) => Self::State,
        }
    }
}

/// A choice of kinds. Instruments and marks of holes are part of every choice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kinds(u16);

impl Kinds {
    /// Everything.
    pub const ALL: Self = Self(u16::MAX);

    /// These, and what is always sent.
    #[must_use]
    pub fn of(kinds: &[Kind]) -> Self {
        let always = [Kind::Instrument, Kind::Loss, Kind::Dropped];
        let bits = kinds.iter().chain(&always).map(|kind| 1 << *kind as u16);
        Self(bits.fold(0, |all, bit| all | bit))
    }

    /// Whether `kind` was chosen.
    #[must_use]
    pub fn has(self, kind: Kind) -> bool {
        self.0 & (1 << kind as u16) != 0
    }
}

/// What a newer frame replaces: the same place in the same table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    pub lane: usize,
    /// Which of [`TABLES`].
    pub table: usize,
    pub row: usize,
}

/// Instruments, books, VWAPs, feed, measures, trading statuses, the whole market, market states.
pub(super) const TABLES: usize = 8;

impl Key {
    /// `None`: nothing replaces this frame, each one counts.
    pub fn of(lane: usize, frame: &Frame) -> Option<Self> {
        let key = |table, id: InstrumentId| {
            let row = id.0 as usize;
            Some(Self { lane, table, row })
        };
        match frame {
            Frame::Instrument(instrument) => key(0, instrument.id),
            Frame::Book(book) => key(1, book.instrument),
            Frame::Vwap(vwap) => key(2, vwap.instrument),
            Frame::Feed(_) => key(3, InstrumentId(0)),
            Frame::Measure(measure) => key(4, measure.instrument),
            Frame::Status(status) => key(5, status.instrument),
            Frame::Venue(_) => key(6, InstrumentId(0)),
            Frame::State(state) => key(7, state.instrument),
            Frame::Trade(_)
            | Frame::Bar(_)
            | Frame::Signal(_)
            | Frame::Activity(_)
            | Frame::Joined(_)
            | Frame::Amendment(_)
            | Frame::Lost(_)
            | Frame::Refreshed(_)
            | Frame::Dropped { .. } => None,
        }
    }
}
