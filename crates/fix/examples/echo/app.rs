//! The application that acceptance definitions speak with: it echoes orders, security definitions and
//! e-mail, and refuses the rest.

use std::collections::HashSet;

use fix::{Event, Session, Store};
use wire::fix::{Message, tag};

/// `ClOrdID`
const CL_ORD_ID: u32 = 11;

/// What it has seen since the last logon.
#[derive(Default)]
pub struct Echo {
    orders: HashSet<Vec<u8>>,
}

impl Echo {
    /// Answers the events of one [`Session::take`].
    pub fn hear<S: Store>(&mut self, session: &mut Session<S>, events: Vec<Event>, now_ns: u64) {
        for event in events {
            match event {
                Event::Message(bytes) => {
                    let message = Message::parse(&bytes).expect("the session parsed it");
                    self.answer(session, &message, now_ns);
                }
                Event::LoggedOut(_) => self.orders.clear(),
                Event::LoggedOn | Event::Rejected(_) => {}
            }
        }
    }

    fn answer<S: Store>(&mut self, session: &mut Session<S>, message: &Message<'_>, now_ns: u64) {
        let value = |tag| message.get(tag).map(|field| field.value.to_vec());
        let again = value(tag::POSS_RESEND).is_some_and(|flag| flag == b"Y");
        match message.msg_type() {
            b"D" => {
                let new = self.orders.insert(value(CL_ORD_ID).unwrap_or_default());
                if again && !new {
                    return;
                }
            }
            b"d" | b"C" => {}
            msg_type => return unsupported(session, message, msg_type, now_ns),
        }
        let extras = if again {
            vec![(tag::POSS_RESEND, b"Y".to_vec())]
        } else {
            Vec::new()
        };
        let mut body: Vec<_> = message.fields().map_while(Result::ok).collect();
        // Header fields are the session's; the definitions expect the rest in rising order.
        body.retain(|field| !matches!(field.tag, 34 | 35 | 43 | 49 | 52 | 56 | 97 | 122));
        body.sort_by_key(|field| field.tag);
        let sent = session.send_with(message.msg_type(), &extras, now_ns, |w| {
            for field in &body {
                w.text(field.tag, field.value);
            }
        });
        assert!(sent.is_ok(), "an echo is as long as what it echoes");
    }
}

/// The definitions of FIX 5.0 expect the version that both sides speak in this one refusal.
fn unsupported<S: Store>(
    session: &mut Session<S>,
    message: &Message<'_>,
    kind: &[u8],
    now_ns: u64,
) {
    let seq = message.get(tag::MSG_SEQ_NUM).and_then(|f| f.uint().ok());
    let Some(id) = session.config().appl_ver_id.clone() else {
        return session.unsupported(seq.unwrap_or(0), kind, now_ns);
    };
    let sent = session.send(b"j", now_ns, |w| {
        w.uint(tag::REF_SEQ_NUM, seq.unwrap_or(0))
            .text(tag::TEXT, b"Unsupported Message Type")
            .text(tag::REF_MSG_TYPE, kind)
            .uint(tag::BUSINESS_REJECT_REASON, 3)
            .text(tag::DEFAULT_APPL_VER_ID, id.as_bytes());
    });
    assert!(sent.is_ok(), "a refusal is short");
}
