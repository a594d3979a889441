//! The simulated venue's voice: it lives in real time on a thread of its own, speaks on two lossy
//! lines, sends lost messages again and tells whole books to whoever asks.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use ::venue::{Loss, LossConfig, NewsItem, PAYLOAD_LIMIT, Packetiser, Retransmitter, Venue};
use anyhow::Result;
use engine::glimpse::{Provider, Snapshot};
use engine::lane::{Command, Commander};
use engine::udp::{RequestCounts, RequestServer, Sender};
use node::DigestCheck;
use stdx::{Clock, SystemClock};

const STEP: Duration = Duration::from_millis(1);
/// Market time of one step at most. A machine that is behind hears the venue late but evenly: all that it
/// owes at once would keep it silent for as long, and more would be owed by then.
const STRIDE_NS: u64 = 20_000_000;
const HEARTBEAT_NS: u64 = 1_000_000_000;
/// Between two comparisons of our books with the venue's.
const CHECK_NS: u64 = 500_000_000;
/// For the lane to hear which sequence number will be compared, before it gets there.
const NOTICE: Duration = Duration::from_millis(2);
/// A venue that is too busy for a snapshot ends the connection: the client asks again.
const SNAPSHOT_PATIENCE: Duration = Duration::from_secs(5);

/// Where the venue's words go.
pub struct Outgoing {
    /// Lines A and B; a venue may have only one.
    pub senders: Vec<Sender>,
    pub requests: Option<RequestServer>,
    /// Messages kept for those who ask again.
    pub history: usize,
    pub loss: LossConfig,
    /// Both lines say nothing in `[from_ns, to_ns)`, UTC.
    pub cut: Option<(u64, u64)>,
    pub news: Option<SyncSender<NewsItem>>,
    pub check: Option<(Arc<DigestCheck>, Commander)>,
    /// Whoever asks here gets the books as they are between two steps.
    pub snapshots: Receiver<SyncSender<Snapshot>>,
}

/// A channel of requests for snapshots, and its end for a server.
#[must_use]
pub fn snapshots() -> (Arc<Provider>, Receiver<SyncSender<Snapshot>>) {
    let (asking, asked) = sync_channel::<SyncSender<Snapshot>>(16);
    let provider = move || {
        let (answering, answer) = sync_channel(1);
        asking.send(answering).ok()?;
        answer.recv_timeout(SNAPSHOT_PATIENCE).ok()
    };
    (Arc::new(provider), asked)
}

/// What a venue has said when it ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    pub messages: u64,
    pub requests: RequestCounts,
    pub snapshots: u64,
}

/// The running venue. Dropping it waits for its end; raise the stop flag first.
pub struct VenueThread(Option<JoinHandle<Said>>);

impl VenueThread {
    /// Starts speaking in `session`.
    pub fn spawn(
        venue: Venue,
        session: [u8; 10],
        outgoing: Outgoing,
        stop: Arc<AtomicBool>,
    ) -> Result<Self> {
        let mut speaker = Speaker::new(venue, session, outgoing);
        let thread = std::thread::Builder::new()
            .name("venue".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    if speaker.step() {
                        std::thread::sleep(STEP);
                    }
                }
                speaker.end();
                speaker.said()
            })?;
        Ok(Self(Some(thread)))
    }

    /// Waits for its end.
    pub fn join(mut self) -> Said {
        // A panic in the venue was already printed by its thread.
        let thread = self.0.take();
        thread.and_then(|t| t.join().ok()).unwrap_or_default()
    }
}

impl Drop for VenueThread {
    fn drop(&mut self) {
        if let Some(thread) = self.0.take() {
            // A panic in the venue was already printed by its thread.
            let _ended = thread.join();
        }
    }
}

struct Speaker {
    venue: Venue,
    out: Outgoing,
    packetiser: Packetiser,
    retransmitter: Retransmitter,
    /// One for each line.
    losses: Vec<Loss>,
    said: Vec<Vec<u8>>,
    /// Up to when the venue has lived.
    lived_ns: Option<u64>,
    spoke_ns: u64,
    next_check_ns: u64,
    snapshots: u64,
}

