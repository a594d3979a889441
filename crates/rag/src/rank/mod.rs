//! What makes a passage evidence for a move: about the company, near in time, stating a cause,
//! pointing the right way.
//!
//! The naive scoring, in full. For every sentence of a passage
//! `score = about * near * cause * direction * source * (0.9 + 0.1 * meaning)`, each factor 0 to 1
//! (direction: 1 when news and move agree, 0.85 when the news leans nowhere, 0 when they
//! contradict); later sentences lose a twentieth each. The factors multiply because none can stand in for another: the best story about
//! the wrong company, or from last month, explains nothing. A passage is worth its best sentence.
//!
//! A jump that the market tells of by itself is asked about within seconds: there a company's own news of the last minutes is
//! judged by its kind ([`kinds`]) in place of `about * cause * direction`, for its time alone speaks for it.

pub mod about;
pub mod cause;
pub mod kinds;
mod lexicon;
pub mod near;
mod order;

use std::ops::Range;

pub use about::{ABOUT_MIN, Bearing, Subject};
pub use cause::{CAUSE_MIN, Reading};
pub use kinds::{LIKELY, likelihood};
pub use order::{Wish, order};

use crate::facts::{Move, Pace};
use crate::fuse::Candidate;
use crate::memory::Passage;
use crate::prose::sentence::trimmed;
use crate::prose::sentences;
use crate::query::{Direction, Names};
use crate::settings::Settings;

/// A post this short is quoted whole: it is one statement.
const POST_BYTES: usize = 320;
/// A quote shorter than this takes the next sentence along.
const QUOTE_BYTES_MIN: usize = 32;
/// A quote is cut, at a word, to this.
const QUOTE_BYTES_LIMIT: usize = 480;

/// A passage and the sentence in it that speaks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Evidence {
    /// The passage.
    pub passage: Passage,
    /// The sentence: bytes of `passage.text`.
    pub quote: Range<usize>,
    /// How strong, 0 to 1.
    pub score: f32,
}

/// Ranks candidates as causes of a move, best first; what falls short of a needed factor is left
/// out. `asked` is the direction the question names, used when the move has none.
#[must_use]
pub fn causes(
    candidates: &[Candidate],
    m: &Move,
    asked: Option<Direction>,
    subject: &Subject,
    names: &Names,
    settings: &Settings,
) -> Vec<Evidence> {
    let direction = m.direction().or(asked);
    let mut found: Vec<Evidence> = candidates
        .iter()
        .filter_map(|candidate| {
            let near = near::near(candidate.passage.event_at, m, settings);
            if near <= 0.0 {
                return None;
            }
            let bearing = Bearing::of(&candidate.passage, subject, names);
            let (quote, score) = match is_fresh(&candidate.passage, m, settings) && bearing.is_own()
            {
                true => fresh_cause(&bearing, direction)?,
                false => best_cause(&bearing, direction)?,
            };
            let meaning = candidate.cosine.unwrap_or(0.0).clamp(0.0, 1.0);
            let score = score * near * source_weight(&candidate.passage) * (0.9 + 0.1 * meaning);
            Some(Evidence {
                passage: candidate.passage.clone(),
                quote,
                score,
            })
        })
        .collect();
    sort(&mut found);
    found
}

/// Candidates that support an answer to a plain question, best first, with how well. `relevance` judges one, 0 to 1; 0
/// leaves it out.
#[must_use]
pub fn supporting(
    candidates: &[Candidate],
    relevance: impl Fn(&Candidate) -> f32,
) -> Vec<(f32, &Passage)> {
    let judged = candidates.iter().map(|c| (relevance(c), &c.passage));
    let mut found: Vec<(f32, &Passage)> = judged.filter(|(score, _)| *score > 0.0).collect();
    found.sort_by(|a, b| {
        let by_score = b.0.total_cmp(&a.0);
        by_score.then_with(|| a.1.id.cmp(&b.1.id))
    });
    found
}

