//! Decoding and books together, without and with everything behind them, beside the naive book.

use market::book::BookSet;
use market::event::{InstrumentId, Side};
use market::pipeline::{ItchBooks, ItchPipeline, PipelineConfig};
use market::publish::{Frame, Sink};
use wire::itch50;
use wire::itchfile::Frames;
use wire::moldudp64::PacketWriter;

use super::input::{Input, MIDNIGHT, SYMBOLS};
use super::naive::NaiveBooks;
use super::single::Single;
use super::update::{self, Latency};
use crate::measure::{Run, interleave, time_ns};
use crate::report::{Better, Figure};

const ROUNDS: usize = 5;
/// Above what rests at the end of the input: beyond it the order store hashes.
const ORDERS_LIMIT: usize = 4_000_000;
const LEVELS_RESERVE: usize = 160;
/// Messages in a full packet of a real feed: as often everything new is published.
pub const PER_PACKET: usize = 38;
/// Where the first message of a packet starts.
const FIRST_MESSAGE: usize = wire::moldudp64::HEADER_SIZE + 2;

/// Times the ways from bytes to books; every way must end with the venue's own books.
///
/// # Panics
/// When a contestant's books differ from the venue's.
pub fn measure(input: &Input) -> Vec<Figure> {
    let packets = Packets::of(input);
    let with_states = PipelineConfig {
        state_step_ns: Some(100_000_000),
        ..config()
    };
    let mut contestants: [Run<'_>; 7] = [
        Box::new(|| timed(alone(), input)),
        Box::new(|| timed(queued(), input)),
        Box::new(|| published(&config(), &packets, input)),
        Box::new(|| published(&with_states, &packets, input)),
        Box::new(|| timed(NaiveBooks::default(), input)),
        Box::new(|| directory(alone(), input)),
        Box::new(|| directory(NaiveBooks::default(), input)),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    let [
        books,
        queues,
        pipeline,
        states,
        naive,
        listing,
        naive_listing,
    ] = values.as_slice()
    else {
        unreachable!("one list of values a contestant")
    };
    let figure = |name: &str, values: &[f64]| {
        let name = format!("stream.{name}");
        Figure::new(name, "ns/message", Better::Less, values.to_vec())
    };
    let words = input.words();
    vec![
        figure("decode_book", books).beside("naive: HashMap and BTreeMap, std", naive).note(
            format!("{words}; full L3 books of all symbols, digest equal to the venue's after every run; the naive book decodes with our decoder and checks nothing"),
        ),
        figure("decode_book_queues", queues)
            .beside("decode and book alone", books)
            .note("as decode_book, and the queue of every level: each order's position can be asked for"),
        figure("pipeline", pipeline).beside("naive: HashMap and BTreeMap, std", naive).note(
            format!("as decode_book, and bars of 1 s and 60 s, 60 s VWAP each 100 ms, jump signals, statuses, in packets of {PER_PACKET} messages, frames published after each; the naive book does none of it"),
        ),
        figure("pipeline_to_book", pipeline)
            .beside("decode and book alone", books)
            .note("what windows, signals and publishing add"),
        figure("pipeline_states", states)
            .beside("the pipeline without states", pipeline)
            .note("as pipeline, and a market state of each active symbol each 100 ms of event time"),
        Figure::new("stream.directory", "ms", Better::Less, listing.clone())
            .beside("naive: HashMap, std", naive_listing)
            .note(format!("{} messages before the first order: {SYMBOLS} listings and their states", input.listed)),
    ]
}

/// A contestant: something that takes framed messages in order.
pub trait Books {
    /// Takes what follows.
    fn take(&mut self, frames: &[u8]);
    /// A hash of all books, equal to the venue's where they are.
    fn digest(&self) -> u64;
}

/// Nanoseconds a message from the first order on. The directory before it is read untimed: it comes
/// once a day, before anything can be missed, and has a figure of its own.
fn timed(mut books: impl Books, input: &Input) -> f64 {
    let (directory, orders) = input.parts();
    books.take(directory);
    let took = time_ns(|| books.take(orders)) / (input.messages - input.listed) as f64;
    assert_eq!(
        books.digest(),
        input.digest,
        "these books differ from the venue's"
    );
    took
}

impl Books for ItchBooks {
    fn take(&mut self, frames: &[u8]) {
        Self::take(self, frames);
    }

    fn digest(&self) -> u64 {
        assert_eq!(
            self.rejected(),
            0,
            "the venue says nothing that a book refuses"
        );
        Self::digest(self)
    }
}

/// Decoder and books of the market crate, nothing behind them.
pub fn alone() -> ItchBooks {
    ItchBooks::new(MIDNIGHT, SYMBOLS, alone_set())
}

/// Empty books for the day.
pub fn alone_set() -> BookSet {
    BookSet::new(SYMBOLS, ORDERS_LIMIT, LEVELS_RESERVE)
}

/// The same with the queue of every level.
fn queued() -> ItchBooks {
    let books = BookSet::with_queues(SYMBOLS, ORDERS_LIMIT, LEVELS_RESERVE);
    ItchBooks::new(MIDNIGHT, SYMBOLS, books)
}

/// How [`read_day`] goes about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// All at once.
    Whole,
    /// All at once, with the queue of every level.
    Queues,
    /// In packets, with windows, signals and publication behind the books.
    Pipeline,
    /// Message by message, each timed.
    Latency,
}

