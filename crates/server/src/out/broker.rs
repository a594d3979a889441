//! What brokers have in common: frames as messages, each with an address, a number and a payload.
//!
//! An address is a kind and a symbol (or a lane, for what is about no symbol). Messages of one address are
//! numbered from 1 in each run of the server, so that a reader of a single address sees what it missed;
//! and when frames of its lane were lost before they got a number, the next message says how many.

use std::collections::HashMap;
use std::fmt::Write;
use std::io;
use std::sync::Arc;

use market::event::{Instrument, InstrumentId};
use market::feed::ouzel;
use market::publish::Frame;
use node::Node;
use node::outlet::{Kind, Kinds, Outlet, SlowPolicy, SpillSettings};

use super::names::{Named, Names};
use crate::json::frame::{About, FrameRow};

/// How a frame is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// One JSON object, as `/v1/stream` shows it.
    #[default]
    Json,
    /// One message of `docs/formats/ouzel-frames.md`, which has no place for measures, joined prints and
    /// trading statuses: these are counted as refused.
    Binary,
}

/// What is sent, and what happens when the broker does not keep up.
#[derive(Clone, Debug)]
pub struct Stream {
    /// What is sent.
    pub kinds: Kinds,
    /// How it is written.
    pub format: Format,
    /// What happens at the bound.
    pub slow: SlowPolicy,
    /// The bound, frames.
    pub capacity: usize,
    /// Where frames wait with [`SlowPolicy::Spill`].
    pub spill: Option<SpillSettings>,
}

impl Stream {
    /// Opens an outlet for it.
    ///
    /// # Errors
    /// When frames should wait on disk and the folder cannot be used.
    #[allow(
        clippy::print_stderr,
        reason = "the log of a server is its standard error"
    )]
    pub fn open(&self, node: &Node, name: &str) -> io::Result<Outlet> {
        let outlets = node.outlets();
        let (SlowPolicy::Spill, Some(spill)) = (self.slow, &self.spill) else {
            return Ok(outlets.open_for(name, self.slow, self.capacity, self.kinds));
        };
        let (outlet, left) = outlets.open_spilling(name, self.capacity, self.kinds, spill)?;
        if left > 0 {
            eprintln!(
                "ouzel: output {name}: {left} frames that an earlier run could not deliver are removed"
            );
        }
        Ok(outlet)
    }
}

/// Frames that may wait for a broker where nothing else is asked for: about 40 MB.
pub const CAPACITY: usize = 65_536;

impl Default for Stream {
    fn default() -> Self {
        Self {
            kinds: Kinds::ALL,
            format: Format::Json,
            slow: SlowPolicy::DropWithMark,
            capacity: CAPACITY,
            spill: None,
        }
    }
}

/// Where a message goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Address {
    /// The sort of frame.
    pub kind: Kind,
    /// The symbol as people know it, or the lane's number.
    pub key: String,
}

/// One frame on its way.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// Where it goes.
    pub address: Arc<Address>,
    /// Its number among those of its address.
    pub n: u64,
    /// Frames of its lane that were lost since the message before; some may have been of this address.
    pub dropped: u64,
    /// The frame.
    pub payload: Vec<u8>,
}

/// Makes messages of frames: knows names, numbers and holes.
pub struct Messages {
    format: Format,
    names: Names,
    places: HashMap<(Kind, usize, u32), Place>,
    /// Lost so far, by lane.
    lost: Vec<u64>,
    /// Addresses written to since it was last known what became of the messages.
    open: Vec<(Kind, usize, u32)>,
    buffer: Box<ouzel::Buffer>,
}

struct Place {
    address: Arc<Address>,
    n: u64,
    /// Of `lost`, what the messages of this address have told.
    told: u64,
    /// Of `told`, what the broker has for certain.
    heard: u64,
}

impl Messages {
    /// Writes frames as `format`.
    #[must_use]
    pub fn new(format: Format) -> Self {
        Self {
            format,
            names: Names::default(),
            places: HashMap::new(),
            lost: Vec::new(),
            open: Vec::new(),
            buffer: Box::new(ouzel::buffer()),
        }
    }

    /// `frame` as a message; `None` where the format has no place for it, or its instrument has no name.
    pub fn put(&mut self, node: &Node, lane: usize, frame: &Frame) -> Option<Message> {
        match frame {
            Frame::Instrument(new) => self.name(node, lane, new),
            Frame::Dropped { count } => self.lose(lane, *count),
            _ => {}
        }
        self.write(lane, frame)
    }

    /// The mark of a hole that is counted already.
    pub fn mark(&mut self, lane: usize, count: u64) -> Option<Message> {
        self.write(lane, &Frame::Dropped { count })
    }

