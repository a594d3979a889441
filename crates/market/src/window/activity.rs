//! Bars that activity closes: so many prints, so much quantity or money, or a silence.
//!
//! Prints are taken in the order of the feed, each whole: the one that reaches the amount is the
//! last of its bar. Event times only say when a session has been silent, so no print is late.

use super::Print;
use crate::event::Qty;
use crate::publish::{ActivityBar, Bar, BarRule, Integrity};

/// Builds the bars of several rules.
#[derive(Clone, Debug, Default)]
pub struct ActivityBars {
    rules: Vec<Builder>,
}

#[derive(Clone, Debug)]
struct Builder {
    rule: BarRule,
    bars: Vec<Option<Bar>>,
    /// Instruments with an open session; empty for the other rules.
    open: Vec<u32>,
    /// No session ends before; `u64::MAX` for the other rules.
    next_end_ns: u64,
}

impl ActivityBars {
    /// Bars of each rule for instruments numbered below `instruments_limit`. A rule that nothing
    /// can reach (zero) is left out.
    #[must_use]
    pub fn new(instruments_limit: usize, rules: &[BarRule]) -> Self {
        let is_sound = |rule: &&BarRule| match **rule {
            BarRule::Ticks(count) => count > 0,
            BarRule::Volume(volume) => volume.0 > 0,
            BarRule::Notional(notional) => notional > 0,
            BarRule::Session(gap_ns) => gap_ns > 0,
        };
        let builder = |&rule: &BarRule| Builder {
            rule,
            bars: vec![None; instruments_limit],
            open: match rule {
                BarRule::Session(_) => Vec::with_capacity(instruments_limit),
                _ => Vec::new(),
            },
            next_end_ns: u64::MAX,
        };
        Self {
            rules: rules.iter().filter(is_sound).map(builder).collect(),
        }
    }

    /// Counts one print in; gives the bars that it closes to `emit`.
    #[inline]
    pub fn add(&mut self, print: &Print, integrity: Integrity, mut emit: impl FnMut(ActivityBar)) {
        for builder in &mut self.rules {
            builder.add(print, integrity, &mut emit);
        }
    }

    /// Closes the sessions that have been silent long enough at `watermark`.
    #[inline]
    pub fn advance(&mut self, watermark: u64, mut emit: impl FnMut(ActivityBar)) {
        for builder in &mut self.rules {
            if watermark >= builder.next_end_ns {
                builder.close_silent(watermark, &mut emit);
            }
        }
    }

    /// The next watermark at which a session may close.
    #[must_use]
    pub fn next_end_ns(&self) -> u64 {
        let ends = self.rules.iter().map(|builder| builder.next_end_ns);
        ends.min().unwrap_or(u64::MAX)
    }

    /// Closes everything, for the end of a session: what has not reached its amount too.
    pub fn flush(&mut self, mut emit: impl FnMut(ActivityBar)) {
        for builder in &mut self.rules {
            for idx in 0..builder.bars.len() {
                builder.close(idx, &mut emit);
            }
            builder.open.clear();
            builder.next_end_ns = u64::MAX;
        }
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let mut grew = false;
        for builder in &mut self.rules {
            if instruments > builder.bars.len() {
                builder.bars.resize(instruments, None);
                if matches!(builder.rule, BarRule::Session(_)) {
                    builder.open.reserve(instruments - builder.open.len());
                }
                grew = true;
            }
        }
        grew
    }
}

impl Builder {
    fn add(&mut self, print: &Print, integrity: Integrity, emit: &mut impl FnMut(ActivityBar)) {
        let idx = print.instrument.0 as usize;
        if idx >= self.bars.len() {
            return;
        }
        if let (BarRule::Session(gap_ns), Some(bar)) = (self.rule, self.bars[idx])
            && print.ts_event >= bar.end_ns.saturating_add(gap_ns)
        {
            self.close(idx, emit);
            self.open.retain(|open| *open as usize != idx);
        }
        let bar = match &mut self.bars[idx] {
            Some(bar) => {
                extend(bar, print, integrity);
                *bar
            }
            empty => {
                if let BarRule::Session(gap_ns) = self.rule {
                    self.open.push(print.instrument.0);
                    let end_ns = print.ts_event.saturating_add(gap_ns);
                    self.next_end_ns = self.next_end_ns.min(end_ns);
                }
                *empty.insert(first(print, integrity))
            }
        };
        let is_full = match self.rule {
            BarRule::Ticks(count) => bar.trades >= count,
            BarRule::Volume(volume) => bar.volume >= volume,
            BarRule::Notional(notional) => bar.notional.saturating_abs() >= notional,
            BarRule::Session(_) => false,
        };
        if is_full {
            self.close(idx, emit);
        }
    }

    /// While a bar is open its end is the event time of its latest print.
    fn close(&mut self, idx: usize, emit: &mut impl FnMut(ActivityBar)) {
        if let Some(mut bar) = self.bars[idx].take() {
            let silence_ns = match self.rule {
                BarRule::Session(gap_ns) => gap_ns,
                _ => 1,
            };
            bar.end_ns = bar.end_ns.saturating_add(silence_ns);
            let rule = self.rule;
            emit(ActivityBar { rule, bar });
        }
    }

