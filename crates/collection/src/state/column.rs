//! A value for each slot: those of a checkpoint as its file has them, and those that came since.

use bytes::Bytes;
use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Values by slot, appended to and not changed.
pub(super) struct Column<T> {
    base: Bytes,
    base_len: usize,
    tail: Vec<T>,
}

impl<T> Default for Column<T> {
    fn default() -> Self {
        Self {
            base: Bytes::new(),
            base_len: 0,
            tail: Vec::new(),
        }
    }
}

impl<T: Copy + FromBytes + IntoBytes + Immutable> Column<T> {
    /// The values that a file has; `None` when these are not whole values.
    pub fn open(base: Bytes) -> Option<Self> {
        base.len().is_multiple_of(size_of::<T>()).then(|| Self {
            base_len: base.len() / size_of::<T>(),
            base,
            tail: Vec::new(),
        })
    }

    pub fn len(&self) -> usize {
        self.base_len + self.tail.len()
    }

    pub fn push(&mut self, value: T) {
        self.tail.push(value);
    }

    /// The value at `at`.
    ///
    /// # Panics
    /// When there is none.
    #[inline]
    pub fn get(&self, at: usize) -> T {
        if at < self.base_len {
            let bytes = &self.base[at * size_of::<T>()..(at + 1) * size_of::<T>()];
            T::read_from_bytes(bytes).expect("as many bytes as a value has")
        } else {
            self.tail[at - self.base_len]
        }
    }

    /// The first place whose value does not hold, of values of which first all hold and then none.
    pub fn partition_point(&self, holds: impl Fn(T) -> bool) -> usize {
        let (mut from, mut to) = (0, self.len());
        while from < to {
            let middle = from.midpoint(to);
            if holds(self.get(middle)) {
                from = middle + 1;
            } else {
                to = middle;
            }
        }
        from
    }

    /// All values as bytes, in parts.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        [&self.base[..], self.tail.as_bytes()].into_iter()
    }
}
