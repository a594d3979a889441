//! Where a lane's bytes come from: sockets, capture files, a test.

use std::io;
use std::time::Duration;

use wire::moldudp64::Request;

/// The line number of retransmitted packets; 0 and 1 are lines A and B.
pub const RECOVERY_LINE: usize = 2;

/// What one payload is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// A MoldUDP64 packet.
    Packet,
    /// One bare message, in sequence.
    Message,
}

/// Bytes with a line and a receive time. Driven by one lane, which polls until nothing comes and
/// then waits.
pub trait Source: Send {
    /// Hands what is there to `f(line, ts_recv, payload)` without waiting, at most a batch. Answers
    /// how many payloads there were.
    ///
    /// # Errors
    /// Ends the lane with this text. Transient conditions are not errors.
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize>;

    /// What the payloads are.
    fn unit(&self) -> Unit;

    /// Waits for more, at most `timeout_ns`; may return early.
    ///
    /// # Errors
    /// As for [`poll`](Self::poll).
    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        #[allow(
            clippy::disallowed_methods,
            reason = "a source without a descriptor to wait on"
        )]
        std::thread::sleep(Duration::from_nanos(timeout_ns));
        Ok(())
    }

    /// Datagrams of a line that the kernel dropped before we could read them, since the start.
    fn kernel_drops(&self, _line: usize) -> u64 {
        0
    }

    /// Asks the venue for lost messages. A source that cannot ask does nothing: the request times
    /// out in the feed and the loss is counted there.
    ///
    /// # Errors
    /// As for [`poll`](Self::poll).
    fn request(&mut self, _request: &Request) -> io::Result<()> {
        Ok(())
    }

    /// Receive times are of this moment, so that their distance to now is a latency. False for
    /// recordings.
    fn is_live(&self) -> bool {
        true
    }

    /// Nothing will ever come again.
    fn is_ended(&self) -> bool {
        false
    }

    /// Payload bytes handed over so far.
    fn bytes(&self) -> u64;
}

/// A source chosen at run time.
impl Source for Box<dyn Source> {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        self.as_mut().poll(f)
    }

    fn unit(&self) -> Unit {
        self.as_ref().unit()
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        self.as_mut().wait(timeout_ns)
    }

    fn kernel_drops(&self, line: usize) -> u64 {
        self.as_ref().kernel_drops(line)
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        self.as_mut().request(request)
    }

    fn is_live(&self) -> bool {
        self.as_ref().is_live()
    }

    fn is_ended(&self) -> bool {
        self.as_ref().is_ended()
    }

    fn bytes(&self) -> u64 {
        self.as_ref().bytes()
    }
}
