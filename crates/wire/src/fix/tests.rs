use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// `|` for SOH; length and checksum added in front and behind. For tests of the reader alone.
fn sealed(begin: &str, body: &str) -> Vec<u8> {
    let body = body.replace('|', "\x01");
    let mut text = format!("8={begin}\x019={}\x01{body}", body.len()).into_bytes();
    let sum: u32 = text.iter().map(|&byte| u32::from(byte)).sum();
    text.extend(format!("10={:03}\x01", sum % 256).bytes());
    text
}

fn fault_of(bytes: &[u8]) -> (usize, Fault) {
    match find(bytes, 1000) {
        Found::Garbled(garbled) => (garbled.size, garbled.fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_message_is_found_only_when_it_is_whole() {
    let bytes = sealed("FIXT.1.1", "35=W|34=7|55=AAPL|");
    for size in 0..bytes.len() {
        match find(&bytes[..size], 1000) {
            Found::More { size_min } => assert!(size_min > size && size_min <= bytes.len()),
            other => panic!("{size}: {other:?}"),
        }
    }
    let more = [&bytes[..], b"8=FIX"].concat();
    let Found::Message(message) = find(&more, 1000) else {
        panic!("whole");
    };
    assert_eq!(message.bytes(), bytes);
    assert_eq!(message.begin_string(), b"FIXT.1.1");
    assert_eq!(message.msg_type(), b"W");
    assert_eq!(message.get(55).map(|field| field.value), Some(&b"AAPL"[..]));
    assert_eq!(message.get(8), None);
    assert_eq!(message.get(10), None);
    assert_eq!(
        format!("{message:?}"),
        "8=FIXT.1.1|9=18|35=W|34=7|55=AAPL|10=238|"
    );
}

#[test]
fn garbage_is_named_and_the_next_message_found() {
    let good = sealed("FIX.4.4", "35=0|34=2|");
    let check = |garbage: &[u8], fault: Fault, size: usize| {
        let both = [garbage, &good].concat();
        assert_eq!(fault_of(&both), (size, fault), "{}", garbage.escape_ascii());
        let seen = Frames::new(&both, 1000).filter_map(Result::ok);
        assert_eq!(
            seen.last().map(|message| message.bytes()),
            Some(&good[..]),
            "{}",
            garbage.escape_ascii()
        );
    };
    check(b"hello", Fault::Start, 5);
    check(b"35=0\x01", Fault::Start, 5);
    check(b"8=\x01", Fault::Start, 3);
    check(b"8=FIX.4.4.or.so.but.longer\x01", Fault::BeginString, 27);
    check(b"8=FIX.4.4\x0135=0\x01", Fault::BodyLength, 15);
    check(b"8=FIX.4.4\x019=\x0135=0\x01", Fault::BodyLength, 18);
    check(b"8=FIX.4.4\x019=12345678\x01", Fault::BodyLength, 21);
    check(b"8=FIX.4.4\x019=-5\x01", Fault::BodyLength, 15);
    check(b"8=FIX.4.4\x019=5\x0134=2\x01", Fault::MsgType, 19);
    check(
        b"8=FIX.4.4\x019=9999999\x01",
        Fault::TooLong {
            size: 20 + 9_999_999 + 7,
            limit: 1000,
        },
        20,
    );
    check(
        b"8=FIX.4.4\x019=4\x0135=0\x0110=163\x01",
        Fault::Trailer { at: 18 },
        26,
    );
    check(
        b"8=FIX.4.4\x019=5\x0135=0\x0110=1x3\x01",
        Fault::Trailer { at: 19 },
        26,
    );
    check(
        b"8=FIX.4.4\x019=5\x0135=0\x0110=419\x01",
        Fault::CheckSum {
            told: 419,
            sum: 163,
        },
        26,
    );
}

/// A length that reaches into the next message must not swallow it.
#[test]
fn a_length_too_long_costs_one_message() {
    let good = sealed("FIX.4.4", "35=0|34=3|");
    let bytes = [b"8=FIX.4.4\x019=30\x0135=0\x0110=111\x01", &good[..], &good].concat();
    let (size, fault) = fault_of(&bytes);
    assert_eq!(size, 27);
    assert!(matches!(fault, Fault::Trailer { .. }));
    assert_eq!(Frames::new(&bytes, 1000).filter(Result::is_ok).count(), 2);
}

#[test]
fn the_end_of_garbage_may_be_a_start() {
    assert_eq!(fault_of(b"noise\x018=F").0, 6);
    assert_eq!(fault_of(b"noise").0, 5);
    assert_eq!(fault_of(b"\x01").0, 1);
    assert_eq!(fault_of(b"noise8").0, 5);
}

#[test]
fn parse_takes_exactly_one_message() {
    let bytes = sealed("FIX.4.4", "35=0|34=2|");
    assert!(Message::parse(&bytes).is_ok());
    let fault = |bytes: &[u8]| Message::parse(bytes).expect_err("not one").fault;
    let size = bytes.len();
    assert_eq!(
        fault(&bytes[..size - 1]),
        Fault::Cut {
            have: size - 1,
            want: size
        }
    );
    assert_eq!(fault(b""), Fault::Cut { have: 0, want: 1 });
    assert_eq!(fault(&[&bytes[..], b"x"].concat()), Fault::Start);
}

#[test]
fn a_bad_field_is_named_and_ends_the_walk() {
    let check = |field: &str, tag, fault| {
        let bytes = sealed("FIX.4.4", &format!("35=0|{field}|34=2|"));
        let message = Message::parse(&bytes).expect("sealed");
        let last = field.rsplit('|').next().expect("one at least");
        let at = bytes.len() - 7 - "34=2|".len() - 1 - last.len();
        let mut fields = message.fields();
        assert_eq!(
            fields.find_map(Result::err),
            Some(FieldError { tag, at, fault }),
            "{field}"
        );
        assert_eq!(fields.next(), None);
        assert_eq!(message.get(34), None);
    };
    check("0=HI", 0, FieldFault::Tag);
    check("-1=HI", 0, FieldFault::Tag);
    check("034=HI", 0, FieldFault::Tag);
    check("=HI", 0, FieldFault::Tag);
    check("4garbled9=TW", 0, FieldFault::Tag);
    check("1234567890=TW", 0, FieldFault::Tag);
    check("HI", 0, FieldFault::NoValue);
    check("49", 0, FieldFault::NoValue);
    check("", 0, FieldFault::NoValue);
    check("95=9|96=short", 96, FieldFault::Data { length: 9 });
}

/// Data may hold SOH and `10=`; its length decides. Without its length field it is text.
#[test]
fn data_goes_by_its_length() {
    let mut buffer = [0; 200];
    let mut writer = Writer::new(&mut buffer, b"FIX.4.4", b"B");
    writer
        .data(tag::RAW_DATA_LENGTH, b"a\x0110=000\x01b")
        .uint(34, 9);
    let bytes = writer.finish().expect("fits");
    let message = Message::parse(bytes).expect("written");
    assert_eq!(
        message.get(96).map(|field| field.value),
        Some(&b"a\x0110=000\x01b"[..])
    );
    assert_eq!(message.require(34).and_then(|field| field.uint()), Ok(9));

    let bytes = sealed("FIX.4.4", "35=B|95=3|58=x|96=ab|95=zz|96=ab|95=0|96=|34=9|");
    let message = Message::parse(&bytes).expect("sealed");
    let values: Vec<_> = message
        .fields()
        .map(|field| field.expect("good").value)
        .collect();
    assert_eq!(
        values,
        [&b"B"[..], b"3", b"x", b"ab", b"zz", b"ab", b"0", b"", b"9"]
    );
}

const MEMBERS: &[u32] = &[269, 270, 271, 453, 448, 447];

/// `269=0 270=1; 269=1` as text, then the error.
fn groups(body: &str, members: &'static [u32]) -> (Vec<String>, Option<GroupError>) {
    let bytes = sealed("FIX.4.4", body);
    let message = Message::parse(&bytes).expect("sealed");
    let mut fields = message.fields();
    let count = fields
        .by_ref()
        .map(|field| field.expect("good"))
        .find(|field| field.tag == 268)
        .expect("there is one");
    let mut group = fields.group(count, members).expect("a number");
    let mut entries = Vec::new();
    let mut fault = None;
    for entry in group.by_ref() {
        match entry {
            Ok(entry) => entries.push(
                entry
                    .map(|field| field.expect("good"))
                    .map(|field| format!("{}={}", field.tag, field.value.escape_ascii()))
                    .collect::<Vec<_>>()
                    .join(" "),
            ),
            Err(error) => fault = Some(error),
        }
    }
    assert!(group.next().is_none());
    entries.push(format!(
        "rest {}",
        group
            .rest()
            .next()
            .map_or(0, |field| field.map_or(0, |f| f.tag))
    ));
    (entries, fault)
}

#[test]
fn groups_end_where_their_members_end() {
    let count = |told, found| {
        Some(GroupError::Count {
            tag: 268,
            told,
            found,
        })
    };
    let check = |body: &str, members, entries: &[&str], fault: Option<GroupError>| {
        let (seen, error) = groups(body, members);
        assert_eq!(
            (&seen[..], error),
            (
                &entries.iter().map(|&e| e.into()).collect::<Vec<String>>()[..],
                fault
            ),
            "{body}"
        );
    };
    let two = ["269=0 270=1", "269=1 270=2", "rest 58"];
    check(
        "35=W|268=2|269=0|270=1|269=1|270=2|58=x|",
        MEMBERS,
        &two,
        None,
    );
    check(
        "35=W|268=3|269=0|270=1|269=1|270=2|58=x|",
        MEMBERS,
        &two,
        count(3, 2),
    );
    check(
        "35=W|268=1|269=0|270=1|269=1|270=2|58=x|",
        MEMBERS,
        &["269=0 270=1", "rest 269"],
        count(1, 2),
    );
    check("35=W|268=0|58=x|", MEMBERS, &["rest 58"], None);
    check("35=W|268=1|58=x|", MEMBERS, &["rest 58"], count(1, 0));
    check("35=W|268=1|", MEMBERS, &["rest 0"], count(1, 0));
    // A group inside: its entries do not end the outer one.
    check(
        "35=W|268=1|269=0|453=2|448=A|447=D|448=B|447=D|58=x|",
        MEMBERS,
        &["269=0 453=2 448=A 447=D 448=B 447=D", "rest 58"],
        None,
    );
    check(
        "35=W|268=2|269=0|58=x|269=1|",
        &[],
        &["269=0 58=x", "269=1", "rest 0"],
        None,
    );
    let (entries, fault) = groups("35=W|268=2|269=0|x=1|269=1|", MEMBERS);
    assert_eq!(entries.len(), 1);
    assert!(matches!(fault, Some(GroupError::Field(_))));
}

#[test]
fn numbers() {
    use ValueFault::{Empty, Inexact, Range, Syntax};
    let int = |text: &str, want| assert_eq!(parse_int(text.as_bytes()), want, "{text}");
    int("0", Ok(0));
    int("-0007", Ok(-7));
    int("9223372036854775807", Ok(i64::MAX));
    int("-9223372036854775808", Ok(i64::MIN));
    int("9223372036854775808", Err(Range));
    int("99999999999999999999", Err(Range));
    for text in ["+1", "1.0", "-", "1 ", "x"] {
        int(text, Err(Syntax));
    }
    int("", Err(Empty));
    assert_eq!(parse_uint(b"-1"), Err(Syntax));

    let decimal = |text: &str, want| assert_eq!(parse_decimal(text.as_bytes(), 9), want, "{text}");
    decimal("190.05", Ok(190_050_000_000));
    decimal("-0.000000001", Ok(-1));
    decimal(".5", Ok(500_000_000));
    decimal("5.", Ok(5_000_000_000));
    decimal("00.50000000000", Ok(500_000_000));
    decimal("0.0000000001", Err(Inexact));
    decimal("9223372036.854775807", Ok(i64::MAX));
    decimal("9223372036.854775808", Err(Range));
    decimal("-9223372036.854775808", Ok(i64::MIN));
    for text in [".", "-", "-.", "1.2.3", "1e5", "+1", "1,5"] {
        decimal(text, Err(Syntax));
    }
    decimal("", Err(Empty));
    assert_eq!(parse_decimal(b"0", 255), Ok(0));
    assert_eq!(parse_decimal(b"1", 255), Err(Range));
}

#[test]
fn times() {
    use ValueFault::{Empty, Range, Syntax};
    let check = |text: &str, want| assert_eq!(parse_timestamp(text.as_bytes()), want, "{text}");
    check("19700101-00:00:00", Ok(0));
    check("20130801-14:24:37.941", Ok(1_375_367_077_941_000_000));
    check("20130801-14:24:37.9", Ok(1_375_367_077_900_000_000));
    check("20130801-14:24:37.123456789", Ok(1_375_367_077_123_456_789));
    check("20161231-23:59:60", Ok(1_483_228_800_000_000_000));
    check("20240229-00:00:00", Ok(1_709_164_800_000_000_000));
    check(
        "25531231-23:59:60.999999999",
        Ok(18_429_292_800_999_999_999),
    );
    for text in [
        "19691231-23:59:59",
        "25540101-00:00:00",
        "20230229-00:00:00",
        "20230001-00:00:00",
        "20231301-00:00:00",
        "20230100-00:00:00",
        "20230101-24:00:00",
        "20230101-00:60:00",
        "20230101-00:00:61",
    ] {
        check(text, Err(Range));
    }
    for text in [
        "2023",
        "20230101",
        "20230101-",
        "20230101-0:00:00",
        "20230101 00:00:00",
        "20230101-00:00:00.",
        "20230101-00:00:00.1234567890",
        "20230101-00:00:00x",
        "2023010a-00:00:00",
    ] {
        assert!(
            matches!(parse_timestamp(text.as_bytes()), Err(Syntax | Empty)),
            "{text}"
        );
    }
    assert_eq!(parse_time_of_day(b"14:24:11.770"), Ok(51_851_770_000_000));
    assert_eq!(parse_bool(b"Y"), Ok(true));
    assert_eq!(parse_bool(b"y"), Err(Syntax));
    assert_eq!(parse_char(b"ab"), Err(Syntax));
}

/// Day by day through all years: slow and obvious.
#[test]
fn each_day_has_its_date() {
    let leap = |y: u32| y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400));
    let mut days = 0;
    for year in 1970..=2553 {
        for month in 1..=12 {
            let last = match month {
                2 => 28 + u32::from(leap(year)),
                4 | 6 | 9 | 11 => 30,
                _ => 31,
            };
            for day in 1..=last {
                assert_eq!(value::days_of(year, month, day), days);
                assert_eq!(value::date_of(days), (year, month, day));
                days += 1;
            }
        }
    }
}

#[test]
fn the_writer_refuses_and_says_why() {
    let mut buffer = [0; 64];
    let full = Err(WriteError::Full { capacity: 64 });
    let value = |tag| Err(WriteError::Value { tag });
    let mut check = |fill: &dyn Fn(&mut Writer<'_>), want: Result<(), WriteError>| {
        let mut writer = Writer::new(&mut buffer, b"FIX.4.4", b"0");
        fill(&mut writer);
        assert_eq!(writer.finish().map(|_| ()), want);
    };
    check(&|_| {}, Ok(()));
    check(&|w| _ = w.text(58, b"a\x01b"), value(58));
    check(&|w| _ = w.text(58, b""), value(58));
    check(&|w| _ = w.data(58, b"x"), value(58));
    check(
        &|w| _ = w.time_of_day(273, 86_400_000_000_000, Precision::Millis),
        value(273),
    );
    check(&|w| _ = w.date(272, 300_000), value(272));
    check(&|w| _ = w.decimal(270, 1, 20), value(270));
    check(&|w| _ = w.text(58, &[b'x'; 60]), full);
    // Room for all but the checksum, and for all but the last digit of the number.
    check(&|w| _ = w.text(58, &[b'x'; 34]), full);
    check(&|w| _ = w.text(58, &[b'x'; 30]).uint(34, 12_345), full);
}

/// One field to write, as text in `naive` and as a call in `fill`.
#[derive(Clone, Debug)]
enum Write {
    Text(u32, String),
    Int(u32, i64),
    Uint(u32, u64),
    Decimal(u32, i64, u8),
    Timestamp(u32, u64, usize),
    Data(Vec<u8>),
}

fn write() -> impl Strategy<Value = Write> {
    let tag = 1_u32..20_000;
    let tag = tag.prop_filter("no length field", |&tag| data_tag_of(tag).is_none());
    prop_oneof![
        (tag.clone(), "[ -~]{1,20}").prop_map(|(tag, text)| Write::Text(tag, text)),
        (tag.clone(), any::<i64>()).prop_map(|(tag, value)| Write::Int(tag, value)),
        (tag.clone(), any::<u64>()).prop_map(|(tag, value)| Write::Uint(tag, value)),
        (tag.clone(), any::<i64>(), 0_u8..19).prop_map(|(t, value, d)| Write::Decimal(t, value, d)),
        (tag, 0..18_429_206_400_000_000_000_u64, 0_usize..4)
            .prop_map(|(tag, ns, precision)| Write::Timestamp(tag, ns, precision)),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(Write::Data),
    ]
}

impl Write {
    const PRECISIONS: [Precision; 4] = [
        Precision::Seconds,
        Precision::Millis,
        Precision::Micros,
        Precision::Nanos,
    ];

    fn fill(&self, writer: &mut Writer<'_>) {
        match self {
            Self::Text(tag, text) => writer.text(*tag, text.as_bytes()),
            Self::Int(tag, value) => writer.int(*tag, *value),
            Self::Uint(tag, value) => writer.uint(*tag, *value),
            Self::Decimal(tag, value, decimals) => writer.decimal(*tag, *value, *decimals),
            Self::Timestamp(tag, ns, precision) => {
                writer.timestamp(*tag, *ns, Self::PRECISIONS[*precision])
            }
            Self::Data(bytes) => writer.data(95, bytes),
        };
    }

    /// The same by `format!`: slow and obvious.
    fn naive(&self) -> Vec<u8> {
        let text = match self {
            Self::Text(tag, text) => format!("{tag}={text}\x01"),
            Self::Int(tag, value) => format!("{tag}={value}\x01"),
            Self::Uint(tag, value) => format!("{tag}={value}\x01"),
            Self::Decimal(tag, value, decimals) => {
                let scale = 10_i128.pow(u32::from(*decimals));
                let magnitude = i128::from(*value).abs();
                let sign = if *value < 0 { "-" } else { "" };
                let width = usize::from(*decimals);
                let text = format!("{}.{:0width$}", magnitude / scale, magnitude % scale);
                let text = text.trim_end_matches('0').trim_end_matches('.');
                let text = if *decimals == 0 {
                    format!("{magnitude}")
                } else {
                    text.into()
                };
                format!("{tag}={sign}{text}\x01")
            }
            Self::Timestamp(tag, ns, precision) => {
                let (seconds, nanos) = (ns / 1_000_000_000, ns % 1_000_000_000);
                let mut days = seconds / 86_400;
                let mut year = 1970;
                let leap = |y: u64| {
                    y.is_multiple_of(4) && (!y.is_multiple_of(100) || y.is_multiple_of(400))
                };
                while days >= 365 + u64::from(leap(year)) {
                    days -= 365 + u64::from(leap(year));
                    year += 1;
                }
                let lengths = [
                    31,
                    28 + u64::from(leap(year)),
                    31,
                    30,
                    31,
                    30,
                    31,
                    31,
                    30,
                    31,
                    30,
                    31,
                ];
                let mut month = 0;
                while days >= lengths[month] {
                    days -= lengths[month];
                    month += 1;
                }
                let decimals = precision * 3;
                let fraction =
                    &format!(".{nanos:09}")[..if decimals == 0 { 0 } else { decimals + 1 }];
                format!(
                    "{tag}={year:04}{:02}{:02}-{:02}:{:02}:{:02}{fraction}\x01",
                    month + 1,
                    days + 1,
                    seconds / 3600 % 24,
                    seconds / 60 % 60,
                    seconds % 60
                )
            }
            Self::Data(bytes) => {
                let head = format!("95={}\x0196=", bytes.len());
                return [head.as_bytes(), bytes, b"\x01"].concat();
            }
        };
        text.into_bytes()
    }

    /// What a reader must get back from the field.
    fn agrees(&self, field: &Field<'_>) -> bool {
        match self {
            Self::Text(tag, text) => field.tag == *tag && field.text() == Ok(text.as_bytes()),
            Self::Int(_, value) => field.int() == Ok(*value),
            Self::Uint(_, value) => field.uint() == Ok(*value),
            Self::Decimal(_, value, decimals) => field.decimal(*decimals) == Ok(*value),
            Self::Timestamp(_, ns, precision) => {
                let unit = 10_u64.pow(9 - 3 * *precision as u32);
                field.timestamp() == Ok(ns / unit * unit)
            }
            Self::Data(bytes) => field.tag == 96 && field.value == &bytes[..],
        }
    }
}

proptest! {
    #[test]
    fn written_as_by_hand_and_read_back(writes in prop::collection::vec(write(), 0..40)) {
        let mut buffer = vec![0; 4000];
        let mut writer = Writer::new(&mut buffer, b"FIXT.1.1", b"X");
        let mut body = b"35=X\x01".to_vec();
        for write in &writes {
            write.fill(&mut writer);
            body.extend(write.naive());
        }
        let bytes = writer.finish().expect("4,000 bytes are enough");
        let mut naive = format!("8=FIXT.1.1\x019={}\x01", body.len()).into_bytes();
        naive.extend(&body);
        let sum: u32 = naive.iter().map(|&byte| u32::from(byte)).sum();
        naive.extend(format!("10={:03}\x01", sum % 256).bytes());
        prop_assert_eq!(bytes.escape_ascii().to_string(), naive.escape_ascii().to_string());

        let message = Message::parse(bytes).expect("just written");
        let mut fields = message.fields().skip(1).map(|field| field.expect("just written"));
        for write in &writes {
            if matches!(write, Write::Data(_)) {
                fields.next();
            }
            let field = fields.next().expect("as many as written");
            prop_assert!(write.agrees(&field), "{:?} {:?}", write, field);
        }
        prop_assert_eq!(fields.next(), None);
    }

    /// Any bytes, with pieces of messages among them: each is accounted for, no message is lost.
    #[test]
    fn any_bytes_are_cut_without_loss(pieces in prop::collection::vec(prop_oneof![
        prop::collection::vec(any::<u8>(), 0..20),
        Just(b"8=FIX.4.4\x019=".to_vec()),
        Just(b"\x0110=".to_vec()),
        (1_u32..1000).prop_map(|n| sealed("FIX.4.4", &format!("35=0|34={n}|"))),
    ], 0..12), limit in 30_usize..2000) {
        let bytes = pieces.concat();
        let mut at = 0;
        for item in Frames::new(&bytes, limit) {
            at += match item {
                Ok(message) => {
                    prop_assert_eq!(message.bytes(), &bytes[at..at + message.bytes().len()]);
                    for _ in message.fields() {}
                    message.bytes().len()
                }
                Err(garbled) => { prop_assert!(garbled.size > 0); garbled.size }
            };
        }
        prop_assert_eq!(at, bytes.len());
    }

    /// However the stream is cut into reads, the same messages come.
    #[test]
    fn reads_of_any_size_give_the_same(count in 1_u32..20, garbage in "[a-z8=\x01]{0,9}", cut in 1_usize..60) {
        let mut stream = Vec::new();
        for n in 0..count {
            stream.extend(garbage.bytes().filter(|_| n % 3 == 0));
            stream.extend(sealed("FIX.4.4", &format!("35=0|34={n}|")));
        }
        let mut buffer: Vec<u8> = Vec::new();
        let mut seen = Vec::new();
        for read in stream.chunks(cut) {
            buffer.extend(read);
            loop {
                let size = match find(&buffer, 1000) {
                    Found::Message(message) => {
                        seen.push(message.require(34).and_then(|f| f.uint()).expect("a number"));
                        message.bytes().len()
                    }
                    Found::Garbled(garbled) => garbled.size,
                    Found::More { size_min } => { prop_assert!(size_min > buffer.len()); break }
                };
                buffer.drain(..size);
            }
        }
        prop_assert_eq!(seen, (0..u64::from(count)).collect::<Vec<_>>());
    }
}
