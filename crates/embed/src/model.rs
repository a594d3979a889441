//! The forward pass: tokens of several texts in, one unit vector a text out.
//!
//! ```text
//! tokens -> word + position -> norm -> 6 x [ qkv -> attention -> output + residual -> norm
//!                                            -> expand, gelu -> reduce + residual -> norm ] -> mean -> unit length
//! ```
//!
//! Texts lie one after the other without padding: all but the attention treats tokens alike.

use std::borrow::Cow;
use std::ops::Range;

use crate::arch::{HEAD, Kernel, Packed, Quantised, Tail};
use crate::asset::{Asset, Dims, shape};
use crate::error::Error;
use crate::identity::ModelId;
use crate::tokenizer::Tokenizer;

/// The one architecture that this code computes.
const DIMS: Dims = Dims {
    vocabulary: 30_522,
    hidden: 384,
    layers: 6,
    heads: 12,
    intermediate: 1536,
    positions: 512,
    tokens_default: 256,
};

/// Weights made ready for the kernels.
#[derive(Debug)]
pub(crate) struct Model {
    asset: Asset,
    /// Where the word codes lie in the asset: they are read in place.
    words: Range<usize>,
    word_scale: Vec<f32>,
    /// `[positions, hidden]`, the segment's row already added.
    positions: Vec<f32>,
    norm: Norm,
    layers: Vec<Layer>,
}

#[derive(Debug)]
struct Norm {
    gain: Vec<f32>,
    bias: Vec<f32>,
}

#[derive(Debug)]
struct Layer {
    qkv: Packed,
    output: Packed,
    attention_norm: Norm,
    expand: Packed,
    reduce: Packed,
    output_norm: Norm,
}

/// Everything a forward pass writes to; kept between passes so that only growth allocates.
#[derive(Debug, Default)]
pub(crate) struct Scratch {
    /// `[tokens, hidden]`: the residual stream.
    stream: Vec<f32>,
    qkv: Vec<f32>,
    /// `[tokens, hidden]`: what the heads found.
    context: Vec<f32>,
    expanded: Vec<f32>,
    codes: Quantised,
    attention: Vec<f32>,
}

impl Model {
    /// Checks and prepares the weights in `bytes`; gives the tokenizer that goes with them as well.
    pub fn read(bytes: Cow<'static, [u8]>) -> Result<(Self, Tokenizer), Error> {
        let asset = Asset::read(bytes)?;
        if asset.dims != DIMS || DIMS.heads * HEAD != DIMS.hidden {
            return Err(shape("header.dims"));
        }
        let tokenizer = Tokenizer::from_vocabulary(asset.text("vocabulary", DIMS.vocabulary)?)?;
        let layers = (0..DIMS.layers).map(|layer| Layer::read(&asset, layer));
        let model = Self {
            words: asset.i8_range("word.codes", DIMS.vocabulary, DIMS.hidden)?,
            word_scale: asset.f32("word.scale", 1, DIMS.vocabulary)?,
            positions: asset.f32("position", DIMS.positions, DIMS.hidden)?,
            norm: Norm::read(&asset, "embedding_norm")?,
            layers: layers.collect::<Result<_, _>>()?,
            asset,
        };
        Ok((model, tokenizer))
    }

    pub fn id(&self) -> &ModelId {
        &self.asset.model_id
    }

    pub fn dim(&self) -> usize {
        DIMS.hidden
    }

    /// Tokens of one text at most, unless another limit is set.
    pub fn tokens_default(&self) -> usize {
        DIMS.tokens_default
    }

    /// Tokens of one text that the model has positions for.
    pub fn tokens_max(&self) -> usize {
        DIMS.positions
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
        kernel.layer_norm(&mut scratch.stream, &self.norm.gain, &self.norm.bias);
        for layer in &self.layers {
            layer.attend(kernel, texts, scratch);
            layer.feed_forward(kernel, scratch);
        }
        for text in texts {
            let rows = &scratch.stream[text.start * DIMS.hidden..text.end * DIMS.hidden];
            give(unit_mean(rows));
        }
    }

    fn look_up(&self, tokens: &[u32], texts: &[Range<usize>], stream: &mut Vec<f32>) {
        let words = &self.asset.bytes()[self.words.clone()];
        stream.resize(tokens.len() * DIMS.hidden, 0.0);
        let mut rows = stream.chunks_exact_mut(DIMS.hidden);
        for text in texts {
            let tokens = &tokens[text.clone()];
            for (token, position) in tokens.iter().zip(self.positions.chunks_exact(DIMS.hidden)) {
                let token = *token as usize;
                let scale = self.word_scale[token];
                let codes = &words[token * DIMS.hidden..][..DIMS.hidden];
                let row = rows.next().expect("the texts cover the tokens once");
                for ((value, code), position) in row.iter_mut().zip(codes).zip(position) {
                    *value = f32::from(code.cast_signed()) * scale + position;
                }
            }
        }
    }
}

