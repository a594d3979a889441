//! Measures, activity bars and joined prints recomputed from the prints and books that were
//! published: every sum by its definition, over lists of all that ever happened.
//!
//! A test publishes after each message of its feed, so that every touch is seen, and allows so much
//! lateness that nothing is late: what holds for late events is tested beside the windows.
#![allow(dead_code, reason = "each test looks at its part of what was compared")]

use std::collections::BTreeMap;

use market::event::{InstrumentId, Price, Qty, Side};
use market::publish::{
    ActivityBar, Bar, BarRule, BookTop, Frame, Integrity, JoinedPrint, Level, Measure, Quote,
    SignRule, TradePrint,
};
use market::window::MeasureConfig;

/// What a pipeline published, and how much of it was compared.
pub struct Twin {
    config: MeasureConfig,
    rules: Vec<BarRule>,
    tracks: BTreeMap<u32, Track>,
    measures: BTreeMap<u32, Vec<Measure>>,
    activity: Vec<ActivityBar>,
    joined: usize,
}

/// How much was compared.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Compared {
    pub measures: usize,
    pub two_sided: usize,
    pub with_prints: usize,
    pub with_volatility: usize,
    pub activity: BTreeMap<BarRule, usize>,
    pub joined: usize,
}

/// One instrument's past.
#[derive(Default)]
struct Track {
    prints: Vec<Past>,
    quotes: Vec<Quote>,
    /// The last price, and what the last different one says.
    last: Option<Price>,
    direction: Option<Side>,
}

struct Past {
    print: TradePrint,
    taker: Option<Side>,
    /// Since when its price is the last one.
    since_ns: u64,
}

impl Twin {
    pub fn new(config: MeasureConfig, rules: &[BarRule]) -> Self {
        Self {
            config,
            rules: rules.to_vec(),
            tracks: BTreeMap::new(),
            measures: BTreeMap::new(),
            activity: Vec::new(),
            joined: 0,
        }
    }

    /// Takes note of a frame; a joined print is compared at once.
    pub fn frame(&mut self, frame: &Frame) {
        match frame {
            Frame::Trade(print) => self.track(print.instrument).print(print),
            Frame::Book(book) => self.track(book.instrument).book(book),
            Frame::Joined(joined) => {
                self.track(joined.print.instrument).check_joined(joined);
                self.joined += 1;
            }
            Frame::Measure(measure) => {
                let of = self.measures.entry(measure.instrument.0).or_default();
                of.push(*measure);
            }
            Frame::Activity(bar) => self.activity.push(*bar),
            Frame::Dropped { .. } => panic!("the sink is never full"),
            _ => {}
        }
    }

    fn track(&mut self, id: InstrumentId) -> &mut Track {
        self.tracks.entry(id.0).or_default()
    }

    /// Compares everything, open sessions of prints aside.
    pub fn check(&self) -> Compared {
        let mut compared = Compared {
            joined: self.joined,
            ..Compared::default()
        };
        for (id, measures) in &self.measures {
            let track = &self.tracks[id];
            let mut ema = Ema::new(self.config, track);
            for got in measures {
                let want = track.measure(&self.config, got, ema.until(got.end_ns));
                assert_eq!(*got, want);
                compared.measures += 1;
                compared.two_sided += usize::from(got.spread_mean.is_some());
                compared.with_prints += usize::from(got.trades > 0);
                compared.with_volatility += usize::from(got.volatility_e9 > 0);
            }
        }
        for rule in &self.rules {
            let bars = self.tracks.iter();
            let told = bars.map(|(id, track)| self.check_bars(InstrumentId(*id), track, *rule));
            compared.activity.insert(*rule, told.sum());
        }
        compared
    }

    fn check_bars(&self, id: InstrumentId, track: &Track, rule: BarRule) -> usize {
        let got = self.activity.iter();
        let got = got.filter(|bar| bar.rule == rule && bar.bar.instrument == id);
        let want = track.groups(rule);
        let mut count = 0;
        for (idx, got) in got.enumerate() {
            let bar = Bar {
                integrity: Integrity::Ok,
                ..got.bar
            };
            assert_eq!(Some(&bar), want.get(idx), "{rule:?}");
            count += 1;
        }
        // The last group of all may be open.
        assert!(
            want.len() - count <= 1,
            "{rule:?}: {count} of {}",
            want.len()
        );
        count
    }
}

