use super::*;
use crate::event::{InstrumentId, Price, Qty};
use crate::publish::{Integrity, Quote};

const STEP: u64 = 500_000_000;

fn rules(texts: &[&str]) -> Rules {
    let configs: Vec<RuleConfig> = texts
        .iter()
        .map(|t| t.parse().expect("a sound rule"))
        .collect();
    Rules::new(&configs, 1, 3)
}

fn measure(step: u64, spread: i64, volume: u64) -> Measure {
    let price = |cents: i64| Price(cents * Price::SCALE / 100);
    Measure {
        instrument: InstrumentId(0),
        end_ns: step * STEP,
        length_ns: 10 * STEP,
        quote: Quote {
            since_ns: 0,
            bid: Some((price(10_000), Qty(30))),
            ask: Some((price(10_000 + spread), Qty(10))),
        },
        microprice: None,
        spread_mean: None,
        last: Some(price(10_000)),
        twap: None,
        ema: None,
        extremes: None,
        deviation: None,
        volatility_e9: 0,
        volume: Qty(volume),
        bought: Qty(0),
        sold: Qty(0),
        notional: 0,
        trades: 12,
        quotes: 1,
        flow: 0,
        integrity: Integrity::Ok,
    }
}

/// Steps at which something was told, with what was shown.
fn told(rules: &mut Rules, spreads: &[i64]) -> Vec<(usize, i64)> {
    let mut told = Vec::new();
    for (step, spread) in spreads.iter().enumerate() {
        let measure = measure(step as u64 + 100, *spread, 5);
        rules.update(&measure, None, |_, value_e9| {
            told.push((step, value_e9 / 10_000_000))
        });
    }
    told
}

#[test]
fn a_blow_out_is_told_once_and_again_after_it_has_cleared_and_cooled_down() {
    let text = "wide: spread > 3 * ema(spread); clear spread < 1.5 * ema(spread); cooldown 2s";
    // The mean is known after three steps and does not hold the step that it is compared with.
    let spreads = [9, 1, 1, 1, 40, 40, 40, 1, 1, 1, 1, 1, 1, 1, 1, 40];
    assert_eq!(told(&mut rules(&[text]), &spreads), [(4, 40), (15, 40)]);
    // Without a clear it is armed again after four calm steps; the cool-down outlasts them.
    let spreads = [1, 1, 1, 9, 1, 1, 1, 1, 9, 1, 1, 1, 1, 9];
    let plain = "wide: spread > 0.05; cooldown 5s";
    assert_eq!(told(&mut rules(&[plain]), &spreads), [(3, 9), (13, 9)]);
    let held = "wide: spread > 0.05; hold 2; cooldown 1ms";
    assert_eq!(told(&mut rules(&[held]), &[9, 1, 9, 9, 9]), [(3, 9)]);
}

#[test]
fn fields_operators_and_presets_read() {
    for (text, holds) in [
        ("imbalance == 0.5", true),
        ("abs(-imbalance) >= 0.5 && mid > price", true),
        ("not(spread > 0) || bid_qty / ask_qty == 3", true),
        (
            "max(bid_qty, ask_qty) - min(bid_qty, ask_qty) * 2 < 10 ^ 1",
            false,
        ),
        ("twap > 0 || twap <= 0", false),
        ("ema > 0", false),
        ("volume + 1 > 5 && trades < 13", true),
    ] {
        let mut rules = rules(&[&format!("r: {text}")]);
        assert_eq!(told(&mut rules, &[2]).len(), usize::from(holds), "{text}");
    }
    for (name, _) in PRESETS {
        let config: RuleConfig = name.parse().expect("a preset is sound");
        assert_eq!(config.name().as_str(), name);
    }
}

#[test]
fn mistakes_are_told_with_their_place() {
    let error = |text: &str| text.parse::<RuleConfig>().expect_err(text).to_string();
    assert!(error("spread > 3").contains("has no usable name"));
    assert!(error("a b: spread > 3").contains("has no usable name"));
    let unknown = error("x: spread > 3 * eam(spread)");
    assert!(
        unknown.contains("at character 14: `eam` is not known"),
        "{unknown}"
    );
    assert!(error("x: ema(spred) > 1").contains("ema(spred): a field is wanted: price, bid"));
    assert!(error("x: spread >").contains("is no expression"));
    assert!(error("x: 1 > 2").contains("names no field"));
    assert!(error("x: spread > 1; cooldown fast").contains("`cooldown fast` is not understood"));
    assert!(error("x: spread > 1; clear nonsense").contains("`nonsense` is not known"));
    let long = format!("x: {} > 1", vec!["spread"; 40].join(" + "));
    assert!(error(&long).contains("more than 32"));
}
