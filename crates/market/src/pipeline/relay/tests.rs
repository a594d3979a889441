//! A sender, two lossy lines, a lossy server of retransmissions, a receiver: every lossless frame
//! arrives in order or is counted by a mark, and no book is shown as good that is old.

use std::collections::HashMap;

use proptest::prelude::*;
use stdx::Rng;
use wire::moldudp64::{Packet, Request};

use super::*;
use crate::event::{Instrument, InstrumentId, Price, Qty, Stamp, TradingState};
use crate::feed::mold::MoldConfig;
use crate::publish::{BookTop, Frame, Integrity, Level, TOP_LEVELS, TradePrint};

fn name(id: u32) -> Frame {
    Frame::Instrument(Instrument::new(InstrumentId(id), &format!("S{id}"), 0, 2))
}

fn print(id: u32, seq: u64) -> Frame {
    Frame::Trade(TradePrint {
        instrument: InstrumentId(id),
        stamp: Stamp {
            seq,
            ts_event: seq,
            ts_recv: seq,
        },
        price: Price(5),
        qty: Qty(1),
        aggressor: None,
        cross: false,
        match_id: seq,
        integrity: Integrity::Ok,
    })
}

fn book(id: u32, seq: u64) -> Frame {
    let bid = Level {
        price: Price(seq as i64),
        qty: Qty(1),
        orders: 1,
    };
    let mut bids = [Level::default(); TOP_LEVELS];
    bids[0] = bid;
    Frame::Book(BookTop {
        instrument: InstrumentId(id),
        stamp: Stamp {
            seq,
            ts_event: seq,
            ts_recv: seq,
        },
        bids,
        asks: [Level::default(); TOP_LEVELS],
        bid_count: 1,
        ask_count: 0,
        locked: false,
        crossed: false,
        integrity: Integrity::Ok,
        state: TradingState::Trading,
        last: None,
    })
}

const SYMBOLS: u32 = 5;
const STEP_NS: u64 = 1_000_000;

/// Both ends and what lies between them.
struct World {
    rng: Rng,
    sender: Sequencer,
    receiver: RelayPipeline,
    loss: f64,
    now_ns: u64,
    /// Newest book of each symbol at the sender, and all prints.
    truth: HashMap<u32, u64>,
    printed: u64,
    got: Vec<Frame>,
    shown: HashMap<u32, (u64, Integrity)>,
}

impl World {
    fn new(seed: u64, loss: f64, store: usize) -> Self {
        let config = MoldConfig {
            retransmit_tries: 6,
            ..MoldConfig::default()
        };
        Self {
            rng: Rng::new(seed),
            sender: Sequencer::new(session_name(seed * 1_000_000), store),
            receiver: RelayPipeline::new(config, 16, 100_000),
            loss,
            now_ns: 1_000_000_000,
            truth: HashMap::new(),
            printed: 0,
            got: Vec::new(),
            shown: HashMap::new(),
        }
    }

    fn deliver(&mut self, packets: &[Vec<u8>]) {
        for packet in packets {
            for line in 0..2 {
                if self.rng.f64() >= self.loss {
                    self.receiver.packet(line, self.now_ns, packet);
                }
            }
        }
    }

    fn settle(&mut self) {
        self.now_ns += STEP_NS;
        self.receiver.tick(self.now_ns);
        let mut replies: Vec<Vec<u8>> = Vec::new();
        while let Some(request) = self.receiver.next_request() {
            if self.rng.f64() >= self.loss {
                self.sender
                    .answer(&request, &mut |p| replies.push(p.to_vec()));
            }
        }
        for reply in replies {
            if self.rng.f64() >= self.loss {
                self.receiver.packet(2, self.now_ns, &reply);
            }
        }
        let mut fresh: Vec<Frame> = Vec::new();
        self.receiver.publish(&mut fresh);
        for frame in &fresh {
            if let Frame::Book(book) = frame {
                let shown = (book.stamp.seq, book.integrity);
                self.shown.insert(book.instrument.0, shown);
            }
        }
        self.got.extend(fresh);
    }

