//! Recorded WebSocket sessions, and what a naive reader makes of them: books in ordered maps.
//! Nothing here uses the code under test.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::common::shared;

/// Bids and asks by price in billionths: quantity in hundred-millionths.
pub type Sides = [BTreeMap<i64, i64>; 2];

/// Books by symbol.
pub type Books = BTreeMap<String, Sides>;

/// What the venue said, in order; `None` where there is no data.
pub fn received(name: &str) -> Option<Vec<String>> {
    let path = shared(&format!("market/crypto/cryptofeed/{name}"))?;
    let text = std::fs::read_to_string(path).expect("text");
    let lines = text.lines().filter_map(|line| {
        let (time, said) = line.split_once(": ")?;
        time.parse::<f64>().is_ok().then(|| said.to_owned())
    });
    Some(lines.collect())
}

/// Applies one text of any of the venues; the symbol whose book it is about.
pub fn apply(books: &mut Books, text: &str) -> Option<String> {
    let said: Value = serde_json::from_str(text).ok()?;
    if let Some(members) = said.as_array() {
        return kraken(books, members);
    }
    if let (Some("books"), Some(symbol)) = (
        said["arg"]["channel"].as_str(),
        said["arg"]["instId"].as_str(),
    ) {
        let data = said["data"].get(0)?;
        if said["action"] == "snapshot" {
            books.remove(symbol);
        }
        set(books, symbol, 0, &data["bids"]);
        set(books, symbol, 1, &data["asks"]);
        return Some(symbol.to_owned());
    }
    let product = said["product_id"].as_str()?;
    match said["type"].as_str() {
        Some("snapshot") => {
            books.remove(product);
            set(books, product, 0, &said["bids"]);
            set(books, product, 1, &said["asks"]);
        }
        Some("l2update") => {
            for change in said["changes"].as_array().expect("changes") {
                let side = usize::from(change[0] == "sell");
                put(books, product, side, &change[1], &change[2]);
            }
        }
        _ => return None,
    }
    Some(product.to_owned())
}

fn kraken(books: &mut Books, members: &[Value]) -> Option<String> {
    let [_, payloads @ .., channel, pair] = members else {
        return None;
    };
    let pair = pair.as_str()?;
    if !channel.as_str()?.starts_with("book") {
        return None;
    }
    for payload in payloads {
        if payload.get("as").is_some() {
            books.remove(pair);
        }
        for (key, side) in [("bs", 0), ("b", 0), ("as", 1), ("a", 1)] {
            set(books, pair, side, &payload[key]);
        }
    }
    Some(pair.to_owned())
}

fn set(books: &mut Books, symbol: &str, side: usize, levels: &Value) {
    for level in levels.as_array().into_iter().flatten() {
        put(books, symbol, side, &level[0], &level[1]);
    }
}

fn put(books: &mut Books, symbol: &str, side: usize, price: &Value, qty: &Value) {
    let sides = books.entry(symbol.to_owned()).or_default();
    // A joke offer beyond 64 bits is no level.
    let Some(price) = decimal(price, 9) else {
        return;
    };
    match decimal(qty, 8) {
        Some(0) | None => sides[side].remove(&price),
        Some(qty) => sides[side].insert(price, qty),
    };
}

fn decimal(value: &Value, places: usize) -> Option<i64> {
    let text = value.as_str().expect("a decimal as text");
    let (whole, part) = text.split_once('.').unwrap_or((text, ""));
    let part = part.get(..part.len().min(places)).expect("ASCII");
    format!("{whole}{part:0<places$}").parse().ok()
}

/// A Kraken book as a new subscriber gets it; prices with so many decimals.
pub fn kraken_snapshot(sides: &Sides, pair: &str, digits: usize) -> String {
    let list = |levels: Vec<(&i64, &i64)>| {
        let text = levels.iter().map(|(price, qty)| {
            let price = format!("{price:0>10}");
            let (whole, part) = price.split_at(price.len() - 9);
            let (q, r) = (**qty / 100_000_000, **qty % 100_000_000);
            format!(
                "[\"{whole}.{}\",\"{q}.{r:08}\",\"1618678140.000000\"]",
                &part[..digits.min(9)]
            )
        });
        text.collect::<Vec<_>>().join(",")
    };
    let (bids, asks) = (
        list(sides[0].iter().rev().collect()),
        list(sides[1].iter().collect()),
    );
    format!("[1,{{\"as\":[{asks}],\"bs\":[{bids}]}},\"book-1000\",\"{pair}\"]")
}
