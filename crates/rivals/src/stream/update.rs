//! How long one message holds the books up: each timed alone, with the counter of the processor.
//!
//! *Alone* is the hard case: a packet of one message, so that nothing can be fetched ahead of it.
//! *Share* is what a message of a full packet takes, the packet's time divided by its messages.

use std::fmt;

use quanta::Clock;

use super::books::{Books, alone};
use super::input::Input;
use super::naive::NaiveBooks;
use super::single::Single;
use crate::measure::median;
use crate::report::{Better, Figure};

/// Runs of ours.
const ROUNDS: usize = 5;
const PER_PACKET: usize = 38;
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p999", 0.999)];

/// Middle and tail of the time of one message, ns, the clock's own time taken off.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Latency {
    /// At [`QUANTILES`].
    at: [f64; 3],
    /// What reading the clock twice takes, ns.
    clock_ns: f64,
}

impl fmt::Display for Latency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [p50, p99, p999] = self.at;
        let clock_ns = self.clock_ns;
        write!(
            f,
            "one message p50 {p50:.0} p99 {p99:.0} p99.9 {p999:.0} ns, the clock's {clock_ns:.0} ns taken off"
        )
    }
}

/// Ours message by message and packet by packet, the naive book message by message.
///
/// # Panics
/// When the books differ from the venue's.
pub fn measure(input: &Input) -> Vec<Figure> {
    let (directory, orders) = input.parts();
    let naive = [ends_well(
        NaiveBooks::default(),
        directory,
        orders,
        1,
        input.digest,
    )];
    let (mut single, mut packets) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        single.push(ends_well(Single::new(), directory, orders, 1, input.digest));
        packets.push(ends_well(
            alone(),
            directory,
            orders,
            PER_PACKET,
            input.digest,
        ));
    }
    let clock_ns = median(&single.iter().map(|l| l.clock_ns).collect::<Vec<_>>());
    let mut figures = Vec::new();
    for (place, (name, _)) in QUANTILES.into_iter().enumerate() {
        let of = |all: &[Latency]| -> Vec<f64> { all.iter().map(|l| l.at[place]).collect() };
        let figure = |what: &str, all: &[Latency]| {
            Figure::new(
                format!("stream.book_update.{what}{name}"),
                "ns",
                Better::Less,
                of(all),
            )
        };
        figures.push(figure("", &single).beside("naive: HashMap and BTreeMap, std", &of(&naive)).note(format!(
            "{}; each message decoded and applied alone, so that nothing is fetched ahead; {clock_ns:.0} ns for the two readings of the clock are taken off; the naive book ran once",
            input.words()
        )));
        figures.push(
            figure("share.", &packets)
                .beside("the same, alone", &of(&single))
                .note(format!(
                    "packets of {PER_PACKET}: the time of a packet divided by its messages"
                )),
        );
    }
    figures
}

/// Times what follows the directory, `per_packet` messages at once.
fn ends_well(
    mut books: impl Books,
    directory: &[u8],
    orders: &[u8],
    per_packet: usize,
    digest: u64,
) -> Latency {
    books.take(directory);
    let latency = timed(&mut books, orders, per_packet);
    assert_eq!(
        books.digest(),
        digest,
        "these books differ from the venue's"
    );
    latency
}

/// One value a packet of `per_packet` messages, divided by them.
pub fn timed(books: &mut impl Books, frames: &[u8], per_packet: usize) -> Latency {
    let clock = Clock::new();
    let clock_ns = empty(&clock);
    let mut took: Vec<u32> = Vec::with_capacity(frames.len() / 24 / per_packet);
    let mut rest = frames;
    loop {
        let (packet, after) = rest.split_at(length(rest, per_packet));
        if packet.is_empty() {
            break;
        }
        rest = after;
        let start = clock.raw();
        books.take(packet);
        let end = clock.raw();
        took.push(u32::try_from(end.saturating_sub(start)).unwrap_or(u32::MAX));
    }
    let mut at = [0.0; 3];
    for (at, (_, q)) in at.iter_mut().zip(QUANTILES) {
        let ticks = rank(&mut took, q);
        let ns = clock.delta_as_nanos(0, u64::from(ticks) << 10) as f64 / 1_024.0;
        *at = (ns - clock_ns).max(0.0) / per_packet as f64;
    }
    Latency { at, clock_ns }
}

/// Bytes of the next `count` whole frames, or as many as there are.
fn length(frames: &[u8], count: usize) -> usize {
    let mut end = 0;
    for _ in 0..count {
        let Some(&[high, low]) = frames.get(end..end + 2).and_then(|b| b.first_chunk()) else {
            break;
        };
        let next = end + 2 + usize::from(u16::from_be_bytes([high, low]));
        if next > frames.len() {
            break;
        }
        end = next;
    }
    end
}

/// Nanoseconds between two readings with nothing between them, in the middle.
fn empty(clock: &Clock) -> f64 {
    let mut took: Vec<u32> = (0..100_000)
        .map(|_| {
            let start = clock.raw();
            clock.raw().saturating_sub(start) as u32
        })
        .collect();
    let ticks = rank(&mut took, 0.5);
    clock.delta_as_nanos(0, u64::from(ticks) << 10) as f64 / 1_024.0
}

/// The value at share `q`, by nearest rank; 0 of none.
fn rank(values: &mut [u32], q: f64) -> u32 {
    let place = (values.len() as f64 * q).ceil() as usize;
    match values.len() {
        0 => 0,
        _ => *values.select_nth_unstable(place.saturating_sub(1)).1,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_message_is_timed_and_the_books_are_the_venues() {
        let input = Input::generate(100_000);
        let (directory, orders) = input.parts();
        for latency in [
            ends_well(Single::new(), directory, orders, 1, input.digest),
            ends_well(alone(), directory, orders, PER_PACKET, input.digest),
        ] {
            let [p50, p99, p999] = latency.at;
            assert!(p50 <= p99 && p99 <= p999 && p999 > 0.0, "{latency}");
        }
    }

    #[test]
    fn packets_end_where_frames_end() {
        let frames = [0, 1, 9, 0, 2, 9, 9, 0, 3, 9];
        assert_eq!(length(&frames, 1), 3);
        assert_eq!(length(&frames, 9), 7);
        assert_eq!(length(&frames[7..], 1), 0);
        assert_eq!(rank(&mut [3, 1, 2], 0.5), 2);
        assert_eq!(rank(&mut [], 0.5), 0);
    }
}
