//! The specification's own examples, random templates against a naive twin, and any bytes.

mod generate;
mod naive;

use std::borrow::ToOwned;
use std::format;
use std::string::String;
use std::sync::Arc;
use std::vec::Vec;

use proptest::prelude::*;
use stdx::Rng;

use super::*;
use generate::Generator;
use naive::Naive;

fn plan_of(fields: &str) -> Result<Plan, TemplateError> {
    Plan::from_xml(&format!(
        "<templates><template name=\"T\" id=\"1\">{fields}</template></templates>"
    ))
}

/// Decodes messages of hexadecimal bytes with one field each, and says what they held.
fn check(field: &str, messages: &[&str], want: &str) {
    let plan = Arc::new(plan_of(field).expect("a good template"));
    let mut decoder = Decoder::new(plan, Limits::default());
    let mut said = Vec::new();
    for message in messages {
        let bytes: Vec<u8> = message
            .split(' ')
            .map(|byte| u8::from_str_radix(byte, 16).expect("hex"))
            .collect();
        said.push(match decoder.decode(&bytes) {
            Ok((record, used)) => {
                assert_eq!(used, bytes.len(), "{message}");
                let shape = record.shape();
                let slot = shape.fields().next().expect("one field").slot;
                match record.get(slot) {
                    None => "absent".to_owned(),
                    Some(Value::Text(text)) => format!("{:?}", String::from_utf8_lossy(text)),
                    Some(Value::Unsigned(value)) => format!("{value}"),
                    Some(Value::Signed(value)) => format!("{value}"),
                    Some(Value::Decimal { exponent, mantissa }) => {
                        format!("{mantissa}e{exponent}")
                    }
                    other => format!("{other:?}"),
                }
            }
            Err(error) => format!("{:?}", error.code),
        });
    }
    assert_eq!(said.join(" "), want, "{field}");
}

/// Appendix 3 of the specification: the field types.
#[test]
fn types_of_the_appendix() {
    check("<int32 name='a'/>", &["C0 81 39 45 A3"], "942755");
    check(
        "<int32 name='a' presence='optional'/>",
        &["C0 81 39 45 A4"],
        "942755",
    );
    check("<int32 name='a'/>", &["C0 81 46 3A DD"], "-942755");
    check("<int32 name='a'/>", &["C0 81 7C 1B 1B 9D"], "-7942755");
    check("<int32 name='a'/>", &["C0 81 00 40 81"], "8193");
    check("<int32 name='a'/>", &["C0 81 7F 3F FF"], "-8193");
    check(
        "<uInt32 name='a' presence='optional'/>",
        &["C0 81 80", "80 81"],
        "absent 0",
    );
    check(
        "<uInt32 name='a'/>",
        &["C0 81 0F 7F 7F 7F FF", "80 10 00 00 00 80"],
        "4294967295 D2",
    );
    check(
        "<string name='a' presence='optional'/>",
        &["C0 81 41 42 C3"],
        "\"ABC\"",
    );
    check(
        "<string name='a' presence='optional'/>",
        &["C0 81 80", "80 00 80", "80 00 00 80"],
        "absent \"\" \"\\0\"",
    );
    check(
        "<string name='a'/>",
        &["C0 81 80", "80 00 80", "80 00 41 80"],
        "\"\" \"\\0\" R9",
    );
    check("<decimal name='a'/>", &["C0 81 82 39 45 A3"], "942755e2");
    check("<decimal name='a'/>", &["C0 81 FE 46 3A DD"], "-942755e-2");
    check(
        "<decimal name='a' presence='optional'/>",
        &["C0 81 83 39 45 A3", "80 80"],
        "942755e2 absent",
    );
    check("<decimal name='a'/>", &["C0 81 00 C0 81"], "R1");
}

