//! Questions that are not about a move: the sentences that answer best, or nothing.

use std::sync::Arc;

use crate::abstain::relevance;
use crate::answer;
use crate::ask::Fact;
use crate::ask::run::Run;
use crate::ask::why::{Draft, NOT_SEARCHED};
use crate::context::Distinct;
use crate::facts::sentence::{aged, standing};
use crate::fault::Fault;
use crate::fuse::Candidate;
use crate::memory::{Passage, Search};
use crate::prose::content_stems;
use crate::rank::{Bearing, Evidence, Subject, quoted, supporting};
use crate::search::Mode;

/// How much a passage must be about the company that a question names.
const ABOUT_MIN: f32 = 0.4;
/// Further passages are shown only when nearly as good as the first.
const SHARE_MIN: f32 = 0.8;

impl Run<'_> {
    /// Answers from passages alone, with the market's standing of the symbols named beside it.
    pub(crate) fn plain(&mut self) -> Result<Draft, Fault> {
        let facts = self.standings();
        if self.too_late() {
            let lead = format!("No answer looked for: {NOT_SEARCHED}.");
            return Ok(abstained(lead, facts));
        }
        let question = self.question.q.clone();
        let vector = self.vector(&question)?;
        let when = self.query.when.filter(|w| w.relative);
        let search = Search {
            k: self.asker.settings.candidates_limit,
            as_of: self.searched_at,
            event_from: when.map(|w| w.from),
            event_to: when.map(|w| w.to),
            ..Search::default()
        };
        let found = self.retrieve(vector.as_deref(), &question, &search, Mode::Hybrid)?;
        let considered = found.len();
        let subjects = self.subjects();
        let (names, stems) = (Arc::clone(&self.names), self.query.stems.clone());
        let margin = self.asker.settings.abstain_margin;
        let suits = |candidate: &Candidate| {
            let passage = &candidate.passage;
            let asked = subjects
                .iter()
                .map(|s| Bearing::of(passage, s, &names).whole());
            let about = asked.fold(None, |best: Option<f32>, a| {
                Some(best.map_or(a, |b| b.max(a)))
            });
            if about.is_some_and(|a| a < ABOUT_MIN) {
                0.0
            } else {
                relevance(candidate, &stems, margin)
            }
        };
        let fit = |sentence: &str| {
            let found = content_stems(sentence);
            stems.intersection(&found).count() as f32 / (found.len() as f32).sqrt().max(1.0)
        };
        let kept = self.chosen(supporting(&found, suits), &fit);
        let (evidence, citations) = self.proven(kept);
        if citations.is_empty() {
            let reserve = self.reservation();
            let lead = match considered {
                0 => format!("No answer found: no passage was found.{reserve}"),
                n => format!("No answer found: none of {n} passages supports one.{reserve}"),
            };
            return Ok(abstained(lead, facts));
        }
        let text = answer::statements(&citations, self.now_ns);
        Ok(Draft {
            text,
            abstained: false,
            evidence,
            citations,
            facts,
        })
    }

    /// What is shown of the passages that support an answer. Whether one does is decided; which of them is shown first is a
    /// cross-encoder's to say.
    fn chosen(
        &mut self,
        supporting: Vec<(f32, &Passage)>,
        fit: &dyn Fn(&str) -> f32,
    ) -> Vec<Evidence> {
        let is_ordered = self.asker.rerank.is_none();
        let reranked = self.reranked(supporting, |(_, passage)| passage);
        let ranked = reranked.into_iter().map(|(one, _)| one);
        chosen(ranked, is_ordered, self.citations_limit(), fit)
    }

    /// The companies asked about, of those we know.
    fn subjects(&self) -> Vec<Subject> {
        let symbols = self.query.symbols.iter();
        let subject = |symbol: &String| Subject {
            symbol: Some(symbol.clone()),
            entities: Vec::new(),
        };
        symbols.map(subject).collect()
    }

    fn standings(&mut self) -> Vec<Fact> {
        let symbols: Vec<String> = self.query.symbols.iter().take(3).cloned().collect();
        let known = symbols
            .iter()
            .filter_map(|symbol| self.asker.facts.as_of_facts(symbol, self.question.as_of));
        let facts = known
            .flat_map(|f| {
                let fact = |text: String| Fact {
                    symbol: f.symbol.clone(),
                    text,
                    at: f.at,
                    integrity: f.integrity.clone(),
                };
                let mut both = vec![fact(standing(&f, self.now_ns))];
                both.extend(aged(&f, self.now_ns).map(fact));
                both
            })
            .collect();
        self.watch.lap(&mut self.receipt.stages_us.facts);
        facts
    }
}

