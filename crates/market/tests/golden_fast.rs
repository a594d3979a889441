//! FORTS FAST captures (2013-08-01): books rebuilt from increments equal every later snapshot; what
//! is lost on both lines is flagged until a snapshot mends it, and never wrong unflagged.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::measures::Twin;
use market::event::{Event, InstrumentId, Price, Qty, Side, Stamp};
use market::feed::fast::{FastConfig, FastFeed, FixFeed, LINE_SNAPSHOT};
use market::feed::refresh::{Handler, RefreshConfig, SnapshotCheck};
use market::pipeline::{FastPipeline, PipelineConfig, SecurityNames};
use market::publish::{Frame, Integrity};
use market::window::MeasureConfig;
use stdx::Rng;
use wire::fast11::{Decoder, Limits, Plan};

/// A datagram with what orders it: the venue's time, and the last increment that it knows.
#[derive(Clone)]
struct Datagram {
    bytes: Vec<u8>,
    sent: u64,
    seq: u64,
    /// Instrument and its own number, of a snapshot.
    book: Option<(u64, u64)>,
}

struct Captures {
    plan: Arc<Plan>,
    a: Vec<Datagram>,
    b: Vec<Datagram>,
    snapshots: Vec<Datagram>,
}

fn captures() -> Option<Captures> {
    let read = |name: &str| {
        let file = common::shared(&format!("fast/forts_20130801/{name}"))?;
        Some(std::fs::read(file).expect("it exists"))
    };
    let xml = String::from_utf8(read("templates.xml")?).expect("text");
    let plan = Arc::new(Plan::from_xml(&xml).expect("the venue's templates"));
    Some(Captures {
        a: datagrams(&plan, &read("increment_a.dat")?),
        b: datagrams(&plan, &read("increment_b.dat")?),
        snapshots: datagrams(&plan, &read("snapshot.dat")?),
        plan,
    })
}

/// Every datagram starts with a reset message.
fn datagrams(plan: &Arc<Plan>, bytes: &[u8]) -> Vec<Datagram> {
    let mut decoder = Decoder::new(Arc::clone(plan), Limits::default());
    let (mut datagrams, mut at): (Vec<Datagram>, usize) = (Vec::new(), 0);
    while at < bytes.len() {
        let (record, used) = decoder.decode(&bytes[at..]).expect("a message");
        if plan.is_reset(record.template_id()) {
            datagrams.push(Datagram {
                bytes: Vec::new(),
                sent: 0,
                seq: 0,
                book: None,
            });
        } else {
            let tag = |tag| {
                let slot = record.shape().slot_of_id(tag)?;
                record.u64(slot)
            };
            let datagram = datagrams.last_mut().expect("a reset goes first");
            datagram.sent = tag(52).expect("SendingTime");
            datagram.book = tag(48).zip(tag(83));
            datagram.seq = tag(369).or(tag(34)).expect("a number");
        }
        let datagram = datagrams.last_mut().expect("a reset goes first");
        datagram.bytes.extend(&bytes[at..at + used]);
        at += used;
    }
    datagrams
}

fn pipeline(plan: &Arc<Plan>) -> FastPipeline {
    let config = FastConfig {
        refresh: RefreshConfig {
            stale_after_ns: 5_000_000_000,
            ..RefreshConfig::default()
        },
        utc_offset_s: 14_400,
        ..FastConfig::default()
    };
    let names = SecurityNames::from([(49_634_118, "RIU3".to_string())]);
    let pipeline_config = PipelineConfig {
        instruments_limit: 16,
        ..PipelineConfig::default()
    };
    FastPipeline::new(Arc::clone(plan), &config, names, &pipeline_config)
}

type Book = [Vec<(Price, Qty)>; 2];

fn book_of(pipeline: &FastPipeline, id: InstrumentId) -> Book {
    let top = pipeline.events().book_top(id).expect("listed");
    let side = |levels: &[market::publish::Level], count: u8| {
        levels[..usize::from(count)]
            .iter()
            .map(|level| (level.price, level.qty))
            .collect()
    };
    [
        side(&top.bids, top.bid_count),
        side(&top.asks, top.ask_count),
    ]
}

