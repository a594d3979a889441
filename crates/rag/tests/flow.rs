//! Goal: the promises around an answer hold whatever the parts do: nothing from after the
//! instant, quotes verbatim, deadlines kept by skipping in order, a failing part named.

mod support;

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use rag::*;
use stdx::{Clock, ManualClock};
use support::*;

const CAUSE: &str =
    "Acme Industries cut its full-year forecast because of weak demand. Orders fell by 12 percent.";

struct World {
    memory: FakeMemory,
    facts: FakeFacts,
    clock: ManualClock,
}

fn world() -> World {
    let mut facts = FakeFacts::with(&[("ACME", "Acme Industries Inc.")]);
    facts.jump("ACME", NOW - MINUTE, -500.0);
    facts.head = Some(StreamHead {
        seq: 99,
        ts_event: NOW - SECOND,
        integrity: "ok".into(),
        feed_state: "live".into(),
    });
    let world = World {
        memory: FakeMemory::default(),
        facts,
        clock: ManualClock::at(NOW),
    };
    store(&world, "cause", CAUSE, NOW - MINUTE - 3 * SECOND);
    world
}

fn store(world: &World, id: &str, text: &str, at: u64) {
    let document = Document {
        id: id.into(),
        text: text.into(),
        source: Some("newswire".into()),
        symbols: vec!["ACME".into()],
        event_at: at,
        known_at: at,
        ..Document::default()
    };
    asker(world, None).ingest(&document).expect("stored");
}

fn asker<'a>(world: &'a World, model: Option<&'a dyn Model>) -> Asker<'a> {
    Asker::new(
        &world.memory,
        &world.facts,
        &HashEmbedder,
        model,
        &world.clock,
    )
}

fn ask(world: &World, model: Option<&dyn Model>, question: &Question) -> (Answer, String) {
    let mut streamed = String::new();
    let answer = asker(world, model)
        .ask(question, &mut |text| {
            streamed.push_str(text);
            true
        })
        .expect("answers");
    (answer, streamed)
}

/// Writes what it is told in small pieces, then ends as it is told.
struct Script {
    text: &'static str,
    end: Option<Fault>,
    asked: Mutex<Vec<Prompt>>,
}

impl Script {
    fn new(text: &'static str, end: Option<Fault>) -> Self {
        Self {
            text,
            end,
            asked: Mutex::default(),
        }
    }
}

impl Model for Script {
    fn id(&self) -> &str {
        "script"
    }

