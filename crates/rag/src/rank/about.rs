//! Whether a passage is about the company asked about, 0 to 1.
//!
//! A tag alone is a claim; the words decide. The company should be the first one that the sentence
//! or the headline names: in "Rival cuts forecast; Acme was unaffected" the news is the rival's.
//! Lists of many tickers are about none of them.

use std::collections::HashSet;
use std::ops::Range;

use crate::memory::Passage;
use crate::prose::words;
use crate::query::{Mention, Names};

/// Below this a passage is not about the company.
pub const ABOUT_MIN: f32 = 0.6;
/// News tagged with more companies is of none of them, unless its headline names one.
const OWN_TAGS_LIMIT: usize = 2;

/// Whom a question is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Venue symbol, when the company is one we know.
    pub symbol: Option<String>,
    /// Lower-case names that stand for a company we do not know.
    pub entities: Vec<String>,
}

/// A passage read once for one subject; then each of its sentences can be judged.
#[derive(Clone, Debug)]
pub struct Bearing<'a> {
    passage: &'a Passage,
    subject: &'a Subject,
    tagged: bool,
    title: Standing,
    /// Companies named in the title: where.
    title_names: Vec<Range<usize>>,
    text: Standing,
    /// Companies named in the text, in order: where, and whether it is the subject.
    mentions: Vec<(Range<usize>, bool)>,
    focus: f32,
}

impl<'a> Bearing<'a> {
    /// Reads a passage.
    #[must_use]
    pub fn of(passage: &'a Passage, subject: &'a Subject, names: &Names) -> Self {
        let symbol = subject.symbol.as_deref().unwrap_or("");
        let is_subject = |m: &Mention| m.symbol.eq_ignore_ascii_case(symbol);
        let title = names.in_document(passage.title.as_deref().unwrap_or(""));
        let text = names.in_document(&passage.text);
        Self {
            passage,
            subject,
            tagged: passage
                .symbols
                .iter()
                .any(|s| s.eq_ignore_ascii_case(symbol)),
            title: standing(title.iter().map(is_subject)),
            title_names: title.iter().map(|m| m.start..m.end).collect(),
            text: standing(text.iter().map(is_subject)),
            focus: focus(passage, &text),
            mentions: text
                .iter()
                .map(|m| (m.start..m.end, is_subject(m)))
                .collect(),
        }
    }

    /// What was read.
    #[must_use]
    pub fn passage(&self) -> &'a Passage {
        self.passage
    }

    /// How much a sentence of the passage's text is about the subject.
    #[must_use]
    pub fn at(&self, sentence: Range<usize>) -> f32 {
        if self.subject.symbol.is_none() {
            let title = self.passage.title.as_deref().unwrap_or("");
            let words = self.passage.text.get(sentence).unwrap_or("");
            return entity(title, words, &self.passage.text, &self.subject.entities);
        }
        use Standing::{Absent, First, Later, Nobody};
        let within = self
            .mentions
            .iter()
            .filter(|(at, _)| sentence.contains(&at.start));
        let place = match (
            self.title,
            standing(within.map(|(_, is_subject)| *is_subject)),
        ) {
            (First | Nobody, First) => 1.0,
            (First, Nobody) => 0.93,
            (First, _) => 0.9,
            (Later | Absent, First) if self.tagged => 0.8,
            (Later, _) | (Nobody, Later) if self.tagged => 0.65,
            (Nobody, Nobody) if self.text == First => 0.9,
            (Nobody, Nobody) if self.tagged => 0.8,
            (Later | Absent, First) => 0.5,
            (_, Later) => 0.4,
            _ if self.tagged => 0.4,
            _ => 0.0,
        };
        let foreign = !self.tagged && !self.passage.symbols.is_empty();
        place * self.focus * if foreign { 0.5 } else { 1.0 }
    }

    /// How much the whole passage is about the subject.
    #[must_use]
    pub fn whole(&self) -> f32 {
        self.at(0..self.passage.text.len())
    }

    /// The headline without the names of companies.
    #[must_use]
    pub fn headline(&self) -> Option<String> {
        let mut headline = self.passage.title.clone()?;
        for name in self.title_names.iter().rev() {
            headline.replace_range(name.clone(), " ");
        }
        Some(headline)
    }

    /// Whether it is news of the subject's own: a headline that names it, or one that names nobody over a passage with few tags;
    /// without a headline, what begins with it.
    #[must_use]
    pub fn is_own(&self) -> bool {
        let told = match self.passage.title {
            Some(_) => self.title,
            None => self.text,
        };
        let tags = self.passage.symbols.len();
        match told {
            Standing::First => self.tagged || tags == 0,
            Standing::Later => self.tagged && self.passage.title.is_some(),
            Standing::Nobody => self.tagged && tags <= OWN_TAGS_LIMIT,
            Standing::Absent => false,
        }
    }

    /// Whether the headline may speak for the sentences below it: not when it names only others.
    #[must_use]
    pub fn title_speaks(&self) -> bool {
        self.title != Standing::Absent
    }
}

/// Where a company stands among those that a text names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    First,
    Later,
    /// Others are named, this one is not.
    Absent,
    /// No company is named.
    Nobody,
}

/// From the companies a text names, in order: is it the subject?
fn standing(mut named: impl Iterator<Item = bool>) -> Standing {
    match named.next() {
        None => Standing::Nobody,
        Some(true) => Standing::First,
        Some(false) if named.any(|is_subject| is_subject) => Standing::Later,
        Some(false) => Standing::Absent,
    }
}

/// 1 for one or two companies, less for a list.
fn focus(passage: &Passage, mentions: &[Mention]) -> f32 {
    let mut named: HashSet<String> = mentions.iter().map(|m| m.symbol.clone()).collect();
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
        let got = Bearing::of(&passage, &subject, &names).whole();
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
