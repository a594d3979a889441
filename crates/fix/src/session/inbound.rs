//! What the counterparty says: framing, order, and the session's own messages.

use wire::fix::{Fault, Found, Garbled, Message, find, tag};

use super::resend::is_own;
use super::rules::Head;
use super::{Event, Phase, Role, SECOND, Session};
use crate::store::Store;
use crate::validate::{self, Violation};

/// Longest heartbeat interval taken, seconds: a day.
const HEARTBEAT_S_LIMIT: u64 = 86_400;
/// A range that was asked for and did not come is asked for again after so long.
const REQUEST_NS_LIMIT: u64 = 30 * SECOND;

impl<S: Store> Session<S> {
    /// Takes bytes from the socket.
    pub fn receive(&mut self, bytes: &[u8], now_ns: u64) {
        let mut inbox = std::mem::take(&mut self.inbox);
        inbox.extend(bytes);
        let mut at = 0;
        while !self.output.close && self.phase != Phase::Down {
            match find(&inbox[at..], self.config.message_limit) {
                Found::Message(message) => {
                    at += message.bytes().len();
                    self.message(&message, now_ns);
                }
                Found::Garbled(garbled) => {
                    at += extent(&inbox[at..], garbled);
                    self.garbled(&garbled.fault.to_string());
                }
                Found::More { .. } => break,
            }
        }
        inbox.drain(..at);
        self.inbox = inbox;
    }

    /// Garbage is ignored: its number will be missing, and asked for again.
    fn garbled(&mut self, what: &str) {
        self.status.garbled += 1;
        if self.phase == Phase::Waiting {
            self.close(format!("no Logon but garbage: {what}"));
        }
    }

    /// Takes a whole message.
    pub fn message(&mut self, message: &Message<'_>, now_ns: u64) {
        self.received_ns = now_ns;
        if validate::is_garbled(message) {
            return self.garbled("a field without a tag or a value");
        }
        self.tests = 0;
        let head = Head::of(message);
        if self.phase == Phase::Waiting {
            return self.first(message, &head, now_ns);
        }
        if message.begin_string() != self.config.begin_string.as_bytes() {
            return self.logout(Some("Incorrect BeginString"), now_ns);
        }
        let Some(seq) = head.seq else {
            return self.leave("MsgSeqNum missing", now_ns);
        };
        if !self.believes(message, &head, seq, now_ns) {
            return;
        }
        if self.in_order(message, &head, seq, now_ns) {
            self.process(message, &head, seq, now_ns);
            self.unqueue(now_ns);
        }
    }

    /// A Logout with the reason, and the end at once.
    fn leave(&mut self, why: &str, now_ns: u64) {
        if self.phase == Phase::Up {
            self.say_logout(Some(why), now_ns);
        }
        self.close(why);
    }

    /// CompIDs and clock. What fails here is rejected, and the session is over.
    fn believes(&mut self, message: &Message<'_>, head: &Head<'_>, seq: u64, now_ns: u64) -> bool {
        let violation = if !head.is_timely(&self.config, now_ns) {
            Violation::SENDING_TIME
        } else if !head.is_of(&self.config) {
            Violation::COMP_ID
        } else {
            return true;
        };
        self.refuse(message, head, seq, &violation, now_ns);
        self.logout(None, now_ns);
        false
    }

    /// Rejects a message, which counts as received where it was the expected one.
    fn refuse(
        &mut self,
        message: &Message<'_>,
        head: &Head<'_>,
        seq: u64,
        violation: &Violation,
        now_ns: u64,
    ) {
        self.reject(seq, message.msg_type(), &head.way_back(), violation, now_ns);
        if !matches!(message.msg_type(), b"4" | b"A") {
            self.count(seq);
        }
    }

    /// The expected number is taken.
    fn count(&mut self, seq: u64) {
        if seq == self.store.next_target() {
            self.expect(seq + 1);
            self.status.received += 1;
        }
    }

    fn expect(&mut self, seq: u64) {
        let kept = self.store.set_next_target(seq);
        self.kept(kept);
        if self.requested.is_some_and(|(to, _)| seq > to) {
            self.requested = None;
        }
    }

