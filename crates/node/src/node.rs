//! One machine's whole state, behind the traits that `rag` asks for.

use std::collections::HashSet;
use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use collection::{Collection, Filter, Options, Recovery, SyncPolicy, TextRules};
use embed::Embedder;
use market::event::Terms;
use market::publish::Frame;
use rag::query::Names as Companies;
use rag::{
    Asker, Document, Embed, Embedded, EmbeddedChunk, Facts, Fault, Kept, KeptCounts, List, Memory,
    MemoryHead, Model, Mover, Passage, Search, Stamp, Stored, StreamHead, SymbolFacts, SymbolName,
};
use stdx::Clock;

use crate::embedding::{Embedding, EmbeddingLimits, MadeBy, Maker};
use crate::evidence::{Bundles, EvidenceCounts, Trigger, Triggers};
use crate::generation::{self, EarlierModel, Generations, ModelChange, Models, unit_vector};
use crate::market::MarketView;
use crate::memory::{Days, Documents, View, both, day_settings};
use crate::moments::{Keeper, KeptStates, MomentStore, StateFiles};
use crate::names::Names;
use crate::naming::{Naming, Sources};
use crate::outlet::{Outlets, Registry};
use crate::reference::{Listing, ReferenceStore};
use crate::seal::{Fill, Seal};
use crate::standing::StandingQuestions;

/// Where and how a node keeps its data.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The data folder; made if absent.
    pub dir: PathBuf,
    /// When writes reach the disk.
    pub sync: SyncPolicy,
    /// How much the documents may take in memory and on disk.
    pub limits: Options,
    /// How much may wait for the embedder, and how much of it is kept.
    pub embedding: EmbeddingLimits,
}

/// Why a node does not start.
#[derive(Debug, thiserror::Error)]
pub enum NodeError {
    /// The folder cannot be made or used.
    #[error("data folder {dir} cannot be used; check that it exists and may be written")]
    Folder {
        /// Which folder.
        dir: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Another process has it open.
    #[error(
        "data folder {dir} is in use by another ouzel process; \
         ask that server (--url), stop it, or use another folder (--data)"
    )]
    InUse {
        /// Which folder.
        dir: PathBuf,
    },
    /// The store refuses.
    #[error("the store in {dir} does not open")]
    Store {
        /// Which folder.
        dir: PathBuf,
        /// What the store said.
        source: collection::Error,
    },
    /// The vectors there are another model's.
    #[error(
        "data folder {dir} has vectors of {found}, not of {asked}: distances between the two mean nothing; \
         open it with the model that made it, or have all made anew by serving it with --reembed"
    )]
    OtherModel {
        /// Which folder.
        dir: PathBuf,
        /// Whose vectors it has.
        found: MadeBy,
        /// Whose it was opened with.
        asked: MadeBy,
    },
    /// One change of model at a time.
    #[error(
        "data folder {dir} is on its way to vectors of {coming}, so no change to {asked} can begin: \
         let that end, or drop it (ouzel models --forget)"
    )]
    ChangeUnderWay {
        /// Which folder.
        dir: PathBuf,
        /// Whose vectors are being made.
        coming: MadeBy,
        /// Whose it was opened with.
        asked: MadeBy,
    },
    /// The packaged model cannot be read.
    #[error("the packaged embedding model cannot be read")]
    Model(#[from] embed::Error),
}

/// Market view, documents, days and embedder of one machine.
pub struct Node {
    market: RwLock<MarketView>,
    outlets: Arc<Registry>,
    documents: Documents,
    days: Days,
    generations: Arc<Generations>,
    /// It counts tokens whoever embeds.
    packaged: Arc<Embedder>,
    moments: Arc<MomentStore>,
    triggers: Triggers,
    bundles: Bundles,
    standing: StandingQuestions,
    clock: Arc<dyn Clock>,
    names: Names,
    reference: ReferenceStore,
    seal: OnceLock<Seal>,
    /// Held while the key is read or made.
    sealing: Mutex<()>,
    naming: Naming,
    kept: Kept,
    recovery: Vec<(&'static str, Recovery)>,
    dir: PathBuf,
    /// Held for the life of the node: two writers of one log would destroy it.
    _lock: File,
}

/// What lists of earlier questions may take in memory.
const KEPT_BYTES: u64 = 64 << 20;
/// What market states may take, unless somebody says otherwise: about four million of them.
const MOMENT_BYTES: usize = 256 << 20;
/// Market states, in the data folder.
pub(crate) const STATES_DIR: &str = "states";
/// Of a log, what is read again in some milliseconds.
const STOP_BYTES: u64 = 1 << 20;

impl Node {
    /// Opens the data folder, recovers what was acknowledged and loads the packaged model.
    ///
    /// # Errors
    /// When the folder is unusable or in use, a log is corrupt, or the model cannot be read.
    pub fn open(settings: &Settings, clock: Arc<dyn Clock>) -> Result<Self, NodeError> {
        Self::open_for(settings, clock, None)
    }

