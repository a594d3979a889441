//! Every message in the shape the venue sends, what is refused, and any text.

use std::format;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const UPDATE: &str = r#"[1234,{"a":[["5541.30000","2.50700000","1534614248.456738"],["5542.50000","0.00000000","1534614248.456738","r"]]},{"b":[["5541.20000","1.0","1534614248.756738"]],"c":"974942666"},"book-10","XBT/USD"]"#;
const TRADES: &str = r#"[0,[["5541.20000","0.15850568","1534614057.321597","s","l",""],["6060.00000","0.02455000","1534614057.324998","b","l",""]],"trade","XBT/USD"]"#;

fn read(text: &str) -> Message<'_> {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn a_change_of_both_sides_comes_in_two_objects() {
    let Message::Book(book) = read(UPDATE) else {
        panic!()
    };
    assert_eq!(
        (book.pair, book.channel, book.depth()),
        ("XBT/USD", "book-10", Some(10))
    );
    assert_eq!(
        (book.is_snapshot, book.checksum),
        (false, Some(974_942_666))
    );
    assert_eq!(book.event_ns, Some(1_534_614_248_756_738_000));
    let asks: Vec<_> = book
        .asks
        .iter()
        .map(|level| (level.price_e9, level.qty_e8))
        .collect();
    assert_eq!(
        asks,
        [(5_541_300_000_000, 250_700_000), (5_542_500_000_000, 0)]
    );
    assert_eq!((book.bids.len(), book.bids.price_digits()), (1, Some(5)));
    let last = book.asks.texts().last().expect("two");
    assert_eq!(last.third, Some(&b"1534614248.456738"[..]));
}

#[test]
fn snapshots() {
    let text = r#"[0,{"as":[["5541.3","2.5","1.5"]],"bs":[]},"book-100","XBT/USD"]"#;
    let Message::Book(book) = read(text) else {
        panic!()
    };
    assert_eq!((book.is_snapshot, book.checksum), (true, None));
    assert_eq!(
        (book.asks.len(), book.bids.len(), book.event_ns),
        (1, 0, Some(1_500_000_000))
    );
}

/// XBT/CHF of 2021-04-17 has an ask of 9,999,999,997.
#[test]
fn an_ask_beyond_any_price_is_stepped_over_and_a_bid_is_not() {
    let text = r#"[0,{"as":[["1.5","1","2"],["99999999999.0","7","3"],["1.6","2","4"]],"bs":[]},"book-10","X/Y"]"#;
    let Message::Book(book) = read(text) else {
        panic!()
    };
    let prices: Vec<_> = book.asks.iter().map(|level| level.price_e9).collect();
    assert_eq!(prices, [1_500_000_000, 1_600_000_000]);
    assert_eq!(
        (book.asks.len(), book.asks.beyond(), book.event_ns),
        (2, 1, Some(4_000_000_000))
    );
    let bids = text
        .replace("as", "x")
        .replace("bs", "as")
        .replace("\"x", "\"bs");
    let (key, source) = ("bs", DecimalError::Overflow);
    assert_eq!(parse(bids.as_bytes()), Err(Error::Decimal { key, source }));
}

#[test]
fn trades() {
    let Message::Trades(trades) = read(TRADES) else {
        panic!()
    };
    assert_eq!((trades.pair, trades.len()), ("XBT/USD", 2));
    let first = trades.iter().next().expect("two");
    assert_eq!(
        (first.price_e9, first.qty_e8),
        (5_541_200_000_000, 15_850_568)
    );
    assert_eq!(
        (first.trade_ns, first.is_buy),
        (1_534_614_057_321_597_000, false)
    );
    assert!(trades.iter().last().expect("two").is_buy);
}

#[test]
fn events() {
    assert_eq!(read(r#"{"event":"heartbeat"}"#), Message::Heartbeat);
    assert_eq!(read(r#"{"event":"pong","reqid":42}"#), Message::Pong);
    let text = r#"{"channelID":1664,"channelName":"book-1000","event":"subscriptionStatus","pair":"WAVES/EUR","status":"subscribed","subscription":{"depth":1000,"name":"book"}}"#;
    let want = Status {
        status: Some("subscribed"),
        channel: Some("book-1000"),
        pair: Some("WAVES/EUR"),
        error: None,
    };
    assert_eq!(read(text), Message::Status(want));
    let text = r#"{"errorMessage":"Currency pair not supported XBT/XYZ","event":"subscriptionStatus","pair":"XBT/XYZ","status":"error"}"#;
    let Message::Status(status) = read(text) else {
        panic!()
    };
    assert_eq!(status.error, Some("Currency pair not supported XBT/XYZ"));
    let other = |channel, event| Message::Other(Other { channel, event });
    assert_eq!(
        read(
            r#"{"connectionID":8628615390848610000,"event":"systemStatus","status":"online","version":"1.0.0"}"#
        ),
        other(None, Some("systemStatus"))
    );
    assert_eq!(
        read(r#"[0,["1","2","3","4","5"],"spread","XBT/USD"]"#),
        other(Some("spread"), None)
    );
    assert_eq!(
        read(r#"[1,{"a":["1",35,"2"],"c":["1","2"]},"ticker","X/Y"]"#),
        other(Some("ticker"), None)
    );
    for text in ["[]", "{}", "true", "[[],{}]", "[1,2,3]"] {
        assert_eq!(read(text), other(None, None), "{text}");
    }
}

#[test]
fn what_is_refused() {
    let check = |text: &str, error: Error| assert_eq!(parse(text.as_bytes()), Err(error), "{text}");
    let field = |key| Error::Field { key };
    let with = |from: &str, to: &str| UPDATE.replace(from, to);
    let decimal = |key, source| Error::Decimal { key, source };
    check(&with("974942666", "4294967296"), field("c"));
    check(&with(r#""974942666""#, "974942666"), field("c"));
    check(
        &with("2.50700000", "-2.5"),
        decimal("a", DecimalError::Negative),
    );
    check(
        &with("2.50700000", "2.507000001"),
        decimal("a", DecimalError::Inexact),
    );
    check(&with(r#","1534614248.756738""#, ""), field("timestamp"));
    check(
        &with(r#"{"a""#, r#"{"b":[],"a""#),
        Error::Twice { key: "b" },
    );
    check(r#"[1,{},"book-10","X/Y"]"#, field("a"));
    check(r#"[1,{"a":7},"book-10","X/Y"]"#, field("a"));
    check(r#"[1,"trade","X/Y"]"#, field("trade"));
    let trade = |from: &str, to: &str| TRADES.replace(from, to);
    check(&trade(r#""s""#, r#""x""#), field("side"));
    check(&trade(r#""s","l","""#, r#"5"#), field("side"));
    check(
        &trade("5541.20000", "x"),
        decimal("price", DecimalError::Syntax),
    );
    check(
        &format!("{UPDATE}x"),
        Error::Json {
            offset: UPDATE.len(),
        },
    );
}

proptest! {
    #[test]
    fn a_text_cut_anywhere_is_refused(cut in 1usize..200) {
        for text in [UPDATE, TRADES] {
            prop_assert!(parse(&text.as_bytes()[..text.len().saturating_sub(cut)]).is_err());
        }
    }

    #[test]
    fn no_change_of_bytes_panics(at in 0usize..300, byte: u8, cut in 0usize..300) {
        for text in [UPDATE, TRADES] {
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&bytes);
            let _ = parse(&bytes[cut.min(bytes.len())..]);
        }
    }
}
