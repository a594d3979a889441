//! Goal: a planted move right after a real story is explained by that story, and a move after routine news or no news at all
//! by nothing. Method: all Reuters stories of early 1987 in a fake memory (words only), tagged with the tickers that they
//! print; moves are planted some seconds after stories that were labelled by hand from their headlines (`labels`). What is missed
//! and cited wrongly is printed of those that were looked at; the others are counted and never shown.

mod labels;
#[path = "../support/mod.rs"]
mod support;

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};
use std::io::Read;

use labels::Labels;
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

/// A venue's directory: every ticker, and the company as its own headlines name it most often: `SOUTHWEST AIR <LUV> ...`. Some
/// are no names but what stands there: `MOODY'S DOWNGRADES GELCO <GEL>`.
fn names(jsonl: &str) -> Vec<(String, String)> {
    let mut counts: HashMap<String, HashMap<String, usize>> = HashMap::new();
    for line in jsonl.lines() {
        let value: Value = serde_json::from_str(line).expect("a JSON line");
        let tickers = value["tickers"].as_array().into_iter().flatten();
        for ticker in tickers.filter_map(Value::as_str) {
            counts.entry(ticker.to_owned()).or_default();
        }
        let title = value["title"].as_str().unwrap_or_default();
        let Some((name, rest)) = title.split_once('<') else {
            continue;
        };
        let Some((symbol, _)) = rest.split_once('>') else {
            continue;
        };
        let words: Vec<String> = name.split_whitespace().map(capitalised).collect();
        if (1..=4).contains(&words.len()) {
            let of_symbol = counts.entry(symbol.to_owned()).or_default();
            *of_symbol.entry(words.join(" ")).or_default() += 1;
        }
    }
    let named = counts.into_iter().map(|(symbol, names)| {
        let most = names.into_iter().max_by_key(|(name, count)| {
            let words = name.split(' ').count();
            (*count, Reverse(words), name.clone())
        });
        (symbol, most.map(|(name, _)| name).unwrap_or_default())
    });
    let mut names: Vec<(String, String)> = named.collect();
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

/// How moves after one set of stories fared.
#[derive(Default)]
struct Fared {
    /// After news that moves prices: the story cited as the cause, cited or shown as its own news, all.
    cited: usize,
    shown: usize,
    moves: usize,
    /// After routine news, one move each way: a cause cited, all.
    invented: usize,
    routine: usize,
}

impl Fared {
    fn of(asker: &Asker<'_>, stories: &[Story], labels: &Labels, is_shown: bool) -> Self {
        let mut fared = Self::default();
        for (ids, up) in [(labels.up, true), (labels.down, false)] {
            for (idx, story) in chosen(stories, ids).enumerate() {
                fared.after_mover(asker, story, (idx as u64, up), is_shown);
            }
        }
        for story in chosen(stories, labels.routine) {
            fared.after_routine(asker, story, is_shown);
        }
        fared
    }

    fn after_mover(
        &mut self,
        asker: &Asker<'_>,
        story: &Story,
        (idx, up): (u64, bool),
        is_shown: bool,
    ) {
        let at = story.at + (2 + idx % 40) * SECOND;
        let (cited, news) = shown(asker, &story.tickers[0], at, up);
        let has = |list: &[Citation]| {
            let mut first = list.iter().take(3);
            first.any(|c| c.document_id == story.id.to_string())
        };
        let (is_cited, is_news) = (has(&cited), has(&news));
        self.cited += usize::from(is_cited);
        self.shown += usize::from(is_cited || is_news);
        self.moves += 1;
        if is_shown && !is_cited {
            let as_news = if is_news { ", shown as news" } else { "" };
            println!("missed, up {up}: {}{as_news}", story.title);
        }
    }

    fn after_routine(&mut self, asker: &Asker<'_>, story: &Story, is_shown: bool) {
        for up in [true, false] {
            let (cited, _) = shown(asker, &story.tickers[0], story.at + 20 * SECOND, up);
            self.invented += usize::from(!cited.is_empty());
            self.routine += 1;
            if let Some(first) = cited.first().filter(|_| is_shown) {
                println!("routine, up {up}: {} | {}", story.title, first.quote);
            }
        }
    }
}

impl std::fmt::Display for Fared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            cited,
            shown,
            moves,
            invented,
            routine,
        } = self;
        write!(
            f,
            "cited {cited}, shown {shown} of {moves}; after routine news cited {invented} of {routine}"
        )
    }
}

fn chosen<'a>(stories: &'a [Story], ids: &'a [u32]) -> impl Iterator<Item = &'a Story> {
    ids.iter()
        .filter_map(|id| stories.iter().find(|story| story.id == *id))
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
    let looked_at = Fared::of(&asker, &stories, &labels::LOOKED_AT, true);

    let unseen = Fared::of(&asker, &stories, &labels::UNSEEN, false);
    let nothing = after_nothing(&asker, &stories);
    println!("looked at: {looked_at}\nunseen: {unseen}");
    println!("cited after no news {nothing:?}");
    assert!(nothing.0 * 20 <= nothing.1, "{nothing:?}");
    assert!(unseen.cited * 10 >= unseen.moves * 9, "{unseen}");
    assert!(unseen.invented * 5 <= unseen.routine, "{unseen}");
    assert!(looked_at.cited * 10 >= looked_at.moves * 9, "{looked_at}");
    assert!(looked_at.invented * 5 <= looked_at.routine, "{looked_at}");
}
