//! What several tests share: whether multicast works here, free ports, and lines over loopback.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use engine::udp::{MulticastReceiver, ReceiverConfig, Sender, SenderConfig, probe_multicast};

/// A UDP port that was free a moment ago.
pub fn free_port() -> u16 {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    socket.local_addr().expect("bound").port()
}

/// The address of line `line`: a multicast group where that works, else plain loopback.
pub fn line_address(line: u8) -> SocketAddrV4 {
    let group = SocketAddrV4::new(Ipv4Addr::new(239, 255, 60, line + 1), free_port());
    match probe_multicast(group, Ipv4Addr::LOCALHOST) {
        Ok(()) => group,
        Err(error) => {
            println!("multicast does not work here, unicast instead: {error}");
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, group.port())
        }
    }
}

/// Both ends of a line over loopback.
pub fn line(number: u8, buffer_bytes: usize) -> (MulticastReceiver, Sender) {
    let address = line_address(number);
    let config = ReceiverConfig {
        buffer_bytes,
        ..ReceiverConfig::loopback(address)
    };
    let receiver = MulticastReceiver::open(&config).expect("a receiver");
    (
        receiver,
        Sender::open(&SenderConfig::loopback(address)).expect("a sender"),
    )
}

/// Repeats `done` until it is true or ten seconds have passed.
pub fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let start = Instant::now();
    while !done() {
        assert!(
            start.elapsed() < Duration::from_secs(20),
            "waited in vain for: {what}"
        );
        std::thread::sleep(Duration::from_micros(200));
    }
}