    fn complete(
        &self,
        prompt: &Prompt,
        _: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault> {
        self.asked
            .lock()
            .expect("not poisoned")
            .push(prompt.clone());
        let chars: Vec<char> = self.text.chars().collect();
        for piece in chars.chunks(5) {
            if !on_text(&piece.iter().collect::<String>()) {
                return Err(Fault::Stopped);
            }
        }
        self.end.clone().map_or(Ok(self.text.to_owned()), Err)
    }
}

#[test]
fn the_receipt_says_what_was_seen() {
    let (answer, streamed) = ask(&world(), None, &Question::new("why did ACME fall?"));
    assert_eq!(streamed, answer.answer);
    let receipt = &answer.receipt;
    let stream = receipt.stream.as_ref().expect("a feed");
    assert_eq!(
        (stream.seq, stream.freshness_ms, receipt.memory.seq),
        (99, 1_000.0, 1)
    );
    assert_eq!(receipt.memory.freshness_ms, Some(63_000.0));
    assert_eq!(receipt.models.embed.as_deref(), Some("hash-256"));
    assert_eq!(receipt.models.answer, None);
    assert!(receipt.candidates.fused > 0 && receipt.skipped.is_empty() && receipt.flags.is_empty());
    let citation = &answer.citations[0];
    assert_eq!(&CAUSE[citation.start..citation.end], citation.quote);
    assert!(
        answer.facts[1]
            .text
            .starts_with("ACME fell 5.00 % (100.00 to 95.00) within 2.0 s")
    );
}

#[test]
fn book_trouble_is_flagged() {
    let mut world = world();
    let facts = world.facts.all.get_mut("ACME").expect("there");
    (facts.integrity, facts.crossed, facts.state) = ("stale".into(), true, "halted".into());
    let (answer, _) = ask(&world, None, &Question::new("why did ACME rise?"));
    let want = [
        "book-stale:ACME",
        "book-crossed:ACME",
        "halted:ACME",
        "moved-the-other-way:ACME",
    ];
    assert_eq!(answer.receipt.flags, want);
    assert_eq!(answer.facts[0].integrity, "stale");
}

#[test]
fn a_leaking_memory_is_caught() {
    let mut world = world();
    world.memory.leaky = true;
    let as_of = Some(NOW - MINUTE - 3 * SECOND - 1);
    world
        .facts
        .all
        .get_mut("ACME")
        .expect("there")
        .jumps
        .clear();
    let (answer, _) = ask(
        &world,
        None,
        &Question {
            as_of,
            ..Question::new("why did ACME fall?")
        },
    );
    assert!(answer.abstained && answer.citations.is_empty());
    assert_eq!(answer.receipt.flags, ["passage-after-as-of-dropped"]);
    let request = SearchRequest {
        q: "forecast".into(),
        as_of,
        ..SearchRequest::default()
    };
    assert_eq!(
        asker(&world, None).search(&request).expect("answers").hits,
        []
    );
}

#[test]
fn a_model_writes_only_what_holds() {
    let model = Script::new(
        "Acme cut its forecast [1]. It will go bankrupt in 2031 [1]. ACME fell 5.00 %.",
        None,
    );
    let (answer, streamed) = ask(&world(), Some(&model), &Question::new("why did ACME fall?"));
    assert_eq!(
        answer.answer,
        "Acme cut its forecast [1]. ACME fell 5.00 %."
    );
    assert_eq!(streamed, answer.answer);
    assert_eq!(answer.receipt.models.answer.as_deref(), Some("script"));
    assert_eq!(answer.receipt.flags, ["model-sentences-removed"]);
    assert_eq!(answer.citations.len(), 1);
    let prompt = &model.asked.lock().expect("not poisoned")[0];
    assert!(prompt.user.contains(CAUSE) && prompt.user.contains("ACME fell 5.00 %"));
}

#[test]
fn a_model_that_fails_is_replaced_and_named() {
    let down = || Some(Fault::unavailable("model", "connection refused"));
    let extractive = ask(&world(), None, &Question::new("why did ACME fall?")).0;
    for model in [
        Script::new("", down()),
        Script::new("The moon did it [1]. ", down()),
        Script::new("NOT FOUND", None),
        Script::new("Buy it now.", None),
    ] {
        let (answer, streamed) = ask(&world(), Some(&model), &Question::new("why did ACME fall?"));
        assert_eq!(
            (&answer.answer, &streamed),
            (&extractive.answer, &extractive.answer)
        );
        assert_eq!(answer.citations, extractive.citations);
        assert!(
            answer.receipt.skipped[0].starts_with("model: "),
            "{:?}",
            answer.receipt.skipped
        );
        assert!(
            answer
                .receipt
                .flags
                .contains(&"answer-extractive".to_owned())
        );
    }
    let cut = Script::new("Acme cut its forecast [1]. Orders f", down());
    let (answer, _) = ask(&world(), Some(&cut), &Question::new("why did ACME fall?"));
    assert_eq!(answer.answer, "Acme cut its forecast [1].");
    assert_eq!(answer.receipt.flags, ["answer-cut-short"]);
}

#[test]
fn inventions_are_not_shown() {
    let mut world = world();
    world.facts = FakeFacts::with(&[("TURN", "Turnstile Inc.")]);
    world.facts.jump("TURN", NOW - MINUTE, -700.0);
    let news = Document {
        id: "breach".into(),
        title: Some("Turnstile discloses data breach".into()),
        text: "Turnstile disclosed a data breach that exposed records of 930 million customers."
            .into(),
        symbols: vec!["TURN".into()],
        event_at: NOW - MINUTE - 3 * SECOND,
        known_at: NOW - MINUTE - 3 * SECOND,
        ..Document::default()
    };
    asker(&world, None).ingest(&news).expect("stored");
    for invention in [
        "TURN denied any data breach and never exposed records of customers [1].",
        "TURN disclosed a breach of 930 trillion customers [1].",
        "930 trillion customers [1]",
        "«customers should flee now» [1]",
        "'we will be delisted' [1]",
        "disclosed record customers, so shares rose [1]",
    ] {
        let model = Script::new(invention, None);
        let (answer, streamed) = ask(&world, Some(&model), &Question::new("why did TURN fall?"));
        assert!(!streamed.contains(invention), "{streamed}");
        assert_eq!(streamed, answer.answer);
        let flags = &answer.receipt.flags;
        assert!(
            flags.contains(&"model-sentences-removed".to_owned()),
            "{invention}: {flags:?}"
        );
        assert_eq!(answer.receipt.models.answer, None);
    }
}

#[test]
fn a_model_that_never_ends_is_cut_off() {
    let endless: String = "Acme cut its forecast [1]. ".to_owned() + &"X".repeat(1 << 20);
    let model = Script::new(Box::leak(endless.into_boxed_str()), None);
    let (answer, _) = ask(&world(), Some(&model), &Question::new("why did ACME fall?"));
    assert_eq!(answer.answer, "Acme cut its forecast [1].");
    assert_eq!(answer.receipt.flags, ["answer-cut-short"]);
    assert!(answer.receipt.skipped[0].contains("more than 220 tokens"));
}

#[test]
fn no_evidence_no_model() {
    let model = Script::new("It was the weather.", None);
    let question = Question {
        as_of: Some(NOW - HOUR),
        ..Question::new("why did ACME fall?")
    };
    let (answer, _) = ask(&world(), Some(&model), &question);
    assert!(answer.abstained && model.asked.lock().expect("not poisoned").is_empty());
}

#[test]
fn a_deadline_skips_the_model_first_then_dense() {
    let model = Script::new("Acme cut its forecast [1].", None);
    let with = |deadline_ms| {
        let question = Question {
            deadline_ms: Some(deadline_ms),
            ..Question::new("why did ACME fall?")
        };
        ask(&world(), Some(&model), &question).0
    };
    assert_eq!(with(5_000).receipt.skipped, [] as [&str; 0]);
    assert_eq!(with(100).receipt.skipped, ["model: deadline"]);
    let hurried = with(3);
    assert_eq!(
        hurried.receipt.skipped,
        ["dense: deadline", "model: deadline"]
    );
    assert!(!hurried.abstained && hurried.receipt.models.embed.is_none());
}

#[test]
fn a_reader_who_leaves_stops_the_call() {
    let world = world();
    let model = Script::new("Acme cut its forecast [1]. ACME fell 5.00 %.", None);
    for model in [None, Some(&model as &dyn Model)] {
        let left = asker(&world, model).ask(&Question::new("why did ACME fall?"), &mut |_| false);
        assert_eq!(left, Err(Fault::Stopped));
    }
}

#[test]
fn limits_and_broken_parts_are_told() {
    let mut world = world();
    let fault = |world: &World, question: Question| {
        asker(world, None)
            .ask(&question, &mut |_| true)
            .expect_err("refused")
            .to_string()
    };
    assert!(fault(&world, Question::new(" ")).starts_with("`q` is empty"));
    assert!(fault(&world, Question::new("x".repeat(5_000))).contains("5000 bytes"));
    assert!(
        fault(
            &world,
            Question {
                k: 1_000,
                ..Question::new("x")
            }
        )
        .contains("`k` is 1000")
    );
    world.memory.down = true;
    assert!(fault(&world, Question::new("why did ACME fall?")).contains("memory is unavailable"));
}

#[test]
fn a_new_version_replaces_the_old_one() {
    let world = world();
    store(&world, "cause", "Acme Industries raised its forecast.", NOW);
    assert_eq!(world.memory.len(), 1);
    let draft = Draft {
        id: "d".into(),
        text: "Text.".into(),
        ..Draft::default()
    };
    let stored = asker(&world, None).ingest_draft(draft).expect("stored");
    assert_eq!((stored.chunks, stored.durable), (1, true));
    assert_eq!(world.memory.head().newest_known_at, Some(NOW));
}

#[test]
fn plain_questions_are_answered_from_the_best_sentence() {
    let world = world();
    let text = "Index funds follow an index. The expense ratio of a typical index fund is 0.1 percent. They were invented in 1975 by John Bogle.";
    store(&world, "fund", text, NOW - DAY);
    let (answer, _) = ask(
        &world,
        None,
        &Question::new("What is the typical expense ratio of index funds?"),
    );
    assert_eq!(
        answer.citations[0].quote,
        "The expense ratio of a typical index fund is 0.1 percent."
    );
    let (none, _) = ask(
        &world,
        None,
        &Question::new("What is the capital of Mongolia?"),
    );
    assert!(none.abstained && none.answer.starts_with("No answer found"));
}

#[test]
fn search_joins_both_lists_or_uses_one() {
    let world = world();
    store(
        &world,
        "other",
        "Weather was mild in the region.",
        NOW - DAY,
    );
    let request = |mode| SearchRequest {
        q: "forecast demand".into(),
        mode,
        ..SearchRequest::default()
    };
    for (mode, ranks) in [
        (Mode::Hybrid, (Some(1), Some(1))),
        (Mode::Dense, (Some(1), None)),
        (Mode::Text, (None, Some(1))),
    ] {
        let hits = asker(&world, None)
            .search(&request(mode))
            .expect("answers")
            .hits;
        assert_eq!((hits[0].rank_dense, hits[0].rank_text), ranks);
        assert_eq!(hits[0].passage.document_id, "cause");
    }
}

/// A clock that moves a microsecond at every look, so that stages have lengths.
struct Ticking(AtomicU64);

impl Clock for Ticking {
    fn now_ns(&self) -> u64 {
        self.0.fetch_add(1_000, Ordering::Relaxed)
    }
}

#[test]
fn stage_times_fit_into_the_total() {
    let world = world();
    let clock = Ticking(AtomicU64::new(NOW));
    let asker = Asker::new(&world.memory, &world.facts, &HashEmbedder, None, &clock);
    let answer = asker
        .ask(&Question::new("why did ACME fall?"), &mut |_| true)
        .expect("answers");
    let s = answer.receipt.stages_us;
    let sum = s.facts + s.embed + s.dense + s.text + s.fuse + s.assemble + s.answer + s.verify;
    assert!(
        s.embed > 0 && s.dense > 0 && s.text > 0 && sum <= s.total,
        "{s:?}"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Any text may be stored, any question asked; every quote is verbatim at its span.
    #[test]
    fn quotes_are_verbatim_in_any_text(
        texts in prop::collection::vec("(\\PC{0,60}|[a-z ]{0,40}|Acme (cuts forecast|recalls cars|sued for fraud)|[.!?\\n]{1,2} ){1,14}", 1..5),
        q in "(why did (ACME|acme) (move|fall)|\\PC{0,60}|forecast|what is moving)\\??",
    ) {
        let world = world();
        for (n, text) in texts.iter().enumerate().filter(|(_, t)| !t.trim().is_empty()) {
            store(&world, &n.to_string(), text, NOW - MINUTE - 3 * SECOND);
        }
        if !q.trim().is_empty() {
            let (answer, _) = ask(&world, None, &Question { k: 20, ..Question::new(q) });
            prop_assert_eq!(answer.abstained, answer.citations.is_empty());
            for c in &answer.citations {
                let text = c.document_id.parse::<usize>().map_or(CAUSE, |n| texts[n].as_str());
                prop_assert_eq!(text.get(c.start..c.end), Some(c.quote.as_str()));
            }
        }
    }
}