    /// As [`open`](Self::open); `rules` are what the words of documents must go by, or by what they do: the default
    /// in a new folder.
    ///
    /// # Errors
    /// As `open`, and when the documents of the folder go by other rules.
    pub fn open_for(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        rules: Option<&TextRules>,
    ) -> Result<Self, NodeError> {
        Self::open_with(settings, clock, rules, Maker::Packaged)
    }

    /// As [`open_for`](Self::open_for), with vectors by `model`.
    ///
    /// # Errors
    /// As `open_for`, and when the folder's vectors are another model's.
    pub fn open_with(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        rules: Option<&TextRules>,
        model: Maker,
    ) -> Result<Self, NodeError> {
        let models = Models {
            model,
            ..Models::default()
        };
        Self::open_among(settings, clock, rules, models)
    }

    /// As [`open_with`](Self::open_with), with the models of earlier vectors beside it, and leave to make all vectors anew.
    ///
    /// # Errors
    /// As `open_with`, and when another change of model is under way.
    pub fn open_among(
        settings: &Settings,
        clock: Arc<dyn Clock>,
        rules: Option<&TextRules>,
        models: Models,
    ) -> Result<Self, NodeError> {
        let dir = &settings.dir;
        let lock = lock(dir)?;
        let store = |source| NodeError::Store {
            dir: dir.clone(),
            source,
        };
        let packaged = Arc::new(Embedder::packaged()?);
        let (generations, recovered) =
            generation::open(settings, &clock, rules, &packaged, models)?;
        let generations = Arc::new(generations);
        let documents = Documents::new(Arc::clone(&generations), Arc::clone(&clock));
        let documents = documents.map_err(store)?;
        let (days, recovered_days) =
            Days::open(&dir.join("days"), day_settings(settings.sync)).map_err(store)?;
        let names = Names::packaged();
        Ok(Self {
            market: RwLock::new(MarketView::new(names.clone())),
            outlets: Arc::default(),
            documents,
            days,
            generations,
            packaged,
            moments: Arc::new(MomentStore::new(MOMENT_BYTES)),
            triggers: Triggers::default(),
            bundles: Bundles::default(),
            standing: StandingQuestions::of(dir),
            clock,
            names,
            reference: ReferenceStore::default(),
            seal: OnceLock::new(),
            sealing: Mutex::default(),
            naming: Naming::default(),
            kept: Kept::new(KEPT_BYTES),
            recovery: vec![("documents", recovered), ("days", recovered_days)],
            dir: dir.clone(),
            _lock: lock,
        })
    }

    /// The market, for reading. Hold it briefly: lanes wait to publish.
    pub fn market(&self) -> RwLockReadGuard<'_, MarketView> {
        self.market.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies frames of `lane` to the market and hands them to every outlet. The only way in: a
    /// frame applied past it is seen by no outlet.
    pub fn publish(&self, lane: usize, frames: &[Frame]) {
        let signals = self
            .triggers
            .notice(lane, frames, |with| with(&self.market()));
        let had_ns = match signals.is_empty() {
            true => 0,
            false => self.clock.now_ns(),
        };
        self.outlets.publish(&self.market, lane, frames);
        self.moments.take(lane, frames, |id| {
            let view = self.market();
            view.of_lane(lane, id).map(|found| found.symbol.clone())
        });
        if signals.is_empty() {
            return;
        }
        // Only now: answers to them read what was just applied.
        let view = self.market();
        let triggers = signals.into_iter().filter_map(|(signal, book)| {
            let found = view.of_lane(lane, signal.instrument)?;
            Some(Trigger {
                symbol: found.symbol.clone(),
                instrument: found.instrument,
                signal,
                book,
                had_ns,
            })
        });
        let triggers: Vec<Trigger> = triggers.collect();
        drop(view);
        self.triggers.push(triggers);
    }

    /// Bundles of evidence, while an [`EvidenceWorker`](crate::EvidenceWorker) makes them.
    #[must_use]
    pub fn bundles(&self) -> &Bundles {
        &self.bundles
    }

