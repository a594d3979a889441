//! The sending end of the ring between a lane and the control side.

use market::publish::{Frame, Sink};
use rtrb::{Consumer, Producer, RingBuffer};

/// Puts frames into a bounded ring. When the reader is slow it refuses: the publisher then keeps
/// what can be conflated and counts what cannot.
pub struct FrameSender {
    ring: Producer<Frame>,
    sent: u64,
    refused: u64,
}

impl FrameSender {
    /// Both ends of a ring for `capacity` frames.
    #[must_use]
    pub fn ring(capacity: usize) -> (Self, Consumer<Frame>) {
        let (ring, frames) = RingBuffer::new(capacity.max(1));
        (
            Self {
                ring,
                sent: 0,
                refused: 0,
            },
            frames,
        )
    }

    /// Frames put into the ring.
    #[must_use]
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// How often the ring was full.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }
}

impl Sink for FrameSender {
    fn offer(&mut self, frame: &Frame) -> bool {
        let taken = self.ring.push(*frame).is_ok();
        self.sent += u64::from(taken);
        self.refused += u64::from(!taken);
        taken
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_ring_refuses_and_keeps_what_it_has() {
        let (mut sender, mut frames) = FrameSender::ring(2);
        let frame = |count| Frame::Dropped { count };
        assert!(sender.offer(&frame(1)) && sender.offer(&frame(2)));
        assert!(!sender.offer(&frame(3)));
        assert_eq!((sender.sent(), sender.refused()), (2, 1));
        assert_eq!(frames.pop(), Ok(frame(1)));
        assert!(sender.offer(&frame(4)));
        assert_eq!((frames.pop(), frames.pop()), (Ok(frame(2)), Ok(frame(4))));
    }
}
