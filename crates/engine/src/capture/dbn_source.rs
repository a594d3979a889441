//! A DBN stream as a lane's source: a file, standard input, or a TCP connection that speaks DBN.
//!
//! Reading may block and unpacking takes time, so both happen on a thread of their own, which hands
//! chunks of whole records over a bounded ring. The lane is never waited for beyond that ring: a
//! slow lane slows the reader, and through TCP the sender, and nothing is lost. Copies: one from the
//! socket or file into the reader's buffer (unpacked on the way), one into a chunk.
//!
//! Databento's own live gateway speaks a protocol of its own before the stream (a greeting and a
//! challenge); what follows it is the stream that is read here, so that a client of theirs may be
//! piped into standard input, or relayed over TCP.

use std::fs::File;
use std::io::{self, Read};
use std::net::TcpStream;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use market::feed::dbn::time_of;
use rtrb::{Consumer, Producer, RingBuffer};
use wire::dbn::Records;

use super::{BATCH, DbnFault, DbnFile, Playback, Speed};
use crate::source::{Source, Unit};

/// The line of a record.
pub const DBN_RECORD: usize = 0;
/// The line of the header that a stream begins with.
pub const DBN_HEADER: usize = 1;
/// The line of a break: the stream ended and another is waited for.
pub const DBN_CUT: usize = 2;
/// The line of the end: nothing comes any more.
pub const DBN_END: usize = 3;

/// Chunks between the threads, and bytes after which one is handed over.
const CHUNKS: usize = 64;
const CHUNK_BYTES: usize = 32 << 10;
const FULL: Duration = Duration::from_millis(1);
const BACKOFF_MIN: Duration = Duration::from_millis(250);
const BACKOFF_MAX: Duration = Duration::from_secs(10);

/// Where a stream comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DbnFrom {
    /// A file or fragment, plain or packed.
    File(PathBuf),
    /// Standard input, to its end.
    Stdin,
    /// `HOST:PORT`: connected to, and again with growing waits when it ends.
    Tcp(String),
}

impl DbnFrom {
    /// `-` is standard input, what is no file and ends in `:PORT` a server, all else a file.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
        let is_server = matches!(port, Some(Ok(_))) && !std::path::Path::new(text).exists();
        match text {
            "-" => Self::Stdin,
            _ if is_server => Self::Tcp(text.to_owned()),
            _ => Self::File(PathBuf::from(text)),
        }
    }
}

/// What a reader says of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DbnView {
    /// Streams that began: headers, or first records of fragments.
    pub streams: u64,
    /// Records are coming, or may come.
    pub is_up: bool,
    /// Why the last stream did not begin, or broke off.
    pub trouble: Option<String>,
}

/// A reader's state for other threads.
#[derive(Debug, Default)]
pub struct DbnStatus {
    view: Mutex<DbnView>,
    has_ended: AtomicBool,
}

