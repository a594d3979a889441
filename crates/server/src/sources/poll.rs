//! Sources that are asked again and again, and the feed among them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use super::{Conditions, Failure, Fetched, Fetcher, Intake, Manner, Pace, feed};

/// A source that is asked; it blocks.
pub trait Turn: Send + 'static {
    /// Asks once and hands over what came.
    ///
    /// # Errors
    /// When it did not work; what was handed over before stays.
    fn turn(&mut self) -> Result<(), Failure>;

    /// Where its documents go.
    fn intake(&self) -> &Intake;
}

/// Asks a source every so often until `stop` changes.
pub async fn keep<T: Turn>(mut source: T, every: Duration, mut stop: watch::Receiver<bool>) {
    let status = Arc::clone(source.intake().status());
    let mut pace = Pace::new(every, seed(&status.name) ^ source.intake().now());
    while !*stop.borrow() {
        status.with(|counts| counts.asked += 1);
        let turn = tokio::task::spawn_blocking(move || {
            let outcome = source.turn();
            (source, outcome)
        });
        let done = tokio::select! {
            done = turn => done,
            _ = stop.changed() => return,
        };
        let Ok((back, outcome)) = done else {
            status.fails(
                "a defect of ours ended it; the log has the details, a restart begins it anew",
            );
            return;
        };
        source = back;
        let now = source.intake().now();
        match &outcome {
            Ok(()) => status.works(now),
            Err(failure) => status.fails(&failure.why),
        }
        let wait = pace.after(outcome.as_ref().err());
        let wait_ns = u64::try_from(wait.as_nanos()).unwrap_or(u64::MAX);
        status.with(|counts| counts.next = Some(now.saturating_add(wait_ns)));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            _ = stop.changed() => return,
        }
    }
}

fn seed(name: &str) -> u64 {
    let bytes = name.bytes().map(u64::from);
    bytes.fold(14_695_981_039_346_656_037, |hash, byte| {
        (hash ^ byte).wrapping_mul(1_099_511_628_211)
    })
}

/// An RSS, Atom or JSON feed.
pub struct FeedSource {
    url: String,
    fetcher: Fetcher,
    conditions: Conditions,
    intake: Intake,
}

/// News: a feed shows what somebody deleted again and again.
const NEWS: Manner = Manner {
    stays_deleted: true,
    is_replay: false,
    is_news: true,
    trusts_known_at: false,
};

impl FeedSource {
    /// The feed at `url`; the name of `intake`'s source is the source of its documents.
    #[must_use]
    pub fn new(url: String, fetcher: Fetcher, intake: Intake) -> Self {
        Self {
            url,
            fetcher,
            conditions: Conditions::default(),
            intake,
        }
    }
}

impl Turn for FeedSource {
    fn turn(&mut self) -> Result<(), Failure> {
        let body = match self.fetcher.get(&self.url, &self.conditions)? {
            Fetched::Body(body) => body,
            Fetched::Unchanged => {
                self.intake.status().with(|counts| counts.unchanged += 1);
                return Ok(());
            }
        };
        let name = self.intake.status().name.clone();
        let read = feed::read(&body.bytes, &name, &self.url);
        let read = read.map_err(|why| Failure::new(format!("what came {why}")))?;
        for (place, why) in &read.passed_over {
            self.intake.refuse(place, why);
        }
        for draft in read.entries {
            let place = draft.id.clone();
            let took = self.intake.take(&place, draft, NEWS);
            took.map_err(|fault| Failure::new(fault.to_string()))?;
        }
        // Only now: what was not stored is asked for again.
        self.conditions = body.conditions;
        Ok(())
    }

    fn intake(&self) -> &Intake {
        &self.intake
    }
}
