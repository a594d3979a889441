//! Where documents come from by themselves.

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
}
