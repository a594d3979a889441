//! Questions that are not about a move: the sentences that answer best, or nothing.

use crate::abstain::relevance;
use crate::answer;
use crate::ask::Fact;
use crate::ask::run::Run;
use crate::ask::why::{Draft, NOT_SEARCHED};
use crate::context::distinct;
use crate::facts::sentence::{aged, standing};
use crate::fault::Fault;
use crate::fuse::Candidate;
use crate::memory::Search;
use crate::prose::content_stems;
use crate::rank::{Bearing, Evidence, Subject, answers};
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
        let names = &self.names;
        let stems = &self.query.stems;
        let margin = self.asker.settings.abstain_margin;
        let suits = |candidate: &Candidate| {
            let passage = &candidate.passage;
            let asked = subjects
                .iter()
                .map(|s| Bearing::of(passage, s, names).whole());
            let about = asked.fold(None, |best: Option<f32>, a| {
                Some(best.map_or(a, |b| b.max(a)))
            });
            if about.is_some_and(|a| a < ABOUT_MIN) {
                0.0
            } else {
                relevance(candidate, stems, margin)
            }
        };
        let fit = |sentence: &str| {
            let found = content_stems(sentence);
            stems.intersection(&found).count() as f32 / (found.len() as f32).sqrt().max(1.0)
        };
        let kept = self.chosen(answers(&found, suits, fit));
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
    fn chosen(&mut self, supporting: Vec<Evidence>) -> Vec<Evidence> {
        let reranked = self.reranked(supporting, |evidence| &evidence.passage);
        let mut kept = distinct(reranked.into_iter().map(|(evidence, _)| evidence).collect());
        let best = kept.iter().map(|e| e.score).fold(0.0, f32::max);
        kept.retain(|e| e.score >= best * SHARE_MIN);
        kept.truncate(self.citations_limit());
        kept
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
