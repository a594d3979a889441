//! An index as bytes, searched where they lie. `docs/formats/ivf.md` has the byte map.

use std::ops::Range;

use super::block::{Blocks, block_bytes};
use super::centroids::{Centroids, CentroidsView};
use super::fine::FineShape;
use super::index::{Index, Rows};
use super::search::{self, Effort, Found, List, Lists, SearchScratch};
use super::{Settings, Tuning};
use crate::arch::{BLOCK, Kernels};
use crate::graph::Frame;
use crate::{DIM_MAX, Metric};

const MAGIC: &[u8; 8] = b"OUZELIVF";
const VERSION: u32 = 1;
const HEAD: usize = 64;
/// Bytes of a list in the table of lists.
const ENTRY: usize = 16;
/// What the parts begin at multiples of.
const ALIGN: u64 = 64;
/// What the fine codes begin at a multiple of: a page.
const PAGE: u64 = 4096;

/// Why bytes are no segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadIvf {
    /// Not ours, or of a version that this program does not know.
    #[error("the head is not that of lists of version {VERSION}")]
    Unknown,
    /// Lengths or numbers that contradict each other; the bytes are damaged. Take the segment out and
    /// build it anew.
    #[error("the lists contradict themselves: {0}")]
    Damaged(&'static str),
    /// The bytes begin at an odd address; map or copy them to another.
    #[error("the bytes lie at an odd address")]
    Unaligned,
}

/// An index that does not change, over bytes that may be mapped from a file. Only
/// [`fine_range`](Self::fine_range) is read seldom; the rest wants to be in memory.
#[derive(Clone)]
pub struct Segment<B> {
    bytes: B,
    frame: Frame,
    settings: Settings,
    parts: Parts,
    tuning: Option<Tuning>,
    kernels: &'static Kernels,
}

/// How many there are of what, and where it lies.
#[derive(Clone, Debug)]
struct Parts {
    lists: usize,
    rows: usize,
    blocks: usize,
    shape: FineShape,
    table: Range<usize>,
    scales: Range<usize>,
    centroids: Range<usize>,
    codes: Range<usize>,
    hot: Range<usize>,
    fine: Range<usize>,
}

impl Parts {
    /// Nothing when it does not fit an address.
    fn new(dim: usize, shape: FineShape, lists: usize, rows: usize, blocks: usize) -> Option<Self> {
        let padded = dim.next_multiple_of(64);
        let mut end = (HEAD + 4 * dim) as u64;
        let mut part = |count: usize, size: usize, align: u64| -> Option<Range<usize>> {
            let start = end.checked_next_multiple_of(align)?;
            end = start.checked_add((count as u64).checked_mul(size as u64)?)?;
            Some(usize::try_from(start).ok()?..usize::try_from(end).ok()?)
        };
        Some(Self {
            lists,
            rows,
            blocks,
            shape,
            table: part(lists, ENTRY, ALIGN)?,
            scales: part(lists, 8, ALIGN)?,
            centroids: part(lists, padded, ALIGN)?,
            codes: part(lists.div_ceil(BLOCK), block_bytes(padded), ALIGN)?,
            hot: part(blocks, block_bytes(padded), ALIGN)?,
            fine: part(rows, shape.bytes(), PAGE)?,
        })
    }
}

impl Index {
    /// Hands the bytes of the segment to `sink`, piece by piece from the first to the last. Equal indexes
    /// give equal bytes.
    ///
    /// # Panics
    /// With more than 2^32 rows.
    pub fn write(&self, mut sink: impl FnMut(&[u8])) {
        let rows: usize = self.lists.iter().map(|rows| rows.blocks.len()).sum();
        let blocks = self
            .lists
            .iter()
            .map(|rows| rows.blocks.len().div_ceil(BLOCK))
            .sum();
        let shape = self.shape();
        let parts = Parts::new(self.frame.dim(), shape, self.lists.len(), rows, blocks)
            .expect("what is in memory fits an address");
        let mut at = 0;
        let mut put = |start: usize, bytes: &[u8]| {
            // Parts are less than a page apart.
            sink(&[0; PAGE as usize][..start - at]);
            sink(bytes);
            at = start + bytes.len();
        };
        put(0, &self.head(&parts));
        put(parts.table.start, &self.table());
        let view = self.centroids.view();
        put(parts.scales.start, view.scales);
        put(parts.centroids.start, view.rows);
        put(parts.codes.start, view.blocks);
        let mut start = parts.hot.start;
        for rows in &self.lists {
            put(start, rows.blocks.bytes());
            start += rows.blocks.bytes().len();
        }
        let mut start = parts.fine.start;
        for rows in &self.lists {
            put(start, &rows.fine);
            start += rows.fine.len();
        }
    }

