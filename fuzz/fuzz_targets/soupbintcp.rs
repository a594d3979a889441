//! Any bytes are packets or a refusal; what was read is written again as it was, but for padding; and
//! sessions at either end take anything.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::glimpse;
use wire::soupbintcp::{
    ClientConfig, ClientEvent, ClientSession, LoginRequest, Packet, PacketWriter, ServerConfig,
    ServerSession, split,
};

fuzz_target!(|bytes: &[u8]| {
    let request = LoginRequest::new("fuzz", "fuzz", 1).expect("fits");
    let mut client = ClientSession::new(ClientConfig::default(), &request, 0);
    let mut server = ServerSession::new(ServerConfig::default(), 0);
    let mut buffer = vec![0; bytes.len() + 64];
    let mut rest = bytes;
    while let Ok(Some((packet, size))) = split(rest) {
        let mut writer = PacketWriter::new(&mut buffer);
        assert!(writer.push(packet));
        assert_eq!(writer.size(), size);
        // Numbers may be padded on either side: their value is what must survive.
        let (again, _) = split(writer.bytes()).expect("ours").expect("whole");
        assert_eq!(again, packet);
        if let Packet::Sequenced(message) = packet {
            let _ = glimpse::decode(message);
        }
        let event = client.read(rest, 1).expect("split has read it");
        if let Some((Some(ClientEvent::Message { seq, .. }), _)) = event {
            assert_eq!(seq.wrapping_add(1), client.next_seq());
        }
        assert!(server.read(rest, 1).expect("split has read it").is_some());
        rest = &rest[size..];
    }
});
