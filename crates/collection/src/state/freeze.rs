//! The state as sections of files, and from them again. Byte map: `docs/formats/checkpoint.md`.

use std::sync::Arc;

use vector::Metric;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, little_endian as le};

use super::arena::{self, Arena, BlockRows};
use super::bits::Bits;
use super::column::Column;
use super::ids::Ids;
use super::known::KnownOrder;
use super::points::{self, Block, Points};
use super::turns::Turns;
use super::versions::{Horizon, InOrder, Versions};
use super::{BLOCK_SLOTS, State};
use crate::Error;
use crate::checkpoint::{Sections, Writer};
use crate::payload::{BadIndex, PayloadIndex};
use crate::text::{BadText, TextIndex, TextReader, TextRules};

const HEAD: u32 = 1;
const SEQ_FROM: u32 = 2;
const SEQ_TO: u32 = 3;
const KNOWN_AT: u32 = 4;
const KNOWN_TO: u32 = 5;
const EVENT_AT: u32 = 6;
const OWNERS: u32 = 7;
const LIVE: u32 = 8;
const IDS: u32 = 9;
const TURN_ENDS: u32 = 10;
const TURNS: u32 = 11;
/// Also in files of blocks, where there is one of each a block.
const ROWS: u32 = 12;
const POINT_ENDS: u32 = 13;
const POINTS: u32 = 14;
const FORGOTTEN: u32 = 15;
const DEATHS: u32 = 16;
/// In files of blocks that were written anew, one of each a block: whose rows and points are there.
const KEPT: u32 = 17;
/// Absent where they are the default.
const TEXT_RULES: u32 = 18;
/// Read where it lies and when it is asked for.
const PAYLOAD: u32 = 200;
const TEXT: u32 = 201;

/// What the tables begin with.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
struct Head {
    seq: le::U64,
    dim: le::U32,
    /// 1 squared Euclidean, 2 inner product, 3 cosine.
    metric: le::U32,
    versions: le::U64,
    live: le::U64,
    known_latest: le::U64,
    is_known_out_of_order: le::U32,
    /// The same of all ops, deletions among them.
    are_ops_out_of_order: le::U32,
    op_latest: le::U64,
    text_bytes: le::U64,
    /// crc32 of the body of entry `seq`.
    entry_crc: le::U32,
    zero_2: le::U32,
    horizon_known: le::U64,
    horizon_seq: le::U64,
}

/// Whole blocks of a file.
pub(crate) struct Blocks {
    rows: Vec<BlockRows>,
    points: Vec<Block>,
}

impl Blocks {
    /// The blocks that a file has.
    ///
    /// # Errors
    /// `Corrupt` when a block is not whole.
    pub(crate) fn open(file: &Sections) -> Result<Self, Error> {
        let ends_and_points = file.all(POINT_ENDS).zip(file.all(POINTS));
        let points: Option<Vec<Block>> = ends_and_points
            .map(|(ends, points)| Block::open(ends, points))
            .collect();
        let mut kept = file.all(KEPT).fuse();
        let rows = file.all(ROWS).map(|rows| BlockRows {
            rows,
            kept: kept.next(),
        });
        // Points that are not whole are none, and then there are not as many as rows.
        let (rows, points) = (rows.collect::<Vec<_>>(), points.unwrap_or_default());
        if rows.is_empty() || rows.len() != points.len() {
            return Err(file.corrupt(0, "a block is not whole"));
        }
        Ok(Self { rows, points })
    }

    pub(crate) fn len(&self) -> usize {
        self.rows.len()
    }

    /// Whether what these blocks lack, the first of them being block `at`, is all `gone`.
    fn lacks_only(&self, at: usize, gone: impl Fn(u32) -> bool) -> bool {
        let mut blocks = (at..).zip(&self.rows);
        blocks.all(|(at, block)| Arena::lacks_only(at, block, &gone))
    }
}

impl State {
    /// Blocks of slots that are all taken.
    pub(crate) fn whole_blocks(&self) -> usize {
        self.versions.len() / BLOCK_SLOTS
    }

