//! What the load generator sends and when: fixed before the run, so that a slow receiver cannot
//! slow the load down and hide what it did.

use std::net::SocketAddrV4;
use std::sync::OnceLock;

use engine::udp::{Sender, SenderConfig};
use stdx::{Clock, Histogram, SystemClock};
use venue::{PAYLOAD_LIMIT, Packetiser, Venue, VenueConfig};

use super::input::{MIDNIGHT, START};

const SECOND: u64 = 1_000_000_000;
/// Each run warms up this long before it counts.
const WARM_S: f64 = 0.1;
/// From the first look at the clock to the first packet: the receiver spins by then.
const LEAD_NS: u64 = 20_000_000;

/// A session's packets and when each is to be sent, from the start of the run.
pub struct Plan {
    packets: Vec<Vec<u8>>,
    /// First sequence number of each packet, ascending.
    first_seq: Vec<u64>,
    /// Over all packets.
    pub messages: u64,
    rate: f64,
}

impl Plan {
    /// `measured_s` seconds at `rate` messages a second, and the warm-up before them; at most
    /// `per_packet` messages in a packet.
    pub fn new(rate: f64, measured_s: f64, per_packet: usize) -> Self {
        let wanted = (rate * (WARM_S + measured_s)) as u64;
        let mut venue = Venue::new(VenueConfig {
            rate: 200_000.0,
            opening_peak: 0.0,
            script: None,
            ..VenueConfig::new(1, START, MIDNIGHT)
        });
        let mut packetiser = Packetiser::new(*b"MEASURED01", PAYLOAD_LIMIT);
        let (mut packets, mut first_seq) = (Vec::new(), Vec::new());
        let mut send = |seq, packet: &[u8]| {
            first_seq.push(seq);
            packets.push(packet.to_vec());
        };
        let (mut until, mut waiting) = (START, 0);
        while venue.seq() < wanted {
            until += SECOND / 100;
            venue.step(until, &mut |message: &[u8]| {
                packetiser.push(message, &mut send);
                waiting += 1;
                if waiting >= per_packet {
                    packetiser.flush(&mut send);
                    waiting = 0;
                }
            });
        }
        packetiser.flush(&mut send);
        Self {
            packets,
            first_seq,
            messages: venue.seq(),
            rate,
        }
    }

    /// When a packet is to be sent, ns after the start: when its last message is due.
    fn due_ns(&self, packet: usize) -> u64 {
        let next = self.first_seq.get(packet + 1);
        let last = next.map_or(self.messages, |next| next - 1);
        (last as f64 / self.rate * 1e9) as u64
    }

    /// The packet that begins with `seq`.
    pub fn packet_of(&self, seq: u64) -> Option<usize> {
        self.first_seq.binary_search(&seq).ok()
    }

    /// Adds what became of a packet's messages, unless it belongs to the warm-up: from its intended
    /// send to `now`, and from the kernel's stamp to `now`.
    pub fn record(&self, times: &mut Times, start_ns: u64, packet: &Noted, now: u64) {
        let due = self.due_ns(packet.idx);
        if (due as f64) < WARM_S * 1e9 {
            return;
        }
        for _ in 0..packet.count {
            times.intended.record(now.saturating_sub(start_ns + due));
            times.stamped.record(now.saturating_sub(packet.stamp_ns));
        }
    }

    /// Sends everything from the calling thread, each packet no earlier than intended, and calls
    /// `idle` while it waits. `start_ns` is set to when the plan began.
    pub fn send(&self, target: SocketAddrV4, start_ns: &OnceLock<u64>, mut idle: impl FnMut()) {
        let sender =
            Sender::open(&SenderConfig::loopback(target)).expect("loopback takes a sender");
        let clock = SystemClock;
        let start = *start_ns.get_or_init(|| clock.now_ns() + LEAD_NS);
        for (idx, packet) in self.packets.iter().enumerate() {
            let due = start + self.due_ns(idx);
            while clock.now_ns() < due {
                idle();
            }
            // A refused send is a lost packet, and counted as one by the receiver's numbers.
            let _refused = sender.send(packet);
        }
    }
}

/// A packet that was received and whose end is awaited.
pub struct Noted {
    /// Which one.
    pub idx: usize,
    /// Messages in it.
    pub count: u16,
    /// When the kernel had it, ns UTC.
    pub stamp_ns: u64,
}

/// Latencies of one run, one value a message, ns.
#[derive(Clone)]
pub struct Times {
    /// From the intended send.
    pub intended: Histogram,
    /// From the kernel's receive stamp.
    pub stamped: Histogram,
}

impl Times {
    /// Empty, with its memory taken.
    pub fn new() -> Self {
        Self {
            intended: Histogram::new(),
            stamped: Histogram::new(),
        }
    }
}

/// What one run measured.
pub struct Outcome {
    /// Of the messages that came.
    pub times: Times,
    /// Messages that did not come.
    pub lost: u64,
}
