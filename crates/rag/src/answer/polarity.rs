//! Which way a text points, clause by clause: up or down, said or denied.
//!
//! A sentence may share all its words with a source and say the opposite. So a direction must be
//! that of the clause it shares most words with, and a negation must be the source's own. Rules
//! and not grammar: where they cannot tell, the sentence is left out.

use std::collections::BTreeSet;

use crate::prose::{Word, content_stems, words};
use crate::query::Direction;
use crate::rank::cause::word_lean;

/// From this on a word of news points somewhere.
const LEAN_MIN: f32 = 0.5;
/// A negation reaches this many words.
const NEGATION_REACH: usize = 6;

/// A piece of a sentence with one statement.
#[derive(Clone, Debug, Default)]
pub(super) struct Clause {
    /// Stems of the words that point nowhere.
    pub(super) stems: BTreeSet<String>,
    /// News or motion that points up, or down.
    leans: [bool; 2],
    /// Verbs of motion alone.
    moves: [bool; 2],
    /// Names shares or a stock.
    shares: bool,
}

/// The clauses of a text; `commas` end one too.
pub(super) fn clauses(text: &str, commas: bool) -> Vec<Clause> {
    let mut found = vec![Clause::default()];
    let mut end = 0;
    for word in words(text) {
        let gap = &text[end..word.start];
        end = word.end;
        let lower = word.lower();
        let stops =
            |c: char| matches!(c, '.' | '!' | '?' | ';' | '\n') || (commas && ",:—–".contains(c));
        if gap.contains(stops) || JOINERS.contains(&lower.as_str()) {
            found.push(Clause::default());
        }
        if let Some(clause) = found.last_mut() {
            clause.add(&word, &lower);
        }
    }
    found
}

impl Clause {
    fn add(&mut self, word: &Word<'_>, lower: &str) {
        let motion = Direction::of(lower);
        let lean = word_lean(lower);
        let up = motion == Some(Direction::Up) || lean >= LEAN_MIN;
        let down = motion == Some(Direction::Down) || lean <= -LEAN_MIN;
        self.leans = [self.leans[0] | up, self.leans[1] | down];
        self.moves[0] |= motion == Some(Direction::Up);
        self.moves[1] |= motion == Some(Direction::Down);
        self.shares |= ["share", "shares", "stock", "stocks"].contains(&lower);
        if !up && !down {
            self.stems.extend(content_stems(word.text));
        }
    }

    fn is_move(&self) -> bool {
        self.moves[0] || self.moves[1]
    }
}

/// Whether every direction of a claim is that of its sources. `market`: clauses of the market
/// facts, which decide with the passages' words on shares about moves of a price.
pub(super) fn same_direction(claim: &str, market: &[Clause], passages: &[&Clause]) -> bool {
    let told: BTreeSet<&String> = market.iter().flat_map(|c| &c.stems).collect();
    clauses(claim, true).iter().all(|clause| {
        let price =
            clause.is_move() && (clause.shares || clause.stems.iter().all(|s| told.contains(s)));
        if price {
            let speak = passages.iter().copied().filter(|c| c.shares);
            let known = market
                .iter()
                .chain(speak)
                .fold([false; 2], |k, c| or(k, c.moves));
            return within(clause.moves, known);
        }
        // The company's name is in every clause; what was said of it tells clauses apart.
        let topic: Vec<&String> = clause.stems.iter().filter(|s| !told.contains(s)).collect();
        let best = |of: &[&Clause]| {
            let shared = |c: &Clause| topic.iter().filter(|s| c.stems.contains(**s)).count();
            let most = of.iter().map(|c| shared(c)).max().unwrap_or(0);
            let nearest = of.iter().filter(|c| shared(c) == most);
            nearest.fold([false; 2], |k, c| or(k, c.leans))
        };
        let leaning: Vec<&Clause> = market
            .iter()
            .chain(passages.iter().copied())
            .filter(|c| c.leans[0] || c.leans[1])
            .collect();
        within(clause.leans, best(&leaning))
    })
}

fn or(a: [bool; 2], b: [bool; 2]) -> [bool; 2] {
    [a[0] | b[0], a[1] | b[1]]
}

