//! Exact top 10 over 100,000 rows of 384 floats on one thread, beside a plain read of the same
//! memory: the scan should cost what reading costs.
//!
//! `cargo bench -p vector --bench scan`

use std::hint::black_box;

use stdx::{Clock, Rng, SystemClock};
use vector::arch::Kernels;
use vector::{Metric, Scratch, flat::Scan};

const ROWS: usize = 100_000;
const DIM: usize = 384;

fn median_ms(runs: usize, mut work: impl FnMut()) -> f64 {
    work();
    let mut times: Vec<f64> = (0..runs)
        .map(|_| {
            let start = SystemClock.now_ns();
            work();
            SystemClock.now_ns().saturating_sub(start) as f64 / 1e6
        })
        .collect();
    times.sort_by(f64::total_cmp);
    times[runs / 2]
}

fn main() {
    let mut rng = Rng::new(1);
    let all: Vec<f32> = (0..ROWS * DIM + 16)
        .map(|_| rng.f64() as f32 - 0.5)
        .collect();
    // Rows that start at cache lines, as in the arena of a collection.
    let skip = all.as_ptr().align_offset(64);
    let rows = &all[skip..skip + ROWS * DIM];
    let query: Vec<f32> = (0..DIM).map(|_| rng.f64() as f32 - 0.5).collect();
    let bytes = (rows.len() * 4) as f64;
    let mut scratch = Scratch::default();
    let read = median_ms(41, || {
        let words = rows.chunks_exact(16);
        let mut sums = [0u32; 16];
        for word in words {
            for (sum, value) in sums.iter_mut().zip(word) {
                *sum ^= value.to_bits();
            }
        }
        black_box(sums);
    });
    println!("read  {read:.2} ms  {:.1} GB/s", bytes / read / 1e6);
    for metric in [Metric::Ip, Metric::L2] {
        let scan = median_ms(41, || {
            let mut scan = Scan::new(metric, &query, 10, &mut scratch);
            scan.rows(0, rows, |_| true);
            black_box(scan.finish());
        });
        let speed = bytes / scan / 1e6;
        println!(
            "{metric:?}  {scan:.2} ms  {speed:.1} GB/s  {:.2} of read",
            read / scan
        );
    }
    for kernels in Kernels::available() {
        let one = median_ms(5, || {
            for row in rows.chunks_exact(DIM) {
                black_box(kernels.dot(&query, row));
            }
        });
        println!("{:<8} dot {one:.2} ms in memory", kernels.name);
        let cached = &rows[..400 * DIM];
        let one = median_ms(5, || {
            for row in cached.chunks_exact(DIM).cycle().take(ROWS) {
                black_box(kernels.dot(&query, row));
            }
        });
        println!("{:<8} dot {one:.2} ms in cache", kernels.name);
    }
}
