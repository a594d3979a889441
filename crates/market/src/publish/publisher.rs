//! Newest state per key for a reader that may be slower than the market.

use std::collections::VecDeque;

use super::{
    ActivityBar, Amendment, Bar, BookTop, FeedStatus, Frame, Integrity, JoinedPrint, Lost,
    MarketState, Measure, Refreshed, Signal, SymbolStatus, TradePrint, VenueStatus, Vwap,
};
use crate::event::{Instrument, InstrumentId};

/// Where frames go: a ring to another thread, or a vector in a test.
pub trait Sink {
    /// Takes a frame, or answers false when full: the publisher then keeps what is conflated and
    /// tries again at the next call.
    fn offer(&mut self, frame: &Frame) -> bool;
}

impl Sink for Vec<Frame> {
    fn offer(&mut self, frame: &Frame) -> bool {
        self.push(*frame);
        true
    }
}

/// The state behind the frames, read when a frame is made: a book that changes a hundred times
/// between two calls is copied once.
pub trait Published {
    /// An instrument's names and scales.
    fn instrument(&self, id: InstrumentId) -> Instrument;
    /// Writes an instrument's newest book over another one, all of it.
    fn book_top(&self, id: InstrumentId, top: &mut BookTop);
    /// These books will be read next: time to fetch them from memory together.
    fn soon(&self, ids: &[InstrumentId]) {
        let _ = ids;
    }
    /// False while a book is between two parts of one change: it is sent later.
    fn is_whole(&self, id: InstrumentId) -> bool {
        let _ = id;
        true
    }
    /// The feed's newest status.
    fn feed_status(&self) -> FeedStatus;
}

#[derive(Clone, Copy, Debug)]
enum Queued {
    Trade(TradePrint),
    Bar(Bar),
    Signal(Signal),
    Activity(ActivityBar),
    Joined(JoinedPrint),
    Dropped(u64),
    Amendment(Amendment),
    Lost(Lost),
    Refreshed(Refreshed),
}

/// Keeps what is still to be sent. Instruments, books, VWAPs and the feed are conflated: one entry
/// a key, newest wins. Trades, bars and signals queue, and an overflow becomes a counted
/// [`Frame::Dropped`] at the place of the hole.
#[derive(Clone, Debug)]
pub struct Publisher {
    instruments: DirtySet,
    books: DirtySet,
    /// Books whose newest frame is flagged.
    flagged: DirtySet,
    /// The book that was sent last: the next is written over it, since a frame is too large to be
    /// laid out and then copied.
    book: Frame,
    vwaps: DirtySet,
    newest_vwap: Vec<Option<Vwap>>,
    /// Of no instrument until the first measure comes: most pipelines have none.
    measures: DirtySet,
    newest_measure: Vec<Option<Measure>>,
    /// Of no instrument where no states are asked for.
    states: DirtySet,
    newest_state: Vec<MarketState>,
    statuses: DirtySet,
    newest_status: Vec<SymbolStatus>,
    /// Not sent yet.
    venue: Option<VenueStatus>,
    is_feed_dirty: bool,
    queue: VecDeque<Queued>,
    queue_limit: usize,
    /// Since the last mark of a hole.
    dropped_unmarked: u64,
    dropped: u64,
}

impl Publisher {
    /// For instruments numbered below `instruments_limit`, with room for `queue_limit` lossless
    /// frames that the sink has not taken yet.
    #[must_use]
    pub fn new(instruments_limit: usize, queue_limit: usize) -> Self {
        let queue_limit = queue_limit.max(2);
        Self {
            instruments: DirtySet::new(instruments_limit),
            books: DirtySet::new(instruments_limit),
            flagged: DirtySet::new(instruments_limit),
            book: Frame::Book(BookTop::VACANT),
            vwaps: DirtySet::new(instruments_limit),
            newest_vwap: vec![None; instruments_limit],
            measures: DirtySet::new(0),
            newest_measure: Vec::new(),
            states: DirtySet::new(0),
            newest_state: Vec::new(),
            statuses: DirtySet::new(instruments_limit),
            newest_status: vec![SymbolStatus::default(); instruments_limit],
            venue: None,
            is_feed_dirty: false,
            queue: VecDeque::with_capacity(queue_limit),
            queue_limit,
            dropped_unmarked: 0,
            dropped: 0,
        }
    }

