//! The text index of a collection: sealed parts and the delta that grows behind them.

use std::sync::Arc;

use vector::Hit;

use super::cursor::{Cursor, List};
use super::delta::Delta;
use super::events::Events;
use super::explain::{TermTold, TextExplain, TextPart};
use super::part::PartRef;
use super::score::{Texts, weights};
use super::search::{Pass, TextScratch, search_any, search_phrases};
use super::segment::Segment;
use super::settings::TextSettings;
use super::top::Top;
use super::{Bm25, Slots, Terms, TextQuery};

/// Texts by slot, with the statistics of every instant.
#[derive(Debug)]
pub struct TextIndex {
    pub(super) settings: TextSettings,
    pub(super) parts: Vec<Part>,
    pub(super) delta: Delta,
}

/// A stretch that takes no more texts.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Segment(Arc<Segment>),
    Delta(Arc<Delta>),
}

/// Which texts the statistics are those of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistics {
    /// Of those visible at the end of this entry, found without reading them; `u64::MAX` is now. They must be
    /// those that the search calls visible.
    Entry(u64),
    /// Of the texts below a slot less so many that were superseded first; they must be those that the search
    /// calls visible.
    Prefix {
        /// How many texts came.
        births: u32,
        /// How many of them were superseded.
        deaths: u32,
    },
    /// Of those that the search calls visible, counted one by one.
    Counted,
}

/// A search of texts.
#[derive(Clone, Copy, Debug)]
pub struct TextSearch<'a, V, A = V> {
    /// What is asked.
    pub query: &'a TextQuery,
    /// How many texts, at most.
    pub k: usize,
    /// The knobs of the ranking.
    pub bm25: Bm25,
    /// What is common and what is long.
    pub statistics: Statistics,
    /// The texts as of the instant in question.
    pub visible: &'a V,
    /// Those of them that may answer; `None` is all.
    pub allowed: Option<&'a A>,
}

impl Default for TextIndex {
    fn default() -> Self {
        Self::new(TextSettings::default())
    }
}

impl TextIndex {
    /// An index without texts.
    #[must_use]
    pub fn new(settings: TextSettings) -> Self {
        Self {
            settings,
            parts: Vec::new(),
            delta: Delta::default(),
        }
    }

    /// How its texts are read.
    #[must_use]
    pub fn settings(&self) -> &TextSettings {
        &self.settings
    }

    /// The slot that the next text gets: how many were pushed.
    #[must_use]
    pub fn next_slot(&self) -> u32 {
        self.delta.births.next()
    }

    /// Takes the text that entry `seq` brought to `slot`.
    ///
    /// # Panics
    /// When `slot` is not the next one, or entries go backwards.
    pub fn push(&mut self, slot: u32, seq: u64, terms: &Terms) {
        assert_eq!(slot, self.next_slot(), "slots come without holes");
        self.delta.push(seq, terms);
    }

    /// Notes that entry `seq` superseded `slot`, whose text was read as `terms`. A text counts in no
    /// statistics from then on; one that was superseded when it came counts in none.
    ///
    /// # Panics
    /// When there is no such slot, or entries go backwards.
    pub fn supersede(&mut self, slot: u32, seq: u64, terms: &Terms) {
        assert!(
            slot < self.next_slot(),
            "only what was stored can be superseded"
        );
        self.delta.supersede(seq, terms);
    }

    /// Bytes held, mapped ones included, about.
    #[must_use]
    pub fn size_bytes(&self) -> u64 {
        let bytes = |part: &Part| match part {
            Part::Segment(segment) => segment.bytes().len(),
            Part::Delta(delta) => delta.size_bytes(),
        };
        let sealed: usize = self.parts.iter().map(bytes).sum();
        (sealed + self.delta.size_bytes()) as u64
    }

    /// The best visible texts that are also allowed, best first, ties to the smaller slot. The statistics are
    /// those of all that are visible, whatever is allowed.
    pub fn search<V: Slots, A: Slots>(
        &self,
        search: &TextSearch<'_, V, A>,
        scratch: &mut TextScratch,
    ) -> Vec<Hit> {
        self.search_told(search, scratch, None)
    }

