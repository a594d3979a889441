//! Every message in the shape the venue sends, what is refused, and any text.

use std::format;

use proptest::prelude::*;

use super::*;

const UPDATE: &str = r#"{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["8476.98","415","0","13"],["8477","0","0","0"]],"bids":[["8476.97","256","0","12"]],"ts":"1597026383085","checksum":-855196043,"prevSeqId":123455,"seqId":123456}]}"#;
const TRADES: &str = r#"{"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9","sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"},{"instId":"BTC-USDT","tradeId":"130639475","px":"42219.8","sz":"1","side":"sell","ts":"1630048897898"}]}"#;

fn read(text: &str) -> Message<'_> {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn books() {
    let Message::Book(book) = read(UPDATE) else {
        panic!()
    };
    assert_eq!((book.instrument, book.is_snapshot), ("BTC-USDT", false));
    assert_eq!((book.asks.len(), book.bids.len()), (2, 1));
    assert_eq!(
        (book.event_ns, book.checksum),
        (1_597_026_383_085_000_000, Some(-855_196_043))
    );
    assert_eq!(
        (book.seq, book.previous_seq),
        (Some(123_456), Some(123_455))
    );
    let snapshot = UPDATE.replace("update", "snapshot").replace("123455", "-1");
    let Message::Book(book) = read(&snapshot) else {
        panic!()
    };
    assert_eq!((book.is_snapshot, book.previous_seq), (true, None));
    let old = UPDATE.replace(r#","prevSeqId":123455,"seqId":123456"#, "");
    assert!(matches!(
        read(&old),
        Message::Book(Book {
            seq: None,
            previous_seq: None,
            ..
        })
    ));
}

#[test]
fn trades() {
    let Message::Trades(trades) = read(TRADES) else {
        panic!()
    };
    assert_eq!((trades.instrument, trades.len()), ("BTC-USDT", 2));
    let first = trades.iter().next().expect("two");
    assert_eq!((first.trade_id, first.is_buy), (130_639_474, true));
    assert_eq!(
        (first.price_e9, first.qty_e8),
        (42_219_900_000_000, 12_060_306)
    );
    assert_eq!(
        trades.iter().last().map(|t| (t.is_buy, t.trade_ns)),
        Some((false, 1_630_048_897_898_000_000))
    );
}

#[test]
fn other_messages() {
    assert_eq!(read("pong"), Message::Pong);
    let text = r#"{"event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}"#;
    let want = Status {
        event: "subscribe",
        channel: Some("books"),
        instrument: Some("BTC-USDT"),
        message: None,
    };
    assert_eq!(read(text), Message::Status(want));
    let text = r#"{"event":"error","code":"60012","msg":"Invalid request","connId":"a4d3ae55"}"#;
    let Message::Status(status) = read(text) else {
        panic!()
    };
    assert_eq!(
        (status.event, status.message),
        ("error", Some("Invalid request"))
    );
    let other = |channel| Message::Other(Other { channel });
    assert_eq!(
        read(r#"{"arg":{"channel":"tickers","instId":"X"},"data":[{"last":"1"}]}"#),
        other(Some("tickers"))
    );
    for text in ["{}", "[]", "1"] {
        assert_eq!(read(text), other(None), "{text}");
    }
}

#[test]
fn what_is_refused() {
    let check = |text: &str, error: Error| assert_eq!(parse(text.as_bytes()), Err(error), "{text}");
    let field = |key| Error::Field { key };
    let decimal = |key, source| Error::Decimal { key, source };
    let with = |from: &str, to: &str| UPDATE.replace(from, to);
    check(&with("\"update\"", "\"other\""), field("action"));
    check(&with("855196043", "2855196043"), field("checksum"));
    check(&with("\"1597026383085\"", "1597026383085"), field("ts"));
    check(
        &with("\"415\"", "\"-4\""),
        decimal("asks", DecimalError::Negative),
    );
    check(&with("}]}", "},{}]}"), field("data"));
    check(&with(r#""bids""#, r#""bid""#), field("bids"));
    check(
        &with(r#""ts""#, r#""bids":[],"ts""#),
        Error::Twice { key: "bids" },
    );
    check(&with("[{", "[[{").replace("}]}", "}]]}"), field("data"));
    check(&TRADES.replace("\"buy\"", "\"b\""), field("side"));
    check(
        &TRADES.replace("\"1\"", "\"0.000000001\""),
        decimal("sz", DecimalError::Inexact),
    );
    check("ping", Error::Json { offset: 0 });
    check(
        &format!("{UPDATE}]"),
        Error::Json {
            offset: UPDATE.len(),
        },
    );
}

proptest! {
    #[test]
    fn a_text_cut_anywhere_is_refused(cut in 1usize..300) {
        for text in [UPDATE, TRADES] {
            prop_assert!(parse(&text.as_bytes()[..text.len().saturating_sub(cut)]).is_err());
        }
    }

    #[test]
    fn no_change_of_bytes_panics(at in 0usize..500, byte: u8) {
        for text in [UPDATE, TRADES] {
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&bytes);
        }
    }
}
