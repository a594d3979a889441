//! `recvmmsg` into an arena that is taken and touched once.
//!
//! One slot per datagram and one slot per control block (kernel stamp, drop counter, GRO size).
//! The kernel copies each datagram once into its slot; from there every message is read in place.

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

use super::datagram::{CONTROL_WORDS, Datagram, read_control};
use super::region::Region;

/// Slots for one call of `recvmmsg`.
pub struct Arena {
    /// `[slots * slot_size]`. Headers point into it for as long as it lives.
    bytes: Region,
    /// `[slots * CONTROL_WORDS * 8]`, as above.
    _control: Region,
    /// Headers point at these too: never moved, a boxed slice's contents stay where they are.
    _parts: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    slot_size: usize,
}

// SAFETY: the arena owns all memory that its pointers reach, and every use needs `&mut self` or,
// for reading filled slots, `&self` while nobody writes.
unsafe impl Send for Arena {}

impl Arena {
    /// `slots` slots of `slot_size` bytes, touched now so that no page is missing later.
    ///
    /// # Errors
    /// The system gives no memory.
    pub fn new(slots: usize, slot_size: usize) -> io::Result<Self> {
        let slots = slots.clamp(1, 1_024);
        let slot_size = slot_size.clamp(64, 65_536);
        let bytes = Region::new(slots * slot_size)?;
        let control = Region::new(slots * mem::size_of::<[u64; CONTROL_WORDS]>())?;
        let mut parts: Box<[libc::iovec]> = (0..slots)
            .map(|slot| libc::iovec {
                // SAFETY: `slot * slot_size` lies inside the region of `slots * slot_size`.
                iov_base: unsafe { bytes.start().add(slot * slot_size) }.cast(),
                iov_len: slot_size,
            })
            .collect();
        let parts_at = parts.as_mut_ptr();
        let headers = (0..slots)
            .map(|slot| {
                // SAFETY: an all-zero `mmsghdr` is valid: null pointers with zero lengths.
                let mut header: libc::mmsghdr = unsafe { mem::zeroed() };
                // SAFETY: `slot` is inside both allocations.
                unsafe {
                    header.msg_hdr.msg_iov = parts_at.add(slot);
                    let blocks = control.start().cast::<[u64; CONTROL_WORDS]>();
                    header.msg_hdr.msg_control = blocks.add(slot).cast();
                }
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Ok(Self {
            bytes,
            _control: control,
            _parts: parts,
            headers,
            slot_size,
        })
    }

    /// Takes what waits in the socket, without waiting: how many slots were filled.
    pub fn receive(&mut self, socket: &UdpSocket) -> io::Result<usize> {
        for header in &mut self.headers {
            header.msg_hdr.msg_controllen = mem::size_of::<[u64; CONTROL_WORDS]>() as _;
            header.msg_hdr.msg_flags = 0;
        }
        // SAFETY: every header points at its own slot, part and control block, which live as long
        // as `self`; `&mut self` keeps readers out while the kernel writes. A null timeout with
        // MSG_DONTWAIT returns at once.
        let count = unsafe {
            libc::recvmmsg(
                socket.as_raw_fd(),
                self.headers.as_mut_ptr(),
                self.headers.len() as libc::c_uint,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        if count >= 0 {
            return Ok(count as usize);
        }
        let error = io::Error::last_os_error();
        match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => Ok(0),
            _ => Err(error),
        }
    }

    /// The datagram in `slot`, one of those that the last [`receive`](Self::receive) filled.
    #[must_use]
    pub fn datagram(&self, slot: usize) -> Datagram<'_> {
        let header = &self.headers[slot];
        let size = (header.msg_len as usize).min(self.slot_size);
        // SAFETY: `slot` is in range (indexed above), so `slot_size` bytes from here are ours and
        // initialised; nothing writes them while `&self` is borrowed.
        let bytes = unsafe {
            std::slice::from_raw_parts(self.bytes.start().add(slot * self.slot_size), size)
        };
        let mut datagram = Datagram {
            bytes,
            stamp_ns: None,
            drops: None,
            segment_size: None,
            cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        };
        // SAFETY: the header points at its own control block, whose length the kernel has set.
        unsafe { read_control(&header.msg_hdr, &mut datagram) };
        datagram
    }
}
