use super::track::{flow, squared_return};
use super::*;
use crate::event::{Price, Qty};
use proptest::prelude::*;

const FIRST: u64 = 100_000;

/// An event as the naive twin keeps it: when it came to hold, and which it was.
#[derive(Clone, Copy, Debug)]
enum Seen {
    Print(Print, Option<Side>, Integrity),
    Quote(Quote, Integrity),
}

/// Everything that ever happened to one instrument, summed anew for every window.
struct Naive {
    config: MeasureConfig,
    seen: Vec<Seen>,
}

impl Naive {
    /// Prices with the times from which they held, never going back.
    fn prices(&self) -> Vec<(u64, i64)> {
        let mut held = Vec::<(u64, i64)>::new();
        for seen in &self.seen {
            if let Seen::Print(print, ..) = seen {
                let from = held.last().map_or(0, |(at, _)| *at).max(print.ts_event);
                held.push((from, print.price.0));
            }
        }
        held
    }

    fn quotes(&self) -> Vec<(u64, Quote)> {
        let mut held = Vec::<(u64, Quote)>::new();
        for seen in &self.seen {
            if let Seen::Quote(quote, _) = seen {
                let since_ns = held.last().map_or(0, |(at, _)| *at).max(quote.since_ns);
                held.push((since_ns, Quote { since_ns, ..*quote }));
            }
        }
        held
    }

    fn price_before(&self, end: u64) -> Option<i64> {
        self.prices()
            .iter()
            .rev()
            .find(|(at, _)| *at < end)
            .map(|(_, price)| *price)
    }

    fn measure(&self, first_end: u64, end_ns: u64, id: InstrumentId) -> Measure {
        let MeasureConfig {
            length_ns,
            step_ns,
            ema_steps,
        } = self.config;
        let start = end_ns - length_ns;
        let inside = |at: u64| (start..end_ns).contains(&at);
        let prints: Vec<_> = self
            .seen
            .iter()
            .filter_map(|seen| match seen {
                Seen::Print(print, taker, flag) if inside(print.ts_event) => {
                    Some((print, taker, flag))
                }
                _ => None,
            })
            .collect();
        let sum = |side: Option<Side>| {
            prints
                .iter()
                .filter(|p| side.is_none() || *p.1 == side)
                .map(|p| p.0.qty.0)
                .sum()
        };
        let prices: Vec<i64> = prints.iter().map(|p| p.0.price.0).collect();
        let n = prices.len() as i128;
        let total: i128 = prices.iter().map(|p| i128::from(*p)).sum();
        let scaled: i128 = prices
            .iter()
            .map(|p| (i128::from(*p) * n - total).pow(2))
            .sum();
        let deviation = (n > 0).then(|| Price((scaled / n.pow(3)).isqrt() as i64));
        let quotes = self.quotes();
        let place = quotes.iter().rposition(|(at, _)| *at < end_ns);
        let quote = place.map_or_else(Quote::default, |place| quotes[place].1);
        let changes = quotes.iter().enumerate().filter(|(_, (at, _))| inside(*at));
        let before = |k: usize| {
            if k == 0 {
                Quote::default()
            } else {
                quotes[k - 1].1
            }
        };
        let flow = changes
            .clone()
            .map(|(k, (_, quote))| flow(&before(k), quote))
            .sum();
        let ends: Vec<u64> = (first_end..=end_ns).step_by(step_ns as usize).collect();
        let returns: u128 = ends
            .iter()
            .filter(|end| **end > start)
            .map(|end| squared_return(self.price_before(*end - step_ns), self.price_before(*end)))
            .sum();
        let mut ema: Option<i128> = None;
        for price in ends.iter().filter_map(|end| self.price_before(*end)) {
            let target = i128::from(price) << 16;
            ema = Some(ema.map_or(target, |ema| {
                ema + (target - ema) * 2 / (i128::from(ema_steps) + 1)
            }));
        }
        Measure {
            instrument: id,
            end_ns,
            length_ns,
            quote,
            microprice: quote.microprice(),
            spread_mean: weighted(&quotes, start, end_ns, |quote| quote.spread().map(|s| s.0)),
            last: self.price_before(end_ns).map(Price),
            twap: weighted(&self.prices(), start, end_ns, |price| Some(*price)),
            ema: ema.map(|ema| Price((ema >> 16) as i64)),
            extremes: prices
                .iter()
                .max()
                .zip(prices.iter().min())
                .map(|(h, l)| (Price(*h), Price(*l))),
            deviation,
            volatility_e9: returns.isqrt() as u64,
            volume: Qty(sum(None)),
            bought: Qty(sum(Some(Side::Bid))),
            sold: Qty(sum(Some(Side::Ask))),
            notional: prints.iter().map(|p| p.0.price.times(p.0.qty)).sum(),
            trades: prints.len() as u32,
            quotes: changes.count() as u32,
            flow,
            integrity: self.worst(start, end_ns, &quotes),
        }
    }

