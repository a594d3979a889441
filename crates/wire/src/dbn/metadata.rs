//! The header of a DBN file: what it is about, and which symbols its instrument numbers stand for.

use super::Error;
use super::field::until_zero;

/// Bytes before the metadata proper: `DBN`, version, length.
pub const PRELUDE_SIZE: usize = 8;
/// The newest version known.
pub const VERSION_MAX: u8 = 3;
/// Fixed part of the metadata after the prelude, all versions.
const FIXED_SIZE: usize = 100;
const PREFIX: &[u8; 3] = b"DBN";
/// Symbols of version 1 have this width; later versions say it.
const SYMBOL_SIZE_V1: usize = 22;
const NO_SCHEMA: u16 = u16::MAX;
const NO_STYPE: u8 = u8::MAX;

/// Names of Databento's schemas by their numbers.
const SCHEMAS: [&str; 20] = [
    "mbo",
    "mbp-1",
    "mbp-10",
    "tbbo",
    "trades",
    "ohlcv-1s",
    "ohlcv-1m",
    "ohlcv-1h",
    "ohlcv-1d",
    "definition",
    "statistics",
    "status",
    "imbalance",
    "ohlcv-eod",
    "cmbp-1",
    "cbbo-1s",
    "cbbo-1m",
    "tcbbo",
    "bbo-1s",
    "bbo-1m",
];

/// How instrument numbers are meant, of [`Metadata::stype_out`].
pub const STYPE_INSTRUMENT_ID: u8 = 0;

/// A file's header, seen where it lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metadata<'a> {
    /// 1, 2 or 3.
    pub version: u8,
    /// Databento's name of the dataset.
    pub dataset: &'a str,
    /// Number of the one schema; `None` where records of several are mixed (live).
    pub schema: Option<u16>,
    /// First instant asked for, ns UTC.
    pub start: u64,
    /// End of what was asked for, exclusive; `None` for a stream without end.
    pub end: Option<u64>,
    /// Most records asked for.
    pub limit: Option<u64>,
    /// How the symbols asked for are meant; `None` where they are mixed.
    pub stype_in: Option<u8>,
    /// How the intervals' symbols are meant: [`STYPE_INSTRUMENT_ID`] in most files.
    pub stype_out: u8,
    /// Every record is followed by the time at which it was sent.
    pub ts_out: bool,
    symbol_size: usize,
    symbols: Symbols<'a>,
    partial: Symbols<'a>,
    not_found: Symbols<'a>,
    mappings: Mappings<'a>,
}

impl<'a> Metadata<'a> {
    /// Reads the header at the start of `bytes`; also answers what follows it: the records.
    ///
    /// # Errors
    /// When `bytes` do not begin with a whole header of a known version.
    pub fn parse(bytes: &'a [u8]) -> Result<(Self, &'a [u8]), Error> {
        if super::is_legacy(bytes) {
            return Err(Error::LegacyDbz);
        }
        if !bytes.starts_with(PREFIX) {
            return Err(Error::NotDbn);
        }
        let cut = |want| Error::MetadataCut {
            want,
            have: bytes.len(),
        };
        let prelude = bytes.first_chunk::<PRELUDE_SIZE>();
        let &[_, _, _, version, l0, l1, l2, l3] = prelude.ok_or(cut(PRELUDE_SIZE))?;
        if !(1..=VERSION_MAX).contains(&version) {
            return Err(Error::Version(version));
        }
        let size = u32::from_le_bytes([l0, l1, l2, l3]) as usize;
        if size < FIXED_SIZE {
            return Err(Error::MetadataBad);
        }
        let (header, records) = bytes[PRELUDE_SIZE..]
            .split_at_checked(size)
            .ok_or(cut(PRELUDE_SIZE.saturating_add(size)))?;
        Ok((Self::fields(version, header)?, records))
    }

