//! What market data messages of the FIX family mean, whatever they are encoded in: FAST records and
//! FIX tag=value give the same entries.
//!
//! Source: FIX 5.0 SP2, messages X, W, f and 4; the venue's choices are FORTS's: levels by rank
//! (tag 1023), or by price where a message has no rank.

use crate::event::{Event, Price, Qty, Side, Terms, TradingState};
use crate::feed::refresh::{Action, Change, Entry, Rank, Snapshot};

/// The tags that are read, by name; [`TAGS`] has their numbers in the same order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tag {
    /// 15
    Currency,
    /// 34
    MsgSeqNum,
    /// 35
    MsgType,
    /// 36
    NewSeqNo,
    /// 48
    SecurityId,
    /// 52
    SendingTime,
    /// 55
    Symbol,
    /// 83
    RptSeq,
    /// 264
    MarketDepth,
    /// 268
    NoMdEntries,
    /// 269
    MdEntryType,
    /// 270
    MdEntryPx,
    /// 271
    MdEntrySize,
    /// 272
    MdEntryDate,
    /// 273
    MdEntryTime,
    /// 278
    MdEntryId,
    /// 279
    MdUpdateAction,
    /// 326
    SecurityTradingStatus,
    /// 369
    LastMsgSeqNumProcessed,
    /// 561
    RoundLot,
    /// 969
    MinPriceIncrement,
    /// 1023
    MdPriceLevel,
}

/// Numbers of the tags, in the order of [`Tag`].
pub const TAGS: [u32; 22] = [
    15, 34, 35, 36, 48, 52, 55, 83, 264, 268, 269, 270, 271, 272, 273, 278, 279, 326, 369, 561,
    969, 1023,
];

/// A date: year, month, day.
pub type Date = (u32, u32, u32);

/// A message, or one entry of it, by tags.
pub trait TagFields: Copy {
    /// An integer that is not negative.
    fn uint(self, tag: Tag) -> Option<u64>;
    /// A text.
    fn text(&self, tag: Tag) -> Option<&[u8]>;
    /// Exponent and mantissa; an integer has exponent 0.
    fn decimal(self, tag: Tag) -> Option<(i8, i64)>;
    /// A time of day, ns.
    fn time_ns(self, tag: Tag) -> Option<u64>;
    /// A date.
    fn date(self, tag: Tag) -> Option<Date>;
    /// A date and a time of day, ns.
    fn date_time(self, tag: Tag) -> Option<(Date, u64)>;
    /// The entries of group 268; a fault where the group cannot be read to its end.
    fn entries(self) -> impl Iterator<Item = Result<Self, TagFault>>;
}

/// A message that lacks what its kind needs, or has it out of range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TagFault {
    /// Absent, or of another form.
    #[error("tag {tag} is absent or of another form")]
    Absent {
        /// The tag's number.
        tag: u32,
    },
    /// More digits than a price has (1e-9), or a quantity that is no whole number from 0 up.
    #[error("tag {tag} does not fit: prices have nine decimals, quantities none")]
    Range {
        /// The tag's number.
        tag: u32,
    },
}

/// Kinds of messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageKind {
    /// 35=X.
    Increment,
    /// 35=W.
    Snapshot,
    /// 35=f.
    State,
    /// 35=d.
    Definition,
    /// 35=4.
    Reset,
    /// Anything else.
    Other,
}

/// The venue's clock texts to UTC, ns.
#[derive(Clone, Copy, Debug)]
pub struct VenueClock {
    offset_ns: i64,
}

impl VenueClock {
    /// A clock that many seconds ahead of UTC.
    #[must_use]
    pub fn new(utc_offset_s: i64) -> Self {
        Self {
            offset_ns: utc_offset_s.saturating_mul(1_000_000_000),
        }
    }

    /// An instant of the venue's clock, ns UTC; 0 before 1970.
    #[must_use]
    pub fn utc_ns(self, (year, month, day): Date, time_ns: u64) -> u64 {
        let midnight_ns = days_from_civil(year, month, day).saturating_mul(86_400_000_000_000);
        let local_ns = midnight_ns.saturating_add(time_ns as i64);
        u64::try_from(local_ns.saturating_sub(self.offset_ns)).unwrap_or(0)
    }
}

/// Days since 1970-01-01 (Howard Hinnant's algorithm); months and days out of range are not refused.
fn days_from_civil(year: u32, month: u32, day: u32) -> i64 {
    let (month, day) = (i64::from(month), i64::from(day));
    let year = i64::from(year) - i64::from(month <= 2);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    era * 146_097 + day_of_era - 719_468
}

