//! Goal: real moves of 2014 and 2015 are explained from what had been tweeted by the close, and
//! nothing later is ever cited. Method: all StockNet tweets in a fake memory (words only: 38,000
//! texts are slow to embed), daily bars as the market, "why did X move on DATE?" for the 30
//! largest moves. `cargo test -p rag --test stocknet -- --nocapture` shows the answers.

mod support;

use std::collections::HashMap;
use std::io::Read;

use rag::*;
use serde_json::Value;
use stdx::ManualClock;
use support::*;

const NAMES: &[(&str, &str)] = &[
    ("AAPL", "Apple Inc."),
    ("AMZN", "Amazon.com, Inc."),
    ("BAC", "Bank of America Corporation"),
    ("BA", "The Boeing Company"),
    ("CAT", "Caterpillar Inc."),
    ("FB", "Facebook, Inc."),
    ("GE", "General Electric Company"),
    ("INTC", "Intel Corporation"),
    ("JPM", "JPMorgan Chase & Co."),
    ("MSFT", "Microsoft Corporation"),
    ("PFE", "Pfizer Inc."),
    ("WMT", "Walmart Inc."),
    ("XOM", "Exxon Mobil Corporation"),
];

/// A New York close, as the question's instant.
const CLOSE: u64 = 21 * HOUR;

struct Bar {
    ticker: String,
    date: String,
    day: u64,
    close: f64,
    before: f64,
    before_day: u64,
}

impl Bar {
    fn bp(&self) -> f64 {
        (self.close / self.before - 1.0) * 1e4
    }
}

fn instant(text: &str) -> u64 {
    let at: jiff::Timestamp = text.parse().expect("an RFC 3339 instant");
    u64::try_from(at.as_nanosecond()).expect("after 1970")
}

fn bars(csv: &str) -> Vec<Bar> {
    let mut last: HashMap<String, (u64, f64)> = HashMap::new();
    let mut bars = Vec::new();
    for line in csv.lines().skip(1) {
        let field: Vec<&str> = line.split(',').collect();
        let day = instant(&format!("{}T00:00:00Z", field[0]));
        let close: f64 = field[5].parse().expect("a price");
        if let Some((before_day, before)) = last.insert(field[1].to_owned(), (day, close)) {
            let (ticker, date) = (field[1].to_owned(), field[0].to_owned());
            bars.push(Bar {
                ticker,
                date,
                day,
                close,
                before,
                before_day,
            });
        }
    }
    bars
}

/// One day as the market: last close against the one before.
fn market(bar: &Bar) -> FakeFacts {
    let mut facts = FakeFacts::with(NAMES);
    facts.all.insert(
        bar.ticker.clone(),
        SymbolFacts {
            symbol: bar.ticker.clone(),
            at: bar.day + CLOSE,
            last: Some(bar.close),
            open: Some(bar.before),
            open_at: Some(bar.before_day + CLOSE),
            integrity: "ok".into(),
            ..SymbolFacts::default()
        },
    );
    facts
}

fn load(memory: &FakeMemory, path: &std::path::Path) {
    let mut jsonl = String::new();
    let file = std::fs::File::open(path).expect("opens");
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut jsonl)
        .expect("inflates");
    let (facts, clock) = (FakeFacts::with(NAMES), ManualClock::at(NOW));
    let asker = Asker::new(memory, &facts, &FlatEmbedder, None, &clock);
    for (n, line) in jsonl.lines().enumerate() {
        let tweet: Value = serde_json::from_str(line).expect("a JSON line");
        let text = |key: &str| tweet[key].as_str().unwrap_or_default().to_owned();
        let at = instant(&text("ts"));
        let document = Document {
            id: format!("tweet-{n}"),
            text: text("text"),
            source: Some("tweets".into()),
            symbols: vec![text("ticker")],
            event_at: at,
            known_at: at,
            ..Document::default()
        };
        if !document.text.trim().is_empty() {
            asker.ingest(&document).expect("stored");
        }
    }
}

#[test]
fn real_moves_are_explained_from_what_was_known() {
    let Some(dir) = shared()
        .map(|dir| dir.join("data/text/stocknet"))
        .filter(|d| d.is_dir())
    else {
        println!("skipped: no shared/data/text/stocknet beside the checkout");
        return;
    };
    let memory = FakeMemory::default();
    load(&memory, &dir.join("tweets.jsonl.gz"));
    let csv = std::fs::read_to_string(dir.join("daily_prices.csv")).expect("readable");
    let mut bars = bars(&csv);
    bars.retain(|b| ("2014-01-03".."2015-06-30").contains(&b.date.as_str()));
    bars.sort_by(|a, b| b.bp().abs().total_cmp(&a.bp().abs()));
    let mut cited = 0;
    for bar in &bars[..30] {
        let as_of = bar.day + CLOSE;
        let (facts, clock) = (market(bar), ManualClock::at(as_of));
        let asker = Asker::new(&memory, &facts, &NoEmbedder, None, &clock);
        let q = format!("why did {} move on {}?", bar.ticker, bar.date);
        let question = Question {
            as_of: Some(as_of),
            ..Question::new(q)
        };
        let answer = asker.ask(&question, &mut |_| true).expect("answers");
        println!(
            "\n{} {} {:+.1} %: {}",
            bar.date,
            bar.ticker,
            bar.bp() / 100.0,
            answer.answer
        );
        for citation in &answer.citations {
            assert!(citation.known_at <= as_of, "{} cites the future", bar.date);
            println!("   {:.2}", citation.score);
        }
        cited += usize::from(!answer.abstained);
    }
    println!("\n{cited} of 30 moves explained");
    assert!(cited >= 20, "only {cited} of 30 explained");
    // Quiet days: the market stood still, so there is nothing to explain.
    bars.retain(|b| b.bp().abs() < 20.0);
    for bar in &bars[..50] {
        let (facts, clock) = (market(bar), ManualClock::at(bar.day + CLOSE));
        let asker = Asker::new(&memory, &facts, &NoEmbedder, None, &clock);
        let answer = asker.ask(
            &Question::new(format!("why did {} move?", bar.ticker)),
            &mut |_| true,
        );
        assert!(answer.expect("answers").abstained);
    }
    // A fall that the market does not know of: Apple rose on the last day known by then.
    let rise = bars_of(&csv, "AAPL", "2014-01-27");
    let as_of = instant("2014-01-28T15:00:00Z");
    let (facts, clock) = (market(&rise), ManualClock::at(as_of));
    let asker = Asker::new(&memory, &facts, &NoEmbedder, None, &clock);
    let question = Question {
        as_of: Some(as_of),
        ..Question::new("why did AAPL fall?")
    };
    let answer = asker.ask(&question, &mut |_| true).expect("answers");
    println!("\n{}", answer.answer);
    assert!(answer.abstained && answer.answer.contains("did not fall"));
}

fn bars_of(csv: &str, ticker: &str, date: &str) -> Bar {
    let mut all = bars(csv).into_iter();
    all.find(|b| b.ticker == ticker && b.date == date)
        .expect("a bar of that day")
}