    /// Lossless frames ever dropped.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.dropped
    }

    /// A new or renamed instrument.
    pub fn mark_instrument(&mut self, id: InstrumentId) {
        self.instruments.mark(id.0 as usize);
    }

    /// An instrument's book changed.
    #[inline]
    pub fn mark_book(&mut self, id: InstrumentId) {
        self.books.mark(id.0 as usize);
    }

    /// What flagged all books is over: those that were sent with a flag are to be sent again. The
    /// others were seen by nobody.
    pub fn mark_flagged(&mut self) {
        self.books.join(&mut self.flagged);
    }

    /// The feed's status changed.
    pub fn mark_feed(&mut self) {
        self.is_feed_dirty = true;
    }

    /// A newer VWAP.
    pub fn vwap(&mut self, vwap: &Vwap) {
        let idx = vwap.instrument.0 as usize;
        if let Some(newest) = self.newest_vwap.get_mut(idx) {
            *newest = Some(*vwap);
            self.vwaps.mark(idx);
        }
    }

    /// Takes the memory for measures of `instruments` instruments.
    pub fn reserve_measures(&mut self, instruments: usize) {
        if instruments > self.newest_measure.len() {
            self.newest_measure.resize(instruments, None);
            self.measures.reserve(instruments);
        }
    }

    /// Newer measures; ignored where no memory was taken for them.
    pub fn measure(&mut self, measure: &Measure) {
        let idx = measure.instrument.0 as usize;
        if let Some(newest) = self.newest_measure.get_mut(idx) {
            *newest = Some(*measure);
            self.measures.mark(idx);
        }
    }

    /// Takes the memory for states of `instruments` instruments.
    pub fn reserve_states(&mut self, instruments: usize) {
        if instruments > self.newest_state.len() {
            self.newest_state
                .resize(instruments, MarketState::default());
            self.states.reserve(instruments);
        }
    }

    /// A newer state; ignored where no memory was taken for it.
    pub fn state(&mut self, state: &MarketState) {
        let idx = state.instrument.0 as usize;
        if let Some(newest) = self.newest_state.get_mut(idx) {
            *newest = *state;
            self.states.mark(idx);
        }
    }

    /// A bar closed by activity, to be sent without loss.
    pub fn activity(&mut self, bar: &ActivityBar) {
        self.enqueue(Queued::Activity(*bar));
    }

    /// A print with what was in force, to be sent without loss.
    pub fn joined(&mut self, joined: &JoinedPrint) {
        self.enqueue(Queued::Joined(*joined));
    }

    /// A symbol's newer trading status.
    pub fn status(&mut self, status: &SymbolStatus) {
        let idx = status.instrument.0 as usize;
        if let Some(newest) = self.newest_status.get_mut(idx) {
            *newest = *status;
            self.statuses.mark(idx);
        }
    }

    /// The market's newer state.
    pub fn venue(&mut self, status: &VenueStatus) {
        self.venue = Some(*status);
    }

    /// A print, to be sent without loss.
    pub fn trade(&mut self, trade: &TradePrint) {
        self.enqueue(Queued::Trade(*trade));
    }

    /// A closed bar, to be sent without loss.
    pub fn bar(&mut self, bar: &Bar) {
        self.enqueue(Queued::Bar(*bar));
    }

    /// A signal, to be sent without loss.
    pub fn signal(&mut self, signal: &Signal) {
        self.enqueue(Queued::Signal(*signal));
    }

    /// An amended print, to be sent without loss.
    pub fn amendment(&mut self, amendment: &Amendment) {
        self.enqueue(Queued::Amendment(*amendment));
    }

    /// The mark of a loss, to be sent without loss.
    pub fn lost(&mut self, lost: &Lost) {
        self.enqueue(Queued::Lost(*lost));
    }

    /// The end of a loss, to be sent without loss.
    pub fn refreshed(&mut self, refreshed: &Refreshed) {
        self.enqueue(Queued::Refreshed(*refreshed));
    }

    /// Lossless frames were lost before they came here: the mark stands in order with the others.
    pub fn hole(&mut self, count: u64) {
        if self.dropped_unmarked == 0 && self.queue.len() < self.queue_limit {
            self.queue.push_back(Queued::Dropped(count));
        } else {
            self.dropped_unmarked += count;
        }
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let grows = instruments > self.newest_vwap.len();
        if grows {
            self.newest_vwap.resize(instruments, None);
            self.newest_status
                .resize(instruments, SymbolStatus::default());
            for set in [
                &mut self.instruments,
                &mut self.books,
                &mut self.vwaps,
                &mut self.statuses,
            ] {
                set.reserve(instruments);
            }
        }
        grows
    }

    /// Offers everything unsent: instruments, then lossless frames in order, then the conflated
    /// kinds; books only when `books_due`. Stops at the first refusal.
    pub fn publish(&mut self, state: &impl Published, books_due: bool, sink: &mut impl Sink) {
        self.publish_until_full(state, books_due, sink);
    }

    /// `None` as soon as the sink refuses.
    fn publish_until_full(
        &mut self,
        state: &impl Published,
        books_due: bool,
        sink: &mut impl Sink,
    ) -> Option<()> {
        self.instruments
            .drain(|id| taken(sink, &Frame::Instrument(state.instrument(id))))?;
        while let Some(queued) = self.queue.front() {
            sink.offer(&queued.frame()).then_some(())?;
            self.queue.pop_front();
        }
        if self.dropped_unmarked > 0 {
            let count = self.dropped_unmarked;
            sink.offer(&Frame::Dropped { count }).then_some(())?;
            self.dropped_unmarked = 0;
        }
        if let Some(venue) = self.venue {
            sink.offer(&Frame::Venue(venue)).then_some(())?;
            self.venue = None;
        }
        let newest_status = &self.newest_status;
        self.statuses
            .drain(|id| taken(sink, &Frame::Status(newest_status[id.0 as usize])))?;
        if books_due {
            let (flagged, book) = (&mut self.flagged, &mut self.book);
            self.books.drain_ahead(
                |ids| state.soon(ids),
                |id| {
                    if !state.is_whole(id) {
                        return Some(Key::Kept);
                    }
                    let is_flagged = write_book(book, |top| state.book_top(id, top));
                    let key = taken(sink, book)?;
                    if is_flagged {
                        flagged.mark(id.0 as usize);
                    }
                    Some(key)
                },
            )?;
        }
        let newest_vwap = &self.newest_vwap;
        self.vwaps.drain(|id| match newest_vwap[id.0 as usize] {
            Some(vwap) => taken(sink, &Frame::Vwap(vwap)),
            None => Some(Key::Done),
        })?;
        let newest_measure = &self.newest_measure;
        self.measures
            .drain(|id| match newest_measure[id.0 as usize] {
                Some(measure) => taken(sink, &Frame::Measure(measure)),
                None => Some(Key::Done),
            })?;
        let newest_state = &self.newest_state;
        self.states
            .drain(|id| taken(sink, &Frame::State(newest_state[id.0 as usize])))?;
        if self.is_feed_dirty {
            let frame = Frame::Feed(state.feed_status());
            sink.offer(&frame).then_some(())?;
            self.is_feed_dirty = false;
        }
        Some(())
    }

    fn enqueue(&mut self, queued: Queued) {
        // The mark of a hole needs its own place before what follows the hole.
        let needed = 1 + usize::from(self.dropped_unmarked > 0);
        if self.queue.len() + needed > self.queue_limit {
            self.dropped_unmarked += 1;
            self.dropped += 1;
            return;
        }
        if self.dropped_unmarked > 0 {
            self.queue.push_back(Queued::Dropped(self.dropped_unmarked));
            self.dropped_unmarked = 0;
        }
        self.queue.push_back(queued);
    }
}

