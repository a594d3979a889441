//! axum's extractors, refusing in our own words.

use std::error::Error as _;
use std::time::Duration;

use axum::body::{Bytes, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use http_body_util::LengthLimitError;
use serde::de::DeserializeOwned;

use super::error::Refusal;

/// A body that takes longer than this is a sender that went away.
const SENDING_LIMIT: Duration = Duration::from_secs(60);

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
        let announced = request.headers().get(header::CONTENT_LENGTH);
        let announced = announced.and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
        let too_large = || Refusal::too_large(format!("the body is larger than {LIMIT} bytes"));
        if announced.is_some_and(|size| size > LIMIT) {
            return Err(too_large());
        }
        let read = tokio::time::timeout(SENDING_LIMIT, to_bytes(request.into_body(), LIMIT));
        let read = read.await.map_err(|_| {
            let what = format!(
                "the body did not arrive within {} s",
                SENDING_LIMIT.as_secs()
            );
            let hint = "send it in smaller requests";
            Refusal::new(StatusCode::REQUEST_TIMEOUT, "timeout", what, hint)
        })?;
        read.map(Self).map_err(|e| {
            let is_long = e.source().is_some_and(|e| e.is::<LengthLimitError>());
            match is_long {
                true => too_large(),
                false => Refusal::bad_request(e.to_string(), "send the whole body"),
            }
        })
    }
}

/// Where the parameters of every call are listed.
#[must_use]
pub fn see_openapi() -> String {
    "GET /openapi.json lists every call and its parameters".to_owned()
}
