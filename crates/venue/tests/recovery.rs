//! Books to trust: the whole output of a feed under loss, compared with a lossless run.
//!
//! One venue speaks; line A and line B lose packets on their own (1 % at random, bursts of 1 to 200),
//! both are cut for a second, B is 100 ms late, packets are doubled and overtaken; the request server
//! and the snapshot server fail in turn. Every frame that the feed publishes is compared with the one
//! that a lossless feed would have published. A difference is allowed where the frame is flagged and
//! nowhere else; what is missing altogether must lie in a hole that was told; and at the end every
//! book, unflagged, equals the lossless one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::hash::{DefaultHasher, Hash, Hasher};

use market::event::InstrumentId;
use market::feed::mold::{LINE_RECOVERY, MoldConfig};
use market::pipeline::{ItchPipeline, Offered, PipelineConfig, SnapshotConfig};
use market::publish::{
    Bar, BookTop, FeedState, FeedStatus, Frame, Integrity, Lost, Refreshed, Signal, TradePrint,
    Vwap,
};
use market::signal::JumpConfig;
use stdx::Rng;
use venue::{Packetiser, Retransmitter, Venue, VenueConfig};
use wire::moldudp64::Request;

const MS: u64 = 1_000_000;
const SECOND: u64 = 1_000 * MS;
const START: u64 = 1_795_392_000 * SECOND + 34_200 * SECOND;
const SESSION: [u8; 10] = *b"TEST000001";
const SIGNAL_MEMORY: u64 = 1_500 * MS;

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default)]
struct Trouble {
    /// Chance that a packet is lost alone, on each line.
    random: f64,
    /// Chance that a burst of 1 to 200 losses begins, on each line.
    burst: f64,
    /// Both lines say nothing in this span after the start, ms.
    cut: Option<(u64, u64)>,
    /// How late line B is, ms.
    b_late: u64,
    /// Packets are doubled and overtaken now and then.
    is_shuffled: bool,
    requests: Requests,
    snapshots: Snapshots,
    /// Nothing is received before this, ms.
    joins_at: u64,
    /// Garbage, cut packets, other sessions and absurd numbers arrive on line A.
    is_hostile: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Requests {
    #[default]
    Answered,
    Silent,
    /// Answers one packet of what was asked, and not always.
    Partial,
    /// Knows only the last messages.
    Short,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
enum Snapshots {
    None,
    #[default]
    Served,
    /// The first two die midway or never come.
    Dying,
}

fn config(trouble: &Trouble) -> PipelineConfig {
    PipelineConfig {
        midnight_ns: START - 34_200 * SECOND,
        instruments_limit: 32,
        orders_limit: 1 << 14,
        // Short windows and nervous signals, so that all kinds of frames fall into holes.
        bar_ns: vec![50 * MS, SECOND],
        vwap_length_ns: 500 * MS,
        vwap_step_ns: 10 * MS,
        jump: JumpConfig {
            threshold_bp: 2,
            volatility_tenths: 0,
            growth_percent: 200,
            cooldown_ns: 0,
            rearm_percent: 100,
            span_ns: 160 * MS,
        },
        signal_memory_ns: SIGNAL_MEMORY,
        mold: MoldConfig {
            has_snapshot: trouble.snapshots != Snapshots::None,
            retransmit_span_limit: 3_000,
            retransmit_age_limit_ns: 300 * MS,
            reorder_packets: 1_024,
            ..MoldConfig::default()
        },
        snapshot: SnapshotConfig {
            timeout_ns: 500 * MS,
            retry_ns: 50 * MS,
            kept_bytes_limit: 1 << 20,
            ..SnapshotConfig::default()
        },
        ..PipelineConfig::default()
    }
}

/// Everything that a lossless feed would have published, by what it is about.
#[derive(Default)]
struct Truth {
    trades: BTreeMap<u64, TradePrint>,
    bars: HashMap<(u32, u64, u64), Bar>,
    signals: HashMap<(u32, u64, String), Signal>,
    /// By instrument: each change of the top with the message that made it.
    books: HashMap<u32, Vec<(u64, u64)>>,
}

fn top_hash(top: &BookTop) -> u64 {
    let mut hasher = DefaultHasher::new();
    for level in top.bids[..usize::from(top.bid_count)]
        .iter()
        .chain(&top.asks[..usize::from(top.ask_count)])
    {
        (level.price.0, level.qty.0, level.orders).hash(&mut hasher);
    }
    (top.bid_count, top.ask_count, top.locked, top.crossed).hash(&mut hasher);
    top.state.hash(&mut hasher);
    hasher.finish()
}

impl Truth {
    fn take(&mut self, frame: &Frame) {
        match *frame {
            Frame::Trade(trade) => {
                self.trades.insert(trade.stamp.seq, trade);
            }
            Frame::Bar(bar) => {
                let key = (bar.instrument.0, bar.start_ns, bar.end_ns);
                assert!(self.bars.insert(key, bar).is_none());
            }
            Frame::Signal(signal) => {
                self.signals.insert(signal_key(&signal), signal);
            }
            _ => {}
        }
    }

    /// Whether the sums are those of all prints in the window.
    fn vwap_is(&self, vwap: &Vwap) -> bool {
        let (from, to) = (vwap.end_ns - vwap.length_ns, vwap.end_ns);
        let inside = self.trades.values().filter(|trade| {
            let at = trade.stamp.ts_event;
            trade.instrument == vwap.instrument && from <= at && at < to
        });
        let sums = inside.fold((0, 0, 0), |(notional, volume, count), trade| {
            let more = trade.price.times(trade.qty);
            (notional + more, volume + trade.qty.0, count + 1)
        });
        sums == (vwap.notional, vwap.volume.0, vwap.trades)
    }

    fn book_at(&self, id: InstrumentId, seq: u64) -> Option<u64> {
        let changes = self.books.get(&id.0)?;
        let idx = changes.partition_point(|&(at, _)| at <= seq);
        Some(changes[idx.checked_sub(1)?].1)
    }
}

fn signal_key(signal: &Signal) -> (u32, u64, String) {
    let kind = format!("{:?}", signal.kind);
    (signal.instrument.0, signal.stamp.seq, kind)
}

/// What the feed under trouble published, checked as it comes where that is possible.
#[derive(Default)]
struct Output {
    frames: Vec<(FeedStatus, Frame)>,
}

struct Line {
    rng: Rng,
    burst_left: u64,
    late_ns: u64,
    /// On the way: when it arrives, and what.
    flying: VecDeque<(u64, Vec<u8>)>,
    lost: u64,
}

impl Line {
    fn loses(&mut self, trouble: &Trouble, ms: u64) -> bool {
        if self.burst_left == 0 && self.rng.chance(trouble.burst) {
            self.burst_left = self.rng.range(1, 201);
        }
        let is_burst = self.burst_left > 0;
        self.burst_left = self.burst_left.saturating_sub(1);
        let is_cut = trouble.cut.is_some_and(|(from, to)| from <= ms && ms < to);
        let is_lost = is_burst | is_cut | self.rng.chance(trouble.random);
        self.lost += u64::from(is_lost);
        is_lost
    }
}

/// The number to go on from, and the frames.
type Snapshot = (u64, Vec<u8>);

struct World {
    trouble: Trouble,
    venue: Venue,
    packetiser: Packetiser,
    retransmitter: Retransmitter,
    lines: [Line; 2],
    rng: Rng,
    answers: VecDeque<(u64, Vec<u8>)>,
    /// The snapshot on its way, and when it arrives; one without content dies.
    snapshot: Option<(u64, Option<Snapshot>)>,
    snapshots_asked: u64,
    lossless: ItchPipeline,
    truth: Truth,
    feed: ItchPipeline,
    output: Output,
    now_ns: u64,
    spoke_ns: u64,
}

impl World {
    fn new(seed: u64, trouble: Trouble) -> Self {
        let root = Rng::new(seed);
        let venue = VenueConfig {
            symbols: 12,
            rate: 4_000.0,
            opening_peak: 4.0,
            orders_per_symbol: 60,
            ..VenueConfig::new(seed, START, START - 34_200 * SECOND)
        };
        let line = |label, late_ms| Line {
            rng: root.fork(label),
            burst_left: 0,
            late_ns: late_ms * MS,
            flying: VecDeque::new(),
            lost: 0,
        };
        let history = if trouble.requests == Requests::Short {
            500
        } else {
            1 << 17
        };
        Self {
            venue: Venue::new(venue),
            packetiser: Packetiser::new(SESSION, 700),
            retransmitter: Retransmitter::new(SESSION, history, 1_400),
            lines: [line(1, 0), line(2, trouble.b_late)],
            rng: root.fork(3),
            answers: VecDeque::new(),
            snapshot: None,
            snapshots_asked: 0,
            lossless: ItchPipeline::new(&config(&trouble)),
            truth: Truth::default(),
            feed: ItchPipeline::new(&config(&trouble)),
            output: Output::default(),
            now_ns: START,
            spoke_ns: START,
            trouble,
        }
    }

    fn step(&mut self, ms: u64, is_speaking: bool) {
        self.now_ns = START + ms * MS;
        let mut said = Vec::new();
        if is_speaking {
            self.venue.step(self.now_ns, &mut |message: &[u8]| {
                said.push(message.to_vec())
            });
        }
        let mut packets: Vec<Vec<u8>> = Vec::new();
        for message in &said {
            self.tell_truth(message);
            assert!(self.retransmitter.keep(message));
            let packetiser = &mut self.packetiser;
            packetiser.push(message, &mut |_, packet: &[u8]| {
                packets.push(packet.to_vec())
            });
        }
        self.packetiser
            .flush(&mut |_, packet: &[u8]| packets.push(packet.to_vec()));
        let beats = if is_speaking { 1_000 } else { 20 };
        if packets.is_empty() && self.now_ns >= self.spoke_ns + beats * MS {
            packets.push(self.packetiser.heartbeat().to_vec());
        }
        if !packets.is_empty() {
            self.spoke_ns = self.now_ns;
        }
        for packet in packets {
            self.send(ms, &packet, is_speaking);
        }
        if ms >= self.trouble.joins_at {
            self.arrive(ms);
        } else {
            self.lines.iter_mut().for_each(|line| line.flying.clear());
        }
        self.serve();
        self.publish();
    }

    fn tell_truth(&mut self, message: &[u8]) {
        self.lossless.message(self.now_ns, message);
        let seq = self.lossless.status().next_seq - 1;
        let mut frames = Vec::new();
        self.lossless.publish(&mut frames);
        for frame in &frames {
            self.truth.take(frame);
        }
        let locate = u16::from_be_bytes([message[1], message[2]]);
        let Some(id) = locate.checked_sub(1).map(|idx| InstrumentId(idx.into())) else {
            return;
        };
        let top = self.lossless.book_top(id).expect("named before");
        let changes = self.truth.books.entry(id.0).or_default();
        let hash = top_hash(&top);
        if changes.last().is_none_or(|&(_, last)| last != hash) {
            changes.push((seq, hash));
        }
    }

    fn send(&mut self, ms: u64, packet: &[u8], is_speaking: bool) {
        for line in &mut self.lines {
            if is_speaking && line.loses(&self.trouble, ms) {
                continue;
            }
            let mut at = self.now_ns + line.late_ns;
            if self.trouble.is_shuffled && line.rng.chance(0.02) {
                at += 2 * MS;
            }
            let copies = 1 + usize::from(self.trouble.is_shuffled && line.rng.chance(0.02));
            for _ in 0..copies {
                let idx = line.flying.partition_point(|&(due, _)| due <= at);
                line.flying.insert(idx, (at, packet.to_vec()));
            }
        }
    }

    fn arrive(&mut self, ms: u64) {
        if self.trouble.is_hostile {
            self.attack(ms);
        }
        for (number, line) in self.lines.iter_mut().enumerate() {
            while line
                .flying
                .front()
                .is_some_and(|&(at, _)| at <= self.now_ns)
            {
                let (_, packet) = line.flying.pop_front().expect("looked at");
                self.feed.packet(number, self.now_ns, &packet);
            }
        }
        while self
            .answers
            .front()
            .is_some_and(|&(at, _)| at <= self.now_ns)
        {
            let (_, packet) = self.answers.pop_front().expect("looked at");
            self.feed.packet(LINE_RECOVERY, self.now_ns, &packet);
        }
        if self
            .snapshot
            .as_ref()
            .is_some_and(|&(at, _)| at <= self.now_ns)
        {
            let (at, snapshot) = self.snapshot.take().expect("looked at");
            match snapshot {
                Some((next_seq, frames)) => {
                    let offered = self.feed.snapshot(self.now_ns, next_seq, &frames);
                    if offered == Offered::Early {
                        self.snapshot = Some((at, Some((next_seq, frames))));
                    }
                }
                None => self.feed.snapshot_failed(self.now_ns),
            }
        }
        self.feed.tick(self.now_ns);
    }

    /// Whatever somebody else on the group might send.
    fn attack(&mut self, ms: u64) {
        let next_seq = self.packetiser.next_seq();
        let packet = |session: [u8; 10], seq: u64| {
            let mut buffer = [0; 64];
            let mut writer = wire::moldudp64::PacketWriter::new(&mut buffer, session, seq);
            assert!(writer.push(b"not a message"));
            writer.finish().to_vec()
        };
        let packets = match ms % 40 {
            3 => vec![packet(*b"EVIL000001", 1), packet(*b"EVIL000001", 1)],
            7 => vec![packet(SESSION, u64::MAX - 5), packet(SESSION, 1 << 60)],
            11 => vec![b"garbage".to_vec(), vec![0xff; 30], Vec::new()],
            17 => {
                let mut cut = packet(SESSION, next_seq);
                cut.pop();
                vec![cut]
            }
            _ if ms % 1_000 == 500 => vec![packet(SESSION, next_seq + 300_000)],
            _ => return,
        };
        for packet in packets {
            self.feed.packet(0, self.now_ns, &packet);
        }
    }

    fn serve(&mut self) {
        while let Some(request) = self.feed.next_request() {
            self.answer(&request);
        }
        while self.feed.next_snapshot_request() {
            self.snapshots_asked += 1;
            let is_dying = self.trouble.snapshots == Snapshots::Dying && self.snapshots_asked <= 2;
            if is_dying {
                // One dies midway and says so; of the other nothing is ever heard.
                let died = (self.now_ns + 40 * MS, None);
                self.snapshot = (self.snapshots_asked == 1).then_some(died);
                continue;
            }
            let mut frames = Vec::new();
            let next_seq = self.venue.snapshot(&mut |message: &[u8]| {
                if message[0] != wire::glimpse::END_KIND {
                    frames.extend_from_slice(&(message.len() as u16).to_be_bytes());
                    frames.extend_from_slice(message);
                }
            });
            let at = self.now_ns + 60 * MS;
            self.snapshot = Some((at, Some((next_seq, frames))));
        }
    }

    fn answer(&mut self, request: &Request) {
        let at = self.now_ns + 2 * MS;
        let is_partial = self.trouble.requests == Requests::Partial;
        if self.trouble.requests == Requests::Silent || (is_partial && self.rng.chance(0.3)) {
            return;
        }
        let mut packets = Vec::new();
        // What is refused stays unanswered, as the protocol has it.
        let _refused = self
            .retransmitter
            .answer(request, &mut |packet: &[u8]| packets.push(packet.to_vec()));
        let limit = if is_partial { 1 } else { usize::MAX };
        let kept = packets.into_iter().take(limit);
        self.answers.extend(kept.map(|packet| (at, packet)));
    }

    fn publish(&mut self) {
        let mut frames = Vec::new();
        self.feed.publish(&mut frames);
        let status = self.feed.status();
        for frame in frames {
            let frame = self.renumbered(frame);
            if let Frame::Book(top) = &frame {
                self.check_book(top, status.next_seq - 1);
            }
            self.output.frames.push((status, frame));
        }
    }

    /// A feed that joins late numbers instruments as they come; the venue's order is the truth's.
    fn renumbered(&self, mut frame: Frame) -> Frame {
        let instruments = self.feed.instruments();
        let of = |id: &mut InstrumentId| {
            let symbol = instruments[id.0 as usize].symbol();
            let mut listings = self.venue.listings().iter();
            let idx = match symbol.strip_prefix('#') {
                Some(locate) => locate.parse::<u32>().expect("a code") - 1,
                None => listings
                    .position(|listing| listing.symbol == symbol)
                    .expect("listed") as u32,
            };
            *id = InstrumentId(idx);
        };
        match &mut frame {
            Frame::Book(top) => of(&mut top.instrument),
            Frame::Trade(trade) => of(&mut trade.instrument),
            Frame::Bar(bar) => of(&mut bar.instrument),
            Frame::Vwap(vwap) => of(&mut vwap.instrument),
            Frame::Signal(signal) => of(&mut signal.instrument),
            _ => {}
        }
        frame
    }

    /// An unflagged book is the lossless one as of the last message delivered.
    fn check_book(&self, top: &BookTop, applied_seq: u64) {
        if top.integrity == Integrity::Ok {
            let expected = self.truth.book_at(top.instrument, applied_seq);
            assert_eq!(
                Some(top_hash(top)),
                expected.or(Some(top_hash(&empty(top)))),
                "as of {applied_seq}: {top:?}"
            );
            if let Some(last) = top.last.filter(|last| last.integrity == Integrity::Ok) {
                let of_symbol = self.truth.trades.range(..=applied_seq).rev();
                let mut of_symbol = of_symbol.filter(|(_, t)| t.instrument == top.instrument);
                let newest = of_symbol.next().map(|(_, trade)| trade.match_id);
                assert_eq!(Some(last.match_id), newest, "as of {applied_seq}: {top:?}");
            }
        }
    }
}

/// A book before its first message.
fn empty(top: &BookTop) -> BookTop {
    BookTop {
        bid_count: 0,
        ask_count: 0,
        locked: false,
        crossed: false,
        state: market::event::TradingState::Unknown,
        ..*top
    }
}

/// Where something may be missing: by number, and by event time.
#[derive(Default)]
struct ToldHoles {
    open: Option<Lost>,
    seqs: Vec<(u64, u64)>,
    times: Vec<(u64, u64)>,
}

impl ToldHoles {
    fn read(frames: &[(FeedStatus, Frame)]) -> Self {
        let mut told = Self::default();
        for (_, frame) in frames {
            match *frame {
                Frame::Lost(lost) => {
                    told.open.get_or_insert(lost);
                }
                Frame::Refreshed(Refreshed { seq, until_ns, .. }) => told.close(seq, until_ns),
                _ => {}
            }
        }
        told.close(u64::MAX, u64::MAX);
        told
    }

    fn close(&mut self, seq: u64, until_ns: u64) {
        if let Some(lost) = self.open.take() {
            self.seqs.push((lost.from_seq, seq));
            self.times.push((lost.after_ns, until_ns));
        }
    }

    fn has_seq(&self, seq: u64) -> bool {
        self.seqs.iter().any(|&(from, to)| from <= seq && seq <= to)
    }

    fn touch(&self, from: u64, to: u64) -> bool {
        let touches = |&(begun, until): &(u64, u64)| begun < to && from <= until;
        self.times.iter().any(touches)
    }
}

/// How many frames of each kind were compared equal, and how many were flagged.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    equal: [u64; 4],
    flagged: [u64; 4],
    missing: u64,
}

fn compare(truth: &Truth, output: &Output) -> Counts {
    let told = ToldHoles::read(&output.frames);
    let mut counts = Counts::default();
    let (mut trades, mut bars, mut signals) = (HashMap::new(), HashMap::new(), HashMap::new());
    for (_, frame) in &output.frames {
        let (kind, integrity, is_equal) = match *frame {
            Frame::Trade(trade) => {
                assert!(
                    trades.insert(trade.stamp.seq, ()).is_none(),
                    "twice: {trade:?}"
                );
                let same = truth.trades.get(&trade.stamp.seq).is_some_and(|other| {
                    let of = |t: &TradePrint| {
                        (
                            t.instrument,
                            t.price,
                            t.qty,
                            t.aggressor,
                            t.cross,
                            t.match_id,
                        )
                    };
                    of(other) == of(&trade)
                });
                (0, trade.integrity, same)
            }
            Frame::Bar(bar) => {
                let key = (bar.instrument.0, bar.start_ns, bar.end_ns);
                assert!(bars.insert(key, ()).is_none(), "twice: {bar:?}");
                let integrity = Integrity::Ok;
                let same = truth.bars.get(&key).is_some_and(|other| {
                    Bar {
                        integrity,
                        ..*other
                    } == Bar { integrity, ..bar }
                });
                (1, bar.integrity, same)
            }
            Frame::Vwap(vwap) => (2, vwap.integrity, truth.vwap_is(&vwap)),
            Frame::Signal(signal) => {
                signals.insert(signal_key(&signal), ());
                (
                    3,
                    signal.integrity,
                    truth.signals.contains_key(&signal_key(&signal)),
                )
            }
            _ => continue,
        };
        assert!(
            is_equal || integrity > Integrity::Ok,
            "wrong and unflagged: {frame:?}"
        );
        counts.equal[kind] += u64::from(is_equal);
        counts.flagged[kind] += u64::from(integrity > Integrity::Ok);
    }
    for (seq, trade) in &truth.trades {
        if !trades.contains_key(seq) {
            counts.missing += 1;
            assert!(
                told.has_seq(*seq),
                "missing and not told: {trade:?} {:?} {:?}",
                told.seqs,
                output.frames.last().map(|(status, _)| status)
            );
        }
    }
    for (key @ (_, from, to), bar) in &truth.bars {
        if !bars.contains_key(key) {
            assert!(told.touch(*from, *to), "missing and not told: {bar:?}");
        }
    }
    for (key, signal) in &truth.signals {
        if !signals.contains_key(key) {
            let at = signal.stamp.ts_event;
            let from = at.saturating_sub(SIGNAL_MEMORY);
            assert!(told.touch(from, at + 1), "missing and not told: {signal:?}");
        }
    }
    counts
}

/// Runs a day of `seconds` and half a second of calm; everything is compared.
fn run(seed: u64, seconds: u64, trouble: Trouble) -> (World, Counts) {
    let mut world = World::new(seed, trouble);
    let end_ms = seconds * 1_000;
    for ms in 1..=end_ms {
        world.step(ms, true);
    }
    for ms in end_ms + 1..=end_ms + 4_000 {
        world.step(ms, false);
    }
    // The lossless bars end as the others do, by silence.
    let mut frames = Vec::new();
    world.lossless.tick(world.now_ns);
    world.lossless.publish(&mut frames);
    frames.iter().for_each(|frame| world.truth.take(frame));
    let counts = compare(&world.truth, &world.output);
    (world, counts)
}

/// Every book is whole again, unflagged, and equal.
fn check_end(world: &World, context: &str) {
    let status = world.feed.status();
    assert_eq!(status.state, FeedState::Live, "{context}: {status:?}");
    assert_eq!(
        world.feed.book_digest(),
        world.lossless.book_digest(),
        "{context}: {status:?}"
    );
    for id in 0..12 {
        let top = world.feed.book_top(InstrumentId(id)).expect("named");
        let Frame::Book(renumbered) = world.renumbered(Frame::Book(top)) else {
            panic!("it was a book");
        };
        let other = world.lossless.book_top(renumbered.instrument);
        let other = other.expect("named");
        assert_eq!(top_hash(&top), top_hash(&other), "{context}");
        assert_eq!(top.integrity, other.integrity, "{context}: {top:?}");
        assert!(top.bid_count > 0 || top.ask_count > 0);
    }
    assert_eq!(world.feed.growths(), 0, "{context}");
}

const LOSSY: Trouble = Trouble {
    random: 0.01,
    burst: 0.004,
    cut: None,
    b_late: 0,
    is_shuffled: true,
    requests: Requests::Answered,
    snapshots: Snapshots::Served,
    joins_at: 0,
    is_hostile: false,
};

fn check(name: &str, seeds: std::ops::Range<u64>, trouble: Trouble) -> Vec<(FeedStatus, Counts)> {
    let one = |seed| {
        let (world, counts) = run(seed, 4, trouble);
        check_end(&world, &format!("{name}, seed {seed}"));
        assert!(
            world
                .lines
                .iter()
                .all(|line| line.lost > 0 || trouble.random == 0.0)
        );
        (world.feed.status(), counts)
    };
    let all: Vec<_> = seeds.map(one).collect();
    println!("{name}: {:?}", all.last());
    all
}

#[test]
fn without_trouble_nothing_is_flagged() {
    let quiet = Trouble::default();
    for (status, counts) in check("quiet", 1..3, quiet) {
        assert_eq!((counts.flagged, counts.missing), ([0; 4], 0), "{status:?}");
        assert!(
            counts.equal[..3].iter().all(|&count| count > 20),
            "{counts:?}"
        );
    }
}

#[test]
fn random_and_bursty_loss_is_mended_by_the_other_line_and_by_retransmission() {
    for (status, counts) in check("lossy", 1..9, LOSSY) {
        assert!(status.recovered > 50 && status.lost == 0, "{status:?}");
        assert_eq!(counts.missing, 0, "{status:?}");
        assert!(
            counts.equal[..3].iter().all(|&count| count > 20),
            "{counts:?}"
        );
    }
}

#[test]
fn both_lines_cut_for_a_second() {
    let cut = Trouble {
        cut: Some((2_000, 3_000)),
        ..LOSSY
    };
    for requests in [Requests::Answered, Requests::Silent] {
        let trouble = Trouble { requests, ..cut };
        let all = check("cut", 1..5, trouble);
        let refreshed: u64 = all.iter().map(|(status, _)| status.refreshed).sum();
        assert!(refreshed > 0, "some cut was too much to ask for: {all:?}");
    }
}

#[test]
fn a_request_server_that_is_silent_partial_or_short_of_history() {
    for requests in [Requests::Silent, Requests::Partial, Requests::Short] {
        let trouble = Trouble { requests, ..LOSSY };
        let all = check(&format!("{requests:?}"), 10..13, trouble);
        let refreshed: u64 = all.iter().map(|(status, _)| status.refreshed).sum();
        let flagged: u64 = all
            .iter()
            .map(|(_, counts)| counts.flagged.iter().sum::<u64>())
            .sum();
        assert!(flagged > 0);
        if requests == Requests::Silent {
            assert!(refreshed > 0);
        }
    }
}

#[test]
fn snapshots_that_die_midway_or_never_come_are_asked_for_again() {
    let trouble = Trouble {
        requests: Requests::Silent,
        snapshots: Snapshots::Dying,
        ..LOSSY
    };
    for (status, _) in check("dying", 20..23, trouble) {
        assert!(
            status.snapshots_failed >= 2 && status.refreshed > 0,
            "{status:?}"
        );
    }
}

#[test]
fn line_b_a_tenth_of_a_second_late() {
    let trouble = Trouble {
        b_late: 100,
        ..LOSSY
    };
    check("late B", 30..33, trouble);
}

#[test]
fn joined_in_mid_session() {
    let trouble = Trouble {
        joins_at: 1_700,
        ..LOSSY
    };
    for (status, counts) in check("joined late", 40..43, trouble) {
        assert!(status.refreshed > 0 && counts.missing > 0, "{status:?}");
    }
}

#[test]
fn a_stranger_on_the_group_neither_moves_nor_starves_the_feed() {
    let trouble = Trouble {
        is_hostile: true,
        ..LOSSY
    };
    for (status, counts) in check("hostile", 50..53, trouble) {
        assert!(status.rejected > 100 && status.refuted > 0, "{status:?}");
        assert_eq!((status.lost, counts.missing), (0, 0), "{status:?}");
    }
}

/// Without a snapshot server a loss stays, and says so on every book until the end.
#[test]
fn without_any_server_everything_is_stale_and_nothing_is_wrong_unflagged() {
    let trouble = Trouble {
        requests: Requests::Silent,
        snapshots: Snapshots::None,
        ..LOSSY
    };
    let (world, _) = run(60, 8, trouble);
    let status = world.feed.status();
    assert!(status.lost > 0 && status.refreshed == 0, "{status:?}");
    for id in 0..12 {
        let top = world.feed.book_top(InstrumentId(id)).expect("named");
        assert_eq!(top.integrity, Integrity::Stale);
    }
}
