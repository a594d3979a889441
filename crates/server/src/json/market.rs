//! Market records as people and browsers read them. Floats appear here and nowhere below.

use market::event::{Instrument, Price, Side};
use market::publish::{
    Bar, BookTop, FeedStatus, Level, Signal, SignalKind, SymbolStatus, TradePrint, Vwap,
};
use node::market::words::{
    auction, feed_state, integrity, limit_state, short_sale, trading_state, venue_phase,
};
use node::market::{LinkView, MarketView, SymbolView};
use serde::Serialize;

use super::Instant;

/// A quantity in whole units.
pub(super) fn qty(instrument: &Instrument, units: u64) -> f64 {
    units as f64 / 10f64.powi(i32::from(instrument.qty_decimals))
}

/// One print of the stream.
#[derive(Clone, Debug, Serialize)]
pub struct TradeRow {
    symbol: String,
    seq: u64,
    ts_event: Instant,
    price: f64,
    price_e9: i64,
    qty: f64,
    aggressor: Option<&'static str>,
    cross: bool,
    match_id: u64,
    integrity: &'static str,
}

impl TradeRow {
    /// A print of `view`'s symbol.
    #[must_use]
    pub fn new(view: &SymbolView, print: &TradePrint) -> Self {
        Self::of(&view.symbol, &view.instrument, print)
    }

    /// A print of `instrument`, shown as `symbol`.
    #[must_use]
    pub fn of(symbol: &str, instrument: &Instrument, print: &TradePrint) -> Self {
        Self {
            symbol: symbol.to_owned(),
            seq: print.stamp.seq,
            ts_event: Instant(print.stamp.ts_event),
            price: print.price.to_f64(),
            price_e9: print.price.0,
            qty: qty(instrument, print.qty.0),
            aggressor: print.aggressor.map(side_word),
            cross: print.cross,
            match_id: print.match_id,
            integrity: integrity(print.integrity),
        }
    }
}

/// A row of `/v1/symbols`.
#[derive(Clone, Debug, Serialize)]
pub struct SymbolRow {
    symbol: String,
    name: Option<String>,
    last: Option<f64>,
    open: Option<f64>,
    change_bp: Option<f64>,
    volume: f64,
    vwap: Option<f64>,
    bid: Option<f64>,
    ask: Option<f64>,
    integrity: &'static str,
    state: &'static str,
    signals: u64,
    ts_event: Option<Instant>,
}

impl From<&SymbolView> for SymbolRow {
    fn from(view: &SymbolView) -> Self {
        let book = view.book.as_ref();
        Self {
            symbol: view.symbol.clone(),
            name: view.name.clone(),
            last: view.last.map(|t| t.price.to_f64()),
            open: view.open.map(Price::to_f64),
            change_bp: view.change_bp().map(|bp| (bp * 100.0).round() / 100.0),
            volume: qty(&view.instrument, view.volume.0),
            vwap: view.vwaps.back().and_then(Vwap::price).map(Price::to_f64),
            bid: book
                .filter(|b| b.bid_count > 0)
                .map(|b| b.bids[0].price.to_f64()),
            ask: book
                .filter(|b| b.ask_count > 0)
                .map(|b| b.asks[0].price.to_f64()),
            integrity: integrity(view.integrity()),
            state: trading_state(book.map(|b| b.state).unwrap_or_default()),
            signals: view.signals,
            ts_event: view.ts_event().map(Instant),
        }
    }
}

/// One price of a book.
#[derive(Clone, Debug, Serialize)]
pub struct LevelRow {
    price: f64,
    price_e9: i64,
    qty: f64,
    orders: u32,
}

/// A print inside a book.
#[derive(Clone, Debug, Serialize)]
pub struct LastPrint {
    price: f64,
    qty: f64,
    aggressor: Option<&'static str>,
    ts_event: Instant,
}

/// `/v1/book/{symbol}`.
#[derive(Clone, Debug, Serialize)]
pub struct BookRow {
    symbol: String,
    seq: u64,
    ts_event: Instant,
    ts_recv: Instant,
    integrity: &'static str,
    state: &'static str,
    locked: bool,
    crossed: bool,
    bids: Vec<LevelRow>,
    asks: Vec<LevelRow>,
    last: Option<LastPrint>,
    status: Option<Box<StatusRow>>,
}

