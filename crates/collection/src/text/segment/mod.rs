//! Immutable, compressed stretches of the index: bytes that are searched where they lie.
//!
//! The byte map is `docs/formats/text-segment.md`. Bytes may come from a mapped file. Their checksums
//! are the caller's to check; here damage is found where it would be read out of bounds: [`Segment::open`]
//! checks all sizes, and whatever lies inside a list that cannot be right reads as absent.

mod dictionary;
mod lists;
mod write;

use std::ops::Range;

use bytes::Bytes;

use super::columns::{longs, take, word, words};
use super::events::Events;
use dictionary::Dictionary;

pub(super) use dictionary::{Entries, Entry};
pub(super) use lists::SegmentList;
pub(super) use write::write;

const MAGIC: [u8; 8] = *b"OUZTEXTS";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 80;
/// A dictionary's entries between two that are written in full.
const GROUP: usize = 16;

/// Why bytes are no segment of this index. Rebuild the index from the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadSegment {
    /// Not a segment at all.
    #[error("these bytes are no text segment")]
    Magic,
    /// Written by a later version of this program.
    #[error("version {0} of text segments is newer than this program")]
    Version(u32),
    /// Texts were read by other settings.
    #[error("the text segment was written with other text settings")]
    Settings,
    /// Sizes that do not fit together.
    #[error("the text segment is damaged: {0}")]
    Damaged(&'static str),
}

/// A stretch of births and one of deaths, with the terms of their texts.
#[derive(Clone, Debug)]
pub struct Segment {
    bytes: Bytes,
    births: EventColumns,
    deaths: EventColumns,
    entry_count: u32,
    group_offsets: Range<usize>,
    dictionary: Range<usize>,
    lists: Range<usize>,
    places: Range<usize>,
}

#[derive(Clone, Debug)]
struct EventColumns {
    first: u32,
    seqs: Range<usize>,
    ends: Range<usize>,
    totals: Range<usize>,
    lengths: Range<usize>,
}

impl Segment {
    /// Takes bytes as a segment. Cheap: reads the header.
    ///
    /// # Errors
    /// Says why they are none.
    pub(super) fn open(bytes: Bytes, fingerprint: u32) -> Result<Self, BadSegment> {
        let header = bytes.get(..HEADER_BYTES).ok_or(BadSegment::Magic)?;
        if header[..8] != MAGIC {
            return Err(BadSegment::Magic);
        }
        let number = |at: usize| word(words(header), at / 4);
        if number(8) != VERSION {
            return Err(BadSegment::Version(number(8)));
        }
        if number(12) != fingerprint {
            return Err(BadSegment::Settings);
        }
        let size = |at: usize| u64::from(number(at)) | u64::from(number(at + 4)) << 32;
        let mut sections = Sections(HEADER_BYTES as u64);
        let births = EventColumns::of([number(16), number(20), number(32)], &mut sections);
        let deaths = EventColumns::of([number(24), number(28), number(36)], &mut sections);
        let entry_count = number(40);
        let groups = (entry_count as usize).div_ceil(GROUP);
        let segment = Self {
            births,
            deaths,
            entry_count,
            group_offsets: sections.next(groups as u64 * 4),
            dictionary: sections.next(size(48)),
            lists: sections.next(size(56)),
            places: sections.next(size(64)),
            bytes: bytes.clone(),
        };
        if sections.0 != bytes.len() as u64 {
            return Err(BadSegment::Damaged("its size is not that of its sections"));
        }
        let past_end = |first: u32, count: u32| first.checked_add(count).is_none();
        if past_end(number(16), number(20)) || past_end(number(24), number(28)) {
            return Err(BadSegment::Damaged("its slots are past the last possible"));
        }
        Ok(segment)
    }

    pub(super) fn births(&self) -> Events<'_> {
        self.births.view(&self.bytes)
    }

    pub(super) fn deaths(&self) -> Events<'_> {
        self.deaths.view(&self.bytes)
    }

    pub(super) fn find(&self, term: &str) -> Option<SegmentList<'_>> {
        self.list(&self.entries().find(term.as_bytes())?)
    }

    /// The terms, ascending.
    pub(super) fn entries(&self) -> Dictionary<'_> {
        Dictionary {
            count: self.entry_count,
            offsets: words(&self.bytes[self.group_offsets.clone()]),
            bytes: &self.bytes[self.dictionary.clone()],
        }
    }

    /// The list that an entry of the dictionary leads to.
    pub(super) fn list(&self, entry: &Entry) -> Option<SegmentList<'_>> {
        let section = |section: &Range<usize>, at: u64, size: u64| {
            let mut bytes = self.bytes[section.clone()].get(usize::try_from(at).ok()?..)?;
            take(&mut bytes, usize::try_from(size).ok()?)
        };
        SegmentList::new(
            entry,
            self.births().len(),
            section(&self.lists, entry.list_at, entry.list_size)?,
            section(&self.places, entry.places_at, entry.places_size)?,
        )
    }

    pub(super) fn bytes(&self) -> &Bytes {
        &self.bytes
    }
}

impl EventColumns {
    fn of([first, count, runs]: [u32; 3], sections: &mut Sections) -> Self {
        Self {
            first,
            seqs: sections.next(u64::from(runs) * 8),
            totals: sections.next(Events::totals_count(count as usize) as u64 * 8),
            ends: sections.next(u64::from(runs) * 4),
            lengths: sections.next(u64::from(count) * 4),
        }
    }

    fn view<'a>(&self, bytes: &'a Bytes) -> Events<'a> {
        Events {
            first: self.first,
            seqs: longs(&bytes[self.seqs.clone()]),
            ends: words(&bytes[self.ends.clone()]),
            totals: longs(&bytes[self.totals.clone()]),
            lengths: words(&bytes[self.lengths.clone()]),
        }
    }
}

/// Where the next section begins.
struct Sections(u64);

impl Sections {
    /// Sections past the end of memory end there: the size of all is then not that of the bytes.
    fn next(&mut self, size: u64) -> Range<usize> {
        let start = self.0;
        self.0 = start.saturating_add(size);
        start as usize..self.0 as usize
    }
}
