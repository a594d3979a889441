//! How long decoding takes: ns per message over 10 M generated messages in memory, best of several
//! passes, beside a pass that only sums the same bytes.
//!
//! `cargo run --release -p wire --example decode_speed`
//!
//! The mix follows a NASDAQ day (mostly adds and deletes), in random order, so that a jump on the
//! type byte is as hard to predict as on a real feed.

use std::hint::black_box;
use std::time::Instant;

use stdx::Rng;
use wire::itch50::{self, Header, Message, Side, Stock};
use wire::itchfile::{self, Frames};

const MESSAGES: usize = 10_000_000;
const PASSES: usize = 7;

fn main() {
    let file = generated();
    println!("messages {MESSAGES}, bytes {}", file.len());
    report("sum of bytes (u64 words)", &file, |file| {
        let words = file
            .chunks_exact(8)
            .map(|word| word.first_chunk().map_or(0, |w| u64::from_le_bytes(*w)));
        words.fold(0, u64::wrapping_add)
    });
    report("framing alone", &file, |file| {
        Frames::new(file)
            .flatten()
            .map(|message| message.len() as u64)
            .sum()
    });
    report("decode, type seen", &file, |file| {
        decoded(file)
            .map(|message| u64::from(message.kind()))
            .fold(0, u64::wrapping_add)
    });
    report("decode, header read", &file, |file| {
        decoded(file)
            .map(|m| m.timestamp_ns() ^ u64::from(m.locate()))
            .fold(0, u64::wrapping_add)
    });
    report(
        "decode, all book fields read through a full switch",
        &file,
        |file| {
            decoded(file)
                .map(|message| book_fields(&message))
                .fold(0, u64::wrapping_add)
        },
    );
}

fn decoded(file: &[u8]) -> impl Iterator<Item = Message<'_>> {
    Frames::new(file)
        .flatten()
        .filter_map(|frame| itch50::decode(frame).ok())
}

#[inline]
fn book_fields(message: &Message<'_>) -> u64 {
    let fields = match message {
        Message::AddOrder(m) => {
            m.order_reference()
                ^ u64::from(m.shares())
                ^ u64::from(m.price()) << 20
                ^ u64::from(m.side() == Some(Side::Buy))
        }
        Message::AddOrderMpid(m) => {
            m.order_reference()
                ^ u64::from(m.shares())
                ^ u64::from(m.price()) << 20
                ^ u64::from(m.side() == Some(Side::Buy))
        }
        Message::OrderExecuted(m) => {
            m.order_reference() ^ u64::from(m.executed_shares()) ^ m.match_number()
        }
        Message::OrderExecutedWithPrice(m) => {
            m.order_reference() ^ u64::from(m.executed_shares()) ^ u64::from(m.execution_price())
        }
        Message::OrderCancel(m) => m.order_reference() ^ u64::from(m.cancelled_shares()),
        Message::OrderDelete(m) => m.order_reference(),
        Message::OrderReplace(m) => {
            m.original_order_reference()
                ^ m.new_order_reference()
                ^ u64::from(m.shares())
                ^ u64::from(m.price()) << 20
        }
        Message::Trade(m) => u64::from(m.shares()) ^ u64::from(m.price()) << 20 ^ m.match_number(),
        Message::CrossTrade(m) => m.shares() ^ u64::from(m.cross_price()),
        other => u64::from(other.kind()),
    };
    fields ^ message.timestamp_ns() ^ u64::from(message.locate())
}

#[expect(clippy::disallowed_methods, reason = "a measurement reads the clock")]
fn report(name: &str, file: &[u8], mut pass: impl FnMut(&[u8]) -> u64) {
    let mut times: Vec<f64> = (0..PASSES)
        .map(|_| {
            let start = Instant::now();
            black_box(pass(black_box(file)));
            start.elapsed().as_secs_f64() * 1e9 / MESSAGES as f64
        })
        .collect();
    times.sort_by(f64::total_cmp);
    let (best, median, worst) = (times[0], times[PASSES / 2], times[PASSES - 1]);
    println!("{name:<52} {median:6.2} ns/msg [{best:.2}-{worst:.2}]");
}

fn generated() -> Vec<u8> {
    let mut rng = Rng::new(50);
    let stock = Stock::new("AAPL").expect("four letters fit");
    let mut file = Vec::with_capacity(MESSAGES * 36);
    let mut now_ns = 34_200_000_000_000;
    for seq in 0..MESSAGES as u64 {
        now_ns += rng.below(2_000);
        let locate = rng.below(8_192) as u16;
        let header = Header {
            locate,
            tracking: 0,
            timestamp_ns: now_ns,
        };
        let (shares, price) = (100 + rng.below(900) as u32, rng.below(10_000_000) as u32);
        let side = if rng.chance(0.5) {
            Side::Buy
        } else {
            Side::Sell
        };
        let mut push = |message: &[u8]| {
            file.extend(itchfile::length_prefix(message).expect("19 to 50 bytes"));
            file.extend(message);
        };
        match rng.below(100) {
            0..44 => {
                push(itch50::AddOrder::new(header, seq, side, shares, stock, price).as_bytes())
            }
            44..84 => push(itch50::OrderDelete::new(header, seq).as_bytes()),
            84..92 => {
                push(itch50::OrderReplace::new(header, seq, seq + 1, shares, price).as_bytes())
            }
            92..96 => push(itch50::OrderExecuted::new(header, seq, shares, seq).as_bytes()),
            96..98 => push(itch50::OrderCancel::new(header, seq, shares).as_bytes()),
            98 => push(itch50::Trade::new(header, 0, side, shares, stock, price, seq).as_bytes()),
            _ => push(itch50::RegShoRestriction::new(header, stock, b'0').as_bytes()),
        }
    }
    file
}
