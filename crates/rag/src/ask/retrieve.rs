//! Both lists for one search, checked against the instant asked about, joined.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ask::run::Run;
use crate::cache::{Kept, Key, Lists};
use crate::fault::Fault;
use crate::fuse::{Candidate, Weights, fuse};
use crate::memory::{List, Passage, Search, Stamp};
use crate::query::Span;
use crate::rank::Wish;
use crate::receipt::{FromEarlier, Paths, Receipt};
use crate::search::Mode;
use crate::semantic::{Earlier, Frame, Look};

/// Passages of a narrow search that make a wider one needless.
const ENOUGH: usize = 20;

/// The searches within what is wished for, narrowest first. What the caller asked for stays asked for.
fn narrowed(search: &Search, wish: &Wish) -> Vec<Search> {
    let named = search.symbols.is_empty() && !wish.symbols.is_empty();
    let free = search.event_from.is_none() && search.event_to.is_none();
    let symbols = if named {
        &wish.symbols
    } else {
        &search.symbols
    };
    let within = |span: Option<&Span>| Search {
        symbols: symbols.clone(),
        event_from: span.map_or(search.event_from, |span| Some(span.from)),
        event_to: span.map_or(search.event_to, |span| Some(span.to)),
        ..search.clone()
    };
    let times = wish.times.iter().filter(|_| free);
    let mut narrow: Vec<Search> = times.map(|span| within(Some(span))).collect();
    narrow.extend(named.then(|| within(None)));
    narrow
}

/// Adds what a list does not have, best first again.
fn merge(list: &mut Vec<Passage>, more: Vec<Passage>) {
    let known: HashSet<String> = list.iter().map(|p| p.id.clone()).collect();
    list.extend(more.into_iter().filter(|p| !known.contains(&p.id)));
    list.sort_by(|a, b| b.score.total_cmp(&a.score).then_with(|| a.id.cmp(&b.id)));
}

impl List {
    /// Its passages; how long it took and which way it went are added to what the receipt says.
    fn noted(self, stage_us: &mut u64, paths: &mut Option<String>) -> Result<Vec<Passage>, Fault> {
        *stage_us += self.ns / 1_000;
        let (passages, path) = self.found?;
        Paths::add(paths, path);
        Ok(passages)
    }
}

impl<'a> Run<'a> {
    /// The question's vector, by the model of the instant that it is about; `None` when search by meaning is left out, and
    /// why is in the receipt.
    ///
    /// # Errors
    /// When there is nothing to compare with any more: what the answer of then rested on cannot be found again.
    pub(crate) fn vector(&mut self, text: &str) -> Result<Option<Vec<f32>>, Fault> {
        if self
            .left_ns()
            .is_some_and(|left| left < self.asker.settings.dense_reserve_ns)
        {
            self.skip("dense: deadline".to_owned());
            return Ok(None);
        }
        let embedded = self.asker.embed.embed_as_of(text, self.searched_at);
        self.watch.lap(&mut self.receipt.stages_us.embed);
        match embedded {
            Ok(embedded) => {
                self.receipt.models.embed = Some(embedded.model);
                self.generation = embedded.generation;
                Ok(Some(embedded.vector))
            }
            Err(gone @ Fault::Invalid { .. }) => Err(gone),
            Err(fault) => {
                self.skip(format!("dense: {fault}"));
                Ok(None)
            }
        }
    }

    /// Searches by meaning (given a vector) and by words, and joins the lists. One list that fails
    /// is skipped and said so; the call fails only when both do.
    pub(crate) fn retrieve(
        &mut self,
        vector: Option<&[f32]>,
        query: &str,
        search: &Search,
        mode: Mode,
    ) -> Result<Vec<Candidate>, Fault> {
        let (dense, text) = self.lists(vector, query, search, mode)?;
        Ok(self.join(dense, text, search.k))
    }

