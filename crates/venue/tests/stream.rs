//! The stream as a receiver sees it: decoded, rebuilt by an independent book, counted.

use std::collections::{BTreeMap, HashMap};

use venue::{Shock, Venue, VenueConfig};
use wire::itch50::{Message, Side, decode};

const SECOND: u64 = 1_000_000_000;
const MIDNIGHT: u64 = 1_795_392_000 * SECOND;
const START: u64 = MIDNIGHT + 34_200 * SECOND;

fn config(seed: u64) -> VenueConfig {
    VenueConfig::new(seed, START, MIDNIGHT)
}

/// A receiver that trusts nothing: every reference must be known, no book may cross or lock.
#[derive(Default)]
struct Receiver {
    orders: HashMap<u64, (u16, Side, u32, u32)>,
    levels: HashMap<u16, [BTreeMap<u32, u64>; 2]>,
    counts: HashMap<u8, u64>,
    last_ns: u64,
    /// Seconds since the start and locate, per message, in order.
    seen: Vec<(u64, u16)>,
    prints: Vec<(u64, u16, u32)>,
    paused: HashMap<u16, bool>,
    highest: u64,
    adds: u64,
    rising: u64,
}

impl Receiver {
    fn message(&mut self, bytes: &[u8]) {
        let message = decode(bytes).expect("the venue speaks ITCH 5.0");
        *self.counts.entry(message.kind()).or_default() += 1;
        let (now, locate) = (message.timestamp_ns(), message.locate());
        assert!(now >= self.last_ns, "time goes back at {message:?}");
        self.last_ns = now;
        self.seen.push((now, locate));
        match message {
            Message::AddOrder(m) => {
                self.add(locate, m.order_reference(), m.side(), m.price(), m.shares())
            }
            Message::AddOrderMpid(m) => {
                self.add(locate, m.order_reference(), m.side(), m.price(), m.shares())
            }
            Message::OrderExecuted(m) => {
                let price = self.orders[&m.order_reference()].2;
                self.print(now, locate, price);
                self.reduce(m.order_reference(), m.executed_shares());
            }
            Message::OrderExecutedWithPrice(m) => {
                self.print(now, locate, m.execution_price());
                self.reduce(m.order_reference(), m.executed_shares());
            }
            Message::OrderCancel(m) => {
                assert!(m.cancelled_shares() < self.orders[&m.order_reference()].3);
                self.reduce(m.order_reference(), m.cancelled_shares());
            }
            Message::OrderDelete(m) => self.reduce(m.order_reference(), u32::MAX),
            Message::OrderReplace(m) => {
                let (_, side, ..) = self.orders[&m.original_order_reference()];
                self.reduce(m.original_order_reference(), u32::MAX);
                self.add(
                    locate,
                    m.new_order_reference(),
                    Some(side),
                    m.price(),
                    m.shares(),
                );
            }
            Message::Trade(m) => self.print(now, locate, m.price()),
            Message::StockTradingAction(m) => {
                self.paused.insert(locate, m.trading_state() != b'T');
            }
            _ => {}
        }
    }

    fn print(&mut self, now: u64, locate: u16, price: u32) {
        assert!(!self.paused[&locate], "a trade while trading is paused");
        self.prints.push((now, locate, price));
    }

    fn add(&mut self, locate: u16, reference: u64, side: Option<Side>, price: u32, shares: u32) {
        let side = side.expect("a side");
        assert!(shares > 0 && price > 0 && price <= 1_999_999_900 && price.is_multiple_of(100));
        self.adds += 1;
        self.rising += u64::from(reference > self.highest);
        self.highest = reference;
        let known = self.orders.insert(reference, (locate, side, price, shares));
        assert_eq!(known, None, "reference {reference} used twice");
        let levels = self.levels.entry(locate).or_default();
        *levels[usize::from(side == Side::Sell)]
            .entry(price)
            .or_default() += u64::from(shares);
        let (bid, ask) = (levels[0].last_key_value(), levels[1].first_key_value());
        if let (Some((bid, _)), Some((ask, _))) = (bid, ask) {
            assert!(bid < ask, "locate {locate} locked or crossed: {bid} {ask}");
        }
    }

