//! What can go wrong: only the weights file and the settings, never a text.

/// Why an embedder could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// The bytes do not begin like a weights file of ours.
    #[error(
        "not a packed model file: it does not begin with OUZELEMB; make one with assets/repack.py"
    )]
    NotAModel,
    /// A weights file of a layout that this build does not read.
    #[error(
        "packed model file has layout version {found}, this build reads {want}; repack it with assets/repack.py"
    )]
    Version {
        /// Version in the file.
        found: u32,
        /// Version this build reads.
        want: u32,
    },
    /// The file ends early or has bytes too many.
    #[error(
        "packed model file has {have} bytes but its header says {want}: fetch or repack it again"
    )]
    Size {
        /// Bytes given.
        have: u64,
        /// Bytes the header announces.
        want: u64,
    },
    /// Some byte was changed since the file was packed.
    #[error(
        "packed model file is damaged (crc32 {found:08x}, header says {want:08x}): fetch or repack it again"
    )]
    Checksum {
        /// Checksum of the bytes given.
        found: u32,
        /// Checksum in the header.
        want: u32,
    },
    /// The file is whole, but does not hold the model that this build computes.
    #[error(
        "packed model file does not fit this build at `{what}`; repack it with assets/repack.py"
    )]
    Shape {
        /// The tensor or header field at fault.
        what: String,
    },
    /// A limit on tokens outside what the model can take.
    #[error("max_tokens is {found}, allowed are {min} to {max}")]
    MaxTokens {
        /// The value asked for.
        found: usize,
        /// Smallest allowed: the two marks around a text, and one token of it.
        min: usize,
        /// Largest allowed: the model has no more positions.
        max: usize,
    },
}
