//! Real sockets over loopback: what was sent arrives once, stamped, and losses are told.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

mod common;

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use common::{eventually, line, line_address};
use engine::udp::{MulticastReceiver, OpenError, Receive, ReceiverConfig, Sender, SenderConfig};
use stdx::{Clock, SystemClock};

#[test]
fn packets_arrive_in_order_with_kernel_stamps() {
    let (mut receiver, sender) = line(0, 4 << 20);
    let before = SystemClock.now_ns();
    let packets: Vec<Vec<u8>> = (0..200u32).map(|i| i.to_be_bytes().repeat(50)).collect();
    let views: Vec<&[u8]> = packets.iter().map(Vec::as_slice).collect();
    sender.send_many(&views).expect("sent");
    let mut got = Vec::new();
    eventually("200 packets", || {
        receiver
            .poll(&mut |stamp, bytes| {
                assert!((before..=SystemClock.now_ns()).contains(&stamp), "{stamp}");
                got.push(bytes.to_vec());
            })
            .expect("polled");
        got.len() >= 200
    });
    assert_eq!(got, packets);
    assert_eq!((receiver.drops(), receiver.cut()), (0, 0));
    assert!(receiver.buffer_bytes() > 0);
}

#[test]
fn one_buffer_is_cut_into_packets_and_may_come_back_whole() {
    let address = line_address(1);
    let sender = Sender::open(&SenderConfig::loopback(address)).expect("a sender");
    for receive in [
        Receive::Recvmmsg,
        Receive::Gro,
        Receive::IoUring,
        Receive::IoUringGro,
    ] {
        let config = ReceiverConfig {
            receive,
            ..ReceiverConfig::loopback(address)
        };
        let mut receiver = MulticastReceiver::open(&config).expect("a receiver");
        let bytes: Vec<u8> = (0..30u8).flat_map(|i| [i; 1_000]).collect();
        if let Err(error) = sender.send_segmented(&bytes[..29_500], 1_000) {
            println!("skipped: no UDP GSO here: {error}");
            return;
        }
        let mut got: Vec<Vec<u8>> = Vec::new();
        eventually("30 packets", || {
            receiver
                .poll(&mut |_, packet| got.push(packet.to_vec()))
                .expect("polled");
            got.len() >= 30
        });
        for (i, packet) in got.iter().enumerate() {
            let size = if i == 29 { 500 } else { 1_000 };
            assert_eq!(*packet, vec![i as u8; size]);
        }
    }
}

#[test]
fn a_full_buffer_is_counted_by_the_kernel_and_read_back() {
    let (mut receiver, sender) = line(2, 4_096);
    for _ in 0..500 {
        sender.send(&[1; 1_000]).expect("sent");
    }
    let mut got = 0u64;
    eventually("the buffer to be empty", || {
        receiver.poll(&mut |_, _| got += 1).expect("polled") == 0
    });
    // The counter travels with the next packet.
    eventually("the counter", || {
        sender.send(&[2; 10]).expect("sent");
        std::thread::sleep(Duration::from_millis(1));
        receiver
            .poll(&mut |_, bytes| got += u64::from(bytes.len() == 1_000))
            .expect("polled");
        receiver.drops() > 0
    });
    assert!(got < 500);
    assert_eq!(receiver.drops() + got, 500);
}

#[test]
fn groups_on_one_port_do_not_mix() {
    let first = line_address(3);
    if !first.ip().is_multicast() {
        println!("skipped: multicast does not work here");
        return;
    }
    let second = SocketAddrV4::new(Ipv4Addr::new(239, 255, 60, 99), first.port());
    let open = |address| MulticastReceiver::open(&ReceiverConfig::loopback(address)).expect("open");
    let (mut a, mut b) = (open(first), open(second));
    Sender::open(&SenderConfig::loopback(second))
        .expect("open")
        .send(b"for b")
        .expect("sent");
    let mut got = Vec::new();
    eventually("the packet", || {
        b.poll(&mut |_, bytes| got.push(bytes.to_vec()))
            .expect("polled");
        !got.is_empty()
    });
    assert_eq!(a.poll(&mut |_, _| panic!("not for a")).expect("polled"), 0);
}

#[test]
fn only_the_chosen_source_is_heard() {
    let address = line_address(4);
    if !address.ip().is_multicast() {
        println!("skipped: multicast does not work here");
        return;
    }
    let from = |source| ReceiverConfig {
        source: Some(source),
        ..ReceiverConfig::loopback(address)
    };
    let mut right = MulticastReceiver::open(&from(Ipv4Addr::LOCALHOST)).expect("open");
    let mut wrong = MulticastReceiver::open(&from(Ipv4Addr::new(10, 9, 8, 7))).expect("open");
    Sender::open(&SenderConfig::loopback(address))
        .expect("open")
        .send(b"hello")
        .expect("sent");
    let mut got = 0;
    eventually("the packet", || {
        got += right.poll(&mut |_, _| {}).expect("polled");
        got > 0
    });
    assert_eq!(
        wrong
            .poll(&mut |_, _| panic!("not this source"))
            .expect("polled"),
        0
    );
}

#[test]
fn a_line_without_a_port_is_refused_with_advice() {
    let address = SocketAddrV4::new(Ipv4Addr::new(239, 255, 60, 1), 0);
    let error = MulticastReceiver::open(&ReceiverConfig::loopback(address))
        .err()
        .expect("refused");
    assert!(matches!(error, OpenError::PortZero { .. }) && error.to_string().contains("port"));
}
