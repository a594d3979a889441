//! Recordings of Kraken, Coinbase and OKX: every checksum of the venue equals our book's, books
//! equal ordered maps, and what is lost or out of order is found, flagged and mended.

mod common;

use std::collections::BTreeMap;
use std::fmt::Write;

use market::book::LevelBook;
use market::event::Side;
use market::feed::SyncState;
use market::pipeline::{DepthPipeline, DepthVenue, PipelineConfig, RejectReason};
use market::publish::{Frame, Integrity};
use wire::{coinbase, kraken, okx};

const SECOND: u64 = 1_000_000_000;

/// The texts received on a recorded connection, with our receive time.
fn received(name: &str) -> Option<Vec<(u64, String)>> {
    let file = common::shared(&format!("crypto/cryptofeed/{name}"))?;
    let text = std::fs::read_to_string(file).expect("it exists");
    let lines = text.lines().filter_map(|line| {
        let (time, text) = line.split_once(": ")?;
        let seconds: f64 = time.parse().ok()?;
        Some(((seconds * 1e6) as u64 * 1_000, text.to_owned()))
    });
    Some(lines.collect())
}

fn pipeline(venue: DepthVenue) -> DepthPipeline {
    DepthPipeline::new(
        venue,
        &PipelineConfig {
            instruments_limit: 16,
            levels_reserve: 4_096,
            ..PipelineConfig::default()
        },
    )
}

/// What a naive reader keeps of a symbol: bids and asks in ordered maps.
type Sides = [BTreeMap<i64, u64>; 2];

#[derive(Default)]
struct Naive(BTreeMap<String, Sides>);

impl Naive {
    fn set(&mut self, symbol: &str, side: usize, price: i64, qty: i64) {
        let sides = self.0.entry(symbol.to_owned()).or_default();
        match qty {
            0 => sides[side].remove(&price),
            _ => sides[side].insert(price, qty.unsigned_abs()),
        };
    }

    /// Applies one text; the symbol whose book it is about.
    fn take(&mut self, venue: DepthVenue, text: &str) -> Option<String> {
        match venue {
            DepthVenue::Kraken => match kraken::parse(text.as_bytes()) {
                Ok(kraken::Message::Book(book)) => {
                    let whole = book.is_snapshot;
                    self.levels(book.pair, whole, [book.bids.iter(), book.asks.iter()])
                }
                _ => None,
            },
            DepthVenue::Okx => match okx::parse(text.as_bytes()) {
                Ok(okx::Message::Book(book)) => {
                    let whole = book.is_snapshot;
                    self.levels(book.instrument, whole, [book.bids.iter(), book.asks.iter()])
                }
                _ => None,
            },
            DepthVenue::Coinbase => match coinbase::parse(text.as_bytes()) {
                Ok(coinbase::Message::Snapshot(book)) => {
                    self.levels(book.product, true, [book.bids.iter(), book.asks.iter()])
                }
                Ok(coinbase::Message::Update(update)) => {
                    for change in &update.changes {
                        let side = usize::from(!change.is_bid);
                        let level = change.level;
                        self.set(update.product, side, level.price_e9, level.qty_e8);
                    }
                    Some(update.product.to_owned())
                }
                _ => None,
            },
            DepthVenue::Binance => None,
        }
    }

    fn levels(
        &mut self,
        symbol: &str,
        is_whole: bool,
        sides: [wire::json::LevelIter<'_>; 2],
    ) -> Option<String> {
        if is_whole {
            self.0.remove(symbol);
        }
        for (side, levels) in sides.into_iter().enumerate() {
            for level in levels {
                self.set(symbol, side, level.price_e9, level.qty_e8);
            }
        }
        Some(symbol.to_owned())
    }

    fn best(&self, symbol: &str, limit: usize) -> [Vec<(i64, u64)>; 2] {
        let sides = self.0.get(symbol).cloned().unwrap_or_default();
        let [bids, asks] = sides;
        [
            bids.into_iter().rev().take(limit).collect(),
            asks.into_iter().take(limit).collect(),
        ]
    }
}

fn best(book: &LevelBook, limit: usize) -> [Vec<(i64, u64)>; 2] {
    [Side::Bid, Side::Ask].map(|side| {
        let levels = book.levels(side).take(limit);
        levels.map(|level| (level.price.0, level.qty.0)).collect()
    })
}

fn book_of<'a>(pipeline: &'a DepthPipeline, symbol: &str) -> Option<&'a LevelBook> {
    let mut all = pipeline.instruments().iter();
    pipeline.book(all.find(|i| i.symbol() == symbol)?.id)
}

