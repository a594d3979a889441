//! The files of blocks that tables name. A file is written once; when trimming has given up most of what it has, the next
//! checkpoint writes what is left under another name, and the old one goes when no tables that are kept name it.

use std::collections::HashSet;
use std::ops::Range;

use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, little_endian as le};

use super::{Kind, Sections, Writer, seqs, tables_name};
use crate::Error;
use crate::disk::Disk;
use crate::state::{BLOCK_SLOTS, State};

pub(super) const SUFFIX: &str = ".blocks";
/// Blocks of a file at most: what is put in place, and written anew, at once.
const FILE_BLOCKS: u32 = 16;
/// Bytes that a checkpoint writes anew, about: it goes on at the next.
const REWRITTEN_BYTES: u64 = 64 << 20;
/// Section of the tables: the files of blocks that belong to them, and how format 1 said it.
const FILES: u32 = 101;
const FILES_1: u32 = 100;

/// A file of blocks, as the tables name it.
#[derive(Clone, Copy, Debug, FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct BlocksFile {
    first: le::U32,
    count: le::U32,
    /// The entry of the checkpoint that wrote it anew; 0 of one that has all its rows.
    seq: le::U64,
}

impl BlocksFile {
    fn new(blocks: Range<u32>, seq: u64) -> Self {
        Self {
            first: blocks.start.into(),
            count: (blocks.end - blocks.start).into(),
            seq: seq.into(),
        }
    }

    /// Its name.
    pub fn name(&self) -> String {
        let (first, seq) = (self.first.get(), self.seq.get());
        if seq == 0 {
            format!("{first:010}{SUFFIX}")
        } else {
            format!("{first:010}-{seq:020}{SUFFIX}")
        }
    }

    /// Which blocks it has.
    pub fn blocks(&self) -> Range<usize> {
        let first = self.first.get() as usize;
        first..first.saturating_add(self.count.get() as usize)
    }
}

/// The files that tables name.
///
/// # Errors
/// `Corrupt` when the list is not whole.
pub(super) fn named_by(tables: &Sections) -> Result<Vec<BlocksFile>, Error> {
    let broken = || tables.corrupt(0, "the list of files is not whole");
    if let Some(files) = tables.all(FILES).next() {
        let files = <[BlocksFile]>::ref_from_bytes(&files).map_err(|_| broken())?;
        return Ok(files.to_vec());
    }
    let files = tables.one(FILES_1)?;
    let pairs = <[[le::U32; 2]]>::ref_from_bytes(&files).map_err(|_| broken())?;
    let files = pairs.iter().map(|&[first, count]| BlocksFile {
        first,
        count,
        seq: 0.into(),
    });
    Ok(files.collect())
}

/// Writes the list into tables.
pub(super) fn name_in(tables: &mut Writer<'_>, files: &[BlocksFile]) -> Result<(), Error> {
    tables.section(FILES, files.as_bytes())
}

/// Writes the whole blocks that no file has yet.
pub(super) fn write_new(
    state: &State,
    files: &mut Vec<BlocksFile>,
    disk: &dyn Disk,
) -> Result<(), Error> {
    let whole = state.whole_blocks() as u32;
    let mut first = files.last().map_or(0, |file| file.blocks().end as u32);
    while first < whole {
        let end = whole.min(first + FILE_BLOCKS);
        let file = BlocksFile::new(first..end, 0);
        let mut to = Writer::create(disk, Kind::Blocks, &file.name())?;
        for at in file.blocks() {
            state.freeze_block(at, &mut to)?;
        }
        to.publish(&file.name())?;
        files.push(file);
        first = end;
    }
    Ok(())
}

/// Writes anew what is left of files that have lost more than half of their rows, as much as one checkpoint may; only of slots
/// below `linked`, whose rows the graph on disk has.
pub(super) fn rewrite(
    state: &State,
    files: &mut Vec<BlocksFile>,
    linked: u32,
    disk: &dyn Disk,
) -> Result<(), Error> {
    let mut written = 0;
    let mut at = 0;
    while at < files.len() && written < REWRITTEN_BYTES {
        let blocks = files[at].blocks();
        let is_linked = blocks.end * BLOCK_SLOTS <= linked as usize;
        if !is_linked || state.kept(blocks.clone()) * 2 >= state.held(blocks.clone()) {
            at += 1;
            continue;
        }
        let mut parts = Vec::new();
        for first in blocks.clone().step_by(FILE_BLOCKS as usize) {
            let end = blocks.end.min(first + FILE_BLOCKS as usize);
            let file = BlocksFile::new(first as u32..end as u32, state.head_seq());
            let mut to = Writer::create(disk, Kind::Blocks, &file.name())?;
            for at in file.blocks() {
                state.freeze_kept(at, &mut to)?;
            }
            written += to.size_bytes();
            to.publish(&file.name())?;
            parts.push(file);
        }
        let count = parts.len();
        files.splice(at..=at, parts);
        at += count;
    }
    Ok(())
}

/// Removes the files that no tables name.
pub(super) fn remove_unnamed(disk: &dyn Disk, names: &[String]) -> Result<(), Error> {
    let mut named = HashSet::new();
    for seq in seqs(disk)? {
        let tables = Sections::open(disk, Kind::Tables, &tables_name(seq));
        match tables.and_then(|tables| named_by(&tables)) {
            Ok(files) => named.extend(files.iter().map(BlocksFile::name)),
            // Who cannot be read may need any of them.
            Err(_) => return Ok(()),
        }
    }
    for name in names {
        if is_ours(name) && !named.contains(name) {
            disk.remove(name).map_err(Error::io("remove", name))?;
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    let Some(numbers) = name.strip_suffix(SUFFIX) else {
        return false;
    };
    let (first, seq) = numbers.split_once('-').unwrap_or((numbers, "0"));
    match (first.parse::<u32>(), seq.parse::<u64>()) {
        (Ok(first), Ok(seq)) => BlocksFile::new(first..first, seq).name() == name,
        _ => false,
    }
}
