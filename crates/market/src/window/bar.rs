//! Time bars, several spans at once.

use super::{LateCount, Print};
use crate::event::Qty;
use crate::publish::{Bar, Integrity};

/// Builds OHLCV bars. Event times decide the bar, feed order decides open and close.
#[derive(Clone, Debug)]
pub struct BarBuilder {
    spans: Vec<Span>,
    watermark: u64,
    late: LateCount,
}

/// The open bars of one span: at most two an instrument, since lateness is at most one span.
#[derive(Clone, Debug)]
struct Span {
    span_ns: u64,
    /// Start of the span that the last print fell in: most fall in the same.
    newest_start_ns: u64,
    /// The bar that was opened last.
    bars: Vec<Option<Bar>>,
    /// One that was opened before it and is still open.
    others: Vec<Option<Bar>>,
    /// Instruments with an open bar.
    open: Vec<u32>,
    /// The earliest end of an open bar.
    next_end_ns: u64,
}

impl BarBuilder {
    /// Bars of each of `spans_ns` for instruments numbered below `instruments_limit`.
    #[must_use]
    pub fn new(instruments_limit: usize, spans_ns: &[u64]) -> Self {
        let span = |&span_ns: &u64| Span {
            span_ns,
            newest_start_ns: u64::MAX,
            bars: vec![None; instruments_limit],
            others: vec![None; instruments_limit],
            open: Vec::with_capacity(instruments_limit),
            next_end_ns: u64::MAX,
        };
        let spans = spans_ns.iter().filter(|span_ns| **span_ns > 0);
        Self {
            spans: spans.map(span).collect(),
            watermark: 0,
            late: LateCount::default(),
        }
    }

    /// Prints that came late so far, counted once a span.
    #[must_use]
    pub fn late(&self) -> LateCount {
        self.late
    }

    /// Moves the watermark to where no bar ends: for a caller that knows [`Self::next_end_ns`].
    #[inline]
    pub(crate) fn raise(&mut self, watermark: u64) {
        debug_assert!(watermark <= self.watermark || watermark < self.next_end_ns());
        self.watermark = self.watermark.max(watermark);
    }

    /// Counts one print in. Prints of more than one span ahead of the watermark count as late:
    /// advance first.
    pub fn add(&mut self, print: &Print, integrity: Integrity) {
        let watermark = self.watermark;
        for span in &mut self.spans {
            let placed = span.add(print, watermark, integrity);
            if !placed {
                self.late.dropped += 1;
            } else if print.ts_event < watermark {
                self.late.applied += 1;
            }
        }
    }

    /// Moves the watermark; gives every bar that ends at or before it to `emit`.
    #[inline]
    pub fn advance(&mut self, watermark: u64, mut emit: impl FnMut(Bar)) {
        if watermark <= self.watermark {
            return;
        }
        self.watermark = watermark;
        for span in &mut self.spans {
            if watermark >= span.next_end_ns {
                span.close(watermark, &mut emit);
            }
        }
    }

    /// The earliest end of an open bar; `u64::MAX` when none is open.
    #[must_use]
    pub fn next_end_ns(&self) -> u64 {
        let ends = self.spans.iter().map(|span| span.next_end_ns);
        ends.min().unwrap_or(u64::MAX)
    }

    /// Closes everything, for the end of a session.
    pub fn flush(&mut self, mut emit: impl FnMut(Bar)) {
        for span in &mut self.spans {
            span.close(u64::MAX, &mut emit);
        }
    }

    /// Forgets open bars and time, for a new session.
    pub fn clear(&mut self) {
        self.flush(|_| {});
        self.watermark = 0;
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let mut grew = false;
        for span in &mut self.spans {
            if instruments > span.bars.len() {
                span.bars.resize(instruments, None);
                span.others.resize(instruments, None);
                span.open.reserve(instruments - span.open.len());
                grew = true;
            }
        }
        grew
    }
}

impl Span {
    /// False when the print's bar is closed.
    #[inline]
    fn add(&mut self, print: &Print, watermark: u64, integrity: Integrity) -> bool {
        if print.ts_event.wrapping_sub(self.newest_start_ns) < self.span_ns
            && let Some(Some(bar)) = self.bars.get_mut(print.instrument.0 as usize)
            && bar.start_ns == self.newest_start_ns
        {
            extend(bar, print, integrity);
            return true;
        }
        self.add_elsewhere(print, watermark, integrity)
    }

    /// The first print of a bar, or one of another span than the last print.
    #[cold]
    #[inline(never)]
    fn add_elsewhere(&mut self, print: &Print, watermark: u64, integrity: Integrity) -> bool {
        let start_ns = print.ts_event - print.ts_event % self.span_ns;
        let end_ns = start_ns.saturating_add(self.span_ns);
        let idx = print.instrument.0 as usize;
        if idx >= self.bars.len() || end_ns <= watermark {
            return false;
        }
        self.newest_start_ns = start_ns;
        let cells = [&mut self.bars[idx], &mut self.others[idx]];
        let is_open = cells.iter().any(|cell| cell.is_some());
        let same = |cell: &Option<Bar>| cell.is_some_and(|bar| bar.start_ns == start_ns);
        let [bar, other] = cells;
        if !same(bar) && (same(other) || bar.is_some()) {
            std::mem::swap(bar, other);
        }
        match bar {
            Some(bar) if bar.start_ns == start_ns => extend(bar, print, integrity),
            Some(_) => return false,
            None => *bar = Some(first(print, start_ns, end_ns, integrity)),
        }
        if !is_open {
            self.open.push(print.instrument.0);
        }
        self.next_end_ns = self.next_end_ns.min(end_ns);
        true
    }

