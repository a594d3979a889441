//! A streamed chat completion over HTTP, as a blocking [`Model`].

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use rag::{Fault, Model, Prompt};
use serde_json::{Value, json};
use stdx::Clock;

use super::endpoint::{ChatSettings, Endpoint, Failure, RETRIES, RETRY_AFTER_LIMIT};

const PART: &str = "model";
/// Time for a whole answer where the question has no deadline.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
/// More than any answer; a stream that never ends is cut here.
const STREAM_BYTES_LIMIT: u64 = 4 << 20;

/// An OpenAI-compatible endpoint.
pub struct ChatModel {
    endpoint: Endpoint,
}

impl ChatModel {
    /// A client; nothing is sent before the first question.
    #[must_use]
    pub fn new(settings: ChatSettings, clock: Arc<dyn Clock>) -> Self {
        Self {
            endpoint: Endpoint::new(PART, settings, "/chat/completions", clock),
        }
    }

    fn request(&self, prompt: &Prompt) -> Value {
        json!({
            "model": self.endpoint.settings.model,
            "stream": true,
            "temperature": 0,
            "max_tokens": prompt.tokens_limit,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
        })
    }

    fn left(&self, deadline_ns: Option<u64>) -> Result<Option<Duration>, Fault> {
        let Some(deadline) = deadline_ns else {
            return Ok(None);
        };
        match deadline.checked_sub(self.endpoint.clock.now_ns()) {
            None | Some(0) => Err(Fault::Deadline { part: PART }),
            Some(ns) => Ok(Some(Duration::from_nanos(ns))),
        }
    }
}

impl ChatModel {
    /// One call, from the request to the end of its answer.
    fn attempt(
        &self,
        prompt: &Prompt,
        deadline_ns: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Failure> {
        let left = self.left(deadline_ns).map_err(Failure::lasting)?;
        let (request, limit) = (self.request(prompt), left.unwrap_or(ANSWER_LIMIT));
        let body = self.endpoint.send(&request, limit, STREAM_BYTES_LIMIT)?;
        let mut reader = BufReader::new(body);
        let mut reply = Reply::default();
        let mut line = Vec::new();
        while reply.reads_on(&mut reader, &mut line)? {
            self.left(deadline_ns)?;
            match reply.piece(&line)? {
                Piece::Text(text) => {
                    reply.written.push_str(&text);
                    if !on_text(&text) {
                        return Err(Failure::lasting(Fault::Stopped));
                    }
                }
                Piece::Done => return Ok(reply.written),
                Piece::Nothing => {}
            }
        }
        Ok(reply.end()?)
    }

    /// Calls until an answer comes, something of it was shown, or it is no use.
    fn tried(
        &self,
        prompt: &Prompt,
        deadline_ns: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault> {
        let mut is_shown = false;
        let mut waits = RETRIES.iter();
        loop {
            let done = self.attempt(prompt, deadline_ns, &mut |text| {
                is_shown = true;
                on_text(text)
            });
            let failure = match done {
                Ok(text) => return Ok(text),
                Err(failure) => failure,
            };
            let Some(wait) = waits.next().filter(|_| failure.is_passing && !is_shown) else {
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
}

impl Model for ChatModel {
    fn id(&self) -> &str {
        &self.endpoint.settings.model
    }

    fn complete(
        &self,
        prompt: &Prompt,
        deadline_ns: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault> {
        let call = || self.tried(prompt, deadline_ns, on_text);
        self.endpoint.unless_resting(call)
    }
}

/// A time-out in the middle of a stream comes as an error of the client inside one of the stream.
fn is_timeout(error: &std::io::Error) -> bool {
    let inner = error.get_ref().and_then(|inner| inner.downcast_ref());
    error.kind() == std::io::ErrorKind::TimedOut || matches!(inner, Some(ureq::Error::Timeout(_)))
}

/// What came of a reply so far.
#[derive(Default)]
struct Reply {
    written: String,
    /// The endpoint gave a reason for the end of its text.
    is_finished: bool,
}

enum Piece {
    Text(String),
    Done,
    Nothing,
}

impl Reply {
    /// Reads the next line, or, where the endpoint does not stream, all of its one object. False
    /// at the end.
    fn reads_on(&self, reader: &mut impl BufRead, line: &mut Vec<u8>) -> Result<bool, Fault> {
        line.clear();
        let mut read = reader.read_until(b'\n', line);
        if read.is_ok() && line.trim_ascii_start().first() == Some(&b'{') {
            read = reader.read_to_end(line);
        }
        match read {
            Ok(_) => Ok(!line.is_empty()),
            // Everything was said already; some endpoints then just hang up.
            Err(_) if self.is_finished => Ok(false),
            Err(e) if is_timeout(&e) => Err(Fault::Deadline { part: PART }),
            Err(e) => Err(Fault::unavailable(
                PART,
                format!("the stream broke off: {e}"),
            )),
        }
    }

    /// One line of a server-sent event stream, or one whole object.
    fn piece(&mut self, line: &[u8]) -> Result<Piece, Fault> {
        let line = String::from_utf8_lossy(line);
        let line = line.trim();
        let data = match line.strip_prefix("data:").map(str::trim) {
            Some("[DONE]") => return Ok(Piece::Done),
            Some(data) => data,
            None if line.starts_with('{') => line,
            None => return Ok(Piece::Nothing),
        };
        let chunk: Value = serde_json::from_str(data)
            .map_err(|e| Fault::unavailable(PART, format!("malformed chunk {data:.80?}: {e}")))?;
        if let Some(message) = chunk["error"]["message"].as_str() {
            return Err(Fault::unavailable(PART, message));
        }
        let choice = &chunk["choices"][0];
        self.is_finished |= choice["finish_reason"].is_string();
        let whole = choice["message"]["content"].as_str();
        self.is_finished |= whole.is_some();
        match choice["delta"]["content"].as_str().or(whole) {
            Some(text) if !text.is_empty() => Ok(Piece::Text(text.to_owned())),
            _ => Ok(Piece::Nothing),
        }
    }

    /// The text, if its end was told in some way.
    fn end(self) -> Result<String, Fault> {
        if self.is_finished && !self.written.is_empty() {
            return Ok(self.written);
        }
        let what = "the reply ended without [DONE] and without a finish_reason";
        Err(Fault::unavailable(PART, what))
    }
}

#[cfg(test)]
pub(super) mod scripted;
#[cfg(test)]
mod tests;
