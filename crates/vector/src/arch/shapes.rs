//! Kernels over series: prefix sums, how much alike a window and a shape can be at most, and how they compare
//! point by point.
//!
//! They are written once, over lanes that the compiler puts into the registers of each instruction set; no
//! products and sums are fused, so all machines give the same bits.

use super::Kernels;

/// Pieces of a window that a bound looks at.
pub const PIECES: usize = 8;
/// Sums that grow side by side.
const LANES: usize = 8;

/// What is known of a shape, brought to mean 0 and variance 1, before it is held against windows.
#[derive(Clone, Copy, Debug)]
pub struct ShapePieces {
    /// Mean of the shape in each piece.
    pub means: [f64; PIECES],
    /// Where pieces end; the last is the length of the shape.
    pub ends: [usize; PIECES],
    /// Length of what the piecewise means leave out of the shape.
    pub rest: f64,
}

/// Sums of a window around its mean.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct WindowSums {
    /// Of squared deviations.
    pub square: f64,
    /// Of deviations times the shape.
    pub dot: f64,
    /// The greatest magnitude of a value, not of a deviation.
    pub most: f64,
}

type AddUp = fn(&[f64], &mut [f64], &mut [f64]);
type Gains = fn(&ShapePieces, &[f64], &[f64], f64, f64, &mut [f64]);

/// The kernels over series of one instruction set.
#[derive(Clone, Copy)]
pub struct ShapeKernels {
    add_up: AddUp,
    gains: Gains,
    window: fn(&[f64], &[f64]) -> WindowSums,
}

impl ShapeKernels {
    /// Those that go with `kernels`.
    #[must_use]
    pub fn of(kernels: &Kernels) -> Self {
        match kernels.name {
            #[cfg(target_arch = "x86_64")]
            "avx512" => avx512::SHAPES,
            #[cfg(target_arch = "x86_64")]
            "avx2" => avx2::SHAPES,
            _ => plain::SHAPES,
        }
    }

    /// Prefix sums of `values` and of their squares, around their mean, each with a zero before.
    ///
    /// # Panics
    /// When `sums` or `squares` is not one longer than `values`.
    pub fn add_up(&self, values: &[f64], sums: &mut [f64], squares: &mut [f64]) {
        assert_eq!(
            sums.len(),
            values.len() + 1,
            "a sum before each value, and all"
        );
        assert_eq!(squares.len(), sums.len(), "squares of the same values");
        (self.add_up)(values, sums, squares);
    }

    /// Of each window whose prefix sums are given, a number above zero unless its correlation with the shape is
    /// certainly below `least`. Windows whose squared deviations are at most `tellable`, below which
    /// differences of prefix sums say nothing, are above zero too.
    ///
    /// # Panics
    /// When `gains` is not as long as there are windows.
    pub fn gains(
        &self,
        shape: &ShapePieces,
        (sums, squares): (&[f64], &[f64]),
        least: f64,
        tellable: f64,
        gains: &mut [f64],
    ) {
        let points = shape.ends[PIECES - 1];
        assert_eq!(sums.len(), squares.len(), "sums of the same values");
        assert_eq!(sums.len(), gains.len() + points, "a number for each window");
        (self.gains)(shape, sums, squares, least, tellable, gains);
    }

    /// The sums of a window.
    ///
    /// # Panics
    /// When the lengths differ.
    #[must_use]
    pub fn window(&self, window: &[f64], shape: &[f64]) -> WindowSums {
        assert_eq!(window.len(), shape.len(), "a window as long as the shape");
        (self.window)(window, shape)
    }
}

