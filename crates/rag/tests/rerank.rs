//! Goal: a cross-encoder orders the first of a list, within the deadline, and is never needed for an answer.

mod support;

use std::sync::Mutex;

use rag::*;
use stdx::ManualClock;
use support::*;

/// What a fake does when it is asked.
enum Way {
    /// The longer a text, the better.
    Longest,
    /// One score for all of them.
    Short,
    NoNumber,
    Late,
    Down,
}

struct Fake {
    way: Way,
    limit: usize,
    /// Texts of each call, and the deadline.
    asked: Mutex<Vec<(usize, u64)>>,
}

impl Fake {
    fn new(way: Way) -> Self {
        Self {
            way,
            limit: 50,
            asked: Mutex::default(),
        }
    }

    fn asked(&self) -> Vec<(usize, u64)> {
        self.asked.lock().expect("not poisoned").clone()
    }
}

impl Rerank for Fake {
    fn id(&self) -> &str {
        "fake-cross-encoder"
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn scores(&self, _: &str, texts: &[&str], deadline_ns: u64) -> Result<Vec<f32>, Fault> {
        self.asked
            .lock()
            .expect("not poisoned")
            .push((texts.len(), deadline_ns));
        let lengths = texts.iter().map(|text| text.len() as f32);
        match self.way {
            Way::Longest => Ok(lengths.collect()),
            Way::Short => Ok(vec![1.0]),
            Way::NoNumber => Ok(lengths.map(|_| f32::NAN).collect()),
            Way::Late => Err(Fault::Deadline { part: "rerank" }),
            Way::Down => Err(Fault::unavailable("rerank", "switched off")),
        }
    }
}

struct World {
    memory: FakeMemory,
    facts: FakeFacts,
    clock: ManualClock,
}

/// Passages that words and meaning like the less, the longer they are.
fn world() -> World {
    let world = World {
        memory: FakeMemory::default(),
        facts: FakeFacts::default(),
        clock: ManualClock::at(NOW),
    };
    for n in 0..6 {
        let other = " Nothing else of note was filed by the yard that week.".repeat(n);
        let document = Document {
            id: format!("d{n}"),
            text: format!("The harbour bridge opened in May.{other}"),
            event_at: NOW - DAY,
            known_at: NOW - DAY,
            ..Document::default()
        };
        world.asker(None).ingest(&document).expect("stored");
    }
    world
}

impl World {
    fn asker<'a>(&'a self, rerank: Option<&'a dyn Rerank>) -> Asker<'a> {
        Asker {
            rerank,
            ..Asker::new(&self.memory, &self.facts, &HashEmbedder, None, &self.clock)
        }
    }