    fn reduce(&mut self, reference: u64, shares: u32) {
        let order = self.orders.get_mut(&reference).expect("a known reference");
        let taken = shares.min(order.3);
        assert!(
            shares == u32::MAX || shares <= order.3,
            "more than the order has"
        );
        let (locate, side, price, _) = *order;
        order.3 -= taken;
        if order.3 == 0 {
            self.orders.remove(&reference);
        }
        let levels = self.levels.get_mut(&locate).expect("a known book");
        let levels = &mut levels[usize::from(side == Side::Sell)];
        let level = levels.get_mut(&price).expect("a known level");
        *level -= u64::from(taken);
        if *level == 0 {
            levels.remove(&price);
        }
    }

    /// The receiver's levels, best first, equal the venue's own.
    fn check_books(&self, venue: &Venue) {
        let empty = [BTreeMap::new(), BTreeMap::new()];
        for listing in 0..venue.listings().len() {
            let [bids, asks] = self.levels.get(&(listing as u16 + 1)).unwrap_or(&empty);
            let own = |side| -> Vec<(u32, u64)> {
                venue
                    .levels(listing, side)
                    .map(|(p, q, _)| (p, q))
                    .collect()
            };
            let bids: Vec<_> = bids.iter().rev().map(|(&p, &q)| (p, q)).collect();
            let asks: Vec<_> = asks.iter().map(|(&p, &q)| (p, q)).collect();
            assert_eq!(own(market::event::Side::Bid), bids);
            assert_eq!(own(market::event::Side::Ask), asks);
        }
    }
}

fn run(config: VenueConfig, seconds: u64) -> (Venue, Receiver) {
    let mut venue = Venue::new(config);
    let mut receiver = Receiver::default();
    venue.step(START + seconds * SECOND, &mut |bytes: &[u8]| {
        receiver.message(bytes)
    });
    (venue, receiver)
}

#[test]
fn books_never_cross_and_follow_from_the_stream() {
    let (mut venue, mut receiver) = run(config(42), 40);
    receiver.check_books(&venue);
    assert!(
        venue
            .truth()
            .iter()
            .filter(|s| s.at_ns < START + 40 * SECOND)
            .count()
            >= 2
    );
    venue.close(&mut |bytes: &[u8]| receiver.message(bytes));
    assert!(
        receiver.orders.is_empty(),
        "nothing is left at the end of the day"
    );
    let before = venue.seq();
    venue.step(START + 50 * SECOND, &mut |_: &[u8]| {
        panic!("the day is over")
    });
    assert_eq!(venue.seq(), before);
}

#[test]
fn same_seed_same_bytes_whatever_the_steps() {
    let bytes = |seed, steps: u64| {
        let mut venue = Venue::new(config(seed));
        let (mut all, mut news) = (Vec::new(), Vec::new());
        for step in 1..=steps {
            let until = START + 14 * SECOND * step / steps;
            venue.step(until, &mut |m: &[u8]| all.extend_from_slice(m));
            news.extend(venue.news_until(until));
        }
        (all, news)
    };
    let (once, news) = bytes(7, 1);
    let (often, news_often) = bytes(7, 1_400);
    assert!(once == often && news == news_often && !news.is_empty());
    assert!(once != bytes(8, 1).0);
}

#[test]
fn type_mix_is_that_of_a_real_day() {
    let quiet = VenueConfig {
        opening_peak: 0.0,
        script: None,
        ..config(3)
    };
    let (_, receiver) = run(quiet, 60);
    let total: u64 = receiver.counts.values().sum();
    let percent =
        |kind: u8| receiver.counts.get(&kind).copied().unwrap_or(0) as f64 * 100.0 / total as f64;
    for (kind, want, tolerance) in [
        (b'A', 44.24, 4.0),
        (b'D', 42.97, 4.0),
        (b'U', 7.39, 1.5),
        (b'E', 2.20, 0.8),
        (b'X', 1.27, 0.4),
        (b'I', 1.00, 0.3),
        (b'F', 0.47, 0.2),
        (b'P', 0.36, 0.15),
        (b'C', 0.043, 0.03),
    ] {
        let have = percent(kind);
        assert!(
            (have - want).abs() < tolerance,
            "{}: {have:.3} %",
            char::from(kind)
        );
    }
    let rising = receiver.rising as f64 / receiver.adds as f64;
    assert!(
        (0.70..0.97).contains(&rising),
        "references must not simply rise: {rising}"
    );
}

