//! Opening: the last checkpoint, the log behind it, and the threads that go on from there.

use std::path::Path;
use std::sync::{Arc, RwLock};
use std::thread::Builder;

use vector::{DIM_MAX, Metric};

use crate::checkpoint::{Checkpoint, Keeper, Sections, Work, latest};
use crate::codec::read_batch;
use crate::collection::{Options, Recovery, Settings};
use crate::commit::Committer;
use crate::dense::{Dense, Linker, open as open_graph, open_cold};
use crate::disk::{Disk, FsDisk};
use crate::log::{Entry, KIND_BATCH, KIND_SETTINGS, LocalLog, Log};
use crate::snapshot::check_finished;
use crate::state::{State, check, prepare};
use crate::text::TextRules;
use crate::{Collection, Error, Refusal, SyncPolicy};

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
        Self::open_with(Arc::new(disk), settings, Options::default())
    }

    /// As [`open`](Self::open), created to read and rank texts by these rules. A collection that is there goes by its
    /// own, and is not opened by others.
    ///
    /// # Errors
    /// As `open`; `Query` for rules that make no sense.
    pub fn open_for(
        dir: &Path,
        settings: Settings,
        rules: &TextRules,
    ) -> Result<(Self, Recovery), Error> {
        let disk = Arc::new(FsDisk::open(dir)?);
        Self::open_by(disk, settings, Options::default(), Some(rules))
    }

    /// As [`open_on`](Self::open_on), with options.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        settings: Settings,
        options: Options,
    ) -> Result<(Self, Recovery), Error> {
        Self::open_by(disk, settings, options, None)
    }

    /// As [`open_with`](Self::open_with); `rules` are those that texts must go by, or by any.
    ///
    /// # Errors
    /// As [`open_for`](Self::open_for).
    pub fn open_by(
        disk: Arc<dyn Disk>,
        settings: Settings,
        options: Options,
        rules: Option<&TextRules>,
    ) -> Result<(Self, Recovery), Error> {
        check_dim(&settings)?;
        check_options(&settings, &options)?;
        if let Some(flaw) = rules.and_then(TextRules::flaw) {
            return Err(Error::Query(Refusal::TextRules(flaw)));
        }
        check_finished(&*disk)?;
        let (log, cut) = LocalLog::open(Arc::clone(&disk))?;
        let mut recovery = Recovery {
            cut_bytes: cut.bytes,
            reason: cut.reason,
            ..Recovery::default()
        };
        let opened = latest(&*disk, &mut recovery.set_aside)?;
        check_start(&log, opened.as_ref())?;
        if let Some(opened) = &opened {
            check_checkpoint(&opened.state, &settings, &log)?;
            recovery.checkpoint_seq = opened.state.head_seq();
        }
        let (state, unverified) = match opened {
            Some(opened) => (Some(opened.state), opened.unverified),
            None => (None, Vec::new()),
        };
        let keeping = Keeping {
            disk,
            options,
            unverified,
        };
        let set_aside = &mut recovery.set_aside;
        let epoch = options.epoch;
        let parts = (state, Some(keeping), epoch);
        let collection = Self::start(Box::new(log), settings, rules, parts, set_aside)?;
        recovery.records = collection.head_seq();
        Ok((collection, recovery))
    }

    /// Opens the collection that a log is, and says how many batches it applied. There are no checkpoints: every
    /// opening applies the whole log.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_log(log: Box<dyn Log>, settings: Settings) -> Result<(Self, u64), Error> {
        check_dim(&settings)?;
        check_start(&*log, None)?;
        let collection = Self::start(log, settings, None, (None, None, None), &mut Vec::new())?;
        let records = collection.head_seq();
        Ok((collection, records))
    }

    fn start(
        mut log: Box<dyn Log>,
        settings: Settings,
        rules: Option<&TextRules>,
        (state, keeping, epoch): (Option<State>, Option<Keeping>, Option<u64>),
        set_aside: &mut Vec<String>,
    ) -> Result<Self, Error> {
        let epoch = epoch.unwrap_or(log.epoch());
        log.fence(epoch)?;
        if log.next_seq() == 0 {
            begin_log(&mut *log, epoch, &settings, rules)?;
        }
        let mut state = match state {
            Some(state) => state,
            None => State::new(settings.dim, settings.metric, &kept_rules(&*log)?),
        };
        let reader = Arc::clone(state.reader());
        check_rules(&reader.rules, rules)?;
        let checkpoint_seq = state.head_seq();
        log.read(state.next_seq(), &mut |entry| {
            apply_entry(&mut state, &settings, entry)
        })?;
        let exact_rows = keeping.as_ref().map_or(0, |k| k.options.exact_rows);
        let dense = Arc::new(Dense::exact_to(exact_rows));
        let unverified = match &keeping {
            Some(keeping) if state.version_count() > exact_rows => {
                open_index(&dense, &*keeping.disk, &state, set_aside)?
            }
            _ => Vec::new(),
        };
        dense.arrived(state.version_count() as u32);
        let every = keeping
            .as_ref()
            .map_or(u64::MAX, |k| k.options.checkpoint_bytes);
        // A log that was applied from its start is due at once, when it is long enough.
        let seen_bytes = if checkpoint_seq == 0 {
            0
        } else {
            log.size_bytes()
        };
        let keeper = Arc::new(Keeper::new(every, checkpoint_seq, seen_bytes));
        keeper.grown(log.size_bytes());
        let state = Arc::new(RwLock::new(state));
        let committer = Committer::new(
            settings.sync,
            epoch,
            Arc::clone(&state),
            Arc::clone(&dense),
            Arc::clone(&keeper),
            log,
        );
        let mut collection = Self {
            settings,
            reader,
            state,
            dense,
            committer: Arc::new(committer),
            disk: keeping.as_ref().map(|keeping| Arc::clone(&keeping.disk)),
            keeper,
            hot_rows: keeping.as_ref().map_or(u64::MAX, |k| k.options.hot_rows),
            tail_rows: keeping.as_ref().map_or(u64::MAX, |k| k.options.tail_rows),
            compact: keeping.as_ref().is_some_and(|k| k.options.compact),
            syncer: None,
            linker: None,
            watcher: None,
            checkpointer: None,
        };
        collection.start_threads(keeping, unverified)?;
        Ok(collection)
    }

    fn start_threads(
        &mut self,
        keeping: Option<Keeping>,
        unverified: Vec<Sections>,
    ) -> Result<(), Error> {
        let spawn = |name: &str, body: Box<dyn FnOnce() + Send>| {
            let started = Builder::new().name(name.into()).spawn(body);
            started.map_err(Error::io("start a thread for", name))
        };
        if let SyncPolicy::IntervalMs(interval_ms) = self.settings.sync {
            let committer = Arc::clone(&self.committer);
            let body = Box::new(move || committer.sync_every(interval_ms));
            self.syncer = Some(spawn("collection-sync", body)?);
        }
        let committer = Arc::clone(&self.committer);
        let linker = Linker {
            dense: Arc::clone(&self.dense),
            state: Arc::clone(&self.state),
            disk: keeping.as_ref().map(|keeping| Arc::clone(&keeping.disk)),
            sync: Box::new(move || committer.sync()),
            unverified,
            hot_rows: self.hot_rows,
            compact: self.compact,
        };
        self.linker = Some(spawn("collection-link", Box::new(|| linker.run()))?);
        let (dense, state) = (Arc::clone(&self.dense), Arc::clone(&self.state));
        let body = Box::new(move || dense.watch.run(&state));
        self.watcher = Some(spawn("collection-recall", body)?);
        if let Some(Keeping {
            disk,
            options,
            unverified: opened,
        }) = keeping
        {
            let (settings, dense) = (self.settings, Arc::clone(&self.dense));
            let reader = Arc::clone(&self.reader);
            let work = Work {
                disk,
                log_bytes: options.log_bytes,
                state: Arc::clone(&self.state),
                committer: Arc::clone(&self.committer),
                linked: Box::new(move || dense.saved_count()),
                apply: Box::new(move |state, entry| apply_entry(state, &settings, entry)),
                empty: Box::new(move || State::new(settings.dim, settings.metric, &reader.rules)),
            };
            let keeper = Arc::clone(&self.keeper);
            let body = Box::new(move || keeper.run(&work, &opened));
            self.checkpointer = Some(spawn("collection-keep", body)?);
        }
        Ok(())
    }
}

