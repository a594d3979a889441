//! The demo within its first minute: books equal to the venue's over two lossy lines, and the
//! planted causes found, quoted and told from shocks that have none.

#![allow(
    clippy::disallowed_methods,
    reason = "real processes are awaited in real time"
)]

mod common;

use std::collections::HashMap;
use std::time::{Duration, Instant};

use common::{Running, nanos, ouzel_json};
use serde_json::{Value, json};
use venue::{NewsItem, Shock, Venue, VenueConfig};

const SEED: u64 = 7;
const MINUTE: Duration = Duration::from_secs(55);

/// What the seed plants: shocks, and every item of news by its document's id.
struct Planted {
    shocks: Vec<Shock>,
    news: HashMap<String, NewsItem>,
}

fn planted() -> Planted {
    let start_ns = 1_700_000_000_000_000_000;
    let mut venue = Venue::new(VenueConfig::new(SEED, start_ns, start_ns));
    let items = venue.news_until(start_ns + 120_000_000_000);
    let named = |item: NewsItem| (format!("sim-news-{}", item.id), item);
    Planted {
        shocks: venue.truth(),
        news: items.into_iter().map(named).collect(),
    }
}

fn demo(more: &[&str]) -> Running {
    let seed = SEED.to_string();
    Running::start(&[&["demo", "--seed", &seed, "--for", "60"], more].concat())
}

/// Quotes stand in their documents, and whatever is cited as a cause was planted as one.
fn check_citations(ouzel: &Running, answer: &Value, planted: &Planted) -> usize {
    let citations = answer["citations"].as_array().expect("a list");
    for citation in citations {
        let id = citation["document_id"].as_str().expect("an id");
        let document = ouzel.get(&format!("/v1/documents/{id}"));
        let text = document["text"].as_str().expect("a text");
        let at = |key: &str| citation[key].as_u64().expect("an offset") as usize;
        assert_eq!(citation["quote"], text[at("start")..at("end")]);
        assert!(nanos(&citation["known_at"]) <= nanos(&answer["receipt"]["asked_at"]));
        assert!(planted.news.contains_key(id), "{id} was never written");
    }
    let is_cause = |c: &&Value| planted.news[c["document_id"].as_str().expect("an id")].planted;
    citations.iter().filter(is_cause).count()
}

/// Waits for the first jump of each planted shock and asks about it.
fn ask_about_shocks(ouzel: &Running, planted: &Planted, until: Instant) -> usize {
    let mut caused = 0;
    let mut asked: Vec<String> = Vec::new();
    while Instant::now() < until && asked.len() < 2 {
        std::thread::sleep(Duration::from_millis(500));
        let said = ouzel.get("/v1/signals?limit=1000");
        for signal in said["signals"].as_array().expect("rows").iter().rev() {
            let symbol = signal["symbol"].as_str().expect("a name").to_owned();
            let shock = planted.shocks.iter().find(|shock| shock.symbol == symbol);
            let (Some(shock), "jump") = (shock, signal["kind"].as_str().unwrap_or_default()) else {
                continue;
            };
            if asked.contains(&symbol) {
                continue;
            }
            asked.push(symbol.clone());
            let answer = ouzel.post("/v1/ask", &json!({"q": format!("why did {symbol} move?")}));
            println!("{symbol}: {}", answer["answer"]);
            let causes = check_citations(ouzel, &answer, planted);
            match shock.cause {
                Some(id) => {
                    let first = &answer["citations"][0]["document_id"];
                    assert_eq!(first, &json!(format!("sim-news-{id}")), "{answer}");
                    caused += causes.min(1);
                }
                None => assert_eq!(answer["abstained"], true, "{answer}"),
            }
        }
    }
    caused
}

#[test]
fn the_first_minute_shows_everything() {
    let began = Instant::now();
    let planted = planted();
    let ouzel = demo(&[]);
    assert_eq!(
        (&ouzel.greeting["simulated"], &ouzel.greeting["seed"]),
        (&true.into(), &SEED.into())
    );
    let caused = ask_about_shocks(&ouzel, &planted, began + Duration::from_secs(45));
    assert!(
        caused >= 1,
        "no planted cause was cited within {:?}",
        began.elapsed()
    );
    // A question that names no symbol, through the command.
    let answer = ouzel_json(&[
        "ask",
        "what is moving and why?",
        "--url",
        &ouzel.url,
        "--json",
    ]);
    println!("{}", answer["answer"]);
    assert!(check_citations(&ouzel, &answer, &planted) >= 1, "{answer}");
    assert!(
        answer["receipt"]["stream"]["seq"].as_u64() > Some(10_000),
        "{answer}"
    );
    // One without a cause: a symbol that was left in peace.
    let moved = |symbol: &str| planted.shocks.iter().any(|shock| shock.symbol == symbol);
    let symbols = ouzel.get("/v1/symbols?sort=symbol");
    let rows = symbols["symbols"].as_array().expect("rows");
    assert_eq!(rows.len(), 100);
    let mut quiet = rows
        .iter()
        .filter_map(|row| row["symbol"].as_str())
        .filter(|s| !moved(s));
    let q = format!("why did {} crash?", quiet.next().expect("a quiet one"));
    let nothing = ouzel.post("/v1/ask", &json!({"q": q}));
    assert_eq!(
        (&nothing["abstained"], &nothing["citations"]),
        (&true.into(), &json!([])),
        "{nothing}"
    );
    assert!(
        nothing["answer"]
            .as_str()
            .is_some_and(|a| a.contains("No cause found")),
        "{nothing}"
    );
    check_evidence(&ouzel, &planted);
    check_feed(&ouzel);
    // Some machines, containers above all, do not carry multicast: the demo says so and goes on.
    if ouzel.greeting["multicast"] == false {
        println!("skipped: multicast: this machine does not carry it on loopback");
    }
    assert!(began.elapsed() < MINUTE, "{:?}", began.elapsed());
}

