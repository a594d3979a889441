use std::fs;
use std::io::Write;

use super::*;
use crate::sources::tests::{intake, node};

fn folder(dir: &Path, intake: &Intake, deletes: bool) -> Folder {
    let settings = FolderSettings {
        dir: dir.to_path_buf(),
        settle: Duration::ZERO,
        deletes,
        trusts_known_at: false,
    };
    Folder::new(settings, intake.clone())
}

fn counted(intake: &Intake) -> [u64; 5] {
    let c = intake.status().counts();
    [c.documents, c.revisions, c.duplicates, c.refused, c.deleted]
}

fn line(id: &str, text: &str) -> String {
    format!("{{\"id\": \"{id}\", \"text\": \"{text}\", \"known_at\": \"2001-01-01\"}}")
}

#[test]
fn files_become_documents_and_changed_ones_versions() {
    let (data, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let path = |name: &str| dir.path().join(name);
    fs::create_dir(path("q3")).expect("makes");
    fs::write(path("a.txt"), "Some text.").expect("writes");
    fs::write(path("q3/b.html"), "<title>B</title><p>Body").expect("writes");
    fs::write(path("c.txt.part"), "Half").expect("writes");
    fs::write(path("d.txt"), b"\xff").expect("writes");
    {
        let node = node(data.path());
        let intake = intake(&node, "notes");
        let mut folder = folder(dir.path(), &intake, false);
        folder.look().expect("works");
        folder.look().expect("works");
        assert_eq!(counted(&intake), [2, 0, 0, 1, 0]);
        let refusal = &intake.status().counts().refusals[0];
        assert_eq!(
            (refusal.place.as_str(), refusal.reason.as_str()),
            ("d.txt", "is not UTF-8 at byte 0")
        );
        let b = node
            .documents()
            .get("notes:q3/b.html", None)
            .expect("answers")
            .expect("stored");
        assert_eq!(
            (b.text.as_str(), b.summary.title.as_deref()),
            ("Body", Some("B"))
        );
        fs::rename(path("c.txt.part"), path("c.txt")).expect("renames");
        fs::write(path("a.txt"), "Some other text.").expect("writes");
        fs::remove_file(path("q3/b.html")).expect("removes");
        folder.look().expect("works");
        assert_eq!(counted(&intake), [3, 1, 0, 1, 0]);
        assert!(
            node.documents()
                .get("notes:q3/b.html", None)
                .expect("answers")
                .is_some()
        );
    }
    let node = node(data.path());
    let intake = intake(&node, "notes");
    let mut folder = folder(dir.path(), &intake, true);
    folder.look().expect("works");
    assert_eq!(
        counted(&intake),
        [0, 0, 2, 1, 1],
        "known from the store; the file removed meanwhile is deleted"
    );
    for name in ["a.txt", "c.txt", "d.txt"] {
        fs::remove_file(path(name)).expect("removes");
    }
    let why = folder.look().expect_err("an empty folder").why;
    assert!(why.contains("mounted"), "{why}");
    assert!(
        node.documents()
            .get("notes:a.txt", None)
            .expect("answers")
            .is_some()
    );
}

#[test]
fn a_file_is_read_once_it_stands_still() {
    let (data, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let node = node(data.path());
    let intake = intake(&node, "notes");
    let mut folder = folder(dir.path(), &intake, false);
    folder.settings.settle = Duration::from_secs(3_600);
    fs::write(dir.path().join("a.txt"), "Half").expect("writes");
    assert_eq!(folder.look(), Ok(true));
    folder.settings.settle = Duration::ZERO;
    assert_eq!(folder.look(), Ok(false));
    assert_eq!(counted(&intake), [1, 0, 0, 0, 0]);
}

#[test]
fn lines_are_read_on_and_a_broken_one_is_named() {
    let (data, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let node = node(data.path());
    let intake = intake(&node, "notes");
    let path = dir.path().join("news.jsonl");
    let half = line("c", "three");
    let (begun, rest) = half.split_at(20);
    fs::write(
        &path,
        format!(
            "{}\n[broken\n\n{}\n{begun}",
            line("a", "one"),
            line("b", "two")
        ),
    )
    .expect("writes");
    let mut folder = folder(dir.path(), &intake, false);
    folder.look().expect("works");
    assert_eq!(counted(&intake), [2, 0, 0, 2, 0]);
    let places: Vec<String> = intake
        .status()
        .counts()
        .refusals
        .iter()
        .map(|r| r.place.clone())
        .collect();
    assert_eq!(places, ["news.jsonl:2", "news.jsonl:5"]);
    let mut file = fs::OpenOptions::new()
        .append(true)
        .open(&path)
        .expect("opens");
    write!(file, "{rest}\n{}", line("d", "no line break at the end")).expect("writes");
    folder.look().expect("works");
    assert_eq!(
        counted(&intake),
        [4, 0, 0, 2, 0],
        "read on from the half line"
    );
    let c = node
        .documents()
        .get("c", None)
        .expect("answers")
        .expect("stored")
        .summary;
    assert!(c.known_at > 1_700_000_000_000_000_000, "known on arrival");
    assert_eq!(c.source.as_deref(), Some("notes"));
    fs::write(&path, format!("{}\n", line("a", "one, corrected"))).expect("writes");
    folder.look().expect("works");
    assert_eq!(
        counted(&intake),
        [4, 1, 0, 2, 0],
        "another file is read from its start"
    );
}

#[test]
fn a_restart_stores_no_earlier_version_and_nothing_deleted() {
    let (data, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let path = |name: &str| dir.path().join(name);
    let log = [line("a", "one"), line("a", "two"), line("b", "gone")].join("\n");
    fs::write(path("news.jsonl"), format!("{log}\n")).expect("writes");
    fs::write(path("c.txt"), "Gone, too.").expect("writes");
    {
        let node = node(data.path());
        let intake = intake(&node, "notes");
        folder(dir.path(), &intake, false).look().expect("works");
        assert_eq!(counted(&intake), [3, 1, 0, 0, 0]);
        for id in ["b", "notes:c.txt"] {
            let deleted = node.documents().delete(id, intake.now());
            assert!(deleted.expect("deletes").is_some());
        }
    }
    let node = node(data.path());
    let intake = intake(&node, "notes");
    let mut folder = folder(dir.path(), &intake, false);
    folder.look().expect("works");
    assert_eq!(counted(&intake), [0, 0, 4, 0, 0]);
    let log = format!("{log}\n{}\n", line("a", "one"));
    fs::write(path("news.jsonl"), log).expect("writes");
    fs::write(path("c.txt"), "Here again.").expect("writes");
    folder.look().expect("works");
    assert_eq!(counted(&intake), [1, 1, 4, 0, 0], "told anew");
}

#[test]
fn a_line_too_long_stops_nothing_behind_it() {
    let (data, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let node = node(data.path());
    let intake = intake(&node, "notes");
    let path = dir.path().join("news.jsonl");
    let long = "x".repeat(9 << 20);
    let begun = format!("{}\n{long}", line("a", "one"));
    fs::write(&path, &begun).expect("writes");
    let mut folder = folder(dir.path(), &intake, false);
    folder.look().expect("works");
    let whole = format!("{begun}{long}\n{}\n", line("b", "two"));
    fs::write(&path, &whole).expect("writes");
    folder.look().expect("works");
    assert_eq!(counted(&intake), [2, 0, 0, 1, 0]);
    fs::write(&path, format!("{whole}{}\n", line("c", "three"))).expect("writes");
    folder.look().expect("works");
    assert_eq!(counted(&intake), [3, 0, 0, 1, 0], "read on");
    fs::write(&path, whole.replace("one", "six")).expect("writes");
    folder.look().expect("works");
    assert_eq!(
        counted(&intake),
        [3, 1, 1, 1, 0],
        "not longer than what was read: from the start"
    );
}

/// Not by a test that runs as root, whom no mode stops.
#[cfg(unix)]
#[test]
fn what_cannot_be_read_stops_nothing_and_deletes_nothing() {
    use std::os::unix::fs::PermissionsExt;
    let (data, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let node = node(data.path());
    let intake = intake(&node, "notes");
    let path = |name: &str| dir.path().join(name);
    let mode = |name: &str, mode: u32| {
        fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).expect("sets");
    };
    fs::create_dir(path("lost")).expect("makes");
    fs::write(path("lost/a.txt"), "Some text.").expect("writes");
    fs::write(path("z.txt"), "Some text.").expect("writes");
    let mut folder = folder(dir.path(), &intake, true);
    folder.look().expect("works");
    mode("lost", 0);
    if fs::read_dir(path("lost")).is_ok() {
        println!("skipped: no mode stops this user");
        return;
    }
    for name in ["b.txt", "b.jsonl"] {
        fs::write(path(name), "Some text.").expect("writes");
        mode(name, 0);
    }
    fs::write(path("z.txt"), "Some other text.").expect("writes");
    folder.look().expect("works");
    mode("lost", 0o700);
    assert_eq!(counted(&intake), [2, 1, 0, 3, 0]);
    let refusals = intake.status().counts().refusals;
    let places: Vec<&str> = refusals.iter().map(|r| r.place.as_str()).collect();
    assert_eq!(places, ["lost/", "b.jsonl", "b.txt"]);
    mode("b.txt", 0o600);
    folder.look().expect("works");
    assert_eq!(counted(&intake), [3, 1, 0, 3, 0], "tried again");
}

/// Looking through a folder opens it and its files; the system tells of that too, and a follower that listened would
/// look for ever.
#[test]
fn a_follower_looks_when_something_changes_and_rests_otherwise() {
    let (data, dir) = (
        tempfile::tempdir().expect("dir"),
        tempfile::tempdir().expect("dir"),
    );
    let node = node(data.path());
    let intake = intake(&node, "notes");
    let path = dir.path().join("a.txt");
    fs::write(&path, "Some text.").expect("writes");
    let mut folder = folder(dir.path(), &intake, false);
    folder.settings.settle = Duration::from_millis(20);
    let runtime = tokio::runtime::Runtime::new().expect("runtime");
    let (stop, stopped) = watch::channel(false);
    let following = runtime.spawn(follow(folder, stopped));
    let until = |count: u64, what: fn(&[u64; 5]) -> u64| {
        let begun = Instant::now();
        while what(&counted(&intake)) < count {
            assert!(
                begun.elapsed() < Duration::from_secs(20),
                "{:?}",
                counted(&intake)
            );
            std::thread::sleep(Duration::from_millis(5));
        }
    };
    until(1, |counts| counts[0]);
    fs::write(&path, "Some other text.").expect("writes");
    until(1, |counts| counts[1]);
    std::thread::sleep(Duration::from_millis(300));
    let asked = intake.status().counts().asked;
    assert!(asked < 100, "{asked} looks");
    stop.send(true).expect("told");
    runtime.block_on(following).expect("ends");
}
