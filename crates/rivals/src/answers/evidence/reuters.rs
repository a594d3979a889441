//! Real stories as causes: a move is planted some seconds after a story, in the direction that its headline was labelled with
//! by hand (`labels`). Half of the labelled stories, every second one, were looked at while the ranker was mended; the other half
//! was only counted. Beside them moves right after stories labelled as routine, and moves of companies that no story of the last
//! hour names: every cause cited there is a false one.

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::sync::Arc;

use anyhow::{Context, Result};
use collection::SyncPolicy;
use node::reference::Listing;
use node::{Node, Settings};
use rag::{Document, Jump, Shock};
use serde_json::Value;
use stdx::{Rng, SystemClock};

use super::labels;
use crate::report::{Better, Figure, Report};
use crate::vectors::texts::shared;

const SECOND: u64 = 1_000_000_000;
const HOUR: u64 = 3_600 * SECOND;
/// Moves without a story.
const UNCAUSED: usize = 300;
/// News that counts for a shock is younger than this; older stories are left out of the memory.
const WINDOW: u64 = 40 * 60 * SECOND;

struct Story {
    id: u32,
    at: u64,
    title: String,
    body: String,
    tickers: Vec<String>,
}

/// What a planted move is for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Kind {
    Tuned,
    Held,
    Routine,
    Uncaused,
}

struct Planted {
    kind: Kind,
    symbol: String,
    at: u64,
    up: bool,
    cause: Option<u32>,
}

/// The figures; `None` without the stories.
pub fn run(report: &Report) -> Result<Option<Vec<Figure>>> {
    let Some(stories) = stories()? else {
        return Ok(None);
    };
    let planted = plant(&stories);
    let folder = tempfile::tempdir()?;
    let settings = Settings {
        dir: folder.path().to_path_buf(),
        sync: SyncPolicy::Never,
        limits: collection::Options::default(),
        embedding: node::EmbeddingLimits::default(),
    };
    let node = Node::open(&settings, Arc::new(SystemClock))?;
    node.reference().load(listings(&stories), 0);
    let stored = store(&node, &stories, &planted)?;
    let mut tally: HashMap<Kind, (usize, usize)> = HashMap::new();
    for shock in &planted {
        let cited = cited(&node, shock)?;
        let is_hit = match shock.cause {
            Some(id) => cited.iter().take(3).any(|(of, _)| *of == id.to_string()),
            None => !cited.is_empty(),
        };
        let counts = tally.entry(shock.kind).or_default();
        counts.0 += usize::from(is_hit);
        counts.1 += 1;
        if is_hit != shock.cause.is_some() && shock.kind != Kind::Held {
            report.step(&told(&stories, shock, &cited));
        }
    }
    let share = |kind: Kind| {
        let (hits, all) = tally.get(&kind).copied().unwrap_or_default();
        (
            vec![hits as f64 / all.max(1) as f64],
            format!("{hits} of {all}"),
        )
    };
    let of = |name: &str, better: Better, kind: Kind, what: &str| {
        let (value, counts) = share(kind);
        let note =
            format!("{what}: {counts}; {stored} real stories of 1987 in memory, moves planted");
        Figure::new(format!("evidence.reuters_{name}"), "share", better, value).note(note)
    };
    Ok(Some(vec![
        of(
            "hit3_tuned",
            Better::More,
            Kind::Tuned,
            "the story is among three citations, half looked at",
        ),
        of(
            "hit3_held",
            Better::More,
            Kind::Held,
            "the same, half only counted",
        ),
        of(
            "false_routine",
            Better::Less,
            Kind::Routine,
            "a cause cited right after routine news",
        ),
        of(
            "false_uncaused",
            Better::Less,
            Kind::Uncaused,
            "a cause cited where no story names the company",
        ),
    ]))
}

/// Documents cited, with their quotes.
fn cited(node: &Node, shock: &Planted) -> Result<Vec<(String, String)>> {
    let explained = node.asker(None).explain(&Shock {
        symbol: shock.symbol.clone(),
        at: shock.at,
        jump: Some(Jump {
            at: shock.at,
            span_ns: SECOND,
            from: 100.0,
            to: if shock.up { 102.0 } else { 98.0 },
            seq: 0,
        }),
        peers: Vec::new(),
    })?;
    let citations = explained.answer.citations.into_iter();
    Ok(citations.map(|c| (c.document_id, c.quote)).collect())
}

/// Moves some seconds after labelled stories, and moves after none.
fn plant(stories: &[Story]) -> Vec<Planted> {
    let by_id: HashMap<u32, &Story> = stories.iter().map(|story| (story.id, story)).collect();
    let mut rng = Rng::new(21);
    let mut planted = Vec::new();
    let sets = [
        (&labels::UP[..], Some(true)),
        (&labels::DOWN[..], Some(false)),
        (&labels::ROUTINE[..], None),
    ];
    for (ids, up) in sets {
        for (idx, story) in ids.iter().filter_map(|id| by_id.get(id)).enumerate() {
            let half = if idx % 2 == 0 {
                Kind::Tuned
            } else {
                Kind::Held
            };
            planted.push(Planted {
                kind: if up.is_some() { half } else { Kind::Routine },
                symbol: story.tickers[0].clone(),
                at: story.at + rng.range(2, 60) * SECOND,
                up: up.unwrap_or(idx % 2 == 0),
                cause: up.map(|_| story.id),
            });
        }
    }
    let tickers: Vec<&String> = stories.iter().flat_map(|story| &story.tickers).collect();
    let mut uncaused = 0;
    while uncaused < UNCAUSED {
        let symbol = (*rng.pick(&tickers)).clone();
        let at = rng.pick(stories).at + rng.range(1, 60) * SECOND;
        let hour = stories
            .iter()
            .filter(|s| (at.saturating_sub(HOUR)..=at).contains(&s.at));
        if hour.clone().any(|story| story.tickers.contains(&symbol)) {
            continue;
        }
        uncaused += 1;
        let (kind, up) = (Kind::Uncaused, rng.chance(0.5));
        planted.push(Planted {
            kind,
            symbol,
            at,
            up,
            cause: None,
        });
    }
    planted
}

