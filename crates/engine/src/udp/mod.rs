//! UDP in and out: multicast lines with kernel stamps and drop counters, senders, recovery.

mod inbox;
mod multicast;
mod open;
mod receive;
mod recovery;
mod requests;
mod sender;
mod source;
mod xdp;

use std::io;
use std::net::SocketAddrV4;

pub use multicast::{MulticastReceiver, ReceiverConfig, probe_multicast};
pub use open::{Opened, open_lines};
pub use receive::Receive;
pub use recovery::RecoveryClient;
pub use requests::{Answerer, RequestCounts, RequestServer};
pub use sender::{Sender, SenderConfig};
pub use source::UdpSource;
pub use xdp::XdpSource;

/// Why a socket could not be made ready. Each names the step, the address and what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The kernel gave no socket.
    #[error("cannot create a UDP socket; raise the open-file limit (ulimit -n)")]
    Create(#[source] io::Error),
    /// The address is taken, not local, or not allowed.
    #[error("cannot bind {address}; is another program on this port without SO_REUSEADDR?")]
    Bind {
        /// The address asked for.
        address: SocketAddrV4,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A line needs a fixed port: on port 0 nobody would find it.
    #[error("{address} has port 0; give the port that the venue sends to")]
    PortZero {
        /// The address asked for.
        address: SocketAddrV4,
    },
    /// The kernel or the network policy refuses multicast on this interface.
    #[error("cannot join {address} on interface {interface}; use unicast or another interface")]
    Join {
        /// The group asked for.
        address: SocketAddrV4,
        /// The interface's address.
        interface: std::net::Ipv4Addr,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// The kernel has no io_uring for us, or gives no memory.
    #[error("cannot prepare to receive {address}; try the way below it on the ladder")]
    Ring {
        /// The address asked for.
        address: SocketAddrV4,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// A step towards AF_XDP is refused.
    #[error("AF_XDP for {address}: cannot {step}")]
    Xdp {
        /// What was tried.
        step: &'static str,
        /// The address asked for.
        address: SocketAddrV4,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
    /// An option that this crate relies on is refused.
    #[error("the kernel refuses socket option {option} for {address}")]
    Option {
        /// The option's name.
        option: &'static str,
        /// The address asked for.
        address: SocketAddrV4,
        /// What the kernel said.
        #[source]
        source: io::Error,
    },
}
