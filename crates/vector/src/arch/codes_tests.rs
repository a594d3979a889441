//! Every kernel over codes against the scalar twin, and the twin against plain arithmetic.

use proptest::prelude::*;

use super::*;
use crate::cases::{cases, most};

fn twin() -> Kernels {
    scalar::KERNELS
}

/// Bytes of random length in whole lines, now and then at the ends of their range.
fn bytes(len: usize) -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![4 => any::<u8>(), 1 => Just(1u8), 1 => Just(255u8), 1 => Just(128u8)];
    prop::collection::vec(byte, len)
}

fn dim() -> impl Strategy<Value = usize> {
    prop_oneof![4 => 1usize..=most(14, 2), 1 => Just(most(64, 1)), 1 => Just(most(16, 1))]
        .prop_map(|n| n * 64)
}

fn planes(components: &[i16]) -> Planes {
    let mut planes = Planes::default();
    let values: Vec<f32> = components.iter().map(|&wide| f32::from(wide)).collect();
    planes.set(&twin(), &values, 1.0);
    assert_eq!(planes.wide, components);
    planes
}

fn range(base: f32, bound: f32) -> Range<'static> {
    Range {
        base,
        bound,
        ahead: &[],
    }
}

proptest! {
    #![proptest_config(cases(128))]

    #[test]
    fn products_of_bytes_are_exact(
        (row, other, query) in dim().prop_flat_map(|dim| (
            bytes(dim),
            bytes(dim),
            prop::collection::vec(prop_oneof![
                4 => -Planes::MAX..=Planes::MAX, 1 => Just(Planes::MAX), 1 => Just(-Planes::MAX)
            ], dim),
        ))
    ) {
        let centred = |byte: u8| i64::from(byte) - 128;
        let wide: i64 = row.iter().zip(&query).map(|(&r, &q)| centred(r) * i64::from(q)).sum();
        let rows: i64 = row.iter().zip(&other).map(|(&a, &b)| centred(a) * centred(b)).sum();
        let planes = planes(&query);
        let nibble = |i: usize| {
            let byte = row[i / 64 * 32 + i % 32];
            i64::from(if i % 64 < 32 { byte & 15 } else { byte >> 4 })
        };
        let high = |i: usize| (i64::from(query[i]) + 64).div_euclid(128);
        let nibbles: i64 = (0..query.len()).map(|i| (2 * nibble(i) - 15) * high(i)).sum();
        let low: i64 = (0..query.len()).map(|i| (i64::from(query[i]) - 128 * high(i)).pow(2)).sum();
        prop_assert_eq!(planes.low_squared(), low as f32);
        for kernels in Kernels::available() {
            let half_row = &row[..query.len() / 2];
            prop_assert_eq!(kernels.dot_nibbles(half_row, &planes), nibbles, "{}", kernels.name);
            prop_assert_eq!(kernels.dot_planes(&row, &planes), wide, "{}", kernels.name);
            prop_assert_eq!(i64::from(kernels.dot_rows(&row, &other)), rows, "{}", kernels.name);
        }
    }

    #[test]
    fn products_of_signed_bytes_are_exact(
        (row, query) in prop_oneof![6 => 1usize..=most(200, 70), 1 => most(4090, 60)..=most(4096, 66)].prop_flat_map(|dim| (
            prop::collection::vec(prop_oneof![4 => any::<i8>(), 1 => Just(-128i8)], dim),
            prop::collection::vec(prop_oneof![
                4 => -Planes::MAX..=Planes::MAX, 1 => Just(Planes::MAX), 1 => Just(-Planes::MAX)
            ], dim),
        ))
    ) {
        let product: i64 = row.iter().zip(&query).map(|(&r, &q)| i64::from(r) * i64::from(q)).sum();
        let squares: i32 = row.iter().map(|&r| i32::from(r).pow(2)).sum();
        let mut padded = query.clone();
        padded.resize(query.len().next_multiple_of(64), 0);
        let planes = planes(&padded);
        for kernels in Kernels::available() {
            prop_assert_eq!(kernels.dot_signed(&row, &planes, &row), product, "{}", kernels.name);
            prop_assert_eq!(kernels.squares(&row), squares, "{}", kernels.name);
        }
    }

    #[test]
    fn estimates_have_the_bits_of_the_twin(
        (codes, table) in (1usize..=most(16, 1)).prop_flat_map(|n| {
            (bytes(n * 256), prop::collection::vec(0..=ENTRY_MAX, n * 256))
        }),
        add in prop::array::uniform32(0u16..0x7c00),
        mul in prop::array::uniform32(0u16..0x7c00),
        (slope, offset, base, bound) in (-2.0f32..2.0, -2.0f32..2.0, 0.0f32..4.0, -9.0f32..9.0),
    ) {
        let codes = Codes { bytes: &codes, add: &add, mul: &mul };
        let table = Table { bytes: &table, slope, offset };
        let mut want = [0.0; BLOCK];
        let range = range(base, bound);
        let below = twin().estimate(&codes, &table, &range, &mut want);
        for (n, &estimate) in want.iter().enumerate() {
            prop_assert_eq!(below >> n & 1 == 1, estimate < bound);
            let at_most = twin().at_most(&want, want[n]);
            prop_assert!((0..BLOCK).all(|i| (at_most >> i & 1 == 1) == (want[i] <= want[n])));
        }
        for kernels in Kernels::available() {
            let at_most = twin().at_most(&want, want[0]);
            prop_assert_eq!(kernels.at_most(&want, want[0]), at_most);
            let mut got = [0.0; BLOCK];
            let range = Range { ahead: codes.bytes, ..range };
            prop_assert_eq!(kernels.estimate(&codes, &table, &range, &mut got), below);
            for n in 0..BLOCK {
                prop_assert_eq!(got[n].to_bits(), want[n].to_bits(), "{} {}", kernels.name, n);
            }
        }
    }

    #[test]
    fn edges_have_the_bits_of_the_twin(
        (vertex, row) in dim().prop_flat_map(|dim| (bytes(dim), bytes(dim))),
        (vertex_step, row_step) in (0.0f32..0.1, 0.0f32..0.1),
    ) {
        let mut want_signs = vec![0; row.len() / 16];
        let want = twin().edge((&vertex, vertex_step), (&row, row_step), &mut want_signs);
        for kernels in Kernels::available() {
            let mut signs = vec![0; row.len() / 16];
            let got = kernels.edge((&vertex, vertex_step), (&row, row_step), &mut signs);
            prop_assert_eq!(&signs, &want_signs, "{}", kernels.name);
            prop_assert_eq!(got.l1.to_bits(), want.l1.to_bits());
            prop_assert_eq!(got.l2_squared.to_bits(), want.l2_squared.to_bits());
            prop_assert_eq!(got.signed_vertex.to_bits(), want.signed_vertex.to_bits());
        }
        let mut l1 = 0.0f64;
        for i in 0..row.len() {
            let at = |byte: u8, step: f32| (f64::from(byte) - 128.0) * f64::from(step);
            l1 += (at(row[i], row_step) - at(vertex[i], vertex_step)).abs();
        }
        prop_assert!((f64::from(want.l1) - l1).abs() <= 1e-4 * l1 + 1e-6, "{} {}", want.l1, l1);
    }

    #[test]
    fn tables_have_the_bytes_of_the_twin(
        query in (1usize..=most(40, 3)).prop_flat_map(|n| prop::collection::vec(-1.0f32..1.0, n * 16)),
        steps in 0.0f32..64.0,
    ) {
        let mut want = vec![0; query.len() * 4];
        twin().lookup(&query, steps, &mut want);
        for (four, entries) in query.chunks(4).zip(want.chunks(16)) {
            let least: f32 = four.iter().map(|v| v.min(0.0)).sum();
            for (subset, &entry) in entries.iter().enumerate() {
                let sum: f32 = (0..4).filter(|i| subset >> i & 1 == 1).map(|i| four[i]).sum();
                prop_assert!((f32::from(entry) - (sum - least) * steps).abs() < 0.51);
            }
        }
        for kernels in Kernels::available() {
            let mut got = vec![0; query.len() * 4];
            kernels.lookup(&query, steps, &mut got);
            prop_assert_eq!(&got, &want, "{}", kernels.name);
        }
    }

    #[test]
    fn what_queries_need_has_the_bits_of_the_twin(
        values in (1usize..=most(16, 1)).prop_flat_map(|n| prop::collection::vec(-1.0f32..1.0, n * 64)),
    ) {
        let want = (twin().codes.spread)(&values);
        let total: f64 = values.iter().map(|&v| f64::from(v)).sum();
        prop_assert!((f64::from(want.total) - total).abs() < 1e-3);
        let most = values.iter().fold(0.0f32, |most, v| most.max(v.abs()));
        let fours = values.chunks(4).map(|four| ((four[0].abs() + four[1].abs()) + four[2].abs()) + four[3].abs());
        prop_assert_eq!((want.most, want.most_of_four), (most, fours.fold(0.0, f32::max)));
        let inverse = f32::from(Planes::MAX) / most;
        let room = || planes(&vec![0; values.len()]);
        let mut split = room();
        (twin().codes.split)(&values, inverse, &mut split);
        for (i, &wide) in split.wide.iter().enumerate() {
            prop_assert_eq!(wide, (values[i] * inverse).round_ties_even() as i16);
            prop_assert_eq!(i32::from(split.high[i]) * 128 + i32::from(split.low[i]), i32::from(wide));
        }
        for kernels in Kernels::available() {
            prop_assert_eq!(kernels.spread(&values), want, "{}", kernels.name);
            let mut got = room();
            (kernels.codes.split)(&values, inverse, &mut got);
            prop_assert_eq!((&got.wide, &got.high, &got.low), (&split.wide, &split.high, &split.low));
        }
    }

    #[test]
    fn hadamard_has_the_bits_of_the_twin_and_keeps_lengths(
        values in (0..=most(12, 6)).prop_flat_map(|log| {
            prop::collection::vec(-1.0f32..1.0, 1usize << log)
        })
    ) {
        let mut want = values.clone();
        twin().hadamard(&mut want);
        // By its definition, component by component.
        for at in [0, values.len() / 2, values.len() - 1] {
            let sign = |i: usize| if (i & at).count_ones().is_multiple_of(2) { 1.0 } else { -1.0 };
            let sum: f64 = values.iter().enumerate().map(|(i, &v)| sign(i) * f64::from(v)).sum();
            prop_assert!((f64::from(want[at]) - sum).abs() < 1e-2);
        }
        let length = |v: &[f32]| v.iter().map(|&x| f64::from(x) * f64::from(x)).sum::<f64>();
        let scale = values.len() as f64;
        prop_assert!((length(&want) - scale * length(&values)).abs() <= 1e-4 * scale * length(&values) + 1e-9);
        for kernels in Kernels::available() {
            let mut got = values.clone();
            kernels.hadamard(&mut got);
            for (a, b) in got.iter().zip(&want) {
                prop_assert_eq!(a.to_bits(), b.to_bits(), "{}", kernels.name);
            }
        }
    }
}

