//! What one counterparty asked for, and what it is told.

use std::collections::{BTreeSet, HashMap};

use market::event::{Instrument, InstrumentId};
use market::publish::{BookTop, Frame, Signal};
use node::market::{MarketView, words};
use node::outlet::Laned;
use wire::fix::{Message, tag};

use super::entries::{self, Action, Entry, Flags};
use super::request::{Refusal, Request, Wanted, refusal};
use super::say::{Connected, define, document, headline, list, news, refuse};
use super::{FixDoor, Version, add};

/// Subscriptions of one session.
const SUBSCRIPTIONS_LIMIT: usize = 1_000;
/// Entries of one update; more are told in another.
const ENTRIES_LIMIT: usize = 200;

/// What is shown of one symbol.
#[derive(Default)]
struct Shown {
    levels: Vec<Entry>,
    statistics: Vec<Entry>,
    /// Sequence of the newest print that the snapshot had: older ones are not told again.
    printed_seq: u64,
}

struct Subscription {
    request: Request,
    shown: HashMap<String, Shown>,
}

/// An entry of an update.
struct Change {
    action: Action,
    symbol: String,
    qty_decimals: u8,
    entry: Entry,
}

/// The subscriptions of one connection: they end with it.
#[derive(Default)]
pub struct Desk {
    subscriptions: Vec<Subscription>,
    /// How many documents were there when it last looked, from the first subscription on.
    documents: Option<u64>,
    /// What the outlet's frames are about.
    names: HashMap<(usize, InstrumentId), (String, u8)>,
}

impl Desk {
    /// Whether anything is to be told.
    pub fn is_subscribed(&self) -> bool {
        !self.subscriptions.is_empty()
    }

    /// Takes an application message.
    pub fn hear(&mut self, session: &mut Connected, door: &FixDoor, bytes: &[u8], now_ns: u64) {
        let Ok(message) = Message::parse(bytes) else {
            return;
        };
        match message.msg_type() {
            b"V" => {
                if let Err(refused) = self.request(session, door, &message, now_ns) {
                    add(&door.counters.refusals);
                    refuse(session, &message, &refused, now_ns);
                }
            }
            b"x" => list(session, &door.node.market(), &message, now_ns),
            // FIX 4.2 has no security lists, so definitions are asked for.
            b"c" if Version::of(session.config()) == Version::Fix42 => {
                define(session, &door.node.market(), &message, now_ns);
            }
            kind => {
                // The session let nothing through without a number.
                let seq = message.get(tag::MSG_SEQ_NUM).and_then(|f| f.uint().ok());
                session.unsupported(seq.unwrap_or_default(), kind, now_ns);
            }
        }
    }

    fn request(
        &mut self,
        session: &mut Connected,
        door: &FixDoor,
        message: &Message<'_>,
        now_ns: u64,
    ) -> Result<(), Refusal> {
        let request = Request::read(message)?;
        let known = self
            .subscriptions
            .iter()
            .position(|s| s.request.id == request.id);
        if request.wanted == Wanted::Nothing {
            let known = known.ok_or_else(|| refusal(None, "no subscription has this MDReqID"))?;
            self.subscriptions.remove(known);
            if self.subscriptions.is_empty() {
                // What comes while nothing is subscribed is not told later.
                self.documents = None;
            }
            return Ok(());
        }
        if known.is_some() {
            return Err(refusal(b'1', "a subscription has this MDReqID already"));
        }
        if request.wanted == Wanted::Updates && self.subscriptions.len() >= SUBSCRIPTIONS_LIMIT {
            return Err(refusal(b'2', "too many subscriptions: unsubscribe some"));
        }
        let view = door.node.market();
        if let Some(unknown) = request.symbols.iter().find(|s| view.symbol(s).is_none()) {
            return Err(refusal(b'0', format!("unknown symbol {unknown}")));
        }
        let mut shown = HashMap::new();
        for symbol in &request.symbols {
            let state = state(&view, symbol, &request);
            snapshot(session, door, &view, symbol, &request, &state, now_ns);
            add(&door.counters.snapshots);
            shown.insert(symbol.clone(), state);
        }
        if request.wanted == Wanted::Updates {
            self.subscriptions.push(Subscription { request, shown });
        }
        Ok(())
    }

