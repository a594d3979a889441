use proptest::prelude::*;
use std::vec::Vec;

use super::*;

fn header(first_seq: u64) -> Header {
    Header::new(
        protocol::TOPS,
        1,
        9,
        first_seq,
        100,
        1_493_132_621_000_000_000,
    )
}

/// Every type, with the length that the specification gives it.
fn all() -> Vec<(u8, Vec<u8>, usize)> {
    macro_rules! empty {
        ($($record:ident: $kind:literal, $size:literal;)*) => {
            std::vec![$(($kind, $record::empty($kind).as_bytes().to_vec(), $size),)*]
        };
    }
    empty! {
        SystemEvent: b'S', 10; SecurityDirectory: b'D', 31; TradingStatus: b'H', 22;
        OperationalHalt: b'O', 18; ShortSale: b'P', 19; QuoteUpdate: b'Q', 42;
        PriceLevelUpdate: b'8', 30; PriceLevelUpdate: b'5', 30; TradeReport: b'T', 38;
        OfficialPrice: b'X', 26; TradeBreak: b'B', 38; AuctionInformation: b'A', 80;
        SecurityEvent: b'E', 18; RetailLiquidity: b'I', 18;
    }
}

#[test]
fn every_message_is_read_as_it_was_written() {
    let mut buffer = [0; 1_400];
    let mut writer = PacketWriter::new(&mut buffer, header(5));
    for (kind, bytes, size) in all() {
        assert_eq!(bytes.len(), size);
        let message = decode(&bytes).expect("a whole message");
        assert_eq!((message.kind(), message.as_bytes()), (kind, &bytes[..]));
        let error = decode(&bytes[..size - 1]);
        let have = size - 1;
        assert_eq!(
            error,
            Err(Error::Length {
                kind,
                want: size,
                have
            })
        );
        assert!(writer.push(&bytes));
    }
    let packet = Packet::parse(writer.finish()).expect("just written");
    let kinds: Vec<u8> = packet
        .messages()
        .map(|message| message.expect("good").kind())
        .collect();
    assert_eq!(
        kinds,
        all().iter().map(|(kind, ..)| *kind).collect::<Vec<_>>()
    );
    let numbers = (packet.first_seq(), packet.next_seq(), packet.session());
    assert_eq!(numbers, (5, 5 + all().len() as u64, 9));
}

/// The worked example of the DEEP specification 1.08, "Price Level Update Message" (its text gives the time of New York).
#[test]
fn the_specifications_price_level_update() {
    let bytes = [
        0x38, 0x01, 0xac, 0x63, 0xc0, 0x20, 0x96, 0x86, 0x6d, 0x14, 0x5a, 0x49, 0x45, 0x58, 0x54,
        0x20, 0x20, 0x20, 0xe4, 0x25, 0x00, 0x00, 0x24, 0x1d, 0x0f, 0x00, 0x00, 0x00, 0x00, 0x00,
    ];
    let Ok(Message::PriceLevelUpdate(level)) = decode(&bytes) else {
        panic!("a price level update")
    };
    assert_eq!(
        (level.symbol.as_str(), level.size.get(), level.price.get()),
        ("ZIEXT", 9_700, 990_500)
    );
    assert_eq!((level.flags, level.kind), (event_flag::COMPLETE, b'8'));
    // 2016-08-23 19:30:32.572715948 UTC.
    assert_eq!(level.timestamp_ns.get(), 1_471_980_632_572_715_948);
}

#[test]
fn a_heartbeat_has_no_message() {
    let mut buffer = [0; 64];
    let packet = PacketWriter::new(&mut buffer, header(8)).finish();
    let packet = Packet::parse(packet).expect("just written");
    assert_eq!(
        (packet.count(), packet.next_seq(), packet.messages().count()),
        (0, 8, 0)
    );
}

#[test]
fn what_cannot_be_read_is_named() {
    let mut buffer = [0; 256];
    let mut writer = PacketWriter::new(&mut buffer, header(1));
    assert!(writer.push(&[0x7a, 1, 2]) && writer.push(SystemEvent::empty(b'S').as_bytes()));
    let bytes = writer.finish().to_vec();
    let have = bytes.len() - HEADER_SIZE;
    assert_eq!(
        Packet::parse(&bytes[..39]).err(),
        Some(Error::Short { have: 39 })
    );
    let cut = Packet::parse(&bytes[..bytes.len() - 1]).err();
    assert_eq!(
        cut,
        Some(Error::Payload {
            want: have,
            have: have - 1
        })
    );
    let mut other = bytes.clone();
    other[0] = 2;
    assert_eq!(Packet::parse(&other).err(), Some(Error::Version(2)));
    // The count promises more than there is: what is there is good.
    let mut more = bytes.clone();
    more[14] = 3;
    let read: Vec<_> = Packet::parse(&more).expect("a packet").messages().collect();
    assert_eq!(read[0], Err(Error::UnknownType(0x7a)));
    assert!(read[1].is_ok());
    assert_eq!(
        read[2],
        Err(Error::Cut {
            index: 2,
            want: 2,
            have: 0
        })
    );
    assert_eq!(read.len(), 3);
}

proptest! {
    #[test]
    fn any_bytes_are_a_packet_or_refused(
        mut bytes in prop::collection::vec(any::<u8>(), 0..200),
        length in 0u16..200,
        count in 0u16..20,
    ) {
        if bytes.len() > HEADER_SIZE {
            bytes[0] = 1;
            bytes[12..14].copy_from_slice(&length.to_le_bytes());
            bytes[14..16].copy_from_slice(&count.to_le_bytes());
        }
        if let Ok(packet) = Packet::parse(&bytes) {
            let read = packet.messages().count();
            prop_assert!(read <= usize::from(count));
            let size: usize = packet.blocks().flatten().map(|block| block.len() + 2).sum();
            prop_assert!(size <= packet.payload().len());
        }
    }
}
