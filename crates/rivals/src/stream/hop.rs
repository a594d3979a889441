//! One hop between two cores, through the rings that the engine uses, beside a bare cache line.
//!
//! A token goes to the other core and comes back; one hop is half of the way. Every ring of the
//! engine is an `rtrb`: *payload* is the hop from a receiving thread to a lane (a ring of filled
//! slots, one of free slots, one copy), *frame* the ring in which a lane publishes.

use std::hint::spin_loop;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use engine::hop::{HopReceiver, HopSender, PAYLOAD, hop};
use engine::ring::FrameSender;
use market::publish::{Frame, Sink};
use quanta::Clock;
use rtrb::{Consumer, Producer, RingBuffer};

use crate::Size;
use crate::machine::hold_core;
use crate::measure::{interleave, quantile};
use crate::report::{Better, Figure, Report};

const ROUNDS: usize = 7;
/// There and back, a run.
const TRIPS: usize = 200_000;
/// Trips before those that count.
const WARM: usize = 2_000;
/// Tokens of a throughput run.
const TOKENS: u64 = 4_000_000;
/// Places in a ring: a lane's default for payloads.
const PLACES: usize = 4_096;
/// Between runs, for whoever else waits for the cores.
const REST: Duration = Duration::from_millis(20);
const HERE: usize = 0;
const THERE: usize = 1;

/// A way for tokens from one thread to another.
trait Way {
    type Sender: Send;
    type Receiver: Send;

    fn open() -> (Self::Sender, Self::Receiver);
    /// False when there is no room.
    fn send(sender: &mut Self::Sender, token: u64) -> bool;
    /// Hands over what waits.
    fn receive(receiver: &mut Self::Receiver, take: impl FnMut(u64));
}

/// All ways in turns.
pub fn run(size: &Size, report: &mut Report) {
    report.step("stream: hops between two cores");
    let (trips, tokens) = (size.of(TRIPS), size.of(TOKENS as usize) as u64);
    let mut all_held = true;
    let mut hops: [Vec<[f64; 2]>; 4] = Default::default();
    for round in 0..=ROUNDS {
        let runs = [
            round_trips::<Line>,
            round_trips::<Ring>,
            round_trips::<Payloads>,
            round_trips::<Frames>,
        ];
        for (hops, run) in hops.iter_mut().zip(runs) {
            let (is_held, found) = run(true, trips);
            all_held &= is_held;
            if round > 0 {
                hops.push(found);
            }
        }
    }
    let rates = interleave(
        ROUNDS,
        &mut [
            Box::new(|| throughput::<Ring>(true, tokens)),
            Box::new(|| throughput::<Payloads>(true, tokens)),
            Box::new(|| throughput::<Frames>(true, tokens)),
        ],
    );
    report.scheduled(all_held);
    figures(&hops, &rates)
        .into_iter()
        .for_each(|figure| report.add(figure));
}

fn figures(hops: &[Vec<[f64; 2]>; 4], rates: &[Vec<f64>]) -> Vec<Figure> {
    let payload = format!(
        "engine::hop: {PAYLOAD_BYTES} B copied into a slot, two rtrb rings of {PLACES} places"
    );
    let frame = format!(
        "FrameSender and its consumer: an rtrb ring of frames of {} B",
        size_of::<Frame>()
    );
    let notes = [
        "rtrb 0.4, 32 B, which every ring of the engine is made of",
        &payload,
        &frame,
    ];
    let mut figures = Vec::new();
    for (n, (name, note)) in ["rtrb", "payload", "frame"]
        .into_iter()
        .zip(notes)
        .enumerate()
    {
        for (place, q) in ["p50", "p99"].into_iter().enumerate() {
            let of = |hops: &[[f64; 2]]| -> Vec<f64> { hops.iter().map(|h| h[place]).collect() };
            let name = format!("stream.hop.{name}.{q}");
            figures.push(
                Figure::new(name, "ns", Better::Less, of(&hops[n + 1]))
                    .beside("raw cache line, two atomics", &of(&hops[0]))
                    .note(format!("half of the way there and back; {note}")),
            );
        }
    }
    for (n, name, note) in [(1, "payload", &payload), (2, "frame", &frame)] {
        figures.push(
            Figure::new(
                format!("stream.hop.{name}.throughput"),
                "M/s",
                Better::More,
                rates[n].clone(),
            )
            .beside("rtrb 0.4, 32 B, one at a time", &rates[0])
            .note(note.as_str()),
        );
    }
    figures
}

/// Runs both begun together, with `hold` on cores of their own; whether both cores were held.
fn on_two_cores<T: Send>(
    hold: bool,
    here: impl FnOnce() -> T + Send,
    there: impl FnOnce() + Send,
) -> (bool, T) {
    std::thread::sleep(REST);
    let begin = Barrier::new(2);
    std::thread::scope(|scope| {
        let other = scope.spawn(|| {
            let held = hold && hold_core(THERE);
            begin.wait();
            there();
            held
        });
        let one = scope.spawn(|| {
            let held = hold && hold_core(HERE);
            begin.wait();
            (held, here())
        });
        let (held, found) = one.join().expect("a hop neither panics nor waits for ever");
        (other.join().expect("as the other end") && held, found)
    })
}

