//! The bytes of a feed (RSS, Atom, JSON Feed) as drafts.

use feed_rs::model::{Content, Entry, Text};
use feed_rs::parser;
use rag::settings::{ID_BYTES_LIMIT, TITLE_BYTES_LIMIT};
use rag::{Draft, Field, Fields};
use sha2::{Digest, Sha256};

use super::html;
use super::intake::hex;

/// Entries of one feed that are read.
pub const ENTRIES_LIMIT: usize = 1_000;

/// A feed as read.
#[derive(Debug, Default)]
pub struct Feed {
    /// What it calls itself.
    pub title: Option<String>,
    /// Its entries, oldest first where they are dated; a revision that a feed lists with its first version comes after it.
    pub entries: Vec<Draft>,
    /// Entries beyond the limit, or without any words.
    pub passed_over: usize,
}

/// Reads a feed at `url`; its documents have the source `source`, and ids that begin with it.
///
/// # Errors
/// In words, when it is no feed.
pub fn read(bytes: &[u8], source: &str, url: &str) -> Result<Feed, String> {
    let parser = parser::Builder::new()
        .base_uri(Some(url))
        .id_generator(|links, _title, _url| {
            let link = links.first();
            link.map(|link| link.href.clone()).unwrap_or_default()
        })
        .build();
    let read = parser.parse(bytes).map_err(|e| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        format!("is no feed: {e}; it begins with {start:?}")
    })?;
    let count = read.entries.len();
    let entries = read.entries.into_iter().take(ENTRIES_LIMIT);
    let mut entries: Vec<Draft> = entries.filter_map(|entry| draft(entry, source)).collect();
    entries.sort_by_key(|draft| draft.event_at);
    Ok(Feed {
        title: read.title.map(|title| words(&title)),
        passed_over: count - entries.len(),
        entries,
    })
}

fn draft(entry: Entry, source: &str) -> Option<Draft> {
    let title = entry.title.as_ref().map(words).filter(|t| !t.is_empty());
    let content = entry.content.as_ref().and_then(content);
    let summary = entry.summary.as_ref().map(plain);
    // Feeds put the whole story into either; the longer one is it.
    let longer = [content, summary].into_iter().flatten();
    let text = longer.max_by_key(String::len).filter(|t| !t.is_empty());
    let text = text.or_else(|| title.clone())?;
    let link = entry.links.iter().find(|link| {
        let rel = link.rel.as_deref().unwrap_or("alternate");
        rel == "alternate"
    });
    let mut id = entry.id;
    if id.is_empty() {
        let mut hash = Sha256::new();
        hash.update(title.as_deref().unwrap_or_default());
        hash.update([0]);
        hash.update(&text);
        id = hex(&hash.finalize());
    }
    let at = entry.published.or(entry.updated);
    let at = at.and_then(|at| at.timestamp_nanos_opt());
    let categories = entry.categories.into_iter().map(|c| Field::Text(c.term));
    let categories: Vec<Field> = categories.collect();
    let mut fields = Fields::new();
    if !categories.is_empty() {
        fields.insert("categories".to_owned(), Field::List(categories));
    }
    Some(Draft {
        id: bounded_id(source, &id),
        title: title.map(|title| bounded(title, TITLE_BYTES_LIMIT)),
        text,
        source: Some(source.to_owned()),
        symbols: Vec::new(),
        url: link.or(entry.links.first()).map(|link| link.href.clone()),
        fields,
        event_at: at.and_then(|at| u64::try_from(at).ok()),
        known_at: None,
    })
}

/// `SOURCE:ID`, where that is too long with a hash for the id.
pub(super) fn bounded_id(source: &str, id: &str) -> String {
    let whole = format!("{source}:{id}");
    if whole.len() <= ID_BYTES_LIMIT {
        return whole;
    }
    format!("{source}:sha256-{}", hex(&Sha256::digest(id)))
}

/// As much of a text as fits, with a sign that there was more.
pub(super) fn bounded(mut text: String, limit: usize) -> String {
    if text.len() > limit {
        text.truncate(text.floor_char_boundary(limit - '\u{2026}'.len_utf8()));
        text.push('\u{2026}');
    }
    text
}

fn content(content: &Content) -> Option<String> {
    let body = content.body.as_deref()?;
    let kind = content.content_type.essence().to_string();
    is_text(&kind).then(|| shown(body, &kind))
}

