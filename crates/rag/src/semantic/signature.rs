//! What a question claims, beside what it is about: two questions near in meaning may differ in a year, a company, or in
//! up and down, and have different answers. By rules, and strict: what differs in any of this is another question.

use std::collections::BTreeSet;

use crate::prose::{Word, words};
use crate::query::{Class, Direction, Style, entities, when};
use crate::rank::cause::word_lean;

/// From this on a word of news points somewhere.
const LEAN_MIN: f32 = 0.5;

/// Words of which two questions must have the same: who and when is asked, numbers and denials, and whatever has an opposite.
const TELLING: &[&str] = &[
    // What is asked.
    "who",
    "whom",
    "whose",
    "when",
    "where",
    "which",
    "why",
    "how",
    "much",
    "many",
    "percent",
    "percentage",
    "ratio",
    "total",
    "average",
    "per",
    // Numbers in words.
    "one",
    "two",
    "three",
    "four",
    "five",
    "six",
    "seven",
    "eight",
    "nine",
    "ten",
    "hundred",
    "thousand",
    "million",
    "billion",
    "first",
    "second",
    "third",
    "fourth",
    "half",
    "double",
    "quarter",
    "annual",
    "monthly",
    "quarterly",
    "q1",
    "q2",
    "q3",
    "q4",
    // Denials and bounds.
    "not",
    "no",
    "never",
    "without",
    "except",
    "excluding",
    "including",
    "only",
    "neither",
    "nor",
    "none",
    "cannot",
    "denies",
    "denied",
    "deny",
    "false",
    "unless",
    "against",
    "despite",
    "all",
    "any",
    "some",
    "other",
    // Times.
    "now",
    "ago",
    "last",
    "next",
    "past",
    "this",
    "previous",
    "current",
    "before",
    "after",
    "since",
    "until",
    "during",
    "between",
    "day",
    "days",
    "week",
    "weeks",
    "month",
    "months",
    "year",
    "years",
    "hour",
    "hours",
    "minute",
    "minutes",
    "earlier",
    "later",
    "recent",
    "recently",
    "early",
    "late",
    // Opposites.
    "buy",
    "sell",
    "buyer",
    "seller",
    "bought",
    "sold",
    "bid",
    "ask",
    "long",
    "short",
    "call",
    "calls",
    "put",
    "puts",
    "bull",
    "bear",
    "bullish",
    "bearish",
    "more",
    "less",
    "most",
    "least",
    "fewer",
    "high",
    "higher",
    "highest",
    "low",
    "lower",
    "lowest",
    "over",
    "under",
    "above",
    "below",
    "max",
    "maximum",
    "min",
    "minimum",
    "best",
    "worst",
    "better",
    "worse",
    "new",
    "old",
    "open",
    "close",
    "opening",
    "closing",
    "start",
    "end",
    "beginning",
    "ending",
    "debit",
    "credit",
    "asset",
    "assets",
    "liability",
    "liabilities",
    "lend",
    "borrow",
    "lender",
    "borrower",
    "employer",
    "employee",
    "gross",
    "net",
    "import",
    "export",
    "imports",
    "exports",
    "add",
    "remove",
    "with",
    "from",
    "to",
    "and",
    "or",
    "versus",
    "vs",
    "good",
    "bad",
    "pros",
    "cons",
    "advantage",
    "advantages",
    "disadvantage",
    "disadvantages",
    "benefit",
    "risk",
    "inside",
    "outside",
    "domestic",
    "foreign",
    "current",
    "noncurrent",
    "fixed",
    "variable",
    "basic",
    "diluted",
    "active",
    "passive",
    "cash",
    "non",
];

/// Equal for questions that claim the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Signature {
    /// How it is asked weighs its lists.
    style: Style,
    class: Class,
    /// Names that stand in capitals, lower case.
    names: BTreeSet<String>,
    /// Words with a digit, words of the calendar, and those of [`TELLING`].
    telling: BTreeSet<String>,
    /// Whether a word points up, and down.
    points: [bool; 2],
    /// Words in double quotes must stand in a row: they are taken as they are.
    quoted: Vec<String>,
}

