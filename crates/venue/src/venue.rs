//! The venue: one timeline of opening, flow, flickers and shocks, spoken as ITCH 5.0 messages.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use crate::book::{Books, Slot};
use crate::listing::{Listing, Sector, listings};
use crate::news::NewsItem;
use crate::pace::Pace;
use crate::script::{Script, ScriptConfig, Shock};
use crate::shock::Active;
use market::book::{digest_of_ladders, symbol_key};
use market::event::{Instrument, InstrumentId, Price, Side};
use stdx::Rng;
use wire::itch50::{Header, Mpid, Stock};

/// From the first message to the opening bell.
pub(crate) const OPENING_NS: u64 = 500_000_000;
/// One cent in ITCH's unit of 1e-4.
pub(crate) const TICK: u32 = 100;

/// Everything that fixes a session: the same values give the same bytes and the same news.
#[derive(Clone, Debug)]
pub struct VenueConfig {
    /// Fixes all choices.
    pub seed: u64,
    /// How many instruments are listed, busiest first (see [`listings`]); 1 to 60,000.
    pub symbols: usize,
    /// Messages a second long after the opening, on average.
    pub rate: f64,
    /// The opening adds this many times `rate`, decaying within seconds; 16.3 is a real one, 0 none.
    pub opening_peak: f64,
    /// Resting orders of an average listing before the opening bell.
    pub orders_per_symbol: usize,
    /// The first message, ns UTC; the bell follows half a second later.
    pub start_ns: u64,
    /// Midnight of the venue's day, ns UTC: ITCH times count from here. Not after `start_ns`.
    pub midnight_ns: u64,
    /// Planted shocks and news; `None`: a day without.
    pub script: Option<ScriptConfig>,
}

impl VenueConfig {
    /// A hundred symbols at 20,000 messages a second, shocks and news included.
    #[must_use]
    pub fn new(seed: u64, start_ns: u64, midnight_ns: u64) -> Self {
        Self {
            seed,
            symbols: 100,
            rate: 20_000.0,
            opening_peak: 16.3,
            orders_per_symbol: 150,
            start_ns,
            midnight_ns,
            script: Some(ScriptConfig::default()),
        }
    }
}

/// What the generator knows of one listing beside its book.
#[derive(Clone, Debug)]
pub(crate) struct Quoted {
    pub stock: Stock,
    /// What the listing is worth just now, 1e-4; quotes follow it.
    pub fair: f64,
    /// Where `fair` is drawn back to.
    pub anchor: f64,
    /// Half of the spread that market makers want, 1e-4.
    pub half_spread: u32,
    /// Live orders that adds and deletes balance around.
    pub target_live: usize,
    pub drifted_ns: u64,
    /// Nothing trades: paused or halted.
    pub paused: bool,
    /// A shock is under way: `fair` belongs to it.
    pub shocked: bool,
}

/// What is said before and at the bell, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    Directory,
    /// The next listing whose book is to be filled.
    Fill(usize),
    Bell,
    Open,
    Closed,
}

/// A simulated venue. Pure: time is an argument, randomness is the seed.
#[derive(Clone, Debug)]
pub struct Venue {
    pub(crate) config: VenueConfig,
    pub(crate) listings: Vec<Listing>,
    pub(crate) quoted: Vec<Quoted>,
    pub(crate) books: Books,
    pub(crate) rng: Rng,
    pub(crate) pace: Pace,
    pub(crate) script: Option<Script>,
    pub(crate) active: Vec<Active>,
    pub(crate) stage: Stage,
    /// Cumulated activity by listing.
    pub(crate) weights: Vec<f64>,
    /// Orders that will be deleted within a millisecond of their birth.
    pub(crate) flickers: BinaryHeap<Reverse<(u64, Slot, u64)>>,
    /// The next beat of the flow, ns UTC.
    pub(crate) beat_ns: u64,
    pub(crate) leader: usize,
    pub(crate) current: usize,
    pub(crate) hot: usize,
    pub(crate) hot_until_ns: u64,
    pub(crate) next_reference: u64,
    /// References given at entry to orders that are shown later, in batches.
    pub(crate) held_references: Vec<u64>,
    pub(crate) next_match: u64,
    pub(crate) now_ns: u64,
    pub(crate) emitted: u64,
}

