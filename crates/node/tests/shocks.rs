//! The market asks: a simulated session with planted moves, planted causes and other news around them runs through a node
//! in its own time. All data is synthetic; what was planted is known to the test alone.

use std::sync::Arc;

use collection::{Options, SyncPolicy};
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{Frame, SignalKind};
use node::evidence::{Bundle, EvidenceWorker};
use node::reference::Listing;
use node::{Node, Settings};
use rag::Document;
use stdx::ManualClock;
use venue::{NewsItem, ScriptConfig, Shock, Venue, VenueConfig};

const SECOND: u64 = 1_000_000_000;
const MIDNIGHT: u64 = 1_795_392_000_000_000_000;
const START: u64 = MIDNIGHT + 34_200 * SECOND;
const LENGTH: u64 = 150 * SECOND;
const TICK: u64 = 20_000_000;
/// Planted moves are 3 % and more; the flow around them does not go so far.
const JUMP_BP: u32 = 100;

struct Session {
    node: Arc<Node>,
    clock: Arc<ManualClock>,
    _folder: tempfile::TempDir,
}

impl Session {
    fn open() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(START));
        let settings = Settings {
            dir: folder.path().to_path_buf(),
            sync: SyncPolicy::Never,
            limits: Options::default(),
            embedding: node::EmbeddingLimits::default(),
        };
        let node = Node::open(&settings, clock.clone()).expect("opens");
        Self {
            node: Arc::new(node),
            clock,
            _folder: folder,
        }
    }

    fn store(&self, item: &NewsItem) {
        let document = Document {
            id: item.id.to_string(),
            title: Some(item.headline.clone()),
            text: item.body.clone(),
            source: Some(venue::SOURCE.to_owned()),
            symbols: item.symbol.iter().cloned().collect(),
            event_at: item.at_ns,
            known_at: item.at_ns,
            ..Document::default()
        };
        self.node.asker(None).ingest(&document).expect("stores");
    }

    /// Publishes, and waits until everything that asked for evidence was answered.
    fn publish(&self, frames: &[Frame]) {
        self.node.publish(0, frames);
        loop {
            let counts = self.node.evidence_counts();
            if counts.bundles + counts.failed + counts.dropped == counts.triggers {
                return;
            }
            std::thread::yield_now();
        }
    }

    /// Runs the session; what was planted.
    fn run(&self) -> Vec<Shock> {
        let mut venue = Venue::new(VenueConfig {
            symbols: 40,
            rate: 1_000.0,
            opening_peak: 0.0,
            orders_per_symbol: 60,
            script: Some(ScriptConfig {
                first_ns: (5 * SECOND, 6 * SECOND),
                gap_ns: (5 * SECOND, 6 * SECOND),
                uncaused_every: 4,
                ..ScriptConfig::default()
            }),
            ..VenueConfig::new(11, START, MIDNIGHT)
        });
        let listings = venue.listings().iter().map(|listing| Listing {
            symbol: listing.symbol.to_string(),
            name: Some(listing.name.to_string()),
            sector: Some(listing.sector.name().to_owned()),
            ..Listing::default()
        });
        self.node.reference().load(listings.collect(), START);
        let mut config = PipelineConfig {
            midnight_ns: MIDNIGHT,
            state_step_ns: Some(100_000_000),
            ..PipelineConfig::default()
        };
        config.jump.threshold_bp = JUMP_BP;
        let mut pipeline = ItchPipeline::new(&config);
        let mut now = START;
        while now < START + LENGTH {
            now += TICK;
            self.clock.set(now);
            venue
                .news_until(now)
                .iter()
                .for_each(|item| self.store(item));
            venue.step(now, &mut |message| pipeline.message(now, message));
            let mut frames: Vec<Frame> = Vec::new();
            pipeline.publish(&mut frames);
            self.publish(&frames);
        }
        let planted = venue.truth().into_iter();
        planted
            .filter(|shock| shock.at_ns + shock.span_ns < START + LENGTH)
            .collect()
    }
}

/// The first bundle of each planted move.
fn first<'a>(bundles: &'a [Arc<Bundle>], shock: &Shock) -> Option<&'a Bundle> {
    let within = shock.at_ns..=shock.at_ns + shock.span_ns;
    let is_of = |b: &&Arc<Bundle>| {
        b.trigger.symbol == shock.symbol && within.contains(&b.trigger.signal.stamp.ts_event)
    };
    bundles.iter().find(is_of).map(Arc::as_ref)
}