/// A message's kind; `None` for what has no message type (a FAST reset).
pub fn kind_of(fields: impl TagFields) -> Option<MessageKind> {
    Some(match fields.text(Tag::MsgType)? {
        b"X" => MessageKind::Increment,
        b"W" => MessageKind::Snapshot,
        b"f" => MessageKind::State,
        b"d" => MessageKind::Definition,
        b"4" => MessageKind::Reset,
        _ => MessageKind::Other,
    })
}

/// A message's number on its line.
///
/// # Errors
/// When it has none.
pub fn seq(fields: impl TagFields) -> Result<u64, TagFault> {
    required(fields.uint(Tag::MsgSeqNum), Tag::MsgSeqNum)
}

/// The number that comes after a sequence reset.
///
/// # Errors
/// When it does not say.
pub fn reset(fields: impl TagFields) -> Result<u64, TagFault> {
    required(fields.uint(Tag::NewSeqNo), Tag::NewSeqNo)
}

/// Appends the entries of an increment. Those before a fault are good.
///
/// # Errors
/// When an entry lacks something or does not fit.
pub fn increment(
    fields: impl TagFields,
    clock: &VenueClock,
    entries: &mut Vec<Entry>,
) -> Result<(), TagFault> {
    let sent = fields.date_time(Tag::SendingTime);
    for entry in fields.entries() {
        let entry = entry?;
        let rpt_seq = entry.uint(Tag::RptSeq);
        let change = change_of(entry, rpt_seq.unwrap_or(0))?;
        entries.push(Entry {
            security_id: required(entry.uint(Tag::SecurityId), Tag::SecurityId)?,
            rpt_seq,
            ts_event: time_of(entry, sent, clock),
            change,
        });
    }
    Ok(())
}

/// Appends the state of one instrument.
///
/// # Errors
/// When it does not say which.
pub fn state(
    fields: impl TagFields,
    clock: &VenueClock,
    entries: &mut Vec<Entry>,
) -> Result<(), TagFault> {
    let security_id = required(fields.uint(Tag::SecurityId), Tag::SecurityId)?;
    let Some(status) = fields.uint(Tag::SecurityTradingStatus) else {
        return Ok(());
    };
    let state = match status {
        2 | 18 | 19 => TradingState::Halted,
        3 | 17 => TradingState::Trading,
        5 | 21 => TradingState::QuotationOnly,
        _ => TradingState::Unknown,
    };
    let mut reason = *b"    ";
    for (digit, place) in [100, 10, 1].into_iter().enumerate() {
        reason[digit] = b'0' + (status / place % 10) as u8;
    }
    entries.push(Entry {
        security_id,
        rpt_seq: None,
        ts_event: time_of(fields, fields.date_time(Tag::SendingTime), clock),
        change: Change::Event(Event::State { state, reason }),
    });
    Ok(())
}

/// Which instrument a definition is about, by number and name, and how it trades. FIX has no
/// multiple of orders but the round lot, which venues of futures ask for.
///
/// # Errors
/// When it does not say which.
pub fn definition<F: TagFields>(fields: &F) -> Result<(u64, &str, Terms), TagFault> {
    let security_id = required(fields.uint(Tag::SecurityId), Tag::SecurityId)?;
    // A name or currency that is missing or is no text is not known: the number names the instrument.
    let text = |tag| std::str::from_utf8(fields.text(tag).unwrap_or_default()).unwrap_or_default();
    let lot = fields.decimal(Tag::RoundLot);
    let lot = lot.and_then(|lot| u64::try_from(scaled(lot, 0)?).ok());
    let tick = fields.decimal(Tag::MinPriceIncrement);
    let tick = tick.and_then(|tick| scaled(tick, 9));
    let terms = Terms {
        tick_size: tick.filter(|tick| *tick > 0).map(Price),
        lot_size: lot.filter(|lot| *lot > 0).map(Qty),
        round_lot: None,
        currency: Terms::currency_of(text(Tag::Currency)),
    };
    Ok((security_id, text(Tag::Symbol).trim(), terms))
}

