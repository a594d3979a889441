//! Every order of ES March 2024 over Christmas, and Databento's small files of the other schemas,
//! from file to books. The facts were found by independent programs (MANIFEST.md of the recordings).

#[path = "../../market/tests/common/measures.rs"]
mod measures;
#[path = "../../market/tests/common/windows.rs"]
mod windows;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use engine::capture::DbnFile;
use market::event::{InstrumentId, Price, Qty, Side};
use market::pipeline::{DbnPipeline, PipelineConfig};
use market::publish::{BarRule, Frame, Integrity};
use market::window::MeasureConfig;
use wire::dbn::{Record, decode, flag};

fn shared(name: &str) -> Option<PathBuf> {
    let below = Path::new("data/market/dbn").join(name);
    let path = match std::env::var_os("OUZEL_SHARED") {
        Some(shared) => PathBuf::from(shared).join(&below),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("shared").join(&below))
            .find(|path| path.exists())
            .unwrap_or(below),
    };
    if !path.exists() {
        println!("skipped: no recording dbn/{name}");
        return None;
    }
    Some(path)
}

/// The slow and obvious twin: all orders in a map.
#[derive(Default)]
struct Naive {
    orders: BTreeMap<u64, (u8, i64, u32)>,
    strangers: u64,
    volume: u64,
    prints: u64,
}

impl Naive {
    fn apply(&mut self, bytes: &[u8]) {
        let Ok(Record::Mbo(mbo)) = decode(bytes) else {
            panic!("orders only")
        };
        let id = mbo.order_id.get();
        let (price, size) = (mbo.price.get(), mbo.size.get().expect("a size"));
        match mbo.action.0 {
            b'A' => {
                let order = (mbo.side.0, price.expect("a price"), size);
                let before = self.orders.insert(id, order);
                self.strangers += u64::from(before.is_some());
            }
            b'M' => match self.orders.get_mut(&id) {
                Some(order) => *order = (order.0, price.expect("a price"), size),
                None => self.strangers += 1,
            },
            b'C' => match self.orders.get_mut(&id) {
                Some(order) if order.2 > size => order.2 -= size,
                Some(_) => {
                    self.orders.remove(&id);
                }
                None => self.strangers += 1,
            },
            b'T' => {
                self.prints += 1;
                self.volume += u64::from(size);
            }
            b'F' => {}
            other => panic!("action {}", char::from(other)),
        }
    }

    /// The ten best levels: price, quantity, orders.
    fn top(&self, side: u8) -> Vec<(i64, u64, u32)> {
        let mut levels: BTreeMap<i64, (u64, u32)> = BTreeMap::new();
        for &(on, price, size) in self.orders.values() {
            if on == side {
                let level = levels.entry(price).or_default();
                *level = (level.0 + u64::from(size), level.1 + 1);
            }
        }
        let flat = levels.into_iter().map(|(price, (qty, n))| (price, qty, n));
        let mut flat: Vec<_> = flat.collect();
        if side == b'B' {
            flat.reverse();
        }
        flat.truncate(10);
        flat
    }
}

fn top(pipeline: &DbnPipeline, side: Side) -> Vec<(i64, u64, u32)> {
    let book = pipeline
        .events()
        .order_book(InstrumentId(0))
        .expect("an order book");
    let levels = book.levels(side).take(10);
    levels
        .map(|level| (level.price.0, level.qty.0, level.orders))
        .collect()
}

/// 2023-12-25 17:00 in Chicago: the holiday is over and orders match again.
const OPEN_NS: u64 = 1_703_545_200_000_000_000;