impl BookRow {
    /// The best `depth` levels of each side, with the newest print and status of the view.
    #[must_use]
    pub fn new(view: &SymbolView, book: &BookTop, depth: usize) -> Self {
        let instrument = &view.instrument;
        let mut row = Self::of(&view.symbol, instrument, book, depth);
        if let Some(print) = &view.last {
            row.last = Some(last_print(instrument, print));
        }
        let status = view.status.as_ref();
        row.status = status.map(|s| Box::new(StatusRow::new(instrument, s)));
        row
    }

    /// The same of a book alone: with its own last print, and no status.
    #[must_use]
    pub fn of(symbol: &str, instrument: &Instrument, book: &BookTop, depth: usize) -> Self {
        let side = |levels: &[Level], count: u8| -> Vec<LevelRow> {
            let filled = &levels[..usize::from(count).min(levels.len()).min(depth)];
            filled
                .iter()
                .map(|level| level_row(instrument, level))
                .collect()
        };
        Self {
            symbol: symbol.to_owned(),
            seq: book.stamp.seq,
            ts_event: Instant(book.stamp.ts_event),
            ts_recv: Instant(book.stamp.ts_recv),
            integrity: integrity(book.integrity),
            state: trading_state(book.state),
            locked: book.locked,
            crossed: book.crossed,
            bids: side(&book.bids, book.bid_count),
            asks: side(&book.asks, book.ask_count),
            last: book.last.map(|print| last_print(instrument, &print)),
            status: None,
        }
    }
}

/// What the venue lets people do in a symbol, and what its next auction would do.
#[derive(Clone, Debug, Serialize)]
pub struct StatusRow {
    state: &'static str,
    reason: Option<String>,
    operational_halt: bool,
    short_sale: Option<&'static str>,
    imbalance: Option<ImbalanceRow>,
    official_open: Option<f64>,
    official_close: Option<f64>,
    /// Lowest and highest price of the auction that ends a pause.
    collar: Option<[f64; 2]>,
    /// Lowest and highest price at which trades may happen now.
    band: Option<[Option<f64>; 2]>,
    limit: &'static str,
    integrity: &'static str,
    ts_event: Instant,
}

/// What an auction would do if it were held now.
#[derive(Clone, Debug, Serialize)]
pub struct ImbalanceRow {
    auction: Option<&'static str>,
    paired: f64,
    unpaired: f64,
    side: Option<&'static str>,
    reference: Option<f64>,
    near: Option<f64>,
    far: Option<f64>,
}

impl StatusRow {
    /// The status of `instrument`.
    #[must_use]
    pub fn new(instrument: &Instrument, status: &SymbolStatus) -> Self {
        let reason = String::from_utf8_lossy(&status.reason);
        let reason = reason.trim_matches(['\0', ' ']);
        Self {
            state: trading_state(status.state),
            reason: (!reason.is_empty()).then(|| reason.to_owned()),
            operational_halt: status.operational_halt,
            short_sale: status.short_sale.map(short_sale),
            imbalance: status.imbalance.map(|of| ImbalanceRow {
                auction: of.auction.map(auction),
                paired: qty(instrument, of.paired.0),
                unpaired: qty(instrument, of.unpaired.0),
                side: of.side.map(side_word),
                reference: of.reference.map(Price::to_f64),
                near: of.near.map(Price::to_f64),
                far: of.far.map(Price::to_f64),
            }),
            official_open: status.official_open.map(Price::to_f64),
            official_close: status.official_close.map(Price::to_f64),
            collar: status
                .collar
                .map(|of| [of.lower.to_f64(), of.upper.to_f64()]),
            band: status
                .band
                .map(|of| [of.lower.map(Price::to_f64), of.upper.map(Price::to_f64)]),
            limit: limit_state(status.limit),
            integrity: integrity(status.integrity),
            ts_event: Instant(status.stamp.ts_event),
        }
    }
}

fn side_word(side: Side) -> &'static str {
    match side {
        Side::Bid => "buy",
        Side::Ask => "sell",
    }
}

fn level_row(instrument: &Instrument, level: &Level) -> LevelRow {
    LevelRow {
        price: level.price.to_f64(),
        price_e9: level.price.0,
        qty: qty(instrument, level.qty.0),
        orders: level.orders,
    }
}

fn last_print(instrument: &Instrument, print: &TradePrint) -> LastPrint {
    LastPrint {
        price: print.price.to_f64(),
        qty: qty(instrument, print.qty.0),
        aggressor: print.aggressor.map(side_word),
        ts_event: Instant(print.stamp.ts_event),
    }
}

