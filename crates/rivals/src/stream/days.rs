//! The same day made harder where real days are: references far apart, very deep sides, stubs; and
//! the second after the opening bell alone.
//!
//! Each day is the plain one rewritten, so that what differs is only what its name says.

use std::collections::HashMap;

use wire::itch50::{AddOrder, Alpha, Header, Message, Side, Stock, decode};
use wire::itchfile::{Frames, length_prefix};

use super::books::{Books, alone, now_ns};
use super::input::{Input, MIDNIGHT, START};
use super::naive::NaiveBooks;
use crate::measure::{Run, interleave, time_ns};
use crate::report::{Better, Figure};

const ROUNDS: usize = 5;
/// Of ten references one is used, on average.
const APART: u64 = 10;
/// The deepest side of a real day has 2,422 levels.
const DEEP_LEVELS: u32 = 2_400;
/// Listings with so deep books: the busiest ones that are dear enough for so many cents.
const DEEP_BOOKS: usize = 40;
/// From the first price of a side to the first of the levels behind it, cents.
const DEEP_FROM: u32 = 50;
/// Orders that stub a side, on each side of every listing.
const STUBS: u32 = 10;
const CENT: u32 = 100;
/// 199,999.99, ITCH's highest price, and its counterpart.
const STUB_PRICES: [u32; 2] = [CENT, 1_999_999_900];
/// From the first message to the bell, and how long the burst is looked at.
const BELL_NS: u64 = 500_000_000;
const BURST_NS: u64 = 1_000_000_000;

/// How a day differs from the plain one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Day {
    /// As generated: dense references, up to about 150 levels a side, few stubs.
    Plain,
    /// References rise as before, but only one in ten is used.
    Sparse,
    /// 2,400 more levels on each side of the 40 busiest books.
    Deep,
    /// Ten orders at 0.01 and ten at 199,999.99 in every book.
    Stubs,
}

impl Day {
    /// All, the plain one first.
    const ALL: [Self; 4] = [Self::Plain, Self::Sparse, Self::Deep, Self::Stubs];

    /// As it is called in figures and on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Sparse => "sparse",
            Self::Deep => "deep",
            Self::Stubs => "stubs",
        }
    }

    /// The day of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|day| day.name() == name)
    }

    /// `plain` made into this day. Its `digest` stays the venue's where no order was added, and is
    /// that of the naive books otherwise.
    pub fn of(self, plain: &Input) -> Input {
        match self {
            Self::Plain => plain.clone(),
            Self::Sparse => {
                let mut day = plain.clone();
                renumber(&mut day.file, |reference| {
                    // Rises with the reference, by a different step each time.
                    reference * APART + reference.wrapping_mul(0x9e37_79b9_7f4a_7c15) % (APART - 1)
                });
                day
            }
            Self::Deep => with_more(plain, &deep_orders(plain)),
            Self::Stubs => with_more(plain, &stub_orders(plain)),
        }
    }

    fn words(self) -> String {
        match self {
            Self::Plain => "the plain day".to_owned(),
            Self::Sparse => format!("references rise as on the plain day, one in {APART} used"),
            Self::Deep => {
                format!("{DEEP_LEVELS} levels more on each side of the {DEEP_BOOKS} busiest books")
            }
            Self::Stubs => {
                format!("{STUBS} orders at 0.01 and {STUBS} at 199,999.99 more in every book")
            }
        }
    }
}

