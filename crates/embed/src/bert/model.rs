//! The forward pass: tokens of several texts in, one unit vector a text out.
//!
//! ```text
//! tokens -> word + position -> norm -> N x [ qkv -> attention -> output + residual -> norm
//!                                            -> expand, gelu -> reduce + residual -> norm ] -> mean or first -> unit length
//! ```
//!
//! Texts lie one after the other without padding: all but the attention treats tokens alike.

use std::borrow::Cow;
use std::ops::Range;

use super::sizes::{Linear, Sizes};
use super::source::Pooling;
use crate::arch::{Activation, Kernel, Norm, Packed, Quantised, Tail};
use crate::asset::{Asset, Dims, shape};
use crate::error::Error;
use crate::identity::ModelId;
use crate::tokenizer::Tokenizer;

/// The packaged model.
const DIMS: Dims = Dims {
    vocabulary: 30_522,
    hidden: 384,
    layers: 6,
    heads: 12,
    intermediate: 1536,
    positions: 512,
    tokens_default: 256,
};

/// BERT's own `layer_norm_eps`, which the packaged model has.
const EPSILON: f32 = 1e-12;

/// Weights made ready for the kernels.
#[derive(Debug)]
pub(crate) struct Model {
    pub(super) id: ModelId,
    pub(super) sizes: Sizes,
    pub(super) words: Words,
    /// `[positions, hidden]`, the segment's row already added.
    pub(super) positions: Vec<f32>,
    pub(super) norm: Norm,
    pub(super) layers: Vec<Layer>,
    pub(super) activation: Activation,
    pub(super) pooling: Pooling,
    pub(super) tokens_default: usize,
}

/// Word embeddings: a row of codes and a scale a word.
#[derive(Debug)]
pub(super) struct Words {
    bytes: Cow<'static, [u8]>,
    /// Where the codes are in `bytes`: the packaged ones are read in place.
    codes: Range<usize>,
    scale: Vec<f32>,
}

#[derive(Debug)]
pub(super) struct Layer {
    pub qkv: Packed,
    pub output: Packed,
    pub attention_norm: Norm,
    pub expand: Packed,
    pub reduce: Packed,
    pub output_norm: Norm,
}

impl Words {
    /// Of codes alone.
    pub fn new(codes: Cow<'static, [u8]>, scale: Vec<f32>) -> Self {
        Self {
            codes: 0..codes.len(),
            bytes: codes,
            scale,
        }
    }
}

/// Everything a forward pass writes to; kept between passes so that only growth allocates.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// `[tokens, stream]`: the residual stream.
    stream: Vec<f32>,
    qkv: Vec<f32>,
    /// `[tokens, context]`: what the heads found.
    context: Vec<f32>,
    expanded: Vec<f32>,
    codes: Quantised,
    attention: Vec<f32>,
}

impl Model {
    /// Checks and prepares the packaged weights in `bytes`; gives the tokenizer that goes with them as well.
    pub fn read(bytes: Cow<'static, [u8]>) -> Result<(Self, Tokenizer), Error> {
        let asset = Asset::read(bytes)?;
        let sizes = Sizes::new(DIMS.hidden, DIMS.heads, DIMS.intermediate);
        let Some(sizes) = sizes.filter(|_| asset.dims == DIMS) else {
            return Err(shape("header.dims"));
        };
        let tokenizer = Tokenizer::from_vocabulary(asset.text("vocabulary", DIMS.vocabulary)?)?;
        let layers = (0..DIMS.layers).map(|layer| read_layer(&asset, &sizes, layer));
        let model = Self {
            id: asset.model_id.clone(),
            sizes,
            positions: asset.f32("position", DIMS.positions, DIMS.hidden)?,
            norm: read_norm(&asset, "embedding_norm")?,
            layers: layers.collect::<Result<_, _>>()?,
            activation: Activation::Gelu,
            pooling: Pooling::Mean,
            tokens_default: DIMS.tokens_default,
            words: Words {
                codes: asset.i8_range("word.codes", DIMS.vocabulary, DIMS.hidden)?,
                scale: asset.f32("word.scale", 1, DIMS.vocabulary)?,
                bytes: asset.into_bytes(),
            },
        };
        Ok((model, tokenizer))
    }

    pub fn id(&self) -> &ModelId {
        &self.id
    }

    pub fn dim(&self) -> usize {
        self.sizes.hidden
    }

    /// Tokens of one text at most, unless another limit is set.
    pub fn tokens_default(&self) -> usize {
        self.tokens_default
    }

    /// Tokens of one text that the model has positions for.
    pub fn tokens_max(&self) -> usize {
        self.positions.len() / self.sizes.hidden
    }

    /// Unit vectors of texts whose tokens are the consecutive `texts` of `tokens`, each given to `give` in order.
    ///
    /// No text is empty or longer than [`Model::tokens_max`]; every token is one of the tokenizer's.
    pub fn forward(
        &self,
        kernel: Kernel,
        tokens: &[u32],
        texts: &[Range<usize>],
        scratch: &mut Scratch,
        mut give: impl FnMut(Vec<f32>),
    ) {
        self.look_up(tokens, texts, &mut scratch.stream);
        kernel.layer_norm(&mut scratch.stream, &self.norm);
        for layer in &self.layers {
            layer.attend(kernel, &self.sizes, texts, scratch);
            layer.feed_forward(kernel, &self.sizes, self.activation, scratch);
        }
        for text in texts {
            let tokens = match self.pooling {
                Pooling::Mean => text.clone(),
                Pooling::First => text.start..text.start + 1,
            };
            let stream = self.sizes.stream;
            let rows = &scratch.stream[tokens.start * stream..tokens.end * stream];
            give(self.unit_mean(rows));
        }
    }

