//! Two sessions over a wire that breaks, and a store that is cut anywhere.

use std::path::Path;

use fix::{Config, Dictionaries, Event, FileStore, MemoryStore, Role, Session, Store};
use wire::fix::{Message, tag};

const SECOND: u64 = 1_000_000_000;
const START: u64 = 1_772_443_800 * SECOND;

fn pair<A: Store, B: Store>(acceptor: A, initiator: B) -> (Session<A>, Session<B>) {
    let packaged = Dictionaries::packaged(b"FIXT.1.1");
    let ours = Config::acceptor("FIXT.1.1", "VENUE", "DESK");
    let mut theirs = Config::acceptor("FIXT.1.1", "DESK", "VENUE");
    theirs.role = Role::Initiator { heartbeat_s: 10 };
    (
        Session::new(ours, packaged.clone(), acceptor),
        Session::new(theirs, packaged, initiator),
    )
}

/// Lets both speak until neither has anything to say; gives what each heard.
fn talk<A: Store, B: Store>(
    a: &mut Session<A>,
    b: &mut Session<B>,
    now_ns: u64,
) -> (Vec<Event>, Vec<Event>) {
    let (mut heard_a, mut heard_b) = (Vec::new(), Vec::new());
    loop {
        let (from_a, from_b) = (a.take(), b.take());
        heard_a.extend(from_a.events);
        heard_b.extend(from_b.events);
        if from_a.bytes.is_empty() && from_b.bytes.is_empty() {
            return (heard_a, heard_b);
        }
        b.receive(&from_a.bytes, now_ns);
        a.receive(&from_b.bytes, now_ns);
    }
}

fn connect<A: Store, B: Store>(a: &mut Session<A>, b: &mut Session<B>, now_ns: u64) -> Vec<Event> {
    a.connected(now_ns);
    b.connected(now_ns);
    let (_, heard) = talk(a, b, now_ns);
    assert!(a.is_logged_on() && b.is_logged_on());
    heard
}

fn news(session: &mut Session<impl Store>, headline: &str, now_ns: u64) {
    let sent = session.send(b"B", now_ns, |w| {
        w.text(tag::HEADLINE, headline.as_bytes())
            .uint(tag::NO_LINES_OF_TEXT, 1)
            .text(tag::TEXT, b"x");
    });
    sent.expect("logged on");
}

/// `headline` or `headline again` of each message.
fn headlines(events: &[Event]) -> Vec<String> {
    let texts = events.iter().filter_map(|event| match event {
        Event::Message(bytes) => {
            let message = Message::parse(bytes).expect("whole");
            let headline = message.get(tag::HEADLINE).expect("news").value;
            let again = message.get(tag::POSS_DUP_FLAG).map_or("", |_| " again");
            Some(format!("{}{again}", String::from_utf8_lossy(headline)))
        }
        _ => None,
    });
    texts.collect()
}

#[test]
fn what_a_broken_wire_swallowed_comes_after_the_next_logon() {
    let (mut a, mut b) = pair(MemoryStore::new(1 << 20), MemoryStore::new(1 << 20));
    connect(&mut a, &mut b, START);
    news(&mut a, "one", START);
    let (_, heard) = talk(&mut a, &mut b, START);
    assert_eq!(headlines(&heard), ["one"]);

    news(&mut a, "two", START);
    news(&mut a, "three", START);
    let lost = a.take();
    assert!(!lost.bytes.is_empty());
    a.disconnected(START);
    b.disconnected(START);
    let heard = connect(&mut a, &mut b, START + SECOND);
    assert_eq!(headlines(&heard), ["two again", "three again"]);
    let (a_status, b_status) = (a.status(), b.status());
    assert_eq!((a_status.resent, b_status.resend_requests), (2, 1));
    assert_eq!(a_status.next_sender, b_status.next_target);
    assert_eq!(b_status.next_sender, a_status.next_target);

    news(&mut a, "four", START + SECOND);
    let (_, heard) = talk(&mut a, &mut b, START + SECOND);
    assert_eq!(headlines(&heard), ["four"]);
}