    fn fields(version: u8, header: &'a [u8]) -> Result<Self, Error> {
        let mut rest = Rest(header);
        let dataset = until_zero(rest.take(16)?);
        let schema = rest.u16()?;
        let start = rest.u64()?;
        let end = rest.u64()?;
        let limit = rest.u64()?;
        if version == 1 {
            // A count of records that later versions dropped.
            rest.take(8)?;
        }
        let (stype_in, stype_out, ts_out) = (rest.u8()?, rest.u8()?, rest.u8()? != 0);
        let symbol_size = match version {
            1 => SYMBOL_SIZE_V1,
            _ => usize::from(rest.u16()?),
        };
        if symbol_size == 0 {
            return Err(Error::MetadataBad);
        }
        rest.take(if version == 1 { 47 } else { 53 })?;
        if rest.u32()? != 0 {
            return Err(Error::SchemaDefinition);
        }
        let symbols = rest.symbols(symbol_size)?;
        let partial = rest.symbols(symbol_size)?;
        let not_found = rest.symbols(symbol_size)?;
        let mappings = rest.mappings(symbol_size)?;
        Ok(Self {
            version,
            dataset,
            schema: (schema != NO_SCHEMA).then_some(schema),
            start,
            end: (end != u64::MAX && end != 0).then_some(end),
            limit: (limit != 0).then_some(limit),
            stype_in: (stype_in != NO_STYPE).then_some(stype_in),
            stype_out,
            ts_out,
            symbol_size,
            symbols,
            partial,
            not_found,
            mappings,
        })
    }

    /// Databento's name of the schema.
    #[must_use]
    pub fn schema_name(&self) -> Option<&'static str> {
        SCHEMAS.get(usize::from(self.schema?)).copied()
    }

    /// The symbols asked for.
    #[must_use]
    pub const fn symbols(&self) -> Symbols<'a> {
        self.symbols
    }

    /// Those that had no instrument for a part of the time.
    #[must_use]
    pub const fn partial(&self) -> Symbols<'a> {
        self.partial
    }

    /// Those that had none at all.
    #[must_use]
    pub const fn not_found(&self) -> Symbols<'a> {
        self.not_found
    }

    /// What each symbol stood for, and when.
    #[must_use]
    pub const fn mappings(&self) -> Mappings<'a> {
        self.mappings
    }
}

/// Symbols of fixed width.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Symbols<'a> {
    bytes: &'a [u8],
    size: usize,
}

impl<'a> Iterator for Symbols<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<Self::Item> {
        let (symbol, rest) = self.bytes.split_at_checked(self.size)?;
        self.bytes = rest;
        Some(until_zero(symbol))
    }
}

/// Symbol mappings of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mappings<'a> {
    bytes: &'a [u8],
    left: u32,
    size: usize,
}

/// One symbol and what it stood for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping<'a> {
    /// The symbol, of the kind that was asked for.
    pub raw_symbol: &'a str,
    /// What it stood for, each over some days.
    pub intervals: Intervals<'a>,
}

impl<'a> Iterator for Mappings<'a> {
    type Item = Mapping<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        self.left = self.left.checked_sub(1)?;
        let mut rest = Rest(self.bytes);
        // The whole list was walked when the header was read.
        let mapping = rest.mapping(self.size).ok()?;
        self.bytes = rest.0;
        Some(mapping)
    }
}

/// Spans of days over which a symbol stood for one thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Intervals<'a> {
    bytes: &'a [u8],
    size: usize,
}

/// One span of days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval<'a> {
    /// First day, UTC, as the number YYYYMMDD.
    pub start_date: u32,
    /// Day after the last.
    pub end_date: u32,
    /// What the symbol stood for: digits, where that is an instrument number.
    pub symbol: &'a str,
}

impl<'a> Iterator for Intervals<'a> {
    type Item = Interval<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        let mut rest = Rest(self.bytes);
        let start_date = rest.u32().ok()?;
        let end_date = rest.u32().ok()?;
        let symbol = until_zero(rest.take(self.size).ok()?);
        self.bytes = rest.0;
        Some(Interval {
            start_date,
            end_date,
            symbol,
        })
    }
}

/// What of a header is not read yet.
struct Rest<'a>(&'a [u8]);

impl<'a> Rest<'a> {
    fn take(&mut self, size: usize) -> Result<&'a [u8], Error> {
        let (taken, rest) = self.0.split_at_checked(size).ok_or(Error::MetadataBad)?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Error> {
        let (taken, rest) = self.0.split_first_chunk().ok_or(Error::MetadataBad)?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u8(&mut self) -> Result<u8, Error> {
        self.array().map(u8::from_le_bytes)
    }

    fn u16(&mut self) -> Result<u16, Error> {
        self.array().map(u16::from_le_bytes)
    }

    fn u32(&mut self) -> Result<u32, Error> {
        self.array().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Error> {
        self.array().map(u64::from_le_bytes)
    }

    fn many(&mut self, size: usize) -> Result<&'a [u8], Error> {
        let count = self.u32()? as usize;
        self.take(count.checked_mul(size).ok_or(Error::MetadataBad)?)
    }

    fn symbols(&mut self, size: usize) -> Result<Symbols<'a>, Error> {
        let bytes = self.many(size)?;
        Ok(Symbols { bytes, size })
    }

