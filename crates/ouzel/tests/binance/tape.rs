//! Recorded Binance streams, and what a naive reader makes of them: books in ordered maps, windows
//! by adding up trades. Nothing here uses the code under test.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::ops::Range;

use serde_json::Value;

use crate::common::shared;

/// Bids and asks by price in billionths: quantity in hundred-millionths.
pub type Sides = [BTreeMap<i64, i64>; 2];

/// A market trade.
#[derive(Clone, Copy, Debug)]
pub struct Trade {
    pub at_ns: u64,
    pub price_e9: i64,
    pub qty_e8: u64,
}

#[derive(Debug)]
enum Meaning {
    Diff {
        last: u64,
        levels: [Vec<(i64, i64)>; 2],
    },
    Snapshot {
        last: u64,
        levels: [Vec<(i64, i64)>; 2],
    },
    Trade(Trade),
    Other,
}

/// One recorded text.
#[derive(Debug)]
pub struct Line {
    pub recv_ns: u64,
    pub symbol: String,
    pub json: String,
    meaning: Meaning,
}

impl Line {
    /// A REST answer that the recorder wrote between the stream's messages.
    pub fn is_snapshot(&self) -> bool {
        matches!(self.meaning, Meaning::Snapshot { .. })
    }
}

/// Captures in the order in which they were recorded.
pub struct Tape {
    pub lines: Vec<Line>,
}

impl Tape {
    /// Reads captures of `(file, symbol)`, one after the other; `None` where there is no data.
    pub fn read(files: &[(&str, &str)]) -> Option<Self> {
        let mut lines = Vec::new();
        for (name, symbol) in files {
            let path = shared(&format!("market/crypto/binance/{name}.gz"))?;
            let file = std::fs::File::open(path).expect("it exists");
            let mut text = String::new();
            let mut reader = flate2::read::MultiGzDecoder::new(file);
            reader.read_to_string(&mut text).expect("a whole gzip file");
            lines.extend(text.lines().map(|line| parse(line, symbol)));
        }
        lines.sort_by_key(|line| line.recv_ns);
        Some(Self { lines })
    }

    /// What the venue's stream says: all but the REST answers.
    pub fn without_snapshots(mut self) -> Self {
        self.lines.retain(|line| !line.is_snapshot());
        self
    }

    /// Takes the first snapshot out, as the JSON of a REST answer.
    pub fn take_snapshot(&mut self) -> String {
        let at = self
            .lines
            .iter()
            .position(Line::is_snapshot)
            .expect("a capture with a snapshot");
        self.lines.remove(at).json
    }

    /// The venue's book of `symbol` and its last update when line `until` was next.
    pub fn book(&self, first: &str, symbol: &str, until: usize) -> (u64, Sides) {
        let mut sides = Sides::default();
        let Meaning::Snapshot { last, levels } = meaning(&json(first)) else {
            panic!("not a snapshot");
        };
        let mut newest = last;
        set(&mut sides, &levels);
        for line in self.lines[..until]
            .iter()
            .filter(|line| line.symbol == symbol)
        {
            if let Meaning::Diff { last, levels } = &line.meaning
                && *last > newest
            {
                set(&mut sides, levels);
                newest = *last;
            }
        }
        (newest, sides)
    }

    /// That book as the venue's REST interface tells it.
    pub fn rest(&self, first: &str, symbol: &str, until: usize) -> String {
        let (last, [bids, asks]) = self.book(first, symbol, until);
        let mut text = format!("{{\"lastUpdateId\":{last},\"bids\":[");
        write_levels(&mut text, bids.iter().rev());
        text.push_str("],\"asks\":[");
        write_levels(&mut text, asks.iter());
        text.push_str("]}");
        text
    }

    /// Market trades of `symbol` within `lines`, in the stream's order.
    pub fn trades(&self, symbol: &str, lines: Range<usize>) -> Vec<Trade> {
        let of_symbol = self.lines[lines]
            .iter()
            .filter(|line| line.symbol == symbol);
        let trades = of_symbol.filter_map(|line| match line.meaning {
            Meaning::Trade(trade) => Some(trade),
            _ => None,
        });
        trades.collect()
    }
}