    /// As [`retrieve`](Self::retrieve), and within what the question names first: its companies at its time, or one
    /// of them where that has too little. Scores of both searches are of one measure, so that their lists are one
    /// list.
    pub(crate) fn retrieve_wished(
        &mut self,
        vector: Option<&[f32]>,
        query: &str,
        search: &Search,
        mode: Mode,
        wish: &Wish,
    ) -> Result<Vec<Candidate>, Fault> {
        let (mut dense, mut text) = self.lists(vector, query, search, mode)?;
        for narrow in narrowed(search, wish) {
            let found = self.lists(vector, query, &narrow, mode)?;
            let enough = found.0.len().max(found.1.len()) >= ENOUGH;
            merge(&mut dense, found.0);
            merge(&mut text, found.1);
            if enough {
                break;
            }
        }
        Ok(self.join(dense, text, search.k))
    }

    /// Both lists, kept ones where they are still true.
    fn lists(
        &mut self,
        vector: Option<&[f32]>,
        query: &str,
        search: &Search,
        mode: Mode,
    ) -> Result<(Vec<Passage>, Vec<Passage>), Fault> {
        let search = &Search {
            generation: self.generation,
            ..search.clone()
        };
        let earlier = self.earlier(vector, query, search, mode);
        let (vector, query) = match &earlier {
            Some(earlier) => (Some(earlier.vector.as_slice()), earlier.q.as_str()),
            None => (vector, query),
        };
        let Some((kept, key)) = self.key(vector.is_some(), query, search, mode) else {
            return self.searched(vector, query, search, mode);
        };
        let Some(stamp) = self.stamp() else {
            return self.searched(vector, query, search, mode);
        };
        if let Some(lists) = kept.get(&key, stamp) {
            self.receipt.kept += 1;
            let Paths { dense, text } = lists.paths.clone();
            Paths::add(&mut self.receipt.paths.dense, dense.unwrap_or_default());
            Paths::add(&mut self.receipt.paths.text, text.unwrap_or_default());
            return Ok((lists.dense.clone(), lists.text.clone()));
        }
        let (skipped, before) = (self.receipt.skipped.len(), self.receipt.paths.clone());
        self.receipt.paths = Paths::default();
        let found = self.searched(vector, query, search, mode);
        let paths = std::mem::replace(&mut self.receipt.paths, before);
        Paths::add(
            &mut self.receipt.paths.dense,
            paths.dense.clone().unwrap_or_default(),
        );
        Paths::add(
            &mut self.receipt.paths.text,
            paths.text.clone().unwrap_or_default(),
        );
        let (dense, text) = found?;
        // A write meanwhile, or a list that failed, makes these nobody else's.
        if self.stamp() == Some(stamp) && self.receipt.skipped.len() == skipped {
            let (dense, text) = (dense.clone(), text.clone());
            kept.put(
                key,
                Lists {
                    stamp,
                    dense,
                    text,
                    paths,
                },
            );
        }
        Ok((dense, text))
    }

    /// The earlier question that this one is searched as, decided at the first search: one that means and claims the same,
    /// and whose lists are kept and true.
    fn earlier(
        &mut self,
        vector: Option<&[f32]>,
        query: &str,
        search: &Search,
        mode: Mode,
    ) -> Option<Arc<Earlier>> {
        if let Some(decided) = &self.earlier {
            return decided.clone();
        }
        self.earlier = Some(None);
        let (semantic, vector) = (self.asker.semantic?, vector?);
        if mode != Mode::Hybrid {
            return None;
        }
        let (kept, key) = self.key(true, query, search, mode)?;
        let stamp = self.stamp()?;
        if kept.has(&key, stamp) {
            return None;
        }
        let frame = Frame::of(&key, query, &self.query.symbols);
        let near = semantic.near(&frame, vector);
        let is_true = |(_, earlier): &&(f32, Arc<Earlier>)| {
            let query = earlier.q.clone();
            kept.has(
                &Key {
                    query,
                    ..key.clone()
                },
                stamp,
            )
        };
        let Some((cosine, earlier)) = near.iter().find(is_true) else {
            semantic.count(if near.is_empty() {
                Look::Miss
            } else {
                Look::Stale
            });
            semantic.learn(frame, query, vector);
            return None;
        };
        semantic.count(Look::Hit);
        self.receipt.from_earlier = Some(FromEarlier {
            q: earlier.q.clone(),
            cosine: *cosine,
        });
        self.earlier = Some(Some(Arc::clone(earlier)));
        Some(Arc::clone(earlier))
    }