    #[cold]
    fn close_silent(&mut self, watermark: u64, emit: &mut impl FnMut(ActivityBar)) {
        let BarRule::Session(gap_ns) = self.rule else {
            return;
        };
        let mut next_end_ns = u64::MAX;
        let mut open = std::mem::take(&mut self.open);
        open.retain(|&instrument| {
            let idx = instrument as usize;
            let end_ns = self.bars[idx].map_or(0, |bar| bar.end_ns.saturating_add(gap_ns));
            let is_silent = end_ns <= watermark;
            if is_silent {
                self.close(idx, emit);
            } else {
                next_end_ns = next_end_ns.min(end_ns);
            }
            !is_silent
        });
        (self.open, self.next_end_ns) = (open, next_end_ns);
    }
}

fn first(print: &Print, integrity: Integrity) -> Bar {
    Bar {
        instrument: print.instrument,
        start_ns: print.ts_event,
        end_ns: print.ts_event,
        open: print.price,
        high: print.price,
        low: print.price,
        close: print.price,
        volume: print.qty,
        notional: print.price.times(print.qty),
        trades: 1,
        integrity,
    }
}

fn extend(bar: &mut Bar, print: &Print, integrity: Integrity) {
    bar.start_ns = bar.start_ns.min(print.ts_event);
    bar.end_ns = bar.end_ns.max(print.ts_event);
    bar.high = bar.high.max(print.price);
    bar.low = bar.low.min(print.price);
    bar.close = print.price;
    bar.volume = Qty(bar.volume.0.saturating_add(print.qty.0));
    bar.notional += print.price.times(print.qty);
    bar.trades += 1;
    bar.integrity = bar.integrity.max(integrity);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{InstrumentId, Price};
    use proptest::prelude::*;

    const RULES: [BarRule; 4] = [
        BarRule::Ticks(3),
        BarRule::Volume(Qty(10)),
        BarRule::Notional(60),
        BarRule::Session(20),
    ];

    /// Groups the prints of one instrument by the definition of the rule.
    fn naive(prints: &[Print], rule: BarRule) -> Vec<Vec<Print>> {
        let mut groups: Vec<Vec<Print>> = Vec::new();
        let mut open: Vec<Print> = Vec::new();
        for print in prints {
            let latest = open.iter().map(|p| p.ts_event).max();
            if let BarRule::Session(gap) = rule
                && latest.is_some_and(|latest| print.ts_event >= latest + gap)
            {
                groups.push(std::mem::take(&mut open));
            }
            open.push(*print);
            let volume: u64 = open.iter().map(|p| p.qty.0).sum();
            let notional: i128 = open.iter().map(|p| p.price.times(p.qty)).sum();
            let is_full = match rule {
                BarRule::Ticks(count) => open.len() == count as usize,
                BarRule::Volume(enough) => volume >= enough.0,
                BarRule::Notional(enough) => notional >= enough,
                BarRule::Session(_) => false,
            };
            if is_full {
                groups.push(std::mem::take(&mut open));
            }
        }
        groups.extend((!open.is_empty()).then_some(open));
        groups
    }

    fn bar_of(prints: &[Print], rule: BarRule) -> Bar {
        let prices = || prints.iter().map(|p| p.price);
        let silence = match rule {
            BarRule::Session(gap) => gap,
            _ => 1,
        };
        let latest = prints.iter().map(|p| p.ts_event).max().expect("a print");
        Bar {
            instrument: prints[0].instrument,
            start_ns: prints.iter().map(|p| p.ts_event).min().expect("a print"),
            end_ns: latest + silence,
            open: prints[0].price,
            high: prices().max().expect("a print"),
            low: prices().min().expect("a print"),
            close: prints[prints.len() - 1].price,
            volume: Qty(prints.iter().map(|p| p.qty.0).sum()),
            notional: prints.iter().map(|p| p.price.times(p.qty)).sum(),
            trades: prints.len() as u32,
            integrity: Integrity::Ok,
        }
    }

    proptest! {
        #[test]
        fn equals_grouping_in_feed_order(
            steps in prop::collection::vec((0u32..3, 0u64..30, 0u64..5, 1i64..9, 1u64..9), 1..200),
        ) {
            let mut bars = ActivityBars::new(3, &RULES);
            let (mut got, mut all) = (Vec::new(), Vec::new());
            let mut now = 1_000;
            for (instrument, gap, back, price, qty) in steps {
                now += gap;
                let print = Print {
                    instrument: InstrumentId(instrument),
                    ts_event: now - back,
                    price: Price(price),
                    qty: Qty(qty),
                };
                bars.advance(now - 5, |bar| got.push(bar));
                bars.add(&print, Integrity::Ok, |bar| got.push(bar));
                all.push(print);
            }
            bars.flush(|bar| got.push(bar));
            for rule in RULES {
                for instrument in 0..3 {
                    let prints: Vec<Print> =
                        all.iter().filter(|p| p.instrument.0 == instrument).copied().collect();
                    let expected: Vec<Bar> =
                        naive(&prints, rule).iter().map(|group| bar_of(group, rule)).collect();
                    let bars: Vec<Bar> = got.iter()
                        .filter(|b| b.rule == rule && b.bar.instrument.0 == instrument)
                        .map(|b| b.bar).collect();
                    prop_assert_eq!(bars, expected, "{:?}", rule);
                }
            }
        }
    }
}
