//! Prints joined with the quote in force at their event time, and the side that took liquidity.
//!
//! Each instrument keeps its last quotes in a small ring. A print looks from the newest one back
//! for the first that holds from no later than the print: one look where a feed is in order, a few
//! where two streams of one venue are not. Quotes are handed in after the prints of the same
//! message, so that a print never meets the quote that it left behind itself.

use crate::event::{InstrumentId, Price, Side};
use crate::publish::{Quote, SignRule};

/// Quotes kept an instrument. A print that is older than all of them has none.
pub const QUOTES_KEPT: usize = 16;

#[derive(Clone, Copy, Debug)]
struct Track {
    quotes: [Quote; QUOTES_KEPT],
    /// How many quotes ever came.
    count: u64,
    /// The last print's price.
    last: Option<Price>,
    /// What the last different price says.
    direction: Option<Side>,
}

impl Track {
    const NEW: Self = Self {
        quotes: [Quote {
            since_ns: 0,
            bid: None,
            ask: None,
        }; QUOTES_KEPT],
        count: 0,
        last: None,
        direction: None,
    };
}

/// The join of every instrument.
#[derive(Clone, Debug)]
pub struct QuoteJoin {
    tolerance_ns: u64,
    tracks: Vec<Track>,
    missed: u64,
}

impl QuoteJoin {
    /// For instruments numbered below `instruments_limit`; a quote that has held for longer than
    /// `tolerance_ns` before the print is not joined. Memory: about 1 KiB an instrument.
    #[must_use]
    pub fn new(instruments_limit: usize, tolerance_ns: u64) -> Self {
        Self {
            tolerance_ns,
            tracks: vec![Track::NEW; instruments_limit],
            missed: 0,
        }
    }

    /// A quote, in force from its `since_ns`. One that is no change is passed over; one that says
    /// to hold from before the last is in force from where the last was.
    #[inline]
    pub fn quote(&mut self, id: InstrumentId, quote: &Quote) {
        let Some(track) = self.tracks.get_mut(id.0 as usize) else {
            return;
        };
        let newest = track.newest();
        if track.count > 0 && (newest.bid, newest.ask) == (quote.bid, quote.ask) {
            return;
        }
        let since_ns = quote.since_ns.max(newest.since_ns);
        track.quotes[(track.count % QUOTES_KEPT as u64) as usize] = Quote { since_ns, ..*quote };
        track.count += 1;
    }

    /// The quote in force at `ts_event`, within the tolerance.
    pub fn at(&mut self, id: InstrumentId, ts_event: u64) -> Option<Quote> {
        let track = self.tracks.get(id.0 as usize)?;
        let oldest = track.count.saturating_sub(QUOTES_KEPT as u64);
        for place in (oldest..track.count).rev() {
            let quote = track.quotes[(place % QUOTES_KEPT as u64) as usize];
            if quote.since_ns <= ts_event {
                let age_ns = ts_event - quote.since_ns;
                return (age_ns <= self.tolerance_ns).then_some(quote);
            }
        }
        self.missed += u64::from(oldest > 0);
        None
    }

    /// Who took liquidity in a print, given the quote in force. Takes prints in feed order.
    pub fn sign(
        &mut self,
        id: InstrumentId,
        price: Price,
        aggressor: Option<Side>,
        quote: Option<&Quote>,
    ) -> Option<(Side, SignRule)> {
        let track = self.tracks.get_mut(id.0 as usize)?;
        match track.last {
            Some(last) if price > last => track.direction = Some(Side::Bid),
            Some(last) if price < last => track.direction = Some(Side::Ask),
            _ => {}
        }
        track.last = Some(price);
        if let Some(side) = aggressor {
            return Some((side, SignRule::Venue));
        }
        let side = quote.and_then(|quote| side_of_middle(quote, price));
        side.map(|side| (side, SignRule::Quote))
            .or_else(|| track.direction.map(|side| (side, SignRule::Tick)))
    }

