//! Books, prints and statistics as market data entries, and what changed between two of them.

use market::event::{Price, TradingState};
use market::publish::{BookTop, Integrity, TradePrint};
use node::market::SymbolView;
use wire::fix::{Precision, Writer, tag};

use super::Version;
use super::request::Kinds;

const DAY_NS: u64 = 86_400_000_000_000;

/// What an update does with an entry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It was not there.
    New,
    /// It has another size, or other flags.
    Change,
    /// It is gone.
    Delete,
}

/// How far an entry can be trusted: `QuoteCondition` (276) and `Text` (58).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags {
    condition: Option<&'static str>,
    text: Option<&'static str>,
}

impl Flags {
    /// Of a book.
    pub fn of_book(book: &BookTop) -> Self {
        let mut flags = Self::of(book.integrity);
        let halted = matches!(book.state, TradingState::Halted | TradingState::Paused);
        flags.condition = match (flags.condition, halted) {
            (Some(_), true) => Some("B I"),
            (None, true) => Some("B"),
            (Some(_), false) => Some("I"),
            (None, false) if book.crossed => Some("F"),
            (None, false) if book.locked => Some("E"),
            (None, false) => None,
        };
        flags
    }

    /// Writes both, without entries of a kind between them.
    pub fn write(&self, w: &mut Writer<'_>) {
        if let Some(condition) = self.condition {
            w.text(tag::QUOTE_CONDITION, condition.as_bytes());
        }
        if let Some(text) = self.text {
            w.text(tag::TEXT, text.as_bytes());
        }
    }

    /// Why it is not ok, in words.
    pub fn text(&self) -> Option<&'static str> {
        self.text
    }

    /// Of anything with an integrity: what is not ok is not firm.
    pub fn of(integrity: Integrity) -> Self {
        let text = match integrity {
            Integrity::Ok => return Self::default(),
            Integrity::Suspect => "suspect: a message was malformed, or the book is crossed",
            Integrity::Recovering => "recovering: a gap is open, as of before it",
            Integrity::Stale => "stale: messages were lost for good",
        };
        Self {
            condition: Some("I"),
            text: Some(text),
        }
    }
}

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// `MDEntryType`.
    pub kind: u8,
    /// `MDEntryPx`.
    pub price: Option<Price>,
    /// `MDEntrySize`, in units of the instrument.
    pub size: Option<u64>,
    /// `NumberOfOrders`; 0 where the feed does not say.
    pub orders: u32,
    /// Place from the best, from 1; 0 for entries that are no level.
    pub position: u32,
    /// The venue's number of the match, for prints.
    pub match_id: Option<u64>,
    /// Event time, ns UTC.
    pub at_ns: u64,
    /// How far to trust it.
    pub flags: Flags,
}

/// The levels of a book that a request sees.
pub fn levels(book: &BookTop, depth: usize, kinds: Kinds) -> Vec<Entry> {
    let flags = Flags::of_book(book);
    let sides = [
        (b'0', &book.bids, book.bid_count),
        (b'1', &book.asks, book.ask_count),
    ];
    let mut entries = Vec::new();
    for (kind, levels, count) in sides {
        if !kinds.has(kind) {
            continue;
        }
        let shown = levels.iter().take(usize::from(count).min(depth));
        entries.extend(shown.zip(1..).map(|(level, position)| Entry {
            kind,
            price: Some(level.price),
            size: Some(level.qty.0),
            orders: level.orders,
            position,
            match_id: None,
            at_ns: book.stamp.ts_event,
            flags,
        }));
    }
    entries
}

/// A print.
pub fn print(print: &TradePrint) -> Entry {
    Entry {
        kind: b'2',
        price: Some(print.price),
        size: Some(print.qty.0),
        orders: 0,
        position: 0,
        match_id: Some(print.match_id),
        at_ns: print.stamp.ts_event,
        flags: Flags::of(print.integrity),
    }
}

/// Opening price, high, low, sliding VWAP and volume of the session, as far as there are any.
pub fn statistics(symbol: &SymbolView, kinds: Kinds) -> Vec<Entry> {
    // A symbol without an event has no statistics either, so the time is not sent.
    let at_ns = symbol.ts_event().unwrap_or_default();
    let flags = Flags::of(symbol.integrity());
    let bars = || symbol.bars.values().next().into_iter().flatten();
    let last = symbol.last.map(|print| print.price);
    let high = bars().map(|bar| bar.high).chain(last).max();
    let low = bars().map(|bar| bar.low).chain(last).min();
    let vwap = symbol.vwaps.back().and_then(|vwap| vwap.price());
    let volume = (symbol.trades > 0).then_some(symbol.volume.0);
    let rows = [
        (b'4', symbol.open, None),
        (b'7', high, None),
        (b'8', low, None),
        (b'9', vwap, None),
        (b'B', None, volume),
    ];
    rows.into_iter()
        .filter(|(kind, price, size)| kinds.has(*kind) && (price.is_some() || size.is_some()))
        .map(|(kind, price, size)| Entry {
            kind,
            price,
            size,
            orders: 0,
            position: 0,
            match_id: None,
            at_ns,
            flags,
        })
        .collect()
}

