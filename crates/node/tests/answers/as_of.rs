//! Questions are asked while another thread stores, revises, deletes, and plants documents of the future. Each is asked
//! again at the end, when the node was closed and opened once more, as of the instant that its receipt names: every
//! answer is the one that was given.
//!
//! 1,000 questions; `OUZEL_AS_OF_PAIRS` asks for more, `OUZEL_AS_OF_SEED` for others.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use node::Node;
use rag::{Answer, Document, Question, Receipt, SearchAnswer, SearchRequest};
use stdx::{ManualClock, Rng};

use super::world::{MINUTE, asker, document, open, question, reopen, request};

/// Writes for each question.
const WRITES_EACH: u64 = 3;

enum Asked {
    Search(SearchRequest, SearchAnswer),
    Ask(Question, Answer),
}

/// Writes until told to stop; every fifth document is of the future, every sixth write a deletion.
fn write(
    node: &Node,
    clock: &ManualClock,
    (seed, limit): (u64, u64),
    asked: &AtomicU64,
    is_over: &AtomicBool,
) {
    let mut rng = Rng::new(seed + 11);
    let mut writes = 0;
    while !is_over.load(Ordering::Relaxed) {
        writes += 1;
        clock.advance(rng.range(1, 2_000_000));
        let id = rng.below(limit);
        let now = stdx::Clock::now_ns(clock);
        if rng.chance(0.16) {
            node.documents()
                .delete(&format!("d{id}"), now)
                .expect("deletes");
            continue;
        }
        let ahead = if rng.chance(0.2) {
            rng.below(MINUTE)
        } else {
            0
        };
        let written: Document = document(&mut rng, id, now + ahead);
        asker(node, false).ingest(&written).expect("stores");
        while writes > WRITES_EACH * (1 + asked.load(Ordering::Relaxed))
            && !is_over.load(Ordering::Relaxed)
        {
            std::thread::yield_now();
        }
    }
}

fn ask(node: &Node, rng: &mut Rng) -> Asked {
    let asker = asker(node, rng.chance(0.5));
    let q = question(rng);
    if rng.chance(0.5) {
        let request = request(rng, q);
        let found = asker.search(&request).expect("searches");
        return Asked::Search(request, found);
    }
    let question = Question::new(q);
    let answer = asker.ask(&question, &mut |_| true).expect("answers");
    Asked::Ask(question, answer)
}

/// What must be the same: all but the times, and how far the log has got since.
fn comparable(mut receipt: Receipt) -> Receipt {
    receipt.as_of = None;
    receipt.asked_at = 0;
    receipt.stages_us = rag::Stages::default();
    receipt.memory = rag::MemorySeen::default();
    receipt.paths = rag::Paths::default();
    receipt.kept = 0;
    receipt
}

fn same(node: &Node, asked: Asked) {
    let asker = asker(node, false);
    match asked {
        Asked::Search(request, then) => {
            let as_of = then.receipt.memory.instant;
            let now = asker.search(&SearchRequest {
                as_of,
                ..request.clone()
            });
            let now = now.expect("searches");
            assert_eq!(now.hits, then.hits, "{request:?} as of {as_of:?}");
            assert_eq!(comparable(now.receipt), comparable(then.receipt));
        }
        Asked::Ask(question, then) => {
            let as_of = then.receipt.memory.instant;
            let now = asker.ask(
                &Question {
                    as_of,
                    ..question.clone()
                },
                &mut |_| true,
            );
            let now = now.expect("answers");
            let what = |answer: &Answer| {
                (
                    answer.answer.clone(),
                    answer.abstained,
                    answer.citations.clone(),
                    answer.facts.clone(),
                    comparable(answer.receipt.clone()),
                )
            };
            assert_eq!(what(&now), what(&then), "{question:?} as of {as_of:?}");
        }
    }
}

#[test]
fn what_was_answered_live_is_answered_again_as_of_then() {
    let asked_for = |name: &str| std::env::var(name).ok()?.parse().ok();
    let pairs = asked_for("OUZEL_AS_OF_PAIRS").unwrap_or(1_000_usize);
    let seed = asked_for("OUZEL_AS_OF_SEED").unwrap_or(0) as u64;
    let dir = tempfile::tempdir().expect("a folder");
    let (node, clock) = open(dir.path());
    let (count, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    let limit = 200 + pairs as u64 / 20;
    let asked: Vec<Asked> = std::thread::scope(|threads| {
        let writer = threads.spawn(|| write(&node, &clock, (seed, limit), &count, &is_over));
        let mut rng = Rng::new(seed + 12);
        let asked = (0..pairs).map(|_| {
            clock.advance(rng.below(3_000_000));
            let asked = ask(&node, &mut rng);
            count.fetch_add(1, Ordering::Relaxed);
            asked
        });
        let asked = asked.collect();
        is_over.store(true, Ordering::Relaxed);
        writer.join().expect("the writer does not fail");
        asked
    });
    let found = asked.iter().filter(|asked| match asked {
        Asked::Search(_, answer) => !answer.hits.is_empty(),
        Asked::Ask(_, answer) => !answer.abstained,
    });
    let found = found.count();
    let stats = node.documents().collection().stats();
    println!(
        "{pairs} questions, {found} with evidence, {} entries, {} points",
        stats.head_seq, stats.points
    );
    assert!(
        found > pairs / 3 && stats.head_seq > pairs as u64 / 4,
        "nothing was tested"
    );
    // Everything that was planted has come by now, and is revised and deleted once more.
    clock.advance(10 * MINUTE);
    let mut rng = Rng::new(seed + 13);
    for id in 0..limit {
        let now = stdx::Clock::now_ns(clock.as_ref());
        if rng.chance(0.5) {
            node.documents()
                .delete(&format!("d{id}"), now)
                .expect("deletes");
        } else {
            let written = document(&mut rng, id, now);
            asker(&node, false).ingest(&written).expect("stores");
        }
    }
    drop(node);
    let node = reopen(dir.path(), &clock);
    for asked in asked {
        same(&node, asked);
    }
}
