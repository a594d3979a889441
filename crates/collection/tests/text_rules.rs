//! A collection reads and ranks texts by the rules it was created with: they are kept in its log and its
//! checkpoints, and others are refused.

use std::sync::Arc;

use collection::text::{Language, StopWords, TextSettings};
use collection::{
    AsOf, Bm25, Collection, Disk, Error, MemDisk, Metric, Op, Options, Point, Refusal, Settings,
    SyncPolicy, TextRules,
};

const SETTINGS: Settings = Settings {
    dim: 1,
    metric: Metric::L2,
    sync: SyncPolicy::Always,
};

fn german() -> TextRules {
    TextRules {
        reading: TextSettings {
            stemming: Some(Language::German),
            stop_words: StopWords::list(["die", "der"]),
        },
        bm25: Bm25 { k1: 2.0, b: 0.0 },
    }
}

fn open(disk: &Arc<MemDisk>, rules: Option<&TextRules>) -> Result<Collection, Error> {
    let disk = Arc::clone(disk) as Arc<dyn Disk>;
    let opened = Collection::open_by(disk, SETTINGS, Options::default(), rules);
    opened.map(|(collection, _)| collection)
}

fn fill(collection: &Collection) {
    let point = |(id, text): (&str, &str)| {
        Op::Upsert(Point {
            id: id.into(),
            vector: vec![0.0],
            text: text.into(),
            ..Point::default()
        })
    };
    let texts = [
        (
            "long",
            "Die Banken, Banken, Banken und viele andere Worte mehr",
        ),
        ("short", "Der Bank"),
    ];
    collection.apply(texts.map(point).into()).expect("writes");
}

fn found(collection: &Collection, query: &str) -> Vec<(String, f32)> {
    let hits = collection.search_text(query, 9, &AsOf::Now, None);
    let hits = hits.expect("answers").into_iter();
    hits.map(|hit| (hit.id, hit.score)).collect()
}

fn ids(found: &[(String, f32)]) -> Vec<&str> {
    found.iter().map(|(id, _)| id.as_str()).collect()
}

#[test]
fn texts_are_read_and_ranked_by_them() {
    let collection = open(&Arc::default(), Some(&german())).expect("opens");
    fill(&collection);
    // Lengths do not count, repetition does.
    assert_eq!(ids(&found(&collection, "Banken")), ["long", "short"]);
    assert!(found(&collection, "die der").is_empty());
    let english = open(&Arc::default(), None).expect("opens");
    fill(&english);
    assert_eq!(ids(&found(&english, "Banken")), ["long"]);
    assert_eq!(ids(&found(&english, "der")), ["short"]);
}

#[test]
fn they_outlive_closing_with_and_without_a_checkpoint() {
    let disk = Arc::new(MemDisk::new());
    let collection = open(&disk, Some(&german())).expect("opens");
    fill(&collection);
    let before = found(&collection, "Banken");
    drop(collection);
    for round in 0..2 {
        for rules in [None, Some(german())] {
            let collection = open(&disk, rules.as_ref()).expect("opens");
            assert_eq!(collection.text_rules(), &german());
            assert_eq!(found(&collection, "Banken"), before, "round {round}");
        }
        let collection = open(&disk, None).expect("opens");
        collection.checkpoint().expect("is written");
    }
    // A text that is superseded is taken out by the rules that put it in.
    let collection = open(&disk, None).expect("opens");
    fill(&collection);
    assert_eq!(found(&collection, "Banken"), before);
}

#[test]
fn others_are_refused_and_both_are_named() {
    for (kept, asked) in [(Some(german()), TextRules::default()), (None, german())] {
        let disk = Arc::new(MemDisk::new());
        for checkpoint in [false, true] {
            let collection = open(&disk, kept.as_ref()).expect("opens");
            if checkpoint {
                fill(&collection);
                collection.checkpoint().expect("is written");
            }
            drop(collection);
            let error = open(&disk, Some(&asked)).err().expect("is refused");
            let text = error.to_string();
            assert!(matches!(error, Error::Settings { .. }), "{text}");
            for rules in [kept.clone().unwrap_or_default(), asked.clone()] {
                assert!(text.contains(&rules.to_string()), "{text}");
            }
        }
    }
}

#[test]
fn rules_that_make_no_sense_are_refused() {
    let mut rules = german();
    rules.bm25.b = 1.5;
    let error = open(&Arc::default(), Some(&rules))
        .err()
        .expect("is refused");
    assert!(
        matches!(error, Error::Query(Refusal::TextRules(_))),
        "{error}"
    );
}
