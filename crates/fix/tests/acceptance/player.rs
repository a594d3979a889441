//! Plays one definition against the echo application, in simulated time.

use std::collections::BTreeMap;
use std::sync::Mutex;

use fix::{Greeting, greet};
use wire::fix::{Precision, Writer, parse_timestamp};

use crate::sessions::Place;

/// 2026-03-02 09:30 UTC: any working day will do.
const START_NS: u64 = 1_772_443_800_000_000_000;
const STEP_NS: u64 = 50_000_000;
/// How long an answer is waited for, and the end of a connection.
const ANSWER_STEPS: usize = 60 * 20;
const END_STEPS: usize = 10 * 20;

struct Connection<'a> {
    place: Option<&'a Mutex<Place>>,
    first: Vec<u8>,
    said: Vec<u8>,
    closed: bool,
}

struct Player<'a> {
    places: &'a [Mutex<Place>],
    connections: BTreeMap<u8, Connection<'a>>,
    now_ns: u64,
}

/// Plays `definition`; an error says which line went wrong, and how.
pub fn play(definition: &[u8], places: &[Mutex<Place>]) -> Result<(), String> {
    let mut player = Player {
        places,
        connections: BTreeMap::new(),
        now_ns: START_NS,
    };
    for (number, line) in definition.split(|&byte| byte == b'\n').enumerate() {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.first().is_none_or(|&byte| byte == b'#') || line.iter().all(|&b| b == b' ') {
            continue;
        }
        let told = |why| format!("line {}: {why}", number + 1);
        player.line(line).map_err(told)?;
    }
    Ok(())
}

impl<'a> Player<'a> {
    fn line(&mut self, line: &[u8]) -> Result<(), String> {
        let (verb, rest) = (line[0], &line[1..]);
        let (id, rest) = match rest {
            [id @ b'0'..=b'9', b',', rest @ ..] => (*id, rest),
            _ => (b'1', rest),
        };
        match (verb, rest) {
            (b'i', b"CONNECT") => _ = self.connections.insert(id, Connection::new()),
            (b'i', b"DISCONNECT") => {
                let gone = self.connections.remove(&id).and_then(|c| c.place);
                if let Some(place) = gone {
                    lock(place).session.disconnected(self.now_ns);
                }
            }
            (b'I', said) => {
                let bytes = seal(&self.with_times(said));
                self.hear(id, &bytes)?;
            }
            (b'E', expected) => {
                let expected = seal(&self.with_times(expected));
                let said = self.answer(id)?;
                compare(&expected, &said)?;
            }
            (b'e', b"DISCONNECT") => self.end(id)?,
            _ => return Err(format!("no such line: {}", line.escape_ascii())),
        }
        Ok(())
    }

    fn connection(&mut self, id: u8) -> Result<&mut Connection<'a>, String> {
        let missing = || format!("no connection {}", char::from(id));
        self.connections.get_mut(&id).ok_or_else(missing)
    }

    fn hear(&mut self, id: u8, bytes: &[u8]) -> Result<(), String> {
        let (places, now_ns) = (self.places, self.now_ns);
        let connection = self.connection(id)?;
        if connection.closed {
            return Ok(());
        }
        connection.hear(bytes, places, now_ns);
        Ok(())
    }

    /// Lets a moment pass on all connections.
    fn step(&mut self) {
        self.now_ns += STEP_NS;
        for connection in self.connections.values_mut() {
            connection.step(b"", self.now_ns);
        }
    }

    /// The next message on a connection, waited for.
    fn answer(&mut self, id: u8) -> Result<Vec<u8>, String> {
        for _ in 0..ANSWER_STEPS {
            let connection = self.connection(id)?;
            if let Some(size) = message_size(&connection.said) {
                return Ok(connection.said.drain(..size).collect());
            }
            if connection.closed {
                return Err("the connection ended, a message was expected".to_owned());
            }
            self.step();
        }
        Err("no message came".to_owned())
    }

    fn end(&mut self, id: u8) -> Result<(), String> {
        for _ in 0..END_STEPS {
            let connection = self.connection(id)?;
            if !connection.said.is_empty() {
                let said = connection.said.escape_ascii();
                return Err(format!("the end was expected, came {said}"));
            }
            if connection.closed {
                self.connections.remove(&id);
                return Ok(());
            }
            self.step();
        }
        Err("the connection did not end".to_owned())
    }

    /// `<TIME>`, `<TIME+9>` and `<TIME-9>` as times.
    fn with_times(&self, text: &[u8]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.windows(5).position(|five| five == b"<TIME") {
            let end = rest[at..].iter().position(|&b| b == b'>').expect("closed") + at;
            let shift = std::str::from_utf8(&rest[at + 5..end]).expect("text");
            let shift: i64 = if shift.is_empty() {
                0
            } else {
                shift.parse().expect("seconds")
            };
            let ns = self.now_ns.saturating_add_signed(shift * 1_000_000_000);
            out.extend(&rest[..at]);
            out.extend(time_text(ns));
            rest = &rest[end + 1..];
        }
        out.extend(rest);
        out
    }
}

