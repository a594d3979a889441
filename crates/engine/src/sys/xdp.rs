//! An AF_XDP socket: frames of one queue of an interface, in memory that we and the kernel share.
//!
//! ```text
//! fill ring:    we say which places of the memory are free -> the kernel takes one a frame
//! receive ring: the kernel says which place has a frame    -> we read it in place, fill it again
//! ```
//!
//! In a driver that can (`zero-copy`) the card writes into this memory and nobody copies. In all
//! others, `veth` among them, the kernel copies each frame once (`copy`): what is saved then is
//! the way through its IP stack and the call a batch, not the copy. No call is made to receive.

use std::io;
use std::mem;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

use super::bpf::STAMP_BYTES;
use super::region::Region;

/// One place: 256 bytes that the kernel keeps free, then a frame of up to 1,792 bytes.
const PLACE_BYTES: usize = 2_048;
/// Frames handed over in one call at most.
const BATCH: u32 = 64;

/// A bound socket with its memory and rings.
pub struct XdpSocket {
    /// Dropped first: closing it ends the kernel's use of the memory.
    socket: OwnedFd,
    receive: Ring,
    fill: Ring,
    memory: Region,
    zero_copy: bool,
}

// SAFETY: the socket, its rings and its memory are owned; every use needs `&mut self`, but for
// statistics, which only ask the kernel.
unsafe impl Send for XdpSocket {}

/// What the kernel counts of a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct XdpDrops {
    /// Frames that found no free place, or were too long.
    pub dropped: u64,
    /// Frames that found the receive ring full.
    pub ring_full: u64,
}

impl XdpSocket {
    /// Binds to a queue of an interface, with `places` places (a power of two is taken).
    ///
    /// # Errors
    /// The step, and what the kernel says.
    pub fn open(
        interface: u32,
        queue: u32,
        places: usize,
    ) -> Result<Self, (&'static str, io::Error)> {
        let places = places.clamp(256, 1 << 16).next_power_of_two() as u32;
        let failed = |step| move |error| (step, error);
        let socket = new_socket().map_err(failed("create an AF_XDP socket"))?;
        let memory = Region::new(places as usize * PLACE_BYTES).map_err(failed("take memory"))?;
        let umem = libc::xdp_umem_reg {
            addr: memory.start() as u64,
            len: memory.size() as u64,
            chunk_size: PLACE_BYTES as u32,
            headroom: 0,
            flags: 0,
            tx_metadata_len: 0,
        };
        set(&socket, libc::XDP_UMEM_REG, &umem).map_err(failed("share memory (ulimit -l)"))?;
        for ring in [
            libc::XDP_UMEM_FILL_RING,
            libc::XDP_UMEM_COMPLETION_RING,
            libc::XDP_RX_RING,
        ] {
            set(&socket, ring, &places).map_err(failed("make the rings"))?;
        }
        let offsets: libc::xdp_mmap_offsets =
            get(&socket, libc::XDP_MMAP_OFFSETS).map_err(failed("find the rings"))?;
        let map = |offset, from, entry| Ring::map(&socket, offset, from, places, entry);
        let receive = map(
            &offsets.rx,
            libc::XDP_PGOFF_RX_RING,
            mem::size_of::<libc::xdp_desc>(),
        )
        .map_err(failed("map the receive ring"))?;
        let fill = map(
            &offsets.fr,
            libc::XDP_UMEM_PGOFF_FILL_RING as libc::off_t,
            mem::size_of::<u64>(),
        )
        .map_err(failed("map the fill ring"))?;
        let mut this = Self {
            socket,
            receive,
            fill,
            memory,
            zero_copy: false,
        };
        (0..places).for_each(|place| this.free(u64::from(place) * PLACE_BYTES as u64));
        this.fill.publish();
        bind(&this.socket, interface, queue).map_err(failed("bind to the interface's queue"))?;
        let options: libc::xdp_options =
            get(&this.socket, libc::XDP_OPTIONS).map_err(failed("read the socket's options"))?;
        this.zero_copy = options.flags & libc::XDP_OPTIONS_ZEROCOPY != 0;
        Ok(this)
    }