    /// A print counts in the step of its own time, a quote in the step from which it held.
    fn worst(&self, start: u64, end: u64, quotes: &[(u64, Quote)]) -> Integrity {
        let mut held = quotes.iter();
        let flags = self.seen.iter().map(|seen| match seen {
            Seen::Print(print, _, flag) => (print.ts_event, *flag),
            Seen::Quote(_, flag) => (held.next().expect("one a quote").0, *flag),
        });
        flags
            .filter(|(at, _)| (start..end).contains(at))
            .map(|(_, flag)| flag)
            .max()
            .unwrap_or_default()
    }
}

/// Nanosecond by nanosecond.
fn weighted<T>(
    held: &[(u64, T)],
    start: u64,
    end: u64,
    value: impl Fn(&T) -> Option<i64>,
) -> Option<Price> {
    let at = |ns: u64| {
        held.iter()
            .rev()
            .find(|(from, _)| *from <= ns)
            .and_then(|(_, v)| value(v))
    };
    let values: Vec<i128> = (start..end).filter_map(at).map(i128::from).collect();
    let sum: i128 = values.iter().sum();
    sum.checked_div(values.len() as i128)
        .map(|mean| Price(mean as i64))
}

fn quote_of(since_ns: u64, bid: i64, width: i64, qty: u64) -> Quote {
    let side = |price: i64, qty: u64| (!qty.is_multiple_of(7)).then_some((Price(price), Qty(qty)));
    Quote {
        since_ns,
        bid: side(bid, qty),
        ask: side(bid + width, qty / 2 + 1),
    }
}

type Step = (bool, u32, u64, u64, i64, u64, u8);

