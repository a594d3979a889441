//! What goes wrong on the lines, in the lane and at its reader, over real sockets: each is counted,
//! what it touches is flagged, and the stream goes on until every book is the venue's.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;
#[path = "common/venue.rs"]
mod over_wire;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::io;
use std::time::{Duration, Instant};

use common::eventually;
use engine::lane::{Command, Lane, LaneConfig, LaneState, Timeline};
use engine::source::{Source, Unit};
use engine::udp::UdpSource;
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{FeedState, FeedStatus, Frame, Integrity, TradePrint};
use over_wire::{Day, MIDNIGHT, SECOND, SESSION, START, Wire, day, wire};
use stdx::Rng;
use venue::{LossConfig, PAYLOAD_LIMIT, Packetiser, Venue, VenueConfig};
use wire::moldudp64::{PacketWriter, Request};

const MS: u64 = SECOND / 1_000;

fn config() -> PipelineConfig {
    PipelineConfig {
        midnight_ns: MIDNIGHT,
        ..PipelineConfig::default()
    }
}

/// A lane on a wire, and all that it published.
struct Feed {
    wire: Wire,
    lane: Lane,
    status: FeedStatus,
    frames: Vec<Frame>,
}

impl Feed {
    fn open(loss: LossConfig, ring: usize) -> Self {
        let (wire, source) = wire(loss, 1 << 18);
        Self::around(wire, source, ring)
    }

    fn around(wire: Wire, source: impl Source + 'static, ring: usize) -> Self {
        let lane = LaneConfig {
            ring_capacity: ring,
            ..LaneConfig::new("faults")
        };
        let lane = Lane::spawn(lane, || ItchPipeline::new(&config()), source).expect("a thread");
        eventually("the lane to run", || lane.state() == LaneState::Running);
        Self {
            wire,
            lane,
            status: FeedStatus::default(),
            frames: Vec::new(),
        }
    }

    fn look(&mut self) {
        self.wire.serve();
        while let Some(frame) = self.lane.next_frame() {
            if let Frame::Feed(status) = frame {
                self.status = status;
            }
            self.frames.push(frame);
        }
    }

    /// Sends what `others` says beside each packet, and the packet.
    fn play(&mut self, packets: &[Vec<u8>], mut others: impl FnMut(&mut Wire, usize)) {
        for (idx, packet) in packets.iter().enumerate() {
            others(&mut self.wire, idx);
            self.wire.send(packet);
            if idx % 16 == 15 {
                self.look();
                std::thread::sleep(Duration::from_micros(300));
            }
        }
    }