impl Signature {
    pub(crate) fn of(q: &str) -> Self {
        let found = words(q);
        let lower: Vec<String> = found.iter().map(Word::lower).collect();
        let telling = lower.iter().filter(|word| is_telling(word)).cloned();
        let up = lower.iter().any(|word| points(word, Direction::Up));
        let down = lower.iter().any(|word| points(word, Direction::Down));
        let quoted = q.split('"').skip(1).step_by(2).map(str::to_lowercase);
        Self {
            style: Style::of(q),
            class: Class::of(q, true),
            names: names(&found, q),
            telling: telling.collect(),
            points: [up, down],
            quoted: quoted.collect(),
        }
    }
}

/// Those of a name's place, and whatever is written in capitals: a ticker may stand first.
fn names(found: &[Word<'_>], q: &str) -> BTreeSet<String> {
    let capitals = found.iter().filter(|w| w.is_upper() && w.text.len() > 1);
    let capitals = capitals.map(Word::lower);
    // The first word is written large in any case; one that is no word of a question may be a name.
    let first = found
        .first()
        .filter(|w| w.is_capital() && !is_opening(&w.lower()));
    let first = first.map(Word::lower);
    entities(q)
        .into_iter()
        .chain(capitals)
        .chain(first)
        .collect()
}

fn is_opening(lower: &str) -> bool {
    const OPENINGS: &[&str] = &[
        "what", "whats", "is", "are", "was", "were", "do", "does", "did", "can", "could", "should",
        "would", "will", "has", "have", "had", "in", "at", "of", "for", "on", "by", "the", "a",
        "an", "i", "if", "tell", "explain", "describe", "give", "show", "list", "name", "find",
        "what's", "reason", "reasons", "please", "was", "am", "my",
    ];
    OPENINGS.contains(&lower) || is_telling(lower) || crate::prose::word::is_stop(lower)
}

fn is_telling(lower: &str) -> bool {
    lower.contains(|c: char| c.is_ascii_digit())
        || lower.ends_with("n't")
        || lower.ends_with("n’t")
        || when::is_calendar(lower)
        || TELLING.contains(&lower)
        || ["today", "tonight", "yesterday", "tomorrow"].contains(&lower)
}

fn points(lower: &str, way: Direction) -> bool {
    let lean = word_lean(lower);
    let leans = match way {
        Direction::Up => lean >= LEAN_MIN,
        Direction::Down => lean <= -LEAN_MIN,
    };
    leans || Direction::of(lower) == Some(way)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_in_other_words_is_the_same() {
        for (a, b) in [
            ("Why did Acme shares fall?", "Why did Acme stock drop?"),
            (
                "What is the duty of a director?",
                "What is a director's duty?",
            ),
            (
                "How is revenue recognised at Acme in 2019?",
                "How did Acme recognise revenue in 2019?",
            ),
        ] {
            assert_eq!(Signature::of(a), Signature::of(b), "{a} {b}");
        }
    }

    #[test]
    fn another_claim_is_another_question() {
        for (a, b) in [
            ("Why did Acme shares fall?", "Why did Acme shares rise?"),
            ("Why did Acme shares fall?", "Why did Borg shares fall?"),
            ("Why did AAPL fall?", "Why did MSFT fall?"),
            ("What was revenue in 2019?", "What was revenue in 2018?"),
            ("What was revenue in Q1?", "What was revenue in Q2?"),
            ("What was revenue in May?", "What was revenue in June?"),
            ("Is it wise to hold bonds?", "Is it not wise to hold bonds?"),
            ("Does it pay?", "Doesn't it pay?"),
            ("Should I buy a call?", "Should I buy a put?"),
            ("What moved today?", "What moved yesterday?"),
            ("Costs in three years?", "Costs in two years?"),
            ("Tesla margins", "Apple margins"),
            (
                "who said \"we will cut\" there",
                "who said \"we will grow\" there",
            ),
            ("When did it open?", "Where did it open?"),
        ] {
            assert_ne!(Signature::of(a), Signature::of(b), "{a} {b}");
        }
    }
}
