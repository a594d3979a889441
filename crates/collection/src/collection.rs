//! The collection: what the rest of the program talks to.

use std::path::Path;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::{Builder, JoinHandle};

use vector::{DIM_MAX, Hit, Metric, normalise};

use crate::codec::{read_batch, write_batch};
use crate::commit::Committer;
use crate::disk::{Disk, FsDisk};
use crate::log::{Entry, KIND_BATCH, KIND_SETTINGS, LocalLog, Log};
use crate::state::{State, check, check_query, check_size, prepare};
use crate::text::{Analyser, TextQuery};
use crate::{
    Ack, AsOf, BATCH_BYTES_LIMIT, Bm25, Error, Filter, Op, Point, Refusal, SyncPolicy,
    TEXT_BYTES_LIMIT, Version,
};

/// Slots are `u32`; half of them is the limit, so that no batch in flight can pass the end.
const VERSION_COUNT_LIMIT: u64 = 1 << 31;

/// What a collection is. `dim` and `metric` are fixed when it is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Components of every vector, 1 to 4096.
    pub dim: usize,
    /// How vectors compare.
    pub metric: Metric,
    /// When writes are durable; may differ at every open.
    pub sync: SyncPolicy,
}

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recovery {
    /// Batches applied.
    pub records: u64,
    /// Bytes cut from the end of the log, where a crash had left part of a write; 0 normally.
    pub cut_bytes: u64,
    /// Where and why it was cut.
    pub reason: Option<String>,
}

/// An answer of a search.
#[derive(Clone, Debug, PartialEq)]
pub struct Scored {
    /// The user's id.
    pub id: String,
    /// Dense: as the metric says. Text: BM25, larger is better.
    pub score: f32,
    /// The version that was visible, without its vector.
    pub point: Arc<Point>,
    /// The entry that made it.
    pub seq_from: u64,
}

/// A point as it stood.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The version that was visible, without its vector.
    pub point: Arc<Point>,
    /// The entry that made it.
    pub seq_from: u64,
}

/// Sizes and positions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Points visible now.
    pub points: u64,
    /// Versions held, superseded ones included.
    pub versions: u64,
    /// Bytes of the log.
    pub log_bytes: u64,
    /// Bytes of vectors, texts and text index in memory, about.
    pub memory_bytes: u64,
    /// The last entry applied; 0 before the first.
    pub head_seq: u64,
    /// The last entry known to be durable.
    pub durable_seq: u64,
}

/// Points on one machine. Share it by reference: every method takes `&self`, readers run side by
/// side and never wait for a sync.
pub struct Collection {
    settings: Settings,
    state: Arc<RwLock<State>>,
    committer: Arc<Committer>,
    syncer: Option<JoinHandle<()>>,
}

impl Collection {
    /// Opens the collection in a folder, or creates it there, and applies its log.
    ///
    /// # Errors
    /// `Locked`, `Settings`, `Corrupt`, `Newer` or `Io`; nothing was changed, except that a torn end
    /// may have been cut.
    pub fn open(dir: &Path, settings: Settings) -> Result<(Self, Recovery), Error> {
        Self::open_on(FsDisk::open(dir)?, settings)
    }