    fn turn(&mut self, frames: &[Frame]) {
        for frame in frames {
            match frame {
                Frame::Book(book) => {
                    self.truth.insert(book.instrument.0, book.stamp.seq);
                }
                Frame::Trade(_) => self.printed += 1,
                _ => {}
            }
        }
        let mut packets: Vec<Vec<u8>> = Vec::new();
        frames.iter().for_each(|frame| {
            self.sender
                .push(0, frame, &mut |p| packets.push(p.to_vec()))
        });
        self.sender.flush(&mut |p| packets.push(p.to_vec()));
        self.deliver(&packets);
        self.settle();
    }

    /// A quiet end: heartbeats and the cycle until everything was asked for and given up.
    fn quiet(&mut self, steps: usize) {
        for _ in 0..steps {
            let mut packets: Vec<Vec<u8>> = Vec::new();
            self.sender.heartbeat(&mut |p| packets.push(p.to_vec()));
            self.sender.cycle(&mut |p| packets.push(p.to_vec()));
            self.deliver(&packets);
            (0..20).for_each(|_| self.settle());
        }
    }
}

fn run(seed: u64, loss: f64, store: usize, turns: u64) -> World {
    let mut world = World::new(seed, loss, store);
    let names: Vec<Frame> = (0..SYMBOLS).map(name).collect();
    // The first packet is not lost, or there would be nothing to compare from its number on.
    world.loss = 0.0;
    world.turn(&names);
    world.loss = loss;
    for turn in 0..turns {
        let id = world.rng.below(u64::from(SYMBOLS)) as u32;
        let mut frames = vec![print(id, turn + 1)];
        if world.rng.f64() < 0.3 {
            frames.push(book(id, turn + 1));
        }
        world.turn(&frames);
    }
    world.quiet(20);
    // What was asked for last is answered or given up.
    world.loss = 0.0;
    world.quiet(20);
    world
}

fn check(world: &World) {
    let mut last = 0;
    let (mut prints, mut marked) = (0, 0);
    for frame in &world.got {
        match frame {
            Frame::Trade(print) => {
                assert!(print.stamp.seq > last, "out of order or twice");
                last = print.stamp.seq;
                prints += 1;
            }
            Frame::Dropped { count } => marked += count,
            _ => {}
        }
    }
    assert!(prints <= world.printed);
    // A mark counts messages of any kind: it is never less than the prints that are missing.
    assert!(prints + marked >= world.printed, "{prints} + {marked}");
    if world.receiver.status().lost == 0 {
        assert_eq!((prints, marked), (world.printed, 0));
    }
    for (id, seq) in &world.truth {
        let (shown, integrity) = world.shown[id];
        assert_eq!((shown, integrity), (*seq, Integrity::Ok), "symbol {id}");
    }
}

#[test]
fn one_in_ten_lost_on_each_line_loses_nothing() {
    let world = run(1, 0.1, 1 << 20, 2_000);
    let status = world.receiver.status();
    assert!(status.recovered > 0 && status.lost == 0, "{status:?}");
    check(&world);
}

#[test]
fn what_the_store_no_longer_has_is_marked_and_books_heal() {
    // The server answers nothing that is older than 64 KiB, and half of all packets are lost.
    let mut world = World::new(3, 0.0, 64 << 10);
    let names: Vec<Frame> = (0..SYMBOLS).map(name).collect();
    world.turn(&names);
    (0..SYMBOLS).for_each(|id| world.turn(&[book(id, 1), print(id, u64::from(id) + 1)]));
    world.loss = 1.0;
    (0..2_000u64).for_each(|n| world.turn(&[book(0, n + 10), print(0, n + 10)]));
    world.loss = 0.0;
    // The first packet after the hole opens it, the second confirms it.
    (9_000..9_002).for_each(|seq| world.turn(&[print(1, seq)]));
    (0..3_000).for_each(|_| world.settle());
    let status = world.receiver.status();
    assert!(status.lost > 1_000, "{status:?}");
    assert_eq!(
        world.shown[&3].1,
        Integrity::Stale,
        "a loss flags every book"
    );
    world.quiet(3);
    check(&world);
}

