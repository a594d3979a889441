//! What one ITCH message costs, step by step: ns per message, median of five passes.
//!
//! `cargo run --release -p market --example book_speed -- [symbols] [messages] [only]`
//!
//! The stream is the simulated venue's, written to memory first, so that neither its making nor a
//! socket is in the figures. Passes of all steps are interleaved: a noisy machine hits them alike.
//! `only` runs one step by its number, for a profiler.
#![allow(clippy::disallowed_methods, reason = "a measurement reads the clock")]

use std::hint::black_box;
use std::time::Instant;

use market::book::BookSet;
use market::feed::itch::{Meaning, Normaliser};
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{Frame, Sink};
use venue::{Packetiser, Venue, VenueConfig};
use wire::itch50;
use wire::itchfile::{Frames, length_prefix};

const MIDNIGHT: u64 = 1_795_392_000_000_000_000;
const OPEN: u64 = MIDNIGHT + 34_200_000_000_000;
const PASSES: usize = 5;
/// Largest UDP payload of the packets.
const PAYLOAD: usize = 1_400;

/// One pass of a step: seconds without its preparation.
type Step = fn(&Tape, &PipelineConfig) -> f64;

const STEPS: [(&str, Step); 6] = [
    ("framing and decoding", decode),
    ("+ normaliser", normalise),
    ("+ books", books),
    ("pipeline, messages, no publishing", messages),
    ("pipeline, packets, no publishing", packets),
    ("pipeline, packets, publishing", published),
];

fn main() {
    let mut arguments = std::env::args().skip(1).map(|text| text.parse().ok());
    let mut next = || arguments.next().flatten();
    let symbols = next().unwrap_or(100);
    let wanted = next().unwrap_or(5_000_000);
    let only = next();
    let tape = Tape::new(symbols, wanted as u64);
    let config = PipelineConfig {
        midnight_ns: MIDNIGHT,
        instruments_limit: symbols,
        orders_limit: (tape.live * 2).next_power_of_two(),
        levels_reserve: 1_024,
        book_interval_ns: 1_000_000,
        ..PipelineConfig::default()
    };
    println!(
        "{symbols} symbols, {} messages, {} packets, {} live orders at the end",
        tape.count,
        tape.packets.len(),
        tape.live
    );
    let mut times = STEPS.map(|_| Vec::new());
    for _ in 0..PASSES {
        for (idx, (_, step)) in STEPS.iter().enumerate() {
            if only.is_none_or(|only| only == idx) {
                times[idx].push(step(&tape, &config) * 1e9 / tape.count as f64);
            }
        }
    }
    for ((name, _), times) in STEPS.iter().zip(&mut times) {
        times.sort_by(f64::total_cmp);
        if let [best, _, median, _, worst] = times[..] {
            println!("{name:<36} {median:7.1} ns/message [{best:.1}-{worst:.1}]");
        }
    }
}

/// A session in memory, as a file and as packets with their receive times.
struct Tape {
    file: Vec<u8>,
    bytes: Vec<u8>,
    /// Receive time and place in `bytes`.
    packets: Vec<(u64, std::ops::Range<usize>)>,
    count: u64,
    live: usize,
}

impl Tape {
    fn new(symbols: usize, wanted: u64) -> Self {
        let mut venue = Venue::new(VenueConfig {
            symbols,
            rate: 500_000.0,
            ..VenueConfig::new(1, OPEN, MIDNIGHT)
        });
        let mut packetiser = Packetiser::new(*b"SPEED00001", PAYLOAD);
        let mut tape = Self {
            file: Vec::new(),
            bytes: Vec::new(),
            packets: Vec::new(),
            count: 0,
            live: 0,
        };
        let mut until = OPEN;
        while venue.seq() < wanted {
            until += 1_000_000;
            let (bytes, packets) = (&mut tape.bytes, &mut tape.packets);
            let mut send = |_, packet: &[u8]| {
                let start = bytes.len();
                bytes.extend_from_slice(packet);
                packets.push((until, start..bytes.len()));
            };
            venue.step(until, &mut |message: &[u8]| {
                let length = length_prefix(message).expect("ITCH messages are short");
                tape.file.extend_from_slice(&length);
                tape.file.extend_from_slice(message);
                packetiser.push(message, &mut send);
            });
            packetiser.flush(&mut send);
        }
        (tape.count, tape.live) = (venue.seq(), venue.live_orders());
        tape
    }

    fn messages(&self) -> impl Iterator<Item = &[u8]> {
        Frames::new(&self.file).flatten()
    }
}

fn decode(tape: &Tape, _: &PipelineConfig) -> f64 {
    timed(|| {
        let decoded = tape.messages().flat_map(itch50::decode);
        black_box(decoded.fold(0, |sum, message| sum ^ message.timestamp_ns()));
    })
}

fn normalise(tape: &Tape, config: &PipelineConfig) -> f64 {
    let mut normaliser = Normaliser::new(config.midnight_ns, config.instruments_limit);
    timed(|| {
        for (seq, bytes) in tape.messages().enumerate() {
            let _ = black_box(normaliser.translate(seq as u64, 0, bytes));
        }
    })
}

fn books(tape: &Tape, config: &PipelineConfig) -> f64 {
    let mut normaliser = Normaliser::new(config.midnight_ns, config.instruments_limit);
    let (limit, orders) = (config.instruments_limit, config.orders_limit);
    let mut books = BookSet::new(limit, orders, config.levels_reserve);
    let mut rejected = 0;
    let seconds = timed(|| {
        for (seq, bytes) in tape.messages().enumerate() {
            match normaliser.translate(seq as u64, 0, bytes) {
                Ok(Meaning::Event {
                    instrument, event, ..
                }) => rejected += u64::from(books.apply(instrument, &event).is_err()),
                Ok(Meaning::Listed { instrument, .. }) => {
                    while books.len() <= instrument.0 as usize {
                        books.open();
                    }
                }
                _ => {}
            }
        }
    });
    assert_eq!((rejected, books.orders()), (0, tape.live));
    seconds
}

fn messages(tape: &Tape, config: &PipelineConfig) -> f64 {
    let mut pipeline = ItchPipeline::new(config);
    let seconds = timed(|| {
        for bytes in tape.messages() {
            pipeline.message(0, bytes);
        }
    });
    assert_eq!(pipeline.books().orders(), tape.live);
    seconds
}

fn packets(tape: &Tape, config: &PipelineConfig) -> f64 {
    let mut pipeline = ItchPipeline::new(config);
    let seconds = timed(|| {
        for (at_ns, range) in &tape.packets {
            pipeline.packet(0, *at_ns, &tape.bytes[range.clone()]);
        }
    });
    assert_eq!(pipeline.books().orders(), tape.live);
    seconds
}

fn published(tape: &Tape, config: &PipelineConfig) -> f64 {
    let mut pipeline = ItchPipeline::new(config);
    let mut sink = Count(0);
    timed(|| {
        for (at_ns, range) in &tape.packets {
            pipeline.packet(0, *at_ns, &tape.bytes[range.clone()]);
            pipeline.publish(&mut sink);
        }
    })
}

fn timed(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

/// Takes every frame, reads its first bytes.
struct Count(u64);

impl Sink for Count {
    fn offer(&mut self, frame: &Frame) -> bool {
        black_box(frame);
        self.0 += 1;
        true
    }
}