    /// Tells what the market did since the last call.
    pub fn tell(&mut self, session: &mut Connected, door: &FixDoor, frames: &[Laned], now_ns: u64) {
        if !session.is_logged_on() {
            return;
        }
        let mut changes: Vec<Vec<Change>> = self.subscriptions.iter().map(|_| Vec::new()).collect();
        let mut traded = BTreeSet::new();
        for (lane, frame) in frames {
            match frame {
                Frame::Instrument(instrument) => self.name(*lane, instrument),
                Frame::Book(book) => self.book(*lane, book, &mut changes),
                Frame::Trade(print) => {
                    let Some((symbol, decimals)) = self.names.get(&(*lane, print.instrument))
                    else {
                        continue;
                    };
                    traded.insert(symbol.clone());
                    for (subscription, changes) in self.subscriptions.iter().zip(&mut changes) {
                        if subscription.sees(symbol, print.stamp.seq) {
                            changes.push(Change {
                                action: Action::New,
                                symbol: symbol.clone(),
                                qty_decimals: *decimals,
                                entry: entries::print(print),
                            });
                        }
                    }
                }
                Frame::Signal(signal) => self.signal(session, door, *lane, signal, now_ns),
                Frame::Dropped { count } => {
                    let headline = format!("{count} prints or signals were dropped before this");
                    news(
                        session,
                        door,
                        &headline,
                        None,
                        "this reader was too slow",
                        now_ns,
                    );
                }
                _ => {}
            }
        }
        self.documents(session, door, now_ns);
        if !traded.is_empty() {
            self.statistics(&door.node.market(), &traded, &mut changes);
        }
        for (subscription, changes) in self.subscriptions.iter().zip(changes) {
            subscription.update(session, door, &changes, now_ns);
        }
    }

    /// Tells the documents that came about subscribed symbols.
    fn documents(&mut self, session: &mut Connected, door: &FixDoor, now_ns: u64) {
        let arrivals = door.node.documents().arrivals();
        let from = *self.documents.get_or_insert_with(|| arrivals.count());
        let arrived = arrivals.since(from);
        self.documents = Some(arrived.next);
        if arrived.missed > 0 {
            let headline = format!(
                "{} documents came before this and are not told",
                arrived.missed
            );
            news(session, door, &headline, None, "too many at once", now_ns);
        }
        for arrival in arrived.documents {
            let mut symbols: Vec<&str> = arrival.symbols.iter().map(String::as_str).collect();
            symbols.retain(|s| {
                self.subscriptions
                    .iter()
                    .any(|of| of.shown.contains_key(*s))
            });
            if !symbols.is_empty() {
                document(session, door, &arrival, &symbols, now_ns);
            }
        }
    }

    fn name(&mut self, lane: usize, instrument: &Instrument) {
        let named = (instrument.symbol().to_owned(), instrument.qty_decimals);
        self.names.insert((lane, instrument.id), named);
    }

    fn book(&mut self, lane: usize, book: &BookTop, changes: &mut [Vec<Change>]) {
        let Some((symbol, decimals)) = self.names.get(&(lane, book.instrument)) else {
            return;
        };
        for (subscription, changes) in self.subscriptions.iter_mut().zip(changes) {
            let request = &subscription.request;
            let Some(shown) = subscription.shown.get_mut(symbol) else {
                continue;
            };
            let levels = entries::levels(book, request.depth, request.kinds);
            let changed = entries::changes(&shown.levels, &levels);
            shown.levels = levels;
            changes.extend(changed.into_iter().map(|(action, entry)| Change {
                action,
                symbol: symbol.clone(),
                qty_decimals: *decimals,
                entry,
            }));
        }
    }

    fn statistics(
        &mut self,
        view: &MarketView,
        traded: &BTreeSet<String>,
        changes: &mut [Vec<Change>],
    ) {
        for (subscription, changes) in self.subscriptions.iter_mut().zip(changes) {
            let kinds = subscription.request.kinds;
            if !kinds.has_statistics() {
                continue;
            }
            for symbol in traded {
                let (Some(shown), Some(seen)) =
                    (subscription.shown.get_mut(symbol), view.symbol(symbol))
                else {
                    continue;
                };
                let now = entries::statistics(seen, kinds);
                let changed = entries::changes(&shown.statistics, &now);
                shown.statistics = now;
                changes.extend(changed.into_iter().map(|(action, entry)| Change {
                    action,
                    symbol: symbol.clone(),
                    qty_decimals: seen.instrument.qty_decimals,
                    entry,
                }));
            }
        }
    }

