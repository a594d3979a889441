//! Scores of passages from an endpoint that re-ranks, as a blocking [`Rerank`].
//!
//! ```text
//! POST /v1/rerank {"model", "query", "documents": [..], "top_n": N}   Cohere, Jina, vLLM and others
//!   -> {"results": [{"index": 1, "relevance_score": 0.9}, ..]}
//! POST /rerank    {"query", "texts": [..], "truncate": true}          Text Embeddings Inference
//!   -> [{"index": 1, "score": 0.9}, ..]
//! ```
//!
//! Either answer is understood to either body.

use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use rag::settings::RERANK_LIMIT;
use rag::{Fault, Rerank};
use serde_json::{Value, json};
use stdx::Clock;

use super::endpoint::{ChatSettings, Endpoint, Failure, base, is_timeout};

const PART: &str = "rerank";
const CALL: &str = "/rerank";
/// More than any reply: 200 results, with their texts said again.
const REPLY_BYTES_LIMIT: u64 = 4 << 20;
/// Of what it says is wrong.
const SAID_BYTES: usize = 500;

/// Where the endpoint is and how to ask it.
#[derive(Clone, Debug)]
pub struct RerankSettings {
    /// Address, model, key. An address that ends in `/rerank` is the whole of it.
    pub endpoint: ChatSettings,
    /// What it is sent.
    pub body: RerankBody,
    /// Passages of one question, at most.
    pub limit: usize,
}

/// What passages are called in a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RerankBody {
    /// `documents`, with `model` and `top_n`: Cohere, Jina, vLLM, llama.cpp.
    #[default]
    Documents,
    /// `texts`, with `truncate`: Text Embeddings Inference.
    Texts,
}

/// An endpoint that re-ranks.
pub struct RerankModel {
    endpoint: Endpoint,
    id: String,
    body: RerankBody,
    limit: usize,
}

impl RerankModel {
    /// A client; nothing is sent before the first question.
    #[must_use]
    pub fn new(settings: RerankSettings, clock: Arc<dyn Clock>) -> Self {
        let RerankSettings {
            endpoint,
            body,
            limit,
        } = settings;
        let url = endpoint.url.trim_end_matches('/');
        let address = match (url.ends_with(CALL), body) {
            (true, _) => url.to_owned(),
            (false, RerankBody::Documents) => format!("{}{CALL}", base(url, CALL)),
            (false, RerankBody::Texts) => format!("{url}{CALL}"),
        };
        Self {
            id: format!("endpoint:{}", endpoint.model),
            endpoint: Endpoint::at(PART, endpoint, address, clock),
            body,
            limit: limit.clamp(1, RERANK_LIMIT),
        }
    }

    fn request(&self, question: &str, texts: &[&str]) -> Value {
        match self.body {
            RerankBody::Documents => json!({
                "model": self.endpoint.settings.model,
                "query": question,
                "documents": texts,
                "top_n": texts.len(),
                "return_documents": false,
            }),
            RerankBody::Texts => json!({
                "query": question,
                "texts": texts,
                "truncate": true,
                "return_text": false,
            }),
        }
    }

    fn attempt(&self, request: &Value, count: usize, until: u64) -> Result<Vec<f32>, Failure> {
        let left = self.endpoint.left(Some(until)).map_err(Failure::lasting)?;
        let left = left.unwrap_or(Duration::ZERO);
        let mut body = self.endpoint.send(request, left, REPLY_BYTES_LIMIT)?;
        let mut said = String::new();
        body.read_to_string(&mut said)
            .map_err(|e| match is_timeout(&e) {
                true => Failure::lasting(Fault::Deadline { part: PART }),
                false => self.endpoint.passing(&format!("the reply broke off: {e}")),
            })?;
        let scores = scores(&said, count);
        scores.map_err(|mut what| {
            // It is shown with every answer, and is the endpoint's to say.
            what.truncate(what.floor_char_boundary(SAID_BYTES));
            Failure::lasting(self.endpoint.unavailable(&what))
        })
    }
}

impl Rerank for RerankModel {
    fn id(&self) -> &str {
        &self.id
    }

    fn limit(&self) -> usize {
        self.limit
    }

    fn scores(&self, question: &str, texts: &[&str], deadline_ns: u64) -> Result<Vec<f32>, Fault> {
        let request = self.request(question, texts);
        self.endpoint.unless_resting(Some(deadline_ns), || {
            let attempt = || self.attempt(&request, texts.len(), deadline_ns);
            self.endpoint.tried(Some(deadline_ns), attempt)
        })
    }
}

/// The scores of a reply, in the order of the texts: one for each, no more.
fn scores(reply: &str, count: usize) -> Result<Vec<f32>, String> {
    let reply: Value =
        serde_json::from_str(reply).map_err(|e| format!("the reply is no JSON: {e}"))?;
    let lists = [&reply, &reply["results"], &reply["data"]];
    let Some(results) = lists.into_iter().find_map(Value::as_array) else {
        let error = [
            &reply["error"]["message"],
            &reply["message"],
            &reply["error"],
        ];
        let error = error.into_iter().find_map(Value::as_str);
        return Err(error.unwrap_or("the reply has no `results`").to_owned());
    };
    let mut scores = vec![None; count];
    for result in results {
        let Some(index) = result["index"]
            .as_u64()
            .and_then(|at| usize::try_from(at).ok())
        else {
            return Err(format!("a result without an `index`: {result}"));
        };
        let score = result["relevance_score"].as_f64();
        let score = score.or_else(|| result["score"].as_f64());
        let score = score.map(|score| score as f32).filter(|s| s.is_finite());
        let Some(score) = score else {
            return Err(format!("result {index} has no score that is a number"));
        };
        match scores.get_mut(index) {
            Some(place @ None) => *place = Some(score),
            Some(Some(_)) => return Err(format!("text {index} has two results")),
            None => {
                return Err(format!("a result for text {index}, of {count} from 0 on"));
            }
        }
    }
    let found = scores.iter().flatten().count();
    if found < count {
        return Err(format!("results for {found} of {count} texts"));
    }
    Ok(scores.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests;
