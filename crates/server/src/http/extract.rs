//! axum's extractors, refusing in our own words.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Path as AxumPath, Query as AxumQuery, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use serde::de::DeserializeOwned;

use super::BODY_LIMIT;
use super::error::Refusal;

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

/// The whole body.
pub struct Body(pub Bytes);

impl<S: Send + Sync> FromRequest<S> for Body {
    type Rejection = Refusal;

    async fn from_request(request: Request, state: &S) -> Result<Self, Refusal> {
        let read = Bytes::from_request(request, state).await;
        read.map(Self).map_err(|e| match e.status() {
            StatusCode::PAYLOAD_TOO_LARGE => Refusal::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                "too_large",
                format!("the body is larger than {BODY_LIMIT} bytes"),
                "send it in several requests",
            ),
            _ => Refusal::bad_request(e.body_text(), "send the whole body"),
        })
    }
}

/// Where the parameters of every call are listed.
#[must_use]
pub fn see_openapi() -> String {
    "GET /openapi.json lists every call and its parameters".to_owned()
}