fn within(claimed: [bool; 2], known: [bool; 2]) -> bool {
    (!claimed[0] || known[0]) && (!claimed[1] || known[1])
}

/// Stems of what a text denies and of what it says.
#[derive(Clone, Debug, Default)]
pub(super) struct Said {
    pub(super) denied: BTreeSet<String>,
    pub(super) stated: BTreeSet<String>,
}

/// Reads both. A negation reaches to the end of its clause, and not far.
pub(super) fn said(text: &str) -> Said {
    let mut said = Said::default();
    let found = words(text);
    let (mut reach, mut end) = (0, 0);
    for (idx, word) in found.iter().enumerate() {
        let gap = &text[end..word.start];
        end = word.end;
        let lower = word.lower();
        let contrast = ["but", "although", "though", "while", "whereas", "however"];
        if gap.contains(|c| ".,:;!?—–\n".contains(c)) || contrast.contains(&lower.as_str()) {
            reach = 0;
        }
        let only = found
            .get(idx + 1)
            .is_some_and(|next| next.lower() == "only");
        let short = lower == "t" && gap.ends_with(['\'', '’']);
        if (NEGATIONS.contains(&lower.as_str()) && !only) || short {
            reach = NEGATION_REACH + 1;
        }
        let side = if reach > 0 {
            &mut said.denied
        } else {
            &mut said.stated
        };
        side.extend(content_stems(word.text));
        reach = reach.saturating_sub(1);
    }
    said
}

/// Whether a claim denies and states only what its sources deny and state.
pub(super) fn same_negation(claim: &str, sources: &[&Said]) -> bool {
    let claim = said(claim);
    let states = |stem: &String| sources.iter().any(|s| s.stated.contains(stem));
    let denies = |stem: &String| sources.iter().any(|s| s.denied.contains(stem));
    let reversed = claim.denied.iter().any(|s| states(s) && !denies(s));
    let forgotten = claim.stated.iter().any(|s| denies(s) && !states(s));
    !reversed && !forgotten
}

#[rustfmt::skip]
const JOINERS: &[&str] = &[
    "and", "as", "so", "but", "while", "whereas", "although", "though", "after", "because",
    "before", "following", "amid", "which", "who",
];

#[rustfmt::skip]
const NEGATIONS: &[&str] = &[
    "not", "no", "never", "without", "none", "neither", "nor", "cannot", "nobody", "nothing",
    "deny", "denies", "denied", "denying", "refute", "refutes", "refuted", "fail", "fails",
    "failed", "unable", "refuse", "refuses", "refused", "hardly",
];

#[cfg(test)]
mod tests {
    use super::*;

    const MARKET: &str = "ACME (Acme Inc.) last 93.00, down 7.00 % since 14:30:00Z.";
    const PASSAGE: &str = "Acme did not cut its dividend. Revenue rose as costs fell. \
        It won a contract and rejected a bid.";

    #[test]
    fn directions_follow_the_nearest_clause() {
        let check = |claim: &str, want: bool| {
            let (market, passage) = (clauses(MARKET, false), clauses(PASSAGE, false));
            let passage: Vec<&Clause> = passage.iter().collect();
            assert_eq!(same_direction(claim, &market, &passage), want, "{claim}");
        };
        check("Acme's revenue rose.", true);
        check("Acme's revenue fell.", false);
        check("Costs fell and revenue rose.", true);
        check("ACME fell.", true);
        check("ACME rose.", false);
        check("Revenue rose, so shares rose.", false);
        check("Shares fell because it rejected a bid.", true);
        check("It lost a contract.", false);
    }

    #[test]
    fn negations_are_the_sources_own() {
        let check = |claim: &str, want: bool| {
            let passage = said(PASSAGE);
            assert_eq!(same_negation(claim, &[&passage]), want, "{claim}");
        };
        check("Acme did not cut its dividend.", true);
        check("Acme didn't cut its dividend.", true);
        check("Acme cut its dividend.", false);
        check("It won a contract.", true);
        check("It never won a contract.", false);
        check("It denied that it won a contract.", false);
    }
}
