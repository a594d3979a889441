//! The rungs of the ladder: how datagrams come from the kernel into our memory.

use std::fmt;
use std::str::FromStr;

/// How datagrams are taken from the kernel.
///
/// On every rung a payload is read where it first lies in our memory: what differs is how often
/// it was copied on the way there, and how many calls that took.
///
/// | rung | copies | calls | needs |
/// |---|---|---|---|
/// | `recvmmsg` | 1: kernel to arena | one a batch, and one for each look at an empty socket | |
/// | `gro` | 1 | one a batch of up to 64 datagrams each | Linux 5.0 |
/// | `io_uring` | 1: kernel to provided buffer | one a batch, none for a look | Linux 6.1 |
/// | `io_uring_gro` | 1 | as `io_uring`, up to 64 datagrams a buffer | Linux 6.1 |
/// | `af_xdp` | 0 with a driver that can, else 1: frame to shared memory, past the IP stack | none | `CAP_NET_ADMIN`, `CAP_BPF`, Linux 6.1 |
///
/// Before that, in all but a zero-copy driver, the card has written the frame into the kernel's
/// own memory, which is not counted here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Receive {
    /// Many datagrams with one call, one in each slot of the arena.
    #[default]
    Recvmmsg,
    /// The same, and the kernel puts neighbouring datagrams of one sender together (UDP GRO).
    /// They share one receive stamp, the first one's. A lone packet gains nothing.
    Gro,
    /// A request that stays in force fills buffers that we provide; looking costs no call.
    IoUring,
    /// The same, with datagrams put together as for [`Gro`](Self::Gro).
    IoUringGro,
    /// Frames straight from the interface, before the kernel's IP stack. UDP checksums are left
    /// to the card. Stamps are the kernel's clock as its program sees the frame.
    AfXdp,
}

impl Receive {
    /// All rungs, in order.
    pub const ALL: [Self; 5] = [
        Self::Recvmmsg,
        Self::Gro,
        Self::IoUring,
        Self::IoUringGro,
        Self::AfXdp,
    ];

    /// Its name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recvmmsg => "recvmmsg",
            Self::Gro => "gro",
            Self::IoUring => "io_uring",
            Self::IoUringGro => "io_uring_gro",
            Self::AfXdp => "af_xdp",
        }
    }

    pub(super) const fn coalesces(self) -> bool {
        matches!(self, Self::Gro | Self::IoUringGro)
    }

    pub(super) const fn is_ring(self) -> bool {
        matches!(self, Self::IoUring | Self::IoUringGro)
    }

    /// What to try when this one is refused.
    pub(super) const fn below(self) -> Option<Self> {
        match self {
            Self::Recvmmsg => None,
            Self::Gro | Self::IoUring => Some(Self::Recvmmsg),
            Self::IoUringGro | Self::AfXdp => Some(Self::Gro),
        }
    }
}

impl fmt::Display for Receive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Receive {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|rung| rung.name() == name);
        known.ok_or_else(|| {
            let names = Self::ALL.map(Self::name).join(", ");
            format!("no way to receive is named `{name}`; there are {names}")
        })
    }
}