    fn signal(
        &self,
        session: &mut Connected,
        door: &FixDoor,
        lane: usize,
        signal: &Signal,
        now_ns: u64,
    ) {
        let Some((symbol, _)) = self.names.get(&(lane, signal.instrument)) else {
            return;
        };
        let wanted = self
            .subscriptions
            .iter()
            .any(|s| s.shown.contains_key(symbol));
        if wanted {
            let headline = headline(symbol, signal);
            let trust = format!(
                "integrity {}, event time {} ns",
                words::integrity(signal.integrity),
                signal.stamp.ts_event
            );
            news(session, door, &headline, Some(symbol), &trust, now_ns);
        }
    }
}

impl Subscription {
    /// Whether a print is told.
    fn sees(&self, symbol: &str, seq: u64) -> bool {
        let shown = self.shown.get(symbol);
        self.request.kinds.has(b'2') && shown.is_some_and(|shown| seq > shown.printed_seq)
    }

    fn update(&self, session: &mut Connected, door: &FixDoor, changes: &[Change], now_ns: u64) {
        if changes.is_empty() {
            return;
        }
        if self.request.full_refresh {
            let view = door.node.market();
            let symbols: BTreeSet<&str> = changes.iter().map(|c| c.symbol.as_str()).collect();
            for symbol in symbols {
                if let Some(shown) = self.shown.get(symbol) {
                    snapshot(session, door, &view, symbol, &self.request, shown, now_ns);
                    add(&door.counters.updates);
                }
            }
            return;
        }
        let version = Version::of(session.config());
        for part in changes.chunks(ENTRIES_LIMIT) {
            let sent = session.send(b"X", now_ns, |w| {
                w.text(tag::MD_REQ_ID, &self.request.id)
                    .uint(tag::NO_MD_ENTRIES, part.len() as u64);
                for change in part {
                    let update = Some((change.action, change.symbol.as_str()));
                    change.entry.write(w, update, change.qty_decimals, version);
                }
            });
            if sent.is_ok() {
                add(&door.counters.updates);
            }
        }
    }
}

/// What a request sees of a symbol now.
fn state(view: &MarketView, symbol: &str, request: &Request) -> Shown {
    let Some(seen) = view.symbol(symbol) else {
        return Shown::default();
    };
    let book = seen.book.as_ref();
    Shown {
        levels: book.map_or_else(Vec::new, |b| {
            entries::levels(b, request.depth, request.kinds)
        }),
        statistics: entries::statistics(seen, request.kinds),
        printed_seq: seen.last.map_or(0, |print| print.stamp.seq),
    }
}

fn snapshot(
    session: &mut Connected,
    door: &FixDoor,
    view: &MarketView,
    symbol: &str,
    request: &Request,
    shown: &Shown,
    now_ns: u64,
) {
    let Some(seen) = view.symbol(symbol) else {
        return;
    };
    let last = seen.last.filter(|_| request.kinds.has(b'2'));
    let last = last.as_ref().map(entries::print);
    let all: Vec<&Entry> = shown
        .levels
        .iter()
        .chain(last.as_ref())
        .chain(&shown.statistics)
        .collect();
    let book = seen.book.as_ref();
    let flags = book.map_or_else(|| Flags::of(seen.integrity()), Flags::of_book);
    let version = Version::of(session.config());
    let decimals = seen.instrument.qty_decimals;
    // A snapshot fits the session's largest message: 20 levels, a print and five statistics.
    let _sent = session.send(b"W", now_ns, |w| {
        w.text(tag::MD_REQ_ID, &request.id)
            .text(tag::SYMBOL, symbol.as_bytes());
        if version == Version::Fix50Sp2 {
            let at_ns = seen.ts_event().unwrap_or(now_ns);
            w.timestamp(tag::LAST_UPDATE_TIME, at_ns, wire::fix::Precision::Millis);
        }
        if all.is_empty() {
            // Nothing rests and nothing traded: that is to be known too.
            if version == Version::Fix42 {
                w.uint(tag::NO_MD_ENTRIES, 0);
            } else {
                w.uint(tag::NO_MD_ENTRIES, 1).char(tag::MD_ENTRY_TYPE, b'J');
                flags.write(w);
            }
            return;
        }
        w.uint(tag::NO_MD_ENTRIES, all.len() as u64);
        for entry in &all {
            entry.write(w, None, decimals, version);
        }
    });
    // A snapshot of FIX 4.2 without entries has no place for the flags.
    if let Some(text) = flags
        .text()
        .filter(|_| all.is_empty() && version == Version::Fix42)
    {
        let headline = format!("{symbol}: the empty book is not to be trusted");
        news(session, door, &headline, Some(symbol), text, now_ns);
    }
}