fn integrity_of(pipeline: &DepthPipeline, symbol: &str) -> Option<Integrity> {
    let mut all = pipeline.instruments().iter();
    let id = all.find(|i| i.symbol() == symbol)?.id;
    pipeline.book_top(id).map(|top| top.integrity)
}

/// Plays a whole recording and compares the ten best levels after each text, and all at the end.
fn check_whole(venue: DepthVenue, name: &str, symbols: usize) -> Option<DepthPipeline> {
    let mut pipeline = pipeline(venue);
    let mut naive = Naive::default();
    for (ts_recv, text) in received(name)? {
        let outcome = pipeline.message(ts_recv, text.as_bytes());
        outcome.unwrap_or_else(|error| panic!("{error}: {text}"));
        if let Some(symbol) = naive.take(venue, &text) {
            let book = book_of(&pipeline, &symbol).expect("it has a book");
            assert_eq!(best(book, 10), naive.best(&symbol, 10), "{symbol}: {text}");
        }
    }
    assert_eq!(naive.0.len(), symbols);
    for symbol in naive.0.keys() {
        let book = book_of(&pipeline, symbol).expect("it has a book");
        let whole = naive.best(symbol, usize::MAX);
        assert!(whole[0].len() > 50, "{symbol}");
        assert_eq!(best(book, usize::MAX), whole, "{symbol}");
        assert_eq!(integrity_of(&pipeline, symbol), Some(Integrity::Ok));
    }
    let status = pipeline.status();
    assert_eq!((status.gaps, status.rejected), (0, 0));
    assert!(pipeline.depth_check().resubscribes == 0 && pipeline.growths() == 0);
    Some(pipeline)
}

#[test]
fn every_checksum_of_kraken_equals_our_book() {
    let Some(pipeline) = check_whole(DepthVenue::Kraken, "KRAKEN.ws.50.0", 10) else {
        return;
    };
    let check = pipeline.depth_check();
    assert_eq!((check.checksums, check.checksums_unequal), (4_269, 0));
}

#[test]
fn every_checksum_of_okx_equals_our_book() {
    let Some(pipeline) = check_whole(DepthVenue::Okx, "OKX.ws.1.0", 3) else {
        return;
    };
    let check = pipeline.depth_check();
    assert_eq!((check.checksums, check.checksums_unequal), (290, 0));
}

#[test]
fn coinbase_books_equal_ordered_maps() {
    let Some(pipeline) = check_whole(DepthVenue::Coinbase, "COINBASE.ws.28.0", 10) else {
        return;
    };
    assert_eq!(pipeline.depth_check().trades_old, 0);
}

/// Prints of every venue's trades reach bars: as many trades and as much volume as were told.
#[test]
fn prints_are_told_once() {
    let files = [
        (DepthVenue::Kraken, "KRAKEN.ws.48.0", 10),
        (DepthVenue::Coinbase, "COINBASE.ws.28.0", 97),
        (DepthVenue::Okx, "OKX.ws.1.0", 74),
    ];
    for (venue, name, want) in files {
        let Some(lines) = received(name) else { return };
        let mut pipeline = pipeline(venue);
        let mut frames = Vec::new();
        let mut last = 0;
        for (ts_recv, text) in lines {
            pipeline.message(ts_recv, text.as_bytes()).expect("good");
            pipeline.publish(&mut frames);
            last = ts_recv;
        }
        pipeline.tick(last + 180 * SECOND);
        pipeline.publish(&mut frames);
        let prints = frames.iter().filter(|f| matches!(f, Frame::Trade(_)));
        assert_eq!(prints.count(), want, "{name}");
        let of_minutes = frames.iter().map(|frame| match frame {
            Frame::Bar(bar) if bar.end_ns - bar.start_ns == 60 * SECOND => bar.trades,
            _ => 0,
        });
        assert_eq!(
            of_minutes.map(u64::from).sum::<u64>(),
            want as u64,
            "{name}"
        );
    }
}

