//! A collection in use, on a real set and a real disk: written to, linked, searched meanwhile, searched as of the past,
//! closed and opened again.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use collection::{AsOf, Collection, Effort, Metric, Op, Payload, Point, Settings, SyncPolicy};
use stdx::Rng;

use super::graph::sets::{self, Set, cpu_seconds};
use crate::Size;
use crate::report::{Better, Figure, Report};

const K: usize = 10;
/// Points of one acknowledged batch.
const BATCH: usize = 250;
const QUERIES: usize = 2_000;
const ROUNDS: usize = 5;
/// Points a second while searches are timed.
const TRICKLE: f64 = 5_000.0;
const TRICKLE_S: f64 = 8.0;
/// When the set is known, and an hour later what is written while searches are timed; ns.
const FIRST: u64 = 1_000;
const SECOND: u64 = FIRST + 3_600_000_000_000;

/// All figures, when the set is here.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    let name = "text";
    let Some(set) = sets::find(name, size.of(QUERIES))? else {
        report.step(&format!(
            "skipped: vector collection on {name}: no set in {}",
            sets::FOLDER
        ));
        return Ok(());
    };
    report.step("vector: a collection in use");
    // Beside the program, on the disk it was built on: a temporary folder may be memory.
    let program = std::env::current_exe().context("where this program is")?;
    let folder = tempfile::tempdir_in(program.parent().context("the folder of this program")?)?;
    for figure in measure(&set, folder.path())? {
        report.add(figure);
    }
    Ok(())
}

fn settings(set: &Set) -> Settings {
    Settings {
        dim: set.dim,
        metric: Metric::Cosine,
        sync: SyncPolicy::Always,
    }
}

fn op(id: String, vector: Vec<f32>, known_at: u64) -> Op {
    Op::Upsert(Point {
        id,
        vector,
        text: String::new(),
        payload: Payload::default(),
        event_at: known_at,
        known_at,
    })
}

fn figure(name: &str, unit: &'static str, better: Better, values: Vec<f64>) -> Figure {
    Figure::new(format!("vector.live.{name}"), unit, better, values)
}

fn measure(set: &Set, folder: &Path) -> Result<Vec<Figure>> {
    let (points, _) = Collection::open(folder, settings(set))?;
    let mut figures = filled(&points, set, folder)?;
    let (seconds, found) = asked(&points, set, &AsOf::Now, Effort::Usual)?;
    let recall = set.recall(&found);
    let count = set.query_count() as f64;
    let idle = latencies(&points, set, || false)?;
    let busy = while_written(&points, set)?;
    points.settle();
    let p99 = |values: &[f64]| values[values.len() * 99 / 100];
    let p50 = |values: &[f64]| values[values.len() / 2];
    for (name, busy, idle) in [
        ("p99_while_inserting", &busy.wall, &idle.wall),
        ("p99_while_inserting_own", &busy.own, &idle.own),
    ] {
        let note = format!("p50 {:.0} and {:.0} us", p50(busy), p50(idle));
        figures.push(
            figure(name, "us", Better::Less, vec![p99(busy)])
                .beside("idle", &[p99(idle)])
                .recall(recall)
                .note(format!("{TRICKLE} inserts/s, durable and linked; own: less the waiting for a processor; {note}")),
        );
    }
    let (mut now, mut then) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        now.push(asked(&points, set, &AsOf::Now, Effort::Usual)?.0 / count * 1e6);
        then.push(asked(&points, set, &AsOf::Known(FIRST), Effort::Usual)?.0 / count * 1e6);
    }
    let (_, found) = asked(&points, set, &AsOf::Known(FIRST), Effort::Usual)?;
    figures.push(
        figure("as_of_an_hour_back", "us/query", Better::Less, then)
            .beside("now", &now)
            .recall(set.recall(&found))
            .note("CPU time; the truth is that of then"),
    );
    let _ = seconds;
    let stats = points.stats();
    let bytes = stats.memory_bytes as f64 / stats.versions as f64;
    figures.push(figure("bytes_a_vector", "B", Better::Less, vec![bytes]));
    figures.push(reopened(points, set, folder)?);
    Ok(figures)
}

/// Stores the set and links it.
fn filled(points: &Collection, set: &Set, folder: &Path) -> Result<Vec<Figure>> {
    let start = Instant::now();
    for from in (0..set.count()).step_by(BATCH) {
        let to = set.count().min(from + BATCH);
        let ops = (from..to).map(|n| op(format!("p{n}"), set.row(n as u32).to_vec(), FIRST));
        points.apply(ops.collect())?;
    }
    let stored = set.count() as f64 / start.elapsed().as_secs_f64();
    points.settle();
    let linked = set.count() as f64 / start.elapsed().as_secs_f64();
    let bare = bare_writes(set, folder)?;
    Ok(vec![
        figure("durable_inserts", "points/s", Better::More, vec![stored])
            .beside("the same bytes written and synced", &[bare])
            .note(format!(
                "batches of {BATCH}, one caller, a sync each; the linker works beside it"
            )),
        figure("linked_inserts", "points/s", Better::More, vec![linked])
            .note("from the first write until all are in the graph, wall time, one thread links"),
    ])
}