fn plain(text: &Text) -> String {
    shown(&text.content, &text.content_type.essence().to_string())
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/") || kind.contains("xhtml") || kind.ends_with("/xml")
}

/// Text of one line.
fn words(text: &Text) -> String {
    html::squeezed(&plain(text))
}

/// Feeds say `text/plain` of HTML too: what has tags or entities in it is HTML.
fn shown(text: &str, kind: &str) -> String {
    let is_html = kind != "text/plain" || {
        let has = |mark: &str| text.contains(mark);
        has("</") || has("/>") || has("<p>") || has("<br>") || (has("&") && has(";"))
    };
    if is_html {
        html::read(text).text
    } else {
        text.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RSS: &str = r#"<?xml version="1.0"?><rss version="2.0"><channel><title>Wire &amp; Co</title>
        <item><guid isPermaLink="false">n2</guid><title>Apple &lt;b&gt;cuts&lt;/b&gt; forecast</title><link>http://x/2</link>
          <pubDate>Tue, 28 Jan 2014 21:00:00 GMT</pubDate><category>tech</category>
          <description>&lt;p&gt;Sales &amp;amp; margins fell.&lt;/p&gt;&lt;table&gt;&lt;tr&gt;&lt;td&gt;Sales&lt;td&gt;5&lt;/table&gt;</description></item>
        <item><title>Only a headline</title><link>http://x/1</link></item>
        <item><description/></item></channel></rss>"#;

    const ATOM: &str = r#"<feed xmlns="http://www.w3.org/2005/Atom"><title>A</title><id>f</id>
        <entry><id>urn:1</id><title type="html">Q&amp;amp;A</title><updated>2014-01-29T00:00:00Z</updated>
          <published>2014-01-28T21:00:00-05:00</published><summary>short</summary>
          <content type="xhtml"><div xmlns="http://www.w3.org/1999/xhtml"><h1>Head</h1><p>Body.</p></div></content>
          <link rel="self" href="http://x/self"/><link rel="alternate" href="http://x/a"/></entry></feed>"#;

    #[test]
    fn rss_and_atom_become_drafts() {
        let feed = read(RSS.as_bytes(), "wire", "http://x/").expect("a feed");
        assert_eq!(
            (feed.title.as_deref(), feed.passed_over),
            (Some("Wire & Co"), 1)
        );
        let [headline, apple] = &feed.entries[..] else {
            panic!("{feed:?}")
        };
        assert_eq!(headline.id, "wire:http://x/1");
        assert_eq!(
            (headline.text.as_str(), headline.event_at),
            ("Only a headline", None)
        );
        assert_eq!(apple.id, "wire:n2");
        assert_eq!(apple.title.as_deref(), Some("Apple cuts forecast"));
        assert_eq!(apple.text, "Sales & margins fell.\n\nSales | 5");
        assert_eq!(apple.url.as_deref(), Some("http://x/2"));
        assert_eq!(apple.event_at, Some(1_390_942_800_000_000_000));
        let feed = read(ATOM.as_bytes(), "a", "http://x/").expect("a feed");
        let entry = &feed.entries[0];
        assert_eq!(entry.text, "# Head\n\nBody.");
        assert_eq!(entry.title.as_deref(), Some("Q&A"));
        assert_eq!(entry.url.as_deref(), Some("http://x/a"));
        assert_eq!(entry.event_at, Some(1_390_960_800_000_000_000));
    }

    #[test]
    fn what_is_no_feed_is_told() {
        for bad in [
            "",
            "<html><body>Sorry",
            "{\"a\": 1}",
            "<rss version=\"2.0\"><chan",
        ] {
            let why = read(bad.as_bytes(), "a", "http://x/").expect_err("no feed");
            assert!(why.starts_with("is no feed"), "{why}");
        }
    }

    #[test]
    fn long_ids_and_titles_are_bounded() {
        let long = "x".repeat(3_000);
        assert!(bounded_id("wire", &long).len() < 100);
        assert_ne!(
            bounded_id("wire", &long),
            bounded_id("wire", &format!("{long}y"))
        );
        assert!(bounded(long, TITLE_BYTES_LIMIT).len() <= TITLE_BYTES_LIMIT);
    }
}
