//! axum's extractors, refusing in our own words.

use std::time::Duration;

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use futures_util::StreamExt;
use serde::de::DeserializeOwned;

use super::error::Refusal;

/// A body that takes longer than this is a sender that went away.
const SENDING_LIMIT: Duration = Duration::from_secs(60);
/// Bytes past a limit that are read before the connection is simply closed.
const FORGOTTEN_LIMIT: usize = 64 << 20;

/// The query string as `T`.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        let path = parts.uri.path().to_owned();
        AxumQuery::<T>::from_request_parts(parts, state)
            .await
            .map(|AxumQuery(value)| Self(value))
            .map_err(|e| Refusal::bad_request(format!("{path}: {}", e.body_text()), see_openapi()))
    }
}

/// A segment of the path as `T`.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Refusal> {
        AxumPath::<T>::from_request_parts(parts, state)
            .await
            .map(|AxumPath(value)| Self(value))
            .map_err(|e| Refusal::bad_request(e.body_text(), see_openapi()))
    }
}

/// The whole body, of at most `LIMIT` bytes.
pub struct Body<const LIMIT: usize>(pub Bytes);

impl<const LIMIT: usize, S: Send + Sync> FromRequest<S> for Body<LIMIT> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _state: &S) -> Result<Self, Refusal> {
        let read = tokio::time::timeout(SENDING_LIMIT, whole(request.into_body(), LIMIT));
        read.await
            .map_or_else(|_| Err(too_slow()), |read| read.map(Self))
    }
}

/// Reads a body. Of one that is too long the rest is read and forgotten, up to a point: a client
/// that is still sending would not see the refusal.
async fn whole(body: axum::body::Body, limit: usize) -> Result<Bytes, Refusal> {
    let mut chunks = body.into_data_stream();
    let mut kept = Vec::new();
    let mut read = 0;
    while let Some(chunk) = chunks.next().await {
        let chunk =
            chunk.map_err(|e| Refusal::bad_request(e.to_string(), "send the whole body"))?;
        read += chunk.len();
        if read > limit.saturating_add(FORGOTTEN_LIMIT) {
            break;
        }
        if read > limit {
            kept = Vec::new();
        } else {
            kept.extend_from_slice(&chunk);
        }
    }
    if read > limit {
        let what = format!("the body is larger than {limit} bytes");
        return Err(Refusal::too_large(what));
    }
    Ok(kept.into())
}

fn too_slow() -> Refusal {
    let what = format!(
        "the body did not arrive within {} s",
        SENDING_LIMIT.as_secs()
    );
    let hint = "send it in smaller requests";
    Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", what, hint)
}

/// Where the parameters of every call are listed.
#[must_use]
pub fn see_openapi() -> String {
    "GET /openapi.json lists every call and its parameters".to_owned()
}
