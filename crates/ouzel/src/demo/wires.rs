//! The demo's sockets: two lines over multicast on loopback, or over unicast where that is not
//! allowed, and a request server.

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket};

use anyhow::{Context, Result};
use engine::udp::{
    MulticastReceiver, ReceiverConfig, RecoveryClient, RequestServer, Sender, SenderConfig,
    UdpSource, probe_multicast,
};

const GROUP_A: Ipv4Addr = Ipv4Addr::new(239, 192, 77, 1);
const GROUP_B: Ipv4Addr = Ipv4Addr::new(239, 192, 77, 2);
const RECOVERY_BUFFER: usize = 4 << 20;

/// Addresses of the lines, and the venue's request socket.
pub struct Wires {
    address_a: SocketAddrV4,
    address_b: SocketAddrV4,
    /// Requests for lost messages come here; taken by the venue.
    pub requests: Option<RequestServer>,
    /// Where that is.
    server: SocketAddr,
    /// False: multicast does not work here, or was not wanted.
    pub multicast: bool,
    /// Why multicast does not work, where it was wanted.
    pub trouble: Option<String>,
}

impl Wires {
    /// Finds free ports and tries multicast.
    pub fn open(unicast: bool) -> Result<Self> {
        let (port_a, port_b, probe) = (free_port()?, free_port()?, free_port()?);
        let tried = SocketAddrV4::new(GROUP_A, probe);
        let trouble = match unicast {
            true => None,
            false => probe_multicast(tried, Ipv4Addr::LOCALHOST)
                .err()
                .map(|e| e.to_string()),
        };
        let multicast = !unicast && trouble.is_none();
        let (a, b) = if multicast {
            (GROUP_A, GROUP_B)
        } else {
            (Ipv4Addr::LOCALHOST, Ipv4Addr::LOCALHOST)
        };
        let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let requests = RequestServer::open(here).context("the request server")?;
        Ok(Self {
            address_a: SocketAddrV4::new(a, port_a),
            address_b: SocketAddrV4::new(b, port_b),
            server: requests.address()?,
            requests: Some(requests),
            multicast,
            trouble,
        })
    }

    /// Lines A and B, for people.
    pub fn groups(&self) -> Vec<String> {
        vec![self.address_a.to_string(), self.address_b.to_string()]
    }

    /// The receiving end.
    pub fn source(&self) -> Result<UdpSource> {
        let line = |address| MulticastReceiver::open(&ReceiverConfig::loopback(address));
        let server = match self.server {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(address) => anyhow::bail!("{address} is not IPv4"),
        };
        let recovery = RecoveryClient::open(server, RECOVERY_BUFFER)?;
        Ok(UdpSource::new(
            vec![line(self.address_a)?, line(self.address_b)?],
            Some(recovery),
        ))
    }

    /// The sending end of line A.
    pub fn sender_a(&self) -> Result<Sender> {
        Ok(Sender::open(&SenderConfig::loopback(self.address_a))?)
    }

    /// The sending end of line B.
    pub fn sender_b(&self) -> Result<Sender> {
        Ok(Sender::open(&SenderConfig::loopback(self.address_b))?)
    }
}

/// A port that nothing uses: the kernel picks it, so that two demos do not hear each other.
fn free_port() -> Result<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).context("no free UDP port")?;
    Ok(socket.local_addr()?.port())
}
