//! The graph as a file, searched where it lies: pages that the linker changes become this process's own, and the file
//! stays what it was. Byte map: `docs/formats/checkpoint.md`.

use vector::graph::{Graph, Piece};
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, little_endian as le};

use super::{BATCH_SLOTS, Dense, Linked};
use crate::Error;
use crate::checkpoint::{GRAPH, Kind, Sections, Writer, put_aside};
use crate::disk::Disk;
use crate::state::State;

const NAME: &str = GRAPH;
const HEAD: u32 = 1;
const GRAPH_HEAD: u32 = 2;
const VERSIONS: u32 = 3;
const PIECE: u32 = 4;

/// Which rows the graph has.
#[derive(FromBytes, IntoBytes, Immutable, KnownLayout)]
#[repr(C)]
pub(super) struct Head {
    linked: le::U32,
    /// crc32 of the whole row of the last version linked: a graph of other rows does not fit. 0 where trimming gave it back.
    row_crc: le::U32,
    /// The entry of that version.
    seq: le::U64,
}

impl Head {
    /// As bytes.
    pub fn bytes(&self) -> &[u8] {
        self.as_bytes()
    }

    /// Whether these bytes were made of this state.
    pub fn fits(bytes: &[u8], state: &State) -> bool {
        let Ok(said) = Self::ref_from_bytes(bytes) else {
            return false;
        };
        let linked = said.linked.get();
        if linked == 0 || u64::from(linked) > state.version_count() {
            return false;
        }
        let own = Self::of(state, linked);
        let crcs = [said.row_crc.get(), own.row_crc.get()];
        // Given back since one of them was written, it is not compared.
        let is_same_row = crcs[0] == crcs[1] || crcs.contains(&0);
        is_same_row && said.seq == own.seq
    }

    /// Of a graph that has the first `linked` rows.
    pub fn of(state: &State, linked: u32) -> Self {
        let last = linked - 1;
        let row = state.has_row(last).then(|| state.row(last));
        Self {
            linked: linked.into(),
            row_crc: row.map_or(0, |row| crc32fast::hash(row.as_bytes())).into(),
            seq: state.seq_from(last).into(),
        }
    }
}

/// The graph's file, its slots not verified yet.
pub(crate) struct Opened {
    pub linked: Linked,
    file: Sections,
}

/// Opens the graph if there is one that fits the state; one that does not goes out of the way, and why to `set_aside`.
///
/// # Errors
/// `Newer` or `Io`.
pub(crate) fn open(
    disk: &dyn Disk,
    state: &State,
    set_aside: &mut Vec<String>,
) -> Result<Option<Opened>, Error> {
    match read(disk, state) {
        Ok(opened) => Ok(Some(opened)),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error @ Error::Corrupt { .. }) => {
            set_aside.push(error.to_string());
            put_aside(disk, NAME)?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn read(disk: &dyn Disk, state: &State) -> Result<Opened, Error> {
    let file = Sections::open(disk, Kind::Graph, NAME)?;
    file.verify(|kind| kind != PIECE)?;
    let misfit = |reason: &str| file.corrupt(0, reason);
    let said = file.one(HEAD)?;
    if !Head::fits(&said, state) {
        return Err(misfit(
            "it is the graph of other rows, or of rows that are not there",
        ));
    }
    let said = Head::ref_from_bytes(&said).map_err(|_| misfit("the bytes of the head"))?;
    let count = said.linked.get();
    if !count.is_multiple_of(BATCH_SLOTS) {
        return Err(misfit("it links part of a batch"));
    }
    let pieces: Result<Vec<Piece>, Error> = file
        .places(PIECE)
        .map(|(offset, len)| {
            let piece = disk.map_private(NAME, offset, len);
            piece.map_err(Error::io("map", NAME))
        })
        .collect();
    let graph = Graph::open(&file.one(GRAPH_HEAD)?, pieces?);
    let graph = graph.map_err(|error| misfit(&error.to_string()))?;
    let versions: Vec<u32> = file
        .one(VERSIONS)?
        .chunks_exact(4)
        .map(|slot| u32::from_le_bytes(slot.try_into().expect("four bytes")))
        .collect();
    let frame = graph.frame();
    let fits = frame.dim() == state.dim() && frame.metric() == state.metric();
    let is_inside = |&version: &u32| version < count || version == u32::MAX;
    if !fits || versions.len() != graph.slots() || !versions.iter().all(is_inside) {
        return Err(misfit("dimension, metric or slots"));
    }
    let linked = Linked::new(graph, versions, count);
    Ok(Opened { linked, file })
}

impl Opened {
    /// The graph, and what is left to verify.
    pub(crate) fn split(self) -> (Linked, Sections) {
        (self.linked, self.file)
    }
}

/// Whether a file is what was written; one that is not goes out of the way.
///
/// # Errors
/// `Io` when it cannot be renamed.
pub(super) fn verify(file: &Sections, disk: &dyn Disk) -> Result<bool, Error> {
    let is_whole = file.verify(|_| true).is_ok();
    if !is_whole {
        put_aside(disk, file.name())?;
    }
    Ok(is_whole)
}

/// Writes the graph, whose rows are durable. Nobody else changes it meanwhile; `between` is called between pieces, when
/// nothing is locked.
///
/// # Errors
/// `Io`; the graph that was there still is.
pub(super) fn write(
    disk: &dyn Disk,
    dense: &Dense,
    head: &Head,
    between: impl Fn(),
) -> Result<(), Error> {
    let mut file = Writer::create(disk, Kind::Graph, NAME)?;
    file.section(HEAD, head.as_bytes())?;
    let with = |put: &mut dyn FnMut(&Linked) -> Result<(), Error>| {
        let linked = dense.read();
        linked.as_ref().map_or(Ok(()), put)
    };
    let mut pieces = 0;
    with(&mut |linked| {
        pieces = linked.graph.pieces().count();
        file.section(GRAPH_HEAD, &linked.graph.head())?;
        file.section(VERSIONS, linked.versions.as_bytes())
    })?;
    for at in 0..pieces {
        between();
        with(&mut |linked| {
            // Never missing: pieces are only added, and by the thread that writes here.
            let piece = linked.graph.pieces().nth(at);
            file.section(PIECE, piece.unwrap_or_default())
        })?;
    }
    file.publish(NAME)
}
