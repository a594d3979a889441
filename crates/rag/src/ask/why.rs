//! Why a symbol moved, and what is moving: facts first, then evidence or an honest "no cause
//! found".

use crate::abstain::credible;
use crate::answer;
use crate::ask::run::Run;
use crate::ask::{Citation, Fact};
use crate::context::distinct;
use crate::facts::sentence::{aged, clock, halted, moved, named, standing};
use crate::facts::{Move, Pace, SymbolFacts, moves};
use crate::fault::Fault;
use crate::memory::Search;
use crate::prose::words;
use crate::query::Direction;
use crate::rank::{Evidence, Subject, causes};
use crate::search::Mode;

/// Symbols of one question answered at most.
pub(super) const SUBJECTS_LIMIT: usize = 3;
/// Said where a search was left out.
pub(super) const NOT_SEARCHED: &str = "not searched: deadline";
const DAY_NS: u64 = 86_400_000_000_000;

/// Everything an answer is made of, before it is put into words.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Draft {
    /// The answer in our own words: shown as it is without a model.
    pub(crate) text: String,
    pub(crate) abstained: bool,
    pub(crate) evidence: Vec<Evidence>,
    pub(crate) citations: Vec<Citation>,
    pub(crate) facts: Vec<Fact>,
}

/// What was found out about one symbol.
pub(super) struct Finding {
    text: String,
    facts: Vec<Fact>,
    evidence: Vec<Evidence>,
    pub(super) citations: Vec<Citation>,
}

impl Finding {
    /// No evidence, for the reason that `lead` gives.
    pub(super) fn without(lead: String, facts: Vec<Fact>) -> Self {
        let text = format!("{lead} {}", said(&facts));
        Self {
            text: text.trim().to_owned(),
            facts,
            evidence: Vec::new(),
            citations: Vec::new(),
        }
    }
}

