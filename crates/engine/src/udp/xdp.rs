//! Lines A and B straight from an interface, past the kernel's IP stack.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::os::fd::RawFd;

use super::{MulticastReceiver, OpenError, Receive, ReceiverConfig, RecoveryClient};
use crate::source::{RECOVERY_LINE, Source, Unit};
use crate::sys::bpf::{Attached, Target};
use crate::sys::interface;
use crate::sys::thread::{tai_ahead_s, wait_readable};
use crate::sys::xdp::XdpSocket;
use wire::moldudp64::Request;
use wire::pcap::{Link, Record, udp};

/// The queue that the socket is bound to. Steer the groups to it on a card with several (`ethtool
/// -N`, or `-L combined 1`): frames of other queues come through the plain sockets, slower.
const QUEUE: u32 = 0;
/// Places for frames: 8,192 of 2 KiB.
const PLACES: usize = 8_192;
/// Between two looks at the plain sockets, polls.
const PLAIN_POLLS: u32 = 64;
/// Between two looks at how far TAI is ahead, polls: it changes on the day of a leap second, or
/// when a time daemon starts.
const TAI_POLLS: u32 = 1 << 20;

/// Receives the lines with one AF_XDP socket, and with a plain socket each whatever the program on
/// the interface lets pass: datagrams with IP options, other queues, all of it before the first
/// frame. Nothing is heard twice.
///
/// The kernel counts what this socket lost as a whole, not for each line: it is told as line A's.
pub struct XdpSource {
    socket: XdpSocket,
    attached: Attached,
    plain: Vec<MulticastReceiver>,
    recovery: Option<RecoveryClient>,
    lines: Vec<SocketAddrV4>,
    descriptors: Vec<RawFd>,
    tai_ahead_ns: u64,
    polls: u32,
    plain_due: bool,
    wakes: bool,
    bytes: u64,
    strangers: u64,
}

impl XdpSource {
    /// Joins the groups with plain sockets, puts the program on the interface that has the lines'
    /// address, and binds. Takes the program off again when dropped.
    ///
    /// # Errors
    /// [`OpenError`], with the step that failed: mostly a missing right (`CAP_NET_ADMIN`,
    /// `CAP_BPF`), a program that is there already, or an interface that cannot.
    pub fn open(
        configs: &[ReceiverConfig],
        recovery: Option<RecoveryClient>,
    ) -> Result<Self, OpenError> {
        let configs = &configs[..configs.len().min(RECOVERY_LINE)];
        let address = configs
            .first()
            .map_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), |config| {
                config.address
            });
        let refused = |(step, source)| OpenError::Xdp {
            step,
            address,
            source,
        };
        let on = configs
            .first()
            .map_or(Ipv4Addr::UNSPECIFIED, |config| config.interface);
        let (_, number) = interface::by_address(on)
            .map_err(|error| refused(("find the interface (give its address)", error)))?;
        let plain = configs
            .iter()
            .map(|config| {
                MulticastReceiver::open(&ReceiverConfig {
                    receive: Receive::Recvmmsg,
                    ..config.clone()
                })
            })
            .collect::<Result<Vec<_>, _>>()?;
        let targets: Vec<Target> = configs
            .iter()
            .map(|config| Target {
                address: config.address,
                source: config.source,
            })
            .collect();
        let socket = XdpSocket::open(number, QUEUE, PLACES).map_err(refused)?;
        let busy_poll_us = configs.iter().find_map(|config| config.busy_poll_us);
        if let Some(us) = busy_poll_us {
            prefer_busy_poll(&socket, us).map_err(refused)?;
        }
        let attached = Attached::new(number, &targets).map_err(refused)?;
        attached
            .serve(QUEUE, socket.descriptor())
            .map_err(|error| refused(("give the socket its queue", error)))?;
        let descriptors = std::iter::once(socket.descriptor())
            .chain(plain.iter().map(MulticastReceiver::descriptor))
            .chain(recovery.iter().map(RecoveryClient::descriptor))
            .collect();
        Ok(Self {
            socket,
            attached,
            plain,
            recovery,
            lines: configs.iter().map(|config| config.address).collect(),
            descriptors,
            tai_ahead_ns: 0,
            polls: 0,
            plain_due: true,
            wakes: busy_poll_us.is_some(),
            bytes: 0,
            strangers: 0,
        })
    }

    /// Where frames are copied, in words.
    #[must_use]
    pub fn mode(&self) -> &'static str {
        match (self.socket.is_zero_copy(), self.attached.is_in_driver()) {
            (true, _) => "zero-copy: the card writes into our memory",
            (false, true) => "copy mode: the driver's frames are copied once",
            (false, false) => "generic copy mode: the kernel's frames are copied once",
        }
    }

    /// Frames that the program sent here and that were no datagram of a line.
    #[must_use]
    pub fn strangers(&self) -> u64 {
        self.strangers
    }

    fn poll_frames(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> usize {
        let (lines, tai_ahead_ns) = (&self.lines, self.tai_ahead_ns);
        let (mut count, mut bytes, mut strangers) = (0, 0, 0);
        self.socket.receive(&mut |stamp_tai_ns, frame| {
            let record = Record {
                ts_ns: 0,
                link: Link::Ethernet,
                data: frame,
            };
            let datagram = udp(&record);
            let line = datagram.as_ref().and_then(|datagram| {
                lines
                    .iter()
                    .position(|&line| SocketAddr::V4(line) == datagram.dst)
            });
            let (Some(datagram), Some(line)) = (datagram, line) else {
                strangers += 1;
                return;
            };
            bytes += datagram.payload.len() as u64;
            count += 1;
            f(
                line,
                stamp_tai_ns.saturating_sub(tai_ahead_ns),
                datagram.payload,
            );
        });
        self.bytes += bytes;
        self.strangers += strangers;
        count
    }

    fn poll_plain(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        let (mut count, mut bytes) = (0, 0);
        for (line, receiver) in self.plain.iter_mut().enumerate() {
            count += receiver.poll(&mut |ts_recv, packet| {
                bytes += packet.len() as u64;
                f(line, ts_recv, packet);
            })?;
        }
        if let Some(recovery) = &mut self.recovery {
            count += recovery.poll(&mut |ts_recv, packet| {
                bytes += packet.len() as u64;
                f(RECOVERY_LINE, ts_recv, packet);
            })?;
        }
        self.bytes += bytes;
        Ok(count)
    }
}

