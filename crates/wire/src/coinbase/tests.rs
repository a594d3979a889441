//! Every message in the shape the venue sends, what is refused, and any text.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const UPDATE: &str = r#"{"type":"l2update","product_id":"BTC-USD","changes":[["buy","22356.270000","0.00000000"],["sell","22356.30","1.00000000"]],"time":"2022-08-04T15:25:05.010758Z"}"#;
const MATCH: &str = r#"{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"ac928c66-ca53-498f-9c13-a110027a60e8","taker_order_id":"132fb6ae-456b-4654-b4e0-d681ac05cea1","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23512","price":"400.23","side":"sell"}"#;
const BEAT: &str = r#"{"type":"heartbeat","sequence":90,"last_trade_id":20,"product_id":"BTC-USD","time":"2014-11-07T08:19:28.464459Z"}"#;
const SNAPSHOT: &str = r#"{"type":"snapshot","product_id":"BTC-USD","asks":[["10102.55","0.57753524"]],"bids":[["10101.10","0.45054140"],["10101.00","1"]],"time":"2022-08-04T15:25:05.010758Z"}"#;

fn read(text: &str) -> Message<'_> {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn books() {
    let Message::Snapshot(snapshot) = read(SNAPSHOT) else {
        panic!()
    };
    assert_eq!(snapshot.product, "BTC-USD");
    assert_eq!((snapshot.bids.len(), snapshot.asks.len()), (2, 1));
    assert_eq!(snapshot.event_ns, Some(1_659_626_705_010_758_000));
    let Message::Update(update) = read(UPDATE) else {
        panic!()
    };
    assert_eq!(
        (update.product, update.event_ns),
        ("BTC-USD", 1_659_626_705_010_758_000)
    );
    let changes: Vec<_> = update
        .changes
        .iter()
        .map(|c| (c.is_bid, c.level.price_e9, c.level.qty_e8))
        .collect();
    assert_eq!(
        changes,
        [
            (true, 22_356_270_000_000, 0),
            (false, 22_356_300_000_000, 100_000_000)
        ]
    );
}

#[test]
fn trades_and_heartbeats() {
    let Message::Match(trade) = read(MATCH) else {
        panic!()
    };
    assert_eq!(
        (trade.trade_id, trade.sequence, trade.is_past),
        (10, 50, false)
    );
    assert_eq!(
        (trade.price_e9, trade.qty_e8),
        (400_230_000_000, 523_512_000)
    );
    assert!(!trade.maker_is_buy);
    let past = MATCH.replace("\"match\"", "\"last_match\"");
    assert!(matches!(
        read(&past),
        Message::Match(Match { is_past: true, .. })
    ));
    let Message::Heartbeat(beat) = read(BEAT) else {
        panic!()
    };
    assert_eq!(
        (beat.sequence, beat.last_trade_id, beat.product),
        (90, 20, "BTC-USD")
    );
}

#[test]
fn other_messages() {
    let failure = r#"{"type":"error","message":"Failed to subscribe","reason":"level2 requires authentication"}"#;
    let want = Failure {
        message: Some("Failed to subscribe"),
        reason: Some("level2 requires authentication"),
    };
    assert_eq!(read(failure), Message::Failure(want));
    let other = |kind| Message::Other(Other { kind });
    assert_eq!(
        read(r#"{"type":"subscriptions","channels":[{"name":"level2"}]}"#),
        other(Some("subscriptions"))
    );
    assert_eq!(
        read(r#"{"type":"ticker","price":"1","side":"buy"}"#),
        other(Some("ticker"))
    );
    for text in ["{}", "[]", "null", r#"{"type":5}"#] {
        assert_eq!(read(text), other(None), "{text}");
    }
}

#[test]
fn what_is_refused() {
    let check = |text: &str, error: Error| assert_eq!(parse(text.as_bytes()), Err(error), "{text}");
    let field = |key| Error::Field { key };
    let decimal = |key, source| Error::Decimal { key, source };
    check(&UPDATE.replace("buy", "bid"), field("changes"));
    check(
        &UPDATE.replace("22356.30", "1e5"),
        decimal("changes", DecimalError::Syntax),
    );
    check(&UPDATE.replace("05.010758Z", "05.010758"), field("time"));
    check(
        r#"{"type":"l2update","product_id":"X","time":"2022-08-04T15:25:05Z"}"#,
        field("changes"),
    );
    check(&SNAPSHOT.replace("asks", "asked"), field("asks"));
    check(
        &SNAPSHOT.replace("0.57753524", "-1"),
        decimal("asks", DecimalError::Negative),
    );
    check(&MATCH.replace("\"sell\"", "\"both\""), field("side"));
    check(
        &MATCH.replace("10,", "-1,"),
        decimal("trade_id", DecimalError::Negative),
    );
    check(&BEAT.replace("20,", "\"20\","), field("last_trade_id"));
    check(
        &MATCH.replace("{", "{\"price\":\"1\","),
        Error::Twice { key: "price" },
    );
}

proptest! {
    #[test]
    fn a_text_cut_anywhere_is_refused(cut in 1usize..300) {
        for text in [UPDATE, MATCH, BEAT, SNAPSHOT] {
            prop_assert!(parse(&text.as_bytes()[..text.len().saturating_sub(cut)]).is_err());
        }
    }

    #[test]
    fn no_change_of_bytes_panics(at in 0usize..400, byte: u8) {
        for text in [UPDATE, MATCH, BEAT, SNAPSHOT] {
            let mut bytes = text.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            let _ = parse(&bytes);
        }
    }
}

/// Found by fuzzing: an ask beyond any market is walked as text and stepped over as a level.
#[test]
fn an_ask_beyond_the_limit_is_counted_apart() {
    let text = br#"{"bids":[],"asks":[["55555555555555555555.5","2"]],"type":"snapshot","product_id":"B-U"}"#;
    let Ok(Message::Snapshot(snapshot)) = parse(text) else {
        panic!("a snapshot")
    };
    let asks = &snapshot.asks;
    assert_eq!((asks.len(), asks.beyond()), (0, 1));
    assert_eq!((asks.iter().count(), asks.texts().count()), (0, 1));
}
