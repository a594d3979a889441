//! A process that writes with `SyncPolicy::Always` is killed at any moment; whatever it was told is
//! stored is there when the folder is opened again.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use collection::{AsOf, Collection, Error, Metric, Op, Point, Settings, SyncPolicy};

const SETTINGS: Settings = Settings {
    dim: 4,
    metric: Metric::Cosine,
    sync: SyncPolicy::Always,
};
const DIR: &str = "OUZEL_TEST_KILL_DIR";

fn point(n: u64) -> Point {
    let vector = vec![1.0, n as f32, 0.5, -1.0];
    let text = format!("entry number {n} {}", "long ".repeat(n as usize % 40));
    Point {
        id: format!("{n}"),
        vector,
        text,
        known_at: n,
        ..Point::default()
    }
}

/// The process that is killed: writes from four threads and says what was acknowledged.
#[test]
fn child() {
    let Some(dir) = std::env::var_os(DIR) else {
        return;
    };
    let (c, _) = Collection::open(Path::new(&dir), SETTINGS).expect("open");
    let start = c.head_seq() * 1_000;
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let c = &c;
            scope.spawn(move || {
                for n in 0.. {
                    let n = start + n * 4 + thread;
                    let ack = c.apply(vec![Op::Upsert(point(n))]).expect("write");
                    assert!(ack.durable);
                    let mut out = std::io::stdout().lock();
                    writeln!(out, "acked {n}")
                        .and_then(|()| out.flush())
                        .expect("say so");
                }
            });
        }
    });
}

#[test]
fn acknowledged_entries_survive_a_kill() {
    let dir = tempfile::tempdir().expect("a folder");
    let mut acked = Vec::new();
    for round in 1..=5 {
        let mut child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--exact", "child", "--nocapture"])
            .env(DIR, dir.path())
            .stdout(Stdio::piped())
            .spawn()
            .expect("start the child");
        let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
        let (before, enough) = (acked.len(), round * 40);
        let take = |line: String, acked: &mut Vec<u64>| {
            let n = line.rsplit_once("acked ");
            acked.extend(n.map(|(_, n)| n.parse::<u64>().expect("a number")));
        };
        for line in lines.by_ref() {
            take(line.expect("a line"), &mut acked);
            if acked.len() - before >= enough {
                break;
            }
        }
        child.kill().expect("kill");
        child.wait().expect("end");
        for line in lines.map_while(Result::ok) {
            take(line, &mut acked);
        }
        assert!(acked.len() - before >= enough, "the child ended by itself");
        let (c, recovery) = Collection::open(dir.path(), SETTINGS).expect("reopen");
        for n in &acked {
            let found = c
                .get(&n.to_string(), &AsOf::Now)
                .expect("get")
                .expect("acknowledged");
            assert_eq!(
                *found.point,
                Point {
                    vector: Vec::new(),
                    ..point(*n)
                }
            );
        }
        assert!(recovery.records >= acked.len() as u64);
        let second = Collection::open(dir.path(), SETTINGS)
            .err()
            .expect("one at a time");
        assert!(matches!(second, Error::Locked { .. }), "{second:?}");
    }
}
