//! The receiving end: another machine's frames as our own.
//!
//! Instruments of all the sender's lanes get dense numbers of ours. A book is flagged when it may be
//! old: while a hole is open it is recovering, and after a loss every book is stale until it is heard of
//! again, which the sender's cycle sees to. The feed's status is this hop's, not the sender's.

use std::collections::HashMap;

use wire::moldudp64::{Packet, Request};
use wire::ouzel::{Message, SESSION_PREFIX};

use crate::event::{Instrument, InstrumentId};
use crate::feed::mold::{Handler, LINE_RECOVERY, MoldConfig, MoldFeed, Note, PacketFault};
use crate::feed::ouzel;
use crate::pipeline::{RejectReason, RejectRing};
use crate::publish::{BookTop, FeedStatus, Frame, Integrity, Published, Publisher, Sink};

/// Receives what a [`Sequencer`](super::Sequencer) sends.
#[derive(Debug)]
pub struct RelayPipeline {
    config: MoldConfig,
    feed: MoldFeed,
    /// The run of the sender that is followed.
    session: Option<[u8; 10]>,
    /// Another one, of which one packet was seen.
    doubtful: Option<[u8; 10]>,
    core: Core,
}

#[derive(Debug)]
struct Core {
    limit: usize,
    /// By the sender's lane and number, of this session.
    ids: HashMap<(usize, InstrumentId), InstrumentId>,
    /// By the sender's lane and symbol, of all sessions.
    symbols: HashMap<(usize, [u8; 16]), InstrumentId>,
    rows: Vec<Row>,
    publisher: Publisher,
    /// Of the books: what this hop adds to what the sender says.
    is_open: bool,
    /// Messages that could not be read, and instruments beyond the limit.
    rejected: RejectRing,
    refused: u64,
}

#[derive(Debug)]
struct Row {
    instrument: Instrument,
    book: Option<BookTop>,
    /// Not heard of since messages were lost.
    is_stale: bool,
}

impl RelayPipeline {
    /// For `instruments_limit` instruments of all lanes together, with room for `queue_limit` lossless
    /// frames that the sink has not taken.
    #[must_use]
    pub fn new(config: MoldConfig, instruments_limit: usize, queue_limit: usize) -> Self {
        Self {
            feed: MoldFeed::new(config),
            config,
            session: None,
            doubtful: None,
            core: Core {
                limit: instruments_limit,
                ids: HashMap::with_capacity(instruments_limit),
                symbols: HashMap::with_capacity(instruments_limit),
                rows: Vec::with_capacity(instruments_limit),
                publisher: Publisher::new(instruments_limit, queue_limit),
                is_open: false,
                rejected: RejectRing::new(),
                refused: 0,
            },
        }
    }

    /// Takes one packet of line 0 (A), 1 (B) or 2 (replies to requests).
    pub fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        let outcome = self
            .admit(line, bytes)
            .and_then(|()| self.feed.packet(line, ts_recv, bytes, &mut self.core));
        if let Err(fault) = outcome {
            let reason = RejectReason::Packet(fault);
            self.core.rejected.record(ts_recv, line, reason, bytes);
        }
    }

    /// Joins at the first packet, wherever the sender is by then: the cycle brings what came before.
    /// Another session is a restart of the sender when it begins at 1 or a second packet agrees.
    fn admit(&mut self, line: usize, bytes: &[u8]) -> Result<(), PacketFault> {
        let packet = Packet::parse(bytes)?;
        let session = packet.session();
        if self.session == Some(session) {
            self.doubtful = None;
            return Ok(());
        }
        let is_ours = session.starts_with(&SESSION_PREFIX) && packet.seq() > 0;
        let is_sure = self.session.is_none()
            || packet.seq() == 1
            || self.doubtful.replace(session) == Some(session);
        if !is_ours || line >= LINE_RECOVERY || !is_sure {
            self.core.refused += 1;
            return Err(PacketFault::WrongSession);
        }
        if self.session.replace(session).is_some() {
            self.core.note(Note::Reset);
        }
        self.doubtful = None;
        self.feed = MoldFeed::new(MoldConfig {
            join_from: Some(packet.seq()),
            ..self.config
        });
        Ok(())
    }

    /// Lets time pass: requests, repetitions, giving up.
    pub fn tick(&mut self, now_ns: u64) {
        self.feed.tick(now_ns, &mut self.core);
        self.core.publisher.mark_feed();
    }

    /// The next request to send.
    pub fn next_request(&mut self) -> Option<Request> {
        self.feed.next_request()
    }

    /// Tells how many packets of a line the kernel has dropped in all.
    pub fn kernel_drops(&mut self, line: usize, total: u64) {
        self.feed.kernel_drops(line, total);
    }

    /// Where this hop stands.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        let mut status = self.feed.status();
        status.rejected += self.core.refused;
        status
    }

    /// The last packets and messages that could not be used.
    #[must_use]
    pub fn rejected(&self) -> &RejectRing {
        &self.core.rejected
    }

    /// Offers everything new to the sink.
    pub fn publish(&mut self, sink: &mut impl Sink) {
        let status = self.status();
        let Core {
            publisher,
            rows,
            is_open,
            ..
        } = &mut self.core;
        let view = View {
            rows,
            is_open: *is_open,
            status,
        };
        publisher.publish(&view, true, sink);
    }
}

struct View<'a> {
    rows: &'a [Row],
    is_open: bool,
    status: FeedStatus,
}