    fn search(&self, rerank: Option<&dyn Rerank>, request: SearchRequest) -> SearchAnswer {
        let request = SearchRequest {
            q: "When did the harbour bridge open?".into(),
            ..request
        };
        self.asker(rerank).search(&request).expect("searches")
    }
}

fn ids(found: &SearchAnswer) -> Vec<&str> {
    let hits = found.hits.iter();
    hits.map(|hit| hit.passage.document_id.as_str()).collect()
}

#[test]
fn the_first_of_a_list_are_put_in_the_order_of_the_model() {
    let world = world();
    let plain = world.search(None, SearchRequest::default());
    assert_eq!(ids(&plain), ["d0", "d1", "d2", "d3", "d4", "d5"]);
    assert!(plain.receipt.reranked.is_empty() && plain.receipt.models.rerank.is_none());
    let mut fake = Fake::new(Way::Longest);
    fake.limit = 4;
    let found = world.search(Some(&fake), SearchRequest::default());
    assert_eq!(ids(&found), ["d3", "d2", "d1", "d0", "d4", "d5"]);
    let scored: Vec<bool> = found.hits.iter().map(|hit| hit.rerank.is_some()).collect();
    assert_eq!(scored, [true, true, true, true, false, false]);
    let receipt = &found.receipt;
    assert_eq!(receipt.models.rerank.as_deref(), Some("fake-cross-encoder"));
    let told = receipt.reranked.iter().map(|r| r.chunk_id.as_str());
    assert_eq!(told.collect::<Vec<_>>(), ["d3#0", "d2#0", "d1#0", "d0#0"]);
    assert_eq!(
        receipt.reranked[0].score,
        found.hits[0].rerank.expect("a score")
    );
    assert!(receipt.skipped.is_empty());
}

#[test]
fn one_list_alone_is_left_as_it_is() {
    let world = world();
    let fake = Fake::new(Way::Longest);
    for mode in [Mode::Dense, Mode::Text] {
        let request = SearchRequest {
            mode,
            ..SearchRequest::default()
        };
        world.search(Some(&fake), request);
    }
    assert!(fake.asked().is_empty());
}

#[test]
fn an_answer_cites_what_the_model_puts_first_and_nothing_that_does_not_support_it() {
    let world = world();
    let other = Document {
        id: "other".into(),
        text: format!(
            "Quarterly margins {}rose.",
            "of the maker of tents ".repeat(20)
        ),
        event_at: NOW - DAY,
        known_at: NOW - DAY,
        ..Document::default()
    };
    world.asker(None).ingest(&other).expect("stored");
    let question = Question::new("When did the harbour bridge open?");
    let first = |fake: Option<&dyn Rerank>| {
        let answer = world.asker(fake).ask(&question, &mut |_| true);
        answer.expect("answers")
    };
    assert_eq!(first(None).citations[0].document_id, "d0");
    let fake = Fake::new(Way::Longest);
    let reranked = first(Some(&fake));
    assert_ne!(reranked.citations[0].document_id, "d0");
    assert!(reranked.citations.iter().all(|c| c.document_id != "other"));
    assert!(reranked.receipt.models.rerank.is_some());
}

#[test]
fn whatever_fails_leaves_the_list_as_it_was_and_says_so() {
    let world = world();
    let plain = world.search(None, SearchRequest::default());
    for (way, why) in [
        (
            Way::Short,
            "rerank: rerank is unavailable: 1 scores for 6 texts",
        ),
        (Way::NoNumber, "rerank: rerank is unavailable"),
        (Way::Late, "rerank: deadline"),
        (Way::Down, "rerank: rerank is unavailable: switched off"),
    ] {
        let fake = Fake::new(way);
        let found = world.search(Some(&fake), SearchRequest::default());
        assert_eq!(ids(&found), ids(&plain));
        assert!(found.hits.iter().all(|hit| hit.rerank.is_none()));
        let receipt = &found.receipt;
        assert!(receipt.skipped[0].starts_with(why), "{:?}", receipt.skipped);
        assert!(receipt.models.rerank.is_none() && receipt.reranked.is_empty());
    }
}

#[test]
fn it_is_the_first_to_be_left_out() {
    let world = world();
    let within = |deadline_ms: u64| {
        let fake = Fake::new(Way::Longest);
        let request = SearchRequest {
            deadline_ms: Some(deadline_ms),
            ..SearchRequest::default()
        };
        let skipped = world.search(Some(&fake), request).receipt.skipped;
        (fake.asked(), skipped)
    };
    let late = "rerank: deadline".to_owned();
    let (asked, skipped) = within(59);
    assert!(asked.is_empty());
    assert_eq!(
        skipped,
        std::slice::from_ref(&late),
        "search by meaning goes on"
    );
    // What comes after it has its time.
    assert_eq!(within(60), (vec![(6, NOW + 50_000_000)], vec![]));
    let (asked, _) = within(60_000);
    assert_eq!(asked, [(6, NOW + 2 * SECOND)], "nobody waits for ever");
    let model = Writer;
    let fake = Fake::new(Way::Longest);
    let asker = Asker {
        model: Some(&model),
        ..world.asker(Some(&fake))
    };
    let question = Question {
        deadline_ms: Some(340),
        ..Question::new("When did the harbour bridge open?")
    };
    let answer = asker.ask(&question, &mut |_| true).expect("answers");
    assert_eq!(answer.receipt.skipped, [late], "the model has its time");
    assert_eq!(answer.receipt.models.answer.as_deref(), Some("writer"));
}

/// Writes the first passage's fact.
struct Writer;

impl Model for Writer {
    fn id(&self) -> &str {
        "writer"
    }

    fn complete(
        &self,
        _: &Prompt,
        _: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault> {
        let text = "The harbour bridge opened in May [1].";
        on_text(text);
        Ok(text.to_owned())
    }
}