    /// Whether the message's turn has come. One ahead is held, and what is missing asked for; an old
    /// one that says so is dropped; any other old one ends the session.
    fn in_order(&mut self, message: &Message<'_>, head: &Head<'_>, seq: u64, now_ns: u64) -> bool {
        let gap_fill = |m: &Message<'_>| m.get(tag::GAP_FILL_FLAG).is_some_and(|f| f.value == b"Y");
        match message.msg_type() {
            b"2" | b"5" => return true,
            b"4" if !gap_fill(message) => return true,
            b"A" if message
                .get(tag::RESET_SEQ_NUM_FLAG)
                .is_some_and(|f| f.value == b"Y") =>
            {
                return true;
            }
            _ => {}
        }
        let expected = self.store.next_target();
        if seq > expected {
            self.hold(message, seq, now_ns);
            return false;
        }
        if head.poss_dup
            && message.msg_type() != b"4"
            && let Some(violation) = self.duplicate_fault(head)
        {
            self.refuse(message, head, seq, &violation, now_ns);
            if violation == Violation::SENDING_TIME {
                self.logout(None, now_ns);
            }
            return false;
        }
        if seq < expected {
            if !head.poss_dup {
                let why = format!("MsgSeqNum too low, expecting {expected} but received {seq}");
                self.leave(&why, now_ns);
            }
            return false;
        }
        true
    }

    /// Holds a message whose turn has not come.
    fn hold(&mut self, message: &Message<'_>, seq: u64, now_ns: u64) {
        // What finds no room will come again: the request has no end.
        if self.queue.len() < self.config.queue_limit {
            self.queue.insert(seq, message.bytes().to_vec());
        }
        let waits = self
            .requested
            .is_some_and(|(_, asked_ns)| now_ns.saturating_sub(asked_ns) < REQUEST_NS_LIMIT);
        if !waits {
            self.requested = Some((seq - 1, now_ns));
            let from = self.store.next_target();
            self.resend_request(from, now_ns);
        }
    }

    /// Messages whose turn has come by now.
    fn unqueue(&mut self, now_ns: u64) {
        while !self.output.close && self.phase != Phase::Down {
            let expected = self.store.next_target();
            self.queue = self.queue.split_off(&expected);
            let Some(bytes) = self.queue.remove(&expected) else {
                return;
            };
            let Ok(message) = Message::parse(&bytes) else {
                return;
            };
            // A Logon was answered and a request served when they came.
            if matches!(message.msg_type(), b"A" | b"2") {
                self.count(expected);
            } else {
                let head = Head::of(&message);
                self.process(&message, &head, expected, now_ns);
            }
        }
    }

    /// The first message of a connection: a Logon that is right in every way, or the end.
    fn first(&mut self, message: &Message<'_>, head: &Head<'_>, now_ns: u64) {
        let wrong = if message.msg_type() != b"A" {
            Some("the first message is no Logon".to_owned())
        } else if message.begin_string() != self.config.begin_string.as_bytes() {
            Some("Logon with another BeginString".to_owned())
        } else if !head.is_of(&self.config) {
            Some("Logon with other CompIDs".to_owned())
        } else if !head.is_timely(&self.config, now_ns) {
            Some("Logon with a SendingTime that is not now".to_owned())
        } else {
            validate::check(message, &self.dictionaries, self.config.rules)
                .err()
                .map(|violation| format!("Logon: {} ({:?})", violation.text, violation.ref_tag))
        };
        match (wrong, head.seq) {
            (Some(why), _) => self.close(why),
            (None, None) => self.close("Logon without MsgSeqNum"),
            (None, Some(seq)) => self.logged_on(message, seq, now_ns),
        }
    }

    fn logged_on(&mut self, message: &Message<'_>, seq: u64, now_ns: u64) {
        let int = |tag| message.get(tag).and_then(|field| field.uint().ok());
        let heartbeat_s = int(tag::HEART_BT_INT).unwrap_or(u64::MAX);
        if int(tag::ENCRYPT_METHOD) != Some(0) || heartbeat_s > HEARTBEAT_S_LIMIT {
            return self.close("Logon with encryption, or with a heartbeat beyond a day");
        }
        if let Some(ours) = &self.config.appl_ver_id
            && message.get(tag::DEFAULT_APPL_VER_ID).map(|f| f.value) != Some(ours.as_bytes())
        {
            let why = format!("DefaultApplVerID must be {ours}");
            self.say_logout(Some(&why), now_ns);
            return self.close(why);
        }
        let flag = message.get(tag::RESET_SEQ_NUM_FLAG);
        let reset = flag.is_some_and(|field| field.value == b"Y");
        if reset && seq != 1 {
            return self.leave_first("ResetSeqNumFlag needs MsgSeqNum 1", now_ns);
        }
        // An initiator that asked for the reset has its own Logon as number 1 already.
        let asked = self.config.role != Role::Acceptor;
        if !asked && (reset || self.config.reset_on_logon) {
            let kept = self.store.reset(now_ns);
            self.kept(kept);
        } else if reset && self.store.next_target() != 1 {
            self.expect(1);
        }
        let expected = self.store.next_target();
        if seq < expected {
            let why = format!("MsgSeqNum too low, expecting {expected} but received {seq}");
            return self.leave_first(&why, now_ns);
        }
        let theirs = int(tag::NEXT_EXPECTED_MSG_SEQ_NUM);
        let ours = self.store.next_sender();
        if let Some(theirs) = theirs.filter(|&theirs| theirs > ours) {
            let why =
                format!("NextExpectedMsgSeqNum too high, expecting {ours} but received {theirs}");
            return self.leave_first(&why, now_ns);
        }
        if self.config.role == Role::Acceptor {
            self.heartbeat_ns = heartbeat_s * SECOND;
            let next = theirs.map(|_| expected + u64::from(seq == expected));
            self.logon(reset, next, now_ns);
        }
        self.enter(Phase::Up, now_ns);
        self.status.logons += 1;
        self.event(Event::LoggedOn);
        if let Some(theirs) = theirs.filter(|&theirs| theirs < ours) {
            self.resend(theirs, ours - 1, now_ns);
        }
        if seq > expected {
            self.hold(message, seq, now_ns);
        } else {
            self.count(seq);
            self.unqueue(now_ns);
        }
    }