impl Queued {
    fn frame(self) -> Frame {
        match self {
            Self::Trade(trade) => Frame::Trade(trade),
            Self::Bar(bar) => Frame::Bar(bar),
            Self::Signal(signal) => Frame::Signal(signal),
            Self::Activity(bar) => Frame::Activity(bar),
            Self::Joined(joined) => Frame::Joined(joined),
            Self::Dropped(count) => Frame::Dropped { count },
            Self::Amendment(amendment) => Frame::Amendment(amendment),
            Self::Lost(lost) => Frame::Lost(lost),
            Self::Refreshed(refreshed) => Frame::Refreshed(refreshed),
        }
    }
}

/// What became of a key that was offered; `None` instead where the sink refused it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    Done,
    /// Its time has not come.
    Kept,
}

/// Writes the next book into a frame; whether it is flagged.
fn write_book(frame: &mut Frame, write: impl FnOnce(&mut BookTop)) -> bool {
    if !matches!(frame, Frame::Book(_)) {
        *frame = Frame::Book(BookTop::VACANT);
    }
    let Frame::Book(top) = frame else {
        return false;
    };
    write(top);
    top.integrity > Integrity::Ok
}

fn taken(sink: &mut impl Sink, frame: &Frame) -> Option<Key> {
    sink.offer(frame).then_some(Key::Done)
}

