//! What the log came to, in files that are searched where they lie, so that opening reads neither the whole
//! log nor the whole state. Derived: without them, or with damaged ones, the log alone gives the same answers.
//!
//! ```text
//! 00000000000000051200.tables   the state as of entry 51,200, but for the blocks, which it names
//! 0000000000.blocks             rows and points of the slots 0 to 65,535, written once
//! 0000000016-0...051200.blocks  what trimming left of the next ones, written anew by that checkpoint
//! cold                          lists of the rows that were moved out of the graph
//! graph                         the graph over the rows that were linked when it was written
//! ```

mod blocks;
mod keeper;
mod sections;

pub(crate) use keeper::{Hold, Keeper, Work};
pub(crate) use sections::{Kind, Sections, Writer};

use blocks::{BlocksFile, SUFFIX as BLOCKS_SUFFIX};
use sections::TEMP_SUFFIX;

use std::ops::Range;

use crate::Error;
use crate::disk::Disk;
use crate::state::{Blocks, State};

const TABLES_SUFFIX: &str = ".tables";
/// Name of the graph's file.
pub(crate) const GRAPH: &str = "graph";
/// Name of the cold rows' file.
pub(crate) const COLD: &str = "cold";
/// What was found damaged keeps its bytes under this ending, for whoever wants to know what happened.
const BAD_SUFFIX: &str = ".bad";
/// Sections that are read where they lie and when they are asked for; the others are verified at the start.
const LAZY: std::ops::RangeInclusive<u32> = 200..=299;

/// A checkpoint on disk.
pub(crate) struct Checkpoint {
    pub state: State,
    files: Vec<BlocksFile>,
    /// What was not verified yet.
    pub unverified: Vec<Sections>,
}

fn tables_name(seq: u64) -> String {
    format!("{seq:020}{TABLES_SUFFIX}")
}

/// The newest checkpoint that can be read; why others could not goes to `set_aside`, and they go out of the way.
///
/// # Errors
/// `Newer` or `Io`.
pub(crate) fn latest(
    disk: &dyn Disk,
    set_aside: &mut Vec<String>,
) -> Result<Option<Checkpoint>, Error> {
    for seq in seqs(disk)?.into_iter().rev() {
        let name = tables_name(seq);
        match open(disk, &name) {
            Ok(checkpoint) => return Ok(Some(checkpoint)),
            Err(error @ Error::Corrupt { .. }) => {
                set_aside.push(error.to_string());
                put_aside(disk, &name)?;
            }
            Err(Error::Io { file, source, .. })
                if source.kind() == std::io::ErrorKind::NotFound =>
            {
                set_aside.push(format!("{name} names {file}, which is not there"));
                put_aside(disk, &name)?;
            }
            Err(error) => return Err(error),
        }
    }
    Ok(None)
}

/// Entries at which there are checkpoints, ascending.
fn seqs(disk: &dyn Disk) -> Result<Vec<u64>, Error> {
    let names = disk
        .list()
        .map_err(Error::io("list", "the collection's folder"))?;
    let seqs = names.iter().filter_map(|name| {
        let seq = name.strip_suffix(TABLES_SUFFIX)?.parse().ok()?;
        (*name == tables_name(seq)).then_some(seq)
    });
    let mut seqs: Vec<u64> = seqs.collect();
    seqs.sort_unstable();
    Ok(seqs)
}

/// Keeps a file's bytes and takes its name away.
pub(crate) fn put_aside(disk: &dyn Disk, name: &str) -> Result<(), Error> {
    disk.rename(name, &format!("{name}{BAD_SUFFIX}"))
        .map_err(Error::io("rename", name))
}

fn open(disk: &dyn Disk, name: &str) -> Result<Checkpoint, Error> {
    let tables = Sections::open(disk, Kind::Tables, name)?;
    tables.verify(|kind| !LAZY.contains(&kind))?;
    let files = blocks::named_by(&tables)?;
    let (mut blocks, mut unverified, mut next) = (Vec::new(), vec![tables.clone()], 0);
    for file in &files {
        let sections = Sections::open(disk, Kind::Blocks, &file.name())?;
        let found = Blocks::open(&sections)?;
        if found.len() != file.blocks().len() || file.blocks().start != next {
            return Err(sections.corrupt(0, "these are not the blocks that the tables name"));
        }
        next = file.blocks().end;
        unverified.push(sections);
        blocks.push(found);
    }
    Ok(Checkpoint {
        state: State::thaw(&tables, blocks)?,
        files,
        unverified,
    })
}

