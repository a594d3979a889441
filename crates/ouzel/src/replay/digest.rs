//! A number over every frame in order: equal digests mean equal output.

use std::fmt::{self, Write};

use market::publish::Frame;

/// FNV-1a over the frames' text, which names every field.
pub struct FrameDigest(u64);

impl Default for FrameDigest {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl FrameDigest {
    /// Adds one frame. The feed's status is left out: it counts how bytes arrived, not what they
    /// say.
    pub fn add(&mut self, frame: &Frame) {
        if !matches!(frame, Frame::Feed(_)) {
            // Writing into a number cannot fail.
            let _never = write!(self, "{frame:?}");
        }
    }

    /// The digest so far.
    #[must_use]
    pub fn value(&self) -> u64 {
        self.0
    }
}

impl Write for FrameDigest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
        }
        Ok(())
    }
}