impl Run<'_> {
    /// Why the named symbols moved.
    pub(crate) fn why(&mut self) -> Result<Draft, Fault> {
        let symbols: Vec<String> = self
            .query
            .symbols
            .iter()
            .take(SUBJECTS_LIMIT)
            .cloned()
            .collect();
        if symbols.is_empty() {
            let subject = Subject {
                symbol: None,
                entities: self.query.entities.clone(),
            };
            let name = as_written(&self.question.q, &self.query.entities);
            let found = self.explain(&subject, &name, None, 1)?;
            return Ok(joined(vec![found]));
        }
        let seen = symbols
            .into_iter()
            .map(|symbol| {
                let market = self.market(&symbol);
                (symbol, market)
            })
            .collect();
        self.explain_all(seen)
    }

    pub(super) fn explain_all(
        &mut self,
        seen: Vec<(String, Option<SymbolFacts>)>,
    ) -> Result<Draft, Fault> {
        let mut findings = Vec::with_capacity(seen.len());
        let mut number = 1;
        for (symbol, market) in seen {
            let subject = Subject {
                symbol: Some(symbol.clone()),
                entities: Vec::new(),
            };
            let found = self.explain(&subject, &symbol, market, number)?;
            number += found.citations.len();
            findings.push(found);
        }
        Ok(joined(findings))
    }

    fn explain(
        &mut self,
        subject: &Subject,
        name: &str,
        market: Option<SymbolFacts>,
        number: usize,
    ) -> Result<Finding, Fault> {
        let m = match &market {
            Some(facts) => {
                self.flag_book(facts);
                self.relevant(facts)
            }
            None => Some(self.unseen()),
        };
        let facts = market
            .as_ref()
            .map(|f| self.sentences(f, m.as_ref()))
            .unwrap_or_default();
        let Some(m) = m else {
            return Ok(Finding::without(self.no_move(name, market.as_ref()), facts));
        };
        if let (Some(asked), Some(actual)) = (self.query.direction, m.direction())
            && asked != actual
        {
            self.flag(format!("moved-the-other-way:{name}"));
            let lead = other_way(name, market.as_ref(), asked);
            return Ok(Finding::without(lead, facts));
        }
        if self.too_late() {
            let lead = format!("No cause looked for: {NOT_SEARCHED}.");
            return Ok(Finding::without(lead, facts));
        }
        self.explain_move(subject, name, (market.as_ref(), facts), &m, number)
    }

    /// Why a move happened, given what the market says, as facts and in sentences.
    pub(super) fn explain_move(
        &mut self,
        subject: &Subject,
        name: &str,
        (market, facts): (Option<&SymbolFacts>, Vec<Fact>),
        m: &Move,
        number: usize,
    ) -> Result<Finding, Fault> {
        let (considered, evidence) = self.evidence(subject, market, m)?;
        let (evidence, citations) = self.proven(evidence);
        if citations.is_empty() {
            let lead = self.no_cause(name, market.is_some(), m, considered);
            return Ok(Finding::without(lead, facts));
        }
        let cause = answer::cause(&citations, number, self.now_ns);
        let text = format!("{} {cause}", said(&facts));
        Ok(Finding {
            text: text.trim().to_owned(),
            facts,
            evidence,
            citations,
        })
    }

    /// The move of a symbol that the question means. The present is where the facts end: a day's
    /// bar of last Friday, or a feed that stopped, still tells of the newest move there is.
    pub(super) fn relevant(&self, facts: &SymbolFacts) -> Option<Move> {
        let newest = facts.newest_at();
        let now = if newest == 0 { self.now_ns } else { newest };
        let now = now.min(self.question.as_of.unwrap_or(u64::MAX));
        let (when, direction) = (self.query.when, self.query.direction);
        moves::relevant(facts, now, when, direction, &self.asker.settings)
    }

    /// Why there is nothing to explain. Facts that do show a move are from another time.
    fn no_move(&self, name: &str, market: Option<&SymbolFacts>) -> String {
        let name_of = market.map_or_else(|| name.to_owned(), named);
        let settings = &self.asker.settings;
        let moved = |f: &SymbolFacts| f.change_bp().is_some_and(|bp| settings.is_move(bp));
        match market.filter(|f| moved(f)) {
            Some(facts) => {
                let at = clock(facts.newest_at(), self.now_ns);
                format!(
                    "No cause found: nothing is known of {name_of} at that time, the newest data is from {at}."
                )
            }
            None => format!("No cause found: {name_of} has not moved notably."),
        }
    }

    /// The market's facts as of the instant, or as of the end of the day that the question names.
    pub(super) fn market(&mut self, symbol: &str) -> Option<SymbolFacts> {
        let past = self.past();
        let as_of = match (self.question.as_of, past) {
            (Some(as_of), Some(past)) => Some(as_of.min(past)),
            (as_of, past) => as_of.or(past),
        };
        let facts = self.asker.facts.as_of_facts(symbol, as_of);
        self.watch.lap(&mut self.receipt.stages_us.facts);
        facts
    }

    /// What a reader should know of the book before trusting its facts.
    pub(super) fn flag_book(&mut self, facts: &SymbolFacts) {
        let symbol = &facts.symbol;
        if !facts.integrity.is_empty() && facts.integrity != "ok" {
            self.flag(format!("book-{}:{symbol}", facts.integrity));
        }
        if facts.crossed {
            self.flag(format!("book-crossed:{symbol}"));
        }
        if facts.locked {
            self.flag(format!("book-locked:{symbol}"));
        }
        if facts.state == "halted" || facts.state == "paused" {
            self.flag(format!("{}:{symbol}", facts.state));
        }
    }

    /// The end of the time that the question names, when that is over.
    fn past(&self) -> Option<u64> {
        self.query.when.map(|w| w.to).filter(|&to| to < self.now_ns)
    }

    /// Without market data the question's own time is all there is to go by.
    fn unseen(&self) -> Move {
        match self.query.when {
            Some(when) => Move::unseen(when.from, when.to.min(self.now_ns.max(when.from))),
            None => Move::unseen(self.now_ns.saturating_sub(DAY_NS), self.now_ns),
        }
    }

    pub(super) fn sentences(&self, facts: &SymbolFacts, m: Option<&Move>) -> Vec<Fact> {
        let fact = |text: String, at: u64| Fact {
            symbol: facts.symbol.clone(),
            text,
            at,
            integrity: facts.integrity.clone(),
        };
        let mut all = vec![fact(standing(facts, self.now_ns), facts.at)];
        // The day's change is in the first sentence already.
        let jump = m.filter(|m| m.pace == Pace::Jump);
        if let Some(m) = jump
            && let Some(text) = moved(facts, m, self.now_ns)
        {
            all.push(fact(text, m.end));
        }
        let near = |at: u64| jump.is_none_or(|m| at.abs_diff(m.end) < 3_600_000_000_000);
        if let Some(halt) = facts
            .halts
            .iter()
            .filter(|h| near(h.at))
            .max_by_key(|h| h.at)
        {
            all.push(fact(halted(facts, halt, self.now_ns), halt.at));
        }
        if let Some(text) = aged(facts, self.past().unwrap_or(self.now_ns)) {
            all.push(fact(text, facts.newest_at()));
        }
        all
    }

    /// How many passages were looked at, and those that explain the move.
    fn evidence(
        &mut self,
        subject: &Subject,
        market: Option<&SymbolFacts>,
        m: &Move,
    ) -> Result<(usize, Vec<Evidence>), Fault> {
        let settings = self.asker.settings;
        let lookback = match m.pace {
            Pace::Jump => settings.jump_lookback_ns,
            Pace::Day => settings.day_lookback_ns,
        };
        let direction = m.direction().or(self.query.direction);
        let query = cause_query(subject, self.name_of(subject, market), direction);
        let vector = self.vector(&query)?;
        let search = Search {
            k: settings.candidates_limit,
            as_of: self.searched_at,
            symbols: subject.symbol.iter().cloned().collect(),
            event_from: Some(m.start.saturating_sub(lookback)),
            event_to: Some(m.end.saturating_add(settings.report_lag_ns)),
            ..Search::default()
        };
        let mut found = self.retrieve(vector.as_deref(), &query, &search, Mode::Hybrid)?;
        // Documents need not be tagged; those that only name the company are looked for as well.
        if subject.symbol.is_some() {
            let untagged = Search {
                symbols: Vec::new(),
                ..search
            };
            let more = self.retrieve(vector.as_deref(), &query, &untagged, Mode::Hybrid)?;
            let known: std::collections::HashSet<String> =
                found.iter().map(|c| c.passage.id.clone()).collect();
            found.extend(more.into_iter().filter(|c| !known.contains(&c.passage.id)));
        }
        let ranked = causes(
            &found,
            m,
            self.query.direction,
            subject,
            &self.names,
            &settings,
        );
        let mut kept = distinct(credible(ranked));
        kept.truncate(self.citations_limit());
        self.watch.lap(&mut self.receipt.stages_us.assemble);
        Ok((found.len(), kept))
    }

    /// What a subject is called: by the market, or by the directory where it has no book of it.
    pub(super) fn name_of<'a>(
        &'a self,
        subject: &Subject,
        market: Option<&'a SymbolFacts>,
    ) -> &'a str {
        let symbol = subject.symbol.as_deref().unwrap_or("");
        let told = market.and_then(|facts| facts.name.as_deref());
        told.or_else(|| self.names.name_of(symbol)).unwrap_or("")
    }

    fn no_cause(&self, name: &str, known: bool, m: &Move, considered: usize) -> String {
        let move_of = match (known, m.pace) {
            (false, _) => format!("a move of {name}"),
            (true, Pace::Jump) => format!("the move of {name} at {}", clock(m.end, self.now_ns)),
            (true, Pace::Day) => format!("the move of {name}"),
        };
        let reserve = self.reservation();
        match considered {
            0 => {
                format!("No cause found for {move_of}: no document from around that time.{reserve}")
            }
            n => format!(
                "No cause found for {move_of}: none of {n} passages from around that time explains it.{reserve}"
            ),
        }
    }
}

