//! Windows of simulated ITCH equal a recomputation from what was published, message by message: a
//! calibrated venue with its opening, shocks and pauses, and a stream with crosses and executions
//! that are not to be counted.

mod common;

use common::measures::{Compared, Twin};
use common::stream::Stream;
use common::windows::Windows;
use market::event::{Price, Qty};
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::BarRule;
use market::window::MeasureConfig;
use venue::{Venue, VenueConfig};

const SECOND: u64 = 1_000_000_000;
const MIDNIGHT: u64 = 1_795_392_000 * SECOND;
const START: u64 = MIDNIGHT + 34_200 * SECOND;

/// Takes messages.
type Out<'a> = dyn FnMut(&[u8]) + 'a;

/// Bars, VWAPs, and what else was compared.
fn compare(messages: &mut dyn FnMut(&mut Out<'_>)) -> (usize, usize, Compared) {
    let rules = [
        BarRule::Ticks(20),
        BarRule::Volume(Qty(5_000)),
        BarRule::Notional(Price(Price::SCALE).times(Qty(200_000))),
        BarRule::Session(SECOND / 50),
    ];
    let measure = MeasureConfig::default();
    let config = PipelineConfig {
        midnight_ns: MIDNIGHT,
        measure: Some(measure),
        activity: rules.to_vec(),
        join_tolerance_ns: Some(u64::MAX),
        ..PipelineConfig::default()
    };
    let mut pipeline = ItchPipeline::new(&config);
    let (mut told, mut twin) = (Windows::default(), Twin::new(measure, &rules));
    let mut frames = Vec::new();
    let mut publish = |pipeline: &mut ItchPipeline| {
        pipeline.publish(&mut frames);
        for frame in frames.drain(..) {
            told.frame(&frame);
            twin.frame(&frame);
        }
    };
    messages(&mut |message: &[u8]| {
        pipeline.message(START, message);
        publish(&mut pipeline);
    });
    pipeline.tick(START + 120 * SECOND);
    publish(&mut pipeline);
    let (late, measures) = (pipeline.late(), pipeline.late_measures());
    assert_eq!((late.0.dropped, late.1.dropped), (0, 0));
    assert_eq!((measures.applied, measures.dropped), (0, 0));
    assert_eq!((pipeline.rejected().total(), pipeline.dropped()), (0, 0));
    let (bars, vwaps) = told.check(&config.bar_ns);
    let compared = twin.check();
    println!("{bars} bars, {vwaps} VWAPs, {compared:?}");
    assert!(compared.activity.values().all(|bars| *bars > 10));
    (bars, vwaps, compared)
}

#[test]
fn windows_of_a_simulated_opening_equal_a_recomputation() {
    let config = VenueConfig {
        symbols: 40,
        rate: 2_000.0,
        orders_per_symbol: 60,
        ..VenueConfig::new(11, START, MIDNIGHT)
    };
    let mut venue = Venue::new(config);
    let (bars, vwaps, compared) = compare(&mut |out| {
        venue.step(START + 45 * SECOND, &mut |message: &[u8]| out(message));
    });
    assert!(bars > 1_000 && vwaps > 10_000, "{bars} bars, {vwaps} VWAPs");
    assert!(compared.joined > 4_000, "{} prints", compared.joined);
    assert!(compared.with_volatility > 1_000);
}

#[test]
fn windows_with_crosses_and_uncounted_executions_equal_a_recomputation() {
    let mut stream = Stream::new(7, 5, 300);
    stream.extend(150_000);
    let messages = std::mem::take(&mut stream.messages);
    let (_, vwaps, compared) = compare(&mut |out| {
        messages.iter().for_each(|message| out(message));
    });
    assert!(vwaps > 100, "{vwaps} VWAPs");
    assert!(compared.joined > 2_000 && compared.two_sided > 100);
}
