//! What kind of answer a question wants, and which way it says the price went.

use crate::prose::{word::flat, words};

/// What kind of answer a question wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// The cause of one symbol's move.
    WhyMoved,
    /// Which symbols move, and why.
    Moving,
    /// One thing about something named.
    Lookup,
    /// Anything else.
    General,
}

/// Which way a price went, or news point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up.
    Up,
    /// Down.
    Down,
}

impl Direction {
    /// The direction of a signed move; `None` for no move.
    #[must_use]
    pub fn of_move(bp: f64) -> Option<Self> {
        match bp {
            bp if bp > 0.0 => Some(Self::Up),
            bp if bp < 0.0 => Some(Self::Down),
            _ => None,
        }
    }

    /// The direction that a text's verbs of motion name; `None` when none or both do.
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let (mut up, mut down) = (false, false);
        for word in words(text) {
            let lower = word.lower();
            up |= UP.binary_search(&lower.as_str()).is_ok();
            down |= DOWN.binary_search(&lower.as_str()).is_ok();
        }
        match (up, down) {
            (true, false) => Some(Self::Up),
            (false, true) => Some(Self::Down),
            _ => None,
        }
    }
}

impl Class {
    /// Reads the kind. `named`: the question names a symbol or a company.
    #[must_use]
    pub fn of(q: &str, named: bool) -> Self {
        let flat = flat(q);
        let has = |phrases: &[&str]| phrases.iter().any(|p| flat.contains(p));
        let moves = has(MOTION) || Direction::of(q).is_some();
        let why = has(WHY);
        if !named && (has(MOVERS) || (why && moves && has(MARKET))) {
            return Self::Moving;
        }
        if named && moves && (why || has(WHAT_MOVES)) {
            return Self::WhyMoved;
        }
        if named && (has(GOING_ON) || (why && words(q).len() <= 3)) {
            return Self::WhyMoved;
        }
        if has(LOOKUP) {
            Self::Lookup
        } else {
            Self::General
        }
    }
}

/// All lists hold flat text: lower case, single spaces, one at each end.
#[rustfmt::skip]
const WHY: &[&str] = &[
    " why ", " what caused ", " what causes ", " cause ", " reason ", " reasons ",
    " because of what ", " explain ", " explains ", " behind ", " what made ", " what triggered ",
    " what drove ", " how come ", " what sent ", " what pushed ", " what is driving ",
    " what s driving ", " catalyst ",
];
#[rustfmt::skip]
const WHAT_MOVES: &[&str] = &[
    " what is moving ", " what s moving ", " what moved ", " what moves ", " what happened ",
    " news ",
];
#[rustfmt::skip]
const GOING_ON: &[&str] = &[
    " what happened to ", " what happened with ", " going on with ", " what s up with ",
    " what is up with ", " wrong with ", " happening with ", " happening to ", " happened at ",
];
#[rustfmt::skip]
const MOVERS: &[&str] = &[
    " what is moving ", " what s moving ", " whats moving ", " what moved ", " what moves ",
    " movers ", " gainers ", " losers ", " who is moving ", " which stocks ", " which stock ",
    " which symbols ", " what stocks ", " what is going on ", " what s going on ",
    " what is happening ", " what s happening ", " what happened ", " which shares ",
    " moving and why ",
];
#[rustfmt::skip]
const MARKET: &[&str] = &[
    " market ", " markets ", " stocks ", " everything ", " shares ", " prices ", " it all ",
];
#[rustfmt::skip]
const MOTION: &[&str] = &[
    " move ", " moved ", " moves ", " moving ", " movement ", " halt ", " halted ", " paused ",
    " volatile ", " trading ", " react ", " reacted ", " swing ", " swung ", " jumpy ",
    " action ", " shock ", " stopped ",
];
#[rustfmt::skip]
const LOOKUP: &[&str] = &[
    " what ", " who ", " when ", " where ", " which ", " how much ", " how many ", " did ",
    " does ", " is ", " are ", " was ", " were ", " has ", " whose ",
];

/// Sorted, for binary search.
#[rustfmt::skip]
const UP: &[&str] = &[
    "advance", "advanced", "advancing", "bounce", "bounced", "climb", "climbed", "climbing",
    "gain", "gained", "gainers", "gaining", "gains", "higher", "increase", "increased", "jump",
    "jumped", "jumping", "jumps", "rallied", "rally", "rallying", "rise", "risen", "rises",
    "rising", "rose", "skyrocket", "skyrocketed", "soar", "soared", "soaring", "soars", "spike",
    "spiked", "spiking", "surge", "surged", "surges", "surging", "up",
];

/// Sorted, for binary search.
#[rustfmt::skip]
const DOWN: &[&str] = &[
    "collapse", "collapsed", "crash", "crashed", "crashing", "decline", "declined", "declines",
    "declining", "decrease", "decreased", "dip", "dipped", "dive", "dived", "down", "drop",
    "dropped", "dropping", "drops", "fall", "fallen", "falling", "falls", "fell", "losers",
    "losing", "lost", "lower", "plummet", "plummeted", "plunge", "plunged", "plunges", "plunging",
    "sank", "selloff", "sink", "sinking", "sinks", "slid", "slide", "sliding", "slump", "slumped",
    "tank", "tanked", "tanking", "tumble", "tumbled", "tumbles", "tumbling",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn direction_lists_are_sorted() {
        assert!(UP.is_sorted() && DOWN.is_sorted());
    }

    #[test]
    fn kinds_are_told_apart() {
        let check = |q: &str, named, want| assert_eq!(Class::of(q, named), want, "{q}");
        check("why did AAPL move?", true, Class::WhyMoved);
        check(
            "What caused the drop in Apple today?",
            true,
            Class::WhyMoved,
        );
        check("why AAPL?", true, Class::WhyMoved);
        check("what's going on with Tesla", true, Class::WhyMoved);
        check("Why is AAPL halted?", true, Class::WhyMoved);
        check("what is moving AAPL", true, Class::WhyMoved);
        check("what is moving and why?", false, Class::Moving);
        check("top gainers", false, Class::Moving);
        check("Why is the market falling?", false, Class::Moving);
        check("Which stocks moved most today", false, Class::Moving);
        check(
            "Why would two ETFs produce different returns?",
            false,
            Class::General,
        );
        check("Who is the CEO of Apple?", true, Class::Lookup);
        check("What was Apple's revenue in Q1?", true, Class::Lookup);
        check("tell me about index funds", false, Class::General);
        check("", false, Class::General);
    }

    #[test]
    fn direction_needs_one_side_only() {
        assert_eq!(Direction::of("Why did it plunge?"), Some(Direction::Down));
        assert_eq!(Direction::of("AAPL up 4 %"), Some(Direction::Up));
        assert_eq!(Direction::of("up or down?"), None);
        assert_eq!(Direction::of("why did X move"), None);
    }
}
