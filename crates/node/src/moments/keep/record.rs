//! States as they lie in a file. `docs/formats/states.md` is the contract.
//!
//! A file is its magic and frames; a frame is a length, a checksum and entries: names before the states that use
//! them. A file needs no other file.

use std::collections::HashMap;

use market::event::Price;
use market::feed::ouzel::{integrity_code, integrity_of};
use market::publish::STATE_DIM;

use crate::moments::block::{Row, SymbolIdx};

pub(super) const MAGIC: &[u8; 8] = b"OUZSTAT1";
const NAME: u8 = 0;
const STATE: u8 = 1;
const HEAD: usize = 8;
/// Bytes of a frame beyond which it is none of ours.
const FRAME_MOST: usize = 16 << 20;
/// A missing price.
const NO_MID: i64 = i64::MIN;

/// Writes frames of one file.
#[derive(Default)]
pub(super) struct Writer {
    names: HashMap<String, SymbolIdx>,
    frame: Vec<u8>,
}

impl Writer {
    pub fn state(&mut self, name: &str, row: &Row) {
        if self.frame.is_empty() {
            self.frame.extend([0; HEAD]);
        }
        let symbol = match self.names.get(name) {
            Some(symbol) => *symbol,
            None => self.name(name),
        };
        let out = &mut self.frame;
        out.push(STATE);
        out.extend(symbol.to_le_bytes());
        out.extend(row.end_ns.to_le_bytes());
        out.extend(row.known_ns.to_le_bytes());
        out.extend(row.mid.map_or(NO_MID, |mid| mid.0).to_le_bytes());
        out.extend(row.volume.to_le_bytes());
        out.push(integrity_code(row.integrity));
        out.extend(row.codes.map(|code| code as u8));
    }

    fn name(&mut self, name: &str) -> SymbolIdx {
        let symbol = self.names.len() as SymbolIdx;
        self.names.insert(name.to_owned(), symbol);
        self.frame.push(NAME);
        self.frame.extend((name.len() as u32).to_le_bytes());
        self.frame.extend(name.as_bytes());
        symbol
    }

    /// The frame of what was given since the last one; empty of nothing.
    pub fn take(&mut self) -> Vec<u8> {
        let mut frame = std::mem::take(&mut self.frame);
        if let Some((head, entries)) = frame.split_at_mut_checked(HEAD) {
            head[..4].copy_from_slice(&(entries.len() as u32).to_le_bytes());
            head[4..].copy_from_slice(&crc32fast::hash(entries).to_le_bytes());
        }
        frame
    }
}

/// Reads a file; what cannot be read ends it.
pub(super) struct Reader<'a> {
    bytes: &'a [u8],
    names: Vec<&'a str>,
}

impl<'a> Reader<'a> {
    /// `None`: this is no file of states.
    pub fn new(bytes: &'a [u8]) -> Option<Self> {
        Some(Self {
            bytes: bytes.strip_prefix(MAGIC)?,
            names: Vec::new(),
        })
    }

    /// The states of the next frame; `None` at the end, or where bytes are not what was written.
    pub fn next(&mut self) -> Option<Vec<(&'a str, Row)>> {
        let mut at = self.bytes;
        let length = u32::from_le_bytes(take(&mut at)?) as usize;
        let checksum = u32::from_le_bytes(take(&mut at)?);
        let entries = at.get(..length).filter(|_| length <= FRAME_MOST)?;
        if crc32fast::hash(entries) != checksum {
            return None;
        }
        let rows = self.entries(entries)?;
        self.bytes = &at[length..];
        Some(rows)
    }

    /// Bytes that were not read.
    pub fn left(&self) -> usize {
        self.bytes.len()
    }

    fn entries(&mut self, mut at: &'a [u8]) -> Option<Vec<(&'a str, Row)>> {
        let mut rows = Vec::new();
        while !at.is_empty() {
            match u8::from_le_bytes(take(&mut at)?) {
                NAME => {
                    let length = u32::from_le_bytes(take(&mut at)?) as usize;
                    let name = at.split_off(..length)?;
                    // No error: what is no name was not written by us, and ends the file.
                    self.names.push(std::str::from_utf8(name).ok()?);
                }
                STATE => {
                    let row = state(&mut at)?;
                    rows.push((*self.names.get(row.symbol as usize)?, row));
                }
                _ => return None,
            }
        }
        Some(rows)
    }
}

fn state(at: &mut &[u8]) -> Option<Row> {
    let symbol = u32::from_le_bytes(take(at)?);
    let (end_ns, known_ns) = (u64::from_le_bytes(take(at)?), u64::from_le_bytes(take(at)?));
    let mid = i64::from_le_bytes(take(at)?);
    Some(Row {
        symbol,
        end_ns,
        known_ns,
        mid: (mid != NO_MID).then_some(Price(mid)),
        volume: u64::from_le_bytes(take(at)?),
        integrity: integrity_of(u8::from_le_bytes(take(at)?)),
        codes: take::<STATE_DIM>(at)?.map(|code| code as i8),
    })
}

fn take<const N: usize>(at: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = at.split_first_chunk::<N>()?;
    *at = rest;
    Some(*head)
}