impl Track {
    fn print(&mut self, print: &TradePrint) {
        match self.last {
            Some(last) if print.price > last => self.direction = Some(Side::Bid),
            Some(last) if print.price < last => self.direction = Some(Side::Ask),
            _ => {}
        }
        self.last = Some(print.price);
        let sign = self.sign(print);
        let before = self.prints.last().map_or(0, |past| past.since_ns);
        self.prints.push(Past {
            print: *print,
            taker: sign.map(|(side, _)| side),
            since_ns: print.stamp.ts_event.max(before),
        });
    }

    /// A book whose touch is as before is no new quote.
    fn book(&mut self, book: &BookTop) {
        let best = |levels: &[Level], count: u8| {
            let best = levels.first().filter(|_| count > 0);
            best.map(|level| (level.price, level.qty))
        };
        let last = self.quotes.last().copied().unwrap_or_default();
        let quote = Quote {
            since_ns: book.stamp.ts_event.max(last.since_ns),
            bid: best(&book.bids, book.bid_count),
            ask: best(&book.asks, book.ask_count),
        };
        if (quote.bid, quote.ask) != (last.bid, last.ask) {
            self.quotes.push(quote);
        }
    }

    fn quote_at(&self, ts_event: u64) -> Option<Quote> {
        let found = self.quotes.iter().rev();
        let mut found = found.skip_while(|quote| quote.since_ns > ts_event);
        found.next().copied()
    }

    /// The venue's word, else the side of the middle, else the direction of the last change.
    fn sign(&self, print: &TradePrint) -> Option<(Side, SignRule)> {
        if print.cross {
            return None;
        }
        if let Some(side) = print.aggressor {
            return Some((side, SignRule::Venue));
        }
        let quote = self.quote_at(print.stamp.ts_event);
        let middle = quote.and_then(|quote| {
            let twice = i128::from(quote.bid?.0.0) + i128::from(quote.ask?.0.0);
            match 2 * i128::from(print.price.0) - twice {
                0 => None,
                more if more > 0 => Some(Side::Bid),
                _ => Some(Side::Ask),
            }
        });
        let by_middle = middle.map(|side| (side, SignRule::Quote));
        by_middle.or_else(|| self.direction.map(|side| (side, SignRule::Tick)))
    }

    /// Its print frame came just before.
    fn check_joined(&self, joined: &JoinedPrint) {
        let past = self.prints.iter().rev();
        let past = past.take_while(|past| past.print.stamp.seq == joined.print.stamp.seq);
        let mut found = past.filter(|past| past.print == joined.print);
        assert!(found.next().is_some(), "{joined:?}");
        assert_eq!(joined.quote, self.quote_at(joined.print.stamp.ts_event));
        let signed = joined.sign.map(|(_, rule)| rule);
        match (joined.print.cross, joined.print.aggressor) {
            (true, _) => assert_eq!(joined.sign, None),
            (false, Some(side)) => assert_eq!(joined.sign, Some((side, SignRule::Venue))),
            (false, None) => assert_ne!(signed, Some(SignRule::Venue)),
        }
    }