    fn write(&mut self, lane: usize, frame: &Frame) -> Option<Message> {
        let kind = Kind::of(frame);
        let id = instrument_of(frame);
        let named = match id {
            Some(id) => Some(self.names.get(lane, id)?),
            None => None,
        };
        let id = id.map_or(u32::MAX, |id| id.0);
        let binary = match self.format {
            Format::Json => None,
            Format::Binary => Some(ouzel::write(lane, frame, &mut self.buffer)?.to_vec()),
        };
        let place = self
            .places
            .entry((kind, lane, id))
            .or_insert_with(|| Place::new(kind, lane, named));
        let lost = self.lost.get(lane).copied().unwrap_or(0);
        let (n, dropped) = (place.n + 1, lost - place.told);
        let payload = match binary {
            Some(payload) => payload,
            None => {
                let named = named.map(|n| (n.symbol.as_str(), &n.instrument));
                let about = About { lane, named };
                let row = FrameRow::new(word(frame), n, dropped, about, frame)?;
                // Rows of ours have no map keys or numbers that JSON cannot hold.
                serde_json::to_vec(&row).expect("rows are JSON")
            }
        };
        (place.n, place.told) = (n, lost);
        self.open.push((kind, lane, id));
        Some(Message {
            address: Arc::clone(&place.address),
            n,
            dropped,
            payload,
        })
    }

    /// What became of the messages since the last call: the broker has them all, or nobody knows, and
    /// then what they told of holes is told again.
    pub fn settle(&mut self, are_confirmed: bool) {
        for key in self.open.drain(..) {
            let Some(place) = self.places.get_mut(&key) else {
                continue;
            };
            if are_confirmed {
                place.heard = place.told;
            } else {
                place.told = place.heard;
            }
        }
    }

    /// So many frames of `lane` will not come, or may not have come.
    pub fn lose(&mut self, lane: usize, count: u64) {
        if self.lost.len() <= lane {
            self.lost.resize(lane + 1, 0);
        }
        self.lost[lane] += count;
    }

    fn name(&mut self, node: &Node, lane: usize, new: &Instrument) {
        if self.names.learn(node, lane, new) {
            self.places
                .retain(|(_, of, id), _| (*of, *id) != (lane, new.id.0));
        }
    }
}

impl Place {
    fn new(kind: Kind, lane: usize, named: Option<&Named>) -> Self {
        let key = named.map_or_else(|| lane.to_string(), |named| named.symbol.clone());
        Self {
            address: Arc::new(Address { kind, key }),
            n: 0,
            told: 0,
            heard: 0,
        }
    }
}

/// As `/v1/stream` calls it: two words for the two frames that are of the kind `loss`.
fn word(frame: &Frame) -> &'static str {
    match frame {
        Frame::Lost(_) => "lost",
        Frame::Refreshed(_) => "refreshed",
        _ => Kind::of(frame).name(),
    }
}

fn instrument_of(frame: &Frame) -> Option<InstrumentId> {
    Some(match frame {
        Frame::Instrument(of) => of.id,
        Frame::Book(of) => of.instrument,
        Frame::Trade(of) => of.instrument,
        Frame::Bar(of) => of.instrument,
        Frame::Vwap(of) => of.instrument,
        Frame::Signal(of) => of.instrument,
        Frame::Measure(of) => of.instrument,
        Frame::State(of) => of.instrument,
        Frame::Activity(of) => of.bar.instrument,
        Frame::Joined(of) => of.print.instrument,
        Frame::Status(of) => of.instrument,
        Frame::Amendment(of) => of.instrument,
        Frame::Feed(_)
        | Frame::Venue(_)
        | Frame::Lost(_)
        | Frame::Refreshed(_)
        | Frame::Dropped { .. } => return None,
    })
}

