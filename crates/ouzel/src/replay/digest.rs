//! Numbers over what was published: equal digests mean equal output.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use market::publish::Frame;

const FNV_START: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_STEP: u64 = 0x0100_0000_01b3;
const ID: &str = "InstrumentId(";

/// For each symbol a hash (FNV-1a) over the text of its frames in their order, which names every
/// field but our own number for the symbol; all of them added up.
///
/// What other symbols published in between changes nothing, nor which number a symbol has, so
/// that lanes that share the symbols between them come to the same sum as one lane for all.
#[derive(Debug, Default)]
pub struct FrameDigest {
    /// By our number for it: the symbol and its hash so far.
    symbols: BTreeMap<u32, ([u8; 16], u64)>,
    /// Over frames of no symbol.
    rest: u64,
    /// Over the symbols of other lanes.
    merged: u64,
    text: String,
}

impl FrameDigest {
    /// Adds one frame. The feed's status is left out: it counts how bytes arrived, not what they
    /// say.
    pub fn add(&mut self, frame: &Frame) {
        if matches!(frame, Frame::Feed(_)) {
            return;
        }
        self.text.clear();
        // Writing into a string cannot fail.
        let _never = write!(self.text, "{frame:?}");
        let Some(id) = first_id(&self.text) else {
            self.rest = self.rest.wrapping_add(fnv(FNV_START, &self.text));
            return;
        };
        let entry = self.symbols.entry(id).or_insert(([0; 16], FNV_START));
        if let Frame::Instrument(instrument) = frame {
            entry.0 = instrument.symbol;
        }
        // A frame may name its instrument in more than one place, a book in its last print too.
        let mut parts = self.text.split(ID);
        entry.1 = fnv(entry.1, parts.next().unwrap_or_default());
        for part in parts {
            let after = part.trim_start_matches(|c: char| c.is_ascii_digit());
            entry.1 = fnv(entry.1, after);
        }
    }

    /// Adds what another lane published, whose symbols are others. Frames of no symbol are about
    /// the venue: every lane says them, and one counts.
    pub fn merge(&mut self, other: &Self) {
        self.merged = self
            .merged
            .wrapping_add(other.merged.wrapping_add(other.sum()));
    }

    /// The digest so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.rest.wrapping_add(self.merged).wrapping_add(self.sum())
    }

    /// Over our own symbols.
    fn sum(&self) -> u64 {
        let hashes = self.symbols.values().map(|(symbol, hash)| {
            let bytes = symbol.iter().fold(*hash, |hash, &byte| step(hash, byte));
            bytes ^ bytes.rotate_left(29)
        });
        hashes.fold(0, u64::wrapping_add)
    }
}

/// The number of the frame's instrument.
fn first_id(text: &str) -> Option<u32> {
    let (_, rest) = text.split_once(ID)?;
    rest.split_once(')')?.0.parse().ok()
}

fn fnv(hash: u64, text: &str) -> u64 {
    text.bytes().fold(hash, step)
}

fn step(hash: u64, byte: u8) -> u64 {
    (hash ^ u64::from(byte)).wrapping_mul(FNV_STEP)
}

#[cfg(test)]
mod tests {
    use super::*;
    use market::event::{Instrument, InstrumentId, Price, Qty, Stamp, TradingState};
    use market::publish::{BookTop, Integrity, Level, TOP_LEVELS, TradePrint};

    fn listed(id: u32, name: &str) -> Frame {
        Frame::Instrument(Instrument::new(InstrumentId(id), name, 0, 4))
    }

    fn trade(id: u32, price: i64) -> Frame {
        Frame::Trade(TradePrint {
            instrument: InstrumentId(id),
            stamp: Stamp {
                seq: 1,
                ts_event: 2,
                ts_recv: 3,
            },
            price: Price(price),
            qty: Qty(5),
            aggressor: None,
            cross: false,
            match_id: 0,
            integrity: Integrity::Ok,
        })
    }

    /// A book that tells its last print.
    fn book(id: u32, price: i64) -> Frame {
        let Frame::Trade(last) = trade(id, price) else {
            unreachable!("a trade was made")
        };
        Frame::Book(BookTop {
            instrument: InstrumentId(id),
            stamp: last.stamp,
            bids: [Level::default(); TOP_LEVELS],
            asks: [Level::default(); TOP_LEVELS],
            bid_count: 0,
            ask_count: 0,
            locked: false,
            crossed: false,
            integrity: Integrity::Ok,
            state: TradingState::Trading,
            last: Some(last),
        })
    }

    fn digest(frames: &[Frame]) -> FrameDigest {
        let mut digest = FrameDigest::default();
        frames.iter().for_each(|frame| digest.add(frame));
        digest
    }

    #[test]
    fn two_lanes_come_to_the_sum_of_one_and_any_change_shows() {
        let one = digest(&[
            listed(0, "AA"),
            listed(1, "BB"),
            trade(0, 10),
            trade(1, 20),
            book(1, 20),
            trade(0, 30),
        ]);
        let mut two = digest(&[listed(0, "BB"), trade(0, 20), book(0, 20)]);
        two.merge(&digest(&[listed(0, "AA"), trade(0, 10), trade(0, 30)]));
        assert_eq!(one.value(), two.value());
        let swapped = digest(&[listed(0, "AA"), trade(0, 30), trade(0, 10)]);
        let kept = digest(&[listed(0, "AA"), trade(0, 10), trade(0, 30)]);
        assert_ne!(
            swapped.value(),
            kept.value(),
            "order within a symbol counts"
        );
        let other = digest(&[listed(0, "AB"), trade(0, 10), trade(0, 30)]);
        assert_ne!(other.value(), kept.value(), "the symbol counts");
    }
}