#[test]
fn one_busy_symbol_is_as_clustered_as_a_real_one() {
    let (_, receiver) = run(
        VenueConfig {
            rate: 30_000.0,
            script: None,
            ..config(5)
        },
        30,
    );
    let open = receiver.seen[0].0 + SECOND / 2;
    for (width, least) in [(1_000_000, 15.0), (100_000_000, 30.0), (SECOND, 100.0)] {
        let mut counts = vec![0f64; (29 * SECOND / width) as usize];
        for &(at, _) in receiver.seen.iter().filter(|s| s.1 == 1 && s.0 >= open) {
            if let Some(count) = counts.get_mut(((at - open) / width) as usize) {
                *count += 1.0;
            }
        }
        let mean = counts.iter().sum::<f64>() / counts.len() as f64;
        let variance = counts.iter().map(|c| (c - mean).powi(2)).sum::<f64>() / counts.len() as f64;
        assert!(
            variance / mean > least,
            "{width} ns: {:.1}",
            variance / mean
        );
    }
    let runs = receiver
        .seen
        .windows(2)
        .filter(|w| w[0].1 == w[1].1)
        .count() as f64;
    let share = runs / receiver.seen.len() as f64;
    assert!(
        (0.5..0.9).contains(&share),
        "messages that follow their own symbol: {share}"
    );
    let first = receiver.seen.iter().filter(|s| s.1 == 1).count() as f64;
    let tenth = receiver.seen.iter().filter(|s| s.1 == 10).count() as f64;
    assert!(
        (2.0..5.5).contains(&(first / tenth)),
        "rank^-0.52: {}",
        first / tenth
    );
}

#[test]
fn batches_share_a_nanosecond_and_the_opening_is_the_busiest() {
    let (_, receiver) = run(config(9), 12);
    let open = receiver.seen[0].0 + SECOND / 2;
    let longest = receiver
        .seen
        .chunk_by(|a, b| a == b)
        .map(<[(u64, u16)]>::len)
        .max()
        .expect("messages");
    assert!((20..400).contains(&longest), "{longest}");
    let within = |from: u64, to: u64| {
        receiver
            .seen
            .iter()
            .filter(|s| (open + from..open + to).contains(&s.0))
            .count()
    };
    let (first, later) = (within(0, SECOND), within(8 * SECOND, 11 * SECOND) / 3);
    assert!(
        first > 5 * later,
        "first second {first}, later {later} a second"
    );
}

#[test]
fn planted_moves_reach_the_tape_and_quiet_symbols_stay_quiet() {
    let (venue, receiver) = run(config(21), 75);
    let end = START + 70 * SECOND;
    let shocks: Vec<Shock> = venue
        .truth()
        .into_iter()
        .filter(|s| s.at_ns < end)
        .collect();
    assert!(shocks.len() >= 3, "{shocks:?}");
    for shock in &shocks {
        let locate = shock.listing as u16 + 1;
        let price_at = |ns: u64| {
            let until = ns - MIDNIGHT;
            let print = receiver
                .prints
                .iter()
                .rev()
                .find(|p| p.1 == locate && p.0 <= until);
            f64::from(print.expect("it trades").2)
        };
        let after = shock.at_ns + shock.span_ns + shock.halt_ns.unwrap_or(0) + SECOND / 2;
        let moved = (price_at(after) / price_at(shock.at_ns) - 1.0) * 1e4;
        let wanted = f64::from(shock.move_bp);
        assert!(
            (moved - wanted).abs() < 60.0,
            "{shock:?} moved {moved:.0} bp"
        );
    }
    for listing in 0..venue.listings().len() {
        let prints: Vec<f64> = receiver
            .prints
            .iter()
            .filter(|p| usize::from(p.1) == listing + 1)
            .map(|p| f64::from(p.2))
            .collect();
        if shocks.iter().any(|s| s.listing == listing) {
            continue;
        }
        let (low, high) = prints
            .iter()
            .fold((f64::MAX, 0.0f64), |(l, h), &p| (l.min(p), h.max(p)));
        let range = (high / low - 1.0) * 1e4;
        assert!(
            range < 120.0,
            "{} wandered {range:.0} bp",
            venue.listings()[listing].symbol
        );
    }
}

#[test]
fn a_short_demo_meets_a_shock_without_a_cause() {
    let mut venue = Venue::new(config(1));
    let news = venue.news_until(START + 90 * SECOND);
    let truth = venue.truth();
    let uncaused: Vec<_> = truth
        .iter()
        .filter(|s| s.cause.is_none() && s.at_ns < START + 65 * SECOND)
        .collect();
    assert!(!uncaused.is_empty());
    for shock in uncaused {
        let about = news
            .iter()
            .filter(|n| n.symbol.as_deref() == Some(&shock.symbol));
        assert!(about.into_iter().all(|n| !n.planted));
    }
}