impl<'a> Connection<'a> {
    fn new() -> Self {
        Self {
            place: None,
            first: Vec::new(),
            said: Vec::new(),
            closed: false,
        }
    }

    fn hear(&mut self, bytes: &[u8], places: &'a [Mutex<Place>], now_ns: u64) {
        if self.place.is_some() {
            return self.step(bytes, now_ns);
        }
        self.first.extend(bytes);
        match greet(&self.first, 1 << 20) {
            Greeting::More => {}
            Greeting::Stranger => self.closed = true,
            Greeting::Of(identity) => {
                self.place = places.iter().find(|place| {
                    let mut place = lock(place);
                    place.session.identity() == identity && place.enter(now_ns)
                });
                self.closed = self.place.is_none();
                let first = std::mem::take(&mut self.first);
                self.step(&first, now_ns);
            }
        }
    }

    fn step(&mut self, bytes: &[u8], now_ns: u64) {
        let Some(place) = self.place.filter(|_| !self.closed) else {
            return;
        };
        let (said, close) = lock(place).step(bytes, now_ns);
        self.said.extend(said);
        if close {
            self.closed = true;
            lock(place).session.disconnected(now_ns);
        }
    }
}

fn lock(place: &Mutex<Place>) -> std::sync::MutexGuard<'_, Place> {
    place.lock().expect("no panic")
}

fn time_text(ns: u64) -> Vec<u8> {
    let mut room = [0; 64];
    let mut w = Writer::new(&mut room, b"FIX", b"0");
    w.timestamp(52, ns, Precision::Seconds);
    let bytes = w.finish().expect("fits");
    let at = bytes
        .windows(3)
        .position(|three| three == b"52=")
        .expect("written");
    bytes[at + 3..at + 3 + 17].to_vec()
}

/// Length and checksum where a line has none of its own.
fn seal(line: &[u8]) -> Vec<u8> {
    let Some(head_size) = line.starts_with(b"8=").then(|| {
        let soh = line.iter().position(|&byte| byte == 1);
        soh.map_or(line.len(), |at| at + 1)
    }) else {
        return line.to_vec();
    };
    let has = |name: &[u8]| line.windows(name.len()).position(|part| part == name);
    let (body, trailer) = match has(b"\x0110=") {
        Some(at) => (&line[head_size..=at], line[at + 1..].to_vec()),
        None => (&line[head_size..], Vec::new()),
    };
    let mut sealed = line[..head_size].to_vec();
    if has(b"\x019=").is_none() {
        sealed.extend(format!("9={}\x01", body.len()).bytes());
    }
    sealed.extend(body);
    if trailer.is_empty() {
        let sum: u32 = sealed.iter().map(|&byte| u32::from(byte)).sum();
        sealed.extend(format!("10={:03}\x01", sum % 256).bytes());
    } else {
        sealed.extend(trailer);
    }
    sealed
}

/// The first message of `bytes` by its own length, whatever its checksum says.
fn message_size(bytes: &[u8]) -> Option<usize> {
    let at = bytes.windows(3).position(|three| three == b"\x019=")? + 3;
    let digits = bytes[at..].iter().position(|&byte| byte == 1)?;
    let length: usize = std::str::from_utf8(&bytes[at..at + digits])
        .ok()?
        .parse()
        .ok()?;
    let size = at + digits + 1 + length + 7;
    (bytes.len() >= size).then_some(size)
}

/// Same fields, same order, same values; times and the checksum only have to look like some.
fn compare(expected: &[u8], said: &[u8]) -> Result<(), String> {
    let differ = |why: String| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace('\x01', "|");
        format!(
            "{why}\n  expected {}\n  came     {}",
            text(expected),
            text(said)
        )
    };
    let fields = |bytes: &[u8]| -> Vec<(String, Vec<u8>)> {
        let fields = bytes
            .split(|&byte| byte == 1)
            .filter(|field| !field.is_empty());
        fields
            .map(|field| {
                let at = field.iter().position(|&b| b == b'=').unwrap_or(field.len());
                let tag = String::from_utf8_lossy(&field[..at]).into_owned();
                (tag, field.get(at + 1..).unwrap_or_default().to_vec())
            })
            .collect()
    };
    let (expected_fields, said_fields) = (fields(expected), fields(said));
    if expected_fields.len() != said_fields.len() {
        return Err(differ("not as many fields".to_owned()));
    }
    for ((tag, value), (said_tag, said_value)) in expected_fields.iter().zip(&said_fields) {
        if tag != said_tag {
            return Err(differ(format!("field {tag} expected, came {said_tag}")));
        }
        let good = match tag.as_str() {
            "10" => said_value.len() == 3 && said_value.iter().all(u8::is_ascii_digit),
            "42" | "52" | "60" | "122" => parse_timestamp(said_value).is_ok(),
            _ => value == said_value,
        };
        if !good {
            return Err(differ(format!("field {tag} has another value")));
        }
    }
    Ok(())
}
