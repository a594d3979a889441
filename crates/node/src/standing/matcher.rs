//! Which of many standing questions an arrival answers.
//!
//! A question is found by what every answer to it must have. That is one of its words, the one that leads to the fewest
//! questions so far, or any of them where one is enough; or one of the values of a field; or a direction, which is
//! compared with every arrival; else the question is looked at each time. All that is found so is then judged
//! ([`Question::judge`]), so the ways there can make a match late but neither miss one nor make one up.
//!
//! ```text
//!  passage -- its words ---> "halt"      -> 4, 17, 902  \
//!          -- its fields --> symbols=ACM -> 17, 33       +-> judge -> answers
//!          -- its vector --> rows of halves -> 5, 6     /
//! ```

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use collection::text::{Analyser, Terms};
use collection::{Payload, Point, Value};

use super::question::{Passing, Question};
use super::rows::Rows;

/// Where a question is in its matcher, for as long as it is in it.
type Slot = u32;

/// A question that waits.
#[derive(Debug)]
pub struct Standing {
    /// What it asks.
    pub question: Question,
    /// It waits for entries behind this one.
    pub after_seq: u64,
    /// What the border said of it, to be given back.
    pub definition: Arc<str>,
}

/// The best passage of a document for one question.
#[derive(Clone, Debug)]
pub struct Answered {
    /// Which question.
    pub standing: Arc<Standing>,
    /// Which passage, by its place in the document as it came.
    pub passage: usize,
    /// How well, as [`Question::judge`] says.
    pub score: f32,
    /// How many passages of the document answer.
    pub passages: usize,
}

/// Questions by what their answers must have.
#[derive(Debug, Default)]
pub struct Matcher {
    slots: Vec<Option<Arc<Standing>>>,
    free: Vec<Slot>,
    by_id: BTreeMap<String, Slot>,
    words: HashMap<Box<str>, Vec<Slot>>,
    /// By field and value.
    values: HashMap<Box<str>, HashMap<Box<str>, Vec<Slot>>>,
    /// By the length of the directions: while the model changes there are some of each.
    rows: BTreeMap<usize, Rows>,
    always: Vec<Slot>,
    states: Vec<Slot>,
    /// By which way each is found.
    ways: HashMap<Slot, Way>,
}

/// What leads to a question.
#[derive(Debug)]
enum Way {
    Words(Vec<Box<str>>),
    Values(Box<str>, Vec<Box<str>>),
    /// By a direction of so many components.
    Row(usize),
    Always,
    /// It asks nothing of documents.
    State,
}

impl Matcher {
    /// How many questions there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// The question of that id.
    #[must_use]
    pub fn get(&self, id: &str) -> Option<&Arc<Standing>> {
        self.slots[*self.by_id.get(id)? as usize].as_ref()
    }