#[test]
fn every_order_of_es_over_christmas() {
    let Some(path) = shared("nautilus/esh4-glbx-mdp3-20231225.mbo.dbn.zst") else {
        return;
    };
    let mut file = DbnFile::open(&path).expect("a DBN file");
    let mut pipeline = DbnPipeline::new(&PipelineConfig::default());
    pipeline.header(&file.metadata().expect("it has a header"));
    let (mut naive, mut records, mut snapshot) = (Naive::default(), 0_u64, 0);
    let (mut prints, mut volume, mut crossed) = (0, 0, [0, 0]);
    let mut frames: Vec<Frame> = Vec::new();
    while let Some(record) = file.next_record() {
        let record = record.expect("a whole file");
        naive.apply(record);
        pipeline.record(record);
        records += 1;
        let Ok(Record::Mbo(mbo)) = decode(record) else {
            continue;
        };
        snapshot += u64::from(mbo.flags & wire::dbn::flag::SNAPSHOT != 0);
        if snapshot == 8_725 && records == 8_725 {
            assert_eq!(pipeline.events().orders(), 8_725);
        }
        pipeline.publish(&mut frames);
        for frame in frames.drain(..) {
            match frame {
                Frame::Trade(trade) => {
                    prints += 1;
                    volume += trade.qty.0;
                }
                Frame::Book(book) => {
                    // No record says so, but before the open orders rest across each other.
                    let is_open = book.stamp.ts_event >= OPEN_NS;
                    crossed[usize::from(is_open)] += u64::from(book.crossed);
                    let expected = match book.crossed {
                        true => Integrity::Suspect,
                        false => Integrity::Ok,
                    };
                    assert_eq!(book.integrity, expected, "{:?}", book.stamp);
                }
                _ => {}
            }
        }
        if records % 2_000 == 0 {
            assert_eq!(
                top(&pipeline, Side::Bid),
                naive.top(b'B'),
                "after {records}"
            );
            assert_eq!(
                top(&pipeline, Side::Ask),
                naive.top(b'A'),
                "after {records}"
            );
        }
    }
    assert_eq!((records, snapshot), (68_792, 8_725));
    assert_eq!(
        (naive.strangers, pipeline.events().rejected().total()),
        (0, 0)
    );
    assert_eq!((prints, volume), (naive.prints, naive.volume));
    assert_eq!(prints, 2_973);
    println!("crossed before and after the open: {crossed:?}");
    assert_eq!(
        crossed[1], 0,
        "a book between two records of one change was published"
    );
    assert_eq!(
        (pipeline.events().orders(), naive.orders.len()),
        (11_217, 11_217)
    );
    let last = pipeline.events().book_top(InstrumentId(0)).expect("listed");
    assert_eq!(
        (last.bids[0].price, last.asks[0].price),
        (Price(4_810_000_000_000), Price(4_810_250_000_000))
    );
    assert_eq!(pipeline.events().instruments()[0].symbol(), "ESH4");
}

#[test]
fn the_snapshot_alone_is_the_book_of_8725_orders() {
    let Some(path) = shared("nautilus/esh4-glbx-mdp3-20231224.mbo.dbn.zst") else {
        return;
    };
    let pipeline = replay(&path);
    assert_eq!(pipeline.events().orders(), 8_725);
    assert_eq!(pipeline.events().rejected().total(), 0);
}

/// Bars of every kind, a VWAP over a minute, measures and joined prints equal what prints and books
/// say, record by record.
#[test]
fn windows_of_es_equal_its_prints() {
    let Some(path) = shared("nautilus/esh4-glbx-mdp3-20231225.mbo.dbn.zst") else {
        return;
    };
    let rules = [
        BarRule::Ticks(20),
        BarRule::Volume(Qty(100)),
        BarRule::Notional(Price(Price::SCALE).times(Qty(500_000))),
        BarRule::Session(5_000_000_000),
    ];
    let measure = MeasureConfig::default();
    let config = PipelineConfig {
        measure: Some(measure),
        activity: rules.to_vec(),
        join_tolerance_ns: Some(u64::MAX),
        ..PipelineConfig::default()
    };
    let mut file = DbnFile::open(&path).expect("a DBN file");
    let mut pipeline = DbnPipeline::new(&config);
    pipeline.header(&file.metadata().expect("it has a header"));
    let mut told = windows::Windows::default();
    let (mut twin, mut unsaid) = (measures::Twin::new(measure, &rules), 0);
    let (mut frames, mut last_ns, mut open_ns) = (Vec::new(), 0, None);
    while let Some(record) = file.next_record() {
        let record = record.expect("a whole file");
        if let Ok(Record::Mbo(mbo)) = decode(record) {
            let at_ns = mbo.header.ts_event.get().expect("each has one");
            // A change whose end is never said, as the snapshot's, ends where the next begins: its
            // book holds from then on, and is published only with what the next made of it.
            if let Some(since_ns) = open_ns.filter(|open_ns| *open_ns != at_ns)
                && mbo.flags & flag::SNAPSHOT == 0
                && let Some(mut top) = pipeline.events().book_top(InstrumentId(0))
            {
                top.stamp.ts_event = since_ns;
                twin.frame(&Frame::Book(top));
                unsaid += 1;
            }
            open_ns = (mbo.flags & flag::LAST == 0).then_some(at_ns);
            last_ns = last_ns.max(mbo.ts_recv.get().unwrap_or(0));
        }
        pipeline.record(record);
        pipeline.publish(&mut frames);
        for frame in frames.drain(..) {
            told.frame(&frame);
            twin.frame(&frame);
        }
    }
    pipeline.tick(last_ns + 120_000_000_000);
    pipeline.publish(&mut frames);
    for frame in frames.drain(..) {
        told.frame(&frame);
        twin.frame(&frame);
    }
    println!("{unsaid} changes without an end");
    let (bars, vwaps) = told.check(&config.bar_ns);
    let late = pipeline.events().late_measures();
    assert_eq!((late.applied, late.dropped), (0, 0));
    let compared = twin.check();
    println!("{bars} bars, {vwaps} VWAPs, {compared:?}");
    assert!(bars > 100 && vwaps > 1_000, "{bars} bars, {vwaps} VWAPs");
    assert_eq!(compared.joined, 2_973);
    assert!(compared.two_sided > 1_000 && compared.with_volatility > 100);
    assert!(compared.activity.values().all(|bars| *bars > 10));
}

