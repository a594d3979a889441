//! Where webhooks may go. Whoever may ask standing questions names a URL that this machine then calls: without a bound it
//! could be made to reach what only this machine can. So each address that a name resolves to is looked at when the
//! connection is made, and not the name when the question is put.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, UdpSocket};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::NextTimeout;

/// Resolves names to addresses of the open Internet alone.
#[derive(Debug, Default)]
pub struct PublicResolver(Inner);

#[derive(Default)]
struct Inner(DefaultResolver);

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("DefaultResolver")
    }
}

impl Resolver for PublicResolver {
    fn resolve(
        &self,
        uri: &Uri,
        config: &Config,
        timeout: NextTimeout,
    ) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.0.resolve(uri, config, timeout)?;
        let mut addresses = found.iter().map(|address| address.ip());
        match addresses.find(|ip| !is_public(*ip) || is_own(*ip)) {
            None => Ok(found),
            Some(address) => Err(ureq::Error::Other(
                format!(
                    "{address} is this machine's or not an address of the open Internet; start the server with --webhook-private to allow it"
                )
                .into(),
            )),
        }
    }
}

/// Whether an address is this machine's: what goes there would come from it. A public one leads to what listens here all the
/// same. Nothing is sent.
fn is_own(address: IpAddr) -> bool {
    let any: IpAddr = match address {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let local = UdpSocket::bind((any, 0)).and_then(|socket| {
        socket.connect((address, 9))?;
        socket.local_addr()
    });
    // Where no route leads the call fails as well.
    local.is_ok_and(|local| local.ip() == address)
}

/// Whether an address is one of the open Internet. Source: the IANA registries of special-purpose addresses.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && c == 0)
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (18..20).contains(&b));
    !is_special
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    let words = address.segments();
    let within = |at: usize| {
        let [high, low] = [words[at], words[at + 1]];
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        is_public_v4(Ipv4Addr::new(a, b, c, d))
    };
    match words {
        // An IPv4 address in the clothes of IPv6: mapped, translated (NAT64), 6to4.
        [0, 0, 0, 0, 0, 0xffff, _, _] | [0x64, 0xff9b, 0, 0, 0, 0, _, _] => within(6),
        [0x2002, ..] => within(1),
        // Global unicast is 2000::/3, less protocol assignments (2001::/23) and documentation.
        [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
        [0x3fff, second, ..] => second >= 0x1000,
        [first, ..] => (0x2000..0x4000).contains(&first),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_open_internet_is_public() {
        let public = [
            "1.1.1.1",
            "93.184.216.34",
            "2606:4700::1111",
            "::ffff:8.8.8.8",
        ];
        let special = [
            "127.0.0.1",
            "10.1.2.3",
            "172.16.0.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fc00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::127.0.0.1",
            "64:ff9b::a00:1",
            "2002:7f00:1::",
            "2001:db8::1",
        ];
        let read = |text: &str| is_public(text.parse().expect("an address"));
        assert!(public.into_iter().all(read));
        for text in special {
            assert!(!read(text), "{text}");
        }
    }

    #[test]
    fn what_this_machine_would_send_from_is_its_own() {
        let own = |text: &str| is_own(text.parse().expect("an address"));
        assert!(own("127.0.0.1"));
        // Of TEST-NET-1: nobody has it.
        assert!(!own("192.0.2.1"));
    }
}
