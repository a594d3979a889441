//! Sources against a server that does everything that servers do.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use collection::{Options, SyncPolicy};
use node::{EmbeddingLimits, Node, Settings};
use rag::Draft;
use stdx::SystemClock;

use super::stand_in::{Answer, StandIn};
use super::*;

const LIMITS: Limits = Limits {
    time: Duration::from_millis(400),
    bytes: 100_000,
};

pub fn node(dir: &Path) -> Arc<Node> {
    let settings = Settings {
        dir: dir.to_path_buf(),
        sync: SyncPolicy::Never,
        limits: Options::default(),
        embedding: EmbeddingLimits::default(),
    };
    Arc::new(Node::open(&settings, Arc::new(SystemClock)).expect("opens"))
}

pub fn intake(node: &Arc<Node>, name: &str) -> Intake {
    Intake::new(Arc::clone(node), Arc::new(Status::new("feed", name, "")))
}

/// A real filing of the recordings beside the checkout.
pub fn filing(name: &str) -> Option<String> {
    let root = match std::env::var_os("OUZEL_SHARED") {
        Some(root) => Some(PathBuf::from(root)),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|above| above.join("shared"))
            .find(|path| path.is_dir()),
    };
    let path = root.map(|root| root.join("data/text/sec8k").join(name));
    let read = path.and_then(|path| std::fs::read_to_string(path).ok());
    if read.is_none() {
        println!("skipped: no filing {name}");
    }
    read
}

fn item(guid: &str, title: &str, text: &str) -> String {
    format!(
        "<item><guid>{guid}</guid><title>{title}</title><description>{text}</description>\
         <pubDate>Tue, 28 Jan 2014 21:00:00 GMT</pubDate></item>"
    )
}

fn rss(items: &[String]) -> Answer {
    let body = format!(
        "<rss version=\"2.0\"><channel><title>w</title>{}</channel></rss>",
        items.concat()
    );
    let headers = vec![("ETag", "\"v1\"".to_owned())];
    Answer::Plain(200, headers, body.into_bytes())
}

fn counted(intake: &Intake) -> [u64; 4] {
    let c = intake.status().counts();
    [c.documents, c.revisions, c.duplicates, c.refused]
}

#[test]
fn a_feed_is_stored_once_revised_and_remembered_across_restarts() {
    let dir = tempfile::tempdir().expect("dir");
    let server = StandIn::start();
    let url = format!("{}/feed", server.url);
    let fetcher = Fetcher::new("test", LIMITS);
    let first = item("1", "Apple cuts forecast", "Sales fell.");
    {
        let node = node(dir.path());
        let mut feed = FeedSource::new(url.clone(), fetcher.clone(), intake(&node, "wire"));
        server.at(
            "/feed",
            vec![rss(std::slice::from_ref(&first)), Answer::status(304, &[])],
        );
        feed.turn().expect("works");
        assert_eq!(counted(feed.intake()), [1, 0, 0, 0]);
        feed.turn().expect("works");
        let asked = server.requests();
        assert!(!asked[0].1.contains("if-none-match"), "{asked:?}");
        assert!(asked[1].1.contains("if-none-match: \"v1\""), "{asked:?}");
        assert_eq!(feed.intake().status().counts().unchanged, 1);
        let stored = node.documents().get("wire:1", None).expect("answers");
        let stored = stored.expect("stored").summary;
        assert_eq!(stored.event_at, 1_390_942_800_000_000_000);
        assert!(stored.known_at > stored.event_at, "taken on arrival");
        assert_eq!(stored.symbols, ["AAPL"]);
    }
    let node = node(dir.path());
    let mut feed = FeedSource::new(url, fetcher, intake(&node, "wire"));
    let copy = item("other", "Apple cuts forecast", "Sales fell.");
    let revised = item("1", "Apple cuts forecast", "Sales fell by a tenth.");
    server.at(
        "/feed",
        vec![rss(&[first, copy]), rss(std::slice::from_ref(&revised))],
    );
    feed.turn().expect("works");
    assert_eq!(
        counted(feed.intake()),
        [0, 0, 2, 0],
        "known by id and by content"
    );
    feed.turn().expect("works");
    assert_eq!(counted(feed.intake()), [0, 1, 2, 0]);
    let moved = revised.replace("21:00:00", "22:00:00");
    server.at("/feed", vec![rss(&[moved])]);
    feed.turn().expect("works");
    assert_eq!(
        counted(feed.intake()),
        [0, 1, 3, 0],
        "a date that moves is no other version"
    );
    let versions = node.documents().collection().history("wire:1#0");
    assert_eq!(versions.expect("answers").len(), 2);
    node.documents()
        .delete("wire:1", u64::MAX / 2)
        .expect("deletes");
}

