//! Planted regimes are found again: the simulated venue moves fair prices by script, and moments within such a run are
//! to be like moments within earlier ones. All data is synthetic, and labelled by the script.

use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{Frame, Integrity};
use node::moments::{MomentQuery, MomentStore};
use venue::{ScriptConfig, Shock, Venue, VenueConfig};

const SECOND: u64 = 1_000_000_000;
const MIDNIGHT: u64 = 1_795_392_000_000_000_000;
const START: u64 = MIDNIGHT + 34_200 * SECOND;
const LENGTH: u64 = 240 * SECOND;
const TICK: u64 = 10_000_000;
const SYMBOLS: usize = 12;
const K: usize = 10;

/// The states of a simulated session, and what was planted in it.
fn session() -> (MomentStore, Vec<Shock>) {
    let mut venue = Venue::new(VenueConfig {
        symbols: SYMBOLS,
        rate: 3_000.0,
        opening_peak: 0.0,
        orders_per_symbol: 60,
        script: Some(ScriptConfig {
            first_ns: (5 * SECOND, 6 * SECOND),
            gap_ns: (3 * SECOND, 4 * SECOND),
            halt_every: 0,
            ..ScriptConfig::default()
        }),
        ..VenueConfig::new(11, START, MIDNIGHT)
    });
    let mut pipeline = ItchPipeline::new(&PipelineConfig {
        midnight_ns: MIDNIGHT,
        state_step_ns: Some(100_000_000),
        ..PipelineConfig::default()
    });
    let store = MomentStore::new(64 << 20);
    let mut now = START;
    while now < START + LENGTH {
        now += TICK;
        venue.step(now, &mut |message| pipeline.message(now, message));
        let mut frames: Vec<Frame> = Vec::new();
        pipeline.publish(&mut frames);
        store.take(0, &frames, |_| None);
    }
    assert_eq!(pipeline.rejected_messages(), 0);
    (store, venue.truth())
}

/// Whether a moment lies in a planted run of this direction: from when it shows to when its last echo in the fast
/// means is gone.
fn is_in_run(truth: &[Shock], up: bool, symbol: &str, at: u64) -> bool {
    truth.iter().any(|shock| {
        let run = shock.at_ns + 100_000_000..shock.at_ns + shock.span_ns + SECOND;
        shock.symbol == symbol && (shock.move_bp > 0) == up && run.contains(&at)
    })
}

#[test]
fn planted_runs_are_found_with_precision_at_ten_of_nine_tenths() {
    let (store, truth) = session();
    let asked = truth.iter().filter(|shock| {
        let middle = START + LENGTH / 2;
        (middle..START + LENGTH - 3 * SECOND).contains(&shock.at_ns)
    });
    let (mut right, mut found, mut questions) = (0, 0, 0);
    for shock in asked {
        let answer = store.similar(&MomentQuery {
            symbol: shock.symbol.clone(),
            at: Some(shock.at_ns + shock.span_ns * 3 / 4),
            window_ns: 2 * SECOND,
            k: K,
            outcomes: Vec::new(),
            shape: None,
            same_symbol: false,
        });
        let Ok(answer) = answer else { continue };
        questions += 1;
        found += answer.moments.len();
        let hits = answer.moments.iter().filter(|moment| {
            assert_eq!(moment.integrity, Integrity::Ok);
            is_in_run(&truth, shock.move_bp > 0, &moment.symbol, moment.at)
        });
        right += hits.count();
    }
    assert!(questions >= 20, "{questions} questions");
    let precision = right as f64 / found as f64;
    // A moment drawn blindly lies in a run of either direction so often.
    let planted: u64 = truth.iter().map(|shock| shock.span_ns + SECOND).sum();
    let blind = planted as f64 / (SYMBOLS as u64 * LENGTH) as f64;
    assert!(blind < 0.1, "{blind:.3} of all is planted");
    eprintln!("precision@{K} {precision:.3} of {questions} questions; blindly {blind:.3} at most");
    assert!(
        precision >= 0.9,
        "precision@{K} {precision:.3} of {questions} questions"
    );
}