/// What turns `shown` into `now`. Levels are known by type and price, statistics by type.
pub fn changes(shown: &[Entry], now: &[Entry]) -> Vec<(Action, Entry)> {
    let same = |a: &Entry, b: &Entry| a.kind == b.kind && (a.position == 0 || a.price == b.price);
    let gone = shown
        .iter()
        .filter(|old| !now.iter().any(|new| same(old, new)))
        .map(|old| (Action::Delete, old.clone()));
    let rest = now
        .iter()
        .filter_map(|new| match shown.iter().find(|old| same(old, new)) {
            None => Some((Action::New, new.clone())),
            Some(old) => {
                let seen = |e: &Entry| (e.price, e.size, e.orders, e.flags);
                (seen(old) != seen(new)).then(|| (Action::Change, new.clone()))
            }
        });
    gone.chain(rest).collect()
}

impl Entry {
    /// Writes the entry: of a snapshot, or with an action and a symbol of an update.
    pub fn write(
        &self,
        w: &mut Writer<'_>,
        update: Option<(Action, &str)>,
        qty_decimals: u8,
        version: Version,
    ) {
        let deleted = matches!(update, Some((Action::Delete, _)));
        if let Some((action, _)) = update {
            let action = match action {
                Action::New => b'0',
                Action::Change => b'1',
                Action::Delete => b'2',
            };
            w.char(tag::MD_UPDATE_ACTION, action);
        }
        w.char(tag::MD_ENTRY_TYPE, self.kind);
        // A snapshot of FIX 4 has no room for it.
        let has_id = update.is_some() || version == Version::Fix50Sp2;
        if let Some(match_id) = self.match_id.filter(|_| has_id) {
            w.uint(tag::MD_ENTRY_ID, match_id);
        }
        if let Some((_, symbol)) = update {
            w.text(tag::SYMBOL, symbol.as_bytes());
        }
        if let Some(price) = self.price {
            w.price(tag::MD_ENTRY_PX, price.0);
        }
        if let Some(size) = self.size.filter(|_| !deleted) {
            let size = i64::try_from(size).unwrap_or(i64::MAX);
            w.decimal(tag::MD_ENTRY_SIZE, size, qty_decimals);
        }
        if self.at_ns > 0 {
            w.date(tag::MD_ENTRY_DATE, (self.at_ns / DAY_NS) as u32);
            w.time_of_day(tag::MD_ENTRY_TIME, self.at_ns % DAY_NS, Precision::Millis);
        }
        if deleted {
            return;
        }
        if let Some(condition) = self.flags.condition.filter(|_| self.kind != b'2') {
            w.text(tag::QUOTE_CONDITION, condition.as_bytes());
        }
        if self.orders > 0 {
            w.uint(tag::NUMBER_OF_ORDERS, u64::from(self.orders));
        }
        if self.position > 0 {
            let position = u64::from(self.position);
            let place = match version {
                Version::Fix42 | Version::Fix44 => tag::MD_ENTRY_POSITION_NO,
                Version::Fix50Sp2 => tag::MD_PRICE_LEVEL,
            };
            w.uint(place, position);
        }
        if let Some(text) = self.flags.text.filter(|_| self.position <= 1) {
            w.text(tag::TEXT, text.as_bytes());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(kind: u8, price: i64, size: u64, position: u32) -> Entry {
        Entry {
            kind,
            price: Some(Price(price)),
            size: Some(size),
            orders: 1,
            position,
            match_id: None,
            at_ns: 1,
            flags: Flags::default(),
        }
    }

    /// Applies changes as a reader does, who knows levels by type and price.
    fn apply(book: &mut Vec<Entry>, changes: Vec<(Action, Entry)>) {
        for (action, entry) in changes {
            let at = book
                .iter()
                .position(|old| old.kind == entry.kind && old.price == entry.price);
            match (action, at) {
                (Action::New, None) => book.push(entry),
                (Action::Change, Some(at)) => book[at] = entry,
                (Action::Delete, Some(at)) => _ = book.remove(at),
                (action, at) => panic!("{action:?} of {entry:?} at {at:?}"),
            }
        }
    }

    #[test]
    fn a_reader_of_changes_has_the_book() {
        let books = [
            vec![],
            vec![
                entry(b'0', 100, 5, 1),
                entry(b'0', 99, 7, 2),
                entry(b'1', 101, 3, 1),
            ],
            vec![
                entry(b'0', 100, 4, 1),
                entry(b'0', 99, 7, 2),
                entry(b'1', 101, 3, 1),
            ],
            vec![
                entry(b'0', 99, 7, 1),
                entry(b'1', 101, 3, 1),
                entry(b'1', 102, 9, 2),
            ],
            vec![entry(b'1', 102, 9, 1)],
            vec![],
        ];
        let mut read = Vec::new();
        for pair in books.windows(2) {
            apply(&mut read, changes(&pair[0], &pair[1]));
            let key = |e: &Entry| (e.kind, e.price, e.size);
            let (mut have, mut want): (Vec<_>, Vec<_>) = (
                read.iter().map(key).collect(),
                pair[1].iter().map(key).collect(),
            );
            have.sort();
            want.sort();
            assert_eq!(have, want);
        }
        assert!(changes(&books[1], &books[1]).is_empty());
    }

    /// A book that goes stale is told even though no price moved.
    #[test]
    fn flags_alone_are_a_change() {
        let good = vec![entry(b'0', 100, 5, 1)];
        let mut stale = good.clone();
        stale[0].flags = Flags::of(Integrity::Stale);
        let told = changes(&good, &stale);
        assert_eq!(told.len(), 1);
        assert_eq!(told[0].0, Action::Change);
        assert_eq!(told[0].1.flags.condition, Some("I"));
    }
}
