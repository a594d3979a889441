//! Ouzel's own messages: what a node publishes, as bytes for other machines.
//!
//! A message is a fixed little-endian record that begins with its kind, how far to trust it, its lane
//! and its instrument; a book is followed by its levels. Readers take the bytes they know and
//! ignore what follows, so a later version may append fields; a kind they do not know is
//! [`Message::Unknown`] and is passed over. Messages travel numbered in MoldUDP64 packets
//! ([`crate::moldudp64`]), whose session name begins with [`SESSION_PREFIX`]: a packet that starts at
//! number 0, which MoldUDP64 does not use, carries newest states that are not numbered. Byte maps:
//! `docs/formats/ouzel-frames.md`.
//!
//! ```
//! use wire::ouzel::{self, Head, Message, Vwap};
//!
//! let vwap = Vwap {
//!     head: Head::new(ouzel::KIND_VWAP, 0, 0, 7),
//!     end_ns: 1_000.into(),
//!     length_ns: 900.into(),
//!     notional: 300.into(),
//!     volume: 3.into(),
//!     trades: 1.into(),
//! };
//! let Ok(Message::Vwap(read)) = Message::parse(vwap.bytes()) else { panic!() };
//! assert_eq!((read.head.instrument.get(), read.notional.get()), (7, 300));
//! ```

mod record;
#[cfg(test)]
mod tests;

use zerocopy::FromBytes;

pub use record::{
    Amendment, BOOK_CROSSED, BOOK_HAS_LAST, BOOK_LOCKED, Bar, Book, Dropped, Feed, Head, Last,
    Level, Line, Loss, Print, Signal, Symbol, Trade, Vwap,
};

/// First bytes of every session name: ours, version 1.
pub const SESSION_PREFIX: [u8; 3] = *b"OZ1";
/// No message is longer.
pub const MESSAGE_SIZE_MAX: usize = 1_024;
/// Levels of one side that a book message may carry.
pub const LEVELS_MAX: usize = 20;

/// A new or renamed instrument: before any other message of its number.
pub const KIND_SYMBOL: u8 = 1;
/// The best levels of a book.
pub const KIND_BOOK: u8 = 2;
/// One print.
pub const KIND_TRADE: u8 = 3;
/// One closed bar.
pub const KIND_BAR: u8 = 4;
/// A sliding window's average.
pub const KIND_VWAP: u8 = 5;
/// Something worth attention.
pub const KIND_SIGNAL: u8 = 6;
/// Where a feed stands.
pub const KIND_FEED: u8 = 7;
/// Messages that were lost before they were numbered.
pub const KIND_DROPPED: u8 = 8;
/// A print was busted or corrected.
pub const KIND_AMENDMENT: u8 = 9;
/// Messages of the venue are gone for good.
pub const KIND_LOST: u8 = 10;
/// Books are whole again.
pub const KIND_REFRESHED: u8 = 11;

/// Why bytes are not a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Fewer bytes than the kind needs.
    #[error(
        "message of kind {kind} has {have} bytes where it needs {want}: drop it, its number is lost"
    )]
    Short {
        /// The kind; 0 where not even that is there.
        kind: u8,
        /// Bytes needed.
        want: usize,
        /// Bytes given.
        have: usize,
    },
    /// A book announces more levels than a side may have.
    #[error("book message announces {count} levels of a side where 20 are allowed: drop it")]
    Levels {
        /// Levels announced.
        count: u8,
    },
}

