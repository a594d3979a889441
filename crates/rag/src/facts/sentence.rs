//! Market facts as sentences for people.

use jiff::Timestamp;

use super::{Halt, Move, Pace, SymbolFacts};

/// Where a symbol stands: `AAPL (Apple Inc.) last 163.25, down 4.21 % since 14:30:00Z.`
#[must_use]
pub fn standing(facts: &SymbolFacts, now_ns: u64) -> String {
    let mut text = named(facts);
    match facts.last {
        Some(last) => text.push_str(&format!(" last {}", price(last))),
        None => text.push_str(" has no trade yet"),
    }
    if let (Some(bp), Some(_)) = (facts.change_bp(), facts.last) {
        text.push_str(&format!(", {}", change(bp)));
        if let Some(at) = facts.open_at {
            text.push_str(&format!(" since {}", clock(at, now_ns)));
        }
    }
    if let (Some(bid), Some(ask)) = (facts.bid, facts.ask) {
        text.push_str(&format!(", bid {} ask {}", price(bid), price(ask)));
    }
    if !facts.state.is_empty() && facts.state != "trading" {
        text.push_str(&format!("; {}", facts.state));
    }
    text.push('.');
    text
}

/// What a move was: `AAPL fell 4.21 % (170.42 to 163.25) within 1.8 s at 14:31:02Z.`
#[must_use]
pub fn moved(facts: &SymbolFacts, m: &Move, now_ns: u64) -> Option<String> {
    let (from, to) = (m.from?, m.to?);
    let verb = if m.bp < 0.0 { "fell" } else { "rose" };
    let size = m.bp.abs() / 100.0;
    let when = match m.pace {
        Pace::Jump => format!(
            "within {} at {}",
            length(m.end - m.start),
            clock(m.end, now_ns)
        ),
        Pace::Day => format!(
            "from {} to {}",
            clock(m.start, now_ns),
            clock(m.end, now_ns)
        ),
    };
    let symbol = &facts.symbol;
    Some(format!(
        "{symbol} {verb} {size:.2} % ({} to {}) {when}.",
        price(from),
        price(to)
    ))
}

/// A halt: `Trading in AAPL was halted at 14:31:03Z (reason T1) and resumed at 14:36:03Z.`
#[must_use]
pub fn halted(facts: &SymbolFacts, halt: &Halt, now_ns: u64) -> String {
    let mut text = format!(
        "Trading in {} was halted at {}",
        facts.symbol,
        clock(halt.at, now_ns)
    );
    if !halt.reason.is_empty() {
        text.push_str(&format!(" (reason {})", halt.reason));
    }
    match halt.resumed_at {
        Some(at) => text.push_str(&format!(" and resumed at {}.", clock(at, now_ns))),
        None => text.push_str(" and has not resumed."),
    }
    text
}

/// Says so when facts are too old to speak of the instant asked about:
/// `The newest data of AAPL is from 2014-01-28 21:00:00Z.`
#[must_use]
pub fn aged(facts: &SymbolFacts, asked_ns: u64) -> Option<String> {
    const OLD_NS: u64 = 4 * 3_600_000_000_000;
    let newest = facts.newest_at();
    let old = newest > 0 && asked_ns.saturating_sub(newest) > OLD_NS;
    old.then(|| {
        let at = clock(newest, asked_ns);
        format!("The newest data of {} is from {at}.", facts.symbol)
    })
}

/// `AAPL (Apple Inc.)`, or the symbol alone.
#[must_use]
pub fn named(facts: &SymbolFacts) -> String {
    match facts
        .name
        .as_deref()
        .map(str::trim)
        .filter(|n| !n.is_empty())
    {
        Some(name) => format!("{} ({name})", facts.symbol),
        None => facts.symbol.clone(),
    }
}

/// An instant: the time alone on the day of `now_ns`, with the date otherwise.
#[must_use]
pub fn clock(at_ns: u64, now_ns: u64) -> String {
    const DAY_NS: u64 = 86_400_000_000_000;
    let Ok(at) = Timestamp::from_nanosecond(i128::from(at_ns)) else {
        return "an unknown time".to_owned();
    };
    let form = if at_ns / DAY_NS == now_ns / DAY_NS {
        "%H:%M:%SZ"
    } else {
        "%Y-%m-%d %H:%M:%SZ"
    };
    at.strftime(form).to_string()
}

/// `up 4.21 %`, `unchanged`.
fn change(bp: f64) -> String {
    match bp {
        bp if bp >= 0.5 => format!("up {:.2} %", bp / 100.0),
        bp if bp <= -0.5 => format!("down {:.2} %", -bp / 100.0),
        _ => "unchanged".to_owned(),
    }
}

/// Cents, or four decimals below one.
fn price(price: f64) -> String {
    if price.abs() < 1.0 {
        format!("{price:.4}")
    } else {
        format!("{price:.2}")
    }
}

/// `1.8 s`, `4 min`, `3.5 h`.
fn length(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    match seconds {
        s if s < 120.0 => format!("{s:.1} s"),
        s if s < 7_200.0 => format!("{:.0} min", s / 60.0),
        s => format!("{:.1} h", s / 3_600.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;
    const NOON: u64 = 1_392_033_600 * S;

    fn facts() -> SymbolFacts {
        SymbolFacts {
            symbol: "AAPL".into(),
            name: Some("Apple Inc.".into()),
            at: NOON,
            last: Some(163.25),
            open: Some(170.42),
            open_at: Some(NOON - 3_600 * S),
            state: "halted".into(),
            ..SymbolFacts::default()
        }
    }

    #[test]
    fn sentences_read_well() {
        let want = "AAPL (Apple Inc.) last 163.25, down 4.21 % since 11:00:00Z; halted.";
        assert_eq!(standing(&facts(), NOON), want);
        let jump = Move {
            from: Some(0.52),
            to: Some(0.5),
            bp: -384.6,
            pace: Pace::Jump,
            ..Move::unseen(NOON - 2 * S, NOON)
        };
        let want = "AAPL fell 3.85 % (0.5200 to 0.5000) within 2.0 s at 12:00:00Z.";
        assert_eq!(moved(&facts(), &jump, NOON).as_deref(), Some(want));
        let halt = Halt {
            at: NOON,
            reason: "T1".into(),
            resumed_at: None,
        };
        let want =
            "Trading in AAPL was halted at 2014-02-10 12:00:00Z (reason T1) and has not resumed.";
        assert_eq!(halted(&facts(), &halt, 3 * NOON / 2), want);
        let empty = SymbolFacts {
            symbol: "X".into(),
            ..SymbolFacts::default()
        };
        assert_eq!(standing(&empty, 0), "X has no trade yet.");
        assert_eq!(aged(&empty, NOON), None);
        assert_eq!(aged(&facts(), NOON + 3_600 * S), None);
        let want = "The newest data of AAPL is from 2014-02-10 12:00:00Z.";
        assert_eq!(aged(&facts(), NOON + 86_400 * S).as_deref(), Some(want));
    }
}
