//! Which move a question is about: the largest recent jump, or the day's change.
//!
//! One shock often fires several jump signals, and a pause may cut it in two; signals that follow
//! each other closely in one direction are one move.

use super::SymbolFacts;
use crate::query::{Direction, Span};
use crate::settings::Settings;

/// Signals this close in one direction are one move.
const MERGE_NS: u64 = 30_000_000_000;
/// A jump's weight halves with this age.
const HALF_LIFE_NS: f64 = 3_600e9;

/// How sudden a move was, which decides how near its cause must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// Seconds to minutes.
    Jump,
    /// A session.
    Day,
}

/// A change of price between two instants.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Move {
    /// When it began, ns UTC.
    pub start: u64,
    /// When it was over, ns UTC.
    pub end: u64,
    /// Price at the beginning; `None` for a bare halt or a move known from the question alone.
    pub from: Option<f64>,
    /// Price at the end.
    pub to: Option<f64>,
    /// Signed size in basis points; 0 when no prices are known.
    pub bp: f64,
    /// Jump or day.
    pub pace: Pace,
    /// When an earlier, separate jump of the same symbol was over: news from before it is priced.
    pub priced_until: Option<u64>,
}

impl Move {
    /// A move that only the question tells of.
    #[must_use]
    pub fn unseen(start: u64, end: u64) -> Self {
        Self {
            start,
            end,
            from: None,
            to: None,
            bp: 0.0,
            pace: Pace::Day,
            priced_until: None,
        }
    }

    /// Up or down; `None` when no prices are known.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        Direction::of_move(self.bp)
    }
}

/// The move that a question about a symbol means; `None` when nothing notable happened.
///
/// `now_ns` is the instant asked about; `when` and `direction` are what the question names.
#[must_use]
pub fn relevant(
    facts: &SymbolFacts,
    now_ns: u64,
    when: Option<Span>,
    direction: Option<Direction>,
    settings: &Settings,
) -> Option<Move> {
    let jumps = merged(facts);
    let fits = |m: &&Move| {
        let within = when.is_none_or(|w| m.end >= w.from && m.start <= w.to);
        m.end <= now_ns && within && (when.is_some() || now_ns - m.end <= settings.jump_recent_ns)
    };
    let weight = |m: &Move| m.bp.abs() * 0.5_f64.powf((now_ns - m.end) as f64 / HALF_LIFE_NS);
    let agrees = |m: &Move| direction.is_none() || m.direction() == direction;
    let best = |agreeing: bool| {
        let fitting = jumps.iter().filter(fits).filter(|m| !agreeing || agrees(m));
        fitting
            .max_by(|a, b| weight(a).total_cmp(&weight(b)))
            .copied()
    };
    let day = day(facts, settings).filter(|m| fits(&m));
    best(true)
        .or(day.filter(agrees))
        .or(best(false))
        .or(day)
        .or_else(|| halt(facts).filter(|m| fits(&m)))
}

/// Jumps, oldest first, with those of one shock joined.
fn merged(facts: &SymbolFacts) -> Vec<Move> {
    let mut jumps = facts.jumps.clone();
    jumps.retain(|j| j.bp() != 0.0);
    jumps.sort_by_key(|j| j.at);
    let mut moves: Vec<Move> = Vec::new();
    for jump in jumps {
        let start = jump.at.saturating_sub(jump.span_ns);
        if let Some(last) = moves.last_mut()
            && start <= last.end.saturating_add(MERGE_NS)
            && (last.bp > 0.0) == (jump.bp() > 0.0)
        {
            last.end = last.end.max(jump.at);
            last.to = Some(jump.to);
            last.bp = last
                .from
                .map_or(last.bp, |from| (jump.to / from - 1.0) * 1e4);
            continue;
        }
        moves.push(Move {
            start,
            end: jump.at,
            from: Some(jump.from),
            to: Some(jump.to),
            bp: jump.bp(),
            pace: Pace::Jump,
            priced_until: moves.last().map(|m| m.end),
        });
    }
    moves
}

fn day(facts: &SymbolFacts, settings: &Settings) -> Option<Move> {
    let bp = facts.change_bp()?;
    settings.is_move(bp).then_some(Move {
        start: facts.open_at.unwrap_or(facts.at).min(facts.at),
        end: facts.at,
        from: facts.open,
        to: facts.last,
        bp,
        pace: Pace::Day,
        priced_until: None,
    })
}

fn halt(facts: &SymbolFacts) -> Option<Move> {
    let halt = facts.halts.iter().max_by_key(|h| h.at)?;
    Some(Move {
        pace: Pace::Jump,
        ..Move::unseen(halt.at, halt.at)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::{Halt, Jump};

    const S: u64 = 1_000_000_000;

    fn facts(jumps: &[(u64, f64, f64)]) -> SymbolFacts {
        let jump = |&(at, from, to): &(u64, f64, f64)| Jump {
            at: at * S,
            span_ns: S,
            from,
            to,
            seq: 0,
        };
        SymbolFacts {
            symbol: "X".into(),
            at: 10_000 * S,
            last: Some(103.0),
            open: Some(100.0),
            open_at: Some(0),
            jumps: jumps.iter().map(jump).collect(),
            ..SymbolFacts::default()
        }
    }

    fn check(facts: &SymbolFacts, direction: Option<Direction>, want: (u64, u64, i64, Pace)) {
        let m = relevant(facts, 10_000 * S, None, direction, &Settings::default()).expect("a move");
        assert_eq!((m.start / S, m.end / S, m.bp.round() as i64, m.pace), want);
    }

    #[test]
    fn the_largest_recent_jump_wins() {
        check(&facts(&[]), None, (0, 10_000, 300, Pace::Day));
        check(
            &facts(&[(9_000, 100.0, 104.0), (9_900, 104.0, 101.0)]),
            None,
            (8_999, 9_000, 400, Pace::Jump),
        );
        check(
            &facts(&[(1_000, 100.0, 104.0), (9_900, 104.0, 101.0)]),
            None,
            (9_899, 9_900, -288, Pace::Jump),
        );
    }

    #[test]
    fn signals_of_one_shock_are_one_move() {
        let shock = facts(&[(9_010, 102.0, 104.0), (9_000, 100.0, 102.0)]);
        check(&shock, None, (8_999, 9_010, 400, Pace::Jump));
    }

    #[test]
    fn the_direction_asked_about_is_preferred() {
        let both = facts(&[(9_000, 100.0, 104.0), (9_900, 104.0, 101.0)]);
        check(
            &both,
            Some(Direction::Down),
            (9_899, 9_900, -288, Pace::Jump),
        );
        check(
            &facts(&[(9_900, 104.0, 101.0)]),
            Some(Direction::Up),
            (0, 10_000, 300, Pace::Day),
        );
    }

    #[test]
    fn a_quiet_symbol_has_no_move_and_the_future_is_not_seen() {
        let mut quiet = facts(&[(11_000, 100.0, 110.0)]);
        quiet.last = Some(100.2);
        let none = relevant(&quiet, 10_000 * S, None, None, &Settings::default());
        assert_eq!(none, None);
        quiet.halts = vec![Halt {
            at: 9_000 * S,
            ..Halt::default()
        }];
        assert!(relevant(&quiet, 10_000 * S, None, None, &Settings::default()).is_some());
    }
}
