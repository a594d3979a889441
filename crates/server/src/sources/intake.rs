//! A draft into memory: new, another version, or there already.

use std::sync::Arc;

use node::Node;
use node::memory::StoredDocument;
use rag::{Draft, Facts, Fault, Field};
use sha2::{Digest, Sha256};

use super::Status;

/// The field by which a copy under another id is found.
const FINGERPRINT: &str = "fingerprint";

/// Hands drafts of one source to memory.
#[derive(Clone)]
pub struct Intake {
    node: Arc<Node>,
    status: Arc<Status>,
}

/// How drafts of a source are taken.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Manner {
    /// What somebody deleted stays deleted when the source still shows it.
    pub stays_deleted: bool,
    /// The source tells all again, old versions too: what equals any stored version is a duplicate.
    pub is_replay: bool,
    /// The same words at the same instant under another id are the same document, and companies that a headline names
    /// become its symbols.
    pub is_news: bool,
    /// A `known_at` that the draft brings is believed; else it is the instant of arrival.
    pub trusts_known_at: bool,
}

/// What became of a draft.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Took {
    /// Stored for the first time, or again after its deletion.
    New,
    /// Stored as another version.
    Revision,
    /// It was there already.
    Duplicate,
    /// It cannot be stored; the status says why.
    Refused,
}

impl Intake {
    /// For one source.
    #[must_use]
    pub fn new(node: Arc<Node>, status: Arc<Status>) -> Self {
        Self { node, status }
    }

    /// The source.
    #[must_use]
    pub fn status(&self) -> &Arc<Status> {
        &self.status
    }

    /// The machine's data.
    #[must_use]
    pub fn node(&self) -> &Node {
        &self.node
    }

    /// Now, ns UTC.
    #[must_use]
    pub fn now(&self) -> u64 {
        self.node.clock().now_ns()
    }

    /// Stores a draft unless it is there already. `place` names it where it is refused. When this returns, the log has
    /// the document.
    ///
    /// # Errors
    /// When memory or the embedder cannot take it now: the same draft may be taken later.
    pub fn take(&self, place: &str, draft: Draft, manner: Manner) -> Result<Took, Fault> {
        let took = match self.store(draft, manner) {
            Err(Fault::Invalid { what, hint }) => {
                self.refuse(place, &format!("{what}; {hint}"));
                return Ok(Took::Refused);
            }
            other => other?,
        };
        self.status.with(|counts| match took {
            Took::New => counts.documents += 1,
            Took::Revision => counts.revisions += 1,
            Took::Duplicate => counts.duplicates += 1,
            Took::Refused => {}
        });
        Ok(took)
    }

    /// Sets something aside that is no document.
    pub fn refuse(&self, place: &str, reason: &str) {
        self.status.refuse(self.now(), place, reason);
    }

    fn store(&self, mut draft: Draft, manner: Manner) -> Result<Took, Fault> {
        let documents = self.node.documents();
        if manner.is_news {
            let print = fingerprint(&draft);
            draft.fields.insert(FINGERPRINT.to_owned(), print);
        }
        let stored = documents.get(&draft.id, None)?;
        if let Some(stored) = &stored
            && is_same(stored, &draft, manner)
        {
            return Ok(Took::Duplicate);
        }
        if manner.is_replay && self.was_stored(&draft, manner)? {
            return Ok(Took::Duplicate);
        }
        if stored.is_none() {
            if manner.stays_deleted && documents.is_deleted(&draft.id)? {
                return Ok(Took::Duplicate);
            }
            if manner.is_news && self.is_copy(&draft)? {
                return Ok(Took::Duplicate);
            }
        }
        if manner.is_news {
            self.tag(&mut draft);
        }
        if !manner.trusts_known_at {
            draft.known_at = None;
        }
        let mut document = draft.settle(self.now());
        document.event_at = document.event_at.min(document.known_at);
        self.node.asker(None).ingest(&document)?;
        Ok(match stored {
            Some(_) => Took::Revision,
            None => Took::New,
        })
    }

    fn was_stored(&self, draft: &Draft, manner: Manner) -> Result<bool, Fault> {
        let documents = self.node.documents();
        for known_at in documents.versions(&draft.id)? {
            let then = documents.get(&draft.id, Some(known_at))?;
            if then.is_some_and(|then| is_same(&then, draft, manner)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn is_copy(&self, draft: &Draft) -> Result<bool, Fault> {
        let source = draft.source.as_deref().unwrap_or_default();
        let Some(Field::Text(print)) = draft.fields.get(FINGERPRINT) else {
            return Ok(false);
        };
        let found = self.node.documents();
        Ok(found.with_field(source, FINGERPRINT, print)?.is_some())
    }

    /// Companies that the headline names.
    fn tag(&self, draft: &mut Draft) {
        let names = self.node.names();
        let title = draft.title.as_deref().unwrap_or_default();
        for mention in names.in_document(title) {
            if !draft.symbols.contains(&mention.symbol) {
                draft.symbols.push(mention.symbol);
            }
        }
    }
}

/// Whether what is stored says the same. An instant that moves while the words stand is no other version.
fn is_same(stored: &StoredDocument, draft: &Draft, manner: Manner) -> bool {
    let summary = &stored.summary;
    let is_said = |name: &str| !(manner.is_news && name == FINGERPRINT);
    let stored_fields = summary.fields.iter().filter(|(name, _)| is_said(name));
    let draft_fields = draft.fields.iter().filter(|(name, _)| is_said(name));
    stored.text == draft.text
        && summary.title == draft.title
        && summary.source == draft.source
        && summary.url == draft.url
        && (manner.is_news || summary.symbols == draft.symbols)
        && stored_fields.eq(draft_fields)
}

/// Of the words, and of the instant where the source says one: `No news today.` comes every day.
fn fingerprint(draft: &Draft) -> Field {
    let mut hash = Sha256::new();
    for part in [draft.title.as_deref().unwrap_or_default(), &draft.text] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.update(draft.event_at.unwrap_or(0).to_le_bytes());
    Field::Text(hex(&hash.finalize()[..16]))
}

/// Bytes in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