/// Stores the stories that any move could look back on.
fn store(node: &Node, stories: &[Story], planted: &[Planted]) -> Result<usize> {
    let mut instants: Vec<u64> = planted.iter().map(|shock| shock.at).collect();
    instants.sort_unstable();
    let asker = node.asker(None);
    let mut stored = 0;
    for story in stories {
        let next = instants.partition_point(|at| *at < story.at);
        let is_near = instants.get(next).is_some_and(|at| at - story.at < WINDOW);
        if !is_near {
            continue;
        }
        asker.ingest(&Document {
            id: story.id.to_string(),
            title: Some(story.title.clone()),
            text: story.body.clone(),
            source: Some("newswire".to_owned()),
            symbols: story.tickers.clone(),
            event_at: story.at,
            known_at: story.at,
            ..Document::default()
        })?;
        stored += 1;
    }
    Ok(stored)
}

/// Companies as their own headlines name them: `SOUTHWEST AIR <LUV> ...`.
fn listings(stories: &[Story]) -> Vec<Listing> {
    let mut seen = HashSet::new();
    let named = stories.iter().filter_map(|story| {
        let [symbol] = story.tickers.as_slice() else {
            return None;
        };
        let (name, _) = story.title.split_once(&format!("<{symbol}>"))?;
        let name: Vec<String> = name.split_whitespace().map(capitalised).collect();
        let is_name = (1..=4).contains(&name.len()) && seen.insert(symbol.clone());
        is_name.then(|| Listing {
            symbol: symbol.clone(),
            name: Some(name.join(" ")),
            ..Listing::default()
        })
    });
    named.collect()
}

fn capitalised(word: &str) -> String {
    let mut letters = word.chars();
    let first: String = letters.next().into_iter().collect();
    first + &letters.as_str().to_lowercase()
}

fn told(stories: &[Story], shock: &Planted, cited: &[(String, String)]) -> String {
    let title = |id: &str| {
        stories
            .iter()
            .find(|s| s.id.to_string() == id)
            .map_or("", |s| &s.title)
    };
    let wanted = shock
        .cause
        .map(|id| title(&id.to_string()))
        .unwrap_or("none");
    let cited: Vec<String> = cited
        .iter()
        .map(|(id, quote)| format!("{}: {quote}", title(id)))
        .collect();
    let way = if shock.up { "up" } else { "down" };
    format!(
        "  {:?} {} {way}, wanted {wanted:?}, cited {cited:?}",
        shock.kind, shock.symbol
    )
}

fn stories() -> Result<Option<Vec<Story>>> {
    let Some(path) = shared().map(|dir| dir.join("data/text/reuters21578/stories.jsonl.gz")) else {
        return Ok(None);
    };
    if !path.is_file() {
        return Ok(None);
    }
    // Unpacked by the system's gzip: this crate needs no decompressor for one file.
    let unpacked = Command::new("gzip").arg("-dc").arg(path).output()?;
    let text = String::from_utf8(unpacked.stdout)?;
    let mut stories = text.lines().map(story).collect::<Result<Vec<Story>>>()?;
    stories.retain(|story| !story.body.trim().is_empty());
    Ok(Some(stories))
}

fn story(line: &str) -> Result<Story> {
    let value: Value = serde_json::from_str(line)?;
    let text = |key: &str| value[key].as_str().unwrap_or_default().to_owned();
    let tickers = value["tickers"].as_array().into_iter().flatten();
    Ok(Story {
        id: u32::try_from(value["id"].as_u64().context("a story without a number")?)?,
        at: instant(&text("ts")).context("a story without a time")?,
        title: text("title"),
        body: text("body"),
        tickers: tickers
            .filter_map(|t| t.as_str().map(str::to_owned))
            .collect(),
    })
}

/// `1987-02-26T15:01:01.790` in nanoseconds, taken as UTC. All are of 1987.
fn instant(text: &str) -> Option<u64> {
    const BEFORE: [u64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    /// 1987-01-01.
    const YEAR_DAYS: u64 = 6_209;
    let number = |range: std::ops::Range<usize>| text.get(range)?.parse::<u64>().ok();
    let month = usize::try_from(number(5..7)?).ok()?.checked_sub(1)?;
    let day = YEAR_DAYS + BEFORE.get(month)? + number(8..10)?.checked_sub(1)?;
    let seconds = ((day * 24 + number(11..13)?) * 60 + number(14..16)?) * 60 + number(17..19)?;
    Some(seconds * SECOND + number(20..23)? * 1_000_000)
}
