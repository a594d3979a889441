//! Venue clocks and faults; the captures are in `tests/golden_fast.rs`.

use super::tags::VenueClock;
use super::*;
use crate::event::{Event, InstrumentId, Price, Qty, Stamp, Terms};
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

/// What definitions say.
#[derive(Default)]
struct Book(Vec<(u64, String)>, Vec<(u64, Terms)>);

impl Handler for Book {
    fn listed(&mut self, _: InstrumentId, _: u64) {}
    fn named(&mut self, security_id: u64, name: &str) {
        self.0.push((security_id, name.to_owned()));
    }
    fn terms(&mut self, security_id: u64, terms: &Terms) {
        self.1.push((security_id, *terms));
    }
    fn event(&mut self, _: InstrumentId, _: Stamp, _: &Event) {}
    fn integrity(&mut self, _: InstrumentId, _: Integrity) {}
}

/// The same definition as FAST and as tag=value, on the lines and on the snapshot line.
#[test]
fn definitions_tell_names_ticks_and_lots() {
    use wire::fast11::{OwnedValue, Writer};
    let xml = "<templates><template name=\"d\" id=\"7\"><string name=\"t\" id=\"35\"><constant value=\"d\"/></string>\
         <uInt32 name=\"s\" id=\"34\"/><string name=\"n\" id=\"55\"/><uInt64 name=\"i\" id=\"48\"/>\
         <string name=\"c\" id=\"15\" presence=\"optional\"/><decimal name=\"p\" id=\"969\" presence=\"optional\"/>\
         <decimal name=\"l\" id=\"561\" presence=\"optional\"/></template></templates>";
    let plan = Arc::new(Plan::from_xml(xml).expect("good"));
    let fields = [
        Some(OwnedValue::Text(b"d".to_vec())),
        Some(OwnedValue::Unsigned(5)),
        Some(OwnedValue::Text(b"RIU3".to_vec())),
        Some(OwnedValue::Unsigned(49_634_118)),
        Some(OwnedValue::Text(b"RUB".to_vec())),
        Some(OwnedValue::Decimal {
            exponent: 1,
            mantissa: 1,
        }),
        None,
    ];
    let mut bytes = Vec::new();
    let mut writer = Writer::new(Arc::clone(&plan));
    writer.write(7, &fields, &mut bytes).expect("of its shape");
    let mut book = Book::default();
    let mut fast = FastFeed::new(plan, &FastConfig::default());
    fast.packet(LINE_SNAPSHOT, 1, &bytes, &mut book)
        .expect("good");
    let mut told = Terms {
        tick_size: Some(Price(10 * Price::SCALE)),
        currency: Some(*b"RUB "),
        ..Terms::default()
    };
    let names = [(49_634_118, "RIU3".to_owned())];
    assert_eq!(
        (&book.0[..], &book.1[..]),
        (&names[..], &[(49_634_118, told)][..])
    );

    let body = "35=d\x0134=5\x0155=RIU3\x0148=49634118\x0115=RUB\x01969=10\x01561=1\x01";
    let mut text = format!("8=FIX.4.4\x019={}\x01{body}", body.len());
    let sum: u32 = text.bytes().map(u32::from).sum();
    text += &format!("10={:03}\x01", sum % 256);
    let mut book = Book::default();
    let mut fix = FixFeed::new(RefreshConfig::default(), 0);
    fix.message(0, 1, text.as_bytes(), &mut book).expect("good");
    told.lot_size = Some(Qty(1));
    assert_eq!(
        (&book.0[..], &book.1[..]),
        (&names[..], &[(49_634_118, told)][..])
    );
}
