//! A blocking client of this server, for the command line.

use std::io::{BufRead, BufReader, Read};
use std::time::Duration;

use serde_json::Value;

/// A server somewhere.
pub struct Client {
    agent: ureq::Agent,
    base: String,
}

/// Why a call did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nothing answers there.
    #[error(
        "no server answers at {base}: {what}; start one with `ouzel demo` or `ouzel serve`, or give its address with --url"
    )]
    Unreachable {
        /// Where.
        base: String,
        /// What the connection said.
        what: String,
    },
    /// The server refused, in its own words.
    #[error("{message}; {hint}")]
    Refused {
        /// HTTP status.
        status: u16,
        /// What and where.
        message: String,
        /// What to do.
        hint: String,
    },
    /// Something answered, but not an Ouzel server.
    #[error("{base} does not answer like an Ouzel server: {what}")]
    Strange {
        /// Where.
        base: String,
        /// What it said.
        what: String,
    },
}

impl Client {
    /// A client of the server at `base`, such as `http://127.0.0.1:7878`.
    #[must_use]
    pub fn new(base: &str) -> Self {
        let base = base.trim_end_matches('/');
        let base = if base.contains("://") {
            base.to_owned()
        } else {
            format!("http://{base}")
        };
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(Duration::from_secs(5)))
            .http_status_as_error(false)
            .build();
        Self {
            agent: ureq::Agent::new_with_config(config),
            base,
        }
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When nothing answers, or the answer is a refusal.
    pub fn get(&self, path: &str) -> Result<Value, ClientError> {
        let response = self.agent.get(format!("{}{path}", self.base)).call();
        self.read(response.map_err(|e| self.unreachable(&e))?)
    }

    /// `POST path` with `body` as it is.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&self, path: &str, body: &str) -> Result<Value, ClientError> {
        self.read(self.send(path, body)?)
    }

    /// `POST path`, reading server-sent events: `on_event` gets each event's name and data.
    ///
    /// # Errors
    /// As [`Client::get`], and when the stream breaks off.
    pub fn events(
        &self,
        path: &str,
        body: &str,
        on_event: &mut dyn FnMut(&str, Value),
    ) -> Result<(), ClientError> {
        let response = self.send(path, body)?;
        if !response.status().is_success() {
            return self.read(response).map(drop);
        }
        let mut name = String::new();
        for line in BufReader::new(response.into_body().into_reader()).lines() {
            let line = line.map_err(|e| self.strange(&e))?;
            if let Some(event) = line.strip_prefix("event:") {
                event.trim().clone_into(&mut name);
            } else if let Some(data) = line.strip_prefix("data:") {
                let data = serde_json::from_str(data.trim()).map_err(|e| self.strange(&e))?;
                on_event(&name, data);
            }
        }
        Ok(())
    }

    fn send(&self, path: &str, body: &str) -> Result<Response, ClientError> {
        let call = self.agent.post(format!("{}{path}", self.base));
        let call = call.header("content-type", "application/json");
        call.send(body).map_err(|e| self.unreachable(&e))
    }

    fn read(&self, response: Response) -> Result<Value, ClientError> {
        let status = response.status().as_u16();
        let mut text = String::new();
        let mut body = response.into_body().into_reader();
        body.read_to_string(&mut text)
            .map_err(|e| self.strange(&e))?;
        let value: Value = serde_json::from_str(&text).map_err(|e| self.strange(&e))?;
        if (200..300).contains(&status) {
            return Ok(value);
        }
        let said = |key: &str| value["error"][key].as_str().unwrap_or_default().to_owned();
        Err(ClientError::Refused {
            status,
            message: said("message"),
            hint: said("hint"),
        })
    }

    fn unreachable(&self, error: &ureq::Error) -> ClientError {
        ClientError::Unreachable {
            base: self.base.clone(),
            what: error.to_string(),
        }
    }

    fn strange(&self, error: &dyn std::fmt::Display) -> ClientError {
        ClientError::Strange {
            base: self.base.clone(),
            what: error.to_string(),
        }
    }
}

type Response = ureq::http::Response<ureq::Body>;
