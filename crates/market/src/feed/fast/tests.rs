//! Venue clocks and faults; the captures are in `tests/golden_fast.rs`.

use super::tags::VenueClock;
use super::*;
use crate::event::{Event, InstrumentId, Stamp};
use crate::publish::Integrity;

struct Deaf;

impl Handler for Deaf {
    fn listed(&mut self, _: InstrumentId, _: u64) {}
    fn event(&mut self, _: InstrumentId, _: Stamp, _: &Event) {}
    fn integrity(&mut self, _: InstrumentId, _: Integrity) {}
}

#[test]
fn clock_texts_become_utc() {
    let moscow = VenueClock::new(14_400);
    let ns = moscow.utc_ns((2013, 8, 1), (14 * 3_600 + 24 * 60 + 37) * 1_000_000_000);
    assert_eq!(ns, 1_375_352_677_000_000_000);
    assert_eq!(
        VenueClock::new(0).utc_ns((2024, 2, 29), 0),
        1_709_164_800_000_000_000
    );
    assert_eq!(VenueClock::new(0).utc_ns((1969, 12, 31), 0), 0);
}

fn feed(fields: &str, config: &FastConfig) -> FastFeed {
    let xml = format!(
        "<templates><template name=\"X\" id=\"1\"><string name=\"t\" id=\"35\"><constant value=\"X\"/></string>\
         <uInt32 name=\"s\" id=\"34\"/>{fields}</template></templates>"
    );
    FastFeed::new(Plan::from_xml(&xml).expect("good").into(), config)
}

#[test]
fn bad_datagrams_are_counted_and_told_apart() {
    let mut plain = feed("", &FastConfig::default());
    assert_eq!(plain.packet(0, 1, &[0xC0, 0x81, 0x85], &mut Deaf), Ok(()));
    let cut = plain.packet(0, 2, &[0xC0, 0x81], &mut Deaf);
    assert!(matches!(cut, Err(FastFault::Decode(_))), "{cut:?}");
    let status = plain.channel().refresh().status();
    assert_eq!((status.next_seq, status.lines[0].malformed), (6, 1));

    let preamble = FastConfig {
        preamble_bytes: 4,
        ..FastConfig::default()
    };
    let mut short = feed("", &preamble);
    assert_eq!(
        short.packet(1, 1, &[0, 0], &mut Deaf),
        Err(FastFault::Short { have: 2 })
    );
    assert_eq!(
        short.packet(1, 1, &[9, 9, 9, 9, 0xC0, 0x81, 0x85], &mut Deaf),
        Ok(())
    );
}

/// An entry that lacks its instrument: the message's number counts, the entry is refused.
#[test]
fn an_entry_without_an_instrument_is_refused() {
    let entries = "<sequence name=\"e\"><length name=\"n\" id=\"268\"/><uInt32 name=\"r\" id=\"83\"/></sequence>";
    let mut feed = feed(entries, &FastConfig::default());
    let outcome = feed.packet(0, 1, &[0xC0, 0x81, 0x85, 0x81, 0x81], &mut Deaf);
    let fault = TagFault::Absent { tag: 48 };
    assert_eq!(outcome, Err(FastFault::Tag(fault)));
    assert_eq!(feed.channel().refresh().status().next_seq, 6);
}
