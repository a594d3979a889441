//! Every message in the shape the venue sends, what is refused, and any text.

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

fn level(price_e9: i64, qty_e8: i64) -> Level {
    Level { price_e9, qty_e8 }
}

fn read(text: &str) -> Message<'_> {
    parse(text.as_bytes()).unwrap_or_else(|error| panic!("{error}: {text}"))
}

#[test]
fn depth_of_spot_and_futures() {
    let spot = r#"{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1723161255208,"s":"BTCUSDT","U":50093239189,"u":50093239202,"b":[["61737.63000000","0.00000000"],["56854.58","1.5"]],"a":[]}}"#;
    let Message::Depth(depth) = read(spot) else {
        panic!()
    };
    assert_eq!(depth.stream, Some("btcusdt@depth@100ms"));
    assert_eq!(
        (depth.symbol, depth.event_ns),
        ("BTCUSDT", 1_723_161_255_208_000_000)
    );
    assert_eq!(
        (depth.first_update_id, depth.final_update_id),
        (50_093_239_189, 50_093_239_202)
    );
    assert_eq!(
        (depth.previous_final_update_id, depth.transaction_ns),
        (None, None)
    );
    let bids = [
        level(61_737_630_000_000, 0),
        level(56_854_580_000_000, 150_000_000),
    ];
    assert_eq!(depth.bids.iter().collect::<Vec<_>>(), bids);
    assert_eq!(
        (
            depth.bids.len(),
            depth.bids.iter().len(),
            depth.asks.is_empty()
        ),
        (2, 2, true)
    );

    let futures = r#" { "e" : "depthUpdate" , "E":1723161256299,"T":1723161256298,"s":"BTCUSDT","U":1,"u":2,"pu":0,
        "b" : [ [ "58710.20" , "0.014" , [ ] ] ] , "a":[["7","8"],["9","10"]] } "#;
    let Message::Depth(depth) = read(futures) else {
        panic!()
    };
    assert_eq!(
        (depth.stream, depth.previous_final_update_id),
        (None, Some(0))
    );
    assert_eq!(depth.transaction_ns, Some(1_723_161_256_298_000_000));
    assert_eq!(
        depth.bids.into_iter().collect::<Vec<_>>(),
        [level(58_710_200_000_000, 1_400_000)]
    );
    let asks = [
        level(7_000_000_000, 800_000_000),
        level(9_000_000_000, 1_000_000_000),
    ];
    assert_eq!(depth.asks.iter().collect::<Vec<_>>(), asks);
}

#[test]
fn book_ticker_with_and_without_its_name() {
    let spot = r#"{"u":50093239212,"s":"BTCUSDT","b":"61837.63000000","B":"3.78826000","a":"61837.64000000","A":"1.54698000"}"#;
    let Message::BookTicker(ticker) = read(spot) else {
        panic!()
    };
    assert_eq!(
        (ticker.symbol, ticker.update_id),
        ("BTCUSDT", 50_093_239_212)
    );
    assert_eq!(ticker.bid, level(61_837_630_000_000, 378_826_000));
    assert_eq!(ticker.ask, level(61_837_640_000_000, 154_698_000));
    assert_eq!(
        (ticker.stream, ticker.event_ns, ticker.transaction_ns),
        (None, None, None)
    );
    let futures = r#"{"stream":"x","data":{"e":"bookTicker","u":5,"s":"S","b":"1","B":"2","a":"3","A":"4","T":1723161256313,"E":1723161256314}}"#;
    let Message::BookTicker(ticker) = read(futures) else {
        panic!()
    };
    assert_eq!(ticker.transaction_ns, Some(1_723_161_256_313_000_000));
    assert_eq!(ticker.event_ns, Some(1_723_161_256_314_000_000));
}