impl Speaker {
    fn new(venue: Venue, session: [u8; 10], out: Outgoing) -> Self {
        let seeds = (0xA..).take(out.senders.len());
        Self {
            venue,
            packetiser: Packetiser::new(session, PAYLOAD_LIMIT),
            retransmitter: Retransmitter::new(session, out.history, PAYLOAD_LIMIT),
            losses: seeds.map(|seed| Loss::new(out.loss, seed)).collect(),
            said: Vec::new(),
            lived_ns: None,
            spoke_ns: 0,
            next_check_ns: 0,
            snapshots: 0,
            out,
        }
    }

    /// Lives on, and says whether it has come to the present.
    fn step(&mut self) -> bool {
        let now = SystemClock.now_ns();
        let until = self
            .lived_ns
            .map_or(now, |lived| now.min(lived + STRIDE_NS));
        self.lived_ns = Some(until);
        self.said.clear();
        let said = &mut self.said;
        self.venue
            .step(until, &mut |message| said.push(message.to_vec()));
        if !self.said.is_empty() {
            self.announce_check(now);
            self.speak(now);
            self.spoke_ns = now;
        } else if now.saturating_sub(self.spoke_ns) > HEARTBEAT_NS {
            let heartbeat = self.packetiser.heartbeat();
            send(&mut self.losses, &self.out, now, &heartbeat);
            self.spoke_ns = now;
        }
        if let Some(server) = &mut self.out.requests {
            let retransmitter = &mut self.retransmitter;
            // A refused request stays unanswered, as MoldUDP64 says; the asker gives up in time.
            server.serve(now, &mut |request, send| {
                let answered = retransmitter.answer(request, &mut |packet: &[u8]| send(packet));
                answered.unwrap_or(0)
            });
        }
        self.tell_snapshots();
        for item in self.venue.news_until(until) {
            if let Some(news) = &self.out.news {
                // A newswire that is a whole buffer behind misses an item rather than stop the market.
                let _missed = news.try_send(item);
            }
        }
        until == now
    }

    fn tell_snapshots(&mut self) {
        while let Ok(asker) = self.out.snapshots.try_recv() {
            let mut snapshot = Snapshot::default();
            self.venue.snapshot(&mut |message| {
                let is_taken = snapshot.push(message);
                debug_assert!(is_taken, "the venue speaks ITCH");
            });
            self.snapshots += 1;
            // Whoever gave up waiting asks again.
            let _gone = asker.try_send(snapshot);
        }
    }

    /// Says what our books must be after this step, before the lane can have passed it.
    fn announce_check(&mut self, now: u64) {
        let Some((check, commander)) = &self.out.check else {
            return;
        };
        if now < self.next_check_ns {
            return;
        }
        let seq = self.venue.seq();
        if commander.send(Command::DigestAt(seq)) {
            check.expect(seq, self.venue.book_digest());
            std::thread::sleep(NOTICE);
        }
        self.next_check_ns = now + CHECK_NS;
    }

    fn speak(&mut self, now: u64) {
        let (losses, out) = (&mut self.losses, &self.out);
        let mut send = |_seq: u64, packet: &[u8]| send(losses, out, now, packet);
        for message in &self.said {
            self.retransmitter.keep(message);
            self.packetiser.push(message, &mut send);
        }
        self.packetiser.flush(&mut send);
    }

    fn end(&mut self) {
        let packet = self.packetiser.end_of_session();
        send(&mut self.losses, &self.out, u64::MAX, &packet);
    }

    fn said(&self) -> Said {
        Said {
            messages: self.venue.seq(),
            requests: self
                .out
                .requests
                .as_ref()
                .map(RequestServer::counts)
                .unwrap_or_default(),
            snapshots: self.snapshots,
        }
    }
}

/// One packet on every line that does not lose it.
fn send(losses: &mut [Loss], out: &Outgoing, now: u64, packet: &[u8]) {
    let is_cut = out.cut.is_some_and(|(from, to)| from <= now && now < to);
    for (loss, sender) in losses.iter_mut().zip(&out.senders) {
        if !loss.loses() && !is_cut {
            // A full socket loses a packet like any network; the receiver recovers it.
            let _lost = sender.send(packet);
        }
    }
}

/// Seven tenths of the loss come alone, three tenths in bursts; together they are what was asked
/// for.
#[must_use]
pub fn loss(percent: f64) -> LossConfig {
    let share = percent / 100.0;
    let burst_mean = 10.0;
    LossConfig {
        random: share * 0.7,
        burst: share * 0.3 / burst_mean,
        burst_mean,
    }
}
