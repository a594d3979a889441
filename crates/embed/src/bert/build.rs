//! From a user's f32 weights to int8 ones, layer by layer; a few sentences go along in f32, to tell what the codes cost.

use std::borrow::Cow;

use super::model::{Layer, Model, Words};
use super::plain::{Dense, PlainLayer, PlainNorm, pool};
use super::sizes::{Linear, Sizes};
use super::source::{BertConfig, Weights};
use crate::arch::Norm;
use crate::error::Error;
use crate::identity::ModelId;
use crate::tokenizer::Tokenizer;

/// Short, since they are computed the slow way.
const SENTENCES: [&str; 3] = [
    "Why did gross margin fall in the quarter?",
    "Copper rose 4.2% to $9,310 a tonne on supply fears.",
    "The board elected two directors.",
];
const SENTENCE_TOKENS: usize = 24;

const HIDDEN_MAX: usize = 4_096;
/// Sums of so many products of a byte and an int8 stay within an i32.
const INTERMEDIATE_MAX: usize = 65_536;
const LAYERS_MAX: usize = 256;
const HEAD_MAX: usize = 128;

/// A sentence and its vector in f32, of any length.
pub(crate) struct Probe {
    pub tokens: Vec<u32>,
    pub vector: Vec<f32>,
}

/// The model, and what it must give for a few sentences.
pub(crate) fn build(
    config: &BertConfig,
    tokenizer: &Tokenizer,
    weights: &dyn Weights,
) -> Result<(Model, Vec<Probe>), Error> {
    let sizes = check(config)?;
    let reader = Reader { config, weights };
    let hidden = config.hidden;
    let table = reader.tensor("embeddings.word_embeddings.weight", &[None, Some(hidden)])?;
    let pieces = tokenizer.pieces();
    if pieces * hidden > table.len() {
        let rows = table.len() / hidden;
        return Err(Error::Vocabulary { pieces, rows });
    }
    let positions = reader.positions()?;
    let norm = reader.norm("embeddings.LayerNorm")?;
    let mut probes: Vec<Probe> = SENTENCES
        .iter()
        .map(|text| probe(config, tokenizer, &table, &positions, text))
        .collect();
    for probe in &mut probes {
        norm.apply(config.epsilon, &mut probe.vector);
    }
    let (codes, scale) = quantise(&table, hidden);
    drop(table);
    let mut layers = Vec::new();
    for layer in 0..config.layers {
        let plain = reader.layer(layer)?;
        for probe in &mut probes {
            plain.apply(config, &mut probe.vector);
        }
        layers.push(packed(config, &sizes, plain));
    }
    for probe in &mut probes {
        probe.vector = pool(config, &probe.vector);
    }
    let model = Model {
        id: ModelId::new(&config.name, &config.sha256),
        sizes,
        words: Words::new(Cow::Owned(codes), scale),
        positions,
        norm: padded_norm(config, &sizes, norm),
        layers,
        activation: config.activation,
        pooling: config.pooling,
        tokens_default: config.max_tokens.min(config.positions),
    };
    Ok((model, probes))
}

/// That there are kernels for these sizes.
fn check(config: &BertConfig) -> Result<Sizes, Error> {
    let unsupported = |what: String| Err(Error::Unsupported { what });
    let (hidden, heads) = (config.hidden, config.heads);
    if hidden == 0 || hidden > HIDDEN_MAX {
        return unsupported(format!(
            "hidden_size is {hidden}, allowed are 1 to {HIDDEN_MAX}"
        ));
    }
    if heads == 0 || !hidden.is_multiple_of(heads) {
        return unsupported(format!(
            "{heads} attention heads do not divide hidden_size {hidden}"
        ));
    }
    if hidden / heads > HEAD_MAX {
        let width = hidden / heads;
        return unsupported(format!(
            "attention heads are {width} wide, at most {HEAD_MAX} can be"
        ));
    }
    if config.layers == 0 || config.layers > LAYERS_MAX {
        let layers = config.layers;
        return unsupported(format!(
            "there are {layers} layers, allowed are 1 to {LAYERS_MAX}"
        ));
    }
    if config.intermediate == 0 || config.intermediate > INTERMEDIATE_MAX {
        let wide = config.intermediate;
        return unsupported(format!(
            "intermediate_size is {wide}, allowed are 1 to {INTERMEDIATE_MAX}"
        ));
    }
    if config.positions < 3 || config.max_tokens < 3 {
        return unsupported(
            "a text has two marks and a token at least, and there are fewer positions".to_owned(),
        );
    }
    // Narrow heads are filled up: to 32 times their size at worst, which no real model is near.
    let sizes = Sizes::new(hidden, heads, config.intermediate);
    let sizes = sizes.filter(|sizes| sizes.context <= 2 * HIDDEN_MAX);
    sizes.ok_or_else(|| Error::Unsupported {
        what: format!("{heads} attention heads of {} do not suit", hidden / heads),
    })
}

fn probe(
    config: &BertConfig,
    tokenizer: &Tokenizer,
    table: &[f32],
    positions: &[f32],
    text: &str,
) -> Probe {
    let mut tokens = Vec::new();
    tokenizer.encode(text, SENTENCE_TOKENS.min(config.positions), &mut tokens);
    let hidden = config.hidden;
    let rows = tokens.iter().zip(positions.chunks_exact(hidden));
    let vector = rows.flat_map(|(token, position)| {
        let word = &table[*token as usize * hidden..][..hidden];
        word.iter()
            .zip(position)
            .map(|(word, position)| word + position)
    });
    Probe {
        vector: vector.collect(),
        tokens,
    }
}

/// Tensors of the shapes that the configuration states.
struct Reader<'a> {
    config: &'a BertConfig,
    weights: &'a dyn Weights,
}

