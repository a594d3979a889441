//! What a replay found.

use std::fmt::Write as _;
use std::time::Instant;

use market::pipeline::{DepthCheck, DepthVenue, RejectRing};
use market::publish::{FeedStatus, Frame};
use node::Names;
use node::market::{MarketView, SymbolView};
use serde_json::{Value, json};
use server::json::market::{SignalRow, SymbolRow};

use super::digest::FrameDigest;
use super::file::{Capture, Kind};

/// Frames of a replay, applied to a view of their own.
pub struct Summary {
    kind: Kind,
    view: MarketView,
    /// Of lanes with other symbols.
    others: Vec<MarketView>,
    frames: u64,
    bars: u64,
    vwaps: u64,
    prints: u64,
    digest: FrameDigest,
    books: u64,
    status: FeedStatus,
    rejected: u64,
    rejected_last: Vec<String>,
    tickers: Option<(u64, u64)>,
    depth: Option<DepthCheck>,
    taken: u64,
    notes: Vec<String>,
    began: Instant,
    seconds: f64,
}

impl Summary {
    /// Nothing yet.
    pub fn new(capture: &Capture) -> Self {
        Self {
            kind: capture.kind,
            view: MarketView::new(Names::packaged()),
            others: Vec::new(),
            frames: 0,
            bars: 0,
            vwaps: 0,
            prints: 0,
            digest: FrameDigest::default(),
            books: 0,
            status: FeedStatus::default(),
            rejected: 0,
            rejected_last: Vec::new(),
            tickers: None,
            depth: None,
            taken: 0,
            notes: Vec::new(),
            began: Instant::now(),
            seconds: 0.0,
        }
    }

    /// One published frame.
    pub fn apply(&mut self, frame: &Frame) {
        self.frames += 1;
        match frame {
            Frame::Bar(_) => self.bars += 1,
            Frame::Vwap(_) => self.vwaps += 1,
            Frame::Trade(_) => self.prints += 1,
            _ => {}
        }
        self.digest.add(frame);
        self.view.apply(0, frame);
    }

    /// The pipeline's own account.
    pub fn finish(&mut self, status: FeedStatus, books: u64, rejected: &RejectRing) {
        self.seconds = self.began.elapsed().as_secs_f64();
        self.status = status;
        self.books = books;
        self.rejected = rejected.total();
        let last = rejected.newest_first().take(3);
        self.rejected_last = last
            .map(|r| format!("line {}: {:#}", r.line, anyhow::Error::new(r.reason)))
            .collect();
    }

    /// Adds what another lane found, whose symbols are others; `rejected` are the messages that it
    /// could not use.
    pub fn merge(&mut self, other: Self, rejected: u64) {
        self.frames += other.frames;
        self.bars += other.bars;
        self.vwaps += other.vwaps;
        self.prints += other.prints;
        self.digest.merge(&other.digest);
        self.books = self.books.wrapping_add(other.books);
        self.rejected += rejected;
        self.others.push(other.view);
    }

    fn views(&self) -> impl Iterator<Item = &MarketView> {
        std::iter::once(&self.view).chain(&self.others)
    }

    fn instruments(&self) -> usize {
        self.views().map(|view| view.symbols().len()).sum()
    }

    /// How often our best prices equalled the venue's own.
    pub fn ticker_check(&mut self, checked: u64, equal: u64) {
        self.tickers = Some((checked, equal));
    }

    /// What a depth feed counted of its own trust.
    pub fn depth_check(&mut self, check: DepthCheck) {
        self.depth = Some(check);
    }

    /// How many messages came, where their numbers do not say.
    pub fn took(&mut self, messages: u64) {
        self.taken = messages;
    }

    /// Something a reader should know.
    pub fn note(&mut self, note: Option<String>) {
        self.notes.extend(note);
    }

    /// Books and frames in one number.
    pub fn digest(&self) -> u64 {
        self.digest.value() ^ self.books.rotate_left(1)
    }

    fn movers(&self) -> Vec<&SymbolView> {
        let mut rows: Vec<&SymbolView> = self.views().flat_map(MarketView::symbols).collect();
        server::http::sort_by_move(&mut rows);
        rows
    }

