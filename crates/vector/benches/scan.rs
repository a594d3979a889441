//! Exact top 10 over 100,000 rows of 384 floats on one thread, beside a plain read of the same
//! memory: the scan should cost what reading costs. And over 1,500,000 rows of 24 bytes, one after the other and in tiles.
//!
//! `cargo bench -p vector --bench scan`

use std::hint::black_box;

use stdx::{Clock, Rng, SystemClock};
use vector::arch::Kernels;
use vector::flat::{Scan, Tiles};
use vector::{Metric, Scratch};

const ROWS: usize = 100_000;
const DIM: usize = 384;
const SHORT_ROWS: usize = 1_500_000;
const SHORT_DIM: usize = 24;

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

fn short_rows(rng: &mut Rng) {
    // As a market state is: 24 numbers, most of them near the middle.
    let mut code = || ((rng.normal() * 30.0) as f32).clamp(-127.0, 127.0) as i8;
    let rows: Vec<i8> = (0..SHORT_ROWS * SHORT_DIM).map(|_| code()).collect();
    let mut tiles = Tiles::with_capacity(SHORT_DIM, SHORT_ROWS);
    rows.chunks_exact(SHORT_DIM).for_each(|row| tiles.push(row));
    let query: Vec<f32> = (0..SHORT_DIM).map(|_| f32::from(code())).collect();
    let mut scratch = Scratch::default();
    let in_rows = median_ms(11, || {
        let mut scan = Scan::new(Metric::L2, &query, 10, &mut scratch);
        scan.rows(0, &rows, |_| true);
        black_box(scan.finish());
    });
    let in_tiles = median_ms(41, || {
        let mut scan = Scan::new(Metric::L2, &query, 10, &mut scratch);
        scan.tiles(0, &tiles, |_| true);
        black_box(scan.finish());
    });
    println!("{SHORT_ROWS} short rows  {in_rows:.2} ms  in tiles {in_tiles:.2} ms");
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
    short_rows(&mut rng);
}
