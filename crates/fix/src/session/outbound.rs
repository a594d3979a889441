//! What we say: header, number, store, and then the socket.

use wire::fix::{Precision, WriteError, Writer, tag};

use super::{Event, Phase, Session};
use crate::store::Store;
use crate::validate::Violation;

/// Why a message was not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// There is nobody to send it to: wait for [`Event::LoggedOn`].
    #[error("the FIX session is not logged on")]
    NotLoggedOn,
    /// It cannot be written.
    #[error("the FIX message cannot be written")]
    Write(#[from] WriteError),
}

/// The last `SessionRejectReason` of FIX 4.2: invalid MsgType.
const REASON_42_MAX: u32 = 11;

/// Header fields beside those that every message has, in rising order of their tags, all above 56.
pub(super) type Extras = Vec<(u32, Vec<u8>)>;

/// Number and kind of a message.
#[derive(Clone, Copy)]
pub(super) struct Head<'a> {
    pub msg_type: &'a [u8],
    pub seq: u64,
    pub poss_dup: bool,
    pub extras: &'a [(u32, Vec<u8>)],
}

impl<S: Store> Session<S> {
    /// Sends an application message; `body` writes its fields behind the header. Gives its number.
    ///
    /// # Errors
    ///
    /// When nobody is logged on, or the message is too long or has a value that cannot be written.
    pub fn send(
        &mut self,
        msg_type: &[u8],
        now_ns: u64,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u64, SendError> {
        self.send_with(msg_type, &[], now_ns, body)
    }

    /// [`Session::send`] with more header fields: pairs of tag and value, in rising order, all above
    /// 56 (`PossResend` is 97).
    ///
    /// # Errors
    ///
    /// As [`Session::send`].
    pub fn send_with(
        &mut self,
        msg_type: &[u8],
        extras: &[(u32, Vec<u8>)],
        now_ns: u64,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<u64, SendError> {
        if self.phase != Phase::Up {
            return Err(SendError::NotLoggedOn);
        }
        let seq = self.store.next_sender();
        self.say(msg_type, extras, now_ns, body)?;
        Ok(seq)
    }

    /// Refuses a message of a kind that we do not serve: `Business Message Reject` with reason 3.
    pub fn unsupported(&mut self, seq: u64, msg_type: &[u8], now_ns: u64) {
        self.say_own(b"j", now_ns, |w| {
            w.uint(tag::REF_SEQ_NUM, seq)
                .text(tag::TEXT, b"Unsupported Message Type")
                .text(tag::REF_MSG_TYPE, msg_type)
                .uint(tag::BUSINESS_REJECT_REASON, 3);
        });
    }

    /// Ends the session in good order: a Logout, and the end when it is answered.
    pub fn logout(&mut self, text: Option<&str>, now_ns: u64) {
        if matches!(self.phase, Phase::Down | Phase::Leaving) {
            return;
        }
        self.say_logout(text, now_ns);
        self.enter(Phase::Leaving, now_ns);
    }

    pub(super) fn say_logout(&mut self, text: Option<&str>, now_ns: u64) {
        self.say_own(b"5", now_ns, |w| {
            if let Some(text) = text {
                w.text(tag::TEXT, text.as_bytes());
            }
        });
    }

    pub(super) fn logon(&mut self, reset: bool, next_expected: Option<u64>, now_ns: u64) {
        let heartbeat_s = self.heartbeat_ns / super::SECOND;
        let appl_ver_id = self.config.appl_ver_id.clone();
        self.say_own(b"A", now_ns, |w| {
            w.uint(tag::ENCRYPT_METHOD, 0)
                .uint(tag::HEART_BT_INT, heartbeat_s);
            if reset {
                w.bool(tag::RESET_SEQ_NUM_FLAG, true);
            }
            if let Some(seq) = next_expected {
                w.uint(tag::NEXT_EXPECTED_MSG_SEQ_NUM, seq);
            }
            if let Some(id) = appl_ver_id {
                w.text(tag::DEFAULT_APPL_VER_ID, id.as_bytes());
            }
        });
    }

    pub(super) fn heartbeat(&mut self, answer_to: Option<&[u8]>, now_ns: u64) {
        self.say_own(b"0", now_ns, |w| match answer_to {
            // Where values may be empty, an empty identifier comes back as it came.
            Some(b"") => _ = w.encoded(b"112=\x01"),
            Some(id) => _ = w.text(tag::TEST_REQ_ID, id),
            None => {}
        });
    }

    pub(super) fn test_request(&mut self, id: &[u8], now_ns: u64) {
        self.say_own(b"1", now_ns, |w| _ = w.text(tag::TEST_REQ_ID, id));
    }

    pub(super) fn resend_request(&mut self, from: u64, now_ns: u64) {
        self.status.resend_requests += 1;
        self.say_own(b"2", now_ns, |w| {
            w.uint(tag::BEGIN_SEQ_NO, from).uint(tag::END_SEQ_NO, 0);
        });
    }

    pub(super) fn reject(
        &mut self,
        seq: u64,
        msg_type: &[u8],
        route: &Extras,
        violation: &Violation,
        now_ns: u64,
    ) {
        self.status.rejects += 1;
        // FIX 4.2 ends its list of reasons there: what is wrong beyond them only the text says.
        let known = self.config.begin_string != "FIX.4.2" || violation.reason <= REASON_42_MAX;
        let said = self.say(b"3", route, now_ns, |w| {
            w.uint(tag::REF_SEQ_NUM, seq)
                .text(tag::TEXT, violation.text.as_bytes());
            if let Some(ref_tag) = violation.ref_tag {
                w.int(tag::REF_TAG_ID, ref_tag);
            }
            w.text(tag::REF_MSG_TYPE, msg_type);
            if known {
                w.uint(tag::SESSION_REJECT_REASON, u64::from(violation.reason));
            }
        });
        self.fits(said);
    }

    /// A message of the session itself.
    fn say_own(&mut self, msg_type: &[u8], now_ns: u64, body: impl FnOnce(&mut Writer<'_>)) {
        let said = self.say(msg_type, &[], now_ns, body);
        self.fits(said);
    }

    fn fits(&mut self, said: Result<(), WriteError>) {
        if let Err(error) = said {
            // What the counterparty sent and we repeat does not fit: it is beyond all limits.
            self.close(error.to_string());
        }
    }

    /// Numbers, keeps and sends a message.
    fn say(
        &mut self,
        msg_type: &[u8],
        extras: &[(u32, Vec<u8>)],
        now_ns: u64,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<(), WriteError> {
        let head = Head {
            msg_type,
            seq: self.store.next_sender(),
            poss_dup: false,
            extras,
        };
        let size = self.compose(head, now_ns, body)?;
        let kept = self.store.sent(&self.scratch[..size]);
        self.kept(kept);
        self.status.sent += 1;
        Ok(())
    }

    /// Writes a message into the scratch buffer and appends it to the output. Gives its size.
    pub(super) fn compose(
        &mut self,
        head: Head<'_>,
        now_ns: u64,
        body: impl FnOnce(&mut Writer<'_>),
    ) -> Result<usize, WriteError> {
        let config = &self.config;
        let begin_string = config.begin_string.as_bytes();
        let mut w = Writer::new(&mut self.scratch, begin_string, head.msg_type);
        w.uint(tag::MSG_SEQ_NUM, head.seq);
        if head.poss_dup {
            w.bool(tag::POSS_DUP_FLAG, true);
        }
        w.text(tag::SENDER_COMP_ID, config.sender.as_bytes())
            .timestamp(tag::SENDING_TIME, now_ns, Precision::Millis)
            .text(tag::TARGET_COMP_ID, config.target.as_bytes());
        for (tag, value) in head.extras {
            w.text(*tag, value);
        }
        body(&mut w);
        let message = w.finish()?;
        self.output.bytes.extend(message);
        self.sent_ns = now_ns;
        Ok(message.len())
    }

    pub(super) fn event(&mut self, event: Event) {
        self.output.events.push(event);
    }
}
