//! Which symbol an instrument number stands for, and when.

use wire::dbn::{Metadata, STYPE_INSTRUMENT_ID};

const DAY_NS: u64 = 86_400_000_000_000;

/// A number's symbol over `[from_ns, until_ns)`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    number: u32,
    from_ns: u64,
    pub(super) until_ns: u64,
    pub(super) symbol: String,
}

/// All that is known, sorted by number and start.
#[derive(Debug, Default)]
pub(super) struct Names(Vec<Name>);

impl Names {
    /// The mappings of a file's header, where they lead to instrument numbers.
    pub(super) fn learn_header(&mut self, metadata: &Metadata<'_>) {
        if metadata.stype_out != STYPE_INSTRUMENT_ID {
            return;
        }
        for mapping in metadata.mappings() {
            for at in mapping.intervals {
                // An empty interval is a symbol that stood for nothing then.
                let Ok(number) = at.symbol.parse() else {
                    continue;
                };
                self.0.push(Name {
                    number,
                    from_ns: day_ns(at.start_date),
                    until_ns: day_ns(at.end_date),
                    symbol: mapping.raw_symbol.to_owned(),
                });
            }
        }
        self.0.sort_by_key(|name| (name.number, name.from_ns));
    }

    /// A name from now on: it replaces what was known of the number.
    pub(super) fn learn(&mut self, number: u32, symbol: &str) {
        if symbol.is_empty() {
            return;
        }
        self.0.retain(|name| name.number != number);
        let at = self.0.partition_point(|name| name.number < number);
        let name = Name {
            number,
            from_ns: 0,
            until_ns: u64::MAX,
            symbol: symbol.to_owned(),
        };
        self.0.insert(at, name);
    }

    /// The symbol at a time.
    pub(super) fn find(&self, number: u32, at_ns: u64) -> Option<&Name> {
        let first = self.0.partition_point(|name| name.number < number);
        let of_number = self.0[first..]
            .iter()
            .take_while(|name| name.number == number);
        of_number
            .into_iter()
            .find(|name| (name.from_ns..name.until_ns).contains(&at_ns))
    }

    /// When the number gets its next name, or never.
    pub(super) fn next_start(&self, number: u32, at_ns: u64) -> u64 {
        let starts = self.0.iter().filter(|name| name.number == number);
        let later = starts.map(|name| name.from_ns).filter(|from| *from > at_ns);
        later.min().unwrap_or(u64::MAX)
    }
}

/// Start of a UTC day given as the number YYYYMMDD, ns since 1970; days before 1970 are 0.
fn day_ns(date: u32) -> u64 {
    let (year, month, day) = (
        i64::from(date / 10_000),
        i64::from(date / 100 % 100),
        i64::from(date % 100),
    );
    // Days from civil (Howard Hinnant): years begin in March, so that the leap day is the last.
    let year = year - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let of_era = year - era * 400;
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let days = era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468;
    u64::try_from(days).unwrap_or(0).saturating_mul(DAY_NS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        let check = |date, ns| assert_eq!(day_ns(date), ns);
        check(19_700_101, 0);
        check(19_700_102, DAY_NS);
        check(20_240_229, 1_709_164_800_000_000_000);
        check(20_240_301, 1_709_251_200_000_000_000);
        check(20_231_225, 1_703_462_400_000_000_000);
        check(0, 0);
    }

    #[test]
    fn a_number_has_another_name_another_day() {
        let name = |number, from_ns, until_ns, symbol: &str| Name {
            number,
            from_ns,
            until_ns,
            symbol: symbol.to_owned(),
        };
        let mut names = Names(vec![
            name(7, 10, 20, "A"),
            name(7, 30, 40, "B"),
            name(8, 0, 5, "C"),
        ]);
        let find =
            |names: &Names, number, at| names.find(number, at).map(|name| name.symbol.clone());
        assert_eq!(find(&names, 7, 9), None);
        assert_eq!(find(&names, 7, 10).as_deref(), Some("A"));
        assert_eq!(find(&names, 7, 20), None);
        assert_eq!(find(&names, 7, 39).as_deref(), Some("B"));
        assert_eq!(
            (names.next_start(7, 20), names.next_start(7, 40)),
            (30, u64::MAX)
        );
        names.learn(7, "D");
        assert_eq!(find(&names, 7, 9).as_deref(), Some("D"));
        assert_eq!(find(&names, 8, 4).as_deref(), Some("C"));
    }
}