impl Published for View<'_> {
    fn instrument(&self, id: InstrumentId) -> Instrument {
        self.rows[id.0 as usize].instrument
    }

    fn book_top(&self, id: InstrumentId, top: &mut BookTop) {
        let row = &self.rows[id.0 as usize];
        *top = row.book.expect("a book is marked once it is there");
        let own = match (row.is_stale, self.is_open) {
            (true, _) => Integrity::Stale,
            (false, true) => Integrity::Recovering,
            (false, false) => Integrity::Ok,
        };
        top.integrity = top.integrity.max(own);
    }

    fn feed_status(&self) -> FeedStatus {
        self.status
    }
}

impl Core {
    fn own(&mut self, lane: usize, id: InstrumentId) -> Option<InstrumentId> {
        let own = self.ids.get(&(lane, id)).copied();
        if own.is_none() {
            // Its name was lost or never heard; the cycle will bring it.
            self.refused += 1;
        }
        own
    }

    fn name(&mut self, lane: usize, instrument: Instrument) {
        if let Some(&own) = self.ids.get(&(lane, instrument.id)) {
            let row = &mut self.rows[own.0 as usize];
            let named = Instrument {
                id: own,
                ..instrument
            };
            if row.instrument != named {
                row.instrument = named;
                self.publisher.mark_instrument(own);
            }
            return;
        }
        if let Some(&own) = self.symbols.get(&(lane, instrument.symbol)) {
            // Known from an earlier session, whose numbers were others.
            self.ids.insert((lane, instrument.id), own);
            return;
        }
        if self.rows.len() == self.limit {
            self.refused += 1;
            return;
        }
        let own = InstrumentId(self.rows.len() as u32);
        self.ids.insert((lane, instrument.id), own);
        self.symbols.insert((lane, instrument.symbol), own);
        self.rows.push(Row {
            instrument: Instrument {
                id: own,
                ..instrument
            },
            book: None,
            is_stale: false,
        });
        self.publisher.mark_instrument(own);
    }

    fn frame(&mut self, lane: usize, frame: Frame) -> Option<()> {
        match frame {
            Frame::Instrument(instrument) => self.name(lane, instrument),
            Frame::Book(mut book) => {
                book.instrument = self.own(lane, book.instrument)?;
                if let Some(last) = &mut book.last {
                    last.instrument = book.instrument;
                }
                let row = &mut self.rows[book.instrument.0 as usize];
                // The cycle repeats books; only what is new is told.
                if row.is_stale || row.book != Some(book) {
                    (row.book, row.is_stale) = (Some(book), false);
                    self.publisher.mark_book(book.instrument);
                }
            }
            Frame::Trade(mut print) => {
                print.instrument = self.own(lane, print.instrument)?;
                self.publisher.trade(&print);
            }
            Frame::Bar(mut bar) => {
                bar.instrument = self.own(lane, bar.instrument)?;
                self.publisher.bar(&bar);
            }
            Frame::Vwap(mut vwap) => {
                vwap.instrument = self.own(lane, vwap.instrument)?;
                self.publisher.vwap(&vwap);
            }
            Frame::Signal(mut signal) => {
                signal.instrument = self.own(lane, signal.instrument)?;
                self.publisher.signal(&signal);
            }
            Frame::Activity(mut activity) => {
                activity.bar.instrument = self.own(lane, activity.bar.instrument)?;
                self.publisher.activity(&activity);
            }
            Frame::Amendment(mut amendment) => {
                amendment.instrument = self.own(lane, amendment.instrument)?;
                self.publisher.amendment(&amendment);
            }
            Frame::Lost(lost) => self.publisher.lost(&lost),
            Frame::Refreshed(refreshed) => self.publisher.refreshed(&refreshed),
            Frame::Dropped { count } => self.publisher.hole(count),
            // The sender's own lines; ours are told instead. The others are not carried.
            Frame::Feed(_)
            | Frame::Measure(_)
            | Frame::State(_)
            | Frame::Joined(_)
            | Frame::Status(_)
            | Frame::Venue(_) => {}
        }
        Some(())
    }

    fn mark_books(&mut self) {
        let with_book = self.rows.iter().filter(|row| row.book.is_some());
        for row in with_book {
            self.publisher.mark_book(row.instrument.id);
        }
    }
}

impl Handler for Core {
    fn message(&mut self, _seq: u64, _ts_recv: u64, _line: usize, bytes: &[u8]) {
        match Message::parse(bytes) {
            Ok(message) => {
                if let Some((lane, frame)) = ouzel::read(&message) {
                    // An unknown instrument was counted.
                    let _known = self.frame(lane, frame);
                }
            }
            Err(_) => self.refused += 1,
        }
    }

    fn note(&mut self, note: Note) {
        self.publisher.mark_feed();
        match note {
            Note::GapAged => self.is_open = true,
            Note::GapClosed => self.is_open = false,
            Note::Lost { from, to } => {
                self.publisher.hole(to - from);
                self.rows.iter_mut().for_each(|row| row.is_stale = true);
            }
            // Numbers are another run's; what is known of books is the last of the old one.
            Note::Reset => {
                self.ids.clear();
                self.is_open = false;
                self.rows.iter_mut().for_each(|row| row.is_stale = true);
            }
            // Its frames carry their own flags; a silent sender says nothing of them.
            Note::Joined { .. } | Note::GapOpened | Note::Silent | Note::Heard | Note::Ended => {
                return;
            }
        }
        self.mark_books();
    }
}
