//! Part of the documents, as if there were no others; and an account of how they were searched.

use std::sync::{Mutex, PoisonError};

use collection::plan::Explain;
use collection::text::TextExplain;
use collection::{Condition, Filter};
use rag::{
    Document, EmbeddedChunk, Fault, List, Memory, MemoryHead, Passage, Search, Stamp, Stored,
};
use stdx::Clock;

use super::documents::Documents;
use super::paths;

/// The documents that pass a filter.
pub struct View<'a> {
    documents: &'a Documents,
    filter: Option<Filter>,
    clock: &'a dyn Clock,
    told: Mutex<Told>,
}

/// How the lists of a search were made.
#[derive(Clone, Debug, Default)]
pub struct Told {
    /// The list by meaning; `None` when it was not asked for, or failed.
    pub dense: Option<Explain>,
    /// The list by words.
    pub text: Option<TextExplain>,
}

impl<'a> View<'a> {
    /// What passes; all where there is no filter. `clock` times the steps.
    #[must_use]
    pub fn new(documents: &'a Documents, filter: Option<Filter>, clock: &'a dyn Clock) -> Self {
        Self {
            documents,
            filter,
            clock,
            told: Mutex::default(),
        }
    }

    /// How the last searches were done.
    #[must_use]
    pub fn told(self) -> Told {
        let told = self.told.into_inner();
        told.unwrap_or_else(PoisonError::into_inner)
    }

    fn filter(&self, search: &Search) -> Option<Filter> {
        let asked = super::documents::filter(search);
        let Some(own) = &self.filter else {
            return asked;
        };
        // A search without a filter asks for all, which the empty one is.
        let mut both = asked.unwrap_or_default();
        both.must.push(Condition::Filter(own.clone()));
        Some(both)
    }

    fn tell(&self, what: impl FnOnce(&mut Told)) {
        what(&mut self.told.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Memory for View<'_> {
    fn dense(&self, vector: &[f32], search: &Search) -> Result<Vec<Passage>, Fault> {
        Ok(self.dense_told(vector, search)?.0)
    }

    fn text(&self, query: &str, search: &Search) -> Result<Vec<Passage>, Fault> {
        Ok(self.text_told(query, search)?.0)
    }

    fn dense_told(&self, vector: &[f32], search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        let filter = self.filter(search);
        let now = || self.clock.now_ns();
        let (found, explain) =
            self.documents
                .explain_dense(vector, search, filter.as_ref(), &now)?;
        let path = paths::dense(&explain);
        self.tell(|told| told.dense = Some(explain));
        Ok((found, path))
    }

    /// Words in double quotes must stand in a row.
    fn text_told(&self, query: &str, search: &Search) -> Result<(Vec<Passage>, String), Fault> {
        let filter = self.filter(search);
        let now = || self.clock.now_ns();
        let (found, explain) = self
            .documents
            .explain_text(query, search, filter.as_ref(), &now)?;
        let path = paths::text(&explain);
        self.tell(|told| told.text = Some(explain));
        Ok((found, path))
    }

    fn both_told(
        &self,
        vector: &[f32],
        query: &str,
        search: &Search,
        clock: &dyn Clock,
    ) -> [List; 2] {
        let passages = self.documents.passages();
        super::both((self, passages), vector, query, search, clock)
    }

    fn instant(&self) -> Option<u64> {
        Some(self.documents.instant())
    }

    fn scope(&self) -> Option<String> {
        let filter = self.filter.as_ref();
        Some(filter.map_or_else(
            || "quoted".to_owned(),
            |filter| format!("quoted {filter:?}"),
        ))
    }

    fn stamp(&self, instant: u64, is_past: bool) -> Option<Stamp> {
        self.documents.stamp(instant, is_past)
    }

    fn head(&self) -> MemoryHead {
        self.documents.head()
    }

    fn store(&self, _: &Document, _: Vec<EmbeddedChunk>) -> Result<Stored, Fault> {
        Err(Fault::invalid(
            "part of the documents cannot be written to",
            "store into the whole",
        ))
    }
}
