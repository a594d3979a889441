//! Packets written are packets read, however they are cut; sessions keep to their states and times.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;

const SECOND: u64 = 1_000_000_000;

fn bytes(packet: Packet<'_>) -> Vec<u8> {
    let mut buffer = std::vec![0; 70_000];
    let mut writer = PacketWriter::new(&mut buffer);
    assert!(writer.push(packet));
    writer.bytes().to_vec()
}

fn login() -> LoginRequest {
    LoginRequest::new("OUZEL", "secret", 1).expect("fits")
}

#[test]
fn logins_look_as_the_specification_says() {
    let sent = bytes(Packet::LoginRequest(login()));
    assert_eq!(
        sent,
        b"\x00\x2fLOUZEL secret                                 1"
    );
    let accepted = LoginAccepted {
        session: *b"  SESSION1",
        seq: u64::MAX,
    };
    let sent = bytes(Packet::LoginAccepted(accepted));
    assert_eq!(sent, b"\x00\x1fA  SESSION118446744073709551615");
    assert_eq!(bytes(Packet::ServerHeartbeat), b"\x00\x01H");
    assert_eq!(LoginRequest::new("TOOLONG", "", 0), None);
    assert_eq!(LoginRequest::new("a\n", "", 0), None);
}

#[test]
fn what_is_no_packet_is_told_at_once() {
    let check = |bytes: &[u8], error| assert_eq!(split(bytes), Err(error));
    check(b"\x00\x00", Error::Empty);
    check(b"\xff\xffQ", Error::UnknownType(b'Q'));
    let length = |kind, want, have| Error::Length { kind, want, have };
    check(b"\x00\x03H", length(b'H', 0, 2));
    check(b"\x00\x02L", length(b'L', 46, 1));
    check(b"\x00\x02JX", Error::RejectCode(b'X'));
    let mut accepted = bytes(Packet::LoginAccepted(LoginAccepted {
        session: *b"SESSION001",
        seq: 7,
    }));
    *accepted.last_mut().expect("not empty") = b'x';
    check(&accepted, Error::Number);
    for number in [&b"99999999999999999999"[..], b"                    "] {
        accepted.truncate(13);
        accepted.extend_from_slice(number);
        check(&accepted, Error::Number);
    }
}

#[test]
fn a_client_counts_messages_and_heartbeats() {
    let mut client = ClientSession::new(ClientConfig::default(), &login(), 0);
    assert!(!client.is_gone(5 * SECOND) && client.is_gone(5 * SECOND + 1));
    let read = |client: &mut ClientSession, packet, at| {
        let bytes = bytes(packet);
        let (event, size) = client.read(&bytes, at).expect("ours").expect("whole");
        assert_eq!(size, bytes.len());
        std::format!("{event:?}")
    };
    let accepted = LoginAccepted {
        session: *b"SESSION001",
        seq: 5,
    };
    read(&mut client, Packet::LoginAccepted(accepted), SECOND);
    let told = read(&mut client, Packet::Sequenced(b"a"), SECOND);
    assert!(told.contains("seq: 5"), "{told}");
    assert_eq!(
        read(&mut client, Packet::ServerHeartbeat, 2 * SECOND),
        "None"
    );
    assert_eq!(client.next_seq(), 6);
    assert_eq!(client.heartbeat(2 * SECOND), Some(Packet::ClientHeartbeat));
    assert_eq!(client.heartbeat(2 * SECOND), None);
    assert!(!client.is_gone(17 * SECOND) && client.is_gone(17 * SECOND + 1));
    let told = read(&mut client, Packet::EndOfSession, 3 * SECOND);
    assert_eq!(told, "Some(Ended)");
    let told = read(&mut client, Packet::Sequenced(b"b"), 3 * SECOND);
    assert!(told.contains("OutOfPlace"), "{told}");
}

#[test]
fn a_server_wants_a_login_first_and_only_one() {
    let mut server = ServerSession::new(ServerConfig::default(), 0);
    assert_eq!(server.sequenced(b"early", 0), None);
    assert!(!server.is_gone(30 * SECOND) && server.is_gone(30 * SECOND + 1));
    let request = bytes(Packet::LoginRequest(login()));
    let event = server.read(&request, 1).expect("ours").expect("whole").0;
    assert_eq!(event, Some(ServerEvent::Login(login())));
    server.accept(*b"SESSION001", 1, 2);
    assert_eq!(server.sequenced(b"m", 3), Some(Packet::Sequenced(b"m")));
    assert_eq!(server.next_seq(), 2);
    assert_eq!(server.heartbeat(SECOND), None);
    let due = server.heartbeat(SECOND + 3);
    assert_eq!(due, Some(Packet::ServerHeartbeat));
    let event = server.read(&request, 4).expect("ours").expect("whole").0;
    assert_eq!(event, Some(ServerEvent::OutOfPlace(b'L')));
    let mut other = ServerSession::new(ServerConfig::default(), 0);
    let early = bytes(Packet::Unsequenced(b"x"));
    let event = other.read(&early, 1).expect("ours").expect("whole").0;
    assert_eq!(event, Some(ServerEvent::OutOfPlace(b'U')));
}

proptest! {
    #[test]
    fn packets_survive_any_cut(
        payloads in prop::collection::vec((0u8..5, prop::collection::vec(any::<u8>(), 0..60)), 1..20),
        cut in 1usize..40,
    ) {
        let packets: Vec<Packet<'_>> = payloads.iter().map(|(kind, payload)| match kind {
            0 => Packet::Sequenced(payload),
            1 => Packet::Unsequenced(payload),
            2 => Packet::Debug(payload),
            3 => Packet::LoginRequest(login()),
            _ => Packet::EndOfSession,
        }).collect();
        let stream: Vec<u8> = packets.iter().flat_map(|packet| bytes(*packet)).collect();
        let (mut kept, mut got) = (Vec::new(), Vec::new());
        for piece in stream.chunks(cut) {
            kept.extend_from_slice(piece);
            while let Some((packet, size)) = split(&kept).expect("ours") {
                got.push(bytes(packet));
                kept.drain(..size);
            }
        }
        prop_assert!(kept.is_empty());
        prop_assert_eq!(got, packets.iter().map(|packet| bytes(*packet)).collect::<Vec<_>>());
    }
}