/// The thread that polls also does the driver's receiving, as far as the driver can.
fn prefer_busy_poll(socket: &XdpSocket, us: u32) -> Result<(), (&'static str, io::Error)> {
    let us = i32::try_from(us).unwrap_or(i32::MAX);
    for (name, option, value) in [
        ("set SO_PREFER_BUSY_POLL", libc::SO_PREFER_BUSY_POLL, 1),
        ("set SO_BUSY_POLL", libc::SO_BUSY_POLL, us),
        ("set SO_BUSY_POLL_BUDGET", libc::SO_BUSY_POLL_BUDGET, 64),
    ] {
        socket
            .set_socket(option, value)
            .map_err(|error| (name, error))?;
    }
    Ok(())
}

impl Source for XdpSource {
    fn poll(&mut self, f: &mut dyn FnMut(usize, u64, &[u8])) -> io::Result<usize> {
        if self.polls.is_multiple_of(TAI_POLLS) {
            // Without an answer UTC and TAI are one, as in a kernel that nobody told.
            let ahead_s = tai_ahead_s().unwrap_or(0).max(0);
            self.tai_ahead_ns = ahead_s.unsigned_abs() * 1_000_000_000;
        }
        self.polls = self.polls.wrapping_add(1);
        let mut count = self.poll_frames(f);
        if count == 0 && self.wakes {
            self.socket.wake();
        }
        if self.plain_due || self.polls.is_multiple_of(PLAIN_POLLS) {
            let plain = self.poll_plain(f)?;
            self.plain_due = plain > 0;
            count += plain;
        }
        Ok(count)
    }

    fn unit(&self) -> Unit {
        Unit::Packet
    }

    fn wait(&mut self, timeout_ns: u64) -> io::Result<()> {
        self.plain_due = wait_readable(&self.descriptors, timeout_ns)?;
        Ok(())
    }

    fn kernel_drops(&self, line: usize) -> u64 {
        let plain = self.plain.get(line).map_or(0, MulticastReceiver::drops);
        if line > 0 {
            return plain;
        }
        let drops = self.socket.drops();
        plain + drops.dropped + drops.ring_full
    }

    fn request(&mut self, request: &Request) -> io::Result<()> {
        match &mut self.recovery {
            Some(recovery) => recovery.request(request),
            None => Ok(()),
        }
    }

    fn bytes(&self) -> u64 {
        self.bytes
    }
}
