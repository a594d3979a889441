//! Prints and bars in Parquet files that follow one another.
//!
//! ```text
//!  DIR/trades/trades-20261123T143000.123456789Z-000001.parquet     whole
//!  DIR/trades/trades-20261123T143500.000000123Z-000002.parquet.part  being written
//! ```
//!
//! A file gets its name once it is whole and on disk: a crash costs what its `.part` held (at most the
//! span of one file), and the next run removes that. One thread; the outlet meets its policy meanwhile.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use arrow_schema::ArrowError;
use market::event::InstrumentId;
use market::publish::Frame;
use node::Node;
use node::outlet::{FarSide, Kind, Kinds, Laned, Outlet};
use parquet::arrow::ArrowWriter;
use parquet::basic::Compression;
use parquet::errors::ParquetError;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;

use super::table::{Rows, Table, Whose};
use crate::json::Instant as Stamp;
use crate::out::Health;
use crate::out::broker::Stream;
use crate::out::names::Names;
use crate::out::thread::Thread;

const BATCH: usize = 8_192;
/// Longest wait for a frame: so often is looked whether a file is old enough.
const LOOK: Duration = Duration::from_millis(100);
/// Rows of one file, at most.
const ROWS_LIMIT: u64 = 4_000_000;
/// Rows gathered before they are handed to the writer.
const ROWS: usize = 8_192;

/// Where to, and how long a file is.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder; each table has one of its own in it.
    pub dir: PathBuf,
    /// A file is closed when it is this old.
    pub roll: Duration,
    /// The outlet; of the kinds, prints and bars are taken.
    pub stream: Stream,
}

