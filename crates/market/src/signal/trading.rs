//! Halt and resume from the venue's trading states.

use crate::event::TradingState;
use crate::publish::SignalKind;

/// One instrument's trading state, and whether it stands still.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TradingWatch {
    state: TradingState,
    is_stopped: bool,
}

impl TradingWatch {
    /// The venue's last word.
    #[must_use]
    pub fn state(&self) -> TradingState {
        self.state
    }

    /// Takes a state. A halt turning into a pause or a quotation period is still the same stop;
    /// only trading ends it.
    pub fn update(&mut self, state: TradingState, reason: [u8; 4]) -> Option<SignalKind> {
        self.state = state;
        match state {
            TradingState::Halted | TradingState::Paused if !self.is_stopped => {
                self.is_stopped = true;
                Some(SignalKind::Halt { reason })
            }
            TradingState::Trading if self.is_stopped => {
                self.is_stopped = false;
                Some(SignalKind::Resume)
            }
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_is_told_once_and_so_is_its_end() {
        let mut watch = TradingWatch::default();
        let mut told = Vec::new();
        use TradingState::{Halted, Paused, QuotationOnly, Trading};
        for state in [
            Trading,
            Halted,
            Paused,
            QuotationOnly,
            Trading,
            Trading,
            Paused,
        ] {
            told.push(watch.update(state, *b"LUDP"));
        }
        let halt = Some(SignalKind::Halt { reason: *b"LUDP" });
        let resume = Some(SignalKind::Resume);
        assert_eq!(told, [None, halt, None, None, resume, None, halt]);
    }
}