/// One bar.
#[derive(Clone, Debug, Serialize)]
pub struct BarRow {
    start: Instant,
    end: Instant,
    open: f64,
    high: f64,
    low: f64,
    close: f64,
    volume: f64,
    vwap: Option<f64>,
    trades: u32,
    integrity: &'static str,
}

impl BarRow {
    /// A bar of `instrument`.
    #[must_use]
    pub fn new(instrument: &Instrument, bar: &Bar) -> Self {
        let vwap = bar.notional.checked_div(i128::from(bar.volume.0));
        Self {
            start: Instant(bar.start_ns),
            end: Instant(bar.end_ns),
            open: bar.open.to_f64(),
            high: bar.high.to_f64(),
            low: bar.low.to_f64(),
            close: bar.close.to_f64(),
            volume: qty(instrument, bar.volume.0),
            vwap: vwap
                .and_then(|p| i64::try_from(p).ok())
                .map(|p| Price(p).to_f64()),
            trades: bar.trades,
            integrity: integrity(bar.integrity),
        }
    }
}

/// One emission of the sliding VWAP.
#[derive(Clone, Debug, Serialize)]
pub struct VwapRow {
    symbol: String,
    end: Instant,
    vwap: Option<f64>,
    vwap_e9: Option<i64>,
    volume: f64,
    /// Exact, as text: it may not fit a JSON number.
    notional_e9: String,
    trades: u32,
    integrity: &'static str,
}

impl VwapRow {
    /// A VWAP of `view`.
    #[must_use]
    pub fn new(view: &SymbolView, vwap: &Vwap) -> Self {
        Self::of(&view.symbol, &view.instrument, vwap)
    }

    /// A VWAP of `instrument`, shown as `symbol`.
    #[must_use]
    pub fn of(symbol: &str, instrument: &Instrument, vwap: &Vwap) -> Self {
        Self {
            symbol: symbol.to_owned(),
            end: Instant(vwap.end_ns),
            vwap: vwap.price().map(Price::to_f64),
            vwap_e9: vwap.price().map(|p| p.0),
            volume: qty(instrument, vwap.volume.0),
            notional_e9: vwap.notional.to_string(),
            trades: vwap.trades,
            integrity: integrity(vwap.integrity),
        }
    }
}

/// One signal.
#[derive(Clone, Debug, Serialize)]
pub struct SignalRow {
    symbol: String,
    kind: &'static str,
    /// What the user calls a rule; null for the other kinds.
    rule: Option<String>,
    /// The value of the first field that a rule names.
    value: Option<f64>,
    at: Instant,
    seq: u64,
    from: Option<f64>,
    to: Option<f64>,
    move_bp: Option<i32>,
    span_ms: Option<u64>,
    reason: Option<String>,
    integrity: &'static str,
}

impl SignalRow {
    /// A signal of `symbol`.
    #[must_use]
    pub fn new(symbol: &str, signal: &Signal) -> Self {
        let mut row = Self {
            symbol: symbol.to_owned(),
            kind: "resume",
            rule: None,
            value: None,
            at: Instant(signal.stamp.ts_event),
            seq: signal.stamp.seq,
            from: None,
            to: None,
            move_bp: None,
            span_ms: None,
            reason: None,
            integrity: integrity(signal.integrity),
        };
        match signal.kind {
            SignalKind::Jump {
                from,
                to,
                span_ns,
                move_bp,
            } => {
                row.kind = "jump";
                row.from = Some(from.to_f64());
                row.to = Some(to.to_f64());
                row.move_bp = Some(move_bp);
                row.span_ms = Some(span_ns / 1_000_000);
            }
            SignalKind::Halt { reason } => {
                row.kind = "halt";
                row.reason = Some(String::from_utf8_lossy(&reason).trim_end().to_owned());
            }
            SignalKind::Resume => {}
            SignalKind::Rule { rule, value_e9 } => {
                row.kind = "rule";
                row.rule = Some(rule.as_str().to_owned());
                row.value = Some(value_e9 as f64 / 1e9);
            }
        }
        row
    }
}

/// One line of a feed.
#[derive(Clone, Debug, Serialize)]
pub struct LineRow {
    name: &'static str,
    group: Option<String>,
    packets: u64,
    wins: u64,
    duplicates: u64,
    missed: u64,
    malformed: u64,
    kernel_drops: u64,
    last_recv: Option<Instant>,
}

/// Receive-to-publish latency.
#[derive(Clone, Debug, Serialize)]
pub struct LatencyRow {
    p50: Option<u64>,
    p99: Option<u64>,
    p999: Option<u64>,
    max: Option<u64>,
    count: u64,
}

