//! Words around evidence: extractive without a model, checked sentence by sentence with one.

pub mod check;
mod figure;
mod ground;
mod polarity;
pub mod prompt;
mod quote;

use crate::ask::Citation;
use crate::facts::sentence::clock;

/// `“quote” (newswire, 14:30:58Z) [1]`
#[must_use]
pub fn quoted(citation: &Citation, number: usize, now_ns: u64) -> String {
    let at = clock(citation.event_at, now_ns);
    let whence = match citation.source.as_deref().filter(|s| !s.is_empty()) {
        Some(source) => format!("{source}, {at}"),
        None => at,
    };
    let quote = citation
        .quote
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ");
    format!("“{quote}” ({whence}) [{number}]")
}

/// The likely cause, and what else speaks for it: `Likely cause: “...” [1] See also “...” [2]`.
/// `first_number` is the number of the first citation.
#[must_use]
pub fn cause(citations: &[Citation], first_number: usize, now_ns: u64) -> String {
    let mut text = String::new();
    for (idx, citation) in citations.iter().enumerate() {
        let lead = if idx == 0 {
            "Likely cause: "
        } else {
            " See also: "
        };
        text.push_str(lead);
        text.push_str(&quoted(citation, first_number + idx, now_ns));
    }
    text
}

/// Evidence for a plain question, one statement after the other.
#[must_use]
pub fn statements(citations: &[Citation], now_ns: u64) -> String {
    let quoted = citations
        .iter()
        .enumerate()
        .map(|(idx, c)| quoted(c, idx + 1, now_ns));
    quoted.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_carry_source_time_and_number() {
        let citation = Citation {
            quote: "Acme cut\nits forecast.".into(),
            source: Some("newswire".into()),
            event_at: 1_392_033_600_000_000_000,
            ..Citation::default()
        };
        let two = [
            citation.clone(),
            Citation {
                source: None,
                ..citation
            },
        ];
        let want = "Likely cause: “Acme cut its forecast.” (newswire, 12:00:00Z) [3] \
                    See also: “Acme cut its forecast.” (12:00:00Z) [4]";
        assert_eq!(cause(&two, 3, 1_392_033_601_000_000_000), want);
    }
}
