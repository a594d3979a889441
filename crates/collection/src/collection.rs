//! The collection: what the rest of the program talks to.

use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};
use std::thread::JoinHandle;

use vector::{Hit, Metric, normalise};

use crate::checkpoint::{Hold, Keeper};
use crate::codec::write_batch;
use crate::commit::Committer;
use crate::dense::{Ask, Dense, Effort, RecallEstimate, nearest};
use crate::disk::Disk;
use crate::log::{LogReader, LogTail};
use crate::plan::Explain;
use crate::state::{State, check, check_filter, check_query, check_size, prepare};
use crate::text::{TextExplain, TextQuery, TextReader, TextRules};
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
    /// Batches applied, those that a checkpoint had already among them.
    pub records: u64,
    /// The entry of the checkpoint that was opened; 0 where the log was applied from its start.
    pub checkpoint_seq: u64,
    /// Checkpoints that could not be used, and why; they were renamed and are not looked at again.
    pub set_aside: Vec<String>,
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

/// A dense question.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// To what the nearest are asked.
    pub vector: &'a [f32],
    /// How many.
    pub k: usize,
    /// When.
    pub as_of: &'a AsOf,
    /// Which.
    pub filter: Option<&'a Filter>,
    /// How hard to look.
    pub effort: Effort,
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
    /// Of these, bytes of the graph, of what is not linked yet, and of what lies in memory of cold rows.
    pub graph_bytes: u64,
    /// Of ten nearest asked for, rows of the graph that are ordered again by their whole rows, as measured recall asks for;
    /// 0 before the graph begins.
    pub rerank_depth: u64,
    /// Graphs that were made anew, and took the place of one, because the data had drifted.
    pub graph_renewals: u64,
    /// Versions that the graph has; those behind them are compared one by one. 0 where answers are exact.
    pub linked: u64,
    /// Of these, rows in the graph.
    pub hot: u64,
    /// Of these, rows that were moved out of the graph because they were in few answers.
    pub cold: u64,
    /// Fine codes of such rows that searches read since opening.
    pub cold_reads: u64,
    /// The last entry applied; 0 before the first.
    pub head_seq: u64,
    /// The last entry known to be durable.
    pub durable_seq: u64,
    /// The entry of the last checkpoint; 0 before the first.
    pub checkpoint_seq: u64,
}

/// What may differ at every opening and changes no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// A checkpoint is written when the log has grown by this many bytes, or by a sixteenth where that is more.
    pub checkpoint_bytes: u64,
    /// Rows that the graph may have, 2.2 KB each at 384 dimensions; those in the fewest answers beyond it are moved to lists of
    /// some 65 bytes a row in memory and 400 on disk. Under the inner product there are none: only `u64::MAX` opens.
    pub hot_rows: u64,
    /// Rows up to which answers are exact: there is no graph, every search compares all rows, by their codes first (260 bytes each at
    /// 384 dimensions), and the same question as of the same instant finds the same whenever it is asked. One row more, and
    /// a graph is made of all. 0: a graph as soon as it pays.
    pub exact_rows: u64,
    /// Whether the graph keeps rows of four bits (of eight where a sample says that four lose too much) and no codes beside
    /// its links: some 0.4 KB a row at 384 dimensions, for walks that take a few times as long. A graph on disk that was
    /// made the other way is made anew in the background; until then rows are compared one by one.
    pub compact: bool,
    /// Bytes that the log may have before its oldest segments go, as far as the last two checkpoints stand for them. Less of it
    /// is there to restore from.
    pub log_bytes: u64,
    /// Rows that may wait for the graph: a write is stored, and its writer held until there are no more. It bounds what searches
    /// compare row by row when rows come faster than they are linked, a few thousand a second; `u64::MAX` holds nobody.
    pub tail_rows: u64,
    /// Takes the collection over from all writers of earlier epochs, which are refused from then on; `None` goes on in the epoch
    /// of the last writer, which is right where the folder is only ever opened here.
    pub epoch: Option<u64>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            checkpoint_bytes: 64 << 20,
            hot_rows: u64::MAX,
            exact_rows: 0,
            compact: false,
            log_bytes: u64::MAX,
            tail_rows: u64::MAX,
            epoch: None,
        }
    }
}

