//! What brings documents, from the command line to running tasks.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use node::Node;
use server::sources::edgar::{Edgar, EdgarSettings};
use server::sources::folder::{self, Folder, FolderSettings};
use server::sources::{FeedSource, Fetcher, Intake, Limits, Status, keep};
use tokio::sync::watch;

use crate::args::{BrokerArgs, FeedArg, SourceArgs, WatchArg};

/// A feed of some hundred entries is below a megabyte.
const FEED_LIMITS: Limits = Limits {
    time: Duration::from_secs(30),
    bytes: 16 << 20,
};

/// A filing with all its exhibits, pictures among them.
const FILING_LIMITS: Limits = Limits {
    time: Duration::from_secs(60),
    bytes: 128 << 20,
};

/// What runs: tasks that end when they are told, and threads that end when this is dropped.
pub struct Sources {
    /// Of each source.
    pub statuses: Vec<Arc<Status>>,
    _threads: Vec<Box<dyn Send>>,
}

/// Starts what was asked for. Tasks end when `stopped` changes.
pub fn start(
    args: &SourceArgs,
    node: &Arc<Node>,
    stopped: &watch::Receiver<bool>,
) -> Result<Sources> {
    let mut starts = Starts {
        node,
        stopped,
        statuses: Vec::new(),
        threads: Vec::new(),
    };
    for feed in &args.feed {
        starts.feed(feed, Duration::from_secs(args.feed_every))?;
    }
    if args.edgar {
        starts.edgar(args)?;
    }
    for folder in &args.watch {
        starts.folder(folder, args)?;
    }
    starts.nats(&args.brokers)?;
    starts.kafka(&args.brokers)?;
    Ok(Sources {
        statuses: starts.statuses,
        _threads: starts.threads,
    })
}

struct Starts<'a> {
    node: &'a Arc<Node>,
    stopped: &'a watch::Receiver<bool>,
    statuses: Vec<Arc<Status>>,
    threads: Vec<Box<dyn Send>>,
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

    fn edgar(&mut self, args: &SourceArgs) -> Result<()> {
        let contact = args.edgar_contact.as_deref().map(str::trim);
        let contact = contact.filter(|contact| contact.contains('@') && contact.is_ascii());
        let contact = contact.context(
            "--edgar: the SEC asks every program for a name and an e-mail address; give --edgar-contact 'Jo Miller jo@example.org'",
        )?;
        let agent = format!("{contact} (ouzel/{})", env!("CARGO_PKG_VERSION"));
        let settings = EdgarSettings {
            base: args.edgar_url.clone(),
            forms: args.edgar_forms.clone(),
            gap: Duration::from_secs(1) / u32::try_from(args.edgar_rate).unwrap_or(1).max(1),
        };
        let intake = self.intake("edgar", "edgar", &without_secrets(&args.edgar_url))?;
        let source = Edgar::new(settings, Fetcher::new(&agent, FILING_LIMITS), intake);
        let every = Duration::from_secs(args.edgar_every);
        tokio::spawn(keep(source, every, self.stopped.clone()));
        Ok(())
    }

    fn folder(&mut self, asked: &WatchArg, args: &SourceArgs) -> Result<()> {
        let shown = asked.dir.display().to_string();
        let intake = self.intake("folder", &asked.name, &shown)?;
        let settings = FolderSettings {
            dir: asked.dir.clone(),
            settle: Duration::from_secs_f64(args.watch_settle),
            deletes: args.watch_delete,
            trusts_known_at: args.watch_known_at,
        };
        let source = Folder::new(settings, intake);
        tokio::spawn(folder::follow(source, self.stopped.clone()));
        Ok(())
    }

    #[cfg(not(feature = "nats"))]
    #[allow(clippy::unused_self, reason = "the build that has the feature uses it")]
    fn nats(&mut self, args: &BrokerArgs) -> Result<()> {
        let none = args.nats_in.is_empty();
        anyhow::ensure!(
            none,
            "--nats-in: built without the feature nats; build with `cargo build --release --features nats`"
        );
        Ok(())
    }

    #[cfg(feature = "nats")]
    fn nats(&mut self, args: &BrokerArgs) -> Result<()> {
        use server::sources::nats::{NatsSettings, follow};

        for subject in &args.nats_in {
            let intake = self.intake("nats", subject, subject)?;
            let durable = args.nats_in_durable.as_deref();
            let settings = NatsSettings {
                url: args.nats_in_url.clone(),
                credentials: args.nats_in_creds.clone(),
                subject: subject.clone(),
                durable: durable.map(|name| durable_name(name, subject)),
            };
            tokio::spawn(follow(settings, intake, self.stopped.clone()));
        }
        Ok(())
    }

    #[cfg(not(feature = "kafka"))]
    #[allow(clippy::unused_self, reason = "the build that has the feature uses it")]
    fn kafka(&mut self, args: &BrokerArgs) -> Result<()> {
        let none = args.kafka_in.is_empty();
        anyhow::ensure!(
            none,
            "--kafka-in: built without the feature kafka; build with `cargo build --release --features kafka`"
        );
        Ok(())
    }

    #[cfg(feature = "kafka")]
    fn kafka(&mut self, args: &BrokerArgs) -> Result<()> {
        use server::sources::kafka::{KafkaSettings, KafkaSource};

        for topic in &args.kafka_in {
            let intake = self.intake("kafka", topic, topic)?;
            let settings = KafkaSettings {
                brokers: args.kafka_in_brokers.clone(),
                topic: topic.clone(),
                group: args.kafka_in_group.clone(),
                options: args.kafka_in_set.clone(),
            };
            let source = KafkaSource::start(&settings, intake).context("--kafka-in")?;
            self.threads.push(Box::new(source));
        }
        Ok(())
    }
}

/// A consumer follows one subject, and its name may have no dots, spaces or wildcards.
#[cfg(feature = "nats")]
fn durable_name(name: &str, subject: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || c == '-' {
            c
        } else {
            '_'
        }
    };
    format!("{name}-{}", subject.chars().map(plain).collect::<String>())
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
