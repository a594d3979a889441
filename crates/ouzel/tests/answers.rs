//! Real moves of 2014 and 2015 explained from real tweets: what is cited was known at the instant,
//! and every quote is in the text it is said to be from, byte for byte.

mod common;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use common::{Running, arg, nanos, ouzel_fails, ouzel_json, shared};
use serde_json::{Value, json};

const DAY_NS: u64 = 86_400_000_000_000;
/// A New York close in winter, when a day's bar is known.
const CLOSE_NS: u64 = 21 * 3_600_000_000_000;
const MOVES: usize = 10;
/// A move that hardly anybody tweeted about explains nothing about us.
const TWEETS_MIN: usize = 8;
const TWEETS: &str = "tweets.jsonl";

struct Tweet {
    at_ns: u64,
    ticker: String,
    line: String,
}

struct Move {
    ticker: String,
    date: String,
    day_ns: u64,
    percent: f64,
}

impl Move {
    fn as_of(&self) -> String {
        format!("{}T21:00:00Z", self.date)
    }

    fn close_ns(&self) -> u64 {
        self.day_ns + CLOSE_NS
    }
}

fn tweets(folder: &Path) -> Vec<Tweet> {
    let file = std::fs::File::open(folder.join("tweets.jsonl.gz")).expect("it exists");
    let mut text = String::new();
    flate2::read::MultiGzDecoder::new(file)
        .read_to_string(&mut text)
        .expect("whole");
    let tweet = |line: &str| {
        let value: Value = serde_json::from_str(line).expect("JSON");
        let ticker = value["ticker"].as_str().expect("a ticker").to_owned();
        Tweet {
            at_ns: nanos(&value["ts"]),
            ticker,
            line: line.to_owned(),
        }
    };
    text.lines().map(tweet).collect()
}

/// The largest moves that people tweeted about, largest first.
fn largest_moves(csv: &str, tweets: &[Tweet]) -> Vec<Move> {
    let mut before: HashMap<String, f64> = HashMap::new();
    let mut moves = Vec::new();
    for row in csv.lines().skip(1) {
        let fields: Vec<&str> = row.split(',').collect();
        let (date, ticker) = (fields[0].to_owned(), fields[1].to_owned());
        let close: f64 = fields[5].parse().expect("a price");
        let day_ns = nanos(&json!(format!("{date}T00:00:00Z")));
        if let Some(before) = before.insert(ticker.clone(), close)
            && date.as_str() > "2014-01-04"
        {
            moves.push(Move {
                ticker,
                date,
                day_ns,
                percent: (close / before - 1.0) * 100.0,
            });
        }
    }
    moves.sort_by(|a, b| b.percent.abs().total_cmp(&a.percent.abs()));
    let told = |day: &Move| {
        let since = day.close_ns() - DAY_NS;
        let about =
            |t: &&Tweet| t.ticker == day.ticker && (since..day.close_ns()).contains(&t.at_ns);
        tweets.iter().filter(about).count() >= TWEETS_MIN
    };
    moves.into_iter().filter(told).take(MOVES).collect()
}

/// The moves' tickers from three days before each move to two days after it.
fn around(tweets: Vec<Tweet>, moves: &[Move]) -> Vec<Tweet> {
    let is_near = |tweet: &Tweet| {
        moves.iter().any(|m| {
            let days = m.day_ns - 3 * DAY_NS..m.day_ns + 3 * DAY_NS;
            m.ticker == tweet.ticker && days.contains(&tweet.at_ns)
        })
    };
    tweets.into_iter().filter(is_near).collect()
}

/// Loads what is near the moves, the way a person would.
fn load(folder: &Path, near: &[Tweet], data: &Path) {
    let file = data.with_file_name(TWEETS);
    let lines: Vec<&str> = near.iter().map(|tweet| tweet.line.as_str()).collect();
    std::fs::write(&file, lines.join("\n")).expect("written");
    let days = folder.join("daily_prices.csv");
    let said = ouzel_json(&[
        "ingest",
        arg(&file),
        "--number",
        "--known-at",
        "ts",
        "--symbol-field",
        "ticker",
        "--days",
        arg(&days),
        "--data",
        arg(data),
        "--json",
    ]);
    assert_eq!(
        (&said["stored"], &said["rejected"]),
        (&near.len().into(), &json!([]))
    );
    assert_eq!(said["days"], 5_161);
}