/// A passage with the sentence in it that fits best; `None` where it has none.
#[must_use]
pub fn quoted(
    (score, passage): (f32, &Passage),
    sentence_fit: impl Fn(&str) -> f32,
) -> Option<Evidence> {
    let fits = statements(passage).into_iter().map(|span| {
        let fit = sentence_fit(&passage.text[span.clone()]);
        (fit, span)
    });
    let fits: Vec<(f32, Range<usize>)> = fits.collect();
    // The first of equals, so that an answer does not jump within a passage.
    let (_, best) = fits.into_iter().rev().max_by(|a, b| a.0.total_cmp(&b.0))?;
    Some(Evidence {
        passage: passage.clone(),
        quote: quotable(&passage.text, best),
        score,
    })
}

/// News of a symbol known from `since` on that neither states a cause nor is plain routine, the newest first, a statement of
/// each document: its first.
#[must_use]
pub fn news(candidates: &[Candidate], symbol: &str, since: u64) -> Vec<Evidence> {
    let is_of = |passage: &Passage| {
        let is_tagged = passage.symbols.iter().any(|of| of == symbol);
        is_tagged && passage.event_at >= since && passage.start == 0
    };
    let of_symbol = candidates.iter().map(|c| &c.passage).filter(|p| is_of(p));
    let mut found: Vec<Evidence> = of_symbol
        .filter_map(|passage| {
            let first = statements(passage).into_iter().next()?;
            let title = passage.title.as_deref().map(Reading::of);
            let reading = Reading::of(&passage.text[first.clone()]).with_title(title);
            (reading.strength >= 0.0).then(|| Evidence {
                quote: quotable(&passage.text, first),
                passage: passage.clone(),
                score: reading.strength,
            })
        })
        .collect();
    found.sort_by(|a, b| {
        let by_time = b.passage.event_at.cmp(&a.passage.event_at);
        by_time.then_with(|| a.passage.id.cmp(&b.passage.id))
    });
    found
}

/// Whether news is so new, for a jump, that its kind alone can make it the cause.
fn is_fresh(passage: &Passage, m: &Move, settings: &Settings) -> bool {
    let age_ns = m.start.saturating_sub(passage.event_at);
    let is_told = passage.event_at <= m.end && passage.start == 0;
    m.pace == Pace::Jump && settings.fresh_ns > 0 && is_told && age_ns <= settings.fresh_ns
}

/// The sentence that speaks for fresh news of the subject's own, and how likely it is the cause; `None` where it is not likely.
fn fresh_cause(bearing: &Bearing<'_>, direction: Option<Direction>) -> Option<(Range<usize>, f32)> {
    let passage = bearing.passage();
    let first = statements(passage).into_iter().next()?;
    let told = &passage.text[first.clone()];
    let title = passage.title.as_deref().map(Reading::of);
    let reading = Reading::of(told).with_title(title);
    let headline = bearing.headline();
    let likely = likelihood(
        reading,
        headline.as_deref().unwrap_or(told),
        told,
        direction,
    );
    let best = best_cause(bearing, direction).map(|(span, _)| span);
    let quote = best.unwrap_or_else(|| quotable(&passage.text, first));
    // Words of plain routine are no cause, whatever the kind.
    (reading.strength >= 0.0 && likely >= LIKELY).then_some((quote, likely))
}

