//! Turns at the model, without a thread of its own.
//!
//! There are a few seats. Who finds one free takes it and works at once, on the caller's thread. Who finds none waits;
//! a seat that falls free is handed to the first who waits, and that one takes along what queued meanwhile, as much as
//! one pass holds. So nothing waits for a batch to fill, and a batch is no larger than what came while the seats were
//! taken. Questions go before documents, but each eighth turn is a document's; of several seats one is kept from
//! documents. Texts that are embedded again by another model come last: one seat at most, and only while nobody waits.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::available_parallelism;
use std::time::Duration;

use stdx::Clock;

use super::EmbeddingLimits;

/// What the tokenizer made of a text.
pub(super) type Tokens = Arc<[u32]>;
type Vectors = Vec<Vec<f32>>;

/// Tokens of one pass: a text longer than that has a pass to itself.
const PASS_TOKENS: usize = 256;
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
pub(super) type Pass<'a> = (u32, &'a dyn Fn(&[Tokens]) -> Vectors);

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
    /// Nanoseconds that texts waited, all together.
    pub waited_ns: u64,
    /// Texts refused because too much waited.
    pub refused: u64,
    /// Texts whose turn did not come in time.
    pub late: u64,
}

/// The seats and who waits for them.
pub(super) struct Queue {
    seats: usize,
    bound: usize,
    wait: Duration,
    clock: Arc<dyn Clock>,
    state: Mutex<State>,
    passes: AtomicU64,
    texts: AtomicU64,
    waited_ns: AtomicU64,
    refused: AtomicU64,
    late: AtomicU64,
}

#[derive(Default)]
struct State {
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
    /// Whose pass.
    model: u32,
    texts: Vec<Tokens>,
    turn: Mutex<Turn>,
    changed: Condvar,
}

enum Turn {
    Waits,
    /// It has a seat, and these go along.
    Leads(Vec<Arc<Waiter>>),
    Done(Result<Vectors, Refused>),
}

/// A seat that is taken; given back when dropped.
struct Seat<'a> {
    queue: &'a Queue,
    kind: Kind,
}

impl Queue {
    pub fn new(limits: EmbeddingLimits, clock: Arc<dyn Clock>) -> Self {
        let processors = available_parallelism().map_or(1, usize::from);
        Self {
            seats: if limits.seats == 0 {
                processors
            } else {
                limits.seats
            },
            bound: limits.waiting,
            wait: Duration::from_millis(limits.wait_ms),
            clock,
            state: Mutex::default(),
            passes: AtomicU64::new(0),
            texts: AtomicU64::new(0),
            waited_ns: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            late: AtomicU64::new(0),
        }
    }