    fn measure(&self, config: &MeasureConfig, got: &Measure, ema: Option<Price>) -> Measure {
        let end_ns = got.end_ns;
        let start_ns = end_ns - config.length_ns;
        let prints: Vec<&Past> = between(&self.prints, start_ns, end_ns, |past| past.since_ns)
            .iter()
            .collect();
        // What the pipeline counts at its own time and what holds from a later one are the same
        // here, but for prints of one instrument out of order.
        let qty = |side: Option<Side>| {
            let of = prints
                .iter()
                .filter(|past| side.is_none() || past.taker == side);
            Qty(of.map(|past| past.print.qty.0).sum())
        };
        let prices = || prints.iter().map(|past| past.print.price);
        let quotes = before(&self.quotes, end_ns, |quote| quote.since_ns);
        let quote = quotes.last().copied().unwrap_or_default();
        let lasts = before(&self.prints, end_ns, |past| past.since_ns);
        let spans = |since: &dyn Fn(usize) -> u64, count: usize| -> Vec<(usize, u64)> {
            let until = |idx: usize| {
                if idx + 1 < count {
                    since(idx + 1)
                } else {
                    end_ns
                }
            };
            let spans =
                (0..count).map(|idx| (idx, until(idx).saturating_sub(since(idx).max(start_ns))));
            spans.filter(|(_, ns)| *ns > 0).collect()
        };
        let from = |count: usize, since: &dyn Fn(usize) -> u64| {
            // The last one at or before the start of the window is the first that matters.
            (0..count)
                .rev()
                .find(|idx| since(*idx) <= start_ns)
                .unwrap_or(0)
        };
        let since = |idx: usize| quotes[idx].since_ns;
        let first = from(quotes.len(), &since);
        let held = spans(&|idx| since(idx + first), quotes.len() - first);
        let spreads = held.into_iter().filter_map(|(idx, ns)| {
            let quote = &quotes[idx + first];
            Some((quote.ask?.0.0 - quote.bid?.0.0, ns))
        });
        let spread_mean = mean(spreads);
        let since = |idx: usize| lasts[idx].since_ns;
        let first = from(lasts.len(), &since);
        let held = spans(&|idx| since(idx + first), lasts.len() - first);
        let twap = mean(
            held.into_iter()
                .map(|(idx, ns)| (lasts[idx + first].print.price.0, ns)),
        );
        let first_quote = self.quotes.partition_point(|q| q.since_ns < start_ns);
        let changes = first_quote..quotes.len();
        Measure {
            instrument: got.instrument,
            end_ns,
            length_ns: config.length_ns,
            quote,
            microprice: microprice(&quote),
            spread_mean,
            last: lasts.last().map(|past| past.print.price),
            twap,
            ema,
            extremes: prices().max().zip(prices().min()),
            deviation: deviation(&prices().map(|price| price.0.into()).collect::<Vec<_>>()),
            volatility_e9: self.volatility(config, end_ns),
            volume: qty(None),
            bought: qty(Some(Side::Bid)),
            sold: qty(Some(Side::Ask)),
            notional: prints
                .iter()
                .map(|past| i128::from(past.print.price.0) * i128::from(past.print.qty.0))
                .sum(),
            trades: prints.len() as u32,
            quotes: changes.len() as u32,
            flow: changes.map(|idx| self.flow(idx)).sum(),
            // How flags travel is tested with losses.
            integrity: got.integrity,
        }
    }

    fn last_before(&self, end_ns: u64) -> Option<i64> {
        let lasts = before(&self.prints, end_ns, |past| past.since_ns);
        lasts.last().map(|past| past.print.price.0)
    }

    /// Root of the summed squares of the returns of each step, in 1e-9.
    fn volatility(&self, config: &MeasureConfig, end_ns: u64) -> u64 {
        let steps = config.length_ns / config.step_ns;
        let squares = (0..steps).map(|back| {
            let to_ns = end_ns - back * config.step_ns;
            let pair = self.last_before(to_ns - config.step_ns);
            let Some((from, to)) = pair.zip(self.last_before(to_ns)) else {
                return 0;
            };
            let moved = i128::from(to - from) * 1_000_000_000 / i128::from(from);
            (moved * moved) as u128
        });
        squares.sum::<u128>().isqrt() as u64
    }

    /// Order-flow imbalance of one change (Cont, Kukanov, Stoikov): an empty side is the worst price
    /// there is, with nothing at it.
    fn flow(&self, idx: usize) -> i64 {
        let none = Quote::default();
        let (to, from) = (
            &self.quotes[idx],
            idx.checked_sub(1).map_or(&none, |idx| &self.quotes[idx]),
        );
        let bid = |quote: &Quote| quote.bid.map_or((i64::MIN, 0), |(p, q)| (p.0, q.0 as i64));
        let ask = |quote: &Quote| quote.ask.map_or((i64::MAX, 0), |(p, q)| (p.0, q.0 as i64));
        let ((b0, bq0), (b1, bq1)) = (bid(from), bid(to));
        let ((a0, aq0), (a1, aq1)) = (ask(from), ask(to));
        let when = |is: bool, qty: i64| if is { qty } else { 0 };
        when(b1 >= b0, bq1) - when(b1 <= b0, bq0) - when(a1 <= a0, aq1) + when(a1 >= a0, aq0)
    }

    /// Bars by the definition of their rule; the last may be open.
    fn groups(&self, rule: BarRule) -> Vec<Bar> {
        let (mut groups, mut open) = (Vec::new(), Vec::<&TradePrint>::new());
        for past in &self.prints {
            let latest = open.iter().map(|print| print.stamp.ts_event).max();
            if let BarRule::Session(gap_ns) = rule
                && latest.is_some_and(|latest| past.print.stamp.ts_event >= latest + gap_ns)
            {
                groups.push(bar_of(&open, rule));
                open.clear();
            }
            open.push(&past.print);
            let notional =
                |print: &&TradePrint| i128::from(print.price.0) * i128::from(print.qty.0);
            let is_full = match rule {
                BarRule::Ticks(count) => open.len() == count as usize,
                BarRule::Volume(enough) => open.iter().map(|p| p.qty.0).sum::<u64>() >= enough.0,
                BarRule::Notional(enough) => open.iter().map(notional).sum::<i128>() >= enough,
                BarRule::Session(_) => false,
            };
            if is_full {
                groups.push(bar_of(&open, rule));
                open.clear();
            }
        }
        if !open.is_empty() {
            groups.push(bar_of(&open, rule));
        }
        groups
    }
}