/// p50 and p99 of one hop, ns.
fn round_trips<W: Way>(hold: bool, trips: usize) -> (bool, [f64; 2]) {
    let (mut out, mut out_there) = W::open();
    let (mut back_there, mut back) = W::open();
    let clock = Clock::new();
    let count = trips + WARM;
    let (held, mut took) = on_two_cores(
        hold,
        || {
            let mut took = Vec::with_capacity(count);
            for token in 0..count as u64 {
                let start = clock.raw();
                pass_on::<W>(&mut out, token);
                wait_for::<W>(&mut back, token);
                took.push(clock.delta_as_nanos(start, clock.raw()) as f64 / 2.0);
            }
            took
        },
        || {
            for token in 0..count as u64 {
                wait_for::<W>(&mut out_there, token);
                pass_on::<W>(&mut back_there, token);
            }
        },
    );
    let counted = &mut took[WARM..];
    (held, [quantile(counted, 0.5), quantile(counted, 0.99)])
}

#[inline]
fn pass_on<W: Way>(sender: &mut W::Sender, token: u64) {
    while !W::send(sender, token) {
        spin_loop();
    }
}

#[inline]
fn wait_for<W: Way>(receiver: &mut W::Receiver, token: u64) {
    let mut came = false;
    while !came {
        W::receive(receiver, |got| {
            assert_eq!(got, token, "tokens arrive in order");
            came = true;
        });
    }
}

/// Million tokens a second, sent and taken as fast as it goes.
fn throughput<W: Way>(hold: bool, tokens: u64) -> f64 {
    let (mut sender, mut receiver) = W::open();
    let clock = Clock::new();
    let (_, ns) = on_two_cores(
        hold,
        || {
            let start = clock.raw();
            let mut next = 0;
            while next < tokens {
                W::receive(&mut receiver, |token| {
                    assert_eq!(token, next, "tokens arrive in order");
                    next += 1;
                });
            }
            clock.delta_as_nanos(start, clock.raw())
        },
        || (0..tokens).for_each(|token| pass_on::<W>(&mut sender, token)),
    );
    tokens as f64 * 1e3 / ns as f64
}

/// One atomic on a line of its own: the next token may be written when the last was answered.
struct Line;

#[repr(align(128))]
struct Alone(AtomicU64);

struct LineReceiver {
    line: Arc<Alone>,
    seen: u64,
}

impl Way for Line {
    type Sender = Arc<Alone>;
    type Receiver = LineReceiver;

    fn open() -> (Self::Sender, Self::Receiver) {
        let line = Arc::new(Alone(AtomicU64::new(0)));
        (line.clone(), LineReceiver { line, seen: 0 })
    }

    #[inline]
    fn send(line: &mut Self::Sender, token: u64) -> bool {
        line.0.store(token + 1, Ordering::Release);
        true
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver, mut take: impl FnMut(u64)) {
        let now = receiver.line.0.load(Ordering::Acquire);
        if now != receiver.seen {
            receiver.seen = now;
            take(now - 1);
        }
    }
}

/// What an anchor measures: 32 B in an `rtrb`.
struct Ring;

impl Way for Ring {
    type Sender = Producer<[u64; 4]>;
    type Receiver = Consumer<[u64; 4]>;

    fn open() -> (Self::Sender, Self::Receiver) {
        RingBuffer::new(PLACES)
    }

    #[inline]
    fn send(sender: &mut Self::Sender, token: u64) -> bool {
        sender.push([token; 4]).is_ok()
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver, mut take: impl FnMut(u64)) {
        if let Ok([token, ..]) = receiver.pop() {
            take(token);
        }
    }
}

/// Bytes of a payload: one or two messages.
const PAYLOAD_BYTES: usize = 64;

/// From a receiving thread to a lane.
struct Payloads;

impl Way for Payloads {
    type Sender = HopSender;
    type Receiver = HopReceiver;

    fn open() -> (Self::Sender, Self::Receiver) {
        hop(PLACES, 2_048)
    }

    #[inline]
    fn send(sender: &mut Self::Sender, token: u64) -> bool {
        sender.send(PAYLOAD, 0, token, &[0; PAYLOAD_BYTES])
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver, mut take: impl FnMut(u64)) {
        receiver.receive(&mut |passed| {
            std::hint::black_box(passed.bytes);
            take(passed.ts_recv);
        });
    }
}

/// From a lane to whoever publishes.
struct Frames;

impl Way for Frames {
    type Sender = FrameSender;
    type Receiver = Consumer<Frame>;

    fn open() -> (Self::Sender, Self::Receiver) {
        FrameSender::ring(PLACES)
    }

    #[inline]
    fn send(sender: &mut Self::Sender, token: u64) -> bool {
        sender.offer(&Frame::Dropped { count: token })
    }

    #[inline]
    fn receive(receiver: &mut Self::Receiver, mut take: impl FnMut(u64)) {
        if let Ok(Frame::Dropped { count }) = receiver.pop() {
            take(count);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_brings_every_token() {
        for run in [
            round_trips::<Line>,
            round_trips::<Ring>,
            round_trips::<Payloads>,
            round_trips::<Frames>,
        ] {
            let (_, [p50, p99]) = run(false, 100);
            assert!(0.0 < p50 && p50 <= p99);
        }
        assert!(throughput::<Ring>(false, 1_000) > 0.0);
        assert!(throughput::<Payloads>(false, 1_000) > 0.0);
        assert!(throughput::<Frames>(false, 1_000) > 0.0);
    }
}
