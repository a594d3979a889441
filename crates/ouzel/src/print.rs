//! What people read. Machines get JSON.

use std::fmt::Write as _;

use serde_json::{Value, json};

/// An error: what, because of what, and what to do, on standard error.
#[allow(clippy::print_stderr, reason = "this is where errors are printed")]
pub fn error(error: &anyhow::Error, json: bool) {
    let text = chain(error);
    if json {
        eprintln!("{}", json!({"error": {"code": "failed", "message": text}}));
    } else {
        eprintln!("ouzel: {}", harmless(&text));
    }
}

fn chain(error: &anyhow::Error) -> String {
    let causes: Vec<String> = error.chain().map(ToString::to_string).collect();
    causes.join(": ")
}

/// A warning on standard error.
#[allow(clippy::print_stderr, reason = "this is where warnings are printed")]
pub fn warning(text: &str) {
    eprintln!("ouzel: {}", harmless(text));
}

/// How far something has got, for a person who waits, on standard error.
#[allow(clippy::print_stderr, reason = "this is where progress is printed")]
pub fn progress(text: &str) {
    eprintln!("{text}");
}

/// A line for people on standard output.
pub fn line(text: impl std::fmt::Display) {
    put(&harmless(&text.to_string()));
}

/// A line for machines on standard output, exactly as it is.
pub fn json(value: &Value) {
    put(&value.to_string());
}

/// Text without what a terminal would obey: documents and servers are not trusted to move the
/// cursor, set the title, or turn the direction of writing.
fn harmless(text: &str) -> String {
    let shown = |c: char| match c {
        '\n' => c,
        '\t' => ' ',
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => '\u{fffd}',
        c if c.is_control() => '\u{fffd}',
        c => c,
    };
    text.chars().map(shown).collect()
}

/// A reader that closed the pipe is no fault of ours.
fn put(text: &str) {
    use std::io::Write as _;
    let mut out = std::io::stdout().lock();
    if writeln!(out, "{text}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// An answer for people.
#[must_use]
pub fn answer(answer: &Value, with_receipt: bool) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "{}",
        answer["answer"].as_str().unwrap_or_default().trim_end()
    );
    let citations = answer["citations"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    for (idx, citation) in citations.iter().enumerate() {
        let said = |key: &str| citation[key].as_str().unwrap_or_default();
        let _ = writeln!(text, "\n  [{}] {}", idx + 1, headline(citation));
        let _ = writeln!(text, "      \u{201c}{}\u{201d}", said("quote").trim());
        let _ = writeln!(
            text,
            "      {} bytes {}..{}, known {}",
            said("document_id"),
            citation["start"],
            citation["end"],
            said("known_at"),
        );
    }
    let _ = write!(text, "\n{}", receipt_line(&answer["receipt"]));
    if with_receipt {
        let pretty = serde_json::to_string_pretty(&answer["receipt"]).unwrap_or_default();
        let _ = write!(text, "\n{pretty}");
    }
    text
}

fn headline(citation: &Value) -> String {
    let title = citation["title"]
        .as_str()
        .or(citation["document_id"].as_str());
    match citation["source"].as_str() {
        Some(source) => format!("{} ({source})", title.unwrap_or_default()),
        None => title.unwrap_or_default().to_owned(),
    }
}

/// One line that says how far to trust an answer.
fn receipt_line(receipt: &Value) -> String {
    let mut parts = Vec::new();
    if let Some(as_of) = receipt["as_of"].as_str() {
        parts.push(format!("as of {as_of}"));
    }
    if let Some(seq) = receipt["stream"]["seq"].as_u64() {
        let integrity = receipt["stream"]["integrity"].as_str().unwrap_or_default();
        let state = receipt["stream"]["feed_state"].as_str().unwrap_or_default();
        parts.push(format!("stream seq {seq} ({state}, books {integrity})"));
    }
    parts.push(format!("memory seq {}", receipt["memory"]["seq"]));
    let total_us = receipt["stages_us"]["total"].as_u64().unwrap_or(0);
    parts.push(format!("{:.1} ms", total_us as f64 / 1_000.0));
    let listed = |key: &str| {
        let items = receipt[key]
            .as_array()
            .map(Vec::as_slice)
            .unwrap_or_default();
        items
            .iter()
            .filter_map(Value::as_str)
            .collect::<Vec<_>>()
            .join(", ")
    };
    for key in ["flags", "skipped"] {
        let items = listed(key);
        if !items.is_empty() {
            parts.push(format!("{key}: {items}"));
        }
    }
    format!("  {}", parts.join(" \u{b7} "))
}

/// Search hits for people.
#[must_use]
pub fn hits(found: &Value) -> String {
    let hits = found["hits"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    if hits.is_empty() {
        return "nothing found; try other words, or leave out a filter".to_owned();
    }
    let mut text = String::new();
    for (idx, hit) in hits.iter().enumerate() {
        let score = hit["score"].as_f64().unwrap_or(0.0);
        let _ = writeln!(text, "{:>3}. {} [{score:.4}]", idx + 1, headline(hit));
        let _ = writeln!(
            text,
            "     {}",
            shorten(hit["text"].as_str().unwrap_or_default(), 220)
        );
        let _ = writeln!(
            text,
            "     {} bytes {}..{}, known {}",
            hit["document_id"].as_str().unwrap_or_default(),
            hit["start"],
            hit["end"],
            hit["known_at"].as_str().unwrap_or_default(),
        );
    }
    text.trim_end().to_owned()
}

/// One line of at most `limit` characters.
#[must_use]
pub fn shorten(text: &str, limit: usize) -> String {
    let flat = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match flat.char_indices().nth(limit) {
        Some((at, _)) => format!("{}\u{2026}", &flat[..at]),
        None => flat,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_shows_quote_and_span() {
        let shown = answer(
            &json!({
                "answer": "It fell. [1]",
                "citations": [{"document_id": "n1", "title": "Cut", "source": "wire",
                    "quote": "guidance cut", "start": 3, "end": 15, "known_at": "2014"}],
                "receipt": {"stream": null, "memory": {"seq": 4}, "stages_us": {"total": 1500},
                    "flags": ["book-stale:A"], "skipped": []},
            }),
            false,
        );
        for part in [
            "[1] Cut (wire)",
            "guidance cut",
            "bytes 3..15",
            "1.5 ms",
            "book-stale:A",
        ] {
            assert!(shown.contains(part), "{shown}");
        }
    }

    #[test]
    fn a_terminal_is_not_commanded_by_a_document() {
        let evil = "a\u{1b}]0;owned\u{7}b\r\u{9b}2J\u{202e}c\nd\té";
        let shown = harmless(evil);
        assert!(
            shown.chars().all(|c| c == '\n' || !c.is_control()),
            "{shown:?}"
        );
        assert!(
            shown.ends_with("c\nd é") && !shown.contains('\u{202e}'),
            "{shown:?}"
        );
    }

    #[test]
    fn shortening_keeps_characters_whole() {
        assert_eq!(shorten("a  b\nc", 10), "a b c");
        assert_eq!(shorten("ééé", 2), "éé\u{2026}");
    }
}