/// A whole book; its levels are put into `changes`.
///
/// # Errors
/// When it, or one of its levels, lacks something or does not fit.
pub fn snapshot<'c>(
    fields: impl TagFields,
    clock: &VenueClock,
    changes: &'c mut Vec<Change>,
) -> Result<Snapshot<'c>, TagFault> {
    changes.clear();
    let mut depth = None;
    for entry in fields.entries() {
        let entry = entry?;
        depth = depth.or(entry.uint(Tag::MarketDepth));
        if matches!(entry.text(Tag::MdEntryType), Some([b'0' | b'1'])) {
            changes.push(change_of(entry, 0)?);
        }
    }
    let sent = fields.date_time(Tag::SendingTime);
    let last_seq = fields.uint(Tag::LastMsgSeqNumProcessed);
    Ok(Snapshot {
        security_id: required(fields.uint(Tag::SecurityId), Tag::SecurityId)?,
        rpt_seq: fields.uint(Tag::RptSeq),
        last_seq: required(last_seq, Tag::LastMsgSeqNumProcessed)?,
        ts_event: sent.map_or(0, |(date, time_ns)| clock.utc_ns(date, time_ns)),
        depth: depth
            .and_then(|depth| Rank::try_from(depth).ok())
            .filter(|depth| *depth > 0),
        changes,
    })
}

fn change_of(entry: impl TagFields, rpt_seq: u64) -> Result<Change, TagFault> {
    let side = match entry.text(Tag::MdEntryType) {
        Some(b"0") => Side::Bid,
        Some(b"1") => Side::Ask,
        Some(b"2") => {
            return Ok(Change::Event(Event::Trade {
                aggressor: None,
                price: price(entry)?,
                qty: qty(entry)?,
                match_id: entry.uint(Tag::MdEntryId).unwrap_or(rpt_seq),
            }));
        }
        Some(b"J") => return Ok(Change::Event(Event::Clear)),
        _ => return Ok(Change::Nothing),
    };
    let action = match entry.uint(Tag::MdUpdateAction) {
        None | Some(0) => Action::New,
        Some(1) => Action::Change,
        Some(2) => Action::Delete,
        Some(3) => Action::DeleteThru,
        Some(4) => Action::DeleteFrom,
        Some(5) => Action::Overlay,
        Some(_) => return Err(range(Tag::MdUpdateAction)),
    };
    let is_gone = matches!(
        action,
        Action::Delete | Action::DeleteThru | Action::DeleteFrom
    );
    let Some(rank) = entry.uint(Tag::MdPriceLevel) else {
        let qty = if is_gone { Qty(0) } else { qty(entry)? };
        let price = price(entry)?;
        return Ok(Change::Event(Event::Level { side, price, qty }));
    };
    let rank = Rank::try_from(rank).map_err(|_| range(Tag::MdPriceLevel))?;
    // What is deleted by rank needs neither.
    let (price, qty) = if is_gone {
        (Price(0), Qty(0))
    } else {
        (price(entry)?, qty(entry)?)
    };
    Ok(Change::Rank {
        action,
        side,
        rank,
        price,
        qty,
    })
}

/// The entry's own time, by its own date or the message's; else the message's.
fn time_of(entry: impl TagFields, sent: Option<(Date, u64)>, clock: &VenueClock) -> u64 {
    let date = entry.date(Tag::MdEntryDate).or(sent.map(|(date, _)| date));
    match (date, entry.time_ns(Tag::MdEntryTime), sent) {
        (Some(date), Some(time_ns), _) => clock.utc_ns(date, time_ns),
        (_, None, Some((date, time_ns))) => clock.utc_ns(date, time_ns),
        _ => 0,
    }
}

fn price(entry: impl TagFields) -> Result<Price, TagFault> {
    let value = required(entry.decimal(Tag::MdEntryPx), Tag::MdEntryPx)?;
    let units = scaled(value, 9).ok_or(range(Tag::MdEntryPx))?;
    Ok(Price(units))
}

fn qty(entry: impl TagFields) -> Result<Qty, TagFault> {
    let value = required(entry.decimal(Tag::MdEntrySize), Tag::MdEntrySize)?;
    let units = scaled(value, 0).and_then(|units| u64::try_from(units).ok());
    Ok(Qty(units.ok_or(range(Tag::MdEntrySize))?))
}

/// `mantissa * 10^exponent` in units of `10^-decimals`, exactly.
fn scaled((exponent, mantissa): (i8, i64), decimals: i8) -> Option<i64> {
    let shift = i32::from(exponent) + i32::from(decimals);
    let factor = 10_i64.checked_pow(shift.unsigned_abs());
    match (mantissa, shift >= 0) {
        (0, _) => Some(0),
        (_, true) => mantissa.checked_mul(factor?),
        (_, false) => {
            let factor = factor?;
            (mantissa % factor == 0).then_some(mantissa / factor)
        }
    }
}

fn required<T>(value: Option<T>, tag: Tag) -> Result<T, TagFault> {
    value.ok_or(TagFault::Absent {
        tag: TAGS[tag as usize],
    })
}

fn range(tag: Tag) -> TagFault {
    TagFault::Range {
        tag: TAGS[tag as usize],
    }
}
