//! Where the kernels want the numbers: rows of 64, heads of 32, 64 or 128, zeros behind what is narrower.

use std::borrow::Cow;

use crate::arch::{Head, PANEL, Packed};

/// A model's sizes, and what its rows take in memory.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Sizes {
    pub hidden: usize,
    /// Numbers of a row of the stream; a multiple of 64, as are the next two.
    pub stream: usize,
    /// Numbers of a row of queries, of keys, of values, of what the heads found.
    pub context: usize,
    /// Numbers of a row between the layers of a feed-forward step.
    pub expanded: usize,
    pub intermediate: usize,
    pub head: Head,
    /// Dimensions of a head that count.
    head_width: usize,
}

/// A layer's weights as int8: output `n` is `scale[n] * (codes[n] * input) + bias[n]`.
pub(crate) struct Linear<'a> {
    /// `[outputs, inputs]`.
    pub codes: Cow<'a, [u8]>,
    pub scale: Vec<f32>,
    pub bias: Vec<f32>,
}

impl Sizes {
    /// `None` where heads do not divide `hidden`, or are wider than the kernels'.
    pub fn new(hidden: usize, heads: usize, intermediate: usize) -> Option<Self> {
        if heads == 0 || hidden == 0 || intermediate == 0 || !hidden.is_multiple_of(heads) {
            return None;
        }
        let head_width = hidden / heads;
        let head = Head::fitting(head_width)?;
        Some(Self {
            hidden,
            stream: hidden.next_multiple_of(PANEL),
            context: (heads * head.width()).next_multiple_of(PANEL),
            expanded: intermediate.next_multiple_of(PANEL),
            intermediate,
            head,
            head_width,
        })
    }

    /// Queries, keys and values, stacked. Queries come out divided by the root of the head's size, so that attention need
    /// not do it.
    pub fn pack_qkv(&self, mut linear: Linear<'_>) -> Packed {
        let root = 1.0 / (self.head_width as f32).sqrt();
        let queries = linear.scale.iter_mut().zip(&mut linear.bias);
        for (scale, bias) in queries.take(self.hidden) {
            *scale *= root;
            *bias *= root;
        }
        let column = |n: usize| n / self.hidden * self.context + self.in_heads(n % self.hidden);
        let (outputs, inputs) = ((3 * self.hidden, 3 * self.context), self.rows());
        pack(linear, outputs, column, inputs, |n| n)
    }

    pub fn pack_output(&self, linear: Linear<'_>) -> Packed {
        let inputs = (self.hidden, self.context);
        pack(linear, self.rows(), |n| n, inputs, |n| self.in_heads(n))
    }

    pub fn pack_expand(&self, linear: Linear<'_>) -> Packed {
        let outputs = (self.intermediate, self.expanded);
        pack(linear, outputs, |n| n, self.rows(), |n| n)
    }

    pub fn pack_reduce(&self, linear: Linear<'_>) -> Packed {
        let inputs = (self.intermediate, self.expanded);
        pack(linear, self.rows(), |n| n, inputs, |n| n)
    }

    fn rows(&self) -> (usize, usize) {
        (self.hidden, self.stream)
    }

    /// Where dimension `n` of all heads lies.
    fn in_heads(&self, n: usize) -> usize {
        n / self.head_width * self.head.width() + n % self.head_width
    }
}

/// Puts each weight where its output and input lie among `.1` of them; there are `.0`.
fn pack(
    linear: Linear<'_>,
    outputs: (usize, usize),
    column: impl Fn(usize) -> usize,
    inputs: (usize, usize),
    depth: impl Fn(usize) -> usize,
) -> Packed {
    let fits = outputs.0 == outputs.1 && inputs.0 == inputs.1;
    if fits {
        return Packed::new(&linear.codes, inputs.1, linear.scale, linear.bias);
    }
    let mut codes = vec![0; outputs.1 * inputs.1];
    let (mut scale, mut bias) = (vec![0.0; outputs.1], vec![0.0; outputs.1]);
    for (n, row) in linear.codes.chunks_exact(inputs.0).enumerate() {
        let target = column(n);
        (scale[target], bias[target]) = (linear.scale[n], linear.bias[n]);
        for (k, code) in row.iter().enumerate() {
            codes[target * inputs.1 + depth(k)] = *code;
        }
    }
    Packed::new(&codes, inputs.1, scale, bias)
}