/// Keys told ahead at least, where there are so many: more than a full packet has, and what they
/// need fits the first caches.
const AHEAD: usize = 16;

/// A set of small numbers, drained round robin so that a slow reader starves no key.
#[derive(Clone, Debug)]
struct DirtySet {
    words: Vec<u64>,
    /// A bit a word that has a key: a packet touches few of thousands.
    used: Vec<u64>,
    /// The word where the next call goes on.
    cursor: usize,
}

impl DirtySet {
    fn new(limit: usize) -> Self {
        let mut set = Self {
            words: Vec::new(),
            used: Vec::new(),
            cursor: 0,
        };
        set.reserve(limit);
        set
    }

    fn reserve(&mut self, limit: usize) {
        self.words.resize(limit.div_ceil(64), 0);
        self.used.resize(self.words.len().div_ceil(64), 0);
    }

    #[inline]
    fn mark(&mut self, idx: usize) {
        if let Some(word) = self.words.get_mut(idx / 64) {
            *word |= 1 << (idx % 64);
            self.used[idx / 4096] |= 1 << (idx / 64 % 64);
        }
    }

    /// Takes all keys of another set of the same size, which is empty then.
    fn join(&mut self, other: &mut Self) {
        for (used, more) in self.used.iter_mut().zip(&mut other.used) {
            *used |= std::mem::take(more);
        }
        for (word, more) in self.words.iter_mut().zip(&mut other.words) {
            *word |= std::mem::take(more);
        }
    }

    /// The first word in `[from, to)` that has a key.
    #[inline]
    fn next_word(&self, from: usize, to: usize) -> Option<usize> {
        let mut mask = u64::MAX << (from % 64);
        for (place, used) in self.used.iter().enumerate().skip(from / 64) {
            let used = used & std::mem::replace(&mut mask, u64::MAX);
            if used != 0 {
                let word = place * 64 + used.trailing_zeros() as usize;
                return (word < to).then_some(word);
            }
        }
        None
    }

    /// Clears the keys that `offer` is done with, going on where the last call stopped.
    fn drain(&mut self, offer: impl FnMut(InstrumentId) -> Option<Key>) -> Option<()> {
        self.drain_ahead(|_| {}, offer)
    }

    /// The same; `soon` hears which keys come next, before they are offered.
    fn drain_ahead(
        &mut self,
        mut soon: impl FnMut(&[InstrumentId]),
        mut offer: impl FnMut(InstrumentId) -> Option<Key>,
    ) -> Option<()> {
        let start = self.cursor;
        for (from, to) in [(start, self.words.len()), (0, start)] {
            let (mut at, mut told_to) = (from, from);
            while let Some(place) = self.next_word(at, to) {
                if place >= told_to {
                    told_to = self.tell(place, to, &mut soon);
                }
                self.cursor = place;
                self.drain_word(place, &mut offer)?;
                at = place + 1;
            }
        }
        self.cursor = start;
        Some(())
    }