    /// What became of the signals that asked for evidence.
    #[must_use]
    pub fn evidence_counts(&self) -> EvidenceCounts {
        let (triggers, dropped) = self.triggers.counts();
        EvidenceCounts {
            triggers,
            dropped,
            ..self.bundles.counts()
        }
    }

    pub(crate) fn triggers(&self) -> &Triggers {
        &self.triggers
    }

    /// Flags all that `lane` published, for readers of the market and of outlets: its source is lost.
    pub fn interrupt(&self, lane: usize) {
        self.outlets.interrupt(&self.market, lane);
    }

    /// The ways out.
    #[must_use]
    pub fn outlets(&self) -> Outlets<'_> {
        Outlets::new(&self.outlets, &self.market)
    }

    /// The market, for labels, reports and what else is not a frame.
    pub fn market_mut(&self) -> RwLockWriteGuard<'_, MarketView> {
        self.market.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reference data, for lanes and readers.
    #[must_use]
    pub fn reference(&self) -> &ReferenceStore {
        &self.reference
    }

    /// What is known of a symbol, and the number of the table that names it: 0 where only the feed
    /// itself does.
    #[must_use]
    pub fn listing(&self, symbol: &str) -> Option<(Listing, u32)> {
        let feed = self.feed_terms(symbol);
        if let Some(listing) = self.reference.find(symbol) {
            return Some((listing.with_feed(&feed), self.reference.revision()));
        }
        let listing = Listing {
            symbol: symbol.to_owned(),
            ..Listing::default()
        };
        (feed != Terms::default()).then(|| (listing.with_feed(&feed), 0))
    }

    /// How a symbol trades, as far as is known.
    #[must_use]
    pub fn terms(&self, symbol: &str) -> Terms {
        // No error: no file speaks of it, so the feed's own word stands.
        let loaded = self.reference.find(symbol);
        let loaded = loaded.map(|listing| listing.terms()).unwrap_or_default();
        self.feed_terms(symbol).updated(&loaded)
    }

    fn feed_terms(&self, symbol: &str) -> Terms {
        let view = self.market();
        let found = view.symbol(symbol);
        found
            .map(|found| found.instrument.terms)
            .unwrap_or_default()
    }

    /// Documents.
    #[must_use]
    pub fn documents(&self) -> &Documents {
        &self.documents
    }

    /// Past trading days.
    #[must_use]
    pub fn days(&self) -> &Days {
        &self.days
    }

    /// Market states, for past moments.
    #[must_use]
    pub fn moments(&self) -> &MomentStore {
        &self.moments
    }

    /// Reads the market states that earlier runs left in the data folder, and begins to keep this run's: until the keeper
    /// is dropped. Say [`MomentStore::set_limit`] before.
    ///
    /// # Errors
    /// When the folder or a file in it cannot be read.
    pub fn keep_states(&self) -> Result<(Keeper, KeptStates), NodeError> {
        let dir = self.dir.join(STATES_DIR);
        let folder = |source| NodeError::Folder {
            dir: dir.clone(),
            source,
        };
        let (files, kept) = StateFiles::open(&dir, &self.moments).map_err(folder)?;
        let keeper = Keeper::start(files, Arc::clone(&self.moments)).map_err(folder)?;
        Ok((keeper, kept))
    }

    /// Questions that wait for their answers.
    #[must_use]
    pub fn standing(&self) -> &StandingQuestions {
        &self.standing
    }

    /// Texts to vectors by turns, and what is known of them: the model that answers about now, or the one that is to where
    /// that was not opened.
    #[must_use]
    pub fn embedding(&self) -> Arc<Embedding> {
        self.generations.embedding()
    }

    /// The packaged embedder, past the queue: it counts tokens whoever embeds.
    #[must_use]
    pub fn embedder(&self) -> &Embedder {
        &self.packaged
    }

    /// Whose vectors answer about now.
    #[must_use]
    pub fn model(&self) -> MadeBy {
        self.generations.table().now.made_by.clone()
    }

    /// The change of model that is under way.
    #[must_use]
    pub fn model_change(&self) -> Option<ModelChange> {
        self.generations.change()
    }

    /// The earlier models whose vectors are kept, earliest first.
    #[must_use]
    pub fn earlier_models(&self) -> Vec<EarlierModel> {
        self.generations.earlier()
    }

    /// Whether the vectors of the model that is to come are made by this process.
    pub(crate) fn reembeds_here(&self) -> bool {
        let coming = self.generations.table().coming.clone();
        let embedding = coming.and_then(|coming| coming.embedding.clone());
        embedding.is_some_and(|embedding| embedding.is_here())
    }

