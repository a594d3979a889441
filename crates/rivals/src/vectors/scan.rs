//! Exact scans of each kind of row beside reading the same bytes: a scan cannot be faster than that.
//!
//! The bytes are far more than caches hold. The reading is the faster one of two loops in the same rounds:
//! one leaves all to the processor, the other asks for the line a kilobyte ahead.

use std::hint::black_box;

use anyhow::{Context, Result};
use memmap2::{Advice, MmapMut};
use stdx::{Rng, hint};
use vector::arch::{Bf16, Element, F16};
use vector::flat::{Bits, CodesScratch, FlatCodes};
use vector::graph::Frame;
use vector::{Metric, top_k};
use zerocopy::{FromBytes, IntoBytes};

use super::exact::{DIM, unit_rows};
use crate::Size;
use crate::measure::{Run, interleave, median, time_ns};
use crate::report::{Better, Figure};

const K: usize = 10;
const ROUNDS: usize = 9;
/// Bytes of rows of one kind.
const BYTES: usize = 300 << 20;
/// Rows of one bit; their bytes are a third of the others'.
const CODED_ROWS: usize = 2_000_000;
/// Bytes between what is read and what is asked for.
const AHEAD: usize = 1_024;
const METRICS: [(Metric, &str); 2] = [(Metric::Ip, "ip"), (Metric::L2, "l2")];

/// All kinds of rows, by inner product and by distance.
pub fn measure(size: &Size) -> Result<Vec<Figure>> {
    let mut rng = Rng::new(11);
    let query = unit_rows(1, &mut rng);
    let mut figures = Vec::new();
    let most = 6.0 / (DIM as f32).sqrt();
    figures.extend(rows_of::<f32>("f32", size, &query, |value| value)?);
    figures.extend(rows_of("f16", size, &query, F16::nearest)?);
    figures.extend(rows_of("bf16", size, &query, Bf16::nearest)?);
    figures.extend(rows_of("int8", size, &query, |value| {
        (value * 127.0 / most).round().clamp(-127.0, 127.0) as i8
    })?);
    figures.extend(codes_of(
        "4-bit",
        Bits::Four,
        size.of(CODED_ROWS / 2),
        &query,
    ));
    figures.extend(codes_of("1-bit", Bits::One, size.of(CODED_ROWS), &query));
    Ok(figures)
}

fn rows_of<E: Element + FromBytes>(
    name: &str,
    size: &Size,
    query: &[f32],
    narrow: impl Fn(f32) -> E,
) -> Result<Vec<Figure>> {
    let count = size.of(BYTES) / size_of::<E>() / DIM;
    let mut memory = MmapMut::map_anon(count * DIM * size_of::<E>()).context("memory for rows")?;
    // Where the system has no large pages the rows lie on small ones.
    let is_large = memory.advise(Advice::HugePage).is_ok();
    let rows = <[E]>::mut_from_bytes(&mut memory)
        .ok()
        .context("memory of whole rows")?;
    let mut rng = Rng::new(5);
    let scale = 1.0 / (DIM as f64).sqrt();
    rows.iter_mut()
        .for_each(|element| *element = narrow((rng.normal() * scale) as f32));
    let rows = &*rows;
    let pages = if is_large {
        "large pages"
    } else {
        "small pages"
    };
    let figures = METRICS.map(|(metric, tag)| {
        let mut search = || {
            black_box(top_k(metric, DIM, rows, query, K, |_| true));
        };
        let note = format!("{count} x {DIM} {name}, {tag}, one thread, {pages}");
        let read = || vec![rows.as_bytes()];
        beside_reading(
            &format!("vector.scan.{name}.{tag}"),
            &mut search,
            &read,
            note,
        )
    });
    Ok(figures.into())
}

/// Codes of rows that overlap in memory and nowhere else: neither scan looks at more than the codes.
fn codes_of(name: &str, bits: Bits, count: usize, query: &[f32]) -> Vec<Figure> {
    let values = unit_rows(20_000, &mut Rng::new(6));
    let row = |slot: u32| {
        let at = slot as usize * 7 % (values.len() - DIM);
        &values[at..at + DIM]
    };
    let figures = METRICS.map(|(metric, tag)| {
        let mut codes = FlatCodes::new(Frame::new(metric, DIM, &values, 7), bits);
        (0..count as u32).for_each(|slot| codes.push(row(slot)));
        let mut scratch = CodesScratch::default();
        let mut search = || {
            black_box(codes.candidates(query, K, |_| true, &mut scratch));
        };
        let note = format!(
            "{count} x {DIM} {name}, {tag}, one thread, {} B a row, the {K} lowest estimates",
            codes.size_bytes() / count
        );
        let read = || codes.pieces().collect();
        beside_reading(
            &format!("vector.scan.{name}.{tag}"),
            &mut search,
            &read,
            note,
        )
    });
    figures.into()
}

fn beside_reading<'a>(
    name: &str,
    search: &mut dyn FnMut(),
    pieces: &dyn Fn() -> Vec<&'a [u8]>,
    note: String,
) -> Figure {
    let all = pieces();
    let reading =
        |ahead: usize| time_ns(|| all.iter().fold(0, |x, piece| x ^ read(piece, ahead))) / 1e6;
    let mut contestants: [Run<'_>; 3] = [
        Box::new(|| time_ns(&mut *search) / 1e6),
        Box::new(|| reading(0)),
        Box::new(|| reading(AHEAD)),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    drop(contestants);
    let (plain, asked) = (&values[1], &values[2]);
    let (loop_name, fastest) = if median(plain) < median(asked) {
        ("memory read", plain)
    } else {
        ("memory read, asking ahead", asked)
    };
    let bytes: usize = all.iter().map(|piece| piece.len()).sum();
    let speed = bytes as f64 / median(&values[0]) / 1e6;
    Figure::new(name, "ms/query", Better::Less, values[0].clone())
        .beside(loop_name, fastest)
        .note(format!("a limit: {note}, {speed:.1} GB/s"))
}

/// Reads every line once.
fn read(bytes: &[u8], ahead: usize) -> u64 {
    let mut sums = [0u64; 16];
    let (blocks, _) = bytes.as_chunks::<128>();
    for (n, block) in blocks.iter().enumerate() {
        if ahead > 0 {
            for line in 0..2 {
                hint::soon(bytes, 128 * n + 64 * line + ahead);
            }
        }
        for (sum, word) in sums.iter_mut().zip(block.as_chunks::<8>().0) {
            *sum ^= u64::from_ne_bytes(*word);
        }
    }
    sums.into_iter().fold(0, |all, sum| all ^ sum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_loops_read_every_byte() {
        let mut bytes = vec![0u8; 1_024];
        for at in [0, 255, 256, 1_023] {
            bytes[at] ^= 1;
            let (plain, asked) = (read(&bytes, 0), read(&bytes, AHEAD));
            assert!(plain == asked && plain != 0);
            bytes[at] ^= 1;
        }
    }
}