    /// One JSON object.
    pub fn json(&self, top: usize) -> Value {
        let signals: Vec<SignalRow> = self
            .views()
            .flat_map(|view| {
                view.signals_from(0)
                    .map(|s| SignalRow::new(&view.symbols()[s.symbol_idx].symbol, &s.signal))
            })
            .collect();
        let symbols: Vec<SymbolRow> = self
            .movers()
            .into_iter()
            .take(top)
            .map(SymbolRow::from)
            .collect();
        json!({
            "kind": kind(self.kind), "messages": self.messages(), "frames": self.frames,
            "instruments": self.instruments(), "prints": self.prints, "bars": self.bars,
            "vwaps": self.vwaps, "signals": signals, "symbols": symbols,
            "gaps": self.status.gaps, "lost": self.status.lost, "rejected": self.rejected,
            "rejected_last": self.rejected_last, "notes": self.notes,
            "ticker_check": self.tickers.map(|(checked, equal)| json!({"checked": checked, "equal": equal})),
            "depth_check": self.depth.map(|check| json!({
                "checksums": check.checksums, "checksums_unequal": check.checksums_unequal,
                "breaks": check.breaks, "trades_old": check.trades_old,
            })),
            "books_digest": format!("{:016x}", self.books),
            "frames_digest": format!("{:016x}", self.digest.value()),
            "digest": format!("{:016x}", self.digest()), "seconds": self.seconds,
        })
    }

    fn messages(&self) -> u64 {
        match self.kind {
            Kind::Pcap | Kind::Itch | Kind::Tape | Kind::Dbn | Kind::Fast => {
                self.status.next_seq.saturating_sub(1)
            }
            // Numbers begin anew in each of its sessions.
            Kind::Iex => self.taken,
            Kind::BinanceLines | Kind::Recorded(_) => self.status.lines[0].packets,
        }
    }

    /// For people.
    pub fn text(&self, top: usize) -> String {
        let mut text = String::new();
        let (messages, seconds) = (self.messages(), self.seconds);
        let _ = writeln!(
            text,
            "{}: messages up to {messages} in {seconds:.3} s",
            kind(self.kind)
        );
        let _ = writeln!(
            text,
            "  {} instruments, {} prints, {} bars, {} VWAPs, {} signals",
            self.instruments(),
            self.prints,
            self.bars,
            self.vwaps,
            self.views().map(MarketView::signal_count).sum::<u64>(),
        );
        let _ = writeln!(
            text,
            "  gaps {}, lost {}, rejected {}",
            self.status.gaps, self.status.lost, self.rejected
        );
        for last in &self.rejected_last {
            let _ = writeln!(text, "    {last}");
        }
        if let Some((checked, equal)) = self.tickers {
            let _ = writeln!(
                text,
                "  best prices equal to the venue's own: {equal} of {checked}"
            );
        }
        if let Some(check) = self.depth.filter(|check| check.checksums > 0) {
            let equal = check.checksums - check.checksums_unequal;
            let _ = writeln!(
                text,
                "  checksums equal to the venue's own: {equal} of {}",
                check.checksums
            );
        }
        for note in &self.notes {
            let _ = writeln!(text, "  note: {note}");
        }
        for view in self
            .movers()
            .into_iter()
            .take(top)
            .filter(|v| v.last.is_some())
        {
            let last = view.last.map(|t| t.price.to_string()).unwrap_or_default();
            let change = view.change_bp().unwrap_or(0.0) / 100.0;
            let _ = writeln!(
                text,
                "  {:<10} {last:>14} {change:>+8.2} %  {} prints",
                view.symbol, view.trades
            );
        }
        let _ = write!(text, "  digest {:016x}", self.digest());
        text
    }
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Pcap => "pcap",
        Kind::Itch => "itch",
        Kind::Tape => "tape",
        Kind::BinanceLines | Kind::Recorded(DepthVenue::Binance) => "binance",
        Kind::Recorded(DepthVenue::Kraken) => "kraken",
        Kind::Recorded(DepthVenue::Coinbase) => "coinbase",
        Kind::Recorded(DepthVenue::Okx) => "okx",
        Kind::Dbn => "dbn",
        Kind::Iex => "iex",
        Kind::Fast => "fast",
    }
}
