//! MoldUDP64 over two lines: arbitration, reordering, gaps, retransmission, sessions.
//!
//! ```text
//!            delivered          held back in the arena
//!  1 ------------------->|........|==========|....|=====|
//!                     next_seq     hole        hole      head_seq
//! ```
//!
//! The first arrival of each message wins, whichever line brings it. A packet ahead of `next_seq`
//! opens a *hole* and waits in the arena. A hole has a short time to be filled by the other line;
//! then it is asked for in chunks of about one packet, several in flight, each asked again on
//! time-out up to a limit; then it is given up: its messages are lost, and the handler hears so
//! before anything later is delivered. Without a retransmit server a hole is given up at once
//! after the wait. When the arena is full, the packet that is due last is dropped and becomes part of
//! a hole, so memory is bounded and nothing is lost that the server still has.
//!
//! One corrupt header, or somebody else on the group, must not wreck the feed. A jump of more than
//! [`FAR_AHEAD`] messages and another session are believed only when nothing has fitted what is known
//! for longer than a heartbeat, and a second packet agrees. A nearer number opens a hole; what no line
//! says again is let go (*refuted*), and no message is passed over on the word of one packet. This
//! holds against strays and against a sender of now and then; one that sends all the time under the
//! right session's name needs the source filter of the receiver.
//!
//! Where snapshots can be had, a hole that is too large, too old or unanswered is given up early: the
//! handler asks for a snapshot, which mends all books at once.
//!
//! Source: MoldUDP64 Protocol Specification V 1.00.

mod arena;
mod holes;
#[cfg(test)]
mod tests;

use std::collections::VecDeque;

use wire::moldudp64::{Kind, Messages, Packet, Request};

use crate::publish::{FeedState, FeedStatus, LineStatus};
use arena::Arena;
use holes::{Holes, Pump};

/// Line index of replies to requests, beside 0 (A) and 1 (B).
pub const LINE_RECOVERY: usize = 2;
/// A jump ahead of more messages than this needs a second packet that agrees.
pub const FAR_AHEAD: u64 = 1_000_000;
/// A line silent for this long while the other goes on is missing what the other brings.
const LINE_SILENT_NS: u64 = 1_000_000_000;

/// How gaps are filled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MoldConfig {
    /// How long a hole waits for the other line, ns.
    pub gap_wait_ns: u64,
    /// Whether a server answers requests.
    pub has_retransmit: bool,
    /// A jump ahead of more messages than this needs a second packet that agrees; `u64::MAX`: a
    /// recording is believed.
    pub far_ahead: u64,
    /// Whether snapshots can be had: then a gap that is too large, too old or unanswered is given up
    /// early, since all books will be loaded anew.
    pub has_snapshot: bool,
    /// With snapshots, a gap of more messages than this is not asked for.
    pub retransmit_span_limit: u64,
    /// With snapshots, a gap is given up after this long, ns.
    pub retransmit_age_limit_ns: u64,
    /// Another session, or a jump beyond `far_ahead`, is believed only after this long without a
    /// packet that fits what is known, ns: longer than a venue's heartbeat, so that nobody else can
    /// take over a feed that lives. Nor is a gap passed over in silence before. 0: a recording is
    /// believed.
    pub doubt_ns: u64,
    /// Silence of both lines after which what is known counts as old, ns: venues say something each
    /// second.
    pub silence_ns: u64,
    /// What lies ahead of a gap is let go when every line that has spoken says this long after,
    /// ns, that there is nothing ahead.
    pub refute_ns: u64,
    /// How long an answer may take before the request is repeated, ns; doubled by each repetition
    /// after the first, up to sixteen times.
    pub retransmit_timeout_ns: u64,
    /// How often one chunk is asked for before it is given up: seconds in all, since what is given
    /// up leaves books wrong until the session ends.
    pub retransmit_tries: u32,
    /// Messages in one request: about what one packet holds, since a server may answer with one.
    pub retransmit_chunk: u16,
    /// Requests in flight at once.
    pub retransmit_in_flight: usize,
    /// Packets held back while a hole is open.
    pub reorder_packets: usize,
    /// Largest packet that can be held back, bytes.
    pub packet_bytes_limit: usize,
    /// The first message wanted. `None`: the first of the session if a retransmit server can bring
    /// it (and is near enough, where snapshots can be had), else whatever comes first, with books
    /// that are stale until a snapshot has come.
    pub join_from: Option<u64>,
}

