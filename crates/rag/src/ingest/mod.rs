//! A document on its way into memory: checked, cut, embedded, stored as one batch.

use crate::ask::Asker;
use crate::chunk::{Chunk, chunks, embedded_text};
use crate::document::{Document, Draft, EmbeddedChunk, Stored};
use crate::fault::Fault;
use crate::settings::{ID_BYTES_LIMIT, SYMBOLS_LIMIT, TEXT_BYTES_LIMIT, TITLE_BYTES_LIMIT};

/// Chunks embedded in one call, so that a long document does not hold all its texts twice.
const BATCH_LIMIT: usize = 64;

/// Checks a document against the stated limits.
///
/// # Errors
/// [`Fault::Invalid`] names the field and the limit.
pub fn validate(document: &Document) -> Result<(), Fault> {
    let limit = |field: &str, found: usize, limit: usize, hint: &str| {
        if found <= limit {
            return Ok(());
        }
        Err(Fault::invalid(
            format!("`{field}` has {found} bytes, more than {limit}"),
            hint,
        ))
    };
    if document.id.trim().is_empty() {
        return Err(Fault::invalid(
            "`id` is empty",
            "give every document a key of its own",
        ));
    }
    if document.text.trim().is_empty() {
        return Err(Fault::invalid(
            format!("`text` of document {:?} is empty", cut(&document.id)),
            "put what should be searched and quoted into `text`; a title alone is not quoted",
        ));
    }
    limit("id", document.id.len(), ID_BYTES_LIMIT, "use a shorter key")?;
    let title = document.title.as_deref().unwrap_or("").len();
    limit(
        "title",
        title,
        TITLE_BYTES_LIMIT,
        "move the rest into `text`",
    )?;
    let hint = "split it into several documents";
    limit("text", document.text.len(), TEXT_BYTES_LIMIT, hint)?;
    if document.symbols.len() > SYMBOLS_LIMIT {
        return Err(Fault::invalid(
            format!(
                "{} symbols, more than {SYMBOLS_LIMIT}",
                document.symbols.len()
            ),
            "tag only what the document is about",
        ));
    }
    Ok(())
}

/// The texts that stand for a document's chunks in the embedder, in order.
#[must_use]
pub fn embedded_texts(document: &Document) -> Vec<String> {
    let title = document.title.as_deref();
    let spans = chunks(&document.text).into_iter();
    spans
        .map(|chunk| embedded_text(title, &document.text, &chunk))
        .collect()
}

impl Asker<'_> {
    /// Stores a document: cut, embedded and written as one atomic batch that also removes its
    /// previous version.
    ///
    /// # Errors
    /// When the document breaks a limit, or embedder or memory fail; nothing is stored then.
    pub fn ingest(&self, document: &Document) -> Result<Stored, Fault> {
        validate(document)?;
        loop {
            let generation = self.embed.generation();
            let embedded = self.embedded(document)?;
            let chunks = embedded.len();
            match self.memory.store_of(document, embedded, generation) {
                // The model changed on the way; that is rare.
                Err(Fault::Busy { .. }) if self.embed.generation() != generation => {}
                stored => return Ok(Stored { chunks, ..stored? }),
            }
        }
    }

    fn embedded(&self, document: &Document) -> Result<Vec<EmbeddedChunk>, Fault> {
        let spans = chunks(&document.text);
        let mut embedded = Vec::with_capacity(spans.len());
        for batch in spans.chunks(BATCH_LIMIT) {
            let texts: Vec<String> = batch
                .iter()
                .map(|chunk| embedded_text(document.title.as_deref(), &document.text, chunk))
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let vectors = self.embed.embed_batch(&texts)?;
            if vectors.len() != batch.len() {
                return Err(Fault::unavailable(
                    "embedder",
                    format!("{} vectors for {} texts", vectors.len(), batch.len()),
                ));
            }
            for (Chunk { span, .. }, vector) in batch.iter().zip(vectors) {
                embedded.push(EmbeddedChunk {
                    index: embedded.len(),
                    start: span.start,
                    end: span.end,
                    text: document.text[span.clone()].to_owned(),
                    vector,
                });
            }
        }
        Ok(embedded)
    }

    /// [`Asker::ingest`] of a document whose instants may be missing: `known_at` defaults to now,
    /// `event_at` to `known_at`.
    ///
    /// # Errors
    /// As [`Asker::ingest`].
    pub fn ingest_draft(&self, draft: Draft) -> Result<Stored, Fault> {
        self.ingest(&draft.settle(self.clock.now_ns()))
    }
}

fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(60)]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Document {
        Document {
            id: "a".into(),
            text: "Some text.".into(),
            ..Document::default()
        }
    }

    #[test]
    fn limits_name_the_field() {
        assert_eq!(validate(&document()), Ok(()));
        let check = |change: &dyn Fn(&mut Document), want: &str| {
            let mut doc = document();
            change(&mut doc);
            let fault = validate(&doc).expect_err("breaks a limit").to_string();
            assert!(fault.contains(want), "{fault}");
        };
        check(&|d| d.id = " ".into(), "`id` is empty");
        check(&|d| d.text = "\n\t".into(), "`text` of document \"a\"");
        check(&|d| d.text = "x".repeat(TEXT_BYTES_LIMIT + 1), "`text` has");
        check(&|d| d.title = Some("x".repeat(3_000)), "`title` has 3000");
        check(&|d| d.symbols = vec!["X".into(); 65], "65 symbols");
    }
}
