//! `ouzel listen`: what another Ouzel sends by multicast, frame by frame.

use std::collections::HashMap;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::Result;
use engine::lane::{Lane, LaneState};
use engine::udp::{ReceiverConfig, RecoveryClient, open_lines};
use market::event::{Instrument, InstrumentId, Qty};
use market::feed::mold::MoldConfig;
use market::pipeline::RelayPipeline;
use market::publish::{AmendmentKind, FeedState, FeedStatus, Frame, Integrity, SignalKind};
use serde_json::{Value, json};

use crate::args::{ListenArgs, RelayArgs};
use crate::outputs::v4;
use crate::{compose, print};

const INSTRUMENTS_LIMIT: usize = 65_536;
const QUEUE_LIMIT: usize = 65_536;
const BUFFER: usize = 8 << 20;
/// A lost message that nobody sends again within a second is given up and marked.
const TRIES: u32 = 25;
const TIMEOUT_NS: u64 = 40_000_000;
const IDLE: Duration = Duration::from_millis(1);

/// A lane that receives another Ouzel's frames.
pub fn lane(args: &RelayArgs) -> Result<Lane> {
    let config = |address| -> Result<ReceiverConfig> {
        Ok(ReceiverConfig {
            interface: args.interface,
            buffer_bytes: BUFFER,
            ..ReceiverConfig::loopback(v4(address)?)
        })
    };
    let addresses = std::iter::once(args.group).chain(args.group_b);
    let configs = addresses.map(config).collect::<Result<Vec<_>>>()?;
    let server = args.retransmit.map(v4).transpose()?;
    let opened = open_lines(&configs, &mut || {
        let open = |server| RecoveryClient::open(server, BUFFER);
        server.map(open).transpose()
    })?;
    opened.notes.iter().for_each(|note| print::warning(note));
    let mold = MoldConfig {
        has_retransmit: args.retransmit.is_some(),
        retransmit_tries: TRIES,
        retransmit_timeout_ns: TIMEOUT_NS,
        ..MoldConfig::default()
    };
    let pipeline = move || RelayPipeline::new(mold, INSTRUMENTS_LIMIT, QUEUE_LIMIT);
    Ok(Lane::spawn(
        compose::lane_config("relay", None),
        pipeline,
        opened.source,
    )?)
}

/// Prints frames until the sender ends its session, the time is over or the lane dies.
pub fn run(args: &ListenArgs) -> Result<ExitCode> {
    let mut lane = lane(&args.relay)?;
    let until = args.for_s.map(|s| Instant::now() + Duration::from_secs(s));
    let mut shown = Shown::default();
    loop {
        let mut is_idle = true;
        while let Some(frame) = lane.next_frame() {
            is_idle = false;
            shown.count(&frame);
            if args.summary {
                continue;
            }
            if let Some(row) = shown.row(&frame) {
                if args.json {
                    print::json(&row);
                } else {
                    print::line(text(&row));
                }
            }
        }
        let is_over = until.is_some_and(|until| Instant::now() >= until);
        let has_ended = shown.status.state == FeedState::Ended
            || matches!(lane.state(), LaneState::Ended | LaneState::Dead);
        if is_over || (is_idle && has_ended) {
            break;
        }
        if is_idle {
            std::thread::sleep(IDLE);
        }
    }
    lane.stop()?;
    if args.json {
        print::json(&shown.summary());
    } else {
        print::line(text(&shown.summary()));
    }
    Ok(ExitCode::SUCCESS)
}

/// What was printed so far, and what numbers mean.
#[derive(Default)]
struct Shown {
    instruments: HashMap<InstrumentId, Instrument>,
    status: FeedStatus,
    marked: u64,
    counts: [u64; 5],
}

impl Shown {
    fn count(&mut self, frame: &Frame) {
        let kind = match frame {
            Frame::Instrument(instrument) => {
                self.instruments.insert(instrument.id, *instrument);
                return;
            }
            Frame::Feed(status) => return self.status = *status,
            Frame::Dropped { count } => return self.marked += count,
            Frame::Book(_) => 0,
            Frame::Trade(_) => 1,
            Frame::Bar(_) => 2,
            Frame::Vwap(_) => 3,
            Frame::Signal(_) => 4,
            _ => return,
        };
        self.counts[kind] += 1;
    }

