//! A graph's bytes, out and in again: a head that says everything but the slots, and the slots as
//! they lie. `docs/formats/graph.md` has the byte map.

use crate::Metric;
use crate::arch::Kernels;

use super::arena::Arena;
use super::frame::Frame;
use super::marks::Marks;
use super::piece::Piece;
use super::pivots::Pivots;
use super::{Graph, Layout, Settings, Tuning, Width};

const MAGIC: &[u8; 8] = b"OUZGRAPH";
const VERSION: u32 = 2;
/// Bytes before the centre; the first version had no tuning, and no layout but the wide one.
const FIXED: usize = 80;
const FIXED_FIRST: usize = 64;

/// Why bytes are no graph.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadGraph {
    /// Not ours, or of a version that this program does not know.
    #[error("the head is not that of a graph of version {VERSION}")]
    Unknown,
    /// Lengths or numbers that contradict each other; the bytes are damaged.
    #[error("the head or the slots contradict themselves: {0}")]
    Damaged(&'static str),
}

impl Graph {
    /// Everything but the slots.
    #[must_use]
    pub fn head(&self) -> Vec<u8> {
        let deleted: Vec<u32> = self.deleted.iter().collect();
        let metric = match self.metric() {
            Metric::L2 => 0,
            Metric::Ip => 1,
            Metric::Cosine => 2,
        };
        let pivots = self.pivots.slots();
        let mut head = MAGIC.to_vec();
        let mut put = |word: u32| head.extend_from_slice(&word.to_le_bytes());
        put(VERSION);
        put(metric);
        put(self.frame.dim() as u32);
        put(self.frame.unit().to_bits());
        put(self.frame.seed() as u32);
        put((self.frame.seed() >> 32) as u32);
        put(self.settings.ef_construct as u32);
        put(self.settings.candidates as u32);
        put(self.settings.alpha.to_bits());
        for count in [self.slots(), pivots.len(), self.free.len(), deleted.len()] {
            put(count as u32);
        }
        put(match self.settings.layout {
            Layout::Wide => 0,
            Layout::Compact(Width::Four) => 4,
            Layout::Compact(Width::Eight) => 8,
        });
        let tuned = self
            .tuning
            .map(|t| [t.depth, t.recall.to_bits(), t.rows, 0]);
        tuned.unwrap_or_default().into_iter().for_each(&mut put);
        self.frame
            .centre()
            .iter()
            .for_each(|value| put(value.to_bits()));
        let lists = [pivots, &self.free, &deleted];
        lists.into_iter().flatten().for_each(|&slot| put(slot));
        head
    }

    /// The slots as they lie, piece by piece; what is behind the last slot of the last is zero.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> {
        self.arena.pieces()
    }

    /// A graph from its head and its pieces, which it takes over.
    ///
    /// # Errors
    /// `BadGraph` when the head is not one or does not fit the pieces: build it anew. Neither holds
    /// a checksum; what was read back is checked by whoever wrote it.
    pub fn open(head: &[u8], pieces: Vec<Piece>) -> Result<Self, BadGraph> {
        let damaged = BadGraph::Damaged;
        let is_ours = head.len() >= FIXED_FIRST && &head[..8] == MAGIC;
        let fixed = match is_ours.then(|| word(head, 8)) {
            Some(1) => FIXED_FIRST,
            Some(VERSION) if head.len() >= FIXED => FIXED,
            _ => return Err(BadGraph::Unknown),
        };
        let layout = match word(head, 60) {
            0 => Layout::Wide,
            4 => Layout::Compact(Width::Four),
            8 => Layout::Compact(Width::Eight),
            _ => return Err(damaged("layout")),
        };
        let metric = match word(head, 12) {
            0 => Metric::L2,
            1 => Metric::Ip,
            2 => Metric::Cosine,
            _ => return Err(damaged("metric")),
        };
        let dim = word(head, 16) as usize;
        let counts: [usize; 4] = std::array::from_fn(|n| word(head, 44 + 4 * n) as usize);
        let [slots, pivots, free, deleted] = counts;
        if dim == 0 || dim > crate::DIM_MAX || slots >= 1 << 30 {
            return Err(damaged("dimension or number of slots"));
        }
        if head.len() != fixed + 4 * (dim + pivots + free + deleted) {
            return Err(damaged("length of the head"));
        }
        let words: Vec<u32> = (fixed..head.len())
            .step_by(4)
            .map(|at| word(head, at))
            .collect();
        let (centre, lists) = words.split_at(dim);
        if lists.iter().any(|&slot| slot as usize >= slots) {
            return Err(damaged("a slot that does not exist"));
        }
        let floats = |words: &[u32]| words.iter().map(|&bits| f32::from_bits(bits)).collect();
        let seed = u64::from(word(head, 24)) | u64::from(word(head, 28)) << 32;
        let unit = f32::from_bits(word(head, 20));
        let frame = Frame::restored(metric, floats(centre), unit, seed);
        let padded = frame.padded();
        let arena = Arena::restored((padded, layout), slots, pieces);
        let arena = arena.ok_or(damaged("number of pieces"))?;
        let tuning = (fixed == FIXED && word(head, 64) > 0).then(|| Tuning {
            depth: word(head, 64),
            recall: f32::from_bits(word(head, 68)),
            rows: word(head, 72),
        });
        let (pivot_slots, lists) = lists.split_at(pivots);
        let (free, deleted) = lists.split_at(free);
        let mut marks = Marks::default();
        deleted.iter().for_each(|&slot| marks.set(slot, true));
        let kernels = Kernels::get();
        Ok(Self {
            settings: Settings {
                ef_construct: word(head, 32) as usize,
                candidates: word(head, 36) as usize,
                alpha: f32::from_bits(word(head, 40)),
                layout,
            },
            pivots: Pivots::restored(kernels, pivot_slots, &arena),
            frame,
            arena,
            deleted: marks,
            free: free.to_vec(),
            tuning,
            kernels,
        })
    }
}

fn word(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]])
}