/// Reads all that was not verified when it was opened; a file that does not match goes out of the way, so that the next
/// opening does without.
///
/// # Errors
/// `Corrupt` for the first file that does not match.
fn verify(files: &[Sections], disk: &dyn Disk) -> Result<(), Error> {
    for file in files {
        if let Err(error) = file.verify(|_| true) {
            put_aside(disk, file.name())?;
            return Err(error);
        }
    }
    Ok(())
}

impl Checkpoint {
    /// One of a state that is in no file yet.
    pub(crate) fn none(state: State) -> Self {
        Self {
            state,
            files: Vec::new(),
            unverified: Vec::new(),
        }
    }

    /// Writes the state as it is now, and anew what trimming left of blocks below slot `linked`; earlier checkpoints but the last
    /// one go.
    ///
    /// # Errors
    /// `Io`; the checkpoints that were there still are.
    pub(crate) fn write(&mut self, disk: &dyn Disk, linked: u32) -> Result<(), Error> {
        blocks::write_new(&self.state, &mut self.files, disk)?;
        blocks::rewrite(&self.state, &mut self.files, linked, disk)?;
        let name = tables_name(self.state.head_seq());
        let mut file = Writer::create(disk, Kind::Tables, &name)?;
        blocks::name_in(&mut file, &self.files)?;
        self.state.freeze_tables(&mut file)?;
        file.publish(&name)?;
        remove_old(disk)
    }

    /// Which blocks each file has, and how many rows of them.
    fn held(&self) -> impl Iterator<Item = (Range<usize>, usize)> {
        let blocks = self.files.iter().map(BlocksFile::blocks);
        blocks.map(|blocks| (blocks.clone(), self.state.held(blocks)))
    }

    /// The blocks from `first` on, where a file begins there.
    fn blocks_from(&self, disk: &dyn Disk, first: usize) -> Result<Option<Blocks>, Error> {
        let begins = |file: &&BlocksFile| file.blocks().start == first;
        let Some(file) = self.files.iter().find(begins) else {
            return Ok(None);
        };
        Blocks::open(&Sections::open(disk, Kind::Blocks, &file.name())?).map(Some)
    }
}

/// The entry of the last checkpoint that is not behind `seq`.
pub(crate) fn last_seq(disk: &dyn Disk, seq: u64) -> Result<Option<u64>, Error> {
    Ok(seqs(disk)?.into_iter().rev().find(|&at| at <= seq))
}

/// Copies the checkpoint of entry `seq` and the graph, each compared with its checksums, and opens the copy.
///
/// # Errors
/// `Corrupt` or `Io`.
pub(crate) fn copy_files(from: &dyn Disk, to: &dyn Disk, seq: u64) -> Result<Checkpoint, Error> {
    let tables = Sections::open(from, Kind::Tables, &tables_name(seq))?;
    for file in blocks::named_by(&tables)? {
        Sections::open(from, Kind::Blocks, &file.name())?.copy(to)?;
    }
    for (kind, name) in [(Kind::Graph, GRAPH), (Kind::Cold, COLD)] {
        if from.size(name).is_ok() {
            Sections::open(from, kind, name)?.copy(to)?;
        }
    }
    tables.copy(to)?;
    open(to, tables.name())
}

/// Removes checkpoints but the last two, blocks that only they had, and files that were never finished.
fn remove_old(disk: &dyn Disk) -> Result<(), Error> {
    let seqs = seqs(disk)?;
    let old = seqs.iter().rev().skip(2).map(|&seq| tables_name(seq));
    let names = disk
        .list()
        .map_err(Error::io("list", "the collection's folder"))?;
    // Those of this thread alone: the linker may be writing others right now.
    let own = |name: &String| {
        let name = name.strip_suffix(TEMP_SUFFIX);
        name.is_some_and(|name| name.ends_with(TABLES_SUFFIX) || name.ends_with(BLOCKS_SUFFIX))
    };
    let unfinished = names.iter().filter(|name| own(name)).cloned();
    for name in old.chain(unfinished) {
        disk.remove(&name).map_err(Error::io("remove", &name))?;
    }
    blocks::remove_unnamed(disk, &names)
}