    fn close(&mut self, watermark: u64, emit: &mut impl FnMut(Bar)) {
        let mut next_end_ns = u64::MAX;
        let (bars, others) = (&mut self.bars, &mut self.others);
        self.open.retain(|&instrument| {
            let idx = instrument as usize;
            let mut pair = [bars[idx], others[idx]];
            pair.sort_unstable_by_key(|cell| cell.map_or(u64::MAX, |bar| bar.start_ns));
            for cell in pair.iter_mut() {
                match *cell {
                    Some(bar) if bar.end_ns <= watermark => {
                        emit(bar);
                        *cell = None;
                    }
                    Some(bar) => next_end_ns = next_end_ns.min(bar.end_ns),
                    None => {}
                }
            }
            (bars[idx], others[idx]) = (pair[1].or(pair[0]), pair[1].and(pair[0]));
            bars[idx].is_some()
        });
        self.next_end_ns = next_end_ns;
    }
}

fn first(print: &Print, start_ns: u64, end_ns: u64, integrity: Integrity) -> Bar {
    Bar {
        instrument: print.instrument,
        start_ns,
        end_ns,
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
    use std::collections::BTreeMap;

    fn print(instrument: u32, ts_event: u64, price: i64, qty: u64) -> Print {
        Print {
            instrument: InstrumentId(instrument),
            ts_event,
            price: Price(price),
            qty: Qty(qty),
        }
    }

    #[test]
    fn a_bar_closes_when_the_watermark_reaches_its_end() {
        let mut bars = BarBuilder::new(1, &[10]);
        bars.advance(100, |_| {});
        bars.add(&print(0, 103, 5, 1), Integrity::Ok);
        bars.add(&print(0, 101, 7, 2), Integrity::Suspect);
        let mut closed = Vec::new();
        bars.advance(109, |bar| closed.push(bar));
        assert!(closed.is_empty());
        bars.add(&print(0, 102, 6, 1), Integrity::Ok);
        bars.advance(110, |bar| closed.push(bar));
        bars.add(&print(0, 109, 6, 1), Integrity::Ok);
        let [bar] = closed[..] else {
            panic!("one bar, got {closed:?}")
        };
        assert_eq!((bar.start_ns, bar.end_ns, bar.trades), (100, 110, 3));
        assert_eq!(
            (bar.open, bar.high, bar.low, bar.close),
            (Price(5), Price(7), Price(5), Price(6))
        );
        assert_eq!((bar.volume, bar.notional), (Qty(4), 25));
        assert_eq!(bar.integrity, Integrity::Suspect);
        assert_eq!(
            bars.late(),
            LateCount {
                applied: 1,
                dropped: 1
            }
        );
    }

    /// Volume, notional, trades, high, low.
    type Summary = (u64, i128, u32, i64, i64);

    proptest! {
        /// Event times rise with jitter below the lateness, so nothing is dropped.
        #[test]
        fn equals_grouping_by_span(
            steps in prop::collection::vec((0u32..3, 0u64..9, 0u64..5, -9i64..9, 1u64..9), 1..200),
        ) {
            let (spans, lateness) = ([7u64, 20], 5u64);
            let mut bars = BarBuilder::new(3, &spans);
            let mut got = Vec::new();
            let mut naive: BTreeMap<(u64, u32, u64), Summary> = BTreeMap::new();
            let (mut now, mut latest) = (1_000u64, 0u64);
            for (instrument, gap, back, price, qty) in steps {
                now += gap;
                let ts = now - back;
                latest = latest.max(ts);
                bars.advance(latest - lateness, |bar| got.push(bar));
                bars.add(&print(instrument, ts, price, qty), Integrity::Ok);
                for span in spans {
                    let key = (span, instrument, ts / span * span);
                    let bar = naive.entry(key).or_insert((0, 0, 0, i64::MIN, i64::MAX));
                    bar.0 += qty;
                    bar.1 += i128::from(price) * i128::from(qty);
                    bar.2 += 1;
                    bar.3 = bar.3.max(price);
                    bar.4 = bar.4.min(price);
                }
            }
            bars.flush(|bar| got.push(bar));
            let got: BTreeMap<_, _> = got.into_iter().map(|bar| {
                let key = (bar.end_ns - bar.start_ns, bar.instrument.0, bar.start_ns);
                (key, (bar.volume.0, bar.notional, bar.trades, bar.high.0, bar.low.0))
            }).collect();
            prop_assert_eq!(got, naive);
            prop_assert_eq!(bars.late().dropped, 0);
        }
    }
}
