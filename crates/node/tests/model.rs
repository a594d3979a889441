//! A data folder has vectors of one model: another is refused by name, and copies say whose they are.

use std::path::Path;
use std::sync::Arc;

use collection::{SyncPolicy, Until};
use node::memory::document_limits;
use node::{MadeBy, Maker, Node, NodeError, Settings, TextModel};
use rag::{Document, Fault, Mode, SearchRequest};
use stdx::ManualClock;

const NOW: u64 = 1_772_463_600_000_000_000;

/// How often `a`, `b` and `c` stand in a text.
struct Letters(&'static str);

impl TextModel for Letters {
    fn id(&self) -> &str {
        self.0
    }

    fn dim(&self) -> usize {
        3
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        if texts.iter().any(|text| text.contains("down")) {
            return Err(Fault::unavailable("embedder", "it is down"));
        }
        let count = |text: &str, letter| text.matches(letter).count() as f32 + 0.01;
        let vectors = texts
            .iter()
            .map(|text| ['a', 'b', 'c'].map(|l| count(text, l)).to_vec());
        Ok(vectors.collect())
    }
}

fn open(dir: &Path, model: Option<&'static str>) -> Result<Node, NodeError> {
    let settings = Settings {
        dir: dir.to_path_buf(),
        sync: SyncPolicy::Never,
        limits: document_limits(),
        embedding: node::EmbeddingLimits::default(),
    };
    let model = model.map_or(Maker::Packaged, |name| {
        Maker::Elsewhere(Box::new(Letters(name)))
    });
    Node::open_with(&settings, Arc::new(ManualClock::at(NOW)), None, model)
}

fn first(node: &Node, q: &str) -> String {
    let request = SearchRequest {
        q: q.to_owned(),
        mode: Mode::Dense,
        ..SearchRequest::default()
    };
    let found = node.asker(None).search(&request).expect("searches");
    assert_eq!(found.receipt.models.embed.as_deref(), Some("letters"));
    found
        .hits
        .first()
        .map(|hit| hit.passage.document_id.clone())
        .unwrap_or_default()
}

#[test]
fn a_folder_is_opened_by_the_model_that_made_it_and_by_no_other() {
    let (dir, copy) = (
        tempfile::tempdir().expect("a folder"),
        tempfile::tempdir().expect("a folder"),
    );
    let node = open(dir.path(), Some("letters")).expect("opens");
    for (id, text) in [("1", "aaab"), ("2", "bbbc"), ("3", "ccca")] {
        let document = Document {
            id: id.to_owned(),
            text: text.to_owned(),
            known_at: NOW,
            event_at: NOW,
            ..Document::default()
        };
        node.asker(None).ingest(&document).expect("stores");
    }
    assert_eq!(
        (first(&node, "b b c"), first(&node, "ca")),
        ("2".into(), "3".into())
    );
    let refused = node
        .embedding()
        .documents(&["it is down"])
        .expect_err("told");
    assert!(refused.to_string().contains("it is down"), "{refused}");
    drop(node);

    for other in [None, Some("numbers")] {
        let refused = open(dir.path(), other).err().expect("refused");
        let told = refused.to_string();
        assert!(matches!(refused, NodeError::OtherModel { .. }), "{told}");
        assert!(told.contains("letters (3 dimensions)"), "{told}");
    }
    assert_eq!(
        first(&open(dir.path(), Some("letters")).expect("opens"), "ab"),
        "1"
    );

    node::restore(dir.path(), copy.path(), Until::Head).expect("copies");
    let made_by = MadeBy::of(copy.path()).expect("reads").expect("said");
    assert_eq!((made_by.id.as_str(), made_by.dim), ("letters", 3));
    assert_eq!(
        first(&open(copy.path(), Some("letters")).expect("opens"), "cc"),
        "3"
    );
}

#[test]
fn a_folder_that_names_no_model_was_made_by_the_packaged_one() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(open(dir.path(), None).expect("opens"));
    let named = MadeBy::of(dir.path()).expect("reads").expect("said");
    std::fs::remove_file(dir.path().join(node::MODEL_FILE)).expect("was there");
    assert!(open(dir.path(), Some("letters")).is_err());
    drop(open(dir.path(), None).expect("opens"));
    assert_eq!(MadeBy::of(dir.path()).expect("reads"), Some(named));
}

#[test]
fn a_model_file_that_says_nothing_is_refused_and_not_guessed() {
    let dir = tempfile::tempdir().expect("a folder");
    drop(open(dir.path(), Some("letters")).expect("opens"));
    for damaged in ["", "letters", "letters\nmany\n"] {
        std::fs::write(dir.path().join(node::MODEL_FILE), damaged).expect("writes");
        for asked in [None, Some("letters")] {
            let refused = open(dir.path(), asked).err();
            let is_folder = matches!(refused, Some(NodeError::Folder { .. }));
            assert!(is_folder, "{damaged:?} {refused:?}");
        }
    }
}
