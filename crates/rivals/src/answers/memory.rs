//! A node's memory full of old news, so that a search has something to look through.

use anyhow::Result;
use node::Node;
use rag::{Document, EmbeddedChunk};
use stdx::Rng;
use venue::{NewsItem, Venue, VenueConfig};

const DAY_NS: u64 = 86_400_000_000_000;
/// Documents whose vector is their text's own. Embedding all would take a minute and change
/// nothing that is timed: exact search compares every vector whatever it says.
const EMBEDDED: usize = 1_000;

/// Fills the memory with `count` simulated items of the days before `now_ns`. How many there are.
pub fn fill(node: &Node, count: usize, now_ns: u64) -> Result<usize> {
    let start = now_ns - 8 * DAY_NS;
    let mut venue = Venue::new(VenueConfig::new(3, start, start - start % DAY_NS));
    let mut rng = Rng::new(4);
    let asker = node.asker(None);
    let mut stored = 0;
    let mut until = start;
    while stored < count && until < now_ns - DAY_NS {
        until += 600_000_000_000;
        for item in venue.news_until(until) {
            if stored == count {
                break;
            }
            let document = document("old", &item);
            if stored < count.min(EMBEDDED) {
                asker.ingest(&document)?;
            } else {
                let chunk = chunk(&document, &mut rng);
                node.documents().store(&document, vec![chunk])?;
            }
            stored += 1;
        }
    }
    Ok(stored)
}

/// A news item as a node takes it.
pub fn document(prefix: &str, item: &NewsItem) -> Document {
    Document {
        fields: rag::Fields::default(),
        id: format!("{prefix}-{}", item.id),
        title: Some(item.headline.clone()),
        text: item.body.clone(),
        source: Some(venue::SOURCE.to_owned()),
        symbols: item.symbol.iter().cloned().collect(),
        url: None,
        event_at: item.at_ns,
        known_at: item.at_ns,
    }
}

fn chunk(document: &Document, rng: &mut Rng) -> EmbeddedChunk {
    let mut vector: Vec<f32> = (0..384).map(|_| rng.normal() as f32).collect();
    // A random vector is never zero, the only one that has no direction.
    let _zero = vector::normalise(&mut vector);
    let text = document.text.clone();
    EmbeddedChunk {
        index: 0,
        start: 0,
        end: text.len(),
        text,
        vector,
    }
}