    /// Prints that were older than all quotes kept.
    #[must_use]
    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Forgets all, for a new session.
    pub fn clear(&mut self) {
        self.tracks.fill(Track::NEW);
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let grows = instruments > self.tracks.len();
        if grows {
            self.tracks.resize(instruments, Track::NEW);
        }
        grows
    }
}

impl Track {
    fn newest(&self) -> Quote {
        let place = self.count.wrapping_sub(1) % QUOTES_KEPT as u64;
        self.quotes[place as usize]
    }
}

/// Above the middle buyers took, below it sellers; at the middle it does not say.
fn side_of_middle(quote: &Quote, price: Price) -> Option<Side> {
    let ((bid, _), (ask, _)) = quote.bid.zip(quote.ask)?;
    let twice = i128::from(bid.0) + i128::from(ask.0);
    match (2 * i128::from(price.0)).cmp(&twice) {
        std::cmp::Ordering::Greater => Some(Side::Bid),
        std::cmp::Ordering::Less => Some(Side::Ask),
        std::cmp::Ordering::Equal => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::Qty;
    use proptest::prelude::*;

    const ID: InstrumentId = InstrumentId(0);

    fn quote(since_ns: u64, bid: i64, ask: i64) -> Quote {
        Quote {
            since_ns,
            bid: Some((Price(bid), Qty(1))),
            ask: Some((Price(ask), Qty(1))),
        }
    }

    #[test]
    fn a_print_meets_the_quote_before_it_and_tells_its_side() {
        let mut join = QuoteJoin::new(1, 100);
        assert_eq!(join.at(ID, 5), None);
        assert_eq!(join.sign(ID, Price(10), None, None), None);
        join.quote(ID, &quote(10, 8, 12));
        join.quote(ID, &quote(20, 9, 13));
        assert_eq!(join.at(ID, 19), Some(quote(10, 8, 12)));
        assert_eq!(join.at(ID, 20), Some(quote(20, 9, 13)));
        assert_eq!(join.at(ID, 9), None);
        assert_eq!(join.at(ID, 121), None);
        let (bid, ask) = (Side::Bid, Side::Ask);
        let now = quote(20, 9, 13);
        assert_eq!(
            join.sign(ID, Price(12), None, Some(&now)),
            Some((bid, SignRule::Quote))
        );
        assert_eq!(
            join.sign(ID, Price(11), None, Some(&now)),
            Some((ask, SignRule::Tick))
        );
        assert_eq!(
            join.sign(ID, Price(11), None, Some(&now)),
            Some((ask, SignRule::Tick))
        );
        assert_eq!(
            join.sign(ID, Price(10), Some(bid), None),
            Some((bid, SignRule::Venue))
        );
    }

    proptest! {
        /// Quotes in order with prints that look back: the join equals a scan of all quotes, as
        /// long as the one in force is among those kept.
        #[test]
        fn equals_a_scan_of_all_quotes(
            steps in prop::collection::vec((any::<bool>(), 0u64..6, 0u64..12, 1i64..4), 1..120),
        ) {
            let mut join = QuoteJoin::new(1, 30);
            let (mut now, mut all) = (100u64, Vec::<Quote>::new());
            for (is_quote, gap, back, bid) in steps {
                now += gap;
                if is_quote {
                    let quote = quote(now, bid, bid + 2);
                    join.quote(ID, &quote);
                    if all.last().is_none_or(|last| last.bid != quote.bid) {
                        all.push(quote);
                    }
                } else {
                    let at = now - back;
                    let place = all.iter().rposition(|quote| quote.since_ns <= at);
                    if all.len() - place.unwrap_or(0) <= QUOTES_KEPT {
                        let naive = place.map(|place| all[place]).filter(|q| at - q.since_ns <= 30);
                        prop_assert_eq!(join.at(ID, at), naive);
                    }
                }
            }
            prop_assert!(all.len() > QUOTES_KEPT || join.missed() == 0);
        }
    }
}
