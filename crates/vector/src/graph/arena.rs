//! Slots of one size in pieces that never move, each slot at a line of memory.
//!
//! ```text
//! slot: [ header 64 | row D | ids 32 x u32 | add 32 x half | mul 32 x half | codes 4 D ]   D = padded dim
//!                           \------------------------- links ------------------------/
//! compact: [ header 64 | row D or D / 2 | ids 32 x u32 | to a whole line ]
//! ```

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout};

use super::layout::{Layout, Row, Width};
use super::piece::Piece;

use crate::arch::{BLOCK, Codes, Line, prefetch_lines};
use crate::code::{RowScale, read_signs, write_signs};

/// Slots of one piece.
const PIECE_SLOTS: usize = 4096;
/// Ids of the neighbours.
const IDS: usize = 4 * BLOCK;
/// Ids and factors before the codes.
const LINKS_HEAD: usize = IDS + 2 * 2 * BLOCK;

/// What a slot says of its vertex.
#[derive(Clone, Copy, Debug, Default, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(crate) struct Header {
    /// Worth of one step of the row.
    step: f32,
    /// Squared length of the row, see `RowScale::norm` and `NibbleScale::squared`.
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
    /// Their codes and factors; of a compact slot nothing.
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

/// The codes of a [`LinkBlock`].
pub(crate) struct CodesMut<'a> {
    pub add: &'a mut [u16; BLOCK],
    pub mul: &'a mut [u16; BLOCK],
    pub bytes: &'a mut [u8],
}

const WHOLE: &str = "lines are aligned, and the layout cuts them in whole parts";

impl LinkBlock {
    /// No links of a vertex of the arena.
    pub fn empty(arena: &Arena) -> Self {
        Self {
            count: 0,
            weak: 0,
            lines: vec![Line([0; 64]); arena.link_bytes().div_ceil(64)],
        }
    }

    /// Takes the link at `place` out; the last one gets its place.
    pub fn remove(&mut self, place: usize) {
        let last = self.count as usize - 1;
        let signs = read_signs(self.links().codes.bytes, last);
        let weak = self.weak >> last & 1;
        if let Some(codes) = self.codes_mut() {
            codes.add[place] = codes.add[last];
            codes.mul[place] = codes.mul[last];
            write_signs(codes.bytes, place, &signs);
        }
        let ids = self.ids_mut();
        ids[place] = ids[last];
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

    pub fn ids_mut(&mut self) -> &mut [u32; BLOCK] {
        FromBytes::mut_from_bytes(&mut self.lines.as_mut_bytes()[..IDS]).expect(WHOLE)
    }

    /// The codes; nothing of a compact slot.
    pub fn codes_mut(&mut self) -> Option<CodesMut<'_>> {
        let rest = &mut self.lines.as_mut_bytes()[IDS..];
        if rest.len() < LINKS_HEAD {
            return None;
        }
        let (add, rest) = rest.split_at_mut(2 * BLOCK);
        let (mul, bytes) = rest.split_at_mut(2 * BLOCK);
        Some(CodesMut {
            add: FromBytes::mut_from_bytes(add).expect(WHOLE),
            mul: FromBytes::mut_from_bytes(mul).expect(WHOLE),
            bytes,
        })
    }
}

/// The factors of no codes.
static NOTHING: [u16; BLOCK] = [0; BLOCK];

#[inline(always)]
fn links(bytes: &[u8]) -> Links<'_> {
    let (ids, rest) = bytes.split_at(IDS);
    let ids = FromBytes::ref_from_bytes(ids).expect(WHOLE);
    if rest.len() < LINKS_HEAD {
        let codes = Codes {
            bytes: &[],
            add: &NOTHING,
            mul: &NOTHING,
        };
        return Links { ids, codes };
    }
    let (add, rest) = rest.split_at(2 * BLOCK);
    let (mul, codes) = rest.split_at(2 * BLOCK);
    Links {
        ids,
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
    layout: Layout,
    slot_lines: usize,
    count: usize,
    pieces: Vec<Piece>,
}

impl Arena {
    /// No slots, for rows of `padded` components, a multiple of 64.
    pub fn new(padded: usize, layout: Layout) -> Self {
        assert!(padded.is_multiple_of(64), "whole lines");
        let links = if layout.is_coded() {
            LINKS_HEAD + 4 * padded
        } else {
            IDS
        };
        let bytes = size_of::<Header>() + layout.width().bytes(padded) + links;
        Self {
            padded,
            layout,
            slot_lines: bytes.div_ceil(64),
            count: 0,
            pieces: Vec::new(),
        }
    }

    /// `count` slots in pieces that were written before; nothing when there are too few or their
    /// size is wrong.
    pub fn restored(
        (padded, layout): (usize, Layout),
        count: usize,
        pieces: Vec<Piece>,
    ) -> Option<Self> {
        let arena = Self::new(padded, layout);
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

    /// How rows are kept.
    #[inline(always)]
    pub fn width(&self) -> Width {
        self.layout.width()
    }

    #[inline(always)]
    fn row_bytes(&self) -> usize {
        self.width().bytes(self.padded)
    }

    fn link_bytes(&self) -> usize {
        self.slot_bytes() - size_of::<Header>() - self.row_bytes()
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
        assert_eq!(row.len(), self.row_bytes(), "a padded row");
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
        let (row, rest) = rest.split_at(self.row_bytes());
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
    pub fn row(&self, slot: u32) -> Row<'_> {
        let slot = self.slot(slot);
        (slot.row, slot.header.scale())
    }

    /// Asks for the ids of a slot's neighbours.
    #[inline(always)]
    pub fn prefetch_ids(&self, slot: u32) {
        let at = size_of::<Header>() + self.row_bytes();
        prefetch_lines(&self.bytes(slot)[at..at + IDS]);
    }

    /// Asks for the header and the row of a slot.
    #[inline(always)]
    pub fn prefetch_row(&self, slot: u32) {
        prefetch_lines(&self.bytes(slot)[..size_of::<Header>() + self.row_bytes()]);
    }

    /// A copy of a vertex's links.
    pub fn copy_links(&self, slot: u32) -> LinkBlock {
        let header = self.slot(slot).header;
        let mut block = LinkBlock::empty(self);
        block.count = header.count;
        block.weak = header.weak;
        let links = &self.bytes(slot)[64 + self.row_bytes()..];
        block.lines.as_mut_bytes()[..links.len()].copy_from_slice(links);
        block
    }

    /// Puts links in place.
    pub fn set_links(&mut self, slot: u32, block: &LinkBlock) {
        let (at, len) = (64 + self.row_bytes(), self.link_bytes());
        self.bytes_mut(slot)[at..].copy_from_slice(&block.lines.as_bytes()[..len]);
        let header = self.header_mut(slot);
        header.count = block.count;
        header.weak = block.weak;
    }
}
