//! Bundles of evidence at the border.

use node::evidence::Bundle;
use node::{Node, Seal};
use rag::{Fault, PeerNews};
use serde::Serialize;

use super::Instant;
use super::answer::{AnswerRow, CitationRow};
use super::market::{BookRow, SignalRow};
use super::state::SimilarRow;
use crate::seal::seal;

/// Levels of the book at the instant.
const DEPTH: usize = 10;

/// A signal, and what was known of it at its instant.
#[derive(Clone, Debug, Serialize)]
pub struct BundleRow {
    number: u64,
    symbol: String,
    /// The instant that all of it is as of.
    at: Instant,
    /// The bundle before, where the signal tells again of the same move.
    follows: Option<u64>,
    signal: SignalRow,
    q: String,
    #[serde(flatten)]
    answer: AnswerRow,
    /// Its own news of the last minutes, where no cause was found.
    news: Vec<CitationRow>,
    /// News of its sector, where no cause was found.
    peers: Vec<PeerRow>,
    similar: Option<SimilarRow>,
    /// Why there are no similar moments.
    similar_missing: Option<String>,
    book: Option<BookRow>,
    /// From the signal's arrival until it was worked on, and until the bundle was there.
    waited_us: u64,
    took_us: u64,
}

#[derive(Clone, Debug, Serialize)]
struct PeerRow {
    symbol: String,
    #[serde(flatten)]
    citation: CitationRow,
}

impl From<PeerNews> for PeerRow {
    fn from(news: PeerNews) -> Self {
        Self {
            symbol: news.symbol,
            citation: news.citation.into(),
        }
    }
}

impl BundleRow {
    /// With the receipt sealed.
    #[must_use]
    pub fn sealed(bundle: &Bundle, seal: &Seal) -> Self {
        let Bundle {
            trigger, explained, ..
        } = bundle;
        let (similar, missing) = match &bundle.similar {
            Ok(found) => (Some(found.clone()), None),
            Err(why) => (None, Some(why.to_string())),
        };
        let book = trigger.book.as_ref();
        Self {
            number: bundle.number,
            symbol: trigger.symbol.clone(),
            at: Instant(bundle.at),
            follows: bundle.follows,
            signal: SignalRow::new(&trigger.symbol, &trigger.signal),
            q: explained.q.clone(),
            answer: AnswerRow::sealed(explained.answer.clone(), seal),
            news: explained
                .news
                .iter()
                .cloned()
                .map(CitationRow::from)
                .collect(),
            peers: explained.peers.iter().cloned().map(PeerRow::from).collect(),
            similar: similar.map(|found| SimilarRow::new(found, bundle.window_ns, None)),
            similar_missing: missing,
            book: book.map(|b| BookRow::of(&trigger.symbol, &trigger.instrument, b, DEPTH)),
            waited_us: bundle.waited_ns / 1_000,
            took_us: bundle.took_ns / 1_000,
        }
    }
}

/// Bundles as rows.
///
/// # Errors
/// When the key of receipts cannot be read or made.
pub fn rows<'a>(
    node: &Node,
    bundles: impl Iterator<Item = &'a Bundle>,
) -> Result<Vec<BundleRow>, Fault> {
    let seal = seal(node)?;
    Ok(bundles.map(|b| BundleRow::sealed(b, seal)).collect())
}