    pub fn counts(&self) -> QueueCounts {
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

    /// The vectors of `texts`, in order, by passes of `model`.
    pub fn run(&self, texts: Vec<Tokens>, kind: Kind, model: Pass<'_>) -> Result<Vectors, Refused> {
        let mut vectors = Vec::with_capacity(texts.len());
        let mut rest = &texts[..];
        while !rest.is_empty() {
            let (pass, later) = rest.split_at(pass_len(rest));
            vectors.extend(self.pass(pass.to_vec(), kind, model)?);
            rest = later;
        }
        Ok(vectors)
    }

    fn pass(&self, texts: Vec<Tokens>, kind: Kind, model: Pass<'_>) -> Result<Vectors, Refused> {
        let mut state = self.state();
        if let Some(seat) = self.sit_down(&mut state, kind) {
            drop(state);
            return seat.work(&texts, Vec::new(), model);
        }
        if state.waiting + texts.len() > self.bound {
            self.refused
                .fetch_add(texts.len() as u64, Ordering::Relaxed);
            let waiting = state.waiting;
            return Err(Refused::Full { waiting });
        }
        let waiter = Arc::new(Waiter::new(model.0, texts));
        state.waiting += waiter.texts.len();
        state.line(kind).push_back(Arc::clone(&waiter));
        drop(state);
        self.wait_for(&waiter, kind, model)
    }

    fn wait_for(
        &self,
        waiter: &Arc<Waiter>,
        kind: Kind,
        model: Pass<'_>,
    ) -> Result<Vectors, Refused> {
        let start = self.clock.now_ns();
        let mut turn = waiter.turn();
        loop {
            match std::mem::replace(&mut *turn, Turn::Waits) {
                Turn::Waits => {}
                Turn::Leads(others) => {
                    drop(turn);
                    self.waited(waiter, start);
                    return Seat { queue: self, kind }.work(&waiter.texts, others, model);
                }
                Turn::Done(outcome) => {
                    self.waited(waiter, start);
                    return outcome;
                }
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
        }
        was_there
    }

    fn waited(&self, waiter: &Waiter, start: u64) {
        let each = self.clock.now_ns().saturating_sub(start);
        let all = each.saturating_mul(waiter.texts.len() as u64);
        self.waited_ns.fetch_add(all, Ordering::Relaxed);
    }

    /// A free seat, if there is one for this kind and nobody of it waits before.
    fn sit_down(&self, state: &mut State, kind: Kind) -> Option<Seat<'_>> {
        let is_free = state.taken < self.seats && self.may_sit(state, kind);
        (is_free && state.line(kind).is_empty()).then(|| {
            state.take(kind);
            Seat { queue: self, kind }
        })
    }

    fn may_sit(&self, state: &State, kind: Kind) -> bool {
        let is_left = state.taken_by_documents < (self.seats - 1).max(1);
        let nobody_waits = state.questions.is_empty() && state.documents.is_empty();
        match kind {
            Kind::Question => true,
            Kind::Document => is_left,
            Kind::Again => is_left && state.taken_again == 0 && nobody_waits,
        }
    }

    /// Hands free seats to those who wait.
    fn hand_on(&self, state: &mut State) {
        while state.taken < self.seats {
            let documents_may = self.may_sit(state, Kind::Document) && !state.documents.is_empty();
            let is_theirs =
                state.turns.is_multiple_of(DOCUMENTS_TURN) || state.questions.is_empty();
            let kind = if documents_may && is_theirs {
                Kind::Document
            } else if self.may_sit(state, Kind::Again) {
                Kind::Again
            } else {
                Kind::Question
            };
            let Some(first) = state.line(kind).pop_front() else {
                return;
            };
            let others = state.along(&first, kind);
            state.turns += 1;
            state.take(kind);
            let all = first.texts.len() + others.iter().map(|o| o.texts.len()).sum::<usize>();
            state.waiting -= all;
            first.tell(Turn::Leads(others));
        }
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

    /// Those behind `first` that fit into its pass.
    fn along(&mut self, first: &Waiter, kind: Kind) -> Vec<Arc<Waiter>> {
        let (mut tokens, mut others) = (first.tokens(), Vec::new());
        let line = self.line(kind);
        let fits = |tokens: usize, next: &Waiter| {
            next.model == first.model && tokens + next.tokens() <= PASS_TOKENS
        };
        while let Some(next) = line.pop_front_if(|next| fits(tokens, next)) {
            tokens += next.tokens();
            others.push(next);
        }
        others
    }
}

impl Waiter {
    fn new(model: u32, texts: Vec<Tokens>) -> Self {
        Self {
            model,
            texts,
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

impl Seat<'_> {
    /// One pass over the leader's texts and those that go along; gives the leader's vectors.
    fn work(
        self,
        own: &[Tokens],
        others: Vec<Arc<Waiter>>,
        model: Pass<'_>,
    ) -> Result<Vectors, Refused> {
        let followers = Followers(others);
        let along = followers.0.iter().flat_map(|other| &other.texts);
        let all: Vec<Tokens> = own.iter().chain(along).map(Arc::clone).collect();
        let mut vectors = (model.1)(&all).into_iter();
        self.queue.passes.fetch_add(1, Ordering::Relaxed);
        self.queue
            .texts
            .fetch_add(all.len() as u64, Ordering::Relaxed);
        let mine = vectors.by_ref().take(own.len()).collect();
        followers.tell(&mut vectors);
        Ok(mine)
    }
}

impl Drop for Seat<'_> {
    fn drop(&mut self) {
        let mut state = self.queue.state();
        state.taken -= 1;
        state.taken_by_documents -= usize::from(self.kind != Kind::Question);
        state.taken_again -= usize::from(self.kind == Kind::Again);
        self.queue.hand_on(&mut state);
    }
}

/// Those who go along; told that it broke when the model panics.
struct Followers(Vec<Arc<Waiter>>);

impl Followers {
    fn tell(mut self, vectors: &mut impl Iterator<Item = Vec<f32>>) {
        for other in self.0.drain(..) {
            let theirs = vectors.by_ref().take(other.texts.len()).collect();
            other.tell(Turn::Done(Ok(theirs)));
        }
    }
}

impl Drop for Followers {
    fn drop(&mut self) {
        for other in &self.0 {
            other.tell(Turn::Done(Err(Refused::Broken)));
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