fn decimal(units: u64, scale: usize, is_plain: bool) -> String {
    let text = format!("{:0>1$}", units, scale + 1);
    let (whole, fraction) = text.split_at(text.len() - scale);
    let text = format!("{whole}.{fraction}");
    match is_plain {
        true => text.trim_end_matches('0').trim_end_matches('.').to_owned(),
        false => text,
    }
}

/// The book of a symbol as the venue would send it to a new subscriber.
fn snapshot(venue: DepthVenue, symbol: &str, naive: &Naive, digits: usize) -> String {
    let list = |levels: &[(i64, u64)]| {
        let mut text = String::new();
        for (price, qty) in levels {
            let comma = if text.is_empty() { "" } else { "," };
            let price = price.unsigned_abs();
            let _ = match venue {
                DepthVenue::Kraken => {
                    let price = decimal(price / 10_u64.pow(9 - digits as u32), digits, false);
                    let qty = decimal(*qty, 8, false);
                    write!(text, "{comma}[\"{price}\",\"{qty}\",\"1618678140.000000\"]")
                }
                _ => {
                    let (price, qty) = (decimal(price, 9, true), decimal(*qty, 8, true));
                    write!(text, "{comma}[\"{price}\",\"{qty}\",\"0\",\"1\"]")
                }
            };
        }
        text
    };
    let [bids, asks] = naive.best(symbol, usize::MAX);
    let (bids, asks) = (list(&bids), list(&asks));
    match venue {
        DepthVenue::Kraken => {
            format!("[1,{{\"as\":[{asks}],\"bs\":[{bids}]}},\"book-1000\",\"{symbol}\"]")
        }
        _ => format!(
            "{{\"arg\":{{\"channel\":\"books\",\"instId\":\"{symbol}\"}},\"action\":\"snapshot\",\
             \"data\":[{{\"asks\":[{asks}],\"bids\":[{bids}],\"ts\":\"1652459226000\"}}]}}"
        ),
    }
}

/// Digits of Kraken's prices, from its first book of the pair.
fn digits_of(lines: &[(u64, String)], symbol: &str) -> usize {
    let mut found = lines
        .iter()
        .filter_map(|(_, text)| match kraken::parse(text.as_bytes()) {
            Ok(kraken::Message::Book(book)) if book.pair == symbol => book.bids.price_digits(),
            _ => None,
        });
    usize::from(found.next().unwrap_or(0))
}

/// Plays the texts in this order with our reader, and as recorded with the naive one. Whenever ours
/// does not flag a symbol, the best ten equal the venue's; a break is found, and a snapshot of the
/// moment mends it. Returns how many breaks were found.
fn play_disturbed(venue: DepthVenue, lines: &[(u64, String)], order: &[usize]) -> u64 {
    let mut pipeline = pipeline(venue);
    let mut naive = Naive::default();
    let mut told = 0;
    // Our clock is far ahead after each break, so that no wait is left from the one before.
    let mut ahead_ns = 0;
    for &at in order {
        let (ts_recv, text) = (lines[at].0 + ahead_ns, &lines[at].1);
        let outcome = pipeline.message(ts_recv, text.as_bytes());
        // The venue's own state moves as recorded, whatever reached us.
        let mut symbol = None;
        while told <= at {
            let about = naive.take(venue, &lines[told].1);
            symbol = about.filter(|_| told == at);
            told += 1;
        }
        let Some(symbol) = symbol else { continue };
        if pipeline.sync_of(&symbol) == SyncState::Synced {
            let book = book_of(&pipeline, &symbol).expect("it has a book");
            assert_eq!(
                best(book, 10),
                naive.best(&symbol, 10),
                "unflagged, yet wrong: {symbol}"
            );
        }
        if outcome.is_err() {
            let wrong = [RejectReason::Checksum, RejectReason::OutOfOrder];
            assert!(
                wrong.contains(&outcome.expect_err("checked")),
                "{outcome:?}"
            );
            assert_eq!(
                integrity_of(&pipeline, &symbol),
                Some(Integrity::Recovering)
            );
            ahead_ns += 600 * SECOND;
            let later = ts_recv + 600 * SECOND;
            pipeline.tick(later);
            let asked = pipeline.next_resubscribe().expect("it asks");
            assert_eq!(asked.symbol(), symbol);
            let whole = snapshot(venue, &symbol, &naive, digits_of(lines, &symbol));
            pipeline
                .message(later, whole.as_bytes())
                .expect("a good snapshot");
            assert_eq!(integrity_of(&pipeline, &symbol), Some(Integrity::Ok));
            let book = book_of(&pipeline, &symbol).expect("it has a book");
            assert_eq!(best(book, usize::MAX), naive.best(&symbol, usize::MAX));
        }
    }
    pipeline.depth_check().breaks
}

