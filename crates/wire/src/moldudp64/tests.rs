//! Packets written and read, cut anywhere, and made of any bytes.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const SESSION: [u8; 10] = *b"000010059B";

#[test]
fn the_header_lies_as_specified() {
    let request = Request {
        session: SESSION,
        seq: 0x0102_0304_0506_0708,
        count: 0x090A,
    };
    let bytes = *b"000010059B\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0A";
    assert_eq!(request.to_bytes(), bytes);
    assert_eq!(Request::parse(&bytes), Ok(request));
    assert_eq!(
        Request::parse(&bytes[1..]),
        Err(Error::RequestLength { have: 19 })
    );
    assert_eq!(
        Request::parse(&[0; 21]),
        Err(Error::RequestLength { have: 21 })
    );
    let packet = Packet::parse(&bytes).expect("a header is enough");
    assert_eq!(
        (packet.session(), packet.seq(), packet.count()),
        (SESSION, request.seq, 0x090A)
    );
    assert!(std::format!("{packet:?}").contains("000010059B"));
}

#[test]
fn kinds_of_packets() {
    let check = |bytes: &[u8], kind, next_seq| {
        let packet = Packet::parse(bytes).expect("whole");
        assert_eq!((packet.kind(), packet.next_seq()), (kind, next_seq));
        assert_eq!(packet.count() == 0, kind != Kind::Data);
        assert_eq!(packet.messages().count() as u64, next_seq - packet.seq());
    };
    check(&heartbeat(SESSION, 7), Kind::Heartbeat, 7);
    check(&end_of_session(SESSION, 7), Kind::EndOfSession, 7);
    let mut buffer = [0; 64];
    check(
        PacketWriter::new(&mut buffer, SESSION, 7).finish(),
        Kind::Heartbeat,
        7,
    );
    let mut writer = PacketWriter::new(&mut buffer, SESSION, 7);
    assert!(writer.push(b"") && writer.push(b"x"));
    assert_eq!((writer.count(), writer.size()), (2, 25));
    check(writer.finish(), Kind::Data, 9);
    let last = header_bytes(SESSION, u64::MAX, 5);
    assert_eq!(
        Packet::parse(&last).map(|packet| packet.next_seq()),
        Ok(u64::MAX)
    );
}

#[test]
fn what_does_not_fit_is_refused_and_leaves_the_packet_as_it_was() {
    let mut buffer = [0; 20 + 2 + 5];
    let mut writer = PacketWriter::new(&mut buffer, SESSION, 1);
    assert!(!writer.push(b"sixsix"));
    assert!(writer.push(b"seven"[..5].as_ref()));
    assert!(!writer.push(b""));
    let packet = Packet::parse(writer.finish()).expect("whole");
    assert_eq!(packet.messages().collect::<Vec<_>>(), [Ok(&b"seven"[..])]);

    let mut buffer = vec![0; 300_000];
    let mut writer = PacketWriter::new(&mut buffer, SESSION, 1);
    assert!(!writer.push(&[0; 65_536]));
    assert!((0..MESSAGE_COUNT_MAX).all(|_| writer.push(b"")));
    assert!(
        !writer.push(b""),
        "the next count would mean the end of the session"
    );
    let packet = Packet::parse(writer.finish()).expect("whole");
    assert_eq!(
        (packet.kind(), packet.count()),
        (Kind::Data, MESSAGE_COUNT_MAX)
    );
}

#[test]
fn a_short_packet_is_told() {
    for have in 0..HEADER_SIZE {
        assert_eq!(
            Packet::parse(&vec![0; have]).err(),
            Some(Error::Short { have })
        );
    }
}

#[test]
fn more_bytes_than_the_count_says_are_left() {
    let mut bytes = header_bytes(SESSION, 1, 1).to_vec();
    bytes.extend(b"\0\x01Arest");
    let mut messages = Packet::parse(&bytes).expect("whole").messages();
    assert_eq!(messages.next(), Some(Ok(&b"A"[..])));
    assert_eq!(messages.next(), None);
    assert_eq!(messages.rest(), b"rest");
}

proptest! {
    #[test]
    fn a_packet_cut_anywhere_gives_its_whole_messages_and_one_error(
        messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..50), 1..12),
        cut in 1usize..200,
    ) {
        let mut buffer = [0; 1_000];
        let mut writer = PacketWriter::new(&mut buffer, SESSION, 100);
        for message in &messages {
            prop_assert!(writer.push(message));
        }
        let bytes = writer.finish();
        let packet = Packet::parse(bytes).expect("whole");
        let read: Vec<_> = packet.messages().map(|message| message.expect("whole").to_vec()).collect();
        prop_assert_eq!(&read, &messages);
        prop_assert!(packet.messages().rest().len() + HEADER_SIZE == bytes.len());

        let cut = &bytes[..bytes.len().saturating_sub(cut).max(HEADER_SIZE)];
        let read: Vec<_> = Packet::parse(cut).expect("a header").messages().collect();
        let (last, whole) = read.split_last().expect("at least the error");
        let index = u16::try_from(whole.len()).expect("few");
        let matches = matches!(last, Err(Error::Cut { index: at, want, have })
            if *at == index && want > have);
        prop_assert!(matches);
        for (message, want) in whole.iter().zip(&messages) {
            prop_assert_eq!(*message, Ok(&want[..]));
        }
    }

    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        let _ = Request::parse(&bytes);
        if let Ok(packet) = Packet::parse(&bytes) {
            let (_, most) = packet.messages().size_hint();
            prop_assert!(Some(packet.messages().count()) <= most);
        }
    }
}