    fn leave_first(&mut self, why: &str, now_ns: u64) {
        self.say_logout(Some(why), now_ns);
        self.close(why);
    }

    /// A message in its order: checked, then done.
    fn process(&mut self, message: &Message<'_>, head: &Head<'_>, seq: u64, now_ns: u64) {
        if let Err(violation) = validate::check(message, &self.dictionaries, self.config.rules) {
            return self.refuse(message, head, seq, &violation, now_ns);
        }
        let value = |tag| message.get(tag).map(|field| field.value);
        let int = |tag| message.get(tag).and_then(|field| field.uint().ok());
        match message.msg_type() {
            b"0" => self.count(seq),
            b"1" => {
                self.count(seq);
                self.heartbeat(value(tag::TEST_REQ_ID), now_ns);
            }
            b"2" => {
                self.count(seq);
                let from = int(tag::BEGIN_SEQ_NO).unwrap_or(1);
                self.resend(from, int(tag::END_SEQ_NO).unwrap_or(0), now_ns);
            }
            b"3" => {
                self.count(seq);
                self.event(Event::Rejected(message.bytes().to_vec()));
            }
            b"4" => self.sequence_reset(message, head, seq, now_ns),
            b"5" => self.logged_out(seq, value(tag::TEXT), now_ns),
            b"A" => self.logon_again(message, seq, now_ns),
            msg_type => {
                debug_assert!(!is_own(msg_type));
                self.count(seq);
                self.event(Event::Message(message.bytes().to_vec()));
            }
        }
    }

    fn sequence_reset(&mut self, message: &Message<'_>, head: &Head<'_>, seq: u64, now_ns: u64) {
        let next = message.get(tag::NEW_SEQ_NO).and_then(|f| f.uint().ok());
        let next = next.unwrap_or(0);
        let expected = self.store.next_target();
        if next < expected {
            return self.refuse(message, head, seq, &Violation::value(None), now_ns);
        }
        self.expect(next);
    }

    fn logged_out(&mut self, seq: u64, text: Option<&[u8]>, now_ns: u64) {
        self.count(seq);
        if self.phase == Phase::Up {
            self.say_logout(None, now_ns);
        }
        let text = String::from_utf8_lossy(text.unwrap_or_default()).into_owned();
        self.close(if text.is_empty() {
            "Logout".to_owned()
        } else {
            format!("Logout: {text}")
        });
    }

    /// A Logon inside a session: both sides start their numbers again, or it changes nothing.
    fn logon_again(&mut self, message: &Message<'_>, seq: u64, now_ns: u64) {
        let reset = message.get(tag::RESET_SEQ_NUM_FLAG);
        if reset.is_some_and(|flag| flag.value == b"Y") {
            if seq != 1 {
                return self.leave("ResetSeqNumFlag needs MsgSeqNum 1", now_ns);
            }
            self.queue.clear();
            self.requested = None;
            self.resending = None;
            if self.config.role == Role::Acceptor {
                let kept = self.store.reset(now_ns);
                self.kept(kept);
                self.logon(true, None, now_ns);
            } else {
                self.expect(1);
            }
        }
        self.count(seq);
    }
}

/// How much garbage goes. Where a wrong length points into the stream, it is believed: what it
/// covers is garbled with it, up to and with the checksum behind.
fn extent(bytes: &[u8], garbled: Garbled) -> usize {
    let Fault::Trailer { at } = garbled.fault else {
        return garbled.size;
    };
    let rest = &bytes[at - 1..];
    let trailer = rest.windows(4).position(|four| four == b"\x0110=");
    let end = trailer.and_then(|start| {
        let soh = rest[start + 1..].iter().position(|&byte| byte == 0x01)?;
        Some(at - 1 + start + 1 + soh + 1)
    });
    end.unwrap_or(garbled.size)
}
