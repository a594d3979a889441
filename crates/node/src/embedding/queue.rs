//! Turns at the model.
//!
//! There are a few seats. Who finds one free takes it and works at once, on the caller's thread. Who finds none waits;
//! a seat that falls free while somebody does goes to a thread of the queue, which makes passes of what queued meanwhile,
//! one after the other, until nobody waits: no thread has to be woken between two passes. So nothing waits for a batch to
//! fill, and a batch is no larger than what came while the seats were taken. Questions go before documents, but each
//! eighth turn is a document's; of several seats one is kept from documents. Texts that are embedded again by another
//! model come last: one seat at most, and only while nobody waits.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::{Builder, JoinHandle, available_parallelism};
use std::time::Duration;

use stdx::Clock;

use super::EmbeddingLimits;

/// What the tokenizer made of a text.
pub(super) type Tokens = Arc<[u32]>;
type Vectors = Vec<Vec<f32>>;

/// Tokens of one pass: a text longer than that has a pass to itself.
const PASS_TOKENS: usize = 256;
/// The same where it is of questions that waited: all of a pass are answered at its end, and five of usual length gain
/// most of what there is to gain (of 48, 64, 96, 128 and 256 it had the least p99, `docs/benchmarks.md`).
const QUESTIONS_TOKENS: usize = 64;

/// Between two looks of who waits without an end.
const LONG: Duration = Duration::from_secs(3_600);
/// Each such turn goes to a document, if one waits.
const DOCUMENTS_TURN: u64 = 8;

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Question,
    Document,
    /// Stored before, and now embedded by another model.
    Again,
}

/// Which of several models that share the seats, and a pass of it. Texts of two models share no pass.
pub(super) type Pass = (u32, Arc<dyn Fn(&[Tokens]) -> Vectors + Send + Sync>);

/// Why there are no vectors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// So many texts wait, and no more may.
    Full { waiting: usize },
    /// The turn did not come in time.
    Late,
    /// The pass that it was part of panicked.
    Broken,
}

/// What the queue did since the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct QueueCounts {
    /// Texts that wait now.
    pub waiting: u64,
    /// Passes of the model.
    pub passes: u64,
    /// Texts in them.
    pub texts: u64,
    /// Nanoseconds that texts waited for their pass to begin, all together.
    pub waited_ns: u64,
    /// Texts refused because too much waited.
    pub refused: u64,
    /// Texts whose turn did not come in time.
    pub late: u64,
}

/// The seats and who waits for them. Its threads end with it.
pub(super) struct Queue {
    seats: Arc<Seats>,
    threads: Vec<JoinHandle<()>>,
}

struct Seats {
    /// How many.
    count: usize,
    bound: usize,
    wait: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    /// For the queue's threads: a seat is free and somebody waits, or the end has come.
    called: Condvar,
    passes: AtomicU64,
    texts: AtomicU64,
    waited_ns: AtomicU64,
    refused: AtomicU64,
    late: AtomicU64,
}

#[derive(Default)]
struct State {
    is_over: bool,
    taken: usize,
    /// Seats taken by passes that documents lead, stored before or not.
    taken_by_documents: usize,
    /// Of these, by those stored before.
    taken_again: usize,
    turns: u64,
    questions: VecDeque<Arc<Waiter>>,
    documents: VecDeque<Arc<Waiter>>,
    again: VecDeque<Arc<Waiter>>,
    waiting: usize,
}

/// Texts that wait together.
struct Waiter {
    model: Pass,
    texts: Vec<Tokens>,
    since_ns: u64,
    turn: Mutex<Turn>,
    changed: Condvar,
}

enum Turn {
    Waits,
    Done(Result<Vectors, Refused>),
}

/// A seat that a caller took; given back when dropped.
struct Seat<'a> {
    seats: &'a Seats,
    kind: Kind,
}

impl Queue {
    pub fn new(limits: EmbeddingLimits, clock: Arc<dyn Clock>) -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        let count = if limits.seats == 0 {
            processors
        } else {
            limits.seats
        };
        let mut seats = Arc::new(Seats::new(count, limits, clock));
        let begin = |_| {
            let seats = Arc::clone(&seats);
            let thread = Builder::new().name("embed".to_owned());
            thread.spawn(move || seats.serve()).ok()
        };
        let threads: Vec<JoinHandle<()>> = (0..count).map_while(begin).collect();
        if threads.is_empty()
            && let Some(seats) = Arc::get_mut(&mut seats)
        {
            // Where the system gives no thread, nobody waits for one.
            seats.count = usize::MAX;
        }
        Self { seats, threads }
    }

    pub fn counts(&self) -> QueueCounts {
        self.seats.counts()
    }

    /// The vectors of `texts`, in order, by passes of `model`.
    pub fn run(&self, texts: Vec<Tokens>, kind: Kind, model: &Pass) -> Result<Vectors, Refused> {
        self.seats.run(texts, kind, model)
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.seats.state().is_over = true;
        self.seats.called.notify_all();
        for thread in self.threads.drain(..) {
            // What a pass panicked with was told to those of it.
            let _ended = thread.join();
        }
    }
}

