//! Any bytes are a message or a refusal; a message is exactly the bytes given.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::itch50::{DecodeError, Field, decode, length_of};

fuzz_target!(|bytes: &[u8]| match decode(bytes) {
    Ok(message) => {
        assert_eq!(message.as_bytes(), bytes);
        assert_eq!(length_of(message.kind()), Some(bytes.len()));
        assert!(message.timestamp_ns() < 1 << 48);
        message.fields(|name, value| {
            assert!(!name.is_empty());
            if let Field::Text(text) = value {
                assert!(text.len() <= 8 && !text.ends_with(' '));
            }
        });
    }
    Err(DecodeError::Empty) => assert!(bytes.is_empty()),
    Err(DecodeError::UnknownType(kind)) => assert_eq!((kind, length_of(kind)), (bytes[0], None)),
    Err(DecodeError::Length { kind, want, have }) => {
        assert_eq!((length_of(kind), bytes.len()), (Some(want), have));
        assert_ne!(want, have);
    }
});
