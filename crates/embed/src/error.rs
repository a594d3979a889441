//! What can go wrong: only the weights and the settings, never a text.

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
    /// A user's model has sizes or habits that this build does not compute.
    #[error("{what}")]
    Unsupported {
        /// Which, with what would do.
        what: String,
    },
    /// A user's model lacks a tensor that BERT has.
    #[error(
        "the weights have no tensor `{name}`: they are cut short, or not those of a BERT encoder"
    )]
    Missing {
        /// Its name, as `BertModel` calls it.
        name: String,
    },
    /// A tensor of a user's model cannot be used.
    #[error("tensor `{name}`: {why}")]
    Tensor {
        /// Its name, as `BertModel` calls it.
        name: String,
        /// What is wrong with it.
        why: String,
    },
    /// A tokenizer that does not belong to the weights.
    #[error(
        "the tokenizer has {pieces} pieces and the weights have rows for {rows}: they belong to different models"
    )]
    Vocabulary {
        /// Pieces of the tokenizer.
        pieces: usize,
        /// Rows of the table of words.
        rows: usize,
    },
    /// A vocabulary that is none of BERT's.
    #[error("the vocabulary {what}")]
    Pieces {
        /// What is wrong with it.
        what: String,
    },
}