/// Points on one machine. Share it by reference: every method takes `&self`, readers run side by
/// side and never wait for a sync.
pub struct Collection {
    pub(crate) settings: Settings,
    pub(crate) reader: Arc<TextReader>,
    pub(crate) state: Arc<RwLock<State>>,
    pub(crate) dense: Arc<Dense>,
    pub(crate) committer: Arc<Committer>,
    pub(crate) disk: Option<Arc<dyn Disk>>,
    pub(crate) keeper: Arc<Keeper>,
    pub(crate) hot_rows: u64,
    pub(crate) tail_rows: u64,
    pub(crate) compact: bool,
    pub(crate) syncer: Option<JoinHandle<()>>,
    pub(crate) linker: Option<JoinHandle<()>>,
    pub(crate) watcher: Option<JoinHandle<()>>,
    pub(crate) checkpointer: Option<JoinHandle<()>>,
}

impl Collection {
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
        let analyser = &self.reader.analyser;
        let changes = ops.into_iter();
        let changes = changes.map(|op| prepare(op, metric, analyser)).collect();
        let ack = self.committer.commit(body, changes)?;
        let unlinked = self.dense.near(self.tail_rows);
        Ok(Ack { unlinked, ..ack })
    }

    /// A barrier: makes everything applied durable, whatever the policy, and says up to which entry
    /// that is.
    ///
    /// # Errors
    /// `Poisoned`: reopen the collection.
    pub fn sync(&self) -> Result<u64, Error> {
        self.committer.sync()
    }

    /// Lets a writer of `epoch` take over: from here on writes answer `Fenced`, also after reopening in an earlier epoch, while
    /// questions are answered as before. Says the last entry; it is durable, and nothing follows it.
    ///
    /// # Errors
    /// `Fenced` when a later writer has taken over already, `Poisoned`, or `Io` when it is not certain that the fence stands; writes are
    /// refused all the same until the collection is reopened.
    pub fn fence(&self, epoch: u64) -> Result<u64, Error> {
        self.committer.fence(epoch)
    }

    /// The `k` nearest points to `vector` among those visible that pass, nearest first; ties go to
    /// the earlier arrival. A walk of a graph where there are thousands of points, else a look at all; see
    /// [`Options::exact_rows`].
    ///
    /// # Errors
    /// `Query` for a vector or filter that does not fit, `Ahead` for an entry not applied yet.
    pub fn search_dense(
        &self,
        vector: &[f32],
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
    ) -> Result<Vec<Scored>, Error> {
        self.search_dense_with(vector, k, as_of, filter, Effort::Usual)
    }

    /// As [`search_dense`](Self::search_dense), as hard as asked.
    ///
    /// # Errors
    /// As `search_dense`.
    pub fn search_dense_with(
        &self,
        vector: &[f32],
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
        effort: Effort,
    ) -> Result<Vec<Scored>, Error> {
        let ask = Wanted {
            vector,
            k,
            as_of,
            filter,
            effort,
        };
        Ok(self.explain_dense(&ask, &|| 0)?.0)
    }

    /// Answers and tells how: the plan, what was searched, how much of it, and how long each step took by the clock that
    /// `now` reads, ns.
    ///
    /// # Errors
    /// As `search_dense`.
    pub fn explain_dense(
        &self,
        wanted: &Wanted<'_>,
        now: &dyn Fn() -> u64,
    ) -> Result<(Vec<Scored>, Explain), Error> {
        let Settings { dim, metric, .. } = self.settings;
        check_query(wanted.vector, dim, metric).map_err(Error::Query)?;
        check_asked(wanted.filter)?;
        let mut query = wanted.vector.to_vec();
        if metric == Metric::Cosine {
            normalise(&mut query).map_err(|e| Error::Query(e.into()))?;
        }
        let state = self.read_as_of(wanted.as_of)?;
        let ask = Ask {
            query: &query,
            k: wanted.k,
            as_of: &state.plain(wanted.as_of),
            filter: wanted.filter,
            effort: wanted.effort,
            now,
        };
        let (hits, explain) = nearest(&self.dense, &state, &ask);
        Ok((scored(&state, &hits), explain))
    }

    /// How much of the truth dense searches find, measured on those that are asked.
    #[must_use]
    pub fn recall(&self) -> RecallEstimate {
        self.dense.watch.estimate()
    }

    /// Returns when the rows that are there are linked, all but less than a batch of 256. Searches need not wait for
    /// it: they find the others as well.
    pub fn settle(&self) {
        if self.linker.is_some() {
            self.dense.settle();
        }
    }

    /// The `k` best texts for `query` by BM25 with the collection's knobs, best first; ties go to the
    /// earlier arrival. Statistics are those of the texts visible as of the instant.
    ///
    /// # Errors
    /// `Query` for a text over 1 MiB or a filter that makes no sense, `Ahead` for an entry not applied yet.
    pub fn search_text(
        &self,
        query: &str,
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
    ) -> Result<Vec<Scored>, Error> {
        check_size("text", query.len(), TEXT_BYTES_LIMIT).map_err(Error::Query)?;
        let query = TextQuery::plain(query, &self.reader.analyser);
        self.search_text_with(&query, k, as_of, filter, &self.reader.rules.bm25)
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
        check_asked(filter)?;
        let state = self.read_as_of(as_of)?;
        let hits = state.best_texts(query, k, bm25, &state.plain(as_of), filter, None);
        Ok(scored(&state, &hits))
    }

    /// As [`search_text`](Self::search_text), words in double quotes in a row, and how: what is known of the words, what was
    /// searched, how much of it was read, and how long each step took by the clock that `now` reads, ns.
    ///
    /// # Errors
    /// As `search_text`.
    pub fn explain_text(
        &self,
        query: &str,
        k: usize,
        as_of: &AsOf,
        filter: Option<&Filter>,
        now: &dyn Fn() -> u64,
    ) -> Result<(Vec<Scored>, TextExplain), Error> {
        check_size("text", query.len(), TEXT_BYTES_LIMIT).map_err(Error::Query)?;
        let query = TextQuery::parse(query, &self.reader.analyser);
        let bm25 = &self.reader.rules.bm25;
        check_asked(filter)?;
        let state = self.read_as_of(as_of)?;
        let mut told = TextExplain::default();
        let as_of = state.plain(as_of);
        let hits = state.best_texts(&query, k, bm25, &as_of, filter, Some((&mut told, now)));
        Ok((scored(&state, &hits), told))
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
    /// Costs what the filter finds when that is little, or else a look at every id on the way.
    ///
    /// # Errors
    /// `Query` for a filter that makes no sense, `Ahead` for an entry not applied yet.
    pub fn scroll(
        &self,
        filter: Option<&Filter>,
        as_of: &AsOf,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Found>, Error> {
        check_asked(filter)?;
        let state = self.read_as_of(as_of)?;
        let slots = state.scroll(filter, &state.plain(as_of), after, limit);
        Ok(slots.into_iter().map(|slot| found(&state, slot)).collect())
    }

    /// All that was ever known of an id, earliest knowledge first.
    ///
    /// # Errors
    /// `Poisoned` after a panic inside the collection.
    pub fn history(&self, id: &str) -> Result<Vec<Version>, Error> {
        Ok(self.read()?.history(id))
    }

    /// The latest instant, not behind `until`, at which something became known; 0 where nothing had. Quick where nothing lies
    /// behind `until`.
    ///
    /// # Errors
    /// `Poisoned` after a panic inside the collection.
    pub fn latest_known(&self, until: u64) -> Result<u64, Error> {
        Ok(self.read()?.latest_known(until))
    }

    /// How many points are visible.
    ///
    /// # Errors
    /// `Ahead` for an entry not applied yet.
    pub fn count(&self, as_of: &AsOf) -> Result<u64, Error> {
        let state = self.read_as_of(as_of)?;
        Ok(state.count(&state.plain(as_of)))
    }

    /// Writes a checkpoint of everything applied, and the graph as far as it is linked, and says which entry that is. The next opening starts there and
    /// applies only what came later.
    ///
    /// # Errors
    /// `Checkpoint`: what is there still holds. Collections opened by [`open_log`](Self::open_log) have none.
    pub fn checkpoint(&self) -> Result<u64, Error> {
        Ok(self.checkpoint_held()?.0)
    }

    /// As [`checkpoint`](Self::checkpoint); its files stay while the hold is there.
    pub(crate) fn checkpoint_held(&self) -> Result<(u64, Hold<'_>), Error> {
        let failed = |reason| Error::Checkpoint { reason };
        if self.checkpointer.is_none() {
            return Err(failed("this collection keeps none".into()));
        }
        let held = self.keeper.ask_and_hold().map_err(failed)?;
        if self.linker.is_some() {
            self.dense.save().map_err(failed)?;
        }
        Ok(held)
    }

    /// Whether all that was opened has been read and compared with its checksums, which goes on beside the first
    /// questions. Damage found makes reads answer `Damaged`.
    #[must_use]
    pub fn is_verified(&self) -> bool {
        let keeper = self.checkpointer.is_none() || self.keeper.is_verified();
        keeper && (self.linker.is_none() || self.dense.is_verified())
    }

    /// Whether the graph was read back damaged and had to be made anew from the rows, which are whole.
    #[must_use]
    pub fn was_graph_rebuilt(&self) -> bool {
        self.dense.was_rebuilt()
    }

    /// As [`checkpoint`](Self::checkpoint), when the log has grown by `bytes` since the last one.
    ///
    /// # Errors
    /// As `checkpoint`.
    pub fn checkpoint_after(&self, bytes: u64) -> Result<Option<u64>, Error> {
        if self.checkpointer.is_none() || self.keeper.grown_by() < bytes {
            return Ok(None);
        }
        self.checkpoint().map(Some)
    }

    /// Why the last checkpoint could not be written; it is tried again as the log grows.
    #[must_use]
    pub fn checkpoint_failure(&self) -> Option<String> {
        self.keeper.outcome().1
    }

    /// The last entry applied; 0 before the first.
    #[must_use]
    pub fn head_seq(&self) -> u64 {
        self.committer.positions().0
    }

    /// Versions held, superseded ones included; as many as searches may have to compare.
    #[must_use]
    pub fn version_count(&self) -> u64 {
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        state.version_count()
    }

    /// Sizes and positions.
    #[must_use]
    pub fn stats(&self) -> Stats {
        let (_, durable_seq, log_bytes) = self.committer.positions();
        let (cold, cold_reads) = self.dense.cold();
        let graph_bytes = self.dense.size_bytes();
        let state = self.state.read().unwrap_or_else(PoisonError::into_inner);
        Stats {
            points: state.count(&AsOf::Now),
            versions: state.version_count(),
            log_bytes,
            memory_bytes: state.size_bytes() + graph_bytes,
            graph_bytes,
            rerank_depth: self.dense.rerank_depth(),
            graph_renewals: self.dense.renewals(),
            linked: u64::from(self.dense.linked_count()),
            hot: self.dense.hot(),
            cold,
            cold_reads,
            head_seq: state.head_seq(),
            durable_seq,
            checkpoint_seq: self.keeper.outcome().0,
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

    /// How its texts are read and ranked: a [`TextQuery`] is read by the same.
    #[must_use]
    pub fn text_rules(&self) -> &TextRules {
        &self.reader.rules
    }

    /// What the collection was opened with.
    #[must_use]
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Where its files are, when it keeps any.
    pub(crate) fn disk(&self) -> Option<Arc<dyn Disk>> {
        self.disk.clone()
    }

    pub(crate) fn log_reader(&self) -> Box<dyn LogReader> {
        self.committer.log_reader()
    }

    pub(crate) fn log_tail(&self, from: u64) -> Box<dyn LogTail> {
        self.committer.log_tail(from)
    }

    fn read(&self) -> Result<RwLockReadGuard<'_, State>, Error> {
        if let Some(what) = self.keeper.damage() {
            let what = what.to_string();
            return Err(Error::Damaged { what });
        }
        let panicked = |_| Error::Poisoned {
            reason: "a write ended in a panic".into(),
        };
        self.state.read().map_err(panicked)
    }

    fn read_as_of(&self, as_of: &AsOf) -> Result<RwLockReadGuard<'_, State>, Error> {
        let state = self.read()?;
        let horizon = state.horizon();
        match *as_of {
            AsOf::Seq(asked) if asked < horizon.seq => Err(Error::Trimmed { first: horizon.seq }),
            AsOf::Known(asked) if asked < horizon.known => {
                Err(Error::Trimmed { first: horizon.seq })
            }
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
        if let Some(linker) = self.linker.take() {
            self.dense.close();
            // A panic there was printed by its thread; dropping has nobody else to tell.
            let _ = linker.join();
        }
        if let Some(watcher) = self.watcher.take() {
            self.dense.watch.close();
            // As above.
            let _ = watcher.join();
        }
        if let Some(checkpointer) = self.checkpointer.take() {
            self.keeper.close();
            // As above.
            let _ = checkpointer.join();
        }
        if let Some(syncer) = self.syncer.take() {
            self.committer.close();
            // As above.
            let _ = syncer.join();
            // What was acknowledged within the last interval; a failure has nobody left to tell.
            let _ = self.committer.sync();
        }
    }
}

fn check_asked(filter: Option<&Filter>) -> Result<(), Error> {
    filter.map_or(Ok(()), check_filter).map_err(Error::Query)
}

fn refused(index: usize, op: &Op, source: Refusal) -> Error {
    let id = match op {
        Op::Upsert(point) => point.id.as_str(),
        Op::Delete { id, .. } => id,
        Op::DeleteWhere { .. } | Op::Trim { .. } => "",
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
        point: state.point(slot),
        seq_from: state.seq_from(slot),
    }
}
