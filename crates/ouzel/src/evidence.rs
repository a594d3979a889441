//! `ouzel evidence`: what was found when the market asked by itself, from a running server.

use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use serde_json::Value;
use server::client::{Client, escaped};

use crate::args::EvidenceArgs;
use crate::print;

/// Between two looks while following.
const LOOK: Duration = Duration::from_millis(250);
/// Bundles fetched at once while following: more than the shocks of a look.
const FOLLOWED: usize = 1_000;

/// Prints the newest bundles, oldest first; with `--follow` for ever.
pub fn run(args: &EvidenceArgs) -> Result<ExitCode> {
    let client = Client::new(&args.url);
    // The newest to begin with, then those after them.
    let (mut after, mut limit) = (None, args.limit);
    loop {
        let symbol = args
            .symbol
            .as_deref()
            .map(|s| format!("&symbol={}", escaped(s)));
        let symbol = symbol.unwrap_or_default();
        let onward = after.map_or_else(String::new, |after: u64| format!("&after={after}"));
        let told = client.get(&format!("/v1/evidence?limit={limit}{onward}{symbol}"))?;
        let bundles = told["evidence"].as_array().cloned().unwrap_or_default();
        for bundle in bundles.iter().rev() {
            match args.json {
                true => print::line(bundle.to_string()),
                false => print::line(shown(bundle)),
            }
        }
        if !args.follow {
            if bundles.is_empty() && !args.json {
                print::line("no signal has asked for evidence yet: let the feed run, or --follow");
            }
            return Ok(ExitCode::SUCCESS);
        }
        let newest = bundles.first().and_then(|bundle| bundle["number"].as_u64());
        // A server that was started again counts from 1.
        let seen = after.unwrap_or(0);
        let is_new = told["last"].as_u64().is_some_and(|last| last < seen);
        after = Some(if is_new { 0 } else { newest.unwrap_or(seen) });
        limit = FOLLOWED;
        std::thread::sleep(LOOK);
    }
}

/// A bundle for people. Writing to a string cannot fail; what a server of another version leaves out is shown as nothing.
fn shown(bundle: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let signal = &bundle["signal"];
    let mut out = format!(
        "{} {}  {} ({} ms)",
        text(&signal["at"]),
        text(&bundle["symbol"]),
        told(signal),
        bundle["took_us"].as_u64().unwrap_or_default() / 1_000,
    );
    if let Some(before) = bundle["follows"].as_u64() {
        let _ = write!(out, ", the same move as {before}");
    }
    let _ = write!(out, "\n  {}", text(&bundle["answer"]).replace('\n', "\n  "));
    if let Some(book) = bundle["book"].as_object() {
        let touch = |side: &str| {
            let level = &book[side][0];
            format!("{} x {}", level["qty"], level["price"])
        };
        let _ = write!(out, "\n  book: {} / {}", touch("bids"), touch("asks"));
    }
    let moments = bundle["similar"]["moments"].as_array();
    if let Some(moments) = moments.filter(|moments| !moments.is_empty()) {
        let _ = write!(out, "\n  like it: {} moments", moments.len());
        for outcome in bundle["similar"]["outcomes"]
            .as_array()
            .into_iter()
            .flatten()
        {
            if let Some(median) = outcome["median_bp"].as_f64() {
                let after = text(&outcome["after"]);
                let known = &outcome["known"];
                let _ = write!(out, ", +{after} median {median:+.1} bp of {known}");
            }
        }
    }
    out
}

fn told(signal: &Value) -> String {
    let text = |key: &str| signal[key].as_str().unwrap_or_default();
    match text("kind") {
        "jump" => {
            let bp = signal["move_bp"].as_f64().unwrap_or_default();
            format!("{:+.2} % in {} ms", bp / 100.0, signal["span_ms"])
        }
        "halt" => format!("halted {}", text("reason")),
        "rule" => format!("rule {}", text("rule")),
        other => other.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_bundle_is_shown_with_its_parts() {
        let bundle = json!({
            "number": 7, "symbol": "ACME", "follows": 6, "took_us": 4_200, "answer": "No cause found.",
            "signal": {"kind": "jump", "at": "T", "move_bp": -312, "span_ms": 900},
            "book": {"bids": [{"price": 9.9, "qty": 5}], "asks": [{"price": 10.1, "qty": 7}]},
            "similar": {"moments": [{}], "outcomes": [
                {"after": "1m", "known": 1, "median_bp": 3.25}, {"after": "5m", "known": 0, "median_bp": null},
            ]},
        });
        let text = shown(&bundle);
        for part in [
            "T ACME  -3.12 % in 900 ms (4 ms), the same move as 6",
            "\n  No cause found.",
            "book: 5 x 9.9 / 7 x 10.1",
            "like it: 1 moments, +1m median +3.2 bp of 1",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        assert!(!text.contains("5m"));
        let halt = json!({"signal": {"kind": "halt", "reason": "T1"}, "book": null});
        assert!(shown(&halt).contains("halted T1"));
    }
}
