//! The cold tier: rows that are asked for least, in lists of few bits a component, most of which stay on disk.
//!
//! When the graph has more rows than it may, the linker moves those of the fewest answers: it writes the lists anew with
//! them, puts the new lists in place, and only then takes the rows out of the graph. So a row is always in one of the two,
//! sometimes in both, and never in none; a search asks both and knows a row it was given twice. A cold row that is in answers
//! again goes back to the graph.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use bytes::Bytes;
use vector::graph::{Alone, Frame};
use vector::ivf::{Effort, Found, Index, SearchScratch, Segment, Settings};

use super::store::Head;
use crate::Error;
use crate::checkpoint::{COLD, Kind, Sections, Writer, put_aside};
use crate::disk::Disk;
use crate::state::{Bits, State, WholeRows};

const HEAD: u32 = 1;
const LISTS: u32 = 2;
/// Recall that probing is measured for.
const TARGET: f32 = 0.985;
/// Answers after which a cold row goes back.
const WARM: u8 = 3;
/// Cold rows whose answers are counted at most.
const COUNTED: usize = 65_536;

/// Cold rows by version slot.
pub(crate) struct Cold {
    segment: Segment<Bytes>,
    /// Those that did not go back to the graph.
    here: Bits,
    count: u64,
    /// Answers that a row was in since the lists were written.
    answers: Mutex<HashMap<u32, u8>>,
}

impl Cold {
    fn open(bytes: Bytes) -> Result<Self, vector::ivf::BadIvf> {
        let segment = Segment::open(bytes)?;
        let mut here = Bits::default();
        segment.slots().for_each(|slot| here.insert(slot));
        Ok(Self {
            count: here.count(),
            segment,
            here,
            answers: Mutex::default(),
        })
    }

    /// Whether the row is cold.
    #[inline]
    pub(crate) fn has(&self, version: u32) -> bool {
        self.here.has(version)
    }

    /// Whether it has versions from `count` on.
    pub(crate) fn reaches(&self, count: u32) -> bool {
        self.segment.slots().any(|slot| slot >= count)
    }

    /// Rows.
    pub(crate) fn len(&self) -> u64 {
        self.count
    }

    /// Bytes that every search reads; the others stay on disk.
    pub(crate) fn resident_bytes(&self) -> usize {
        self.segment.hot_range().len() + self.here.words().len() * 8
    }

    /// The `k` nearest of those for which `passes`, about `share` of all.
    pub(crate) fn search(
        &self,
        query: &[f32],
        k: usize,
        share: f64,
        passes: impl Fn(u32) -> bool,
        scratch: &mut SearchScratch,
    ) -> Found {
        let tuned = self.segment.tuning().map_or(16, |tuning| tuning.probes);
        let probes = (tuned as f64 / share.clamp(1e-3, 1.0)).ceil() as usize;
        let effort = Effort::probes(probes.min(self.segment.lists()));
        let visible = |slot| self.has(slot) && passes(slot);
        self.segment.search(query, k, effort, visible, scratch)
    }

    /// The row was in an answer.
    pub(crate) fn touch(&self, version: u32) {
        // Counting is not worth waiting for.
        if let Ok(mut answers) = self.answers.try_lock()
            && (answers.len() < COUNTED || answers.contains_key(&version))
        {
            let count = answers.entry(version).or_default();
            *count = count.saturating_add(1);
        }
    }

    /// Rows that were in answers often, at most `limit`, smallest first.
    pub(crate) fn warm(&self, limit: usize) -> Vec<u32> {
        let answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
        let warm = answers.iter().filter(|(_, count)| **count >= WARM);
        let mut warm: Vec<u32> = warm.map(|(&version, _)| version).collect();
        warm.sort_unstable();
        warm.truncate(limit);
        warm
    }

    /// These rows are in the graph again.
    pub(crate) fn gone(&mut self, versions: &[u32]) {
        let answers = self
            .answers
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner);
        for &version in versions {
            answers.remove(&version);
            self.count -= u64::from(self.here.has(version));
            self.here.remove(version);
        }
    }
}

/// The lists with `more` rows in them, as bytes.
pub(super) fn grown(
    cold: Option<&Cold>,
    frame: &Frame,
    more: &[u32],
    rows: &WholeRows,
) -> Result<Vec<u8>, Error> {
    let row = |version| rows.row(version);
    let mut index = match cold {
        Some(cold) => {
            let mut index = Index::of(&cold.segment).map_err(|error| corrupt(&error))?;
            let gone: Vec<u32> = cold
                .segment
                .slots()
                .filter(|&slot| !cold.has(slot))
                .collect();
            index.delete(&gone, row);
            index
        }
        None => {
            let sample: Vec<f32> = more.iter().flat_map(|&v| row(v)).copied().collect();
            let settings = Settings::default();
            Index::new(frame.clone(), settings, &sample, more.len(), &Alone)
        }
    };
    index.insert(more, row, &Alone);
    index.tune(TARGET, row, &Alone);
    Ok(index.to_bytes())
}

fn corrupt(error: &dyn std::fmt::Display) -> Error {
    Error::Corrupt {
        file: COLD.to_owned(),
        offset: 0,
        reason: error.to_string(),
    }
}

/// Writes the lists and opens them where they lie; in memory where there is no disk.
pub(super) fn written(
    disk: Option<&dyn Disk>,
    bytes: Vec<u8>,
    state: &Head,
) -> Result<Cold, Error> {
    let Some(disk) = disk else {
        return Cold::open(bytes.into()).map_err(|error| corrupt(&error));
    };
    let mut file = Writer::create(disk, Kind::Cold, COLD)?;
    file.section(HEAD, state.bytes())?;
    file.section(LISTS, &bytes)?;
    drop(bytes);
    file.publish(COLD)?;
    let file = Sections::open(disk, Kind::Cold, COLD)?;
    Cold::open(file.one(LISTS)?).map_err(|error| corrupt(&error))
}

/// Opens the cold rows, if there are any that fit the state, and what is left to verify; others go out of the way, and why to
/// `set_aside`.
///
/// # Errors
/// `Newer` or `Io`.
pub(crate) fn open(
    disk: &dyn Disk,
    state: &State,
    set_aside: &mut Vec<String>,
) -> Result<Option<(Cold, Sections)>, Error> {
    match read(disk, state) {
        Ok(opened) => Ok(Some(opened)),
        Err(Error::Io { source, .. }) if source.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error @ Error::Corrupt { .. }) => {
            set_aside.push(error.to_string());
            put_aside(disk, COLD)?;
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

fn read(disk: &dyn Disk, state: &State) -> Result<(Cold, Sections), Error> {
    let file = Sections::open(disk, Kind::Cold, COLD)?;
    file.verify(|kind| kind != LISTS)?;
    let cold = Cold::open(file.one(LISTS)?).map_err(|error| corrupt(&error))?;
    let fits = Head::fits(&file.one(HEAD)?, state) && cold.segment.frame().dim() == state.dim();
    let most = cold.segment.slots().max();
    if !fits || most.is_some_and(|slot| u64::from(slot) >= state.version_count()) {
        return Err(file.corrupt(0, "these are lists of other rows"));
    }
    Ok((cold, file))
}
