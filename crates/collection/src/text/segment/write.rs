//! Parts of the index that follow each other, written as one segment: sealing is to write one delta,
//! merging is to write several segments.

use super::super::columns::put_varint;
use super::super::cursor::{Block, List};
use super::super::delta::BLOCK;
use super::super::events::{EventLog, Events};
use super::super::impacts::Impacts;
use super::super::part::{PartRef, SortedTerms};
use super::lists::{places_size, put_block, put_line};
use super::{GROUP, HEADER_BYTES, MAGIC, VERSION};

/// A part's list of a term, and how its numbers become those of the segment.
struct Piece<'a> {
    list: List<'a>,
    births: Events<'a>,
    slot_shift: u32,
    death_shift: u32,
}

/// Writes neighbours as one segment.
///
/// # Panics
/// When there are none, or a dictionary would pass 4 GiB.
pub(in crate::text) fn write(parts: &[PartRef<'_>], fingerprint: u32) -> Vec<u8> {
    let first = parts.first().expect("a segment is made of something");
    let (slot, death) = (first.births().first, first.deaths().first);
    let mut births = EventLog::starting_at(slot);
    let mut deaths = EventLog::starting_at(death);
    let mut walks = Vec::with_capacity(parts.len());
    for part in parts {
        let shifts = (births.next() - slot, deaths.next() - death);
        births.extend(&part.births());
        deaths.extend(&part.deaths());
        walks.push((part.births(), shifts, SortedTerms::new(*part)));
    }
    let mut lists = Lists::default();
    let mut pieces = Vec::new();
    while let Some(term) = walks.iter().filter_map(|(.., walk)| walk.term()).min() {
        let term = term.to_vec();
        pieces.clear();
        for (births, (slot_shift, death_shift), walk) in &mut walks {
            if walk.term() == Some(&term) {
                pieces.extend(walk.list().map(|list| Piece {
                    list,
                    births: *births,
                    slot_shift: *slot_shift,
                    death_shift: *death_shift,
                }));
                walk.advance();
            }
        }
        lists.term(&term, &pieces);
    }
    lists.segment(fingerprint, &births.view(), &deaths.view())
}

/// The sections that hold terms, as they grow.
#[derive(Default)]
struct Lists {
    count: u32,
    offsets: Vec<[u8; 4]>,
    dictionary: Vec<u8>,
    lists: Vec<u8>,
    places: Vec<u8>,
    last_term: Vec<u8>,
    directory: Vec<u8>,
    blocks: Vec<u8>,
}

impl Lists {
    fn term(&mut self, term: &[u8], pieces: &[Piece<'_>]) {
        let (list_at, places_at) = (self.lists.len(), self.places.len());
        let mut deaths = 0u32;
        for piece in pieces {
            piece.list.each_death(|death| {
                let death = death.wrapping_add(piece.death_shift);
                self.lists.extend_from_slice(&death.to_le_bytes());
                deaths += 1;
            });
        }
        let births = self.postings(pieces);
        if births > 0 || deaths > 0 {
            self.entry(term, births, deaths, (list_at, places_at));
        } else {
            self.lists.truncate(list_at);
        }
    }

    /// Appends blocks, regrouped, and says how many postings they hold.
    fn postings(&mut self, pieces: &[Piece<'_>]) -> u32 {
        self.directory.clear();
        self.blocks.clear();
        let places_at = self.places.len();
        let (mut taken, mut block) = (Block::default(), Block::default());
        let (mut births, mut before, mut impacts) = (0, None, Impacts::default());
        for piece in pieces {
            for at in 0..piece.list.blocks() {
                piece.list.load(at, &mut taken);
                let mut places = piece.list.places(at);
                for (&slot, &count) in taken.slots[..taken.len].iter().zip(&taken.counts) {
                    let (own, rest) = places.split_at(places_size(places, count));
                    self.places.extend_from_slice(own);
                    places = rest;
                    impacts.add(count, piece.births.length(slot));
                    block.push(slot.wrapping_add(piece.slot_shift), count);
                    births += 1;
                    if block.len == BLOCK {
                        self.flush(&mut block, &mut before, &mut impacts, places_at);
                    }
                }
            }
        }
        if block.len > 0 {
            self.flush(&mut block, &mut before, &mut impacts, places_at);
        }
        if births as usize >= BLOCK {
            self.lists.extend_from_slice(&self.directory);
        }
        self.lists.extend_from_slice(&self.blocks);
        births
    }

    fn flush(
        &mut self,
        block: &mut Block,
        before: &mut Option<u32>,
        impacts: &mut Impacts,
        places_at: usize,
    ) {
        put_block(*before, block, &mut self.blocks);
        let last = block.slots[block.len - 1];
        let places_end = self.places.len() - places_at;
        put_line(
            last,
            self.blocks.len(),
            places_end,
            *impacts,
            &mut self.directory,
        );
        (*before, *impacts, block.len) = (Some(last), Impacts::default(), 0);
    }

    fn entry(&mut self, term: &[u8], births: u32, deaths: u32, from: (usize, usize)) {
        if self.count.is_multiple_of(GROUP as u32) {
            let offset = u32::try_from(self.dictionary.len());
            let offset = offset.expect("a dictionary of 4 GiB is past every limit of texts");
            self.offsets.push(offset.to_le_bytes());
            for at in [from.0, from.1] {
                self.dictionary
                    .extend_from_slice(&(at as u64).to_le_bytes());
            }
            self.last_term.clear();
        }
        let same = self.last_term.iter().zip(term).take_while(|(a, b)| a == b);
        let shared = same.count().min(usize::from(u8::MAX));
        let rest = &term[shared..];
        self.dictionary
            .extend_from_slice(&[shared as u8, rest.len() as u8]);
        self.dictionary.extend_from_slice(rest);
        let sizes = [self.lists.len() - from.0, self.places.len() - from.1];
        for number in [births as usize, deaths as usize, sizes[0], sizes[1]] {
            put_varint(number as u64, &mut self.dictionary);
        }
        self.last_term.clear();
        self.last_term.extend_from_slice(term);
        self.count += 1;
    }

    fn segment(self, fingerprint: u32, births: &Events<'_>, deaths: &Events<'_>) -> Vec<u8> {
        let sizes = [&self.dictionary, &self.lists, &self.places].map(Vec::len);
        let mut out = Vec::with_capacity(HEADER_BYTES + sizes.iter().sum::<usize>());
        out.extend_from_slice(&MAGIC);
        let numbers = [
            VERSION,
            fingerprint,
            births.first,
            births.len(),
            deaths.first,
            deaths.len(),
            births.seqs.len() as u32,
            deaths.seqs.len() as u32,
            self.count,
            0,
        ];
        numbers
            .iter()
            .for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
        sizes
            .iter()
            .for_each(|&size| out.extend_from_slice(&(size as u64).to_le_bytes()));
        out.resize(HEADER_BYTES, 0);
        for events in [births, deaths] {
            out.extend_from_slice(events.seqs.as_flattened());
            out.extend_from_slice(events.totals.as_flattened());
            out.extend_from_slice(events.ends.as_flattened());
            out.extend_from_slice(events.lengths.as_flattened());
        }
        out.extend_from_slice(self.offsets.as_flattened());
        out.extend_from_slice(&self.dictionary);
        out.extend_from_slice(&self.lists);
        out.extend_from_slice(&self.places);
        out
    }
}
