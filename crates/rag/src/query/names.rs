//! Symbols and company names, found in questions and in documents.
//!
//! A ticker may be an English word (ALL, A, IT, NOW, ON, CAT). In a question such a word counts as
//! a ticker only with a `$`, in upper case within a question that is not all upper case, or beside
//! "stock" or "shares"; function words need the first two. No word in lower case behind "a" or "no" is a ticker ("a fire"),
//! but beside "stock". Documents are read more strictly than
//! questions: people who ask are short of words, writers are not.

use std::collections::{HashMap, HashSet};

use crate::facts::SymbolName;
use crate::prose::{Word, word::is_stop, words};

use super::vocabulary::{DETERMINERS, ENGLISH, FUNCTION, GENERIC, LEGAL, NAME_WORDS};

/// All symbols and what people call them.
#[derive(Clone, Debug, Default)]
pub struct Names {
    symbols: HashSet<String>,
    /// Registry number at the SEC to symbol.
    ciks: HashMap<u64, String>,
    /// Symbol to the words of its name, lower case.
    named: HashMap<String, String>,
    /// First word of an alias, lower case, to all aliases that begin with it, longest first.
    aliases: HashMap<String, Vec<Alias>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Alias {
    words: Vec<String>,
    symbol: String,
    /// An English word: counts only when capitalised within a sentence, or beside "stock".
    common: bool,
}

/// A symbol found in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Venue symbol, upper case.
    pub symbol: String,
    /// First byte of the words that name it.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

impl Names {
    /// An index over all symbols. Cost: O(symbols).
    #[must_use]
    pub fn new(all: &[SymbolName]) -> Self {
        let mut names = Self::default();
        let mut first_words: HashMap<String, usize> = HashMap::new();
        let split: Vec<(&SymbolName, Vec<String>)> = all
            .iter()
            .map(|s| (s, name_words(s.name.as_deref().unwrap_or(""))))
            .collect();
        for first in split.iter().filter_map(|(_, words)| words.first()) {
            *first_words.entry(first.clone()).or_default() += 1;
        }
        for (symbol, words) in split {
            let id = symbol.symbol.to_uppercase();
            names.symbols.insert(id.clone());
            let Some(first) = words.first().cloned() else {
                continue;
            };
            names.named.insert(id.clone(), words.join(" "));
            // One word stands for the company when no other company begins with it and it says
            // something: "Caterpillar", but not "General" or "Bank".
            let alone = first.chars().count() >= 4
                && first_words.get(&first) == Some(&1)
                && !GENERIC.contains(&first.as_str());
            if words.len() > 1 {
                names.add(words, &id);
                if alone {
                    names.add(vec![first], &id);
                }
            } else if first.chars().count() >= 2 {
                names.add(vec![first], &id);
            }
        }
        for aliases in names.aliases.values_mut() {
            // Of a company's securities the shortest symbol is the share: the others are its warrants and units.
            aliases.sort_by(|a, b| {
                let by_words = b.words.len().cmp(&a.words.len());
                let by_symbol = a.symbol.len().cmp(&b.symbol.len());
                by_words
                    .then(by_symbol)
                    .then_with(|| a.symbol.cmp(&b.symbol))
            });
        }
        names
    }

    /// Makes a company known by its registry number at the SEC: `CIK 320193`. The first symbol of a number keeps it.
    pub fn add_cik(&mut self, cik: u64, symbol: &str) {
        self.ciks
            .entry(cik)
            .or_insert_with(|| symbol.to_uppercase());
    }

    /// Whether a symbol is one of ours.
    #[must_use]
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.symbols.contains(symbol)
    }

    /// The words of a symbol's name, in lower case and without its legal form.
    #[must_use]
    pub fn name_of(&self, symbol: &str) -> Option<&str> {
        self.named.get(symbol).map(String::as_str)
    }

    /// Symbols meant in a question, in order.
    #[must_use]
    pub fn in_question(&self, q: &str) -> Vec<Mention> {
        let found = words(q);
        let letters = found.iter().filter(|w| !w.is_number());
        let shouted = letters.clone().count() > 2 && letters.clone().all(Word::is_upper);
        self.scan(&found, |idx, word| {
            self.is_ticker_in_question(&found, idx, word, shouted)
        })
    }

    /// Symbols named in a document, in order, repeats included.
    #[must_use]
    pub fn in_document(&self, text: &str) -> Vec<Mention> {
        let found = words(text);
        self.scan(&found, |_, word| self.is_ticker_in_document(text, word))
    }