impl Default for MoldConfig {
    fn default() -> Self {
        Self {
            gap_wait_ns: 2_000_000,
            has_retransmit: true,
            far_ahead: FAR_AHEAD,
            retransmit_timeout_ns: 20_000_000,
            has_snapshot: false,
            retransmit_span_limit: 200_000,
            retransmit_age_limit_ns: 2_000_000_000,
            doubt_ns: 2_000_000_000,
            silence_ns: 2_500_000_000,
            refute_ns: 250_000_000,
            retransmit_tries: 20,
            retransmit_chunk: 32,
            retransmit_in_flight: 64,
            reorder_packets: 4_096,
            packet_bytes_limit: 1_500,
            join_from: None,
        }
    }
}

/// What the handler must know beside the messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Note {
    /// The first message to be delivered is `seq`; what came before was not asked for.
    Joined {
        /// Number of the first message that will be delivered.
        seq: u64,
    },
    /// A hole opened: what was delivered is no longer the newest.
    GapOpened,
    /// The other line did not fill the hole in time.
    GapAged,
    /// Every hole is filled or given up.
    GapClosed,
    /// Messages `[from, to)` will never come.
    Lost {
        /// First lost.
        from: u64,
        /// One past the last lost.
        to: u64,
    },
    /// Neither line has said anything for long: what was delivered may not be the newest.
    Silent,
    /// After a silence, a line speaks again.
    Heard,
    /// A new session: numbers start again, and everything known is void.
    Reset,
    /// The venue said end of session and every message was delivered.
    Ended,
}

/// Takes what the feed delivers, in order.
pub trait Handler {
    /// The next message; `line` brought it first.
    fn message(&mut self, seq: u64, ts_recv: u64, line: usize, bytes: &[u8]);
    /// A change of the feed itself, in order with the messages.
    fn note(&mut self, note: Note);
    /// The next messages of a packet, the first of them number `seq`: one after the other, unless the
    /// handler has use for knowing all of them at once. Returns how many there were.
    fn messages(&mut self, seq: u64, ts_recv: u64, line: usize, messages: Messages<'_>) -> u64 {
        let mut count = 0;
        for message in messages.flatten() {
            self.message(seq + count, ts_recv, line, message);
            count += 1;
        }
        count
    }
}

/// Why a packet was refused. Its messages, if it had any, will show as a hole.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PacketFault {
    /// Not a MoldUDP64 packet, or cut.
    #[error(transparent)]
    Malformed(#[from] wire::moldudp64::Error),
    /// Of another session, and not a credible start of a new one.
    #[error("packet of another session: ignored unless a second one agrees")]
    WrongSession,
    /// Far beyond anything seen.
    #[error("packet numbered far beyond the feed's head: ignored unless a second one agrees")]
    FarAhead,
}

#[derive(Clone, Copy, Debug, Default)]
struct Line {
    status: LineStatus,
    /// One past the highest message this line brought; 0 before the first.
    next_seq: u64,
    /// What its newest packet said comes next, and when.
    claim: (u64, u64),
}

/// The state machine of one MoldUDP64 feed.
#[derive(Debug)]
pub struct MoldFeed {
    config: MoldConfig,
    state: FeedState,
    session: Option<[u8; 10]>,
    next_seq: u64,
    head_seq: u64,
    end_seq: Option<u64>,
    lines: [Line; 3],
    arena: Arena,
    holes: Holes,
    requests: VecDeque<(u64, u16)>,
    is_aged: bool,
    pump_at_ns: u64,
    now_ns: u64,
    gaps: u64,
    requested: u64,
    lost: u64,
    refused: u64,
    doubtful_session: Option<[u8; 10]>,
    doubtful_seq: Option<u64>,
    refuted: u64,
    /// When a packet last fitted what is known.
    credible_ns: u64,
    /// When a packet last said that nothing is missing.
    confirmed_ns: u64,
    is_quiet: bool,
}

