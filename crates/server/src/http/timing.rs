//! Counts and times every request by its route; tells the caller of a question where its time went.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::extract::{MatchedPath, Request, State};
use axum::http::{HeaderName, HeaderValue};
use axum::middleware::Next;
use axum::response::{IntoResponseParts, Response, ResponseParts};
use rag::Stages;

use crate::app::App;
use crate::json::answer::server_timing;
use crate::json::receipt::ReceiptRow;

pub async fn record(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let started = Instant::now();
    let route = request
        .extensions()
        .get::<MatchedPath>()
        .map(|path| path.as_str().to_owned());
    let response = next.run(request).await;
    let elapsed_ns = u64::try_from(started.elapsed().as_nanos()).unwrap_or(u64::MAX);
    let route = route.as_deref().unwrap_or("other");
    app.metrics
        .request(route, response.status().as_u16(), elapsed_ns);
    response
}

/// Where the time of a question went, as headers: `Server-Timing` with every stage, and, in plain
/// milliseconds, `X-Embed-Latency` and `X-Search-Latency` (both lists and their joining, without a cross-encoder's time).
pub struct Timing {
    stages: String,
    embed: Duration,
    search: Option<Duration>,
}

impl Timing {
    /// Of a search or an answer.
    pub fn of(stages: &Stages) -> Self {
        let search_us = stages.dense + stages.text + stages.fuse;
        Self {
            stages: server_timing(stages),
            embed: Duration::from_micros(stages.embed),
            search: Some(Duration::from_micros(search_us)),
        }
    }

    /// Of texts that became vectors.
    pub fn of_embedding(spent: Duration) -> Self {
        Self {
            stages: format!("embed;dur={0}, total;dur={0}", ms(spent)),
            embed: spent,
            search: None,
        }
    }
}

fn ms(spent: Duration) -> String {
    format!("{:.3}", spent.as_secs_f64() * 1e3)
}

impl IntoResponseParts for Timing {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        let headers = [
            ("server-timing", Some(self.stages)),
            ("x-embed-latency", Some(ms(self.embed))),
            ("x-search-latency", self.search.map(ms)),
        ];
        for (name, value) in headers {
            // Digits and names of stages are always a header's value.
            if let Some(value) = value.and_then(|v| HeaderValue::from_str(&v).ok()) {
                parts
                    .headers_mut()
                    .insert(HeaderName::from_static(name), value);
            }
        }
        Ok(parts)
    }
}

/// Whether the lists are those of an earlier question that means the same: `X-Cache: semantic`, and in
/// `X-Cache-Question` the SHA-256 of its words, which are in the receipt.
pub struct Cached(Option<String>);

impl Cached {
    /// Of a search or an answer.
    pub fn of(receipt: &ReceiptRow) -> Self {
        Self(
            receipt
                .cache()
                .map(|earlier| earlier.question_sha256.clone()),
        )
    }
}

impl IntoResponseParts for Cached {
    type Error = Infallible;

    fn into_response_parts(self, mut parts: ResponseParts) -> Result<ResponseParts, Infallible> {
        // Digits in hexadecimal are always a header's value.
        if let Some(question) = self.0.and_then(|q| HeaderValue::from_str(&q).ok()) {
            let headers = parts.headers_mut();
            headers.insert("x-cache", HeaderValue::from_static("semantic"));
            headers.insert("x-cache-question", question);
        }
        Ok(parts)
    }
}
