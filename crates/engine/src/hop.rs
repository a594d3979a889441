//! Payloads from one thread to another: two rings, and slots that go round between them.
//!
//! ```text
//! sender: takes a free slot, copies a payload into it --- full ring ---> receiver reads in place
//!         ^                                                              |
//!         '------------------------ free ring <--------------------------'
//! ```
//!
//! One copy and one hop a payload, not a message. No slot is ever freed or made after the start;
//! one that meets a payload longer than any before grows once. When no slot is free the sender is
//! told so and decides: the relay waits (what comes meanwhile stays in the kernel's buffer, which
//! counts what it must drop), the tape counts and marks the hole.

use rtrb::{Consumer, Producer, RingBuffer};

/// Payloads handed over in one call at most.
const BATCH: usize = 64;

/// A payload on its way.
struct Slot {
    line: u32,
    kind: u32,
    ts_recv: u64,
    bytes: Vec<u8>,
}

/// What the receiving side of a hop sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passed<'a> {
    /// What the sender meant; [`PAYLOAD`] or a number of its own.
    pub kind: u32,
    /// The line that it came on.
    pub line: usize,
    /// When it came, ns UTC.
    pub ts_recv: u64,
    /// Its bytes.
    pub bytes: &'a [u8],
}

/// An ordinary payload.
pub const PAYLOAD: u32 = 0;

/// The end that puts payloads in.
pub struct HopSender {
    free: Consumer<Box<Slot>>,
    full: Producer<Box<Slot>>,
}

/// The end that takes payloads out.
pub struct HopReceiver {
    full: Consumer<Box<Slot>>,
    free: Producer<Box<Slot>>,
}

/// Both ends of a hop with `slots` slots for payloads of `slot_bytes`.
#[must_use]
pub fn hop(slots: usize, slot_bytes: usize) -> (HopSender, HopReceiver) {
    let slots = slots.clamp(2, 1 << 20);
    let (mut give_free, take_free) = RingBuffer::new(slots);
    let (give_full, take_full) = RingBuffer::new(slots);
    for _ in 0..slots {
        // Written once, so that no page is missing when the first payload comes.
        let mut bytes = vec![1u8; slot_bytes.max(64)];
        bytes.clear();
        let slot = Box::new(Slot {
            line: 0,
            kind: PAYLOAD,
            ts_recv: 0,
            bytes,
        });
        // There is room: the ring was made for so many.
        let _ = give_free.push(slot);
    }
    (
        HopSender {
            free: take_free,
            full: give_full,
        },
        HopReceiver {
            full: take_full,
            free: give_free,
        },
    )
}

impl HopSender {
    /// Copies a payload into a free slot and passes it on; false when no slot is free.
    #[inline]
    pub fn send(&mut self, kind: u32, line: usize, ts_recv: u64, bytes: &[u8]) -> bool {
        let Ok(mut slot) = self.free.pop() else {
            return false;
        };
        slot.kind = kind;
        slot.line = line as u32;
        slot.ts_recv = ts_recv;
        slot.bytes.clear();
        slot.bytes.extend_from_slice(bytes);
        // There is room: there are as many places as slots.
        let _ = self.full.push(slot);
        true
    }

    /// Free slots now.
    #[must_use]
    pub fn room(&self) -> usize {
        self.free.slots()
    }

    /// Nobody will ever take anything out again.
    #[must_use]
    pub fn is_abandoned(&self) -> bool {
        self.full.is_abandoned()
    }
}

impl HopReceiver {
    /// Hands what waits, at most a batch, to `f`; how many.
    #[inline]
    pub fn receive(&mut self, f: &mut dyn FnMut(Passed<'_>)) -> usize {
        let waiting = self.full.slots().min(BATCH);
        for _ in 0..waiting {
            let Ok(slot) = self.full.pop() else { break };
            f(Passed {
                kind: slot.kind,
                line: slot.line as usize,
                ts_recv: slot.ts_recv,
                bytes: &slot.bytes,
            });
            // There is room: there are as many places as slots.
            let _ = self.free.push(slot);
        }
        waiting
    }

    /// Everything was taken out and nobody will ever put anything in again.
    #[must_use]
    pub fn is_ended(&self) -> bool {
        self.full.is_abandoned() && self.full.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn payloads_pass_in_order_and_a_full_hop_refuses() {
        let (mut sender, mut receiver) = hop(4, 64);
        let mut got = Vec::new();
        for round in 0..100u64 {
            for n in 0..4 {
                assert!(sender.send(PAYLOAD, 1, round * 4 + n, &vec![n as u8; 10 * n as usize]));
            }
            assert!(!sender.send(PAYLOAD, 1, 0, b"no slot is free"));
            receiver.receive(&mut |passed| {
                assert_eq!(passed.bytes.len() % 10, 0);
                got.push(passed.ts_recv);
            });
        }
        assert!(got.into_iter().eq(0..400));
        drop(sender);
        assert!(receiver.is_ended());
    }

    #[test]
    fn two_threads_lose_nothing() {
        const COUNT: u64 = 200_000;
        let (mut sender, mut receiver) = hop(64, 64);
        let sending = std::thread::spawn(move || {
            for n in 0..COUNT {
                while !sender.send(PAYLOAD, 0, n, &n.to_le_bytes()) {
                    std::thread::yield_now();
                }
            }
        });
        let mut next = 0u64;
        while !receiver.is_ended() {
            receiver.receive(&mut |passed| {
                assert_eq!(
                    (passed.ts_recv, passed.bytes),
                    (next, &next.to_le_bytes()[..])
                );
                next += 1;
            });
        }
        sending.join().expect("sent");
        assert_eq!(next, COUNT);
    }
}