    /// The card writes into our memory itself; else the kernel copies each frame once.
    pub fn is_zero_copy(&self) -> bool {
        self.zero_copy
    }

    /// The socket's descriptor, readable when a frame waits.
    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Hands what waits, at most a batch, to `f(stamp, frame)`; how many. The stamp is what the
    /// program put before the frame (`CLOCK_TAI`, ns).
    pub fn receive(&mut self, f: &mut dyn FnMut(u64, &[u8])) -> usize {
        let ready = self.receive.filled().min(BATCH);
        for _ in 0..ready {
            // SAFETY: the kernel has filled this entry (it is below the producer's index, read
            // with acquire), and an entry of the receive ring is an `xdp_desc`.
            let frame = unsafe { self.receive.entry::<libc::xdp_desc>().read() };
            self.receive.next();
            let (start, size) = (frame.addr as usize, frame.len as usize);
            let end = start.saturating_add(size);
            if start >= STAMP_BYTES && end <= self.memory.size() {
                // SAFETY: `[start - STAMP_BYTES, end)` lies inside the memory, checked above; it
                // is initialised, and the kernel does not write this place before it is freed.
                let (stamp, bytes) = unsafe {
                    let start = self.memory.start().add(start);
                    (
                        start.sub(STAMP_BYTES).cast::<u64>().read_unaligned(),
                        std::slice::from_raw_parts(start, size),
                    )
                };
                f(stamp, bytes);
            }
            self.free(frame.addr / PLACE_BYTES as u64 * PLACE_BYTES as u64);
        }
        if ready > 0 {
            self.receive.release();
            self.fill.publish();
        }
        ready as usize
    }

    /// Lets the driver look for frames now, where it is set to wait for that (busy polling).
    pub fn wake(&self) {
        // SAFETY: no buffer is passed, and no address. What it answers says only whether
        // something was done; a failure shows as silence, which the lane reports.
        unsafe {
            libc::recvfrom(
                self.socket.as_raw_fd(),
                ptr::null_mut(),
                0,
                libc::MSG_DONTWAIT,
                ptr::null_mut(),
                ptr::null_mut(),
            )
        };
    }

    /// Sets an integer option of the socket level.
    pub fn set_socket(&self, option: i32, value: i32) -> io::Result<()> {
        set_at(&self.socket, libc::SOL_SOCKET, option, &value)
    }

    /// What the kernel could not hand over so far.
    pub fn drops(&self) -> XdpDrops {
        let counted: io::Result<libc::xdp_statistics> = get(&self.socket, libc::XDP_STATISTICS);
        counted.map_or(XdpDrops::default(), |counted| XdpDrops {
            dropped: counted.rx_dropped,
            ring_full: counted.rx_ring_full,
        })
    }

    fn free(&mut self, place: u64) {
        // SAFETY: there are as many entries as places, each place is freed once before the kernel
        // takes it again, so this entry is ours; an entry of the fill ring is a `u64`.
        unsafe { self.fill.entry::<u64>().write(place) };
        self.fill.next();
    }
}

/// One of the rings: two indexes that run on, and entries.
struct Ring {
    mapped: *mut libc::c_void,
    mapped_size: usize,
    producer: *const AtomicU32,
    consumer: *const AtomicU32,
    entries: *mut u8,
    entry_bytes: usize,
    mask: u32,
    /// Our own index: of the consumer in the receive ring, of the producer in the fill ring.
    at: u32,
}

impl Ring {
    fn map(
        socket: &OwnedFd,
        offsets: &libc::xdp_ring_offset,
        from: libc::off_t,
        count: u32,
        entry_bytes: usize,
    ) -> io::Result<Self> {
        let size = offsets.desc as usize + count as usize * entry_bytes;
        // SAFETY: a new mapping at an address of the kernel's choice touches nothing of ours.
        let mapped = unsafe {
            libc::mmap(
                ptr::null_mut(),
                size,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_POPULATE,
                socket.as_raw_fd(),
                from,
            )
        };
        if mapped == libc::MAP_FAILED {
            return Err(io::Error::last_os_error());
        }
        let base = mapped.cast::<u8>();
        // SAFETY: the kernel says where in the mapping of `size` bytes each part lies; the
        // indexes are aligned for 32 bits.
        unsafe {
            Ok(Self {
                mapped,
                mapped_size: size,
                producer: base.add(offsets.producer as usize).cast(),
                consumer: base.add(offsets.consumer as usize).cast(),
                entries: base.add(offsets.desc as usize),
                entry_bytes,
                mask: count - 1,
                at: 0,
            })
        }
    }

