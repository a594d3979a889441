//! Any text is a message or a refusal; levels walk as often as they were counted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::binance::{Levels, Message, parse, parse_decimal};

fuzz_target!(|text: &[u8]| {
    for decimals in [0, 8, 9, 19, 20] {
        if let Ok(value) = parse_decimal(text, decimals) {
            assert_eq!(value < 0, value != 0 && text[0] == b'-');
        }
    }
    match parse(text) {
        Ok(Message::Depth(depth)) => {
            walk(&depth.bids);
            walk(&depth.asks);
        }
        Ok(Message::Snapshot(snapshot)) => {
            walk(&snapshot.bids);
            walk(&snapshot.asks);
        }
        Ok(Message::Trade(trade)) => assert!(trade.price_e9 >= 0 && trade.qty_e8 >= 0),
        Ok(_) | Err(_) => {}
    }
});

fn walk(levels: &Levels<'_>) {
    assert_eq!(levels.iter().count(), levels.len());
    assert!(
        levels
            .iter()
            .all(|level| level.price_e9 >= 0 && level.qty_e8 >= 0)
    );
}
