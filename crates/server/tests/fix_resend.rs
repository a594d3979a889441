//! A counterparty that wants everything again, from a session that waits for the disk: the other
//! session on the same thread goes on, and memory stays.
#![allow(
    clippy::disallowed_methods,
    reason = "real sockets and threads run in real time"
)]

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use collection::SyncPolicy;
use fix::{FileStore, Store};
use node::{Node, Settings};
use server::fix_door::{self, FixConfig, FixDoor};
use stdx::{Clock, SystemClock};
use wire::fix::{Found, Message, Precision, Writer, find, tag};

const MESSAGES: u64 = 200_000;
const PATIENCE: Duration = Duration::from_secs(60);
/// The whole store has 45 MB; a piece of it a quarter of one.
const GROWTH_LIMIT_KIB: u64 = 16 << 10;

fn message(
    sender: &str,
    target: &str,
    seq: u64,
    kind: &[u8],
    body: impl FnOnce(&mut Writer<'_>),
) -> Vec<u8> {
    let mut room = [0; 1_024];
    let mut w = Writer::new(&mut room, b"FIX.4.4", kind);
    w.uint(tag::MSG_SEQ_NUM, seq)
        .text(tag::SENDER_COMP_ID, sender.as_bytes())
        .timestamp(tag::SENDING_TIME, SystemClock.now_ns(), Precision::Millis)
        .text(tag::TARGET_COMP_ID, target.as_bytes());
    body(&mut w);
    w.finish().expect("fits").to_vec()
}

/// What an earlier run of the server sent to `BIG`.
fn fill(folder: &Path) {
    std::fs::create_dir_all(folder).expect("a folder");
    let path = folder.join("FIX.4.4-OUZEL-BIG.fixlog");
    let mut store = FileStore::open(&path, 1 << 30, false).expect("opens");
    let text = [b'x'; 100];
    for seq in 1..=MESSAGES {
        let news = message("OUZEL", "BIG", seq, b"B", |w| {
            w.text(tag::HEADLINE, b"news")
                .uint(tag::NO_LINES_OF_TEXT, 1)
                .text(tag::TEXT, &text);
        });
        store.sent(&news).expect("kept");
        if seq % 1_000 == 0 {
            store.commit().expect("kept");
        }
    }
}

struct Client {
    name: &'static str,
    line: TcpStream,
    seq: u64,
    bytes: Vec<u8>,
}

impl Client {
    fn log_on(name: &'static str, address: SocketAddr) -> Self {
        let line = TcpStream::connect(address).expect("it listens");
        line.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        let mut client = Self {
            name,
            line,
            seq: 1,
            bytes: Vec::new(),
        };
        client.say(b"A", |w| {
            w.uint(tag::ENCRYPT_METHOD, 0).uint(tag::HEART_BT_INT, 0);
        });
        client.hear(|message| assert_eq!(message.msg_type(), b"A"));
        client
    }

    fn say(&mut self, kind: &[u8], body: impl FnOnce(&mut Writer<'_>)) {
        let bytes = message(self.name, "OUZEL", self.seq, kind, body);
        self.seq += 1;
        self.line.write_all(&bytes).expect("sent");
    }

    /// The next message.
    fn hear<T>(&mut self, what: impl FnOnce(&Message<'_>) -> T) -> T {
        loop {
            if let Found::Message(message) = find(&self.bytes, 1 << 20) {
                let (size, heard) = (message.bytes().len(), what(&message));
                self.bytes.drain(..size);
                return heard;
            }
            let mut room = [0; 4_096];
            let size = self.line.read(&mut room).expect("more within a minute");
            assert!(size > 0, "the connection ended");
            self.bytes.extend(&room[..size]);
        }
    }
}

fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS"));
    let number = line.and_then(|line| line.split_whitespace().nth(1));
    number.and_then(|kib| kib.parse().ok()).expect("a number")
}

/// A door with one worker, so that whoever blocks it blocks all.
fn door(folder: &Path) -> (tokio::runtime::Runtime, SocketAddr) {
    let settings = Settings {
        dir: folder.join("data"),
        sync: SyncPolicy::Never,
        limits: collection::Options::default(),
        embedding: node::EmbeddingLimits::default(),
    };
    let node = Arc::new(Node::open(&settings, Arc::new(SystemClock)).expect("a node"));
    let path = folder.join("fix.json");
    let text = format!(
        r#"{{"sender": "OUZEL", "store": {:?}, "sync": true, "sessions": [
            {{"target": "BIG", "version": "FIX.4.4"}}, {{"target": "SMALL", "version": "FIX.4.4"}}]}}"#,
        folder.join("store")
    );
    std::fs::write(&path, text).expect("written");
    let config = FixConfig::read(&path).expect("a configuration");
    let door = Arc::new(FixDoor::open(node, &config).expect("opens"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let guard = runtime.enter();
    let listener = fix_door::bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let address = listener.local_addr().expect("bound");
    drop(guard);
    let (keep, stopped) = tokio::sync::watch::channel(false);
    runtime.spawn(async move {
        let _running = keep;
        door.run(listener, stopped).await;
    });
    (runtime, address)
}

#[test]
fn a_resend_of_everything_holds_up_nobody_and_takes_little_memory() {
    let folder = tempfile::tempdir().expect("a folder");
    fill(&folder.path().join("store"));
    let (_runtime, address) = door(folder.path());
    let mut small = Client::log_on("SMALL", address);
    let mut big = Client::log_on("BIG", address);
    let before = resident_kib();
    big.say(b"2", |w| {
        w.uint(tag::BEGIN_SEQ_NO, 1).uint(tag::END_SEQ_NO, 0);
    });
    let reader = std::thread::spawn(move || {
        let began = Instant::now();
        for seq in 1..=MESSAGES {
            let heard = big.hear(|m| m.get(tag::MSG_SEQ_NUM).and_then(|f| f.uint().ok()));
            assert_eq!(heard, Some(seq));
        }
        began.elapsed()
    });
    let (mut answers, mut slowest, mut most) = (0, Duration::ZERO, before);
    while !reader.is_finished() {
        let asked = Instant::now();
        small.say(b"1", |w| _ = w.text(tag::TEST_REQ_ID, b"there?"));
        small.hear(|message| assert_eq!(message.msg_type(), b"0"));
        slowest = slowest.max(asked.elapsed());
        answers += 1;
        most = most.max(resident_kib());
    }
    let lasted = reader.join().expect("all of it, in order");
    let growth = most - before;
    println!(
        "{MESSAGES} messages in {lasted:?}; meanwhile {answers} answers, the slowest after {slowest:?}; {growth} KiB more"
    );
    assert!(
        answers > 10,
        "the other session stood still: {answers} answers"
    );
    assert!(
        slowest < lasted / 3,
        "an answer took {slowest:?} of {lasted:?}"
    );
    assert!(growth < GROWTH_LIMIT_KIB, "{growth} KiB more");
}
