//! Ways out through brokers, on the command line and from there to running threads.

use std::path::PathBuf;
use std::sync::Arc;

#[cfg(any(feature = "nats", feature = "kafka"))]
use anyhow::Context;
use anyhow::Result;
use clap::{Args as ClapArgs, ValueEnum};
use node::Node;
use node::outlet::{Kind, Kinds, SlowPolicy, SpillSettings};
use node::standing::Sink;
use server::out::broker::{CAPACITY, Format, Stream};

/// NATS.
#[derive(Clone, Debug, ClapArgs)]
pub struct NatsArgs {
    /// Publish frames to this NATS server, or servers of one cluster with commas between, as
    /// PREFIX.KIND.SYMBOL (needs a build with --features nats)
    #[arg(long, value_name = "URL")]
    pub nats: Option<String>,
    /// The first word or words of every subject
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "ouzel",
        requires = "nats"
    )]
    pub nats_subject: String,
    /// A file of NATS credentials (JWT and seed)
    #[arg(long, value_name = "FILE", requires = "nats")]
    pub nats_creds: Option<PathBuf>,
    /// How a frame is written
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "json",
        requires = "nats"
    )]
    pub nats_format: FormatArg,
    /// Which kinds of frames [default: all]: book, trade, bar, vwap, signal, feed, status, venue,
    /// amendment, measure, activity, joined
    #[arg(long, value_name = "KIND,..", value_delimiter = ',', value_parser = kind, requires = "nats")]
    pub nats_kinds: Vec<Kind>,
    /// What happens to the frames of a broker that does not keep up or is gone
    #[arg(
        long,
        value_enum,
        value_name = "POLICY",
        default_value = "drop",
        requires = "nats"
    )]
    pub nats_slow: SlowArg,
    /// Frames that may wait in memory for NATS
    #[arg(long, value_name = "FRAMES", default_value_t = CAPACITY as u32, requires = "nats", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub nats_queue: u32,
}

/// Kafka.
#[derive(Clone, Debug, ClapArgs)]
pub struct KafkaArgs {
    /// Publish frames to these Kafka brokers (HOST:PORT,..), to topics PREFIX.KIND with the symbol as
    /// key (needs a build with --features kafka)
    #[arg(long, value_name = "BROKERS")]
    pub kafka: Option<String>,
    /// The first part of every topic
    #[arg(
        long,
        value_name = "PREFIX",
        default_value = "ouzel",
        requires = "kafka"
    )]
    pub kafka_topic: String,
    /// A setting of librdkafka, such as linger.ms=20; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = setting, requires = "kafka")]
    pub kafka_set: Vec<(String, String)>,
    /// How a frame is written
    #[arg(
        long,
        value_enum,
        value_name = "FORMAT",
        default_value = "json",
        requires = "kafka"
    )]
    pub kafka_format: FormatArg,
    /// Which kinds of frames [default: all], as for --nats-kinds
    #[arg(long, value_name = "KIND,..", value_delimiter = ',', value_parser = kind, requires = "kafka")]
    pub kafka_kinds: Vec<Kind>,
    /// What happens to the frames of brokers that do not keep up or are gone
    #[arg(
        long,
        value_enum,
        value_name = "POLICY",
        default_value = "drop",
        requires = "kafka"
    )]
    pub kafka_slow: SlowArg,
    /// Frames that may wait in memory for Kafka
    #[arg(long, value_name = "FRAMES", default_value_t = CAPACITY as u32, requires = "kafka", value_parser = clap::value_parser!(u32).range(2..=10_000_000))]
    pub kafka_queue: u32,
}

/// A name and a value.
pub fn setting(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=').filter(|(name, _)| !name.is_empty());
    let (name, value) = pair.ok_or("write NAME=VALUE")?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Frames that wait on disk.
#[derive(Clone, Debug, ClapArgs)]
pub struct SpillArgs {
    /// Where frames wait for outputs whose policy is spill
    #[arg(long, value_name = "DIR")]
    pub spill: Option<PathBuf>,
    /// MiB on disk for each of them; beyond it frames are dropped, and marked
    #[arg(long, value_name = "MIB", default_value_t = 1_024, requires = "spill", value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    pub spill_limit: u64,
}

impl SpillArgs {
    /// Where and how much, if anything may wait on disk.
    pub fn settings(&self) -> Option<SpillSettings> {
        let dir = self.spill.clone()?;
        Some(SpillSettings {
            dir,
            limit: self.spill_limit << 20,
        })
    }
}

/// How a frame is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum FormatArg {
    /// One JSON object
    Json,
    /// One message of docs/formats/ouzel-frames.md
    Binary,
}

