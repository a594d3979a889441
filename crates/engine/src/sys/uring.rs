//! io_uring: one multishot `recvmsg` that stays in force, and a ring of buffers to fill.
//!
//! ```text
//! buffer ring:  we put buffer ids in -> the kernel takes one a datagram, copies into it
//! completions:  the kernel says which buffer was filled -> we read it in place, put the id back
//! ```
//!
//! The kernel copies each datagram once, as for `recvmmsg`; what is saved is the call: a batch
//! costs one `io_uring_enter`, and looking at an empty ring costs none. Needs Linux 6.1 (deferred
//! task work, which keeps the kernel's half of the work on the receiving thread).

use std::io;
use std::mem;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};
use std::sync::atomic::{AtomicU16, Ordering};

use io_uring::types::{BufRingEntry, Fd};
use io_uring::{IoUring, cqueue, opcode};

use super::datagram::{CONTROL_WORDS, Datagram, read_control};
use super::region::Region;

/// The only buffer group.
const GROUP: u16 = 0;
/// What the kernel puts before a payload: its own header and our control block.
const HEADER_BYTES: usize = 16 + 8 * CONTROL_WORDS;

/// A ring, its buffers, and the request that fills them.
pub struct RingArena {
    /// Dropped first: closing it ends the kernel's use of everything below.
    ring: IoUring,
    /// `[count * slot_size]`, what datagrams are copied into.
    bytes: Region,
    /// `[count]` of [`BufRingEntry`]: the ids of buffers that the kernel may fill.
    entries: Region,
    /// Says how long the control block is; the kernel copies it when the request is made.
    template: Box<libc::msghdr>,
    count: u16,
    slot_size: usize,
    /// Next place in `entries` to write, and what the kernel may take up to.
    tail: u16,
    enabled: bool,
    armed: bool,
}

// SAFETY: the ring and all memory that its pointers reach are owned; every use needs `&mut self`.
unsafe impl Send for RingArena {}

impl RingArena {
    /// `count` buffers (a power of two is taken, at most 4,096) for payloads of `payload_size`.
    ///
    /// # Errors
    /// What the kernel says: `ENOSYS` or `EPERM` where io_uring is not there or forbidden,
    /// `EINVAL` before Linux 6.1.
    pub fn new(count: usize, payload_size: usize) -> io::Result<Self> {
        let count = count.clamp(8, 4_096).next_power_of_two() as u16;
        let slot_size = (payload_size + HEADER_BYTES).next_multiple_of(64);
        // Disabled until the receiving thread enables it: with a single issuer, that thread is
        // the one that may submit.
        let ring = IoUring::builder()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .setup_taskrun_flag()
            .setup_r_disabled()
            .setup_cqsize(u32::from(count) * 2)
            .build(8)?;
        let bytes = Region::new(usize::from(count) * slot_size)?;
        let entries = Region::new(usize::from(count) * mem::size_of::<BufRingEntry>())?;
        // SAFETY: `entries` is page aligned, holds `count` entries and is dropped after the ring
        // (fields drop in order).
        unsafe {
            let start = entries.start() as u64;
            ring.submitter()
                .register_buf_ring_with_flags(start, count, GROUP, 0)?;
        }
        // SAFETY: an all-zero `msghdr` is valid: null pointers with zero lengths.
        let mut template: Box<libc::msghdr> = Box::new(unsafe { mem::zeroed() });
        template.msg_controllen = (8 * CONTROL_WORDS) as _;
        let mut arena = Self {
            ring,
            bytes,
            entries,
            template,
            count,
            slot_size,
            tail: 0,
            enabled: false,
            armed: false,
        };
        (0..count).for_each(|id| arena.give(id));
        arena.publish();
        Ok(arena)
    }

    /// The descriptor that becomes readable when something has come.
    pub fn descriptor(&self) -> RawFd {
        self.ring.as_raw_fd()
    }

