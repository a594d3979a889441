//! Where documents come from by themselves.

use std::path::PathBuf;

use clap::Args as ClapArgs;

/// Sources of documents.
#[derive(Clone, Debug, ClapArgs)]
pub struct SourceArgs {
    /// Follow this RSS, Atom or JSON feed; NAME is the `source` of its documents [default: the host].
    /// May be given more than once
    #[arg(long, value_name = "[NAME=]URL", value_parser = feed)]
    pub feed: Vec<FeedArg>,
    /// Ask each feed so often
    #[arg(long, value_name = "SECONDS", default_value_t = 60, requires = "feed", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub feed_every: u64,
    /// Follow the SEC's feed of current filings, and store each filing with its press releases (exhibits 99)
    #[arg(long)]
    pub edgar: bool,
    /// Who asks: the SEC wants a name and an e-mail address of every program
    #[arg(long, value_name = "CONTACT", env = "OUZEL_EDGAR_CONTACT")]
    pub edgar_contact: Option<String>,
    /// Which forms, exactly as EDGAR writes them: 8-K,8-K/A,10-Q
    #[arg(
        long,
        value_name = "FORM,..",
        value_delimiter = ',',
        default_value = "8-K",
        requires = "edgar"
    )]
    pub edgar_forms: Vec<String>,
    /// EDGAR, or a mirror of it
    #[arg(
        long,
        value_name = "URL",
        default_value = "https://www.sec.gov",
        requires = "edgar"
    )]
    pub edgar_url: String,
    /// Ask for new filings so often
    #[arg(long, value_name = "SECONDS", default_value_t = 30, requires = "edgar", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub edgar_every: u64,
    /// Calls a second at most; the SEC allows 10
    #[arg(long, value_name = "N", default_value_t = 5, requires = "edgar", value_parser = clap::value_parser!(u64).range(1..=10))]
    pub edgar_rate: u64,
    /// Store the files of this folder, and of those in it, as they appear or change: .jsonl, .txt, .md,
    /// .html; NAME is the `source` of the documents [default: the folder's name]. May be given more
    /// than once
    #[arg(long, value_name = "[NAME=]DIR", value_parser = watch)]
    pub watch: Vec<WatchArg>,
    /// Read a file once it has not changed for so long
    #[arg(long, value_name = "SECONDS", default_value_t = 2.0, requires = "watch", value_parser = settle)]
    pub watch_settle: f64,
    /// A .txt, .md or .html file that is removed takes its document with it; without this, documents stay
    #[arg(long, requires = "watch")]
    pub watch_delete: bool,
    /// Believe the `known_at` of JSON lines in watched folders (history); without this it is the
    /// instant of arrival
    #[arg(long, requires = "watch")]
    pub watch_known_at: bool,
    /// Brokers
    #[command(flatten)]
    pub brokers: BrokerArgs,
}

/// Subjects and topics whose messages are documents.
#[derive(Clone, Debug, ClapArgs)]
pub struct BrokerArgs {
    /// Store the messages of this NATS subject as documents, each the body of POST /v1/documents; it
    /// may have wildcards, and be given more than once (needs a build with --features nats)
    #[arg(long, value_name = "SUBJECT")]
    pub nats_in: Vec<String>,
    /// The NATS server, or servers of one cluster with commas between
    #[arg(
        long,
        value_name = "URL",
        default_value = "nats://127.0.0.1:4222",
        requires = "nats_in"
    )]
    pub nats_in_url: String,
    /// A file of NATS credentials (JWT and seed)
    #[arg(long, value_name = "FILE", requires = "nats_in")]
    pub nats_in_creds: Option<PathBuf>,
    /// Read from the JetStream stream that keeps the subject, by durable consumers that begin with this
    /// name: what is published while we are away comes afterwards
    #[arg(long, value_name = "NAME", requires = "nats_in")]
    pub nats_in_durable: Option<String>,
    /// Store the messages of this Kafka topic as documents; may be given more than once (needs a
    /// build with --features kafka)
    #[arg(long, value_name = "TOPIC")]
    pub kafka_in: Vec<String>,
    /// The Kafka brokers (HOST:PORT,..)
    #[arg(
        long,
        value_name = "BROKERS",
        default_value = "127.0.0.1:9092",
        requires = "kafka_in"
    )]
    pub kafka_in_brokers: String,
    /// The consumer group, whose offsets say how far we are
    #[arg(
        long,
        value_name = "GROUP",
        default_value = "ouzel",
        requires = "kafka_in"
    )]
    pub kafka_in_group: String,
    /// A setting of librdkafka, such as fetch.wait.max.ms=50; may be given more than once
    #[arg(long, value_name = "NAME=VALUE", value_parser = crate::brokers::setting, requires = "kafka_in")]
    pub kafka_in_set: Vec<(String, String)>,
}

