//! `model.onnx`: only its weights are read, not its graph, which `embed` knows better.
//!
//! An exporter keeps the names of tables, biases and norms, but turns a matrix and gives it a number. Its name is
//! found by what it is used for: the product with it goes into a sum with a bias, and the bias has a name.
//! Source: onnx/onnx, onnx.proto3 (fields that are not needed are left out).

use std::collections::HashMap;

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use prost::Message;

use super::weights::{Kind, Place};

#[derive(Clone, PartialEq, Message)]
struct Model {
    #[prost(message, optional, tag = "7")]
    graph: Option<Graph>,
}

#[derive(Clone, PartialEq, Message)]
struct Graph {
    #[prost(message, repeated, tag = "1")]
    nodes: Vec<Node>,
    #[prost(message, repeated, tag = "5")]
    initialisers: Vec<Initialiser>,
}

#[derive(Clone, PartialEq, Message)]
struct Node {
    #[prost(string, repeated, tag = "1")]
    inputs: Vec<String>,
    #[prost(string, repeated, tag = "2")]
    outputs: Vec<String>,
    #[prost(string, tag = "4")]
    kind: String,
    #[prost(string, tag = "7")]
    domain: String,
}

#[derive(Clone, PartialEq, Message)]
struct Initialiser {
    #[prost(int64, repeated, tag = "1")]
    dims: Vec<i64>,
    #[prost(int32, tag = "2")]
    data_type: i32,
    #[prost(float, repeated, tag = "4")]
    float_data: Vec<f32>,
    #[prost(string, tag = "8")]
    name: String,
    #[prost(bytes = "bytes", tag = "9")]
    raw_data: Bytes,
    #[prost(int32, tag = "14")]
    data_location: i32,
}

/// `TensorProto.DataType`.
const FLOAT: i32 = 1;
const FLOAT16: i32 = 10;
const BFLOAT16: i32 = 16;
/// `TensorProto.DataLocation`.
const EXTERNAL: i32 = 1;

/// Steps that a quantised graph has.
const QUANTISED: [&str; 6] = [
    "MatMulInteger",
    "DynamicQuantizeLinear",
    "DequantizeLinear",
    "QLinearMatMul",
    "QAttention",
    "MatMulNBits",
];

/// All tensors by name; those of other kinds with the reason.
///
/// # Errors
/// When the file is none of ONNX, or its weights were quantised or joined.
pub fn read(file: &Bytes, name: &str) -> Result<HashMap<String, Result<Place, String>>> {
    let model = Model::decode(file.clone()).with_context(|| {
        format!(
            "{name} ({} bytes) is cut short, damaged, or no ONNX: fetch it again",
            file.len()
        )
    })?;
    let Some(graph) = model.graph else {
        bail!("{name} has no graph: it is no ONNX model");
    };
    check(&graph, name)?;
    let mut called = named_by_bias(&graph);
    let places = graph.initialisers.into_iter().map(|found| {
        let (name, is_turned) = match called.remove(&found.name) {
            Some(name) => (name, true),
            None => (found.name.clone(), false),
        };
        (name, found.place(is_turned))
    });
    Ok(places.collect())
}

fn check(graph: &Graph, name: &str) -> Result<()> {
    let is_quantised = |node: &&Node| QUANTISED.contains(&node.kind.as_str());
    if let Some(node) = graph.nodes.iter().find(is_quantised) {
        let kind = &node.kind;
        bail!(
            "{name} is quantised already (it has a step {kind}): take the one in f32, Ouzel makes its own int8 weights of it"
        );
    }
    let is_joined =
        |node: &&Node| node.domain == "com.microsoft" && node.kind.contains("Attention");
    if let Some(node) = graph.nodes.iter().find(is_joined) {
        let kind = &node.kind;
        bail!(
            "{name} was optimised, its weights joined (it has a step {kind}): take the plain one, or model.safetensors"
        );
    }
    Ok(())
}

/// What matrices are called by the bias that is added to their product.
fn named_by_bias(graph: &Graph) -> HashMap<String, String> {
    let of_kind = |kind: &'static str| graph.nodes.iter().filter(move |node| node.kind == kind);
    // Product to matrix.
    let products: HashMap<&str, &str> = of_kind("MatMul")
        .filter_map(|node| Some((node.outputs.first()?.as_str(), node.inputs.get(1)?.as_str())))
        .collect();
    let mut called = HashMap::new();
    for node in of_kind("Add") {
        let matrix = node
            .inputs
            .iter()
            .find_map(|input| products.get(input.as_str()));
        let bias = node
            .inputs
            .iter()
            .find_map(|input| input.strip_suffix(".bias"));
        if let (Some(matrix), Some(bias)) = (matrix, bias) {
            called.insert((*matrix).to_owned(), format!("{bias}.weight"));
        }
    }
    called
}

impl Initialiser {
    fn place(self, is_turned: bool) -> Result<Place, String> {
        if self.data_location == EXTERNAL {
            return Err("it is kept in a file beside model.onnx, which is not read here: take model.safetensors".to_owned());
        }
        let shape = self.dims.iter().map(|size| usize::try_from(*size));
        let shape: Vec<usize> = shape
            .collect::<Result<_, _>>()
            .map_err(|_| "it has a size below zero".to_owned())?;
        let kind = match self.data_type {
            FLOAT => Kind::F32,
            FLOAT16 => Kind::F16,
            BFLOAT16 => Kind::Bf16,
            other => {
                return Err(format!(
                    "its numbers are of ONNX type {other}; FLOAT, FLOAT16 and BFLOAT16 are read here"
                ));
            }
        };
        let bytes = match self.float_data.is_empty() {
            true => self.raw_data,
            false => self
                .float_data
                .iter()
                .flat_map(|x| x.to_le_bytes())
                .collect(),
        };
        Ok(Place {
            kind,
            shape,
            bytes,
            is_turned,
        })
    }
}
