//! Our books beside those of hftbacktest, over the same messages: `books_peers DAY [MESSAGES]`.
//!
//! `DAY` is what `rivals day` writes. Prints one JSON object: peer, nanoseconds a message of ours and
//! of theirs, one a round, and a note. Theirs get messages that were decoded beforehand, each with
//! what is left of its order, because that is what their interface asks for.

mod duel;

use anyhow::{Context, Result};
use engine::memory::HugeHeap;
use hftbacktest::depth::{HashMapMarketDepth, L3MarketDepth, MarketDepth};

use duel::{CENT, Peer, Side};

/// As our binary has it, for both.
#[global_allocator]
static HEAP: HugeHeap = HugeHeap;

/// Messages from the first order on, where the command line names no other number.
const MESSAGES: usize = 4_000_000;

/// One depth a symbol, prices in dollars as floats, a tick of a cent.
struct Depths(Vec<HashMapMarketDepth>);

impl Peer for Depths {
    fn new(symbols: usize) -> Self {
        let one = |_| HashMapMarketDepth::new(0.01, 1.0);
        Self((0..symbols).map(one).collect())
    }

    fn add(&mut self, symbol: usize, id: u64, side: Side, price_e4: u32, shares: u32) {
        let (price, shares) = (f64::from(price_e4) / 1e4, f64::from(shares));
        let depth = &mut self.0[symbol];
        let added = match side {
            Side::Bid => depth.add_buy_order(id, price, shares, 0),
            Side::Ask => depth.add_sell_order(id, price, shares, 0),
        };
        added.expect("a fresh order");
    }

    fn reduce(&mut self, symbol: usize, id: u64, _side: Side, price_e4: u32, left: u32) {
        let (price, left) = (f64::from(price_e4) / 1e4, f64::from(left));
        let changed = self.0[symbol].modify_order(id, price, left, 0);
        changed.expect("an order that rests");
    }

    fn delete(&mut self, symbol: usize, id: u64, _side: Side, _price_e4: u32) {
        let deleted = self.0[symbol].delete_order(id, 0);
        deleted.expect("an order that rests");
    }

    fn best(&self, symbol: usize, side: Side) -> Option<u32> {
        let depth = &self.0[symbol];
        let tick = match side {
            Side::Bid => depth.best_bid_tick(),
            Side::Ask => depth.best_ask_tick(),
        };
        u32::try_from(tick).ok().map(|tick| tick * CENT)
    }
}

fn main() -> Result<()> {
    let mut words = std::env::args().skip(1);
    let path = words.next().context("usage: books_peers DAY [MESSAGES]")?;
    let messages = match words.next() {
        Some(count) => count.parse().context("the number of messages")?,
        None => MESSAGES,
    };
    let day = std::fs::read(&path).with_context(|| format!("cannot read {path}"))?;
    println!(
        "{}",
        duel::fight::<Depths>("hftbacktest 0.9.4", &day, messages)?
    );
    Ok(())
}
