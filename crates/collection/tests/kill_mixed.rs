//! A process with a mixed load (upserts, deletions, trimming, linking, moves to cold, checkpoints, snapshots) is killed at random instants, its start
//! among them. What is there afterwards is what a twin says that applied the same entries, and no acknowledged one is missing.
//!
//! `OUZEL_KILLS` says how many times (default 24).

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use collection::{
    AsOf, Collection, Disk, Effort, FsDisk, MemDisk, Metric, Op, Options, Payload, Point, Settings,
    SyncPolicy, Until, Value, restore,
};
use stdx::Rng;

const DIM: usize = 16;
const SETTINGS: Settings = Settings {
    dim: DIM,
    metric: Metric::Cosine,
    sync: SyncPolicy::Always,
};
/// Several in a life of some tens of milliseconds.
const OPTIONS: Options = Options {
    checkpoint_bytes: 150_000,
    hot_rows: 1_000,
    exact_rows: 0,
    compact: false,
    log_bytes: u64::MAX,
    tail_rows: u64::MAX,
    epoch: None,
};
const DIR: &str = "OUZEL_TEST_KILL_DIR";
/// Lives of one folder.
const LIVES: u64 = 12;

/// What entry `seq` is, whoever writes it.
fn batch(seq: u64) -> Vec<Op> {
    let mut rng = Rng::new(seq);
    let ops = (0..200).map(|_| {
        let id = format!("n{}", rng.below(5_000));
        let known_at = seq * 10 + rng.below(20);
        if rng.chance(0.1) {
            return Op::Delete { id, known_at };
        }
        let vector = (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect();
        let payload = [("tag".to_owned(), Value::Int(rng.below(9) as i64))];
        Op::Upsert(Point {
            id,
            vector,
            text: format!("word{} other{}", rng.below(30), rng.below(9)),
            payload: Payload(payload.into()),
            event_at: seq,
            known_at,
        })
    });
    let mut ops: Vec<Op> = ops.collect();
    if seq.is_multiple_of(16) {
        ops.push(Op::Trim {
            known_before: seq * 10 - 100,
        });
    }
    ops
}

fn open(dir: &Path) -> Collection {
    let disk = FsDisk::open(dir).expect("the folder");
    let opened = Collection::open_with(Arc::new(disk), SETTINGS, OPTIONS);
    let (c, recovery) = opened.expect("open");
    assert_eq!(recovery.set_aside, Vec::<String>::new());
    c
}

/// The process that is killed.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let dir = Path::new(&dir);
    let c = open(&dir.join("store"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for n in 0u64.. {
                let to = dir.join(format!("copy{n}"));
                // One that an earlier life left.
                if to.exists() {
                    continue;
                }
                let to: Arc<dyn Disk> = Arc::new(FsDisk::open(&to).expect("a folder"));
                let copy = c.snapshot(&to).expect("snapshot");
                say(&format!("copied {n} {} {}", copy.seq, copy.digest));
            }
        });
        for seq in c.head_seq() + 1.. {
            let ack = c.apply(batch(seq)).expect("write");
            assert!(ack.durable && ack.seq == seq);
            say(&format!("acked {seq}"));
        }
    });
}

fn say(what: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{what}")
        .and_then(|()| out.flush())
        .expect("say so");
}

/// Lets a child live until it said `lines`, or for some milliseconds where that is none, and returns what it said.
#[expect(clippy::disallowed_methods, reason = "the child's life is real time")]
fn life(dir: &Path, lines: u64, ms: u64) -> Vec<String> {
    let mut child = Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "child", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::piped())
        .spawn()
        .expect("start the child");
    let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
    let mut said: Vec<String> = Vec::new();
    let counts = |line: &String| line.contains("acked ") || line.contains("copied ");
    while said.iter().filter(|line| counts(line)).count() < lines as usize {
        said.push(out.next().expect("the child lives").expect("a line"));
    }
    std::thread::sleep(Duration::from_millis(ms));
    child.kill().expect("kill");
    child.wait().expect("end");
    said.extend(out.map_while(Result::ok));
    said
}