    /// All bytes of the segment.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.write(|piece| bytes.extend_from_slice(piece));
        bytes
    }

    fn head(&self, parts: &Parts) -> Vec<u8> {
        let metric = match self.frame.metric() {
            Metric::L2 => 0,
            Metric::Ip => 1,
            Metric::Cosine => 2,
        };
        let seed = self.frame.seed();
        let words = [
            VERSION,
            metric,
            self.frame.dim() as u32,
            self.frame.unit().to_bits(),
            seed as u32,
            (seed >> 32) as u32,
            self.settings.rows_per_list as u32,
            self.settings.bits as u32,
            parts.lists as u32,
            u32::try_from(parts.rows).expect("slots have 32 bits"),
            parts.blocks as u32,
            self.tuning.map_or(0, |tuning| tuning.probes as u32),
            self.tuning.map_or(0, |tuning| tuning.recall.to_bits()),
            0,
        ];
        let mut head = MAGIC.to_vec();
        let centre = self.frame.centre().iter().map(|value| value.to_bits());
        for word in words.into_iter().chain(centre) {
            head.extend_from_slice(&word.to_le_bytes());
        }
        head
    }

    fn table(&self) -> Vec<u8> {
        let (mut block, mut row, mut table) = (0u32, 0u32, Vec::new());
        for rows in &self.lists {
            let count = rows.blocks.len() as u32;
            for word in [block, row, count, rows.spread.to_bits()] {
                table.extend_from_slice(&word.to_le_bytes());
            }
            block += count.div_ceil(BLOCK as u32);
            row += count;
        }
        table
    }

    /// The index that wrote the segment, in memory.
    ///
    /// # Errors
    /// `BadIvf` when a slot is in it twice.
    pub fn of<B: AsRef<[u8]>>(segment: &Segment<B>) -> Result<Self, BadIvf> {
        let padded = segment.frame.padded();
        let mut index = Self {
            frame: segment.frame.clone(),
            settings: segment.settings,
            centroids: Centroids::of(segment.centroids()),
            lists: Vec::with_capacity(segment.parts.lists),
            homes: std::collections::BTreeMap::new(),
            tuning: segment.tuning,
            kernels: segment.kernels,
        };
        for n in 0..segment.parts.lists as u32 {
            let list = Lists::list(segment, n);
            let blocks = Blocks::restored(padded, list.rows, list.blocks);
            for slot in blocks.slots() {
                if index.homes.insert(slot, n).is_some() {
                    return Err(BadIvf::Damaged("a slot is there twice"));
                }
            }
            index.lists.push(Rows {
                spread: blocks.spread(),
                blocks,
                fine: list.fine.to_vec(),
            });
        }
        Ok(index)
    }
}

impl<B: AsRef<[u8]>> Segment<B> {
    /// Takes the bytes as they lie; reads the head and the table of lists.
    ///
    /// There is no checksum: whoever keeps the bytes checks them. Bytes that were damaged all the same
    /// give other answers but never a panic; a slot in them may be any number.
    ///
    /// # Errors
    /// `BadIvf` when they are no segment.
    pub fn open(bytes: B) -> Result<Self, BadIvf> {
        let damaged = BadIvf::Damaged;
        let all = bytes.as_ref();
        if all.len() < HEAD || &all[..8] != MAGIC || word(all, 8) != VERSION {
            return Err(BadIvf::Unknown);
        }
        if all.as_ptr().addr() % 2 != 0 {
            return Err(BadIvf::Unaligned);
        }
        let metric = match word(all, 12) {
            0 => Metric::L2,
            2 => Metric::Cosine,
            _ => return Err(damaged("metric")),
        };
        let (dim, unit) = (word(all, 16) as usize, f32::from_bits(word(all, 20)));
        if !(1..=DIM_MAX).contains(&dim) || !unit.is_normal() || unit < 0.0 {
            return Err(damaged("dimension or unit"));
        }
        let seed = u64::from(word(all, 24)) | u64::from(word(all, 28)) << 32;
        let settings = Settings {
            rows_per_list: word(all, 32) as usize,
            bits: word(all, 36) as usize,
        };
        if !super::WIDTHS.contains(&settings.bits) || settings.rows_per_list == 0 {
            return Err(damaged("width of the fine codes or rows of a list"));
        }
        let shape = FineShape::new(dim.next_multiple_of(64), settings.bits);
        let [lists, rows, blocks] = [40, 44, 48].map(|at| word(all, at) as usize);
        let parts = Parts::new(dim, shape, lists, rows, blocks).ok_or(damaged("counts"))?;
        if lists == 0 || parts.fine.end != all.len() {
            return Err(damaged("length"));
        }
        check_table(all, &parts)?;
        let centre = (0..dim).map(|n| f32::from_bits(word(all, HEAD + 4 * n)));
        let centre: Vec<f32> = centre.collect();
        if crate::check(&centre).is_err() {
            return Err(damaged("centre"));
        }
        Ok(Self {
            frame: Frame::restored(metric, centre, unit, seed),
            settings,
            parts,
            tuning: tuning(all),
            bytes,
            kernels: Kernels::get(),
        })
    }

    /// Rows.
    #[must_use]
    pub fn len(&self) -> usize {
        self.parts.rows
    }

