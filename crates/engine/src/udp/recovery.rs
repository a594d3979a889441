//! Asks a venue's re-request server for lost messages; the answers come back as packets.

use std::io;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::os::fd::RawFd;

use super::OpenError;
use super::inbox::Inbox;
use super::receive::Receive;
use crate::sys::socket;
use wire::moldudp64::Request;

/// A socket that only hears one server.
pub struct RecoveryClient {
    inbox: Inbox,
    server: SocketAddrV4,
    refused: u64,
}

impl RecoveryClient {
    /// Connects (UDP: nothing is sent yet) to `server`.
    ///
    /// # Errors
    /// [`OpenError`], with the step that failed.
    pub fn open(server: SocketAddrV4, buffer_bytes: usize) -> Result<Self, OpenError> {
        let local = if server.ip().is_loopback() {
            Ipv4Addr::LOCALHOST
        } else {
            Ipv4Addr::UNSPECIFIED
        };
        let address = SocketAddrV4::new(local, 0);
        let socket = socket::udp().map_err(OpenError::Create)?;
        socket::bind(&socket, address).map_err(|source| OpenError::Bind { address, source })?;
        socket::receive_buffer(&socket, buffer_bytes).map_err(|source| OpenError::Option {
            option: "SO_RCVBUF",
            address,
            source,
        })?;
        Inbox::enable_stamps(&socket).map_err(|(option, source)| OpenError::Option {
            option,
            address,
            source,
        })?;
        socket.connect(server).map_err(|source| OpenError::Bind {
            address: server,
            source,
        })?;
        let inbox = Inbox::new(socket, 32, Receive::Recvmmsg)
            .map_err(|source| OpenError::Ring { address, source })?;
        Ok(Self {
            inbox,
            server,
            refused: 0,
        })
    }

    /// Sends one request. A server that is not there, or a full send buffer, is counted: the feed
    /// asks again when its time-out has passed.
    ///
    /// # Errors
    /// What else the kernel says.
    pub fn request(&mut self, request: &Request) -> io::Result<()> {
        match self.inbox.socket().send(&request.to_bytes()) {
            Ok(_) => Ok(()),
            Err(error) => self.excuse(error).map(|_| ()),
        }
    }

    /// Hands the answers that wait to `f(ts_recv, payload)`; how many.
    ///
    /// # Errors
    /// What the kernel says, except that nobody is listening.
    pub fn poll(&mut self, f: &mut dyn FnMut(u64, &[u8])) -> io::Result<usize> {
        match self.inbox.poll(f) {
            Ok(count) => Ok(count),
            Err(error) => self.excuse(error),
        }
    }

    /// How often the server was not there.
    #[must_use]
    pub fn refused(&self) -> u64 {
        self.refused
    }

    /// The server.
    #[must_use]
    pub fn server(&self) -> SocketAddrV4 {
        self.server
    }

    pub(crate) fn descriptor(&self) -> RawFd {
        self.inbox.descriptor()
    }

    fn excuse(&mut self, error: io::Error) -> io::Result<usize> {
        match error.kind() {
            io::ErrorKind::ConnectionRefused | io::ErrorKind::WouldBlock => {
                self.refused += 1;
                Ok(0)
            }
            _ => Err(error),
        }
    }
}