/// What holds of every bundle, whatever it found.
fn check(session: &Session, bundle: &Bundle) {
    let signal = bundle.trigger.signal;
    assert!(bundle.at <= signal.stamp.ts_event);
    let answer = &bundle.explained.answer;
    assert_eq!(answer.receipt.as_of, Some(bundle.at));
    let peers = bundle.explained.peers.iter().map(|peer| &peer.citation);
    let beside = bundle.explained.news.iter().chain(peers);
    let shown: Vec<&rag::Citation> = answer.citations.iter().chain(beside).collect();
    assert_eq!(answer.receipt.spans.len(), shown.len());
    assert_eq!(answer.abstained, answer.citations.is_empty());
    assert_eq!(answer.abstained, answer.answer.contains("No cause found"));
    for cited in shown {
        assert!(cited.known_at <= bundle.at, "known after the signal");
        let version = (cited.seq, cited.known_at);
        let stored = session.node.documents();
        let span = stored.span(&cited.chunk_id, version, (cited.start, cited.end));
        let span = span.expect("reads").expect("is kept");
        assert_eq!(span.text, cited.quote);
    }
    if let Some(book) = bundle.trigger.book {
        assert!(book.stamp.ts_event <= signal.stamp.ts_event);
        assert_eq!(book.instrument, signal.instrument);
    }
    if let Ok(similar) = &bundle.similar {
        assert!(similar.at <= bundle.at);
        let before = |m: &node::moments::Moment| m.at + bundle.window_ns <= similar.at;
        assert!(similar.moments.iter().all(before));
    }
}

#[test]
fn planted_causes_are_cited_and_moves_without_one_have_none() {
    let session = Session::open();
    let worker = EvidenceWorker::spawn(Arc::clone(&session.node)).expect("a thread");
    assert!(EvidenceWorker::spawn(Arc::clone(&session.node)).is_err());
    let planted = session.run();
    let bundles = session.node.bundles().after(0);
    bundles.iter().for_each(|bundle| check(&session, bundle));
    let (mut caused, mut cited, mut uncaused, mut invented) = (0, 0, 0, Vec::new());
    for shock in &planted {
        let Some(bundle) = first(&bundles, shock) else {
            panic!("no bundle of {shock:?}");
        };
        let shown = &bundle.explained.answer.citations;
        match shock.cause {
            Some(id) => {
                caused += 1;
                cited += u32::from(shown.iter().any(|c| c.document_id == id.to_string()));
            }
            None => {
                uncaused += 1;
                invented.extend(shown.iter().map(|c| c.quote.clone()));
            }
        }
    }
    assert!(caused >= 15 && uncaused >= 5, "{caused}, {uncaused}");
    assert!(cited * 10 >= caused * 9, "{cited} of {caused}");
    assert!(invented.is_empty(), "{invented:?}");
    let told_again = bundles.iter().filter(|b| b.follows.is_some()).count();
    assert!(told_again > 0, "moves of 3 % and more are told twice");
    let with_moments = bundles.iter().filter(|b| b.similar.is_ok()).count();
    assert!(with_moments * 10 >= bundles.len() * 9);
    let with_book = bundles.iter().filter(|b| b.trigger.book.is_some()).count();
    assert!(with_book * 10 >= bundles.len() * 9, "{with_book}");

    // The same asked again when all later news is known.
    let asker = session.node.asker(None);
    for bundle in bundles.iter().filter(|b| !b.explained.answer.abstained) {
        let SignalKind::Jump {
            from, to, span_ns, ..
        } = bundle.trigger.signal.kind
        else {
            continue;
        };
        let stamp = bundle.trigger.signal.stamp;
        let again = asker.explain(&rag::Shock {
            symbol: bundle.trigger.symbol.clone(),
            at: bundle.at,
            jump: Some(rag::Jump {
                at: stamp.ts_event,
                span_ns,
                from: from.to_f64(),
                to: to.to_f64(),
                seq: stamp.seq,
            }),
            peers: Vec::new(),
        });
        let again = again.expect("answers").answer.citations;
        assert_eq!(again, bundle.explained.answer.citations);
    }
    // Nobody reads, nothing is queued.
    drop(worker);
    let before = session.node.evidence_counts().triggers;
    let signal = bundles[0].trigger.signal;
    session.node.publish(0, &[Frame::Signal(signal)]);
    assert_eq!(session.node.evidence_counts().triggers, before);
}
