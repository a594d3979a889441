//! Lines of feeds over UDP, opened alike.

use std::net::{Ipv4Addr, SocketAddr};

use anyhow::Result;
use engine::udp::{MulticastReceiver, ReceiverConfig, UdpSource};

use crate::outputs::v4;

const LINE_BUFFER: usize = 32 << 20;

/// Opens lines A and B, and those that repeat books and definitions.
pub fn open(
    interface: Option<Ipv4Addr>,
    lines: impl IntoIterator<Item = SocketAddr>,
    repeated: impl IntoIterator<Item = SocketAddr>,
) -> Result<UdpSource> {
    let open = |address: SocketAddr| -> Result<MulticastReceiver> {
        let receiver = MulticastReceiver::open(&ReceiverConfig {
            interface: interface.unwrap_or(Ipv4Addr::UNSPECIFIED),
            buffer_bytes: LINE_BUFFER,
            ..ReceiverConfig::loopback(v4(address)?)
        })?;
        Ok(receiver)
    };
    let lines: Result<Vec<_>> = lines.into_iter().map(open).collect();
    let mut source = UdpSource::new(lines?, None);
    for address in repeated {
        source = source.with_snapshots(open(address)?);
    }
    Ok(source)
}

/// Where lines are, for people.
pub fn shown(lines: &[Option<SocketAddr>]) -> Vec<String> {
    let given = lines.iter().flatten();
    given.map(SocketAddr::to_string).collect()
}