impl DbnStatus {
    /// As of now.
    #[must_use]
    pub fn view(&self) -> DbnView {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, DbnView> {
        self.view.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Chunk {
    Header(Vec<u8>),
    Records(Vec<u8>),
    Cut,
    End,
}

/// Hands records over one by one, at their own pace or as fast as they are taken.
pub struct DbnSource {
    chunks: Consumer<Chunk>,
    spare: Producer<Vec<u8>>,
    status: Arc<DbnStatus>,
    current: Option<Chunk>,
    at: usize,
    playback: Playback,
    due_in_ns: u64,
    newest_ns: u64,
    bytes: u64,
}

impl DbnSource {
    /// Starts the reader's thread. It is left alone when the source is dropped: it ends by itself
    /// at its next record, or with the process.
    ///
    /// # Errors
    /// When a file cannot be opened, or the system gives no thread.
    pub fn spawn(from: DbnFrom, speed: Speed) -> io::Result<Self> {
        let first = match &from {
            DbnFrom::File(_) => Some(open(&from)?),
            _ => None,
        };
        let (sender, chunks) = RingBuffer::new(CHUNKS);
        let (spare, spares) = RingBuffer::new(CHUNKS);
        let status = Arc::new(DbnStatus::default());
        let mut reader = Reader {
            chunks: sender,
            spares,
            status: Arc::clone(&status),
        };
        std::thread::Builder::new()
            .name("dbn".to_owned())
            .spawn(move || reader.run(&from, first))?;
        Ok(Self {
            chunks,
            spare,
            status,
            current: None,
            at: 0,
            playback: Playback::new(speed),
            due_in_ns: 0,
            newest_ns: 0,
            bytes: 0,
        })
    }

    /// What the reader says of itself.
    #[must_use]
    pub fn status(&self) -> Arc<DbnStatus> {
        Arc::clone(&self.status)
    }

    /// The next record of the current chunk; false when it is not due yet, or there is none.
    fn record(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> bool {
        let Some(Chunk::Records(bytes)) = &self.current else {
            return false;
        };
        let Some(Ok(record)) = Records::new(&bytes[self.at..]).next_bytes() else {
            return false;
        };
        let ts_recv = time_of(record).unwrap_or(self.newest_ns);
        self.due_in_ns = self.playback.wait_ns(ts_recv);
        if self.due_in_ns > 0 {
            return false;
        }
        self.newest_ns = self.newest_ns.max(ts_recv);
        f(DBN_RECORD, ts_recv, record);
        self.at += record.len();
        self.bytes += record.len() as u64;
        true
    }

    /// A chunk that has more records, the next one taken where the last is used up.
    fn has_chunk(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> bool {
        loop {
            match self.current.take() {
                Some(Chunk::Records(bytes)) if self.at < bytes.len() => {
                    self.current = Some(Chunk::Records(bytes));
                    return true;
                }
                // Where the way back is full the memory is given up.
                Some(Chunk::Records(bytes)) => drop(self.spare.push(bytes)),
                Some(Chunk::Header(bytes)) => f(DBN_HEADER, self.newest_ns, &bytes),
                Some(Chunk::Cut) => f(DBN_CUT, self.newest_ns, &[]),
                Some(Chunk::End) => f(DBN_END, self.newest_ns, &[]),
                None => {}
            }
            let Ok(next) = self.chunks.pop() else {
                return false;
            };
            (self.current, self.at) = (Some(next), 0);
        }
    }
}

impl Source for DbnSource {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let mut count = 0;
        self.due_in_ns = u64::MAX;
        while count < BATCH && self.has_chunk(f) {
            if !self.record(f) {
                break;
            }
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

    /// Times are Databento's, of a moment that may be long ago.
    fn is_live(&self) -> bool {
        false
    }

    fn is_ended(&self) -> bool {
        // Read first: what was pushed before it is in the ring then.
        let has_ended = self.status.has_ended.load(Ordering::Acquire);
        has_ended && self.current.is_none() && self.chunks.is_empty()
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// The reader's own side.
struct Reader {
    chunks: Producer<Chunk>,
    spares: Consumer<Vec<u8>>,
    status: Arc<DbnStatus>,
}

impl Reader {
    fn run(&mut self, from: &DbnFrom, mut first: Option<Box<dyn Read + Send>>) {
        let mut backoff = BACKOFF_MIN;
        while !self.chunks.is_abandoned() {
            let streams = self.status.view().streams;
            let opened = first.take().map_or_else(|| open(from), Ok);
            let outcome = opened.map_err(DbnFault::from);
            let outcome = outcome.and_then(|reader| self.stream(reader));
            let has_begun = self.status.view().streams > streams;
            let is_server = matches!(from, DbnFrom::Tcp(_));
            let trouble = match outcome {
                Err(fault) => Some(words(&fault)),
                Ok(()) => is_server.then(|| "the server has ended the stream".to_owned()),
            };
            {
                let mut view = self.status.lock();
                (view.is_up, view.trouble) = (false, trouble);
            }
            if !is_server {
                self.push(Chunk::End);
                break;
            }
            if has_begun {
                backoff = BACKOFF_MIN;
                self.push(Chunk::Cut);
            }
            pause(backoff);
            backoff = (backoff * 2).min(BACKOFF_MAX);
        }
        self.status.has_ended.store(true, Ordering::Release);
    }

    fn stream(&mut self, reader: Box<dyn Read + Send>) -> Result<(), DbnFault> {
        let mut file = DbnFile::over(reader)?;
        if !file.header_bytes().is_empty() {
            self.push(Chunk::Header(file.header_bytes().to_vec()));
        }
        {
            let mut view = self.status.lock();
            (view.streams, view.is_up, view.trouble) = (view.streams + 1, true, None);
        }
        loop {
            // No error: none has come back yet, so one more is made.
            let mut bytes = self.spares.pop().unwrap_or_default();
            bytes.clear();
            let mut outcome = Ok(true);
            // What is there is handed over at once: a quiet stream is not held back.
            while bytes.is_empty() || (bytes.len() < CHUNK_BYTES && file.has_record()) {
                match file.next_record() {
                    Some(Ok(record)) => bytes.extend_from_slice(record),
                    Some(Err(fault)) => outcome = Err(fault),
                    None => outcome = Ok(false),
                }
                if !matches!(outcome, Ok(true)) {
                    break;
                }
            }
            let is_wanted = bytes.is_empty() || self.push(Chunk::Records(bytes));
            if !outcome? || !is_wanted {
                return Ok(());
            }
        }
    }

    /// Waits for room; false when nobody takes any more.
    fn push(&mut self, mut chunk: Chunk) -> bool {
        loop {
            if self.chunks.is_abandoned() {
                return false;
            }
            match self.chunks.push(chunk) {
                Ok(()) => return true,
                Err(rtrb::PushError::Full(back)) => chunk = back,
            }
            pause(FULL);
        }
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "a reader's own thread waits in real time"
)]
fn pause(time: Duration) {
    std::thread::sleep(time);
}

fn open(from: &DbnFrom) -> io::Result<Box<dyn Read + Send>> {
    Ok(match from {
        DbnFrom::File(path) => Box::new(File::open(path)?),
        DbnFrom::Stdin => Box::new(io::stdin()),
        DbnFrom::Tcp(server) => Box::new(TcpStream::connect(server.as_str())?),
    })
}

/// A fault and its cause in one line.
fn words(fault: &DbnFault) -> String {
    let cause = std::error::Error::source(fault);
    cause.map_or_else(|| fault.to_string(), |cause| format!("{fault}: {cause}"))
}
