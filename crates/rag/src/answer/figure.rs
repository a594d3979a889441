//! Numbers with what they count: `930 million customers`, `$84bn`, `4.21 %`, `nine users`.
//!
//! A number alone proves little: 930 of something is in many texts. It holds only together with
//! its magnitude, its unit and the thing counted, all from one source.

use std::collections::BTreeSet;

use crate::prose::{Word, content_stems, word::is_stop, words};
use crate::query::when::is_calendar;

/// One number and what belongs to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Figure {
    /// Digits without separators and closing zeros; empty for a bare "millions".
    value: String,
    scale: Option<&'static str>,
    unit: Option<&'static str>,
    currency: Option<&'static str>,
    /// Stem of the word counted.
    noun: Option<String>,
}

impl Figure {
    /// Has neither magnitude nor unit: a date, a count that the question itself names.
    pub(super) fn is_plain(&self) -> bool {
        self.scale.is_none() && self.unit.is_none() && self.currency.is_none()
    }

    pub(super) fn same_value(&self, other: &Self) -> bool {
        self.value == other.value
    }

    /// Whether a source that says `other`, and whose words have `stems`, says this too. Market
    /// facts are prices in the venue's currency, which they do not name.
    pub(super) fn is_said(&self, other: &Self, stems: &BTreeSet<String>, market: bool) -> bool {
        if self.scale != other.scale {
            return false;
        }
        if self.value.is_empty() {
            return true;
        }
        let share = |f: &Self| f.unit == Some("%");
        let unit = self.unit == other.unit || (self.unit.is_none() && !share(other));
        let currency = self.currency.is_none()
            || self.currency == other.currency
            || (market && other.is_plain());
        let noun = self.noun.as_ref().is_none_or(|n| stems.contains(n));
        self.value == other.value && unit && currency && noun
    }
}

/// All figures of a text.
pub(super) fn figures(text: &str) -> Vec<Figure> {
    let found = words(text);
    let mut figures = Vec::new();
    let mut idx = 0;
    while let Some(word) = found.get(idx) {
        idx += 1;
        let lower = word.lower();
        let Some((value, suffix)) = value(&lower) else {
            if let Some(scale) = scale(&lower).filter(|_| lower.len() > 3) {
                figures.push(Figure {
                    scale: Some(scale),
                    ..Figure::default()
                });
            }
            continue;
        };
        let mut figure = Figure {
            value,
            scale: scale(suffix),
            unit: unit(suffix),
            currency: currency_before(&text[..word.start]),
            noun: None,
        };
        let mut end = word.end;
        let next = || beside(text, &found, idx, end).map(|w| (w.lower(), w.end));
        if figure.scale.is_none()
            && let Some((scale, at)) = next().and_then(|(w, at)| Some((scale(&w)?, at)))
        {
            (figure.scale, end, idx) = (Some(scale), at, idx + 1);
        }
        idx += belongings(text, &found, idx, end, &mut figure);
        let bare_one = lower == "one" && figure.is_plain();
        if !bare_one {
            figures.push(figure);
        }
    }
    figures
}

/// Reads unit, currency and noun after a number; returns how many words they took.
fn belongings(
    text: &str,
    found: &[Word<'_>],
    idx: usize,
    end: usize,
    figure: &mut Figure,
) -> usize {
    if text[end..].trim_start().starts_with('%') {
        figure.unit = Some("%");
        return 0;
    }
    let Some(word) = beside(text, found, idx, end) else {
        return 0;
    };
    let lower = word.lower();
    if figure.unit.is_none() && figure.scale.is_none() && unit(&lower).is_some() {
        figure.unit = unit(&lower);
        return 1;
    }
    if currency(&lower).is_some() {
        figure.currency = currency(&lower);
        return 1;
    }
    let counted = value(&lower).is_none() && !is_stop(&lower) && !is_calendar(&lower);
    if figure.unit.is_none() && figure.currency.is_none() && counted {
        figure.noun = content_stems(&lower).into_iter().next();
    }
    0
}

/// The word at `idx` when only spaces or a hyphen stand before it.
fn beside<'w, 't>(
    text: &str,
    found: &'w [Word<'t>],
    idx: usize,
    end: usize,
) -> Option<&'w Word<'t>> {
    let word = found.get(idx)?;
    let gap = &text[end..word.start];
    gap.chars()
        .all(|c| c.is_whitespace() || c == '-')
        .then_some(word)
}

