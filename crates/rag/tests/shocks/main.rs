//! Goal: a planted move right after a real story is explained by that story, and a move after routine news or no news at all
//! by nothing. Method: all Reuters stories of early 1987 in a fake memory (words only), tagged with the tickers that they
//! print; moves are planted some seconds after stories that were labelled by hand from their headlines (`labels`). Every
//! second labelled story is held out: it is counted and never shown.

mod labels;
#[path = "../support/mod.rs"]
mod support;

use std::collections::{HashMap, HashSet};
use std::io::Read;

use rag::*;
use serde_json::Value;
use stdx::{ManualClock, Rng};
use support::*;

/// Moves of companies that no story of the last hour names.
const UNCAUSED: usize = 244;

struct Story {
    id: u32,
    at: u64,
    title: String,
    tickers: Vec<String>,
}

fn instant(text: &str) -> u64 {
    let at: jiff::Timestamp = format!("{text}Z").parse().expect("an instant");
    u64::try_from(at.as_nanosecond()).expect("after 1970")
}

fn load(asker: &Asker<'_>, jsonl: &str) -> Vec<Story> {
    let mut stories = Vec::new();
    for line in jsonl.lines() {
        let value: Value = serde_json::from_str(line).expect("a JSON line");
        let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
        let tickers = value["tickers"].as_array().into_iter().flatten();
        let story = Story {
            id: value["id"].as_u64().expect("a number") as u32,
            at: instant(&text("ts")),
            title: text("title"),
            tickers: tickers
                .filter_map(|t| t.as_str().map(str::to_owned))
                .collect(),
        };
        let document = Document {
            id: story.id.to_string(),
            title: Some(story.title.clone()),
            text: text("body"),
            source: Some("newswire".into()),
            symbols: story.tickers.clone(),
            event_at: story.at,
            known_at: story.at,
            ..Document::default()
        };
        if !document.text.trim().is_empty() {
            asker.ingest(&document).expect("stored");
            stories.push(story);
        }
    }
    stories
}

/// Companies as their own headlines name them: `SOUTHWEST AIR <LUV> ...`.
fn names(jsonl: &str) -> Vec<(String, String)> {
    let mut names: HashMap<String, String> = HashMap::new();
    for line in jsonl.lines() {
        let value: Value = serde_json::from_str(line).expect("a JSON line");
        let title = value["title"].as_str().unwrap_or_default();
        let Some((name, symbol)) = title.split_once(" <") else {
            continue;
        };
        let Some((symbol, _)) = symbol.split_once('>') else {
            continue;
        };
        let words: Vec<String> = name.split_whitespace().map(capitalised).collect();
        if (1..=4).contains(&words.len()) {
            names.entry(symbol.to_owned()).or_insert(words.join(" "));
        }
    }
    let mut names: Vec<(String, String)> = names.into_iter().collect();
    names.sort();
    names
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first: String = letters.next().into_iter().collect();
    first + &letters.as_str().to_lowercase()
}

/// What is cited as the cause, and what is shown as news that states none.
fn shown(asker: &Asker<'_>, symbol: &str, at: u64, up: bool) -> (Vec<Citation>, Vec<Citation>) {
    let explained = asker.explain(&Shock {
        symbol: symbol.to_owned(),
        at,
        jump: Some(Jump {
            at,
            span_ns: SECOND,
            from: 100.0,
            to: if up { 102.0 } else { 98.0 },
            seq: 0,
        }),
        peers: Vec::new(),
    });
    let explained = explained.expect("answers");
    let (citations, news) = (explained.answer.citations, explained.news);
    assert!(citations.iter().chain(&news).all(|c| c.known_at <= at));
    assert!(citations.is_empty() || news.is_empty());
    (citations, news)
}

/// Of some moves: those whose story is cited as the cause, those where it is shown at all, and all.
type Hits = (usize, usize, usize);

