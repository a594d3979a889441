//! A length-framed ITCH file, one message at a time.

use std::io;
use std::path::Path;

use super::{BATCH, Playback, Speed};
use crate::source::{Source, Unit};
use crate::sys::map;
use memmap2::Mmap;
use wire::itch50;
use wire::itchfile::Frames;

/// Plays a file of bare messages. A cut tail ends it; what went before was handed over.
pub struct ItchFileSource {
    map: Mmap,
    offset: usize,
    midnight_ns: u64,
    playback: Playback,
    /// Until the next message is due.
    due_in_ns: u64,
    ended: bool,
    cut_at: Option<usize>,
}

impl ItchFileSource {
    /// Maps `path`. Message times count from `midnight_ns` (ns UTC).
    ///
    /// # Errors
    /// The file cannot be opened or mapped.
    pub fn open(path: &Path, midnight_ns: u64, speed: Speed) -> io::Result<Self> {
        Ok(Self {
            map: map::read_only(path)?,
            offset: 0,
            midnight_ns,
            playback: Playback::new(speed),
            due_in_ns: 0,
            ended: false,
            cut_at: None,
        })
    }

    /// Where the file was cut, if its last message is not whole.
    #[must_use]
    pub fn cut_at(&self) -> Option<usize> {
        self.cut_at
    }
}

impl Source for ItchFileSource {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let mut frames = Frames::new(&self.map[self.offset..]);
        let (mut count, mut used) = (0, 0);
        self.due_in_ns = 0;
        while count < BATCH && !self.ended {
            match frames.next() {
                None => self.ended = true,
                Some(Err(cut)) => {
                    self.cut_at = Some(self.offset + cut.offset);
                    self.ended = true;
                }
                Some(Ok(message)) => {
                    // An unknown message has no time that could be trusted: it is due at once.
                    let ts_ns = itch50::decode(message)
                        .map_or(0, |known| self.midnight_ns + known.timestamp_ns());
                    self.due_in_ns = if ts_ns == 0 {
                        0
                    } else {
                        self.playback.wait_ns(ts_ns)
                    };
                    if self.due_in_ns > 0 {
                        break;
                    }
                    f(0, ts_ns, message);
                    used = frames.offset();
                    count += 1;
                }
            }
        }
        self.offset += used;
        Ok(count)
    }

    fn unit(&self) -> Unit {
        Unit::Message
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        crate::sys::thread::wait_readable(&[], timeout_ns.min(self.due_in_ns)).map(|_| ())
    }

    fn is_ended(&self) -> bool {
        self.ended
    }

    fn is_live(&self) -> bool {
        false
    }

    fn bytes(&self) -> u64 {
        self.offset as u64
    }
}
