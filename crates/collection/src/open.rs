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

    /// As [`open_on`](Self::open_on), with options.
    ///
    /// # Errors
    /// As `open`.
    pub fn open_with(
        disk: Arc<dyn Disk>,
        settings: Settings,
        options: Options,
    ) -> Result<(Self, Recovery), Error> {
        check_dim(&settings)?;
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
        let collection = Self::start(Box::new(log), settings, state, Some(keeping), set_aside)?;
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
        let collection = Self::start(log, settings, None, None, &mut Vec::new())?;
        let records = collection.head_seq();
        Ok((collection, records))
    }

    fn start(
        mut log: Box<dyn Log>,
        settings: Settings,
        state: Option<State>,
        keeping: Option<Keeping>,
        set_aside: &mut Vec<String>,
    ) -> Result<Self, Error> {
        if log.next_seq() == 0 {
            let body = settings_body(&settings);
            log.append(&[Entry {
                seq: 0,
                kind: KIND_SETTINGS,
                body: &body,
            }])?;
            log.sync()?;
        }
        let mut state = state.unwrap_or_else(|| State::new(settings.dim, settings.metric));
        let checkpoint_seq = state.head_seq();
        log.read(state.next_seq(), &mut |entry| {
            apply_entry(&mut state, &settings, entry)
        })?;
        let dense = Arc::new(Dense::default());
        let unverified = match &keeping {
            Some(keeping) => open_index(&dense, &*keeping.disk, &state, set_aside)?,
            None => Vec::new(),
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
            Arc::clone(&state),
            Arc::clone(&dense),
            Arc::clone(&keeper),
            log,
        );
        let mut collection = Self {
            settings,
            state,
            dense,
            committer: Arc::new(committer),
            disk: keeping.as_ref().map(|keeping| Arc::clone(&keeping.disk)),
            keeper,
            hot_rows: keeping.as_ref().map_or(u64::MAX, |k| k.options.hot_rows),
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
            let settings = self.settings;
            let work = Work {
                disk,
                log_bytes: options.log_bytes,
                state: Arc::clone(&self.state),
                committer: Arc::clone(&self.committer),
                apply: Box::new(move |state, entry| apply_entry(state, &settings, entry)),
                empty: Box::new(move || State::new(settings.dim, settings.metric)),
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
    check_settings(settings, &settings_body(&kept))?;
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
            state.reclaim(usize::MAX);
            state.set_entry_crc(crc32fast::hash(entry.body));
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
