use std::panic::AssertUnwindSafe;
use std::sync::Barrier;
use std::sync::atomic::AtomicUsize;
use std::thread;

use super::*;

fn limits(seats: usize, waiting: usize, wait_ms: u64) -> EmbeddingLimits {
    EmbeddingLimits {
        seats,
        waiting,
        wait_ms,
        kept_bytes: 0,
    }
}

fn queue(seats: usize, waiting: usize, wait_ms: u64) -> Queue {
    let limits = limits(seats, waiting, wait_ms);
    Queue::new(limits, Arc::new(stdx::SystemClock))
}

fn text(tokens: &[u32]) -> Tokens {
    tokens.into()
}

/// A vector that tells its text.
fn model(texts: &[Tokens]) -> Vectors {
    texts.iter().map(|text| vec![text[0] as f32]).collect()
}

/// A model that tells when it began and goes on when it is told to.
struct Gate {
    begun: Barrier,
    go: Barrier,
}

impl Gate {
    fn new() -> Self {
        Self {
            begun: Barrier::new(2),
            go: Barrier::new(2),
        }
    }

    fn pass(&self, texts: &[Tokens]) -> Vectors {
        self.begun.wait();
        self.go.wait();
        model(texts)
    }
}

fn until(queue: &Queue, waiting: u64) {
    while queue.counts().waiting != waiting {
        thread::yield_now();
    }
}

#[test]
fn everyone_gets_their_own_vectors() {
    let queue = queue(2, 10_000, 60_000);
    thread::scope(|scope| {
        for thread in 0..8_u32 {
            let queue = &queue;
            scope.spawn(move || {
                let kind = [Kind::Question, Kind::Document][thread as usize % 2];
                for n in 0..200 {
                    let own = thread * 1_000 + n;
                    let texts: Vec<Tokens> = (0..=n % 5).map(|t| text(&[own, t])).collect();
                    let found = queue.run(texts.clone(), kind, (0, &model));
                    assert_eq!(found, Ok(model(&texts)));
                }
            });
        }
    });
    let counts = queue.counts();
    assert_eq!((counts.waiting, counts.texts), (0, 8 * 200 * 3));
    assert!(counts.passes <= 8 * 200);
}

#[test]
fn what_queued_meanwhile_goes_in_one_pass_and_questions_first() {
    let (queue, gate) = (queue(1, 100, 60_000), Gate::new());
    let order = Mutex::new(Vec::new());
    let noted = |texts: &[Tokens]| {
        let firsts: Vec<u32> = texts.iter().map(|text| text[0]).collect();
        order.lock().unwrap().push(firsts);
        model(texts)
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            queue.run(
                vec![text(&[1])],
                Kind::Question,
                (0, &|texts| gate.pass(texts)),
            )
        });
        gate.begun.wait();
        for (n, kind) in [
            (2, Kind::Document),
            (3, Kind::Question),
            (4, Kind::Question),
        ] {
            let (queue, noted) = (&queue, &noted);
            scope.spawn(move || queue.run(vec![text(&[n])], kind, (0, noted)));
            until(queue, u64::from(n) - 1);
        }
        // The first turn of eight would be a document's.
        queue.state().turns = 1;
        gate.go.wait();
    });
    assert_eq!(*order.lock().unwrap(), [vec![3, 4], vec![2]]);
}

#[test]
fn too_much_is_refused_and_what_comes_late_is_told() {
    let (queue, gate) = (queue(1, 2, 20), Gate::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            queue.run(
                vec![text(&[1])],
                Kind::Question,
                (0, &|texts| gate.pass(texts)),
            )
        });
        gate.begun.wait();
        let three = vec![text(&[1]), text(&[2]), text(&[3])];
        let full = queue.run(three, Kind::Question, (0, &model));
        assert_eq!(full, Err(Refused::Full { waiting: 0 }));
        let late = queue.run(vec![text(&[2])], Kind::Question, (0, &model));
        assert_eq!(late, Err(Refused::Late));
        gate.go.wait();
    });
    let counts = queue.counts();
    assert_eq!((counts.refused, counts.late, counts.waiting), (3, 1, 0));
    assert_eq!(
        queue.run(vec![text(&[9])], Kind::Question, (0, &model)),
        Ok(vec![vec![9.0]])
    );
}

#[test]
fn a_pass_that_breaks_is_told_to_all_of_it_and_gives_its_seat_back() {
    let (queue, gate) = (queue(1, 100, 60_000), Gate::new());
    let broken = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            queue.run(
                vec![text(&[1])],
                Kind::Question,
                (0, &|texts| gate.pass(texts)),
            )
        });
        gate.begun.wait();
        for n in 1..=2 {
            let (queue, broken) = (&queue, &broken);
            scope.spawn(move || {
                let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| {
                    queue.run(vec![text(&[n])], Kind::Question, (0, &|_| panic!("broken")))
                }));
                if matches!(outcome, Err(_) | Ok(Err(Refused::Broken))) {
                    broken.fetch_add(1, Ordering::Relaxed);
                }
            });
            until(queue, u64::from(n));
        }
        gate.go.wait();
    });
    assert_eq!(broken.load(Ordering::Relaxed), 2);
    assert_eq!(
        queue.run(vec![text(&[9])], Kind::Document, (0, &model)),
        Ok(vec![vec![9.0]])
    );
}

#[test]
fn documents_leave_a_seat_to_questions() {
    let (queue, gate) = (queue(2, 100, 60_000), Gate::new());
    thread::scope(|scope| {
        scope.spawn(|| {
            queue.run(
                vec![text(&[1])],
                Kind::Document,
                (0, &|texts| gate.pass(texts)),
            )
        });
        gate.begun.wait();
        scope.spawn(|| queue.run(vec![text(&[2])], Kind::Document, (0, &model)));
        until(&queue, 1);
        // Not behind either of them.
        let found = queue.run(vec![text(&[3])], Kind::Question, (0, &model));
        assert_eq!(found, Ok(vec![vec![3.0]]));
        assert_eq!(queue.counts().waiting, 1);
        gate.go.wait();
    });
    assert_eq!(queue.counts().waiting, 0);
}

#[test]
fn what_is_embedded_again_waits_for_everybody_and_shares_no_pass_with_another_model() {
    let (queue, gate) = (queue(1, 100, 60_000), Gate::new());
    let order = Mutex::new(Vec::new());
    let noted = |texts: &[Tokens]| {
        order.lock().unwrap().push((texts[0][0], texts.len()));
        model(texts)
    };
    thread::scope(|scope| {
        scope.spawn(|| {
            queue.run(
                vec![text(&[1])],
                Kind::Question,
                (0, &|texts| gate.pass(texts)),
            )
        });
        gate.begun.wait();
        for (n, kind, of) in [
            (2, Kind::Again, 1),
            (3, Kind::Document, 0),
            (4, Kind::Question, 0),
            (5, Kind::Question, 1),
        ] {
            let (queue, noted) = (&queue, &noted);
            scope.spawn(move || queue.run(vec![text(&[n])], kind, (of, noted)));
            until(queue, u64::from(n) - 1);
        }
        queue.state().turns = 1;
        gate.go.wait();
    });
    let order = order.into_inner().unwrap();
    assert_eq!(order, [(4, 1), (5, 1), (3, 1), (2, 1)]);
}
