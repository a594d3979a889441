//! One line of a feed: a multicast group (or a plain unicast port) and its socket.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::RawFd;
use std::time::Duration;

use super::OpenError;
use super::inbox::Inbox;
use super::receive::Receive;
use super::sender::{Sender, SenderConfig};
use crate::sys::socket;

/// How to receive one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceiverConfig {
    /// Group and port; an address that is not multicast is bound as it is.
    pub address: SocketAddrV4,
    /// The address of the interface to join on.
    pub interface: Ipv4Addr,
    /// Only packets of this sender (source-specific multicast); `None`: of any.
    pub source: Option<Ipv4Addr>,
    /// Socket buffer to ask for, bytes. What was granted can be read back.
    pub buffer_bytes: usize,
    /// Datagrams taken per system call.
    pub batch: usize,
    /// How datagrams come from the kernel.
    pub receive: Receive,
    /// Look for packets in the driver for so many microseconds before giving up
    /// (`SO_BUSY_POLL`, and `SO_PREFER_BUSY_POLL`: not in the interrupt); `None`: as the system is
    /// set. Means something only with a card whose driver can; loopback has none.
    pub busy_poll_us: Option<u32>,
}

impl ReceiverConfig {
    /// A line on loopback with an 8 MiB buffer and 64 datagrams a call.
    #[must_use]
    pub fn loopback(address: SocketAddrV4) -> Self {
        Self {
            address,
            interface: Ipv4Addr::LOCALHOST,
            source: None,
            buffer_bytes: 8 << 20,
            batch: 64,
            receive: Receive::default(),
            busy_poll_us: None,
        }
    }
}

/// Receives one line into an arena taken at the start; no allocation afterwards.
pub struct MulticastReceiver {
    inbox: Inbox,
    address: SocketAddrV4,
    buffer_bytes: usize,
}

impl MulticastReceiver {
    /// Binds, joins and prepares the arena.
    ///
    /// # Errors
    /// [`OpenError`], each with the step that failed. On [`OpenError::Join`] a caller can go on
    /// over unicast.
    pub fn open(config: &ReceiverConfig) -> Result<Self, OpenError> {
        let address = config.address;
        if address.port() == 0 {
            return Err(OpenError::PortZero { address });
        }
        let socket = socket::udp().map_err(OpenError::Create)?;
        let refused = |option| {
            move |source| OpenError::Option {
                option,
                address,
                source,
            }
        };
        socket::set(&socket, libc::SOL_SOCKET, libc::SO_REUSEADDR, 1)
            .map_err(refused("SO_REUSEADDR"))?;
        let buffer_bytes =
            socket::receive_buffer(&socket, config.buffer_bytes).map_err(refused("SO_RCVBUF"))?;
        Inbox::enable_stamps(&socket).map_err(|(option, source)| OpenError::Option {
            option,
            address,
            source,
        })?;
        if let Some(us) = config.busy_poll_us {
            let us = i32::try_from(us).unwrap_or(i32::MAX);
            socket::set(&socket, libc::SOL_SOCKET, libc::SO_BUSY_POLL, us)
                .map_err(refused("SO_BUSY_POLL"))?;
            socket::set(&socket, libc::SOL_SOCKET, libc::SO_PREFER_BUSY_POLL, 1)
                .map_err(refused("SO_PREFER_BUSY_POLL"))?;
        }
        if config.receive.coalesces() {
            socket::set(&socket, libc::SOL_UDP, libc::UDP_GRO, 1).map_err(refused("UDP_GRO"))?;
        }
        // Bound to the group itself, so that other groups on this port stay out.
        socket::bind(&socket, address).map_err(|source| OpenError::Bind { address, source })?;
        if address.ip().is_multicast() {
            join(&socket, config)?;
        }
        let inbox = Inbox::new(socket, config.batch, config.receive)
            .map_err(|source| OpenError::Ring { address, source })?;
        Ok(Self {
            inbox,
            address,
            buffer_bytes,
        })
    }

    /// Hands what waits, up to one batch, to `f(ts_recv, payload)` without waiting. Answers how
    /// many payloads there were; stamps are the kernel's, ns UTC.
    ///
    /// # Errors
    /// What the kernel says; an empty socket is 0, not an error.
    pub fn poll(&mut self, f: &mut dyn FnMut(u64, &[u8])) -> io::Result<usize> {
        self.inbox.poll(f)
    }

    /// Datagrams dropped because our buffer was full, as the kernel told with the newest packet.
    #[must_use]
    pub fn drops(&self) -> u64 {
        self.inbox.drops()
    }

    /// Datagrams longer than a slot, whose end is lost.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.inbox.cut()
    }

    /// The socket buffer that the kernel granted, bytes (twice of what it counts as payload).
    #[must_use]
    pub fn buffer_bytes(&self) -> usize {
        self.buffer_bytes
    }

    /// Where this line is received.
    #[must_use]
    pub fn address(&self) -> SocketAddrV4 {
        self.address
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.inbox.descriptor()
    }
}

fn join(socket: &UdpSocket, config: &ReceiverConfig) -> Result<(), OpenError> {
    let (address, interface) = (config.address, config.interface);
    // Without this a socket also gets groups that other sockets of this machine joined.
    socket::set(socket, libc::IPPROTO_IP, libc::IP_MULTICAST_ALL, 0).map_err(|source| {
        OpenError::Option {
            option: "IP_MULTICAST_ALL",
            address,
            source,
        }
    })?;
    socket::join(socket, *address.ip(), interface, config.source).map_err(|source| {
        OpenError::Join {
            address,
            interface,
            source,
        }
    })
}

/// Sends one packet to `address` over `interface` and waits up to a second for it: whether
/// multicast works here at all. Use a port that nothing else listens on.
///
/// # Errors
/// The step that failed; `TimedOut` when all was accepted but nothing came back.
pub fn probe_multicast(address: SocketAddrV4, interface: Ipv4Addr) -> io::Result<()> {
    let config = ReceiverConfig {
        interface,
        buffer_bytes: 64 << 10,
        batch: 4,
        ..ReceiverConfig::loopback(address)
    };
    let mut receiver = MulticastReceiver::open(&config).map_err(io::Error::other)?;
    let sender = Sender::open(&SenderConfig {
        interface,
        ..SenderConfig::loopback(address)
    })
    .map_err(io::Error::other)?;
    let token = [std::process::id().to_ne_bytes(), *b"ouzl"].concat();
    for _ in 0..20 {
        sender.send(&token)?;
        crate::sys::thread::wait_readable(
            &[receiver.descriptor()],
            Duration::from_millis(50).as_nanos() as u64,
        )?;
        let mut back = false;
        receiver.poll(&mut |_, bytes| back |= bytes == token)?;
        if back {
            return Ok(());
        }
    }
    Err(io::Error::new(
        io::ErrorKind::TimedOut,
        format!("packets sent to {address} on {interface} do not come back"),
    ))
}
