//! Recordings of Kraken, Coinbase and OKX: every text is a message, and each kind is counted.

use wire::{coinbase, kraken, okx};

use crate::{Counts, recording};

/// The texts received on a recorded connection: `time: text`.
fn received(file: &str) -> impl Iterator<Item = &str> {
    file.lines().filter_map(|line| {
        let (time, text) = line.split_once(": ")?;
        time.parse::<f64>().is_ok().then_some(text)
    })
}

fn check<'a, M>(
    file: &'a str,
    parse: impl Fn(&'a [u8]) -> Result<M, wire::json::Error>,
    mut kind: impl FnMut(M, &mut Counts),
) -> String {
    let mut counts = Counts::default();
    for text in received(file) {
        let message = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"));
        kind(message, &mut counts);
    }
    counts.text()
}

fn file(name: &str) -> Option<String> {
    let bytes = recording(&format!("crypto/cryptofeed/{name}"))?;
    Some(String::from_utf8(bytes).expect("text"))
}

#[test]
fn kraken_messages() {
    let files = [
        (
            "KRAKEN.ws.48.0",
            "heartbeat 30, other 1, status 10, trade 10, trades 8",
        ),
        ("KRAKEN.ws.49.0", "heartbeat 31, other 19, status 10"),
        (
            "KRAKEN.ws.50.0",
            "beyond 1, change 4269, checksum 4269, heartbeat 31, levels 11744, other 1, snapshot 10, status 10",
        ),
    ];
    for (name, want) in files {
        let Some(file) = file(name) else { return };
        let counts = check(&file, kraken::parse, |message, counts| match message {
            kraken::Message::Book(book) if book.is_snapshot => {
                assert_eq!(book.depth(), Some(1_000));
                assert_eq!(book.checksum, None);
                counts.add_many("levels", book.bids.len() + book.asks.len());
                counts.add_many("beyond", book.asks.beyond());
                counts.add("snapshot");
            }
            kraken::Message::Book(book) => {
                counts.add("change");
                counts.add_many("checksum", usize::from(book.checksum.is_some()));
                counts.add_many("levels", book.bids.len() + book.asks.len());
            }
            kraken::Message::Trades(trades) => {
                counts.add("trades");
                counts.add_many("trade", trades.iter().count());
            }
            kraken::Message::Status(_) => counts.add("status"),
            kraken::Message::Heartbeat => counts.add("heartbeat"),
            kraken::Message::Pong => counts.add("pong"),
            kraken::Message::Other(_) => counts.add("other"),
        });
        assert_eq!(counts, want, "{name}");
    }
}

#[test]
fn coinbase_messages() {
    let Some(file) = file("COINBASE.ws.28.0") else {
        return;
    };
    let counts = check(&file, coinbase::parse, |message, counts| match message {
        coinbase::Message::Snapshot(_) => counts.add("snapshot"),
        coinbase::Message::Update(update) => {
            assert_eq!(update.changes.iter().count(), update.changes.len());
            counts.add("l2update");
        }
        coinbase::Message::Match(trade) if trade.is_past => counts.add("last_match"),
        coinbase::Message::Match(_) => counts.add("match"),
        coinbase::Message::Heartbeat(_) => counts.add("heartbeat"),
        coinbase::Message::Failure(_) => counts.add("error"),
        coinbase::Message::Other(_) => counts.add("other"),
    });
    assert_eq!(
        counts,
        "l2update 9719, last_match 10, match 97, other 110, snapshot 10"
    );
}

#[test]
fn okx_messages() {
    let Some(file) = file("OKX.ws.1.0") else {
        return;
    };
    let counts = check(&file, okx::parse, |message, counts| match message {
        okx::Message::Book(book) => {
            assert!(book.checksum.is_some());
            counts.add(if book.is_snapshot {
                "snapshot"
            } else {
                "update"
            });
        }
        okx::Message::Trades(trades) => {
            assert_eq!(trades.iter().count(), trades.len());
            counts.add("trades");
        }
        okx::Message::Status(_) => counts.add("status"),
        okx::Message::Pong => counts.add("pong"),
        okx::Message::Other(_) => counts.add("other"),
    });
    assert_eq!(
        counts,
        "other 28, snapshot 3, status 18, trades 74, update 287"
    );
}
