//! Ways out beside HTTP, from the command line to running threads.

use std::net::{SocketAddr, SocketAddrV4};

use anyhow::Result;
use node::Node;
use server::out::multicast::{Multicast, Settings};

use crate::args::OutArgs;

/// Alive until dropped, which is when the last frames are sent.
#[derive(Default)]
pub struct Outputs {
    _multicast: Option<Multicast>,
}

impl Outputs {
    /// Starts what was asked for. To be called before the feeds, so that nothing is missed.
    pub fn start(node: &Node, args: &OutArgs) -> Result<Self> {
        if args.multicast_out.is_empty() {
            return Ok(Self::default());
        }
        let groups = args.multicast_out.iter().copied().map(v4);
        let settings = Settings {
            groups: groups.collect::<Result<_>>()?,
            interface: args.multicast_interface,
            ttl: args.multicast_ttl,
            retransmit: args.multicast_retransmit,
            store_bytes: usize::from(args.multicast_store) << 20,
        };
        Ok(Self {
            _multicast: Some(Multicast::start(node, &settings)?),
        })
    }
}

/// Groups are IPv4.
pub fn v4(address: SocketAddr) -> Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => anyhow::bail!("{address}: only IPv4 groups are supported"),
    }
}