impl Seats {
    fn new(count: usize, limits: EmbeddingLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            count,
            bound: limits.waiting,
            wait: Duration::from_millis(limits.wait_ms),
            clock,
            state: Mutex::default(),
            called: Condvar::new(),
            passes: AtomicU64::new(0),
            texts: AtomicU64::new(0),
            waited_ns: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            late: AtomicU64::new(0),
        }
    }

    fn counts(&self) -> QueueCounts {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        QueueCounts {
            waiting: self.state().waiting as u64,
            passes: read(&self.passes),
            texts: read(&self.texts),
            waited_ns: read(&self.waited_ns),
            refused: read(&self.refused),
            late: read(&self.late),
        }
    }

    fn run(&self, texts: Vec<Tokens>, kind: Kind, model: &Pass) -> Result<Vectors, Refused> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut rest = &texts[..];
        while !rest.is_empty() {
            let (pass, later) = rest.split_at(pass_len(rest));
            vectors.extend(self.pass(pass.to_vec(), kind, model)?);
            rest = later;
        }
        Ok(vectors)
    }

    fn pass(&self, texts: Vec<Tokens>, kind: Kind, model: &Pass) -> Result<Vectors, Refused> {
        let mut state = self.state();
        if let Some(_seat) = self.sit_down(&mut state, kind) {
            drop(state);
            return Ok(self.made(&texts, model));
        }
        if state.waiting + texts.len() > self.bound {
            self.refused
                .fetch_add(texts.len() as u64, Ordering::Relaxed);
            let waiting = state.waiting;
            return Err(Refused::Full { waiting });
        }
        let waiter = Arc::new(Waiter::new(model.clone(), texts, self.clock.now_ns()));
        state.waiting += waiter.texts.len();
        state.line(kind).push_back(Arc::clone(&waiter));
        drop(state);
        self.wait_for(&waiter, kind)
    }

    fn wait_for(&self, waiter: &Arc<Waiter>, kind: Kind) -> Result<Vectors, Refused> {
        let mut turn = waiter.turn();
        loop {
            if let Turn::Done(outcome) = std::mem::replace(&mut *turn, Turn::Waits) {
                return outcome;
            }
            // What is to be stored can wait; a person does not.
            let left = match kind {
                Kind::Question => self.wait,
                Kind::Document | Kind::Again => LONG,
            };
            let (next, is_over) = waiter.wait(turn, left);
            turn = next;
            if is_over && kind == Kind::Question && matches!(*turn, Turn::Waits) {
                drop(turn);
                if self.leave(waiter, kind) {
                    let texts = waiter.texts.len() as u64;
                    self.late.fetch_add(texts, Ordering::Relaxed);
                    return Err(Refused::Late);
                }
                // Its turn has come meanwhile, so it ends soon.
                turn = waiter.turn();
            }
        }
    }

    /// Takes a waiter out of its line; whether it was still there.
    fn leave(&self, waiter: &Arc<Waiter>, kind: Kind) -> bool {
        let mut state = self.state();
        let line = state.line(kind);
        let place = line.iter().position(|other| Arc::ptr_eq(other, waiter));
        let was_there = place.and_then(|place| line.remove(place)).is_some();
        if was_there {
            state.waiting -= waiter.texts.len();
            self.call(&state);
        }
        was_there
    }

    /// A free seat, if there is one for this kind and nobody of it waits before.
    fn sit_down(&self, state: &mut State, kind: Kind) -> Option<Seat<'_>> {
        let is_free = state.taken < self.count && self.may_sit(state, kind);
        (is_free && state.line(kind).is_empty()).then(|| {
            state.take(kind);
            Seat { seats: self, kind }
        })
    }

    fn may_sit(&self, state: &State, kind: Kind) -> bool {
        let is_left = state.taken_by_documents < (self.count - 1).max(1);
        let nobody_waits = state.questions.is_empty() && state.documents.is_empty();
        match kind {
            Kind::Question => true,
            Kind::Document => is_left,
            Kind::Again => is_left && state.taken_again == 0 && nobody_waits,
        }
    }

    /// Tells a thread of the queue that a seat may be free for somebody who waits.
    fn call(&self, state: &State) {
        if state.waiting > 0 {
            self.called.notify_one();
        }
    }

    /// The next pass of those who wait, whose seat is taken by that.
    fn next(&self, state: &mut State) -> Option<(Kind, Together)> {
        if state.taken >= self.count {
            return None;
        }
        let documents_may = self.may_sit(state, Kind::Document) && !state.documents.is_empty();
        let is_theirs = state.turns.is_multiple_of(DOCUMENTS_TURN) || state.questions.is_empty();
        let kind = if documents_may && is_theirs {
            Kind::Document
        } else if self.may_sit(state, Kind::Again) {
            Kind::Again
        } else {
            Kind::Question
        };
        let first = state.line(kind).pop_front()?;
        let together = state.along(first, kind);
        state.turns += 1;
        state.take(kind);
        state.waiting -= together.0.iter().map(|one| one.texts.len()).sum::<usize>();
        Some((kind, together))
    }

    /// What a thread of the queue does until the end.
    fn serve(&self) {
        let mut state = self.state();
        while !state.is_over {
            let Some((kind, together)) = self.next(&mut state) else {
                let waited = self.called.wait(state);
                state = waited.unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            drop(state);
            // Those of a pass that broke have been told when it ends.
            let _ended = catch_unwind(AssertUnwindSafe(|| self.work(together)));
            state = self.state();
            state.give_back(kind);
        }
    }

    /// One pass for those who waited.
    fn work(&self, together: Together) {
        let Some(model) = together.0.first().map(|first| first.model.clone()) else {
            return;
        };
        let now_ns = self.clock.now_ns();
        let waited = |one: &Arc<Waiter>| {
            now_ns
                .saturating_sub(one.since_ns)
                .saturating_mul(one.texts.len() as u64)
        };
        let waited_ns = together.0.iter().map(waited).sum();
        self.waited_ns.fetch_add(waited_ns, Ordering::Relaxed);
        let texts = together.0.iter().flat_map(|one| &one.texts);
        let texts: Vec<Tokens> = texts.map(Arc::clone).collect();
        let vectors = self.made(&texts, &model);
        together.tell(vectors);
    }

    /// A pass of the model, counted.
    fn made(&self, texts: &[Tokens], model: &Pass) -> Vectors {
        let vectors = (model.1)(texts);
        self.passes.fetch_add(1, Ordering::Relaxed);
        self.texts.fetch_add(texts.len() as u64, Ordering::Relaxed);
        vectors
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn line(&mut self, kind: Kind) -> &mut VecDeque<Arc<Waiter>> {
        match kind {
            Kind::Question => &mut self.questions,
            Kind::Document => &mut self.documents,
            Kind::Again => &mut self.again,
        }
    }

    fn take(&mut self, kind: Kind) {
        self.taken += 1;
        self.taken_by_documents += usize::from(kind != Kind::Question);
        self.taken_again += usize::from(kind == Kind::Again);
    }

    fn give_back(&mut self, kind: Kind) {
        self.taken -= 1;
        self.taken_by_documents -= usize::from(kind != Kind::Question);
        self.taken_again -= usize::from(kind == Kind::Again);
    }

    /// The first and those behind it that fit into its pass.
    fn along(&mut self, first: Arc<Waiter>, kind: Kind) -> Together {
        let (mut tokens, of) = (first.tokens(), first.model.0);
        let mut together = vec![first];
        let most = match kind {
            Kind::Question => QUESTIONS_TOKENS,
            Kind::Document | Kind::Again => PASS_TOKENS,
        };
        let line = self.line(kind);
        let fits =
            |tokens: usize, next: &Waiter| next.model.0 == of && tokens + next.tokens() <= most;
        while let Some(next) = line.pop_front_if(|next| fits(tokens, next)) {
            tokens += next.tokens();
            together.push(next);
        }
        Together(together)
    }
}

impl Waiter {
    fn new(model: Pass, texts: Vec<Tokens>, since_ns: u64) -> Self {
        Self {
            model,
            texts,
            since_ns,
            turn: Mutex::new(Turn::Waits),
            changed: Condvar::new(),
        }
    }

    fn tokens(&self) -> usize {
        self.texts.iter().map(|text| text.len()).sum()
    }

    fn turn(&self) -> MutexGuard<'_, Turn> {
        self.turn.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, turn: Turn) {
        *self.turn() = turn;
        self.changed.notify_one();
    }

    /// Until it is told something, or for so long: then true.
    fn wait<'a>(&self, turn: MutexGuard<'a, Turn>, left: Duration) -> (MutexGuard<'a, Turn>, bool) {
        let waited = self.changed.wait_timeout(turn, left);
        let (turn, outcome) = waited.unwrap_or_else(PoisonError::into_inner);
        (turn, outcome.timed_out())
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.seats.state();
        state.give_back(self.kind);
        self.seats.call(&state);
    }
}

/// Those of one pass; told that it broke when the model panics.
struct Together(Vec<Arc<Waiter>>);

impl Together {
    fn tell(mut self, vectors: Vectors) {
        let mut vectors = vectors.into_iter();
        for one in self.0.drain(..) {
            let theirs = vectors.by_ref().take(one.texts.len()).collect();
            one.tell(Turn::Done(Ok(theirs)));
        }
    }
}

impl Drop for Together {
    fn drop(&mut self) {
        for one in &self.0 {
            one.tell(Turn::Done(Err(Refused::Broken)));
        }
    }
}

/// How many of the next texts, at least one, fit into a pass.
fn pass_len(texts: &[Tokens]) -> usize {
    let mut tokens = 0;
    let fits = texts.iter().take_while(|text| {
        tokens += text.len();
        tokens <= PASS_TOKENS
    });
    fits.count().max(1)
}

#[cfg(test)]
mod tests;
