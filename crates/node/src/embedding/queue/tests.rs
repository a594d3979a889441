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

fn pass(of: u32, made: impl Fn(&[Tokens]) -> Vectors + Send + Sync + 'static) -> Pass {
    (of, Arc::new(made))
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
    fn new() -> Arc<Self> {
        Arc::new(Self {
            begun: Barrier::new(2),
            go: Barrier::new(2),
        })
    }

    fn pass(self: &Arc<Self>) -> Pass {
        let gate = Arc::clone(self);
        pass(0, move |texts| {
            gate.begun.wait();
            gate.go.wait();
            model(texts)
        })
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
                    let found = queue.run(texts.clone(), kind, &pass(0, model));
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
    let order = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&order);
    let noted = pass(0, move |texts| {
        let firsts: Vec<u32> = texts.iter().map(|text| text[0]).collect();
        notes.lock().unwrap().push(firsts);
        model(texts)
    });
    thread::scope(|scope| {
        scope.spawn(|| queue.run(vec![text(&[1])], Kind::Question, &gate.pass()));
        gate.begun.wait();
        for (n, kind) in [
            (2, Kind::Document),
            (3, Kind::Question),
            (4, Kind::Question),
        ] {
            let (queue, noted) = (&queue, &noted);
            scope.spawn(move || queue.run(vec![text(&[n])], kind, noted));
            until(queue, u64::from(n) - 1);
        }
        // The first turn of eight would be a document's.
        queue.seats.state().turns = 1;
        gate.go.wait();
    });
    assert_eq!(*order.lock().unwrap(), [vec![3, 4], vec![2]]);
}

#[test]
fn too_much_is_refused_and_what_comes_late_is_told() {
    let (queue, gate) = (queue(1, 2, 20), Gate::new());
    thread::scope(|scope| {
        scope.spawn(|| queue.run(vec![text(&[1])], Kind::Question, &gate.pass()));
        gate.begun.wait();
        let three = vec![text(&[1]), text(&[2]), text(&[3])];
        let full = queue.run(three, Kind::Question, &pass(0, model));
        assert_eq!(full, Err(Refused::Full { waiting: 0 }));
        let late = queue.run(vec![text(&[2])], Kind::Question, &pass(0, model));
        assert_eq!(late, Err(Refused::Late));
        gate.go.wait();
    });
    let counts = queue.counts();
    assert_eq!((counts.refused, counts.late, counts.waiting), (3, 1, 0));
    assert_eq!(
        queue.run(vec![text(&[9])], Kind::Question, &pass(0, model)),
        Ok(vec![vec![9.0]])
    );
}

#[test]
fn a_pass_that_breaks_is_told_to_all_of_it_and_gives_its_seat_back() {
    let (queue, gate) = (queue(1, 100, 60_000), Gate::new());
    let broken = AtomicUsize::new(0);
    thread::scope(|scope| {
        scope.spawn(|| queue.run(vec![text(&[1])], Kind::Question, &gate.pass()));
        gate.begun.wait();
        for n in 1..=2 {
            let (queue, broken) = (&queue, &broken);
            scope.spawn(move || {
                let breaks = pass(0, |_| panic!("broken"));
                let outcome = queue.run(vec![text(&[n])], Kind::Question, &breaks);
                if outcome == Err(Refused::Broken) {
                    broken.fetch_add(1, Ordering::Relaxed);
                }
            });
            until(queue, u64::from(n));
        }
        gate.go.wait();
    });
    assert_eq!(broken.load(Ordering::Relaxed), 2);
    // Where nobody waits, the caller makes the pass, and hears of it itself.
    let breaks = pass(0, |_| panic!("broken"));
    let own = || queue.run(vec![text(&[3])], Kind::Question, &breaks);
    assert!(catch_unwind(AssertUnwindSafe(own)).is_err());
    assert_eq!(
        queue.run(vec![text(&[9])], Kind::Document, &pass(0, model)),
        Ok(vec![vec![9.0]])
    );
}

#[test]
fn documents_leave_a_seat_to_questions() {
    let (queue, gate) = (queue(2, 100, 60_000), Gate::new());
    thread::scope(|scope| {
        scope.spawn(|| queue.run(vec![text(&[1])], Kind::Document, &gate.pass()));
        gate.begun.wait();
        scope.spawn(|| queue.run(vec![text(&[2])], Kind::Document, &pass(0, model)));
        until(&queue, 1);
        // Not behind either of them.
        let found = queue.run(vec![text(&[3])], Kind::Question, &pass(0, model));
        assert_eq!(found, Ok(vec![vec![3.0]]));
        assert_eq!(queue.counts().waiting, 1);
        gate.go.wait();
    });
    assert_eq!(queue.counts().waiting, 0);
}

#[test]
fn what_is_embedded_again_waits_for_everybody_and_shares_no_pass_with_another_model() {
    let (queue, gate) = (queue(1, 100, 60_000), Gate::new());
    let order = Arc::new(Mutex::new(Vec::new()));
    let notes = Arc::clone(&order);
    let noted = pass(0, move |texts| {
        notes.lock().unwrap().push((texts[0][0], texts.len()));
        model(texts)
    });
    thread::scope(|scope| {
        scope.spawn(|| queue.run(vec![text(&[1])], Kind::Question, &gate.pass()));
        gate.begun.wait();
        for (n, kind, of) in [
            (2, Kind::Again, 1),
            (3, Kind::Document, 0),
            (4, Kind::Question, 0),
            (5, Kind::Question, 1),
        ] {
            let (queue, noted) = (&queue, (of, Arc::clone(&noted.1)));
            scope.spawn(move || queue.run(vec![text(&[n])], kind, &noted));
            until(queue, u64::from(n) - 1);
        }
        queue.seats.state().turns = 1;
        gate.go.wait();
    });
    let order = order.lock().unwrap().clone();
    assert_eq!(order, [(4, 1), (5, 1), (3, 1), (2, 1)]);
}
