//! Whether a passage is about the company asked about, 0 to 1.
//!
//! A tag alone is a claim; the words decide. The company should be the first one that the sentence
//! or the headline names: in "Rival cuts forecast; Acme was unaffected" the news is the rival's.
//! Lists of many tickers are about none of them.

use std::collections::HashSet;

use crate::memory::Passage;
use crate::prose::words;
use crate::query::Names;

/// Below this a passage is not about the company.
pub const ABOUT_MIN: f32 = 0.6;

/// Whom a question is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Venue symbol, when the company is one we know.
    pub symbol: Option<String>,
    /// Lower-case names that stand for a company we do not know.
    pub entities: Vec<String>,
}

/// How much `sentence`, in this passage, is about `subject`.
#[must_use]
pub fn about(passage: &Passage, sentence: &str, subject: &Subject, names: &Names) -> f32 {
    let title = passage.title.as_deref().unwrap_or("");
    let Some(symbol) = subject.symbol.as_deref() else {
        return entity(title, sentence, &passage.text, &subject.entities);
    };
    let tagged = passage
        .symbols
        .iter()
        .any(|s| s.eq_ignore_ascii_case(symbol));
    let in_title = standing(title, symbol, names);
    let in_sentence = standing(sentence, symbol, names);
    let in_text = standing(&passage.text, symbol, names);
    let foreign = !tagged && !passage.symbols.is_empty();
    let place = match (in_title, in_sentence) {
        (Standing::First, Standing::First) => 1.0,
        (Standing::First, Standing::Nobody) => 0.93,
        (Standing::Nobody, Standing::First) => 1.0,
        (Standing::First, _) => 0.9,
        (Standing::Later | Standing::Absent, Standing::First) if tagged => 0.8,
        (Standing::Later, _) if tagged => 0.65,
        (Standing::Nobody, Standing::Later) if tagged => 0.65,
        (Standing::Nobody, Standing::Nobody) if in_text == Standing::First => 0.9,
        (Standing::Nobody, Standing::Nobody) if tagged => 0.8,
        (Standing::Absent | Standing::Later, Standing::First) => 0.5,
        (_, Standing::Later) => 0.4,
        _ if tagged => 0.4,
        _ => 0.0,
    };
    let foreign = if foreign { 0.5 } else { 1.0 };
    place * foreign * focus(passage, names)
}

/// Whether a headline may speak for the sentences below it: not when it names only others.
#[must_use]
pub fn title_speaks(title: &str, subject: &Subject, names: &Names) -> bool {
    subject
        .symbol
        .as_deref()
        .is_none_or(|s| standing(title, s, names) != Standing::Absent)
}

/// Where a symbol stands among the companies that a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    First,
    Later,
    /// Others are named, this one is not.
    Absent,
    /// No company is named.
    Nobody,
}

fn standing(text: &str, symbol: &str, names: &Names) -> Standing {
    let mentions = names.in_document(text);
    match mentions
        .iter()
        .position(|m| m.symbol.eq_ignore_ascii_case(symbol))
    {
        Some(0) => Standing::First,
        Some(_) => Standing::Later,
        None if mentions.is_empty() => Standing::Nobody,
        None => Standing::Absent,
    }
}

/// 1 for one or two companies, less for a list.
fn focus(passage: &Passage, names: &Names) -> f32 {
    let mut named: HashSet<String> = names
        .in_document(&passage.text)
        .into_iter()
        .map(|m| m.symbol)
        .collect();
    named.extend(passage.symbols.iter().map(|s| s.to_uppercase()));
    // A long text may name many companies and still be about one; a tweet may not.
    let allowed = 2 + words(&passage.text).len() / 40;
    match named.len() {
        n if n <= allowed => 1.0,
        n if n == allowed + 1 => 0.75,
        _ => 0.4,
    }
}

/// For companies that are no symbol of ours: all names of the question must be in the passage.
fn entity(title: &str, sentence: &str, text: &str, entities: &[String]) -> f32 {
    if entities.is_empty() {
        return 1.0;
    }
    let has = |text: &str| {
        let found: HashSet<String> = words(text).iter().map(|w| w.lower()).collect();
        entities.iter().filter(|e| found.contains(*e)).count() as f32 / entities.len() as f32
    };
    let near = has(title).max(has(sentence));
    near.max(0.8 * has(text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::SymbolName;

    fn check(title: &str, text: &str, tags: &[&str], want: std::ops::RangeInclusive<f32>) {
        let name = |symbol: &str, name: &str| SymbolName {
            symbol: symbol.into(),
            name: Some(name.into()),
        };
        let names = Names::new(&[
            name("ACME", "Acme Industries Inc."),
            name("RIVL", "Rival Works Corp."),
        ]);
        let passage = Passage {
            title: (!title.is_empty()).then(|| title.to_owned()),
            text: text.into(),
            symbols: tags.iter().map(|s| (*s).to_owned()).collect(),
            ..Passage::default()
        };
        let subject = Subject {
            symbol: Some("ACME".into()),
            entities: Vec::new(),
        };
        let got = about(&passage, text, &subject, &names);
        assert!(want.contains(&got), "{got} for {title:?} {text:?}");
    }

    #[test]
    fn the_first_company_named_is_the_subject() {
        let (yes, no) = (ABOUT_MIN..=1.0, 0.0..=ABOUT_MIN - 0.01);
        check(
            "Acme cuts forecast",
            "Acme Industries cut its forecast.",
            &["ACME"],
            yes.clone(),
        );
        check("", "The company cut its forecast.", &["ACME"], yes.clone());
        check("", "ACME cuts forecast", &[], yes.clone());
        check(
            "Rival cuts forecast",
            "Acme Industries fell too.",
            &["RIVL"],
            no.clone(),
        );
        check(
            "Rival cuts forecast",
            "Rival Works cut its forecast; Acme was quiet.",
            &["RIVL", "ACME"],
            no.clone(),
        );
        check("", "Rival Works cut its forecast.", &["ACME"], no.clone());
        check("Weather is fine", "No rain today.", &[], no.clone());
        check(
            "",
            "$ rivl $ acme $ aaa $ bbb $ ccc watch list",
            &["ACME"],
            no,
        );
        check("", "Rival Works sues Acme over patents", &["ACME"], yes);
    }
}