    fn until_delivered(&mut self, session: [u8; 10], last_seq: u64) {
        let heartbeat = wire::moldudp64::heartbeat(session, last_seq + 1);
        let began = Instant::now();
        while self.status.next_seq != last_seq + 1 || self.status.state != FeedState::Live {
            assert!(
                began.elapsed() < Duration::from_secs(20),
                "{:?}",
                self.status
            );
            self.wire.lines[0].send(&heartbeat).expect("sent");
            self.look();
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// Every message was delivered and every book is the venue's, unflagged.
    fn check_end(&mut self, day: &Day) {
        self.until_delivered(SESSION, day.last_seq);
        assert_eq!(
            self.digest(day.last_seq),
            day.digests.last().expect("some").1
        );
        assert!(self.flags().values().all(|flag| *flag == Integrity::Ok));
    }

    fn digest(&mut self, seq: u64) -> u64 {
        assert!(self.lane.commander().send(Command::DigestAt(seq)));
        let mut got = None;
        eventually("the digest", || {
            got = self.lane.take_digest();
            got.is_some()
        });
        got.expect("awaited").1
    }

    /// The flag of each book as published last.
    fn flags(&mut self) -> HashMap<u32, Integrity> {
        let until = Instant::now() + Duration::from_millis(50);
        while Instant::now() < until {
            self.look();
            std::thread::sleep(Duration::from_millis(1));
        }
        let books = self.frames.iter().filter_map(|frame| match frame {
            Frame::Book(top) => Some((top.instrument.0, top.integrity)),
            _ => None,
        });
        books.collect()
    }
}

fn packet_of(session: [u8; 10], seq: u64, message: &[u8]) -> Vec<u8> {
    let mut buffer = [0; 128];
    let mut writer = PacketWriter::new(&mut buffer, session, seq);
    assert!(writer.push(message));
    writer.finish().to_vec()
}

#[test]
fn garbage_and_cut_packets_on_one_line_are_counted_kept_and_cost_nothing() {
    let day = day(11, 3_000.0, 3);
    let mut feed = Feed::open(LossConfig::NONE, 8_192);
    let mut rng = Rng::new(5);
    let mut sent = 0;
    let packets = day.packets.clone();
    feed.play(&day.packets, |wire, idx| {
        let garbage: Vec<u8> = match idx % 5 {
            0 => (0..rng.range(0, 1_400))
                .map(|_| rng.range(0, 256) as u8)
                .collect(),
            // The coming packet, cut in its header or in a message.
            1 => {
                let whole = &packets[idx];
                whole[..rng.below(whole.len() as u64) as usize].to_vec()
            }
            2 => vec![0xff; 20],
            _ => return,
        };
        sent += 1;
        wire.lines[0].send(&garbage).expect("sent");
    });
    feed.check_end(&day);
    let status = feed.status;
    assert!(status.lines[0].malformed > sent / 3, "{sent}: {status:?}");
    assert!(status.rejected >= status.lines[0].malformed, "{status:?}");
    assert_eq!(
        (status.lost, status.lines[1].malformed),
        (0, 0),
        "{status:?}"
    );
    let offender = feed
        .lane
        .next_offender()
        .expect("the first of them is kept");
    assert_eq!(offender.line, 0);
    assert!(!offender.reason.to_string().is_empty());
}

/// Both lines bring it, so it has a number and nobody can bring another: its symbol is suspect, and
/// only that.
#[test]
fn a_message_that_cannot_be_read_flags_its_symbol_alone() {
    let day = day(12, 2_000.0, 2);
    let mut feed = Feed::open(LossConfig::NONE, 8_192);
    let mut packetiser = Packetiser::new(SESSION, PAYLOAD_LIMIT);
    let mut packets = Vec::new();
    let bad_at = day.messages.len() / 2;
    for (idx, message) in day.messages.iter().enumerate() {
        let mut send = |_, packet: &[u8]| packets.push(packet.to_vec());
        if idx == bad_at {
            // An add for the symbol of locate code 3 that breaks off.
            assert!(packetiser.push(&[b'A', 0, 3, 0, 0, 1, 2, 3], &mut send));
        }
        assert!(packetiser.push(message, &mut send));
        if idx % 10 == 0 {
            packetiser.flush(&mut send);
        }
    }
    packetiser.flush(&mut |_, packet: &[u8]| packets.push(packet.to_vec()));
    feed.play(&packets, |_, _| ());
    feed.until_delivered(SESSION, day.last_seq + 1);
    let flags = feed.flags();
    assert_eq!(flags[&2], Integrity::Suspect);
    let others = flags.iter().filter(|(id, _)| **id != 2);
    assert!(others.clone().count() > 50);
    assert!(others.into_iter().all(|(_, flag)| *flag == Integrity::Ok));
    assert_eq!(
        feed.digest(day.last_seq + 1),
        day.digests.last().expect("some").1
    );
    assert_eq!(feed.status.rejected, 1);
}

#[test]
fn a_malicious_sender_on_the_group_neither_moves_nor_stops_the_feed() {
    let day = day(13, 3_000.0, 3);
    let mut feed = Feed::open(LossConfig::NONE, 8_192);
    let mut next_seq = 1;
    let firsts: Vec<u64> = day
        .packets
        .iter()
        .map(|packet| {
            let first = next_seq;
            let parsed = wire::moldudp64::Packet::parse(packet).expect("our own");
            next_seq += u64::from(parsed.messages().count() as u32);
            first
        })
        .collect();
    feed.play(&day.packets, |wire, idx| {
        // Whoever speaks first is believed for two seconds: that is another story.
        if idx < 50 {
            return;
        }
        let seq = firsts[idx];
        let lie = b"S\0\0\0\0\0\0\0\0\0\0O";
        let packet = match idx % 8 {
            0 => packet_of(*b"EVIL000001", 1, lie),
            1 => packet_of(SESSION, u64::MAX - 3, lie),
            2 => packet_of(SESSION, seq + (1 << 40), lie),
            // Near enough to be believed for a moment.
            3 if idx % 200 == 3 => packet_of(SESSION, seq + 300_000, lie),
            4 => packet_of(SESSION, seq.saturating_sub(50).max(1), lie),
            5 => wire::moldudp64::heartbeat(*b"EVIL000001", 1).to_vec(),
            _ => return,
        };
        wire.lines[usize::from(idx % 3 == 0)]
            .send(&packet)
            .expect("sent");
    });
    // What it made us hold back is let go when the lines know nothing of it.
    feed.check_end(&day);
    let status = feed.status;
    assert!(status.rejected > 100 && status.refuted > 0, "{status:?}");
    assert_eq!(status.lost, 0, "{status:?}");
}

#[test]
fn both_lines_cut_for_a_second_are_made_good_by_requests_and_flagged_meanwhile() {
    let day = day(14, 4_000.0, 4);
    let mut feed = Feed::open(LossConfig::NONE, 8_192);
    let (from, to) = (day.packets.len() / 2, day.packets.len() * 3 / 4);
    feed.play(&day.packets[..from], |_, _| ());
    day.packets[from..to]
        .iter()
        .for_each(|packet| feed.wire.lose(packet));
    let before = feed.frames.len();
    // The gap opens with the next packet; nobody answers for a while.
    feed.wire.send(&day.packets[to]);
    let until = Instant::now() + Duration::from_millis(80);
    while Instant::now() < until {
        while let Some(frame) = feed.lane.next_frame() {
            feed.frames.push(frame);
        }
    }
    let books = feed.frames[before..]
        .iter()
        .filter_map(|frame| match frame {
            Frame::Book(top) => Some(top.integrity),
            _ => None,
        });
    assert!(books.clone().count() > 50);
    assert_eq!(books.clone().next_back(), Some(Integrity::Recovering));
    feed.play(&day.packets[to + 1..], |_, _| ());
    feed.check_end(&day);
    let status = feed.status;
    assert!(status.recovered > 2_000 && status.lost == 0, "{status:?}");
}

#[test]
fn packets_doubled_and_out_of_order_make_no_difference() {
    let day = day(15, 3_000.0, 3);
    let mut feed = Feed::open(LossConfig::NONE, 8_192);
    let mut rng = Rng::new(9);
    for window in day.packets.chunks(8) {
        window.iter().for_each(|packet| feed.wire.lose(packet));
        for line in 0..2 {
            let mut order: Vec<usize> = (0..window.len()).chain(0..window.len()).collect();
            for place in (1..order.len()).rev() {
                order.swap(place, rng.below(place as u64 + 1) as usize);
            }
            for idx in order {
                feed.wire.lines[line].send(&window[idx]).expect("sent");
            }
        }
        feed.look();
        std::thread::sleep(Duration::from_micros(300));
    }
    feed.check_end(&day);
    let status = feed.status;
    assert!(status.lines[0].duplicates > 100, "{status:?}");
    assert!(status.gaps > 0 && status.lost == 0, "{status:?}");
    assert!(
        feed.frames
            .iter()
            .all(|frame| !matches!(frame, Frame::Lost(_)))
    );
}

/// Prints and closed bars by what they are about, without when they were received.
fn output(frames: &[Frame]) -> (BTreeMap<(u64, u64), TradePrint>, HashSet<String>, u64) {
    let (mut trades, mut bars, mut twice) = (BTreeMap::new(), HashSet::new(), 0);
    for frame in frames {
        match *frame {
            Frame::Trade(mut trade) => {
                trade.stamp.ts_recv = 0;
                // Both sessions number from 1, and event time tells them apart.
                let key = (trade.stamp.ts_event, trade.stamp.seq);
                twice += u64::from(trades.insert(key, trade).is_some());
            }
            Frame::Bar(bar) => twice += u64::from(!bars.insert(format!("{bar:?}"))),
            _ => {}
        }
    }
    (trades, bars, twice)
}

/// The venue ends its session and begins another, whose numbers start again, while both lines lose
/// packets: the whole output is that of a feed that lost nothing.
#[test]
fn a_new_session_under_loss_gives_the_output_of_a_lossless_one() {
    let second = |from: u64| {
        let mut venue = Venue::new(VenueConfig {
            rate: 3_000.0,
            ..VenueConfig::new(99, from, MIDNIGHT)
        });
        let mut packetiser = Packetiser::new(*b"TEST000002", PAYLOAD_LIMIT);
        let mut packets = Vec::new();
        for step in 1..=2_000 {
            let mut send = |_, packet: &[u8]| packets.push(packet.to_vec());
            venue.step(from + step * MS, &mut |message: &[u8]| {
                assert!(packetiser.push(message, &mut send));
            });
            packetiser.flush(&mut send);
        }
        (packets, venue.seq(), venue.book_digest())
    };
    let first = day(16, 3_000.0, 2);
    let (packets, last_seq, digest) = second(START + 3_600 * SECOND);
    let run = |loss: LossConfig| {
        let mut feed = Feed::open(loss, 1 << 16);
        feed.play(&first.packets, |_, _| ());
        feed.check_end(&first);
        let end = wire::moldudp64::end_of_session(SESSION, first.last_seq + 1);
        while feed.status.state != FeedState::Ended {
            feed.wire
                .lines
                .iter()
                .for_each(|line| line.send(&end).map(drop).expect("sent"));
            std::thread::sleep(Duration::from_millis(1));
            feed.look();
        }
        feed.wire.restart(*b"TEST000002");
        feed.play(&packets, |_, _| ());
        feed.until_delivered(*b"TEST000002", last_seq);
        assert_eq!(feed.digest(last_seq), digest);
        assert_eq!(feed.status.lost, 0, "{:?}", feed.status);
        (output(&feed.frames), feed.status)
    };
    let lossy = LossConfig {
        random: 0.02,
        burst: 0.002,
        burst_mean: 10.0,
    };
    let ((trades, bars, twice), status) = run(lossy);
    let ((all_trades, all_bars, all_twice), _) = run(LossConfig::NONE);
    assert_eq!((twice, all_twice), (0, 0));
    assert!(status.recovered > 0, "{status:?}");
    assert!(all_trades.len() > 300);
    let without_flag = |trade: &TradePrint| TradePrint {
        integrity: Integrity::Ok,
        ..*trade
    };
    let only = |some: &BTreeMap<_, _>, others: &BTreeMap<_, _>| -> Vec<TradePrint> {
        let missing = some.iter().filter(|(key, _)| !others.contains_key(*key));
        missing.map(|(_, trade)| *trade).collect()
    };
    assert_eq!(
        only(&trades, &all_trades),
        [],
        "missing in the lossless run"
    );
    assert_eq!(only(&all_trades, &trades), [], "missing in the lossy run");
    // The lossless run has a hole too: what the second session says before it is believed.
    for (trade, other) in trades.values().zip(all_trades.values()) {
        assert_eq!(without_flag(trade), without_flag(other));
    }
    // A bar that closed while a gap was open says so, and is whole all the same.
    let plain = |bars: &HashSet<String>| -> HashSet<String> {
        bars.iter()
            .map(|bar| bar.replace("Recovering", "Ok"))
            .collect()
    };
    let (bars, all_bars) = (plain(&bars), plain(&all_bars));
    // How many had ended when each run was over depends on its last heartbeat.
    assert!(bars.is_subset(&all_bars) || all_bars.is_subset(&bars));
    assert!(bars.len().min(all_bars.len()) > 50);
}

/// A source whose thread is taken away once, for long.
struct Stalling {
    inner: UdpSource,
    at: u64,
    polls: u64,
    stall: Duration,
}

impl Source for Stalling {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        self.polls += 1;
        if self.inner.bytes() > self.at {
            self.at = u64::MAX;
            std::thread::sleep(self.stall);
        }
        self.inner.poll(f)
    }
    fn unit(&self) -> Unit {
        self.inner.unit()
    }
    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        self.inner.wait(timeout_ns)
    }
    fn kernel_drops(&self, line: usize) -> u64 {
        self.inner.kernel_drops(line)
    }
    fn request(&mut self, request: &Request) -> io::Result<()> {
        self.inner.request(request)
    }
    fn bytes(&self) -> u64 {
        self.inner.bytes()
    }
}

