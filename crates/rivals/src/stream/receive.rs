//! Full 1,400-byte packets out of a socket: each rung of the ladder beside a bare `recvmmsg` drain,
//! and the drain with decoding and books behind it, on one core and on two.
//!
//! The socket's buffer is filled first (with UDP GSO, untimed), then drained as fast as it goes: the
//! sender costs nothing while the clock runs. The bare drain is our own receiver with a closure
//! that looks at one byte of each packet.

use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use engine::lane::Idle;
use engine::relay::{RelayConfig, relay};
use engine::source::Source;
use engine::udp::{MulticastReceiver, Receive, ReceiverConfig, Sender, SenderConfig, UdpSource};
use market::book::BookSet;
use market::pipeline::ItchBooks;
use venue::{Packetiser, Venue, VenueConfig};
use wire::moldudp64::Packet;

use super::input::{MIDNIGHT, START, SYMBOLS};
use crate::Size;
use crate::machine::held;
use crate::measure::{Run, interleave};
use crate::report::{Better, Figure, Report};

const SECOND: u64 = 1_000_000_000;
/// Of every packet: what a full one of a real feed has.
const PACKET_BYTES: usize = 1_400;
/// Packets of one GSO send: less than 65,000 bytes.
const PER_SEND: usize = 40;
/// Packets in the socket's buffer when the clock starts.
const PACKETS: usize = 20_000;
/// Twice what the packets take in the kernel's own count.
const BUFFER: usize = 160 << 20;
/// Messages that fill the books before.
const WARM_MESSAGES: u64 = 1_500_000;
const ROUNDS: usize = 7;
const DRAIN_CORE: usize = 0;
const BOOK_CORE: usize = 1;
const ORDERS_LIMIT: usize = 4_000_000;
const LEVELS_RESERVE: usize = 64;
/// A drain that hears nothing for so long has lost packets.
const SILENCE: Duration = Duration::from_secs(1);

/// What is sent, and the books when it begins.
struct Load {
    /// Packets that make the books, as long as they come.
    warm: Vec<Vec<u8>>,
    /// Packets of [`PACKET_BYTES`] each, one behind the other.
    bytes: Vec<u8>,
    count: usize,
    messages: u64,
    digest: u64,
}

impl Load {
    fn generate(packets: usize) -> Self {
        let mut venue = Venue::new(VenueConfig {
            symbols: SYMBOLS,
            rate: 500_000.0,
            script: None,
            ..VenueConfig::new(3, START, MIDNIGHT)
        });
        let mut packetiser = Packetiser::new(*b"RECEIVE001", PACKET_BYTES);
        let (mut warm, mut bytes, mut count, mut messages) = (Vec::new(), Vec::new(), 0, 0);
        let mut until = START;
        let mut send = |seq: u64, packet: &[u8]| {
            if seq < WARM_MESSAGES {
                warm.push(packet.to_vec());
                return;
            }
            // What stands behind the last message is nobody's: all packets get one size, so that
            // the kernel can cut one buffer into them.
            bytes.extend_from_slice(packet);
            count += 1;
            bytes.resize(count * PACKET_BYTES, 0);
            messages += Packet::parse(packet).map_or(0, |packet| u64::from(packet.count()));
        };
        let mut sent = 0;
        while sent < packets {
            until += SECOND / 1_000;
            venue.step(until, &mut |message: &[u8]| {
                packetiser.push(message, &mut |seq, packet: &[u8]| {
                    send(seq, packet);
                    sent += usize::from(seq >= WARM_MESSAGES);
                });
            });
        }
        packetiser.flush(&mut send);
        let digest = venue.book_digest();
        Self {
            warm,
            bytes,
            count,
            messages,
            digest,
        }
    }

    fn packets(&self) -> impl Iterator<Item = &[u8]> {
        self.bytes.chunks(PACKET_BYTES)
    }

    fn books(&self) -> Books {
        let mut books = Books::new();
        self.warm.iter().for_each(|packet| books.packet(packet));
        books
    }
}

/// Decoder and books, packet by packet.
struct Books(ItchBooks);

