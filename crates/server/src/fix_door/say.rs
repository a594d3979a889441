//! Messages that are no market data: refusals, news, lists of symbols.

use ::fix::{FileStore, Session};
use market::publish::{Signal, SignalKind};
use node::market::MarketView;
use node::memory::Arrival;
use wire::fix::{Message, Precision, Writer, tag};

use super::request::Refusal;
use super::{FixDoor, Version, add};

/// Bytes of a text that stand for the headline it does not have.
const HEADLINE_SIZE_MAX: usize = 120;
/// Symbols in one part of a security list.
const LISTED_LIMIT: usize = 200;

/// A session of the door.
pub type Connected = Session<FileStore>;

/// Refuses a MarketDataRequest.
pub fn refuse(session: &mut Connected, message: &Message<'_>, refused: &Refusal, now_ns: u64) {
    let id = message.get(tag::MD_REQ_ID).map(|field| field.value);
    let _sent = session.send(b"Y", now_ns, |w| {
        w.text(tag::MD_REQ_ID, id.unwrap_or(b"?"));
        if let Some(reason) = refused.reason {
            w.char(tag::MD_REQ_REJ_REASON, reason);
        }
        w.text(tag::TEXT, refused.text.as_bytes());
    });
}

/// Tells news, about a symbol where there is one.
pub fn news(
    session: &mut Connected,
    door: &FixDoor,
    headline: &str,
    symbol: Option<&str>,
    text: &str,
    now_ns: u64,
) {
    let related = related(session);
    let sent = session.send(b"B", now_ns, |w: &mut Writer<'_>| {
        w.text(tag::HEADLINE, headline.as_bytes());
        if let Some(symbol) = symbol {
            w.uint(tag::NO_RELATED_SYM, 1)
                .text(related, symbol.as_bytes());
        }
        w.uint(tag::NO_LINES_OF_TEXT, 1)
            .text(tag::TEXT, text.as_bytes());
    });
    if sent.is_ok() {
        add(&door.counters.news);
    }
}

/// Tells a document about `symbols`, all of them subscribed.
pub fn document(
    session: &mut Connected,
    door: &FixDoor,
    document: &Arrival,
    symbols: &[&str],
    now_ns: u64,
) {
    let related = related(session);
    let text = printable(&document.text);
    let headline = match &document.title {
        Some(title) => printable(title),
        None => text[..text.floor_char_boundary(HEADLINE_SIZE_MAX)].to_owned(),
    };
    let url = document.url.as_deref().map(printable);
    let sent = session.send(b"B", now_ns, |w: &mut Writer<'_>| {
        w.timestamp(tag::ORIG_TIME, document.known_at, Precision::Millis)
            .text(tag::HEADLINE, headline.as_bytes())
            .uint(tag::NO_RELATED_SYM, symbols.len() as u64);
        for symbol in symbols {
            w.text(related, symbol.as_bytes());
        }
        w.uint(tag::NO_LINES_OF_TEXT, 1)
            .text(tag::TEXT, text.as_bytes());
        if let Some(url) = url {
            w.text(tag::URL_LINK, url.as_bytes());
        }
    });
    if sent.is_ok() {
        add(&door.counters.news);
    }
}

/// A text as a field may hold it: no control characters, and never empty.
fn printable(text: &str) -> String {
    let shown = text.trim().replace(char::is_control, " ");
    if shown.is_empty() {
        "-".to_owned()
    } else {
        shown
    }
}

/// The field that names a symbol in news.
fn related(session: &Connected) -> u32 {
    match Version::of(session.config()) {
        Version::Fix42 => tag::RELATD_SYM,
        Version::Fix44 | Version::Fix50Sp2 => tag::SYMBOL,
    }
}

