use proptest::prelude::*;
use std::vec::Vec;

use super::*;

fn header() -> Header {
    Header::new(1, 5_482, 1_609_160_400_000_704_060)
}

/// Every layout under every type it has, empty.
fn all() -> Vec<(u8, Vec<u8>)> {
    macro_rules! absent {
        ($($record:ident: $($kind:ident)|*;)*) => {
            std::vec![$($((rtype::$kind, $record::absent(rtype::$kind, header()).as_bytes().to_vec()),)*)*]
        };
    }
    absent! {
        Mbo: MBO; Trade: TRADE; Mbp1: MBP_1; Mbp10: MBP_10; Bbo: BBO_1S | BBO_1M;
        Cmbp1: CMBP_1 | TCBBO; Cbbo: CBBO_1S | CBBO_1M;
        Ohlcv: OHLCV_OLD | OHLCV_1S | OHLCV_1M | OHLCV_1H | OHLCV_1D | OHLCV_EOD;
        Status: STATUS; Imbalance: IMBALANCE;
        DefinitionV1: DEFINITION; DefinitionV2: DEFINITION; DefinitionV3: DEFINITION;
        StatisticsV1: STATISTICS; StatisticsV3: STATISTICS;
        SymbolMappingV1: SYMBOL_MAPPING; SymbolMappingV2: SYMBOL_MAPPING;
        ErrorV1: ERROR; ErrorV2: ERROR; SystemV1: SYSTEM; SystemV2: SYSTEM;
    }
}

#[test]
fn every_layout_is_read_as_it_was_written() {
    let mut file = Vec::new();
    for (kind, bytes) in all() {
        let record = decode(&bytes).expect("a whole record");
        assert_eq!(record.as_bytes(), bytes);
        let head = record.header();
        assert_eq!(
            (head.rtype, usize::from(head.length) * 4),
            (kind, bytes.len())
        );
        assert_eq!(head.instrument_id.get(), 5_482);
        let mut fields = 0;
        record.fields(|_, _, _| fields += 1);
        assert!(fields > 0);
        file.extend(bytes);
    }
    let records: Vec<_> = Records::new(&file).collect();
    assert_eq!(records.len(), all().len());
    assert!(records.iter().all(Result::is_ok), "{records:?}");
}

#[test]
fn a_send_time_may_follow_every_layout() {
    for (kind, mut bytes) in all() {
        assert_eq!(split(&bytes).map(|(_, ts)| ts), Ok(None));
        let alone = bytes.clone();
        bytes.extend(77_u64.to_le_bytes());
        bytes[0] += 2;
        let (record, ts_out) = split(&bytes).expect("a record and its send time");
        assert_eq!(ts_out, Some(77));
        assert_eq!(&record.as_bytes()[1..], &alone[1..], "{kind:#x}");
        bytes.extend([0; 4]);
        let have = bytes.len();
        assert_eq!(split(&bytes), Err(Error::Length { rtype: kind, have }));
    }
}

#[test]
fn sentinels_become_absence() {
    let mut mbo = Mbo::absent(rtype::MBO, header());
    assert_eq!(
        (mbo.price.get(), mbo.size.get(), mbo.ts_recv.get()),
        (None, None, None)
    );
    mbo.price.set(Some(-5));
    mbo.size.set(Some(0));
    assert_eq!((mbo.price.get(), mbo.size.get()), (Some(-5), Some(0)));
    assert_eq!(&mbo.as_bytes()[24..32], &(-5_i64).to_le_bytes());
    let definition = DefinitionV3::absent(rtype::DEFINITION, header());
    definition.fields(|name, _, value| {
        let is_empty = matches!(
            value,
            Field::Absent
                | Field::Text("")
                | Field::Code(0)
                | Field::Unsigned(0)
                | Field::Signed(0)
        );
        assert!(is_empty, "{name} {value:?}");
    });
    let book = Mbp10::absent(rtype::MBP_10, header());
    assert!(book.levels.iter().all(|level| level.bid_px.get().is_none()));
}

#[test]
fn text_must_leave_room_for_its_end() {
    let mut mapping = SymbolMappingV1::absent(rtype::SYMBOL_MAPPING, header());
    assert!(mapping.stype_in_symbol.set("ESH4"));
    assert!(!mapping.stype_in_symbol.set("0123456789012345678901"));
    let record = decode(mapping.as_bytes()).expect("just written");
    let read = record.symbol_mapping().expect("it is one");
    assert_eq!(read.stype_in_symbol(), "ESH4");
}