#[test]
fn trades() {
    let text = r#"{"e":"trade","E":1723161256322,"T":1723161256321,"s":"BTCUSDT","t":5266583935,"p":"61800.30","q":"0.006","X":"MARKET","m":false}"#;
    let Message::Trade(trade) = read(text) else {
        panic!()
    };
    assert_eq!(
        (trade.trade_id, trade.price_e9, trade.qty_e8),
        (5_266_583_935, 61_800_300_000_000, 600_000)
    );
    assert_eq!((trade.cause, trade.buyer_is_maker), (Some("MARKET"), false));
    assert_eq!(
        (trade.event_ns - trade.trade_ns, trade.symbol),
        (1_000_000, "BTCUSDT")
    );
    // A connection may ask for microseconds.
    let text = text.replace("1723161256321", "1723161256321007");
    let Message::Trade(trade) = read(&text) else {
        panic!()
    };
    assert_eq!(trade.trade_ns, 1_723_161_256_321_007_000);

    let text = r#"{"e":"aggTrade","E":1,"s":"S","a":26129,"p":"0.01633102","q":"4.70443515","f":27781,"l":27783,"T":2,"m":true,"M":true}"#;
    let Message::AggTrade(trade) = read(text) else {
        panic!()
    };
    assert_eq!(
        (
            trade.agg_trade_id,
            trade.first_trade_id,
            trade.last_trade_id
        ),
        (26_129, 27_781, 27_783)
    );
    assert_eq!(
        (trade.price_e9, trade.qty_e8, trade.buyer_is_maker),
        (16_331_020, 470_443_515, true)
    );
}

#[test]
fn snapshots() {
    let spot = r#"{"lastUpdateId":9,"bids":[["2","1"],["1","1"]],"asks":[["3","1"]]}"#;
    let Message::Snapshot(snapshot) = read(spot) else {
        panic!()
    };
    assert_eq!((snapshot.last_update_id, snapshot.event_ns), (9, None));
    assert_eq!((snapshot.bids.len(), snapshot.asks.len()), (2, 1));
    let futures = r#"{"lastUpdateId":9,"E":5,"T":4,"bids":[],"asks":[]}"#;
    let Message::Snapshot(snapshot) = read(futures) else {
        panic!()
    };
    assert_eq!(
        (snapshot.event_ns, snapshot.transaction_ns),
        (Some(5_000_000), Some(4_000_000))
    );
}

