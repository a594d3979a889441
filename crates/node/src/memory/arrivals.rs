//! The newest documents, for readers who are told as they come.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use rag::Document;

/// Documents kept for readers who are behind.
const KEPT: usize = 1_024;
/// Bytes of a document's text that are kept with it.
const TEXT_SIZE_MAX: usize = 2_048;

/// A document as it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arrival {
    /// The user's key.
    pub id: String,
    /// Its headline.
    pub title: Option<String>,
    /// The beginning of its text, 2 KiB at most.
    pub text: String,
    /// Symbols it is tagged with.
    pub symbols: Vec<String>,
    /// Where a person can read it.
    pub url: Option<String>,
    /// When it became known, ns UTC.
    pub known_at: u64,
}

impl Arrival {
    fn of(document: &Document) -> Self {
        let size = document.text.floor_char_boundary(TEXT_SIZE_MAX);
        Self {
            id: document.id.clone(),
            title: document.title.clone(),
            text: document.text[..size].to_owned(),
            symbols: document.symbols.clone(),
            url: document.url.clone(),
            known_at: document.known_at,
        }
    }
}

/// What came since a reader last looked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arrived {
    /// In the order of their storing.
    pub documents: Vec<Arc<Arrival>>,
    /// Documents that came meanwhile and are no longer kept here.
    pub missed: u64,
    /// Where the next look begins.
    pub next: u64,
}

/// The newest documents, counted from 0 in each run.
#[derive(Debug, Default)]
pub struct Arrivals {
    /// How many came; read without the lock, since most looks find nothing.
    count: AtomicU64,
    kept: Mutex<VecDeque<Arc<Arrival>>>,
}

impl Arrivals {
    pub(super) fn push(&self, document: &Document) {
        let arrival = Arc::new(Arrival::of(document));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() == KEPT {
            kept.pop_front();
        }
        kept.push_back(arrival);
        self.count.fetch_add(1, Ordering::Release);
    }

    /// How many documents came in this run.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.count.load(Ordering::Acquire)
    }

    /// Those from number `from` on.
    #[must_use]
    pub fn since(&self, from: u64) -> Arrived {
        if from >= self.count() {
            return Arrived {
                next: from,
                ..Arrived::default()
            };
        }
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let next = self.count();
        let first = next - kept.len() as u64;
        let skipped = usize::try_from(from.saturating_sub(first)).unwrap_or(usize::MAX);
        Arrived {
            documents: kept.iter().skip(skipped).cloned().collect(),
            missed: first.saturating_sub(from),
            next,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(n: usize) -> Document {
        Document {
            id: n.to_string(),
            text: "é".repeat(TEXT_SIZE_MAX),
            ..Document::default()
        }
    }

    fn ids(arrived: &Arrived) -> Vec<&str> {
        arrived.documents.iter().map(|d| d.id.as_str()).collect()
    }

    #[test]
    fn a_reader_gets_each_document_once() {
        let arrivals = Arrivals::default();
        assert_eq!(arrivals.since(0), Arrived::default());
        arrivals.push(&document(0));
        arrivals.push(&document(1));
        let first = arrivals.since(0);
        assert_eq!(
            (ids(&first), first.missed, first.next),
            (vec!["0", "1"], 0, 2)
        );
        assert_eq!(first.documents[0].text.len(), TEXT_SIZE_MAX);
        arrivals.push(&document(2));
        let second = arrivals.since(first.next);
        assert_eq!((ids(&second), second.next), (vec!["2"], 3));
        assert!(arrivals.since(second.next).documents.is_empty());
    }

    #[test]
    fn a_reader_who_is_late_is_told_how_many_it_missed() {
        let arrivals = Arrivals::default();
        for n in 0..KEPT + 5 {
            arrivals.push(&document(n));
        }
        let late = arrivals.since(2);
        assert_eq!((late.missed, late.documents.len()), (3, KEPT));
        assert_eq!(late.documents[0].id, "5");
    }
}