    fn mapping(&mut self, size: usize) -> Result<Mapping<'a>, Error> {
        let raw_symbol = until_zero(self.take(size)?);
        let bytes = self.many(size + 8)?;
        Ok(Mapping {
            raw_symbol,
            intervals: Intervals { bytes, size },
        })
    }

    fn mappings(&mut self, size: usize) -> Result<Mappings<'a>, Error> {
        let left = self.u32()?;
        let bytes = self.0;
        for _ in 0..left {
            self.mapping(size)?;
        }
        let bytes = &bytes[..bytes.len() - self.0.len()];
        Ok(Mappings { bytes, left, size })
    }
}

/// What a written header says; see [`Metadata`] for the meaning of each field.
#[derive(Clone, Copy, Debug)]
pub struct HeaderText<'a> {
    /// 1, 2 or 3.
    pub version: u8,
    /// At most 15 bytes.
    pub dataset: &'a str,
    /// `None`: mixed.
    pub schema: Option<u16>,
    /// First instant, ns UTC.
    pub start: u64,
    /// End, exclusive.
    pub end: Option<u64>,
    /// Whether a send time follows every record.
    pub ts_out: bool,
    /// Symbol, first day, day after the last, instrument number as text.
    pub mappings: &'a [(&'a str, u32, u32, &'a str)],
}

/// Writes a header to the start of `out`; answers its size, or `None` when something does not fit.
#[must_use]
pub fn write_header(out: &mut [u8], text: &HeaderText<'_>) -> Option<usize> {
    let symbol_size = if text.version == 1 {
        SYMBOL_SIZE_V1
    } else {
        71
    };
    let mut writer = Writer { out, at: 0 };
    writer.put(PREFIX)?;
    writer.put(&[text.version, 0, 0, 0, 0])?;
    writer.text(text.dataset, 16)?;
    writer.put(&text.schema.unwrap_or(NO_SCHEMA).to_le_bytes())?;
    writer.put(&text.start.to_le_bytes())?;
    writer.put(&text.end.unwrap_or(u64::MAX).to_le_bytes())?;
    writer.put(&[0; 8])?;
    if text.version == 1 {
        writer.put(&[0xff; 8])?;
    }
    // Symbols as the venue writes them stand for instrument numbers.
    writer.put(&[1, STYPE_INSTRUMENT_ID, u8::from(text.ts_out)])?;
    if text.version == 1 {
        writer.put(&[0; 47])?;
    } else {
        writer.put(&(symbol_size as u16).to_le_bytes())?;
        writer.put(&[0; 53])?;
    }
    writer.put(&[0; 4])?;
    let count = (text.mappings.len() as u32).to_le_bytes();
    writer.put(&count)?;
    for (symbol, ..) in text.mappings {
        writer.text(symbol, symbol_size)?;
    }
    writer.put(&[0; 8])?;
    writer.put(&count)?;
    for (symbol, start, end, number) in text.mappings {
        writer.text(symbol, symbol_size)?;
        writer.put(&1_u32.to_le_bytes())?;
        writer.put(&start.to_le_bytes())?;
        writer.put(&end.to_le_bytes())?;
        writer.text(number, symbol_size)?;
    }
    // Version 3 keeps records aligned to eight bytes.
    while text.version == 3 && !writer.at.is_multiple_of(8) {
        writer.put(&[0])?;
    }
    let size = writer.at;
    let length = u32::try_from(size - PRELUDE_SIZE).ok()?;
    out[4..PRELUDE_SIZE].copy_from_slice(&length.to_le_bytes());
    Some(size)
}

struct Writer<'a> {
    out: &'a mut [u8],
    at: usize,
}

impl Writer<'_> {
    fn put(&mut self, bytes: &[u8]) -> Option<()> {
        let end = self.at + bytes.len();
        self.out.get_mut(self.at..end)?.copy_from_slice(bytes);
        self.at = end;
        Some(())
    }

    fn text(&mut self, text: &str, size: usize) -> Option<()> {
        let field = self.out.get_mut(self.at..self.at + size)?;
        (text.len() < size).then_some(())?;
        field.fill(0);
        field[..text.len()].copy_from_slice(text.as_bytes());
        self.at += size;
        Some(())
    }
}
