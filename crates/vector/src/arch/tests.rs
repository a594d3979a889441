//! Every kernel against the scalar twin (bit for bit) and against plain `f64` arithmetic.

use proptest::prelude::*;

use super::{Bf16, Element, F16, Kernels, scalar};
use crate::Metric;
use crate::cases::{cases, most};

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
    (1usize..=most(140, 36)).prop_flat_map(|dim| {
        (
            prop::collection::vec(any_float(), dim),
            prop::collection::vec(any_float(), dim * 4),
        )
    })
}

fn close(got: f32, want: f64, scale: f64) -> bool {
    (f64::from(got) - want).abs() <= 1e-5 * scale + 1e-36
}

/// Every element type scores as its values do in the twin.
fn check_element<E: Element>(
    kernels: &Kernels,
    query: &[f32],
    row: &[f32],
    narrow: impl Fn(f32) -> E,
) {
    let row: Vec<E> = row.iter().map(|&value| narrow(value)).collect();
    let values: Vec<f32> = row.iter().map(|element| element.value()).collect();
    for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
        let want = scalar::KERNELS.score(metric, query, &values);
        let got = kernels.score(metric, query, &row);
        assert_eq!(got.to_bits(), want.to_bits(), "{}", kernels.name);
        let zeros = vec![E::default(); row.len()];
        let [a, b, c, d] = kernels.score4(metric, query, [&row, &zeros, &row, &row]);
        assert_eq!(
            [a, c, d].map(f32::to_bits),
            [want.to_bits(); 3],
            "{}",
            kernels.name
        );
        assert_eq!(b.to_bits(), kernels.score(metric, query, &zeros).to_bits());
    }
}

fn check_all(query: &[f32], rows: &[f32]) {
    let dim = query.len();
    let row = |n: usize| &rows[n * dim..(n + 1) * dim];
    for kernels in Kernels::available() {
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
            check_element(&kernels, query, row(n), |value| value);
            check_element(&kernels, query, row(n), F16::nearest);
            check_element(&kernels, query, row(n), Bf16::nearest);
            check_element(&kernels, query, row(n), |value| (value * 128.0) as i8);
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
    #![proptest_config(cases(256))]

    #[test]
    fn every_kernel_equals_the_scalar_twin((query, rows) in query_and_rows()) {
        check_all(&query, &rows);
    }
}

#[test]
fn every_length_and_tail_up_to_the_limit() {
    let mut rng = stdx::Rng::new(7);
    let long = [255, 256, 383, 384, 385, 768, 1023, 1536, 4095, 4096];
    let (short, long) = if cfg!(miri) {
        (15..=17, &[1, 33, 64, 67][..])
    } else {
        (1..=130, &long[..])
    };
    for dim in short.chain(long.iter().copied()) {
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

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn narrow_elements_are_the_nearest(value in any::<f32>()) {
        prop_assume!(!value.is_nan());
        let narrow = Bf16::nearest(value);
        let clamped = f64::from(value.clamp(-f32::MAX, f32::MAX));
        let error = (f64::from(narrow.value()) - clamped).abs();
        prop_assert!(narrow.value().is_finite());
        for other in [narrow.0.wrapping_sub(1), narrow.0.wrapping_add(1)] {
            let other = f64::from(Bf16(other).value());
            prop_assert!(!other.is_finite() || error <= (other - clamped).abs(), "{}", value);
        }
    }
}
