//! The order of passages for a search: what words and meaning say of each, then what is known about it.
//!
//! A passage earns its joined score, and on top of it for being tagged with a company that the question names
//! (entity), for being from the time it names (time), and for being new where it asks about something that goes on
//! (recency). A crowd's word counts a little less than a wire's (source). All are added and none
//! of them excludes: a wrong guess at a company costs places, not answers.

use crate::fuse::Candidate;
use crate::query::{Class, Query, Span};
use crate::rank::source_weight;
use crate::settings::Settings;

/// What a question's words ask for beside what passages say.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Wish {
    /// Companies named.
    pub symbols: Vec<String>,
    /// The time named: its best reading, then a wider one.
    pub times: Vec<Span>,
    /// The instant from which recency counts; `None` where it does not.
    pub newest: Option<u64>,
}

impl Wish {
    /// What a question that was read asks for, at `now_ns`.
    #[must_use]
    pub fn of(query: &Query, now_ns: u64) -> Self {
        let going_on = matches!(query.class, Class::WhyMoved | Class::Moving);
        let timeless = query.when.is_none() && query.year.is_none();
        Self {
            symbols: query.symbols.clone(),
            times: query.when.into_iter().chain(query.year).collect(),
            newest: (going_on && timeless).then_some(now_ns),
        }
    }
}

/// Sorts candidates, best first; ties by passage id. Their score becomes what they were sorted by.
pub fn order(candidates: &mut [Candidate], wish: &Wish, settings: &Settings) {
    for candidate in candidates.iter_mut() {
        let passage = &mut candidate.passage;
        let mut score = passage.score;
        if passage.symbols.iter().any(|s| wish.symbols.contains(s)) {
            score += settings.bonus_entity;
        }
        let fits = |span: &Span| (span.from..=span.to).contains(&passage.event_at);
        if let Some(at) = wish.times.iter().position(fits) {
            score += settings.bonus_time / (at + 1) as f32;
        }
        if let Some(newest) = wish.newest {
            let age_ns = newest.saturating_sub(passage.event_at);
            let halves = age_ns as f64 / settings.recency_half_ns as f64;
            score += settings.bonus_recency * (-halves).exp2() as f32;
        }
        passage.score = score * source_weight(passage);
    }
    candidates.sort_by(|a, b| {
        let by_score = b.passage.score.total_cmp(&a.passage.score);
        by_score.then_with(|| a.passage.id.cmp(&b.passage.id))
    });
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::Passage;

    fn candidate(id: &str, score: f32) -> Candidate {
        Candidate {
            passage: Passage {
                id: id.into(),
                score,
                ..Passage::default()
            },
            ..Candidate::default()
        }
    }

    fn ordered(mut candidates: Vec<Candidate>, wish: &Wish) -> Vec<String> {
        order(&mut candidates, wish, &Settings::default());
        candidates.into_iter().map(|c| c.passage.id).collect()
    }

    #[test]
    fn without_a_wish_the_score_decides() {
        let candidates = vec![
            candidate("b", 0.5),
            candidate("a", 0.5),
            candidate("c", 0.9),
        ];
        assert_eq!(ordered(candidates, &Wish::default()), ["c", "a", "b"]);
    }

    #[test]
    fn the_company_the_time_and_the_newest_come_first() {
        let wish = Wish {
            symbols: vec!["ACME".into()],
            ..Wish::default()
        };
        let mut tagged = candidate("tagged", 0.5);
        tagged.passage.symbols = vec!["ACME".into()];
        let pair = |other: Candidate| vec![candidate("plain", 0.52), other];
        assert_eq!(ordered(pair(tagged), &wish)[0], "tagged");
        let mut dated = candidate("dated", 0.5);
        dated.passage.event_at = 1_000;
        let span = Span {
            from: 500,
            to: 1_500,
            relative: false,
        };
        let wish = Wish {
            times: vec![span],
            ..Wish::default()
        };
        assert_eq!(ordered(pair(dated.clone()), &wish)[0], "dated");
        let wish = Wish {
            newest: Some(20 * 86_400_000_000_000),
            ..Wish::default()
        };
        dated.passage.event_at = 20 * 86_400_000_000_000;
        assert_eq!(ordered(pair(dated), &wish)[0], "dated");
    }

    #[test]
    fn a_crowd_counts_less() {
        let mut crowd = candidate("crowd", 0.5);
        crowd.passage.source = Some("reddit".into());
        assert_eq!(
            ordered(vec![crowd, candidate("wire", 0.49)], &Wish::default()),
            ["wire", "crowd"]
        );
    }
}
