//! A streamed chat completion over HTTP, as a blocking [`Model`].

use std::fmt;
use std::io::{BufRead, BufReader, Read};
use std::sync::Arc;
use std::time::Duration;

use rag::{Fault, Model, Prompt};
use serde_json::{Value, json};
use stdx::Clock;

const PART: &str = "model";
/// Time for a whole answer where the question has no deadline.
const ANSWER_LIMIT: Duration = Duration::from_secs(120);
const CONNECT_LIMIT: Duration = Duration::from_secs(5);
/// More than any answer; a stream that never ends is cut here.
const STREAM_BYTES_LIMIT: u64 = 4 << 20;

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

/// An OpenAI-compatible endpoint.
pub struct ChatModel {
    agent: ureq::Agent,
    endpoint: String,
    settings: ChatSettings,
    clock: Arc<dyn Clock>,
}

impl ChatModel {
    /// A client; nothing is sent before the first question.
    #[must_use]
    pub fn new(settings: ChatSettings, clock: Arc<dyn Clock>) -> Self {
        let base = settings.url.trim_end_matches('/');
        let base = base.strip_suffix("/chat/completions").unwrap_or(base);
        let base = if base.ends_with("/v1") {
            base.to_owned()
        } else {
            format!("{base}/v1")
        };
        let config = ureq::Agent::config_builder()
            .timeout_connect(Some(CONNECT_LIMIT))
            .http_status_as_error(false)
            .build();
        Self {
            agent: ureq::Agent::new_with_config(config),
            endpoint: format!("{base}/chat/completions"),
            settings,
            clock,
        }
    }

    fn request(&self, prompt: &Prompt) -> Value {
        json!({
            "model": self.settings.model,
            "stream": true,
            "temperature": 0,
            "max_tokens": prompt.tokens_limit,
            "messages": [
                {"role": "system", "content": prompt.system},
                {"role": "user", "content": prompt.user},
            ],
        })
    }

    fn send(&self, prompt: &Prompt, left: Option<Duration>) -> Result<impl Read + use<>, Fault> {
        let mut call = self.agent.post(&self.endpoint);
        if let Some(key) = &self.settings.key {
            call = call.header("authorization", format!("Bearer {key}"));
        }
        let call = call.header("content-type", "application/json");
        let limit = left.unwrap_or(ANSWER_LIMIT);
        let call = call.config().timeout_global(Some(limit)).build();
        let response = call
            .send(self.request(prompt).to_string())
            .map_err(|e| match e {
                ureq::Error::Timeout(_) => Fault::Deadline { part: PART },
                other => Fault::unavailable(PART, format!("{}: {other}", self.endpoint)),
            })?;
        let status = response.status();
        let mut body = response.into_body().into_reader().take(STREAM_BYTES_LIMIT);
        if !status.is_success() {
            let mut said = String::new();
            // The status alone is telling when its body cannot be read.
            let _unread = body.by_ref().take(500).read_to_string(&mut said);
            let what = format!("{} answered {status}: {}", self.endpoint, said.trim());
            return Err(Fault::unavailable(PART, what));
        }
        Ok(body)
    }

    fn left(&self, deadline_ns: Option<u64>) -> Result<Option<Duration>, Fault> {
        let Some(deadline) = deadline_ns else {
            return Ok(None);
        };
        match deadline.checked_sub(self.clock.now_ns()) {
            None | Some(0) => Err(Fault::Deadline { part: PART }),
            Some(ns) => Ok(Some(Duration::from_nanos(ns))),
        }
    }
}

impl Model for ChatModel {
    fn id(&self) -> &str {
        &self.settings.model
    }

    fn complete(
        &self,
        prompt: &Prompt,
        deadline_ns: Option<u64>,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault> {
        let left = self.left(deadline_ns)?;
        let body = self.send(prompt, left)?;
        let mut reader = BufReader::new(body);
        let mut reply = Reply::default();
        let mut line = Vec::new();
        while reply.reads_on(&mut reader, &mut line)? {
            self.left(deadline_ns)?;
            match reply.piece(&line)? {
                Piece::Text(text) => {
                    reply.written.push_str(&text);
                    if !on_text(&text) {
                        return Err(Fault::Stopped);
                    }
                }
                Piece::Done => return Ok(reply.written),
                Piece::Nothing => {}
            }
        }
        reply.end()
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
            Err(e) if e.kind() == std::io::ErrorKind::TimedOut => {
                Err(Fault::Deadline { part: PART })
            }
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
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;
    use stdx::SystemClock;

    /// A scripted endpoint: accepts one request and writes `reply` as it is.
    fn endpoint(reply: &'static str) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").expect("binds");
        let address = listener.local_addr().expect("address");
        std::thread::spawn(move || {
            let (mut socket, _) = listener.accept().expect("accepts");
            let mut reader = BufReader::new(socket.try_clone().expect("clones"));
            let mut length = 0;
            loop {
                let mut line = String::new();
                reader.read_line(&mut line).expect("reads");
                if let Some(n) = line.to_lowercase().strip_prefix("content-length:") {
                    length = n.trim().parse().expect("a number");
                }
                if line == "\r\n" {
                    break;
                }
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("body");
            socket.write_all(reply.as_bytes()).expect("writes");
        });
        format!("http://{address}")
    }

    fn complete(reply: &'static str) -> (Result<String, Fault>, Vec<String>) {
        let url = endpoint(reply);
        let settings = ChatSettings {
            url,
            model: "scripted".into(),
            key: None,
        };
        let model = ChatModel::new(settings, Arc::new(SystemClock));
        let mut pieces = Vec::new();
        let done = model.complete(&Prompt::default(), None, &mut |text| {
            pieces.push(text.to_owned());
            true
        });
        (done, pieces)
    }

    #[test]
    fn a_stream_arrives_in_pieces() {
        let (done, pieces) = complete(concat!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"It \"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"fell [1].\"}}]}\n\ndata: [DONE]\n\n",
        ));
        assert_eq!(done, Ok("It fell [1].".to_owned()));
        assert_eq!(pieces, ["It ", "fell [1]."]);
    }

    #[test]
    fn a_whole_object_and_a_stream_without_done_are_read() {
        let (done, pieces) = complete(concat!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            "{\n \"choices\": [{\"message\":\n {\"content\": \"It fell [1].\"}}]\n}\n",
        ));
        assert_eq!((done, pieces.len()), (Ok("It fell [1].".to_owned()), 1));
        let (done, _) = complete(concat!(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
            "data: {\"choices\":[{\"delta\":{\"content\":\"It fell.\"}}]}\n\n",
            "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
        ));
        assert_eq!(done, Ok("It fell.".to_owned()));
    }

    #[test]
    fn the_key_is_not_shown() {
        let settings = ChatSettings {
            url: "http://x".into(),
            model: "m".into(),
            key: Some("s3cret".into()),
        };
        let shown = format!("{settings:?}");
        assert!(
            shown.contains("http://x") && !shown.contains("s3cret"),
            "{shown}"
        );
    }

    #[test]
    fn faults_are_told_apart() {
        let check = |reply, word: &str| {
            let (done, _) = complete(reply);
            let why = done.expect_err("fails").to_string();
            assert!(why.contains(word), "{why}");
        };
        check(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ndata: {oops\n\n",
            "malformed",
        );
        check(
            "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n: ping\n\n",
            "without [DONE]",
        );
        check(
            "HTTP/1.1 429 Slow\r\nconnection: close\r\n\r\nslow down",
            "429",
        );
    }
}
