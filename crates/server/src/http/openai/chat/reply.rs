//! An answer in the shapes of a chat completion: one object, or chunks.

use node::Node;
use rag::{Answer, Fault};
use serde_json::{Value, json};

use crate::json::answer::AnswerRow;
use crate::seal::seal;

const SECOND_NS: u64 = 1_000_000_000;

/// What all chunks of one completion say of themselves.
#[derive(Clone, Debug)]
pub struct Head {
    id: String,
    created_s: u64,
    model: String,
    /// The stream ends with a chunk that tells what it took, so the others say that they do not.
    usage: bool,
}

/// Tokens by the embedder's own count: an endpoint that writes does not tell its own.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Of all messages sent.
    pub prompt: usize,
    /// Of the answer.
    pub completion: usize,
}

/// An answer whose citations have addresses.
pub struct Told {
    annotations: Vec<Value>,
    /// All that we know of it, in our own shape.
    ours: Value,
    content: String,
}

impl Head {
    pub fn new(model: String, asked_at_ns: u64, usage: bool) -> Self {
        Self {
            id: format!("chatcmpl-{asked_at_ns:016x}"),
            created_s: asked_at_ns / SECOND_NS,
            model,
            usage,
        }
    }

    /// The whole answer as one object.
    pub fn whole(&self, told: Told, usage: Usage) -> Value {
        json!({
            "id": self.id, "object": "chat.completion", "created": self.created_s, "model": self.model,
            "choices": [{
                "index": 0, "finish_reason": "stop", "logprobs": null,
                "message": {
                    "role": "assistant", "content": told.content, "refusal": null,
                    "annotations": told.annotations,
                },
            }],
            "usage": counts(usage), "ouzel": told.ours,
        })
    }

    /// The chunk that begins.
    pub fn first(&self) -> Value {
        self.chunk(json!({"role": "assistant", "content": ""}), Value::Null)
    }

    /// A piece of the text.
    pub fn piece(&self, text: &str) -> Value {
        self.chunk(json!({"content": text}), Value::Null)
    }

    /// The chunk that ends the text, with its evidence.
    pub fn last(&self, told: Told) -> Value {
        let mut chunk = self.chunk(json!({"annotations": told.annotations}), json!("stop"));
        chunk["ouzel"] = told.ours;
        chunk
    }

    /// What it took, after the end of the text, if that was asked for.
    pub fn usage(&self, usage: Usage) -> Option<Value> {
        self.usage.then(|| {
            let mut chunk = self.chunk(Value::Null, Value::Null);
            chunk["choices"] = json!([]);
            chunk["usage"] = counts(usage);
            chunk
        })
    }

    fn chunk(&self, delta: Value, finish_reason: Value) -> Value {
        let mut chunk = json!({
            "id": self.id, "object": "chat.completion.chunk", "created": self.created_s,
            "model": self.model,
            "choices": [{"index": 0, "delta": delta, "finish_reason": finish_reason, "logprobs": null}],
        });
        if self.usage {
            chunk["usage"] = Value::Null;
        }
        chunk
    }
}

fn counts(usage: Usage) -> Value {
    json!({
        "prompt_tokens": usage.prompt, "completion_tokens": usage.completion,
        "total_tokens": usage.prompt + usage.completion,
    })
}

impl Told {
    /// `base` is how the client calls this server, for documents that have no address of their own the question as it was understood.
    ///
    /// # Errors
    /// When the key of the seal cannot be read or made.
    pub fn new(node: &Node, base: &str, answer: Answer) -> Result<Self, Fault> {
        let as_of = answer.receipt.as_of;
        let address = |id: &str| {
            // A citation that cannot be looked up now is still shown by its place here.
            let stored = node.documents().get(id, as_of).ok().flatten();
            let own = stored.and_then(|document| document.summary.url);
            own.unwrap_or_else(|| format!("{base}/v1/documents/{}", in_a_path(id)))
        };
        let mut cited = Vec::with_capacity(answer.citations.len());
        for citation in &answer.citations {
            let title = citation.title.clone();
            let title = title.unwrap_or_else(|| citation.document_id.clone());
            cited.push((address(&citation.document_id), title));
        }
        let annotations = marks(&answer.answer)
            .into_iter()
            .filter_map(|(number, start, end)| {
                let (url, title) = cited.get(number.checked_sub(1)?)?;
                Some(json!({"type": "url_citation", "url_citation": {
                    "start_index": start, "end_index": end, "url": url, "title": title,
                }}))
            });
        let annotations = annotations.collect();
        let content = answer.answer.clone();
        let row = AnswerRow::sealed(answer, seal(node)?);
        let ours = serde_json::to_value(row).unwrap_or_default();
        Ok(Self {
            annotations,
            ours,
            content,
        })
    }

    pub fn content(&self) -> &str {
        &self.content
    }
}

/// The marks `[n]` of a text: number, first character, one past the last.
fn marks(text: &str) -> Vec<(usize, usize, usize)> {
    let mut marks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (at, c) in text.chars().enumerate() {
        match (c, &mut open) {
            ('[', _) => open = Some((at, String::new())),
            (c, Some((_, digits))) if c.is_ascii_digit() => digits.push(c),
            (']', Some((start, digits))) => {
                marks.extend(digits.parse().ok().map(|n: usize| (n, *start, at + 1)));
                open = None;
            }
            _ => open = None,
        }
    }
    marks
}

/// A document's id as the end of a path.
fn in_a_path(id: &str) -> String {
    let mut path = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                path.push(char::from(byte));
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_by_character() {
        assert_eq!(marks("“Zł” [1] [x] [22]"), [(1, 5, 8), (22, 13, 17)]);
        assert_eq!(marks("[[3] [] [4"), [(3, 1, 4)]);
    }

    #[test]
    fn ids_become_paths() {
        assert_eq!(in_a_path("news/a b?ł"), "news/a%20b%3F%C5%82");
    }
}
