//! Times that a question names: `today`, `in the last 5 minutes`, `on 24 January 2014`.
//!
//! All times are UTC. A date is its whole day. A date without a year is the newest one that is not
//! in the future.

use jiff::civil::Date;
use jiff::{Timestamp, tz::TimeZone};

use crate::prose::{Word, words};

/// A closed span of time, ns UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub from: u64,
    /// Last instant.
    pub to: u64,
    /// Counted back from now ("today", "in the last hour"): a bound, not a hint.
    pub relative: bool,
}

const SECOND_NS: u64 = 1_000_000_000;
const DAY_NS: u64 = 86_400 * SECOND_NS;

/// The first time a question names; `None` when it names none.
#[must_use]
pub fn find(q: &str, now_ns: u64) -> Option<Span> {
    let found = words(q);
    let lower: Vec<String> = found.iter().map(Word::lower).collect();
    let lower: Vec<&str> = lower.iter().map(String::as_str).collect();
    (0..lower.len()).find_map(|idx| {
        relative(&lower[idx..], now_ns)
            .or_else(|| iso(q, &found[idx..], now_ns))
            .or_else(|| calendar(&lower[idx..], now_ns))
    })
}

/// A word of the calendar: a month, a weekday, `today`.
#[must_use]
pub fn is_calendar(lower: &str) -> bool {
    const OTHER: &[&str] = &[
        "monday",
        "tuesday",
        "wednesday",
        "thursday",
        "friday",
        "saturday",
        "sunday",
        "today",
        "yesterday",
    ];
    month_of(lower).is_some() || lower == "may" || OTHER.contains(&lower)
}

fn relative(words: &[&str], now: u64) -> Option<Span> {
    let midnight = now - now % DAY_NS;
    let span = |from: u64, to: u64| {
        Some(Span {
            from,
            to,
            relative: true,
        })
    };
    match words {
        ["today" | "tonight", ..] | ["this", "morning" | "afternoon", ..] => span(midnight, now),
        ["yesterday", ..] => span(midnight.saturating_sub(DAY_NS), midnight.saturating_sub(1)),
        ["this", "week", ..] => span(now.saturating_sub(7 * DAY_NS), now),
        ["right" | "just", "now", ..] => span(now.saturating_sub(3_600 * SECOND_NS), now),
        [
            "last" | "past",
            unit @ ("second" | "minute" | "hour" | "day" | "week"),
            ..,
        ] => span(now.saturating_sub(unit_ns(unit)?), now),
        ["last" | "past", n, unit, ..] => {
            let length = count_of(n)?.checked_mul(unit_ns(unit)?)?;
            span(now.saturating_sub(length), now)
        }
        // "10 minutes ago" is an instant known to about half its distance.
        [n, unit, "ago", ..] => {
            let back = count_of(n)?.checked_mul(unit_ns(unit)?)?;
            let slack = back / 2;
            span(
                now.saturating_sub(back + slack.min(u64::MAX - back)),
                now.saturating_sub(back - slack),
            )
        }
        _ => None,
    }
}

fn count_of(word: &str) -> Option<u64> {
    const NAMES: &[&str] = &[
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten",
    ];
    let named = NAMES.iter().position(|n| *n == word);
    match word {
        "a" | "an" => Some(1),
        "few" => Some(5),
        "thirty" => Some(30),
        "fifteen" => Some(15),
        "twenty" => Some(20),
        _ => named.map(|n| n as u64).or_else(|| word.parse().ok()),
    }
}

fn unit_ns(word: &str) -> Option<u64> {
    Some(match word {
        "second" | "seconds" | "sec" | "secs" | "s" => SECOND_NS,
        "minute" | "minutes" | "min" | "mins" | "m" => 60 * SECOND_NS,
        "hour" | "hours" | "hr" | "hrs" | "h" => 3_600 * SECOND_NS,
        "day" | "days" | "d" => DAY_NS,
        "week" | "weeks" => 7 * DAY_NS,
        "month" | "months" => 30 * DAY_NS,
        _ => return None,
    })
}