#[test]
fn other_messages_are_told_by_name() {
    let check = |text: &str, stream, event| {
        assert_eq!(
            read(text),
            Message::Other(Other { stream, event }),
            "{text}"
        );
    };
    check(r#"{"result":null,"id":1}"#, None, None);
    check(
        r#"{"error":{"code":2,"msg":"Invalid \"request\" \\"},"id":1.5e-3}"#,
        None,
        None,
    );
    check(
        r#"{"stream":"s@kline_1m","data":{"e":"kline","k":{"t":1,"b":[[]]},"b":[1]}}"#,
        Some("s@kline_1m"),
        Some("kline"),
    );
    check(
        r#"{"stream":"!miniTicker@arr","data":[{"e":"24hrMiniTicker"}]}"#,
        Some("!miniTicker@arr"),
        None,
    );
    check("[]", None, None);
    check("true", None, None);
    check("{}", None, None);
}

#[test]
fn what_is_refused() {
    let check = |text: &str, error: Error| assert_eq!(parse(text.as_bytes()), Err(error), "{text}");
    let field = |key| Error::Field { key };
    let decimal = |key, source| Error::Decimal { key, source };
    let trade = r#"{"e":"trade","E":1,"T":2,"s":"S","t":3,"p":"1.5","q":"2","m":true}"#;
    let with = |from: &str, to: &str| trade.replace(from, to);
    assert!(parse(trade.as_bytes()).is_ok());
    check(&with(r#","p":"1.5""#, ""), field("p"));
    check(&with(r#""1.5""#, "1.5"), field("p"));
    check(&with("1.5", "1.5x"), decimal("p", DecimalError::Syntax));
    check(&with("1.5", "-1.5"), decimal("p", DecimalError::Negative));
    check(
        &with("1.5", "0.0000000001"),
        decimal("p", DecimalError::Inexact),
    );
    check(
        &with("1.5", "9223372037"),
        decimal("p", DecimalError::Overflow),
    );
    check(
        &with(r#""q":"2""#, r#""q":"92233720369""#),
        decimal("q", DecimalError::Overflow),
    );
    check(
        &with(r#""t":3"#, r#""t":-3"#),
        decimal("t", DecimalError::Negative),
    );
    check(
        &with(r#""t":3"#, r#""t":3.5"#),
        decimal("t", DecimalError::Inexact),
    );
    check(&with(r#""m":true"#, r#""m":"true""#), field("m"));
    check(&with(r#""s":"S""#, r#""s":"\u0053""#), field("s"));
    check(&with(r#""E":1"#, r#""E":9223372036854775807"#), field("E"));
    check(
        &with(r#""t":3"#, r#""t":3,"t":3"#),
        Error::Twice { key: "t" },
    );

    let levels = |array: &str| format!(r#"{{"lastUpdateId":1,"bids":[],"asks":{array}}}"#);
    check(&levels(r#"[["1"]]"#), field("asks"));
    check(&levels(r#"[["1",2]]"#), field("asks"));
    check(&levels(r#""none""#), field("asks"));
    check(
        &levels(r#"[["1","-2"]]"#),
        decimal("asks", DecimalError::Negative),
    );

    for (text, offset) in [
        ("", 0),
        ("{", 1),
        ("{}x", 2),
        (r#"{"a"}"#, 4),
        (r#"{"a":}"#, 5),
        (r#"{"a":1,}"#, 7),
        ("[1,]", 3),
        ("[1}", 2),
        (r#"{"x":[1}"#, 7),
        ("tru", 0),
        ("-", 1),
        ("1.", 2),
        ("1e", 2),
        ("\"a", 2),
        ("\"\n\"", 1),
        ("{1:2}", 1),
    ] {
        check(text, Error::Json { offset });
    }
    assert!(parse(&[b"[".repeat(16), b"]".repeat(16)].concat()).is_ok());
    check(&"[".repeat(17), Error::Depth { offset: 16 });
}

/// Any JSON value, with the keys that messages use among its own.
fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just(String::from("null")),
        Just(String::from("true")),
        "-?[0-9]{1,20}",
        "[0-9]\\.[0-9]{1,9}e[+-]?[0-9]",
        "[a-zA-Z0-9 .@]{0,8}".prop_map(|text| format!("\"{text}\"")),
        Just(String::from(r#"[["1.5","2"],["0.1","0"]]"#)),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5)
                .prop_map(|all| format!("[{}]", all.join(" , "))),
            prop::collection::vec(("e|E|s|b|a|p|stream|data|bids|[a-z]{1,4}", inner), 0..6)
                .prop_map(|all| {
                    let members: Vec<_> = all
                        .into_iter()
                        .map(|(key, value)| format!("\"{key}\":{value}"))
                        .collect();
                    format!("{{{}}}", members.join(","))
                }),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_read_or_refused_for_its_fields(text in json()) {
        let refused = matches!(parse(text.as_bytes()), Err(Error::Json { .. } | Error::Depth { .. }));
        prop_assert!(!refused, "{}", text);
    }

    #[test]
    fn json_cut_anywhere_is_never_a_message(cut in 1usize..100) {
        let text = r#"{"e":"trade","E":1,"T":2,"s":"S","t":3,"p":"1.5","q":"2","m":true}"#;
        prop_assert!(parse(&text.as_bytes()[..text.len().saturating_sub(cut)]).is_err());
    }

    #[test]
    fn levels_come_back(levels in prop::collection::vec((0..i64::MAX, 0..i64::MAX), 0..20)) {
        let written: Vec<_> = levels.iter().map(|(price, qty)| {
            let (price, qty) = (price.cast_unsigned(), qty.cast_unsigned());
            format!("[\"{}.{:09}\",\"{}.{:08}\"]", price / 1_000_000_000, price % 1_000_000_000,
                qty / 100_000_000, qty % 100_000_000)
        }).collect();
        let text = format!(r#"{{"lastUpdateId":1,"bids":[{}],"asks":[]}}"#, written.join(","));
        let message = parse(text.as_bytes());
        let Ok(Message::Snapshot(snapshot)) = message else { panic!("{message:?}") };
        let want: Vec<_> = levels.iter().map(|&(price, qty)| level(price, qty)).collect();
        prop_assert_eq!(snapshot.bids.iter().collect::<Vec<_>>(), want);
    }

    #[test]
    fn no_bytes_panic(pieces in prop::collection::vec(0usize..24, 0..60), noise: u8) {
        let tokens: [&[u8]; 24] = [
            b"{", b"}", b"[", b"]", b",", b":", b"\"", b"\"e\"", b"\"b\"", b"\"data\"", b"\"depthUpdate\"",
            b"1", b"-", b".", b"\"1.5\"", b"[[\"1\",\"2\"]]", b"\\", b"true", b"null", b" ", b"\"stream\"",
            b"\"lastUpdateId\"", b"\"bids\"", b"\xFF",
        ];
        let mut text = vec![noise];
        pieces.into_iter().for_each(|piece| text.extend(tokens[piece]));
        let _ = parse(&text);
        let _ = parse(&text[1..]);
    }
}
