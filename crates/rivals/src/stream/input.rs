//! One simulated day's start, in memory, framed as in a file.

use venue::{Venue, VenueConfig};
use wire::itchfile;

const SECOND: u64 = 1_000_000_000;
/// The venue's midnight, ns UTC: some day of 2026.
pub const MIDNIGHT: u64 = 1_795_392_000 * SECOND;
/// Half a second before the opening bell.
pub const START: u64 = MIDNIGHT + 34_200 * SECOND;
/// As many as a NASDAQ day lists, so that books do not fit the nearest caches.
pub const SYMBOLS: usize = 8_000;
/// Before the bell. Quiet listings collect orders: ten million messages later it is some more.
const ORDERS_PER_SYMBOL: usize = 40;
const SEED: u64 = 1;

/// Framed messages and what the venue's own books were after them.
#[derive(Clone)]
pub struct Input {
    /// Each message behind its length, two bytes, big-endian.
    pub file: Vec<u8>,
    /// How many.
    pub messages: usize,
    /// Where the first order starts: before it stand the directory and its states.
    pub orders_at: usize,
    /// Messages before it.
    pub listed: usize,
    /// Of all books of the venue after the last message.
    pub digest: u64,
    /// Orders that rest at the end.
    pub live_orders: usize,
}

impl Input {
    /// Directory, books filled before the bell, opening burst and steady flow; the mix, lifetimes
    /// and distances are the venue's calibration.
    pub fn generate(wanted: usize) -> Self {
        let mut venue = Venue::new(VenueConfig {
            symbols: SYMBOLS,
            rate: 500_000.0,
            orders_per_symbol: ORDERS_PER_SYMBOL,
            script: None,
            ..VenueConfig::new(SEED, START, MIDNIGHT)
        });
        let mut file = Vec::with_capacity(wanted * 36);
        let (mut said, mut first_order) = (0, None);
        let mut until = START;
        while (venue.seq() as usize) < wanted {
            until += SECOND / 100;
            venue.step(until, &mut |message: &[u8]| {
                let prefix = itchfile::length_prefix(message).expect("ITCH messages are short");
                if first_order.is_none() && matches!(message.first(), Some(b'A' | b'F')) {
                    first_order = Some((file.len(), said));
                }
                said += 1;
                file.extend(prefix);
                file.extend(message);
            });
        }
        let (orders_at, listed) = first_order.unwrap_or((file.len(), said));
        Self {
            file,
            orders_at,
            listed,
            messages: venue.seq() as usize,
            digest: venue.book_digest(),
            live_orders: venue.live_orders(),
        }
    }

    /// The directory, and everything from the first order on.
    pub fn parts(&self) -> (&[u8], &[u8]) {
        self.file.split_at(self.orders_at)
    }

    /// What the figures' notes say of it.
    pub fn words(&self) -> String {
        format!(
            "{} simulated messages, {:.1} B each, {SYMBOLS} symbols, {} orders live at the end",
            self.messages,
            self.file.len() as f64 / self.messages as f64,
            self.live_orders,
        )
    }
}
