//! The index as one block of bytes, to be written to disk and opened where it lies.

use std::ops::Range;
use std::sync::Arc;

use bytes::Bytes;

use super::columns::{long, longs, word, words};
use super::delta::Delta;
use super::index::{Part, TextIndex};
use super::part::PartRef;
use super::segment::{BadSegment, Segment, write};
use super::settings::TextSettings;

const MAGIC: [u8; 8] = *b"OUZTEXTI";
const VERSION: u32 = 1;
const HEADER_BYTES: usize = 16;
const LINE_BYTES: usize = 16;
/// Segments of one index, at most: more than tiers can make of 2^31 texts.
const SEGMENTS_LIMIT: usize = 64;
/// How much larger a segment is than all behind it that could be merged into it.
const TIER_RATIO: u64 = 4;

/// Why bytes are no text index. Build it anew from the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadText {
    /// Not an index at all.
    #[error("these bytes are no text index")]
    Magic,
    /// Written by a later version of this program.
    #[error("version {0} of the text index is newer than this program")]
    Version(u32),
    /// Sizes that do not fit together.
    #[error("the text index is damaged: {0}")]
    Damaged(&'static str),
    /// One of its segments.
    #[error("a segment of the text index cannot be read")]
    Segment(#[from] BadSegment),
}

/// The parts of an index that take no more texts. Cheap to copy out, so that they can be written
/// while the index is used.
#[derive(Clone, Debug)]
pub struct Sealed {
    settings: TextSettings,
    parts: Vec<Part>,
}

impl Sealed {
    /// Writes them as one block, neighbours of like sizes merged.
    #[must_use]
    pub fn freeze(&self) -> Vec<u8> {
        freeze(self.parts.iter().map(Part::view), &self.settings)
    }
}

impl TextIndex {
    /// Writes all of it as one block. To write without holding up those who push, see [`roll`](Self::roll).
    #[must_use]
    pub fn freeze(&self) -> Vec<u8> {
        freeze(self.part_refs(), &self.settings)
    }

    /// Opens a block where it lies; what is pushed from then on stays in memory.
    ///
    /// # Errors
    /// `Version`, `Segment(Settings)` or damage: build the index anew. Checksums are the caller's.
    pub fn open(bytes: Bytes, settings: TextSettings) -> Result<Self, BadText> {
        let fingerprint = settings.fingerprint();
        let mut index = Self::new(settings);
        for range in segment_ranges(&bytes)? {
            let segment = Segment::open(bytes.slice(range), fingerprint)?;
            let (births, deaths) = (segment.births(), segment.deaths());
            let follows = births.first == index.delta.births.next()
                && deaths.first == index.delta.deaths.next();
            if !follows {
                return Err(BadText::Damaged("its segments do not follow each other"));
            }
            let next = (births.first + births.len(), deaths.first + deaths.len());
            index.delta = Delta::starting_at(next.0, next.1);
            index.parts.push(Part::Segment(Arc::new(segment)));
        }
        Ok(index)
    }

    /// Closes the delta and begins another. Costs nothing: with [`sealed`](Self::sealed) and
    /// [`adopt`](Self::adopt) an index is written while it is used.
    ///
    /// ```
    /// # use collection::text::*;
    /// # let mut index = TextIndex::new(TextSettings::default());
    /// # index.push(0, 1, &Analyser::new(&TextSettings::default()).read("halt"));
    /// index.roll();
    /// let sealed = index.sealed();
    /// let bytes = sealed.freeze(); // the long part: needs no lock
    /// let frozen = TextIndex::open(bytes.into(), TextSettings::default())?;
    /// assert!(index.adopt(frozen));
    /// # Ok::<(), BadText>(())
    /// ```
    pub fn roll(&mut self) {
        if !self.delta.is_empty() {
            let next = Delta::starting_at(self.delta.births.next(), self.delta.deaths.next());
            let delta = std::mem::replace(&mut self.delta, next);
            self.parts.push(Part::Delta(Arc::new(delta)));
        }
    }

    /// All parts but the delta.
    #[must_use]
    pub fn sealed(&self) -> Sealed {
        Sealed {
            settings: self.settings.clone(),
            parts: self.parts.clone(),
        }
    }

    /// Takes what was frozen and opened in place of the parts that it was made of. False, with nothing
    /// changed, when it was not made of the first parts of this index.
    pub fn adopt(&mut self, frozen: Self) -> bool {
        let end = frozen.end();
        let of = |count: &usize| self.parts[..*count].last().map_or((0, 0), ends);
        let same = self.settings == frozen.settings && frozen.delta.is_empty();
        let replaced = (0..=self.parts.len()).rev().find(|count| of(count) == end);
        let Some(count) = replaced.filter(|_| same) else {
            return false;
        };
        self.parts.splice(..count, frozen.parts);
        true
    }

    fn end(&self) -> (u32, u32) {
        (self.delta.births.next(), self.delta.deaths.next())
    }
}

fn ends(part: &Part) -> (u32, u32) {
    let (births, deaths) = (part.view().births(), part.view().deaths());
    (births.first + births.len(), deaths.first + deaths.len())
}

/// Which neighbours become one segment, by their sizes: each is then at least four times the next, so
/// that their number grows with the logarithm of the whole, and so does how often a byte is rewritten.
#[must_use]
pub fn tiers(sizes: &[u64]) -> Vec<Range<usize>> {
    let mut groups: Vec<(Range<usize>, u64)> = Vec::new();
    for (at, &size) in sizes.iter().enumerate() {
        let (mut range, mut total) = (at..at + 1, size);
        while let Some((before, _)) =
            groups.pop_if(|(_, before)| *before < total.saturating_mul(TIER_RATIO))
        {
            total = total.saturating_add(sizes[before.clone()].iter().sum());
            range.start = before.start;
        }
        groups.push((range, total));
    }
    groups.into_iter().map(|(range, _)| range).collect()
}

fn freeze<'a>(parts: impl Iterator<Item = PartRef<'a>>, settings: &TextSettings) -> Vec<u8> {
    let parts: Vec<PartRef<'_>> = parts.filter(|part| !part.is_empty()).collect();
    let sizes: Vec<u64> = parts.iter().map(|part| part.size_estimate()).collect();
    let segments: Vec<Bytes> = tiers(&sizes)
        .into_iter()
        .map(|range| match &parts[range] {
            [PartRef::Segment(segment)] => segment.bytes().clone(),
            parts => write(parts, settings.fingerprint()).into(),
        })
        .collect();
    let mut out = Vec::new();
    out.extend_from_slice(&MAGIC);
    for number in [VERSION, segments.len() as u32] {
        out.extend_from_slice(&number.to_le_bytes());
    }
    let mut at = HEADER_BYTES + segments.len() * LINE_BYTES;
    for segment in &segments {
        for number in [at, segment.len()] {
            out.extend_from_slice(&(number as u64).to_le_bytes());
        }
        at = (at + segment.len()).next_multiple_of(8);
    }
    for segment in &segments {
        out.resize(out.len().next_multiple_of(8), 0);
        out.extend_from_slice(segment);
    }
    out
}

