//! Linear layers: u8 rows by int8 weights into exact i32 sums, then back to f32 with bias and what follows.
//!
//! ```text
//! weights [columns, depth]  ->  panels of 64 columns; in a panel, groups of 4 depths; in a group, column by column:
//!     panel 0: (d0..d3 of c0)(d0..d3 of c1) .. (d0..d3 of c63)  (d4..d7 of c0) ..
//! ```
//!
//! Sixteen columns' groups are one 64-byte register, and one `vpdpbusd` multiplies them by four codes of a token. A
//! tile of tokens stays in registers over the whole depth. Panels are the outer loop, so weights stream once from the
//! L3 cache for all tokens of a call, while the panel in use stays close.

use super::rows::Quantised;
use super::simd::{GELU, GELU_TANH, PANEL, Simd, gelu};

/// Bytes of a cache line.
const LINE: usize = 64;

/// What happens to `y = x W + b` on its way out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tail {
    /// `out = y`.
    Store,
    /// `out += y`: the residual.
    Add,
    /// `out = f(y)`.
    Through(Activation),
}

/// What stands between the two layers of a feed-forward step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// GELU by the Gaussian's distribution function.
    Gelu,
    /// GELU by the hyperbolic tangent: `gelu_new`, `gelu_pytorch_tanh`.
    GeluTanh,
    /// What is above zero.
    Relu,
}

/// The weights of one linear layer in the order in which the kernels read them.
#[derive(Debug)]
pub(crate) struct Packed {
    codes: Vec<i8>,
    /// Where the panels begin in `codes`: at a cache line, or every load of a whole line would touch two.
    start: usize,
    depth: usize,
    /// One per output column, as are the next two.
    scale: Vec<f32>,
    /// `scale * sum of the column's codes`: what a token's offset is multiplied by.
    offset: Vec<f32>,
    bias: Vec<f32>,
}

impl Packed {
    /// Packs `codes`, `[columns, depth]` row-major int8. `columns` is a multiple of 64, `depth` of 64.
    pub fn new(codes: &[u8], depth: usize, scale: Vec<f32>, bias: Vec<f32>) -> Self {
        let columns = scale.len();
        assert!(columns.is_multiple_of(PANEL) && depth.is_multiple_of(PANEL) && depth > 0);
        assert!(codes.len() == columns * depth && bias.len() == columns);
        let mut packed = vec![0_i8; codes.len() + LINE];
        // Where no address is known (Miri) any start will do.
        let start = packed.as_ptr().align_offset(LINE).min(LINE);
        let mut offset = Vec::with_capacity(columns);
        for (column, codes) in codes.chunks_exact(depth).enumerate() {
            let panel = &mut packed[start + column / PANEL * PANEL * depth..][..PANEL * depth];
            let mut sum = 0;
            for (group, four) in codes.chunks_exact(4).enumerate() {
                let target = &mut panel[(group * PANEL + column % PANEL) * 4..][..4];
                for (target, code) in target.iter_mut().zip(four) {
                    *target = code.cast_signed();
                    sum += i32::from(*target);
                }
            }
            offset.push(scale[column] * sum as f32);
        }
        Self {
            codes: packed,
            start,
            depth,
            scale,
            offset,
            bias,
        }
    }

    /// Number of outputs.
    pub fn columns(&self) -> usize {
        self.scale.len()
    }
}

#[inline(always)]
pub(super) fn linear<S: Simd, const ROWS: usize>(
    s: S,
    input: &Quantised,
    weights: &Packed,
    tail: Tail,
    out: &mut [f32],
) {
    let rows = check(input, weights, out);
    for block in blocks(input, weights, tail) {
        let mut row = 0;
        while row + ROWS <= rows {
            block.tile::<S, ROWS>(s, row, out);
            row += ROWS;
        }
        match rows - row {
            0 => {}
            1 => block.tile::<S, 1>(s, row, out),
            2 => block.tile::<S, 2>(s, row, out),
            3 => block.tile::<S, 3>(s, row, out),
            4 => block.tile::<S, 4>(s, row, out),
            _ => block.tile::<S, 5>(s, row, out),
        }
    }
}

/// That the three fit together; gives the number of rows.
pub(super) fn check(input: &Quantised, weights: &Packed, out: &[f32]) -> usize {
    let rows = input.scale.len();
    assert!(input.width == weights.depth && input.codes.len() == rows * weights.depth);
    assert!(input.low.len() == rows && out.len() == rows * weights.columns());
    rows
}

/// The panels of a layer in their order.
pub(super) fn blocks<'a>(
    input: &'a Quantised,
    weights: &'a Packed,
    tail: Tail,
) -> impl Iterator<Item = Block<'a>> {
    let size = weights.columns() * weights.depth;
    let panels = weights.codes[weights.start..][..size].chunks_exact(PANEL * weights.depth);
    panels.enumerate().map(move |(panel, codes)| Block {
        input,
        weights,
        tail,
        codes,
        column: panel * PANEL,
    })
}

/// One panel of the weights against all rows.
pub(super) struct Block<'a> {
    input: &'a Quantised,
    weights: &'a Packed,
    tail: Tail,
    pub codes: &'a [i8],
    /// First column of the panel.
    column: usize,
}

impl Block<'_> {
    #[inline(always)]
    fn tile<S: Simd, const ROWS: usize>(&self, s: S, row: usize, out: &mut [f32]) {
        let depth = self.weights.depth;
        let mut sums = [[0; PANEL]; ROWS];
        s.dot_tile(
            &self.input.codes[row * depth..],
            depth,
            self.codes,
            &mut sums,
        );
        self.finish_rows(s, row, &sums, out);
    }

    /// From the sums of the rows from `row` on to the layer's output.
    #[inline(always)]
    pub fn finish_rows<S: Simd>(&self, s: S, row: usize, sums: &[[i32; PANEL]], out: &mut [f32]) {
        let columns = self.weights.columns();
        for (row, sums) in (row..).zip(sums) {
            let out = &mut out[row * columns + self.column..][..PANEL];
            self.finish(s, row, sums, out);
        }
    }

    /// From exact sums to the layer's output, for one row of the panel.
    #[inline(always)]
    fn finish<S: Simd>(&self, s: S, row: usize, sums: &[i32; PANEL], out: &mut [f32]) {
        let scale = s.splat(self.input.scale[row]);
        let low = s.splat(self.input.low[row]);
        let columns = self.column..self.column + PANEL;
        let w_scale = &self.weights.scale[columns.clone()];
        let w_offset = &self.weights.offset[columns.clone()];
        let bias = &self.weights.bias[columns];
        for at in (0..PANEL).step_by(S::LANES) {
            let rest = s.mul_add(low, s.load(&w_offset[at..]), s.load(&bias[at..]));
            let factor = s.mul(scale, s.load(&w_scale[at..]));
            let y = s.mul_add(s.load_i32(&sums[at..]), factor, rest);
            let y = match self.tail {
                Tail::Store => y,
                Tail::Add => s.add(y, s.load(&out[at..])),
                Tail::Through(Activation::Gelu) => gelu(s, y, &GELU),
                Tail::Through(Activation::GeluTanh) => gelu(s, y, &GELU_TANH),
                Tail::Through(Activation::Relu) => s.max(y, s.splat(0.0)),
            };
            s.store(&mut out[at..], y);
        }
    }
}
