//! Which writers a log still takes: a file of one number that only rises. Byte map: `docs/formats/collection-log.md`.

use std::io;

use crate::Error;
use crate::disk::Disk;

/// Name of the file; a log that was never fenced has none.
pub(super) const NAME: &str = "fence";
const TEMP: &str = "fence.tmp";
const MAGIC: [u8; 8] = *b"OUZELFNC";
const VERSION: u16 = 1;
const SIZE: usize = 24;

/// The epoch below which writers are refused; 0 where none ever were.
///
/// # Errors
/// `Corrupt`, `Newer` or `Io`.
pub(super) fn read(disk: &dyn Disk) -> Result<u64, Error> {
    let bytes = match disk.read(NAME) {
        Ok(bytes) => bytes,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(e) => return Err(Error::io("read", NAME)(e)),
    };
    parse(&bytes)
}

/// Makes `epoch` the one below which writers are refused, durably.
///
/// # Errors
/// `Io`; the epoch that was there then still holds, or this one does.
pub(super) fn write(disk: &dyn Disk, epoch: u64) -> Result<(), Error> {
    // One that a crash left.
    if disk.size(TEMP).is_ok() {
        disk.remove(TEMP).map_err(Error::io("remove", TEMP))?;
    }
    let mut file = disk.create(TEMP).map_err(Error::io("create", TEMP))?;
    file.append(&bytes(epoch))
        .map_err(Error::io("append to", TEMP))?;
    file.sync().map_err(Error::io("sync", TEMP))?;
    disk.rename(TEMP, NAME).map_err(Error::io("rename", TEMP))
}

fn bytes(epoch: u64) -> [u8; SIZE] {
    let mut bytes = [0; SIZE];
    bytes[..8].copy_from_slice(&MAGIC);
    bytes[8..10].copy_from_slice(&VERSION.to_le_bytes());
    bytes[12..20].copy_from_slice(&epoch.to_le_bytes());
    let crc = crc32fast::hash(&bytes[..20]);
    bytes[20..].copy_from_slice(&crc.to_le_bytes());
    bytes
}

fn parse(bytes: &[u8]) -> Result<u64, Error> {
    let corrupt = |reason: &str| Error::Corrupt {
        file: NAME.to_owned(),
        offset: 0,
        reason: reason.to_owned(),
    };
    let bytes: &[u8; SIZE] = bytes
        .try_into()
        .map_err(|_| corrupt("it has not the size of a fence"))?;
    let (said, crc) = bytes.split_at(20);
    if said[..8] != MAGIC || crc32fast::hash(said).to_le_bytes() != crc {
        return Err(corrupt("the checksum does not match"));
    }
    if u16::from_le_bytes([said[8], said[9]]) > VERSION {
        return Err(Error::Newer { what: NAME.into() });
    }
    Ok(u64::from_le_bytes(
        said[12..].try_into().expect("eight bytes"),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layout_and_every_flipped_bit() {
        let good = bytes(0x0102);
        assert_eq!(&good[..10], b"OUZELFNC\x01\0");
        assert_eq!(good[12..14], [2, 1]);
        assert_eq!(parse(&good).expect("own bytes"), 0x0102);
        for bit in 0..SIZE * 8 {
            let mut bad = good;
            bad[bit / 8] ^= 1 << (bit % 8);
            assert!(parse(&bad).is_err(), "bit {bit}");
        }
    }
}
