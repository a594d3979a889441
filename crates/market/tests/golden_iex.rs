//! The captures that IEX published, from its test system: every book equals one kept by a reader of
//! the raw bytes that shares nothing with the decoder.

mod common;

use std::collections::BTreeMap;
use std::io::Read;

use common::measures::Twin;
use common::windows::Windows;
use market::event::{InstrumentId, Price, Qty, Side};
use market::pipeline::{IexPipeline, PipelineConfig};
use market::publish::{BarRule, Frame, Integrity};
use market::window::MeasureConfig;
use wire::iextp;
use wire::pcap::{self, Reader};

/// Price in 1e-4 to shares.
type Levels = BTreeMap<i64, u32>;

/// Offsets are the specification's.
#[derive(Default)]
struct Naive {
    books: BTreeMap<String, [Levels; 2]>,
    counts: BTreeMap<char, u64>,
    traded: u64,
    /// Shares in a round lot, by symbol.
    lots: BTreeMap<String, u64>,
    runs: u64,
    has_messages: bool,
}

fn number(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .rev()
        .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
}

impl Naive {
    /// Whether a packet begins a run of the test system; heartbeats before its first message say
    /// the same again.
    fn starts(&self, packet: &[u8]) -> bool {
        let is_first = number(&packet[16..24]) == 0 && number(&packet[24..32]) == 1;
        is_first && (self.runs == 0 || self.has_messages)
    }

    fn packet(&mut self, packet: &[u8]) {
        if self.starts(packet) {
            self.runs += 1;
            self.has_messages = false;
            self.books.clear();
        }
        let mut rest = &packet[40..];
        for _ in 0..number(&packet[14..16]) {
            let (message, behind) = rest[2..].split_at(number(&rest[..2]) as usize);
            self.message(message);
            self.has_messages = true;
            rest = behind;
        }
    }

    fn message(&mut self, message: &[u8]) {
        *self.counts.entry(char::from(message[0])).or_default() += 1;
        match message[0] {
            kind @ (b'8' | b'5') => {
                let (size, price) = (number(&message[18..22]), number(&message[22..30]));
                let levels = &mut self.book(message)[usize::from(kind == b'5')];
                levels.insert(price as i64, size as u32);
                levels.retain(|_, size| *size > 0);
            }
            b'Q' => {
                let told = [
                    (number(&message[22..30]), number(&message[18..22])),
                    (number(&message[30..38]), number(&message[38..42])),
                ];
                *self.book(message) = told.map(|(price, size)| {
                    let is_there = price > 0 && size > 0;
                    is_there
                        .then_some((price as i64, size as u32))
                        .into_iter()
                        .collect()
                });
            }
            b'D' => {
                let symbol = std::str::from_utf8(&message[10..18]).expect("ASCII");
                let lot = number(&message[18..22]);
                self.lots.insert(symbol.trim_end().to_owned(), lot);
            }
            b'T' => self.traded += number(&message[18..22]),
            _ => {}
        }
    }

    fn book(&mut self, message: &[u8]) -> &mut [Levels; 2] {
        let symbol = std::str::from_utf8(&message[10..18]).expect("ASCII");
        self.books.entry(symbol.trim_end().to_owned()).or_default()
    }

    /// Compares every book; returns how many are not empty.
    fn check(&self, pipeline: &IexPipeline) -> usize {
        let mut filled = 0;
        for instrument in pipeline.events().instruments() {
            let book = self.books.get(instrument.symbol());
            for (side, idx) in [(Side::Bid, 0), (Side::Ask, 1)] {
                let mut expected: Vec<(Price, Qty)> = book
                    .into_iter()
                    .flat_map(|book| &book[idx])
                    .map(|(price, size)| (Price(price * 100_000), Qty((*size).into())))
                    .collect();
                if side == Side::Bid {
                    expected.reverse();
                }
                let ours = pipeline.events().level_book(instrument.id);
                let ours: Vec<_> = ours
                    .into_iter()
                    .flat_map(|book| book.levels(side))
                    .map(|level| (level.price, level.qty))
                    .collect();
                assert_eq!(ours, expected, "{} {side:?}", instrument.symbol());
                filled += usize::from(!ours.is_empty());
            }
        }
        filled
    }
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    prints: u64,
    volume: u64,
    busts: u64,
    crossed: u64,
    /// Sides of books that were compared and not empty.
    filled: usize,
}