impl MoldFeed {
    /// A feed that waits for its first packet. All memory is taken here.
    #[must_use]
    pub fn new(config: MoldConfig) -> Self {
        Self {
            config,
            state: FeedState::Joining,
            session: None,
            next_seq: config.join_from.unwrap_or(1),
            head_seq: config.join_from.unwrap_or(1),
            end_seq: None,
            lines: [Line::default(); 3],
            arena: Arena::new(config.reorder_packets, config.packet_bytes_limit),
            holes: Holes::new(&config),
            requests: VecDeque::with_capacity(config.retransmit_in_flight * 2),
            is_aged: false,
            pump_at_ns: 0,
            now_ns: 0,
            gaps: 0,
            requested: 0,
            lost: 0,
            refused: 0,
            doubtful_session: None,
            doubtful_seq: None,
            refuted: 0,
            credible_ns: 0,
            confirmed_ns: 0,
            is_quiet: false,
        }
    }

    /// Takes one packet from line 0 (A), 1 (B) or [`LINE_RECOVERY`].
    ///
    /// # Errors
    /// When the packet is refused; it was counted, and the feed goes on.
    pub fn packet(
        &mut self,
        line: usize,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), PacketFault> {
        // It is walked through from length to length first, which would wait for each line in turn.
        stdx::hint::soon_bytes(bytes);
        let line = line.min(LINE_RECOVERY);
        self.now_ns = self.now_ns.max(ts_recv);
        self.lines[line].status.packets += 1;
        self.lines[line].status.last_recv_ns = ts_recv;
        let outcome = self.accept(line, ts_recv, bytes, handler);
        if let Err(fault) = &outcome {
            self.lines[line].status.malformed +=
                u64::from(matches!(fault, PacketFault::Malformed(_)));
            self.refused += 1;
        }
        self.settle(handler);
        outcome
    }

    /// Lets time pass: requests, repetitions, giving up.
    pub fn tick(&mut self, now_ns: u64, handler: &mut impl Handler) {
        self.now_ns = self.now_ns.max(now_ns);
        if self.state == FeedState::Recovering || !self.arena.is_empty() {
            self.pump(now_ns, handler);
        }
        self.settle(handler);
        let silent_at_ns = self.credible_ns.saturating_add(self.config.silence_ns);
        let is_underway = matches!(self.state, FeedState::Live | FeedState::Recovering);
        if is_underway && !self.is_quiet && self.now_ns > silent_at_ns {
            self.is_quiet = true;
            handler.note(Note::Silent);
        }
    }

    /// The receive time of the newest packet that said that nothing is missing: until then, and no
    /// further, silence means that nothing happened.
    #[must_use]
    pub fn confirmed_ns(&self) -> u64 {
        self.confirmed_ns
    }

    /// The next request to send.
    pub fn next_request(&mut self) -> Option<Request> {
        let session = self.session?;
        let (seq, count) = self.requests.pop_front()?;
        Some(Request {
            session,
            seq,
            count,
        })
    }

    /// True while a hole is open.
    #[must_use]
    pub fn has_gap(&self) -> bool {
        !self.holes.is_empty()
    }

    /// The session's name, once known.
    #[must_use]
    pub fn session(&self) -> Option<[u8; 10]> {
        self.session
    }