/// What a signal is called.
pub fn headline(symbol: &str, signal: &Signal) -> String {
    match signal.kind {
        SignalKind::Jump {
            from, to, move_bp, ..
        } => format!("{symbol} jumped {move_bp:+} bp, from {from} to {to}"),
        SignalKind::Halt { reason } => {
            format!("{symbol} halted {}", reason.escape_ascii())
        }
        SignalKind::Resume => format!("{symbol} trades again"),
        SignalKind::Rule { rule, .. } => format!("{symbol}: {}", rule.as_str()),
    }
}

/// A field's value; one that is not there reads as empty, which matches nothing.
fn value<'a>(message: &Message<'a>, tag: u32) -> &'a [u8] {
    message.get(tag).map_or(&[], |field| field.value)
}

/// Answers a SecurityDefinitionRequest of FIX 4.2 for the list (3) or for one symbol (0): a definition each.
pub fn define(session: &mut Connected, view: &MarketView, message: &Message<'_>, now_ns: u64) {
    let value = |tag| value(message, tag);
    let id = value(tag::SECURITY_REQ_ID);
    let found: Vec<_> = match value(tag::SECURITY_REQUEST_TYPE) {
        b"0" => {
            let symbol = String::from_utf8_lossy(value(tag::SYMBOL));
            view.symbol(&symbol).into_iter().collect()
        }
        b"3" => view.symbols().iter().collect(),
        _ => Vec::new(),
    };
    let mut say = |idx: usize, kind: u64, symbol: Option<&str>| {
        let _sent = session.send(b"d", now_ns, |w| {
            w.text(tag::SECURITY_REQ_ID, id)
                .uint(tag::SECURITY_RESPONSE_ID, idx as u64 + 1)
                .uint(tag::SECURITY_RESPONSE_TYPE, kind)
                .uint(tag::TOT_NO_RELATED_SYM, found.len() as u64);
            if let Some(symbol) = symbol {
                w.text(tag::SYMBOL, symbol.as_bytes());
            }
        });
    };
    // 4: one of the list; 6: nothing matches.
    if found.is_empty() {
        return say(0, 6, None);
    }
    for (idx, symbol) in found.iter().enumerate() {
        say(idx, 4, Some(&symbol.symbol));
    }
}

/// Answers a SecurityListRequest with every symbol, or the one asked for, in parts.
pub fn list(session: &mut Connected, view: &MarketView, message: &Message<'_>, now_ns: u64) {
    let value = |tag| value(message, tag);
    let id = value(tag::SECURITY_REQ_ID);
    let all = match value(tag::SECURITY_LIST_REQUEST_TYPE) {
        b"0" => {
            let symbol = String::from_utf8_lossy(value(tag::SYMBOL));
            Some(view.symbol(&symbol).into_iter().collect())
        }
        b"4" => Some(view.symbols().iter().collect::<Vec<_>>()),
        _ => None,
    };
    // 1: invalid or unsupported request; 2: nothing found.
    let (result, listed) = match all {
        None => (1, Vec::new()),
        Some(found) if found.is_empty() => (2, found),
        Some(found) => (0, found),
    };
    let total = listed.len();
    let mut parts: Vec<&[_]> = listed.chunks(LISTED_LIMIT).collect();
    if parts.is_empty() {
        parts.push(&[]);
    }
    let last = parts.len() - 1;
    for (idx, part) in parts.into_iter().enumerate() {
        let _sent = session.send(b"y", now_ns, |w| {
            w.text(tag::SECURITY_REQ_ID, id)
                .uint(tag::SECURITY_RESPONSE_ID, idx as u64 + 1)
                .uint(tag::SECURITY_REQUEST_RESULT, result);
            if part.is_empty() {
                return;
            }
            w.uint(tag::TOT_NO_RELATED_SYM, total as u64)
                .bool(tag::LAST_FRAGMENT, idx == last)
                .uint(tag::NO_RELATED_SYM, part.len() as u64);
            for symbol in part {
                w.text(tag::SYMBOL, symbol.symbol.as_bytes());
            }
        });
    }
}
