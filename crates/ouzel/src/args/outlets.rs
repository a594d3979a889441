//! What goes out beside HTTP, and who listens to it.

use std::net::{Ipv4Addr, SocketAddr};

use clap::Args as ClapArgs;

use crate::brokers::{KafkaArgs, NatsArgs, SpillArgs};
use crate::columns::ColumnArgs;

/// Ways out beside HTTP.
#[derive(Clone, Debug, ClapArgs)]
pub struct OutArgs {
    /// Send every published frame to this group, numbered; given twice, to lines A and B
    #[arg(long, value_name = "GROUP:PORT")]
    pub multicast_out: Vec<SocketAddr>,
    /// Address of the interface to send from
    #[arg(
        long,
        value_name = "IP",
        default_value = "127.0.0.1",
        requires = "multicast_out"
    )]
    pub multicast_interface: Ipv4Addr,
    /// Routers that a packet may pass; 0 stays on this machine
    #[arg(long, default_value_t = 0, requires = "multicast_out")]
    pub multicast_ttl: u8,
    /// Take requests for lost messages here (UDP; it answers whoever asks, so keep it inside)
    #[arg(long, value_name = "ADDR", requires = "multicast_out")]
    pub multicast_retransmit: Option<SocketAddr>,
    /// MiB of messages kept for those who ask again
    #[arg(long, default_value_t = 64, value_name = "MIB", requires = "multicast_out", value_parser = clap::value_parser!(u16).range(1..=4_000))]
    pub multicast_store: u16,
    /// NATS
    #[command(flatten)]
    pub nats: NatsArgs,
    /// Kafka
    #[command(flatten)]
    pub kafka: KafkaArgs,
    /// Prints and bars as columns
    #[command(flatten)]
    pub columns: ColumnArgs,
    /// Frames that wait on disk
    #[command(flatten)]
    pub spill: SpillArgs,
}

/// Where another Ouzel's frames come from.
#[derive(Clone, Debug, ClapArgs)]
pub struct RelayArgs {
    /// Line A: GROUP:PORT, or a local address for unicast
    #[arg(long, value_name = "GROUP:PORT")]
    pub group: SocketAddr,
    /// Line B
    #[arg(long, value_name = "GROUP:PORT")]
    pub group_b: Option<SocketAddr>,
    /// Where to ask for lost messages
    #[arg(long, value_name = "ADDR")]
    pub retransmit: Option<SocketAddr>,
    /// Address of the interface that joins the groups
    #[arg(long, value_name = "IP", default_value = "127.0.0.1")]
    pub interface: Ipv4Addr,
}

/// Arguments of `listen`.
#[derive(Debug, ClapArgs)]
pub struct ListenArgs {
    /// Where the frames come from
    #[command(flatten)]
    pub relay: RelayArgs,
    /// Stop after this many seconds; without it, run until Ctrl-C
    #[arg(long = "for", value_name = "SECONDS")]
    pub for_s: Option<u64>,
    /// Print only the summary at the end
    #[arg(long)]
    pub summary: bool,
    /// Print one JSON object a frame
    #[arg(long)]
    pub json: bool,
}
