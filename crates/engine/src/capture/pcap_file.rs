//! A packet capture (pcap or pcapng), one UDP payload at a time.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use super::{BATCH, Playback, Speed};
use crate::source::{RECOVERY_LINE, Source, Unit};
use crate::sys::map::MappedPcap;
use wire::pcap;

/// Plays the UDP payloads of a capture. The first destination it meets is line A, the second line
/// B, unless they are given; everything else is passed over and counted.
pub struct PcapSource {
    records: MappedPcap,
    lines: Vec<SocketAddr>,
    fixed: bool,
    playback: Playback,
    due_in_ns: u64,
    /// A payload that was read but is not due yet.
    held: Option<Held>,
    held_bytes: Vec<u8>,
    skipped: u64,
    bytes: u64,
    ended: bool,
    fault: Option<pcap::Error>,
}

struct Held {
    line: usize,
    ts_ns: u64,
}

impl PcapSource {
    /// Maps `path`. `lines` are the destinations of lines A and B, empty to find them.
    ///
    /// # Errors
    /// The file cannot be opened or is no capture.
    pub fn open(path: &Path, lines: &[SocketAddr], speed: Speed) -> io::Result<Self> {
        Ok(Self {
            records: MappedPcap::open(path)?,
            lines: lines.iter().copied().take(RECOVERY_LINE).collect(),
            fixed: !lines.is_empty(),
            playback: Playback::new(speed),
            due_in_ns: 0,
            held: None,
            held_bytes: Vec::with_capacity(65_536),
            skipped: 0,
            bytes: 0,
            ended: false,
            fault: None,
        })
    }

    /// Records that were no UDP payload of a line.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Why the capture ended before its end, if it did. What went before was handed over.
    #[must_use]
    pub fn fault(&self) -> Option<&pcap::Error> {
        self.fault.as_ref()
    }

    fn line_of(lines: &mut Vec<SocketAddr>, fixed: bool, target: SocketAddr) -> Option<usize> {
        if let Some(line) = lines.iter().position(|&known| known == target) {
            return Some(line);
        }
        if fixed || lines.len() == RECOVERY_LINE {
            return None;
        }
        lines.push(target);
        Some(lines.len() - 1)
    }

    /// Hands over the payload that waited, if it is due now.
    fn release(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> bool {
        let Some(held) = &self.held else { return true };
        self.due_in_ns = self.playback.wait_ns(held.ts_ns);
        if self.due_in_ns > 0 {
            return false;
        }
        f(held.line, held.ts_ns, &self.held_bytes);
        self.bytes += self.held_bytes.len() as u64;
        self.held = None;
        true
    }
}

impl Source for PcapSource {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let had = self.held.is_some();
        if !self.release(f) {
            return Ok(0);
        }
        let mut count = usize::from(had);
        while count < BATCH && !self.ended {
            let record = match self.records.next_record() {
                None => {
                    self.ended = true;
                    break;
                }
                Some(Err(fault)) => {
                    self.fault = Some(fault);
                    self.ended = true;
                    break;
                }
                Some(Ok(record)) => record,
            };
            let line = pcap::udp(&record).and_then(|udp| {
                Some((
                    Self::line_of(&mut self.lines, self.fixed, udp.dst)?,
                    udp.payload,
                ))
            });
            let Some((line, payload)) = line else {
                self.skipped += 1;
                continue;
            };
            self.due_in_ns = self.playback.wait_ns(record.ts_ns);
            if self.due_in_ns > 0 {
                self.held_bytes.clear();
                self.held_bytes.extend_from_slice(payload);
                self.held = Some(Held {
                    line,
                    ts_ns: record.ts_ns,
                });
                break;
            }
            f(line, record.ts_ns, payload);
            self.bytes += payload.len() as u64;
            count += 1;
        }
        Ok(count)
    }

    fn unit(&self) -> Unit {
        Unit::Packet
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        crate::sys::thread::wait_readable(&[], timeout_ns.min(self.due_in_ns)).map(|_| ())
    }

    fn is_ended(&self) -> bool {
        self.ended && self.held.is_none()
    }

    fn is_live(&self) -> bool {
        false
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
