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
    /// Both ends of a ring for `capacity` frames. Its memory is touched here: a page that came when
    /// the first frame is written to it would hold the lane up, a huge one for milliseconds.
    #[must_use]
    pub fn ring(capacity: usize) -> (Self, Consumer<Frame>) {
        let (mut ring, mut frames) = RingBuffer::new(capacity.max(1));
        while ring.push(Frame::Dropped { count: 0 }).is_ok() {}
        while frames.pop().is_ok() {}
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

    /// Pages that came for this thread without a disk: the tenth field of its `stat`, the eighth behind the name.
    fn page_faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").expect("Linux");
        let fields = stat.rsplit(')').next().expect("behind the name");
        let count = fields.split_whitespace().nth(7).expect("so many fields");
        count.parse().expect("a number")
    }

    #[test]
    fn a_fresh_ring_is_empty_and_its_memory_is_there() {
        let capacity = 100_000;
        let (mut sender, mut frames) = FrameSender::ring(capacity);
        assert_eq!((sender.sent(), sender.refused()), (0, 0));
        assert!(frames.pop().is_err());
        let before = page_faults();
        assert!((0..capacity as u64).all(|count| sender.offer(&Frame::Dropped { count })));
        let came = page_faults() - before;
        let pages = capacity * size_of::<Frame>() / 4_096;
        assert!(came < pages as u64 / 20, "{came} of {pages} pages");
    }

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
