//! What "near" means, and the door that every vector passes before it is stored or asked.

use std::cmp::Ordering;

/// The longest vector the kernels and the formats are tested for.
pub const DIM_MAX: usize = 4096;

/// How two vectors are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Metric {
    /// Squared Euclidean distance: smaller is nearer.
    L2,
    /// Inner product: larger is nearer.
    Ip,
    /// Cosine: vectors are made unit length on entry and compared by inner product; larger is
    /// nearer.
    Cosine,
}

impl Metric {
    /// Whether a larger score is a nearer neighbour (`Ip`, `Cosine`) or a farther one (`L2`).
    #[must_use]
    pub fn larger_is_nearer(self) -> bool {
        !matches!(self, Self::L2)
    }

    /// `Less` when score `a` is nearer than score `b`. NaN is farther than everything.
    #[must_use]
    pub fn order(self, a: f32, b: f32) -> Ordering {
        self.key(a).total_cmp(&self.key(b))
    }

    /// Smaller is nearer, whatever the metric. Not a distance: only the order means something.
    #[must_use]
    pub fn key(self, score: f32) -> f32 {
        if score.is_nan() {
            return f32::INFINITY;
        }
        // Adding zero makes -0 and 0 one value, so that only the slot breaks their tie.
        if self.larger_is_nearer() {
            0.0 - score
        } else {
            score + 0.0
        }
    }
}

/// A component that is not a finite number.
#[derive(Clone, Copy, Debug, PartialEq, thiserror::Error)]
#[error("component {index} of the vector is {value}: every component must be a finite number")]
pub struct BadVector {
    /// 0-based position of the first such component.
    pub index: usize,
    /// What stood there.
    pub value: f32,
}

/// A vector without direction cannot be compared by cosine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the vector is all zeros and has no direction: cosine needs at least one other component")]
pub struct ZeroVector;

/// Refuses NaN and infinities, which would make every later comparison meaningless.
///
/// # Errors
/// `BadVector` names the first bad component; fix the input.
pub fn check(vector: &[f32]) -> Result<(), BadVector> {
    match vector.iter().position(|value| !value.is_finite()) {
        Some(index) => Err(BadVector {
            index,
            value: vector[index],
        }),
        None => Ok(()),
    }
}

/// Scales `vector` to unit length in place. The norm is taken in `f64`, so neither denormals nor
/// huge components vanish or overflow.
///
/// # Errors
/// `ZeroVector` when every component is zero; the vector is left as it was.
pub fn normalise(vector: &mut [f32]) -> Result<(), ZeroVector> {
    let norm = vector
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum::<f64>()
        .sqrt();
    if norm == 0.0 {
        return Err(ZeroVector);
    }
    for value in vector {
        *value = (f64::from(*value) / norm) as f32;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_door_names_the_first_bad_component() {
        assert_eq!(check(&[0.0, -1.0, f32::MIN_POSITIVE / 2.0]), Ok(()));
        let bad = check(&[0.0, f32::INFINITY, f32::NAN]).expect_err("infinite");
        assert_eq!(bad.index, 1);
        assert!(bad.to_string().contains("component 1 of the vector is inf"));
        assert_eq!(check(&[f32::NAN]).expect_err("nan").index, 0);
    }

    #[test]
    fn unit_length_from_any_scale() {
        for scale in [1e-44f32, 1e-30, 1.0, 1e30, 3e38] {
            let mut vector = [scale, -scale, 0.0, scale];
            normalise(&mut vector).expect("not zero");
            let norm: f32 = vector.iter().map(|v| v * v).sum();
            assert!((norm - 1.0).abs() < 1e-6, "{scale}: {norm}");
        }
        assert_eq!(normalise(&mut [0.0, -0.0]), Err(ZeroVector));
    }

    #[test]
    fn nearer_comes_first_and_nan_last() {
        assert_eq!(Metric::L2.order(1.0, 2.0), Ordering::Less);
        assert_eq!(Metric::Ip.order(1.0, 2.0), Ordering::Greater);
        assert_eq!(Metric::Ip.order(0.0, -0.0), Ordering::Equal);
        for metric in [Metric::L2, Metric::Ip, Metric::Cosine] {
            assert_eq!(metric.order(f32::NAN, 1.0), Ordering::Greater);
        }
    }
}
