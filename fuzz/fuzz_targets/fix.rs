//! Any bytes are messages and garbage without a byte lost; a message written again from its fields
//! is the same message.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::fix::{Found, Frames, Message, Writer, data_tag_of, find, tag};

fuzz_target!(|bytes: &[u8]| {
    let mut at = 0;
    for item in Frames::new(bytes, 100_000) {
        at += match item {
            Ok(message) => {
                read(message);
                message.bytes().len()
            }
            Err(garbled) => garbled.size,
        };
    }
    assert_eq!(at, bytes.len());
    // Few random bytes have a good checksum: seal them as a body, so that the fields are reached.
    let mut buffer = vec![0; bytes.len() + 64];
    let mut writer = Writer::new(&mut buffer, b"FIXT.1.1", b"X");
    writer.encoded(bytes).encoded(b"\x01");
    let sealed = writer.finish().expect("there is room");
    match find(sealed, sealed.len()) {
        Found::Message(message) => read(message),
        other => panic!("{other:?}"),
    }
});

fn read(message: Message<'_>) {
    let mut rewritten = message.bytes()[..message.fields().offset()].to_vec();
    let mut whole = true;
    for field in message.fields() {
        let Ok(field) = field else {
            whole = false;
            break;
        };
        rewritten.extend(field.tag.to_string().bytes());
        rewritten.push(b'=');
        rewritten.extend(field.value);
        rewritten.push(1);
        let _ = (field.int(), field.uint(), field.price(), field.decimal(0));
        let _ = (field.timestamp(), field.time_of_day(), field.date());
        let _ = (field.bool(), field.char(), field.text());
        if data_tag_of(field.tag).is_none() {
            for members in [&[][..], &[tag::MD_ENTRY_TYPE, tag::MD_ENTRY_PX]] {
                let Ok(mut group) = message.fields().group(field, members) else {
                    continue;
                };
                let entries = group.by_ref().filter(Result::is_ok).count();
                assert!(entries as u64 <= group.told());
            }
        }
    }
    if whole {
        assert_eq!(rewritten, &message.bytes()[..rewritten.len()]);
        assert_eq!(rewritten.len() + 7, message.bytes().len());
    }
}
