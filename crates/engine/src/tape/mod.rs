//! The tape: every payload as it came, with its line and receive time, on disk.
//!
//! A lane copies each payload into a hop (`TapedSource`); a recorder thread takes it out and
//! appends it to a segment file. The lane never waits for the disk: when the recorder is behind,
//! payloads are left out, counted, and the hole is marked on the tape. `docs/formats/tape.md`
//! has the byte map.

mod format;
mod reader;
mod recorder;

pub use format::{Mark, SEGMENT_HEADER_BYTES, is_tape};
pub use reader::{TapeFault, TapeReader, TapeRecord, TapeSource};
pub use recorder::{Recorder, TapeConfig, TapeStatus, TapedSource};