impl Norm {
    fn read(asset: &Asset, name: &str) -> Result<Self, Error> {
        Ok(Self {
            gain: asset.f32(&format!("{name}.gain"), 1, DIMS.hidden)?,
            bias: asset.f32(&format!("{name}.bias"), 1, DIMS.hidden)?,
        })
    }
}

impl Layer {
    fn read(asset: &Asset, layer: usize) -> Result<Self, Error> {
        let name = |part: &str| format!("layer{layer}.{part}");
        let (hidden, intermediate) = (DIMS.hidden, DIMS.intermediate);
        // Queries come out divided by the root of the head's size, so that attention need not do it.
        let root = 1.0 / (HEAD as f32).sqrt();
        Ok(Self {
            qkv: read_linear(asset, &name("qkv"), hidden, 3 * hidden, |n| {
                if n < hidden { root } else { 1.0 }
            })?,
            output: read_linear(asset, &name("output"), hidden, hidden, |_| 1.0)?,
            attention_norm: Norm::read(asset, &name("attention_norm"))?,
            expand: read_linear(asset, &name("expand"), hidden, intermediate, |_| 1.0)?,
            reduce: read_linear(asset, &name("reduce"), intermediate, hidden, |_| 1.0)?,
            output_norm: Norm::read(asset, &name("output_norm"))?,
        })
    }

    fn attend(&self, kernel: Kernel, texts: &[Range<usize>], scratch: &mut Scratch) {
        let Scratch {
            stream,
            qkv,
            context,
            codes,
            attention,
            ..
        } = scratch;
        kernel.quantise(stream, DIMS.hidden, codes);
        qkv.resize(stream.len() * 3, 0.0);
        kernel.linear(codes, &self.qkv, Tail::Store, qkv);
        context.resize(stream.len(), 0.0);
        for text in texts {
            let (start, end) = (text.start * DIMS.hidden, text.end * DIMS.hidden);
            let qkv = &qkv[3 * start..3 * end];
            kernel.attention(qkv, DIMS.hidden, attention, &mut context[start..end]);
        }
        kernel.quantise(context, DIMS.hidden, codes);
        kernel.linear(codes, &self.output, Tail::Add, stream);
        kernel.layer_norm(stream, &self.attention_norm.gain, &self.attention_norm.bias);
    }

    fn feed_forward(&self, kernel: Kernel, scratch: &mut Scratch) {
        let Scratch {
            stream,
            expanded,
            codes,
            ..
        } = scratch;
        kernel.quantise(stream, DIMS.hidden, codes);
        expanded.resize(stream.len() / DIMS.hidden * DIMS.intermediate, 0.0);
        kernel.linear(codes, &self.expand, Tail::Gelu, expanded);
        kernel.quantise(expanded, DIMS.intermediate, codes);
        kernel.linear(codes, &self.reduce, Tail::Add, stream);
        kernel.layer_norm(stream, &self.output_norm.gain, &self.output_norm.bias);
    }
}

/// Reads a layer of `depth` inputs; output column `n` is multiplied by `factor(n)`.
fn read_linear(
    asset: &Asset,
    name: &str,
    depth: usize,
    columns: usize,
    factor: impl Fn(usize) -> f32,
) -> Result<Packed, Error> {
    let codes = asset.i8(&format!("{name}.codes"), columns, depth)?;
    let mut scale = asset.f32(&format!("{name}.scale"), 1, columns)?;
    let mut bias = asset.f32(&format!("{name}.bias"), 1, columns)?;
    for (n, (scale, bias)) in scale.iter_mut().zip(&mut bias).enumerate() {
        *scale *= factor(n);
        *bias *= factor(n);
    }
    Ok(Packed::new(codes, depth, scale, bias))
}

/// The mean of the rows, at unit length.
fn unit_mean(rows: &[f32]) -> Vec<f32> {
    let mut sum = vec![0.0; DIMS.hidden];
    for row in rows.chunks_exact(DIMS.hidden) {
        for (sum, value) in sum.iter_mut().zip(row) {
            *sum += value;
        }
    }
    // The number of rows falls out: length one either way.
    let squares: f64 = sum
        .iter()
        .map(|value| f64::from(*value) * f64::from(*value))
        .sum();
    let factor = if squares > 0.0 {
        (1.0 / squares.sqrt()) as f32
    } else {
        0.0
    };
    for value in &mut sum {
        *value *= factor;
    }
    sum
}