/// Each message of a packet as a packet of its own: header fields as IEX-TP 1.25 has them.
fn split(packet: &[u8]) -> Vec<Vec<u8>> {
    let (mut offset, mut seq) = (number(&packet[16..24]), number(&packet[24..32]));
    let mut rest = &packet[40..];
    let mut packets = Vec::new();
    for _ in 0..number(&packet[14..16]) {
        let (message, behind) = rest.split_at(2 + number(&rest[..2]) as usize);
        let mut one = packet[..40].to_vec();
        one[12..14].copy_from_slice(&(message.len() as u16).to_le_bytes());
        one[14..16].copy_from_slice(&1_u16.to_le_bytes());
        one[16..24].copy_from_slice(&offset.to_le_bytes());
        one[24..32].copy_from_slice(&seq.to_le_bytes());
        one.extend(message);
        packets.push(one);
        (offset, seq) = (offset + message.len() as u64, seq + 1);
        rest = behind;
    }
    packets
}

/// What the venue says when it has nothing to say after `packet`.
fn heartbeat(packet: &[u8]) -> Vec<u8> {
    let packet = iextp::Packet::parse(packet).expect("a packet");
    let header = iextp::Header::new(
        packet.protocol(),
        packet.channel(),
        packet.session(),
        packet.next_seq(),
        packet.stream_offset() + packet.payload().len() as u64,
        packet.send_time_ns() + 1,
    );
    let mut buffer = [0; iextp::HEADER_SIZE];
    iextp::PacketWriter::new(&mut buffer, header)
        .finish()
        .to_vec()
}

/// Bars of every kind, a VWAP over a minute, measures and joined prints equal what prints and
/// quotes say, one message at a time.
#[test]
fn windows_and_measures_equal_prints_and_quotes() {
    let Some(path) = common::shared("iex/TOPS16.pcapng.gz") else {
        return;
    };
    let packed = std::fs::read(path).expect("it exists");
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .expect("whole gzip");
    let rules = [
        BarRule::Ticks(5),
        BarRule::Volume(Qty(1_000)),
        BarRule::Notional(Price(Price::SCALE).times(Qty(50_000))),
        BarRule::Session(2_000_000_000),
    ];
    let measure = MeasureConfig::default();
    // Times of one symbol run behind those of another: without patience some prints are late.
    let config = PipelineConfig {
        instruments_limit: 8_000,
        levels_reserve: 8,
        lateness_ns: 1_000_000_000,
        measure: Some(measure),
        activity: rules.to_vec(),
        join_tolerance_ns: Some(u64::MAX),
        ..PipelineConfig::default()
    };
    let mut pipeline = IexPipeline::new(&config);
    let (mut told, mut twin) = (Windows::default(), Twin::new(measure, &rules));
    let (mut frames, mut last_ns, mut beat) = (Vec::new(), 0, Vec::new());
    let mut take = |frame: Frame| {
        told.frame(&frame);
        twin.frame(&frame);
    };
    for record in Reader::new(&bytes)
        .expect("a capture")
        .map_while(Result::ok)
    {
        let payload = pcap::udp(&record).expect("UDP only").payload;
        for packet in split(payload) {
            pipeline.packet(0, record.ts_ns, &packet);
            pipeline.publish(&mut frames);
            frames.drain(..).for_each(&mut take);
        }
        last_ns = record.ts_ns;
        beat = heartbeat(payload);
    }
    // Two quiet minutes, in which the venue lives.
    last_ns += 120_000_000_000;
    pipeline.packet(0, last_ns, &beat);
    pipeline.tick(last_ns + 1);
    pipeline.publish(&mut frames);
    frames.drain(..).for_each(&mut take);
    let (late_bars, late_vwaps) = pipeline.events().late();
    assert_eq!((late_bars.dropped, late_vwaps.dropped), (0, 0));
    let late = pipeline.events().late_measures();
    assert_eq!((late.applied, late.dropped), (0, 0));
    let (bars, vwaps) = told.check(&config.bar_ns);
    let compared = twin.check();
    println!("{bars} bars, {vwaps} VWAPs, {compared:?}");
    assert!(bars > 100 && vwaps > 1_000, "{bars} bars, {vwaps} VWAPs");
    assert_eq!(compared.joined, 6_390);
    assert!(compared.two_sided > 1_000 && compared.with_volatility > 100);
    assert!(compared.activity.values().all(|bars| *bars > 10));
}