/// Decode and books on every kind of day, beside the plain day and the naive book.
///
/// # Panics
/// When the books differ from the venue's, or from the naive ones where orders were added.
pub fn measure(plain: &Input) -> Vec<Figure> {
    let days: Vec<Input> = Day::ALL.into_iter().map(|day| day.of(plain)).collect();
    let naive: Vec<f64> = days
        .iter()
        .map(|day| whole(NaiveBooks::default(), day))
        .collect();
    let mut contestants: Vec<Run<'_>> = Vec::new();
    for day in &days {
        contestants.push(Box::new(move || whole(alone(), day)));
    }
    contestants.push(Box::new(|| burst(alone(), plain)));
    let values = interleave(ROUNDS, &mut contestants);
    let mut figures = Vec::new();
    let mut rows = |name: &str, words: &str, ours: &[f64], theirs: f64| {
        let figure = |suffix: &str| {
            let name = format!("stream.decode_book_{name}{suffix}");
            Figure::new(name, "ns/message", Better::Less, ours.to_vec())
        };
        let note = format!("{words}; wanted: within a third of the plain day");
        figures.push(figure("").beside("the plain day", &values[0]).note(note));
        figures.push(
            figure("_to_naive")
                .beside("naive: HashMap and BTreeMap, std", &[theirs])
                .note("the naive book ran once"),
        );
    };
    for (n, day) in Day::ALL.into_iter().enumerate().skip(1) {
        rows(day.name(), &day.words(), &values[n], naive[n]);
    }
    let words = "the messages of the second after the opening bell, books full before it";
    rows(
        "burst",
        words,
        &values[Day::ALL.len()],
        burst(NaiveBooks::default(), plain),
    );
    figures
}

/// Nanoseconds a message from the first order on.
fn whole(mut books: impl Books, day: &Input) -> f64 {
    let (directory, orders) = day.parts();
    books.take(directory);
    let ns = time_ns(|| books.take(orders)) / (day.messages - day.listed) as f64;
    assert_eq!(books.digest(), day.digest, "the books of this day differ");
    ns
}

/// Nanoseconds a message of the second after the bell.
fn burst(mut books: impl Books, day: &Input) -> f64 {
    let (mut at, mut bounds, mut count) = (0, [0; 2], 0);
    for frame in Frames::new(&day.file).flatten() {
        let ns = now_ns(frame).saturating_sub(START);
        if ns < BELL_NS {
            bounds = [at + 2 + frame.len(); 2];
        } else if ns < BELL_NS + BURST_NS {
            (bounds[1], count) = (at + 2 + frame.len(), count + 1);
        } else {
            break;
        }
        at += 2 + frame.len();
    }
    books.take(&day.file[..bounds[0]]);
    time_ns(|| books.take(&day.file[bounds[0]..bounds[1]])) / f64::from(count)
}

/// Gives every order that `file` speaks of another reference.
fn renumber(file: &mut [u8], number: impl Fn(u64) -> u64) {
    let mut at = 0;
    while at + 2 < file.len() {
        let length = usize::from(u16::from_be_bytes([file[at], file[at + 1]]));
        let message = &mut file[at + 2..at + 2 + length];
        let places: &[usize] = match message[0] {
            b'A' | b'F' | b'E' | b'C' | b'X' | b'D' => &[11],
            b'U' => &[11, 19],
            _ => &[],
        };
        for &place in places {
            if let Some(bytes) = message[place..].first_chunk_mut::<8>() {
                *bytes = number(u64::from_be_bytes(*bytes)).to_be_bytes();
            }
        }
        at += 2 + length;
    }
}

/// An order that is said before all others and rests to the end.
struct More {
    header: Header,
    stock: Stock,
    side: Side,
    price: u32,
}

/// `plain` with these orders before its own, whose references move up.
fn with_more(plain: &Input, more: &[More]) -> Input {
    let (directory, orders) = plain.parts();
    let mut file = directory.to_vec();
    for (n, order) in more.iter().enumerate() {
        let reference = n as u64 + 1;
        let shares = 100 + n as u32 % 7;
        let add = AddOrder::new(
            order.header,
            reference,
            order.side,
            shares,
            order.stock,
            order.price,
        );
        file.extend(length_prefix(add.as_bytes()).expect("an add is short"));
        file.extend(add.as_bytes());
    }
    let moved_from = file.len();
    file.extend_from_slice(orders);
    renumber(&mut file[moved_from..], |reference| {
        reference + more.len() as u64
    });
    let mut naive = NaiveBooks::default();
    naive.take(&file);
    Input {
        file,
        messages: plain.messages + more.len(),
        digest: naive.digest(),
        live_orders: plain.live_orders + more.len(),
        orders_at: plain.orders_at,
        listed: plain.listed,
    }
}