/// What the thread that writes checkpoints needs.
struct Keeping {
    disk: Arc<dyn Disk>,
    options: Options,
    /// What was opened and not verified yet.
    unverified: Vec<Sections>,
}

/// Opens graph and cold rows where they fit, and says what of them is not verified yet.
fn open_index(
    dense: &Dense,
    disk: &dyn Disk,
    state: &State,
    set_aside: &mut Vec<String>,
) -> Result<Vec<Sections>, Error> {
    let graph = open_graph(disk, state, set_aside)?;
    let cold = open_cold(disk, state, set_aside)?;
    let Some(graph) = graph else {
        return Ok(Vec::new());
    };
    let (linked, file) = graph.split();
    let mut unverified = vec![file];
    let cold = cold.map(|(cold, file)| {
        unverified.push(file);
        cold
    });
    if dense.begin_with(linked, cold, state.forgotten()) {
        return Ok(unverified);
    }
    set_aside.push("the graph and the cold rows do not have all rows between them".into());
    Ok(Vec::new())
}

fn check_dim(settings: &Settings) -> Result<(), Error> {
    if settings.dim == 0 || settings.dim > DIM_MAX {
        return Err(Error::Query(Refusal::TooLarge {
            what: "dimension",
            size: settings.dim,
            limit: DIM_MAX,
        }));
    }
    Ok(())
}

/// Lists of cold rows are ranked by distance, and a product of rows of unequal lengths is none.
fn check_options(settings: &Settings, options: &Options) -> Result<(), Error> {
    if settings.metric == Metric::Ip && options.hot_rows != u64::MAX {
        return Err(Error::Unsupported {
            what: "a limit of hot rows (`hot_rows`) under the inner product",
            why: "rows that leave the graph are found by distance; leave the limit out, or use cosine",
        });
    }
    Ok(())
}