#[test]
fn what_was_deleted_stays_deleted_and_the_future_is_not_believed() {
    let dir = tempfile::tempdir().expect("dir");
    let node = node(dir.path());
    let intake = intake(&node, "wire");
    let draft = Draft {
        id: "a".into(),
        text: "Some text.".into(),
        event_at: Some(u64::MAX / 4),
        known_at: Some(5),
        ..Draft::default()
    };
    let news = Manner {
        stays_deleted: true,
        ..Manner::default()
    };
    assert_eq!(intake.take("a", draft.clone(), news), Ok(Took::New));
    let stored = node
        .documents()
        .get("a", None)
        .expect("answers")
        .expect("stored");
    assert!(stored.summary.event_at <= stored.summary.known_at);
    assert!(stored.summary.known_at > 1_700_000_000_000_000_000);
    node.documents()
        .delete("a", node.clock().now_ns())
        .expect("deletes");
    assert_eq!(intake.take("a", draft.clone(), news), Ok(Took::Duplicate));
    assert_eq!(intake.take("a", draft, Manner::default()), Ok(Took::New));
    let empty = Draft {
        id: "b".into(),
        ..Draft::default()
    };
    assert_eq!(intake.take("line 3", empty, news), Ok(Took::Refused));
    let refusal = &intake.status().counts().refusals[0];
    assert!(
        refusal.place == "line 3" && refusal.reason.contains("`text`"),
        "{refusal:?}"
    );
}

#[test]
fn what_goes_wrong_is_told_and_nothing_is_taken_for_an_answer() {
    let server = StandIn::start();
    let fetcher = Fetcher::new("ouzel test@example.org", LIMITS);
    let get = |answer: Answer| {
        server.at("/x", vec![answer]);
        let got = fetcher.get(&format!("{}/x", server.url), &Conditions::default());
        got.expect_err("fails")
    };
    let busy = get(Answer::status(429, &[("Retry-After", "7")]));
    assert_eq!(busy.retry_after, Some(Duration::from_secs(7)));
    assert_eq!(busy.status, Some(429));
    assert!(
        busy.why.contains("429") && busy.why.contains("wait 7 s"),
        "{}",
        busy.why
    );
    assert!(get(Answer::status(500, &[])).why.contains("500"));
    let cut = get(Answer::CutOff(b"<rss>".to_vec())).why;
    assert!(cut.contains("cut off"), "{cut}");
    let slow = get(Answer::Slow).why;
    assert!(slow.contains("longer than"), "{slow}");
    let large = get(Answer::ok(vec![b' '; 100_001])).why;
    assert!(large.contains("larger than"), "{large}");
    let asked = server.requests();
    assert!(
        asked[0].1.contains("user-agent: ouzel test@example.org"),
        "{asked:?}"
    );
}

#[test]
fn packed_answers_are_unpacked_within_the_limit() {
    use std::io::Write;
    let packed = |bytes: &[u8]| {
        let mut out = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        out.write_all(bytes).expect("packs");
        let headers = vec![("Content-Encoding", "gzip".to_owned())];
        Answer::Plain(200, headers, out.finish().expect("packs"))
    };
    let server = StandIn::start();
    let fetcher = Fetcher::new("test", LIMITS);
    let url = format!("{}/x", server.url);
    server.at("/x", vec![packed(b"hello"), packed(&vec![0; 10_000_000])]);
    let got = fetcher.get(&url, &Conditions::default()).expect("works");
    assert!(matches!(got, Fetched::Body(body) if body.bytes == b"hello"));
    let why = fetcher
        .get(&url, &Conditions::default())
        .expect_err("a bomb")
        .why;
    assert!(why.contains("larger than"), "{why}");
}