/// Writes and syncs as many bytes, as often.
fn bare_writes(set: &Set, folder: &Path) -> Result<f64> {
    use std::io::Write;
    let mut file = std::fs::File::create(folder.join("bare"))?;
    let bytes = vec![1; BATCH * (set.dim * 4 + 48)];
    let start = Instant::now();
    for _ in 0..set.count() / BATCH {
        file.write_all(&bytes)?;
        file.sync_data()?;
    }
    let rate = set.count() as f64 / start.elapsed().as_secs_f64();
    std::fs::remove_file(folder.join("bare"))?;
    Ok(rate)
}

/// CPU seconds of all queries, and what each found.
fn asked(
    points: &Collection,
    set: &Set,
    as_of: &AsOf,
    effort: Effort,
) -> Result<(f64, Vec<Vec<u32>>)> {
    let start = cpu_seconds();
    let mut found = Vec::new();
    for query in set.queries.chunks_exact(set.dim) {
        found.push(points.search_dense_with(query, K, as_of, None, effort)?);
    }
    let seconds = cpu_seconds() - start;
    let number = |id: &str| id.strip_prefix('p').and_then(|n| n.parse().ok());
    let ids = found.iter().map(|hits| {
        let ids = hits.iter().map(|hit| number(&hit.id).unwrap_or(u32::MAX));
        ids.collect()
    });
    Ok((seconds, ids.collect()))
}

/// Microseconds, ascending.
#[derive(Default)]
struct Latencies {
    /// By the clock.
    wall: Vec<f64>,
    /// Less what the thread waited for a processor: what the collection itself takes, locks among it.
    own: Vec<f64>,
}

/// Microseconds that this thread was ready and no processor was free.
fn waited_us() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let ns = text.split(' ').nth(1).and_then(|ns| ns.parse::<f64>().ok());
    ns.map_or(0.0, |ns| ns / 1e3)
}

/// Microseconds of each query, ascending, asked once each and on while `goes_on`.
fn latencies(points: &Collection, set: &Set, goes_on: impl Fn() -> bool) -> Result<Latencies> {
    let mut all = Latencies::default();
    loop {
        for query in set.queries.chunks_exact(set.dim) {
            let start = Instant::now();
            let waited = waited_us();
            points.search_dense(query, K, &AsOf::Now, None)?;
            let waited = waited_us() - waited;
            all.wall.push(start.elapsed().as_secs_f64() * 1e6);
            all.own.push(start.elapsed().as_secs_f64() * 1e6 - waited);
        }
        if !goes_on() {
            break;
        }
    }
    all.wall.sort_unstable_by(f64::total_cmp);
    all.own.sort_unstable_by(f64::total_cmp);
    Ok(all)
}

/// Latencies while a second thread writes rows like those of the set, at an even pace.
fn while_written(points: &Collection, set: &Set) -> Result<Latencies> {
    let writing = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let (mut rng, start, mut sent) = (Rng::new(4), Instant::now(), 0);
            let mut outcome = Ok(());
            while start.elapsed().as_secs_f64() < TRICKLE_S && outcome.is_ok() {
                let due = (start.elapsed().as_secs_f64() * TRICKLE) as usize;
                if due < sent + 50 {
                    std::thread::sleep(Duration::from_millis(2));
                    continue;
                }
                let ops = (sent..due).map(|n| op(format!("q{n}"), near(set, &mut rng), SECOND));
                outcome = points.apply(ops.collect()).map(|_| ());
                sent = due;
            }
            writing.store(false, Ordering::Relaxed);
            outcome
        });
        let latencies = latencies(points, set, || writing.load(Ordering::Relaxed));
        let written = writer.join();
        ensure!(matches!(written, Ok(Ok(()))), "the writer failed");
        latencies
    })
}

/// A row of the set, moved a little.
fn near(set: &Set, rng: &mut Rng) -> Vec<f32> {
    let row = set.row(rng.below(set.count() as u64) as u32);
    row.iter().map(|v| v + 0.02 * rng.normal() as f32).collect()
}

/// Time from opening the folder to the answer of a first query, which is as it was.
fn reopened(points: Collection, set: &Set, folder: &Path) -> Result<Figure> {
    points.checkpoint()?;
    let ask =
        |points: &Collection| points.search_dense(&set.queries[..set.dim], K, &AsOf::Now, None);
    let (before, mut values) = (ask(&points)?, Vec::new());
    drop(points);
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let (points, _) = Collection::open(folder, settings(set))?;
        let answer = ask(&points)?;
        values.push(start.elapsed().as_secs_f64() * 1e3);
        ensure!(answer == before, "another answer after opening");
    }
    let note = format!(
        "{} points, from the checkpoint, files in the page cache",
        set.count()
    );
    Ok(figure("open_to_first_query", "ms", Better::Less, values).note(note))
}