/// A move after each labelled story: its half, its cause and what was cited.
fn after_labelled(asker: &Asker<'_>, stories: &[Story], ids: &[u32], up: bool) -> [Hits; 2] {
    let mut halves = [(0, 0, 0); 2];
    for (idx, id) in ids.iter().enumerate() {
        let Some(story) = stories.iter().find(|story| story.id == *id) else {
            continue;
        };
        let at = story.at + (2 + idx as u64 % 40) * SECOND;
        let (cited, news) = shown(asker, &story.tickers[0], at, up);
        let has = |list: &[Citation]| {
            let mut first = list.iter().take(3);
            first.any(|c| c.document_id == id.to_string())
        };
        let (is_cited, is_news) = (has(&cited), has(&news));
        let half = &mut halves[idx % 2];
        half.0 += usize::from(is_cited);
        half.1 += usize::from(is_cited || is_news);
        half.2 += 1;
        if idx % 2 == 0 && !is_cited {
            let as_news = if is_news { ", shown as news" } else { "" };
            println!("missed, up {up}: {}{as_news}", story.title);
        }
    }
    halves
}

fn after_routine(asker: &Asker<'_>, stories: &[Story]) -> [(usize, usize); 2] {
    let mut halves = [(0, 0); 2];
    for (idx, id) in labels::ROUTINE.iter().enumerate() {
        let Some(story) = stories.iter().find(|story| story.id == *id) else {
            continue;
        };
        for up in [true, false] {
            let (cited, _) = shown(asker, &story.tickers[0], story.at + 20 * SECOND, up);
            let half = &mut halves[idx % 2];
            *half = (half.0 + usize::from(!cited.is_empty()), half.1 + 1);
            if let Some(first) = cited.first().filter(|_| idx % 2 == 0) {
                println!("routine, up {up}: {} | {}", story.title, first.quote);
            }
        }
    }
    halves
}

fn after_nothing(asker: &Asker<'_>, stories: &[Story]) -> (usize, usize) {
    let mut rng = Rng::new(21);
    let tickers: Vec<&String> = stories.iter().flat_map(|story| &story.tickers).collect();
    let mut invented = 0;
    for _ in 0..UNCAUSED {
        let at = rng.pick(stories).at + rng.range(1, 60) * SECOND;
        let hour = stories
            .iter()
            .filter(|s| (at.saturating_sub(HOUR)..=at).contains(&s.at));
        let named: HashSet<&String> = hour.flat_map(|story| &story.tickers).collect();
        let symbol = loop {
            let symbol = *rng.pick(&tickers);
            if !named.contains(symbol) {
                break symbol;
            }
        };
        let (cited, news) = shown(asker, symbol, at, rng.chance(0.5));
        assert!(news.is_empty(), "no story of the last hour names {symbol}");
        invented += usize::from(!cited.is_empty());
        if let Some(first) = cited.first() {
            println!("invented for {symbol}: {}", first.quote);
        }
    }
    (invented, UNCAUSED)
}

#[test]
fn real_stories_explain_planted_moves() {
    let path = shared().map(|d| d.join("data/text/reuters21578/stories.jsonl.gz"));
    let Some(path) = path.filter(|path| path.is_file()) else {
        println!("skipped: no shared/data/text/reuters21578 beside the checkout");
        return;
    };
    let mut jsonl = String::new();
    let file = std::fs::File::open(path).expect("opens");
    let mut unpacked = flate2::read::GzDecoder::new(file);
    unpacked.read_to_string(&mut jsonl).expect("inflates");
    let names = names(&jsonl);
    let names: Vec<(&str, &str)> = names
        .iter()
        .map(|(s, n)| (s.as_str(), n.as_str()))
        .collect();
    let (memory, facts) = (FakeMemory::default(), FakeFacts::with(&names));
    let clock = ManualClock::at(NOW);
    let stories = load(
        &Asker::new(&memory, &facts, &FlatEmbedder, None, &clock),
        &jsonl,
    );
    let asker = Asker::new(&memory, &facts, &NoEmbedder, None, &clock);
    let up = after_labelled(&asker, &stories, &labels::UP, true);
    let down = after_labelled(&asker, &stories, &labels::DOWN, false);
    let routine = after_routine(&asker, &stories);
    let nothing = after_nothing(&asker, &stories);
    println!("cited, shown, of: up, looked at and held out {up:?}, down {down:?}");
    println!("cited after routine news {routine:?}, after no news {nothing:?}");
    assert!(nothing.0 * 20 <= nothing.1, "{nothing:?}");
    let all = [up, down].concat();
    let (seen, of) = all
        .iter()
        .fold((0, 0), |sum, half| (sum.0 + half.1, sum.1 + half.2));
    assert!(
        seen * 10 >= of * 9,
        "the story is shown after {seen} of {of} moves"
    );
}
