//! A broker's message as documents: the body of `POST /v1/documents`.

use rag::Fault;

use super::{Intake, Manner};
use crate::json::document::parse_documents;

/// Most documents of one message.
const DOCUMENTS_LIMIT: usize = 20_000;

/// Stores what a message holds. What is no document is named by `place` and passed over: a message that nobody can
/// read must not stop those behind it. When this returns, the log has every document.
///
/// # Errors
/// When memory cannot take a document now; the same message may be handed over again.
pub fn take(intake: &Intake, place: &str, payload: &[u8]) -> Result<(), Fault> {
    let parsed = match std::str::from_utf8(payload) {
        Ok(text) => parse_documents(text, DOCUMENTS_LIMIT).map_err(|why| why.to_string()),
        Err(e) => Err(format!("is not UTF-8 at byte {}", e.valid_up_to())),
    };
    let parsed = match parsed {
        Ok(parsed) if parsed.is_empty() => Err("holds no document".to_owned()),
        other => other,
    };
    let parsed = match parsed {
        Ok(parsed) => parsed,
        Err(why) => {
            intake.refuse(place, &why);
            return Ok(());
        }
    };
    for document in parsed {
        match document {
            Ok(mut draft) => {
                let source = &intake.status().name;
                draft.source.get_or_insert_with(|| source.clone());
                intake.take(place, draft, Manner::default())?;
            }
            Err(unreadable) => {
                let at = unreadable.index;
                intake.refuse(place, &format!("document {at}: {}", unreadable.reason));
            }
        }
    }
    intake.status().works(intake.now());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sources::tests::{intake, node};

    #[test]
    fn a_bad_message_costs_only_itself_and_one_that_comes_again_nothing() {
        let dir = tempfile::tempdir().expect("dir");
        let intake = intake(&node(dir.path()), "news");
        let good = br#"[{"id": "a", "text": "One."}, {"id": 7}, {"id": "b", "text": "Two."}]"#;
        for payload in [&good[..], b"\xff", b"", b"[3", good] {
            take(&intake, "news@1", payload).expect("taken");
        }
        let counts = intake.status().counts();
        assert_eq!((counts.documents, counts.duplicates), (2, 2));
        let reasons: Vec<&str> = counts.refusals.iter().map(|r| r.reason.as_str()).collect();
        assert!(
            reasons[0].starts_with("document 1: missing field `text`"),
            "{reasons:?}"
        );
        assert_eq!(reasons[1], "is not UTF-8 at byte 0");
        assert_eq!(counts.refused, 4, "{reasons:?}");
    }
}