trait SyncOf {
    fn sync_of(&self, symbol: &str) -> SyncState;
}

impl SyncOf for DepthPipeline {
    fn sync_of(&self, symbol: &str) -> SyncState {
        let mut all = self.instruments().iter();
        all.find(|i| i.symbol() == symbol)
            .map_or(SyncState::Waiting, |i| self.sync(i.id).1)
    }
}

/// One text in fifty is lost, or comes after its successor.
#[test]
fn lost_and_reordered_changes_are_found_and_mended() {
    let files = [
        (DepthVenue::Kraken, "KRAKEN.ws.50.0", 40),
        (DepthVenue::Okx, "OKX.ws.1.0", 4),
    ];
    for (venue, name, breaks_min) in files {
        let Some(lines) = received(name) else { return };
        let is_change = |at: usize| {
            let text = &lines[at].1;
            text.contains("\"c\":\"") || text.contains("\"action\":\"update\"")
        };
        let changes: Vec<usize> = (0..lines.len()).filter(|&at| is_change(at)).collect();
        for start in [7, 31] {
            let dropped: Vec<usize> = changes.iter().copied().skip(start).step_by(50).collect();
            let order: Vec<usize> = (0..lines.len())
                .filter(|at| !dropped.contains(at))
                .collect();
            let breaks = play_disturbed(venue, &lines, &order);
            assert!(
                breaks >= breaks_min,
                "{name}: {breaks} of {} lost",
                dropped.len()
            );
        }
    }
}

/// A change is told before the one that it follows.
#[test]
fn okx_numbers_tell_loss_where_the_checksum_is_gone() {
    let update = |previous: i64, seq: u64, qty: u64| {
        let action = if previous < 0 { "snapshot" } else { "update" };
        format!(
            "{{\"arg\":{{\"channel\":\"books\",\"instId\":\"X\"}},\"action\":\"{action}\",\"data\":[{{\"asks\":[],\
             \"bids\":[[\"1\",\"{qty}\",\"0\",\"1\"]],\"ts\":\"1652459226000\",\"checksum\":0,\
             \"prevSeqId\":{previous},\"seqId\":{seq}}}]}}"
        )
    };
    let mut pipeline = pipeline(DepthVenue::Okx);
    let mut say = |previous, seq, qty| {
        let text = update(previous, seq, qty);
        let outcome = pipeline.message(seq, text.as_bytes());
        (outcome, integrity_of(&pipeline, "X"))
    };
    let ok = Some(Integrity::Ok);
    assert_eq!(say(-1, 10, 1), (Ok(()), ok));
    assert_eq!(say(10, 12, 2), (Ok(()), ok));
    // Told twice, and a sign of life without a change.
    assert_eq!(say(10, 12, 2), (Ok(()), ok));
    assert_eq!(say(12, 12, 2), (Ok(()), ok));
    let broken = (Err(RejectReason::OutOfOrder), Some(Integrity::Recovering));
    assert_eq!(say(14, 15, 3), broken);
    assert_eq!(say(12, 14, 3), (Ok(()), Some(Integrity::Recovering)));
    assert_eq!(say(-1, 20, 4), (Ok(()), ok));
}

