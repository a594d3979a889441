//! Any bytes are a message or a refusal; a book written again from what was seen gives the same bytes.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::ouzel::{Error, MESSAGE_SIZE_MAX, Message, write_book};

fuzz_target!(|bytes: &[u8]| {
    match Message::parse(bytes) {
        Ok(Message::Book(view)) => {
            let mut buffer = [0; MESSAGE_SIZE_MAX];
            let bids = view.bids.iter().copied();
            let asks = view.asks.iter().copied();
            let written = write_book(&mut buffer, view.book, bids, asks, view.last);
            let written = written.expect("what was read fits");
            assert_eq!(written, &bytes[..written.len()]);
        }
        Ok(message) => assert_eq!(message.head().kind, bytes[0]),
        Err(Error::Short { want, have, .. }) => assert!(have == bytes.len() && want > have),
        Err(Error::Levels { count }) => assert!(count > 20),
    }
});