/// Appendix 3: the operators, with what comes after a null and before any value.
#[test]
fn operators_of_the_appendix() {
    check(
        "<uInt32 name='a'><constant value='0'/></uInt32>",
        &["C0 81"],
        "0",
    );
    check(
        "<uInt32 name='a' presence='optional'><constant value='0'/></uInt32>",
        &["E0 81", "80"],
        "0 absent",
    );
    check(
        "<uInt32 name='a'><default value='7'/></uInt32>",
        &["C0 81", "A0 81"],
        "7 1",
    );
    check(
        "<string name='a'><copy/></string>",
        &["E0 81 43 4D C5", "80"],
        "\"CME\" \"CME\"",
    );
    check(
        "<string name='a' presence='optional'><copy/></string>",
        &["E0 81 80", "80"],
        "absent absent",
    );
    check("<string name='a'><copy/></string>", &["C0 81"], "D5");
    check(
        "<uInt32 name='a'><increment value='1'/></uInt32>",
        &["C0 81", "80", "A0 84", "80"],
        "1 2 4 5",
    );
    check(
        "<uInt32 name='a'><increment/></uInt32>",
        &["E0 81 0F 7F 7F 7F FF", "80"],
        "4294967295 0",
    );
    check(
        "<int32 name='a'><delta/></int32>",
        &["C0 81 39 45 A3", "80 FB", "80 80", "80 85"],
        "942755 942750 942750 942755",
    );
    check(
        "<int32 name='a' presence='optional'><delta/></int32>",
        &["C0 81 39 45 A4", "80 80", "80 FB"],
        "942755 absent 942750",
    );
    check("<uInt64 name='a'><delta/></uInt64>", &["C0 81 FF"], "D2");
    check(
        "<decimal name='a'><delta/></decimal>",
        &["C0 81 FE 46 3A DD", "80 81 FB", "80 80 80"],
        "-942755e-2 -942760e-1 -942760e-1",
    );
    check(
        "<decimal name='a'><exponent><copy/></exponent><mantissa><delta/></mantissa></decimal>",
        &["E0 81 FE 39 45 A3", "80 FB"],
        "942755e-2 942750e-2",
    );
    check(
        "<string name='a'><delta/></string>",
        &[
            "C0 81 80 47 45 48 B6",
            "80 82 4D B6",
            "80 FD 45 D3",
            "80 FE C7",
            "80 8F C1",
        ],
        "\"GEH6\" \"GEM6\" \"ESM6\" \"GSM6\" D7",
    );
    check(
        "<string name='a'><tail/></string>",
        &["E0 81 47 45 48 B6", "A0 4D B6", "80"],
        "\"GEH6\" \"GEM6\" \"GEM6\"",
    );
    check(
        "<uInt32 name='a'><copy key='k'/></uInt32><int32 name='b'><copy key='k'/></int32>",
        &["E0 81 85"],
        "D4",
    );
    check(
        "<sequence name='s'><uInt32 name='a'/></sequence>",
        &["C0 81 10 80"],
        "Limit(\"sequence length\")",
    );
    check(
        "<uInt32 name='a'/>",
        &["C0 82", "40", "C0 81", "80 00"],
        "D9(2) Cut Cut Cut",
    );
}

#[test]
fn templates_that_break_a_rule_are_refused() {
    let refused = |fields: &str, want: &str| {
        let error = plan_of(fields).expect_err(fields);
        assert!(format!("{error}").starts_with(want), "{fields}: {error}");
    };
    refused("<uInt32/>", "FAST S1: line 1: <uInt32> without name");
    refused("<uInt128 name='a'/>", "FAST S1");
    refused("<uInt32 name='a' presence='maybe'/>", "FAST S1");
    refused("<uInt32 name='a'><copy/><delta/></uInt32>", "FAST S1");
    refused("<string name='a'><increment/></string>", "FAST S2");
    refused("<decimal name='a'><increment/></decimal>", "FAST S2");
    refused("<decimal name='a'><tail/></decimal>", "FAST S2");
    refused("<uInt32 name='a'><tail/></uInt32>", "FAST S2");
    refused("<uInt32 name='a'><copy value='-1'/></uInt32>", "FAST S3");
    refused(
        "<byteVector name='a'><copy value='ABC'/></byteVector>",
        "FAST S3",
    );
    refused(
        "<decimal name='a'><copy value='1.2.3'/></decimal>",
        "FAST S3",
    );
    refused("<uInt32 name='a'><constant/></uInt32>", "FAST S4");
    refused("<uInt32 name='a'><default/></uInt32>", "FAST S5");
    refused("<templateRef name='U'/>", "FAST D8");
    refused("<templateRef name='T'/>", "FAST templates pass a limit");
    assert!(plan_of("<x:note xmlns:x='urn:x'/><uInt32 name='a'/>").is_ok());
    assert!(matches!(
        Plan::from_xml("<templates>"),
        Err(TemplateError::Xml(_))
    ));
}