/// What happens at the bound of an outlet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SlowArg {
    /// The newest state of each book, VWAP and feed; prints, bars and signals wait up to the bound
    Conflate,
    /// Everything, in order; beyond the bound the oldest go, and a mark says how many
    Drop,
    /// As drop, and a capture that is played waits first
    Block,
    /// Everything, in order: what is too much for memory waits on disk (--spill DIR)
    Spill,
}

fn kind(name: &str) -> Result<Kind, String> {
    let all = || Kind::NAMES.map(|(_, name)| name).join(", ");
    Kind::parse(name).ok_or_else(|| format!("choose from {}", all()))
}

#[cfg_attr(
    not(any(feature = "nats", feature = "kafka")),
    allow(dead_code, reason = "no broker is built in")
)]
fn stream(
    kinds: &[Kind],
    format: FormatArg,
    (slow, queue): (SlowArg, u32),
    spill: &SpillArgs,
) -> Result<Stream> {
    let spill = spill.settings();
    anyhow::ensure!(
        slow != SlowArg::Spill || spill.is_some(),
        "the policy spill needs a folder: --spill DIR"
    );
    Ok(Stream {
        kinds: match kinds {
            [] => Kinds::ALL,
            some => Kinds::of(some),
        },
        format: match format {
            FormatArg::Json => Format::Json,
            FormatArg::Binary => Format::Binary,
        },
        slow: match slow {
            SlowArg::Conflate => SlowPolicy::Conflate,
            SlowArg::Drop => SlowPolicy::DropWithMark,
            SlowArg::Block => SlowPolicy::Block,
            SlowArg::Spill => SlowPolicy::Spill,
        },
        capacity: queue as usize,
        spill,
    })
}

/// A running sender; alive until dropped.
pub type Sender = Box<dyn Send>;

/// The sender to NATS, if one was asked for.
pub fn nats(node: &Arc<Node>, args: &NatsArgs, spill: &SpillArgs) -> Result<Option<Sender>> {
    let Some(url) = &args.nats else {
        return Ok(None);
    };
    #[cfg(not(feature = "nats"))]
    {
        // Used by the build that has the feature.
        let _ = (node, url, spill);
        anyhow::bail!(
            "--nats: built without the feature nats; build with `cargo build --release --features nats`"
        )
    }
    #[cfg(feature = "nats")]
    {
        let settings = server::out::nats::Settings {
            url: url.clone(),
            credentials: args.nats_creds.clone(),
            prefix: args.nats_subject.clone(),
            stream: stream(
                &args.nats_kinds,
                args.nats_format,
                (args.nats_slow, args.nats_queue),
                spill,
            )
            .context("--nats-slow")?,
        };
        let nats = server::out::nats::Nats::start(node, &settings).context("--nats")?;
        Ok(Some(Box::new(nats)))
    }
}

/// Who tells NATS of alerts, if it was asked for.
pub fn alerts(node: &Node, args: &NatsArgs) -> Result<Option<Arc<dyn Sink>>> {
    #[cfg(not(feature = "nats"))]
    {
        // Used by the build that has the feature, which refuses nothing here: `nats` says what is missing.
        let _ = (node, args);
        Ok(None)
    }
    #[cfg(feature = "nats")]
    {
        let Some(url) = &args.nats else {
            return Ok(None);
        };
        let alerts = server::out::nats_alerts::NatsAlerts::start(
            node,
            url,
            args.nats_creds.as_deref(),
            &args.nats_subject,
        );
        Ok(Some(Arc::new(alerts.context("--nats")?)))
    }
}

/// The sender to Kafka, if one was asked for.
pub fn kafka(node: &Arc<Node>, args: &KafkaArgs, spill: &SpillArgs) -> Result<Option<Sender>> {
    let Some(brokers) = &args.kafka else {
        return Ok(None);
    };
    #[cfg(not(feature = "kafka"))]
    {
        // Used by the build that has the feature.
        let _ = (node, brokers, spill);
        anyhow::bail!(
            "--kafka: built without the feature kafka; build with `cargo build --release --features kafka`"
        )
    }
    #[cfg(feature = "kafka")]
    {
        let settings = server::out::kafka::Settings {
            brokers: brokers.clone(),
            prefix: args.kafka_topic.clone(),
            options: args.kafka_set.clone(),
            stream: stream(
                &args.kafka_kinds,
                args.kafka_format,
                (args.kafka_slow, args.kafka_queue),
                spill,
            )
            .context("--kafka-slow")?,
        };
        let kafka = server::out::kafka::Kafka::start(node, &settings).context("--kafka")?;
        Ok(Some(Box::new(kafka)))
    }
}