    fn stamp(&self) -> Option<Stamp> {
        let is_past = self.question.as_of.is_some();
        self.asker.memory.stamp(self.searched_at?, is_past)
    }

    /// What two searches must have in common to find the same in the same memory.
    fn key(
        &self,
        has_vector: bool,
        query: &str,
        search: &Search,
        mode: Mode,
    ) -> Option<(&'a Kept, Key)> {
        let kept = self.asker.kept?;
        let embedder = self.receipt.models.embed.clone();
        let key = Key {
            scope: self.asker.memory.scope()?,
            query: query.to_owned(),
            embedder: embedder.filter(|_| has_vector && mode != Mode::Text),
            by_words: mode != Mode::Dense,
            search: Search {
                as_of: self.question.as_of,
                ..search.clone()
            },
        };
        Some((kept, key))
    }

    fn searched(
        &mut self,
        vector: Option<&[f32]>,
        query: &str,
        search: &Search,
        mode: Mode,
    ) -> Result<(Vec<Passage>, Vec<Passage>), Fault> {
        let mut fault = None;
        let (memory, clock) = (self.asker.memory, self.asker.clock);
        let (dense, text) = match (vector, mode) {
            (Some(vector), Mode::Hybrid) => {
                let [dense, text] = memory.both_told(vector, query, search, clock);
                (Some(dense), Some(text))
            }
            (Some(vector), Mode::Dense) => {
                let dense = List::timed(clock, || memory.dense_told(vector, search));
                (Some(dense), None)
            }
            (None, Mode::Dense) => (None, None),
            (_, Mode::Text) | (None, Mode::Hybrid) => {
                let text = List::timed(clock, || memory.text_told(query, search));
                (None, Some(text))
            }
        };
        // Both may have been made at once: each list's time is its own.
        self.watch.lap(&mut 0);
        let Receipt {
            stages_us: stages,
            paths,
            ..
        } = &mut self.receipt;
        let dense = dense.map(|list| list.noted(&mut stages.dense, &mut paths.dense));
        let text = text.map(|list| list.noted(&mut stages.text, &mut paths.text));
        let dense = dense.and_then(|found| self.taken("dense", found, &mut fault));
        let text = text.and_then(|found| self.taken("text", found, &mut fault));
        if let (None, None, Some(fault)) = (&dense, &text, fault) {
            return Err(fault);
        }
        Ok((dense.unwrap_or_default(), text.unwrap_or_default()))
    }

    fn join(&mut self, dense: Vec<Passage>, text: Vec<Passage>, asked: usize) -> Vec<Candidate> {
        self.receipt.candidates.dense += dense.len();
        self.receipt.candidates.text += text.len();
        let settings = &self.asker.settings;
        let weights = Weights::of(self.query.style, settings);
        // What the list by meaning left out is no nearer than its last entry.
        let cosine_bound = dense.iter().map(|p| p.score).reduce(f32::min);
        let mut fused = fuse(dense, text, weights, asked);
        for candidate in &mut fused {
            candidate.cosine = candidate.cosine.or(cosine_bound);
        }
        self.receipt.candidates.fused += fused.len();
        self.watch.lap(&mut self.receipt.stages_us.fuse);
        fused
    }

    fn taken(
        &mut self,
        list: &str,
        found: Result<Vec<Passage>, Fault>,
        fault: &mut Option<Fault>,
    ) -> Option<Vec<Passage>> {
        match found {
            Ok(passages) => Some(self.known_by_then(passages)),
            Err(failed) => {
                self.skip(format!("{list}: {failed}"));
                *fault = Some(failed);
                None
            }
        }
    }

    /// The memory was told `as_of`; this makes sure that it listened. A passage from after the
    /// instant is dropped, and the receipt says that one was there.
    fn known_by_then(&mut self, mut passages: Vec<Passage>) -> Vec<Passage> {
        let Some(as_of) = self.searched_at else {
            return passages;
        };
        let before = passages.len();
        passages.retain(|p| p.known_at <= as_of);
        if passages.len() < before {
            self.flag("passage-after-as-of-dropped".to_owned());
        }
        passages
    }
}
