use super::*;
use crate::event::{Price, Qty};
use crate::publish::STATE_SHIFTS;
use proptest::prelude::*;

const STEP: u64 = 100;

/// What a step is made of: who takes how much, and the touch after it.
#[derive(Clone, Debug)]
enum Happening {
    Print(u64, Option<Side>),
    Touch(i64, i64, u64, u64),
}

fn happening() -> impl Strategy<Value = Happening> {
    let side = prop_oneof![Just(None), Just(Some(Side::Bid)), Just(Some(Side::Ask))];
    let touch = (90_000i64..100_000, 1i64..500, 1u64..900, 1u64..900);
    prop_oneof![
        (1u64..10_000, side).prop_map(|(qty, taker)| Happening::Print(qty, taker)),
        touch.prop_map(|(bid, wide, b, a)| Happening::Touch(bid, bid + wide, b, a)),
    ]
}

fn quote(bid: i64, ask: i64, bid_qty: u64, ask_qty: u64) -> Quote {
    Quote {
        since_ns: 0,
        bid: Some((Price(bid * 1_000_000), Qty(bid_qty))),
        ask: Some((Price(ask * 1_000_000), Qty(ask_qty))),
    }
}

fn depths(step: u64) -> Depths {
    let qty = 100 + step % 7 * 50;
    [[qty, 100], [qty * 2, 300], [qty * 3, 500], [qty * 5, 900]]
}

/// Sum over the steps `from..=step` of each one's value, weighted by how much is left of it.
fn mean(values: &[f64], from: usize, step: usize, shift: u32, first: f64) -> f64 {
    let part = 1.0 / f64::from(1u32 << shift);
    let left = |age: usize| (1.0 - part).powi(age as i32);
    let sum: f64 = (from..=step)
        .map(|at| values[at] * part * left(step - at))
        .sum();
    sum + first * left(step - from + 1)
}

/// Everything by its definition, from the whole list of steps.
fn naive(steps: &[Vec<Happening>], step: usize) -> Option<MarketState> {
    let is_event = |at: &usize| !steps[*at].is_empty();
    let newest = (0..=step).rev().find(is_event)?;
    if (step - newest) as u64 >= ACTIVE_STEPS {
        return None;
    }
    // The first event after the last silence that is long enough to forget.
    let mut from = newest;
    for at in (0..newest).rev().filter(is_event) {
        if (from - at) as u64 > QUIET_STEPS {
            break;
        }
        from = at;
    }
    let touch_at = |at: usize| {
        steps[..=at]
            .iter()
            .flatten()
            .rev()
            .find_map(|of| match *of {
                Happening::Touch(bid, ask, b, a) => Some(quote(bid, ask, b, a)),
                Happening::Print(..) => None,
            })
    };
    let sum = |at: usize, value: &dyn Fn(&Happening) -> f64| steps[at].iter().map(value).sum();
    let series = |value: &dyn Fn(&Happening) -> f64| -> Vec<f64> {
        (0..=step).map(|at| sum(at, value)).collect()
    };
    let taken = series(&|of| match of {
        Happening::Print(qty, Some(Side::Bid)) => *qty as f64,
        Happening::Print(qty, Some(Side::Ask)) => -(*qty as f64),
        _ => 0.0,
    });
    let volume = series(&|of| match of {
        Happening::Print(qty, _) => *qty as f64,
        Happening::Touch(..) => 0.0,
    });
    let trades = series(&|of| f64::from(u8::from(matches!(of, Happening::Print(..)))));
    let mids: Vec<Option<f64>> = (0..=step)
        .map(|at| touch_at(at)?.mid().map(|mid| mid.0 as f64))
        .collect();
    let returns: Vec<f64> = (0..=step)
        .map(|at| match at.checked_sub(1).filter(|_| at > from) {
            Some(before) => mids[before]
                .zip(mids[at])
                .map_or(0.0, |(a, b)| ((b - a) / a * 1e9).powi(2)),
            None => 0.0,
        })
        .collect();
    let flow = |values: &[f64], shift| (mean(values, from, step, shift, 0.0) * 65_536.0) as i64;
    let micros: Vec<f64> = (0..=step)
        .map(|at| {
            touch_at(at)
                .and_then(|q| q.microprice())
                .map_or(0.0, |p| p.0 as f64)
        })
        .collect();
    let first_touch = (from..=step).find(|at| touch_at(*at).is_some());
    let micro_mean = |shift| {
        first_touch.map_or(0.0, |first| {
            mean(&micros, first, step, shift, micros[first])
        }) as i64
    };
    let end_ns = (step as u64 + 1) * STEP;
    Some(MarketState {
        instrument: InstrumentId(0),
        end_ns,
        known_ns: end_ns,
        mid: touch_at(step).and_then(|quote| quote.mid()),
        micro: micros[step] as i64,
        spread: touch_at(step)
            .and_then(|quote| quote.spread())
            .map_or(0, |s| s.0),
        depths: depths(step as u64),
        taken_means: STATE_SHIFTS.map(|shift| flow(&taken, shift)),
        volume_means: STATE_SHIFTS.map(|shift| flow(&volume, shift)),
        trade_means: STATE_SHIFTS.map(|shift| flow(&trades, shift)),
        return_means: STATE_SHIFTS.map(|shift| mean(&returns, from, step, shift, 0.0) as i64),
        micro_means: STATE_SHIFTS.map(micro_mean),
        volume: Qty(volume[step] as u64),
        ..MarketState::default()
    })
}