    pub(crate) fn generations(&self) -> &Generations {
        &self.generations
    }

    /// Writes checkpoints of the stores whose logs have grown by [`STOP_BYTES`], so that the next start reads little of
    /// them. For an orderly end; without it nothing is lost.
    ///
    /// # Errors
    /// Which store could not, and why.
    pub fn checkpoint(&self) -> Result<(), NodeError> {
        self.each_store(|name, collection| {
            let written = collection.checkpoint_after(STOP_BYTES);
            written.map(drop).map_err(|source| NodeError::Store {
                dir: name.into(),
                source,
            })
        })
    }

    /// Calls `visit` with each store of this folder and its name, until it fails. Generations of documents come earliest
    /// first, so that a copy of one has no more than that of the one which it follows.
    pub(crate) fn each_store<E>(
        &self,
        mut visit: impl FnMut(&str, &Collection) -> Result<(), E>,
    ) -> Result<(), E> {
        for (name, generation) in self.generations.table().kept() {
            visit(&name, &generation.collection)?;
        }
        visit("days", self.days.collection())
    }

    /// What receipts are sealed with; the folder's key is made by `fill` where there is none.
    ///
    /// # Errors
    /// When the key cannot be read or made.
    pub fn seal(&self, fill: Fill) -> io::Result<&Seal> {
        if let Some(seal) = self.seal.get() {
            return Ok(seal);
        }
        let _making = self.sealing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(seal) = self.seal.get() {
            return Ok(seal);
        }
        let seal = Seal::open(&self.dir, fill)?;
        Ok(self.seal.get_or_init(|| seal))
    }

    /// The data folder.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// What opening each store found and mended.
    #[must_use]
    pub fn recovery(&self) -> &[(&'static str, Recovery)] {
        &self.recovery
    }

    /// The node's clock.
    #[must_use]
    pub fn clock(&self) -> &dyn Clock {
        self.clock.as_ref()
    }

    /// Everything a question needs.
    #[must_use]
    pub fn asker<'a>(&'a self, model: Option<&'a dyn Model>) -> Asker<'a> {
        Asker {
            kept: Some(&self.kept),
            ..Asker::new(self, self, self, model, self.clock())
        }
    }

    /// As [`asker`](Self::asker), over the documents of a view alone. `is_told`: every search is made, so that the view
    /// can tell how.
    #[must_use]
    pub fn asker_over<'a>(&'a self, view: &'a View<'a>, is_told: bool) -> Asker<'a> {
        Asker {
            kept: (!is_told).then_some(&self.kept),
            ..Asker::new(view, self, self, None, self.clock())
        }
    }

    fn sources(&self) -> Sources {
        let view = self.market();
        let names = view.symbols().iter().filter_map(|s| s.name.as_ref());
        Sources {
            carried: (view.symbols().len(), names.map(String::len).sum()),
            revision: self.reference.revision(),
            days: self.days.symbol_count(),
        }
    }

    /// How often a search's lists were kept from an earlier question.
    #[must_use]
    pub fn kept(&self) -> KeptCounts {
        self.kept.counts()
    }

    /// The documents that pass a filter.
    #[must_use]
    pub fn view(&self, filter: Option<Filter>) -> View<'_> {
        View::new(&self.documents, filter, self.clock())
    }
}

pub(crate) fn lock(dir: &Path) -> Result<File, NodeError> {
    let folder = |source| NodeError::Folder {
        dir: dir.to_path_buf(),
        source,
    };
    std::fs::create_dir_all(dir).map_err(folder)?;
    let path = dir.join("lock");
    let file = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    let file = file.map_err(folder)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(NodeError::InUse {
            dir: dir.to_path_buf(),
        }),
        Err(TryLockError::Error(source)) => Err(folder(source)),
    }
}

impl Memory for Node {
    fn dense(&self, vector: &[f32], search: &Search) -> Result<Vec<Passage>, Fault> {
        Ok(self.documents.dense(vector, search)?.0)
    }

    fn text(&self, query: &str, search: &Search) -> Result<Vec<Passage>, Fault> {
        Ok(self.documents.text(query, search)?.0)
    }

    fn dense_told(&self, vector: &[f32], search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        self.documents.dense(vector, search)
    }

    fn text_told(&self, query: &str, search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        self.documents.text(query, search)
    }

