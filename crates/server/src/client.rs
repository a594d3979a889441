//! A blocking client of this server, for the command line.

use std::io::Read;
use std::time::Duration;

use serde_json::Value;

/// Silence after which a server counts as hung, where a call says nothing else.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server somewhere.
pub struct Client {
    agent: ureq::Agent,
    base: String,
    patience: Duration,
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
    /// The connection was taken and no answer came.
    #[error(
        "{base} did not answer within {seconds} s; its /readyz says whether it is well, and a question takes --deadline-ms"
    )]
    Late {
        /// Where.
        base: String,
        /// How long it was given.
        seconds: u64,
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
            patience: PATIENCE,
        }
    }

    /// Waits this long for each answer.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// `GET path`.
    ///
    /// # Errors
    /// When nothing answers, or the answer is a refusal.
    pub fn get(&self, path: &str) -> Result<Value, ClientError> {
        let call = self.agent.get(format!("{}{path}", self.base));
        let call = call.config().timeout_global(Some(self.patience)).build();
        let response = call.call();
        self.read(response.map_err(|e| self.unreachable(&e))?)
    }

    /// `POST path` with `body` as it is.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post(&self, path: &str, body: &str) -> Result<Value, ClientError> {
        self.read(self.send(path, body)?)
    }

    /// `POST path`, taking a refusal's body for the answer where it has the field `report`: a
    /// server that refuses all of a bulk still says what became of each part.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn post_for(&self, path: &str, body: &str, report: &str) -> Result<Value, ClientError> {
        let (status, value) = self.whole(self.send(path, body)?)?;
        if value.get(report).is_some() {
            return Ok(value);
        }
        accepted(status, value)
    }

    /// `DELETE path`.
    ///
    /// # Errors
    /// As [`Client::get`].
    pub fn delete(&self, path: &str) -> Result<Value, ClientError> {
        let call = self.agent.delete(format!("{}{path}", self.base));
        let call = call.config().timeout_global(Some(self.patience)).build();
        self.read(call.call().map_err(|e| self.unreachable(&e))?)
    }

    fn send(&self, path: &str, body: &str) -> Result<Response, ClientError> {
        let call = self.agent.post(format!("{}{path}", self.base));
        let call = call.header("content-type", "application/json");
        let call = call.config().timeout_global(Some(self.patience)).build();
        call.send(body).map_err(|e| self.unreachable(&e))
    }

    fn read(&self, response: Response) -> Result<Value, ClientError> {
        let (status, value) = self.whole(response)?;
        accepted(status, value)
    }

    fn whole(&self, response: Response) -> Result<(u16, Value), ClientError> {
        let status = response.status().as_u16();
        let mut text = String::new();
        let mut body = response.into_body().into_reader();
        body.read_to_string(&mut text).map_err(|e| {
            let is_late = e.kind() == std::io::ErrorKind::TimedOut;
            if is_late {
                self.late()
            } else {
                self.strange(&e)
            }
        })?;
        let value = serde_json::from_str(&text).map_err(|e| self.strange(&e))?;
        Ok((status, value))
    }

    fn late(&self) -> ClientError {
        ClientError::Late {
            base: self.base.clone(),
            seconds: self.patience.as_secs(),
        }
    }

    fn unreachable(&self, error: &ureq::Error) -> ClientError {
        if matches!(error, ureq::Error::Timeout(limit) if *limit != ureq::Timeout::Connect) {
            return self.late();
        }
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

fn accepted(status: u16, value: Value) -> Result<Value, ClientError> {
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

type Response = ureq::http::Response<ureq::Body>;

/// A text as one part of a path or a query.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
                out.push(char::from(byte));
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_server_that_says_nothing_is_given_up() {
        let silent = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = silent.local_addr().expect("address").to_string();
        let client = Client::new(&address).patience(Duration::from_millis(200));
        let why = client.post("/v1/ask", "{}").expect_err("given up");
        assert!(matches!(why, ClientError::Late { .. }), "{why}");
        assert!(matches!(
            client.get("/readyz"),
            Err(ClientError::Late { .. })
        ));
    }
}