/// The first order of each side of each listing: header, stock and prices of bid and ask.
fn first_orders(plain: &Input) -> Vec<(Header, Stock, [u32; 2])> {
    let mut found: HashMap<u16, (Header, Stock, [u32; 2])> = HashMap::new();
    for frame in Frames::new(plain.parts().1).flatten() {
        let Ok(Message::AddOrder(add)) = decode(frame) else {
            // The books before the bell are filled by plain adds, and nothing else is said.
            break;
        };
        let header = Header {
            locate: u16::from_be_bytes([frame[1], frame[2]]),
            tracking: 0,
            timestamp_ns: START - MIDNIGHT + 40_000_000,
        };
        let stock: Stock = Alpha::new(add.stock()).expect("a stock of the wire fits it");
        let entry = found
            .entry(header.locate)
            .or_insert((header, stock, [0; 2]));
        let price = &mut entry.2[usize::from(add.side() == Some(Side::Sell))];
        if *price == 0 {
            *price = add.price();
        }
    }
    let mut found: Vec<_> = found.into_values().collect();
    found.sort_unstable_by_key(|(header, ..)| header.locate);
    found
}

fn deep_orders(plain: &Input) -> Vec<More> {
    let room = (DEEP_FROM + DEEP_LEVELS + 1) * CENT;
    let dear = first_orders(plain)
        .into_iter()
        .filter(|(_, _, [bid, _])| *bid > room);
    let mut more = Vec::new();
    for (header, stock, [bid, ask]) in dear.take(DEEP_BOOKS) {
        for level in DEEP_FROM..DEEP_FROM + DEEP_LEVELS {
            for (side, price) in [
                (Side::Buy, bid - level * CENT),
                (Side::Sell, ask + level * CENT),
            ] {
                more.push(More {
                    header,
                    stock,
                    side,
                    price,
                });
            }
        }
    }
    more
}

fn stub_orders(plain: &Input) -> Vec<More> {
    let mut more = Vec::new();
    for (header, stock, _) in first_orders(plain) {
        for _ in 0..STUBS {
            for (side, price) in [Side::Buy, Side::Sell].into_iter().zip(STUB_PRICES) {
                more.push(More {
                    header,
                    stock,
                    side,
                    price,
                });
            }
        }
    }
    more
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn harder_days_are_what_they_say_and_end_with_the_naive_books() {
        let plain = Input::generate(500_000);
        let deepest = |day: &Input| {
            let mut books = alone();
            Books::take(&mut books, &day.file);
            assert_eq!(Books::digest(&books), day.digest);
            let depth = |n: u32| {
                let book = books.books().book(market::event::InstrumentId(n));
                book.map_or(0, |book| book.depth(market::event::Side::Ask))
            };
            (
                (0..100).map(depth).max().unwrap_or(0),
                books.books().orders(),
            )
        };
        let (levels, orders) = deepest(&plain);
        assert!(levels < 1_000);
        let sparse = Day::Sparse.of(&plain);
        assert_eq!(
            (sparse.digest, sparse.file == plain.file),
            (plain.digest, false)
        );
        assert_eq!(deepest(&sparse), (levels, orders));
        let deep = deepest(&Day::Deep.of(&plain));
        assert!(deep.0 > 2_400, "{deep:?}");
        assert_eq!(deep.1, orders + 2 * 40 * 2_400);
        let stubs = deepest(&Day::Stubs.of(&plain));
        assert_eq!(stubs.1, orders + 8_000 * 20);
        assert!(burst(alone(), &plain) > 0.0);
    }

    #[test]
    fn names_lead_back_to_days() {
        assert!(
            Day::ALL
                .into_iter()
                .all(|day| Day::named(day.name()) == Some(day))
        );
        assert_eq!(Day::named("long"), None);
    }
}
