//! What will happen: shocks, the news that causes them, and the news that does not.
//!
//! The script has its own random stream and is written ahead of the flow, so that the same seed
//! gives the same shocks and news whatever the rate of the flow and however often anyone asks.
//! Every fifth shock has no cause at all: then "no cause found" is the only honest answer.

use std::collections::VecDeque;

use crate::listing::{Listing, Sector};
use crate::news::{Kind, NewsItem, Writer};
use stdx::Rng;

/// Shocks remembered by [`Script::truth`]; older ones are forgotten.
const TRUTH_LIMIT: usize = 4_096;
/// How far ahead of a question the script is written: longer than any item's lead over its shock.
const AHEAD_NS: u64 = 40_000_000_000;
const SECOND: u64 = 1_000_000_000;
const MILLI: u64 = 1_000_000;

/// When shocks come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScriptConfig {
    /// The first shock comes this long after the start, drawn from `[low, high)`, ns.
    pub first_ns: (u64, u64),
    /// Between two shocks, drawn from `[low, high)`, ns.
    pub gap_ns: (u64, u64),
    /// Size of a move in basis points, drawn from `[low, high)`.
    pub move_bp: (u32, u32),
    /// Every how many shocks one has no cause; 0: all have one.
    pub uncaused_every: u32,
    /// Every how many shocks trading pauses on the way; 0: never.
    pub halt_every: u32,
}

impl Default for ScriptConfig {
    fn default() -> Self {
        Self {
            first_ns: (10 * SECOND, 15 * SECOND),
            gap_ns: (15 * SECOND, 25 * SECOND),
            move_bp: (300, 900),
            uncaused_every: 5,
            halt_every: 4,
        }
    }
}

/// One planted move, known to tests and to nobody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shock {
    /// Index of the listing.
    pub listing: usize,
    /// Its ticker.
    pub symbol: String,
    /// The move begins, ns UTC.
    pub at_ns: u64,
    /// The move takes this long, pauses not counted, ns.
    pub span_ns: u64,
    /// Signed size of the move in basis points of the price before.
    pub move_bp: i32,
    /// Trading pauses half way, for this long, ns.
    pub halt_ns: Option<u64>,
    /// The id of the news that causes it; `None`: nothing does.
    pub cause: Option<u64>,
}

/// The plan of one session.
#[derive(Clone, Debug)]
pub struct Script {
    config: ScriptConfig,
    rng: Rng,
    writer: Writer,
    listings: Vec<Listing>,
    /// Listings that may move: companies, not funds.
    companies: Vec<usize>,
    next_shock_ns: u64,
    shocks_planned: u32,
    recent: VecDeque<usize>,
    next_id: u64,
    /// Not yet drained, in order of `at_ns`, then `id`.
    news: VecDeque<NewsItem>,
    /// Not yet taken by the flow, in order of time.
    pending: VecDeque<Shock>,
    truth: VecDeque<Shock>,
    written_to_ns: u64,
}

impl Script {
    /// A script that starts at `start_ns` (ns UTC), fixed by `rng`'s state.
    #[must_use]
    pub fn new(config: ScriptConfig, listings: &[Listing], start_ns: u64, mut rng: Rng) -> Self {
        let companies: Vec<usize> = (0..listings.len())
            .filter(|&i| listings[i].sector != Sector::Fund)
            .collect();
        let first = rng.range(config.first_ns.0, config.first_ns.1);
        Self {
            config,
            writer: Writer::new(),
            listings: listings.to_vec(),
            // Without a company there is nothing to shock.
            next_shock_ns: if companies.is_empty() {
                u64::MAX
            } else {
                start_ns + first
            },
            companies,
            rng,
            shocks_planned: 0,
            recent: VecDeque::new(),
            next_id: 1,
            news: VecDeque::new(),
            pending: VecDeque::new(),
            truth: VecDeque::new(),
            written_to_ns: start_ns,
        }
    }

    /// Takes the next item published at or before `until_ns`, oldest first.
    pub fn next_news(&mut self, until_ns: u64) -> Option<NewsItem> {
        self.write_to(until_ns);
        if self.news.front()?.at_ns > until_ns {
            return None;
        }
        self.news.pop_front()
    }

    /// Takes the next shock that begins at or before `until_ns`, oldest first.
    pub(crate) fn next_shock(&mut self, until_ns: u64) -> Option<Shock> {
        self.write_to(until_ns);
        if self.pending.front()?.at_ns > until_ns {
            return None;
        }
        self.pending.pop_front()
    }

    /// Every shock planned so far (some may lie ahead), oldest first; at most the last 4,096.
    #[must_use]
    pub fn truth(&self) -> Vec<Shock> {
        self.truth.iter().cloned().collect()
    }

    fn write_to(&mut self, until_ns: u64) {
        let horizon = until_ns.saturating_add(AHEAD_NS);
        while self.next_shock_ns <= horizon {
            self.plan_shock();
        }
        self.written_to_ns = self.written_to_ns.max(horizon);
    }

    fn plan_shock(&mut self) {
        let at_ns = self.next_shock_ns;
        let listing = self.choose_listing();
        let number = self.shocks_planned;
        let up = self.rng.chance(0.5);
        let size = self
            .rng
            .range(self.config.move_bp.0.into(), self.config.move_bp.1.into())
            as i32;
        // The third of each round is the one without a cause, so that a short demo meets one.
        let caused = !is_turn(number, self.config.uncaused_every, 2);
        let halt = is_turn(number, self.config.halt_every, 1);
        let cause = caused.then(|| {
            let lead = self.rng.range(SECOND / 5, 2 * SECOND);
            self.publish(at_ns - lead.min(at_ns), Kind::Cause { up }, listing, true)
        });
        let shock = Shock {
            listing,
            symbol: self.listings[listing].symbol.to_string(),
            at_ns,
            span_ns: self.rng.range(500 * MILLI, 2_000 * MILLI),
            move_bp: if up { size } else { -size },
            halt_ns: halt.then(|| self.rng.range(3 * SECOND, 5 * SECOND)),
            cause,
        };
        self.plan_noise(at_ns, listing);
        if self.truth.len() == TRUTH_LIMIT {
            self.truth.pop_front();
        }
        self.truth.push_back(shock.clone());
        self.pending.push_back(shock);
        self.shocks_planned += 1;
        let gap = self.rng.range(self.config.gap_ns.0, self.config.gap_ns.1);
        self.next_shock_ns = at_ns + gap.max(MILLI);
    }