fn replay(path: &Path) -> DbnPipeline {
    let mut file = DbnFile::open(path).expect("a DBN file");
    let mut pipeline = DbnPipeline::new(&PipelineConfig {
        levels_reserve: 16,
        orders_limit: 1 << 14,
        ..PipelineConfig::default()
    });
    if let Some(metadata) = file.metadata() {
        pipeline.header(&metadata);
    }
    while let Some(record) = file.next_record() {
        pipeline.record(record.expect("a whole file"));
    }
    pipeline
}

/// The last record's levels are the book, whatever came before.
#[test]
fn books_by_level_are_the_last_records_levels() {
    for (name, symbol) in [
        (
            "databento_python/GLBX.MDP3/test_data.mbp-10.dbn.zst",
            "ESH1",
        ),
        (
            "databento_python/XNAS.ITCH/test_data.mbp-10.dbn.zst",
            "NVDA",
        ),
        ("databento_python/GLBX.MDP3/test_data.mbp-1.dbn.zst", "ESH1"),
        ("databento_python/EQUS.MINI/test_data.bbo-1s.dbn.zst", "QQQ"),
        ("databento_dbn/test_data.cmbp-1.v3.dbn.zst", "ESH1"),
    ] {
        let Some(path) = shared(name) else { return };
        let mut told: BTreeMap<String, u64> = BTreeMap::new();
        let mut file = DbnFile::open(&path).expect("a DBN file");
        while let Some(record) = file.next_record() {
            told.clear();
            let record = decode(record.expect("a whole file")).expect("a good record");
            record.fields(|name, level, value| {
                if let Some(level) = level {
                    let value = match value {
                        wire::dbn::Field::Signed(units) => units as u64,
                        wire::dbn::Field::Unsigned(units) => units,
                        _ => return,
                    };
                    told.insert(format!("{name} {level}"), value);
                }
            });
        }
        let pipeline = replay(&path);
        let book = pipeline.events().level_book(InstrumentId(0)).expect(name);
        for (side, px, sz) in [
            (Side::Bid, "bid_px", "bid_sz"),
            (Side::Ask, "ask_px", "ask_sz"),
        ] {
            let expected: Vec<_> = (0..10)
                .filter_map(|level| {
                    let price = told.get(&format!("{px} {level}"))?;
                    let qty = told.get(&format!("{sz} {level}"))?;
                    Some((Price(*price as i64), Qty(*qty)))
                })
                .collect();
            let got: Vec<_> = book
                .levels(side)
                .map(|level| (level.price, level.qty))
                .collect();
            assert_eq!(got, expected, "{name}");
        }
        assert_eq!(pipeline.events().rejected().total(), 0, "{name}");
        assert_eq!(pipeline.events().instruments()[0].symbol(), symbol);
    }
}

/// A live stream names its instruments by records, and mixes all schemas.
#[test]
fn a_mixed_live_stream_is_followed() {
    let Some(path) = shared("databento_python/LIVE/test_data.live.dbn.zst") else {
        return;
    };
    let pipeline = replay(&path);
    let names: Vec<&str> = pipeline
        .events()
        .instruments()
        .iter()
        .map(|i| i.symbol())
        .collect();
    println!("{names:?}, unread {}", pipeline.feed().unread());
    assert_eq!(pipeline.feed().records(), 46);
    assert!(
        names
            .iter()
            .all(|name| !name.bytes().all(|byte| byte.is_ascii_digit())),
        "{names:?}"
    );
}
