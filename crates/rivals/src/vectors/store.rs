//! The collection: searches now and as of an instant, by words, and writes until they are durable.

use std::fs::File;
use std::hint::black_box;
use std::io::Write;
use std::path::Path;

use anyhow::{Context, Result};
use collection::{AsOf, Collection, MemDisk, Metric, Op, Payload, Point, Settings, SyncPolicy};
use stdx::Rng;
use vector::top_k;

use super::exact::{DIM, recall_of, unit_rows};
use super::postings::Postings;
use super::texts;
use crate::Size;
use crate::measure::{Run, interleave, time_ns};
use crate::report::{Better, Figure};

const ROUNDS: usize = 7;
const POINTS: usize = 20_000;
const K: usize = 10;
const DENSE_QUERIES: usize = 16;
/// Instants: all points are known at the first, a fifth has a second version at the second.
const FIRST: u64 = 1_000;
const SECOND: u64 = 2_000;

fn settings(sync: SyncPolicy) -> Settings {
    Settings {
        dim: DIM,
        metric: Metric::Cosine,
        sync,
    }
}

fn point(number: usize, vector: &[f32], text: &str, known_at: u64) -> Op {
    Op::Upsert(Point {
        id: format!("p{number}"),
        vector: vector.to_vec(),
        text: text.to_owned(),
        payload: Payload::default(),
        event_at: known_at,
        known_at,
    })
}

/// Every point, then a second version of one in five.
fn fill(points: &Collection, rows: &[f32], texts: &[String]) -> Result<()> {
    let count = texts.len();
    let op = |number: usize, known_at| {
        point(
            number,
            &rows[number * DIM..][..DIM],
            &texts[number],
            known_at,
        )
    };
    for start in (0..count).step_by(500) {
        points.apply(
            (start..count.min(start + 500))
                .map(|n| op(n, FIRST))
                .collect(),
        )?;
    }
    for start in (0..count).step_by(2_500) {
        points.apply(
            (start..count.min(start + 500))
                .map(|n| op(n, SECOND))
                .collect(),
        )?;
    }
    Ok(())
}