    fn both_told(
        &self,
        vector: &[f32],
        query: &str,
        search: &Search,
        clock: &dyn Clock,
    ) -> [List; 2] {
        let passages = self.documents.passages();
        both((self, passages), vector, query, search, clock)
    }

    fn instant(&self) -> Option<u64> {
        Some(self.documents.instant())
    }

    fn stamp(&self, instant: u64, is_past: bool) -> Option<Stamp> {
        self.documents.stamp(instant, is_past)
    }

    fn head(&self) -> MemoryHead {
        self.documents.head()
    }

    fn store(&self, document: &Document, chunks: Vec<EmbeddedChunk>) -> Result<Stored, Fault> {
        self.documents.store(document, chunks)
    }

    fn store_of(
        &self,
        document: &Document,
        chunks: Vec<EmbeddedChunk>,
        generation: Option<u32>,
    ) -> Result<Stored, Fault> {
        self.documents.store_of(document, chunks, generation)
    }
}

impl Facts for Node {
    /// The live market first; a symbol that no lane carries, or an instant before its first
    /// event, is answered from past days.
    fn as_of_facts(&self, symbol: &str, as_of: Option<u64>) -> Option<SymbolFacts> {
        let live = self.market().facts(symbol, as_of);
        let mut facts = live.or_else(|| {
            let known = as_of.unwrap_or_else(|| self.clock.now_ns());
            self.days.facts(&symbol.to_uppercase(), Some(known))
        })?;
        if facts.name.is_none() {
            facts.name = self.names.get(&facts.symbol).map(str::to_owned);
        }
        Some(facts)
    }

    fn movers(&self, as_of: Option<u64>, n: usize) -> Vec<Mover> {
        let live = self.market().movers(as_of, n);
        if live.is_empty() {
            self.days.movers(as_of, n)
        } else {
            live
        }
    }

    fn symbols(&self) -> Vec<SymbolName> {
        let view = self.market();
        let named = |symbol: &str, name: Option<&str>| SymbolName {
            symbol: symbol.to_owned(),
            name: name.map(str::to_owned),
        };
        let mut symbols: Vec<SymbolName> = view
            .symbols()
            .iter()
            .map(|s| named(&s.symbol, s.name.as_deref()))
            .collect();
        let mut known: HashSet<String> = symbols.iter().map(|s| s.symbol.clone()).collect();
        self.reference.for_each(|listing| {
            if known.insert(listing.symbol.clone()) {
                symbols.push(named(&listing.symbol, listing.name.as_deref()));
            }
        });
        for (symbol, name) in self.names.iter() {
            if known.insert(symbol.to_owned()) {
                symbols.push(named(symbol, Some(name)));
            }
        }
        // Past days know symbols that no lane carries any more and no list of today names.
        for symbol in self.days.symbols() {
            if !known.contains(&symbol) {
                symbols.push(named(&symbol, None));
            }
        }
        symbols
    }

    fn names(&self) -> Arc<Companies> {
        let sources = self.sources();
        self.naming.of(sources, || {
            let mut names = Companies::new(&self.symbols());
            self.reference.for_each(|listing| {
                let cik = listing.cik.as_deref().and_then(|cik| cik.parse().ok());
                if let Some(cik) = cik {
                    names.add_cik(cik, &listing.symbol);
                }
            });
            names
        })
    }

    fn stream_head(&self) -> Option<StreamHead> {
        self.market().stream_head()
    }
}

impl Embed for Node {
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
        Ok(self.embed_as_of(text, None)?.vector)
    }

    /// Where the model of now was not opened, and another is to come, passages are stored for their words until it has come.
    fn embed_batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        let table = self.generations.table();
        match &table.now.embedding {
            Some(embedding) => embedding.documents(texts),
            None => Ok(vec![unit_vector(table.now.made_by.dim); texts.len()]),
        }
    }

    fn embed_as_of(&self, text: &str, as_of: Option<u64>) -> Result<Embedded, Fault> {
        let table = self.generations.table();
        let generation = table.at(as_of.unwrap_or_else(|| self.clock.now_ns()))?;
        let embedding = generation.embedding.as_ref().ok_or_else(|| {
            let what = format!(
                "{}, whose vectors answer about that instant, was not opened",
                generation.made_by
            );
            Fault::unavailable("embedder", what)
        })?;
        Ok(Embedded {
            vector: embedding.question(text)?,
            model: generation.made_by.id.clone(),
            generation: Some(generation.number),
        })
    }

    fn generation(&self) -> Option<u32> {
        Some(self.generations.table().now.number)
    }

    fn model_id(&self) -> String {
        self.model().id
    }
}