#[test]
fn sums_at_the_limit_of_sixteen_bits() {
    let (codes, table) = (vec![0x3a; 16_384], vec![ENTRY_MAX; 16_384]);
    let (add, mul) = ([0; BLOCK], [0x3c00; BLOCK]);
    let codes = Codes {
        bytes: &codes,
        add: &add,
        mul: &mul,
    };
    let table = Table {
        bytes: &table,
        slope: 1.0,
        offset: 0.0,
    };
    for kernels in Kernels::available() {
        let mut out = [0.0; BLOCK];
        kernels.estimate(&codes, &table, &range(0.0, 0.0), &mut out);
        assert_eq!(out, [64_512.0; BLOCK], "{}", kernels.name);
    }
}

#[test]
fn halves_are_read_exactly() {
    for (bits, value) in [
        (0u16, 0.0f32),
        (0x8000, -0.0),
        (1, 1.0 / 16_777_216.0),
        (0x3ff, 1023.0 * 1.0 / 16_777_216.0),
        (0x400, 1.0 / 16_384.0),
        (0x3c00, 1.0),
        (0xc000, -2.0),
        (0x7bff, 65_504.0),
    ] {
        assert_eq!(portable::half(bits).to_bits(), value.to_bits(), "{bits:#x}");
    }
}

proptest! {
    #![proptest_config(cases(256))]

    #[test]
    fn levels_are_weighed_bit_by_bit(
        words in prop::collection::vec((any::<u64>(), any::<[u64; 4]>()), 0..most(40, 8)),
    ) {
        let bits: Vec<u64> = words.iter().map(|(bits, _)| *bits).collect();
        let planes: Vec<u64> = words.iter().flat_map(|(_, planes)| *planes).collect();
        let mut want = 0;
        for (bits, planes) in &words {
            for at in (0..64).filter(|at| bits >> at & 1 == 1) {
                want += (0..4).map(|n| (planes[n] >> at & 1) << n).sum::<u64>();
            }
        }
        for kernels in Kernels::available() {
            prop_assert_eq!(u64::from(kernels.weigh(&bits, &planes)), want, "{}", kernels.name);
        }
    }
}
