//! A lane that is behind: packets wait in the kernel while its clock runs on. What they bring is not late.

mod common;

use common::stream::Stream;
use market::event::Price;
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{Bar, Frame};
use market::window::LateCount;

const MIDNIGHT: u64 = 1_700_000_000_000_000_000;
const SECOND: u64 = 1_000_000_000;

/// All bars, and what was late, where the lane reads each packet `behind_ns` after it came.
fn run(behind_ns: u64) -> (Vec<Bar>, (LateCount, LateCount)) {
    let mut stream = Stream::new(3, 20, 2_000);
    stream.extend(40_000);
    let mut pipeline = ItchPipeline::new(&PipelineConfig {
        midnight_ns: MIDNIGHT,
        instruments_limit: 32,
        ..PipelineConfig::default()
    });
    let mut frames = Vec::new();
    for (number, (seq, bytes)) in stream.packets(3).into_iter().enumerate() {
        let message = &stream.messages[seq as usize - 1];
        let time = message[5..11]
            .iter()
            .fold(0, |ns, &byte| ns << 8 | u64::from(byte));
        let ts_recv = MIDNIGHT + time;
        pipeline.packet(number % 2, ts_recv, &bytes);
        pipeline.tick(ts_recv + behind_ns);
        pipeline.publish(&mut frames);
    }
    let bars = frames.into_iter().filter_map(|frame| match frame {
        Frame::Bar(bar) => Some(bar),
        _ => None,
    });
    (bars.collect(), pipeline.late())
}

#[test]
fn what_waited_in_the_kernel_is_in_its_bar() {
    let (bars, late) = run(0);
    assert!(bars.len() > 20 && bars.iter().all(|bar| bar.open > Price(0)));
    assert_eq!(late, (LateCount::default(), LateCount::default()));
    let behind = run(5 * SECOND);
    assert_eq!(behind.1, late);
    assert_eq!(behind.0, bars);
}
