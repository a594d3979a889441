//! Tensors by the names that `BertModel` gives them, from either kind of file.

use std::collections::HashMap;
use std::ops::Range;

use anyhow::{Result, bail};
use bytes::Bytes;
use embed::Tensor;
use half::{bf16, f16};

use super::files::Folder;
use super::{onnx, safetensors};

const WORDS: &str = "embeddings.word_embeddings.weight";
const ONNX: [&str; 2] = ["model.onnx", "onnx/model.onnx"];

/// How a number is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    F32,
    F16,
    Bf16,
}

/// Where a tensor lies.
#[derive(Clone, Debug)]
pub struct Place {
    pub kind: Kind,
    pub shape: Vec<usize>,
    pub bytes: Bytes,
    /// It is kept as inputs by outputs, and wanted as outputs by inputs.
    pub is_turned: bool,
}

/// A file's tensors.
pub struct Weights {
    /// The whole file, for its hash.
    file: Bytes,
    /// What stands before all names.
    prefix: String,
    places: HashMap<String, Result<Place, String>>,
}

/// Opens the weights of a folder.
///
/// # Errors
/// When there are none that can be read, with what is there instead.
pub fn open(folder: &Folder) -> Result<Weights> {
    if folder.has("model.safetensors") {
        let file = Bytes::from(folder.weights("model.safetensors")?);
        let places = safetensors::read(&file)?;
        return Ok(Weights::new(file, places));
    }
    if let Some(name) = ONNX.into_iter().find(|name| folder.has(name)) {
        let file = Bytes::from(folder.weights(name)?);
        let places = onnx::read(&file, name)?;
        return Ok(Weights::new(file, places));
    }
    bail!("{}", why_none(folder));
}

fn why_none(folder: &Folder) -> String {
    if folder.has("model.safetensors.index.json") {
        return "its weights are in several files (model.safetensors.index.json): join them to one model.safetensors, as \
                save_pretrained(..., max_shard_size=\"4GB\") does"
            .to_owned();
    }
    let pickled = folder.ending(".bin");
    if let Some(name) = pickled
        .iter()
        .find(|name| name.starts_with("pytorch_model"))
    {
        return format!(
            "its weights are only there as {name}, a pickle, which is a program and is not run here: take \
             model.safetensors, or write it with save_pretrained(..., safe_serialization=True)"
        );
    }
    let others = folder.ending(".onnx");
    let quantised = [
        "onnx/model_quantized.onnx",
        "onnx/model_int8.onnx",
        "model_quantized.onnx",
    ];
    if quantised.iter().any(|name| folder.has(name)) {
        return "its only weights are quantised already: take model.safetensors or model.onnx in f32, Ouzel makes its own \
                int8 weights of it"
            .to_owned();
    }
    if let Some(name) = others.first() {
        return format!(
            "it has neither model.safetensors nor model.onnx; if {name} is the model, call it model.onnx"
        );
    }
    "it has neither model.safetensors nor model.onnx nor onnx/model.onnx".to_owned()
}

impl Weights {
    fn new(file: Bytes, places: HashMap<String, Result<Place, String>>) -> Self {
        // Models that contain the encoder put their name for it before its names; the shortest is the encoder itself.
        let prefixes = places.keys().filter_map(|name| name.strip_suffix(WORDS));
        let prefix = prefixes
            .min_by_key(|prefix| prefix.len())
            .unwrap_or_default()
            .to_owned();
        Self {
            file,
            prefix,
            places,
        }
    }

    /// A tensor by its name in the file.
    ///
    /// # Errors
    /// Why it cannot be read.
    pub fn named(&self, name: &str) -> Result<Option<Tensor>> {
        match self.places.get(name) {
            None => Ok(None),
            Some(Err(why)) => bail!("tensor `{name}`: {why}"),
            Some(Ok(place)) => match place.tensor() {
                Ok(tensor) => Ok(Some(tensor)),
                Err(why) => bail!("tensor `{name}`: {why}"),
            },
        }
    }

    /// The file that they are in.
    pub fn bytes(&self) -> &[u8] {
        &self.file
    }

    fn find(&self, name: &str) -> Option<&Result<Place, String>> {
        let named = |name: &str| self.places.get(&format!("{}{name}", self.prefix));
        // Weights that were made by TensorFlow have other names for a norm's.
        named(name).or_else(|| match name.rsplit_once('.') {
            Some((norm, "weight")) if norm.ends_with("LayerNorm") => {
                named(&format!("{norm}.gamma"))
            }
            Some((norm, "bias")) if norm.ends_with("LayerNorm") => named(&format!("{norm}.beta")),
            _ => None,
        })
    }
}

impl embed::Weights for Weights {
    fn tensor(&self, name: &str) -> Result<Option<Tensor>, String> {
        match self.find(name) {
            None => Ok(None),
            Some(Err(why)) => Err(why.clone()),
            Some(Ok(place)) => place.tensor().map(Some),
        }
    }
}

impl Place {
    /// Its numbers as f32, outputs by inputs.
    fn tensor(&self) -> Result<Tensor, String> {
        let bytes = &self.bytes[..];
        let values: Vec<f32> = match self.kind {
            Kind::F32 => bytes
                .as_chunks::<4>()
                .0
                .iter()
                .map(|b| f32::from_le_bytes(*b))
                .collect(),
            Kind::F16 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| f16::from_le_bytes(*b).to_f32())
                .collect(),
            Kind::Bf16 => bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| bf16::from_le_bytes(*b).to_f32())
                .collect(),
        };
        if self.shape.contains(&0) {
            return Err(format!("it is empty: its shape is {:?}", self.shape));
        }
        let size = self
            .shape
            .iter()
            .try_fold(1_usize, |all, size| all.checked_mul(*size));
        if size != Some(values.len()) {
            let (count, shape) = (values.len(), &self.shape);
            return Err(format!(
                "it has {count} numbers, and shape {shape:?} wants another number of them"
            ));
        }
        let tensor = Tensor {
            shape: self.shape.clone(),
            values,
        };
        Ok(match (self.is_turned, self.shape.as_slice()) {
            (true, [inputs, outputs]) => turned(&tensor.values, *inputs, *outputs),
            _ => tensor,
        })
    }
}

fn turned(values: &[f32], inputs: usize, outputs: usize) -> Tensor {
    let columns: Range<usize> = 0..outputs;
    let values = columns.flat_map(|n| (0..inputs).map(move |k| values[k * outputs + n]));
    Tensor {
        shape: vec![outputs, inputs],
        values: values.collect(),
    }
}
