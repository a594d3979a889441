//! `ouzel similar`: past moments like one, and what followed them, from a running server.

use std::fmt::Write as _;
use std::process::ExitCode;

use anyhow::Result;
use serde_json::{Value, json};
use server::client::Client;
use server::json::parse_instant;

use crate::args::{ShapeArg, SimilarArgs};
use crate::print;

/// Columns of the picture of a spread.
const WIDTH: usize = 33;

/// Asks and prints.
pub fn run(args: &SimilarArgs) -> Result<ExitCode> {
    let at = args.at.as_deref();
    at.map(parse_instant)
        .transpose()
        .map_err(|why| anyhow::anyhow!("--at: {why}"))?;
    let body = json!({
        "symbol": args.symbol,
        "at": args.at,
        "window": args.window,
        "k": args.k,
        "outcomes": args.outcomes,
        "shape": args.shape.map(|shape| match shape {
            ShapeArg::Price => "price",
            ShapeArg::Volume => "volume",
        }),
        "same_symbol": args.same_symbol,
    });
    let found = Client::new(&args.url).post("/v1/similar", &body.to_string())?;
    if args.json {
        print::json(&found);
    } else {
        print::line(shown(&found));
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found, for people. Writing to a string cannot fail; what an answer lacks is shown as nothing, as a server of
/// another version may leave it out.
fn shown(found: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = |key: &str| found[key].as_array().cloned().unwrap_or_default();
    let (moments, outcomes) = (rows("moments"), rows("outcomes"));
    let mut out = String::new();
    let _ = writeln!(
        out,
        "{} at {}: {} of {} candidates, by {}, moments of {}",
        text(&found["symbol"]),
        text(&found["at"]),
        moments.len(),
        found["candidates"],
        text(&found["compared"]),
        text(&found["window"]),
    );
    if moments.is_empty() {
        out.push_str("no past moment is kept yet: let the feed run, or ask about a later instant");
        return out;
    }
    let horizons: Vec<String> = outcomes.iter().map(|o| text(&o["after"])).collect();
    let _ = write!(out, "\n  {:<12} {:<30} {:>8}", "symbol", "when", "distance");
    for horizon in &horizons {
        let _ = write!(out, " {:>9}", format!("+{horizon}"));
    }
    out.push('\n');
    for moment in &moments {
        let (symbol, at) = (text(&moment["symbol"]), text(&moment["at"]));
        let distance = moment["distance"].as_f64().unwrap_or_default();
        let _ = write!(out, "  {symbol:<12} {at:<30} {distance:>8.4}");
        for horizon in &horizons {
            let _ = write!(out, " {:>9}", bp(&moment["moves_bp"][horizon]));
        }
        let flag = text(&moment["integrity"]);
        let flag = if flag == "ok" { String::new() } else { flag };
        if !flag.is_empty() {
            let _ = write!(out, " {flag}");
        }
        out.push('\n');
    }
    out.push_str("\nwhat followed, basis points of the middle\n");
    for outcome in &outcomes {
        out.push_str(&outcome_line(outcome));
    }
    out.trim_end().to_owned()
}

fn outcome_line(outcome: &Value) -> String {
    let after = outcome["after"].as_str().unwrap_or_default();
    let (known, unknown) = (&outcome["known"], &outcome["unknown"]);
    let number = |key: &str| outcome[key].as_f64();
    let Some((min, max)) = number("min_bp").zip(number("max_bp")) else {
        return format!("  +{after:<5} not known of any of the {unknown}\n");
    };
    let of = |key: &str| number(key).unwrap_or_default();
    let picture = picture(min, of("p25_bp"), of("median_bp"), of("p75_bp"), max);
    format!(
        "  +{after:<5} {:>8} {picture} {:<8} median {:>8}  mean {:>8}  up {:>3.0} %  of {known}{}\n",
        bp(&outcome["min_bp"]),
        bp(&outcome["max_bp"]),
        bp(&outcome["median_bp"]),
        bp(&outcome["mean_bp"]),
        of("up") * 100.0,
        match unknown.as_u64() {
            Some(0) | None => String::new(),
            Some(count) => format!(", {count} not known"),
        },
    )
}

/// From least to most: `-` all, `=` the middle half, `|` the median.
fn picture(min: f64, p25: f64, median: f64, p75: f64, max: f64) -> String {
    let span = (max - min).max(f64::MIN_POSITIVE);
    let place = |value: f64| ((value - min) / span * (WIDTH - 1) as f64).round() as usize;
    let (from, middle, to) = (place(p25), place(median), place(p75));
    let column = |at: usize| match at {
        _ if at == middle => '|',
        _ if (from..=to).contains(&at) => '=',
        _ => '-',
    };
    (0..WIDTH).map(column).collect()
}

fn bp(value: &Value) -> String {
    value
        .as_f64()
        .map_or_else(|| "?".to_owned(), |bp| format!("{bp:+.1}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spread_is_drawn_from_least_to_most() {
        let drawn = picture(-10.0, -5.0, 0.0, 5.0, 10.0);
        assert_eq!(drawn, "--------========|========--------");
        assert_eq!(picture(1.0, 1.0, 1.0, 1.0, 1.0).len(), WIDTH);
    }

    #[test]
    fn moments_and_outcomes_are_shown() {
        let moves = json!({"1m": 12.3456, "5m": null});
        let moment = json!({"symbol": "B", "at": "T", "distance": 0.5, "moves_bp": moves,
            "integrity": "stale"});
        let outcomes = json!([
            {"after": "1m", "known": 1, "unknown": 0, "mean_bp": 12.3, "min_bp": 12.3,
                "p25_bp": 12.3, "median_bp": 12.3, "p75_bp": 12.3, "max_bp": 12.3, "up": 1.0},
            {"after": "5m", "known": 0, "unknown": 1}
        ]);
        let text = shown(
            &json!({"symbol": "A", "at": "N", "candidates": 9, "compared": "states",
            "window": "10s", "moments": [moment], "outcomes": outcomes}),
        );
        for part in [
            "+12.3",
            "?",
            "stale",
            "up 100 %",
            "not known of any of the 1",
        ] {
            assert!(text.contains(part), "{part} in {text}");
        }
        let none = shown(&json!({"moments": [], "outcomes": []}));
        assert!(none.contains("no past moment"));
    }
}
