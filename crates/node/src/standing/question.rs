//! What a standing question asks of an arrival, said in the plainest way: the faster ways are compared with this.

use collection::text::Terms;
use collection::{Condition, Filter, Point, TextQuery, Value};
use vector::arch::Kernels;

/// A question that waits for its answers.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Question {
    /// The user's key.
    pub id: String,
    /// What people call it; may be empty.
    pub name: String,
    /// What must be said; `None`: anything.
    pub words: Option<Words>,
    /// What must be meant; `None`: anything.
    pub meaning: Option<Meaning>,
    /// What must be true of the passage besides; `None`: nothing.
    pub filter: Option<Filter>,
    /// A state of the market that is waited for. Such a question asks nothing of documents.
    pub state: Option<StateWish>,
}

/// Words to be found in a passage, read as the text index reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Words {
    /// The words, and those that must stand in a row.
    pub query: TextQuery,
    /// Whether one of the words is enough. Phrases must be there all the same.
    pub any: bool,
}

/// A direction and how near to it is near enough.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// Unit length; empty where it is of a model that answers no more, so that nothing is near to it.
    pub vector: Vec<f32>,
    /// The least cosine.
    pub cosine_min: f32,
}

/// A market state and how near to it is near enough.
#[derive(Clone, Debug, PartialEq)]
pub struct StateWish {
    /// `STATE_DIM` components, -1 to 1.
    pub vector: Vec<f32>,
    /// The largest root of the mean squared difference of components, 0 to 2.
    pub distance_max: f32,
    /// Of which symbols, as people call them; empty: of all.
    pub symbols: Vec<String>,
}

/// A passage as it comes: the point that was stored, and its text as the index reads it.
#[derive(Clone, Copy, Debug)]
pub struct Passing<'a> {
    /// The passage; its vector has unit length.
    pub point: &'a Point,
    /// Of the point's text.
    pub terms: &'a Terms,
}

impl Words {
    /// The share of the words that the text has, if that is enough.
    #[must_use]
    pub fn judge(&self, terms: &Terms) -> Option<f32> {
        let (mut found, mut asked) = (0u32, 0u32);
        for term in self.query.terms().iter() {
            asked += 1;
            found += u32::from(terms.places(term.text).is_some());
        }
        let enough = if self.any { found > 0 } else { found == asked };
        let passes = enough && asked > 0 && self.query.phrases_occur_in(terms);
        passes.then(|| found as f32 / asked as f32)
    }
}

impl Meaning {
    /// The cosine, if it is large enough. A direction of another length is another model's, and near to nothing.
    #[must_use]
    pub fn judge(&self, vector: &[f32]) -> Option<f32> {
        if self.vector.len() != vector.len() {
            return None;
        }
        let cosine = Kernels::get().dot(&self.vector, vector);
        (cosine >= self.cosine_min).then_some(cosine)
    }
}

impl StateWish {
    /// The root of the mean squared difference, if it is small enough. `symbol` is whose state it is.
    #[must_use]
    pub fn judge(&self, symbol: &str, vector: &[f32]) -> Option<f32> {
        let is_asked = |of: &String| of.eq_ignore_ascii_case(symbol);
        if !self.symbols.is_empty() && !self.symbols.iter().any(is_asked) {
            return None;
        }
        let squares = Kernels::get().l2_squared(&self.vector, vector);
        let distance = (squares / vector.len() as f32).sqrt();
        (distance <= self.distance_max).then_some(distance)
    }
}

impl Question {
    /// How well the passage answers: the cosine where a meaning is asked for, else the share of its words, else 1; `None`
    /// where it does not.
    #[must_use]
    pub fn judge(&self, passing: &Passing<'_>) -> Option<f32> {
        if self.state.is_some() {
            return None;
        }
        let mut score = 1.0;
        if let Some(words) = &self.words {
            score = words.judge(passing.terms)?;
        }
        let filter = self.filter.as_ref();
        if filter.is_some_and(|filter| !filter.matches(passing.point)) {
            return None;
        }
        match &self.meaning {
            None => Some(score),
            Some(meaning) => meaning.judge(&passing.point.vector),
        }
    }

    /// Values of one field, of which every answer has one, for each such field.
    pub(super) fn values(&self) -> impl Iterator<Item = (&str, Vec<&str>)> {
        let must = self.filter.iter().flat_map(|filter| &filter.must);
        must.filter_map(|condition| match condition {
            Condition::Any { field, values } => {
                let texts = values.iter().map(|value| match value {
                    Value::Str(text) => Some(text.as_str()),
                    _ => None,
                });
                Some((field.as_str(), texts.collect::<Option<Vec<&str>>>()?))
            }
            _ => None,
        })
    }
}
