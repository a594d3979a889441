//! Any bytes as a DBN file or fragment: a header within its bytes, records that are the bytes given, or refusals.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::dbn::{Error, Field, Metadata, Record, Records, decode, is_legacy, split};

fuzz_target!(|bytes: &[u8]| {
    match Metadata::parse(bytes) {
        Ok((metadata, records)) => {
            assert!(bytes.starts_with(b"DBN") && !is_legacy(bytes));
            header(&metadata, bytes.len() - records.len());
            follow(records);
        }
        Err(Error::MetadataCut { want, have }) => assert!(want > have && have == bytes.len()),
        Err(Error::NotDbn) => assert!(!bytes.starts_with(b"DBN")),
        Err(_) => {}
    }
    // A fragment begins with a record.
    follow(bytes);
});

/// Everything that a header lists lies within its bytes.
fn header(metadata: &Metadata<'_>, size: usize) {
    assert!((1..=3).contains(&metadata.version) && size >= 108);
    let listed = [metadata.symbols(), metadata.partial(), metadata.not_found()];
    let mut told = listed.into_iter().flatten().count();
    for mapping in metadata.mappings() {
        told += 1 + mapping.intervals.count();
        assert!(mapping.raw_symbol.len() < size);
    }
    assert!(told <= size, "each takes a byte at least");
}

fn follow(bytes: &[u8]) {
    let mut records = Records::new(bytes);
    let mut size = 0;
    while let Some(next) = records.next_bytes() {
        let Ok(record) = next else {
            assert!(records.rest().is_empty(), "nothing follows a cut");
            break;
        };
        size += record.len();
        assert!(record.len() == usize::from(record[0]) * 4 && record.len() >= 16);
        assert_eq!(decode(record).is_ok(), split(record).is_ok());
        if let Ok((known, ts_out)) = split(record) {
            let behind = if ts_out.is_some() { 8 } else { 0 };
            assert_eq!(known.as_bytes(), &record[..record.len() - behind]);
            show(known);
        }
    }
    assert!(size <= bytes.len());
}

fn show(record: Record<'_>) {
    assert_eq!(record.header().rtype, record.as_bytes()[1]);
    record.fields(|name, level, value| {
        assert!(!name.is_empty() && level.is_none_or(|level| level < 10));
        if let Field::Text(text) = value {
            assert!(text.len() <= 303 && !text.contains('\0'));
        }
    });
    if let Some(definition) = record.definition() {
        assert!(definition.raw_symbol().len() <= 71 && definition.min_price_increment() != Some(i64::MAX));
    }
    if let Some(mapping) = record.symbol_mapping() {
        assert!(mapping.stype_in_symbol().len() <= 71 && mapping.stype_out_symbol().len() <= 71);
    }
}
