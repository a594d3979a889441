//! Webhooks that wait to be sent: bounded, each tried a number of times, further and further apart. An endpoint that fails
//! is left alone for a while, so that it holds up no other.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use node::standing::{Alert, Hold, Sink};
use stdx::Rng;

use super::Secret;
use crate::json::standing::{AlertRow, Definition};

/// Webhooks that may wait; those of more alerts are dead letters at once.
pub const WAITING_LIMIT: usize = 10_000;
/// Of one endpoint, so that one that is dead leaves room for the others.
const ENDPOINT_LIMIT: usize = 1_000;
/// How often one is tried.
pub const ATTEMPTS: u32 = 8;
/// The wait behind the first attempt; each is four times the one before, up to [`WAIT_MOST`].
const WAIT_FIRST: Duration = Duration::from_secs(1);
const WAIT_MOST: Duration = Duration::from_secs(600);
/// The sum of all waits: one that is older is given up when its endpoint fails, tried or not.
const AGE_MOST: Duration = Duration::from_secs(1 + 4 + 16 + 64 + 256 + 600 + 600);
/// What an endpoint may ask for by `Retry-After`.
const ASKED_MOST: Duration = Duration::from_secs(3_600);
/// Calls of an endpoint at once.
const BUSY_MOST: usize = 2;
/// Dead letters that are shown.
const DEAD_SHOWN: usize = 100;

/// A webhook on its way.
pub struct Job {
    /// The alert's id, the same at each attempt.
    pub id: String,
    /// The question that was answered.
    pub question_id: String,
    /// Where to.
    pub url: String,
    /// What it is signed with.
    pub secret: Secret,
    /// The alert as JSON.
    pub body: String,
    attempts: u32,
    born: Instant,
    due: Instant,
    /// The alert's entry counts as delivered when this goes.
    _hold: Option<Hold>,
}

/// How an attempt ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Delivered,
    /// It was not; a later attempt may do better, not before the endpoint wants one.
    Failed(String, Option<Duration>),
    /// It was not, and never will be.
    Gone(String),
}

/// A webhook that was given up.
#[derive(Clone, Debug)]
pub struct DeadLetter {
    /// The alert's id.
    pub id: String,
    /// The question that was answered.
    pub question_id: String,
    /// Attempts made.
    pub attempts: u32,
    /// Why the last failed.
    pub why: String,
}

/// What became of webhooks in this run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutboxCounts {
    /// On their way.
    pub waiting: u64,
    /// Taken by their endpoint.
    pub delivered: u64,
    /// Attempts that failed.
    pub failed: u64,
    /// Given up.
    pub dead: u64,
}

/// Webhooks on their way.
pub struct Outbox {
    inner: Mutex<Inner>,
    changed: Condvar,
}

struct Inner {
    waiting: VecDeque<Job>,
    in_flight: usize,
    endpoints: HashMap<String, Endpoint>,
    counts: OutboxCounts,
    dead: VecDeque<DeadLetter>,
    chance: Rng,
    is_closed: bool,
}

#[derive(Default)]
struct Endpoint {
    /// Webhooks on their way to it, those that it is just being called with among them.
    jobs: usize,
    busy: usize,
    failures: u32,
    rests_until: Option<Instant>,
}

impl Default for Outbox {
    fn default() -> Self {
        Self {
            inner: Mutex::new(Inner {
                waiting: VecDeque::new(),
                in_flight: 0,
                endpoints: HashMap::new(),
                counts: OutboxCounts::default(),
                dead: VecDeque::new(),
                chance: Rng::new(u64::from(std::process::id())),
                is_closed: false,
            }),
            changed: Condvar::new(),
        }
    }
}

impl Sink for Outbox {
    fn take(&self, alert: &Arc<Alert>, hold: Option<Hold>) {
        let webhook = Definition::webhook_of(&alert.standing.definition);
        if let Some((url, secret)) = webhook {
            // Rows of ours have no map keys or numbers that JSON cannot hold.
            let body = serde_json::to_string(&AlertRow::of(alert)).expect("rows are JSON");
            let job = Job::new(&alert.id, &url, secret, &body);
            self.push(Job {
                question_id: alert.standing.question.id.clone(),
                _hold: hold,
                ..job
            });
        }
    }
}

impl Job {
    /// One that is due.
    pub(super) fn new(id: &str, url: &str, secret: Secret, body: &str) -> Self {
        let now = Instant::now();
        Self {
            id: id.to_owned(),
            question_id: String::new(),
            url: url.to_owned(),
            secret,
            body: body.to_owned(),
            attempts: 0,
            born: now,
            due: now,
            _hold: None,
        }
    }
}

impl Outbox {
    fn push(&self, job: Job) {
        let mut inner = self.lock();
        if inner.waiting.len() + inner.in_flight >= WAITING_LIMIT {
            let why = format!("{WAITING_LIMIT} webhooks were waiting already");
            inner.bury(job, why);
            return;
        }
        let endpoint = inner.endpoints.entry(origin(&job.url)).or_default();
        if endpoint.jobs >= ENDPOINT_LIMIT {
            let why = format!("{ENDPOINT_LIMIT} webhooks of its endpoint were waiting already");
            inner.bury(job, why);
            return;
        }
        endpoint.jobs += 1;
        inner.waiting.push_back(job);
        drop(inner);
        self.changed.notify_one();
    }

