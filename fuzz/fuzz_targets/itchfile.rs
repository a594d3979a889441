//! Any file is frames, then at most one cut tail; the frames account for every byte before it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::itchfile::{Frames, length_prefix};

fuzz_target!(|bytes: &[u8]| {
    let (mut frames, mut offset) = (Frames::new(bytes), 0);
    while let Some(frame) = frames.next() {
        match frame {
            Ok(frame) => {
                assert_eq!(length_prefix(frame), bytes[offset..].first_chunk().copied());
                offset += 2 + frame.len();
                assert_eq!(frames.offset(), offset);
            }
            Err(tail) => {
                assert_eq!(
                    (tail.offset, tail.offset + tail.have),
                    (offset, bytes.len())
                );
                assert!(tail.want > tail.have);
                assert_eq!(frames.next(), None);
                return;
            }
        }
    }
    assert!(frames.session_ended() || offset == bytes.len());
});