/// Who sends.
#[derive(Clone, Debug, Serialize)]
pub struct VenueRow {
    simulated: bool,
    label: String,
}

/// Books compared with the venue's.
#[derive(Clone, Debug, Serialize)]
pub struct CheckRow {
    seq: Option<u64>,
    equal: Option<bool>,
    checked: u64,
    unequal: u64,
}

/// One connection to a venue that speaks WebSocket.
#[derive(Clone, Debug, Serialize)]
pub struct LinkRow {
    name: String,
    is_up: bool,
    state: &'static str,
    messages: u64,
    failures: u64,
    last_recv: Option<Instant>,
    checksums: u64,
    checksum_failures: u64,
    breaks: u64,
    resubscribes: u64,
    trouble: Option<String>,
}

impl LinkRow {
    fn new(link: &LinkView, view: &MarketView) -> Self {
        let status = view.feeds().get(link.lane).copied().unwrap_or_default();
        Self {
            name: link.name.clone(),
            is_up: link.is_up,
            state: feed_state(status.state),
            messages: link.messages,
            failures: link.failures,
            last_recv: link.last_recv_ns.map(Instant),
            checksums: link.check.checksums,
            checksum_failures: link.check.checksums_unequal,
            breaks: link.check.breaks,
            resubscribes: link.check.resubscribes,
            trouble: link.trouble.clone(),
        }
    }
}

/// `/v1/feed`.
#[derive(Clone, Debug, Serialize)]
pub struct FeedRow {
    state: &'static str,
    next_seq: u64,
    head_seq: u64,
    gaps: u64,
    requested: u64,
    recovered: u64,
    lost: u64,
    refuted: u64,
    snapshots_asked: u64,
    snapshots_failed: u64,
    refreshed: u64,
    unresolved: u64,
    rejected: u64,
    amendments: u64,
    dropped_frames: u64,
    phase: Option<&'static str>,
    breaker_breached: Option<u8>,
    lines: Vec<LineRow>,
    latency_ns: LatencyRow,
    venue: VenueRow,
    check: CheckRow,
    links: Vec<LinkRow>,
}

impl FeedRow {
    /// The first lane's feed; further lanes have no lines of their own to show.
    #[must_use]
    pub fn new(view: &MarketView) -> Self {
        let status = view.feeds().first().copied().unwrap_or_default();
        Self {
            state: feed_state(status.state),
            next_seq: status.next_seq,
            head_seq: status.head_seq,
            gaps: status.gaps,
            requested: status.requested,
            recovered: status.recovered,
            lost: status.lost,
            refuted: status.refuted,
            snapshots_asked: status.snapshots_asked,
            snapshots_failed: status.snapshots_failed,
            refreshed: status.refreshed,
            unresolved: status.unresolved,
            rejected: status.rejected,
            amendments: view.amendments(),
            dropped_frames: view.dropped(),
            phase: view.venue_status().phase.map(venue_phase),
            breaker_breached: view.venue_status().breached,
            lines: lines(&status, &view.venue.groups),
            latency_ns: latency(view),
            venue: VenueRow {
                simulated: view.venue.simulated,
                label: view.venue.label.clone(),
            },
            check: CheckRow {
                seq: view.check.seq,
                equal: view.check.seq.map(|_| view.check.unequal == 0),
                checked: view.check.checked,
                unequal: view.check.unequal,
            },
            links: view
                .links()
                .iter()
                .map(|link| LinkRow::new(link, view))
                .collect(),
        }
    }
}

pub(super) fn lines(status: &FeedStatus, groups: &[String]) -> Vec<LineRow> {
    let names = ["A", "B"].into_iter().zip(status.lines.iter()).enumerate();
    names
        .map(|(idx, (name, line))| LineRow {
            name,
            group: groups.get(idx).cloned(),
            packets: line.packets,
            wins: line.wins,
            duplicates: line.duplicates,
            missed: line.missed,
            malformed: line.malformed,
            kernel_drops: line.kernel_drops,
            last_recv: (line.last_recv_ns > 0).then_some(Instant(line.last_recv_ns)),
        })
        .collect()
}

fn latency(view: &MarketView) -> LatencyRow {
    let latency = view.report.latency;
    let some = |ns: u64| (latency.count > 0).then_some(ns);
    LatencyRow {
        p50: some(latency.p50_ns),
        p99: some(latency.p99_ns),
        p999: some(latency.p999_ns),
        max: some(latency.max_ns),
        count: latency.count,
    }
}
