//! The one object in the list of a book message.

use super::{Book, Error};
use crate::json::{Levels, Scanner, instant_text, keep, signed};

pub(super) fn read<'a>(
    scanner: &mut Scanner<'a>,
    instrument: &'a str,
    is_snapshot: bool,
) -> Result<Book<'a>, Error> {
    let (mut bids, mut asks, mut time) = (None, None, None);
    let (mut checksum, mut seq, mut previous) = (None, None, None);
    open(scanner)?;
    loop {
        match scanner.key()? {
            b"bids" => {
                let levels = Levels::read_bids(scanner).map_err(|fault| fault.of("bids"))?;
                keep("bids", &mut bids, levels)?;
            }
            b"asks" => {
                let levels = Levels::read(scanner).map_err(|fault| fault.of("asks"))?;
                keep("asks", &mut asks, levels)?;
            }
            b"ts" => keep("ts", &mut time, scanner.value()?)?,
            b"checksum" => keep("checksum", &mut checksum, scanner.value()?)?,
            b"seqId" => keep("seqId", &mut seq, scanner.value()?)?,
            b"prevSeqId" => keep("prevSeqId", &mut previous, scanner.value()?)?,
            _ => {
                scanner.value()?;
            }
        }
        if !scanner.more(b'}')? {
            break;
        }
    }
    if !scanner.take(b']') {
        // Two books in one message have never been seen; which checksum is whose is not said.
        return Err(Error::Field { key: "data" });
    }
    let number = |key, value: Option<_>| match value {
        None => Ok(None),
        some => signed(key, some).map(|number| u64::try_from(number).ok()),
    };
    let checksum = match checksum {
        None => None,
        some => {
            let key = "checksum";
            let value = signed(key, some)?;
            Some(i32::try_from(value).map_err(|_| Error::Field { key })?)
        }
    };
    Ok(Book {
        instrument,
        is_snapshot,
        bids: bids.ok_or(Error::Field { key: "bids" })?,
        asks: asks.ok_or(Error::Field { key: "asks" })?,
        event_ns: instant_text("ts", time)?,
        checksum,
        seq: number("seqId", seq)?,
        previous_seq: number("prevSeqId", previous)?,
    })
}

/// Passes `[{`, up to the first key.
fn open(scanner: &mut Scanner<'_>) -> Result<(), Error> {
    if scanner.take(b'[') && scanner.take(b'{') && scanner.peek() == Some(b'"') {
        Ok(())
    } else {
        Err(Error::Field { key: "data" })
    }
}