/// Feeds steps to both and compares everything that was emitted.
fn compare(config: MeasureConfig, lateness: u64, steps: &[Step]) -> Result<(), TestCaseError> {
    let mut measures = Measures::new(1, &config, lateness);
    measures.reserve(2);
    let new = || Naive {
        config,
        seen: Vec::new(),
    };
    let mut naive = [new(), new()];
    let mut got = Vec::new();
    let (mut now, mut latest) = (FIRST, FIRST);
    measures.advance(FIRST - lateness, |_| panic!("nothing was added"));
    for &(is_print, instrument, gap, back, price, qty, flag) in steps {
        now += gap;
        let ts_event = now - back.min(lateness).min(now - FIRST);
        latest = latest.max(ts_event);
        measures.advance(latest - lateness, |measure| got.push(measure));
        let id = InstrumentId(instrument);
        let integrity = if flag == 0 {
            Integrity::Stale
        } else {
            Integrity::Ok
        };
        let seen = &mut naive[instrument as usize].seen;
        if is_print {
            let print = Print {
                instrument: id,
                ts_event,
                price: Price(price),
                qty: Qty(qty),
            };
            let taker = [None, Some(Side::Bid), Some(Side::Ask)][flag as usize % 3];
            measures.print(&print, taker, integrity);
            seen.push(Seen::Print(print, taker, integrity));
        } else {
            let quote = quote_of(ts_event, price, i64::from(flag) - 2, qty);
            measures.quote(id, &quote, integrity);
            let before = seen
                .iter()
                .rev()
                .find_map(|seen| match seen {
                    Seen::Quote(quote, _) => Some(*quote),
                    Seen::Print(..) => None,
                })
                .unwrap_or_default();
            if (before.bid, before.ask) != (quote.bid, quote.ask) {
                seen.push(Seen::Quote(quote, integrity));
            }
        }
    }
    measures.advance(now + 500, |measure| got.push(measure));
    prop_assert_eq!(measures.late().dropped, 0);
    let step_ns = config.step_ns;
    let first_end = (FIRST - lateness) / step_ns * step_ns + step_ns;
    for measure in &got {
        let naive = &naive[measure.instrument.0 as usize];
        let expected = naive.measure(first_end, measure.end_ns, measure.instrument);
        prop_assert_eq!(measure, &expected);
    }
    // Each window that holds an event was emitted.
    for (idx, naive) in naive.iter().enumerate() {
        let times = naive.seen.iter().map(|seen| match seen {
            Seen::Print(print, ..) => print.ts_event,
            Seen::Quote(quote, _) => quote.since_ns,
        });
        for at in times {
            let end = at / step_ns * step_ns + step_ns;
            let emitted = got
                .iter()
                .any(|m| m.instrument.0 as usize == idx && m.end_ns == end);
            prop_assert!(emitted, "no window of instrument {} ends at {}", idx, end);
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn equals_summing_everything_anew(
        length_steps in 1u64..6,
        step_ns in 1u64..9,
        ema_steps in 1u32..6,
        lateness in prop::sample::select(vec![0u64, 5]),
        steps in prop::collection::vec(
            (any::<bool>(), 0u32..2, 0u64..40, 0u64..6, 1i64..60, 0u64..30, 0u8..9), 1..60),
    ) {
        let config = MeasureConfig { length_ns: length_steps * step_ns, step_ns, ema_steps };
        compare(config, lateness, &steps)?;
    }
}

#[test]
fn late_events_are_left_out_and_counted() {
    let config = MeasureConfig {
        length_ns: 20,
        step_ns: 10,
        ema_steps: 2,
    };
    let mut measures = Measures::new(1, &config, 0);
    measures.advance(1_000, |_| panic!("nothing was added"));
    let id = InstrumentId(0);
    let print = |ts_event| Print {
        instrument: id,
        ts_event,
        price: Price(5),
        qty: Qty(1),
    };
    measures.print(&print(999), None, Integrity::Ok);
    measures.quote(id, &quote_of(990, 5, 1, 1), Integrity::Ok);
    assert_eq!(
        measures.late(),
        LateCount {
            applied: 1,
            dropped: 1
        }
    );
    measures.print(&print(1_000), None, Integrity::Ok);
    let mut trades = Vec::new();
    measures.advance(1_100, |measure| {
        trades.push((measure.end_ns, measure.trades))
    });
    assert_eq!(trades, [(1_010, 1), (1_020, 1), (1_030, 0)]);
}

#[test]
fn flow_follows_the_definition() {
    let quote = |bid: (i64, u64), ask: (i64, u64)| Quote {
        since_ns: 0,
        bid: Some((Price(bid.0), Qty(bid.1))),
        ask: Some((Price(ask.0), Qty(ask.1))),
    };
    let from = quote((10, 5), (12, 7));
    assert_eq!(flow(&from, &quote((10, 8), (12, 7))), 3);
    assert_eq!(flow(&from, &quote((11, 4), (12, 7))), 4);
    assert_eq!(flow(&from, &quote((9, 4), (12, 7))), -5);
    assert_eq!(flow(&from, &quote((10, 5), (11, 2))), -2);
    assert_eq!(flow(&from, &quote((10, 5), (13, 2))), 7);
    assert_eq!(flow(&Quote::default(), &from), 5 - 7);
}
