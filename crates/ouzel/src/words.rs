//! How the words of documents are read and ranked, from the command line.

use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args as ClapArgs;
use collection::TextRules;
use collection::text::{Language, StopWords};

use crate::compose;

/// Flags about words. A data folder keeps what it was made with: other flags are refused later, none are needed.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct WordArgs {
    /// BM25's k1, how soon repetition stops counting; kept by a new data folder [default: 0.9]
    #[arg(long, value_name = "K1", allow_negative_numbers = true)]
    pub text_k1: Option<f32>,
    /// BM25's b, how much long texts are held back, 0 to 1; kept by a new data folder [default: 0.4]
    #[arg(long, value_name = "B", allow_negative_numbers = true)]
    pub text_b: Option<f32>,
    /// Whose endings are cut off: a language (english, german, french, ...) or `none`; kept by a new data folder
    /// [default: english]
    #[arg(long, value_name = "LANGUAGE")]
    pub text_stemming: Option<String>,
    /// Words that are not indexed: `english`, `none`, or a file with a word a line; kept by a new data folder
    /// [default: english]
    #[arg(long, value_name = "LIST")]
    pub text_stop_words: Option<String>,
}

impl WordArgs {
    /// The rules asked for; `None` where no flag was given: any will do.
    ///
    /// # Errors
    /// A language that nobody knows, a list that cannot be read, a number out of range.
    pub fn rules(&self) -> Result<Option<TextRules>> {
        let mut rules = TextRules::default();
        if let Some(k1) = self.text_k1 {
            rules.bm25.k1 = k1;
        }
        if let Some(b) = self.text_b {
            rules.bm25.b = b;
        }
        if let Some(name) = &self.text_stemming {
            rules.reading.stemming = language(name)?;
        }
        if let Some(name) = &self.text_stop_words {
            rules.reading.stop_words = stop_words(name)?;
        }
        if let Some(flaw) = rules.flaw() {
            bail!("--text flags: {flaw}");
        }
        let asked = self.text_k1.is_some()
            || self.text_b.is_some()
            || self.text_stemming.is_some()
            || self.text_stop_words.is_some();
        Ok(asked.then_some(rules))
    }
}

fn language(name: &str) -> Result<Option<Language>> {
    if name == "none" {
        return Ok(None);
    }
    match Language::named(name) {
        Some(language) => Ok(Some(language)),
        None => bail!(
            "--text-stemming {name}: not a language that stems are known of; choose none or one of {}",
            Language::names().join(", ")
        ),
    }
}

fn stop_words(name: &str) -> Result<StopWords> {
    Ok(match name {
        "none" => StopWords::None,
        "english" => StopWords::English,
        file => {
            let text = compose::read_text(&PathBuf::from(file))?;
            StopWords::list(text.lines().map(str::trim).filter(|word| !word.is_empty()))
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_make_rules() {
        assert_eq!(WordArgs::default().rules().expect("reads"), None);
        let args = WordArgs {
            text_b: Some(0.75),
            text_stemming: Some("German".into()),
            text_stop_words: Some("none".into()),
            ..WordArgs::default()
        };
        let rules = args.rules().expect("reads").expect("asked for");
        assert_eq!((rules.bm25.k1, rules.bm25.b), (0.9, 0.75));
        assert_eq!(rules.reading.stemming, Some(Language::German));
        assert_eq!(rules.reading.stop_words, StopWords::None);
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        let check = |args: WordArgs, want: &str| {
            let error = format!("{:#}", args.rules().expect_err("is refused"));
            assert!(error.contains(want), "{error}");
        };
        let none = WordArgs::default;
        check(
            WordArgs {
                text_stemming: Some("klingon".into()),
                ..none()
            },
            "klingon",
        );
        check(
            WordArgs {
                text_stop_words: Some("/no/such/file".into()),
                ..none()
            },
            "/no/such/file",
        );
        check(
            WordArgs {
                text_k1: Some(-1.0),
                ..none()
            },
            "k1 is -1",
        );
    }
}
