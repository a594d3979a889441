//! One client's place in the numbered stream, and which of it the client wants.

use std::collections::HashSet;

use market::feed::ouzel;
use market::publish::Frame;
use node::market::MarketView;
use serde_json::{Value, json};
use wire::moldudp64::PacketWriter;
use wire::ouzel::{
    Dropped, Head, KIND_BAR, KIND_DROPPED, KIND_LOST, KIND_REFRESHED, KIND_SIGNAL, KIND_SYMBOL,
    KIND_TRADE, Message,
};

use super::history::History;
use super::topic::{self, Topic};

/// Messages looked at in one go.
const BATCH: u64 = 4_096;
/// What every follower is told: names, and whatever tells of a hole.
const ALWAYS: [u8; 4] = [KIND_SYMBOL, KIND_DROPPED, KIND_LOST, KIND_REFRESHED];
/// Bytes of one binary message.
const PACKET_LIMIT: usize = 16 << 10;

/// Where the client is, and what it follows.
#[derive(Default)]
pub struct Tape {
    /// The next number to look at; `None`: nothing numbered is followed yet.
    next: Option<u64>,
    /// Kinds of which every symbol is followed.
    all: HashSet<u8>,
    /// Kind, lane and instrument.
    some: HashSet<(u8, u16, u32)>,
    /// What the client must be told before anything else.
    gaps: Vec<Gap>,
}

/// Numbers that this client will not get.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Gap {
    from: u64,
    to: u64,
    why: &'static str,
}

/// What a topic is on the wire: its kind, and its symbol where it is about one.
fn of(topic: &Topic) -> Option<(u8, Option<&str>)> {
    match topic {
        Topic::Trades(symbol) => Some((KIND_TRADE, symbol.as_deref())),
        Topic::Bars(symbol) => Some((KIND_BAR, symbol.as_deref())),
        Topic::Signals => Some((KIND_SIGNAL, None)),
        _ => None,
    }
}

impl Tape {
    /// Follows `topic`, if it is a numbered one: from now on, or from where the client is.
    pub fn follow(&mut self, topic: &Topic, view: &MarketView, history: &History) {
        let Some((kind, symbol)) = of(topic) else {
            return;
        };
        match symbol {
            None => {
                self.all.insert(kind);
            }
            Some(symbol) => self.some.extend(key(kind, symbol, view)),
        }
        self.next.get_or_insert_with(|| history.next_seq());
    }

    /// Follows `topic` no more.
    pub fn leave(&mut self, topic: &Topic, view: &MarketView) {
        match of(topic) {
            Some((kind, None)) => {
                self.all.remove(&kind);
            }
            Some((kind, Some(symbol))) => {
                if let Some(key) = key(kind, symbol, view) {
                    self.some.remove(&key);
                }
            }
            None => {}
        }
    }

    /// Goes on after number `after` of the run `session`.
    pub fn resume(&mut self, session: &str, after: u64, history: &History) {
        let (oldest, next) = (history.oldest(), history.next_seq());
        if session != history.session_text() {
            let why = "the server was restarted: numbers begin again";
            self.gaps.push(Gap {
                from: 0,
                to: oldest,
                why,
            });
            self.next = Some(oldest);
            return;
        }
        self.next = Some(after.saturating_add(1).min(next));
    }

    /// What is new to the client; the second value says whether more waits.
    fn read(&mut self, history: &History, f: &mut dyn FnMut(u64, &[u8])) -> bool {
        let Some(from) = self.next else {
            return false;
        };
        if self.all.is_empty() && self.some.is_empty() {
            // Nothing is followed: the place stands, so that what is followed next begins there.
            return false;
        }
        let oldest = history.oldest();
        if from < oldest {
            let why = "the history does not reach back so far";
            self.gaps.push(Gap {
                from,
                to: oldest,
                why,
            });
        }
        let (all, some) = (&self.all, &self.some);
        let next = history.read(from, BATCH, &mut |seq, message| {
            let Ok(parsed) = Message::parse(message) else {
                return;
            };
            let head = parsed.head();
            let key = (head.kind, head.lane.get(), head.instrument.get());
            let is_wanted =
                all.contains(&head.kind) || some.contains(&key) || ALWAYS.contains(&head.kind);
            if is_wanted {
                f(seq, message);
            }
        });
        self.next = Some(next);
        next.saturating_sub(from.max(oldest)) == BATCH
    }

    /// What is new as JSON; the second value says whether more waits.
    pub fn rows(
        &mut self,
        history: &History,
        show: impl FnOnce(&[(u64, usize, Frame)]) -> Vec<Value>,
    ) -> (Vec<Value>, bool) {
        let mut frames = Vec::new();
        let is_more = self.read(history, &mut |seq, message| {
            let laned = Message::parse(message).ok().and_then(|m| ouzel::read(&m));
            frames.extend(laned.map(|(lane, frame)| (seq, lane, frame)));
        });
        let mut rows: Vec<Value> = self.gaps.drain(..).map(Gap::row).collect();
        if !frames.is_empty() {
            rows.extend(show(&frames));
        }
        (rows, is_more)
    }

    /// What is new as binary messages; true when more waits.
    pub fn packets(&mut self, history: &History, out: &mut Vec<Vec<u8>>) -> bool {
        let session = history.session();
        let mut messages: Vec<(u64, Vec<u8>)> = Vec::new();
        let is_more = self.read(history, &mut |seq, message| {
            messages.push((seq, message.to_vec()));
        });
        for gap in self.gaps.drain(..) {
            let mark = Dropped {
                head: Head::new(KIND_DROPPED, 0, 0, 0),
                count: (gap.to - gap.from).into(),
            };
            out.push(states(session, &[mark.bytes().to_vec()]));
        }
        let mut rest = messages.as_slice();
        while let Some((first, _)) = rest.first() {
            let mut buffer = vec![0; PACKET_LIMIT];
            let mut writer = PacketWriter::new(&mut buffer, session, *first);
            let fits = rest
                .iter()
                .zip(*first..)
                .take_while(|((seq, message), wanted)| seq == wanted && writer.push(message));
            let count = fits.count();
            // A message is far smaller than a packet: one fits at least.
            debug_assert!(count > 0);
            rest = &rest[count.max(1)..];
            let size = writer.finish().len();
            buffer.truncate(size);
            out.push(buffer);
        }
        is_more
    }
}

impl Gap {
    fn row(self) -> Value {
        json!({"type": "gap", "from": self.from, "to": self.to, "why": self.why})
    }
}

fn key(kind: u8, symbol: &str, view: &MarketView) -> Option<(u8, u16, u32)> {
    let found = view.symbol(symbol)?;
    Some((kind, found.lane as u16, found.instrument.id.0))
}

/// One packet of newest states, which have no numbers.
pub fn states(session: [u8; 10], messages: &[Vec<u8>]) -> Vec<u8> {
    let size = messages
        .iter()
        .map(|message| message.len() + 2)
        .sum::<usize>()
        + 20;
    let mut buffer = vec![0; size];
    let mut writer = PacketWriter::new(&mut buffer, session, 0);
    for message in messages {
        let fits = writer.push(message);
        debug_assert!(fits, "the buffer was measured");
    }
    let size = writer.finish().len();
    buffer.truncate(size);
    buffer
}

/// Rows of frames as the topics show them.
pub fn rows(view: &MarketView, frames: &[(u64, usize, Frame)]) -> Vec<Value> {
    frames
        .iter()
        .filter_map(|(n, lane, frame)| topic::numbered(view, *n, *lane, frame))
        .collect()
}
