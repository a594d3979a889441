//! From evidence to citation: the quote is checked against the bytes it claims to be.

use crate::ask::Citation;
use crate::rank::Evidence;

/// The citation of a piece of evidence; `None` when the quote cannot be proven verbatim, which
/// means that the memory handed out a passage whose span does not fit its text.
#[must_use]
pub fn cite(evidence: &Evidence) -> Option<Citation> {
    let passage = &evidence.passage;
    let fits = passage.end.checked_sub(passage.start) == Some(passage.text.len());
    let quote = passage
        .text
        .get(evidence.quote.clone())
        .filter(|q| !q.trim().is_empty())?;
    fits.then(|| Citation {
        document_id: passage.document_id.clone(),
        title: passage.title.clone(),
        source: passage.source.clone(),
        start: passage.start + evidence.quote.start,
        end: passage.start + evidence.quote.end,
        quote: quote.to_owned(),
        event_at: passage.event_at,
        known_at: passage.known_at,
        chunk_id: passage.id.clone(),
        seq: passage.seq,
        score: evidence.score.clamp(0.0, 1.0),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Passage;

    fn evidence(start: usize, end: usize, quote: std::ops::Range<usize>) -> Evidence {
        let text = "Größe. Zweiter Satz.".to_owned();
        Evidence {
            passage: Passage {
                text,
                start,
                end,
                ..Passage::default()
            },
            quote,
            score: 2.0,
        }
    }

    #[test]
    fn only_provable_quotes_are_cited() {
        let cited = cite(&evidence(100, 122, 9..22)).expect("fits");
        assert_eq!(
            (cited.quote.as_str(), cited.start, cited.end),
            ("Zweiter Satz.", 109, 122)
        );
        assert_eq!(cited.score, 1.0);
        for wrong in [
            evidence(100, 120, 9..22),
            evidence(100, 122, 3..9),
            evidence(100, 122, 9..40),
        ] {
            assert_eq!(cite(&wrong), None);
        }
        assert_eq!(cite(&evidence(122, 100, 9..22)), None);
        assert_eq!(
            cite(&evidence(100, 122, 8..9)),
            None,
            "white space proves nothing"
        );
    }
}
