//! Every rung of the ladder, over a veth pair between two network namespaces, under load: the same
//! payloads, stamps and counts of loss as plain `recvmmsg`. Needs root; says so where it is not.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

use std::fs::File;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::process::Command;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use engine::source::Source;
use engine::udp::{Receive, ReceiverConfig, Sender, SenderConfig, open_lines};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use stdx::{Clock, SystemClock};

const FROM: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 1);
const TO: Ipv4Addr = Ipv4Addr::new(10, 77, 1, 2);
const GROUP: Ipv4Addr = Ipv4Addr::new(239, 77, 1, 1);

/// Two namespaces with a cable between them; gone when dropped.
struct Cable {
    from: String,
    to: String,
}

impl Cable {
    /// `None`, with the reason printed, where it cannot be laid.
    fn lay(name: &str) -> Option<Self> {
        let id = std::process::id();
        let cable = Self {
            from: format!("ouzel-{name}-a-{id}"),
            to: format!("ouzel-{name}-b-{id}"),
        };
        let (a, b) = (&cable.from, &cable.to);
        let steps = [
            format!("netns add {a}"),
            format!("netns add {b}"),
            format!("-n {a} link add va type veth peer name vb netns {b}"),
            format!("-n {a} address add {FROM}/24 dev va"),
            format!("-n {b} address add {TO}/24 dev vb"),
            format!("-n {a} link set va up"),
            format!("-n {b} link set vb up"),
            format!("-n {b} link set lo up"),
        ];
        for step in &steps {
            let run = Command::new("ip").args(step.split(' ')).output();
            let why = match run {
                Ok(output) if output.status.success() => continue,
                Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
                Err(error) => error.to_string(),
            };
            println!("skipped: no network namespaces here (`ip {step}`: {why})");
            return None;
        }
        Some(cable)
    }

    /// Runs `work` on a thread inside a namespace.
    fn inside<T: Send + 'static>(
        namespace: &str,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> std::thread::JoinHandle<T> {
        let file = File::open(format!("/run/netns/{namespace}")).expect("the namespace was made");
        std::thread::spawn(move || {
            use std::os::fd::AsFd as _;
            move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network))
                .expect("root may enter");
            work()
        })
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        for namespace in [&self.from, &self.to] {
            let _gone = Command::new("ip")
                .args(["netns", "del", namespace])
                .output();
        }
    }
}

/// What one rung received.
#[derive(Debug)]
struct Got {
    asked: Receive,
    receive: Receive,
    notes: Vec<String>,
    /// Line, number, and whether the rest of the payload was as sent.
    payloads: Vec<(usize, u32)>,
    stamps_outside: usize,
    stamps_backwards: usize,
    drops: u64,
}

fn payload(number: u32) -> Vec<u8> {
    let size = if number % 5 == 4 { 200 } else { 1_400 };
    let mut bytes = number.to_be_bytes().repeat(size / 4);
    bytes[4] = 0xA5;
    bytes
}

fn config(port: u16, receive: Receive, buffer_bytes: usize) -> ReceiverConfig {
    ReceiverConfig {
        interface: TO,
        receive,
        buffer_bytes,
        ..ReceiverConfig::loopback(SocketAddrV4::new(GROUP, port))
    }
}

/// Opens the rung on ports `port` and `port + 1`, then polls until `enough` says so or nothing has
/// come for a second.
fn receive(
    rung: Receive,
    port: u16,
    buffer_bytes: usize,
    ready: mpsc::Sender<()>,
    stall: Duration,
) -> Got {
    let lines = [
        config(port, rung, buffer_bytes),
        config(port + 1, rung, buffer_bytes),
    ];
    let mut opened = open_lines(&lines, &mut || Ok(None)).expect("the lowest rung works");
    let mut got = Got {
        asked: rung,
        receive: opened.receive,
        notes: opened.notes,
        payloads: Vec::new(),
        stamps_outside: 0,
        stamps_backwards: 0,
        drops: 0,
    };
    let start_ns = SystemClock.now_ns();
    // Armed before the first packet: an io_uring is so with its first look.
    let poll = |got: &mut Got, source: &mut dyn Source| {
        let mut newest = [0u64; 2];
        source
            .poll(&mut |line, ts_recv, bytes| {
                let number = u32::from_be_bytes(*bytes.first_chunk().expect("four bytes"));
                assert_eq!(bytes, payload(number), "{rung}");
                got.payloads.push((line, number));
                let now_ns = SystemClock.now_ns();
                got.stamps_outside += usize::from(!(start_ns..=now_ns).contains(&ts_recv));
                got.stamps_backwards += usize::from(ts_recv < newest[line]);
                newest[line] = ts_recv;
            })
            .expect("polled")
    };
    poll(&mut got, &mut opened.source);
    ready.send(()).expect("the test waits");
    std::thread::sleep(stall);
    let mut quiet_since = Instant::now();
    while quiet_since.elapsed() < Duration::from_secs(2) {
        if poll(&mut got, &mut opened.source) > 0 {
            quiet_since = Instant::now();
        } else {
            opened.source.wait(200_000).expect("waited");
        }
    }
    got.drops = opened.source.kernel_drops(0) + opened.source.kernel_drops(1);
    got
}

