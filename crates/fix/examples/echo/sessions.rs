//! The sessions that the definitions log on to.

use std::path::Path;
use std::sync::Mutex;

use fix::{Config, Dictionaries, Dictionary, MemoryStore, Session};

use crate::app::Echo;

/// One session and its application.
pub struct Place {
    /// The session.
    pub session: Session<MemoryStore>,
    echo: Echo,
}

impl Place {
    /// Takes a connection, unless one is there already.
    pub fn enter(&mut self, now_ns: u64) -> bool {
        let free = !self.session.is_connected();
        if free {
            self.session.connected(now_ns);
        }
        free
    }

    /// Hands `bytes` in and lets time pass; gives what to send, and whether to close then.
    pub fn step(&mut self, bytes: &[u8], now_ns: u64) -> (Vec<u8>, bool) {
        self.session.receive(bytes, now_ns);
        self.session.tick(now_ns);
        let mut sent = Vec::new();
        loop {
            let output = self.session.take();
            sent.extend(output.bytes);
            if output.events.is_empty() {
                return (sent, output.close);
            }
            self.echo.hear(&mut self.session, output.events, now_ns);
            if output.close {
                return (sent, true);
            }
        }
    }
}

/// FIX 4.2, FIX 4.4, and FIX 5.0SP2 over FIXT.1.1, from files in QuickFIX's format.
pub fn dictionaries(folder: &Path) -> [Dictionaries; 3] {
    let read = |name: &str| {
        let path = folder.join(name);
        let text = std::fs::read_to_string(&path).expect("a dictionary of that name");
        Dictionary::parse(&text).expect("a dictionary in QuickFIX's format")
    };
    [
        Dictionaries::one(read("FIX42.xml")),
        Dictionaries::one(read("FIX44.xml")),
        Dictionaries::two(read("FIXT11.xml"), read("FIX50SP2.xml")),
    ]
}

/// A session for each counterparty of the definitions.
pub fn places([fix42, fix44, fix50]: &[Dictionaries; 3]) -> Vec<Mutex<Place>> {
    let place = |begin: &str, target: &str, dictionaries: &Dictionaries, values: bool| {
        let mut config = Config::acceptor(begin, "ISLD", target);
        config.reset_on_logon = true;
        config.rules.fields_have_values = values;
        let store = MemoryStore::new(64 << 20);
        Mutex::new(Place {
            session: Session::new(config, dictionaries.clone(), store),
            echo: Echo::default(),
        })
    };
    vec![
        place("FIX.4.2", "TW42", fix42, true),
        place("FIX.4.4", "TW44", fix44, true),
        place("FIX.4.4", "TW", fix44, true),
        place("FIX.4.4", "NO_CHECK_FIELDS_HAVE_VALUES", fix44, false),
        place("FIXT.1.1", "TW50SP2", fix50, true),
    ]
}