/// A trade that was not told, a heartbeat that knows more, a change that is older than the last.
#[test]
fn coinbase_losses_are_found_and_mended() {
    let Some(lines) = received("COINBASE.ws.28.0") else {
        return;
    };
    let is_match = |text: &str| text.contains("\"type\":\"match\"");
    let lost = lines.iter().position(|line| is_match(&line.1)).expect("97");
    let (_, text) = &lines[lost];
    let Ok(coinbase::Message::Match(trade)) = coinbase::parse(text.as_bytes()) else {
        panic!()
    };
    let product = trade.product;
    // The next trade of the product tells, or a heartbeat before it.
    let beat = format!(
        "{{\"type\":\"heartbeat\",\"sequence\":{},\"last_trade_id\":{},\"product_id\":\"{product}\",\
         \"time\":\"2021-04-17T16:43:38.000000Z\"}}",
        trade.sequence, trade.trade_id
    );
    for with_beat in [false, true] {
        let mut pipeline = pipeline(DepthVenue::Coinbase);
        let mut refused = Vec::new();
        for (at, (ts_recv, text)) in lines.iter().enumerate() {
            if at == lost {
                if with_beat {
                    refused.extend(pipeline.message(*ts_recv, beat.as_bytes()).err());
                    assert_eq!(
                        integrity_of(&pipeline, product),
                        Some(Integrity::Recovering)
                    );
                }
                continue;
            }
            refused.extend(pipeline.message(*ts_recv, text.as_bytes()).err());
        }
        assert_eq!(
            refused,
            [RejectReason::Missing],
            "with a heartbeat: {with_beat}"
        );
        assert_eq!(
            integrity_of(&pipeline, product),
            Some(Integrity::Recovering)
        );
        pipeline.tick(lines[lines.len() - 1].0 + 60 * SECOND);
        assert_eq!(
            pipeline.next_resubscribe().map(|i| i.symbol().to_owned()),
            Some(product.to_owned())
        );
    }

    let of_product: Vec<usize> = (0..lines.len())
        .filter(|&at| lines[at].1.contains("l2update") && lines[at].1.contains("SKL-GBP"))
        .collect();
    let mut order: Vec<usize> = (0..lines.len()).collect();
    order.swap(of_product[10], of_product[11]);
    let mut pipeline = pipeline(DepthVenue::Coinbase);
    let mut refused = Vec::new();
    for at in order {
        refused.extend(pipeline.message(lines[at].0, lines[at].1.as_bytes()).err());
    }
    assert_eq!(refused, [RejectReason::OutOfOrder]);
}

/// After a lost connection nothing is unflagged until the next snapshot, and windows that reach
/// into the cut stay suspect.
#[test]
fn a_cut_line_is_flagged_until_its_snapshot_and_in_its_windows() {
    let Some(lines) = received("OKX.ws.1.0") else {
        return;
    };
    let mut pipeline = pipeline(DepthVenue::Okx);
    let half = lines.len() / 2;
    let mut naive = Naive::default();
    for (ts_recv, text) in &lines[..half] {
        pipeline.message(*ts_recv, text.as_bytes()).expect("good");
    }
    for (_, text) in &lines[..half + 60] {
        naive.take(DepthVenue::Okx, text);
    }
    pipeline.cut(lines[half].0);
    let symbol = "BTC-USDT";
    assert_eq!(integrity_of(&pipeline, symbol), Some(Integrity::Recovering));
    assert_eq!(
        pipeline.next_resubscribe(),
        None,
        "whoever connects subscribes"
    );
    let whole = snapshot(DepthVenue::Okx, symbol, &naive, 0);
    let mut frames = Vec::new();
    pipeline.publish(&mut frames);
    frames.clear();
    pipeline
        .message(lines[half + 60].0, whole.as_bytes())
        .expect("good");
    assert_eq!(integrity_of(&pipeline, symbol), Some(Integrity::Ok));
    for (ts_recv, text) in &lines[half + 60..] {
        pipeline.message(*ts_recv, text.as_bytes()).expect("good");
        pipeline.publish(&mut frames);
    }
    let vwaps: Vec<Integrity> = frames
        .iter()
        .filter_map(|frame| match frame {
            Frame::Vwap(vwap)
                if pipeline.instruments()[vwap.instrument.0 as usize].symbol() == symbol =>
            {
                Some(vwap.integrity)
            }
            _ => None,
        })
        .collect();
    assert!(vwaps.len() > 10, "{}", vwaps.len());
    assert!(vwaps.iter().all(|&i| i >= Integrity::Suspect), "{vwaps:?}");
}
