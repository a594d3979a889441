//! A request for everything that a session ever sent: answered in pieces, in order, with all of it.

use std::path::Path;

use fix::{Config, Dictionaries, FileStore, Session, Store};
use wire::fix::{Found, Precision, Writer, find, tag};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_772_443_800 * SECOND;
const MESSAGES: u64 = 200_000;
/// What is put together at once, and a message.
const PIECE: usize = (256 << 10) + 1_024;

fn message(target: &str, seq: u64, kind: &[u8], body: impl FnOnce(&mut Writer<'_>)) -> Vec<u8> {
    let sender = if target == "DESK" { "VENUE" } else { "DESK" };
    let mut room = [0; 1_024];
    let mut w = Writer::new(&mut room, b"FIX.4.4", kind);
    w.uint(tag::MSG_SEQ_NUM, seq)
        .text(tag::SENDER_COMP_ID, sender.as_bytes())
        .timestamp(tag::SENDING_TIME, START, Precision::Millis)
        .text(tag::TARGET_COMP_ID, target.as_bytes());
    body(&mut w);
    w.finish().expect("fits").to_vec()
}

/// A store in which every third message is the session's own business, and so is not sent again.
fn filled(path: &Path) -> FileStore {
    let mut store = FileStore::open(path, 1 << 30, false).expect("opens");
    for seq in 1..=MESSAGES {
        let kept = if seq % 3 == 0 {
            message("DESK", seq, b"0", |_| {})
        } else {
            message("DESK", seq, b"B", |w| {
                w.text(tag::HEADLINE, format!("news {seq}").as_bytes())
                    .uint(tag::NO_LINES_OF_TEXT, 1)
                    .text(tag::TEXT, b"a line of text");
            })
        };
        store.sent(&kept).expect("kept");
        if seq % 1_000 == 0 {
            store.commit().expect("kept");
        }
    }
    store
}

/// Reads the messages of `bytes` and checks that their numbers go on from `next`; gives the next one.
fn follow(bytes: &[u8], mut next: u64) -> u64 {
    let mut at = 0;
    while at < bytes.len() {
        let Found::Message(message) = find(&bytes[at..], 1 << 20) else {
            panic!("whole messages")
        };
        at += message.bytes().len();
        let uint = |tag| message.get(tag).and_then(|field| field.uint().ok());
        assert_eq!(uint(tag::MSG_SEQ_NUM), Some(next));
        next = match message.msg_type() {
            b"4" => uint(tag::NEW_SEQ_NO).expect("a gap has an end"),
            _ => next + 1,
        };
    }
    next
}

#[test]
fn all_of_a_large_store_comes_in_pieces_and_in_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let config = Config::acceptor("FIX.4.4", "VENUE", "DESK");
    let store = filled(&folder.path().join("store"));
    let mut session = Session::new(config, Dictionaries::packaged(b"FIX.4.4"), store);
    session.connected(START);
    let logon = message("VENUE", 1, b"A", |w| {
        w.uint(tag::ENCRYPT_METHOD, 0).uint(tag::HEART_BT_INT, 0);
    });
    session.receive(&logon, START);
    session.take();
    let request = |seq, from| {
        message("VENUE", seq, b"2", |w| {
            w.uint(tag::BEGIN_SEQ_NO, from).uint(tag::END_SEQ_NO, 0);
        })
    };
    session.receive(&request(2, 1), START);
    let (mut next, mut pieces) = (1, 0);
    loop {
        let bytes = session.take().bytes;
        assert!(bytes.len() <= PIECE, "{} bytes at once", bytes.len());
        next = follow(&bytes, next);
        pieces += 1;
        if !session.is_resending() {
            break;
        }
        session.tick(START);
    }
    // Our Logon is the last that was sent, and is not repeated.
    assert_eq!(next, MESSAGES + 2);
    assert!(pieces > 50, "{pieces} pieces");
    assert_eq!(session.status().resent, MESSAGES - MESSAGES / 3);

    // Asked again in the middle: nothing between what was sent and what was asked for is left out.
    session.receive(&request(3, 150_000), START);
    let next = follow(&session.take().bytes, 150_000);
    assert!(session.is_resending());
    session.receive(&request(4, 160_000), START);
    let mut after = follow(&session.take().bytes, next);
    while session.is_resending() {
        session.tick(START);
        after = follow(&session.take().bytes, after);
    }
    assert_eq!(after, MESSAGES + 2);

    // A connection that ends takes its resend with it.
    session.receive(&request(5, 1), START);
    assert!(session.is_resending());
    session.disconnected(START);
    assert!(!session.is_resending());
}
