//! Sends packets to a multicast group or to one receiver.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};

use super::OpenError;
use crate::sys::{send, socket};

/// Where and how to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SenderConfig {
    /// Group and port, or one receiver.
    pub target: SocketAddrV4,
    /// The address of the interface to send from.
    pub interface: Ipv4Addr,
    /// Routers that a multicast packet may pass; 0 stays on this machine.
    pub ttl: u8,
}

impl SenderConfig {
    /// Over loopback, never leaving the machine.
    #[must_use]
    pub fn loopback(target: SocketAddrV4) -> Self {
        Self {
            target,
            interface: Ipv4Addr::LOCALHOST,
            ttl: 0,
        }
    }
}

/// One sending socket. Sends are refused by the kernel when its buffer is full, never queued here.
pub struct Sender {
    socket: UdpSocket,
    target: SocketAddrV4,
}

impl Sender {
    /// Makes the socket ready. Packets to a group are also delivered on this machine.
    ///
    /// # Errors
    /// [`OpenError`], with the step that failed.
    pub fn open(config: &SenderConfig) -> Result<Self, OpenError> {
        let address = config.target;
        let socket = socket::udp().map_err(OpenError::Create)?;
        let refused = |option| {
            move |source| OpenError::Option {
                option,
                address,
                source,
            }
        };
        // Best effort: a small buffer only means earlier refusals.
        let _ = socket::set(&socket, libc::SOL_SOCKET, libc::SO_SNDBUF, 4 << 20);
        if address.ip().is_multicast() {
            socket::multicast_interface(&socket, config.interface)
                .map_err(refused("IP_MULTICAST_IF"))?;
            socket::set(&socket, libc::IPPROTO_IP, libc::IP_MULTICAST_LOOP, 1)
                .map_err(refused("IP_MULTICAST_LOOP"))?;
            socket::set(
                &socket,
                libc::IPPROTO_IP,
                libc::IP_MULTICAST_TTL,
                i32::from(config.ttl),
            )
            .map_err(refused("IP_MULTICAST_TTL"))?;
        }
        Ok(Self {
            socket,
            target: address,
        })
    }

    /// Sends one packet.
    ///
    /// # Errors
    /// What the kernel says, e.g. no route or a packet that is too long.
    pub fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.socket.send_to(packet, self.target).map(|_| ())
    }

    /// Sends packets with one system call per 64; all or an error with some sent.
    ///
    /// # Errors
    /// What the kernel says about the first packet that it refused.
    pub fn send_many(&self, packets: &[&[u8]]) -> io::Result<()> {
        let mut rest = packets;
        while !rest.is_empty() {
            let sent = send::many(&self.socket, self.target, rest)?;
            rest = &rest[sent.max(1).min(rest.len())..];
        }
        Ok(())
    }

    /// Sends `bytes` cut by the kernel into packets of `segment_size` bytes, the last possibly
    /// shorter (UDP GSO): four times as fast as one call a packet. At most 64 packets and 65,000
    /// bytes a call.
    ///
    /// # Errors
    /// `InvalidInput` when the kernel cannot (older than 4.18) or the sizes are over the limits:
    /// use [`send_many`](Self::send_many).
    pub fn send_segmented(&self, bytes: &[u8], segment_size: u16) -> io::Result<()> {
        send::segmented(&self.socket, self.target, bytes, segment_size)
    }

    /// Where packets go.
    #[must_use]
    pub fn target(&self) -> SocketAddrV4 {
        self.target
    }
}
