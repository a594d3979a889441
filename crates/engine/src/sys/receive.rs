//! `recvmmsg` into an arena that is allocated and touched once.
//!
//! One slot per datagram and one slot per control block (kernel stamp, drop counter, GRO size).
//! The kernel copies each datagram once into its slot; from there every message is read in place.

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::AsRawFd;

/// Room for three control messages: stamp (32 bytes), drops (24), GRO size (24).
const CONTROL_WORDS: usize = 16;

/// One datagram as the kernel handed it over.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    /// The payload; with GRO several datagrams of `segment_size` each (the last may be shorter).
    pub bytes: &'a [u8],
    /// When the kernel received it, ns UTC; `None` where stamps are off.
    pub stamp_ns: Option<u64>,
    /// Datagrams dropped so far because the socket's buffer was full; `None` before the first drop.
    pub drops: Option<u32>,
    /// Size of the coalesced datagrams; `None` when this is one datagram.
    pub segment_size: Option<usize>,
    /// The datagram was longer than its slot and its end is lost.
    pub cut: bool,
}

/// Slots for one call of `recvmmsg`.
pub struct Arena {
    /// `[slots * slot_size]`; owned. Raw, because headers point into it for as long as it lives.
    bytes: *mut u8,
    control: *mut [u64; CONTROL_WORDS],
    parts: Box<[libc::iovec]>,
    headers: Box<[libc::mmsghdr]>,
    slot_size: usize,
}

// SAFETY: the arena owns all memory that its pointers reach, and every use needs `&mut self` or,
// for reading filled slots, `&self` while nobody writes.
unsafe impl Send for Arena {}

impl Arena {
    /// `slots` slots of `slot_size` bytes, touched now so that no page is missing later.
    #[must_use]
    pub fn new(slots: usize, slot_size: usize) -> Self {
        let slots = slots.clamp(1, 1_024);
        let slot_size = slot_size.clamp(64, 65_536);
        let mut bytes = vec![0u8; slots * slot_size].into_boxed_slice();
        // Zeroed memory is given lazily: write every page once.
        bytes.iter_mut().step_by(4_096).for_each(|byte| *byte = 1);
        let control = vec![[0u64; CONTROL_WORDS]; slots].into_boxed_slice();
        let bytes = Box::into_raw(bytes).cast::<u8>();
        let control = Box::into_raw(control).cast::<[u64; CONTROL_WORDS]>();
        let mut parts: Box<[libc::iovec]> = (0..slots)
            .map(|slot| libc::iovec {
                // SAFETY: `slot * slot_size` lies inside the allocation of `slots * slot_size`.
                iov_base: unsafe { bytes.add(slot * slot_size) }.cast(),
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
                    header.msg_hdr.msg_control = control.add(slot).cast();
                }
                header.msg_hdr.msg_iovlen = 1;
                header
            })
            .collect();
        Self {
            bytes,
            control,
            parts,
            headers,
            slot_size,
        }
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
        let bytes =
            unsafe { std::slice::from_raw_parts(self.bytes.add(slot * self.slot_size), size) };
        let mut datagram = Datagram {
            bytes,
            stamp_ns: None,
            drops: None,
            segment_size: None,
            cut: header.msg_hdr.msg_flags & libc::MSG_TRUNC != 0,
        };
        read_control(&header.msg_hdr, &mut datagram);
        datagram
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        let slots = self.parts.len();
        let bytes = std::ptr::slice_from_raw_parts_mut(self.bytes, slots * self.slot_size);
        let control = std::ptr::slice_from_raw_parts_mut(self.control, slots);
        // SAFETY: both came from `Box::into_raw` with exactly these lengths and are freed once.
        unsafe {
            drop(Box::from_raw(bytes));
            drop(Box::from_raw(control));
        }
    }
}

fn read_control(header: &libc::msghdr, datagram: &mut Datagram<'_>) {
    // SAFETY: `msg_control` and `msg_controllen` were written by the kernel for our own control
    // block; the CMSG macros walk inside it, and payloads are read unaligned.
    unsafe {
        let mut at = libc::CMSG_FIRSTHDR(header);
        while let Some(control) = at.as_ref() {
            let payload = libc::CMSG_DATA(at);
            match (control.cmsg_level, control.cmsg_type) {
                (libc::SOL_SOCKET, libc::SCM_TIMESTAMPNS) => {
                    let time: libc::timespec = payload.cast::<libc::timespec>().read_unaligned();
                    datagram.stamp_ns = stamp(time);
                }
                (libc::SOL_SOCKET, libc::SO_RXQ_OVFL) => {
                    datagram.drops = Some(payload.cast::<u32>().read_unaligned());
                }
                (libc::SOL_UDP, libc::UDP_GRO) => {
                    let size = payload.cast::<libc::c_int>().read_unaligned();
                    datagram.segment_size = usize::try_from(size).ok().filter(|&size| size > 0);
                }
                _ => {}
            }
            at = libc::CMSG_NXTHDR(header, at);
        }
    }
}

fn stamp(time: libc::timespec) -> Option<u64> {
    let seconds = u64::try_from(time.tv_sec).ok()?;
    seconds
        .checked_mul(1_000_000_000)?
        .checked_add(time.tv_nsec as u64)
}