    /// Entries that the kernel has filled and we have not passed.
    fn filled(&self) -> u32 {
        // SAFETY: the index lies in the mapping, which lives as long as `self`.
        let producer = unsafe { &*self.producer }.load(Ordering::Acquire);
        producer.wrapping_sub(self.at)
    }

    /// The entry at our index.
    fn entry<T>(&self) -> *mut T {
        debug_assert_eq!(mem::size_of::<T>(), self.entry_bytes);
        let place = (self.at & self.mask) as usize * self.entry_bytes;
        // SAFETY: `place` lies inside the entries: the index is masked by their count.
        unsafe { self.entries.add(place) }.cast()
    }

    fn next(&mut self) {
        self.at = self.at.wrapping_add(1);
    }

    /// Gives entries that we have read back to the kernel.
    fn release(&self) {
        // SAFETY: as for the producer.
        unsafe { &*self.consumer }.store(self.at, Ordering::Release);
    }

    /// Shows entries that we have written to the kernel.
    fn publish(&self) {
        // SAFETY: the index lies in the mapping, which lives as long as `self`.
        unsafe { &*self.producer }.store(self.at, Ordering::Release);
    }
}

impl Drop for Ring {
    fn drop(&mut self) {
        // SAFETY: the mapping that `map` made, whole; nobody can use it after this.
        unsafe { libc::munmap(self.mapped, self.mapped_size) };
    }
}

/// Whether there are such sockets, and we may have one.
pub fn probe() -> io::Result<()> {
    new_socket().map(drop)
}

fn new_socket() -> io::Result<OwnedFd> {
    // SAFETY: plain integers in, a new descriptor or -1 out.
    let fd = unsafe { libc::socket(libc::AF_XDP, libc::SOCK_RAW | libc::SOCK_CLOEXEC, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: `fd` is open and nobody else owns it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn bind(socket: &OwnedFd, interface: u32, queue: u32) -> io::Result<()> {
    let address = libc::sockaddr_xdp {
        sxdp_family: libc::AF_XDP as u16,
        // Neither copy nor zero-copy is asked for: the kernel takes the best that it can.
        sxdp_flags: 0,
        sxdp_ifindex: interface,
        sxdp_queue_id: queue,
        sxdp_shared_umem_fd: 0,
    };
    let size = mem::size_of_val(&address) as libc::socklen_t;
    // SAFETY: `address` is a whole `sockaddr_xdp` of `size` bytes that lives across the call.
    let answer = unsafe { libc::bind(socket.as_raw_fd(), (&raw const address).cast(), size) };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

fn set<T>(socket: &OwnedFd, option: i32, value: &T) -> io::Result<()> {
    set_at(socket, libc::SOL_XDP, option, value)
}

fn set_at<T>(socket: &OwnedFd, level: i32, option: i32, value: &T) -> io::Result<()> {
    let size = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` is a live reference to `size` bytes that the kernel only reads. Callers
    // pass the plain C type that the option is defined with.
    let answer = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            ptr::from_ref(value).cast(),
            size,
        )
    };
    if answer == 0 {
        Ok(())
    } else {
        Err(io::Error::last_os_error())
    }
}

/// Reads an option of plain C integers.
fn get<T: Copy>(socket: &OwnedFd, option: i32) -> io::Result<T> {
    // SAFETY: the C structs that these options answer with are integers throughout: all zero is
    // a value of theirs.
    let mut value: T = unsafe { mem::zeroed() };
    let mut size = mem::size_of::<T>() as libc::socklen_t;
    // SAFETY: `value` has room for the `size` bytes that the kernel may write; both outlive it.
    let answer = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::SOL_XDP,
            option,
            (&raw mut value).cast(),
            &raw mut size,
        )
    };
    if answer == 0 {
        Ok(value)
    } else {
        Err(io::Error::last_os_error())
    }
}