    #[inline]
    fn drain_word(
        &mut self,
        place: usize,
        offer: &mut impl FnMut(InstrumentId) -> Option<Key>,
    ) -> Option<()> {
        let mut word = self.words[place];
        while word != 0 {
            let bit = word.trailing_zeros();
            let key = offer(InstrumentId(place as u32 * 64 + bit))?;
            word &= word - 1;
            if key == Key::Done {
                self.words[place] &= !(1 << bit);
            }
        }
        if self.words[place] == 0 {
            self.used[place / 64] &= !(1 << (place % 64));
        }
        Some(())
    }

    /// Tells `soon` of the keys in the next words from `from` on; returns the word behind them.
    #[inline]
    fn tell(&self, from: usize, to: usize, soon: &mut impl FnMut(&[InstrumentId])) -> usize {
        let mut keys = [InstrumentId(0); AHEAD + 64];
        let (mut len, mut at) = (0, from);
        while let Some(place) = self.next_word(at, to)
            && len < AHEAD
        {
            let mut word = self.words[place];
            while word != 0 {
                keys[len] = InstrumentId(place as u32 * 64 + word.trailing_zeros());
                word &= word - 1;
                len += 1;
            }
            at = place + 1;
        }
        soon(&keys[..len]);
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Price, Qty, Stamp};

    struct State;

    impl Published for State {
        fn instrument(&self, id: InstrumentId) -> Instrument {
            Instrument::new(id, "X", 0, 4)
        }
        fn book_top(&self, instrument: InstrumentId, top: &mut BookTop) {
            *top = BookTop {
                instrument,
                ..BookTop::VACANT
            };
        }
        fn feed_status(&self) -> FeedStatus {
            FeedStatus::default()
        }
    }

    struct Narrow(Vec<Frame>, usize);

    impl Sink for Narrow {
        fn offer(&mut self, frame: &Frame) -> bool {
            let has_room = self.0.len() < self.1;
            if has_room {
                self.0.push(*frame);
            }
            has_room
        }
    }

    fn trade(match_id: u64) -> TradePrint {
        TradePrint {
            instrument: InstrumentId(0),
            stamp: Stamp::default(),
            price: Price(1),
            qty: Qty(1),
            aggressor: None,
            cross: false,
            match_id,
            integrity: Integrity::Ok,
        }
    }

    #[test]
    fn a_book_is_sent_once_however_often_it_changed() {
        let mut publisher = Publisher::new(200, 8);
        (0..5).for_each(|_| publisher.mark_book(InstrumentId(130)));
        let mut sink = Vec::new();
        publisher.publish(&State, false, &mut sink);
        assert!(sink.is_empty());
        publisher.publish(&State, true, &mut sink);
        publisher.publish(&State, true, &mut sink);
        let mut top = BookTop::VACANT;
        State.book_top(InstrumentId(130), &mut top);
        assert_eq!(sink, [Frame::Book(top)]);
    }

    #[test]
    fn a_full_sink_keeps_conflated_keys_dirty_and_starves_none() {
        let mut publisher = Publisher::new(200, 8);
        let mut seen = [0; 200];
        for _ in 0..200 {
            (0..200).for_each(|id| publisher.mark_book(InstrumentId(id)));
            let mut sink = Narrow(Vec::new(), 64);
            publisher.publish(&State, true, &mut sink);
            for frame in sink.0 {
                if let Frame::Book(top) = frame {
                    seen[top.instrument.0 as usize] += 1;
                }
            }
        }
        assert!(seen.iter().all(|&n| n > 20), "{seen:?}");
    }

    #[test]
    fn an_overflow_is_counted_at_the_place_of_the_hole() {
        let mut publisher = Publisher::new(1, 3);
        (1..=5).for_each(|n| publisher.trade(&trade(n)));
        let mut sink = Narrow(Vec::new(), 2);
        publisher.publish(&State, true, &mut sink);
        publisher.trade(&trade(6));
        let mut rest = Vec::new();
        publisher.publish(&State, true, &mut rest);
        let frames: Vec<Frame> = sink.0.into_iter().chain(rest).collect();
        let expected = [
            Frame::Trade(trade(1)),
            Frame::Trade(trade(2)),
            Frame::Trade(trade(3)),
            Frame::Dropped { count: 2 },
            Frame::Trade(trade(6)),
        ];
        assert_eq!(frames, expected);
        assert_eq!(publisher.dropped(), 2);
    }
}