/// The published book (by price) is the feed's (by rank).
fn assert_same_books(pipeline: &FastPipeline, id: InstrumentId) {
    let Some(ranked) = pipeline.feed().channel().refresh().ranked(id) else {
        return;
    };
    let [bids, asks] = book_of(pipeline, id);
    assert_eq!(
        (&bids[..], &asks[..]),
        (ranked.levels(Side::Bid), ranked.levels(Side::Ask))
    );
}

/// Snapshots as late as they may be: each comes when its last increment was applied.
#[test]
fn rebuilt_books_equal_later_snapshots() {
    let Some(captures) = captures() else { return };
    let mut pipeline = pipeline(&captures.plan);
    let mut increments = captures.a.iter().peekable();
    let (mut last, mut moved) = (BTreeMap::new(), 0);
    for snapshot in &captures.snapshots {
        while let Some(next) = increments.next_if(|next| next.seq <= snapshot.seq) {
            pipeline.packet(0, 1, &next.bytes).expect("good");
        }
        let before = pipeline.feed().channel().refresh().check();
        pipeline
            .packet(LINE_SNAPSHOT, 1, &snapshot.bytes)
            .expect("good");
        let after = pipeline.feed().channel().refresh().check();
        if let Some((security_id, rpt_seq)) = snapshot.book {
            let known = last.insert(security_id, rpt_seq);
            let has_moved = known.is_some_and(|known| known != rpt_seq);
            moved += usize::from(has_moved && after.checked > before.checked);
        }
        for id in 0..11 {
            if id < pipeline.feed().channel().refresh().len() {
                assert_same_books(&pipeline, InstrumentId(id as u32));
            }
        }
    }
    let feed = pipeline.feed().channel().refresh();
    let (checked, equal) = (7_831, 7_831);
    assert_eq!(feed.check(), SnapshotCheck { checked, equal });
    // The rest were of books that had not changed since the snapshot before.
    assert_eq!(moved, 2_839);
    assert_eq!(feed.len(), 11);
    assert_eq!(pipeline.events().status().rejected, 0);
}

const DAY_NS: u64 = 86_400_000_000_000;

/// Measures of every book equal what its quotes say. The captures hold no print, so what is measured
/// is spread, flow and microprice.
#[test]
fn measures_equal_the_quotes() {
    let Some(captures) = captures() else { return };
    // Some entries are told hours after they were made: a patient pipeline, and so longer steps.
    let measure = MeasureConfig {
        length_ns: 60_000_000_000,
        step_ns: 5_000_000_000,
        ..MeasureConfig::default()
    };
    let config = PipelineConfig {
        instruments_limit: 16,
        measure: Some(measure),
        bar_ns: vec![DAY_NS],
        lateness_ns: DAY_NS,
        ..PipelineConfig::default()
    };
    let feed = FastConfig {
        utc_offset_s: 14_400,
        ..FastConfig::default()
    };
    let plan = Arc::clone(&captures.plan);
    let mut pipeline = FastPipeline::new(plan, &feed, SecurityNames::new(), &config);
    let (mut twin, mut frames) = (Twin::new(measure, &[]), Vec::new());
    let mut increments = captures.a.iter().peekable();
    let mut publish = |pipeline: &mut FastPipeline| {
        pipeline.publish(&mut frames);
        frames.drain(..).for_each(|frame| twin.frame(&frame));
    };
    for snapshot in &captures.snapshots {
        while let Some(next) = increments.next_if(|next| next.seq <= snapshot.seq) {
            pipeline.packet(0, 1, &next.bytes).expect("good");
            publish(&mut pipeline);
        }
        pipeline
            .packet(LINE_SNAPSHOT, 1, &snapshot.bytes)
            .expect("good");
        publish(&mut pipeline);
    }
    // So patient a pipeline has told nothing yet: time passes step by step until it has.
    for step in 0..2 * (DAY_NS / measure.step_ns) {
        pipeline.tick(step * measure.step_ns);
        publish(&mut pipeline);
    }
    let late = pipeline.events().late_measures();
    assert_eq!((late.applied, late.dropped), (0, 0));
    let compared = twin.check();
    println!("{compared:?}");
    assert!(compared.two_sided > 400);
}

