//! Memory of some slots: our own, or a file's that was mapped privately, so that changes stay here.

use std::fmt;

use memmap2::MmapMut;
use zerocopy::{FromZeros, IntoBytes};

use crate::arch::Line;

/// Bytes that start at a line of memory.
pub struct Piece(Kind);

enum Kind {
    Owned(Vec<Line>),
    /// Private: the pages that are written to become copies of this process.
    Mapped(MmapMut),
}

impl Piece {
    /// Zeros.
    pub(super) fn zeroed(lines: usize) -> Self {
        Self(Kind::Owned(
            Line::new_vec_zeroed(lines).expect("memory for one more piece"),
        ))
    }

    /// A copy of `bytes`, filled with zeros to a whole number of lines.
    #[must_use]
    pub fn copied(bytes: &[u8]) -> Self {
        let mut piece = Self::zeroed(bytes.len().div_ceil(64));
        piece.bytes_mut()[..bytes.len()].copy_from_slice(bytes);
        piece
    }

    /// Bytes of a file as they are mapped, which must be privately; `None` where they do not start at a line, as
    /// pages do.
    #[must_use]
    pub fn mapped(map: MmapMut) -> Option<Self> {
        let starts_at_line = (map.as_ptr() as usize).is_multiple_of(64);
        starts_at_line.then_some(Self(Kind::Mapped(map)))
    }

    /// All bytes.
    #[inline(always)]
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match &self.0 {
            Kind::Owned(lines) => lines.as_bytes(),
            Kind::Mapped(map) => map,
        }
    }

    #[inline(always)]
    pub(super) fn bytes_mut(&mut self) -> &mut [u8] {
        match &mut self.0 {
            Kind::Owned(lines) => lines.as_mut_bytes(),
            Kind::Mapped(map) => map,
        }
    }
}

impl fmt::Debug for Piece {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.0 {
            Kind::Owned(_) => "owned",
            Kind::Mapped(_) => "mapped",
        };
        write!(f, "Piece({kind}, {} bytes)", self.bytes().len())
    }
}
