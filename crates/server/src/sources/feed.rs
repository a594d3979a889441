//! The bytes of a feed (RSS, Atom, JSON Feed) as drafts.

use std::collections::{HashMap, HashSet};

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
    /// Its entries, oldest first; of several with one id the latest.
    pub entries: Vec<Draft>,
    /// Entries that are no documents, and why.
    pub passed_over: Vec<(String, String)>,
}

/// Reads a feed at `url`; its documents have the source `source`, and ids that begin with it.
///
/// # Errors
/// In words, when it is no feed.
pub fn read(bytes: &[u8], source: &str, url: &str) -> Result<Feed, String> {
    let parser = parser::Builder::new()
        .base_uri(Some(url))
        .id_generator(|_links, _title, _url| String::new())
        .build();
    let read = parser.parse(bytes).map_err(|e| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        format!("is no feed: {e}; it begins with {start:?}")
    })?;
    let mut all = read.entries;
    let mut passed_over = Vec::new();
    if all.len() > ENTRIES_LIMIT {
        let place = format!("{source}, entries behind the first {ENTRIES_LIMIT}");
        passed_over.push((place, "a feed is read no further".to_owned()));
        all.truncate(ENTRIES_LIMIT);
    }
    name_by_links(&mut all);
    // Feeds show the newest first: of two with one date the upper one is the later.
    let mut dated = Vec::with_capacity(all.len());
    for (at, entry) in all.into_iter().enumerate().rev() {
        let updated = entry.updated;
        let place = match entry.id.as_str() {
            "" => format!("{source}, entry {}", at + 1),
            id => bounded_id(source, id),
        };
        match draft(entry, source) {
            Ok(draft) => dated.push((draft, updated)),
            Err(why) => passed_over.push((place, why)),
        }
    }
    dated.sort_by_key(|(draft, updated)| (draft.event_at, *updated));
    Ok(Feed {
        title: read.title.and_then(|title| words(&title).ok()),
        entries: latest(dated.into_iter().map(|(draft, _)| draft)),
        passed_over,
    })
}

/// Names entries without an id by their first link, where no other such entry has it: a home page is nobody's name.
fn name_by_links(entries: &mut [Entry]) {
    let mut counts: HashMap<String, usize> = HashMap::new();
    for entry in entries.iter().filter(|entry| entry.id.is_empty()) {
        if let Some(link) = entry.links.first() {
            *counts.entry(link.href.clone()).or_default() += 1;
        }
    }
    for entry in entries.iter_mut().filter(|entry| entry.id.is_empty()) {
        let link = entry.links.first().map(|link| link.href.as_str());
        if let Some(link) = link.filter(|&link| counts.get(link) == Some(&1)) {
            entry.id = link.to_owned();
        }
    }
}

/// The last draft of each id, in order.
fn latest(drafts: impl DoubleEndedIterator<Item = Draft>) -> Vec<Draft> {
    let mut seen = HashSet::new();
    let last = drafts.rev().filter(|draft| seen.insert(draft.id.clone()));
    let mut drafts: Vec<Draft> = last.collect();
    drafts.reverse();
    drafts
}

fn draft(entry: Entry, source: &str) -> Result<Draft, String> {
    let title = entry.title.as_ref().map(words).transpose()?;
    let title = title.filter(|title| !title.is_empty());
    let content = entry.content.as_ref().and_then(content).transpose()?;
    let summary = entry.summary.as_ref().map(plain).transpose()?;
    // Feeds put the whole story into either; the longer one is it.
    let longer = [content, summary].into_iter().flatten();
    let text = longer.max_by_key(String::len).filter(|t| !t.is_empty());
    let text = text
        .or_else(|| title.clone())
        .ok_or("the entry has no words")?;
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
    Ok(Draft {
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

fn content(content: &Content) -> Option<Result<String, String>> {
    let body = content.body.as_deref()?;
    let kind = content.content_type.essence().to_string();
    is_text(&kind).then(|| shown(body, &kind))
}

fn plain(text: &Text) -> Result<String, String> {
    shown(&text.content, &text.content_type.essence().to_string())
}

fn is_text(kind: &str) -> bool {
    kind.starts_with("text/") || kind.contains("xhtml") || kind.ends_with("/xml")
}

/// Text of one line.
fn words(text: &Text) -> Result<String, String> {
    Ok(html::squeezed(&plain(text)?))
}

/// Feeds say `text/plain` of HTML too: what has tags or entities in it is HTML.
fn shown(text: &str, kind: &str) -> Result<String, String> {
    let is_html = kind != "text/plain" || {
        let has = |mark: &str| text.contains(mark);
        has("</") || has("/>") || has("<p>") || has("<br>") || (has("&") && has(";"))
    };
    if is_html {
        Ok(html::read(text)?.text)
    } else {
        Ok(text.trim().to_owned())
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
        assert_eq!(feed.title.as_deref(), Some("Wire & Co"));
        let why = (
            "wire, entry 3".to_owned(),
            "the entry has no words".to_owned(),
        );
        assert_eq!(feed.passed_over, [why]);
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
    fn entries_with_one_id_are_one_document_and_with_one_link_several() {
        let read = |items: &str| {
            let feed =
                format!("<rss version=\"2.0\"><channel><title>t</title>{items}</channel></rss>");
            read(feed.as_bytes(), "w", "http://x/").expect("a feed")
        };
        let twice = "<item><guid>1</guid><title>new</title></item><item><guid>1</guid><title>old</title></item>";
        let texts = |feed: &Feed| -> Vec<String> {
            feed.entries
                .iter()
                .map(|entry| entry.text.clone())
                .collect()
        };
        assert_eq!(texts(&read(twice)), ["new"]);
        let home = "<item><title>new</title><link>http://x/</link></item><item><title>old</title><link>http://x/</link></item>";
        let feed = read(home);
        assert_eq!(texts(&feed), ["old", "new"]);
        assert_ne!(feed.entries[0].id, feed.entries[1].id);
        let many = read(&"<item><title>t</title></item>".repeat(ENTRIES_LIMIT + 1));
        let place = &many.passed_over[0].0;
        assert!(place.contains("behind the first 1000"), "{place}");
    }

    #[test]
    fn an_update_is_later_than_what_it_updates() {
        let entry = |text: &str, updated: &str| {
            format!(
                "<entry><id>1</id><title>{text}</title><published>2014-01-28T21:00:00Z</published><updated>{updated}</updated></entry>"
            )
        };
        let old = entry("old", "2014-01-28T21:00:00Z");
        let new = entry("new", "2014-01-29T21:00:00Z");
        let feed = format!(
            "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>A</title><id>f</id>{old}{new}</feed>"
        );
        let feed = read(feed.as_bytes(), "a", "http://x/").expect("a feed");
        assert_eq!(
            (feed.entries.len(), feed.entries[0].text.as_str()),
            (1, "new")
        );
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
