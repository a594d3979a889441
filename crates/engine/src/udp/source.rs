//! Lines A and B of one feed and its recovery as one source.

use std::io;
use std::os::fd::RawFd;

use super::{MulticastReceiver, RecoveryClient};
use crate::source::{RECOVERY_LINE, Source, Unit};
use crate::sys::thread::wait_readable;
use wire::moldudp64::Request;

/// Polls each line in turn, so that neither can starve the other.
pub struct UdpSource {
    lines: Vec<MulticastReceiver>,
    recovery: Option<RecoveryClient>,
    /// Lines that repeat whole books and definitions, in place of a recovery.
    snapshots: Vec<MulticastReceiver>,
    descriptors: Vec<RawFd>,
    /// Bytes handed over so far.
    bytes: u64,
}

impl UdpSource {
    /// Line 0 is A, line 1 is B; what `recovery` answers is line 2. More than two lines are cut.
    #[must_use]
    pub fn new(mut lines: Vec<MulticastReceiver>, recovery: Option<RecoveryClient>) -> Self {
        lines.truncate(RECOVERY_LINE);
        let descriptors = lines
            .iter()
            .map(MulticastReceiver::descriptor)
            .chain(recovery.iter().map(RecoveryClient::descriptor))
            .collect();
        Self {
            lines,
            recovery,
            snapshots: Vec::new(),
            descriptors,
            bytes: 0,
        }
    }

    /// Reads one more line of snapshots or definitions: it is line 2, as recovery is elsewhere.
    #[must_use]
    pub fn with_snapshots(mut self, line: MulticastReceiver) -> Self {
        self.descriptors.push(line.descriptor());
        self.snapshots.push(line);
        self
    }
}

impl Source for UdpSource {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let (mut count, mut bytes) = (0, 0);
        for (line, receiver) in self.lines.iter_mut().enumerate() {
            count += receiver.poll(&mut |ts_recv, packet| {
                bytes += packet.len() as u64;
                f(line, ts_recv, packet);
            })?;
        }
        if let Some(recovery) = &mut self.recovery {
            count += recovery.poll(&mut |ts_recv, packet| {
                bytes += packet.len() as u64;
                f(RECOVERY_LINE, ts_recv, packet);
            })?;
        }
        for line in &mut self.snapshots {
            count += line.poll(&mut |ts_recv, packet| {
                bytes += packet.len() as u64;
                f(RECOVERY_LINE, ts_recv, packet);
            })?;
        }
        self.bytes += bytes;
        Ok(count)
    }

    fn unit(&self) -> Unit {
        Unit::Packet
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        wait_readable(&self.descriptors, timeout_ns).map(|_| ())
    }

    fn kernel_drops(&self, line: usize) -> u64 {
        self.lines.get(line).map_or(0, MulticastReceiver::drops)
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        match &mut self.recovery {
            Some(recovery) => recovery.request(request),
            None => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
