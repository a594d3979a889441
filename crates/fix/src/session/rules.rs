//! What the session needs of a message, and whether the message may be believed.

use wire::fix::{Message, tag};

use super::outbound::Extras;
use super::{Config, Session};
use crate::store::Store;
use crate::validate::Violation;

/// The header fields that decide what happens to a message. Unreadable ones count as absent: the
/// dictionary names them.
#[derive(Clone, Copy, Default)]
pub(super) struct Head<'a> {
    pub seq: Option<u64>,
    pub sender: Option<&'a [u8]>,
    pub target: Option<&'a [u8]>,
    pub sent_ns: Option<u64>,
    pub orig_sent_ns: Option<u64>,
    pub has_orig: bool,
    pub poss_dup: bool,
    /// `OnBehalfOf` CompID, SubID, LocationID, and the same of `DeliverTo`.
    route: [Option<&'a [u8]>; 6],
}

/// OnBehalfOfCompID, -SubID, -LocationID, DeliverToCompID, -SubID, -LocationID.
const ROUTE: [u32; 6] = [115, 116, 144, 128, 129, 145];

impl<'a> Head<'a> {
    pub(super) fn of(message: &Message<'a>) -> Self {
        let mut head = Self::default();
        for field in message.fields().map_while(Result::ok) {
            let text = (!field.value.is_empty()).then_some(field.value);
            match field.tag {
                tag::MSG_SEQ_NUM => head.seq = head.seq.or(field.uint().ok()),
                tag::SENDER_COMP_ID => head.sender = head.sender.or(text),
                tag::TARGET_COMP_ID => head.target = head.target.or(text),
                tag::SENDING_TIME => head.sent_ns = head.sent_ns.or(field.timestamp().ok()),
                tag::ORIG_SENDING_TIME => {
                    head.has_orig = true;
                    head.orig_sent_ns = field.timestamp().ok();
                }
                tag::POSS_DUP_FLAG => head.poss_dup = field.value == b"Y",
                other => {
                    if let Some(idx) = ROUTE.iter().position(|&tag| tag == other) {
                        head.route[idx] = text;
                    }
                }
            }
        }
        head
    }

    /// The way back: on behalf of whom it came is to whom the answer goes, and the reverse.
    pub(super) fn way_back(&self) -> Extras {
        let reversed = [128, 129, 145, 115, 116, 144];
        let mut extras: Extras = reversed
            .into_iter()
            .zip(self.route)
            .filter_map(|(tag, value)| Some((tag, value?.to_vec())))
            .collect();
        extras.sort_by_key(|(tag, _)| *tag);
        extras
    }

    /// Whether the CompIDs are those agreed on; absent ones are the dictionary's business.
    pub(super) fn is_of(&self, config: &Config) -> bool {
        self.sender.is_none_or(|id| id == config.target.as_bytes())
            && self.target.is_none_or(|id| id == config.sender.as_bytes())
    }

    /// Whether it was sent when our clock says it is now.
    pub(super) fn is_timely(&self, config: &Config, now_ns: u64) -> bool {
        self.sent_ns
            .is_none_or(|sent| sent.abs_diff(now_ns) <= config.latency_ns_max)
    }
}

impl<S: Store> Session<S> {
    /// The rules of a possible duplicate: it says when it was first sent, and that was before.
    pub(super) fn duplicate_fault(&self, head: &Head<'_>) -> Option<Violation> {
        if !head.has_orig {
            return Some(Violation::required(tag::ORIG_SENDING_TIME));
        }
        let later = head.orig_sent_ns > head.sent_ns && head.sent_ns.is_some();
        later.then_some(Violation::SENDING_TIME)
    }
}
