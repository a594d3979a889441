//! A question that stands on earlier ones, written so that it stands alone.
//!
//! Rules, as everywhere in reading questions: a rewriting must be explainable and the same tomorrow. "What about X?" asks
//! the last question of X; "it", "they", "the company" are the last company or name; a short question without a
//! subject is about it as well. Whatever names a subject itself stands alone.

use super::{Names, entities};
use crate::prose::{Word, content_stems, words};

/// Words that stand for what was spoken of.
const PRONOUNS: [&str; 6] = ["it", "they", "them", "its", "their", "theirs"];
/// Of these, those that say whose.
const POSSESSIVE: [&str; 3] = ["its", "their", "theirs"];
/// What stands for it after "the" or "that".
const NOUNS: [&str; 5] = ["company", "stock", "share", "firm", "shares"];
/// A question with no more words than this may lack its subject.
const SHORT_WORDS: usize = 3;
/// Telling words before a pronoun, at most, where it stands for something earlier.
const OWN_WORDS: usize = 1;
/// Words that ask of something that was spoken of.
const OPENERS: [&str; 7] = ["why", "when", "how", "since", "and", "where", "what"];

/// The question as it would be asked by itself; `None` when it is asked so already, or nothing earlier helps. `earlier`
/// is oldest first.
#[must_use]
pub fn standalone(q: &str, earlier: &[String], names: &Names) -> Option<String> {
    let mut before: Vec<String> = Vec::with_capacity(earlier.len());
    for question in earlier {
        let whole = alone(question, &before, names);
        before.push(whole.unwrap_or_else(|| question.clone()));
    }
    alone(q, &before, names)
}

fn alone(q: &str, before: &[String], names: &Names) -> Option<String> {
    let (last, subject) = before
        .iter()
        .rev()
        .find_map(|earlier| Some((earlier, subject(earlier, names)?)))?;
    if let Some(rest) = rest_of(q) {
        return match subject_of_rest(rest, names) {
            Some(other) if subject != other => Some(last.replacen(&subject, &other, 1)),
            Some(_) => None,
            // "And yesterday?" asks the same of another time, or of another side of it.
            None => Some(format!(
                "{} {rest}?",
                last.trim_end_matches(['?', '.', ' '])
            )),
        };
    }
    if self::subject(q, names).is_some() {
        return None;
    }
    let found = words(q);
    // After some words of its own, "it" is mostly one of them: "If I borrow money, can I treat it as equity?"
    let stands_for_earlier =
        |(start, ..): &(usize, usize, bool)| content_stems(&q[..*start]).len() <= OWN_WORDS;
    if let Some((start, end, is_possessive)) = reference(&found).filter(stands_for_earlier) {
        let owner = if is_possessive { "'s" } else { "" };
        return Some(format!("{}{subject}{owner}{}", &q[..start], &q[end..]));
    }
    let opens = found
        .first()
        .is_some_and(|w| OPENERS.contains(&w.lower().as_str()));
    let is_bare = opens && found.len() <= SHORT_WORDS;
    is_bare.then(|| format!("{} {subject}?", q.trim_end_matches(['?', '.', '!', ' '])))
}

/// The first company or name of a question, as it is written there.
fn subject(q: &str, names: &Names) -> Option<String> {
    if let Some(mention) = names.in_question(q).first() {
        return Some(q[mention.start..mention.end].to_owned());
    }
    // Capitals alone are mostly an abbreviation: IRA, OTC.
    let capital = entities(q);
    let written = words(q)
        .into_iter()
        .find(|word| !word.is_upper() && capital.contains(&word.lower()))?;
    Some(written.text.to_owned())
}

/// What follows "what about", "how about" or "and", where that is little.
fn rest_of(q: &str) -> Option<&str> {
    let trimmed = q.trim().trim_end_matches(['?', '.', '!', ' ']);
    let lower = trimmed.to_ascii_lowercase();
    let openings = [
        "and what about ",
        "what about ",
        "how about ",
        "and for ",
        "and ",
    ];
    let opening = openings
        .iter()
        .find(|opening| lower.starts_with(**opening))?;
    let rest = trimmed.get(opening.len()..)?.trim();
    let count = words(rest).len();
    let is_question = words(rest)
        .first()
        .is_some_and(|w| OPENERS.contains(&w.lower().as_str()));
    ((1..=4).contains(&count) && !is_question).then_some(rest)
}

