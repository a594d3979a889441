//! Whether a sentence tells something that can move a price, and which way.
//!
//! A lexicon with weights, and no model: a reader can see why a sentence counted, and it costs
//! microseconds. Three readings are added up: words of events ("recall", "takeover", "guidance"),
//! words of routine ("annual meeting", "unchanged", "sponsors"), which count against, and words
//! that point up or down. Prefixes stand for word families: `acqui` is acquire and acquisition.

use crate::prose::{Word, word::flat, words};
use crate::query::Direction;

use super::lexicon::{BAD, CONNECTIVES, EVENT_PHRASES, EVENTS, GOOD, ROUTINE, ROUTINE_PHRASES};

/// Below this a text states no cause.
pub const CAUSE_MIN: f32 = 0.35;
/// From this on the direction of a text counts.
const LEAN_MIN: f32 = 0.5;

/// What a text says about prices.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Reading {
    /// Events minus routine, at most 1; negative for routine.
    pub strength: f32,
    /// Good news positive, bad news negative.
    pub lean: f32,
}

impl Reading {
    /// Reads one text.
    #[must_use]
    pub fn of(text: &str) -> Self {
        let flat = flat(text);
        let found = words(text);
        let lower: Vec<String> = found.iter().map(Word::lower).collect();
        let mut events = phrases(EVENT_PHRASES, &flat);
        let mut routine = phrases(ROUTINE_PHRASES, &flat);
        for (idx, word) in lower.iter().enumerate() {
            // The same word twice says nothing new.
            if lower[..idx].contains(word) {
                continue;
            }
            events += EVENTS.weight(word);
            routine += ROUTINE.weight(word);
        }
        // A sentence that joins the move to a cause itself is worth more than the cause alone, but
        // "shares fell after the open" is not enough.
        let market = [" stock ", " shares ", " share price "]
            .iter()
            .any(|m| flat.contains(m));
        let joined = CONNECTIVES.iter().any(|c| flat.contains(c));
        if market && joined && Direction::of(text).is_some() {
            events += 0.25;
        }
        if text.trim_end().ends_with('?') {
            routine += 0.25;
        }
        Self {
            strength: (events.min(1.0) - routine).clamp(-1.0, 1.0),
            lean: lean(&lower),
        }
    }

    /// The direction of the news, when it leans enough.
    #[must_use]
    pub fn direction(&self) -> Option<Direction> {
        match self.lean {
            lean if lean >= LEAN_MIN => Some(Direction::Up),
            lean if lean <= -LEAN_MIN => Some(Direction::Down),
            _ => None,
        }
    }

    /// A headline and a sentence of its text, read together: either may carry the cause, but a
    /// headline of routine drags its sentences down.
    #[must_use]
    pub fn with_title(self, title: Option<Self>) -> Self {
        let Some(title) = title else { return self };
        let mixed = 0.7 * self.strength + 0.3 * title.strength;
        Self {
            strength: mixed.max(0.75 * title.strength),
            lean: self.lean + title.lean,
        }
    }
}

/// How far one lower-case word is good news, positive, or bad news, negative.
pub(crate) fn word_lean(lower: &str) -> f32 {
    GOOD.weight(lower) - BAD.weight(lower)
}

fn phrases(table: &[(&str, f32)], flat: &str) -> f32 {
    table
        .iter()
        .filter(|(p, _)| flat.contains(p))
        .map(|(_, w)| w)
        .sum()
}

/// Words of good news minus words of bad news; a negation right before turns one round.
fn lean(lower: &[String]) -> f32 {
    let mut lean = 0.0;
    for (idx, word) in lower.iter().enumerate() {
        let value = word_lean(word);
        let before = &lower[idx.saturating_sub(2)..idx];
        let negated = before
            .iter()
            .any(|w| ["not", "no", "never", "without", "fails", "failed"].contains(&w.as_str()));
        lean += if negated { -value } else { value };
    }
    lean
}

#[cfg(test)]
mod tests {
    use super::*;
    use Direction::{Down, Up};

    fn causes(text: &str, direction: Option<Direction>) {
        let reading = Reading::of(text);
        assert!(reading.strength >= CAUSE_MIN, "{text}: {reading:?}");
        assert_eq!(reading.direction(), direction, "{text}: {reading:?}");
    }

    fn routine(text: &str) {
        let reading = Reading::of(text);
        assert!(reading.strength < CAUSE_MIN, "{text}: {reading:?}");
    }

    #[test]
    fn causes_are_recognised_with_their_direction() {
        causes(
            "The company cut its full-year forecast because of weak demand.",
            Some(Down),
        );
        causes(
            "Regulators opened an investigation into its accounting.",
            Some(Down),
        );
        causes(
            "The board accepted a takeover offer at a 40 percent premium.",
            Some(Up),
        );
        causes(
            "Quarterly earnings beat expectations and it raised guidance.",
            Some(Up),
        );
        causes("The FDA approved the drug.", Some(Up));
        causes("The FDA rejected the drug.", Some(Down));
        causes(
            "A fire has stopped production at its largest plant.",
            Some(Down),
        );
        causes(
            "The chief executive resigned with immediate effect.",
            Some(Down),
        );
        causes("The bank was downgraded to sell.", Some(Down));
        causes("It lost its largest customer.", Some(Down));
        causes("It won a contract worth $3 billion.", Some(Up));
        causes("A short seller alleged fraud.", Some(Down));
        causes(
            "$ aapl q1 eps 14.50 vs est 14.07 , iphone sales miss , guidance light",
            Some(Down),
        );
    }

    #[test]
    fn routine_is_not_a_cause() {
        routine("The company will present at an investor conference next month.");
        routine("It published its annual sustainability report.");
        routine("The company sponsors a youth league in the city.");
        routine("An analyst kept a neutral rating and left estimates unchanged.");
        routine("It will hold its annual meeting as usual.");
        routine("The firm renewed the lease of its office.");
        routine("It will report quarterly results on Tuesday.");
        routine("It confirmed the usual payment date of its regular dividend.");
        routine("Employees planted trees at the weekend.");
        routine("A podcast tells how the company was founded.");
        routine("stocks to watch today : $ aapl $ fb");
        routine("Shares of the company fell 5 percent today.");
        routine("Shares of the company fell 5 percent after the open.");
        routine("is $ aapl a buy ?");
        routine("");
    }
}