impl Venue {
    /// A venue that has said nothing yet.
    #[must_use]
    pub fn new(config: VenueConfig) -> Self {
        let rng = Rng::new(config.seed);
        let listings = listings(config.symbols.clamp(1, 60_000));
        let script = config
            .script
            .map(|script| Script::new(script, &listings, config.start_ns, rng.fork(1)));
        let open_ns = config.start_ns + OPENING_NS;
        let shares = activity(listings.len());
        let mut sum = 0.0;
        let weights: Vec<f64> = shares
            .iter()
            .map(|share| {
                sum += share;
                sum
            })
            .collect();
        let quoted = listings
            .iter()
            .zip(&shares)
            .map(|(listing, share)| quote(listing, share * shares.len() as f64, &config))
            .collect();
        Self {
            books: Books::new(listings.len()),
            quoted,
            pace: Pace::new(config.rate.max(1.0), config.opening_peak.max(0.0), open_ns),
            script,
            active: Vec::new(),
            stage: Stage::Directory,
            weights,
            flickers: BinaryHeap::new(),
            beat_ns: open_ns,
            leader: 0,
            current: 0,
            hot: 0,
            hot_until_ns: 0,
            next_reference: 1,
            held_references: Vec::new(),
            next_match: 1,
            now_ns: config.start_ns,
            emitted: 0,
            rng: rng.fork(2),
            listings,
            config,
        }
    }

    /// Says everything up to and including `until_ns` (ns UTC): `out` gets one ITCH message at a
    /// time, in order, numbered from 1 over all calls. A step back says nothing.
    pub fn step(&mut self, until_ns: u64, out: &mut impl FnMut(&[u8])) {
        while let Some(at_ns) = self.opening_due() {
            if at_ns > until_ns {
                return;
            }
            self.now_ns = self.now_ns.max(at_ns);
            self.opening_step(out);
        }
        if self.stage == Stage::Closed {
            return;
        }
        loop {
            let flicker_ns = self
                .flickers
                .peek()
                .map_or(u64::MAX, |Reverse(next)| next.0);
            let shock_ns = self.shock_due();
            let due = self.beat_ns.min(flicker_ns).min(shock_ns);
            self.start_shocks(due.min(until_ns));
            let due = due.min(self.shock_due());
            if due > until_ns {
                return;
            }
            self.now_ns = self.now_ns.max(due);
            if due == flicker_ns {
                self.flicker(out);
            } else if due == self.shock_due() {
                self.shock_step(out);
            } else {
                self.flow_step(out);
            }
        }
    }

    /// The next item published at or before `until_ns`; call until `None`.
    pub fn next_news(&mut self, until_ns: u64) -> Option<NewsItem> {
        self.script.as_mut()?.next_news(until_ns)
    }

    /// All items published at or before `until_ns` that were not taken yet, oldest first.
    pub fn news_until(&mut self, until_ns: u64) -> Vec<NewsItem> {
        std::iter::from_fn(|| self.next_news(until_ns)).collect()
    }

    /// Every shock planned so far, for tests and for nobody else.
    #[must_use]
    pub fn truth(&self) -> Vec<Shock> {
        self.script.as_ref().map(Script::truth).unwrap_or_default()
    }

    /// Who is listed; the ITCH locate code of `listings()[i]` is `i + 1`.
    #[must_use]
    pub fn listings(&self) -> &[Listing] {
        &self.listings
    }

    /// The sequence number of the last message said; 0 before the first.
    #[must_use]
    pub fn seq(&self) -> u64 {
        self.emitted
    }

    /// Live orders over all books.
    #[must_use]
    pub fn live_orders(&self) -> usize {
        (0..self.listings.len())
            .map(|i| self.books.live(i).len())
            .sum()
    }

