//! Refusals: a status, and words that say what, where and what to do next.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use rag::Fault;
use serde::Serialize;

use crate::app::Undone;

/// An answer that is not the one asked for.
#[derive(Clone, Debug)]
pub struct Refusal {
    status: StatusCode,
    code: &'static str,
    message: String,
    hint: String,
}

#[derive(Serialize)]
struct Body<'a> {
    error: Inner<'a>,
}

#[derive(Serialize)]
struct Inner<'a> {
    code: &'a str,
    message: &'a str,
    hint: &'a str,
}

impl Refusal {
    /// 400: the caller can mend the request.
    pub fn bad_request(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "bad_request", message, hint)
    }

    /// 403: not from there.
    pub fn forbidden(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "forbidden", message, hint)
    }

    /// 413: more than one request may bring.
    pub fn too_large(message: impl Into<String>) -> Self {
        let hint = "send it in several requests";
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "too_large", message, hint)
    }

    /// 404: there is no such thing.
    pub fn not_found(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, "not_found", message, hint)
    }

    /// 429: too much at once.
    pub fn busy(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self::new(StatusCode::TOO_MANY_REQUESTS, "busy", message, hint)
    }

    /// 500: our fault.
    pub fn internal(message: impl Into<String>) -> Self {
        let hint = "look at the server's log; if it repeats, restart the server";
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "internal", message, hint)
    }

    /// Any status.
    pub fn new(
        status: StatusCode,
        code: &'static str,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) -> Self {
        Self {
            status,
            code,
            message: message.into(),
            hint: hint.into(),
        }
    }

    /// Its status.
    #[must_use]
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Its word for programs.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What and where.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// What to do next.
    #[must_use]
    pub fn hint(&self) -> &str {
        &self.hint
    }

    /// The JSON body, for places that send it inside something else.
    #[must_use]
    pub fn body(&self) -> serde_json::Value {
        let inner = Inner {
            code: self.code,
            message: &self.message,
            hint: &self.hint,
        };
        serde_json::to_value(Body { error: inner }).unwrap_or_default()
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        self.respond(Json(self.body()))
    }
}

impl Refusal {
    /// The response with a body in another shape.
    pub fn respond(&self, body: impl IntoResponse) -> Response {
        let mut response = (self.status, body).into_response();
        if self.status == StatusCode::TOO_MANY_REQUESTS {
            let one_second = axum::http::HeaderValue::from_static("1");
            response
                .headers_mut()
                .insert(axum::http::header::RETRY_AFTER, one_second);
        }
        response
    }
}

impl From<Undone> for Refusal {
    fn from(undone: Undone) -> Self {
        match undone {
            Undone::Busy => Self::busy("too many requests are waiting", "try again in a second"),
            Undone::Broken => Self::internal("the request broke its worker"),
        }
    }
}

/// A fault below, as the caller should see it.
pub fn refuse(fault: Fault) -> Refusal {
    match fault {
        Fault::Invalid { what, hint } => Refusal::bad_request(what, hint),
        busy @ Fault::Busy { .. } => Refusal::busy(busy.to_string(), "try again in a second"),
        other => Refusal::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            other.to_string(),
            "try again; GET /readyz shows which part is down",
        ),
    }
}
