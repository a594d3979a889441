//! Writes a SoupBinTCP session of every packet type, as a pcap for other decoders, or reads the
//! payload of one back. `soup_dump write FILE` makes the capture and prints what is in it;
//! `soup_dump read FILE` prints the packets of a file of raw bytes.

use std::io::{Error, Result};

use wire::glimpse::end_of_snapshot;
use wire::soupbintcp::{LoginAccepted, LoginRequest, Packet, PacketWriter, RejectReason, split};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, verb, file] = &arguments[..] else {
        return Err(Error::other("usage: soup_dump write|read FILE"));
    };
    let bytes = match verb.as_str() {
        "write" => {
            let bytes = session()?;
            std::fs::write(file, capture(&bytes))?;
            bytes
        }
        _ => std::fs::read(file)?,
    };
    let mut rest = &bytes[..];
    while let Some((packet, size)) = split(rest).map_err(Error::other)? {
        println!("{}\t{}", char::from(packet.kind()), size - 2);
        rest = &rest[size..];
    }
    Ok(())
}

fn session() -> Result<Vec<u8>> {
    let request = LoginRequest::new("OUZEL", "secret", 1).ok_or(Error::other("it fits"))?;
    let accepted = LoginAccepted {
        session: *b"SESSION001",
        seq: 1,
    };
    let end = end_of_snapshot(34_147_961);
    let packets = [
        Packet::LoginRequest(request),
        Packet::LoginAccepted(accepted),
        Packet::Debug(b"hello"),
        Packet::Sequenced(b"a message"),
        Packet::Unsequenced(b"another"),
        Packet::ServerHeartbeat,
        Packet::ClientHeartbeat,
        Packet::Sequenced(&end),
        Packet::LogoutRequest,
        Packet::EndOfSession,
        Packet::LoginRejected(RejectReason::NotAuthorised),
        Packet::LoginRejected(RejectReason::NoSession),
    ];
    let mut buffer = [0; 1_024];
    let mut writer = PacketWriter::new(&mut buffer);
    if packets.into_iter().all(|packet| writer.push(packet)) {
        Ok(writer.bytes().to_vec())
    } else {
        Err(Error::other("the buffer holds them all"))
    }
}

/// One TCP segment in IPv4 in a classic pcap of raw IP packets.
fn capture(payload: &[u8]) -> Vec<u8> {
    let total = 40 + payload.len() as u16;
    let mut bytes = Vec::new();
    for word in [0xa1b2_c3d4u32, 0x0004_0002, 0, 0, 65_535, 101] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    for word in [0, 0, u32::from(total), u32::from(total)] {
        bytes.extend_from_slice(&word.to_le_bytes());
    }
    bytes.extend_from_slice(&[0x45, 0]);
    bytes.extend_from_slice(&total.to_be_bytes());
    bytes.extend_from_slice(&[0, 1, 0, 0, 64, 6, 0, 0, 127, 0, 0, 1, 127, 0, 0, 1]);
    bytes.extend_from_slice(&[0x67, 0x6d, 0x67, 0x6d]);
    bytes.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1, 0x50, 0x18, 0xff, 0xff, 0, 0, 0, 0]);
    bytes.extend_from_slice(payload);
    bytes
}