    /// As [`open`](Self::open), on any disk.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_on(
        disk: impl Disk + 'static,
        settings: Settings,
    ) -> Result<(Self, Recovery), Error> {
        let (log, cut) = LocalLog::open(Arc::new(disk))?;
        let (collection, records) = Self::open_log(Box::new(log), settings)?;
        Ok((
            collection,
            Recovery {
                records,
                cut_bytes: cut.bytes,
                reason: cut.reason,
            },
        ))
    }

    /// Opens the collection that a log is, and says how many batches it applied.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_log(mut log: Box<dyn Log>, settings: Settings) -> Result<(Self, u64), Error> {
        if settings.dim == 0 || settings.dim > DIM_MAX {
            return Err(Error::Query(Refusal::TooLarge {
                what: "dimension",
                size: settings.dim,
                limit: DIM_MAX,
            }));
        }
        if log.next_seq() == 0 {
            let body = settings_body(&settings);
            log.append(&[Entry {
                seq: 0,
                kind: KIND_SETTINGS,
                body: &body,
            }])?;
            log.sync()?;
        }
        let mut state = State::new(settings.dim, settings.metric);
        log.read(0, &mut |entry| apply_entry(&mut state, &settings, entry))?;
        let records = state.head_seq();
        let state = Arc::new(RwLock::new(state));
        let committer = Arc::new(Committer::new(settings.sync, Arc::clone(&state), log));
        let syncer = match settings.sync {
            SyncPolicy::IntervalMs(interval_ms) => {
                let committer = Arc::clone(&committer);
                let thread = Builder::new().name("collection-sync".into());
                let started = thread.spawn(move || committer.sync_every(interval_ms));
                Some(started.map_err(Error::io("start the thread that syncs", "the log"))?)
            }
            SyncPolicy::Always | SyncPolicy::Never => None,
        };
        Ok((
            Self {
                settings,
                state,
                committer,
                syncer,
            },
            records,
        ))
    }

    /// Stores a batch: all of it or, with an error, nothing of it that a query can see. Callers that
    /// wait together share one sync.
    ///
    /// # Errors
    /// `Refused`, `BatchTooLarge` or `Full`: fix the input. `Poisoned`: whether this batch survives is
    /// unknown; reopen the collection.
    pub fn apply(&self, ops: Vec<Op>) -> Result<Ack, Error> {
        let Settings { dim, metric, .. } = self.settings;
        for (index, op) in ops.iter().enumerate() {
            check(op, dim, metric).map_err(|source| refused(index, op, source))?;
        }
        let versions = self.read()?.version_count();
        if versions + ops.len() as u64 > VERSION_COUNT_LIMIT {
            return Err(Error::Full { versions });
        }
        let mut body = Vec::new();
        write_batch(&ops, &mut body);
        if body.len() > BATCH_BYTES_LIMIT {
            return Err(Error::BatchTooLarge {
                bytes: body.len(),
                limit: BATCH_BYTES_LIMIT,
            });
        }
        let changes = ops.into_iter().map(|op| prepare(op, metric)).collect();
        self.committer.commit(body, changes)
    }

    /// A barrier: makes everything applied durable, whatever the policy, and says up to which entry
    /// that is.
    ///
    /// # Errors
    /// `Poisoned`: reopen the collection.
    pub fn sync(&self) -> Result<u64, Error> {
        self.committer.sync()
    }

    /// The `k` nearest points to `vector` among those visible that pass, nearest first; ties go to
    /// the earlier arrival. Exact.
    ///
    /// # Errors
    /// `Query` for a vector that does not fit, `Ahead` for an entry not applied yet.
    pub fn search_dense(
        &self,
        vector: &[f32],
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
    ) -> Result<Vec<Scored>, Error> {
        let Settings { dim, metric, .. } = self.settings;
        check_query(vector, dim, metric).map_err(Error::Query)?;
        let mut query = vector.to_vec();
        if metric == Metric::Cosine {
            normalise(&mut query).map_err(|e| Error::Query(e.into()))?;
        }
        let state = self.read_as_of(as_of)?;
        let hits = state.nearest(&query, k, as_of, filter);
        Ok(scored(&state, &hits))
    }

    /// The `k` best texts for `query` by BM25 with its usual knobs, best first; ties go to the
    /// earlier arrival. Statistics are those of the texts visible as of the instant.
    ///
    /// # Errors
    /// `Query` for a text over 1 MiB, `Ahead` for an entry not applied yet.
    pub fn search_text(
        &self,
        query: &str,
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
    ) -> Result<Vec<Scored>, Error> {
        check_size("text", query.len(), TEXT_BYTES_LIMIT).map_err(Error::Query)?;
        let query = TextQuery::plain(query, &Analyser::default());
        self.search_text_with(&query, k, as_of, filter, &Bm25::default())
    }

    /// As [`search_text`](Self::search_text), with phrases or other knobs.
    ///
    /// ```
    /// use collection::text::Analyser;
    /// use collection::{
    ///     AsOf, Bm25, Collection, MemDisk, Metric, Op, Point, Settings, SyncPolicy, TextQuery,
    /// };
    ///
    /// let settings = Settings { dim: 1, metric: Metric::L2, sync: SyncPolicy::Always };
    /// let (news, _) = Collection::open_on(MemDisk::new(), settings)?;
    /// let text = |id: &str, text: &str| {
    ///     Op::Upsert(Point {
    ///         id: id.into(),
    ///         vector: vec![0.0],
    ///         text: text.into(),
    ///         ..Point::default()
    ///     })
    /// };
    /// news.apply(vec![
    ///     text("n1", "The bank cut its rate by 25 basis points"),
    ///     text("n2", "Points on a chart are no basis for a rate"),
    /// ])?;
    /// let query = TextQuery::parse("rates \"basis points\"", &Analyser::default());
    /// let hits = news.search_text_with(&query, 5, &AsOf::Now, None, &Bm25::default())?;
    /// assert_eq!(hits.len(), 1);
    /// assert_eq!(hits[0].id, "n1");
    /// # Ok::<(), collection::Error>(())
    /// ```
    ///
    /// # Errors
    /// As `search_text`.
    pub fn search_text_with(
        &self,
        query: &TextQuery,
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
        bm25: &Bm25,
    ) -> Result<Vec<Scored>, Error> {
        check_size("text", query.size_bytes(), TEXT_BYTES_LIMIT).map_err(Error::Query)?;
        let state = self.read_as_of(as_of)?;
        let hits = state.best_texts(query, k, bm25, as_of, filter);
        Ok(scored(&state, &hits))
    }

    /// The point with this id.
    ///
    /// # Errors
    /// `Ahead` for an entry not applied yet.
    pub fn get(&self, id: &str, as_of: &AsOf) -> Result<Option<Found>, Error> {
        let state = self.read_as_of(as_of)?;
        Ok(state.find(id, as_of).map(|slot| found(&state, slot)))
    }

    /// The vector of the point with this id; unit length under cosine.
    ///
    /// # Errors
    /// `Ahead` for an entry not applied yet.
    pub fn vector(&self, id: &str, as_of: &AsOf) -> Result<Option<Vec<f32>>, Error> {
        let state = self.read_as_of(as_of)?;
        Ok(state.find(id, as_of).map(|slot| state.row(slot).to_vec()))
    }

    /// Visible points that pass, in byte order of their ids, after the id `after`, at most `limit`.
    /// Costs what an indexed condition of the filter finds, or else a look at every id on the way.
    ///
    /// # Errors
    /// `Ahead` for an entry not applied yet.
    pub fn scroll(
        &self,
        filter: Option<&Filter>,
        as_of: &AsOf,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Found>, Error> {
        let state = self.read_as_of(as_of)?;
        let slots = state.scroll(filter, as_of, after, limit);
        Ok(slots.into_iter().map(|slot| found(&state, slot)).collect())
    }

    /// All that was ever known of an id, earliest knowledge first.
    ///
    /// # Errors
    /// `Poisoned` after a panic inside the collection.
    pub fn history(&self, id: &str) -> Result<Vec<Version>, Error> {
        Ok(self.read()?.history(id))
    }

    /// How many points are visible.
    ///
    /// # Errors
    /// `Ahead` for an entry not applied yet.
    pub fn count(&self, as_of: &AsOf) -> Result<u64, Error> {
        Ok(self.read_as_of(as_of)?.count(as_of))
    }

    /// The last entry applied; 0 before the first.
    #[must_use]
    pub fn head_seq(&self) -> u64 {
        self.committer.positions().0
    }

    /// Sizes and positions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (_, durable_seq, log_bytes) = self.committer.positions();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Stats {
            points: state.count(&AsOf::Now),
            versions: state.version_count(),
            log_bytes,
            memory_bytes: state.size_bytes(),
            head_seq: state.head_seq(),
            durable_seq,
        }
    }

    /// A number that is equal for collections that applied the same log. Reads everything.
    ///
    /// # Errors
    /// `Poisoned` after a panic inside the collection.
    pub fn digest(&self) -> Result<u64, Error> {
        Ok(self.read()?.digest())
    }

    /// Why no writes are taken until reopening; `None` while they are.
    #[must_use]
    pub fn poison(&self) -> Option<String> {
        self.committer.poison().map(|reason| reason.to_string())
    }

    /// What the collection was opened with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, State>, Error> {
        let panicked = |_| Error::Poisoned {
            reason: "a write ended in a panic".into(),
        };
        self.state.read().map_err(panicked)
    }

    fn read_as_of(&self, as_of: &AsOf) -> Result<RwLockReadGuard<'_, State>, Error> {
        let state = self.read()?;
        match *as_of {
            AsOf::Seq(asked) if asked > state.head_seq() => Err(Error::Ahead {
                asked,
                head: state.head_seq(),
            }),
            _ => Ok(state),
        }
    }
}

