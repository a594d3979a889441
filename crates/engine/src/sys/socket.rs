//! Socket options and multicast membership.

use std::io;
use std::mem;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

/// An unbound IPv4 UDP socket, closed on exec.
pub fn udp() -> io::Result<UdpSocket> {
    // SAFETY: plain integers in, a new descriptor or -1 out.
    let fd = unsafe { libc::socket(libc::AF_INET, libc::SOCK_DGRAM | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` is open and nobody else owns it.
    Ok(UdpSocket::from(unsafe { OwnedFd::from_raw_fd(fd) }))
}

/// Binds to an address and port; for a multicast group this keeps other groups' packets out.
pub fn bind(socket: &UdpSocket, address: SocketAddrV4) -> io::Result<()> {
    let raw = libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: address.port().to_be(),
        sin_addr: in_addr(*address.ip()),
        sin_zero: [0; 8],
    };
    let size = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    // SAFETY: `raw` is a whole `sockaddr_in` that lives across the call, and `size` is its size.
    check(unsafe { libc::bind(socket.as_raw_fd(), (&raw const raw).cast(), size) })
}

/// Sets an integer option.
pub fn set(socket: &UdpSocket, level: i32, option: i32, value: i32) -> io::Result<()> {
    set_raw(socket, level, option, &value)
}

/// Reads an integer option.
pub fn get(socket: &UdpSocket, level: i32, option: i32) -> io::Result<i32> {
    let mut value = 0i32;
    let mut size = mem::size_of::<i32>() as libc::socklen_t;
    let (value_at, size_at) = (&raw mut value, &raw mut size);
    // SAFETY: `value` has room for the `size` bytes that the kernel may write; both outlive it.
    let result =
        unsafe { libc::getsockopt(socket.as_raw_fd(), level, option, value_at.cast(), size_at) };
    check(result).map(|()| value)
}

/// Joins `group` on the interface that has the address `interface`, from any source or one.
pub fn join(
    socket: &UdpSocket,
    group: Ipv4Addr,
    interface: Ipv4Addr,
    source: Option<Ipv4Addr>,
) -> io::Result<()> {
    match source {
        None => {
            let request = libc::ip_mreq {
                imr_multiaddr: in_addr(group),
                imr_interface: in_addr(interface),
            };
            set_raw(socket, libc::IPPROTO_IP, libc::IP_ADD_MEMBERSHIP, &request)
        }
        Some(source) => {
            let request = libc::ip_mreq_source {
                imr_multiaddr: in_addr(group),
                imr_interface: in_addr(interface),
                imr_sourceaddr: in_addr(source),
            };
            set_raw(
                socket,
                libc::IPPROTO_IP,
                libc::IP_ADD_SOURCE_MEMBERSHIP,
                &request,
            )
        }
    }
}

/// Sends multicast out of the interface that has this address.
pub fn multicast_interface(socket: &UdpSocket, interface: Ipv4Addr) -> io::Result<()> {
    set_raw(
        socket,
        libc::IPPROTO_IP,
        libc::IP_MULTICAST_IF,
        &in_addr(interface),
    )
}

/// Asks for a receive buffer of `bytes`, by force where that is allowed, and answers what the
/// kernel granted (it doubles a request for its own bookkeeping).
pub fn receive_buffer(socket: &UdpSocket, bytes: usize) -> io::Result<usize> {
    let wanted = i32::try_from(bytes).unwrap_or(i32::MAX);
    if set(socket, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, wanted).is_err() {
        set(socket, libc::SOL_SOCKET, libc::SO_RCVBUF, wanted)?;
    }
    let granted = get(socket, libc::SOL_SOCKET, libc::SO_RCVBUF)?;
    Ok(usize::try_from(granted).unwrap_or(0))
}

fn set_raw<T>(socket: &UdpSocket, level: i32, option: i32, value: &T) -> io::Result<()> {
    let size = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is a live reference to `size` bytes that the kernel only reads. Callers pass
    // the plain C struct that the option is defined with.
    check(unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (value as *const T).cast(),
            size,
        )
    })
}

fn in_addr(address: Ipv4Addr) -> libc::in_addr {
    libc::in_addr {
        s_addr: u32::from_ne_bytes(address.octets()),
    }
}

fn check(result: i32) -> io::Result<()> {
    if result == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}