    /// As [`search`](Self::search); what it did is added to `told`.
    pub fn search_told<V: Slots, A: Slots>(
        &self,
        search: &TextSearch<'_, V, A>,
        scratch: &mut TextScratch,
        mut told: Option<&mut TextExplain>,
    ) -> Vec<Hit> {
        let query = search.query;
        let lists = self.lists(&query.terms);
        if told.is_none() && (search.k == 0 || lists.iter().all(Vec::is_empty)) {
            return Vec::new();
        }
        let texts = self.texts(search);
        let frequencies = self.frequencies(search, &lists, &texts);
        if let Some(told) = told.as_deref_mut() {
            tell_query(told, search, &texts, &frequencies);
        }
        let asked = query.terms.iter().map(|term| term.count);
        let (weights, scale) = weights(asked.zip(frequencies), texts, &search.bm25);
        let mut top = Top::new(search.k);
        let pass = Pass {
            visible: search.visible,
            allowed: search.allowed,
        };
        for (part, lists) in self.part_refs().zip(lists) {
            let births = part.births();
            let slots = births.first..births.first.saturating_add(births.len());
            let before = scratch.work;
            let (terms, mut cursors): (Vec<usize>, Vec<Cursor<'_>>) = lists
                .into_iter()
                .map(|(term, list)| (term, Cursor::new(list, births, weights[term])))
                .unzip();
            if query.phrases.is_empty() {
                search_any(&mut cursors, slots, &pass, &mut top, scratch);
            } else {
                let (phrases, work) = (&query.phrases, &mut scratch.work);
                search_phrases(&mut cursors, &terms, phrases, slots, &pass, &mut top, work);
            }
            if let Some(told) = told.as_deref_mut() {
                told.parts.push(TextPart {
                    name: part.name(),
                    texts: u64::from(births.len()),
                    terms: terms.len(),
                    work: scratch.work.since(before),
                });
            }
        }
        top.into_hits(scale)
    }

    pub(super) fn part_refs(&self) -> impl Iterator<Item = PartRef<'_>> {
        let sealed = self.parts.iter().map(Part::view);
        sealed.chain([PartRef::Delta(&self.delta)])
    }

    /// By part, the terms that it has.
    fn lists(&self, terms: &Terms) -> Vec<Vec<(usize, List<'_>)>> {
        self.part_refs()
            .map(|part| {
                let terms = terms.iter().enumerate();
                let found = terms.filter_map(|(at, term)| Some((at, part.find(term.text)?)));
                found.collect()
            })
            .collect()
    }

    fn texts<V: Slots, A>(&self, search: &TextSearch<'_, V, A>) -> Texts {
        let (mut count, mut length_total) = (0u64, 0u64);
        for part in self.part_refs() {
            let (births, deaths) = (part.births(), part.deaths());
            if let Some((born, died)) = search.statistics.of(part) {
                count = count
                    .wrapping_add(u64::from(born))
                    .wrapping_sub(u64::from(died));
                length_total = length_total
                    .wrapping_add(births.total(born))
                    .wrapping_sub(deaths.total(died));
                continue;
            }
            for at in 0..births.len() {
                let seen = u64::from(search.visible.has(births.first + at));
                count += seen;
                length_total += seen * u64::from(births.length(at));
            }
        }
        Texts {
            count,
            length_total,
        }
    }

    /// How many visible texts have each term.
    fn frequencies<V: Slots, A>(
        &self,
        search: &TextSearch<'_, V, A>,
        lists: &[Vec<(usize, List<'_>)>],
        texts: &Texts,
    ) -> Vec<u64> {
        let mut frequencies = vec![0u64; search.query.terms.iter().count()];
        for (part, lists) in self.part_refs().zip(lists) {
            let births = part.births();
            let prefix = search.statistics.of(part);
            for (term, list) in lists {
                let df = &mut frequencies[*term];
                if let Some((born, died)) = prefix {
                    let born = list.births_below(born, births.len());
                    let died = list.deaths_below(died);
                    *df = df.wrapping_add(born as u64).wrapping_sub(died as u64);
                } else {
                    list.each_birth(|at| {
                        *df += u64::from(search.visible.has(births.first.wrapping_add(at)));
                    });
                }
            }
        }
        // Deaths may stand in a later part than births, so only the sums are counts. More than all
        // can only be damage.
        frequencies
            .iter_mut()
            .for_each(|df| *df = (*df).min(texts.count));
        frequencies
    }
}

fn tell_query<V, A>(
    told: &mut TextExplain,
    search: &TextSearch<'_, V, A>,
    texts: &Texts,
    frequencies: &[u64],
) {
    let terms = search.query.terms.iter().zip(frequencies);
    told.terms = terms
        .map(|(term, texts)| TermTold {
            text: term.text.to_owned(),
            count: term.count,
            texts: *texts,
        })
        .collect();
    told.phrases = search.query.phrases.len();
    told.texts = texts.count;
    told.mean_length = texts.length_total as f64 / texts.count.max(1) as f64;
    told.statistics = search.statistics.name();
}

impl Statistics {
    /// How many of a part's births and deaths count; `None` when that must be found out one by one.
    fn of(self, part: PartRef<'_>) -> Option<(u32, u32)> {
        let within =
            |end: u32, events: Events<'_>| end.saturating_sub(events.first).min(events.len());
        match self {
            Self::Entry(seq) => Some((part.births().until(seq), part.deaths().until(seq))),
            Self::Prefix { births, deaths } => {
                Some((within(births, part.births()), within(deaths, part.deaths())))
            }
            Self::Counted => None,
        }
    }
}

impl Part {
    pub(super) fn view(&self) -> PartRef<'_> {
        match self {
            Self::Segment(segment) => PartRef::Segment(segment),
            Self::Delta(delta) => PartRef::Delta(delta),
        }
    }
}
