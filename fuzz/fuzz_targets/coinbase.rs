//! Any text is a message or a refusal; what it holds walks as often as it was counted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::coinbase::{Levels, Message, parse};

fuzz_target!(|text: &[u8]| match parse(text) {
    Ok(Message::Snapshot(snapshot)) => {
        walk(&snapshot.bids);
        walk(&snapshot.asks);
    }
    Ok(Message::Update(update)) => {
        assert_eq!(update.changes.iter().count(), update.changes.len());
        assert!(update.changes.iter().all(|change| change.level.qty_e8 >= 0));
    }
    Ok(Message::Match(trade)) => assert!(trade.price_e9 >= 0 && trade.qty_e8 >= 0),
    Ok(_) | Err(_) => {}
});

fn walk(levels: &Levels<'_>) {
    assert_eq!(levels.iter().count(), levels.len());
    assert_eq!(levels.texts().count(), levels.len() + levels.beyond());
    assert!(levels.iter().all(|level| level.price_e9 >= 0 && level.qty_e8 >= 0));
}