    /// Hands what has come to `f`, at most all buffers once; how many datagrams. Always call it
    /// from the same thread.
    pub fn receive(
        &mut self,
        socket: &UdpSocket,
        f: &mut dyn FnMut(&Datagram<'_>),
    ) -> io::Result<usize> {
        if !self.armed {
            self.arm(socket)?;
        }
        let submission = self.ring.submission();
        let kernel_has_work = submission.taskrun() || submission.cq_overflow();
        drop(submission);
        if kernel_has_work {
            self.enter()?;
        }
        let mut count = 0;
        let mut failed = None;
        // One completion a turn, so that nothing of the ring is borrowed while `f` runs.
        for _ in 0..self.count {
            let Some(completion) = self.ring.completion().next() else {
                break;
            };
            // The request ended: out of buffers, out of completions, or for good.
            self.armed &= cqueue::more(completion.flags());
            if let Some(id) = cqueue::buffer_select(completion.flags()) {
                if completion.result() >= 0
                    && let Some(datagram) = self.datagram(id, completion.result() as usize)
                {
                    f(&datagram);
                    count += 1;
                }
                self.give(id);
            }
            if completion.result() < 0 {
                failed = refused(-completion.result());
            }
        }
        self.publish();
        failed.map_or(Ok(count), Err)
    }

    fn arm(&mut self, socket: &UdpSocket) -> io::Result<()> {
        if !self.enabled {
            self.ring.submitter().register_enable_rings()?;
            self.enabled = true;
        }
        let request =
            opcode::RecvMsgMulti::new(Fd(socket.as_raw_fd()), &raw const *self.template, GROUP)
                .build();
        // SAFETY: the template lives as long as the ring, which copies it when it takes the
        // request; buffers come from the registered group.
        let pushed = unsafe { self.ring.submission().push(&request) };
        if pushed.is_err() {
            return Ok(()); // Our own earlier request waits there: it is submitted below.
        }
        self.enter()?;
        self.armed = true;
        Ok(())
    }

    /// Submits what waits and lets the kernel do its part, without waiting.
    fn enter(&self) -> io::Result<()> {
        match self.ring.submit() {
            Ok(_) => Ok(()),
            Err(error) => match error.raw_os_error() {
                // Completions must be taken first, or a signal came: the next turn goes on.
                Some(libc::EBUSY | libc::EINTR | libc::EAGAIN) => Ok(()),
                _ => Err(error),
            },
        }
    }

    /// The datagram in buffer `id`, of which the kernel filled `size` bytes.
    fn datagram(&self, id: u16, size: usize) -> Option<Datagram<'_>> {
        let size = size.min(self.slot_size);
        let start = usize::from(id % self.count) * self.slot_size;
        // SAFETY: `start + slot_size` lies inside the region, its bytes are initialised (zero or
        // written by the kernel), and the kernel writes this buffer again only after `give`.
        let buffer = unsafe { std::slice::from_raw_parts(self.bytes.start().add(start), size) };
        // `struct io_uring_recvmsg_out`, the control block's room, the payload.
        let (header, rest) = buffer.split_at_checked(16)?;
        let (control, payload) = rest.split_at_checked(8 * CONTROL_WORDS)?;
        let word = |at: usize| -> Option<u32> {
            Some(u32::from_ne_bytes(*header[at..].first_chunk::<4>()?))
        };
        let control_size = (word(4)? as usize).min(control.len());
        let mut datagram = Datagram {
            bytes: payload,
            stamp_ns: None,
            drops: None,
            segment_size: None,
            cut: word(12)? & libc::MSG_TRUNC as u32 != 0,
        };
        let header = libc::msghdr {
            msg_control: control.as_ptr().cast_mut().cast(),
            msg_controllen: control_size as _,
            ..*self.template
        };
        // SAFETY: the block is what the kernel wrote into our buffer: slots are multiples of 64
        // and the header before it of 16 bytes, so it is aligned for a `cmsghdr`. It is only read.
        unsafe { read_control(&header, &mut datagram) };
        Some(datagram)
    }

    /// Puts a buffer back into the ring; the kernel sees it after [`publish`](Self::publish).
    fn give(&mut self, id: u16) {
        let id = id % self.count;
        let place = usize::from(self.tail & (self.count - 1));
        // SAFETY: `place < count`, so the entry and the buffer are inside their regions. Only the
        // fields of an entry are written, never the whole of it: the first entry's last two bytes
        // are the ring's tail.
        unsafe {
            let entry = &mut *self.entries.start().cast::<BufRingEntry>().add(place);
            entry.set_addr(self.bytes.start().add(usize::from(id) * self.slot_size) as u64);
            entry.set_len(self.slot_size as u32);
            entry.set_bid(id);
        }
        self.tail = self.tail.wrapping_add(1);
    }

    /// Tells the kernel how far buffers may be taken.
    fn publish(&self) {
        // SAFETY: the tail lies in the first entry, aligned for 16 bits; the kernel only reads
        // it, with acquire, and so it is an atomic shared with it.
        let tail = unsafe {
            let tail = BufRingEntry::tail(self.entries.start().cast::<BufRingEntry>());
            AtomicU16::from_ptr(tail.cast_mut())
        };
        tail.store(self.tail, Ordering::Release);
    }
}

/// Whether an errno of the request is an error to its user.
fn refused(errno: i32) -> Option<io::Error> {
    match errno {
        // No buffer was free, or a signal came: armed again in the next turn. What came meanwhile
        // waits in the socket.
        libc::ENOBUFS | libc::EAGAIN | libc::EINTR => None,
        errno => Some(io::Error::from_raw_os_error(errno)),
    }
}
