//! The same market data as FIX tag=value messages.

use wire::fix::{Fields, Message};

use super::channel::TagChannel;
use super::tags::{Date, TAGS, Tag, TagFault, TagFields};
use crate::feed::refresh::{Handler, RefreshConfig};

/// Why a message could not be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FixFault {
    /// Not a whole FIX message.
    #[error("FIX message cannot be read")]
    Garbled(#[from] wire::fix::Garbled),
    /// It lacks what its kind needs.
    #[error("FIX message refused")]
    Tag(#[from] TagFault),
}

/// One channel of FIX messages: lines A, B and snapshots.
#[derive(Debug)]
pub struct FixFeed {
    channel: TagChannel,
}

impl FixFeed {
    /// A feed that has seen nothing; takes its memory. `utc_offset_s`: how far the venue's clock
    /// texts are ahead of UTC.
    #[must_use]
    pub fn new(config: RefreshConfig, utc_offset_s: i64) -> Self {
        Self {
            channel: TagChannel::new(config, utc_offset_s),
        }
    }

    /// Takes one message of a line: 0 (A), 1 (B) or [`LINE_SNAPSHOT`](super::LINE_SNAPSHOT).
    ///
    /// # Errors
    /// When it could not be used, or not all of it; that is counted, and the feed goes on.
    pub fn message(
        &mut self,
        line: usize,
        ts_recv: u64,
        bytes: &[u8],
        handler: &mut impl Handler,
    ) -> Result<(), FixFault> {
        let message = Message::parse(bytes);
        self.channel.packet(line, ts_recv, message.is_err());
        let fields = FixFields(message?.fields());
        Ok(self.channel.message(line, ts_recv, fields, handler)?)
    }

    /// Lets time pass: holes are given up, instruments that stay in doubt become stale.
    pub fn tick(&mut self, now_ns: u64, handler: &mut impl Handler) {
        self.channel.tick(now_ns, handler);
    }

    /// The channel's sequence, its instruments and their books.
    #[must_use]
    pub fn channel(&self) -> &TagChannel {
        &self.channel
    }
}

/// A message, or an entry of its group, by tags.
#[derive(Clone, Copy)]
struct FixFields<'a>(Fields<'a>);

impl FixFields<'_> {
    fn field(&self, tag: Tag) -> Option<&[u8]> {
        self.0.get(TAGS[tag as usize]).map(|field| field.value)
    }
}

impl TagFields for FixFields<'_> {
    fn uint(self, tag: Tag) -> Option<u64> {
        digits(self.field(tag)?)
    }

    fn text(&self, tag: Tag) -> Option<&[u8]> {
        self.field(tag)
    }

    fn decimal(self, tag: Tag) -> Option<(i8, i64)> {
        let text = self.field(tag)?;
        let (is_negative, text) = match text {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, text),
        };
        let point = text.iter().position(|byte| *byte == b'.');
        let (whole, fraction) = match point {
            Some(point) => (&text[..point], &text[point + 1..]),
            None => (text, &[][..]),
        };
        let mut mantissa = 0_i64;
        for &byte in whole.iter().chain(fraction) {
            let digit = byte.is_ascii_digit().then(|| i64::from(byte - b'0'))?;
            mantissa = mantissa.checked_mul(10)?.checked_add(digit)?;
        }
        let exponent = -i8::try_from(fraction.len()).ok()?;
        Some((exponent, if is_negative { -mantissa } else { mantissa }))
    }

    fn time_ns(self, tag: Tag) -> Option<u64> {
        self.0.get(TAGS[tag as usize])?.time_of_day().ok()
    }

    fn date(self, tag: Tag) -> Option<Date> {
        date(self.field(tag)?)
    }

    fn date_time(self, tag: Tag) -> Option<(Date, u64)> {
        let text = self.field(tag)?;
        let (day, time) = text.split_at_checked(8)?;
        let time = time.strip_prefix(b"-")?;
        let time_ns = wire::fix::parse_time_of_day(time).ok()?;
        Some((date(day)?, time_ns))
    }

    fn entries(self) -> impl Iterator<Item = Result<Self, TagFault>> {
        let tag = TAGS[Tag::NoMdEntries as usize];
        let mut fields = self.0;
        let count = fields
            .by_ref()
            .map_while(Result::ok)
            .find(|field| field.tag == tag);
        let group = count.and_then(|count| fields.group(count, &[]).ok());
        let entries = group.into_iter().flatten();
        entries.map(move |entry| entry.map(Self).map_err(|_| TagFault::Absent { tag }))
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    std::str::from_utf8(text).ok()?.parse().ok()
}

/// `YYYYMMDD`.
fn date(text: &[u8]) -> Option<Date> {
    let value = u32::try_from(digits(text)?).ok()?;
    Some((value / 10_000, value / 100 % 100, value % 100))
}