fn parse(line: &str, symbol: &str) -> Line {
    let (recv_ns, text) = line.split_once(' ').expect("time, space, JSON");
    Line {
        recv_ns: recv_ns.parse().expect("digits"),
        symbol: symbol.to_owned(),
        json: text.to_owned(),
        meaning: meaning(&json(text)),
    }
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).expect("recorded lines are JSON")
}

fn meaning(value: &Value) -> Meaning {
    if let Some(last) = value["lastUpdateId"].as_u64() {
        return Meaning::Snapshot {
            last,
            levels: [levels(&value["bids"]), levels(&value["asks"])],
        };
    }
    let data = &value["data"];
    let is_market = data["X"].as_str().is_none_or(|cause| cause == "MARKET");
    match data["e"].as_str() {
        Some("depthUpdate") => Meaning::Diff {
            last: data["u"].as_u64().expect("an update id"),
            levels: [levels(&data["b"]), levels(&data["a"])],
        },
        Some("trade") if is_market => Meaning::Trade(Trade {
            at_ns: data["T"].as_u64().expect("a time") * 1_000_000,
            price_e9: decimal(&data["p"], 9),
            qty_e8: decimal(&data["q"], 8).try_into().expect("not negative"),
        }),
        _ => Meaning::Other,
    }
}

fn levels(value: &Value) -> Vec<(i64, i64)> {
    let rows = value.as_array().expect("levels");
    rows.iter()
        .map(|row| (decimal(&row[0], 9), decimal(&row[1], 8)))
        .collect()
}

fn decimal(value: &Value, places: usize) -> i64 {
    let text = value.as_str().expect("a decimal as text");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    format!("{whole}{part:0<places$}")
        .parse()
        .expect("digits that fit")
}

fn set(sides: &mut Sides, levels: &[Vec<(i64, i64)>; 2]) {
    for (side, levels) in sides.iter_mut().zip(levels) {
        for &(price, qty) in levels {
            match qty {
                0 => side.remove(&price),
                _ => side.insert(price, qty),
            };
        }
    }
}

fn write_levels<'a>(text: &mut String, levels: impl Iterator<Item = (&'a i64, &'a i64)>) {
    const E9: i64 = 1_000_000_000;
    const E8: i64 = 100_000_000;
    for (idx, (price, qty)) in levels.enumerate() {
        let comma = if idx > 0 { "," } else { "" };
        let (p, q) = ((price / E9, price % E9), (qty / E8, qty % E8));
        let _ = write!(
            text,
            "{comma}[\"{}.{:09}\",\"{}.{:08}\"]",
            p.0, p.1, q.0, q.1
        );
    }
}

/// A bar by adding up, in billionths and hundred-millionths.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NaiveBar {
    pub open: i64,
    pub high: i64,
    pub low: i64,
    pub close: i64,
    pub volume: u64,
    pub notional: i128,
    pub trades: u64,
}

/// Bars of `span_ns` by their start.
pub fn bars(trades: &[Trade], span_ns: u64) -> BTreeMap<u64, NaiveBar> {
    let mut bars: BTreeMap<u64, NaiveBar> = BTreeMap::new();
    for trade in trades {
        let price = trade.price_e9;
        let bar = bars
            .entry(trade.at_ns / span_ns * span_ns)
            .or_insert(NaiveBar {
                open: price,
                high: price,
                low: price,
                close: price,
                volume: 0,
                notional: 0,
                trades: 0,
            });
        bar.high = bar.high.max(price);
        bar.low = bar.low.min(price);
        bar.close = price;
        bar.volume += trade.qty_e8;
        bar.notional += i128::from(price) * i128::from(trade.qty_e8);
        bar.trades += 1;
    }
    bars
}

/// Notional, volume and count of the trades in `[end - length, end)`; `trades` sorted by time.
pub fn window(trades: &[Trade], end_ns: u64, length_ns: u64) -> (i128, u64, u64) {
    let from = trades.partition_point(|t| t.at_ns + length_ns < end_ns);
    let to = trades.partition_point(|t| t.at_ns < end_ns);
    let inside = &trades[from..to];
    let notional = inside
        .iter()
        .map(|t| i128::from(t.price_e9) * i128::from(t.qty_e8))
        .sum();
    (
        notional,
        inside.iter().map(|t| t.qty_e8).sum(),
        inside.len() as u64,
    )
}
