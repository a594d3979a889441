//! From a link-layer frame to the UDP datagram inside it.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::{Cursor, Link, Order, Record};

const ETHER_IPV4: u16 = 0x0800;
const ETHER_IPV6: u16 = 0x86DD;
const ETHER_VLAN: [u16; 3] = [0x8100, 0x88A8, 0x9100];
/// Tags that one frame may stack.
const VLAN_TAGS_LIMIT: usize = 4;
/// Extension headers that one IPv6 packet may chain.
const EXTENSIONS_LIMIT: usize = 8;
const PROTOCOL_UDP: u8 = 17;

/// A UDP datagram, seen where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Udp<'a> {
    /// The sender.
    pub src: SocketAddr,
    /// The receiver: for a feed, its multicast group and port.
    pub dst: SocketAddr,
    /// What the sender sent.
    pub payload: &'a [u8],
}

/// The datagram in a record: Ethernet (with VLAN tags), raw IP or Linux cooked; IPv4 or IPv6.
///
/// `None` when it is anything else, a fragment, or not captured whole. Checksums are not verified:
/// captures on the sending machine often hold wrong ones.
#[must_use]
pub fn udp<'a>(record: &Record<'a>) -> Option<Udp<'a>> {
    let mut frame = Cursor {
        rest: record.data,
        order: Order::Big,
    };
    let ether = match record.link {
        Link::Ethernet => {
            frame.bytes(12)?;
            Some(frame.u16()?)
        }
        Link::LinuxCooked => {
            frame.bytes(14)?;
            Some(frame.u16()?)
        }
        Link::LinuxCooked2 => {
            let ether = frame.u16()?;
            frame.bytes(18)?;
            Some(ether)
        }
        Link::Ip => None,
        Link::Other(_) => return None,
    };
    let ether = match ether {
        Some(ether) => after_vlan_tags(ether, &mut frame)?,
        None if frame.rest.first()? >> 4 == 6 => ETHER_IPV6,
        None => ETHER_IPV4,
    };
    let (src, dst, mut packet) = match ether {
        ETHER_IPV4 => ipv4(frame)?,
        ETHER_IPV6 => ipv6(frame)?,
        _ => return None,
    };
    let (src_port, dst_port, size) = (packet.u16()?, packet.u16()?, packet.u16()?);
    let _checksum = packet.u16()?;
    let payload = packet.bytes(usize::from(size).checked_sub(8)?)?;
    Some(Udp {
        src: SocketAddr::new(src, src_port),
        dst: SocketAddr::new(dst, dst_port),
        payload,
    })
}

fn after_vlan_tags(mut ether: u16, frame: &mut Cursor<'_>) -> Option<u16> {
    for _ in 0..VLAN_TAGS_LIMIT {
        if !ETHER_VLAN.contains(&ether) {
            break;
        }
        frame.bytes(2)?;
        ether = frame.u16()?;
    }
    Some(ether)
}

/// Addresses and what the IP packet carries, if that is UDP and whole.
fn ipv4(mut packet: Cursor<'_>) -> Option<(IpAddr, IpAddr, Cursor<'_>)> {
    let header: &[u8; 20] = packet.rest.first_chunk()?;
    let header_size = usize::from(header[0] & 0x0F) * 4;
    let total = usize::from(u16::from_be_bytes([header[2], header[3]]));
    // More fragments, or an offset other than zero.
    let is_fragment = u16::from_be_bytes([header[6], header[7]]) & 0x3FFF != 0;
    if header[0] >> 4 != 4 || header_size < 20 || is_fragment || header[9] != PROTOCOL_UDP {
        return None;
    }
    let [.., a, b, c, d, e, f, g, h] = *header;
    packet.bytes(header_size)?;
    // What follows the packet is padding of a short Ethernet frame.
    packet.rest = packet.rest.get(..total.checked_sub(header_size)?)?;
    Some((
        Ipv4Addr::new(a, b, c, d).into(),
        Ipv4Addr::new(e, f, g, h).into(),
        packet,
    ))
}

fn ipv6(mut packet: Cursor<'_>) -> Option<(IpAddr, IpAddr, Cursor<'_>)> {
    const HOP_BY_HOP: u8 = 0;
    const ROUTING: u8 = 43;
    const DESTINATION: u8 = 60;
    let version = packet.u32()? >> 28;
    let size = packet.u16()?;
    let (mut next, _hops) = (*packet.rest.first()?, packet.u16()?);
    let src: [u8; 16] = packet.bytes(16)?.try_into().ok()?;
    let dst: [u8; 16] = packet.bytes(16)?.try_into().ok()?;
    packet.rest = packet.rest.get(..usize::from(size))?;
    for _ in 0..EXTENSIONS_LIMIT {
        if !matches!(next, HOP_BY_HOP | ROUTING | DESTINATION) {
            break;
        }
        let &[following, eights, ..] = packet.rest else {
            return None;
        };
        packet.bytes(8 + usize::from(eights) * 8)?;
        next = following;
    }
    if version != 6 || next != PROTOCOL_UDP {
        return None;
    }
    Some((
        Ipv6Addr::from(src).into(),
        Ipv6Addr::from(dst).into(),
        packet,
    ))
}
