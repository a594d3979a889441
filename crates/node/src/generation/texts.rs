//! What stands for stored passages in an embedder, made again from what was stored.

use collection::{Op, Point};
use rag::Document;

use crate::memory::{document_of, own_text, span_of};

/// The texts of an entry's passages that are embedded, each with the place of its op. `is_wanted` says of which.
pub(super) fn texts(ops: &[Op], is_wanted: &dyn Fn(&Point) -> bool) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut at = 0;
    while at < ops.len() {
        let len = version(&ops[at..]).len().max(1);
        let passages = version(&ops[at..at + len]);
        if passages.iter().any(|point| is_wanted(point)) {
            let texts = version_texts(&passages);
            let each = passages.iter().zip(texts).enumerate();
            let wanted = each.filter(|(_, (point, _))| is_wanted(point));
            found.extend(wanted.map(|(n, (_, text))| (at + n, text)));
        }
        at += len;
    }
    found
}

/// The passages at the front that are one version of one document.
fn version(ops: &[Op]) -> Vec<&Point> {
    let points = ops.iter().map_while(|op| match op {
        Op::Upsert(point) => Some(point),
        _ => None,
    });
    let key = |point: &Point| (document_of(point).to_owned(), point.known_at);
    let mut of = None;
    points
        .take_while(|point| *of.get_or_insert_with(|| key(point)) == key(point))
        .collect()
}

/// As they were made when the document came, unless it was cut in another way then: a passage then stands for itself.
fn version_texts(passages: &[&Point]) -> Vec<String> {
    let text: String = passages.iter().map(|point| own_text(point)).collect();
    let title = passages.first().and_then(|first| {
        let title = first.text.strip_suffix(own_text(first))?;
        Some(title.trim_end().to_owned()).filter(|title| !title.is_empty())
    });
    let document = Document {
        title,
        text,
        ..Document::default()
    };
    let spans = rag::chunk::chunks(&document.text);
    let is_cut_so = spans.len() == passages.len()
        && spans
            .iter()
            .zip(passages)
            .all(|(chunk, point)| (chunk.span.start, chunk.span.end) == span_of(point));
    if is_cut_so {
        return rag::ingest::embedded_texts(&document);
    }
    passages.iter().map(|point| point.text.clone()).collect()
}