/// What [`read_day`] found.
pub struct DayBooks {
    /// Messages from the first order on.
    pub messages: usize,
    /// What each took.
    pub ns_per_message: f64,
    /// Price levels at the end.
    pub levels: usize,
    /// The sum of a hash of every level's book, price and total: see `docs/benchmarks.md`.
    pub checksum: u64,
    /// Of single messages, where they were timed.
    pub latency: Option<Latency>,
}

/// Times decoder and books over a day that [`write_day`](super::write_day) wrote, to stand beside
/// an engine outside this program that reads the same file.
///
/// # Errors
/// When the file cannot be read.
pub fn read_day(path: &std::path::Path, how: How) -> anyhow::Result<DayBooks> {
    let file = std::fs::read(path)?;
    let kind = |frame: &[u8]| matches!(frame.first(), Some(b'A' | b'F'));
    let mut start = 0;
    for frame in Frames::new(&file)
        .flatten()
        .take_while(|frame| !kind(frame))
    {
        start += 2 + frame.len();
    }
    let (directory, orders) = file.split_at(start);
    let messages = Frames::new(orders).flatten().count();
    let found = |books: &BookSet, ns: f64, latency| {
        let (levels, checksum) = checksum(books);
        DayBooks {
            messages,
            ns_per_message: ns / messages as f64,
            levels,
            checksum,
            latency,
        }
    };
    let at_once = |mut books: ItchBooks| {
        books.take(directory);
        let ns = time_ns(|| books.take(orders));
        found(books.books(), ns, None)
    };
    Ok(match how {
        How::Pipeline => {
            let (pipeline, ns) = whole(&config(), &Packets::of_parts(directory, orders));
            found(pipeline.books(), ns, None)
        }
        How::Whole => at_once(alone()),
        How::Queues => at_once(queued()),
        How::Latency => {
            let mut books = Single::new();
            Books::take(&mut books, directory);
            let mut latency = None;
            let ns = time_ns(|| latency = Some(update::timed(&mut books, orders, 1)));
            found(books.books(), ns, latency)
        }
    })
}

/// How many levels there are, and the sum of a hash of each.
fn checksum(books: &BookSet) -> (usize, u64) {
    let (mut levels, mut checksum) = (0, 0u64);
    for id in 0..books.len() as u32 {
        let Some(book) = books.book(InstrumentId(id)) else {
            continue;
        };
        for side in [Side::Bid, Side::Ask] {
            for level in book.levels(side) {
                let units = (level.price.0 / 100_000) as i32;
                let signed = if side == Side::Bid { units } else { -units };
                let place = u64::from(id + 1) << 48 ^ u64::from(signed as u32) << 8;
                checksum = checksum.wrapping_add(mix(place ^ mix(level.qty.0)));
                levels += 1;
            }
        }
    }
    (levels, checksum)
}

/// The finaliser of MurmurHash3.
fn mix(mut x: u64) -> u64 {
    for factor in [0xff51_afd7_ed55_8ccd, 0xc4ce_b9fe_1a85_ec53] {
        x = (x ^ x >> 33).wrapping_mul(factor);
    }
    x ^ x >> 33
}

/// Takes every frame and keeps none.
#[derive(Default)]
pub struct Counted(u64);

