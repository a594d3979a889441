//! Bars and sliding VWAP recomputed from the prints that were published: the slow and obvious twin.

use std::collections::BTreeMap;

use market::event::Price;
use market::publish::{Bar, Frame, Integrity, Vwap};

/// What a pipeline published.
#[derive(Default)]
pub struct Windows {
    /// Instrument, event time, price, quantity of each print, in feed order.
    prints: Vec<(u32, u64, i64, u64)>,
    bars: Vec<Bar>,
    vwaps: Vec<Vwap>,
}

impl Windows {
    /// Takes note of a frame.
    pub fn frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Trade(print) => self.prints.push((
                print.instrument.0,
                print.stamp.ts_event,
                print.price.0,
                print.qty.0,
            )),
            Frame::Bar(bar) => self.bars.push(*bar),
            Frame::Vwap(vwap) => self.vwaps.push(*vwap),
            Frame::Dropped { .. } => panic!("the sink is never full"),
            _ => {}
        }
    }

    /// Every bar of every span, and every VWAP that was published, against the prints. How many
    /// bars and VWAPs there were.
    pub fn check(&self, spans_ns: &[u64]) -> (usize, usize) {
        let mut naive: BTreeMap<(u64, u32, u64), Bar> = BTreeMap::new();
        for &span_ns in spans_ns {
            for print in &self.prints {
                self.count(&mut naive, span_ns, *print);
            }
        }
        let bare = |bar: &Bar| Bar {
            integrity: Integrity::Ok,
            ..*bar
        };
        let got: BTreeMap<_, _> = self.bars.iter().map(|bar| (key(bar), bare(bar))).collect();
        assert_eq!(got.len(), self.bars.len(), "no bar is told twice");
        for (key, bar) in &naive {
            assert_eq!(got.get(key), Some(bar), "bar {key:?}");
        }
        assert_eq!(got.len(), naive.len(), "a bar without a print");
        self.vwaps.iter().for_each(|vwap| self.check_vwap(vwap));
        (self.bars.len(), self.vwaps.len())
    }

    fn count(
        &self,
        naive: &mut BTreeMap<(u64, u32, u64), Bar>,
        span_ns: u64,
        (id, ts, price, qty): (u32, u64, i64, u64),
    ) {
        let start_ns = ts / span_ns * span_ns;
        let price = Price(price);
        let bar = naive.entry((span_ns, id, start_ns)).or_insert(Bar {
            instrument: market::event::InstrumentId(id),
            start_ns,
            end_ns: start_ns + span_ns,
            open: price,
            high: price,
            low: price,
            close: price,
            volume: Default::default(),
            notional: 0,
            trades: 0,
            integrity: Integrity::Ok,
        });
        bar.high = bar.high.max(price);
        bar.low = bar.low.min(price);
        bar.close = price;
        bar.volume.0 += qty;
        bar.notional += i128::from(price.0) * i128::from(qty);
        bar.trades += 1;
    }

    fn check_vwap(&self, vwap: &Vwap) {
        let from_ns = vwap.end_ns - vwap.length_ns;
        let (mut notional, mut volume, mut trades) = (0, 0, 0);
        for &(id, ts, price, qty) in &self.prints {
            if id == vwap.instrument.0 && (from_ns..vwap.end_ns).contains(&ts) {
                notional += i128::from(price) * i128::from(qty);
                volume += qty;
                trades += 1;
            }
        }
        assert_eq!(
            (vwap.notional, vwap.volume.0, vwap.trades),
            (notional, volume, trades),
            "{vwap:?}"
        );
    }
}

fn key(bar: &Bar) -> (u64, u32, u64) {
    (bar.end_ns - bar.start_ns, bar.instrument.0, bar.start_ns)
}
