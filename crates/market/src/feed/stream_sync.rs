//! Books whose snapshot comes over the stream itself: subscribe, and the venue sends the whole book
//! before its changes. A break is mended by subscribing again.
//!
//! What tells of a break differs by venue (a checksum, a chain of numbers, a time that goes back)
//! and is its translator's business; here is what they share: which symbol is in step, which one
//! must be subscribed again, and how patiently.

use super::SyncState;
use super::binance::DepthConfig;
use crate::event::InstrumentId;

/// A venue that answers every subscription with a book that fails at once is asked ever less
/// often: the wait doubles this many times at most.
const DOUBLINGS: u32 = 6;
/// A book that held this long starts again with the shortest wait.
const HELD_NS: u64 = 60_000_000_000;

/// What became of a message about a book.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// A snapshot replaced the book, or a change was applied.
    Applied,
    /// No snapshot has come yet: dropped.
    Early,
    /// Seen before: dropped.
    Old,
    /// It does not follow: the book is void until the next snapshot.
    Broken,
}

#[derive(Clone, Copy, Debug, Default)]
struct Symbol {
    state: SyncState,
    /// Since when it waits, or has been in step.
    since_ns: u64,
    asked_ns: Option<u64>,
    fails: u32,
}

/// Which symbols of one connection are in step. Symbols are numbered by [`InstrumentId`].
#[derive(Debug)]
pub struct StreamSync {
    retry_ns: u64,
    symbols: Vec<Symbol>,
    breaks: u64,
    resubscribes: u64,
    messages: u64,
}

impl StreamSync {
    /// No symbol yet; of the configuration, only the retry time matters.
    #[must_use]
    pub fn new(config: DepthConfig, instruments_limit: usize) -> Self {
        Self {
            retry_ns: config.snapshot_retry_ns,
            symbols: Vec::with_capacity(instruments_limit),
            breaks: 0,
            resubscribes: 0,
            messages: 0,
        }
    }

    /// The next symbol, whose snapshot is on its way from now on.
    pub fn open(&mut self, now_ns: u64) -> InstrumentId {
        let id = InstrumentId(self.symbols.len() as u32);
        self.symbols.push(Symbol {
            since_ns: now_ns,
            asked_ns: Some(now_ns),
            ..Symbol::default()
        });
        id
    }

    /// How far a symbol is in step.
    #[must_use]
    pub fn state(&self, id: InstrumentId) -> SyncState {
        let symbol = self.symbols.get(id.0 as usize);
        symbol.map_or(SyncState::Waiting, |symbol| symbol.state)
    }

    /// True when every symbol is in step.
    #[must_use]
    pub fn is_synced(&self) -> bool {
        let mut symbols = self.symbols.iter();
        symbols.all(|symbol| symbol.state == SyncState::Synced)
    }

    /// Whether a symbol has waited for its snapshot for less than `limit_ns`.
    #[must_use]
    pub fn is_waiting(&self, now_ns: u64, limit_ns: u64) -> bool {
        self.symbols.iter().any(|symbol| {
            symbol.state == SyncState::Waiting && now_ns < symbol.since_ns.saturating_add(limit_ns)
        })
    }

    /// Breaks so far, of all symbols.
    #[must_use]
    pub fn breaks(&self) -> u64 {
        self.breaks
    }

    /// How often a symbol was to be subscribed again.
    #[must_use]
    pub fn resubscribes(&self) -> u64 {
        self.resubscribes
    }

    /// Our number of the next book message, for venues that number none.
    pub fn count(&mut self) -> u64 {
        self.messages += 1;
        self.messages
    }

    /// A snapshot came.
    pub fn synced(&mut self, id: InstrumentId, now_ns: u64) {
        if let Some(symbol) = self.symbols.get_mut(id.0 as usize) {
            symbol.state = SyncState::Synced;
            symbol.since_ns = now_ns;
        }
    }

    /// The book is void until the next snapshot.
    pub fn break_off(&mut self, id: InstrumentId, now_ns: u64) {
        let Some(symbol) = self.symbols.get_mut(id.0 as usize) else {
            return;
        };
        if symbol.state != SyncState::Synced {
            return;
        }
        self.breaks += 1;
        if now_ns.saturating_sub(symbol.since_ns) >= HELD_NS {
            symbol.fails = 0;
            symbol.asked_ns = None;
        }
        symbol.state = SyncState::Waiting;
        symbol.since_ns = now_ns;
    }

    /// The connection is new: whoever made it has subscribed to everything.
    pub fn reconnected(&mut self, now_ns: u64) {
        for symbol in &mut self.symbols {
            symbol.state = SyncState::Waiting;
            symbol.since_ns = now_ns;
            symbol.asked_ns = Some(now_ns);
        }
    }

    /// The next symbol to be subscribed again now; it is not named again until its snapshot has
    /// been waited for.
    pub fn next_resubscribe(&mut self, now_ns: u64) -> Option<InstrumentId> {
        let retry_ns = self.retry_ns;
        let is_due = |symbol: &Symbol| {
            let wait_ns = retry_ns << symbol.fails.min(DOUBLINGS);
            symbol.state == SyncState::Waiting
                && symbol
                    .asked_ns
                    .is_none_or(|at| at.saturating_add(wait_ns) <= now_ns)
        };
        let mut symbols = self.symbols.iter_mut().enumerate();
        let (idx, symbol) = symbols.find(|(_, symbol)| is_due(symbol))?;
        symbol.asked_ns = Some(now_ns);
        symbol.fails += 1;
        self.resubscribes += 1;
        Some(InstrumentId(idx as u32))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_symbol_that_keeps_failing_is_asked_for_ever_less_often() {
        let mut sync = StreamSync::new(DepthConfig::default(), 2);
        let id = sync.open(0);
        // The first subscription is the connector's own.
        assert_eq!(sync.next_resubscribe(SECOND), None);
        let (mut now, mut asked) = (0, Vec::new());
        while asked.len() < 4 {
            now += SECOND;
            if sync.next_resubscribe(now).is_some() {
                asked.push(now / SECOND);
                sync.synced(id, now);
                sync.break_off(id, now);
            }
        }
        assert_eq!(asked, [2, 6, 14, 30]);
        // A book that held is asked for at once.
        sync.synced(id, now);
        now += HELD_NS;
        sync.break_off(id, now);
        assert_eq!(sync.next_resubscribe(now), Some(id));
        assert_eq!((sync.resubscribes(), sync.breaks()), (5, 5));
    }

    #[test]
    fn a_new_connection_waits_for_every_snapshot() {
        let mut sync = StreamSync::new(DepthConfig::default(), 2);
        let ids = [sync.open(0), sync.open(0)];
        ids.iter().for_each(|&id| sync.synced(id, 1));
        assert!(sync.is_synced() && !sync.is_waiting(2, SECOND));
        sync.reconnected(5);
        assert_eq!(sync.state(ids[1]), SyncState::Waiting);
        assert!(sync.is_waiting(6, SECOND) && !sync.is_waiting(6 + SECOND, SECOND));
        assert_eq!(sync.next_resubscribe(6), None);
        assert_eq!(sync.next_resubscribe(5 + 2 * SECOND), Some(ids[0]));
    }
}