    /// The digest of all books after the last message said: equal to the `book_digest()` of a
    /// pipeline that has applied exactly the messages up to [`seq`](Self::seq).
    #[must_use]
    pub fn book_digest(&self) -> u64 {
        // The better price has the larger rank on either side: an ask's is its complement.
        let flat = |listing, side: Side, out: &mut dyn FnMut(i64, u64, u32)| {
            for (price, shares, count) in self.levels(listing, side) {
                let price = Price::from_e4(price).0;
                out(
                    if side == Side::Bid { price } else { !price },
                    shares,
                    count,
                );
            }
        };
        (0..self.listings.len())
            .filter(|&listing| !self.books.live(listing).is_empty())
            .map(|listing| {
                let named = Instrument::new(InstrumentId(0), &self.listings[listing].symbol, 0, 4);
                digest_of_ladders(
                    symbol_key(&named.symbol),
                    |out| flat(listing, Side::Bid, out),
                    |out| flat(listing, Side::Ask, out),
                )
            })
            .fold(0, u64::wrapping_add)
    }

    /// Price (1e-4), total shares and order count of each level of one side, best first.
    pub fn levels(
        &self,
        listing: usize,
        side: Side,
    ) -> impl Iterator<Item = (u32, u64, u32)> + use<'_> {
        self.books
            .levels(listing, side)
            .map(|level| (level.price, level.shares, level.count))
    }

    pub(crate) fn say(&mut self, message: &[u8], out: &mut impl FnMut(&[u8])) {
        self.emitted += 1;
        out(message);
    }

    /// The header of a message about `listings[listing]`, now.
    pub(crate) fn header(&self, listing: usize) -> Header {
        Header {
            locate: listing as u16 + 1,
            ..self.header_without_listing()
        }
    }

    pub(crate) fn header_without_listing(&self) -> Header {
        let timestamp_ns = self.now_ns.saturating_sub(self.config.midnight_ns);
        Header {
            locate: 0,
            tracking: 0,
            timestamp_ns,
        }
    }

    pub(crate) fn take_match(&mut self) -> u64 {
        let number = self.next_match;
        self.next_match += 1;
        number
    }

    /// A fresh reference. Some numbers are set aside for orders that are shown later.
    pub(crate) fn take_reference(&mut self) -> u64 {
        if self.held_references.len() < 4_096 && self.rng.chance(0.3) {
            self.held_references.push(self.next_reference);
            self.next_reference += 1;
        }
        let reference = self.next_reference;
        self.next_reference += 1;
        reference
    }

    /// A reference given earlier, if one was held: half from the newest, half from anywhere.
    pub(crate) fn take_held_reference(&mut self) -> u64 {
        if self.held_references.is_empty() {
            return self.take_reference();
        }
        let place = self.rng.below(self.held_references.len() as u64) as usize;
        self.held_references.swap_remove(place)
    }
}

pub(crate) fn mpid(text: &str) -> Mpid {
    Mpid::new(text).expect("four printable letters")
}

/// Share of all messages by rank: rank^-0.52 to 50, rank^-0.67 after it, continuous; sums to 1.
fn activity(count: usize) -> Vec<f64> {
    let knee = 50f64;
    let raw = (1..=count).map(|rank| {
        let rank = rank as f64;
        if rank <= knee {
            rank.powf(-0.52)
        } else {
            knee.powf(-0.52) * (rank / knee).powf(-0.67)
        }
    });
    let raw: Vec<f64> = raw.collect();
    let sum: f64 = raw.iter().sum();
    raw.iter().map(|share| share / sum).collect()
}

/// `activity` is the listing's share against the average one's.
fn quote(listing: &Listing, activity: f64, config: &VenueConfig) -> Quoted {
    let fair = f64::from(listing.start_cents) * f64::from(TICK);
    // Spreads of a few basis points, at least a cent; funds trade tighter.
    let width_bp = if listing.sector == Sector::Fund {
        0.4
    } else {
        1.6
    };
    let half = (fair * width_bp * 1e-4 / f64::from(TICK)).round().max(0.0) as u32;
    let target = config.orders_per_symbol.clamp(20, 1_000_000) as f64 * activity.clamp(0.5, 4.0);
    Quoted {
        stock: Stock::new(&listing.symbol).expect("the table's symbols fit the wire"),
        fair,
        anchor: fair,
        half_spread: half * TICK + TICK / 2,
        target_live: target as usize,
        drifted_ns: config.start_ns,
        paused: false,
        shocked: false,
    }
}
