//! Vectors from an OpenAI-compatible endpoint, as a blocking [`TextModel`].

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use node::TextModel;
use rag::Fault;
use serde_json::{Value, json};
use stdx::Clock;

use super::endpoint::{ChatSettings, Endpoint, Failure};

const PART: &str = "embedder";
/// Time for one call, from the first byte to the last.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// Texts of one call.
const BATCH: usize = 64;
/// More than any reply: 64 vectors of 8,192 numbers in full digits.
const REPLY_BYTES_LIMIT: u64 = 16 << 20;
/// Components that a store takes.
const DIM_LIMIT: usize = 4_096;

/// An endpoint that embeds.
pub struct EmbeddingModel {
    endpoint: Endpoint,
    id: String,
    dim: usize,
}

impl EmbeddingModel {
    /// Asks the endpoint for one vector, to learn how long they are.
    ///
    /// # Errors
    /// When there is no answer, or one that is no vector.
    pub fn connect(settings: ChatSettings, clock: Arc<dyn Clock>) -> Result<Self, Fault> {
        let mut model = Self {
            id: format!("endpoint:{}", settings.model),
            endpoint: Endpoint::new(PART, settings, "/embeddings", clock),
            dim: 0,
        };
        let first = model.tried(&["How long is a vector?"])?;
        model.dim = first.first().map_or(0, Vec::len);
        if model.dim > DIM_LIMIT {
            let what = format!(
                "{} has vectors of {} components, and {DIM_LIMIT} are the most that can be stored",
                model.endpoint.address, model.dim
            );
            return Err(Fault::invalid(what, "use another model"));
        }
        Ok(model)
    }

    fn tried(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        self.endpoint.tried(None, || self.attempt(texts))
    }

    fn attempt(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Failure> {
        let request = json!({
            "model": self.endpoint.settings.model,
            "input": texts,
            "encoding_format": "float",
        });
        let mut body = self
            .endpoint
            .send(&request, CALL_LIMIT, REPLY_BYTES_LIMIT)?;
        let mut said = String::new();
        let read = body.read_to_string(&mut said);
        read.map_err(|e| self.endpoint.passing(&format!("the reply broke off: {e}")))?;
        let vectors = vectors(&said, texts.len(), self.dim);
        vectors.map_err(|what| Failure::lasting(self.endpoint.unavailable(&what)))
    }
}

impl TextModel for EmbeddingModel {
    fn id(&self) -> &str {
        &self.id
    }

    fn dim(&self) -> usize {
        self.dim
    }

    fn embed(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        let mut vectors = Vec::with_capacity(texts.len());
        for batch in texts.chunks(BATCH) {
            let found = self.endpoint.unless_resting(None, || self.tried(batch));
            vectors.extend(found?);
        }
        Ok(vectors)
    }
}

/// The vectors of a reply, in the order asked for and of unit length; `dim` 0: as long as the first is.
fn vectors(reply: &str, count: usize, dim: usize) -> Result<Vec<Vec<f32>>, String> {
    let reply: Value =
        serde_json::from_str(reply).map_err(|e| format!("the reply is no JSON: {e}"))?;
    if let Some(message) = reply["error"]["message"].as_str() {
        return Err(message.to_owned());
    }
    let data = reply["data"].as_array().map_or(&[][..], Vec::as_slice);
    let mut vectors: Vec<Vec<f32>> = vec![Vec::new(); count];
    for (place, item) in data.iter().enumerate() {
        let index = item["index"].as_u64().map_or(place, |index| index as usize);
        let vector = item["embedding"].as_array();
        let vector = vector.map(|x| {
            x.iter()
                .filter_map(Value::as_f64)
                .map(|x| x as f32)
                .collect()
        });
        match vectors.get_mut(index) {
            // One without numbers is refused below, by its length.
            Some(place) => *place = vector.unwrap_or_default(),
            None => {
                return Err(format!(
                    "it has a vector {index}, and {count} were asked for"
                ));
            }
        }
    }
    let dim = if dim == 0 {
        vectors.first().map_or(0, Vec::len)
    } else {
        dim
    };
    for (index, vector) in vectors.iter_mut().enumerate() {
        if vector.len() != dim || dim == 0 {
            let len = vector.len();
            return Err(format!("vector {index} has {len} numbers, not {dim}"));
        }
        if !made_unit(vector) {
            return Err(format!("vector {index} has no direction"));
        }
    }
    Ok(vectors)
}

/// Makes a vector as long as 1; false where it has no direction.
fn made_unit(vector: &mut [f32]) -> bool {
    let squares = vector.iter().map(|&x| f64::from(x) * f64::from(x));
    let length = squares.sum::<f64>().sqrt();
    if !length.is_finite() || length == 0.0 {
        return false;
    }
    vector
        .iter_mut()
        .for_each(|x| *x = (f64::from(*x) / length) as f32);
    true
}

#[cfg(test)]
mod tests;