/// The subject of a bare phrase: a name needs no sentence around it there.
fn subject_of_rest(rest: &str, names: &Names) -> Option<String> {
    // Names that are words as well count in mid-sentence only, so it is read as one.
    let sentence = format!("about {rest}");
    subject(&sentence, names)
}

/// The first words that stand for the subject: their bytes, and whether they say whose.
fn reference(found: &[Word<'_>]) -> Option<(usize, usize, bool)> {
    found.iter().enumerate().find_map(|(idx, word)| {
        let lower = word.lower();
        if PRONOUNS.contains(&lower.as_str()) {
            return Some((word.start, word.end, POSSESSIVE.contains(&lower.as_str())));
        }
        let pointer = idx.checked_sub(1).map(|before| &found[before])?;
        let points = ["the", "that", "this"].contains(&pointer.lower().as_str());
        let noun = NOUNS.contains(&lower.as_str());
        (points && noun).then_some((pointer.start, word.end, false))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SymbolName;
    use proptest::prelude::*;

    fn names() -> Names {
        let all = [
            ("AAPL", "Apple Inc."),
            ("TSLA", "Tesla, Inc."),
            ("TGT", "Target Corporation"),
        ];
        let named = |(symbol, name): &(&str, &str)| SymbolName {
            symbol: (*symbol).into(),
            name: Some((*name).into()),
        };
        Names::new(&all.iter().map(named).collect::<Vec<_>>())
    }

    fn check(earlier: &[&str], q: &str, want: Option<&str>) {
        let earlier: Vec<String> = earlier.iter().map(|q| (*q).to_owned()).collect();
        assert_eq!(
            standalone(q, &earlier, &names()).as_deref(),
            want,
            "{earlier:?} {q}"
        );
    }

    #[test]
    fn a_question_that_leans_on_the_last_one_stands_alone() {
        let fell: &[&str] = &["Why did Apple fall?"];
        check(fell, "What about Tesla?", Some("Why did Tesla fall?"));
        check(fell, "and TSLA?", Some("Why did TSLA fall?"));
        check(fell, "What about Target?", Some("Why did Target fall?"));
        check(
            fell,
            "And yesterday?",
            Some("Why did Apple fall yesterday?"),
        );
        check(
            fell,
            "When did it recover?",
            Some("When did Apple recover?"),
        );
        check(
            fell,
            "What were its sales?",
            Some("What were Apple's sales?"),
        );
        check(fell, "Who runs the company?", Some("Who runs Apple?"));
        check(fell, "Why?", Some("Why Apple?"));
        let two: &[&str] = &["Why did Apple fall?", "What about Tesla?"];
        check(
            two,
            "How large was their loss?",
            Some("How large was Tesla's loss?"),
        );
        check(
            &["Why did Boeing fall?", "Is it true?"],
            "why?",
            Some("why Boeing?"),
        );
    }

    #[test]
    fn what_stands_alone_is_left_alone() {
        check(&[], "Why did it fall?", None);
        check(&["Why did Apple fall?"], "Why did Tesla rise?", None);
        check(
            &["Why did Apple fall?"],
            "Which banks cut rates in May?",
            None,
        );
        check(
            &["Why did Apple fall?"],
            "If I borrow money, can I treat it as equity?",
            None,
        );
        check(&["How is an IRA taxed?"], "Are they safe?", None);
        check(&["what is a bond?"], "why did it fall?", None);
    }

    proptest! {
        #[test]
        fn any_conversation_is_read_without_panic(a in "\\PC{0,60}", b in "(what about |and |it |)\\PC{0,60}") {
            let _read = standalone(&b, &[a, "Why did Apple fall?".into()], &names());
        }
    }
}