impl Drop for Collection {
    fn drop(&mut self) {
        if let Some(syncer) = self.syncer.take() {
            self.committer.close();
            // A panic there was printed by its thread; dropping has nobody else to tell.
            let _ = syncer.join();
            // What was acknowledged within the last interval; a failure has nobody left to tell.
            let _ = self.committer.sync();
        }
    }
}

fn apply_entry(state: &mut State, settings: &Settings, entry: Entry<'_>) -> Result<(), Error> {
    match (entry.seq, entry.kind) {
        (0, KIND_SETTINGS) => check_settings(settings, entry.body),
        (seq, KIND_BATCH) if seq > 0 => {
            let unreadable = |reason: String| Error::Entry { seq, reason };
            let ops = read_batch(entry.body).map_err(|e| unreadable(e.to_string()))?;
            for op in &ops {
                check(op, settings.dim, settings.metric).map_err(|e| unreadable(e.to_string()))?;
            }
            let changes = ops
                .into_iter()
                .map(|op| prepare(op, settings.metric))
                .collect();
            state.apply(seq, changes);
            Ok(())
        }
        (seq, kind) => Err(Error::Newer {
            what: format!("entry {seq} of kind {kind}"),
        }),
    }
}

/// `dim` (u32), metric (u8), three bytes kept zero.
fn settings_body(settings: &Settings) -> [u8; 8] {
    let mut body = [0; 8];
    body[..4].copy_from_slice(&(settings.dim as u32).to_le_bytes());
    body[4] = match settings.metric {
        Metric::L2 => 1,
        Metric::Ip => 2,
        Metric::Cosine => 3,
    };
    body
}