    fn row(&self, frame: &Frame) -> Option<Value> {
        let name = |id: InstrumentId| self.instruments.get(&id).map_or("", |i| i.symbol());
        let qty = |id: InstrumentId, qty: Qty| {
            let decimals = self.instruments.get(&id).map_or(0, |i| i.qty_decimals);
            qty.0 as f64 / 10f64.powi(i32::from(decimals))
        };
        let row = match frame {
            Frame::Book(book) => {
                let bid = book.bids[..usize::from(book.bid_count)].first();
                let ask = book.asks[..usize::from(book.ask_count)].first();
                json!({"type": "book", "symbol": name(book.instrument), "seq": book.stamp.seq,
                    "bid": bid.map(|l| l.price.to_string()), "ask": ask.map(|l| l.price.to_string()),
                    "integrity": word(book.integrity)})
            }
            Frame::Trade(print) => {
                json!({"type": "trade", "symbol": name(print.instrument), "seq": print.stamp.seq,
                    "price": print.price.to_string(), "qty": qty(print.instrument, print.qty),
                    "integrity": word(print.integrity)})
            }
            Frame::Bar(bar) => {
                json!({"type": "bar", "symbol": name(bar.instrument), "start_ns": bar.start_ns,
                    "end_ns": bar.end_ns, "open": bar.open.to_string(), "high": bar.high.to_string(),
                    "low": bar.low.to_string(), "close": bar.close.to_string(),
                    "volume": qty(bar.instrument, bar.volume), "integrity": word(bar.integrity)})
            }
            Frame::Vwap(vwap) => {
                json!({"type": "vwap", "symbol": name(vwap.instrument), "end_ns": vwap.end_ns,
                    "vwap": vwap.price().map(|p| p.to_string()),
                    "volume": qty(vwap.instrument, vwap.volume), "integrity": word(vwap.integrity)})
            }
            Frame::Signal(signal) => {
                let kind = kind_word(&signal.kind);
                json!({"type": "signal", "symbol": name(signal.instrument),
                    "seq": signal.stamp.seq, "kind": kind, "integrity": word(signal.integrity)})
            }
            Frame::Lost(lost) => {
                json!({"type": "lost", "from_seq": lost.from_seq, "to_seq": lost.to_seq})
            }
            Frame::Refreshed(fresh) => json!({"type": "refreshed", "seq": fresh.seq}),
            Frame::Amendment(amended) => json!({"type": "amendment",
                "symbol": name(amended.instrument), "match_id": amended.match_id,
                "bust": amended.kind == AmendmentKind::Bust}),
            Frame::Instrument(_)
            | Frame::Feed(_)
            | Frame::Activity(_)
            | Frame::Measure(_)
            | Frame::State(_)
            | Frame::Joined(_)
            | Frame::Status(_)
            | Frame::Venue(_) => return None,
            Frame::Dropped { count } => json!({"type": "dropped", "count": count}),
        };
        Some(row)
    }

    fn summary(&self) -> Value {
        let [books, trades, bars, vwaps, signals] = self.counts;
        json!({"type": "summary", "books": books, "trades": trades, "bars": bars, "vwaps": vwaps,
            "signals": signals, "gaps": self.status.gaps, "recovered": self.status.recovered,
            "lost": self.status.lost, "marked": self.marked, "instruments": self.instruments.len()})
    }
}

fn kind_word(kind: &SignalKind) -> &'static str {
    match kind {
        SignalKind::Jump { .. } => "jump",
        SignalKind::Halt { .. } => "halt",
        SignalKind::Resume => "resume",
        SignalKind::Rule { .. } => "rule",
    }
}

fn word(integrity: Integrity) -> &'static str {
    match integrity {
        Integrity::Ok => "ok",
        Integrity::Suspect => "suspect",
        Integrity::Recovering => "recovering",
        Integrity::Stale => "stale",
    }
}

/// `trade symbol=AAPL price=1.00`, the kind first.
fn text(row: &Value) -> String {
    let mut text = row["type"].as_str().unwrap_or("").to_owned();
    for (key, value) in row.as_object().into_iter().flatten() {
        if key == "type" || value.is_null() {
            continue;
        }
        let value = value
            .as_str()
            .map_or_else(|| value.to_string(), str::to_owned);
        text.push_str(&format!(" {key}={value}"));
    }
    text
}