/// That what was asked about did not happen. The day may have ended a little that way all the same.
fn other_way(name: &str, market: Option<&SymbolFacts>, asked: Direction) -> String {
    let day = market.and_then(SymbolFacts::change_bp);
    let notably = match day.and_then(Direction::of_move) == Some(asked) {
        true => " notably",
        false => "",
    };
    let name = market.map_or_else(|| name.to_owned(), named);
    match asked {
        Direction::Up => format!("No cause found: {name} did not rise{notably}, it fell."),
        Direction::Down => format!("No cause found: {name} did not fall{notably}, it rose."),
    }
}

/// Entities as the question writes them.
fn as_written(q: &str, entities: &[String]) -> String {
    let found = words(q);
    let written = entities.iter().map(|entity| {
        let word = found
            .iter()
            .find(|w| w.is_capital() && w.lower() == *entity);
        word.map_or(entity.as_str(), |w| w.text)
    });
    written.collect::<Vec<_>>().join(" ")
}

/// What is searched: not the question's words ("why did X move") but those of its answer.
pub(super) fn cause_query(subject: &Subject, name: &str, direction: Option<Direction>) -> String {
    let symbol = subject.symbol.as_deref().unwrap_or("");
    let entities = subject.entities.join(" ");
    let news = match direction {
        Some(Direction::Up) => {
            "shares jump after good news: raises forecast, wins, approval, takeover"
        }
        Some(Direction::Down) => {
            "shares fall after bad news: cuts forecast, loss, recall, investigation"
        }
        None => "shares move after news: forecast, deal, approval, investigation",
    };
    let parts = [name, symbol, &entities, news];
    parts
        .into_iter()
        .filter(|p| !p.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

fn said(facts: &[Fact]) -> String {
    facts
        .iter()
        .map(|f| f.text.as_str())
        .collect::<Vec<_>>()
        .join(" ")
}

/// One answer of several findings, a paragraph each. Abstained only when none has evidence.
pub(super) fn joined(findings: Vec<Finding>) -> Draft {
    let mut draft = Draft::default();
    let mut paragraphs = Vec::with_capacity(findings.len());
    for found in findings {
        paragraphs.push(found.text);
        draft.facts.extend(found.facts);
        draft.evidence.extend(found.evidence);
        draft.citations.extend(found.citations);
    }
    draft.text = paragraphs.join("\n");
    draft.abstained = draft.citations.is_empty();
    draft
}