    /// A company that has not moved lately, so that two causes are not confused with each other.
    fn choose_listing(&mut self) -> usize {
        let memory = (self.companies.len() / 2).min(24);
        loop {
            let choice = *self.rng.pick(&self.companies);
            if !self.recent.contains(&choice) {
                self.recent.push_back(choice);
                while self.recent.len() > memory {
                    self.recent.pop_front();
                }
                return choice;
            }
        }
    }

    /// Five items that explain nothing, for each shock: two decoys close to it in subject, three
    /// about anybody or nothing.
    fn plan_noise(&mut self, at_ns: u64, listing: usize) {
        let second = |rng: &mut Rng, low, high| rng.range(low * SECOND, high * SECOND);
        let before = second(&mut self.rng, 2, 9);
        self.publish(at_ns.saturating_sub(before), Kind::Company, listing, false);
        let around = second(&mut self.rng, 0, 12);
        self.publish(
            (at_ns + around).saturating_sub(6 * SECOND),
            Kind::Sector,
            listing,
            false,
        );
        for kind in [Kind::Company, Kind::Company, Kind::General] {
            let other = *self.rng.pick(&self.companies);
            let offset = second(&mut self.rng, 0, 20);
            self.publish(
                (at_ns + offset).saturating_sub(10 * SECOND),
                kind,
                other,
                false,
            );
        }
    }

    fn publish(&mut self, at_ns: u64, kind: Kind, listing: usize, planted: bool) -> u64 {
        let (headline, body) = self
            .writer
            .write(kind, &self.listings, listing, &mut self.rng);
        let symbol = matches!(kind, Kind::Cause { .. } | Kind::Company)
            .then(|| self.listings[listing].symbol.to_string());
        let id = self.next_id;
        self.next_id += 1;
        let item = NewsItem {
            id,
            at_ns,
            symbol,
            headline,
            body,
            planted,
        };
        let place = self.news.partition_point(|other| other.at_ns <= at_ns);
        self.news.insert(place, item);
        id
    }
}

/// Whether shock `number` is the `place`-th (from 0) of its round of `every`.
fn is_turn(number: u32, every: u32, place: u32) -> bool {
    every > 0 && number % every == place % every
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::listings;

    const START: u64 = 1_795_444_200 * SECOND;

    fn script(seed: u64) -> Script {
        Script::new(
            ScriptConfig::default(),
            &listings(100),
            START,
            Rng::new(seed),
        )
    }

    fn drain(script: &mut Script, until_ns: u64) -> Vec<NewsItem> {
        std::iter::from_fn(|| script.next_news(until_ns)).collect()
    }

    #[test]
    fn asking_often_or_once_gives_the_same_news_in_order() {
        let end = START + 300 * SECOND;
        let once = drain(&mut script(7), end);
        let mut often = script(7);
        let often: Vec<_> = (0..3_000)
            .flat_map(|i| drain(&mut often, START + i * SECOND / 10))
            .collect();
        assert!(often.len() > 60 && once.starts_with(&often));
        assert!(once.is_sorted_by_key(|item| item.at_ns));
        assert_ne!(once, drain(&mut script(8), end));
    }

    #[test]
    fn causes_come_just_before_their_shock_and_some_shocks_have_none() {
        let mut script = script(3);
        let news = drain(&mut script, START + 600 * SECOND);
        let truth: Vec<_> = script
            .truth()
            .into_iter()
            .filter(|s| s.at_ns < START + 600 * SECOND)
            .collect();
        assert!(truth.len() >= 24, "{}", truth.len());
        let lead = truth[0].at_ns - START;
        assert!((10 * SECOND..15 * SECOND).contains(&lead), "{lead}");
        assert!(
            truth[..3].iter().any(|s| s.cause.is_none()),
            "a short demo meets one"
        );
        for shock in &truth {
            let about: Vec<_> = news
                .iter()
                .filter(|n| n.planted && n.symbol.as_deref() == Some(&shock.symbol))
                .filter(|n| n.at_ns.abs_diff(shock.at_ns) < 60 * SECOND)
                .collect();
            match shock.cause {
                None => assert!(about.is_empty(), "{shock:?} {about:?}"),
                Some(id) => {
                    assert_eq!(about.len(), 1, "{shock:?} {about:?}");
                    let lead = shock.at_ns - about[0].at_ns;
                    assert!(about[0].id == id && (SECOND / 5..2 * SECOND).contains(&lead));
                }
            }
            assert!((300..900).contains(&shock.move_bp.abs()));
        }
        let planted = news.iter().filter(|n| n.planted).count();
        let rest = news.len() - planted;
        assert!(
            (5 * planted..8 * planted).contains(&rest),
            "{planted} planted, {rest} others"
        );
    }

    #[test]
    fn funds_alone_are_never_shocked() {
        let funds = listings(4);
        let mut script = Script::new(ScriptConfig::default(), &funds, START, Rng::new(1));
        assert_eq!(script.next_news(START + 100 * SECOND), None);
        assert!(script.truth().is_empty());
    }
}
