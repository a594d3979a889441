//! A streamed chat completion over HTTP, as a blocking [`Model`].

use std::io::{BufRead, BufReader};
use std::sync::Arc;
use std::time::Duration;

use rag::{Fault, Model, Prompt};
use serde_json::{Value, json};
use stdx::Clock;

use super::endpoint::{ChatSettings, Endpoint, Failure, is_timeout};

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
}

impl ChatModel {
    /// One call, from the request to the end of its answer.
    fn attempt(
        &self,
        prompt: &Prompt,
        deadline_ns: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Failure> {
        let left = self.endpoint.left(deadline_ns).map_err(Failure::lasting)?;
        let (request, limit) = (self.request(prompt), left.unwrap_or(ANSWER_LIMIT));
        let body = self.endpoint.send(&request, limit, STREAM_BYTES_LIMIT)?;
        let mut reader = BufReader::new(body);
        let mut reply = Reply::default();
        let mut line = Vec::new();
        while reply.reads_on(&mut reader, &mut line)? {
            self.endpoint.left(deadline_ns)?;
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
        self.endpoint.tried(deadline_ns, || {
            let done = self.attempt(prompt, deadline_ns, &mut |text| {
                is_shown = true;
                on_text(text)
            });
            done.map_err(|failure| Failure {
                is_passing: failure.is_passing && !is_shown,
                ..failure
            })
        })
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
        self.endpoint.unless_resting(deadline_ns, call)
    }
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
