//! What brings documents, from the command line to running tasks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use node::Node;
use server::sources::{FeedSource, Fetcher, Intake, Limits, Status, keep};
use tokio::sync::watch;

use crate::args::{FeedArg, SourceArgs};

/// A feed of some hundred entries is below a megabyte.
const FEED_LIMITS: Limits = Limits {
    time: Duration::from_secs(30),
    bytes: 16 << 20,
};

/// Starts what was asked for; their states. They end when `stopped` changes.
pub fn start(
    args: &SourceArgs,
    node: &Arc<Node>,
    stopped: &watch::Receiver<bool>,
) -> Result<Vec<Arc<Status>>> {
    let mut starts = Starts {
        node,
        stopped,
        statuses: Vec::new(),
    };
    for feed in &args.feed {
        starts.feed(feed, Duration::from_secs(args.feed_every))?;
    }
    Ok(starts.statuses)
}

struct Starts<'a> {
    node: &'a Arc<Node>,
    stopped: &'a watch::Receiver<bool>,
    statuses: Vec<Arc<Status>>,
}

impl Starts<'_> {
    /// Documents of two sources of one name would take each other for versions.
    fn intake(&mut self, kind: &'static str, name: &str, target: &str) -> Result<Intake> {
        let is_taken = self.statuses.iter().any(|known| known.name == name);
        anyhow::ensure!(
            !is_taken,
            "two sources are called {name:?}; give one another name: NAME={target}"
        );
        let status = Arc::new(Status::new(kind, name, target));
        self.statuses.push(Arc::clone(&status));
        Ok(Intake::new(Arc::clone(self.node), status))
    }

    fn feed(&mut self, feed: &FeedArg, every: Duration) -> Result<()> {
        let intake = self.intake("feed", &feed.name, &without_secrets(&feed.url))?;
        let agent = concat!("ouzel/", env!("CARGO_PKG_VERSION"));
        let fetcher = Fetcher::new(agent, FEED_LIMITS);
        let source = FeedSource::new(feed.url.clone(), fetcher, intake);
        tokio::spawn(keep(source, every, self.stopped.clone()));
        Ok(())
    }
}

/// An address as it may be shown: without a name and password, and without a query, where keys stand.
fn without_secrets(url: &str) -> String {
    let plain = url.split(['?', '#']).next().unwrap_or_default();
    let Some((scheme, rest)) = plain.split_once("://") else {
        return plain.to_owned();
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let host = host.rsplit('@').next().unwrap_or_default();
    format!("{scheme}://{host}/{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_secrets() {
        let shown = without_secrets("https://user:pass@x.org:8/feed?key=secret");
        assert_eq!(shown, "https://x.org:8/feed");
    }
}