impl Reader<'_> {
    /// A tensor's numbers; a size that is not given may be any.
    fn tensor(&self, name: &str, wanted: &[Option<usize>]) -> Result<Vec<f32>, Error> {
        let found = self.weights.tensor(name).map_err(|why| Error::Tensor {
            name: name.to_owned(),
            why,
        })?;
        let tensor = found.ok_or_else(|| Error::Missing {
            name: name.to_owned(),
        })?;
        let fits = tensor.shape.len() == wanted.len()
            && tensor
                .shape
                .iter()
                .zip(wanted)
                .all(|(found, wanted)| wanted.is_none_or(|wanted| wanted == *found));
        if !fits || tensor.shape.iter().product::<usize>() != tensor.values.len() {
            let sizes: Vec<String> = wanted
                .iter()
                .map(|size| size.map_or("any".to_owned(), |size| size.to_string()))
                .collect();
            return Err(Error::Tensor {
                name: name.to_owned(),
                why: format!(
                    "it has shape {:?}, the configuration wants [{}]",
                    tensor.shape,
                    sizes.join(", ")
                ),
            });
        }
        if tensor.values.iter().any(|value| !value.is_finite()) {
            return Err(Error::Tensor {
                name: name.to_owned(),
                why: "it has numbers that are infinite or none (NaN)".to_owned(),
            });
        }
        Ok(tensor.values)
    }

    /// `[positions, hidden]`, the first segment's row added: there is only one segment.
    fn positions(&self) -> Result<Vec<f32>, Error> {
        let hidden = self.config.hidden;
        let wanted = [Some(self.config.positions), Some(hidden)];
        let mut positions = self.tensor("embeddings.position_embeddings.weight", &wanted)?;
        let segments = self.tensor(
            "embeddings.token_type_embeddings.weight",
            &[None, Some(hidden)],
        )?;
        for row in positions.chunks_exact_mut(hidden) {
            for (x, segment) in row.iter_mut().zip(&segments) {
                *x += segment;
            }
        }
        Ok(positions)
    }

    fn norm(&self, name: &str) -> Result<PlainNorm, Error> {
        let part = |part: &str| self.tensor(&format!("{name}.{part}"), &[Some(self.config.hidden)]);
        Ok(PlainNorm {
            gain: part("weight")?,
            bias: part("bias")?,
        })
    }

    fn dense(&self, name: &str, outputs: usize, inputs: usize) -> Result<Dense, Error> {
        Ok(Dense {
            weight: self.tensor(&format!("{name}.weight"), &[Some(outputs), Some(inputs)])?,
            bias: self.tensor(&format!("{name}.bias"), &[Some(outputs)])?,
        })
    }

    fn layer(&self, layer: usize) -> Result<PlainLayer, Error> {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let (hidden, wide) = (self.config.hidden, self.config.intermediate);
        let part =
            |part: &str| self.dense(&name(&format!("attention.self.{part}")), hidden, hidden);
        Ok(PlainLayer {
            qkv: [part("query")?, part("key")?, part("value")?],
            output: self.dense(&name("attention.output.dense"), hidden, hidden)?,
            attention_norm: self.norm(&name("attention.output.LayerNorm"))?,
            expand: self.dense(&name("intermediate.dense"), wide, hidden)?,
            reduce: self.dense(&name("output.dense"), hidden, wide)?,
            output_norm: self.norm(&name("output.LayerNorm"))?,
        })
    }
}

fn packed(config: &BertConfig, sizes: &Sizes, plain: PlainLayer) -> Layer {
    let linear = |parts: &[Dense], inputs: usize| {
        let (mut codes, mut scale, mut bias) = (Vec::new(), Vec::new(), Vec::new());
        for part in parts {
            let (part_codes, part_scale) = quantise(&part.weight, inputs);
            codes.extend(part_codes);
            scale.extend(part_scale);
            bias.extend(&part.bias);
        }
        Linear {
            codes: Cow::Owned(codes),
            scale,
            bias,
        }
    };
    Layer {
        qkv: sizes.pack_qkv(linear(&plain.qkv, config.hidden)),
        output: sizes.pack_output(linear(&[plain.output], config.hidden)),
        attention_norm: padded_norm(config, sizes, plain.attention_norm),
        expand: sizes.pack_expand(linear(&[plain.expand], config.hidden)),
        reduce: sizes.pack_reduce(linear(&[plain.reduce], config.intermediate)),
        output_norm: padded_norm(config, sizes, plain.output_norm),
    }
}

fn padded_norm(config: &BertConfig, sizes: &Sizes, norm: PlainNorm) -> Norm {
    let padded = |mut numbers: Vec<f32>| {
        numbers.resize(sizes.stream, 0.0);
        numbers
    };
    Norm {
        gain: padded(norm.gain),
        bias: padded(norm.bias),
        width: sizes.hidden,
        epsilon: config.epsilon,
    }
}

/// Int8 codes and a scale for each row: a row is about `codes * scale`, codes within -127 to 127.
pub(crate) fn quantise(rows: &[f32], width: usize) -> (Vec<u8>, Vec<f32>) {
    let (mut codes, mut scales) = (Vec::with_capacity(rows.len()), Vec::new());
    for row in rows.chunks_exact(width) {
        let largest = row.iter().fold(0.0, |most: f32, x| most.max(x.abs()));
        // A row of zeros has codes zero at any scale; one too small for a scale is as good as zeros.
        let scale = Some(largest / 127.0)
            .filter(|scale| scale.is_normal())
            .unwrap_or(1.0);
        scales.push(scale);
        codes.extend(row.iter().map(|x| {
            let code = (x / scale).round_ties_even().clamp(-127.0, 127.0);
            (code as i8).cast_unsigned()
        }));
    }
    (codes, scales)
}