/// The lossless books by instrument and own number, and each one's last number by channel sequence.
struct Truth {
    books: BTreeMap<(u64, u64), Book>,
    numbers: BTreeMap<u64, BTreeMap<u64, u64>>,
}

fn truth(captures: &Captures) -> Truth {
    let mut pipeline = pipeline(&captures.plan);
    let mut truth = Truth {
        books: BTreeMap::new(),
        numbers: BTreeMap::new(),
    };
    // Each line lacks a few at an end.
    let both: BTreeMap<u64, &Datagram> = captures
        .a
        .iter()
        .chain(&captures.b)
        .map(|datagram| (datagram.seq, datagram))
        .collect();
    let mut increments = both.into_values().peekable();
    let mut note = |pipeline: &FastPipeline, seq: u64| {
        let feed = pipeline.feed().channel().refresh();
        for id in (0..feed.len()).map(|id| InstrumentId(id as u32)) {
            let security_id = feed.security_id(id).expect("listed");
            let Some(rpt_seq) = feed.rpt_seq(id) else {
                continue;
            };
            let numbers = truth.numbers.entry(security_id).or_default();
            if numbers.values().next_back() != Some(&rpt_seq) {
                numbers.insert(seq, rpt_seq);
                truth
                    .books
                    .insert((security_id, rpt_seq), book_of(pipeline, id));
            }
        }
    };
    for snapshot in &captures.snapshots {
        while let Some(next) = increments.next_if(|next| next.seq <= snapshot.seq) {
            pipeline.packet(0, 1, &next.bytes).expect("good");
            note(&pipeline, next.seq);
        }
        pipeline
            .packet(LINE_SNAPSHOT, 1, &snapshot.bytes)
            .expect("good");
        note(&pipeline, snapshot.seq);
    }
    for last in increments {
        pipeline.packet(0, 1, &last.bytes).expect("good");
        note(&pipeline, last.seq);
    }
    truth
}

/// Every book that is called good is the lossless one; returns how many are not called good.
fn assert_true(pipeline: &FastPipeline, truth: &Truth) -> usize {
    let feed = pipeline.feed().channel().refresh();
    let seen = feed.status().next_seq.saturating_sub(1);
    let mut flagged = 0;
    for id in (0..feed.len()).map(|id| InstrumentId(id as u32)) {
        let top = pipeline.events().book_top(id).expect("listed");
        if top.integrity != Integrity::Ok {
            flagged += 1;
            continue;
        }
        let security_id = feed.security_id(id).expect("listed");
        let rpt_seq = feed.rpt_seq(id).expect("a good book has a number");
        let newest = truth.numbers[&security_id].values().next_back();
        if newest.is_some_and(|newest| rpt_seq > *newest) {
            // The snapshots go on a little after the increments end.
            continue;
        }
        assert_eq!(
            book_of(pipeline, id),
            truth.books[&(security_id, rpt_seq)],
            "{security_id} at {rpt_seq}"
        );
        let numbers = truth.numbers[&security_id].range(..=seen);
        let due = numbers.last().map_or(0, |(_, number)| *number);
        assert!(
            rpt_seq >= due,
            "{security_id} is at {rpt_seq}, called good, but {due} was sent"
        );
    }
    flagged
}

/// What happens to a line.
#[derive(Clone, Copy)]
struct Trouble {
    seed: u64,
    /// Share lost, singly and in bursts of 1 to 200.
    loss: f64,
    /// Both lines are cut between these sequences.
    cut: (u64, u64),
    /// The share that comes a few packets late.
    late: f64,
}