impl Sink for Counted {
    fn offer(&mut self, frame: &Frame) -> bool {
        std::hint::black_box(frame);
        self.0 += 1;
        true
    }
}

/// The input as a venue sends it: full packets, the directory apart from the orders. They lie one
/// behind the other as in a capture, since a packet anywhere in memory would be waited for.
struct Packets {
    directory: Packed,
    orders: Packed,
}

#[derive(Default)]
struct Packed {
    bytes: Vec<u8>,
    /// Where each packet ends.
    ends: Vec<usize>,
}

impl Packed {
    fn push(&mut self, packet: &[u8]) {
        self.bytes.extend_from_slice(packet);
        self.ends.push(self.bytes.len());
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts
            .zip(&self.ends)
            .map(|(start, &end)| &self.bytes[start..end])
    }
}

impl Packets {
    fn of(input: &Input) -> Self {
        let (directory, orders) = input.parts();
        Self::of_parts(directory, orders)
    }

    fn of_parts(directory: &[u8], orders: &[u8]) -> Self {
        let mut seq = 1;
        let mut pack = |frames: &[u8]| {
            let frames: Vec<&[u8]> = Frames::new(frames).flatten().collect();
            let mut packed = Packed::default();
            for frames in frames.chunks(PER_PACKET) {
                let mut buffer = [0; 2_048];
                let mut writer = PacketWriter::new(&mut buffer, *b"BENCH00001", seq);
                for frame in frames {
                    assert!(writer.push(frame), "so many messages fit a packet");
                }
                seq += frames.len() as u64;
                packed.push(writer.finish());
            }
            packed
        };
        Self {
            directory: pack(directory),
            orders: pack(orders),
        }
    }
}

/// Everything behind the books too, published after every packet. Nanoseconds a message.
///
/// # Panics
/// When the books differ from the venue's.
fn published(config: &PipelineConfig, packets: &Packets, input: &Input) -> f64 {
    let (pipeline, ns) = whole(config, packets);
    assert_eq!(
        pipeline.book_digest(),
        input.digest,
        "these books differ from the venue's"
    );
    ns / (input.messages - input.listed) as f64
}

/// The pipeline at the end, and the nanoseconds from the first order on.
fn whole(config: &PipelineConfig, packets: &Packets) -> (ItchPipeline, f64) {
    let mut pipeline = ItchPipeline::new(config);
    let mut frames = Counted::default();
    let mut take = |packet: &[u8]| {
        let now_ns = now_ns(&packet[FIRST_MESSAGE..]);
        pipeline.packet(0, now_ns, packet);
        pipeline.tick(now_ns);
        pipeline.publish(&mut frames);
    };
    packets.directory.iter().for_each(&mut take);
    let ns = time_ns(|| packets.orders.iter().for_each(&mut take));
    assert!(frames.0 > 0, "a pipeline publishes");
    (pipeline, ns)
}

/// The pipeline's limits and what it does, as the day needs it.
pub fn config() -> PipelineConfig {
    PipelineConfig {
        midnight_ns: MIDNIGHT,
        instruments_limit: SYMBOLS,
        orders_limit: ORDERS_LIMIT,
        levels_reserve: LEVELS_RESERVE,
        ..PipelineConfig::default()
    }
}

/// When a message was said, ns UTC: the time since midnight stands at the same place in each.
pub fn now_ns(message: &[u8]) -> u64 {
    let time = message.get(5..11).unwrap_or_default();
    MIDNIGHT + time.iter().fold(0, |ns, &byte| ns << 8 | u64::from(byte))
}

impl Books for NaiveBooks {
    fn take(&mut self, frames: &[u8]) {
        for frame in Frames::new(frames).flatten() {
            if let Ok(message) = itch50::decode(frame) {
                self.apply(&message);
            }
        }
    }

    fn digest(&self) -> u64 {
        Self::digest(self)
    }
}

/// Milliseconds for the directory alone.
fn directory(mut books: impl Books, input: &Input) -> f64 {
    time_ns(|| books.take(input.parts().0)) / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_ends_with_the_venues_books() {
        let input = Input::generate(300_000);
        assert!(timed(alone(), &input) > 0.0);
        assert!(published(&config(), &Packets::of(&input), &input) > 0.0);
        assert!(timed(NaiveBooks::default(), &input) > 0.0);
    }
}
