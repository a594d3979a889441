//! Real NASDAQ bytes: the start of a day, and frames captured from the wire.

mod common;

use market::event::{InstrumentId, Qty, Side, TradingState};
use market::feed::mold::MoldConfig;
use market::pipeline::{ItchPipeline, PipelineConfig};
use market::publish::{Frame, Integrity};

/// 2019-01-30 and 2023-08-22, 00:00 in New York.
const MIDNIGHT_2019: u64 = 1_548_824_400_000_000_000;
const MIDNIGHT_2023: u64 = 1_692_676_800_000_000_000;

fn config(midnight_ns: u64) -> PipelineConfig {
    PipelineConfig {
        midnight_ns,
        mold: MoldConfig {
            has_retransmit: false,
            ..MoldConfig::default()
        },
        ..PipelineConfig::default()
    }
}

#[test]
fn the_start_of_a_day_names_98_instruments() {
    let Some(file) = common::shared("itch/nasdaq_20190130_sod_101msg.itch") else {
        return;
    };
    let bytes = std::fs::read(file).expect("it exists");
    let mut pipeline = ItchPipeline::new(&config(MIDNIGHT_2019));
    let mut cut = None;
    for frame in wire::itchfile::Frames::new(&bytes) {
        match frame {
            Ok(message) => pipeline.message(0, message),
            Err(tail) => cut = Some(tail),
        }
    }
    assert_eq!(cut.map(|tail| tail.have), Some(15));
    assert_eq!(pipeline.instruments().len(), 98);
    let first: Vec<&str> = pipeline.instruments()[..3]
        .iter()
        .map(|i| i.symbol())
        .collect();
    assert_eq!(first, ["A", "AA", "AAAU"]);
    // The directory's round lots: no multiple is asked for, so that single shares are lots.
    let lots = |lot: u64| {
        let listed = pipeline.instruments().iter();
        listed
            .filter(|i| i.terms.round_lot == Some(Qty(lot)))
            .count()
    };
    assert_eq!((lots(100), lots(10), lots(1)), (98, 0, 0));
    let terms = pipeline.instruments()[0].terms;
    assert_eq!((terms.lot_size, terms.tick_size), (Some(Qty(1)), None));
    assert_eq!(pipeline.rejected().total(), 0);
    assert_eq!(pipeline.status().next_seq, 102);
    // Directory, trading action, Reg SHO and the system event: each has its meaning.
    assert_eq!(pipeline.without_meaning(), 0);
}

/// Payloads of a capture with their times.
fn payloads(path: &str) -> Option<Vec<(u64, Vec<u8>)>> {
    let bytes = std::fs::read(common::shared(path)?).expect("it exists");
    let reader = wire::pcap::Reader::new(&bytes).expect("a pcap header");
    let datagrams = reader.map(|record| {
        let record = record.expect("a whole record");
        let udp = wire::pcap::udp(&record).expect("UDP");
        (record.ts_ns, udp.payload.to_vec())
    });
    Some(datagrams.collect())
}

#[test]
fn a_captured_burst_adds_38_orders_to_meta() {
    let Some(packets) = payloads("itch/omi_nasdaq_live_20230822/Multiple.Packets.pcap") else {
        return;
    };
    assert_eq!(packets.len(), 2);
    let (ts_recv, burst) = packets
        .iter()
        .max_by_key(|(_, payload)| payload.len())
        .expect("two");
    let mut pipeline = ItchPipeline::new(&config(MIDNIGHT_2023));
    pipeline.packet(0, *ts_recv, burst);
    let symbols: Vec<&str> = pipeline.instruments().iter().map(|i| i.symbol()).collect();
    assert_eq!(symbols, ["META"]);
    assert_eq!(pipeline.books().orders(), 38);
    let book = pipeline.book(InstrumentId(0)).expect("META");
    let orders = |side| book.levels(side).map(|level| level.orders).sum::<u32>();
    assert_eq!(orders(Side::Bid) + orders(Side::Ask), 38);
    assert_eq!(pipeline.rejected().total(), 0);
    // Joined in mid-session without a server that could tell what came before.
    let top = pipeline.book_top(InstrumentId(0)).expect("META");
    assert_eq!(top.integrity, Integrity::Stale);
    let delay = i128::from(top.stamp.ts_recv) - i128::from(top.stamp.ts_event);
    assert!(
        delay.abs() < 1_000_000_000,
        "midnight is New York's: {delay} ns"
    );
}

#[test]
fn a_captured_trading_action_is_a_state() {
    let name = "itch/omi_nasdaq_live_20230822/StockTradingActionMessage.pcap";
    let Some(packets) = payloads(name) else {
        return;
    };
    let mut pipeline = ItchPipeline::new(&config(MIDNIGHT_2023));
    for (ts_recv, payload) in &packets {
        pipeline.packet(0, *ts_recv, payload);
    }
    let top = pipeline.book_top(InstrumentId(0)).expect("one symbol");
    assert_ne!(top.state, TradingState::Unknown);
    let mut frames = Vec::new();
    pipeline.publish(&mut frames);
    assert!(matches!(frames[0], Frame::Instrument(_)), "{:?}", frames[0]);
}

/// Every captured message type passes; only those about orders nobody added are rejected, and
/// their symbols are flagged.
#[test]
fn every_captured_frame_passes() {
    let Some(folder) = common::shared("itch/omi_nasdaq_live_20230822") else {
        return;
    };
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let path = format!("itch/omi_nasdaq_live_20230822/{name}");
        for (ts_recv, payload) in payloads(&path).into_iter().flatten() {
            let mut pipeline = ItchPipeline::new(&config(MIDNIGHT_2023));
            pipeline.packet(0, ts_recv, &payload);
            assert_eq!(pipeline.status().lines[0].malformed, 0, "{name}");
            let about_orders = [
                "OrderExecuted",
                "OrderDelete",
                "OrderReplace",
                "OrderCancel",
            ];
            let is_about_orders = about_orders.iter().any(|kind| name.starts_with(kind));
            let is_single = !name.starts_with("Multiple");
            if is_single {
                assert_eq!(pipeline.rejected().total() > 0, is_about_orders, "{name}");
            }
        }
    }
}
