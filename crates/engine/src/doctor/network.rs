//! Checks of sockets: each tries the very thing that a lane does.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use super::system::System;
use super::{Check, Wanted, mebibytes};
use crate::sys::receive::Arena;
use crate::sys::{send, socket, thread};
use crate::udp::probe_multicast;

/// A group of the range for private use (RFC 2365) and a port that only this check uses.
const PROBE: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(239, 255, 77, 77), 27_077);
const WAIT_NS: u64 = 200_000_000;

pub(super) fn buffer_limit(system: &System, wanted: &Wanted) -> Check {
    const NAME: &str = "net.core.rmem_max";
    let bytes = wanted.buffer_bytes;
    match system
        .read("/proc/sys/net/core/rmem_max")
        .and_then(|text| text.parse::<u64>().ok())
    {
        None => Check::warn(NAME, "cannot be read", "run on Linux with /proc mounted"),
        Some(limit) if limit >= bytes as u64 => Check::ok(NAME, mebibytes(limit)),
        Some(limit) => Check::warn(
            NAME,
            format!("{}, wanted {}", mebibytes(limit), mebibytes(bytes as u64)),
            format!(
                "sysctl -w net.core.rmem_max={bytes}: a burst fills a small buffer in milliseconds"
            ),
        ),
    }
}

pub(super) fn buffer_granted(wanted: &Wanted) -> Check {
    const NAME: &str = "socket buffer granted";
    let granted = socket::udp().and_then(|s| socket::receive_buffer(&s, wanted.buffer_bytes));
    match granted {
        Err(error) => Check::fail(NAME, error.to_string(), "a lane needs a UDP socket"),
        // The kernel doubles what it grants; half of it is payload.
        Ok(granted) if granted / 2 >= wanted.buffer_bytes => {
            Check::ok(NAME, mebibytes(granted as u64 / 2))
        }
        Ok(granted) => Check::warn(
            NAME,
            format!(
                "{} of {} asked",
                mebibytes(granted as u64 / 2),
                mebibytes(wanted.buffer_bytes as u64)
            ),
            "raise net.core.rmem_max, or give the program CAP_NET_ADMIN",
        ),
    }
}

pub(super) fn multicast(wanted: &Wanted) -> Check {
    const NAME: &str = "multicast";
    match probe_multicast(PROBE, wanted.interface) {
        Ok(()) => Check::ok(NAME, format!("a packet came back on {}", wanted.interface)),
        Err(error) => Check::warn(
            NAME,
            error.to_string(),
            "feeds fall back to unicast; containers often forbid multicast (try the host's network)",
        ),
    }
}

/// Sends one packet to a socket of our own and says what came with it.
fn stamped(segmented: bool) -> std::io::Result<(usize, Option<u64>, Option<usize>)> {
    let receiver = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket::set(&receiver, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)?;
    if segmented {
        socket::set(&receiver, libc::SOL_UDP, libc::UDP_GRO, 1)?;
    }
    let port = receiver.local_addr()?.port();
    let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    if segmented {
        send::segmented(&sender, target, &[7; 400], 100)?;
    } else {
        sender.send_to(&[7; 100], target)?;
    }
    use std::os::fd::AsRawFd as _;
    thread::wait_readable(&[receiver.as_raw_fd()], WAIT_NS)?;
    let mut arena = Arena::new(8, 4_096)?;
    let count = arena.receive(&receiver)?;
    if count == 0 {
        return Ok((0, None, None));
    }
    let first = arena.datagram(0);
    Ok((count, first.stamp_ns, first.segment_size))
}

pub(super) fn stamps() -> Check {
    const NAME: &str = "kernel receive stamps";
    match stamped(false) {
        Ok((_, Some(_), _)) => Check::ok(NAME, "SO_TIMESTAMPNS works"),
        Ok(_) => Check::warn(
            NAME,
            "packets come without",
            "latencies start at our own read then",
        ),
        Err(error) => Check::fail(NAME, error.to_string(), "a lane needs UDP over loopback"),
    }
}

pub(super) fn offload() -> Check {
    const NAME: &str = "UDP GSO and GRO";
    match stamped(true) {
        Ok((1, _, Some(_))) => Check::ok(NAME, "both work"),
        Ok((count, ..)) if count > 1 => {
            Check::ok(NAME, "GSO works; packets come one by one on this interface")
        }
        Ok(_) => Check::warn(NAME, "nothing came back", "senders use sendmmsg instead"),
        Err(error) => Check::warn(
            NAME,
            error.to_string(),
            "needs Linux 5.0; senders use sendmmsg instead, four times slower",
        ),
    }
}

pub(super) fn busy_poll(system: &System) -> Check {
    const NAME: &str = "net.core.busy_poll";
    match system.read("/proc/sys/net/core/busy_poll") {
        None => Check::warn(NAME, "cannot be read", "run on Linux with /proc mounted"),
        // Lanes spin by themselves when told to; this setting only matters for a real card.
        Some(us) if us == "0" => Check::ok(NAME, "off; matters only with a real network card"),
        Some(us) => Check::ok(NAME, format!("{us} us")),
    }
}
