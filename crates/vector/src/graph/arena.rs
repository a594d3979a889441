//! Slots of one size in pieces that never move, each slot at a line of memory.
//!
//! ```text
//! slot: [ header 64 | row D | ids 32 x u32 | add 32 x half | mul 32 x half | codes 4 D ]   D = padded dim
//!                           \------------------------- links ------------------------/
//! ```

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::piece::Piece;

use crate::arch::{BLOCK, Codes, Line, prefetch_lines};
use crate::code::{RowScale, read_signs, write_signs};

/// Slots of one piece.
const PIECE_SLOTS: usize = 4096;
/// Ids and factors before the codes.
const LINKS_HEAD: usize = 4 * BLOCK + 2 * 2 * BLOCK;

/// What a slot says of its vertex.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Header {
    /// Worth of one step of the row's bytes.
    step: f32,
    /// Squared length of the row, see `RowScale::norm`.
    norm: f32,
    /// Links in use, at the front.
    pub count: u32,
    /// Bit `n` is set when link `n` only fills the block: a nearer neighbour leads there as well.
    pub weak: u32,
    /// `DELETED`, `FREE` or 0.
    pub flags: u32,
    /// Links of other vertices that lead here.
    pub links_in: u32,
    reserved: [u32; 10],
}

const _: () = assert!(size_of::<Header>() == 64);

/// The row is not found any more; walks still pass through.
pub(crate) const DELETED: u32 = 1;
/// Nothing leads here and the next row may have the slot.
pub(crate) const FREE: u32 = 2;

impl Header {
    /// Of a vertex without links.
    pub fn new(scale: RowScale) -> Self {
        Self {
            step: scale.step,
            norm: scale.norm,
            ..Self::default()
        }
    }

    /// One link less leads here.
    pub fn lose_link(&mut self) {
        // Only in damaged bytes is there none to lose.
        self.links_in = self.links_in.saturating_sub(1);
    }

    /// What its row needs to be read.
    #[inline]
    pub fn scale(&self) -> RowScale {
        RowScale {
            step: self.step,
            norm: self.norm,
        }
    }
}

/// A vertex's links as they lie in its slot.
#[derive(Clone, Copy)]
pub(crate) struct Links<'a> {
    /// Slots of the neighbours.
    pub ids: &'a [u32; BLOCK],
    /// Their codes and factors.
    pub codes: Codes<'a>,
}

/// One vertex.
#[derive(Clone, Copy)]
pub(crate) struct Slot<'a> {
    pub header: &'a Header,
    pub row: &'a [u8],
    pub links: Links<'a>,
}

/// A copy of a vertex's links, to be changed and put back.
#[derive(Clone)]
pub(crate) struct LinkBlock {
    pub count: u32,
    pub weak: u32,
    lines: Vec<Line>,
}

/// The parts of a [`LinkBlock`] that change.
pub(crate) struct LinksMut<'a> {
    pub ids: &'a mut [u32; BLOCK],
    pub add: &'a mut [u16; BLOCK],
    pub mul: &'a mut [u16; BLOCK],
    pub codes: &'a mut [u8],
}

const WHOLE: &str = "lines are aligned, and the layout cuts them in whole parts";

impl LinkBlock {
    /// No links, for vertices of `padded` components.
    pub fn empty(padded: usize) -> Self {
        Self {
            count: 0,
            weak: 0,
            lines: vec![Line([0; 64]); (LINKS_HEAD + 4 * padded) / 64],
        }
    }

    /// Takes the link at `place` out; the last one gets its place.
    pub fn remove(&mut self, place: usize) {
        let last = self.count as usize - 1;
        let signs = read_signs(self.links().codes.bytes, last);
        let weak = self.weak >> last & 1;
        let links = self.links_mut();
        links.ids[place] = links.ids[last];
        links.add[place] = links.add[last];
        links.mul[place] = links.mul[last];
        write_signs(links.codes, place, &signs);
        self.weak = (self.weak & !(1 << place) | weak << place) & !(1 << last);
        self.count -= 1;
    }

    /// Neighbours.
    pub fn ids(&self) -> &[u32] {
        &self.links().ids[..self.count as usize]
    }

    pub fn links(&self) -> Links<'_> {
        links(self.lines.as_bytes())
    }

    pub fn links_mut(&mut self) -> LinksMut<'_> {
        let (ids, rest) = self.lines.as_mut_bytes().split_at_mut(4 * BLOCK);
        let (add, rest) = rest.split_at_mut(2 * BLOCK);
        let (mul, codes) = rest.split_at_mut(2 * BLOCK);
        LinksMut {
            ids: FromBytes::mut_from_bytes(ids).expect(WHOLE),
            add: FromBytes::mut_from_bytes(add).expect(WHOLE),
            mul: FromBytes::mut_from_bytes(mul).expect(WHOLE),
            codes,
        }
    }
}

#[inline(always)]
fn links(bytes: &[u8]) -> Links<'_> {
    let (ids, rest) = bytes.split_at(4 * BLOCK);
    let (add, rest) = rest.split_at(2 * BLOCK);
    let (mul, codes) = rest.split_at(2 * BLOCK);
    Links {
        ids: FromBytes::ref_from_bytes(ids).expect(WHOLE),
        codes: Codes {
            bytes: codes,
            add: FromBytes::ref_from_bytes(add).expect(WHOLE),
            mul: FromBytes::ref_from_bytes(mul).expect(WHOLE),
        },
    }
}

