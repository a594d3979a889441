//! The matcher against asking every question, on small worlds in which much coincides.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use collection::text::Analyser;
use collection::{Condition, Filter, Payload, Point, SyncPolicy, TextQuery, Value};
use market::event::{Instrument, InstrumentId};
use market::publish::{Frame, MarketState};
use proptest::prelude::*;
use rag::{Document, EmbeddedChunk};
use stdx::{Clock, ManualClock};

use super::mark::Mark;
use super::*;
use crate::{EmbeddingLimits, Node, Settings};

const WORDS: [&str; 8] = [
    "halt", "rates", "cut", "the", "fire", "mill", "Fed", "guidance",
];
const SYMBOLS: [&str; 4] = ["ACM", "BRK.B", "FLRX", "ON"];

fn text() -> impl Strategy<Value = String> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..7);
    words.prop_map(|words| words.join(" "))
}

/// Few directions, so that many cosines are exactly at a threshold.
fn direction() -> impl Strategy<Value = Vec<f32>> {
    let component = prop::sample::select(&[-1.0f32, -0.5, 0.0, 0.5, 1.0, 0.3333][..]);
    prop::collection::vec(component, 9).prop_filter_map("no direction", |mut vector| {
        vector::normalise(&mut vector).ok().map(|()| vector)
    })
}

