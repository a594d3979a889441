use market::event::{Instrument, InstrumentId, Price, Qty};
use market::publish::{Frame, MarketState};
use proptest::prelude::*;

use super::*;
use crate::moments::block::{CODE_ONE, STATE_BYTES};

const STEP: u64 = 100_000_000;
const SECOND: u64 = 1_000_000_000;

fn named(store: &MomentStore, symbols: &[&str]) {
    let frames = (0..)
        .zip(symbols)
        .map(|(id, symbol)| Frame::Instrument(Instrument::new(InstrumentId(id), symbol, 0, 2)));
    let frames: Vec<Frame> = frames.collect();
    store.take(0, &frames, |_| None);
}

/// A state with an imbalance and a price.
fn state(symbol: u32, step: u64, bid: u64, price: i64) -> MarketState {
    MarketState {
        instrument: InstrumentId(symbol),
        end_ns: step * STEP,
        known_ns: step * STEP + 5,
        mid: Some(Price(price)),
        depths: [[bid, 100]; 4],
        volume: Qty(bid),
        ..MarketState::default()
    }
}

fn query(at: Option<u64>, window_ns: u64, k: usize) -> MomentQuery {
    MomentQuery {
        symbol: "A".into(),
        at,
        window_ns,
        k,
        outcomes: vec![SECOND],
        shape: None,
        same_symbol: false,
    }
}

fn put(store: &MomentStore, states: &[MarketState]) {
    let frames: Vec<Frame> = states.iter().copied().map(Frame::State).collect();
    store.take(0, &frames, |_| None);
}

/// Sorts everything that may be seen, and folds it.
fn naive(states: &[MarketState], query: &MomentQuery) -> Option<Vec<(u32, u64, f64)>> {
    let as_of = query.at.unwrap_or(u64::MAX);
    let known = |state: &&MarketState| state.known_ns <= as_of;
    let own = states.iter().filter(known).rfind(|s| s.instrument.0 == 0)?;
    if query.at.is_some_and(|at| at - own.end_ns > 5 * SECOND) {
        return None;
    }
    let code = |state: &MarketState| state.vector().map(|v| (v * CODE_ONE).round());
    let mut all: Vec<(f64, u32, u64)> = states
        .iter()
        .filter(|s| s.known_ns <= as_of && s.end_ns + query.window_ns <= own.end_ns)
        .map(|s| {
            let squares = code(s).into_iter().zip(code(own));
            let sum: f64 = squares.map(|(a, b)| f64::from(a - b).powi(2)).sum();
            (sum, s.instrument.0, s.end_ns)
        })
        .collect();
    all.sort_by(|a, b| a.0.total_cmp(&b.0));
    let mut kept: Vec<(u32, u64, f64)> = Vec::new();
    for (sum, symbol, end) in all {
        let overlaps =
            |of: &&(u32, u64, f64)| of.0 == symbol && of.1.abs_diff(end) < query.window_ns;
        if kept.len() < query.k && !kept.iter().any(|of| overlaps(&of)) {
            let distance = (sum / 24.0).sqrt() / f64::from(CODE_ONE);
            kept.push((symbol, end, distance));
        }
    }
    Some(kept)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn equals_sorting_everything_that_was_known(
        steps in prop::collection::vec((0u32..3, 1u64..30, 0u64..5_000), 1..300),
        at in prop::option::of(1u64..4_000),
        window in 1u64..20,
        k in 1usize..6,
    ) {
        let store = MomentStore::new(64 << 20);
        named(&store, &["A", "B", "C"]);
        let mut now = 0;
        // Distinct imbalances, so that no two distances are equal by chance.
        let states: Vec<MarketState> = steps.iter().enumerate().map(|(n, &(symbol, gap, bid))| {
            now += gap;
            state(symbol, now, bid, 1_000 + n as i64)
        }).collect();
        put(&store, &states);
        let query = query(at.map(|at| at * STEP), window * STEP, k);
        let got = store.similar(&query);
        let exact = naive(&states, &query);
        prop_assert_eq!(got.is_ok(), exact.is_some());
        let (Ok(got), Some(exact)) = (got, exact) else { return Ok(()) };
        prop_assert_eq!(got.moments.len().min(1), exact.len().min(1));
        // Of equal distances any may come first, and then folds differ: the nearest is the same.
        if let (Some(got), Some(exact)) = (got.moments.first(), exact.first()) {
            prop_assert!((got.distance - exact.2).abs() < 1e-6);
        }
        let distinct = exact.windows(2).all(|pair| pair[0].2 < pair[1].2);
        if distinct && got.moments.len() == exact.len() {
            for (got, exact) in got.moments.iter().zip(&exact) {
                prop_assert!((got.distance - exact.2).abs() < 1e-6, "{:?} {:?}", got, exact);
            }
        }
        for (n, one) in got.moments.iter().enumerate() {
            let overlaps = |other: &Moment| {
                other.symbol == one.symbol && other.at.abs_diff(one.at) < query.window_ns
            };
            prop_assert!(!got.moments[..n].iter().any(overlaps));
        }
    }
}