fn replay(name: &str) -> Option<(Naive, IexPipeline, Told)> {
    let path = common::shared(name)?;
    let mut bytes = Vec::new();
    let packed = std::fs::read(path).expect("it exists");
    flate2::read::MultiGzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .expect("whole gzip");
    let mut pipeline = IexPipeline::new(&PipelineConfig {
        instruments_limit: 8_000,
        levels_reserve: 8,
        ..PipelineConfig::default()
    });
    let (mut naive, mut told, mut frames) = (Naive::default(), Told::default(), Vec::new());
    let mut packets = 0_u64;
    // The last record of DEEP is cut; all before it are UDP.
    for record in Reader::new(&bytes)
        .expect("a capture")
        .map_while(Result::ok)
    {
        let payload = pcap::udp(&record).expect("UDP only").payload;
        packets += 1;
        if naive.starts(payload) || packets.is_multiple_of(1_000) {
            told.filled += naive.check(&pipeline);
        }
        pipeline.packet(0, record.ts_ns, payload);
        naive.packet(payload);
        pipeline.publish(&mut frames);
        for frame in frames.drain(..) {
            match frame {
                Frame::Trade(print) => {
                    told.prints += 1;
                    told.volume += print.qty.0;
                }
                Frame::Amendment(_) => told.busts += 1,
                Frame::Book(book) => {
                    told.crossed += u64::from(book.crossed);
                    let is_right = book.integrity == Integrity::Ok;
                    assert!(is_right || book.crossed, "{:?}", book.stamp);
                }
                _ => {}
            }
        }
    }
    told.filled += naive.check(&pipeline);
    let events = pipeline.events();
    assert_eq!((events.rejected().total(), events.dropped()), (0, 0));
    let status = pipeline.feed().status();
    assert_eq!((status.gaps, status.lost), (0, 0));
    assert_eq!(
        pipeline.feed().messages(),
        naive.counts.values().sum::<u64>()
    );
    assert_eq!(
        (told.prints, told.volume),
        (naive.counts[&'T'], naive.traded)
    );
    assert_eq!(told.busts, naive.counts[&'B']);
    println!("{name}: {told:?}");
    Some((naive, pipeline, told))
}

#[test]
fn deep_books_of_twelve_runs_equal_a_naive_readers() {
    let Some((naive, pipeline, _)) = replay("iex/DEEP10.pcap.gz") else {
        return;
    };
    assert_eq!((naive.runs, pipeline.feed().restarts()), (12, 11));
    assert_eq!(
        (pipeline.feed().messages(), naive.counts[&'T']),
        (391_999, 83_343)
    );
    // The ends of auctions are all that is not given on.
    assert_eq!(pipeline.feed().unread(), naive.counts[&'E']);
}

#[test]
fn tops_quotes_equal_a_naive_readers() {
    let Some((naive, pipeline, _)) = replay("iex/TOPS16.pcapng.gz") else {
        return;
    };
    assert_eq!((naive.runs, pipeline.feed().restarts()), (1, 0));
    assert_eq!(
        (pipeline.feed().messages(), naive.counts[&'Q']),
        (57_674, 27_217)
    );
    assert_eq!(pipeline.feed().unread(), 0);
    let listed = pipeline.events().instruments().iter();
    let told = listed.filter_map(|instrument| {
        let lot = instrument.terms.round_lot?;
        Some((instrument.symbol().to_owned(), lot.0))
    });
    let told: BTreeMap<String, u64> = told.collect();
    assert_eq!((told.len(), &told), (10, &naive.lots));
    assert!(pipeline.events().book_top(InstrumentId(0)).is_some());
}