/// `key` as one token of a subject or name: letters, digits, `-` and `_` stand for themselves, every other
/// byte is `%` and two hexadecimal digits, as in a URL.
#[must_use]
pub fn token(key: &str) -> String {
    let mut token = String::with_capacity(key.len());
    for byte in key.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') {
            token.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            let _written = write!(token, "%{byte:02X}");
        }
    }
    token
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use collection::SyncPolicy;
    use market::event::{Price, Qty, Stamp};
    use market::publish::{Integrity, Measure, Quote, TradePrint, VenueStatus};
    use node::Settings;
    use serde_json::Value;
    use stdx::SystemClock;

    use super::*;

    fn node() -> (Node, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            dir: dir.path().to_owned(),
            sync: SyncPolicy::Never,
            limits: collection::Options::default(),
            embedding: node::EmbeddingLimits::default(),
        };
        let node = Node::open(&settings, Arc::new(SystemClock)).expect("a node");
        (node, dir)
    }

    fn name(id: u32, symbol: &str) -> Frame {
        Frame::Instrument(Instrument::new(InstrumentId(id), symbol, 0, 2))
    }

    fn print(id: u32, seq: u64) -> Frame {
        Frame::Trade(TradePrint {
            instrument: InstrumentId(id),
            stamp: Stamp {
                seq,
                ts_event: seq,
                ts_recv: seq,
            },
            price: Price(12_340_000_000),
            qty: Qty(5),
            aggressor: None,
            cross: false,
            match_id: seq,
            integrity: Integrity::Ok,
        })
    }

    fn measure(id: u32) -> Frame {
        Frame::Measure(Measure {
            instrument: InstrumentId(id),
            end_ns: 1,
            length_ns: 1,
            quote: Quote::default(),
            microprice: None,
            spread_mean: None,
            last: None,
            twap: None,
            ema: None,
            extremes: None,
            deviation: None,
            volatility_e9: 0,
            volume: Qty(0),
            bought: Qty(0),
            sold: Qty(0),
            notional: 0,
            trades: 0,
            quotes: 0,
            flow: 0,
            integrity: Integrity::Ok,
        })
    }

    #[test]
    fn each_address_counts_for_itself_and_hears_of_its_lanes_holes() {
        let (node, _dir) = node();
        let mut messages = Messages::new(Format::Json);
        let mut put = |lane, frame: &Frame| {
            let message = messages.put(&node, lane, frame).expect("a message");
            let row: Value = serde_json::from_slice(&message.payload).expect("JSON");
            assert_eq!(row["n"], message.n);
            assert_eq!(row["dropped"].as_u64().unwrap_or(0), message.dropped);
            let key = message.address.key.clone();
            (message.address.kind, key, message.n, message.dropped)
        };
        put(0, &name(0, "BRK.B"));
        put(0, &name(1, "A"));
        put(1, &name(0, "B"));
        let brk = |n, dropped| (Kind::Trade, "BRK.B".to_owned(), n, dropped);
        assert_eq!(put(0, &print(0, 1)), brk(1, 0));
        assert_eq!(put(0, &print(1, 2)), (Kind::Trade, "A".to_owned(), 1, 0));
        let hole = put(0, &Frame::Dropped { count: 3 });
        assert_eq!(hole, (Kind::Dropped, "0".to_owned(), 1, 3));
        assert_eq!(put(0, &print(0, 6)), brk(2, 3));
        assert_eq!(put(0, &print(0, 7)), brk(3, 0));
        assert_eq!(put(0, &print(1, 8)), (Kind::Trade, "A".to_owned(), 2, 3));
        assert_eq!(put(1, &print(0, 1)), (Kind::Trade, "B".to_owned(), 1, 0));
        let venue = Frame::Venue(VenueStatus::default());
        assert_eq!(put(1, &venue), (Kind::Venue, "1".to_owned(), 1, 0));
    }

    #[test]
    fn what_was_told_in_vain_is_told_again() {
        let (node, _dir) = node();
        let mut messages = Messages::new(Format::Json);
        messages.put(&node, 0, &name(0, "A"));
        messages.lose(0, 3);
        let told = |message: Option<Message>| message.map(|m| (m.n, m.dropped));
        assert_eq!(told(messages.put(&node, 0, &print(0, 1))), Some((1, 3)));
        messages.settle(false);
        messages.lose(0, 1);
        assert_eq!(told(messages.put(&node, 0, &print(0, 2))), Some((2, 4)));
        messages.settle(true);
        assert_eq!(told(messages.put(&node, 0, &print(0, 3))), Some((3, 0)));
        assert_eq!(told(messages.mark(0, 4)), Some((1, 4)));
    }

    #[test]
    fn a_print_has_the_fields_of_the_stream() {
        let (node, _dir) = node();
        let mut messages = Messages::new(Format::Json);
        messages.put(&node, 0, &name(0, "A"));
        let message = messages.put(&node, 0, &print(0, 9)).expect("a message");
        let row: Value = serde_json::from_slice(&message.payload).expect("JSON");
        assert_eq!(row["type"], "trade");
        assert_eq!(row["symbol"], "A");
        assert_eq!(
            (&row["seq"], &row["price_e9"]),
            (&9.into(), &12_340_000_000_i64.into())
        );
    }

    #[test]
    fn the_binary_format_says_what_it_can() {
        let (node, _dir) = node();
        let mut messages = Messages::new(Format::Binary);
        messages.put(&node, 0, &name(0, "A")).expect("a name");
        let message = messages.put(&node, 0, &print(0, 9)).expect("a message");
        let read = wire::ouzel::Message::parse(&message.payload).ok();
        assert_eq!(read.and_then(|m| ouzel::read(&m)), Some((0, print(0, 9))));
        assert_eq!(messages.put(&node, 0, &measure(0)), None);
    }

    #[test]
    fn a_frame_of_no_known_instrument_is_refused() {
        let (node, _dir) = node();
        let mut messages = Messages::new(Format::Json);
        assert_eq!(messages.put(&node, 0, &print(3, 1)), None);
    }

    #[test]
    fn tokens_are_one_word() {
        assert_eq!(token("AAPL"), "AAPL");
        assert_eq!(token("BRK.B"), "BRK%2EB");
        assert_eq!(token("ESH4 C 100"), "ESH4%20C%20100");
        assert_eq!(
            token("binance-usdm:XBT/USD>*"),
            "binance-usdm%3AXBT%2FUSD%3E%2A"
        );
    }
}