fn segment_ranges(bytes: &Bytes) -> Result<Vec<Range<usize>>, BadText> {
    let header = bytes.get(..HEADER_BYTES).ok_or(BadText::Magic)?;
    if header[..8] != MAGIC {
        return Err(BadText::Magic);
    }
    let [version, count] = [2, 3].map(|at| word(words(header), at));
    if version != VERSION {
        return Err(BadText::Version(version));
    }
    let count = count as usize;
    let lines = (count <= SEGMENTS_LIMIT)
        .then(|| bytes.get(HEADER_BYTES..HEADER_BYTES + count * LINE_BYTES))
        .flatten()
        .ok_or(BadText::Damaged("its directory is cut"))?;
    let range = |line: usize| {
        let [at, size] = [0, 1].map(|number| long(longs(lines), line * 2 + number));
        let end = at
            .checked_add(size)
            .filter(|end| *end <= bytes.len() as u64);
        let end = end.ok_or(BadText::Damaged("a segment is past its end"))?;
        Ok(at as usize..end as usize)
    };
    (0..count).map(range).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn tiers_are_few_and_cover_all(sizes in prop::collection::vec(1u64..1_000_000, 0..200)) {
            let tiers = tiers(&sizes);
            let covered: Vec<usize> = tiers.iter().cloned().flatten().collect();
            prop_assert_eq!(covered, (0..sizes.len()).collect::<Vec<_>>());
            let totals: Vec<u64> = tiers.iter().map(|t| sizes[t.clone()].iter().sum()).collect();
            prop_assert!(totals.windows(2).all(|pair| pair[0] >= pair[1] * TIER_RATIO));
            prop_assert!(tiers.len() <= SEGMENTS_LIMIT);
        }
    }
}