    fn scan(
        &self,
        found: &[Word<'_>],
        is_ticker: impl Fn(usize, &Word<'_>) -> bool,
    ) -> Vec<Mention> {
        let mut mentions = Vec::new();
        let mut idx = 0;
        while let Some(word) = found.get(idx) {
            if let Some((symbol, len)) = self.cik_at(found, idx) {
                mentions.push(Mention {
                    symbol,
                    start: word.start,
                    end: found[idx + len - 1].end,
                });
                idx += len;
            } else if is_ticker(idx, word) {
                mentions.push(Mention {
                    symbol: word.text.to_uppercase(),
                    start: word.start,
                    end: word.end,
                });
                idx += 1;
            } else if let Some(alias) = self.alias_at(found, idx) {
                let last = &found[idx + alias.words.len() - 1];
                mentions.push(Mention {
                    symbol: alias.symbol.clone(),
                    start: word.start,
                    end: last.end,
                });
                idx += alias.words.len();
            } else {
                idx += 1;
            }
        }
        mentions
    }

    /// `CIK 320193`, `CIK: 0000320193`, `CIK0000320193`: the symbol and how many words name it.
    fn cik_at(&self, found: &[Word<'_>], idx: usize) -> Option<(String, usize)> {
        let lower = found[idx].lower();
        let (digits, len) = match lower.strip_prefix("cik")? {
            "" => (found.get(idx + 1)?.lower(), 2),
            digits => (digits.to_owned(), 1),
        };
        let symbol = self.ciks.get(&digits.parse().ok()?)?;
        Some((symbol.clone(), len))
    }

    fn alias_at(&self, found: &[Word<'_>], idx: usize) -> Option<&Alias> {
        let word = &found[idx];
        self.aliases.get(&word.lower())?.iter().find(|alias| {
            let whole = alias.words.len() <= found.len() - idx
                && alias
                    .words
                    .iter()
                    .zip(&found[idx..])
                    .all(|(a, w)| *a == w.lower());
            let beside = beside_stock(found, idx, alias.words.len());
            whole && (!alias.common || beside || (word.is_capital() && idx > 0))
        })
    }

    fn is_ticker_in_question(
        &self,
        found: &[Word<'_>],
        idx: usize,
        word: &Word<'_>,
        shouted: bool,
    ) -> bool {
        let upper = word.text.to_uppercase();
        if word.cashtag {
            return true;
        }
        if !self.symbols.contains(&upper) {
            return false;
        }
        let lower = word.lower();
        let named = idx > 0 && ["ticker", "symbol"].contains(&found[idx - 1].lower().as_str());
        if named {
            return true;
        }
        let function = is_stop(&lower) || FUNCTION.contains(&lower.as_str());
        let english = function || ENGLISH.contains(&lower.as_str());
        let single = upper.chars().count() == 1;
        if word.is_upper() && !shouted {
            // "A stock fell" begins with an article, "why is A down" does not.
            return !(single && idx == 0);
        }
        // "A fire" is one, whatever trades as FIRE.
        let determined = idx > 0 && DETERMINERS.contains(&found[idx - 1].lower().as_str());
        if !english && !single && !determined {
            return true;
        }
        !function && !single && beside_stock(found, idx, 1)
    }

    fn is_ticker_in_document(&self, text: &str, word: &Word<'_>) -> bool {
        if word.cashtag {
            return word.text.chars().all(char::is_alphabetic);
        }
        let lower = word.lower();
        if !word.is_upper() || !self.symbols.contains(word.text) {
            return false;
        }
        let (before, after) = (&text[..word.start], &text[word.end..]);
        let bracketed = (after.starts_with(')')
            && (before.ends_with('(') || before.trim_end().ends_with(':')))
            || (after.starts_with('>') && before.ends_with('<'));
        let english = is_stop(&lower) || ENGLISH.contains(&lower.as_str());
        bracketed || (!english && word.text.chars().count() > 1)
    }

    fn add(&mut self, words: Vec<String>, symbol: &str) {
        let common = words.len() == 1
            && (is_stop(&words[0])
                || ENGLISH.contains(&words[0].as_str())
                || NAME_WORDS.contains(&words[0].as_str()));
        let aliases = self.aliases.entry(words[0].clone()).or_default();
        aliases.push(Alias {
            words,
            symbol: symbol.to_owned(),
            common,
        });
    }
}

/// "CAT stock", "CAT shares", "shares of CAT".
fn beside_stock(found: &[Word<'_>], idx: usize, len: usize) -> bool {
    let stock = |w: &Word<'_>| ["stock", "shares", "share"].contains(&w.lower().as_str());
    found.get(idx + len).is_some_and(stock)
        || (idx >= 2 && found[idx - 1].lower() == "of" && stock(&found[idx - 2]))
}

/// The words of a company's name, lower case, without its legal form.
fn name_words(name: &str) -> Vec<String> {
    let mut name: Vec<String> = words(name).iter().map(Word::lower).collect();
    if name.first().is_some_and(|w| w == "the") {
        name.remove(0);
    }
    // "Common Stock", "Class A", "Ordinary Shares" follow the name in venue directories.
    if let Some(at) = name
        .iter()
        .position(|w| ["common", "class", "ordinary", "depositary"].contains(&w.as_str()))
        && at > 0
    {
        name.truncate(at);
    }
    while name.len() > 1 && name.last().is_some_and(|w| LEGAL.contains(&w.as_str())) {
        name.pop();
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        let all = [
            ("AAPL", "Apple Inc."),
            ("ALL", "The Allstate Corporation"),
            ("A", "Agilent Technologies, Inc. - Common Stock"),
            ("IT", "Gartner, Inc."),
            ("NOW", "ServiceNow, Inc."),
            ("ON", "ON Semiconductor Corporation"),
            ("CAT", "Caterpillar Inc."),
            ("TGT", "Target Corporation"),
            ("GE", "General Electric Company"),
            ("GM", "General Motors Company"),
            ("BAC", "Bank of America Corp"),
            ("JPM", "JPMorgan Chase & Co."),
            ("FB", "Facebook, Inc."),
            ("ZVZZ", ""),
            ("FIRE", "Firecrest Foods"),
            ("GRBL", "Garble Mills"),
        ];
        let all: Vec<_> = all
            .iter()
            .map(|(symbol, name)| SymbolName {
                symbol: (*symbol).into(),
                name: Some((*name).into()),
            })
            .collect();
        Names::new(&all)
    }

    fn asks(q: &str, want: &[&str]) {
        let got: Vec<_> = names()
            .in_question(q)
            .into_iter()
            .map(|m| m.symbol)
            .collect();
        assert_eq!(got, want, "{q}");
    }

    #[test]
    fn word_tickers_need_a_sign_that_they_are_meant() {
        asks("why did it all go down on news now?", &[]);
        asks("Why did ALL fall?", &["ALL"]);
        asks("why did $all fall?", &["ALL"]);
        asks("Why is A down?", &["A"]);
        asks("A stock fell, why?", &[]);
        asks("WHY IS IT ALL MOVING NOW", &[]);
        asks("why is cat moving?", &[]);
        asks("why is cat stock moving?", &["CAT"]);
        asks("What stopped at noon after a fire in the elevator?", &[]);
        asks("Did the fire spread?", &[]);
        asks("Why is FIRE down?", &["FIRE"]);
        asks("is fire stock halted?", &["FIRE"]);
        asks("Is there a grbl in the hay?", &[]);
        asks("show the grbl chart", &["GRBL"]);
        asks("what moved shares of cat?", &["CAT"]);
        asks("why is symbol now moving", &["NOW"]);
        asks("why are all shares down", &[]);
    }

    #[test]
    fn plain_tickers_and_names_are_found_in_any_case() {
        asks("why did aapl move?", &["AAPL"]);
        asks("why did apple and Facebook move?", &["AAPL", "FB"]);
        asks("General Electric or general motors", &["GE", "GM"]);
        asks("a general question about a bank", &[]);
        asks("Bank of America's results", &["BAC"]);
        asks("jpmorgan", &["JPM"]);
        asks("fb zvzz", &["FB", "ZVZZ"]);
        asks("what is my target?", &[]);
        asks("Why did Target fall?", &["TGT"]);
        asks("why is $QQQX up", &["QQQX"]);
    }

    #[test]
    fn a_company_is_known_by_its_registry_number() {
        let mut names = names();
        names.add_cik(320_193, "aapl");
        names.add_cik(320_193, "AAPLW");
        for q in [
            "what did CIK 320193 file?",
            "cik: 0000320193",
            "CIK0000320193",
        ] {
            let found = names.in_question(q);
            assert_eq!(found[0].symbol, "AAPL", "{q}");
        }
        assert!(names.in_question("CIK 7 and CIK").is_empty());
    }

    #[test]
    fn of_several_securities_the_share_is_meant() {
        let named = |symbol: &str| SymbolName {
            symbol: symbol.into(),
            name: Some("Artius Acquisition Inc.".into()),
        };
        let names = Names::new(&[named("AACBW"), named("AACB"), named("AACBU")]);
        let found = names.in_question("What is Artius Acquisition?");
        assert_eq!(found[0].symbol, "AACB");
        assert_eq!(names.name_of("AACB"), Some("artius acquisition"));
        assert_eq!(names.name_of("AACX"), None);
    }

    #[test]
    fn documents_are_read_more_strictly() {
        let finds = |text: &str, want: &[&str]| {
            let got: Vec<_> = names()
                .in_document(text)
                .into_iter()
                .map(|m| m.symbol)
                .collect();
            assert_eq!(got, want, "{text}");
        };
        finds("ALL NEW cars are here NOW", &[]);
        finds("Allstate (NYSE: ALL) fell", &["ALL", "ALL"]);
        finds("SEARS <ALL> AND <A> SPLIT", &["ALL", "A"]);
        finds("$ aapl up , $ bac down", &["AAPL", "BAC"]);
        finds("paid $ 50 for it", &[]);
        finds("AAPL fell after Apple's warning", &["AAPL", "AAPL"]);
    }
}