/// Writes the kernels of an instruction set.
macro_rules! shapes {
    ($name:ident, #[$features:meta]) => {
        mod $name {
            use super::{ShapeKernels, ShapePieces, WindowSums};

            pub(super) const SHAPES: ShapeKernels = ShapeKernels {
                add_up,
                gains,
                window,
            };

            fn add_up(values: &[f64], sums: &mut [f64], squares: &mut [f64]) {
                #[$features]
                unsafe fn inner(values: &[f64], sums: &mut [f64], squares: &mut [f64]) {
                    super::add_up(values, sums, squares);
                }
                // SAFETY: `Kernels::available` detected the features.
                unsafe { inner(values, sums, squares) }
            }

            fn gains(
                shape: &ShapePieces,
                sums: &[f64],
                squares: &[f64],
                least: f64,
                tellable: f64,
                gains: &mut [f64],
            ) {
                #[$features]
                unsafe fn inner(
                    shape: &ShapePieces,
                    sums: &[f64],
                    squares: &[f64],
                    least: f64,
                    tellable: f64,
                    gains: &mut [f64],
                ) {
                    super::gains(shape, sums, squares, least, tellable, gains);
                }
                // SAFETY: `Kernels::available` detected the features.
                unsafe { inner(shape, sums, squares, least, tellable, gains) }
            }

            fn window(window: &[f64], shape: &[f64]) -> WindowSums {
                #[$features]
                unsafe fn inner(window: &[f64], shape: &[f64]) -> WindowSums {
                    super::window(window, shape)
                }
                // SAFETY: `Kernels::available` detected the features.
                unsafe { inner(window, shape) }
            }
        }
    };
}