fn run(steps: &[Vec<Happening>]) -> Vec<MarketState> {
    let mut states = States::new(1, STEP);
    let mut got = Vec::new();
    for (step, happenings) in steps.iter().enumerate() {
        for happening in happenings {
            let id = InstrumentId(0);
            match *happening {
                Happening::Print(qty, taker) => {
                    let print = Print {
                        instrument: id,
                        ts_event: step as u64 * STEP,
                        price: Price(1),
                        qty: Qty(qty),
                    };
                    states.print(&print, taker, Integrity::Ok);
                }
                Happening::Touch(bid, ask, b, a) => {
                    states.quote(id, &quote(bid, ask, b, a), Integrity::Ok);
                }
            }
        }
        let end_ns = (step as u64 + 1) * STEP;
        states.close(
            end_ns,
            end_ns,
            |_| depths(step as u64),
            |state| got.push(state),
        );
    }
    got
}

fn near(got: i64, exact: i64, slack: f64) -> bool {
    let most = got.abs().max(exact.abs()) as f64;
    (got - exact).abs() as f64 <= slack + most * 1e-6
}

proptest! {
    #[test]
    fn equals_the_definition(
        bursts in prop::collection::vec(
            (prop::collection::vec(prop::collection::vec(happening(), 0..4), 1..30), 0usize..400),
            1..4,
        ),
    ) {
        let mut steps: Vec<Vec<Happening>> = Vec::new();
        for (burst, silence) in bursts {
            steps.extend(burst);
            steps.resize(steps.len() + silence, Vec::new());
        }
        let got = run(&steps);
        let exact: Vec<MarketState> =
            (0..steps.len()).filter_map(|step| naive(&steps, step)).collect();
        prop_assert_eq!(got.len(), exact.len());
        for (got, exact) in got.iter().zip(&exact) {
            prop_assert_eq!((got.end_ns, got.mid, got.micro), (exact.end_ns, exact.mid, exact.micro));
            prop_assert_eq!(
                (got.spread, got.volume, got.depths),
                (exact.spread, exact.volume, exact.depths)
            );
            // Each step rounds down once, and what it loses fades as the mean does.
            let slack = |shift: u32| f64::from(1u32 << shift) * 2.0;
            for (scale, shift) in STATE_SHIFTS.into_iter().enumerate() {
                for (mean, exact) in [
                    (got.taken_means, exact.taken_means),
                    (got.volume_means, exact.volume_means),
                    (got.trade_means, exact.trade_means),
                    (got.micro_means, exact.micro_means),
                ] {
                    prop_assert!(near(mean[scale], exact[scale], slack(shift)), "{:?} {:?}", mean, exact);
                }
                // A return is a whole number of 1e-9 before it is squared.
                let (mean, exact) = (got.return_means[scale], exact.return_means[scale]);
                let rounding = (exact as f64).sqrt() * 4.0 + 4.0;
                prop_assert!(near(mean, exact, slack(shift) + rounding), "{mean} {exact}");
            }
        }
    }
}

#[test]
fn a_silent_instrument_stops_and_is_forgotten() {
    let burst = vec![
        Happening::Touch(95_000, 95_100, 5, 7),
        Happening::Print(100, Some(Side::Bid)),
    ];
    let mut steps = vec![burst.clone()];
    steps.resize(400, Vec::new());
    steps.push(burst);
    let got = run(&steps);
    let ends: Vec<u64> = got.iter().map(|state| state.end_ns / STEP).collect();
    let active = 1..=ACTIVE_STEPS;
    let expected: Vec<u64> = active.chain(std::iter::once(401)).collect();
    assert_eq!(ends, expected);
    let (first, last) = (got[0], got[got.len() - 1]);
    assert_eq!(
        first.volume_means, last.volume_means,
        "nothing of the first burst is left"
    );
}

#[test]
fn a_flag_in_the_step_is_the_states() {
    let mut states = States::new(1, STEP);
    states.quote(InstrumentId(0), &quote(1, 2, 3, 4), Integrity::Ok);
    states.stain(InstrumentId(0), Integrity::Stale);
    let mut seen = Vec::new();
    for step in 1..=2 {
        let end = step * STEP;
        states.close(end, end + 5, depths, |state| {
            seen.push((state.integrity, state.known_ns))
        });
        fn depths(_: InstrumentId) -> Depths {
            Depths::default()
        }
    }
    assert_eq!(seen, [(Integrity::Stale, 105), (Integrity::Ok, 205)]);
}