#[test]
fn a_strict_decoder_refuses_what_is_not_shortest() {
    let strict = |bytes: &[u8]| {
        let plan = plan_of("<int32 name='a'/><uInt32 name='b'/>").expect("good");
        let limits = Limits {
            is_strict: true,
            ..Limits::default()
        };
        let mut decoder = Decoder::new(plan.into(), limits);
        decoder
            .decode(bytes)
            .map(|_| ())
            .map_err(|error| error.code)
    };
    assert_eq!(strict(&[0xC0, 0x81, 0x85, 0x85]), Ok(()));
    assert_eq!(strict(&[0xC0, 0x81, 0x00, 0x85, 0x85]), Err(Code::R6));
    assert_eq!(strict(&[0xC0, 0x81, 0x7F, 0xC5, 0x85]), Err(Code::R6));
    assert_eq!(strict(&[0xC0, 0x81, 0x85, 0x00, 0x85]), Err(Code::R6));
    assert_eq!(strict(&[0x40, 0x80, 0x81, 0x85, 0x85]), Err(Code::R7));
    assert_eq!(strict(&[0xE0, 0x81, 0x85, 0x85]), Err(Code::R8));
}

/// One decoder and its twin over the same bytes: the same fields, or both refuse.
fn agree(decoder: &mut Decoder, naive: &mut Naive<'_>, bytes: &[u8]) -> Option<usize> {
    let fast = decoder.decode(bytes);
    let slow = naive.decode(bytes);
    match (fast, slow) {
        (Ok((record, used)), Some((id, fields, naive_used))) => {
            assert_eq!((record.template_id(), used), (id, naive_used));
            assert_eq!(OwnedValue::fields_of(&record), fields);
            Some(used)
        }
        (Err(_), None) => None,
        (fast, slow) => panic!("{fast:?} but the naive twin has {slow:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    /// Random templates, random values: what the writer sends, both decoders read back.
    #[test]
    fn what_is_written_is_read(seed in any::<u64>()) {
        let mut generator = Generator::new(Rng::new(seed));
        let xml = generator.templates();
        let plan = Arc::new(Plan::from_xml(&xml).map_err(|error| format!("{error}\n{xml}")).expect("good"));
        let document = roxmltree::Document::parse(&xml).expect("XML");
        let mut naive = Naive::new(&document);
        let mut decoder = Decoder::new(Arc::clone(&plan), Limits::default());
        let mut writer = Writer::new(Arc::clone(&plan));
        for _ in 0..12 {
            let (id, values) = generator.message(&document);
            let mut bytes = Vec::new();
            if writer.write(id, &values, &mut bytes).is_err() {
                // Some values cannot follow some others: all three start again.
                writer.reset();
                decoder.reset();
                naive.reset();
                continue;
            }
            let whole = bytes.len();
            bytes.extend([0xC0, 0x81, 0x80]);
            prop_assert_eq!(agree(&mut decoder, &mut naive, &bytes), Some(whole), "{}", xml);
            let (record_id, fields, _) = naive.last.clone().expect("decoded");
            prop_assert_eq!((record_id, fields), (id, values), "{}", xml);
        }
    }

    /// Any bytes: the decoders agree on what they are, whatever was read before.
    #[test]
    fn any_bytes_are_read_alike(seed in any::<u64>(), bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut generator = Generator::new(Rng::new(seed));
        let xml = generator.templates();
        let plan = Arc::new(Plan::from_xml(&xml).expect("good"));
        let document = roxmltree::Document::parse(&xml).expect("XML");
        let mut naive = Naive::new(&document);
        let mut decoder = Decoder::new(plan, Limits::default());
        let mut rest = [&[0xC0 | (seed as u8 & 0x3F), 0x81][..], &bytes].concat();
        while let Some(used) = agree(&mut decoder, &mut naive, &rest) {
            rest.drain(..used);
        }
    }
}

/// A group whose one field with a bit is not written, since its exponent is absent, still has a map.
#[test]
fn a_map_without_bits_is_written() {
    let plan = plan_of(
        "<uInt32 name='a'/><group name='g'><decimal name='d' presence='optional'><exponent><delta/></exponent>\
         <mantissa><increment/></mantissa></decimal></group>",
    )
    .expect("good");
    let plan = Arc::new(plan);
    let values = [
        Some(OwnedValue::Unsigned(5)),
        Some(OwnedValue::Group(std::vec![None])),
    ];
    let mut bytes = Vec::new();
    let mut writer = Writer::new(Arc::clone(&plan));
    writer.write(1, &values, &mut bytes).expect("fits");
    assert_eq!(bytes, [0xC0, 0x81, 0x85, 0x80, 0x80]);
    let mut decoder = Decoder::new(plan, Limits::default());
    let (record, used) = decoder.decode(&bytes).expect("just written");
    assert_eq!(used, bytes.len());
    assert_eq!(OwnedValue::fields_of(&record), values);
}
