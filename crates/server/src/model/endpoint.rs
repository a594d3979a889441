//! One call of an outside endpoint, and what becomes of one that fails: what models that write, that
//! embed and that rank share.

use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::time::Duration;

use rag::Fault;
use serde_json::Value;
use stdx::Clock;

use super::breaker::Breaker;

const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// Of an answer that is no success, what is shown.
const REFUSAL_BYTES: u64 = 500;

/// Time within which an endpoint that works has answered, ns.
const FAIR_NS: u64 = 1_000_000_000;

/// Waits before a failed call is made again.
pub(super) const RETRIES: [Duration; 2] = [Duration::from_millis(100), Duration::from_millis(400)];
/// Longest wait that an endpoint may ask for by `Retry-After`; longer ones are not waited for.
const RETRY_AFTER_LIMIT: Duration = Duration::from_secs(2);

/// Where the model is and how to ask it.
#[derive(Clone)]
pub struct ChatSettings {
    /// Base address, with or without `/v1`.
    pub url: String,
    /// The model's name there.
    pub model: String,
    /// Sent as a bearer token.
    pub key: Option<String>,
}

/// The key is a secret: logs get everything else.
impl fmt::Debug for ChatSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChatSettings")
            .field("url", &self.url)
            .field("model", &self.model)
            .field("key", &self.key.as_ref().map(|_| "..."))
            .finish()
    }
}

/// A call of an OpenAI-compatible server.
pub(super) struct Endpoint {
    /// What it is in an answer's receipt.
    part: &'static str,
    agent: ureq::Agent,
    pub(super) address: String,
    pub(super) settings: ChatSettings,
    pub(super) clock: Arc<dyn Clock>,
    breaker: Breaker,
}

impl Endpoint {
    /// Of the path `call` behind `/v1`; nothing is sent yet.
    pub(super) fn new(
        part: &'static str,
        settings: ChatSettings,
        call: &str,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let address = format!("{}{call}", base(&settings.url, call));
        Self::at(part, settings, address, clock)
    }

    /// Of a whole address.
    pub(super) fn at(
        part: &'static str,
        settings: ChatSettings,
        address: String,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_LIMIT))
            .http_status_as_error(false)
            .build();
        Self {
            part,
            agent: ureq::Agent::new_with_config(config),
            address,
            settings,
            clock,
            breaker: Breaker::default(),
        }
    }

    /// The body of a successful answer to one request, within `limit` from the first byte to the last.
    pub(super) fn send(
        &self,
        request: &Value,
        limit: Duration,
        bytes_limit: u64,
    ) -> Result<impl Read + use<>, Failure> {
        let mut call = self.agent.post(&self.address);
        if let Some(key) = &self.settings.key {
            call = call.header("authorization", format!("Bearer {key}"));
        }
        let call = call.header("content-type", "application/json");
        let call = call.config().timeout_global(Some(limit)).build();
        let response = call.send(request.to_string()).map_err(|e| match e {
            ureq::Error::Timeout(_) => Failure::lasting(Fault::Deadline { part: self.part }),
            other => self.passing(&other),
        })?;
        let status = response.status();
        let wait = response.headers().get("retry-after");
        // No error: a date, or what makes no sense, is no number of seconds, and our own wait stands.
        let wait = wait.and_then(|value| value.to_str().ok()?.trim().parse().ok());
        let mut body = response.into_body().into_reader().take(bytes_limit);
        if !status.is_success() {
            let mut said = String::new();
            // The status alone is telling when its body cannot be read.
            let _unread = body.by_ref().take(REFUSAL_BYTES).read_to_string(&mut said);
            let what = format!("{} answered {status}: {}", self.address, said.trim());
            return Err(Failure {
                wait: wait.map(Duration::from_secs),
                is_passing: matches!(status.as_u16(), 408 | 429 | 500 | 502..=504),
                fault: Fault::unavailable(self.part, what),
            });
        }
        Ok(body)
    }

    /// Time until a deadline.
    pub(super) fn left(&self, deadline_ns: Option<u64>) -> Result<Option<Duration>, Fault> {
        let Some(deadline) = deadline_ns else {
            return Ok(None);
        };
        match deadline.checked_sub(self.clock.now_ns()) {
            None | Some(0) => Err(Fault::Deadline { part: self.part }),
            Some(ns) => Ok(Some(Duration::from_nanos(ns))),
        }
    }

    /// Calls until there is an answer, or it is no use.
    pub(super) fn tried<T>(
        &self,
        deadline_ns: Option<u64>,
        mut attempt: impl FnMut() -> Result<T, Failure>,
    ) -> Result<T, Fault> {
        let mut waits = RETRIES.iter();
        loop {
            let failure = match attempt() {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let Some(wait) = waits.next().filter(|_| failure.is_passing) else {
                return Err(failure.fault);
            };
            let wait = failure.wait.unwrap_or(*wait);
            let left = self.left(deadline_ns)?;
            if wait > RETRY_AFTER_LIMIT || left.is_some_and(|left| left <= wait) {
                return Err(failure.fault);
            }
            std::thread::sleep(wait);
        }
    }

    /// A failure that the next call may not have.
    pub(super) fn passing(&self, what: &dyn fmt::Display) -> Failure {
        Failure {
            fault: self.unavailable(what),
            is_passing: true,
            wait: None,
        }
    }

    pub(super) fn unavailable(&self, what: &dyn fmt::Display) -> Fault {
        Fault::unavailable(self.part, format!("{}: {what}", self.address))
    }

    /// Makes a call unless those before it failed again and again. One that passes its deadline after less than a fair
    /// time says nothing of the endpoint: a client in a hurry must not shut it for others.
    pub(super) fn unless_resting<T>(
        &self,
        deadline_ns: Option<u64>,
        call: impl FnOnce() -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        if let Err(rest_ns) = self.breaker.enter(self.clock.now_ns()) {
            let seconds = rest_ns.div_ceil(1_000_000_000);
            let what = format!("it failed again and again and is left alone for {seconds} s more");
            return Err(Fault::unavailable(self.part, what));
        }
        let fair = self.clock.now_ns().saturating_add(FAIR_NS);
        let is_hurried = deadline_ns.is_some_and(|deadline| deadline < fair);
        let done = call();
        let is_good = match &done {
            Ok(_) => Some(true),
            Err(Fault::Stopped) => None,
            Err(Fault::Deadline { .. }) if is_hurried => None,
            Err(_) => Some(false),
        };
        self.breaker.leave(is_good, self.clock.now_ns());
        done
    }
}

/// A time-out while an answer is read comes as an error of the client inside one of the stream.
pub(super) fn is_timeout(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    error.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// The address up to `/v1`, of one that may go on to a `call`.
pub(super) fn base(url: &str, call: &str) -> String {
    let base = url.trim_end_matches('/');
    let base = base.strip_suffix(call).unwrap_or(base);
    if base.ends_with("/v1") {
        base.to_owned()
    } else {
        format!("{base}/v1")
    }
}

/// Why a call failed, and whether the next may do better.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) fault: Fault,
    pub(super) is_passing: bool,
    /// What the endpoint asked for.
    pub(super) wait: Option<Duration>,
}

impl Failure {
    pub(super) fn lasting(fault: Fault) -> Self {
        Self {
            fault,
            is_passing: false,
            wait: None,
        }
    }
}

/// A stream that broke or said what makes no sense may do better the next time; a deadline does not.
impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        let is_passing = matches!(fault, Fault::Unavailable { .. });
        Self {
            fault,
            is_passing,
            wait: None,
        }
    }
}
