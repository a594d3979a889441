//! What all receiving sockets share: arena, stamps, drop counter, coalesced datagrams.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};

use super::receive::Receive;
use crate::sys::datagram::Datagram;
use crate::sys::receive::Arena;
use crate::sys::socket;
use crate::sys::uring::RingArena;
use stdx::{Clock, SystemClock};

/// What one slot holds of a datagram that comes alone.
const SLOT_BYTES: usize = 2_048;
/// What one slot holds of datagrams that come together.
const COALESCED_BYTES: usize = 65_536;
/// Buffers of a ring for each datagram of a batch: the kernel fills while we read.
const BUFFERS_PER_BATCH: usize = 8;

/// A socket and the memory that it fills.
pub(crate) struct Inbox {
    filled: Filled,
    /// After what it fills: a ring still reads from it when it is dropped.
    socket: UdpSocket,
    tally: Tally,
}

enum Filled {
    Arena(Arena),
    Ring(Box<RingArena>),
}

#[derive(Default)]
struct Tally {
    clock: SystemClock,
    /// The kernel counts in 32 bits and from the socket's birth; we count on.
    drops_seen: u32,
    drops: u64,
    cut: u64,
    count: usize,
}

impl Inbox {
    /// Prepares memory for `batch` datagrams a call. Coalescing must have been switched on by
    /// then where `receive` asks for it. `AfXdp` has no meaning here and is taken as `Recvmmsg`.
    ///
    /// # Errors
    /// What the kernel says.
    pub fn new(socket: UdpSocket, batch: usize, receive: Receive) -> io::Result<Self> {
        let slot_size = if receive.coalesces() {
            COALESCED_BYTES
        } else {
            SLOT_BYTES
        };
        let filled = if receive.is_ring() {
            let buffers = if receive.coalesces() {
                batch
            } else {
                batch * BUFFERS_PER_BATCH
            };
            Filled::Ring(Box::new(RingArena::new(buffers, slot_size)?))
        } else {
            Filled::Arena(Arena::new(batch, slot_size)?)
        };
        Ok(Self {
            filled,
            socket,
            tally: Tally::default(),
        })
    }

    /// Kernel stamps and drop counters on. Both are needed for honest figures.
    pub fn enable_stamps(socket: &UdpSocket) -> Result<(), (&'static str, io::Error)> {
        socket::set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
            .map_err(|error| ("SO_TIMESTAMPNS", error))?;
        socket::set(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)
            .map_err(|error| ("SO_RXQ_OVFL", error))
    }

    /// Hands everything of one batch to `f(ts_recv, payload)`; how many payloads.
    pub fn poll(&mut self, f: &mut dyn FnMut(u64, &[u8])) -> io::Result<usize> {
        let (tally, socket) = (&mut self.tally, &self.socket);
        tally.count = 0;
        match &mut self.filled {
            Filled::Arena(arena) => {
                let filled = arena.receive(socket)?;
                (0..filled).for_each(|slot| tally.hand_over(&arena.datagram(slot), f));
            }
            Filled::Ring(ring) => {
                ring.receive(socket, &mut |datagram| tally.hand_over(datagram, f))?;
            }
        }
        Ok(tally.count)
    }

    pub fn drops(&self) -> u64 {
        self.tally.drops
    }

    pub fn cut(&self) -> u64 {
        self.tally.cut
    }

    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    /// Readable when something waits.
    pub fn descriptor(&self) -> RawFd {
        match &self.filled {
            Filled::Arena(_) => self.socket.as_raw_fd(),
            Filled::Ring(ring) => ring.descriptor(),
        }
    }
}

impl Tally {
    fn hand_over(&mut self, datagram: &Datagram<'_>, f: &mut dyn FnMut(u64, &[u8])) {
        if let Some(drops) = datagram.drops {
            self.drops += u64::from(drops.wrapping_sub(self.drops_seen));
            self.drops_seen = drops;
        }
        self.cut += u64::from(datagram.cut);
        let ts_recv = datagram.stamp_ns.unwrap_or_else(|| self.clock.now_ns());
        match datagram.segment_size {
            None => {
                f(ts_recv, datagram.bytes);
                self.count += 1;
            }
            Some(size) => {
                for segment in datagram.bytes.chunks(size) {
                    f(ts_recv, segment);
                    self.count += 1;
                }
            }
        }
    }
}