fn check_settings(settings: &Settings, body: &[u8]) -> Result<(), Error> {
    if body == settings_body(settings) {
        return Ok(());
    }
    let found = match body {
        [a, b, c, d, metric, ..] => {
            let metric = match metric {
                1 => "L2",
                2 => "Ip",
                3 => "Cosine",
                _ => "an unknown metric",
            };
            format!(
                "{} dimensions and {metric}",
                u32::from_le_bytes([*a, *b, *c, *d])
            )
        }
        _ => "settings that cannot be read".to_owned(),
    };
    let wanted = format!("{} dimensions and {:?}", settings.dim, settings.metric);
    Err(Error::Settings { found, wanted })
}

fn refused(index: usize, op: &Op, source: Refusal) -> Error {
    let id = match op {
        Op::Upsert(point) => point.id.as_str(),
        Op::Delete { id, .. } => id,
        Op::DeleteWhere { .. } => "",
    };
    // Long enough to find it, short enough to print.
    let id = id.chars().take(80).collect();
    Error::Refused { index, id, source }
}

fn scored(state: &State, hits: &[Hit]) -> Vec<Scored> {
    let hits = hits.iter().map(|hit| {
        let Found { point, seq_from } = found(state, hit.slot);
        Scored {
            id: point.id.clone(),
            score: hit.score,
            point,
            seq_from,
        }
    });
    hits.collect()
}

fn found(state: &State, slot: u32) -> Found {
    Found {
        point: Arc::clone(state.point(slot)),
        seq_from: state.seq_from(slot),
    }
}
