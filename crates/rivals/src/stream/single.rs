//! Books that take one message after another, as a lane does with a packet of one: nothing is looked
//! at ahead, and no batch has to be laid out for it.

use market::book::{BookSet, symbol_key};
use market::event::InstrumentId;
use market::feed::itch::{Meaning, Normaliser};
use wire::itchfile::Frames;

use super::books::{Books, alone_set};
use super::input::{MIDNIGHT, SYMBOLS};

/// Decoder and books.
pub struct Single {
    normaliser: Normaliser,
    books: BookSet,
    seq: u64,
}

impl Single {
    /// Empty books, as large as those of the other figures.
    pub fn new() -> Self {
        Self {
            normaliser: Normaliser::new(MIDNIGHT, SYMBOLS),
            books: alone_set(),
            seq: 0,
        }
    }

    /// All books.
    pub fn books(&self) -> &BookSet {
        &self.books
    }

    #[inline]
    fn one(&mut self, message: &[u8]) {
        self.seq += 1;
        match self.normaliser.pass(message, &mut self.books) {
            Some((_, _, outcome)) => {
                outcome.expect("the venue says nothing that a book refuses");
            }
            None => self.other(message),
        }
    }

    fn other(&mut self, message: &[u8]) {
        match self.normaliser.translate(self.seq, 0, message) {
            Ok(Meaning::Event {
                instrument, event, ..
            }) => {
                self.open(instrument);
                let applied = self.books.apply(instrument, &event);
                applied.expect("the venue says nothing that a book refuses");
            }
            Ok(Meaning::Listed { instrument, .. }) => self.open(instrument),
            Ok(Meaning::Venue { .. } | Meaning::Nothing { .. }) => {}
            Err(fault) => panic!("the venue says nothing that cannot be read: {fault}"),
        }
    }

    fn open(&mut self, instrument: InstrumentId) {
        while self.books.len() <= instrument.0 as usize {
            self.books.open();
        }
    }
}

impl Books for Single {
    #[inline]
    fn take(&mut self, frames: &[u8]) {
        for frame in Frames::new(frames).flatten() {
            self.one(frame);
        }
    }

    fn digest(&self) -> u64 {
        let instruments = self.normaliser.instruments();
        self.books.digest(|id| {
            let instrument = instruments.get(id.0 as usize);
            instrument.map_or(0, |known| symbol_key(&known.symbol))
        })
    }
}