/// The market asked by itself: the first bundle of each planted shock has its cause or none, and its receipt holds.
fn check_evidence(ouzel: &Running, planted: &Planted) {
    let told = ouzel.get("/v1/evidence?limit=1000");
    let bundles = told["evidence"].as_array().expect("a list");
    assert_eq!(told["last"], json!(bundles.len()), "none has left yet");
    for bundle in bundles.iter().filter(|b| b["follows"].is_null()) {
        let symbol = bundle["symbol"].as_str().expect("a name");
        println!("{symbol}: {} us, {}", bundle["took_us"], bundle["answer"]);
        assert!(nanos(&bundle["at"]) <= nanos(&bundle["signal"]["at"]));
        assert!(!bundle["similar"].is_null() || !bundle["similar_missing"].is_null());
        let shock = planted.shocks.iter().find(|shock| shock.symbol == symbol);
        let cause = shock.and_then(|shock| shock.cause);
        check_citations(ouzel, bundle, planted);
        match cause {
            Some(id) => {
                let first = &bundle["citations"][0]["document_id"];
                assert_eq!(first, &json!(format!("sim-news-{id}")), "{bundle}");
            }
            None => assert_eq!(bundle["abstained"], true, "{bundle}"),
        }
        let verdict = ouzel.post("/v1/verify", bundle);
        assert_eq!(verdict["outcome"], "verified", "{verdict}");
    }
    assert!(!bundles.is_empty());
    let newest = &bundles[0];
    let of_one = format!(
        "/v1/evidence?limit=1&symbol={}",
        newest["symbol"].as_str().expect("a name")
    );
    // The market goes on: bundles that came since are newer, and nothing else is there.
    let number = |bundle: &Value| bundle["number"].as_u64().expect("a number");
    let of_one = ouzel.get(&of_one);
    assert_eq!(of_one["evidence"][0]["symbol"], newest["symbol"]);
    assert!(number(&of_one["evidence"][0]) >= number(newest));
    let after = ouzel.get(&format!("/v1/evidence?after={}", newest["number"]));
    let after = after["evidence"].as_array().expect("a list");
    assert!(after.iter().all(|later| number(later) > number(newest)));
    let last = ouzel.get(&format!("/v1/evidence?after={}", u64::MAX));
    assert_eq!(last["evidence"], json!([]));
    ouzel.refused("GET", "/v1/evidence?symbol=NOSUCH", "", 404);
    let shown = ouzel_json(&["evidence", "--url", &ouzel.url, "-n", "1", "--json"]);
    assert!(shown["number"].as_u64() >= newest["number"].as_u64());
}

/// Loss was there, was mended, and the books equal the venue's.
fn check_feed(ouzel: &Running) {
    let feed = ouzel.until("/v1/feed", |feed| {
        feed["check"]["checked"].as_u64() > Some(10) && feed["recovered"].as_u64() > Some(0)
    });
    println!("{feed}");
    assert_eq!(
        (&feed["check"]["unequal"], &feed["check"]["equal"]),
        (&0.into(), &true.into())
    );
    assert!(feed["gaps"].as_u64() > Some(0), "{feed}");
    assert_eq!(
        (&feed["lost"], &feed["rejected"]),
        (&0.into(), &0.into()),
        "{feed}"
    );
    assert_eq!(feed["venue"]["simulated"], true);
    for line in feed["lines"].as_array().expect("two lines") {
        assert!(
            line["packets"].as_u64() > Some(100) && line["wins"].as_u64() > Some(0),
            "{line}"
        );
    }
}

/// Where multicast is not wanted the same market comes over unicast.
#[test]
fn unicast_carries_the_same_market() {
    let ouzel = demo(&["--unicast", "--symbols", "20", "--loss", "3"]);
    check_feed(&ouzel);
    assert_eq!(ouzel.greeting["multicast"], false);
    let lines = ouzel.greeting["lines"].as_array().expect("two lines");
    assert!(
        lines
            .iter()
            .all(|line| line.as_str().is_some_and(|l| l.starts_with("127.0.0.1:")))
    );
    assert_eq!(
        ouzel.get("/v1/symbols")["symbols"].as_array().map(Vec::len),
        Some(20)
    );
}

/// The last line sums up, and the process ends by itself when its time is over.
#[test]
fn a_demo_with_an_end_ends_with_its_account() {
    let ouzel = Running::start(&[
        "demo",
        "--symbols",
        "8",
        "--rate",
        "2000",
        "--for",
        "6",
        "--unicast",
    ]);
    let summary = ouzel.line_with("book_checks");
    assert!(summary["messages"].as_u64() > Some(1_000), "{summary}");
    assert!(summary["book_checks"].as_u64() > Some(2), "{summary}");
    assert_eq!(
        (&summary["book_checks_unequal"], &summary["lost"]),
        (&0.into(), &0.into())
    );
}
