//! Recorded WebSocket sessions: what the venue said, when, in one order.
//!
//! Two shapes are read. One line a message, `ns JSON`, is Binance. A session's log has its address
//! first, and says who spoke: `URL <-> s` (connected), `URL <- s: text` (we said), `s: text` (the
//! venue said), `URL -> s: body` (an answer over HTTP); times are seconds with decimals. Logs of one
//! venue may be joined: lines are put in order by their times.

use market::pipeline::{DepthPipeline, DepthVenue, PipelineConfig};
use market::publish::Sink;
use wire::json::parse_decimal;

use super::file::Kind;

/// One thing that the venue said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Said<'a> {
    /// When it was received, ns UTC.
    pub at_ns: u64,
    /// The symbol that an answer over HTTP is about; `None` for a message of the stream.
    pub answer_of: Option<&'a str>,
    /// The text.
    pub text: &'a str,
}

/// What the venue said, in order, and how many lines could not be read.
pub fn read(kind: Kind, text: &str) -> (Vec<Said<'_>>, usize) {
    let mut bad = 0;
    let mut all = Vec::new();
    for line in text.lines().filter(|line| !line.is_empty()) {
        let said = match kind {
            Kind::Recorded(_) => logged(line),
            _ => dated(line).map(Some),
        };
        match said {
            Some(Some(said)) => all.push(said),
            Some(None) => {}
            None => bad += 1,
        }
    }
    all.sort_by_key(|said| said.at_ns);
    (all, bad)
}

/// The venue of a session's log, by the address that it begins with.
pub fn venue_of(start: &str) -> Option<DepthVenue> {
    let address = start.split_whitespace().next()?;
    if !address.contains("://") {
        return None;
    }
    [
        ("kraken.com", DepthVenue::Kraken),
        ("coinbase.com", DepthVenue::Coinbase),
        ("okx.com", DepthVenue::Okx),
        ("okex.com", DepthVenue::Okx),
        ("binance.com", DepthVenue::Binance),
    ]
    .into_iter()
    .find_map(|(host, venue)| address.contains(host).then_some(venue))
}

/// A pipeline for what `kind` holds.
pub fn pipeline(kind: Kind, config: &PipelineConfig) -> DepthPipeline {
    DepthPipeline::new(venue(kind), config)
}

/// Whose messages they are.
pub fn venue(kind: Kind) -> DepthVenue {
    match kind {
        Kind::Recorded(venue) => venue,
        _ => DepthVenue::Binance,
    }
}

/// Gives one text to a pipeline; a refused one is counted and kept there.
pub fn feed(pipeline: &mut DepthPipeline, said: &Said<'_>, sink: &mut impl Sink) {
    let bytes = said.text.as_bytes();
    let _counted = match said.answer_of {
        Some(symbol) => pipeline.snapshot(symbol, said.at_ns, bytes),
        None => pipeline.message(said.at_ns, bytes),
    };
    pipeline.publish(sink);
}

fn dated(line: &str) -> Option<Said<'_>> {
    let (ns, text) = line.split_once(' ')?;
    Some(Said {
        at_ns: ns.parse().ok()?,
        answer_of: None,
        text,
    })
}

/// `None`: no line of a log; `Some(None)`: nothing that the venue said.
fn logged(line: &str) -> Option<Option<Said<'_>>> {
    if line.starts_with(|c: char| c.is_ascii_digit()) {
        let (at, text) = line.split_once(": ")?;
        return Some(Some(Said {
            at_ns: ns(at)?,
            answer_of: None,
            text,
        }));
    }
    let (address, rest) = line.split_once(' ')?;
    if !address.contains("://") {
        return None;
    }
    let Some(answer) = rest.strip_prefix("-> ") else {
        return rest.starts_with('<').then_some(None);
    };
    let (at, text) = answer.split_once(": ")?;
    let symbol = address
        .split(['?', '&'])
        .find_map(|part| part.strip_prefix("symbol="));
    // Lists of instruments and the like are not the market.
    Some(
        symbol
            .filter(|_| address.contains("/depth"))
            .map(|symbol| Said {
                at_ns: ns(at).unwrap_or(0),
                answer_of: Some(symbol),
                text,
            }),
    )
}

fn ns(seconds: &str) -> Option<u64> {
    let ns = parse_decimal(seconds.as_bytes(), 9).ok()?;
    u64::try_from(ns).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_says_who_spoke() {
        let log = "wss://ws.kraken.com <-> 1.5\n\
                   wss://ws.kraken.com <- 1.6: {\"event\":\"subscribe\"}\n\
                   1.75: {\"event\":\"heartbeat\"}\n\
                   https://api.binance.com/api/v3/depth?symbol=X&limit=5 -> 1.7: {}\n\
                   https://api.binance.com/api/v3/exchangeInfo -> 1.7: {}\n\
                   nonsense\n";
        let (said, bad) = read(Kind::Recorded(DepthVenue::Kraken), log);
        let of = |at_ns, answer_of, text| Said {
            at_ns,
            answer_of,
            text,
        };
        let want = [
            of(1_700_000_000, Some("X"), "{}"),
            of(1_750_000_000, None, "{\"event\":\"heartbeat\"}"),
        ];
        assert_eq!((said.as_slice(), bad), (&want[..], 1));
        assert_eq!(venue_of(log), Some(DepthVenue::Kraken));
        assert_eq!(
            venue_of("https://fapi.binance.com/x -> 1"),
            Some(DepthVenue::Binance)
        );
        assert_eq!(venue_of("wss://elsewhere.org <-> 1"), None);
        assert_eq!(venue_of("1.5: {}"), None);
    }
}