#[test]
fn a_late_receiver_is_whole_after_a_cycle_and_a_restart_is_followed() {
    let mut world = World::new(5, 0.0, 1 << 20);
    let mut send = |_: &[u8]| {};
    (0..SYMBOLS).for_each(|id| world.sender.push(0, &name(id), &mut send));
    (0..SYMBOLS).for_each(|id| world.sender.push(0, &book(id, 7), &mut send));
    world.sender.flush(&mut send);
    world.truth.extend((0..SYMBOLS).map(|id| (id, 7)));
    world.quiet(2);
    check(&world);
    // Another run of the sender numbers its instruments otherwise.
    world.sender = Sequencer::new(session_name(9_000_000_000), 1 << 20);
    let restarted = [
        Frame::Instrument(Instrument::new(InstrumentId(0), "S3", 0, 2)),
        book(0, 99),
    ];
    let before = world.got.len();
    world.turn(&restarted);
    world.quiet(1);
    let books: Vec<(u32, u64, Integrity)> = world.got[before..]
        .iter()
        .filter_map(|frame| match frame {
            Frame::Book(book) => Some((book.instrument.0, book.stamp.seq, book.integrity)),
            _ => None,
        })
        .collect();
    let own = world
        .got
        .iter()
        .find_map(|frame| match frame {
            Frame::Instrument(i) if i.symbol() == "S3" => Some(i.id.0),
            _ => None,
        })
        .expect("S3 was named");
    assert!(books.contains(&(own, 99, Integrity::Ok)), "{books:?}");
    assert!(
        books.iter().any(|b| b.2 == Integrity::Stale),
        "the others wait to be heard of"
    );
}

#[test]
fn foreign_packets_are_refused() {
    let mut world = World::new(7, 0.0, 1 << 20);
    let mut packet = [0; 64];
    let mut writer = wire::moldudp64::PacketWriter::new(&mut packet, *b"000010059B", 1);
    assert!(writer.push(b"somebody else's"));
    let packet = writer.finish().to_vec();
    world.receiver.packet(0, 1, &packet);
    assert_eq!(world.receiver.rejected().total(), 1);
}

#[test]
fn the_store_is_bounded_and_answers_what_it_has() {
    let session = *b"OZ1STORE00";
    let mut store = Store::new(0, 1);
    for n in 1..=5_000u64 {
        store.keep(&n.to_le_bytes().repeat(1 + (n % 9) as usize));
    }
    assert!(store.oldest() > 1 && store.next_seq() == 5_001);
    for seq in store.oldest()..5_001 {
        let want = seq.to_le_bytes().repeat(1 + (seq % 9) as usize);
        assert_eq!(store.get(seq), Some(&want[..]));
    }
    assert_eq!(store.get(store.oldest() - 1), None);
    let oldest = store.oldest();
    let request = Request {
        session,
        seq: oldest - 5,
        count: 50,
    };
    let mut packets: Vec<(u64, u16)> = Vec::new();
    let sent = store.answer(session, &request, &mut [0; 256], &mut |bytes| {
        let packet = Packet::parse(bytes).expect("a packet");
        packets.push((packet.seq(), packet.count()));
    });
    assert_eq!(sent, 45);
    assert_eq!(packets[0].0, oldest);
    assert_eq!(packets.iter().map(|p| u64::from(p.1)).sum::<u64>(), 45);
    let other = Request {
        session: *b"OZ1OTHER00",
        ..request
    };
    assert_eq!(store.answer(session, &other, &mut [0; 256], &mut |_| {}), 0);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn whatever_is_lost_is_marked(seed in 1u64..1_000_000, loss in 0.0f64..0.6) {
        check(&run(seed, loss, 64 << 10, 300));
    }
}