shapes!(plain, #[inline]);
#[cfg(target_arch = "x86_64")]
shapes!(avx2, #[target_feature(enable = "avx2")]);
#[cfg(target_arch = "x86_64")]
shapes!(avx512, #[target_feature(enable = "avx512f,avx512vl,avx2")]);

/// A sum adds to the one before, which takes its time: four quarters grow side by side and are put together.
#[inline(always)]
fn add_up(values: &[f64], sums: &mut [f64], squares: &mut [f64]) {
    let centre = lanes_sum(values, |value| value) / values.len().max(1) as f64;
    (sums[0], squares[0]) = (0.0, 0.0);
    let (sums, squares) = (
        &mut sums[1..][..values.len()],
        &mut squares[1..][..values.len()],
    );
    let quarter = values.len() / 4;
    let (mut sum, mut square) = ([0.0; 4], [0.0; 4]);
    for at in 0..quarter {
        for part in 0..4 {
            let place = part * quarter + at;
            let value = values[place] - centre;
            sum[part] += value;
            square[part] += value * value;
            sums[place] = sum[part];
            squares[place] = square[part];
        }
    }
    let (mut before, mut before_square) = (0.0, 0.0);
    for part in 0..4 {
        let places = part * quarter..(part + 1) * quarter;
        for (sum, square) in sums[places.clone()].iter_mut().zip(&mut squares[places]) {
            *sum += before;
            *square += before_square;
        }
        before += sum[part];
        before_square += square[part];
    }
    for place in 4 * quarter..values.len() {
        let value = values[place] - centre;
        before += value;
        before_square += value * value;
        sums[place] = before;
        squares[place] = before_square;
    }
}

/// With `V` the squared deviations of a window of `n` points, `T` what its piecewise means have of them and
/// `d` the product of these means with the shape's, the correlation is at most
/// `(d + rest sqrt(V - T)) / sqrt(n V)`. Signed squares of it are compared: that needs no division.
#[inline(always)]
fn gains(
    shape: &ShapePieces,
    sums: &[f64],
    squares: &[f64],
    least: f64,
    tellable: f64,
    gains: &mut [f64],
) {
    let windows = gains.len();
    let points = shape.ends[PIECES - 1];
    let starts: [usize; PIECES] = std::array::from_fn(|piece| match piece {
        0 => 0,
        _ => shape.ends[piece - 1],
    });
    let parts: [f64; PIECES] =
        std::array::from_fn(|piece| 1.0 / (shape.ends[piece] - starts[piece]) as f64);
    let edges: [&[f64]; PIECES] = std::array::from_fn(|piece| &sums[starts[piece]..][..windows]);
    let last = &sums[points..][..windows];
    let (low, high) = (&squares[..windows], &squares[points..][..windows]);
    let count = points as f64;
    let part = 1.0 / count;
    let needed = count * least * least.abs();
    let rest = shape.rest;
    for at in 0..windows {
        let (mut told, mut dot) = (0.0, 0.0);
        for piece in 0..PIECES {
            let right = match piece {
                7 => last[at],
                _ => edges[piece + 1][at],
            };
            let sum = right - edges[piece][at];
            told += sum * sum * parts[piece];
            dot += sum * shape.means[piece];
        }
        let sum = last[at] - edges[0][at];
        let level = sum * sum * part;
        let spread = high[at] - low[at] - level;
        let untold = (spread - (told - level)).max(0.0);
        let most = dot + rest * untold.sqrt();
        let gain = most * most.abs() - needed * spread;
        gains[at] = if spread > tellable {
            gain
        } else {
            f64::INFINITY
        };
    }
}

#[inline(always)]
fn window(window: &[f64], shape: &[f64]) -> WindowSums {
    let mean = lanes_sum(window, |value| value) / window.len() as f64;
    let (mut square, mut dot, mut most) = ([0.0; LANES], [0.0; LANES], [0.0f64; LANES]);
    let blocks = window.chunks(LANES).zip(shape.chunks(LANES));
    for (values, shape) in blocks {
        for (lane, (value, shape)) in values.iter().zip(shape).enumerate() {
            let apart = value - mean;
            square[lane] += apart * apart;
            dot[lane] += apart * shape;
            most[lane] = most[lane].max(value.abs());
        }
    }
    WindowSums {
        square: square.iter().sum(),
        dot: dot.iter().sum(),
        most: most.iter().fold(0.0, |most, value| most.max(*value)),
    }
}

#[inline(always)]
fn lanes_sum(values: &[f64], of: impl Fn(f64) -> f64) -> f64 {
    let mut sums = [0.0; LANES];
    let blocks = values.chunks_exact(LANES);
    let rest = blocks.remainder().iter().map(|value| of(*value));
    for block in blocks {
        for (sum, value) in sums.iter_mut().zip(block) {
            *sum += of(*value);
        }
    }
    sums.iter().sum::<f64>() + rest.sum::<f64>()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::cases::cases;

    fn pieces(points: usize, shape: &[f64]) -> ShapePieces {
        let ends: [usize; PIECES] = std::array::from_fn(|piece| (piece + 1) * points / PIECES);
        let means = std::array::from_fn(|piece| shape[ends[piece] - 1]);
        ShapePieces {
            means,
            ends,
            rest: 1.5,
        }
    }

    proptest! {
        #![proptest_config(cases(100))]

        #[test]
        fn every_kernel_gives_the_bits_of_the_plain_one(
            values in prop::collection::vec(-1e3f64..1e3, 40..300),
            points in 8usize..40,
            least in -1.0f64..1.0,
        ) {
            let length = values.len() + 1;
            let windows = length - points;
            let shape = &values[..points];
            let mut all = Vec::new();
            for kernels in Kernels::available() {
                let kernels = ShapeKernels::of(&kernels);
                let (mut sums, mut squares) = (vec![1.0; length], vec![1.0; length]);
                kernels.add_up(&values, &mut sums, &mut squares);
                let mut gains = vec![0.0; windows];
                let pieces = pieces(points, shape);
                kernels.gains(&pieces, (&sums, &squares), least, 1.0, &mut gains);
                let window = kernels.window(&values[values.len() - points..], shape);
                let floats = [sums, squares, gains, vec![window.square, window.dot, window.most]];
                let bits: Vec<u64> = floats.concat().iter().map(|float| float.to_bits()).collect();
                all.push(bits);
            }
            prop_assert!(all.windows(2).all(|pair| pair[0] == pair[1]));
        }

        #[test]
        fn prefix_sums_are_those_of_adding_one_by_one(
            values in prop::collection::vec(-9i32..10, 1..100),
        ) {
            let values: Vec<f64> = values.iter().map(|value| f64::from(*value)).collect();
            let centre = values.iter().sum::<f64>() / values.len() as f64;
            let (mut sums, mut squares) = (vec![1.0; values.len() + 1], vec![1.0; values.len() + 1]);
            ShapeKernels::of(Kernels::get()).add_up(&values, &mut sums, &mut squares);
            let (mut sum, mut square) = (0.0, 0.0);
            prop_assert_eq!((sums[0], squares[0]), (0.0, 0.0));
            for (at, value) in values.iter().enumerate() {
                sum += value - centre;
                square += (value - centre).powi(2);
                prop_assert!((sums[at + 1] - sum).abs() < 1e-9, "{} {}", sums[at + 1], sum);
                prop_assert!((squares[at + 1] - square).abs() < 1e-9);
            }
        }
    }
}
