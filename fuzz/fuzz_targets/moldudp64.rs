//! Any bytes are a packet or a refusal; a packet's messages written again give the same packet.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::moldudp64::{Error, Kind, Packet, PacketWriter, Request};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(request) = Request::parse(bytes) {
        assert_eq!(request.to_bytes(), bytes);
    }
    let Ok(packet) = Packet::parse(bytes) else {
        assert!(bytes.len() < 20);
        return;
    };
    assert_eq!(packet.kind() == Kind::Data, packet.count() > 0);
    let mut buffer = vec![0; bytes.len()];
    let mut writer = PacketWriter::new(&mut buffer, packet.session(), packet.seq());
    let mut messages = packet.messages();
    for message in messages.by_ref() {
        match message {
            Ok(message) => assert!(writer.push(message)),
            Err(Error::Cut { index, want, have }) => {
                assert_eq!(index, writer.count());
                assert!(want > have);
                return;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(messages.next(), None);
    assert_eq!(writer.count(), packet.count());
    let whole = bytes.len() - messages.rest().len();
    let written = writer.finish();
    assert_eq!(&written[20..], &bytes[20..whole]);
});