/// One message, seen where it lies.
#[derive(Clone, Copy, Debug)]
pub enum Message<'a> {
    /// A new or renamed instrument.
    Symbol(&'a Symbol),
    /// The best levels of a book.
    Book(BookView<'a>),
    /// One print.
    Trade(&'a Trade),
    /// One closed bar.
    Bar(&'a Bar),
    /// A sliding window's average.
    Vwap(&'a Vwap),
    /// Something worth attention.
    Signal(&'a Signal),
    /// Where a feed stands.
    Feed(&'a Feed),
    /// Messages lost before they were numbered.
    Dropped(&'a Dropped),
    /// A print was busted or corrected.
    Amendment(&'a Amendment),
    /// Messages of the venue are gone for good.
    Lost(&'a Loss),
    /// Books are whole again.
    Refreshed(&'a Loss),
    /// Of a later version: to be passed over.
    Unknown(&'a Head),
}

/// A book message and what follows its fixed part.
#[derive(Clone, Copy, Debug)]
pub struct BookView<'a> {
    /// The fixed part.
    pub book: &'a Book,
    /// Bids, best first.
    pub bids: &'a [Level],
    /// Asks, best first.
    pub asks: &'a [Level],
    /// The last print, if there was one.
    pub last: Option<&'a Last>,
}

impl<'a> Message<'a> {
    /// Sees `bytes`, one block of a packet, as a message.
    ///
    /// # Errors
    /// When they end too soon or a book announces too many levels. Values are not checked: a reader
    /// gets what was sent.
    pub fn parse(bytes: &'a [u8]) -> Result<Self, Error> {
        let head: &Head = record(bytes, 0)?.0;
        let kind = head.kind;
        Ok(match kind {
            KIND_SYMBOL => Self::Symbol(record(bytes, kind)?.0),
            KIND_BOOK => Self::Book(book(bytes)?),
            KIND_TRADE => Self::Trade(record(bytes, kind)?.0),
            KIND_BAR => Self::Bar(record(bytes, kind)?.0),
            KIND_VWAP => Self::Vwap(record(bytes, kind)?.0),
            KIND_SIGNAL => Self::Signal(record(bytes, kind)?.0),
            KIND_FEED => Self::Feed(record(bytes, kind)?.0),
            KIND_DROPPED => Self::Dropped(record(bytes, kind)?.0),
            KIND_AMENDMENT => Self::Amendment(record(bytes, kind)?.0),
            KIND_LOST => Self::Lost(record(bytes, kind)?.0),
            KIND_REFRESHED => Self::Refreshed(record(bytes, kind)?.0),
            _ => Self::Unknown(head),
        })
    }

    /// What every message begins with.
    #[must_use]
    pub fn head(&self) -> &'a Head {
        match self {
            Self::Symbol(m) => &m.head,
            Self::Book(m) => &m.book.head,
            Self::Trade(m) => &m.head,
            Self::Bar(m) => &m.head,
            Self::Vwap(m) => &m.head,
            Self::Signal(m) => &m.head,
            Self::Feed(m) => &m.head,
            Self::Dropped(m) => &m.head,
            Self::Amendment(m) => &m.head,
            Self::Lost(m) | Self::Refreshed(m) => &m.head,
            Self::Unknown(head) => head,
        }
    }
}

fn book(bytes: &[u8]) -> Result<BookView<'_>, Error> {
    let (book, rest): (&Book, _) = record(bytes, KIND_BOOK)?;
    let side = |count: u8, rest| -> Result<(&[Level], &[u8]), Error> {
        if usize::from(count) > LEVELS_MAX {
            return Err(Error::Levels { count });
        }
        <[Level]>::ref_from_prefix_with_elems(rest, usize::from(count)).map_err(|_| {
            short(
                bytes,
                KIND_BOOK,
                rest,
                usize::from(count) * size_of::<Level>(),
            )
        })
    };
    let (bids, rest) = side(book.bid_count, rest)?;
    let (asks, rest) = side(book.ask_count, rest)?;
    let last = if book.marks & BOOK_HAS_LAST == 0 {
        None
    } else {
        let want = size_of::<Last>();
        let last = Last::ref_from_prefix(rest);
        Some(last.map_err(|_| short(bytes, KIND_BOOK, rest, want))?.0)
    };
    Ok(BookView {
        book,
        bids,
        asks,
        last,
    })
}

fn record<T>(bytes: &[u8], kind: u8) -> Result<(&T, &[u8]), Error>
where
    T: FromBytes + zerocopy::KnownLayout + zerocopy::Immutable + zerocopy::Unaligned,
{
    T::ref_from_prefix(bytes).map_err(|_| short(bytes, kind, bytes, size_of::<T>()))
}

/// `rest` ends before the `more` bytes that it should have.
#[cold]
fn short(bytes: &[u8], kind: u8, rest: &[u8], more: usize) -> Error {
    Error::Short {
        kind,
        want: bytes.len() - rest.len() + more,
        have: bytes.len(),
    }
}

/// Writes a book message into `buffer`; `None` when it has no room or a side has too many levels.
#[must_use]
pub fn write_book<'b>(
    buffer: &'b mut [u8],
    book: &Book,
    bids: impl Iterator<Item = Level>,
    asks: impl Iterator<Item = Level>,
    last: Option<&Last>,
) -> Option<&'b [u8]> {
    let mut size = 0;
    let mut put = |bytes: &[u8], buffer: &mut [u8]| -> Option<()> {
        let end = size + bytes.len();
        buffer.get_mut(size..end)?.copy_from_slice(bytes);
        size = end;
        Some(())
    };
    let mut book = *book;
    put(book.bytes(), buffer)?;
    let (mut bid_count, mut ask_count) = (0u8, 0u8);
    for level in bids {
        put(level.bytes(), buffer)?;
        bid_count = bid_count.checked_add(1)?;
    }
    for level in asks {
        put(level.bytes(), buffer)?;
        ask_count = ask_count.checked_add(1)?;
    }
    if usize::from(bid_count.max(ask_count)) > LEVELS_MAX {
        return None;
    }
    (book.bid_count, book.ask_count) = (bid_count, ask_count);
    book.marks &= !BOOK_HAS_LAST;
    if let Some(last) = last {
        book.marks |= BOOK_HAS_LAST;
        put(last.bytes(), buffer)?;
    }
    buffer[..size_of::<Book>()].copy_from_slice(book.bytes());
    Some(&buffer[..size])
}