fn send(port: u16, count: u32, pause_every: u32) {
    let sender = |port| {
        Sender::open(&SenderConfig {
            interface: FROM,
            ttl: 1,
            ..SenderConfig::loopback(SocketAddrV4::new(GROUP, port))
        })
        .expect("a sender")
    };
    let (a, b) = (sender(port), sender(port + 1));
    for number in 0..count {
        let bytes = payload(number);
        a.send(&bytes).expect("sent");
        b.send(&bytes).expect("sent");
        if pause_every > 0 && number % pause_every == 0 {
            std::thread::sleep(Duration::from_micros(200));
        }
    }
    // A socket's counter of loss travels with the next packet that it takes: one that is sent when the stalled reader has
    // made room again, and before it goes.
    std::thread::sleep(Duration::from_millis(1_200));
    for line in [&a, &b] {
        line.send(&payload(count)).expect("sent");
    }
}

fn run(cable: &Cable, rung: Receive, port: u16, count: u32, stall: Duration, buffer: usize) -> Got {
    let (ready, is_ready) = mpsc::channel();
    let receiver = Cable::inside(&cable.to, move || receive(rung, port, buffer, ready, stall));
    is_ready
        .recv_timeout(Duration::from_secs(20))
        .expect("the receiver opened");
    let pause_every = if stall.is_zero() { 32 } else { 0 };
    Cable::inside(&cable.from, move || send(port, count, pause_every))
        .join()
        .expect("sent");
    let got = receiver.join().expect("received");
    if got.receive != got.asked {
        println!("skipped: {} ({:?})", got.asked, got.notes);
    }
    got
}

#[test]
fn every_rung_gives_the_same_payloads_in_order_with_stamps() {
    const COUNT: u32 = 20_000;
    let Some(cable) = Cable::lay("load") else {
        return;
    };
    for (idx, rung) in Receive::ALL.into_iter().enumerate() {
        let port = 31_000 + 10 * idx as u16;
        let got = run(&cable, rung, port, COUNT, Duration::ZERO, 8 << 20);
        assert_eq!(
            (got.drops, got.stamps_outside),
            (0, 0),
            "{rung} {:?}",
            got.notes
        );
        assert_eq!(got.stamps_backwards, 0, "{rung}");
        for line in 0..2 {
            let numbers = got.payloads.iter().filter(|p| p.0 == line).map(|p| p.1);
            assert!(numbers.eq(0..=COUNT), "{rung}: line {line} differs");
        }
    }
}

#[test]
fn every_rung_counts_what_a_stalled_reader_lost() {
    const COUNT: u32 = 30_000;
    let Some(cable) = Cable::lay("loss") else {
        return;
    };
    for (idx, rung) in Receive::ALL.into_iter().enumerate() {
        let port = 32_000 + 10 * idx as u16;
        let got = run(
            &cable,
            rung,
            port,
            COUNT,
            Duration::from_millis(600),
            256 << 10,
        );
        let lost = 2 * u64::from(COUNT + 1) - got.payloads.len() as u64;
        assert!(lost > 0, "{rung}: nothing was lost, so nothing is shown");
        assert_eq!(got.drops, lost, "{rung}");
    }
}

#[test]
fn a_rung_that_is_refused_falls_back_and_says_why() {
    let Some(cable) = Cable::lay("fall") else {
        return;
    };
    let got = Cable::inside(&cable.to, || {
        let mut line = config(33_000, Receive::AfXdp, 64 << 10);
        // Nobody has this address, so there is no interface to go past the IP stack on.
        line.address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 33_000);
        line.interface = Ipv4Addr::UNSPECIFIED;
        let opened = open_lines(&[line], &mut || Ok(None)).expect("a lower rung works");
        (opened.receive, opened.notes)
    });
    let (receive, notes) = got.join().expect("opened");
    assert_eq!(receive, Receive::Gro);
    assert!(
        notes[0].contains("find the interface") && notes[0].contains("gro instead"),
        "{notes:?}"
    );
}