/// At most `limit` that do not repeat each other and are nearly as good as the best of all that do not. A quote is looked
/// for where it may be shown: where the best comes first (`is_ordered`) that is in a few passages.
fn chosen<'p>(
    ranked: impl Iterator<Item = (f32, &'p Passage)>,
    is_ordered: bool,
    limit: usize,
    fit: &dyn Fn(&str) -> f32,
) -> Vec<Evidence> {
    let mut kept = Distinct::default();
    for one in ranked {
        let least = kept.first().map_or(0.0, |best| best.score * SHARE_MIN);
        if is_ordered && (kept.len() >= limit || one.0 < least) {
            break;
        }
        if let Some(evidence) = quoted(one, fit) {
            kept.take(evidence);
        }
    }
    let mut kept = kept.into_evidence();
    let best = kept.iter().map(|e| e.score).fold(0.0, f32::max);
    kept.retain(|e| e.score >= best * SHARE_MIN);
    kept.truncate(limit);
    kept
}

/// No evidence, for the reason that `lead` gives, beside what the market says.
fn abstained(lead: String, facts: Vec<Fact>) -> Draft {
    let said = facts.iter().map(|f| f.text.as_str());
    let all: Vec<&str> = std::iter::once(lead.as_str()).chain(said).collect();
    Draft {
        text: all.join(" "),
        abstained: true,
        facts,
        ..Draft::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::distinct;
    use proptest::prelude::*;

    /// The definition: all quotes, without repeats, the good ones, the first of them.
    fn naive(ranked: &[(f32, &Passage)], limit: usize, fit: &dyn Fn(&str) -> f32) -> Vec<Evidence> {
        let quotes = ranked.iter().filter_map(|one| quoted(*one, fit));
        let mut kept = distinct(quotes.collect());
        let best = kept.iter().map(|e| e.score).fold(0.0, f32::max);
        kept.retain(|e| e.score >= best * SHARE_MIN);
        kept.truncate(limit);
        kept
    }

    proptest! {
        #[test]
        fn only_quotes_that_may_be_shown_are_looked_for(
            drawn in prop::collection::vec((0.3f32..1.0, 0usize..6), 0..30),
            limit in 1usize..5,
            is_ordered: bool,
        ) {
            const TEXTS: [&str; 6] = [
                "Acme cut its outlook for the year. The shares fell on Monday.",
                "Rates rose in May. Acme cut its outlook for the year. Analysts had expected it.",
                "The fee of the fund is 0.1 percent. It is paid each quarter.",
                "",
                "Copper rose to a record in London trading on Monday.",
                "The fee of the fund is 0.2 percent. It is paid each year.",
            ];
            let passages: Vec<Passage> = drawn
                .iter()
                .enumerate()
                .map(|(n, (_, text))| Passage {
                    id: n.to_string(),
                    document_id: n.to_string(),
                    text: TEXTS[*text].into(),
                    title: Some("A title".into()),
                    ..Passage::default()
                })
                .collect();
            let scores = drawn.iter().map(|(score, _)| *score);
            let mut ranked: Vec<(f32, &Passage)> = scores.zip(&passages).collect();
            if is_ordered {
                ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
            }
            let fit = |sentence: &str| sentence.len() as f32 % 7.0;
            let want = naive(&ranked, limit, &fit);
            prop_assert_eq!(chosen(ranked.into_iter(), is_ordered, limit, &fit), want);
        }
    }
}