#[test]
fn headers_of_each_version_are_read_as_they_were_written() {
    for version in 1..=VERSION_MAX {
        let text = HeaderText {
            version,
            dataset: "GLBX.MDP3",
            schema: Some(0),
            start: 5,
            end: None,
            ts_out: version == 2,
            mappings: &[
                ("ESH4", 20_231_224, 20_231_226, "5002"),
                ("NQH4", 20_231_224, 20_231_225, "5003"),
            ],
        };
        let mut out = [0; 2_048];
        let size = write_header(&mut out, &text).expect("it fits");
        assert!(version < 3 || size.is_multiple_of(8));
        let (read, rest) = Metadata::parse(&out[..size + 3]).expect("just written");
        assert_eq!(rest.len(), 3);
        assert_eq!(
            (read.version, read.dataset, read.schema_name()),
            (version, "GLBX.MDP3", Some("mbo"))
        );
        assert_eq!(
            (read.start, read.end, read.limit, read.ts_out),
            (5, None, None, version == 2)
        );
        assert_eq!(read.symbols().collect::<Vec<_>>(), ["ESH4", "NQH4"]);
        assert_eq!(read.partial().count() + read.not_found().count(), 0);
        let mappings: Vec<_> = read
            .mappings()
            .flat_map(|mapping| mapping.intervals.map(move |at| (mapping.raw_symbol, at)))
            .map(|(symbol, at)| (symbol, at.start_date, at.end_date, at.symbol))
            .collect();
        assert_eq!(mappings, text.mappings);
        for cut in 0..size {
            let fault = Metadata::parse(&out[..cut]).expect_err("cut");
            let told = matches!(fault, Error::NotDbn | Error::MetadataCut { .. });
            assert!(told, "{cut}: {fault:?}");
        }
        assert_eq!(write_header(&mut out[..size - 1], &text), None);
    }
}

#[test]
fn what_cannot_be_read_is_named() {
    let legacy = b"\x51\x2a\x4d\x18\x10\x00\x00\x00DBZ\x01";
    assert_eq!(Metadata::parse(legacy), Err(Error::LegacyDbz));
    assert_eq!(Metadata::parse(b"DBM\x01\0\0\0\0"), Err(Error::NotDbn));
    assert_eq!(
        Metadata::parse(b"DBN\x04\x64\0\0\0"),
        Err(Error::Version(4))
    );
    assert_eq!(
        Metadata::parse(b"DBN\x00\x64\0\0\0"),
        Err(Error::Version(0))
    );
    assert_eq!(
        Metadata::parse(b"DBN\x01\x63\0\0\0"),
        Err(Error::MetadataBad)
    );
}

#[test]
fn reading_goes_on_after_a_stranger_and_ends_at_a_cut() {
    let mbo = Mbo::absent(rtype::MBO, header());
    let mut stranger = mbo;
    stranger.header.rtype = 0x77;
    let mut file = stranger.as_bytes().to_vec();
    file.extend(mbo.as_bytes());
    file.extend(&mbo.as_bytes()[..20]);
    let read: Vec<_> = Records::new(&file).collect();
    assert_eq!(read[0], Err(Error::UnknownType(0x77)));
    assert_eq!(read[1], Ok(Record::Mbo(&mbo)));
    assert_eq!(read[2], Err(Error::RecordCut { want: 56, have: 20 }));
    assert_eq!(read.len(), 3);
    let nothing: Vec<_> = Records::new(&[0; 64]).collect();
    assert_eq!(nothing, [Err(Error::RecordHeader { have: 0 })]);
}

proptest! {
    /// Any bytes: no panic, no endless loop, and what is read is what lies there.
    #[test]
    fn any_bytes_are_records_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..700)) {
        let mut records = Records::new(&bytes);
        let mut at = 0;
        while let Some(next) = records.next_bytes() {
            let Ok(record) = next else { break };
            prop_assert_eq!(record, &bytes[at..at + record.len()]);
            at += record.len();
            if let Ok((read, ts_out)) = split(record) {
                prop_assert_eq!(read.as_bytes().len() + ts_out.map_or(0, |_| 8), record.len());
                read.fields(|_, _, _| {});
            }
        }
        let _refused = Metadata::parse(&bytes);
    }

    /// The same after a header's prelude.
    #[test]
    fn any_header_is_read_or_refused(
        version in 1u8..4,
        bytes in prop::collection::vec(any::<u8>(), 120..400),
        counts in prop::array::uniform4(0u32..3),
    ) {
        let mut file = b"DBN\0\0\0\0\0".to_vec();
        file[3] = version;
        file.extend(bytes);
        // Small counts now and then, so that lists are walked too.
        for (place, count) in counts.iter().enumerate() {
            let at = 8 + 96 + 4 * place;
            file[at..at + 4].copy_from_slice(&count.to_le_bytes());
        }
        let size = (file.len() - 8) as u32;
        file[4..8].copy_from_slice(&size.to_le_bytes());
        if let Ok((read, rest)) = Metadata::parse(&file) {
            prop_assert!(rest.is_empty());
            let named = read.symbols().chain(read.partial()).chain(read.not_found()).count();
            let spans: usize = read.mappings().map(|mapping| mapping.intervals.count()).sum();
            prop_assert!(named + spans <= file.len());
        }
    }
}