    fn look_up(&self, tokens: &[u32], texts: &[Range<usize>], stream: &mut Vec<f32>) {
        let words = &self.words.bytes[self.words.codes.clone()];
        let (hidden, row_len) = (self.sizes.hidden, self.sizes.stream);
        stream.resize(tokens.len() * row_len, 0.0);
        let mut rows = stream.chunks_exact_mut(row_len);
        for text in texts {
            let tokens = &tokens[text.clone()];
            for (token, position) in tokens.iter().zip(self.positions.chunks_exact(hidden)) {
                let token = *token as usize;
                let scale = self.words.scale[token];
                let codes = &words[token * hidden..][..hidden];
                let row = rows.next().expect("the texts cover the tokens once");
                let (row, zeros) = row.split_at_mut(hidden);
                for ((value, code), position) in row.iter_mut().zip(codes).zip(position) {
                    *value = f32::from(code.cast_signed()) * scale + position;
                }
                zeros.fill(0.0);
            }
        }
    }

    /// The mean of the rows, at unit length.
    fn unit_mean(&self, rows: &[f32]) -> Vec<f32> {
        let mut sum = vec![0.0; self.sizes.hidden];
        for row in rows.chunks_exact(self.sizes.stream) {
            for (sum, value) in sum.iter_mut().zip(row) {
                *sum += value;
            }
        }
        // The number of rows falls out: length one either way.
        unit(&mut sum);
        sum
    }
}

fn read_norm(asset: &Asset, name: &str) -> Result<Norm, Error> {
    Ok(Norm {
        gain: asset.f32(&format!("{name}.gain"), 1, DIMS.hidden)?,
        bias: asset.f32(&format!("{name}.bias"), 1, DIMS.hidden)?,
        width: DIMS.hidden,
        epsilon: EPSILON,
    })
}

fn read_layer(asset: &Asset, sizes: &Sizes, layer: usize) -> Result<Layer, Error> {
    let name = |part: &str| format!("layer{layer}.{part}");
    let (hidden, intermediate) = (DIMS.hidden, DIMS.intermediate);
    Ok(Layer {
        qkv: sizes.pack_qkv(read_linear(asset, &name("qkv"), hidden, 3 * hidden)?),
        output: sizes.pack_output(read_linear(asset, &name("output"), hidden, hidden)?),
        attention_norm: read_norm(asset, &name("attention_norm"))?,
        expand: sizes.pack_expand(read_linear(asset, &name("expand"), hidden, intermediate)?),
        reduce: sizes.pack_reduce(read_linear(asset, &name("reduce"), intermediate, hidden)?),
        output_norm: read_norm(asset, &name("output_norm"))?,
    })
}

impl Layer {
    fn attend(&self, kernel: Kernel, sizes: &Sizes, texts: &[Range<usize>], scratch: &mut Scratch) {
        let Scratch {
            stream,
            qkv,
            context,
            codes,
            attention,
            ..
        } = scratch;
        kernel.quantise(stream, sizes.stream, codes);
        let (tokens, width) = (stream.len() / sizes.stream, sizes.context);
        qkv.resize(tokens * width * 3, 0.0);
        kernel.linear(codes, &self.qkv, Tail::Store, qkv);
        context.resize(tokens * width, 0.0);
        for text in texts {
            let (start, end) = (text.start * width, text.end * width);
            let qkv = &qkv[3 * start..3 * end];
            let out = &mut context[start..end];
            kernel.attention(sizes.head, qkv, width, attention, out);
        }
        kernel.quantise(context, width, codes);
        kernel.linear(codes, &self.output, Tail::Add, stream);
        kernel.layer_norm(stream, &self.attention_norm);
    }

    fn feed_forward(
        &self,
        kernel: Kernel,
        sizes: &Sizes,
        activation: Activation,
        scratch: &mut Scratch,
    ) {
        let Scratch {
            stream,
            expanded,
            codes,
            ..
        } = scratch;
        kernel.quantise(stream, sizes.stream, codes);
        expanded.resize(stream.len() / sizes.stream * sizes.expanded, 0.0);
        kernel.linear(codes, &self.expand, Tail::Through(activation), expanded);
        kernel.quantise(expanded, sizes.expanded, codes);
        kernel.linear(codes, &self.reduce, Tail::Add, stream);
        kernel.layer_norm(stream, &self.output_norm);
    }
}

fn read_linear<'a>(
    asset: &'a Asset,
    name: &str,
    depth: usize,
    columns: usize,
) -> Result<Linear<'a>, Error> {
    Ok(Linear {
        codes: Cow::Borrowed(asset.i8(&format!("{name}.codes"), columns, depth)?),
        scale: asset.f32(&format!("{name}.scale"), 1, columns)?,
        bias: asset.f32(&format!("{name}.bias"), 1, columns)?,
    })
}

/// Makes a vector one long, unless it is zero.
pub(crate) fn unit(vector: &mut [f32]) {
    let squares: f64 = vector
        .iter()
        .map(|value| f64::from(*value) * f64::from(*value))
        .sum();
    let factor = if squares > 0.0 {
        (1.0 / squares.sqrt()) as f32
    } else {
        0.0
    };
    for value in vector {
        *value *= factor;
    }
}