impl Books {
    fn new() -> Self {
        let books = BookSet::new(SYMBOLS, ORDERS_LIMIT, LEVELS_RESERVE);
        Self(ItchBooks::new(MIDNIGHT, SYMBOLS, books))
    }

    #[inline]
    fn packet(&mut self, bytes: &[u8]) {
        let packet = Packet::parse(bytes).expect("the load is whole packets");
        let mut messages = packet.messages();
        let all = messages.rest();
        // Only the packet's own messages: what stands behind them is filling.
        while messages.next().is_some() {}
        self.0.take(&all[..all.len() - messages.rest().len()]);
    }

    fn check(&self, load: &Load) {
        assert_eq!(
            self.0.rejected(),
            0,
            "the venue says nothing that a book refuses"
        );
        assert_eq!(
            self.0.digest(),
            load.digest,
            "these are not the venue's books"
        );
    }
}

/// A receiver with everything waiting in its buffer.
struct Filled {
    receiver: MulticastReceiver,
    sender: Sender,
}

impl Filled {
    fn open(receive: Receive) -> Result<Self> {
        let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?
            .local_addr()?
            .port();
        let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, free);
        let mut receiver = MulticastReceiver::open(&ReceiverConfig {
            receive,
            buffer_bytes: BUFFER,
            ..ReceiverConfig::loopback(address)
        })?;
        // An io_uring is armed with its first look.
        receiver.poll(&mut |_, _| {})?;
        let sender = Sender::open(&SenderConfig::loopback(address))?;
        Ok(Self { receiver, sender })
    }

    fn fill(&self, load: &Load) -> Result<()> {
        for bytes in load.bytes.chunks(PER_SEND * PACKET_BYTES) {
            self.sender
                .send_segmented(bytes, PACKET_BYTES as u16)
                .context("UDP GSO is needed to fill the buffer")?;
        }
        Ok(())
    }

    /// Takes everything out; ns a packet.
    fn drain(&mut self, load: &Load, f: &mut dyn FnMut(&[u8])) -> f64 {
        self.fill(load)
            .expect("the way was tried when it was opened");
        let mut count = 0;
        let start = Instant::now();
        while count < load.count {
            let got = self.receiver.poll(&mut |_, bytes| f(bytes));
            count += got.expect("a loopback socket works");
            assert!(
                start.elapsed() < SILENCE,
                "{count} of {} packets were in the buffer: raise net.core.rmem_max or run as root",
                load.count
            );
        }
        start.elapsed().as_nanos() as f64 / load.count as f64
    }
}

/// All figures of receiving.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let packets = size.of(PACKETS);
    report.step(&format!("stream: {packets} full packets out of a socket"));
    let load = Load::generate(packets);
    let mut probe = Filled::open(Receive::Recvmmsg)?;
    probe.fill(&load)?;
    let mut got = 0;
    while probe.receiver.poll(&mut |_, _| got += 1)? > 0 {}
    ensure!(
        got == load.count,
        "the kernel kept {got} of {} packets: raise net.core.rmem_max or run as root",
        load.count
    );
    drop(probe);
    let (was_held, figures) = held(DRAIN_CORE, || one_core(&load));
    report.scheduled(was_held);
    figures?.into_iter().for_each(|figure| report.add(figure));
    let (was_held, figure) = held(BOOK_CORE, || two_cores(&load));
    report.scheduled(was_held);
    report.add(figure?);
    Ok(())
}

