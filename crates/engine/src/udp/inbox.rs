//! What all receiving sockets share: arena, stamps, drop counter, coalesced datagrams.

use std::io;
use std::net::UdpSocket;
use std::os::fd::{AsRawFd, RawFd};

use crate::sys::receive::Arena;
use crate::sys::socket;
use stdx::{Clock, SystemClock};

/// A socket and the arena that it fills.
pub(crate) struct Inbox {
    socket: UdpSocket,
    arena: Arena,
    clock: SystemClock,
    /// The kernel counts in 32 bits and from the socket's birth; we count on.
    drops_seen: u32,
    drops: u64,
    cut: u64,
}

impl Inbox {
    pub fn new(socket: UdpSocket, slots: usize, slot_size: usize) -> Self {
        Self {
            socket,
            arena: Arena::new(slots, slot_size),
            clock: SystemClock,
            drops_seen: 0,
            drops: 0,
            cut: 0,
        }
    }

    /// Kernel stamps and drop counters on. Both are needed for honest figures.
    pub fn enable_stamps(socket: &UdpSocket) -> Result<(), (&'static str, io::Error)> {
        socket::set(socket, libc::SOL_SOCKET, libc::SO_TIMESTAMPNS, 1)
            .map_err(|error| ("SO_TIMESTAMPNS", error))?;
        socket::set(socket, libc::SOL_SOCKET, libc::SO_RXQ_OVFL, 1)
            .map_err(|error| ("SO_RXQ_OVFL", error))
    }

    /// Hands everything of one kernel call to `f(ts_recv, payload)`; how many payloads.
    pub fn poll(&mut self, f: &mut dyn FnMut(u64, &[u8])) -> io::Result<usize> {
        let filled = self.arena.receive(&self.socket)?;
        let mut count = 0;
        for slot in 0..filled {
            let datagram = self.arena.datagram(slot);
            if let Some(drops) = datagram.drops {
                self.drops += u64::from(drops.wrapping_sub(self.drops_seen));
                self.drops_seen = drops;
            }
            self.cut += u64::from(datagram.cut);
            let ts_recv = datagram.stamp_ns.unwrap_or_else(|| self.clock.now_ns());
            match datagram.segment_size {
                None => {
                    f(ts_recv, datagram.bytes);
                    count += 1;
                }
                Some(size) => {
                    for segment in datagram.bytes.chunks(size) {
                        f(ts_recv, segment);
                        count += 1;
                    }
                }
            }
        }
        Ok(count)
    }

    pub fn drops(&self) -> u64 {
        self.drops
    }

    pub fn cut(&self) -> u64 {
        self.cut
    }

    pub fn socket(&self) -> &UdpSocket {
        &self.socket
    }

    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }
}