    /// Whether there is no row.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.parts.rows == 0
    }

    /// Lists.
    #[must_use]
    pub fn lists(&self) -> usize {
        self.parts.lists
    }

    /// The slots of all rows, list by list.
    pub fn slots(&self) -> impl Iterator<Item = u32> {
        let padded = self.frame.padded();
        (0..self.parts.lists as u32).flat_map(move |n| {
            let list = Lists::list(self, n);
            let blocks = Blocks::restored(padded, list.rows, list.blocks);
            blocks.slots().collect::<Vec<_>>()
        })
    }

    /// How rows are seen: dimension, metric, rotation.
    #[must_use]
    pub fn frame(&self) -> &Frame {
        &self.frame
    }

    /// What searches were measured to need before the bytes were written.
    #[must_use]
    pub fn tuning(&self) -> Option<Tuning> {
        self.tuning
    }

    /// The bytes that every search reads: those that want to be in memory.
    #[must_use]
    pub fn hot_range(&self) -> Range<usize> {
        0..self.parts.hot.end
    }

    /// The fine codes, of which a search reads a few rows; they begin at a page.
    #[must_use]
    pub fn fine_range(&self) -> Range<usize> {
        self.parts.fine.clone()
    }

    /// As [`Index::search`].
    ///
    /// # Panics
    /// When the query has not the index's dimension.
    #[must_use]
    pub fn search(
        &self,
        query: &[f32],
        k: usize,
        effort: Effort,
        visible: impl Fn(u32) -> bool,
        scratch: &mut SearchScratch,
    ) -> Found {
        search::search(self, query, k, effort, &visible, scratch)
    }

    /// As [`Index::search_reranked`].
    ///
    /// # Panics
    /// When the query or a row has not the index's dimension.
    #[must_use]
    pub fn search_reranked<'r>(
        &self,
        query: &[f32],
        k: usize,
        (effort, depth): (Effort, usize),
        visible: impl Fn(u32) -> bool,
        row: impl Fn(u32) -> &'r [f32],
        scratch: &mut SearchScratch,
    ) -> Found {
        search::search_reranked(self, query, k, (effort, depth), &visible, row, scratch)
    }

    fn part(&self, part: &Range<usize>) -> &[u8] {
        // The bytes of a `B` might not be those that were checked.
        self.bytes.as_ref().get(part.clone()).unwrap_or_default()
    }
}

impl<B: AsRef<[u8]>> Lists for Segment<B> {
    fn frame(&self) -> &Frame {
        &self.frame
    }

    fn kernels(&self) -> &'static Kernels {
        self.kernels
    }

    fn shape(&self) -> FineShape {
        self.parts.shape
    }

    fn centroids(&self) -> CentroidsView<'_> {
        CentroidsView {
            padded: self.frame.padded(),
            count: self.parts.lists,
            rows: self.part(&self.parts.centroids),
            scales: self.part(&self.parts.scales),
            blocks: self.part(&self.parts.codes),
        }
    }

    #[inline]
    fn spread(&self, list: u32) -> f32 {
        let table = self.part(&self.parts.table);
        f32::from_bits(word(table, list as usize * ENTRY + 12))
    }

    #[inline]
    fn list(&self, list: u32) -> List<'_> {
        let parts = &self.parts;
        let entry = self.part(&parts.table);
        let [block, row, count] =
            [0, 4, 8].map(|at| word(entry, list as usize * ENTRY + at) as usize);
        let (size, fine) = (block_bytes(self.frame.padded()), parts.shape.bytes());
        let end = block + count.div_ceil(BLOCK);
        let blocks = self.part(&parts.hot).get(block * size..end * size);
        let fine = self.part(&parts.fine).get(row * fine..(row + count) * fine);
        match (blocks, fine) {
            (Some(blocks), Some(fine)) => List {
                rows: count,
                blocks,
                fine,
            },
            _ => List {
                rows: 0,
                blocks: &[],
                fine: &[],
            },
        }
    }
}

fn tuning(all: &[u8]) -> Option<Tuning> {
    let (probes, recall) = (word(all, 52) as usize, f32::from_bits(word(all, 56)));
    (probes > 0).then_some(Tuning { probes, recall })
}

/// Lists follow each other without a gap.
fn check_table(all: &[u8], parts: &Parts) -> Result<(), BadIvf> {
    let table = all
        .get(parts.table.clone())
        .ok_or(BadIvf::Damaged("length"))?;
    let (mut block, mut row) = (0, 0);
    for entry in table.chunks_exact(ENTRY) {
        let count = word(entry, 8) as usize;
        if word(entry, 0) as usize != block || word(entry, 4) as usize != row {
            return Err(BadIvf::Damaged("table of lists"));
        }
        block += count.div_ceil(BLOCK);
        row += count;
    }
    if (block, row) != (parts.blocks, parts.rows) {
        return Err(BadIvf::Damaged("table of lists"));
    }
    Ok(())
}

/// The word at `at`; 0 behind the end.
#[inline(always)]
fn word(bytes: &[u8], at: usize) -> u32 {
    let word = bytes.get(at..at + 4);
    word.map_or(0, |b| u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}