    /// Writes rows and points of a whole block.
    pub(crate) fn freeze_block(&self, at: usize, file: &mut Writer<'_>) -> Result<(), Error> {
        self.freeze_slots(
            (at * BLOCK_SLOTS) as u32..((at + 1) * BLOCK_SLOTS) as u32,
            file,
        )
    }

    /// Writes what trimming left of a whole block.
    pub(crate) fn freeze_kept(&self, at: usize, file: &mut Writer<'_>) -> Result<(), Error> {
        let slots = (at * BLOCK_SLOTS) as u32..((at + 1) * BLOCK_SLOTS) as u32;
        let is_kept = |slot| !self.versions.is_forgotten.has(slot);
        let kept = slots.clone().filter(|&slot| is_kept(slot));
        let rows: Vec<f32> = kept.flat_map(|slot| self.row(slot)).copied().collect();
        file.section(ROWS, rows.as_bytes())?;
        let (ends, points) = points::freeze(&self.versions.points, slots.clone(), is_kept);
        file.section(POINT_ENDS, &ends)?;
        file.section(POINTS, &points)?;
        let mut bits = vec![0u8; BLOCK_SLOTS / 8];
        for (place, slot) in slots.enumerate() {
            bits[place / 8] |= u8::from(is_kept(slot)) << (place % 8);
        }
        file.section(KEPT, &bits)
    }

    /// Versions of some blocks that were not forgotten.
    pub(crate) fn kept(&self, blocks: std::ops::Range<usize>) -> usize {
        let slots = (blocks.start * BLOCK_SLOTS) as u32..(blocks.end * BLOCK_SLOTS) as u32;
        slots
            .filter(|&slot| !self.versions.is_forgotten.has(slot))
            .count()
    }

    /// Versions of some blocks whose rows are there.
    pub(crate) fn held(&self, blocks: std::ops::Range<usize>) -> usize {
        self.arena.held(blocks)
    }

    /// Writes everything but whole blocks.
    pub(crate) fn freeze_tables(&self, file: &mut Writer<'_>) -> Result<(), Error> {
        let versions = &self.versions;
        let (op_latest, ops_broken, deaths) = self.known.parts();
        let head = Head {
            seq: self.head_seq.into(),
            dim: (self.dim() as u32).into(),
            metric: metric_number(self.metric).into(),
            versions: (versions.len() as u64).into(),
            live: versions.live_count.into(),
            known_latest: versions.in_order.latest.into(),
            is_known_out_of_order: u32::from(versions.in_order.is_broken).into(),
            are_ops_out_of_order: u32::from(ops_broken).into(),
            op_latest: op_latest.into(),
            text_bytes: self.text_bytes.into(),
            entry_crc: self.entry_crc.into(),
            zero_2: 0.into(),
            horizon_known: versions.horizon.known.into(),
            horizon_seq: versions.horizon.seq.into(),
        };
        file.section(HEAD, head.as_bytes())?;
        file.section_of(SEQ_FROM, versions.seq_from.parts())?;
        file.section(SEQ_TO, versions.seq_to.as_bytes())?;
        file.section_of(KNOWN_AT, versions.known_at.parts())?;
        file.section(KNOWN_TO, versions.known_to.as_bytes())?;
        file.section_of(EVENT_AT, versions.event_at.parts())?;
        file.section_of(OWNERS, versions.owners.parts())?;
        file.section(LIVE, versions.live.words().as_bytes())?;
        file.section(FORGOTTEN, versions.is_forgotten.words().as_bytes())?;
        file.section(IDS, &versions.ids.freeze())?;
        let (ends, turns) = versions.turns.freeze();
        file.section(TURN_ENDS, &ends)?;
        file.section(TURNS, &turns)?;
        file.section(DEATHS, deaths.as_bytes())?;
        let rules = self.reader.rules.to_bytes();
        if !rules.is_empty() {
            file.section(TEXT_RULES, &rules)?;
        }
        let damaged = |error: BadIndex| Error::Damaged {
            what: error.to_string(),
        };
        file.section(PAYLOAD, &self.payload.freeze().map_err(damaged)?)?;
        file.section(TEXT, &self.text.freeze())?;
        let rest = self.whole_blocks() * BLOCK_SLOTS..versions.len();
        self.freeze_slots(rest.start as u32..rest.end as u32, file)
    }

