//! Which interface has an address.

use std::ffi::CStr;
use std::io;
use std::net::Ipv4Addr;

/// Name and number of the interface that has `address`.
///
/// # Errors
/// `NotFound` when none has; else what the system says.
pub fn by_address(address: Ipv4Addr) -> io::Result<(String, u32)> {
    let mut list: *mut libc::ifaddrs = std::ptr::null_mut();
    // SAFETY: the call fills `list` with a chain that is ours until it is freed below.
    if unsafe { libc::getifaddrs(&raw mut list) } != 0 {
        return Err(io::Error::last_os_error());
    }
    let mut found = None;
    let mut at = list;
    // SAFETY: every link of the chain is valid until `freeifaddrs`; an address of family AF_INET
    // is a `sockaddr_in`, and a name is a C string.
    unsafe {
        while let Some(link) = at.as_ref() {
            if let Some(known) = link.ifa_addr.as_ref()
                && i32::from(known.sa_family) == libc::AF_INET
            {
                let known = link.ifa_addr.cast::<libc::sockaddr_in>().read_unaligned();
                if known.sin_addr.s_addr == u32::from_ne_bytes(address.octets()) {
                    let name = CStr::from_ptr(link.ifa_name);
                    found = Some((
                        name.to_string_lossy().into_owned(),
                        libc::if_nametoindex(name.as_ptr()),
                    ));
                    break;
                }
            }
            at = link.ifa_next;
        }
        libc::freeifaddrs(list);
    }
    match found {
        Some((name, number)) if number > 0 => Ok((name, number)),
        _ => Err(io::Error::new(
            io::ErrorKind::NotFound,
            format!("no interface has the address {address}; see `ip -4 address`"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_found_by_its_address() {
        let (name, number) = by_address(Ipv4Addr::LOCALHOST).expect("there is loopback");
        assert!(number > 0 && name.starts_with("lo"), "{name} {number}");
        assert!(by_address(Ipv4Addr::new(192, 0, 2, 77)).is_err());
    }
}
