//! Which move a question is about: the largest recent jump, or the day's change.
//!
//! One shock often fires several jump signals, and a pause may cut it in two; signals that follow
//! each other closely in one direction are one move.

use super::{Jump, SymbolFacts};
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
    let jumps = merged(facts.jumps.clone());
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

/// The move that a signal at `at` tells of: its `jump`, joined with those before it that are of one shock. A signal
/// without a jump, such as a halt, tells of the move under way, or of no more than its instant.
#[must_use]
pub fn told(facts: Option<&SymbolFacts>, at: u64, jump: Option<Jump>) -> Move {
    let known = facts.iter().flat_map(|facts| &facts.jumps);
    let jumps = known.filter(|known| known.at <= at).copied().chain(jump);
    let last = merged(jumps.collect()).last().copied();
    let under_way = |m: &Move| jump.is_some() || at <= m.end.saturating_add(MERGE_NS);
    last.filter(under_way).unwrap_or(Move {
        pace: Pace::Jump,
        priced_until: last.map(|m| m.end),
        ..Move::unseen(at, at)
    })
}

/// Jumps, oldest first, with those of one shock joined.
fn merged(mut jumps: Vec<Jump>) -> Vec<Move> {
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
    fn a_signal_tells_of_its_own_move() {
        let jump = |at: u64, from: f64, to: f64| Jump {
            at: at * S,
            span_ns: S,
            from,
            to,
            seq: 0,
        };
        // A larger one an hour ago, and the first telling of this one.
        let known = facts(&[(6_000, 100.0, 120.0), (9_990, 120.0, 119.0)]);
        let m = told(Some(&known), 9_995 * S, Some(jump(9_995, 120.0, 117.0)));
        assert_eq!((m.start / S, m.end / S), (9_989, 9_995));
        assert_eq!((m.bp.round(), m.priced_until), (-250.0, Some(6_000 * S)));
        // A halt on the way, and one out of nothing.
        let halted = told(Some(&known), 9_992 * S, None);
        assert_eq!((halted.bp.round(), halted.pace), (-83.0, Pace::Jump));
        let bare = told(Some(&known), 9_000 * S, None);
        assert_eq!((bare.start / S, bare.direction()), (9_000, None));
        assert_eq!(bare.priced_until, Some(6_000 * S));
        let first = told(None, 9_000 * S, Some(jump(9_000, 100.0, 101.0)));
        assert_eq!((first.start / S, first.bp.round()), (8_999, 100.0));
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
