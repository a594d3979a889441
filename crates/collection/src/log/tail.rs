//! The end of a local log, followed as it grows: what became durable is read once, from where the last look ended.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::local::{Segment, check_header, corrupt, in_sequence};
use super::record::{SEGMENT_HEADER_SIZE, parse_record};
use super::{Entry, LogTail};
use crate::Error;
use crate::disk::Disk;
use crate::sync::{Condvar, Mutex, MutexGuard};

/// What is durable of a log, told by its writer.
#[derive(Default)]
pub(super) struct Durable {
    shared: Mutex<Shared>,
    changed: Condvar,
}

#[derive(Default)]
struct Shared {
    segments: Vec<Segment>,
    next_seq: u64,
    /// The writer is gone: nothing more comes.
    ended: bool,
}

impl Durable {
    /// Entries below `next_seq` are durable.
    pub fn reaches(&self, next_seq: u64) {
        self.lock().next_seq = next_seq;
        self.changed.notify_all();
    }

    /// The log lies in these segments now.
    pub fn lies_in(&self, segments: &[Segment]) {
        self.lock().segments = segments.to_vec();
    }

    /// Lets go who waits.
    pub fn end(&self) {
        self.lock().ended = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One that follows.
pub(super) struct LocalTail {
    disk: Arc<dyn Disk>,
    durable: Arc<Durable>,
    next_seq: u64,
    /// Segment, by its first entry, and byte of the next entry; `None` before the first look.
    place: Option<(u64, u64)>,
}

impl LocalTail {
    /// Follows from entry `from` on.
    pub fn new(disk: Arc<dyn Disk>, durable: Arc<Durable>, from: u64) -> Self {
        Self {
            disk,
            durable,
            next_seq: from,
            place: None,
        }
    }

    /// Gives `visit` the entries of one segment that end below `end`.
    fn read_segment(
        &mut self,
        segment: &Segment,
        end: u64,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let (mut seq, mut at) = match self.place {
            Some((first, at)) if first == segment.first_seq => (self.next_seq, at),
            _ => (segment.first_seq, 0),
        };
        let bytes = self.disk.read_from(&segment.name, at);
        let bytes = bytes.map_err(Error::io("read", &segment.name))?;
        let mut rest = &bytes[..];
        if at == 0 {
            check_header(segment, rest)?;
            rest = &rest[SEGMENT_HEADER_SIZE..];
            at = SEGMENT_HEADER_SIZE as u64;
        }
        while seq < end {
            let record = parse_record(rest)
                .and_then(|record| in_sequence(record.entry, seq).map(|()| record))
                .map_err(|reason| corrupt(segment, at as usize, reason))?;
            if seq >= self.next_seq {
                visit(record.entry)?;
                self.next_seq = seq + 1;
            }
            seq += 1;
            at += record.size as u64;
            rest = &rest[record.size..];
            if seq == self.next_seq {
                self.place = Some((segment.first_seq, at));
            }
        }
        Ok(())
    }
}

impl LogTail for LocalTail {
    fn next_seq(&self) -> u64 {
        self.next_seq
    }

    fn next(
        &mut self,
        timeout: Duration,
        visit: &mut dyn FnMut(Entry<'_>) -> Result<(), Error>,
    ) -> Result<u64, Error> {
        let durable = Arc::clone(&self.durable);
        let idle = |shared: &mut Shared| shared.next_seq == self.next_seq && !shared.ended;
        let waited = durable
            .changed
            .wait_timeout_while(durable.lock(), timeout, idle);
        let (shared, _) = waited.unwrap_or_else(PoisonError::into_inner);
        let (segments, end) = (shared.segments.clone(), shared.next_seq);
        drop(shared);
        if end < self.next_seq {
            return Err(Error::Ahead {
                asked: self.next_seq,
                head: end.saturating_sub(1),
            });
        }
        let before = self.next_seq;
        if let Some(first) = segments.first().filter(|first| before < first.first_seq) {
            let first = first.first_seq;
            return Err(Error::Trimmed { first });
        }
        for (idx, segment) in segments.iter().enumerate() {
            let next_first = segments.get(idx + 1).map(|next| next.first_seq);
            let to = next_first.map_or(end, |first| first.min(end));
            if to > self.next_seq {
                self.read_segment(segment, to, visit)?;
            }
        }
        Ok(self.next_seq - before)
    }
}
