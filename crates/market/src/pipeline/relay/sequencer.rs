//! The sending end: numbers, packets, heartbeats, and the cycle that lets a late receiver catch up.

use std::collections::HashMap;

use wire::moldudp64::{HEADER_SIZE, Request, end_of_session, heartbeat};
use wire::ouzel::SESSION_PREFIX;

use super::Store;
use crate::event::InstrumentId;
use crate::feed::ouzel::{self, Buffer};
use crate::publish::{BookTop, Frame};

/// Payload of a packet at most, so that it crosses an Ethernet without fragments.
pub const PACKET_LIMIT: usize = 1_400;
/// Instruments of one step of the cycle at least.
const CYCLE_MIN: usize = 16;
/// Steps of one whole cycle at most.
const CYCLE_STEPS: usize = 50;

/// The name of the session that begins at `start_ns` (UTC): milliseconds in base 36,
/// so that a restart has another.
#[must_use]
pub fn session_name(start_ns: u64) -> [u8; 10] {
    let mut name = [b'0'; 10];
    name[..3].copy_from_slice(&SESSION_PREFIX);
    let mut rest = start_ns / 1_000_000;
    for digit in name[3..].iter_mut().rev() {
        *digit = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"[(rest % 36) as usize];
        rest /= 36;
    }
    name
}

/// Numbers frames from 1, fills packets with them, and keeps the newest messages for retransmission.
#[derive(Debug)]
pub struct Sequencer {
    session: [u8; 10],
    store: Store,
    packet: Box<[u8]>,
    /// Bytes of the open packet, header included.
    size: usize,
    count: u16,
    reply: Box<[u8]>,
    message: Box<Buffer>,
    /// Every instrument with its newest book, for the cycle.
    known: Vec<(usize, Frame, Option<BookTop>)>,
    places: HashMap<(usize, InstrumentId), usize>,
    cursor: usize,
}

impl Sequencer {
    /// A session named `session` whose store holds `store_bytes`.
    #[must_use]
    pub fn new(session: [u8; 10], store_bytes: usize) -> Self {
        Self {
            session,
            store: Store::new(store_bytes, 1),
            packet: vec![0; PACKET_LIMIT].into_boxed_slice(),
            size: HEADER_SIZE,
            count: 0,
            reply: vec![0; PACKET_LIMIT].into_boxed_slice(),
            message: Box::new(ouzel::buffer()),
            known: Vec::new(),
            places: HashMap::new(),
            cursor: 0,
        }
    }

    /// The session's name.
    #[must_use]
    pub fn session(&self) -> [u8; 10] {
        self.session
    }

    /// The number of the next message.
    #[must_use]
    pub fn next_seq(&self) -> u64 {
        self.store.next_seq()
    }

    /// What can be asked for again.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Numbers a frame; a packet that is full goes to `send`.
    pub fn push(&mut self, lane: usize, frame: &Frame, send: &mut impl FnMut(&[u8])) {
        self.learn(lane, frame);
        self.number(lane, frame, send);
    }

    /// Sends the open packet, if it has a message. To be called when nothing more is at hand.
    pub fn flush(&mut self, send: &mut impl FnMut(&[u8])) {
        if self.count == 0 {
            return;
        }
        let seq = self.store.next_seq() - u64::from(self.count);
        let header = Request {
            session: self.session,
            seq,
            count: self.count,
        };
        // A packet begins with the same three fields as a request.
        self.packet[..HEADER_SIZE].copy_from_slice(&header.to_bytes());
        send(&self.packet[..self.size]);
        (self.size, self.count) = (HEADER_SIZE, 0);
    }

    /// Says what comes next, for a quiet time: a receiver learns that it lost the last packet.
    pub fn heartbeat(&mut self, send: &mut impl FnMut(&[u8])) {
        self.flush(send);
        send(&heartbeat(self.session, self.store.next_seq()));
    }

    /// Says that nothing more will come.
    pub fn end(&mut self, send: &mut impl FnMut(&[u8])) {
        self.flush(send);
        send(&end_of_session(self.session, self.store.next_seq()));
    }

    /// Repeats some instruments with their newest books, so that a receiver that came late, or lost
    /// what the store no longer has, is whole after fifty calls.
    pub fn cycle(&mut self, send: &mut impl FnMut(&[u8])) {
        let step = CYCLE_MIN.max(self.known.len().div_ceil(CYCLE_STEPS));
        for _ in 0..step.min(self.known.len()) {
            self.cursor = (self.cursor + 1) % self.known.len();
            let (lane, instrument, book) = self.known[self.cursor];
            self.number(lane, &instrument, send);
            if let Some(book) = book {
                self.number(lane, &Frame::Book(book), send);
            }
        }
        self.flush(send);
    }

    /// Answers a request; how many messages were sent.
    pub fn answer(&mut self, request: &Request, send: &mut impl FnMut(&[u8])) -> u64 {
        self.store
            .answer(self.session, request, &mut self.reply, send)
    }

    fn learn(&mut self, lane: usize, frame: &Frame) {
        match frame {
            Frame::Instrument(instrument) => {
                let key = (lane, instrument.id);
                if let Some(&place) = self.places.get(&key) {
                    self.known[place].1 = *frame;
                } else {
                    self.places.insert(key, self.known.len());
                    self.known.push((lane, *frame, None));
                }
            }
            Frame::Book(book) => {
                if let Some(&place) = self.places.get(&(lane, book.instrument)) {
                    self.known[place].2 = Some(*book);
                }
            }
            _ => {}
        }
    }

    fn number(&mut self, lane: usize, frame: &Frame, send: &mut impl FnMut(&[u8])) {
        let Some(message) = ouzel::write(lane, frame, &mut self.message) else {
            return;
        };
        let size = message.len();
        if self.size + 2 + size > self.packet.len() {
            self.flush(send);
        }
        let message = &self.message[..size];
        let at = self.size;
        // At most 1,024 bytes: two bytes hold the size.
        self.packet[at..at + 2].copy_from_slice(&(size as u16).to_be_bytes());
        self.packet[at + 2..at + 2 + size].copy_from_slice(message);
        self.size += 2 + size;
        self.count += 1;
        self.store.keep(message);
    }
}