    /// All of them, in byte order of their ids, after the id `after`.
    pub fn iter_after<'a>(&'a self, after: &str) -> impl Iterator<Item = &'a Arc<Standing>> {
        let range = (
            std::ops::Bound::Excluded(after.to_owned()),
            std::ops::Bound::Unbounded,
        );
        let slots = self.by_id.range::<String, _>(range).map(|(_, slot)| slot);
        slots.filter_map(|slot| self.slots[*slot as usize].as_ref())
    }

    /// Those that wait for a state of the market.
    pub fn of_states(&self) -> impl Iterator<Item = &Arc<Standing>> {
        let of_states = self.states.iter();
        of_states.filter_map(|slot| self.slots[*slot as usize].as_ref())
    }

    /// Bytes of directions that every arrival is compared with.
    #[must_use]
    pub fn scanned_bytes(&self) -> usize {
        self.rows.values().map(Rows::size_bytes).sum()
    }

    /// Adds a question in the place of the one of its id.
    pub fn put(&mut self, standing: Arc<Standing>) {
        self.remove(&standing.question.id);
        let slot = self.free.pop().unwrap_or_else(|| {
            self.slots.push(None);
            (self.slots.len() - 1) as Slot
        });
        let way = self.way(&standing.question);
        self.enter(slot, &way, &standing.question);
        self.ways.insert(slot, way);
        self.by_id.insert(standing.question.id.clone(), slot);
        self.slots[slot as usize] = Some(standing);
    }

    /// Takes the question of that id away.
    pub fn remove(&mut self, id: &str) -> Option<Arc<Standing>> {
        let slot = self.by_id.remove(id)?;
        if let Some(way) = self.ways.remove(&slot) {
            self.leave(slot, &way);
        }
        self.free.push(slot);
        self.slots[slot as usize].take()
    }

    /// The cheapest way that leads to every answer.
    fn way(&self, question: &Question) -> Way {
        if question.state.is_some() {
            return Way::State;
        }
        let by_words = self.by_words(question);
        let by_values = self.by_values(question);
        match (by_words, by_values) {
            (Some((_, way)), None) | (None, Some((_, way))) => way,
            (Some((words, way)), Some((values, _))) if words <= values => way,
            (_, Some((_, way))) => way,
            (None, None) => match &question.meaning {
                Some(meaning) => Way::Row(meaning.vector.len()),
                None => Way::Always,
            },
        }
    }

    /// How many others it leads to, and the way.
    fn by_words(&self, question: &Question) -> Option<(usize, Way)> {
        let words = question.words.as_ref()?;
        let others = |term: &str| self.words.get(term).map_or(0, Vec::len);
        let mut needed: Vec<&str> = words.query.words_of_phrases().collect();
        if !words.any {
            needed.extend(words.query.terms().iter().map(|term| term.text));
        }
        // Of words that lead to as many, a longer one is in fewer texts.
        let rarest = needed.into_iter().min_by_key(|term| {
            let length = std::cmp::Reverse(term.len());
            (others(term), length)
        });
        if let Some(term) = rarest {
            return Some((others(term), Way::Words(vec![term.into()])));
        }
        let all: Vec<Box<str>> = words.query.terms().iter().map(|t| t.text.into()).collect();
        let count = all.iter().map(|term| others(term)).sum();
        (!all.is_empty()).then_some((count, Way::Words(all)))
    }

    fn by_values(&self, question: &Question) -> Option<(usize, Way)> {
        let ways = question.values().map(|(field, values)| {
            let known = self.values.get(field);
            let others = |value: &&str| known.and_then(|k| k.get(*value)).map_or(0, Vec::len);
            let count: usize = values.iter().map(others).sum();
            let values: Vec<Box<str>> = values.into_iter().map(Into::into).collect();
            (count, Way::Values(field.into(), values))
        });
        ways.min_by_key(|(count, _)| *count)
    }

    fn enter(&mut self, slot: Slot, way: &Way, question: &Question) {
        match (way, &question.meaning) {
            (Way::Words(words), _) => {
                for word in words {
                    self.words.entry(word.clone()).or_default().push(slot);
                }
            }
            (Way::Values(field, values), _) => {
                let known = self.values.entry(field.clone()).or_default();
                for value in values {
                    known.entry(value.clone()).or_default().push(slot);
                }
            }
            (Way::Row(0), _) => {}
            (Way::Row(dim), Some(meaning)) => {
                let rows = self.rows.entry(*dim).or_default();
                rows.push(slot, &meaning.vector, meaning.cosine_min);
            }
            (Way::Row(_) | Way::Always, _) => self.always.push(slot),
            (Way::State, _) => self.states.push(slot),
        }
    }

    fn leave(&mut self, slot: Slot, way: &Way) {
        match way {
            Way::Words(words) => words
                .iter()
                .for_each(|word| take(&mut self.words, word, slot)),
            Way::Values(field, values) => {
                let Some(known) = self.values.get_mut(field) else {
                    return;
                };
                values.iter().for_each(|value| take(known, value, slot));
                if known.is_empty() {
                    self.values.remove(field);
                }
            }
            Way::Row(dim) => {
                if let Some(rows) = self.rows.get_mut(dim) {
                    rows.remove(slot);
                }
            }
            Way::Always => self.always.retain(|of| *of != slot),
            Way::State => self.states.retain(|of| *of != slot),
        }
    }

    /// The questions that a document, stored by entry `seq`, answers; in order of their ids.
    #[must_use]
    pub fn answered(&self, passages: &[Point], analyser: &Analyser, seq: u64) -> Vec<Answered> {
        let terms: Vec<Terms> = passages.iter().map(|p| analyser.read(&p.text)).collect();
        let passing = |at: usize| Passing {
            point: &passages[at],
            terms: &terms[at],
        };
        let mut looks: Vec<(Slot, u32)> = Vec::new();
        for at in 0..passages.len() {
            self.candidates(&passing(at), &mut |slot| looks.push((slot, at as u32)));
        }
        let vectors: Vec<&[f32]> = passages.iter().map(|p| p.vector.as_slice()).collect();
        let dim = vectors.first().map_or(0, |vector| vector.len());
        if let Some(rows) = self.rows.get(&dim) {
            rows.near(&vectors, &mut |at, slot| looks.push((slot, at as u32)));
        }
        looks.sort_unstable();
        looks.dedup();
        let mut found = Found::default();
        for (slot, at) in looks {
            let Some(standing) = &self.slots[slot as usize] else {
                continue;
            };
            if standing.after_seq < seq
                && let Some(score) = standing.question.judge(&passing(at as usize))
            {
                found.take(standing, at as usize, score);
            }
        }
        found.in_order()
    }

    /// The same by asking every question.
    #[must_use]
    pub fn answered_naive(
        &self,
        passages: &[Point],
        analyser: &Analyser,
        seq: u64,
    ) -> Vec<Answered> {
        let terms: Vec<Terms> = passages.iter().map(|p| analyser.read(&p.text)).collect();
        let mut found = Found::default();
        for standing in self.slots.iter().flatten().filter(|s| s.after_seq < seq) {
            for (at, (point, terms)) in passages.iter().zip(&terms).enumerate() {
                if let Some(score) = standing.question.judge(&Passing { point, terms }) {
                    found.take(standing, at, score);
                }
            }
        }
        found.in_order()
    }

    /// Questions that a passage may answer by its words and values; some of them twice.
    fn candidates(&self, passing: &Passing<'_>, found: &mut impl FnMut(Slot)) {
        self.always.iter().for_each(|slot| found(*slot));
        if !self.words.is_empty() {
            let known = passing
                .terms
                .iter()
                .filter_map(|term| self.words.get(term.text));
            known.flatten().for_each(|slot| found(*slot));
        }
        let Payload(fields) = &passing.point.payload;
        for (field, known) in &self.values {
            if let Some(value) = fields.get(&**field) {
                each_text(value, &mut |text| {
                    known
                        .get(text)
                        .into_iter()
                        .flatten()
                        .for_each(|slot| found(*slot));
                });
            }
        }
    }
}

