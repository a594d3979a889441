//! What a model's sentence must rest on: the market facts and the passages it cites.
//!
//! A sentence is carried when everything in quotation marks is verbatim in a cited passage, every
//! figure stands in one source together with its magnitude and unit, it denies what its sources
//! deny and points where they point, and most of its telling words are theirs. The question lends
//! words to a sentence that cites, never a claim: it may take for granted what did not happen.

use std::collections::BTreeSet;

use super::figure::{Figure, figures};
use super::polarity::{Clause, Said, clauses, said, same_direction, same_negation};
use super::quote::{levelled, quotes};
use crate::prose::{Word, content_stems, words};
use crate::query::Direction;

/// Share of a sentence's telling words that its sources must have. A paraphrase keeps names,
/// figures and nouns; below two thirds the verbs are not the only thing that is new.
const SUPPORT_MIN: f32 = 0.67;

/// One source, read once.
#[derive(Clone, Debug, Default)]
struct Source {
    levelled: String,
    stems: BTreeSet<String>,
    figures: Vec<Figure>,
    clauses: Vec<Clause>,
    said: Said,
}

impl Source {
    fn read(text: &str) -> Self {
        Self {
            levelled: levelled(text),
            stems: content_stems(text),
            figures: figures(text),
            clauses: clauses(text, false),
            said: said(text),
        }
    }
}

/// All that an answer may rest on.
#[derive(Clone, Debug)]
pub(super) struct Ground {
    market: Source,
    question: Source,
    passages: Vec<Source>,
}

impl Ground {
    pub(super) fn new(facts: &str, question: &str, passages: &[String]) -> Self {
        Self {
            market: Source::read(facts),
            question: Source::read(question),
            passages: passages.iter().map(|p| Source::read(p)).collect(),
        }
    }

    /// Whether the passages cited (from 0) and the market facts carry a sentence.
    pub(super) fn carries(&self, sentence: &str, cited: &[usize]) -> bool {
        let Some(cited) = cited
            .iter()
            .map(|&n| self.passages.get(n))
            .collect::<Option<Vec<_>>>()
        else {
            return false;
        };
        let verbatim = |quote: &&str| {
            let quote = levelled(quote);
            cited.iter().any(|s| s.levelled.contains(&quote))
        };
        let passages: Vec<&Clause> = cited.iter().flat_map(|s| &s.clauses).collect();
        let mut told: Vec<&Said> = cited.iter().map(|s| &s.said).collect();
        told.push(&self.market.said);
        quotes(sentence).iter().all(verbatim)
            && figures(sentence).iter().all(|f| self.counts(f, &cited))
            && same_negation(sentence, &told)
            && same_direction(sentence, &self.market.clauses, &passages)
            && self.support(sentence, &cited) >= SUPPORT_MIN
    }

    fn counts(&self, claim: &Figure, cited: &[&Source]) -> bool {
        let of = |s: &Source, market| s.figures.iter().any(|f| claim.is_said(f, &s.stems, market));
        let asked = claim.is_plain()
            && !cited.is_empty()
            && self.question.figures.iter().any(|f| claim.same_value(f));
        asked || of(&self.market, true) || cited.iter().any(|s| of(s, false))
    }

    /// Figures and verbs of motion have been held to their sources already, in whatever words.
    fn support(&self, sentence: &str, cited: &[&Source]) -> f32 {
        let all = words(sentence);
        let held = |w: &&Word<'_>| w.is_number() || Direction::of(w.text).is_some();
        let open = all.iter().filter(|w| !held(w));
        let stems: BTreeSet<String> = open.flat_map(|w| content_stems(w.text)).collect();
        if stems.is_empty() {
            return if all.iter().any(|w| held(&w)) {
                1.0
            } else {
                0.0
            };
        }
        let asked = Some(&self.question).filter(|_| !cited.is_empty());
        let sources = cited.iter().copied().chain([&self.market]).chain(asked);
        let sources: Vec<&Source> = sources.collect();
        let known = |stem: &&String| sources.iter().any(|s| s.stems.contains(*stem));
        stems.iter().filter(known).count() as f32 / stems.len() as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FACTS: &str = "TURN (Turnstile Inc.) last 93.00, down 7.00 % since 14:30:00Z. \
        TURN fell 7.00 % (100.00 to 93.00) within 2.0 s at 15:00:00Z.";
    const NEWS: &str = "Turnstile discloses data breach\n\nTurnstile disclosed a data breach that \
        exposed records of 930 million customers. Shares fell in early trading.";

    fn check(sentence: &str, want: bool) {
        let ground = Ground::new(FACTS, "Why did TURN jump 50 % in 2031?", &[NEWS.to_owned()]);
        assert_eq!(ground.carries(sentence, &[0]), want, "{sentence}");
    }

    #[test]
    fn what_the_news_says_is_carried() {
        check("Turnstile disclosed a data breach.", true);
        check(
            "TURN fell 7 % after it disclosed a breach of 930 million customers' records.",
            true,
        );
        check(
            "The breach \"exposed records of 930 million customers\".",
            true,
        );
        check("The breach ‘exposed records’ of customers.", true);
        check("Turnstile's shares fell to $93.", true);
        check(
            "TURN dropped 7.00 % within 2 s after the company disclosed a data breach.",
            true,
        );
        check(
            "The shares fell because a data breach exposed customers' records.",
            true,
        );
        check("TURN is down 7 % since 14:30Z.", true);
    }

    #[test]
    fn inventions_from_the_sources_own_words_are_not() {
        check(
            "TURN denied any data breach and never exposed records of customers.",
            false,
        );
        check(
            "Turnstile disclosed a breach of 930 trillion customers",
            false,
        );
        check("930 trillion customers", false);
        check("«customers should flee now»", false);
        check("'we will be delisted'", false);
        check("Turnstile said `customers should flee now`.", false);
        check(
            "Turnstile disclosed record customers, so shares rose.",
            false,
        );
        check("disclosed record customers, so shares rose", false);
        check("Turnstile's shares jumped 50 %.", false);
        check("The breach exposed records of employees in Paris.", false);
        check("Turnstile disclosed that no data was exposed.", false);
        check("Turnstile hasn't disclosed a data breach.", false);
        check("Shares of Turnstile rallied in early trading.", false);
        check("TURN fell 70 % after a data breach.", false);
        check(
            "Turnstile disclosed a breach of 930 billion records.",
            false,
        );
        check(
            "Turnstile disclosed a breach of nine hundred trillion records.",
            false,
        );
        check("Turnstile: „customers flee“ after data breach.", false);
        check("Turnstile disclosed a $930 million data breach.", false);
        check("The data breach exposed 930 customers.", false);
        check("Turnstile upgraded after data breach.", false);
    }
}