/// The kernel keeps what it can and says how much it could not; the rest is asked for again, and the
/// histogram shows the stall.
#[test]
fn a_stalled_lane_is_seen_in_the_histogram_and_loses_nothing_for_good() {
    let day = day(17, 8_000.0, 4);
    let (wire, source) = over_wire::wire_with_buffers(LossConfig::NONE, 1 << 18, 16 << 10);
    let source = Stalling {
        inner: source,
        at: 100_000,
        polls: 0,
        stall: Duration::from_millis(300),
    };
    let mut feed = Feed::around(wire, source, 8_192);
    feed.play(&day.packets, |_, _| ());
    feed.check_end(&day);
    eventually("a report", || feed.lane.report().latency.count > 100);
    let report = feed.lane.report();
    assert!(report.latency.max_ns > 150 * MS, "{report:?}");
    let status = feed.status;
    assert!(status.lines[0].kernel_drops > 0, "{status:?}");
    assert!(status.recovered > 0 && status.lost == 0, "{status:?}");
}

/// Nobody takes frames for a while: newer states replace older ones, lossless frames are counted and
/// marked, and the lane never waits.
#[test]
fn a_full_ring_is_marked_and_the_books_are_the_newest_afterwards() {
    let day = day(18, 20_000.0, 3);
    let mut feed = Feed::open(LossConfig::NONE, 32);
    for (idx, packet) in day.packets.iter().enumerate() {
        feed.wire.send(packet);
        if idx % 16 == 15 {
            feed.wire.serve();
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    assert!(feed.frames.is_empty(), "nobody has read");
    feed.check_end(&day);
    let marked: u64 = feed
        .frames
        .iter()
        .map(|frame| match frame {
            Frame::Dropped { count } => *count,
            _ => 0,
        })
        .sum();
    let report = feed.lane.report();
    assert!(report.frames_refused > 0, "{report:?}");
    let trades = feed
        .frames
        .iter()
        .filter(|f| matches!(f, Frame::Trade(_)))
        .count();
    println!("{marked} marked, {trades} prints taken, {report:?}");
    assert_eq!(feed.status.lost, 0);
    assert!(
        feed.status.lines[0].kernel_drops == 0,
        "the lane waited for its reader"
    );
}

/// The machine's clock is set an hour forward and two hours back between two packets. A lane's time
/// takes no notice: all windows are those of a machine whose clock was left alone.
#[test]
fn a_clock_that_jumps_makes_no_window_late() {
    let day = day(19, 3_000.0, 4);
    let hour = 3_600 * SECOND as i64;
    let run = |jumps: &[(usize, i64)], is_kept_out: bool| {
        let mut pipeline = ItchPipeline::new(&config());
        let (mut timeline, mut frames) = (Timeline::default(), Vec::new());
        let mut utc = START + 77 * SECOND;
        let began = utc;
        let mut passed = 0;
        for (idx, packet) in day.packets.iter().enumerate() {
            for (at, by) in jumps {
                if *at == idx {
                    utc = utc.saturating_add_signed(*by);
                }
            }
            (utc, passed) = (utc + MS, passed + MS);
            let stamp = utc - 20_000;
            if is_kept_out {
                if timeline.is_doubtful(utc) {
                    timeline.compare(utc, passed);
                }
                let now = timeline.now(utc);
                pipeline.packet(0, timeline.stamp(stamp, now), packet);
                timeline.compare(utc, passed);
                pipeline.tick(now);
            } else {
                pipeline.packet(0, stamp, packet);
                pipeline.tick(utc);
            }
            pipeline.publish(&mut frames);
        }
        let (late, _) = pipeline.late();
        assert!(passed == day.packets.len() as u64 * MS && utc != began);
        (output(&frames), late.dropped, timeline.steps())
    };
    let third = day.packets.len() / 3;
    let jumps = [(third, hour), (2 * third, -2 * hour)];
    let (calm, late, steps) = run(&[], true);
    assert_eq!((late, steps), (0, 0));
    assert_eq!(run(&[], false).0, calm, "without a jump nothing is changed");
    let (jumped, late, steps) = run(&jumps, true);
    assert_eq!((late, steps), (0, 2));
    assert_eq!(jumped, calm);
}
