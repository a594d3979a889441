//! The postings of a term in a segment.

use bitpacking::{BitPacker, BitPacker4x};

use super::super::columns::{put_varint, skip_varints, take, take_word, words};
use super::super::cursor::Block;
use super::super::delta::BLOCK;
use super::super::impacts::Impacts;
use super::Entry;

/// Bytes of a line of a list's directory.
pub(super) const LINE: usize = 20;

/// A term's list where it lies.
#[derive(Clone, Copy, Debug)]
pub(in crate::text) struct SegmentList<'a> {
    births: u32,
    /// Of the segment.
    slots: u32,
    /// Deaths, from the segment's first, ascending.
    deaths: &'a [[u8; 4]],
    /// A line a block; empty for a list of one block that is not full.
    directory: &'a [[u8; LINE]],
    blocks: &'a [u8],
    places: &'a [u8],
}

/// A line of a list's directory.
struct Line {
    last: u32,
    block_end: u32,
    places_end: u32,
    impacts: [u8; 8],
}

impl<'a> SegmentList<'a> {
    pub(super) fn new(
        entry: &Entry,
        slots: u32,
        mut list: &'a [u8],
        places: &'a [u8],
    ) -> Option<Self> {
        let deaths = take(&mut list, entry.deaths as usize * 4)?;
        let lines = match entry.births as usize {
            births if births < BLOCK => 0,
            births => births.div_ceil(BLOCK),
        };
        let directory = take(&mut list, lines * LINE)?;
        (entry.births <= slots).then_some(Self {
            births: entry.births,
            slots,
            deaths: words(deaths),
            directory: directory.as_chunks().0,
            blocks: list,
            places,
        })
    }

    pub(in crate::text) fn births(&self) -> u32 {
        self.births
    }

    pub(in crate::text) fn deaths(&self) -> &'a [[u8; 4]] {
        self.deaths
    }

    /// The last birth of a block; where there is no directory, the last possible.
    #[inline]
    pub(in crate::text) fn last(&self, block: usize) -> u32 {
        match self.line(block) {
            Some(line) => line.last,
            None => self.slots.saturating_sub(1),
        }
    }

    /// `None` where there is no directory.
    #[inline]
    pub(in crate::text) fn impacts(&self, block: usize) -> Option<Impacts> {
        Some(Impacts::from_bytes(self.line(block)?.impacts))
    }

    /// Reads a block; leaves it empty where bytes cannot be one.
    pub(in crate::text) fn load(&self, block: usize, out: &mut Block) {
        out.len = self.read(block, out).unwrap_or(0);
    }

    fn read(&self, block: usize, out: &mut Block) -> Option<usize> {
        let before = block.checked_sub(1).and_then(|at| self.line(at));
        let start = before.as_ref().map_or(0, |line| line.block_end as usize);
        let end = self
            .line(block)
            .map_or(self.blocks.len(), |l| l.block_end as usize);
        let mut bytes = self.blocks.get(start..end)?;
        let before = before.map(|line| line.last);
        let left = (self.births as usize).checked_sub(block * BLOCK)?;
        if left < BLOCK {
            read_varints(&mut bytes, before, &mut out.slots[..left], &mut out.counts)?;
        } else {
            read_packed(&mut bytes, before, out)?;
        }
        let len = left.min(BLOCK);
        let (slots, counts) = (&out.slots[..len], &mut out.counts[..len]);
        // Counts are stored less one; more than this many cannot be.
        counts
            .iter_mut()
            .for_each(|c| *c = (*c).min(u32::from(u16::MAX)) + 1);
        let last = *slots.last()?;
        let ascends = before.is_none_or(|before| before < slots[0]) && slots[0] <= last;
        (ascends && last < self.slots).then_some(len)
    }

    /// The places of a block's postings, and what follows them.
    pub(in crate::text) fn places(&self, block: usize) -> &'a [u8] {
        let before = block.checked_sub(1).and_then(|at| self.line(at));
        let start = before.map_or(0, |line| line.places_end as usize);
        self.places.get(start..).unwrap_or_default()
    }

    #[inline]
    fn line(&self, block: usize) -> Option<Line> {
        let line = self.directory.get(block)?;
        let (numbers, impacts) = line.split_at(12);
        let numbers = words(numbers);
        Some(Line {
            last: u32::from_le_bytes(numbers[0]),
            block_end: u32::from_le_bytes(numbers[1]),
            places_end: u32::from_le_bytes(numbers[2]),
            impacts: *impacts.as_array()?,
        })
    }
}

fn read_varints(
    bytes: &mut &[u8],
    before: Option<u32>,
    slots: &mut [u32],
    counts: &mut [u32],
) -> Option<()> {
    let mut next = before.map_or(Some(0), |before| before.checked_add(1))?;
    for (slot, count) in slots.iter_mut().zip(counts) {
        *slot = next.checked_add(take_word(bytes)?)?;
        *count = take_word(bytes)?;
        next = slot.checked_add(1)?;
    }
    Some(())
}

fn read_packed(bytes: &mut &[u8], before: Option<u32>, out: &mut Block) -> Option<()> {
    let packer = BitPacker4x::new();
    let [slot_bits, count_bits] = *take(bytes, 2)?.as_array()?;
    let slots = take(bytes, packed_size(slot_bits)?)?;
    let counts = take(bytes, packed_size(count_bits)?)?;
    packer.decompress_strictly_sorted(before, slots, &mut out.slots, slot_bits);
    packer.decompress(counts, &mut out.counts, count_bits);
    Some(())
}

fn packed_size(bits: u8) -> Option<usize> {
    (bits <= 32).then(|| BitPacker4x::compressed_block_size(bits))
}

/// Appends a block: packed when it is full, else as variable-length numbers.
pub(super) fn put_block(before: Option<u32>, block: &Block, out: &mut Vec<u8>) {
    let len = block.len;
    let mut counts = [0; BLOCK];
    for (less, count) in counts.iter_mut().zip(&block.counts[..len]) {
        *less = count.saturating_sub(1);
    }
    if len < BLOCK {
        // Wrapping: the numbers of a damaged segment that is merged need not ascend.
        let mut next = before.map_or(0, |before| before.wrapping_add(1));
        for (slot, less) in block.slots[..len].iter().zip(counts) {
            put_varint(u64::from(slot.wrapping_sub(next)), out);
            put_varint(u64::from(less), out);
            next = slot.wrapping_add(1);
        }
        return;
    }
    let packer = BitPacker4x::new();
    let slot_bits = packer.num_bits_strictly_sorted(before, &block.slots);
    let count_bits = packer.num_bits(&counts);
    out.extend_from_slice(&[slot_bits, count_bits]);
    let mut packed = [0; BLOCK * 4];
    let size = packer.compress_strictly_sorted(before, &block.slots, &mut packed, slot_bits);
    out.extend_from_slice(&packed[..size]);
    let size = packer.compress(&counts, &mut packed, count_bits);
    out.extend_from_slice(&packed[..size]);
}

/// Appends a line of the directory.
///
/// # Panics
/// When the list of one term passes 4 GiB.
pub(super) fn put_line(
    last: u32,
    block_end: usize,
    places_end: usize,
    impacts: Impacts,
    out: &mut Vec<u8>,
) {
    let within = |end: usize| u32::try_from(end).expect("no term of a shard fills 4 GiB");
    for number in [last, within(block_end), within(places_end)] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    out.extend_from_slice(&impacts.to_bytes());
}

/// How many bytes of `places` the next `count` are.
pub(super) fn places_size(places: &[u8], count: u32) -> usize {
    skip_varints(places, u64::from(count))
}
