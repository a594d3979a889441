//! Matching as it goes: the log is read entry by entry as it becomes durable, and each document is held against the
//! questions. Nobody who stores waits for it, and what it has yet to do lies in the log.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use collection::text::Analyser;
use collection::{AsOf, Error, Follower, Op, Payload, Point, SyncPolicy, Value};

use super::alert::Alert;
use super::mark::{Hold, Ledger, Mark};
use super::questions::{RenewQuestion, StandingError, StandingQuestions};
use crate::Node;
use rag::Embed;

/// Documents stored ahead of their time that are waited for; of more, the ones that come last are missed.
const AHEAD_LIMIT: usize = 10_000;
/// A turn with a long backlog ends after so long: marks are written and whoever wants to stop is heard.
const TURN_NS: u64 = 250_000_000;
/// Between two marks on disk.
const MARK_NS: u64 = 1_000_000_000;

/// Why nothing was matched.
#[derive(Debug, thiserror::Error)]
pub enum WatchError {
    /// The log cannot be read.
    #[error(transparent)]
    Log(#[from] Error),
    /// A question cannot be asked by the model that answers now.
    #[error(transparent)]
    Questions(#[from] StandingError),
}

/// Who is told of every alert, in the order of matching. Called by the one who matches: it must not wait for anybody.
pub trait Sink: Send + Sync {
    /// Takes an alert; the hold, which those of documents have, is dropped when it was delivered or given up.
    fn take(&self, alert: &Arc<Alert>, hold: Option<Hold>);
}

/// Reads what is stored and tells who waits for it. One a node.
pub struct Watcher {
    node: Arc<Node>,
    analyser: Analyser,
    sinks: Vec<Arc<dyn Sink>>,
    renew: RenewQuestion,
    /// By whose vectors all questions are known to ask; `None` before the first turn.
    generation: Option<u32>,
    follower: Option<Follower>,
    /// All up to here was matched.
    matched: u64,
    /// There was no question, so that nothing was read.
    is_idle: bool,
    ahead: Vec<Ahead>,
    /// Documents that became known late and are on their way: the mark names their entries, which may lie far behind it.
    due: Arc<Ledger>,
    marked: Mark,
    marked_at: u64,
}

/// A document that has yet to become known.
struct Ahead {
    known_at: u64,
    seq: u64,
    passages: Vec<Point>,
}

impl Watcher {
    /// Goes on where an earlier run was. `renew` is asked when the node's model has changed.
    ///
    /// # Errors
    /// When the mark cannot be read.
    pub fn new(
        node: Arc<Node>,
        sinks: Vec<Arc<dyn Sink>>,
        renew: RenewQuestion,
    ) -> std::io::Result<Self> {
        let collection = node.documents().collection();
        let head = collection.head_seq();
        let standing = node.standing();
        let marked = Mark::read(standing.dir())?.unwrap_or_else(|| Mark {
            seq: head,
            ahead: Vec::new(),
        });
        let analyser = Analyser::new(&collection.text_rules().reading);
        let mut this = Self {
            analyser,
            sinks,
            renew,
            generation: None,
            follower: None,
            // A folder that was restored as of an instant may end before its mark.
            matched: marked.seq.min(head),
            is_idle: false,
            ahead: Vec::new(),
            due: Arc::default(),
            marked_at: node.clock().now_ns(),
            marked,
            node,
        };
        this.reread_ahead();
        this.tell();
        Ok(this)
    }

    /// Matches what is there, for a quarter of a second, after waiting at most `timeout` for something; `false` at once where nobody asks anything.
    ///
    /// # Errors
    /// When the log cannot be read, or questions not be asked by a new model; the next turn tries again.
    pub fn turn(&mut self, timeout: Duration) -> Result<bool, WatchError> {
        let node = Arc::clone(&self.node);
        self.follow_model()?;
        self.match_due();
        let collection = node.documents().collection();
        // Before it is known that nobody asks: who asks meanwhile waits for what comes behind.
        let head = collection.head_seq();
        let Some(mut follower) = self.follower() else {
            self.matched = head;
            self.tell();
            return Ok(false);
        };
        if collection.settings().sync == SyncPolicy::Never
            && follower.next_seq() <= collection.head_seq()
        {
            // An alert speaks of what survives.
            collection.sync()?;
        }
        let mut begun = None;
        let read = follower.next(self.until_due(timeout), &mut |seq, ops| {
            let begun = *begun.get_or_insert_with(|| node.clock().now_ns());
            self.entry(seq, ops);
            node.clock().now_ns().saturating_sub(begun) < TURN_NS
        });
        match read {
            Ok(_) => self.follower = Some(follower),
            Err(Error::Trimmed { first }) => {
                let missed = first.saturating_sub(follower.next_seq());
                let tally = &self.standing().tally;
                tally.missed.fetch_add(missed, Ordering::Relaxed);
                self.matched = first.saturating_sub(1);
            }
            Err(error) => {
                self.mark();
                return Err(error.into());
            }
        }
        self.mark();
        Ok(true)
    }

    /// Where the model has changed, questions are asked by the new one, and what was not matched yet is read with its
    /// vectors: the same entries, by the same numbers.
    fn follow_model(&mut self) -> Result<(), WatchError> {
        let now = self.node.generation();
        if now == self.generation {
            return Ok(());
        }
        self.standing().renew(&self.renew)?;
        if self.generation.is_some() {
            self.follower = None;
            let ahead = std::mem::take(&mut self.ahead);
            self.marked.ahead = ahead.iter().map(|ahead| ahead.seq).collect();
            self.reread_ahead();
        }
        self.generation = now;
        Ok(())
    }

    /// Who reads what comes next; `None` where there is no question.
    fn follower(&mut self) -> Option<Follower> {
        let node = Arc::clone(&self.node);
        let matcher = node.standing().matcher();
        if matcher.is_empty() {
            (self.is_idle, self.follower) = (true, None);
            return None;
        }
        if let Some(follower) = self.follower.take() {
            return Some(follower);
        }
        let oldest = matcher.iter_after("").map(|s| s.after_seq).min()?;
        // All questions came since: what they wait for begins with the first of them.
        let matched = if self.is_idle { 0 } else { self.matched };
        self.matched = matched.max(oldest);
        self.is_idle = false;
        Some(node.documents().collection().follow(self.matched + 1))
    }

    /// Leaves behind how far it got; what is still on its way is matched again by the next run.
    pub fn finish(mut self) {
        self.marked_at = 0;
        self.mark();
    }

    fn standing(&self) -> &StandingQuestions {
        self.node.standing()
    }

    fn entry(&mut self, seq: u64, ops: Vec<Op>) {
        let now = self.node.clock().now_ns();
        for (known_at, passages) in documents(ops) {
            if known_at <= now {
                let ledger = Arc::clone(&self.standing().ledger);
                self.document(&passages, seq, &ledger);
            } else if self.ahead.len() < AHEAD_LIMIT {
                self.ahead.push(Ahead {
                    known_at,
                    seq,
                    passages,
                });
            } else {
                self.standing().tally.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
        self.matched = seq;
        self.tell();
    }

    fn document(&mut self, passages: &[Point], seq: u64, ledger: &Arc<Ledger>) {
        let node = Arc::clone(&self.node);
        let (standing, begun) = (node.standing(), node.clock().now_ns());
        let answered = standing.matcher().answered(passages, &self.analyser, seq);
        let now = node.clock().now_ns();
        let tally = &standing.tally;
        tally.arrivals.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut spent) = tally.match_ns.lock() {
            spent.record(now.saturating_sub(begun));
        }
        for answered in answered {
            let alert = Alert::of_document(&answered, passages, seq, now);
            let alert = standing.alerts().push(alert);
            for sink in &self.sinks {
                sink.take(&alert, Some(ledger.hold(seq)));
            }
        }
    }

    /// No longer than until the next document becomes known: one that was just stored often does by some nanoseconds.
    fn until_due(&self, timeout: Duration) -> Duration {
        let now = self.node.clock().now_ns();
        let waits = self
            .ahead
            .iter()
            .map(|ahead| ahead.known_at.saturating_sub(now));
        let next = waits.min().map(Duration::from_nanos);
        next.map_or(timeout, |next| next.min(timeout))
    }

    /// Documents whose time has come, unless they were replaced or removed meanwhile.
    fn match_due(&mut self) {
        let now = self.node.clock().now_ns();
        if self.ahead.iter().all(|ahead| ahead.known_at > now) {
            return;
        }
        let (mut due, ahead): (Vec<Ahead>, Vec<Ahead>) = std::mem::take(&mut self.ahead)
            .into_iter()
            .partition(|ahead| ahead.known_at <= now);
        self.ahead = ahead;
        due.sort_by_key(|ahead| (ahead.known_at, ahead.seq));
        for Ahead {
            known_at,
            seq,
            mut passages,
        } in due
        {
            let node = Arc::clone(&self.node);
            let collection = node.documents().collection();
            let mut is_missed = false;
            passages.retain(|point| {
                let find = |at| collection.get(&point.id, &AsOf::Known(at));
                // Where the past was trimmed meanwhile, it is asked whether the document stands now.
                let stands = find(known_at).or_else(|_| find(now));
                is_missed |= stands.is_err();
                matches!(stands, Ok(Some(found)) if found.seq_from == seq)
            });
            if is_missed {
                self.standing().tally.missed.fetch_add(1, Ordering::Relaxed);
            }
            if !passages.is_empty() {
                let ledger = Arc::clone(&self.due);
                self.document(&passages, seq, &ledger);
            }
        }
        self.tell();
    }

    /// Reads again what an earlier run waited for. What the log no longer has is missed.
    fn reread_ahead(&mut self) {
        let node = Arc::clone(&self.node);
        let matched = self.matched;
        for wanted in self
            .marked
            .ahead
            .clone()
            .into_iter()
            .filter(|seq| *seq <= matched)
        {
            let mut follower = node.documents().collection().follow(wanted);
            let before = self.ahead.len();
            let read = follower.next(Duration::ZERO, &mut |seq, ops| {
                if seq == wanted {
                    let documents = documents(ops).into_iter();
                    self.ahead
                        .extend(documents.map(|(known_at, passages)| Ahead {
                            known_at,
                            seq,
                            passages,
                        }));
                }
                false
            });
            if read.is_err() || self.ahead.len() == before {
                self.standing().tally.missed.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    /// Writes the mark, if it moved and the last one is old enough.
    fn mark(&mut self) {
        self.tell();
        let now = self.node.clock().now_ns();
        if now.saturating_sub(self.marked_at) < MARK_NS {
            return;
        }
        let mut ahead: BTreeSet<u64> = self.due.held().into_iter().collect();
        ahead.extend(self.ahead.iter().map(|ahead| ahead.seq));
        let mark = Mark {
            seq: self.standing().ledger.settled(self.matched),
            ahead: ahead.into_iter().collect(),
        };
        let is_kept = !self.standing().matcher().is_empty();
        // A mark that cannot be written costs a later run some alerts told again.
        if is_kept && mark != self.marked && mark.write(self.standing().dir()).is_ok() {
            self.marked = mark;
        }
        self.marked_at = now;
    }

    fn tell(&self) {
        let standing = self.standing();
        let tally = &standing.tally;
        let settled = standing.ledger.settled(self.matched);
        tally.matched_seq.store(self.matched, Ordering::Relaxed);
        tally.settled_seq.store(settled, Ordering::Relaxed);
        tally
            .ahead
            .store(self.ahead.len() as u64, Ordering::Relaxed);
    }
}

/// The documents among the changes of an entry, each with the instant at which it is known and its passages.
fn documents(ops: Vec<Op>) -> Vec<(u64, Vec<Point>)> {
    let id = |point: &Point| {
        let Payload(fields) = &point.payload;
        match fields.get("document_id") {
            Some(Value::Str(id)) => id.clone(),
            _ => point.id.clone(),
        }
    };
    let mut found: Vec<(String, u64, Vec<Point>)> = Vec::new();
    for op in ops {
        let Op::Upsert(mut point) = op else {
            continue;
        };
        if vector::normalise(&mut point.vector).is_err() {
            continue;
        }
        let (of, known_at) = (id(&point), point.known_at);
        match found
            .last_mut()
            .filter(|last| last.0 == of && last.1 == known_at)
        {
            Some((_, _, passages)) => passages.push(point),
            None => found.push((of, known_at, vec![point])),
        }
    }
    found
        .into_iter()
        .map(|(_, known_at, passages)| (known_at, passages))
        .collect()
}