#[test]
fn a_day_of_silence_is_heartbeats_and_a_new_day_starts_the_numbers_again() {
    let (mut a, mut b) = pair(MemoryStore::new(1 << 20), MemoryStore::new(1 << 20));
    connect(&mut a, &mut b, START);
    for second in 1..=600 {
        let now = START + second * SECOND;
        a.tick(now);
        b.tick(now);
        talk(&mut a, &mut b, now);
    }
    assert!(a.is_logged_on() && b.is_logged_on());
    assert!(a.status().sent >= 59 && b.status().sent >= 59);

    let packaged = Dictionaries::packaged(b"FIX.4.4");
    let mut config = Config::acceptor("FIX.4.4", "VENUE", "DESK");
    // 09:30 is when the test starts: the day ends ten minutes later.
    config.reset_at_s = Some(9 * 3600 + 40 * 60);
    let mut session = Session::new(config, packaged, MemoryStore::new(1 << 20));
    session.connected(START);
    let logon = |at: &str| {
        let body = format!("35=A\x0134=1\x0149=DESK\x0152={at}\x0156=VENUE\x0198=0\x01108=0\x01");
        let text = format!("8=FIX.4.4\x019={}\x01{body}", body.len());
        let sum: u32 = text.bytes().map(u32::from).sum();
        format!("{text}10={:03}\x01", sum % 256)
    };
    session.receive(logon("20260302-09:30:00").as_bytes(), START);
    assert!(session.is_logged_on());
    session.tick(START + 599 * SECOND);
    assert!(session.is_logged_on());
    session.tick(START + 600 * SECOND);
    assert!(!session.is_logged_on());
    session.disconnected(START + 601 * SECOND);
    assert!(session.status().next_sender > 1);
    session.connected(START + 602 * SECOND);
    session.receive(logon("20260302-09:40:02").as_bytes(), START + 602 * SECOND);
    assert_eq!(
        (session.status().next_sender, session.status().next_target),
        (2, 2)
    );
}

fn open(path: &Path) -> FileStore {
    FileStore::open(path, 1 << 20, false).expect("opens")
}

/// What a store says of itself.
fn content(store: &mut FileStore) -> (u64, u64, Vec<Option<Vec<u8>>>) {
    let (sender, target) = (store.next_sender(), store.next_target());
    let messages = (1..sender).map(|seq| store.read(seq).expect("reads"));
    (sender, target, messages.collect())
}

#[test]
fn a_store_cut_anywhere_has_a_prefix_of_what_was_kept() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let mut store = open(&path);
    let mut prefixes = vec![content(&mut store)];
    for number in 1..=6_u64 {
        if number == 4 {
            store.reset(START).expect("kept");
            prefixes.clear();
            prefixes.push(content(&mut store));
        }
        store
            .sent(format!("message {number}").as_bytes())
            .expect("kept");
        prefixes.push(content(&mut store));
        store.set_next_target(number * 10).expect("kept");
        prefixes.push(content(&mut store));
    }
    store.commit().expect("kept");
    let whole = content(&mut store);
    drop(store);
    let bytes = std::fs::read(&path).expect("a file");
    for size in 0..=bytes.len() {
        std::fs::write(&path, &bytes[..size]).expect("cut");
        let mut store = open(&path);
        let seen = content(&mut store);
        assert!(prefixes.contains(&seen), "{size}: {seen:?}");
        assert!(size < bytes.len() || seen == whole);
        // What is kept after the cut is found again.
        store.sent(b"after").expect("kept");
        store.commit().expect("kept");
        drop(store);
        let mut store = open(&path);
        let last = store.next_sender() - 1;
        assert_eq!(
            store.read(last).expect("reads").as_deref(),
            Some(&b"after"[..])
        );
    }
    // A flipped bit ends the file as a cut does.
    let mut bad = bytes.clone();
    let last = bad.len() - 30;
    bad[last] ^= 1;
    std::fs::write(&path, &bad).expect("written");
    let mut store = open(&path);
    assert!(store.cut_bytes() > 0 && prefixes.contains(&content(&mut store)));
}

#[test]
fn a_store_that_is_full_forgets_its_older_half() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let mut store = FileStore::open(&path, 10_000, true).expect("opens");
    assert!(FileStore::open(&path, 10_000, true).is_err(), "one owner");
    for seq in 1..=500_u64 {
        store
            .sent(format!("message {seq:0>40}").as_bytes())
            .expect("kept");
        store.set_next_target(seq + 7).expect("kept");
        store.commit().expect("kept");
        assert!(store.owes(), "the disk was to be waited for");
        store.settle().expect("kept");
        assert!(!store.owes());
        assert!(std::fs::metadata(&path).expect("a file").len() < 10_200);
    }
    let check = |store: &mut FileStore| {
        assert_eq!((store.next_sender(), store.next_target()), (501, 507));
        assert_eq!(store.read(1).expect("reads"), None);
        for seq in 450..=500_u64 {
            let want = format!("message {seq:0>40}").into_bytes();
            assert_eq!(store.read(seq).expect("reads"), Some(want));
        }
    };
    check(&mut store);
    drop(store);
    check(&mut open(&path));
}

#[test]
fn after_a_crash_what_was_sent_is_sent_again() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("store");
    let mut b = {
        let (mut a, mut b) = pair(open(&path), MemoryStore::new(1 << 20));
        connect(&mut a, &mut b, START);
        news(&mut a, "before the crash", START);
        // Taken, so perhaps on the wire; then the process dies.
        assert!(!a.take().bytes.is_empty());
        b.disconnected(START);
        b
    };
    let (mut a, _) = pair(open(&path), MemoryStore::new(1));
    let heard = connect(&mut a, &mut b, START + SECOND);
    assert_eq!(headlines(&heard), ["before the crash again"]);
}
