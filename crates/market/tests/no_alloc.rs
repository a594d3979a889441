//! After warm-up a pipeline takes no memory: a million messages, two lines, losses, publishing.
#![allow(unsafe_code, reason = "a global allocator cannot be written without")]

mod common;

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

use common::stream::{Stream, packet};
use market::event::Qty;
use market::feed::mold::LINE_RECOVERY;
use market::pipeline::{DepthPipeline, DepthVenue, ItchPipeline, PipelineConfig};
use market::publish::{BarRule, Frame, Sink};
use market::window::MeasureConfig;

thread_local! {
    static COUNT: Cell<u64> = const { Cell::new(0) };
}

struct Counting;

// SAFETY: every call is passed on unchanged to the system allocator; the counter is a `Cell` of a
// plain integer, whose access neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let _ = COUNT.try_with(|count| count.set(count.get() + 1));
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promises are those of `System`.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

fn allocations() -> u64 {
    COUNT.with(Cell::get)
}

/// Counts frames and refuses one in seven, as a full ring would.
#[derive(Default)]
struct Ring {
    frames: u64,
    states: u64,
    offers: u64,
}

impl Sink for Ring {
    fn offer(&mut self, frame: &Frame) -> bool {
        self.offers += 1;
        let is_taken = !self.offers.is_multiple_of(7);
        self.frames += u64::from(is_taken);
        self.states += u64::from(is_taken && matches!(frame, Frame::State(_)));
        is_taken
    }
}

/// All that a pipeline can be asked for.
fn everything() -> PipelineConfig {
    let rules = [
        "spread-blowout",
        "imbalance",
        "wide: spread > 0.01 && ema(volume) >= 0",
    ];
    PipelineConfig {
        measure: Some(MeasureConfig::default()),
        state_step_ns: Some(100_000_000),
        activity: vec![
            BarRule::Ticks(10),
            BarRule::Volume(Qty(1_000)),
            BarRule::Notional(1 << 50),
            BarRule::Session(1_000_000_000),
        ],
        rules: rules
            .map(|rule| rule.parse().expect("a sound rule"))
            .to_vec(),
        join_tolerance_ns: Some(u64::MAX),
        has_reference: true,
        ..PipelineConfig::default()
    }
}

#[test]
fn a_million_itch_messages_take_no_memory() {
    const WARM_UP: usize = 200_000;
    let mut stream = Stream::new(5, 50, 30_000);
    stream.extend(1_200_000);
    let packets = stream.packets(5);
    let mut pipeline = ItchPipeline::new(&PipelineConfig {
        instruments_limit: 64,
        orders_limit: 1 << 16,
        ..everything()
    });
    let mut ring = Ring::default();
    let mut before = None;
    let mut now_ns = 1_000;
    let mut replies: Vec<Vec<u8>> = Vec::with_capacity(1 << 12);
    for (n, (seq, bytes)) in packets.iter().enumerate() {
        if *seq > WARM_UP as u64 && before.is_none() {
            before = Some((allocations(), pipeline.status().next_seq));
        }
        now_ns += 30_000;
        // One packet in twenty comes by neither line, one in ten by one of them.
        let is_lost = n % 20 == 7;
        if !is_lost && n % 10 != 3 {
            pipeline.packet(0, now_ns, bytes);
        }
        if !is_lost {
            pipeline.packet(1, now_ns, bytes);
        }
        pipeline.tick(now_ns);
        pipeline.publish(&mut ring);
        // Making the reply allocates; that is the server's memory, not the pipeline's.
        let pause = allocations();
        while let Some(request) = pipeline.next_request() {
            let from = request.seq as usize - 1;
            let to = from + usize::from(request.count);
            replies.push(packet(request.seq, &stream.messages[from..to]));
        }
        if let Some((before, _)) = &mut before {
            *before += allocations() - pause;
        }
        if n % 4 == 0 {
            for reply in &replies {
                pipeline.packet(LINE_RECOVERY, now_ns, reply);
            }
            let pause = allocations();
            replies.clear();
            if let Some((before, _)) = &mut before {
                *before += allocations() - pause;
            }
        }
    }
    let (before, from_seq) = before.expect("the stream is longer than the warm-up");
    let status = pipeline.status();
    assert!(status.next_seq - from_seq > 900_000, "{status:?}");
    assert!(status.recovered > 10_000 && status.lost == 0, "{status:?}");
    assert!(ring.frames > 100_000, "{}", ring.frames);
    assert!(ring.states > 1_000, "{}", ring.states);
    assert_eq!(allocations() - before, 0);
    assert_eq!(pipeline.growths(), 0);
}

#[test]
fn depth_messages_take_no_memory() {
    let mut pipeline = DepthPipeline::new(
        DepthVenue::Binance,
        &PipelineConfig {
            instruments_limit: 2,
            ..everything()
        },
    );
    let snapshot = br#"{"lastUpdateId":10,"bids":[["100.0","1"]],"asks":[["101.0","1"]]}"#;
    let text = |id: u64| {
        let (bid, ask) = (90 + id % 10, 101 + id % 9);
        let depth = format!(
            r#"{{"e":"depthUpdate","E":{id},"s":"X","U":{id},"u":{id},"b":[["{bid}.{id}","{}"]],"a":[["{ask}.5","2"]]}}"#,
            id % 3
        );
        let trade = format!(
            r#"{{"e":"trade","E":{id},"s":"X","t":{id},"p":"100.5","q":"0.5","T":{id},"m":true}}"#
        );
        let ticker = format!(r#"{{"u":{id},"s":"X","b":"99","B":"1","a":"101","A":"1"}}"#);
        [depth, trade, ticker]
    };
    let texts: Vec<[String; 3]> = (10..30_000).map(text).collect();
    let mut ring = Ring::default();
    let mut before = 0;
    for (n, group) in texts.iter().enumerate() {
        if n == 100 {
            before = allocations();
        }
        for (k, text) in group.iter().enumerate() {
            let outcome = pipeline.message(n as u64 * 3 + k as u64, text.as_bytes());
            assert_eq!(outcome, Ok(()));
        }
        if n == 2 {
            assert_eq!(pipeline.message(n as u64, snapshot), Ok(()));
        }
        pipeline.publish(&mut ring);
        // Old levels leave, so that the book does not grow without end.
        if n % 4_000 == 3_999 {
            let allowed = allocations();
            let symbol = pipeline.instruments()[0];
            assert_eq!(symbol.symbol(), "X");
            assert_eq!(allocations(), allowed);
        }
    }
    assert!(ring.frames > 10_000);
    let grown = pipeline.growths();
    assert!(
        allocations() - before <= 2 * grown,
        "only counted growths allocate"
    );
}
