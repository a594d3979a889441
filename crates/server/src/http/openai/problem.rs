//! Refusals in the shape that OpenAI's clients read.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use crate::app::Undone;
use crate::http::error::Refusal;

/// A refusal, and which parameter it is about.
#[derive(Clone, Debug)]
pub struct Problem {
    refusal: Refusal,
    param: Option<String>,
}

impl Problem {
    /// 400 about one parameter.
    pub fn of(param: &str, what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            refusal: Refusal::bad_request(what, hint),
            param: Some(param.to_owned()),
        }
    }

    /// A parameter that must be there and is not.
    pub fn missing(param: &str) -> Self {
        let what = format!("the parameter '{param}' is missing");
        Self::of(param, what, "docs/api.md says what a call consists of")
    }

    /// A parameter that would change the answer and has no meaning here.
    pub fn unsupported(param: &str, what: impl Into<String>) -> Self {
        Self {
            refusal: Refusal::new(
                StatusCode::BAD_REQUEST,
                "unsupported_parameter",
                what,
                "leave it out; docs/api.md lists what is supported",
            ),
            param: Some(param.to_owned()),
        }
    }

    /// 404: no such model.
    pub fn no_model(name: &str, names: &[String]) -> Self {
        let shown = &name[..name.floor_char_boundary(100)];
        let what = format!("the model '{shown}' does not exist here");
        let hint = format!("use one of {}", names.join(", "));
        Self {
            refusal: Refusal::new(StatusCode::NOT_FOUND, "model_not_found", what, hint),
            param: Some("model".to_owned()),
        }
    }

    /// The JSON body, for places that send it inside something else.
    pub fn body(&self) -> Value {
        let refusal = &self.refusal;
        let kind = match refusal.status() {
            StatusCode::TOO_MANY_REQUESTS => "rate_limit_error",
            status if status.is_server_error() => "server_error",
            _ => "invalid_request_error",
        };
        json!({"error": {
            "message": format!("{}; {}", refusal.message(), refusal.hint()),
            "type": kind, "param": self.param, "code": refusal.code(), "hint": refusal.hint(),
        }})
    }
}

impl From<Refusal> for Problem {
    fn from(refusal: Refusal) -> Self {
        Self {
            refusal,
            param: None,
        }
    }
}

impl From<Undone> for Problem {
    fn from(undone: Undone) -> Self {
        Refusal::from(undone).into()
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.refusal.respond(Json(self.body()))
    }
}