/// Whether the log begins where the checkpoint ends, or before.
fn check_start(log: &dyn Log, checkpoint: Option<&Checkpoint>) -> Result<(), Error> {
    let needed = checkpoint.map_or(0, |checkpoint| checkpoint.state.next_seq());
    let first = log.first_seq();
    if first <= needed {
        return Ok(());
    }
    Err(Error::Corrupt {
        file: "the log".into(),
        offset: 0,
        reason: format!("entries {needed} to {} before it are missing", first - 1),
    })
}

/// Whether a checkpoint is one of this log.
fn check_checkpoint(state: &State, settings: &Settings, log: &dyn Log) -> Result<(), Error> {
    let kept = Settings {
        dim: state.dim(),
        metric: state.metric(),
        ..*settings
    };
    let rules = &state.reader().rules;
    check_settings(settings, rules, &settings_body(&kept, rules))?;
    let (seq, crc) = state.entry();
    let name = format!("the checkpoint of entry {seq}");
    let corrupt = |reason: &str| Error::Corrupt {
        file: name.clone(),
        offset: 0,
        reason: reason.to_owned(),
    };
    if log.next_seq() <= seq {
        return Err(corrupt(
            "the log ends before it, so entries that were synced are gone",
        ));
    }
    let mut is_same = true;
    log.read_one(seq, &mut |entry| {
        is_same = seq == 0 || crc32fast::hash(entry.body) == crc;
    })?;
    if is_same {
        Ok(())
    } else {
        Err(corrupt("the log's entry of that number is another one"))
    }
}

fn apply_entry(state: &mut State, settings: &Settings, entry: Entry<'_>) -> Result<(), Error> {
    match (entry.seq, entry.kind) {
        (0, KIND_SETTINGS) => check_settings(settings, &state.reader().rules, entry.body),
        (seq, KIND_BATCH) if seq > 0 => {
            let unreadable = |reason: String| Error::Entry { seq, reason };
            let ops = read_batch(entry.body).map_err(|e| unreadable(e.to_string()))?;
            for op in &ops {
                check(op, settings.dim, settings.metric).map_err(|e| unreadable(e.to_string()))?;
            }
            let reader = Arc::clone(state.reader());
            let changes = ops
                .into_iter()
                .map(|op| prepare(op, settings.metric, &reader.analyser))
                .collect();
            state.apply(seq, changes);
            state.reclaim(usize::MAX);
            state.set_entry_crc(crc32fast::hash(entry.body));
            Ok(())
        }
        (seq, kind) => Err(Error::Newer {
            what: format!("entry {seq} of kind {kind}"),
        }),
    }
}

/// The rules that the log's first entry has; where that is gone or cannot be read, whoever reads on says so.
fn kept_rules(log: &dyn Log) -> Result<TextRules, Error> {
    let mut rules = None;
    log.read_one(0, &mut |entry| {
        let kept = entry.body.get(SETTINGS_SIZE..);
        rules = kept.and_then(TextRules::from_bytes);
    })?;
    // What cannot be read as rules cannot be read as settings: applying the log names it.
    Ok(rules.unwrap_or_default())
}

const SETTINGS_SIZE: usize = 8;

/// `dim` (u32), metric (u8), three bytes kept zero; then the rules of texts, where they are not the default.
fn settings_body(settings: &Settings, rules: &TextRules) -> Vec<u8> {
    let mut body = vec![0; SETTINGS_SIZE];
    body[..4].copy_from_slice(&(settings.dim as u32).to_le_bytes());
    body[4] = match settings.metric {
        Metric::L2 => 1,
        Metric::Ip => 2,
        Metric::Cosine => 3,
    };
    body.extend(rules.to_bytes());
    body
}

fn check_settings(settings: &Settings, rules: &TextRules, body: &[u8]) -> Result<(), Error> {
    if body == settings_body(settings, rules) {
        return Ok(());
    }
    if body.starts_with(&settings_body(settings, &TextRules::default())) {
        return Err(Error::Newer {
            what: "the rules of texts in entry 0 of the log".to_owned(),
        });
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

/// Says in the log's first entry what the collection is.
fn begin_log(
    log: &mut dyn Log,
    epoch: u64,
    settings: &Settings,
    rules: Option<&TextRules>,
) -> Result<(), Error> {
    let body = settings_body(settings, rules.unwrap_or(&TextRules::default()));
    let entry = Entry {
        seq: 0,
        kind: KIND_SETTINGS,
        body: &body,
    };
    log.append(epoch, &[entry])?;
    log.sync()
}

/// Refuses rules that are not those of the texts that are there.
fn check_rules(kept: &TextRules, wanted: Option<&TextRules>) -> Result<(), Error> {
    match wanted.filter(|wanted| *wanted != kept) {
        None => Ok(()),
        Some(wanted) => Err(Error::Settings {
            found: format!("texts by {kept}"),
            wanted: wanted.to_string(),
        }),
    }
}
