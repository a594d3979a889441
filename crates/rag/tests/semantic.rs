//! Goal: a question answered from an earlier one's lists gets what that one would get now, never anything stale, and
//! only where both claim the same. Method: random workloads against uncached answers, a crowd that asks the same in other
//! words, and the questions of TAT-QA, each once and in other words, by how often their hits are not their own.

mod support;

use std::collections::{HashMap, HashSet};
use std::io::{BufReader, Read};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rag::*;
use serde_json::Value;
use stdx::{ManualClock, Rng};
use support::*;

/// A fake memory that vouches for its lists by counting writes.
#[derive(Default)]
struct Stamped {
    memory: FakeMemory,
    writes: AtomicU64,
}

impl Memory for Stamped {
    fn dense(&self, vector: &[f32], search: &Search) -> Result<Vec<Passage>, Fault> {
        self.memory.dense(vector, search)
    }

    fn text(&self, query: &str, search: &Search) -> Result<Vec<Passage>, Fault> {
        self.memory.text(query, search)
    }

    fn head(&self) -> MemoryHead {
        self.memory.head()
    }

    fn instant(&self) -> Option<u64> {
        Some(NOW)
    }

    fn stamp(&self, _: u64, _: bool) -> Option<Stamp> {
        Some(Stamp(self.writes.load(Ordering::SeqCst)))
    }

    fn store(&self, document: &Document, chunks: Vec<EmbeddedChunk>) -> Result<Stored, Fault> {
        self.writes.fetch_add(1, Ordering::SeqCst);
        self.memory.store(document, chunks)
    }
}

/// The packaged model, each text once.
struct Learnt(MiniLm, Mutex<HashMap<String, Vec<f32>>>);

impl Embed for Learnt {
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
        if let Some(found) = self.1.lock().expect("not poisoned").get(text) {
            return Ok(found.clone());
        }
        let vector = self.0.embed(text)?;
        self.1
            .lock()
            .expect("not poisoned")
            .insert(text.to_owned(), vector.clone());
        Ok(vector)
    }

    fn model_id(&self) -> String {
        self.0.model_id()
    }
}

struct World {
    memory: Stamped,
    facts: FakeFacts,
    embed: Learnt,
    clock: ManualClock,
    kept: Kept,
    semantic: Semantic,
}

fn world(cosine_min: f32) -> World {
    World {
        memory: Stamped::default(),
        facts: FakeFacts::with(&[("ACME", "Acme Industries Inc."), ("BORG", "Borg Ltd.")]),
        embed: Learnt(MiniLm::packaged(), Mutex::default()),
        clock: ManualClock::at(NOW),
        kept: Kept::new(256 << 20),
        semantic: Semantic::new(cosine_min),
    }
}

impl World {
    fn asker(&self, is_cached: bool) -> Asker<'_> {
        Asker {
            kept: is_cached.then_some(&self.kept),
            semantic: is_cached.then_some(&self.semantic),
            ..Asker::new(&self.memory, &self.facts, &self.embed, None, &self.clock)
        }
    }

    fn store(&self, id: &str, text: &str) {
        let document = Document {
            id: id.into(),
            text: text.into(),
            event_at: NOW - DAY,
            known_at: NOW - DAY,
            ..Document::default()
        };
        self.asker(false).ingest(&document).expect("stored");
    }

    fn search(&self, is_cached: bool, request: &SearchRequest) -> SearchAnswer {
        self.asker(is_cached).search(request).expect("searches")
    }
}

const WHO: [&str; 4] = ["Acme", "Borg", "the mill", "the harbour"];
const WHAT: [&str; 6] = [
    "profit guidance",
    "dividend",
    "new plant",
    "merger talks",
    "bond issue",
    "board",
];
const WORDINGS: [&str; 5] = [
    "What is known about the {what} of {who}?",
    "What do we know about the {what} of {who}?",
    "What is there on the {what} of {who}?",
    "what's known about the {what} of {who}",
    "What has been said about the {what} of {who}?",
];

fn worded(wording: &str, what: &str, who: &str) -> String {
    wording.replace("{what}", what).replace("{who}", who)
}