/// The exponential mean, step by step from the first print on.
struct Ema<'a> {
    config: MeasureConfig,
    track: &'a Track,
    /// End of the last step that is in it.
    done_ns: u64,
    /// In 1/65536 of the price's last digit.
    value: Option<i128>,
}

impl<'a> Ema<'a> {
    fn new(config: MeasureConfig, track: &'a Track) -> Self {
        let first_ns = track.prints.first().map_or(0, |past| past.since_ns);
        Self {
            config,
            track,
            done_ns: first_ns / config.step_ns * config.step_ns,
            value: None,
        }
    }

    /// At the end of a step, after all before it.
    fn until(&mut self, end_ns: u64) -> Option<Price> {
        while self.done_ns < end_ns {
            self.done_ns += self.config.step_ns;
            let Some(last) = self.track.last_before(self.done_ns) else {
                continue;
            };
            let last = i128::from(last) << 16;
            let weight = i128::from(self.config.ema_steps) + 1;
            let value = self.value.get_or_insert(last);
            *value += (last - *value) * 2 / weight;
        }
        self.value.map(|value| Price((value >> 16) as i64))
    }
}

fn before<T>(all: &[T], end_ns: u64, at: impl Fn(&T) -> u64) -> &[T] {
    &all[..all.partition_point(|one| at(one) < end_ns)]
}

fn between<T>(all: &[T], start_ns: u64, end_ns: u64, at: impl Fn(&T) -> u64) -> &[T] {
    let all = before(all, end_ns, &at);
    &all[all.partition_point(|one| at(one) < start_ns)..]
}

/// Weighted by nanoseconds, rounded towards zero.
fn mean(held: impl Iterator<Item = (i64, u64)>) -> Option<Price> {
    let (sum, total) = held.fold((0, 0), |(sum, total), (value, ns)| {
        (
            sum + i128::from(value) * i128::from(ns),
            total + i128::from(ns),
        )
    });
    (total > 0).then(|| Price((sum / total) as i64))
}

/// From the bid on, rounded towards it.
fn microprice(quote: &Quote) -> Option<Price> {
    let ((bid, bid_qty), (ask, ask_qty)) = quote.bid.zip(quote.ask)?;
    let (bid_qty, ask_qty) = (i128::from(bid_qty.0), i128::from(ask_qty.0));
    let ahead = i128::from(ask.0 - bid.0) * bid_qty / (bid_qty + ask_qty);
    Some(Price(bid.0 + ahead as i64))
}

/// Of the whole list; squares of differences from its first, so that they fit.
fn deviation(prices: &[i128]) -> Option<Price> {
    let (base, count) = (*prices.first()?, prices.len() as i128);
    let sum: i128 = prices.iter().map(|price| price - base).sum();
    let squares: i128 = prices.iter().map(|price| (price - base).pow(2)).sum();
    let variance = (squares * count - sum * sum) / (count * count);
    Some(Price((variance as u128).isqrt() as i64))
}

fn bar_of(prints: &[&TradePrint], rule: BarRule) -> Bar {
    let prices = || prints.iter().map(|print| print.price);
    let times = || prints.iter().map(|print| print.stamp.ts_event);
    let silence_ns = match rule {
        BarRule::Session(gap_ns) => gap_ns,
        _ => 1,
    };
    Bar {
        instrument: prints[0].instrument,
        start_ns: times().min().expect("a print"),
        end_ns: times().max().expect("a print") + silence_ns,
        open: prints[0].price,
        high: prices().max().expect("a print"),
        low: prices().min().expect("a print"),
        close: prints[prints.len() - 1].price,
        volume: Qty(prints.iter().map(|print| print.qty.0).sum()),
        notional: prints
            .iter()
            .map(|print| i128::from(print.price.0) * i128::from(print.qty.0))
            .sum(),
        trades: prints.len() as u32,
        integrity: Integrity::Ok,
    }
}
