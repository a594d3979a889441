//! The gate of the int8 model: its vectors against those of the f32 original, on 200 texts of the kind it will see.
//!
//! `testdata/embed/reference.f32` holds, for each line of `texts.txt`, the 384 numbers that a plain forward pass over
//! the original f32 weights gives.

use std::path::PathBuf;

use embed::{Embedder, Kernel};

const COSINE_MEAN: f64 = 0.997;
const COSINE_MIN: f64 = 0.995;

fn testdata(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/embed")
        .join(name)
}

fn texts() -> Vec<String> {
    let text = std::fs::read_to_string(testdata("texts.txt")).expect("texts are committed");
    text.lines().map(str::to_owned).collect()
}

fn references() -> Vec<Vec<f32>> {
    let bytes = std::fs::read(testdata("reference.f32")).expect("references are committed");
    let numbers = bytes
        .as_chunks::<4>()
        .0
        .iter()
        .map(|number| f32::from_le_bytes(*number));
    numbers
        .collect::<Vec<f32>>()
        .chunks_exact(384)
        .map(<[f32]>::to_vec)
        .collect()
}

fn cosine(a: &[f32], b: &[f32]) -> f64 {
    let dot = |a: &[f32], b: &[f32]| -> f64 {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

fn check_gate(name: &str, cosines: &[f64]) {
    let mean = cosines.iter().sum::<f64>() / cosines.len() as f64;
    let min = cosines.iter().copied().fold(f64::INFINITY, f64::min);
    assert!(
        mean >= COSINE_MEAN && min >= COSINE_MIN,
        "{name}: mean {mean:.5}, min {min:.5}"
    );
}

#[test]
fn every_kernel_passes_the_gate() {
    let (texts, references) = (texts(), references());
    assert_eq!((texts.len(), references.len()), (200, 200));
    for (n, kernel) in Kernel::available().into_iter().enumerate() {
        let embedder = Embedder::packaged().unwrap().with_kernel(kernel);
        // The fastest one does all; the others, slower, every fifth.
        let step = if n == 0 { 1 } else { 5 };
        let pairs = texts.iter().zip(&references).step_by(step);
        let cosines: Vec<f64> = pairs
            .map(|(text, wanted)| cosine(&embedder.embed(text).unwrap(), wanted))
            .collect();
        check_gate(kernel.name(), &cosines);
    }
}

/// Only sums of integers are made by AMX, and these are exact.
#[test]
fn amx_gives_the_vectors_of_avx512_to_the_last_bit() {
    let kernels = Kernel::available();
    let named = |name: &str| kernels.iter().copied().find(|kernel| kernel.name() == name);
    let (Some(tiles), Some(vectors)) = (named("amx-int8"), named("avx512-vnni")) else {
        return eprintln!("skipped: amx: this processor or Linux has no tiles");
    };
    let with = |kernel| Embedder::packaged().unwrap().with_kernel(kernel);
    let (tiles, vectors) = (with(tiles), with(vectors));
    for text in texts().iter().step_by(3) {
        assert_eq!(
            tiles.embed(text).unwrap(),
            vectors.embed(text).unwrap(),
            "{text}"
        );
    }
}

#[test]
fn a_batch_gives_the_vectors_of_its_texts_in_order() {
    let embedder = Embedder::packaged().unwrap();
    let texts = texts();
    let mut texts: Vec<&str> = texts.iter().step_by(4).map(String::as_str).collect();
    texts.extend(["", "a", ""]);
    let batch = embedder.embed_batch(&texts).unwrap();
    assert_eq!(batch.len(), texts.len());
    for (text, vector) in texts.iter().zip(&batch) {
        // A token's arithmetic does not depend on its neighbours in the pass: equal to the last bit.
        assert_eq!(vector, &embedder.embed(text).unwrap(), "{text}");
        let length = vector.iter().map(|value| value * value).sum::<f32>().sqrt();
        assert!((length - 1.0).abs() < 1e-5, "{length}");
    }
    assert!(embedder.embed_batch(&[]).unwrap().is_empty());
}

#[test]
fn a_long_text_is_cut_at_the_limit() {
    let embedder = Embedder::packaged().unwrap();
    assert_eq!(embedder.max_tokens(), 256);
    let long = "The spread widened while depth was withdrawn. ".repeat(200);
    assert!(embedder.token_count(&long) > 1000);
    let whole = embedder.embed(&long).unwrap();
    assert_eq!(
        whole,
        embedder
            .embed(&format!("{long} Entirely other words."))
            .unwrap()
    );

    let longest = embedder.with_max_tokens(512).unwrap();
    let other = longest.embed(&long).unwrap();
    assert!(other != whole && cosine(&other, &whole) > 0.9);
    assert!(longest.with_max_tokens(513).is_err());
    assert!(Embedder::packaged().unwrap().with_max_tokens(2).is_err());
}

#[test]
fn near_in_meaning_is_near_in_space() {
    let embedder = Embedder::packaged().unwrap();
    let question = embedder.embed("Why did margins shrink?").unwrap();
    let near = embedder
        .embed("Gross margin fell because freight and resin became dearer.")
        .unwrap();
    let far = embedder
        .embed("The board elected two directors at the annual meeting.")
        .unwrap();
    assert!(cosine(&question, &near) > cosine(&question, &far) + 0.2);
}

#[test]
fn threads_share_one_embedder() {
    let embedder = Embedder::packaged().unwrap();
    let texts = texts();
    let alone: Vec<Vec<f32>> = texts[..20]
        .iter()
        .map(|text| embedder.embed(text).unwrap())
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                for (text, wanted) in texts.iter().zip(&alone) {
                    assert_eq!(&embedder.embed(text).unwrap(), wanted);
                }
            });
        }
    });
}