    /// The next webhook whose time has come; waits for one. `None` when the outbox was closed.
    pub fn next(&self) -> Option<Job> {
        let mut inner = self.lock();
        loop {
            if inner.is_closed {
                return None;
            }
            let now = Instant::now();
            if let Some(job) = inner.due(now) {
                return Some(job);
            }
            let wait = inner.wait(now);
            let waited = self.changed.wait_timeout(inner, wait);
            inner = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// What came of an attempt.
    pub fn done(&self, job: Job, outcome: Outcome) {
        self.lock().done(job, outcome, Instant::now());
        self.changed.notify_one();
    }

    /// Lets go who waits; what was on its way is matched again by the next run.
    pub fn close(&self) {
        self.lock().is_closed = true;
        self.changed.notify_all();
    }

    /// What became of webhooks so far.
    #[must_use]
    pub fn counts(&self) -> OutboxCounts {
        let inner = self.lock();
        OutboxCounts {
            waiting: (inner.waiting.len() + inner.in_flight) as u64,
            ..inner.counts
        }
    }

    /// The newest that were given up.
    #[must_use]
    pub fn dead(&self) -> Vec<DeadLetter> {
        self.lock().dead.iter().cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    fn done(&mut self, mut job: Job, outcome: Outcome, now: Instant) {
        self.in_flight -= 1;
        job.attempts += 1;
        let wait = self.wait_behind(job.attempts);
        let origin = origin(&job.url);
        let endpoint = self.endpoints.entry(origin.clone()).or_default();
        endpoint.busy = endpoint.busy.saturating_sub(1);
        endpoint.jobs = endpoint.jobs.saturating_sub(1);
        match outcome {
            Outcome::Delivered => {
                (endpoint.failures, endpoint.rests_until) = (0, None);
                self.counts.delivered += 1;
            }
            Outcome::Failed(why, asked) => {
                let wait = asked.map_or(wait, |asked| asked.min(ASKED_MOST).max(wait));
                endpoint.failures = endpoint.failures.saturating_add(1);
                // One who fails again and again is tried by one webhook, not by all that wait.
                endpoint.rests_until = Some(now + wait.min(Duration::from_secs(60)));
                self.counts.failed += 1;
                if job.attempts >= ATTEMPTS {
                    self.bury(job, why);
                } else {
                    endpoint.jobs += 1;
                    job.due = now + wait;
                    self.waiting.push_back(job);
                }
                self.bury_late(&origin, now);
            }
            Outcome::Gone(why) => {
                self.counts.failed += 1;
                self.bury(job, why);
            }
        }
        let rests = |e: &Endpoint| e.rests_until.is_some_and(|until| until > now);
        self.endpoints.retain(|_, e| e.jobs > 0 || rests(e));
    }

    /// Gives up what waited too long for an endpoint that fails; not what waits for its next attempt.
    fn bury_late(&mut self, origin_late: &str, now: Instant) {
        let is_late = |job: &Job| {
            let age = now.saturating_duration_since(job.born);
            job.due <= now && age > AGE_MOST && origin(&job.url) == origin_late
        };
        let waiting = std::mem::take(&mut self.waiting).into_iter();
        let (late, waiting): (VecDeque<Job>, VecDeque<Job>) = waiting.partition(is_late);
        self.waiting = waiting;
        if let Some(endpoint) = self.endpoints.get_mut(origin_late) {
            endpoint.jobs = endpoint.jobs.saturating_sub(late.len());
        }
        for job in late {
            let why = format!("its endpoint fails, and it waited {} s", AGE_MOST.as_secs());
            self.bury(job, why);
        }
    }

    fn due(&mut self, now: Instant) -> Option<Job> {
        let endpoints = &self.endpoints;
        let is_free = |job: &Job| match endpoints.get(&origin(&job.url)) {
            None => true,
            Some(endpoint) => {
                let most = if endpoint.failures == 0 { BUSY_MOST } else { 1 };
                endpoint.busy < most && endpoint.rests_until.is_none_or(|until| until <= now)
            }
        };
        let at = self
            .waiting
            .iter()
            .position(|job| job.due <= now && is_free(job))?;
        let job = self.waiting.remove(at)?;
        self.endpoints.entry(origin(&job.url)).or_default().busy += 1;
        self.in_flight += 1;
        Some(job)
    }

    /// How long nothing becomes due.
    fn wait(&self, now: Instant) -> Duration {
        let rests = self.endpoints.values().filter_map(|e| e.rests_until);
        let dues = self.waiting.iter().map(|job| job.due).chain(rests);
        let next = dues.filter(|due| *due > now).min();
        next.map_or(WAIT_MOST, |due| due - now)
    }

    /// Up to half of the wait is left to chance: many that failed together do not come back together.
    fn wait_behind(&mut self, attempts: u32) -> Duration {
        let factor = 4u32.saturating_pow(attempts.saturating_sub(1));
        let wait = WAIT_FIRST.saturating_mul(factor).min(WAIT_MOST);
        wait.mul_f64(1.0 - self.chance.f64() / 2.0)
    }

    fn bury(&mut self, job: Job, why: String) {
        self.counts.dead += 1;
        if self.dead.len() == DEAD_SHOWN {
            self.dead.pop_front();
        }
        self.dead.push_back(DeadLetter {
            id: job.id,
            question_id: job.question_id,
            attempts: job.attempts,
            why,
        });
    }
}

/// Scheme, host and port: what fails together.
fn origin(url: &str) -> String {
    let end = url
        .match_indices('/')
        .nth(2)
        .map_or(url.len(), |(at, _)| at);
    url[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job(id: &str, url: &str) -> Job {
        Job::new(id, url, Secret::new().expect("a secret"), "{}")
    }

    fn failed() -> Outcome {
        Outcome::Failed("503".to_owned(), None)
    }

    #[test]
    fn waits_grow_and_end_and_the_last_failure_is_told() {
        let outbox = Outbox::default();
        for attempts in 1..ATTEMPTS {
            let most = WAIT_FIRST
                .saturating_mul(4u32.pow(attempts - 1))
                .min(WAIT_MOST);
            let wait = outbox.lock().wait_behind(attempts);
            assert!(
                wait > most / 2 - Duration::from_nanos(1) && wait <= most,
                "{wait:?}"
            );
        }
        outbox.push(job("a", "http://a/x"));
        let mut job = outbox.next().expect("a job");
        job.attempts = ATTEMPTS - 1;
        outbox.done(job, failed());
        let dead = outbox.dead();
        assert_eq!((dead.len(), dead[0].attempts), (1, ATTEMPTS));
        assert_eq!((outbox.counts().dead, outbox.counts().waiting), (1, 0));
    }

    #[test]
    fn an_endpoint_that_fails_holds_up_no_other() {
        let outbox = Outbox::default();
        for id in ["a1", "a2", "a3"] {
            outbox.push(job(id, "http://a/x"));
        }
        outbox.push(job("b1", "http://b/y"));
        let first = outbox.next().expect("a job");
        let second = outbox.next().expect("a job");
        assert_eq!((first.id.as_str(), second.id.as_str()), ("a1", "a2"));
        let other = outbox.next().expect("a job");
        assert_eq!(other.id, "b1", "two calls of one endpoint at a time");
        outbox.done(first, failed());
        outbox.done(second, failed());
        outbox.done(other, Outcome::Delivered);
        assert!(outbox.lock().due(Instant::now()).is_none(), "it rests");
        let later = Instant::now() + Duration::from_secs(2);
        let again = outbox.lock().due(later).expect("one");
        assert!(outbox.lock().due(later).is_none(), "one tries it");
        outbox.done(again, Outcome::Gone("410".to_owned()));
        let counts = outbox.counts();
        assert_eq!((counts.delivered, counts.failed, counts.dead), (1, 3, 1));
        assert_eq!(counts.waiting, 2);
    }

    #[test]
    fn at_its_bound_it_says_what_it_refuses() {
        let outbox = Outbox::default();
        for n in 0..=WAITING_LIMIT {
            outbox.push(job("a", &format!("http://{}", n / ENDPOINT_LIMIT)));
        }
        let counts = outbox.counts();
        assert_eq!((counts.waiting, counts.dead), (WAITING_LIMIT as u64, 1));
        outbox.close();
        assert!(outbox.next().is_none());
    }

    #[test]
    fn a_dead_endpoint_leaves_room_for_others_and_what_waits_for_it_is_given_up_in_time() {
        let outbox = Outbox::default();
        for _ in 0..=ENDPOINT_LIMIT {
            outbox.push(job("a", "http://a/x"));
        }
        outbox.push(job("b", "http://b/y"));
        let counts = outbox.counts();
        assert_eq!(
            (counts.waiting, counts.dead),
            (ENDPOINT_LIMIT as u64 + 1, 1)
        );
        let mut inner = outbox.lock();
        let later = Instant::now() + AGE_MOST + Duration::from_secs(1);
        let tried = inner.due(later).expect("one");
        inner.done(tried, failed(), later);
        assert_eq!(inner.counts.dead, ENDPOINT_LIMIT as u64, "the rest of them");
        assert_eq!(inner.endpoints["http://a"].jobs, 1, "its next attempt");
        let other = inner.due(later).expect("one");
        assert_eq!(other.id, "b");
        inner.done(other, Outcome::Delivered, later);
        let tried = inner.due(later + WAIT_MOST).expect("one");
        inner.done(tried, Outcome::Gone("410".to_owned()), later + WAIT_MOST);
        assert!(inner.endpoints.is_empty(), "nobody is remembered for ever");
    }

    #[test]
    fn an_origin_is_scheme_host_and_port() {
        assert_eq!(origin("https://a.b:8/c/d"), "https://a.b:8");
        assert_eq!(origin("http://a"), "http://a");
    }
}
