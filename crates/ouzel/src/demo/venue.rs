//! The venue's thread: it lives in real time, speaks on two lossy lines and answers requests.

use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::thread::JoinHandle;
use std::time::Duration;

use ::venue::{Loss, LossConfig, NewsItem, PAYLOAD_LIMIT, Packetiser, Retransmitter, Venue};
use anyhow::Result;
use engine::lane::{Command, Commander};
use engine::udp::Sender;
use node::DigestCheck;
use stdx::{Clock, SystemClock};
use wire::moldudp64::Request;

const SESSION: [u8; 10] = *b"OUZELDEMO1";
const STEP: Duration = Duration::from_millis(1);
const HEARTBEAT_NS: u64 = 1_000_000_000;
/// Between two comparisons of our books with the venue's.
const CHECK_NS: u64 = 500_000_000;
/// For the lane to hear which sequence number will be compared, before it gets there.
const NOTICE: Duration = Duration::from_millis(2);
const HISTORY: usize = 1 << 20;

/// Where the venue's words go.
pub struct Outgoing {
    pub sender_a: Sender,
    pub sender_b: Sender,
    pub retransmit: UdpSocket,
    pub loss: LossConfig,
    pub news: SyncSender<NewsItem>,
    pub check: Arc<DigestCheck>,
    pub commander: Commander,
}

/// The running venue. Dropping it waits for its end; raise the stop flag first.
pub struct VenueThread(Option<JoinHandle<()>>);

impl VenueThread {
    /// Starts speaking.
    pub fn spawn(venue: Venue, outgoing: Outgoing, stop: Arc<AtomicBool>) -> Result<Self> {
        let mut speaker = Speaker::new(venue, outgoing);
        let thread = std::thread::Builder::new()
            .name("venue".to_owned())
            .spawn(move || {
                while !stop.load(Ordering::Acquire) {
                    speaker.step();
                    std::thread::sleep(STEP);
                }
                speaker.end();
            })?;
        Ok(Self(Some(thread)))
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
    lines: Lines,
    said: Vec<Vec<u8>>,
    spoke_ns: u64,
    next_check_ns: u64,
}

/// The two lines, each losing packets of its own.
struct Lines {
    loss_a: Loss,
    loss_b: Loss,
}

impl Lines {
    fn send(&mut self, out: &Outgoing, packet: &[u8]) {
        for (loss, sender) in [
            (&mut self.loss_a, &out.sender_a),
            (&mut self.loss_b, &out.sender_b),
        ] {
            if !loss.loses() {
                // A full socket loses a packet like any network; the receiver recovers it.
                let _lost = sender.send(packet);
            }
        }
    }
}

impl Speaker {
    fn new(venue: Venue, out: Outgoing) -> Self {
        let lines = Lines {
            loss_a: Loss::new(out.loss, 0xA),
            loss_b: Loss::new(out.loss, 0xB),
        };
        Self {
            venue,
            out,
            packetiser: Packetiser::new(SESSION, PAYLOAD_LIMIT),
            retransmitter: Retransmitter::new(SESSION, HISTORY, PAYLOAD_LIMIT),
            lines,
            said: Vec::new(),
            spoke_ns: 0,
            next_check_ns: 0,
        }
    }

    fn step(&mut self) {
        let now = SystemClock.now_ns();
        self.said.clear();
        let said = &mut self.said;
        self.venue
            .step(now, &mut |message| said.push(message.to_vec()));
        if !self.said.is_empty() {
            self.announce_check(now);
            self.speak();
            self.spoke_ns = now;
        } else if now.saturating_sub(self.spoke_ns) > HEARTBEAT_NS {
            self.lines.send(&self.out, &self.packetiser.heartbeat());
            self.spoke_ns = now;
        }
        self.answer_requests();
        for item in self.venue.news_until(now) {
            // A newswire that is a whole buffer behind misses an item rather than stop the market.
            let _missed = self.out.news.try_send(item);
        }
    }

    /// Says what our books must be after this step, before the lane can have passed it.
    fn announce_check(&mut self, now: u64) {
        if now < self.next_check_ns {
            return;
        }
        let seq = self.venue.seq();
        if self.out.commander.send(Command::DigestAt(seq)) {
            self.out.check.expect(seq, self.venue.book_digest());
            std::thread::sleep(NOTICE);
        }
        self.next_check_ns = now + CHECK_NS;
    }

    fn speak(&mut self) {
        let (lines, out) = (&mut self.lines, &self.out);
        let mut send = |_seq: u64, packet: &[u8]| lines.send(out, packet);
        for message in &self.said {
            self.retransmitter.keep(message);
            self.packetiser.push(message, &mut send);
        }
        self.packetiser.flush(&mut send);
    }

    fn answer_requests(&mut self) {
        let mut buffer = [0; 64];
        while let Ok((size, from)) = self.out.retransmit.recv_from(&mut buffer) {
            let Ok(request) = Request::parse(&buffer[..size]) else {
                continue;
            };
            let socket = &self.out.retransmit;
            // A refused request stays unanswered, as MoldUDP64 says; the asker gives up in time.
            let _refused = self.retransmitter.answer(&request, &mut |packet| {
                let _lost = socket.send_to(packet, from);
            });
        }
    }

    fn end(&mut self) {
        self.lines
            .send(&self.out, &self.packetiser.end_of_session());
    }
}
