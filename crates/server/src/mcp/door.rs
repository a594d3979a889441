//! Where a tool's call goes: the routes of this process, or a server elsewhere.

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use axum::http::header::CONTENT_TYPE;
use futures_util::StreamExt;
use serde_json::Value;
use tower::ServiceExt;

use super::call::Call;
use crate::client::Client;

/// Answers calls of the HTTP API.
pub trait Door: Clone + Send + Sync + 'static {
    /// The body of the answer, or, in words for an agent, why there is none.
    fn answer(&self, call: &Call) -> impl Future<Output = Result<Value, String>> + Send;
}

/// The routes themselves, without a socket between.
#[derive(Clone)]
pub struct Inside(Router);

impl Inside {
    pub(crate) fn new(routes: Router) -> Self {
        Self(routes)
    }
}

impl Door for Inside {
    async fn answer(&self, call: &Call) -> Result<Value, String> {
        let request = Request::builder().uri(&call.path);
        let request = match &call.body {
            None => request.body(Body::empty()),
            Some(body) => request
                .method("POST")
                .header(CONTENT_TYPE, "application/json")
                .body(Body::from(body.to_string())),
        };
        let request = request.map_err(|e| format!("the call cannot be made: {e}"))?;
        let Ok(response) = self.0.clone().oneshot(request).await;
        let is_ok = response.status().is_success();
        let mut chunks = response.into_body().into_data_stream();
        let mut body = Vec::new();
        while let Some(chunk) = chunks.next().await {
            let chunk = chunk.map_err(|e| format!("the answer broke off: {e}"))?;
            body.extend_from_slice(&chunk);
        }
        let said: Value =
            serde_json::from_slice(&body).map_err(|e| format!("the answer is not JSON: {e}"))?;
        match is_ok {
            true => Ok(said),
            false => Err(refusal(&said)),
        }
    }
}

fn refusal(said: &Value) -> String {
    let word = |name: &str| said["error"][name].as_str().unwrap_or_default();
    format!("{}; {}", word("message"), word("hint"))
}

/// A running server.
#[derive(Clone)]
pub struct Remote(Arc<Client>);

impl Remote {
    /// The server that `client` calls.
    #[must_use]
    pub fn new(client: Client) -> Self {
        Self(Arc::new(client))
    }
}

impl Door for Remote {
    async fn answer(&self, call: &Call) -> Result<Value, String> {
        let (client, call) = (Arc::clone(&self.0), call.clone());
        let done = tokio::task::spawn_blocking(move || match &call.body {
            None => client.get(&call.path),
            Some(body) => client.post(&call.path, &body.to_string()),
        });
        match done.await {
            Ok(said) => said.map_err(|e| e.to_string()),
            Err(_panic) => Err("the call broke its worker".to_owned()),
        }
    }
}