fn ask(data: &Path, question: &str, as_of: &str) -> Value {
    ouzel_json(&[
        "ask",
        question,
        "--as-of",
        as_of,
        "--data",
        arg(data),
        "--json",
    ])
}

/// Known by then, about the symbol, and there byte for byte. Returns when each was known.
fn check_citations(answer: &Value, near: &[Tweet], ticker: &str, as_of_ns: u64) -> Vec<u64> {
    let citations = answer["citations"].as_array().expect("a list");
    assert_eq!(
        answer["abstained"] == true,
        citations.is_empty(),
        "{answer}"
    );
    for citation in citations {
        assert!(
            nanos(&citation["known_at"]) <= as_of_ns,
            "from the future: {citation}"
        );
        let id = citation["document_id"].as_str().expect("an id");
        let number = id.strip_prefix("tweets.jsonl:").expect("its file and line");
        let tweet = &near[number.parse::<usize>().expect("a number") - 1];
        assert_eq!(nanos(&citation["known_at"]), tweet.at_ns, "{citation}");
        assert_eq!(tweet.ticker, ticker, "{citation}");
        let value: Value = serde_json::from_str(&tweet.line).expect("JSON");
        let text = value["text"].as_str().expect("a text");
        let at = |key: &str| citation[key].as_u64().expect("an offset") as usize;
        assert_eq!(
            citation["quote"],
            text[at("start")..at("end")],
            "{citation}"
        );
    }
    citations.iter().map(|c| nanos(&c["known_at"])).collect()
}

#[test]
fn real_moves_are_explained_from_what_was_known() {
    let Some(folder) = shared("text/stocknet") else {
        return;
    };
    let csv = std::fs::read_to_string(folder.join("daily_prices.csv")).expect("readable");
    let all = tweets(&folder);
    let moves = largest_moves(&csv, &all);
    assert_eq!(moves.len(), MOVES);
    let near = around(all, &moves);
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    load(&folder, &near, &data);
    let mut explained = 0;
    for m in &moves {
        let answer = ask(&data, &format!("why did {} move?", m.ticker), &m.as_of());
        println!(
            "{} {} {:+.2} %: {}",
            m.date, m.ticker, m.percent, answer["answer"]
        );
        let known = check_citations(&answer, &near, &m.ticker, m.close_ns());
        explained += usize::from(!known.is_empty());
        let said = answer["answer"].as_str().expect("words");
        let way = if m.percent > 0.0 { "up" } else { "down" };
        assert!(
            said.contains(&format!("{way} {:.2} %", m.percent.abs())),
            "{said}"
        );
        // Just before the first of them was tweeted, none of them can be cited.
        if let Some(first) = known.iter().min() {
            let before = format!("{}", first - 1);
            let earlier = ask(&data, &format!("why did {} move?", m.ticker), &before);
            check_citations(&earlier, &near, &m.ticker, first - 1);
        }
    }
    println!(
        "{explained} of {MOVES} moves explained, {} tweets",
        near.len()
    );
    assert!(
        explained >= MOVES - 2,
        "only {explained} of {MOVES} explained"
    );
    check_served(&data, &moves[0], &near);
}

/// The same answer from a server, and the cited documents fetched from it.
fn check_served(data: &Path, m: &Move, near: &[Tweet]) {
    let ouzel = Running::start(&["serve", "--data", arg(data)]);
    let body = json!({"q": format!("why did {} move?", m.ticker), "as_of": m.as_of()});
    let answer = ouzel.post("/v1/ask", &body);
    check_citations(&answer, near, &m.ticker, m.close_ns());
    for citation in answer["citations"].as_array().expect("a list") {
        let id = citation["document_id"].as_str().expect("an id");
        let document = ouzel.get(&format!("/v1/documents/{id}"));
        let text = document["text"].as_str().expect("a text");
        let at = |key: &str| citation[key].as_u64().expect("an offset") as usize;
        assert_eq!(citation["quote"], text[at("start")..at("end")]);
        assert_eq!(document["symbols"], json!([m.ticker]));
    }
    // A second process must not write the same log; it is told where to ask instead.
    let said = ouzel_fails(&["ask", "why?", "--data", arg(data), "--json"]);
    assert!(
        said.contains("in use by another ouzel process") && said.contains("--url"),
        "{said}"
    );
}
