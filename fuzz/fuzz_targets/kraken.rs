//! Any text is a message or a refusal; what it holds walks as often as it was counted.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::kraken::{Levels, Message, parse};

fuzz_target!(|text: &[u8]| match parse(text) {
    Ok(Message::Book(book)) => {
        walk(&book.bids);
        walk(&book.asks);
        // A level beyond the price limit has a time too.
        let has_levels = book.bids.texts().chain(book.asks.texts()).next().is_some();
        assert_eq!(book.event_ns.is_some(), has_levels);
    }
    Ok(Message::Trades(trades)) => {
        assert_eq!(trades.iter().count(), trades.len());
        assert!(trades.iter().all(|trade| trade.price_e9 >= 0 && trade.qty_e8 >= 0));
    }
    Ok(_) | Err(_) => {}
});

fn walk(levels: &Levels<'_>) {
    assert_eq!(levels.iter().count(), levels.len());
    assert_eq!(levels.texts().count(), levels.len() + levels.beyond());
    assert!(levels.iter().all(|level| level.price_e9 >= 0 && level.qty_e8 >= 0));
}
