//! Sending again what was asked for: messages as possible duplicates, gaps in place of the rest.

use wire::fix::{Message, Precision, Writer, tag};

use super::Session;
use super::outbound::{Extras, Head};
use crate::store::Store;

/// Room for `YYYYMMDD-HH:MM:SS.sss` as a field, alone in a message.
const TIME_ROOM: usize = 96;

/// Bytes put together at once; the rest follows when these were taken.
const BYTES_LIMIT: usize = 256 << 10;
/// Numbers looked up at once: those that the store has forgotten cost time and make no bytes.
const NUMBERS_LIMIT: u64 = 65_536;

/// What is left of a resend.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rest {
    next: u64,
    to: u64,
    /// The first of the numbers before `next` that carry nothing, which nobody has said yet.
    gap: Option<u64>,
}

impl<S: Store> Session<S> {
    /// Answers a request for `from` to `to`; 0 asks for all up to the newest.
    pub(super) fn resend(&mut self, from: u64, to: u64, now_ns: u64) {
        let newest = self.store.next_sender() - 1;
        let to = if to == 0 { newest } else { to.min(newest) };
        let mut rest = Rest {
            next: from.max(1),
            to,
            gap: None,
        };
        // Asked again in the middle of it: one that covers both, since possible duplicates harm nobody.
        if let Some(before) = self.resending {
            rest.next = rest.next.min(before.gap.unwrap_or(before.next));
            rest.to = rest.to.max(before.to);
        }
        self.resending = Some(rest);
        self.resend_on(now_ns);
    }

    /// Sends again what fits into a piece.
    pub(super) fn resend_on(&mut self, now_ns: u64) {
        let Some(mut rest) = self.resending.take() else {
            return;
        };
        let end = rest.to.min(rest.next.saturating_add(NUMBERS_LIMIT));
        while rest.next <= end && self.output.bytes.len() < BYTES_LIMIT {
            let message = match self.store.read(rest.next) {
                Ok(message) => message,
                Err(error) => return self.kept(Err(error)),
            };
            let again = message.as_deref().and_then(|m| Message::parse(m).ok());
            match again.filter(|message| !is_own(message.msg_type())) {
                Some(message) => {
                    self.fill(rest.gap.take(), rest.next, now_ns);
                    self.send_again(&message, rest.next, now_ns);
                }
                // Session messages are never repeated, and forgotten ones cannot be.
                None => _ = rest.gap.get_or_insert(rest.next),
            }
            if self.output.close {
                return;
            }
            rest.next += 1;
        }
        if rest.next > rest.to {
            self.fill(rest.gap, rest.to + 1, now_ns);
        } else {
            self.resending = Some(rest);
        }
    }

    /// Says that the numbers from `gap` up to `next` carry nothing.
    fn fill(&mut self, gap: Option<u64>, next: u64, now_ns: u64) {
        let Some(seq) = gap else {
            return;
        };
        self.status.gap_fills += 1;
        let extras = vec![(tag::ORIG_SENDING_TIME, time_text(now_ns))];
        let head = Head {
            msg_type: b"4",
            seq,
            poss_dup: true,
            extras: &extras,
        };
        let written = self.compose(head, now_ns, |w| {
            w.uint(tag::NEW_SEQ_NO, next).bool(tag::GAP_FILL_FLAG, true);
        });
        if let Err(error) = written {
            self.close(error.to_string());
        }
    }

    fn send_again(&mut self, message: &Message<'_>, seq: u64, now_ns: u64) {
        let (mut extras, mut body_at) = (Extras::new(), message.bytes().len());
        let header = self.dictionaries.header();
        for field in message.fields().map_while(Result::ok) {
            match field.tag {
                tag::MSG_TYPE
                | tag::MSG_SEQ_NUM
                | tag::SENDER_COMP_ID
                | tag::TARGET_COMP_ID
                | tag::POSS_DUP_FLAG => {}
                tag::SENDING_TIME => extras.push((tag::ORIG_SENDING_TIME, field.value.to_vec())),
                tag if header.members.contains(&tag) => extras.push((tag, field.value.to_vec())),
                _ => {
                    body_at = field.at;
                    break;
                }
            }
        }
        extras.sort_by_key(|(tag, _)| *tag);
        let head = Head {
            msg_type: message.msg_type(),
            seq,
            poss_dup: true,
            extras: &extras,
        };
        let body = message.bytes();
        let body = body.get(body_at..body.len() - 7).unwrap_or_default();
        match self.compose(head, now_ns, |w| _ = w.encoded(body)) {
            Ok(_) => self.status.resent += 1,
            Err(error) => self.close(error.to_string()),
        }
    }
}

/// Whether a message is the session's own business.
pub(super) fn is_own(msg_type: &[u8]) -> bool {
    matches!(msg_type, [b'0'..=b'5' | b'A'])
}

/// A time as the text of a field.
fn time_text(now_ns: u64) -> Vec<u8> {
    let mut room = [0; TIME_ROOM];
    let mut w = Writer::new(&mut room, b"FIX", b"0");
    w.timestamp(tag::SENDING_TIME, now_ns, Precision::Millis);
    let text = w.finish().ok().and_then(|bytes| Message::parse(bytes).ok());
    text.and_then(|message| message.get(tag::SENDING_TIME))
        .map(|field| field.value.to_vec())
        .unwrap_or_default()
}