/// Dense and text searches over one collection that holds superseded versions.
pub fn searches(size: &Size) -> Result<Vec<Figure>> {
    let texts = texts::load(size.of(POINTS));
    let count = texts.texts.len();
    let mut rng = Rng::new(9);
    let rows = unit_rows(count, &mut rng);
    let (points, _) = Collection::open_on(MemDisk::new(), settings(SyncPolicy::Never))?;
    fill(&points, &rows, &texts.texts)?;
    let queries = unit_rows(DENSE_QUERIES, &mut rng);
    let queries: Vec<&[f32]> = queries.chunks_exact(DIM).collect();
    let index = Postings::new(&texts.texts);
    let recall = |as_of: AsOf| {
        recall_of(&rows, &queries, |query| {
            let hits = points.search_dense(query, K, &as_of, None);
            let number = |id: &str| id.strip_prefix('p')?.parse().ok();
            let hits = hits.iter().flatten();
            hits.filter_map(|hit| number(&hit.id)).collect()
        })
    };
    let recalls = [recall(AsOf::Now), recall(AsOf::Known(FIRST))];
    let dense = |as_of: AsOf| {
        let search = |query: &&[f32]| points.search_dense(query, K, &as_of, None).is_ok();
        time_ns(|| queries.iter().all(search)) / DENSE_QUERIES as f64 / 1e3
    };
    let text = |as_of: AsOf| {
        let search = |query: &String| points.search_text(query, K, &as_of, None).is_ok();
        time_ns(|| texts.queries.iter().all(search)) / texts.queries.len() as f64 / 1e3
    };
    let mut contestants: [Run<'_>; 6] = [
        Box::new(|| dense(AsOf::Now)),
        Box::new(|| dense(AsOf::Known(FIRST))),
        Box::new(|| {
            let bare = |query: &&[f32]| {
                black_box(top_k(Metric::Cosine, DIM, &rows, query, K, |_| true));
            };
            time_ns(|| queries.iter().for_each(bare)) / DENSE_QUERIES as f64 / 1e3
        }),
        Box::new(|| text(AsOf::Now)),
        Box::new(|| text(AsOf::Known(FIRST))),
        Box::new(|| {
            let search = |query: &String| {
                black_box(index.search(query, K));
            };
            time_ns(|| texts.queries.iter().for_each(search)) / texts.queries.len() as f64 / 1e3
        }),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    Ok(figures(&values, recalls, count, &texts.words))
}

/// Each way to search beside the one it is compared with.
fn figures(values: &[Vec<f64>], recalls: [f64; 2], count: usize, words: &str) -> Vec<Figure> {
    let [dense_now, dense_then, bare, text_now, text_then, postings] = values else {
        unreachable!("one list of values a contestant")
    };
    let figure = |name: &str, values: &[f64]| {
        Figure::new(
            format!("vector.collection.{name}"),
            "us/query",
            Better::Less,
            values.to_vec(),
        )
    };
    let held =
        format!("{count} points of {DIM} f32, a fifth of them with two versions, top {K}, exact");
    vec![
        figure("dense_now", dense_now)
            .beside("bare scan of the same rows", bare)
            .recall(recalls[0])
            .note(held),
        figure("dense_as_of", dense_then)
            .beside("the same, now", dense_now)
            .recall(recalls[1])
            .note("as known before the second versions: the older ones are searched"),
        figure("text_now", text_now)
            .beside("naive BM25, no stems, no versions", postings)
            .note(format!(
                "{}; ours stems, leaves out stop words and asks what was visible when",
                words
            )),
        figure("text_as_of", text_then)
            .beside("the same, now", text_now)
            .note("statistics of the instant, not of today"),
    ]
}

const WRITERS: usize = 8;
const WRITES: usize = 1_200;
const TEXT: &str = "Acme Industries cut its full-year forecast because of weak demand.";

/// Points a second, each in a batch of its own and durable before it is acknowledged.
pub fn writes(size: &Size) -> Result<Vec<Figure>> {
    // Beside the program, on the disk it was built on: a temporary folder may be memory.
    let program = std::env::current_exe().context("where this program is")?;
    let beside = program.parent().context("the folder of this program")?;
    let folder = tempfile::tempdir_in(beside)?;
    let count = size.of(WRITES);
    let run = std::cell::Cell::new(0);
    let next = |kind: &str| {
        run.set(run.get() + 1);
        folder.path().join(format!("{kind}{}", run.get()))
    };
    let values = {
        let mut contestants: [Run<'_>; 3] = [
            Box::new(|| stored(&next("many"), WRITERS, count).unwrap_or(0.0)),
            Box::new(|| stored(&next("one"), 1, count / WRITERS).unwrap_or(0.0)),
            Box::new(|| synced(&next("file"), count / WRITERS).unwrap_or(0.0)),
        ];
        interleave(5, &mut contestants)
    };
    let [many, one, bare] = values.as_slice() else {
        unreachable!("one list of values a contestant")
    };
    let figure = |name: &str, values: &[f64]| {
        let name = format!("vector.collection.{name}");
        Figure::new(name, "points/s", Better::More, values.to_vec())
    };
    let beside = "bare write and fdatasync, one caller";
    Ok(vec![
        figure(&format!("durable_writes_{WRITERS}_callers"), many)
            .beside(beside, bare)
            .note("a point a batch, 384 f32 and a sentence, acknowledged when on disk; callers that wait together share a sync"),
        figure("durable_writes_1_caller", one).beside(beside, bare).note("a limit: the same bytes appended to a file"),
    ])
}

fn stored(folder: &Path, callers: usize, count: usize) -> Result<f64> {
    let (points, _) = Collection::open(folder, settings(SyncPolicy::Always))?;
    let rows = unit_rows(1, &mut Rng::new(2));
    let each = count / callers;
    let took_ns = time_ns(|| {
        std::thread::scope(|scope| {
            for caller in 0..callers {
                let (points, rows) = (&points, &rows);
                scope.spawn(move || {
                    for number in 0..each {
                        let op = point(caller * each + number, rows, TEXT, FIRST);
                        points
                            .apply(vec![op])
                            .expect("the disk has room for a few megabytes");
                    }
                });
            }
        });
    });
    Ok((each * callers) as f64 / took_ns * 1e9)
}

fn synced(path: &Path, count: usize) -> Result<f64> {
    let mut file = File::create(path)?;
    let entry = vec![1u8; DIM * 4 + TEXT.len() + 64];
    let mut failed = None;
    let took_ns = time_ns(|| {
        for _ in 0..count {
            if let Err(error) = file.write_all(&entry).and_then(|()| file.sync_data()) {
                failed = Some(error);
            }
        }
    });
    match failed {
        Some(error) => Err(error.into()),
        None => Ok(count as f64 / took_ns * 1e9),
    }
}