    /// The number of the next message to deliver.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.next_seq
    }

    /// Sets a line's count of packets that the kernel dropped.
    pub fn kernel_drops(&mut self, line: usize, total: u64) {
        if let Some(line) = self.lines.get_mut(line) {
            line.status.kernel_drops = total;
        }
    }

    /// Packets refused so far.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// How often memory had to grow after start.
    #[must_use]
    pub fn growths(&self) -> u64 {
        self.holes.growths()
    }

    /// Counters of the feed and its lines. `rejected` counts refused packets only.
    #[must_use]
    pub fn status(&self) -> FeedStatus {
        FeedStatus {
            state: self.state,
            next_seq: self.next_seq,
            head_seq: self.head_seq,
            lines: [self.line_status(0), self.line_status(1)],
            gaps: self.gaps,
            requested: self.requested,
            recovered: self.lines[LINE_RECOVERY].status.wins,
            lost: self.lost,
            rejected: self.refused,
            refuted: self.refuted,
            ..FeedStatus::default()
        }
    }

    /// A line that fell silent also misses what the other brought meanwhile.
    fn line_status(&self, line: usize) -> LineStatus {
        let Line {
            mut status,
            next_seq,
            ..
        } = self.lines[line];
        let is_silent = status.last_recv_ns.saturating_add(LINE_SILENT_NS) < self.now_ns;
        if next_seq > 0 && is_silent {
            status.missed += self.next_seq.saturating_sub(next_seq);
        }
        status
    }

    fn accept(
        &mut self,
        line: usize,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), PacketFault> {
        let packet = Packet::parse(bytes)?;
        if let Some(fault) = packet.messages().find_map(Result::err) {
            return Err(fault.into());
        }
        self.check_session(line, &packet, handler)?;
        let (seq, end) = (packet.seq(), packet.next_seq());
        self.check_distance(end)?;
        if self.state == FeedState::Joining {
            self.join(seq, handler);
        }
        self.credible_ns = self.now_ns;
        if line != LINE_RECOVERY {
            self.lines[line].claim = (end, self.now_ns);
        }
        if packet.kind() == Kind::EndOfSession {
            self.end_seq = Some(end);
        } else if self.end_seq.is_some_and(|told| told < end) {
            // Whoever said that the session was over was wrong.
            self.end_seq = None;
            if self.state == FeedState::Ended {
                self.state = FeedState::Live;
            }
        }
        self.count_line(line, &packet);
        if self.holes.is_empty() && seq <= self.next_seq && end > self.next_seq {
            self.count_duplicates(line, end - self.next_seq, packet.count());
            self.head_seq = end;
            self.deliver(&packet, ts_recv, line, handler);
        } else {
            self.set_aside(line, ts_recv, &packet, bytes, handler);
        }
        // As of when it came, not of now: what came behind it may still wait to be read. A reply
        // knows nothing of what the lines said since.
        if self.holes.is_empty() && line != LINE_RECOVERY {
            self.confirmed_ns = self.confirmed_ns.max(ts_recv);
        }
        if std::mem::take(&mut self.is_quiet) {
            handler.note(Note::Heard);
        }
        Ok(())
    }

    fn check_session(
        &mut self,
        line: usize,
        packet: &Packet<'_>,
        handler: &mut impl Handler,
    ) -> Result<(), PacketFault> {
        let session = packet.session();
        match self.session {
            Some(known) if known == session => {
                self.doubtful_session = None;
                return Ok(());
            }
            None => self.session = Some(session),
            Some(_) => {
                let is_start = packet.seq() == 1 || self.state == FeedState::Ended;
                let is_second = self.doubtful_session == Some(session);
                let is_free = self.is_silent() && (is_start || is_second);
                if line == LINE_RECOVERY || !is_free {
                    self.doubtful_session = Some(session);
                    return Err(PacketFault::WrongSession);
                }
                self.reset(session);
                handler.note(Note::Reset);
            }
        }
        Ok(())
    }

    /// Nothing has come for long that fits what is known.
    fn is_silent(&self) -> bool {
        self.now_ns >= self.credible_ns.saturating_add(self.config.doubt_ns)
    }

    fn reset(&mut self, session: [u8; 10]) {
        self.session = Some(session);
        self.state = FeedState::Joining;
        self.next_seq = 1;
        self.head_seq = 1;
        self.end_seq = None;
        for line in &mut self.lines {
            (line.next_seq, line.claim) = (0, (0, 0));
        }
        self.arena.clear();
        self.holes.clear();
        self.requests.clear();
        self.is_aged = false;
        self.doubtful_session = None;
        self.doubtful_seq = None;
    }

    fn check_distance(&mut self, end: u64) -> Result<(), PacketFault> {
        let is_near = |seq: u64| end <= seq.saturating_add(self.config.far_ahead);
        let is_second = |seq: u64| is_near(seq) && end >= seq;
        let agrees = self.is_silent() && self.doubtful_seq.is_some_and(is_second);
        if self.state == FeedState::Joining || is_near(self.head_seq) || agrees {
            self.doubtful_seq = None;
            return Ok(());
        }
        self.doubtful_seq = Some(end);
        Err(PacketFault::FarAhead)
    }

    /// The first packet of a session fixes where delivery starts.
    fn join(&mut self, seq: u64, handler: &mut impl Handler) {
        self.state = FeedState::Live;
        let start = match self.config.join_from {
            Some(from) => from,
            None if self.config.has_retransmit && self.is_near_enough(seq) => 1,
            None => seq.max(1),
        };
        self.next_seq = start;
        self.head_seq = start;
        handler.note(Note::Joined { seq: start });
    }

    fn is_near_enough(&self, seq: u64) -> bool {
        !self.config.has_snapshot || seq <= self.config.retransmit_span_limit
    }

    /// Counts what a line brought and, by its own numbering, what it failed to bring.
    fn count_line(&mut self, line: usize, packet: &Packet<'_>) {
        let (seq, end) = (packet.seq(), packet.next_seq());
        let Line {
            status, next_seq, ..
        } = &mut self.lines[line];
        if *next_seq == 0 {
            *next_seq = end;
        } else if seq >= *next_seq {
            status.missed += seq - *next_seq;
            *next_seq = end;
        } else if line != LINE_RECOVERY {
            // Late on its own line: it was counted missing when its successor came.
            status.missed = status.missed.saturating_sub(u64::from(packet.count()));
            *next_seq = (*next_seq).max(end);
        }
    }

    fn count_duplicates(&mut self, line: usize, fresh: u64, count: u16) {
        let status = &mut self.lines[line].status;
        status.duplicates += u64::from(count).saturating_sub(fresh);
    }

    /// Delivers what is due of a packet; the line that brought it has won.
    #[inline]
    fn deliver(
        &mut self,
        packet: &Packet<'_>,
        ts_recv: u64,
        line: usize,
        handler: &mut impl Handler,
    ) {
        let from = self.next_seq;
        deliver(&mut self.next_seq, packet, ts_recv, line, handler);
        self.lines[line].status.wins += self.next_seq - from;
    }

    /// Everything but the next packet in order: duplicates, packets ahead, heartbeats.
    #[cold]
    fn set_aside(
        &mut self,
        line: usize,
        ts_recv: u64,
        packet: &Packet<'_>,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) {
        let (seq, end) = (packet.seq().max(self.next_seq), packet.next_seq());
        if seq > self.head_seq {
            if self.holes.is_empty() {
                self.state = FeedState::Recovering;
                self.gaps += 1;
                handler.note(Note::GapOpened);
            }
            self.holes.open(self.head_seq, seq, self.now_ns);
            self.head_seq = seq;
            // It cannot bear witness for itself.
            self.lines[line].claim = (0, 0);
        }
        if end <= seq {
            self.count_duplicates(line, 0, packet.count());
            return;
        }
        let missing = self.holes.missing(seq, end) + end.saturating_sub(self.head_seq);
        self.count_duplicates(line, missing, packet.count());
        if missing == 0 {
            return;
        }
        if line == LINE_RECOVERY {
            self.holes.answered();
        }
        if seq == self.next_seq {
            // What is due now needs no place in the arena, however full it is.
            self.holes.fill(seq, end);
            self.deliver(packet, ts_recv, line, handler);
        } else if self.hold(end, ts_recv, line, packet, bytes) {
            self.holes.fill(seq, end);
        } else {
            if end > self.head_seq {
                self.holes.open(self.head_seq, end, self.now_ns);
            }
            self.holes.forgive(seq, end);
        }
        self.head_seq = self.head_seq.max(end);
    }

    /// Keeps a packet. When the arena is full, one that is due later makes room and is missing
    /// again: what is due first always gets on.
    fn hold(
        &mut self,
        end: u64,
        ts_recv: u64,
        line: usize,
        packet: &Packet<'_>,
        bytes: &[u8],
    ) -> bool {
        let seq = packet.seq();
        if self.arena.is_full()
            && let Some((from, to)) = self.arena.evict_after(end)
        {
            self.holes.reopen(from.max(end), to, self.now_ns);
        }
        self.arena.hold(seq, end, ts_recv, line, bytes)
    }

    /// Delivers what can be delivered, asks for what is missing, notices the end.
    fn settle(&mut self, handler: &mut impl Handler) {
        if self.state == FeedState::Recovering || !self.arena.is_empty() {
            self.drain(handler);
        }
        let is_done = self.end_seq.is_some_and(|end| end <= self.next_seq);
        if is_done && self.state == FeedState::Live {
            self.state = FeedState::Ended;
            handler.note(Note::Ended);
        }
    }

    /// Asks, asks again and gives up. As of a tick and never of a packet: what one line lacks may
    /// wait unread in the other, whose packets came before those that show the hole.
    fn pump(&mut self, now_ns: u64, handler: &mut impl Handler) {
        if now_ns < self.pump_at_ns && self.pump_at_ns - now_ns < self.config.gap_wait_ns {
            return;
        }
        self.pump_at_ns = now_ns + self.config.gap_wait_ns / 8;
        self.refute(now_ns);
        let claims = [self.lines[0].claim, self.lines[1].claim];
        let requests = &mut self.requests;
        let Pump { asked, is_aged } = self.holes.pump(now_ns, claims, |seq, count| {
            requests.push_back((seq, count));
        });
        self.requested += asked;
        if is_aged && !self.is_aged {
            self.is_aged = true;
            handler.note(Note::GapAged);
        }
    }

    /// A packet from beyond the head that the lines know nothing of, long after it came, was none of
    /// the venue's: what it opened is closed again. No message is passed over by this; should
    /// the lines have been late, what they bring opens the gap again.
    fn refute(&mut self, now_ns: u64) {
        let Some((from, opened_ns)) = self.holes.first() else {
            return;
        };
        // What comes before the first hole is delivered first.
        let is_young = now_ns < opened_ns.saturating_add(self.config.refute_ns);
        if is_young || from != self.next_seq {
            return;
        }
        let claims = self.lines[..LINE_RECOVERY].iter().map(|line| line.claim);
        let since = claims.filter(|&(_, at_ns)| at_ns >= opened_ns);
        if let Some(furthest) = since.map(|(end, _)| end).max()
            && furthest <= from
        {
            self.refuted += 1;
            self.holes.clear();
            self.arena.clear();
            self.head_seq = from;
        }
    }

    fn drain(&mut self, handler: &mut impl Handler) {
        loop {
            if let Some((from, to)) = self.holes.take_lost(self.next_seq) {
                self.lost += to - from;
                self.next_seq = to;
                handler.note(Note::Lost { from, to });
                continue;
            }
            let Some((held, bytes)) = self.arena.next(self.next_seq) else {
                break;
            };
            if let Ok(packet) = Packet::parse(bytes) {
                let (from, line) = (self.next_seq, held.line);
                deliver(&mut self.next_seq, &packet, held.ts_recv, line, handler);
                self.lines[line].status.wins += self.next_seq - from;
            }
            self.arena.release();
            // Packets of different cuts overlap: what is delivered is not missing.
            self.holes.fill(0, self.next_seq);
        }
        if self.holes.is_empty() && self.state == FeedState::Recovering {
            self.state = FeedState::Live;
            self.is_aged = false;
            self.requests.clear();
            handler.note(Note::GapClosed);
        }
    }
}

/// Hands over the messages of a packet that are still due.
#[inline]
fn deliver(
    next_seq: &mut u64,
    packet: &Packet<'_>,
    ts_recv: u64,
    line: usize,
    handler: &mut impl Handler,
) {
    let mut messages = packet.messages();
    let skip = next_seq.saturating_sub(packet.seq());
    for _ in 0..skip.min(messages.left() as u64) {
        messages.next();
    }
    *next_seq += handler.messages(*next_seq, ts_recv, line, messages);
}
