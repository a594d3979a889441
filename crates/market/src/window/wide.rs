//! Sums of squares that cannot overflow: 256 bits, as four words, lowest first.

/// An unsigned number of 256 bits. Overflow wraps, which no sum of `u32::MAX` squares reaches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Wide([u64; 4]);

impl From<u128> for Wide {
    fn from(value: u128) -> Self {
        Self([value as u64, (value >> 64) as u64, 0, 0])
    }
}

impl Wide {
    #[inline]
    pub(super) fn add(&mut self, other: Self) {
        let mut carry = false;
        for (word, other) in self.0.iter_mut().zip(other.0) {
            let (sum, over) = word.overflowing_add(other);
            let (sum, over_again) = sum.overflowing_add(u64::from(carry));
            (*word, carry) = (sum, over | over_again);
        }
    }

    #[inline]
    pub(super) fn subtract(&mut self, other: Self) {
        let mut borrow = false;
        for (word, other) in self.0.iter_mut().zip(other.0) {
            let (rest, under) = word.overflowing_sub(other);
            let (rest, under_again) = rest.overflowing_sub(u64::from(borrow));
            (*word, borrow) = (rest, under | under_again);
        }
    }

    /// The square of a number.
    pub(super) fn square(value: u128) -> Self {
        let mut product = Self::from(value).times(value as u64);
        let high = Self::from(value).times((value >> 64) as u64);
        product.add(Self([0, high.0[0], high.0[1], high.0[2]]));
        product
    }

    pub(super) fn times(self, factor: u64) -> Self {
        let mut carry = 0u128;
        Self(self.0.map(|word| {
            let product = u128::from(word) * u128::from(factor) + carry;
            carry = product >> 64;
            product as u64
        }))
    }

    /// Rounded down; `divisor` is above zero.
    pub(super) fn over(mut self, divisor: u64) -> Self {
        let mut rest = 0u128;
        for word in self.0.iter_mut().rev() {
            let value = rest << 64 | u128::from(*word);
            *word = (value / u128::from(divisor)) as u64;
            rest = value % u128::from(divisor);
        }
        self
    }

    /// The number, or the largest that fits.
    pub(super) fn to_u128(self) -> u128 {
        if self.0[2] | self.0[3] != 0 {
            return u128::MAX;
        }
        u128::from(self.0[1]) << 64 | u128::from(self.0[0])
    }
}

/// Variance of `count` numbers of which the sum and the sum of squares are known, rounded down.
/// `count` is above zero.
pub(super) fn variance(count: u32, sum: i128, squares: Wide) -> u128 {
    let mut spread = squares.times(u64::from(count));
    spread.subtract(Wide::square(sum.unsigned_abs()));
    let count = u64::from(count);
    spread.over(count).over(count).to_u128()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn equals_the_definition(values in prop::collection::vec(-1_000_000i128..1_000_000, 1..60)) {
            let (mut sum, mut squares) = (0, Wide::default());
            for value in &values {
                sum += value;
                squares.add(Wide::square(value.unsigned_abs()));
            }
            let n = values.len() as i128;
            let twice: i128 = values.iter().map(|v| (v * n - sum) * (v * n - sum)).sum();
            let naive = twice / (n * n * n);
            prop_assert_eq!(variance(n as u32, sum, squares), naive as u128);
        }

        #[test]
        fn large_products_agree_with_small_ones(a in any::<u128>(), b in 1u64.., c in any::<u64>()) {
            let product = Wide::from(a).times(b);
            prop_assert_eq!(product.over(b).to_u128(), a);
            let mut sum = Wide::square(a);
            sum.add(Wide::from(u128::from(c)));
            sum.subtract(Wide::square(a));
            prop_assert_eq!(sum, Wide::from(u128::from(c)));
            let low = u128::from(c);
            prop_assert_eq!(Wide::square(low).to_u128(), low * low);
        }
    }

    #[test]
    fn the_widest_prices_do_not_overflow() {
        let widest = u128::from(u64::MAX);
        let mut squares = Wide::square(0);
        squares.add(Wide::square(widest));
        let half = widest / 2;
        assert_eq!(variance(2, widest as i128, squares).isqrt(), half);
    }
}
