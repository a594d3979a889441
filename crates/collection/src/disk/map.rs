//! Files seen as memory. The one place of this crate that is `unsafe`: a mapping is only sound while nobody
//! cuts the file or writes to it.
//!
//! What is mapped here are checkpoint files: they are written under another name, synced, renamed, and never
//! written to or cut again; removing one leaves its mappings as they are. The folder is locked against a
//! second process of ours. Who writes to such a file by other means gets damaged answers, which the checksums
//! tell, and who cuts it ends the process with SIGBUS.

#![allow(unsafe_code)]

use std::fs::File;
use std::io;

use bytes::Bytes;
use memmap2::{Mmap, MmapMut, MmapOptions};

/// The whole file, to be read.
pub(super) fn whole(file: &File) -> io::Result<Bytes> {
    if file.metadata()?.len() == 0 {
        return Ok(Bytes::new());
    }
    // SAFETY: files that are mapped are never written to or cut while they are, see the module; the bytes are
    // only read as integers, whatever they say.
    let map = unsafe { Mmap::map(file)? };
    Ok(Bytes::from_owner(map))
}

/// `len` bytes from `offset`, to be changed in this process alone.
pub(super) fn private(file: &File, offset: u64, len: usize) -> io::Result<MmapMut> {
    // SAFETY: as above; a private mapping never writes to the file.
    unsafe { MmapOptions::new().offset(offset).len(len).map_copy(file) }
}