/// Why it does not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The folder cannot be used.
    #[error("Parquet: cannot use {}; choose another folder", dir.display())]
    Folder {
        /// Which.
        dir: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The system gave no thread.
    #[error("Parquet gets no thread; raise the limit on processes (ulimit -u)")]
    Thread(#[source] io::Error),
}

/// The running writer. Dropping it closes the files.
pub struct Parquet {
    _thread: Thread,
}

impl Parquet {
    /// Opens an outlet named `parquet` and writes all of it.
    ///
    /// # Errors
    /// When the folder or the thread cannot be had.
    pub fn start(node: &Arc<Node>, settings: &Settings) -> Result<Self, StartError> {
        let refused = |source| StartError::Folder {
            dir: settings.dir.clone(),
            source,
        };
        let files = Table::ALL.map(|table| Files::open(table, &settings.dir));
        let [trades, bars] = files;
        let files = [trades.map_err(refused)?, bars.map_err(refused)?];
        let stream = Stream {
            kinds: Kinds::of(&[Kind::Trade, Kind::Bar]),
            ..settings.stream.clone()
        };
        let stop = Arc::new(AtomicBool::new(false));
        let worker = Worker {
            outlet: stream.open(node, "parquet").map_err(refused)?,
            node: Arc::clone(node),
            names: Names::default(),
            files,
            roll: settings.roll,
            far: FarSide::default(),
            stop: Arc::clone(&stop),
            health: Health::default(),
        };
        let thread = Thread::spawn("parquet", stop, move || worker.work());
        let thread = thread.map_err(StartError::Thread)?;
        Ok(Self { _thread: thread })
    }
}

struct Worker {
    node: Arc<Node>,
    outlet: Outlet,
    names: Names,
    files: [Files; 2],
    roll: Duration,
    far: FarSide,
    stop: Arc<AtomicBool>,
    health: Health,
}

impl Worker {
    fn work(mut self) {
        let mut batch: Vec<Laned> = Vec::with_capacity(BATCH);
        loop {
            let is_last = self.stop.load(Ordering::Acquire);
            self.outlet.wait(LOOK);
            while self.outlet.take(BATCH, &mut batch) > 0 {
                for (lane, frame) in batch.drain(..) {
                    self.frame(lane, &frame);
                }
                self.turn(false);
            }
            self.turn(is_last);
            if is_last {
                return;
            }
        }
    }

    fn frame(&mut self, lane: usize, frame: &Frame) {
        match frame {
            Frame::Instrument(new) => {
                self.names.learn(&self.node, lane, new);
            }
            Frame::Dropped { count } => {
                self.files.iter_mut().for_each(|files| files.lost += count);
            }
            Frame::Trade(print) => self.row(lane, print.instrument, frame),
            Frame::Bar(bar) => self.row(lane, bar.instrument, frame),
            _ => {}
        }
    }

    fn row(&mut self, lane: usize, id: InstrumentId, frame: &Frame) {
        let Some(named) = self.names.get(lane, id) else {
            self.far.refused += 1;
            return;
        };
        for files in &mut self.files {
            let whose = Whose {
                n: files.next,
                lane,
                symbol: &named.symbol,
                instrument: &named.instrument,
            };
            if files.rows.push(whose, frame) {
                files.next += 1;
            }
        }
    }

    /// Writes what has gathered, and closes files that are old or long enough.
    fn turn(&mut self, is_last: bool) {
        let now_ns = self.node.clock().now_ns();
        let mut failure = None;
        for files in &mut self.files {
            match files.turn(now_ns, self.roll, is_last) {
                Ok(whole) => self.far.confirmed += whole,
                Err((lost, error)) => {
                    self.far.refused += lost;
                    failure = Some(format!("{}: {error}", files.dir.display()));
                }
            }
        }
        self.outlet.far_side(self.far);
        match failure {
            Some(why) => self.health.fails(&self.outlet, why),
            None => self.health.works(&self.outlet),
        }
    }
}

/// The files of one table.
struct Files {
    table: Table,
    dir: PathBuf,
    rows: Rows,
    /// The number of the next row, from 1 in each run.
    next: u64,
    /// Files begun in this run.
    begun: u32,
    /// Frames lost at the outlet's bound since the last file was closed.
    lost: u64,
    open: Option<Open>,
}

struct Open {
    writer: ArrowWriter<File>,
    part: PathBuf,
    path: PathBuf,
    since: Instant,
    rows: u64,
}

type Failure = (u64, Box<dyn std::error::Error>);

impl Files {
    fn open(table: Table, dir: &Path) -> io::Result<Self> {
        let dir = dir.join(table.name());
        fs::create_dir_all(&dir)?;
        for entry in fs::read_dir(&dir)? {
            let path = entry?.path();
            // Half a file of a run that was killed.
            if path.extension().is_some_and(|e| e == "part") {
                fs::remove_file(path)?;
            }
        }
        Ok(Self {
            table,
            dir,
            rows: Rows::new(table),
            next: 1,
            begun: 0,
            lost: 0,
            open: None,
        })
    }

    /// Rows that are whole on disk now; on a failure, rows that are gone.
    fn turn(&mut self, now_ns: u64, roll: Duration, is_last: bool) -> Result<u64, Failure> {
        let is_old = |open: &Open| open.since.elapsed() >= roll || open.rows >= ROWS_LIMIT;
        let is_due = is_last || self.open.as_ref().is_some_and(is_old);
        if self.rows.len() >= ROWS || (is_due && !self.rows.is_empty()) {
            self.write(now_ns)?;
        } else if self.open.is_none() && !self.rows.is_empty() {
            // The age of a file counts from its first row.
            self.begin(now_ns).map_err(|error| (0, error.into()))?;
        }
        match self.open.take_if(|open| is_last || is_old(open)) {
            Some(open) => self.close(open),
            None => Ok(0),
        }
    }

    fn write(&mut self, now_ns: u64) -> Result<(), Failure> {
        let count = self.rows.len() as u64;
        let batch = self.rows.finish();
        let batch = batch.map_err(|error: ArrowError| (count, error.into()))?;
        if self.open.is_none() {
            self.begin(now_ns).map_err(|error| (count, error.into()))?;
        }
        let Some(open) = &mut self.open else {
            return Ok(());
        };
        let written = open.writer.write(&batch);
        open.rows += count;
        if let Err(error) = written {
            // What was written so far cannot be closed any more.
            let rows = open.rows;
            let _removed = fs::remove_file(&open.part);
            self.open = None;
            return Err((rows, error.into()));
        }
        Ok(())
    }

    fn begin(&mut self, now_ns: u64) -> Result<(), ParquetError> {
        self.begun += 1;
        let stamp = Stamp(now_ns).to_string();
        let stamp: String = stamp.chars().filter(|c| !matches!(c, '-' | ':')).collect();
        let name = format!("{}-{stamp}-{:06}.parquet", self.table.name(), self.begun);
        let path = self.dir.join(name);
        let part = path.with_extension("parquet.part");
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .set_created_by(concat!("ouzel ", env!("CARGO_PKG_VERSION")).to_owned())
            .build();
        let file = File::create(&part)?;
        let writer = ArrowWriter::try_new(file, self.table.schema(), Some(properties))?;
        self.open = Some(Open {
            writer,
            part,
            path,
            since: Instant::now(),
            rows: 0,
        });
        Ok(())
    }

    fn close(&mut self, open: Open) -> Result<u64, Failure> {
        let Open {
            mut writer,
            part,
            path,
            rows,
            ..
        } = open;
        let lost = std::mem::take(&mut self.lost);
        writer
            .append_key_value_metadata(KeyValue::new("ouzel.dropped".to_owned(), lost.to_string()));
        let whole = writer
            .into_inner()
            .map_err(io::Error::other)
            .and_then(|file| file.sync_all())
            .and_then(|()| fs::rename(&part, &path))
            .and_then(|()| File::open(&self.dir)?.sync_all());
        whole.map_err(|error| (rows, error.into()))?;
        Ok(rows)
    }
}