/// All slots.
pub(crate) struct Arena {
    padded: usize,
    slot_lines: usize,
    count: usize,
    pieces: Vec<Piece>,
}

impl Arena {
    /// No slots, for rows of `padded` components, a multiple of 64.
    pub fn new(padded: usize) -> Self {
        assert!(padded.is_multiple_of(64), "whole lines");
        Self {
            padded,
            slot_lines: (size_of::<Header>() + padded + LINKS_HEAD + 4 * padded) / 64,
            count: 0,
            pieces: Vec::new(),
        }
    }

    /// `count` slots in pieces that were written before; nothing when there are too few or their
    /// size is wrong.
    pub fn restored(padded: usize, count: usize, pieces: Vec<Piece>) -> Option<Self> {
        let arena = Self::new(padded);
        let bytes = PIECE_SLOTS * arena.slot_bytes();
        let is_whole = pieces.iter().all(|piece| piece.bytes().len() == bytes);
        (is_whole && pieces.len() == count.div_ceil(PIECE_SLOTS)).then_some(Self {
            count,
            pieces,
            ..arena
        })
    }

    /// The pieces as they lie.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.pieces.iter().map(Piece::bytes)
    }

    /// Slots there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.count
    }

    /// Bytes of one slot.
    #[inline(always)]
    pub fn slot_bytes(&self) -> usize {
        self.slot_lines * 64
    }

    /// Components of a row.
    #[inline]
    pub fn padded(&self) -> usize {
        self.padded
    }

    /// One more slot, all zeros.
    pub fn grow(&mut self) -> u32 {
        let slot = u32::try_from(self.count).expect("fewer slots than the beam can number");
        if self.count.is_multiple_of(PIECE_SLOTS) {
            let lines = PIECE_SLOTS * self.slot_lines;
            self.pieces.push(Piece::zeroed(lines));
        }
        self.count += 1;
        slot
    }

    /// Stores a row without links.
    pub fn set_row(&mut self, slot: u32, scale: RowScale, row: &[u8]) {
        assert_eq!(row.len(), self.padded, "a padded row");
        let bytes = self.bytes_mut(slot);
        bytes[..64].copy_from_slice(Header::new(scale).as_bytes());
        bytes[64..64 + row.len()].copy_from_slice(row);
    }

    /// What a slot says of its vertex, to be changed.
    pub fn header_mut(&mut self, slot: u32) -> &mut Header {
        FromBytes::mut_from_bytes(&mut self.bytes_mut(slot)[..64]).expect(WHOLE)
    }

    /// All of a slot.
    #[inline(always)]
    pub fn bytes(&self, slot: u32) -> &[u8] {
        let at = slot as usize % PIECE_SLOTS * self.slot_bytes();
        &self.pieces[slot as usize / PIECE_SLOTS].bytes()[at..at + self.slot_bytes()]
    }

    #[inline]
    fn bytes_mut(&mut self, slot: u32) -> &mut [u8] {
        let bytes = self.slot_bytes();
        let at = slot as usize % PIECE_SLOTS * bytes;
        &mut self.pieces[slot as usize / PIECE_SLOTS].bytes_mut()[at..at + bytes]
    }

    /// The vertex at `slot`.
    #[inline(always)]
    pub fn slot(&self, slot: u32) -> Slot<'_> {
        let (header, rest) = self.bytes(slot).split_at(size_of::<Header>());
        let (row, rest) = rest.split_at(self.padded);
        Slot {
            header: FromBytes::ref_from_bytes(header).expect(WHOLE),
            row,
            links: links(rest),
        }
    }

    /// Neighbours of the vertex at `slot`.
    #[inline]
    pub fn neighbours(&self, slot: u32) -> &[u32] {
        let slot = self.slot(slot);
        &slot.links.ids[..(slot.header.count as usize).min(BLOCK)]
    }

    /// The row at `slot` with its scale.
    #[inline(always)]
    pub fn row(&self, slot: u32) -> (&[u8], RowScale) {
        let slot = self.slot(slot);
        (slot.row, slot.header.scale())
    }

    /// Asks for the header and the row of a slot.
    #[inline(always)]
    pub fn prefetch_row(&self, slot: u32) {
        prefetch_lines(&self.bytes(slot)[..size_of::<Header>() + self.padded]);
    }

    /// A copy of a vertex's links.
    pub fn copy_links(&self, slot: u32) -> LinkBlock {
        let header = self.slot(slot).header;
        let mut block = LinkBlock::empty(self.padded);
        block.count = header.count;
        block.weak = header.weak;
        block
            .lines
            .as_mut_bytes()
            .copy_from_slice(&self.bytes(slot)[64 + self.padded..]);
        block
    }

    /// Puts links in place.
    pub fn set_links(&mut self, slot: u32, block: &LinkBlock) {
        let at = 64 + self.padded;
        self.bytes_mut(slot)[at..].copy_from_slice(block.lines.as_bytes());
        let header = self.header_mut(slot);
        header.count = block.count;
        header.weak = block.weak;
    }
}
