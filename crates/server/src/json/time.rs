//! Instants at the border: RFC 3339 UTC with nanoseconds.

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Nanoseconds since the Unix epoch that read and print as RFC 3339.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Instant(pub u64);

impl Serialize for Instant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{self}"))
    }
}

impl std::fmt::Display for Instant {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match Timestamp::from_nanosecond(i128::from(self.0)) {
            Ok(at) => write!(f, "{at:.9}"),
            Err(_) => write!(f, "{}ns", self.0),
        }
    }
}

impl<'de> Deserialize<'de> for Instant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "an instant is a text such as 2014-01-28T21:00:00Z or an epoch number"
        )]
        enum Raw {
            Text(String),
            Number(u64),
        }
        match Raw::deserialize(deserializer)? {
            Raw::Number(number) => Ok(Self(from_number(number))),
            Raw::Text(text) => parse_instant(&text)
                .map(Self)
                .map_err(serde::de::Error::custom),
        }
    }
}

/// Epoch seconds, milliseconds, microseconds or nanoseconds, told apart by size: each unit covers
/// 1973 to 5138 without touching the next.
fn from_number(number: u64) -> u64 {
    match number {
        0..100_000_000_000 => number.saturating_mul(1_000_000_000),
        100_000_000_000..100_000_000_000_000 => number.saturating_mul(1_000_000),
        100_000_000_000_000..100_000_000_000_000_000 => number.saturating_mul(1_000),
        _ => number,
    }
}

/// Reads `2014-01-28T21:00:00Z` (any offset; without one UTC is meant), `2014-01-28` (its first
/// instant, UTC) or an epoch number in s, ms, us or ns.
///
/// # Errors
/// A sentence that names the text and shows a form that is read.
pub fn parse_instant(text: &str) -> Result<u64, String> {
    let trimmed = text.trim();
    if let Ok(number) = trimmed.parse::<u64>() {
        return Ok(from_number(number));
    }
    let at = trimmed
        .parse::<Timestamp>()
        .ok()
        .or_else(|| format!("{trimmed}Z").parse().ok())
        .or_else(|| format!("{trimmed}T00:00:00Z").parse().ok());
    at.and_then(|at| u64::try_from(at.as_nanosecond()).ok())
        .ok_or_else(|| {
            format!(
                "{text:?} is not an instant since 1970; write 2014-01-28T21:00:00Z or 2014-01-28"
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_read_in_every_documented_form() {
        let want = 1_390_942_800_000_000_000;
        for text in [
            "2014-01-28T21:00:00Z",
            "2014-01-28T21:00:00",
            "2014-01-28T16:00:00-05:00",
            "1390942800",
            "1390942800000",
            "1390942800000000",
            "1390942800000000000",
        ] {
            assert_eq!(parse_instant(text), Ok(want), "{text}");
        }
        assert_eq!(parse_instant("2014-01-28"), Ok(1_390_867_200_000_000_000));
        for bad in ["", "tomorrow", "2014-13-01", "1950-01-01"] {
            assert!(parse_instant(bad).is_err(), "{bad}");
        }
        assert_eq!(
            Instant(want + 5).to_string(),
            "2014-01-28T21:00:00.000000005Z"
        );
    }
}