fn words() -> impl Strategy<Value = Words> {
    (text(), 0..3).prop_filter_map("nothing but common words", |(text, how)| {
        let analyser = Analyser::default();
        let query = match how {
            0 => TextQuery::phrase(&text, &analyser),
            _ => TextQuery::parse(&text, &analyser),
        };
        let any = how == 1;
        (query.terms().len() > 0).then_some(Words { query, any })
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let symbols = prop::collection::vec(prop::sample::select(&SYMBOLS[..]), 0..3);
    (symbols, any::<bool>(), 0i64..4).prop_map(|(symbols, is_range, pages)| {
        let values = symbols.into_iter().map(Value::from).collect();
        let range = Condition::Range {
            field: "pages".into(),
            gte: Some(Value::Int(pages)),
            lte: None,
        };
        let any = Condition::Any {
            field: "symbols".into(),
            values,
        };
        match is_range {
            true => Filter {
                must: vec![range],
                must_not: vec![any],
            },
            false => Filter {
                must: vec![any],
                must_not: Vec::new(),
            },
        }
    })
}

fn question() -> impl Strategy<Value = Question> {
    let meaning = (direction(), direction(), 0..3).prop_map(|(vector, other, how)| {
        // As near as another direction is, to the bit.
        let cosine = vector::arch::Kernels::get().dot(&vector, &other);
        Meaning {
            vector,
            cosine_min: if how == 0 { 0.5 } else { cosine },
        }
    });
    let parts = (
        prop::option::of(words()),
        prop::option::of(meaning),
        prop::option::of(filter()),
    );
    parts.prop_map(|(words, meaning, filter)| Question {
        words,
        meaning,
        filter,
        ..Question::default()
    })
}

fn passage() -> impl Strategy<Value = Point> {
    let symbols = prop::collection::vec(prop::sample::select(&SYMBOLS[..]), 0..3);
    (text(), direction(), symbols, 0i64..4).prop_map(|(text, vector, symbols, pages)| {
        let symbols = symbols.into_iter().map(Value::from).collect();
        let fields = [
            ("symbols".to_owned(), Value::List(symbols)),
            ("pages".to_owned(), Value::Int(pages)),
        ];
        Point {
            id: "d#0".into(),
            vector,
            text,
            payload: Payload(fields.into()),
            ..Point::default()
        }
    })
}

fn put(matcher: &mut Matcher, id: usize, question: &Question, after_seq: u64) {
    let question = Question {
        id: format!("q{id}"),
        ..question.clone()
    };
    matcher.put(Arc::new(Standing {
        question,
        after_seq,
        definition: "".into(),
    }));
}

fn told(answered: &[Answered]) -> Vec<(&str, usize, u32, usize)> {
    let row = |a: &'_ Answered| (a.passage, a.score.to_bits(), a.passages);
    let rows = answered.iter().map(|a| {
        let (passage, score, passages) = row(a);
        (a.standing.question.id.as_str(), passage, score, passages)
    });
    rows.collect()
}

proptest! {
    #[test]
    fn nothing_is_missed_and_nothing_made_up(
        questions in prop::collection::vec((question(), 0u64..3), 1..60),
        removed in prop::collection::vec(0usize..60, 0..20),
        replaced in prop::collection::vec((0usize..60, question()), 0..10),
        documents in prop::collection::vec(prop::collection::vec(passage(), 1..4), 1..8),
    ) {
        let mut matcher = Matcher::default();
        let analyser = Analyser::default();
        for (id, (question, after_seq)) in questions.iter().enumerate() {
            put(&mut matcher, id, question, *after_seq);
        }
        for id in removed {
            matcher.remove(&format!("q{id}"));
        }
        for (id, question) in &replaced {
            put(&mut matcher, *id, question, 0);
        }
        for passages in &documents {
            let fast = matcher.answered(passages, &analyser, 2);
            let naive = matcher.answered_naive(passages, &analyser, 2);
            prop_assert_eq!(told(&fast), told(&naive));
        }
        let all: Vec<_> = matcher.iter_after("").cloned().collect();
        for standing in all {
            matcher.remove(&standing.question.id);
        }
        prop_assert_eq!(matcher.scanned_bytes(), 0);
        prop_assert!(documents.iter().all(|d| matcher.answered(d, &analyser, 2).is_empty()));
    }
}

#[test]
fn words_are_those_of_a_search() {
    let analyser = Analyser::default();
    let judge = |text: &str, any: bool, passage: &str| {
        let query = TextQuery::parse(text, &analyser);
        Words { query, any }.judge(&analyser.read(passage))
    };
    let passage = "The bank cut its rates by 25 basis points";
    assert_eq!(judge("rate cuts", false, passage), Some(1.0));
    assert_eq!(judge("rate hikes", false, passage), None);
    assert_eq!(judge("rate hikes", true, passage), Some(0.5));
    assert_eq!(
        judge("\"basis points\" hike", true, passage),
        Some(2.0 / 3.0)
    );
    assert_eq!(judge("\"points basis\" rate", true, passage), None);
    assert_eq!(judge("of the", true, passage), None);
}

/// Collects what it is told, and keeps the holds of documents whose ids begin with `slow`.
#[derive(Default)]
struct Told(Arc<Mutex<Vec<Line>>>);

/// Alert and document, and what holds the mark.
type Line = (String, Option<Hold>);

impl Sink for Told {
    fn take(&self, alert: &Arc<Alert>, hold: Option<Hold>) {
        let Arrival::Document(document) = &alert.of else {
            panic!("a document");
        };
        let hold = hold.filter(|_| document.document_id.starts_with("slow"));
        let told = format!("{} {}", alert.id, document.document_id);
        self.0.lock().expect("whole").push((told, hold));
    }
}

/// For questions without a meaning, which are the same to every model.
fn no_renewal() -> RenewQuestion {
    Box::new(|kept| Err(kept.id.clone()))
}

struct World {
    dir: tempfile::TempDir,
    clock: Arc<ManualClock>,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let clock = Arc::new(ManualClock::at(1_000_000_000_000));
        Self { dir, clock }
    }

    fn node(&self) -> Arc<Node> {
        let settings = Settings {
            dir: self.dir.path().to_path_buf(),
            sync: SyncPolicy::Never,
            limits: collection::Options::default(),
            embedding: EmbeddingLimits::default(),
        };
        let clock: Arc<dyn Clock> = Arc::clone(&self.clock) as _;
        let node = Arc::new(Node::open(&settings, clock).expect("opens"));
        let head = node.documents().collection().head_seq();
        node.standing()
            .open(head, &|kept| Ok(halted(&kept.id)))
            .expect("opens");
        node
    }

    fn store(&self, node: &Node, id: &str, text: &str, known_at: u64) {
        let document = Document {
            id: id.into(),
            text: text.into(),
            known_at,
            ..Document::default()
        };
        let chunk = EmbeddedChunk {
            index: 0,
            start: 0,
            end: text.len(),
            text: text.into(),
            vector: [vec![1.0], vec![0.0; 383]].concat(),
        };
        node.documents()
            .store(&document, vec![chunk])
            .expect("stores");
    }

    /// What is told until there is nothing more to tell.
    fn told(&self, node: &Arc<Node>) -> (Vec<String>, Vec<Hold>) {
        let told = Told::default();
        let seen = Arc::clone(&told.0);
        let mut watcher =
            Watcher::new(Arc::clone(node), vec![Arc::new(told)], no_renewal()).expect("starts");
        watcher.turn(Duration::ZERO).expect("reads");
        watcher.finish();
        let seen = std::mem::take(&mut *seen.lock().expect("whole"));
        let (told, holds): (Vec<String>, Vec<Option<Hold>>) = seen.into_iter().unzip();
        (told, holds.into_iter().flatten().collect())
    }
}

fn halted(id: &str) -> Question {
    Question {
        id: id.into(),
        words: Some(Words {
            query: TextQuery::parse("halted", &Analyser::default()),
            any: false,
        }),
        ..Question::default()
    }
}

fn ask(node: &Node, id: &str) {
    let new = NewQuestion {
        question: halted(id),
        definition: "{}".into(),
    };
    let head = node.documents().collection().head_seq();
    node.standing().put(vec![new], head).expect("keeps");
}

fn documents(told: &[String]) -> Vec<&str> {
    told.iter()
        .filter_map(|line| line.split_once(' '))
        .map(|(_, id)| id)
        .collect()
}

#[test]
fn what_was_stored_while_nobody_watched_is_told_by_the_next_run_and_once() {
    let world = World::new();
    let now = world.clock.now_ns();
    {
        let node = world.node();
        world.store(&node, "before", "trading halted", now);
        ask(&node, "q");
        world.store(&node, "first", "trading halts", now);
        world.store(&node, "other", "a fire", now);
        assert_eq!(documents(&world.told(&node).0), ["first"]);
        world.store(&node, "second", "a halt", now);
    }
    let node = world.node();
    assert_eq!(documents(&world.told(&node).0), ["second"]);
    assert!(world.told(&node).0.is_empty());
    assert!(node.standing().remove("q").expect("forgets"));
    world.store(&node, "third", "a halt", now);
    assert!(world.told(&node).0.is_empty());
    ask(&node, "q");
    world.store(&node, "fourth", "a halt", now);
    assert_eq!(documents(&world.told(&node).0), ["fourth"]);
}

#[test]
fn what_was_not_delivered_is_told_again_under_the_same_id() {
    let world = World::new();
    let now = world.clock.now_ns();
    let first = {
        let node = world.node();
        ask(&node, "q");
        world.store(&node, "a", "halted", now);
        world.store(&node, "slow", "halted", now);
        world.store(&node, "b", "halted", now);
        let (told, holds) = world.told(&node);
        assert_eq!(documents(&told), ["a", "slow", "b"]);
        assert_eq!(holds.len(), 1);
        told
    };
    let node = world.node();
    let (again, holds) = world.told(&node);
    assert_eq!(again, first[1..]);
    drop(holds);
    let node = {
        drop(node);
        world.node()
    };
    assert_eq!(
        documents(&world.told(&node).0),
        ["slow", "b"],
        "nobody wrote a mark since"
    );
    assert_eq!(node.standing().counts().alerts, 2);
}

#[test]
fn a_document_of_the_future_is_told_when_it_becomes_known_also_by_a_later_run() {
    let world = World::new();
    let now = world.clock.now_ns();
    const DAY: u64 = 86_400_000_000_000;
    {
        let node = world.node();
        ask(&node, "q");
        world.store(&node, "ahead", "halted", now + DAY);
        world.store(&node, "withdrawn", "halted", now + DAY);
        world.store(&node, "now", "halted", now);
        node.documents()
            .delete("withdrawn", now + DAY)
            .expect("deletes");
        assert_eq!(documents(&world.told(&node).0), ["now"]);
        assert_eq!(node.standing().counts().ahead, 2);
    }
    let node = world.node();
    assert!(world.told(&node).0.is_empty());
    world.clock.set(now + 2 * DAY);
    assert_eq!(documents(&world.told(&node).0), ["ahead"]);
    assert!(world.told(&node).0.is_empty());
    assert_eq!(node.standing().counts().missed, 0);
}

#[test]
fn a_state_is_told_when_a_symbol_comes_near_and_again_when_it_came_back() {
    let world = World::new();
    let node = world.node();
    let state = |step: u64, bid: u64| {
        let state = MarketState {
            instrument: InstrumentId(0),
            end_ns: step,
            depths: [[bid, 100]; 4],
            ..MarketState::default()
        };
        Frame::State(state)
    };
    let Frame::State(near) = state(0, 300) else {
        panic!("a state");
    };
    let wish = |symbols: &[&str]| StateWish {
        vector: near.vector().to_vec(),
        distance_max: 0.01,
        symbols: symbols.iter().map(|symbol| (*symbol).to_owned()).collect(),
    };
    for (id, symbols) in [("all", &[][..]), ("one", &["acm"]), ("none", &["XYZ"])] {
        let new = NewQuestion {
            question: Question {
                id: id.into(),
                state: Some(wish(symbols)),
                ..Question::default()
            },
            definition: "{}".into(),
        };
        node.standing().put(vec![new], 0).expect("keeps");
    }
    let mut watcher = StateWatcher::new(Arc::clone(&node), Vec::new());
    watcher.turn();
    let name = Frame::Instrument(Instrument::new(InstrumentId(0), "ACM", 0, 2));
    node.publish(0, &[name]);
    for (step, bid) in [(1, 100), (2, 300), (3, 301), (4, 100), (5, 299)] {
        node.publish(0, &[state(step, bid)]);
        watcher.turn();
    }
    let told = node.standing().alerts().since(0, 99).alerts;
    let row = |alert: &Arc<Alert>| match &alert.of {
        Arrival::State(state) => (alert.standing.question.id.clone(), state.end_ns),
        Arrival::Document(_) => panic!("a state"),
    };
    let told: Vec<(String, u64)> = told.iter().map(row).collect();
    let want = [("all", 2), ("one", 2), ("all", 5), ("one", 5)];
    assert_eq!(told, want.map(|(id, step)| (id.to_owned(), step)));
    assert_eq!(node.standing().counts().states, 5);
}

#[test]
fn a_copy_has_the_questions() {
    let world = World::new();
    let node = world.node();
    ask(&node, "q");
    let copy = node.backup("one").expect("copies");
    for name in [QUESTIONS_FILE, MARK_FILE] {
        let read = |dir: &std::path::Path| std::fs::read(dir.join(name)).expect("reads");
        assert_eq!(read(&copy.dir), read(world.dir.path()), "{name}");
    }
}

/// A rewrite that failed used to answer 500 for a question that was kept, or left later ones in a file without a name.
#[test]
fn questions_are_kept_where_the_file_cannot_be_written_anew() {
    let world = World::new();
    let node = world.node();
    let beside = world.dir.path().join("standing.questions.new");
    std::fs::create_dir(&beside).expect("a folder in its way");
    let count = || node.standing().counts().untidied;
    ask(&node, "first");
    while count() == 0 {
        ask(&node, "q");
    }
    ask(&node, "q");
    assert_eq!(count(), 2, "left for the next one");
    std::fs::remove_dir(&beside).expect("out of the way");
    assert!(node.standing().remove("q").expect("forgets"));
    ask(&node, "behind");
    assert_eq!(count(), 2);
    let path = world.dir.path().join(QUESTIONS_FILE);
    assert!(std::fs::metadata(path).expect("a file").len() < 300);
    drop(node);
    let ids = world.node().standing().list("", 9);
    let ids: Vec<&str> = ids.iter().map(|s| s.question.id.as_str()).collect();
    assert_eq!(ids, ["behind", "first"]);
}

/// The embargo of an old entry ends, and its alert is long on its way: only that entry is read again.
#[test]
fn a_document_known_late_does_not_hold_what_came_behind_it() {
    let world = World::new();
    let now = world.clock.now_ns();
    {
        let node = world.node();
        ask(&node, "q");
        world.store(&node, "slow", "halted", now + 1);
        world.store(&node, "a", "halted", now);
        assert_eq!(documents(&world.told(&node).0), ["a"]);
        world.clock.set(now + 2);
        let (told, _holds) = world.told(&node);
        assert_eq!(documents(&told), ["slow"]);
    }
    let node = world.node();
    let (told, holds) = world.told(&node);
    assert_eq!(documents(&told), ["slow"], "told again, and alone");
    drop(holds);
}

#[test]
fn a_document_is_told_late_where_the_past_was_trimmed() {
    let world = World::new();
    let now = world.clock.now_ns();
    let node = world.node();
    ask(&node, "q");
    world.store(&node, "ahead", "halted", now + 1);
    assert!(world.told(&node).0.is_empty());
    world.clock.set(now + 9);
    node.trim(now + 5).expect("trims");
    assert_eq!(documents(&world.told(&node).0), ["ahead"]);
}

/// Takes a second for each alert.
struct Slow(Arc<ManualClock>);

impl Sink for Slow {
    fn take(&self, _: &Arc<Alert>, _: Option<Hold>) {
        self.0.set(self.0.now_ns() + 1_000_000_000);
    }
}

#[test]
fn a_long_backlog_is_matched_in_turns_with_a_mark_behind_each() {
    let world = World::new();
    let now = world.clock.now_ns();
    let node = world.node();
    ask(&node, "q");
    for id in ["a", "b", "c"] {
        world.store(&node, id, "halted", now);
    }
    let slow: Arc<dyn Sink> = Arc::new(Slow(Arc::clone(&world.clock)));
    let mut watcher = Watcher::new(Arc::clone(&node), vec![slow], no_renewal()).expect("starts");
    for alerts in 1..=3 {
        assert!(watcher.turn(Duration::ZERO).expect("reads"));
        let counts = node.standing().counts();
        assert_eq!(counts.alerts, alerts);
        let mark = Mark::read(world.dir.path()).expect("reads").expect("one");
        assert_eq!(mark.seq, counts.matched_seq);
    }
}
