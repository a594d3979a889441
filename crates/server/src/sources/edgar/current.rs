//! EDGAR's feed of current filings.
//!
//! An entry's id ends in the accession number, its title is `8-K - Apple Inc. (0000320193) (Filer)`, its summary lists
//! the items. A filing of several registrants is an entry for each.

use feed_rs::model::Entry;
use feed_rs::parser;

use crate::sources::html;

/// A filing as the feed tells of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filing {
    /// `0000320193-24-000001`.
    pub accession: String,
    /// `8-K`.
    pub form: String,
    /// The first registrant's name.
    pub company: String,
    /// Registry numbers of all registrants.
    pub ciks: Vec<u64>,
    /// `2.02` and its name, where the feed gives one.
    pub items: Vec<(String, String)>,
    /// When it was accepted, ns UTC.
    pub accepted_at: Option<u64>,
}

/// A page of the feed.
#[derive(Debug, Default)]
pub struct Page {
    /// The filings in it, newest first, each once.
    pub filings: Vec<Filing>,
    /// Entries in it, filings or not.
    pub entries: usize,
}

/// Reads a page.
///
/// # Errors
/// In words, when it is no feed.
pub fn read(bytes: &[u8]) -> Result<Page, String> {
    let feed = parser::parse(bytes).map_err(|e| {
        let start = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
        format!("is no feed: {e}; it begins with {start:?}")
    })?;
    let mut page = Page {
        entries: feed.entries.len(),
        ..Page::default()
    };
    for filing in feed.entries.iter().filter_map(filing) {
        let known = page.filings.iter_mut();
        match known.into_iter().find(|f| f.accession == filing.accession) {
            Some(first) => first.ciks.extend(filing.ciks),
            None => page.filings.push(filing),
        }
    }
    Ok(page)
}

fn filing(entry: &Entry) -> Option<Filing> {
    let accession = entry.id.split("accession-number=").nth(1)?.trim();
    if !is_accession(accession) {
        return None;
    }
    let title = html::squeezed(&entry.title.as_ref()?.content);
    let (form, rest) = title.split_once(" - ")?;
    let (company, cik) = registrant(rest)?;
    let form = entry.categories.first().map_or(form, |c| &c.term);
    let summary = entry.summary.as_ref();
    let summary = summary.map_or(String::new(), |s| {
        html::read(&s.content).map_or(String::new(), |page| page.text)
    });
    let at = entry.updated.or(entry.published);
    let at = at.and_then(|at| at.timestamp_nanos_opt());
    Some(Filing {
        accession: accession.to_owned(),
        form: form.trim().to_owned(),
        company: company.to_owned(),
        ciks: vec![cik],
        items: summary.lines().filter_map(item).collect(),
        accepted_at: at.and_then(|at| u64::try_from(at).ok()),
    })
}

/// It becomes part of an address, so it is what it should be.
fn is_accession(text: &str) -> bool {
    let parts: Vec<&str> = text.split('-').collect();
    let digits = |part: &&str| part.bytes().all(|b| b.is_ascii_digit());
    matches!(parts[..], [a, b, c] if a.len() == 10 && b.len() == 2 && c.len() == 6)
        && parts.iter().all(digits)
}

/// `Apple Inc. (0000320193) (Filer)`.
fn registrant(text: &str) -> Option<(&str, u64)> {
    let (at, cik) = text.match_indices('(').find_map(|(at, _)| {
        let inside = text[at + 1..].split(')').next()?;
        let cik = (inside.len() == 10).then(|| inside.parse().ok())??;
        Some((at, cik))
    })?;
    Some((text[..at].trim(), cik))
}

/// `Item 2.02: Results of Operations` or `Item 2.02 Results`: the number and the name.
pub fn item(line: &str) -> Option<(String, String)> {
    let line = line.trim();
    let rest = line.get(..4).filter(|w| w.eq_ignore_ascii_case("item"))?;
    let rest = line[rest.len()..].trim_start();
    let number = rest.get(..4)?;
    let [a, b'.', c, d] = number.as_bytes() else {
        return None;
    };
    if ![a, c, d].iter().all(|b| b.is_ascii_digit()) || *a == b'0' {
        return None;
    }
    let name = rest[4..].trim_start_matches(['.', ':', '|', '-', '\u{2013}', '\u{2014}', ' ']);
    Some((
        number.to_owned(),
        name.trim_end_matches('.').trim().to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FEED: &str = r#"<?xml version="1.0" encoding="ISO-8859-1" ?>
<feed xmlns="http://www.w3.org/2005/Atom"><title>Latest Filings</title><id>x</id><updated>2024-11-22T07:00:05-05:00</updated>
<entry><title>8-K - BUCKLE INC (0000885245) (Filer)</title>
<link rel="alternate" type="text/html" href="https://www.sec.gov/Archives/edgar/data/885245/000088524524000101/0000885245-24-000101-index.htm"/>
<summary type="html"> &lt;b&gt;Filed:&lt;/b&gt; 2024-11-22 &lt;b&gt;AccNo:&lt;/b&gt; 0000885245-24-000101 &lt;b&gt;Size:&lt;/b&gt; 358 KB
&lt;br&gt;Item 2.02: Results of Operations and Financial Condition
&lt;br&gt;Item 9.01: Financial Statements and Exhibits</summary>
<updated>2024-11-22T06:50:04-05:00</updated>
<category scheme="https://www.sec.gov/" label="form type" term="8-K"/>
<id>urn:tag:sec.gov,2008:accession-number=0000885245-24-000101</id></entry>
<entry><title>8-K - Other (Holdings) Inc (0000000007) (Filer)</title><summary>x</summary><updated>2024-11-22T06:50:04-05:00</updated>
<category term="8-K"/><id>urn:tag:sec.gov,2008:accession-number=0000885245-24-000101</id></entry>
<entry><title>8-K - Evil (0000000009) (Filer)</title><id>urn:tag:sec.gov,2008:accession-number=../../../etc-24-000101</id></entry></feed>"#;

    #[test]
    fn a_filing_of_two_registrants_is_one() {
        let page = read(FEED.as_bytes()).expect("a feed");
        let [filing] = &page.filings[..] else {
            panic!("{page:?}")
        };
        assert_eq!((page.entries, filing.company.as_str()), (3, "BUCKLE INC"));
        assert_eq!(filing.ciks, [885_245, 7]);
        assert_eq!(filing.accession, "0000885245-24-000101");
        assert_eq!(filing.form, "8-K");
        let item = |n: &str, name: &str| (n.to_owned(), name.to_owned());
        let want = [
            item("2.02", "Results of Operations and Financial Condition"),
            item("9.01", "Financial Statements and Exhibits"),
        ];
        assert_eq!(filing.items, want);
        assert_eq!(filing.accepted_at, Some(1_732_276_204_000_000_000));
        assert!(read(b"<html>Request Rate Threshold Exceeded").is_err());
    }

    #[test]
    fn items_are_read_from_lines() {
        let is = |line: &str| item(line).map(|(n, _)| n);
        assert_eq!(
            is("Item\u{a0}5.02. Departure of Directors").as_deref(),
            Some("5.02")
        );
        assert_eq!(is("ITEM 1.01 | Entry").as_deref(), Some("1.01"));
        for none in [
            "Items 2.02",
            "Item 2",
            "see Item 2.02",
            "Item 0.12",
            "It\u{e9}m 2.02",
        ] {
            assert_eq!(is(none), None, "{none}");
        }
    }
}
