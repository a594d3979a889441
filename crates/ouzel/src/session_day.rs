//! The day of an ITCH session: its clock counts from midnight in New York.

use std::path::Path;

use anyhow::{Context, Result};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;

/// US Eastern time by its rule since 2007, so that no time zone data is needed.
const EASTERN: &str = "EST5EDT,M3.2.0,M11.1.0";

/// Midnight of `day` (`2019-01-30`), or of the day that `now_ns` falls on, ns UTC.
pub fn midnight_ns(day: Option<&str>, now_ns: u64) -> Result<u64> {
    let zone = TimeZone::posix(EASTERN).context("the Eastern time zone")?;
    let date = match day {
        Some(text) => text
            .parse::<Date>()
            .with_context(|| format!("--day {text:?} is not a date; write 2019-01-30"))?,
        None => Timestamp::from_nanosecond(i128::from(now_ns))
            .context("the present instant")?
            .to_zoned(zone.clone())
            .date(),
    };
    let midnight = date
        .to_zoned(zone)
        .with_context(|| format!("midnight of {date}"))?;
    u64::try_from(midnight.timestamp().as_nanosecond()).context("a day before 1970")
}

/// The day that eight digits in a file's name tell: `20190130` or, as NASDAQ writes, `01302019`.
pub fn in_name(path: &Path) -> Option<String> {
    let name = path.file_name()?.to_string_lossy();
    let digits: Vec<&str> = name
        .split(|c: char| !c.is_ascii_digit())
        .filter(|run| run.len() == 8)
        .collect();
    digits.into_iter().find_map(|run| {
        let forms = [
            (&run[..4], &run[4..6], &run[6..]),
            (&run[4..], &run[..2], &run[2..4]),
        ];
        forms.into_iter().find_map(|(year, month, day)| {
            let plausible = (1990..2100).contains(&year.parse::<u16>().ok()?);
            let text = format!("{year}-{month}-{day}");
            (plausible && text.parse::<Date>().is_ok()).then_some(text)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn eastern_midnight_follows_daylight_saving() {
        let hour = 3_600_000_000_000;
        let utc = |day: &str| midnight_ns(Some(day), 0).expect("a day") / hour % 24;
        assert_eq!((utc("2019-01-30"), utc("2023-08-22")), (5, 4));
        assert!(midnight_ns(Some("30.1.2019"), 0).is_err());
    }

    #[test]
    fn days_are_found_in_names() {
        let check = |name: &str, day: Option<&str>| {
            assert_eq!(in_name(Path::new(name)).as_deref(), day, "{name}");
        };
        check("/x/01302019.NASDAQ_ITCH50.gz", Some("2019-01-30"));
        check("nasdaq_20190130_sod.itch", Some("2019-01-30"));
        check("S123456.itch", None);
        check("99999999.itch", None);
    }
}
