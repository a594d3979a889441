//! What is moving: the symbols that moved most and still do, each with its cause or without.

use crate::ask::run::Run;
use crate::ask::why::{Draft, SUBJECTS_LIMIT};
use crate::facts::sentence::clock;
use crate::fault::Fault;
use crate::query::Direction;

impl Run<'_> {
    /// The top movers, each with its evidence or without.
    pub(crate) fn moving(&mut self) -> Result<Draft, Fault> {
        let movers = self
            .asker
            .facts
            .movers(self.question.as_of, 4 * SUBJECTS_LIMIT);
        self.watch.lap(&mut self.receipt.stages_us.facts);
        let direction = self.query.direction;
        let wanted = |bp: f64| direction.is_none() || Direction::of_move(bp) == direction;
        let striking = movers
            .into_iter()
            .filter(|m| wanted(m.move_bp) && self.asker.settings.is_move(m.move_bp));
        let symbols: Vec<String> = striking.map(|m| m.symbol).collect();
        let (mut seen, mut newest) = (Vec::new(), 0);
        for symbol in symbols {
            if seen.len() == SUBJECTS_LIMIT {
                break;
            }
            // What was striking a while ago, or before the time asked about, moves no more.
            let Some(facts) = self.market(&symbol) else {
                continue;
            };
            newest = newest.max(facts.newest_at());
            let moves = self
                .relevant(&facts)
                .is_some_and(|m| direction.is_none() || m.direction() == direction);
            if moves {
                seen.push((symbol, Some(facts)));
            }
        }
        if seen.is_empty() {
            return Ok(Draft {
                text: self.nothing_moves(newest),
                abstained: true,
                ..Draft::default()
            });
        }
        self.explain_all(seen)
    }

    fn nothing_moves(&self, newest: u64) -> String {
        let before = self.query.when.is_some_and(|w| newest < w.from);
        if newest > 0 && before {
            let at = clock(newest, self.now_ns);
            return format!("Nothing is known of that time: the newest market data is from {at}.");
        }
        "Nothing is moving notably, so there is no cause to look for.".to_owned()
    }
}
