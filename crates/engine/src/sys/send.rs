//! Many datagrams with one system call: `sendmmsg`, or one buffer cut by the kernel (UDP GSO).

use std::io;
use std::mem;
use std::net::{SocketAddrV4, UdpSocket};
use std::os::fd::AsRawFd;

/// Datagrams that one call takes at most.
pub const BATCH_LIMIT: usize = 64;

fn address_of(target: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as libc::sa_family_t,
        sin_port: target.port().to_be(),
        sin_addr: libc::in_addr {
            s_addr: u32::from_ne_bytes(target.ip().octets()),
        },
        sin_zero: [0; 8],
    }
}

/// Sends up to [`BATCH_LIMIT`] datagrams to one target; answers how many went out.
pub fn many(socket: &UdpSocket, target: SocketAddrV4, datagrams: &[&[u8]]) -> io::Result<usize> {
    let mut address = address_of(target);
    let count = datagrams.len().min(BATCH_LIMIT);
    let mut parts = [libc::iovec {
        iov_base: std::ptr::null_mut(),
        iov_len: 0,
    }; BATCH_LIMIT];
    // SAFETY: an all-zero `mmsghdr` is valid: null pointers with zero lengths.
    let mut headers: [libc::mmsghdr; BATCH_LIMIT] = unsafe { mem::zeroed() };
    for (part, bytes) in parts.iter_mut().zip(datagrams) {
        part.iov_base = bytes.as_ptr().cast_mut().cast();
        part.iov_len = bytes.len();
    }
    let (parts_at, address_at) = (parts.as_mut_ptr(), &raw mut address);
    for (idx, header) in headers[..count].iter_mut().enumerate() {
        // SAFETY: `idx < count <= BATCH_LIMIT`, so the part exists.
        header.msg_hdr.msg_iov = unsafe { parts_at.add(idx) };
        header.msg_hdr.msg_iovlen = 1;
        header.msg_hdr.msg_name = address_at.cast();
        header.msg_hdr.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    }
    // SAFETY: `count` headers are filled; parts, address and datagrams outlive the call, and the
    // kernel only reads what they point at.
    let sent = unsafe {
        libc::sendmmsg(
            socket.as_raw_fd(),
            headers.as_mut_ptr(),
            count as libc::c_uint,
            0,
        )
    };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(sent as usize)
    }
}

/// Sends `bytes` as datagrams of `segment_size` bytes (the last may be shorter), cut by the kernel.
/// At most 64 segments and 65,000 bytes a call.
pub fn segmented(
    socket: &UdpSocket,
    target: SocketAddrV4,
    bytes: &[u8],
    segment_size: u16,
) -> io::Result<()> {
    let mut address = address_of(target);
    let mut part = libc::iovec {
        iov_base: bytes.as_ptr().cast_mut().cast(),
        iov_len: bytes.len(),
    };
    let mut control = [0u64; 4];
    // SAFETY: an all-zero `msghdr` is valid: null pointers with zero lengths.
    let mut header: libc::msghdr = unsafe { mem::zeroed() };
    header.msg_name = (&raw mut address).cast();
    header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as libc::socklen_t;
    header.msg_iov = &raw mut part;
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    // SAFETY: the macro only computes: 24 bytes on 64-bit Linux, less than `control` has.
    header.msg_controllen = unsafe { libc::CMSG_SPACE(2) } as _;
    // SAFETY: the control block is aligned, large enough for one header and a u16, and outlives
    // the call; CMSG_FIRSTHDR is not null because `msg_controllen` holds a header.
    unsafe {
        let first = libc::CMSG_FIRSTHDR(&raw const header);
        (*first).cmsg_level = libc::SOL_UDP;
        (*first).cmsg_type = libc::UDP_SEGMENT;
        (*first).cmsg_len = libc::CMSG_LEN(2) as _;
        libc::CMSG_DATA(first)
            .cast::<u16>()
            .write_unaligned(segment_size);
    }
    // SAFETY: everything `header` points at outlives the call; the kernel only reads it.
    let sent = unsafe { libc::sendmsg(socket.as_raw_fd(), &raw const header, 0) };
    if sent < 0 {
        Err(io::Error::last_os_error())
    } else {
        Ok(())
    }
}
