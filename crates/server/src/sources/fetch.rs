//! One document over HTTP, within limits, only if it changed.

use std::io::Read;
use std::time::Duration;

use flate2::read::MultiGzDecoder;
use jiff::Timestamp;
use ureq::http::{HeaderMap, StatusCode};

/// What one answer may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// From the call to the last byte.
    pub time: Duration,
    /// Bytes of the body, unpacked.
    pub bytes: u64,
}

/// What the server last said of a document, for asking whether it changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Conditions {
    etag: Option<String>,
    modified: Option<String>,
}

/// An answer.
#[derive(Debug, PartialEq, Eq)]
pub enum Fetched {
    /// The document.
    Body(Body),
    /// It is as it was.
    Unchanged,
}

/// A document.
#[derive(Debug, PartialEq, Eq)]
pub struct Body {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// What the server calls them.
    pub content_type: Option<String>,
    /// To be sent with the next call, once these bytes have been made use of.
    pub conditions: Conditions,
}

/// Why there is no answer of use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// In words.
    pub why: String,
    /// The status, where a server answered.
    pub status: Option<u16>,
    /// Not to be tried again sooner.
    pub retry_after: Option<Duration>,
    /// It is the fault of what was asked for: another document may come well.
    pub is_its_own: bool,
}

impl Failure {
    /// With no answer.
    #[must_use]
    pub fn new(why: impl Into<String>) -> Self {
        Self {
            why: why.into(),
            status: None,
            retry_after: None,
            is_its_own: false,
        }
    }

    /// Of this one document.
    #[must_use]
    pub fn its_own(why: impl Into<String>) -> Self {
        Self {
            is_its_own: true,
            ..Self::new(why)
        }
    }
}

/// Gets documents.
#[derive(Clone, Debug)]
pub struct Fetcher {
    agent: ureq::Agent,
    limits: Limits,
}

impl Fetcher {
    /// Calls itself `user_agent`.
    #[must_use]
    pub fn new(user_agent: &str, limits: Limits) -> Self {
        let config = ureq::Agent::config_builder()
            .timeout_global(Some(limits.time))
            .http_status_as_error(false)
            .user_agent(user_agent)
            .build();
        Self {
            agent: ureq::Agent::new_with_config(config),
            limits,
        }
    }

    /// Gets `url`; blocks.
    ///
    /// # Errors
    /// When nothing of use came: no connection, another status than 200 or 304, too slow, too large, cut off.
    pub fn get(&self, url: &str, known: &Conditions) -> Result<Fetched, Failure> {
        let mut call = self.agent.get(url).header("accept-encoding", "gzip");
        for (name, value) in [
            ("if-none-match", &known.etag),
            ("if-modified-since", &known.modified),
        ] {
            if let Some(value) = value {
                call = call.header(name, value);
            }
        }
        let response = call.call().map_err(|e| self.failed(&e))?;
        match response.status() {
            StatusCode::OK => self.body(response).map(Fetched::Body),
            StatusCode::NOT_MODIFIED => Ok(Fetched::Unchanged),
            status => Err(refused(status, response.headers())),
        }
    }

    fn body(&self, response: ureq::http::Response<ureq::Body>) -> Result<Body, Failure> {
        let said = |name: &str| text(response.headers(), name);
        let conditions = Conditions {
            etag: said("etag"),
            modified: said("last-modified"),
        };
        let content_type = said("content-type");
        let is_packed = said("content-encoding").is_some_and(|how| how.contains("gzip"));
        let body = response.into_body();
        let length = body.content_length();
        let mut read = Counted(body.into_reader(), 0);
        let limit = self.limits.bytes;
        let mut bytes = Vec::new();
        let outcome = if is_packed {
            let unpacked = MultiGzDecoder::new(&mut read);
            unpacked.take(limit + 1).read_to_end(&mut bytes)
        } else {
            (&mut read).take(limit + 1).read_to_end(&mut bytes)
        };
        outcome.map_err(|e| self.cut_off(&e, bytes.len()))?;
        if bytes.len() as u64 > limit {
            let why = format!("the answer is larger than {limit} bytes");
            return Err(Failure::its_own(why));
        }
        if let Some(length) = length.filter(|&length| read.1 < length) {
            let why = format!("the answer was cut off at {} of {length} bytes", read.1);
            return Err(Failure::its_own(why));
        }
        Ok(Body {
            bytes,
            content_type,
            conditions,
        })
    }

    fn failed(&self, error: &ureq::Error) -> Failure {
        Failure::new(match error {
            ureq::Error::Timeout(_) => self.late(),
            other => format!("no answer: {other}"),
        })
    }

    fn cut_off(&self, error: &std::io::Error, got: usize) -> Failure {
        let is_late =
            error.kind() == std::io::ErrorKind::TimedOut || error.to_string().contains("timeout");
        if is_late {
            return Failure::new(self.late());
        }
        Failure::its_own(format!("the answer was cut off after {got} bytes: {error}"))
    }

    fn late(&self) -> String {
        format!("the answer took longer than {:?}", self.limits.time)
    }
}

/// Counts what it reads.
struct Counted<R>(R, u64);

impl<R: Read> Read for Counted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let got = self.0.read(buffer)?;
        self.1 += got as u64;
        Ok(got)
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

fn refused(status: StatusCode, headers: &HeaderMap) -> Failure {
    let reason = status.canonical_reason().unwrap_or_default();
    let retry_after = text(headers, "retry-after");
    let now = Timestamp::now();
    let retry_after = retry_after.and_then(|said| wait(&said, now));
    let until = retry_after.map_or(String::new(), |wait| {
        format!(", and asks to wait {} s", wait.as_secs())
    });
    Failure {
        why: format!("the server says {} {reason}{until}", status.as_u16()),
        status: Some(status.as_u16()),
        retry_after,
        is_its_own: status.is_client_error() && ![403, 429].contains(&status.as_u16()),
    }
}

/// `Retry-After`: seconds, or a date.
fn wait(said: &str, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = said.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = jiff::fmt::rfc2822::parse(said.trim()).ok()?.timestamp();
    Duration::try_from(until.duration_since(now)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_says_when_in_seconds_or_by_date() {
        let now: Timestamp = "2026-11-28T06:00:00Z".parse().expect("instant");
        let s = |n| Some(Duration::from_secs(n));
        assert_eq!(wait("120", now), s(120));
        assert_eq!(wait("Sat, 28 Nov 2026 06:01:00 GMT", now), s(60));
        assert_eq!(wait("Sat, 28 Nov 2026 05:00:00 GMT", now), None);
        assert_eq!(wait("soon", now), None);
    }
}
