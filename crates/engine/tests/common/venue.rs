//! A venue over loopback, driven by the test's own thread: two lossy lines and a re-request server.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use engine::udp::{MulticastReceiver, RecoveryClient, Sender, UdpSource};
use venue::{Loss, LossConfig, PAYLOAD_LIMIT, Packetiser, Retransmitter, Venue, VenueConfig};
use wire::moldudp64::Request;

pub const SESSION: [u8; 10] = *b"TEST000001";
pub const SECOND: u64 = 1_000_000_000;
pub const MIDNIGHT: u64 = 1_795_392_000 * SECOND;
pub const START: u64 = MIDNIGHT + 34_200 * SECOND;

/// Everything that a session will send, made before it is sent.
pub struct Day {
    pub packets: Vec<Vec<u8>>,
    pub messages: Vec<Vec<u8>>,
    /// Digest of the books after this sequence number, for a few of them.
    pub digests: Vec<(u64, u64)>,
    pub last_seq: u64,
}

/// `seconds` of a venue, in packets that are flushed every millisecond of venue time.
pub fn day(seed: u64, rate: f64, seconds: u64) -> Day {
    let mut venue = Venue::new(VenueConfig {
        rate,
        ..VenueConfig::new(seed, START, MIDNIGHT)
    });
    let mut packetiser = Packetiser::new(SESSION, PAYLOAD_LIMIT);
    let (mut packets, mut messages, mut digests) = (Vec::new(), Vec::new(), Vec::new());
    let steps = seconds * 1_000;
    for step in 1..=steps {
        let mut send = |_, packet: &[u8]| packets.push(packet.to_vec());
        venue.step(START + step * SECOND / 1_000, &mut |message: &[u8]| {
            messages.push(message.to_vec());
            assert!(packetiser.push(message, &mut send));
        });
        packetiser.flush(&mut send);
        if step % (steps / 8) == 0 {
            digests.push((venue.seq(), venue.book_digest()));
        }
    }
    digests.dedup();
    Day {
        packets,
        messages,
        digests,
        last_seq: venue.seq(),
    }
}

/// Sockets and losses of both ends.
pub struct Wire {
    pub lines: [Sender; 2],
    pub losses: [Loss; 2],
    server: UdpSocket,
    retransmitter: Retransmitter,
    pub answered: u64,
    pub refused: u64,
}

/// A wire and the source that a lane reads from it.
pub fn wire(loss: LossConfig, history: usize) -> (Wire, UdpSource) {
    wire_with_buffers(loss, history, 8 << 20)
}

/// The same with socket buffers of so many bytes.
pub fn wire_with_buffers(loss: LossConfig, history: usize, bytes: usize) -> (Wire, UdpSource) {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("bound");
    server.set_nonblocking(true).expect("set");
    let port = server.local_addr().expect("bound").port();
    let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let (receivers, senders): (Vec<MulticastReceiver>, Vec<Sender>) = (10..12)
        .map(|number| crate::common::line(number, bytes))
        .unzip();
    let recovery = RecoveryClient::open(address, 4 << 20).expect("opened");
    let wire = Wire {
        lines: senders.try_into().unwrap_or_else(|_| panic!("two lines")),
        losses: [Loss::new(loss, 1), Loss::new(loss, 2)],
        server,
        retransmitter: Retransmitter::new(SESSION, history, PAYLOAD_LIMIT),
        answered: 0,
        refused: 0,
    };
    (wire, UdpSource::new(receivers, Some(recovery)))
}

impl Wire {
    /// Sends one packet on both lines, unless a line loses it, and keeps its messages.
    pub fn send(&mut self, packet: &[u8]) {
        let parsed = wire::moldudp64::Packet::parse(packet).expect("our own packet");
        for message in parsed.messages().flatten() {
            assert!(self.retransmitter.keep(message));
        }
        for (line, loss) in self.lines.iter().zip(&mut self.losses) {
            if !loss.loses() {
                line.send(packet).expect("sent");
            }
        }
    }

    /// The venue begins another session: what is sent from now on has numbers of its own.
    pub fn restart(&mut self, session: [u8; 10]) {
        self.retransmitter = Retransmitter::new(session, 1 << 18, PAYLOAD_LIMIT);
    }

    /// Both lines lose one packet; its messages can be asked for while the history holds them.
    pub fn lose(&mut self, packet: &[u8]) {
        let parsed = wire::moldudp64::Packet::parse(packet).expect("our own packet");
        for message in parsed.messages().flatten() {
            assert!(self.retransmitter.keep(message));
        }
    }

    /// Answers the requests that wait.
    pub fn serve(&mut self) {
        let mut bytes = [0u8; 64];
        while let Ok((size, from)) = self.server.recv_from(&mut bytes) {
            let request = Request::parse(&bytes[..size]).expect("a request");
            let server = &self.server;
            let answer = self.retransmitter.answer(&request, &mut |packet: &[u8]| {
                server.send_to(packet, from).expect("answered");
            });
            match answer {
                Ok(count) => self.answered += count,
                Err(_) => self.refused += 1,
            }
        }
    }
}