/// `2014-01-24`, `2014/01/24`, also with a time `2014-01-24T14:30` (a quarter hour around it).
fn iso(q: &str, found: &[Word<'_>], now: u64) -> Option<Span> {
    let joined = |a: &Word<'_>, b: &Word<'_>| matches!(&q[a.end..b.start], "-" | "/");
    let [year, month, rest, ..] = found else {
        return None;
    };
    if year.text.len() != 4 || !year.is_number() || !joined(year, month) || !joined(month, rest) {
        return None;
    }
    // A `T` glues the day to the hour: `24T14`.
    let (day, hour) = match rest.text.split_once(['T', 't']) {
        Some((day, hour)) => (day, Some(hour)),
        None => (rest.text, None),
    };
    let date = date_of(
        year.text.parse().ok()?,
        month.text.parse().ok()?,
        day.parse().ok()?,
    )?;
    let whole = day_span(date)?;
    let minute = found
        .get(3)
        .filter(|m| hour.is_some() && q[rest.end..m.start] == *":");
    let (Some(hour), Some(minute)) = (hour, minute) else {
        return Some(whole);
    };
    let minute: String = minute.text.chars().take(2).collect();
    let (hour, minute): (u64, u64) = (hour.parse().ok()?, minute.parse().ok()?);
    if hour > 23 || minute > 59 {
        return Some(whole);
    }
    let at = whole.from + (hour * 60 + minute) * 60 * SECOND_NS;
    let quarter = 900 * SECOND_NS;
    let relative = now >= at && now - at < DAY_NS;
    Some(Span {
        from: at.saturating_sub(quarter),
        to: at.saturating_add(quarter),
        relative,
    })
}

/// `24 January 2014`, `24th of January`, `January 24th, 2014`, `January 2014`.
fn calendar(words: &[&str], now: u64) -> Option<Span> {
    let year_at = |at: usize| {
        let year: i16 = words.get(at)?.parse().ok()?;
        (1900..=2200).contains(&year).then_some(year)
    };
    if let [day, rest @ ..] = words
        && let Some(day) = day_of(day)
    {
        let of = usize::from(rest.first() == Some(&"of"));
        if let Some(month) = rest
            .get(of)
            .and_then(|m| month_of(m).or((*m == "may").then_some(5)))
        {
            return dated(year_at(of + 2), month, day, now);
        }
    }
    let first = words.first()?;
    let month = month_of(first).or((*first == "may").then_some(5))?;
    if let Some(day) = words.get(1).and_then(|d| day_of(d)) {
        return dated(year_at(2), month, day, now);
    }
    let year = year_at(1)?;
    let from = day_span(date_of(year, month, 1)?)?.from;
    let next = if month == 12 {
        date_of(year + 1, 1, 1)?
    } else {
        date_of(year, month + 1, 1)?
    };
    let to = day_span(next)?.from - 1;
    Some(Span {
        from,
        to,
        relative: false,
    })
}

fn dated(year: Option<i16>, month: i8, day: i8, now: u64) -> Option<Span> {
    if let Some(year) = year {
        return day_span(date_of(year, month, day)?);
    }
    let this = Timestamp::from_nanosecond(i128::from(now))
        .ok()?
        .to_zoned(TimeZone::UTC)
        .year();
    [this, this - 1]
        .into_iter()
        .filter_map(|year| day_span(date_of(year, month, day)?))
        .find(|span| span.from <= now)
}

fn day_of(word: &str) -> Option<i8> {
    let digits = ["st", "nd", "rd", "th"]
        .iter()
        .find_map(|s| word.strip_suffix(s))
        .unwrap_or(word);
    digits.parse().ok().filter(|day| (1..=31).contains(day))
}

/// `may` is left to the caller: alone it is a verb.
fn month_of(word: &str) -> Option<i8> {
    const MONTHS: &[&str] = &[
        "january",
        "february",
        "march",
        "april",
        "",
        "june",
        "july",
        "august",
        "september",
        "october",
        "november",
        "december",
    ];
    let whole = MONTHS.iter().position(|m| *m == word && !m.is_empty());
    let short = || {
        let short = word
            .strip_prefix("sept")
            .map_or(word, |rest| if rest.is_empty() { "sep" } else { word });
        (short.len() == 3).then(|| MONTHS.iter().position(|m| m.get(..3) == Some(short)))?
    };
    whole
        .or_else(short)
        .and_then(|at| i8::try_from(at + 1).ok())
}

fn date_of(year: i16, month: i8, day: i8) -> Option<Date> {
    Date::new(year, month, day).ok()
}

fn day_span(date: Date) -> Option<Span> {
    let start = date
        .to_zoned(TimeZone::UTC)
        .ok()?
        .timestamp()
        .as_nanosecond();
    let from = u64::try_from(start).ok()?;
    let to = from.checked_add(DAY_NS - 1)?;
    Some(Span {
        from,
        to,
        relative: false,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 2014-02-10T12:00:00Z.
    const NOW: u64 = 1_392_033_600 * SECOND_NS;

    fn check(q: &str, from: &str, to: &str) {
        let at = |ns: u64| {
            Timestamp::from_nanosecond(i128::from(ns))
                .expect("in range")
                .to_string()
        };
        let span = find(q, NOW).unwrap_or_else(|| panic!("no time in {q:?}"));
        let to_text = at(span.to);
        let to_text = to_text
            .strip_suffix(".999999999Z")
            .map_or(to_text.clone(), |s| format!("{s}.9Z"));
        assert_eq!(
            (at(span.from).as_str(), to_text.as_str()),
            (from, to),
            "{q}"
        );
    }

    #[test]
    fn times_are_read() {
        let day = ("2014-01-24T00:00:00Z", "2014-01-24T23:59:59.9Z");
        for q in [
            "why did X move on 2014-01-24?",
            "on 2014/01/24",
            "on 24 January 2014",
            "on January 24th, 2014 why",
            "on the 24th of January",
            "Jan 24 2014",
            "24 jan",
        ] {
            check(q, day.0, day.1);
        }
        check("today", "2014-02-10T00:00:00Z", "2014-02-10T12:00:00Z");
        check(
            "yesterday",
            "2014-02-09T00:00:00Z",
            "2014-02-09T23:59:59.9Z",
        );
        check(
            "in the last 5 minutes",
            "2014-02-10T11:55:00Z",
            "2014-02-10T12:00:00Z",
        );
        check(
            "in the last five minutes",
            "2014-02-10T11:55:00Z",
            "2014-02-10T12:00:00Z",
        );
        check(
            "during the past hour",
            "2014-02-10T11:00:00Z",
            "2014-02-10T12:00:00Z",
        );
        check(
            "10 minutes ago",
            "2014-02-10T11:45:00Z",
            "2014-02-10T11:55:00Z",
        );
        check(
            "on 2014-01-24T14:30:00Z",
            "2014-01-24T14:15:00Z",
            "2014-01-24T14:45:00Z",
        );
        check(
            "in January 2014",
            "2014-01-01T00:00:00Z",
            "2014-01-31T23:59:59.9Z",
        );
        check(
            "on December 30",
            "2013-12-30T00:00:00Z",
            "2013-12-30T23:59:59.9Z",
        );
        check(
            "on 5 May 2013",
            "2013-05-05T00:00:00Z",
            "2013-05-05T23:59:59.9Z",
        );
        check(
            "Sept 3, 2013",
            "2013-09-03T00:00:00Z",
            "2013-09-03T23:59:59.9Z",
        );
    }

    #[test]
    fn what_is_no_time_is_left_alone() {
        for q in [
            "why may it fall",
            "2014-13-45",
            "version 24",
            "last 99999999999999 hours",
            "",
        ] {
            assert_eq!(find(q, NOW), None, "{q}");
        }
    }
}
