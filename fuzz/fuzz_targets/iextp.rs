//! Any bytes as an IEX-TP packet and as one message: messages that are the bytes given, or refusals.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::iextp::{Error, Field, HEADER_SIZE, Header, Message, Packet, PacketWriter, decode};

fuzz_target!(|bytes: &[u8]| {
    message(bytes);
    match Packet::parse(bytes) {
        Ok(packet) => follow(&packet, bytes),
        Err(Error::Short { have }) => assert!(have == bytes.len() && have < HEADER_SIZE),
        Err(Error::Version(version)) => assert!(version == bytes[0] && version != 1),
        Err(Error::Payload { want, have }) => assert!(want > have && have == bytes.len() - HEADER_SIZE),
        Err(other) => panic!("{other} is no fault of a header"),
    }
});

fn follow(packet: &Packet<'_>, bytes: &[u8]) {
    assert!(HEADER_SIZE + packet.payload().len() <= bytes.len());
    assert!(packet.next_seq() >= packet.first_seq());
    let mut buffer = vec![0; HEADER_SIZE + packet.payload().len()];
    let header = Header::new(
        packet.protocol(),
        packet.channel(),
        packet.session(),
        packet.first_seq(),
        packet.stream_offset(),
        packet.send_time_ns(),
    );
    let mut writer = PacketWriter::new(&mut buffer, header);
    let (mut read, mut is_cut) = (0, false);
    for block in packet.blocks() {
        assert!(!is_cut, "nothing follows a cut");
        match block {
            Ok(block) => {
                read += 1;
                assert!(writer.push(block), "it was there, so it fits");
                message(block);
            }
            Err(Error::Cut { index, want, have }) => {
                is_cut = true;
                assert!(index == read && want > have);
            }
            Err(other) => panic!("{other} is no fault of framing"),
        }
    }
    assert_eq!(read == packet.count(), !is_cut);
    let again = writer.finish();
    let again = Packet::parse(again).expect("just written");
    assert_eq!(again.count(), read);
    assert_eq!(again.payload(), &packet.payload()[..again.payload().len()]);
}

fn message(bytes: &[u8]) {
    match decode(bytes) {
        Ok(message) => {
            assert_eq!(message.as_bytes(), bytes);
            assert_eq!(message.kind(), bytes[0]);
            show(message);
        }
        Err(Error::Empty) => assert!(bytes.is_empty()),
        Err(Error::UnknownType(kind)) => assert_eq!(kind, bytes[0]),
        Err(Error::Length { kind, want, have }) => {
            assert!(kind == bytes[0] && want != have && have == bytes.len());
        }
        Err(other) => panic!("{other} is no fault of a message"),
    }
}

fn show(message: Message<'_>) {
    message.fields(|name, value| {
        assert!(!name.is_empty());
        if let Field::Text(text) = value {
            assert!(text.len() <= 8 && !text.ends_with(' '));
        }
    });
}
