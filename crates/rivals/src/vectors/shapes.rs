//! Shapes in a long series: ours, the scan one writes first, and STUMPY's MASS.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use stdx::Rng;
use vector::series::nearest_shapes;

use crate::Size;
use crate::measure::{Run, interleave, time_ns};
use crate::python;
use crate::report::{Better, Figure};

const WINDOWS: usize = 1_000_000;
/// As `similar` cuts a window.
const POINTS: usize = 64;
const SHAPES: usize = 8;
const K: usize = 10;
const ROUNDS: usize = 5;
const SCRIPT: &str = "crates/rivals/python/shape_peers.py";

/// A random walk, and stretches of it with a little noise: shapes that something is like.
fn series(windows: usize) -> (Vec<f64>, Vec<Vec<f64>>) {
    let mut rng = Rng::new(17);
    let mut level = 1e3;
    let walk = (0..windows + POINTS - 1).map(|_| {
        level += rng.normal();
        level
    });
    let walk: Vec<f64> = walk.collect();
    let shapes = (0..SHAPES).map(|_| {
        let start = rng.below(windows as u64) as usize;
        let stretch = &walk[start..start + POINTS];
        stretch.iter().map(|value| value + rng.normal()).collect()
    });
    let shapes = shapes.collect();
    (walk, shapes)
}

/// A million windows of 64 points, ten nearest, one thread.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
    let windows = size.of(WINDOWS);
    let (walk, shapes) = series(windows);
    let exact: Vec<Vec<u32>> = shapes.iter().map(|shape| brute(&walk, shape)).collect();
    let recall = |starts: &dyn Fn(usize) -> Vec<u32>| {
        let found = exact.iter().enumerate().map(|(at, exact)| {
            let starts = starts(at);
            exact.iter().filter(|start| starts.contains(start)).count()
        });
        found.sum::<usize>() as f64 / (K * SHAPES) as f64
    };
    let ours = |shape: &[f64]| -> Vec<u32> {
        let hits = nearest_shapes(shape, &[&walk], K);
        hits.iter().map(|hit| hit.start).collect()
    };
    let per_shape = |search: &dyn Fn(&[f64]) -> Vec<u32>| {
        let all = || shapes.iter().map(|shape| search(shape)).collect::<Vec<_>>();
        time_ns(all) / SHAPES as f64 / 1e6
    };
    let mut contestants: [Run<'_>; 2] = [
        Box::new(|| per_shape(&ours)),
        Box::new(|| per_shape(&|shape| brute(&walk, shape))),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    let figure = || {
        Figure::new(
            "vector.shapes.top10",
            "ms/shape",
            Better::Less,
            values[0].clone(),
        )
    };
    let note = format!(
        "{windows} windows of {POINTS} points of a random walk, shapes are stretches of it with noise, z-normalised distance, one thread"
    );
    let first = figure()
        .beside("every window normalised and compared", &values[1])
        .recall(recall(&|at| ours(&shapes[at])))
        .note(note.clone());
    let mut figures = vec![first];
    if size.peers() {
        let (ms, starts, version) = mass(&walk, &shapes)?;
        let theirs = recall(&|at| starts[at].clone());
        let beside = format!("STUMPY {version} mass, recall {theirs:.3}");
        figures.push(
            figure()
                .beside(&beside, &ms)
                .recall(recall(&|at| ours(&shapes[at])))
                .note(note),
        );
    }
    Ok(figures)
}

/// The scan one writes first.
fn brute(walk: &[f64], shape: &[f64]) -> Vec<u32> {
    let normal = |window: &[f64]| -> (f64, f64) {
        let count = window.len() as f64;
        let mean = window.iter().sum::<f64>() / count;
        let square: f64 = window.iter().map(|value| (value - mean).powi(2)).sum();
        (mean, (square / count).sqrt())
    };
    let (mean, deviation) = normal(shape);
    let shape: Vec<f64> = shape.iter().map(|v| (v - mean) / deviation).collect();
    let mut best: Vec<(f64, u32)> = Vec::with_capacity(K + 1);
    for (start, window) in (0..).zip(walk.windows(shape.len())) {
        let (mean, deviation) = normal(window);
        let mut distance = 0.0;
        for (value, wanted) in window.iter().zip(&shape) {
            distance += ((value - mean) / deviation - wanted).powi(2);
        }
        if best.len() < K || distance < best[K - 1].0 {
            let at = best.partition_point(|hit| hit.0 <= distance);
            best.insert(at, (distance, start));
            best.truncate(K);
        }
    }
    best.into_iter().map(|hit| hit.1).collect()
}

/// The peer's times, what it found, and its version.
fn mass(walk: &[f64], shapes: &[Vec<f64>]) -> Result<(Vec<f64>, Vec<Vec<u32>>, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let folder = tempfile::tempdir().context("a folder for the series")?;
    let bytes = |values: &mut dyn Iterator<Item = &f64>| -> Vec<u8> {
        values.flat_map(|value| value.to_le_bytes()).collect()
    };
    std::fs::write(folder.path().join("series.bin"), bytes(&mut walk.iter()))?;
    std::fs::write(
        folder.path().join("shapes.bin"),
        bytes(&mut shapes.iter().flatten()),
    )?;
    let python = python::venv(&root, &["stumpy"])?;
    let output = Command::new(python)
        .arg(root.join(SCRIPT))
        .arg(folder.path())
        .args([POINTS, K, ROUNDS].map(|number| number.to_string()))
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the peer's script")?;
    ensure!(
        output.status.success(),
        "the peer's script failed: {}",
        output.status
    );
    let said: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
        list.iter().filter_map(serde_json::Value::as_f64).collect()
    };
    let starts = said["starts"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default();
    let starts = starts
        .iter()
        .map(|list| numbers(list).iter().map(|at| *at as u32).collect());
    let version = said["version"].as_str().unwrap_or_default().to_owned();
    Ok((numbers(&said["ms"]), starts.collect(), version))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_brute_scan_and_ours_agree() {
        let (walk, shapes) = series(5_000);
        for shape in &shapes {
            let hits = nearest_shapes(shape, &[&walk], K);
            let starts: Vec<u32> = hits.iter().map(|hit| hit.start).collect();
            assert_eq!(starts, brute(&walk, shape));
        }
    }
}