#[test]
fn what_came_after_the_instant_changes_nothing() {
    let early = MomentStore::new(64 << 20);
    let late = MomentStore::new(64 << 20);
    let states: Vec<MarketState> = (1..2_000)
        .map(|n| state(0, n, n * 37 % 900, 1_000_000 + n as i64 % 50))
        .collect();
    for store in [&early, &late] {
        named(store, &["A"]);
    }
    let at = 1_000 * STEP + 5;
    put(&early, &states[..1_000]);
    put(&late, &states);
    for shape in [None, Some(Shape::Price), Some(Shape::Volume)] {
        let query = MomentQuery {
            shape,
            ..query(Some(at), 2 * SECOND, 8)
        };
        let (before, after) = (early.similar(&query), late.similar(&query));
        assert_eq!(before, after);
        let found = before.expect("an answer");
        assert_eq!(found.moments.len(), 8, "{shape:?}");
        // The outcome of each was known by then.
        assert!(found.outcomes[0].known == 8, "{:?}", found.outcomes);
    }
    // Known one step later than it ended: an instant in between does not see it.
    let found = late
        .similar(&query(Some(at - 1), SECOND, 1))
        .expect("an answer");
    assert_eq!(found.at, 999 * STEP);
}

#[test]
fn outcomes_are_moves_of_the_middle_and_not_guessed() {
    let store = MomentStore::new(64 << 20);
    named(&store, &["A"]);
    // Two moments alike, one followed by +1 %, one by a silence.
    put(
        &store,
        &[
            state(0, 10, 300, 10_000),
            state(0, 15, 0, 10_100),
            state(0, 60, 300, 10_100),
            state(0, 400, 0, 9_000),
            state(0, 500, 300, 9_000),
        ],
    );
    let found = store.similar(&query(None, 4 * STEP, 2)).expect("an answer");
    let moves: Vec<Option<f64>> = found.moments.iter().map(|m| m.moves_bp[0]).collect();
    assert_eq!(
        found.moments.iter().map(|m| m.distance).fold(0.0, f64::max),
        0.0
    );
    assert_eq!(
        (
            moves.len(),
            moves.contains(&None),
            moves.contains(&Some(100.0))
        ),
        (2, true, true)
    );
    let outcome = &found.outcomes[0];
    assert_eq!(
        (outcome.known, outcome.unknown, outcome.mean, outcome.up),
        (1, 1, 100.0, 1.0)
    );
}

#[test]
fn the_oldest_leave_at_the_limit() {
    let store = MomentStore::new(3 * block::BLOCK_ROWS * STATE_BYTES);
    named(&store, &["A", "B"]);
    let states: Vec<MarketState> = (1..=60_000)
        .map(|n| state(n as u32 % 2, n, n % 997, 5_000))
        .collect();
    put(&store, &states);
    let counts = store.counts();
    assert!(
        counts.bytes <= (3 * block::BLOCK_ROWS * STATE_BYTES) as u64,
        "{counts:?}"
    );
    assert_eq!(counts.states + counts.left, 60_000);
    let found = store.similar(&query(None, SECOND, 50)).expect("an answer");
    assert!(found.moments.iter().all(|m| m.at > counts.left * STEP));
    put(&store, &states[59_990..]);
    assert_eq!(store.counts().stale, 10);
}

#[test]
fn a_quiet_or_unknown_symbol_is_said() {
    let store = MomentStore::new(64 << 20);
    named(&store, &["A"]);
    let ask = |at| store.similar(&query(at, SECOND, 3));
    assert!(matches!(
        ask(None),
        Err(Unanswered::Quiet { newest: None, .. })
    ));
    put(&store, &[state(0, 10, 1, 1)]);
    let quiet = ask(Some(100 * SECOND));
    assert!(matches!(quiet, Err(Unanswered::Quiet { newest: Some(at), .. }) if at == SECOND));
    let other = MomentQuery {
        symbol: "Z".into(),
        ..query(None, SECOND, 1)
    };
    assert!(matches!(
        store.similar(&other),
        Err(Unanswered::UnknownSymbol(_))
    ));
}