/// The sentence that states a cause best, and how well.
fn best_cause(bearing: &Bearing<'_>, direction: Option<Direction>) -> Option<(Range<usize>, f32)> {
    let passage = bearing.passage();
    let title = passage
        .title
        .as_deref()
        .filter(|_| bearing.title_speaks())
        .map(Reading::of);
    let mut best: Option<(Range<usize>, f32, f32)> = None;
    for (idx, span) in statements(passage).into_iter().enumerate() {
        let about = bearing.at(span.clone());
        if about < ABOUT_MIN {
            continue;
        }
        let own = Reading::of(&passage.text[span.clone()]);
        let reading = own.with_title(title);
        if reading.strength < CAUSE_MIN {
            continue;
        }
        let points = match (direction, reading.direction()) {
            (Some(moved), Some(told)) if moved == told => 1.0,
            // News of the other direction explains nothing, however near.
            (Some(_), Some(_)) => continue,
            _ => 0.85,
        };
        // News says what happened first and elaborates later.
        let lead = 1.0 - 0.05 * idx.min(6) as f32;
        let score = about * reading.strength * points * lead;
        // A headline lifts all sentences alike; among them the one that says more itself wins.
        let better = best.as_ref().is_none_or(|(_, top, top_own)| {
            score > top + 1e-6 || ((score - top).abs() <= 1e-6 && own.strength > *top_own)
        });
        if better {
            best = Some((span, score, own.strength));
        }
    }
    best.map(|(span, score, _)| (quotable(&passage.text, span), score))
}

/// What may be quoted: sentences without their white space, or the whole of a post.
fn statements(passage: &Passage) -> Vec<Range<usize>> {
    let text = passage.text.as_str();
    let whole = trimmed(text, 0..text.len());
    if whole.len() <= POST_BYTES && is_post(passage) {
        return if whole.is_empty() {
            Vec::new()
        } else {
            vec![whole]
        };
    }
    let spans = sentences(text).into_iter().map(|s| trimmed(text, s));
    spans.filter(|s| !s.is_empty()).collect()
}

/// Posts have no sentences to speak of: they come from a crowd, or without a capital letter.
fn is_post(passage: &Passage) -> bool {
    let lower = passage
        .text
        .split_whitespace()
        .next()
        .is_some_and(|w| !w.contains(char::is_uppercase));
    passage.title.is_none() && (lower || is_crowd(passage))
}

/// The span made fit to show: not too short, not too long, never inside a character.
fn quotable(text: &str, span: Range<usize>) -> Range<usize> {
    let mut span = span;
    if span.len() < QUOTE_BYTES_MIN {
        let next = sentences(&text[span.end..]).into_iter().find_map(|s| {
            let s = trimmed(text, span.end + s.start..span.end + s.end);
            (!s.is_empty()).then_some(s.end)
        });
        span.end = next.unwrap_or(span.end);
    }
    if span.len() > QUOTE_BYTES_LIMIT {
        let limit = text.floor_char_boundary(span.start + QUOTE_BYTES_LIMIT);
        let space = text[span.start..limit]
            .rfind(char::is_whitespace)
            .filter(|&at| at > 0);
        span.end = space.map_or(limit, |at| span.start + at);
    }
    trimmed(text, span)
}

/// Crowds are quicker but wronger than wires.
fn source_weight(passage: &Passage) -> f32 {
    if is_crowd(passage) { 0.9 } else { 1.0 }
}

fn is_crowd(passage: &Passage) -> bool {
    const CROWD: &[&str] = &[
        "tweet",
        "twitter",
        "social",
        "reddit",
        "forum",
        "stocktwits",
        "blog",
    ];
    let source = passage.source.as_deref().unwrap_or("").to_lowercase();
    CROWD.iter().any(|c| source.contains(c))
}

fn sort(found: &mut [Evidence]) {
    found.sort_by(|a, b| {
        let by_score = b.score.total_cmp(&a.score);
        by_score.then_with(|| a.passage.id.cmp(&b.passage.id))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn quotes_lie_within_any_text(text in "\\PC{0,300}([.!? ]\\PC{0,200}){0,4}") {
            let passage = Passage { text: text.clone(), ..Passage::default() };
            for span in statements(&passage) {
                let quote = quotable(&text, span);
                prop_assert!(text.get(quote.clone()).is_some());
                prop_assert!(quote.len() <= QUOTE_BYTES_LIMIT);
            }
        }
    }
}
