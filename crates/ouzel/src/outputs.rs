//! Ways out beside HTTP, from the command line to running threads.

use std::net::{SocketAddr, SocketAddrV4};
use std::sync::Arc;

use anyhow::Result;
use node::Node;
use server::out::multicast::{Multicast, Settings};

use crate::args::OutArgs;
use crate::brokers::{self, Sender};
use crate::columns;

/// Alive until dropped, which is when the last frames are sent.
#[derive(Default)]
pub struct Outputs {
    _multicast: Option<Multicast>,
    _others: Vec<Sender>,
}

impl Outputs {
    /// Starts what was asked for. To be called before the feeds, so that nothing is missed.
    pub fn start(node: &Arc<Node>, args: &OutArgs) -> Result<Self> {
        let others = [
            brokers::nats(node, &args.nats, &args.spill)?,
            brokers::kafka(node, &args.kafka, &args.spill)?,
            columns::parquet(node, &args.columns, &args.spill)?,
        ];
        Ok(Self {
            _multicast: multicast(node, args)?,
            _others: others.into_iter().flatten().collect(),
        })
    }
}

fn multicast(node: &Node, args: &OutArgs) -> Result<Option<Multicast>> {
    if args.multicast_out.is_empty() {
        return Ok(None);
    }
    let groups = args.multicast_out.iter().copied().map(v4);
    let settings = Settings {
        groups: groups.collect::<Result<_>>()?,
        interface: args.multicast_interface,
        ttl: args.multicast_ttl,
        retransmit: args.multicast_retransmit,
        store_bytes: usize::from(args.multicast_store) << 20,
    };
    Ok(Some(Multicast::start(node, &settings)?))
}

/// Groups are IPv4.
pub fn v4(address: SocketAddr) -> Result<SocketAddrV4> {
    match address {
        SocketAddr::V4(address) => Ok(address),
        SocketAddr::V6(address) => anyhow::bail!("{address}: only IPv4 groups are supported"),
    }
}