    fn freeze_slots(
        &self,
        slots: std::ops::Range<u32>,
        file: &mut Writer<'_>,
    ) -> Result<(), Error> {
        file.section(ROWS, self.arena.rows(slots.clone()))?;
        let (ends, points) = points::freeze(&self.versions.points, slots, |_| true);
        file.section(POINT_ENDS, &ends)?;
        file.section(POINTS, &points)
    }

    /// The state that tables and blocks say. The sections of the tables were verified.
    ///
    /// # Errors
    /// `Corrupt` when they do not fit each other.
    pub(crate) fn thaw(tables: &Sections, blocks: Vec<Blocks>) -> Result<Self, Error> {
        let misfit = |what: &str| tables.corrupt(0, &format!("{what} do not fit"));
        let head = tables.one(HEAD)?;
        let head = Head::ref_from_bytes(&head).map_err(|_| misfit("the bytes of the head"))?;
        let versions = thaw_versions(tables, head)?;
        let (mut rows, mut whole) = (Vec::new(), Vec::new());
        for blocks in blocks {
            if !blocks.lacks_only(rows.len(), |slot| versions.is_forgotten.has(slot)) {
                return Err(misfit("blocks that lack rows which nobody gave back"));
            }
            rows.extend(blocks.rows);
            whole.extend(blocks.points);
        }
        let mut tail = Vec::new();
        let (ends, points) = (tables.one(POINT_ENDS)?, tables.one(POINTS)?);
        let mut from = 0;
        for end in ends.chunks_exact(8) {
            let end = u64::from_le_bytes(end.try_into().expect("eight bytes")) as usize;
            let point = points.get(from..end).map(crate::codec::read_point);
            let Some(Ok(point)) = point else {
                return Err(misfit("points"));
            };
            tail.push(Arc::new(point));
            from = end;
        }
        let dim = head.dim.get() as usize;
        let floats: Vec<f32> = tables
            .one(ROWS)?
            .chunks_exact(4)
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("four bytes")))
            .collect();
        let rules = tables.all(TEXT_RULES).next();
        // No section is the default, as no bytes are.
        let rules = TextRules::from_bytes(rules.as_deref().unwrap_or_default());
        let rules = rules.ok_or_else(|| misfit("the rules of texts"))?;
        let is_whole = dim > 0 && floats.len() == tail.len() * dim;
        let arena = is_whole.then(|| Arena::open(dim, rows, &floats)).flatten();
        let state = Self {
            metric: metric(head.metric.get()).ok_or_else(|| misfit("the metric"))?,
            head_seq: head.seq.get(),
            versions: Versions {
                points: Points::open(whole, tail),
                ..versions
            },
            arena: arena.ok_or_else(|| misfit("rows"))?,
            text: thaw_text(tables, &rules)?,
            reader: Arc::new(TextReader::new(rules)),
            payload: thaw_payload(tables)?,
            known: KnownOrder::from_parts(
                head.op_latest.get(),
                head.are_ops_out_of_order.get() != 0,
                numbers(&tables.one(DEATHS)?),
            ),
            text_bytes: head.text_bytes.get(),
            entry_crc: head.entry_crc.get(),
        };
        let slots = state.versions.len();
        if state.versions.points.len() != slots || state.payload.len() as usize != slots {
            return Err(misfit("points, payloads and versions"));
        }
        Ok(state)
    }

    /// Puts the next blocks of a file in the place of what memory has of the same slots; what that was comes back, to be
    /// dropped where nobody waits.
    pub(crate) fn map_blocks(&mut self, blocks: Blocks) -> Old {
        let at = self.versions.points.block_count();
        Old {
            _rows: self.arena.map(at, blocks.rows),
            _points: self.versions.points.map(blocks.points),
            _blocks: Vec::new(),
        }
    }

    /// Puts a file's blocks, written anew, in the place of those from block `at` on; what that was comes back, to be dropped
    /// where nobody waits. Only where all that they lack was forgotten here too.
    pub(crate) fn map_again(&mut self, at: usize, blocks: Blocks) -> Option<Old> {
        let is_forgotten = |slot| self.versions.is_forgotten.has(slot);
        let is_here = at + blocks.len() <= self.mapped_blocks();
        if !is_here || !blocks.lacks_only(at, is_forgotten) {
            return None;
        }
        let rows = self.arena.map(at, blocks.rows);
        let points = self.versions.points.map_again(at, blocks.points);
        Some(Old {
            _rows: rows,
            _points: Vec::new(),
            _blocks: points,
        })
    }

    /// Blocks that lie in files.
    pub(crate) fn mapped_blocks(&self) -> usize {
        self.versions.points.block_count()
    }
}