fn any(rng: &mut Rng, list: &[&'static str]) -> &'static str {
    let found: &&'static str = rng.pick(list);
    found
}

fn text(rng: &mut Rng) -> String {
    let (who, what) = (rng.pick(&WHO), rng.pick(&WHAT));
    let tail = rng.pick(&[
        "was confirmed.",
        "was denied.",
        "surprised analysts.",
        "is late.",
    ]);
    format!("The {what} of {who} {tail} Note {}.", rng.below(1_000))
}

#[test]
fn nothing_stale_is_ever_given() {
    let world = world(0.85);
    let mut rng = Rng::new(31);
    let mut from_earlier = 0;
    for step in 0..3_000u64 {
        if rng.below(40) == 0 || step < 30 {
            world.store(&format!("d{}", rng.below(120)), &text(&mut rng));
            continue;
        }
        let request = SearchRequest {
            q: worded(
                any(&mut rng, &WORDINGS),
                any(&mut rng, &WHAT),
                any(&mut rng, &WHO),
            ),
            as_of: rng.chance(0.2).then_some(NOW - DAY),
            symbols: if rng.chance(0.1) {
                vec!["ACME".into()]
            } else {
                Vec::new()
            },
            ..SearchRequest::default()
        };
        let given = world.search(true, &request);
        let earlier = given.receipt.from_earlier.clone();
        from_earlier += u64::from(earlier.is_some());
        let anew = world.search(
            false,
            &SearchRequest {
                q: earlier.map_or(request.q.clone(), |earlier| earlier.q),
                ..request.clone()
            },
        );
        assert_eq!(given.hits, anew.hits, "{request:?}");
    }
    let counts = world.semantic.counts();
    println!(
        "{from_earlier} from earlier questions, {counts:?}, {:?}",
        world.kept.counts()
    );
    assert_eq!(counts.hits, from_earlier);
    assert!(from_earlier > 200 && counts.stale > 20, "{counts:?}");
}

#[test]
fn a_crowd_that_asks_the_same_in_other_words_is_served_from_what_is_kept() {
    let world = world(0.85);
    let mut rng = Rng::new(32);
    for n in 0..200 {
        world.store(&format!("d{n}"), &text(&mut rng));
    }
    let mut all = Vec::new();
    for who in WHO {
        for what in WHAT {
            all.push((who, what));
        }
    }
    rng.shuffle(&mut all);
    let weights: Vec<f64> = (1..=all.len()).map(|rank| 1.0 / rank as f64).collect();
    let total: f64 = weights.iter().sum();
    let (mut kept, mut meant, asked) = (0, 0, 2_000);
    for n in 0..asked {
        if n % 100 == 99 {
            world.store(&format!("late{n}"), &text(&mut rng));
        }
        let mut left = rng.f64() * total;
        let rank = weights.iter().position(|weight| {
            left -= weight;
            left <= 0.0
        });
        let (who, what) = all[rank.unwrap_or(0)];
        let request = SearchRequest {
            q: worded(any(&mut rng, &WORDINGS), what, who),
            ..SearchRequest::default()
        };
        let receipt = world.search(true, &request).receipt;
        meant += u32::from(receipt.from_earlier.is_some());
        kept += u32::from(receipt.kept > 0);
    }
    println!("of {asked}: {kept} from what is kept, {meant} of them by meaning");
    assert!(
        f64::from(kept) >= 0.6 * f64::from(asked),
        "{kept} of {asked}"
    );
    assert!(meant > 100);
}

#[test]
fn another_claim_filter_or_instant_is_another_question() {
    let world = world(0.5);
    world.store(
        "d",
        "The dividend of Acme was raised in 2019 and cut in 2020.",
    );
    let ask = |q: &str, request: SearchRequest| {
        let request = SearchRequest {
            q: q.into(),
            ..request
        };
        world
            .search(true, &request)
            .receipt
            .from_earlier
            .map(|earlier| earlier.q)
    };
    let q = "Why was the dividend of Acme raised in 2019?";
    assert_eq!(ask(q, SearchRequest::default()), None);
    for other in [
        "Why was the dividend of Acme cut in 2019?",
        "Why was the dividend of Acme raised in 2020?",
        "Why was the dividend of Borg raised in 2019?",
        "Why was the dividend of Acme not raised in 2019?",
    ] {
        assert_eq!(ask(other, SearchRequest::default()), None, "{other}");
    }
    let same = "Why did Acme's dividend get raised in 2019?";
    let past = SearchRequest {
        as_of: Some(NOW - HOUR),
        ..SearchRequest::default()
    };
    let tagged = SearchRequest {
        symbols: vec!["ACME".into()],
        ..SearchRequest::default()
    };
    let deeper = SearchRequest {
        k: 100,
        fold: true,
        ..SearchRequest::default()
    };
    assert_eq!(ask(same, past), None);
    assert_eq!(ask(same, tagged), None);
    assert_eq!(ask(same, deeper), None);
    assert_eq!(ask(same, SearchRequest::default()).as_deref(), Some(q));
}

fn lines(path: &std::path::Path) -> Vec<Value> {
    let file = std::fs::File::open(path).expect("it exists");
    let mut text = String::new();
    if path.extension().is_some_and(|e| e == "gz") {
        flate2::read::MultiGzDecoder::new(file)
            .read_to_string(&mut text)
            .expect("whole");
    } else {
        BufReader::new(file)
            .read_to_string(&mut text)
            .expect("whole");
    }
    text.lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect()
}

fn top(asker: &Asker<'_>, q: &str) -> (Vec<String>, Option<FromEarlier>) {
    let request = SearchRequest {
        q: q.into(),
        ..SearchRequest::default()
    };
    let found = asker.search(&request).expect("searches");
    let ids = found.hits.into_iter().map(|hit| hit.passage.id).collect();
    (ids, found.receipt.from_earlier)
}

/// The same question in other words, by rule; `None` where no rule fits.
fn reworded(q: &str) -> Option<String> {
    let rules = [
        ("What is the ", "What's the "),
        ("What was the ", "Tell me what the "),
        ("What are the ", "What would be the "),
        ("What does ", "What exactly does "),
        ("How does ", "How exactly does "),
        ("What did ", "What exactly did "),
    ];
    let (from, to) = rules.into_iter().find(|(from, _)| q.starts_with(from))?;
    Some(q.replacen(from, to, 1))
}

/// What it is worth on questions that people asked of tables and texts. Other wordings are made by rule.
#[test]
#[ignore = "takes minutes and prints figures"]
fn wrongness_on_questions_of_tat_qa() {
    let dir = shared().map(|dir| dir.join("data/text/tatqa"));
    let Some(dir) = dir.filter(|dir| dir.exists()) else {
        println!("skipped: no shared/data/text/tatqa beside the checkout");
        return;
    };
    let field = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let world = world(1.0);
    for document in lines(&dir.join("corpus.jsonl.gz")) {
        world.store(&field(&document, "id"), &field(&document, "text"));
    }
    let mut seen = HashSet::new();
    let questions: Vec<String> = lines(&dir.join("queries.jsonl"))
        .iter()
        .map(|q| field(q, "text"))
        .filter(|q| seen.insert(q.clone()))
        .collect();
    let mut plain = world.asker(false);
    plain.settings.search_limit = 50;
    let others: Vec<String> = questions.iter().filter_map(|q| reworded(q)).collect();
    let all = questions.iter().chain(&others);
    let own: HashMap<&String, Vec<String>> = all.map(|q| (q, top(&plain, q).0)).collect();
    for cosine_min in [0.80, 0.85, 0.90, 0.95, 0.98] {
        let (kept, semantic) = (Kept::new(1 << 30), Semantic::new(cosine_min));
        let asker = Asker {
            kept: Some(&kept),
            semantic: Some(&semantic),
            ..plain
        };
        for (kind, asked) in [("asked once", &questions), ("in other words", &others)] {
            let told = Served::of(&asker, asked, &own);
            println!("cosine {cosine_min:.2}, {} {kind}: {told:?}", asked.len());
        }
    }
}

/// Of questions that were served from earlier ones, how many got hits that are not their own.
#[derive(Debug, Default)]
struct Served {
    served: usize,
    /// The first ten are not the same, in any order.
    other_ten: usize,
    other_first: usize,
    /// The best hit of its own is not among those given.
    best_missing: usize,
    /// Of its own ten, in the mean.
    shared: f64,
}

impl Served {
    fn of(asker: &Asker<'_>, asked: &[String], own: &HashMap<&String, Vec<String>>) -> Self {
        let mut all = Self::default();
        for q in asked {
            let (given, earlier) = top(asker, q);
            if earlier.is_none() {
                continue;
            }
            let own = &own[q];
            let common = own.iter().filter(|id| given.contains(id)).count();
            all.served += 1;
            all.other_ten += usize::from(common < own.len());
            all.other_first += usize::from(given.first() != own.first());
            all.best_missing += usize::from(own.first().is_some_and(|id| !given.contains(id)));
            all.shared += common as f64;
        }
        all.shared /= all.served.max(1) as f64;
        all
    }
}
