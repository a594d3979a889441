//! Lists kept from earlier questions against none kept, over random writes and moves of the clock; and how often they
//! serve where people ask the same things.

use rag::SearchAnswer;
use stdx::{Clock, Rng};

use super::world::{MINUTE, asker, document, open, question, request};

fn comparable(answer: SearchAnswer) -> impl PartialEq + std::fmt::Debug {
    (answer.hits, answer.receipt.candidates, answer.receipt.spans)
}

#[test]
fn what_was_kept_is_what_would_be_found_anew() {
    let dir = tempfile::tempdir().expect("a folder");
    let (node, clock) = open(dir.path());
    let mut rng = Rng::new(21);
    let questions: Vec<String> = (0..6).map(|_| question(&mut rng)).collect();
    let requests: Vec<_> = (0..24)
        .map(|_| {
            let q = rng.pick(&questions).clone();
            request(&mut rng, q)
        })
        .collect();
    for _ in 0..3_000 {
        let (now, id) = (clock.now_ns(), rng.below(60));
        match rng.below(20) {
            0 => drop(
                node.documents()
                    .delete(&format!("d{id}"), now)
                    .expect("deletes"),
            ),
            1 => {
                // Some become known later, which no entry of the log tells.
                let ahead = if rng.chance(0.5) {
                    rng.below(MINUTE)
                } else {
                    0
                };
                let written = document(&mut rng, id, now + ahead);
                asker(&node, true).ingest(&written).expect("stores");
            }
            2 => clock.advance(rng.below(MINUTE)),
            _ => {
                let mut request = rng.pick(&requests).clone();
                request.as_of = rng.chance(0.2).then(|| now - now % MINUTE);
                let kept = asker(&node, true).search(&request).expect("searches");
                let anew = asker(&node, false).search(&request).expect("searches");
                assert_eq!(anew.receipt.kept, 0);
                assert_eq!(comparable(kept), comparable(anew), "{request:?}");
            }
        }
    }
    let counts = node.kept();
    println!("{counts:?}");
    assert!(
        counts.hits > 200 && counts.stale > 50 && counts.misses > 20,
        "{counts:?}"
    );
}

#[test]
fn most_questions_of_a_crowd_are_served_from_what_was_kept() {
    let dir = tempfile::tempdir().expect("a folder");
    let (node, clock) = open(dir.path());
    let mut rng = Rng::new(22);
    for id in 0..200 {
        let written = document(&mut rng, id, clock.now_ns());
        asker(&node, true).ingest(&written).expect("stores");
    }
    clock.advance(MINUTE);
    let requests: Vec<_> = (0..500)
        .map(|_| {
            let q = question(&mut rng);
            request(&mut rng, q)
        })
        .collect();
    // Zipf with exponent 1 over 500 requests; a document comes every thousand questions.
    let weights: Vec<f64> = (1..=requests.len()).map(|rank| 1.0 / rank as f64).collect();
    let total: f64 = weights.iter().sum();
    for asked in 0..5_000 {
        if asked % 1_000 == 999 {
            let written = document(&mut rng, 1_000 + asked, clock.now_ns());
            asker(&node, true).ingest(&written).expect("stores");
            clock.advance(MINUTE);
        }
        let mut left = rng.f64() * total;
        let rank = weights.iter().position(|weight| {
            left -= weight;
            left <= 0.0
        });
        let request = &requests[rank.unwrap_or(0)];
        asker(&node, true).search(request).expect("searches");
    }
    let counts = node.kept();
    let ratio = counts.hits as f64 / (counts.hits + counts.stale + counts.misses) as f64;
    println!("{counts:?}, hits {ratio:.3}");
    assert!(ratio >= 0.6, "{counts:?}");
}