#[test]
fn whenever_it_is_killed() {
    let kills: u64 = std::env::var("OUZEL_KILLS").map_or(24, |n| n.parse().expect("a number"));
    let mut rng = Rng::new(kills);
    let (mut copies, mut entries, mut from_checkpoints) = (0, 0, 0);
    for _ in 0..kills.div_ceil(LIVES) {
        let dir = tempfile::tempdir().expect("a folder");
        let (twin, _) = Collection::open_on(MemDisk::new(), SETTINGS).expect("twin");
        let mut acked = 0;
        for _ in 0..LIVES {
            let lines = if rng.chance(0.2) { 0 } else { rng.range(1, 30) };
            let said = life(dir.path(), lines, rng.below(30));
            let number = |line: &str, word: &str| {
                let rest = line.split_once(word)?.1;
                rest.split(' ').next()?.parse::<u64>().ok()
            };
            let told = said.iter().filter_map(|line| number(line, "acked "));
            acked = told.max().unwrap_or(0).max(acked);
            let c = open(&dir.path().join("store"));
            assert!(c.head_seq() >= acked, "{} of {acked}", c.head_seq());
            for seq in twin.head_seq() + 1..=c.head_seq() {
                twin.apply(batch(seq)).expect("write");
            }
            assert_eq!(c.digest().expect("digest"), twin.digest().expect("digest"));
            from_checkpoints += u64::from(c.stats().checkpoint_seq > 0);
            assert_searches(&c, &twin, &mut rng);
        }
        entries += acked;
        for copy in std::fs::read_dir(dir.path()).expect("names").flatten() {
            if copy.file_name().to_string_lossy().starts_with("copy") {
                copies += u64::from(is_whole(&copy.path()));
            }
        }
    }
    println!(
        "{kills} kills, {entries} entries, {copies} whole copies, {from_checkpoints} openings from checkpoints"
    );
    // On a slow machine few lives are long enough for a whole copy.
    assert!(from_checkpoints > 0 && (copies > 0 || kills < 200));
}

/// The same answers, and from the graph nearly the same.
fn assert_searches(c: &Collection, twin: &Collection, rng: &mut Rng) {
    for as_of in [AsOf::Now, AsOf::Seq(rng.below(c.head_seq() + 1))] {
        if let Err(refused) = twin.count(&as_of) {
            assert_eq!(
                c.count(&as_of).expect_err("trimmed").to_string(),
                refused.to_string()
            );
            continue;
        }
        let query: Vec<f32> = (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect();
        let ask = |c: &Collection, effort| {
            let hits = c.search_dense_with(&query, 10, &as_of, None, effort);
            hits.expect("search")
        };
        let exact = ask(twin, Effort::Exact);
        assert_eq!(ask(c, Effort::Exact), exact);
        let found = ask(c, Effort::Beam(200));
        let hits = exact.iter().filter(|hit| found.contains(hit)).count();
        assert!(hits * 10 >= exact.len() * 7, "{hits} of {}", exact.len());
        let text = |c: &Collection| c.search_text("word3 other4", 10, &as_of, None);
        assert_eq!(text(c).expect("text"), text(twin).expect("text"));
    }
}

/// Whether a copy was finished; then it restores and is what it says.
fn is_whole(copy: &Path) -> bool {
    let from: Arc<dyn Disk> = Arc::new(FsDisk::open(copy).expect("the copy"));
    let to: Arc<dyn Disk> = Arc::new(MemDisk::new());
    match restore(&from, &to, SETTINGS, Until::Head) {
        Ok(restored) => {
            assert_eq!(restored.is_as_said, Some(true));
            true
        }
        Err(collection::Error::Unfinished) => false,
        // Killed before the first byte.
        Err(error) => {
            let names = from.list().expect("names");
            assert!(names.is_empty(), "{error}: {names:?}");
            false
        }
    }
}