/// A folder.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WatchArg {
    /// The `source` of its documents.
    pub name: String,
    /// Where it is.
    pub dir: PathBuf,
}

fn watch(text: &str) -> Result<WatchArg, String> {
    let (name, dir) = match text.split_once('=') {
        Some((name, dir)) if !name.contains('/') => (Some(name.to_owned()), dir),
        _ => (None, text),
    };
    let dir = PathBuf::from(dir);
    let own = dir.canonicalize().ok();
    let own = own.as_ref().and_then(|dir| dir.file_name()?.to_str());
    let name = name.or(own.map(str::to_owned));
    let name = name.filter(|name| !name.is_empty());
    if !dir.is_dir() {
        return Err(format!("{} is no folder", dir.display()));
    }
    Ok(WatchArg {
        name: name.ok_or("write NAME=DIR")?,
        dir,
    })
}

fn settle(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("{text:?} is no number"))?;
    if (0.1..=3_600.0).contains(&seconds) {
        Ok(seconds)
    } else {
        Err("between 0.1 and 3600 seconds".to_owned())
    }
}

/// A feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedArg {
    /// The `source` of its documents.
    pub name: String,
    /// Where it is.
    pub url: String,
}

fn feed(text: &str) -> Result<FeedArg, String> {
    let (name, url) = match text.split_once('=') {
        Some((name, url)) if !name.contains("://") => (Some(name), url),
        _ => (None, text),
    };
    let host = host(url).ok_or("write https://host/path, or NAME=https://host/path")?;
    let name = name.unwrap_or(host).trim();
    if name.is_empty() {
        return Err("the name in front of = is empty".to_owned());
    }
    Ok(FeedArg {
        name: name.to_owned(),
        url: url.to_owned(),
    })
}

/// The host of an address that HTTP reaches.
fn host(url: &str) -> Option<&str> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let host = rest[..end].rsplit('@').next()?;
    (!host.is_empty()).then_some(host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feed_is_named_by_its_host_or_as_asked() {
        let named = |text: &str| feed(text).map(|f| (f.name, f.url));
        let pair = |a: &str, b: &str| Ok((a.to_owned(), b.to_owned()));
        let url = "https://u:p@x.org:8/rss?a=b";
        assert_eq!(named(url), pair("x.org:8", url));
        assert_eq!(named(&format!("wire={url}")), pair("wire", url));
        for bad in [
            "",
            "x.org/rss",
            "file:///etc/passwd",
            "=https://x.org",
            "http://",
        ] {
            assert!(named(bad).is_err(), "{bad}");
        }
    }
    #[test]
    fn a_folder_is_named_by_itself_or_as_asked() {
        let dir = std::env::temp_dir();
        let text = format!("notes={}", dir.display());
        let named = watch(&text).expect("a folder");
        assert_eq!((named.name.as_str(), named.dir), ("notes", dir));
        for bad in ["notes=", "/", "no such folder"] {
            assert!(watch(bad).is_err(), "{bad}");
        }
    }
}