fn line(datagrams: &[Datagram], trouble: Trouble, label: u64) -> Vec<(u64, Datagram)> {
    let mut rng = Rng::new(trouble.seed).fork(label);
    let (mut burst, mut out) = (0, Vec::new());
    for datagram in datagrams {
        if rng.chance(trouble.loss / 50.0) {
            burst = rng.range(1, 200);
        }
        let is_cut = (trouble.cut.0..trouble.cut.1).contains(&datagram.seq);
        if burst > 0 || is_cut || rng.chance(trouble.loss) {
            burst = u64::saturating_sub(burst, 1);
            continue;
        }
        let late = if rng.chance(trouble.late) { 3 } else { 0 };
        // Milliseconds of the venue's day do for an order, the hour being the same.
        out.push((datagram.sent + late, datagram.clone()));
        if rng.chance(trouble.late) {
            out.push((datagram.sent + 1, datagram.clone()));
        }
    }
    out
}

fn ns_of(sent: u64) -> u64 {
    let millis = sent % 100_000;
    let minutes = sent / 100_000 % 100 + sent / 10_000_000 % 100 * 60;
    (minutes * 60_000 + millis) * 1_000_000
}

fn run_with(captures: &Captures, truth: &Truth, trouble: Trouble) -> (u64, usize) {
    let mut pipeline = pipeline(&captures.plan);
    let mut packets: Vec<(u64, usize, Datagram)> = Vec::new();
    for (label, line_idx, datagrams) in [
        (1, 0, &captures.a),
        (2, 1, &captures.b),
        (3, LINE_SNAPSHOT, &captures.snapshots),
    ] {
        let trouble = match line_idx {
            LINE_SNAPSHOT => Trouble {
                cut: (0, 0),
                ..trouble
            },
            _ => trouble,
        };
        packets.extend(
            line(datagrams, trouble, label)
                .into_iter()
                .map(|(at, datagram)| (at, line_idx, datagram)),
        );
    }
    packets.sort_by_key(|packet| (ns_of(packet.0), packet.1));
    let mut flagged = 0;
    for (at, line_idx, datagram) in packets {
        let now_ns = ns_of(at);
        pipeline.tick(now_ns);
        pipeline
            .packet(line_idx, now_ns, &datagram.bytes)
            .expect("good");
        flagged += assert_true(&pipeline, truth);
    }
    // Snapshots went on after the increments: everything is good again.
    assert_eq!(assert_true(&pipeline, truth), 0);
    let lost = pipeline.events().status().lost;
    (lost, flagged)
}

/// One and a half percent lost on each line, bursts, late and doubled packets, and both lines cut
/// for a while: no book is ever wrong unless it is flagged, and all are good again in the end.
#[test]
fn loss_is_flagged_until_a_snapshot_mends_it() {
    let Some(captures) = captures() else { return };
    let truth = truth(&captures);
    let calm = Trouble {
        seed: 0,
        loss: 0.0,
        cut: (0, 0),
        late: 0.0,
    };
    let (lost, flagged_calm) = run_with(&captures, &truth, calm);
    assert_eq!(lost, 0);
    for seed in 1..=3 {
        let trouble = Trouble {
            seed,
            loss: 0.015,
            cut: (485_000, 485_040),
            late: 0.05,
        };
        let (lost, flagged) = run_with(&captures, &truth, trouble);
        assert!(lost > 40, "only {lost} lost on both lines");
        assert!(flagged > flagged_calm, "{flagged} flagged");
        println!("seed {seed}: {lost} messages lost, {flagged} flagged books seen");
    }
}

