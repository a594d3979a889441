//! Every kernel against the scalar twin (bit for bit) and against plain `f64` arithmetic.

use proptest::prelude::*;

use super::{Kernels, scalar};

fn any_float() -> impl Strategy<Value = f32> {
    prop_oneof![
        6 => -10.0f32..10.0,
        1 => Just(0.0f32),
        1 => Just(-0.0f32),
        1 => (0u32..0x0080_0000).prop_map(f32::from_bits),
        1 => -1e15f32..1e15,
    ]
}

fn query_and_rows() -> impl Strategy<Value = (Vec<f32>, Vec<f32>)> {
    (1usize..=140).prop_flat_map(|dim| {
        (
            prop::collection::vec(any_float(), dim),
            prop::collection::vec(any_float(), dim * 4),
        )
    })
}

fn close(got: f32, want: f64, scale: f64) -> bool {
    (f64::from(got) - want).abs() <= 1e-5 * scale + 1e-36
}

fn check_all(query: &[f32], rows: &[f32]) {
    let dim = query.len();
    let row = |n: usize| &rows[n * dim..(n + 1) * dim];
    for kernels in Kernels::available() {
        let dot4 = kernels.dot4(query, [row(0), row(1), row(2), row(3)]);
        let l2_4 = kernels.l2_squared4(query, [row(0), row(1), row(2), row(3)]);
        for n in 0..4 {
            let dot = scalar::KERNELS.dot(query, row(n));
            let l2 = scalar::KERNELS.l2_squared(query, row(n));
            assert_eq!(
                kernels.dot(query, row(n)).to_bits(),
                dot.to_bits(),
                "{}",
                kernels.name
            );
            assert_eq!(kernels.l2_squared(query, row(n)).to_bits(), l2.to_bits());
            assert_eq!(dot4[n].to_bits(), dot.to_bits(), "{} row {n}", kernels.name);
            assert_eq!(l2_4[n].to_bits(), l2.to_bits(), "{} row {n}", kernels.name);
            let pairs = || {
                query
                    .iter()
                    .zip(row(n))
                    .map(|(&a, &b)| (f64::from(a), f64::from(b)))
            };
            let scale: f64 = pairs().map(|(a, b)| (a * b).abs()).sum();
            assert!(
                close(dot, pairs().map(|(a, b)| a * b).sum(), scale),
                "{dot}"
            );
            let want: f64 = pairs().map(|(a, b)| (a - b) * (a - b)).sum();
            assert!(close(l2, want, want), "{l2} {want}");
        }
    }
}

proptest! {
    #[test]
    fn every_kernel_equals_the_scalar_twin((query, rows) in query_and_rows()) {
        check_all(&query, &rows);
    }
}

#[test]
fn every_length_and_tail_up_to_the_limit() {
    let mut rng = stdx::Rng::new(7);
    let lengths = (1..=130).chain([255, 256, 383, 384, 385, 768, 1023, 1536, 4095, 4096]);
    for dim in lengths {
        let mut floats = |n: usize| -> Vec<f32> {
            (0..n)
                .map(|_| (rng.next_u64() >> 40) as f32 / (1u64 << 24) as f32 - 0.5)
                .collect()
        };
        let (query, rows) = (floats(dim), floats(dim * 4));
        check_all(&query, &rows);
        check_all(&vec![0.0; dim], &rows);
    }
}

#[test]
#[should_panic(expected = "vectors of one length")]
fn lengths_are_checked_before_any_pointer() {
    let _ = Kernels::get().dot(&[1.0; 16], &[1.0; 15]);
}