/// Answers as they are found, the passages of one question one after the other.
#[derive(Default)]
struct Found(Vec<Answered>);

impl Found {
    fn take(&mut self, standing: &Arc<Standing>, passage: usize, score: f32) {
        match self
            .0
            .last_mut()
            .filter(|last| Arc::ptr_eq(&last.standing, standing))
        {
            Some(last) => {
                last.passages += 1;
                if score > last.score {
                    (last.passage, last.score) = (passage, score);
                }
            }
            None => self.0.push(Answered {
                standing: Arc::clone(standing),
                passage,
                score,
                passages: 1,
            }),
        }
    }

    fn in_order(mut self) -> Vec<Answered> {
        let id = |answered: &Answered| answered.standing.question.id.clone();
        self.0.sort_by_cached_key(id);
        self.0
    }
}

fn take(known: &mut HashMap<Box<str>, Vec<Slot>>, key: &str, slot: Slot) {
    if let Some(slots) = known.get_mut(key) {
        slots.retain(|of| *of != slot);
        if slots.is_empty() {
            known.remove(key);
        }
    }
}

fn each_text(value: &Value, found: &mut impl FnMut(&str)) {
    match value {
        Value::Str(text) => found(text),
        Value::List(values) => values.iter().for_each(|value| each_text(value, found)),
        _ => {}
    }
}