/// Without snapshots nothing is ever called good, and it is called stale after a while.
#[test]
fn without_snapshots_books_are_never_called_good() {
    let Some(captures) = captures() else { return };
    let mut pipeline = pipeline(&captures.plan);
    let mut frames = Vec::new();
    for datagram in &captures.a {
        let now_ns = ns_of(datagram.sent);
        pipeline.tick(now_ns);
        pipeline.packet(0, now_ns, &datagram.bytes).expect("good");
        pipeline.publish(&mut frames);
    }
    let is_good = |frame: &Frame| match frame {
        Frame::Book(top) => top.integrity == Integrity::Ok,
        _ => false,
    };
    assert!(!frames.iter().any(is_good));
    let stale = (0..9).filter(|id| {
        let top = pipeline.events().book_top(InstrumentId(*id));
        top.is_some_and(|top| top.integrity == Integrity::Stale)
    });
    assert_eq!(stale.count(), 9);
}

/// Everything that a feed says, as text.
#[derive(Default)]
struct Script(Vec<String>);

impl Handler for Script {
    fn listed(&mut self, id: InstrumentId, security_id: u64) {
        self.0.push(format!("{id:?} is {security_id}"));
    }
    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) {
        self.0.push(format!("{id:?} {stamp:?} {event:?}"));
    }
    fn integrity(&mut self, id: InstrumentId, integrity: Integrity) {
        self.0.push(format!("{id:?} {integrity:?}"));
    }
}

/// The same messages as FIX tag=value (derived from the captures by another decoder): the same
/// events, times and flags.
#[test]
fn fix_messages_give_the_same_events() {
    let fix = |name: &str| {
        let file = common::shared(&format!("fix/{name}.fix"))?;
        Some(std::fs::read(file).expect("it exists"))
    };
    let (Some(captures), Some(increments), Some(snapshots)) = (
        captures(),
        fix("forts_20130801_incremental_a_first3000"),
        fix("forts_20130801_snapshot_first1000"),
    ) else {
        return;
    };
    let framed = |bytes| -> Vec<&[u8]> {
        let frames = wire::fix::Frames::new(bytes, 65_536);
        frames
            .map(|message| message.expect("whole").bytes())
            .collect()
    };
    let (increments, snapshots) = (framed(&increments), framed(&snapshots));
    let books: Vec<_> = captures
        .snapshots
        .iter()
        .filter(|datagram| datagram.book.is_some())
        .collect();

    let config = RefreshConfig::default();
    let fast_config = FastConfig {
        utc_offset_s: 14_400,
        ..FastConfig::default()
    };
    let mut fast = FastFeed::new(Arc::clone(&captures.plan), &fast_config);
    let mut tag_value = FixFeed::new(config, 14_400);
    let (mut of_fast, mut of_fix) = (Script::default(), Script::default());
    // Increments and snapshots in the order of the venue's numbers.
    let mut next = 0;
    for (at, snapshot) in snapshots.iter().enumerate() {
        while next < increments.len() && captures.a[next].seq <= books[at].seq {
            let increment = &captures.a[next].bytes;
            fast.packet(0, 1, increment, &mut of_fast).expect("good");
            tag_value
                .message(0, 1, increments[next], &mut of_fix)
                .expect("good");
            next += 1;
        }
        fast.packet(LINE_SNAPSHOT, 1, &books[at].bytes, &mut of_fast)
            .expect("good");
        tag_value
            .message(LINE_SNAPSHOT, 1, snapshot, &mut of_fix)
            .expect("good");
    }
    assert!(
        next > 500,
        "only {next} increments before the last snapshot"
    );
    for (at, increment) in increments.iter().enumerate().skip(next) {
        fast.packet(0, 1, &captures.a[at].bytes, &mut of_fast)
            .expect("good");
        tag_value
            .message(0, 1, increment, &mut of_fix)
            .expect("good");
    }
    assert!(of_fast.0.len() > 8_000, "{} events", of_fast.0.len());
    assert_eq!(of_fast.0, of_fix.0);
    let check = |feed: &market::feed::refresh::RefreshFeed| feed.check();
    let (theirs, ours) = (
        check(tag_value.channel().refresh()),
        check(fast.channel().refresh()),
    );
    assert_eq!(theirs, ours);
    println!("{} lines of script, {ours:?}", of_fast.0.len());
}