fn one_core(load: &Load) -> Result<Vec<Figure>> {
    let mut bare = Filled::open(Receive::Recvmmsg)?;
    let mut rungs = Vec::new();
    for rung in [Receive::Gro, Receive::IoUring, Receive::IoUringGro] {
        // A machine without one has no figure of it.
        if let Ok(filled) = Filled::open(rung) {
            rungs.push((rung, filled));
        }
    }
    let mut booked = Filled::open(Receive::Recvmmsg)?;
    let mut gro_booked = Filled::open(Receive::Gro)?;
    let mut touch = |bytes: &[u8]| {
        std::hint::black_box(bytes.first());
    };
    let with_books = |filled: &mut Filled| {
        let mut books = load.books();
        let took = filled.drain(load, &mut |bytes| books.packet(bytes));
        books.check(load);
        took
    };
    let names: Vec<Receive> = rungs.iter().map(|(rung, _)| *rung).collect();
    let mut contestants: Vec<Run<'_>> = vec![
        Box::new(|| bare.drain(load, &mut touch)),
        Box::new(|| with_books(&mut booked)),
        Box::new(|| with_books(&mut gro_booked)),
    ];
    contestants.extend(rungs.iter_mut().map(|(_, filled)| -> Run<'_> {
        Box::new(|| {
            filled.drain(load, &mut |bytes| {
                std::hint::black_box(bytes.first());
            })
        })
    }));
    let values = interleave(ROUNDS, &mut contestants);
    let per_packet = load.messages as f64 / load.count as f64;
    let words = format!(
        "{} packets of {PACKET_BYTES} B with {per_packet:.1} messages each, waiting in the \
         socket's buffer when the clock starts; loopback, one core",
        load.count
    );
    let figure = |name: &str, values: &[f64]| {
        Figure::new(
            format!("stream.receive.{name}"),
            "ns/packet",
            Better::Less,
            values.to_vec(),
        )
        .note(words.clone())
    };
    let drained = &values[0];
    let mut figures = vec![
        figure("recvmmsg", drained),
        figure("books", &values[1]).beside("bare recvmmsg drain", drained),
        figure("gro_books", &values[2]).beside("bare recvmmsg drain", drained),
    ];
    for (rung, values) in names.iter().zip(&values[3..]) {
        figures.push(figure(rung.name(), values).beside("bare recvmmsg drain", drained));
    }
    Ok(figures)
}

/// Receiving on one core, decoding and books on the other.
fn two_cores(load: &Load) -> Result<Figure> {
    let mut bare = Filled::open(Receive::Recvmmsg)?;
    let mut touch = |bytes: &[u8]| {
        std::hint::black_box(bytes.first());
    };
    let mut contestants: [Run<'_>; 3] = [
        Box::new(|| bare.drain(load, &mut touch)),
        Box::new(|| {
            let mut books = load.books();
            let start = Instant::now();
            load.packets().for_each(|packet| books.packet(packet));
            let took = start.elapsed().as_nanos() as f64 / load.count as f64;
            books.check(load);
            took
        }),
        Box::new(|| relayed(load)),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    let slower: Vec<f64> = values[0]
        .iter()
        .zip(&values[1])
        .map(|(drain, books)| drain.max(*books))
        .collect();
    Ok(Figure::new(
        "stream.receive.two_cores",
        "ns/packet",
        Better::Less,
        values[2].clone(),
    )
    .beside("the slower stage alone", &slower)
    .note(format!(
        "the same packets received on core {DRAIN_CORE}, passed on, decoded and booked on core \
         {BOOK_CORE}, none lost, books equal to the venue's; median drain alone {:.0}, decode and \
         books alone {:.0}",
        crate::measure::median(&values[0]),
        crate::measure::median(&values[1]),
    )))
}

fn relayed(load: &Load) -> f64 {
    let filled = Filled::open(Receive::Recvmmsg).expect("a loopback socket");
    let mut books = load.books();
    filled.fill(load).expect("the way was tried before");
    let source = UdpSource::new(vec![filled.receiver], None);
    let config = RelayConfig {
        name: "receive".to_owned(),
        core: Some(DRAIN_CORE),
        idle: Idle::Spin,
    };
    let start = Instant::now();
    let mut sources = relay(config, source, 1).expect("a thread");
    let source = &mut sources[0];
    let mut count = 0;
    while count < load.count {
        let got = source.poll(&mut |_, _, bytes| books.packet(bytes));
        count += got.expect("the relay lives");
        assert!(start.elapsed() < SILENCE, "{count} of {} came", load.count);
    }
    let took = start.elapsed().as_nanos() as f64 / load.count as f64;
    books.check(load);
    took
}