/// Memory on its way out.
pub(crate) struct Old {
    _rows: Vec<arena::Block>,
    _points: Vec<Arc<crate::Point>>,
    _blocks: Vec<Block>,
}

fn thaw_payload(tables: &Sections) -> Result<PayloadIndex, Error> {
    let misfit = |error: BadIndex| tables.corrupt(0, &error.to_string());
    PayloadIndex::open(tables.one(PAYLOAD)?).map_err(misfit)
}

fn thaw_text(tables: &Sections, rules: &TextRules) -> Result<TextIndex, Error> {
    let misfit = |error: BadText| tables.corrupt(0, &error.to_string());
    TextIndex::open(tables.one(TEXT)?, rules.reading.clone()).map_err(misfit)
}

fn numbers(bytes: &[u8]) -> Vec<u64> {
    let words = bytes.chunks_exact(8);
    let words = words.map(|word| u64::from_le_bytes(word.try_into().expect("eight bytes")));
    words.collect()
}

fn thaw_versions(tables: &Sections, head: &Head) -> Result<Versions, Error> {
    let misfit = |what: &str| tables.corrupt(0, &format!("{what} do not fit"));
    let count = head.versions.get() as usize;
    let column = |kind| Column::<u64>::open(tables.one(kind)?).ok_or_else(|| misfit("columns"));
    let copied = |kind| Ok(numbers(&tables.one(kind)?));
    let is_forgotten = Bits::from_words(copied(FORGOTTEN)?);
    let versions = Versions {
        horizon: Horizon {
            known: head.horizon_known.get(),
            seq: head.horizon_seq.get(),
        },
        forgotten: is_forgotten.iter().collect(),
        is_forgotten,
        ids: Ids::open(tables.one(IDS)?).ok_or_else(|| misfit("ids"))?,
        turns: Turns::open(tables.one(TURN_ENDS)?, tables.one(TURNS)?)
            .ok_or_else(|| misfit("turns"))?,
        points: Points::default(),
        owners: Column::open(tables.one(OWNERS)?).ok_or_else(|| misfit("owners"))?,
        seq_from: column(SEQ_FROM)?,
        seq_to: copied(SEQ_TO)?,
        known_at: column(KNOWN_AT)?,
        known_to: copied(KNOWN_TO)?,
        event_at: column(EVENT_AT)?,
        live: Bits::from_words(copied(LIVE)?),
        live_count: head.live.get(),
        in_order: InOrder {
            latest: head.known_latest.get(),
            is_broken: head.is_known_out_of_order.get() != 0,
        },
        ..Versions::default()
    };
    let counts = [
        versions.owners.len(),
        versions.seq_from.len(),
        versions.seq_to.len(),
        versions.known_at.len(),
        versions.known_to.len(),
        versions.event_at.len(),
    ];
    if counts.iter().any(|&len| len != count) || versions.live.count() != head.live.get() {
        return Err(misfit("versions and columns"));
    }
    Ok(versions)
}

fn metric_number(metric: Metric) -> u32 {
    match metric {
        Metric::L2 => 1,
        Metric::Ip => 2,
        Metric::Cosine => 3,
    }
}

fn metric(number: u32) -> Option<Metric> {
    match number {
        1 => Some(Metric::L2),
        2 => Some(Metric::Ip),
        3 => Some(Metric::Cosine),
        _ => None,
    }
}