/// Value and the letters glued to it: `84bn` is 84 and `bn`, `28th` is itself.
fn value(lower: &str) -> Option<(String, &str)> {
    if let Some(&(_, value)) = SPELLED.iter().find(|(name, _)| *name == lower) {
        return Some((value.to_owned(), ""));
    }
    if !lower.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let digits = lower
        .find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',')
        .unwrap_or(lower.len());
    let (number, suffix) = lower.split_at(digits);
    let known = suffix.is_empty() || scale(suffix).is_some() || unit(suffix).is_some();
    if !known && suffix != "z" {
        return Some((lower.to_owned(), ""));
    }
    let mut value = number.replace(',', "");
    if value.contains('.') {
        value.truncate(value.trim_end_matches('0').trim_end_matches('.').len());
    }
    Some((value, suffix))
}

fn scale(word: &str) -> Option<&'static str> {
    Some(match word {
        "hundred" | "hundreds" => "hundred",
        "thousand" | "thousands" | "k" => "thousand",
        "million" | "millions" | "mln" | "mn" | "m" => "million",
        "billion" | "billions" | "bln" | "bn" | "b" => "billion",
        "trillion" | "trillions" | "tln" | "tn" => "trillion",
        _ => return None,
    })
}

fn unit(word: &str) -> Option<&'static str> {
    Some(match word {
        "percent" | "pct" => "%",
        "bp" | "bps" | "basis" => "bp",
        "s" | "sec" | "second" | "seconds" => "s",
        "min" | "mins" | "minute" | "minutes" => "min",
        "h" | "hour" | "hours" => "h",
        "day" | "days" => "day",
        "week" | "weeks" => "week",
        "month" | "months" => "month",
        "year" | "years" => "year",
        _ => return None,
    })
}

fn currency(word: &str) -> Option<&'static str> {
    Some(match word {
        "dollar" | "dollars" | "dlrs" | "usd" => "$",
        "euro" | "euros" | "eur" => "€",
        "pound" | "pounds" | "gbp" => "£",
        "yen" | "jpy" => "¥",
        "cent" | "cents" | "cts" => "cent",
        _ => return None,
    })
}

fn currency_before(before: &str) -> Option<&'static str> {
    let before = before.trim_end();
    ["$", "€", "£", "¥"]
        .into_iter()
        .find(|mark| before.ends_with(mark))
}

#[rustfmt::skip]
const SPELLED: &[(&str, &str)] = &[
    ("one", "1"), ("two", "2"), ("three", "3"), ("four", "4"), ("five", "5"), ("six", "6"),
    ("seven", "7"), ("eight", "8"), ("nine", "9"), ("ten", "10"), ("eleven", "11"),
    ("twelve", "12"), ("twenty", "20"), ("thirty", "30"), ("forty", "40"), ("fifty", "50"),
    ("sixty", "60"), ("seventy", "70"), ("eighty", "80"), ("ninety", "90"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_holds_only_with_what_belongs_to_it() {
        let check = |claim: &str, source: &str, want: bool| {
            let (stems, said) = (content_stems(source), figures(source));
            let claimed = figures(claim);
            assert!(!claimed.is_empty(), "{claim}");
            let holds = claimed
                .iter()
                .all(|c| said.iter().any(|s| c.is_said(s, &stems, false)));
            assert_eq!(holds, want, "{claim} / {source}: {claimed:?} {said:?}");
        };
        let source =
            "It exposed records of 930 million customers at a cost of $84bn, 4.50 percent.";
        check("930 million customers", source, true);
        check("930m", source, true);
        check("930 trillion customers", source, false);
        check("930 customers", source, false);
        check("930 million employees", source, false);
        check("millions of customers", source, true);
        check("trillions of customers", source, false);
        check("84 billion dollars", source, true);
        check("84 billion", source, true);
        check("84 billion euros", source, false);
        check("4.5 %", source, true);
        check("4.5", source, false);
        check("84 %", source, false);
        check("nine users", "9 users", true);
        check("three users", "nine users", false);
        check("310000 trucks", "recalls 310,000 trucks", true);
        check("1.8 hours", "within 1.8 s", false);
    }
}
