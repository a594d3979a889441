//! What a chat completion asks for.

use rag::Question;
use rag::settings::{QUESTION_BYTES_LIMIT, TURNS_LIMIT};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::super::fields::{Fields, wrong};
use super::super::problem::Problem;
use crate::json::{Instant, words};

/// Parameters that steer how a model writes, or how the call is booked. They have no effect here:
/// the writer is asked with settings of its own.
const WITHOUT_EFFECT: [&str; 18] = [
    "frequency_penalty",
    "max_completion_tokens",
    "max_tokens",
    "metadata",
    "parallel_tool_calls",
    "presence_penalty",
    "prompt_cache_key",
    "prompt_cache_retention",
    "reasoning_effort",
    "safety_identifier",
    "seed",
    "service_tier",
    "store",
    "temperature",
    "tool_choice",
    "top_p",
    "user",
    "verbosity",
];

/// Longest conversation, in messages.
const MESSAGES_LIMIT: usize = 1_000;

/// A chat completion that is wanted.
#[derive(Debug)]
pub struct Wish {
    /// The last message of the user, with what else was said of it.
    pub question: Question,
    /// All that was sent, for counting.
    pub texts: Vec<String>,
    /// Pieces as they come instead of one object.
    pub stream: bool,
    /// At the end of a stream, tell what it took.
    pub usage: bool,
}

/// What our own field may hold.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, expecting = "an object")]
struct Extra {
    symbol: Option<String>,
    as_of: Option<Instant>,
    k: Option<usize>,
    deadline_ms: Option<u64>,
}

struct Message {
    role: String,
    text: String,
}

impl Wish {
    /// Reads what is left once the model's name was taken.
    ///
    /// # Errors
    /// Names the parameter that is missing, malformed or not supported.
    pub fn read(mut fields: Fields) -> Result<Self, Problem> {
        let messages = messages(fields.take("messages"))?;
        let stream = fields.flag("stream")?;
        let options = fields.object("stream_options")?;
        let usage = usage(options, stream)?;
        let extra = extra(fields.take("ouzel"))?;
        one_plain_answer(&mut fields)?;
        fields.forget(&WITHOUT_EFFECT);
        fields.end()?;
        let texts = messages.iter().map(|m| m.text.clone()).collect();
        let mut asked: Vec<String> = messages
            .into_iter()
            .filter(|message| message.role == "user")
            .map(|message| message.text)
            .collect();
        let q = asked.pop().filter(|q| !q.trim().is_empty());
        let q = q.ok_or_else(|| {
            let what =
                "'messages' holds no question: the last message of the user is empty or missing";
            Problem::of(
                "messages",
                what,
                "end with {\"role\": \"user\", \"content\": \"..\"}",
            )
        })?;
        let symbol = extra.symbol.map(|symbol| symbol.trim().to_uppercase());
        let question = Question {
            q,
            symbol: symbol.filter(|symbol| !symbol.is_empty()),
            as_of: extra.as_of.map(|at| at.0),
            k: extra.k.unwrap_or(0),
            deadline_ms: extra.deadline_ms,
            conversation: latest(asked),
        };
        Ok(Self {
            question,
            texts,
            stream,
            usage,
        })
    }
}

/// The end of a conversation, without what is too long to be a question.
fn latest(mut asked: Vec<String>) -> Vec<String> {
    asked.retain(|q| q.len() <= QUESTION_BYTES_LIMIT && !q.trim().is_empty());
    let first = asked.len().saturating_sub(TURNS_LIMIT);
    asked.split_off(first)
}

fn usage(options: Option<Map<String, Value>>, stream: bool) -> Result<bool, Problem> {
    let Some(options) = options else {
        return Ok(false);
    };
    if !stream {
        let what = "'stream_options' goes with 'stream': true only";
        return Err(Problem::of("stream_options", what, "leave it out"));
    }
    let wanted = options.get("include_usage").and_then(Value::as_bool);
    Ok(wanted.unwrap_or(false))
}

fn extra(value: Option<Value>) -> Result<Extra, Problem> {
    let read = value.map(serde_json::from_value::<Extra>).transpose();
    let read = read.map_err(|e| {
        let what = format!("'ouzel' cannot be read: {}", words(&e));
        Problem::of(
            "ouzel",
            what,
            "it may hold symbol, as_of, k and deadline_ms",
        )
    })?;
    Ok(read.unwrap_or_default())
}

/// Parameters with which something else than one text is asked for.
fn one_plain_answer(fields: &mut Fields) -> Result<(), Problem> {
    let plain: [(&str, &[Value], &str); 9] = [
        ("n", &[json!(1)], "one answer is given"),
        ("tools", &[json!([])], "no tools are called"),
        ("functions", &[json!([])], "no functions are called"),
        (
            "response_format",
            &[json!({"type": "text"})],
            "answers are plain text",
        ),
        ("modalities", &[json!(["text"])], "answers are plain text"),
        ("logprobs", &[json!(false)], "probabilities are not known"),
        ("top_logprobs", &[json!(0)], "probabilities are not known"),
        (
            "stop",
            &[json!([])],
            "an answer ends where its evidence does",
        ),
        ("logit_bias", &[json!({})], "tokens cannot be weighed"),
    ];
    for (name, allowed, why) in plain {
        if let Some(value) = fields.take(name)
            && !allowed.contains(&value)
        {
            return Err(Problem::unsupported(
                name,
                format!("'{name}' is not supported: {why}"),
            ));
        }
    }
    Ok(())
}

fn messages(value: Option<Value>) -> Result<Vec<Message>, Problem> {
    let items = match value {
        None => return Err(Problem::missing("messages")),
        Some(Value::Array(items)) => items,
        Some(_) => return Err(wrong("messages", "an array")),
    };
    if items.is_empty() || items.len() > MESSAGES_LIMIT {
        let what = format!(
            "'messages' has {} entries, not 1 to {MESSAGES_LIMIT}",
            items.len()
        );
        return Err(Problem::of(
            "messages",
            what,
            "send the end of the conversation",
        ));
    }
    let each = items.iter().enumerate();
    each.map(|(idx, item)| message(idx, item)).collect()
}

fn message(idx: usize, item: &Value) -> Result<Message, Problem> {
    const ROLES: [&str; 4] = ["user", "assistant", "system", "developer"];
    let param = format!("messages[{idx}]");
    let role = item["role"].as_str().unwrap_or_default();
    if !ROLES.contains(&role) {
        let what = format!("{param}.role is not one of {}", ROLES.join(", "));
        return Err(Problem::of(&format!("{param}.role"), what, "mend it"));
    }
    let text = match &item["content"] {
        Value::String(text) => text.clone(),
        Value::Null if role == "assistant" => String::new(),
        Value::Array(parts) => {
            let texts: Option<Vec<&str>> = parts.iter().map(text_of).collect();
            let texts = texts.ok_or_else(|| {
                let what = format!("{param}.content holds a part that is no text");
                Problem::of(
                    &format!("{param}.content"),
                    what,
                    "images, sound and files are not read",
                )
            })?;
            texts.join("\n")
        }
        _ => {
            return Err(wrong(
                &format!("{param}.content"),
                "a text or an array of parts",
            ));
        }
    };
    Ok(Message {
        role: role.to_owned(),
        text,
    })
}

fn text_of(part: &Value) -> Option<&str> {
    let kind = part["type"].as_str()?;
    match kind {
        "text" => part["text"].as_str(),
        "refusal" => part["refusal"].as_str(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: Value) -> Result<Wish, Value> {
        let fields = Fields::read(body.to_string().as_bytes()).expect("an object");
        Wish::read(fields).map_err(|problem| problem.body())
    }

    fn user(text: &str) -> Value {
        json!({"role": "user", "content": text})
    }

    #[test]
    fn the_last_message_of_the_user_is_the_question() {
        let parts = json!([{"type": "text", "text": "and"}, {"type": "text", "text": "why?"}]);
        let wish = read(json!({
            "messages": [{"role": "system", "content": "be kind"}, user("what of AAPL?"),
                {"role": "assistant", "content": null}, {"role": "user", "content": parts}],
            "temperature": 0.2, "max_tokens": 5, "n": 1, "tools": [], "user": "me",
            "stream": true, "stream_options": {"include_usage": true},
            "ouzel": {"symbol": "aapl", "k": 2},
        }))
        .expect("read");
        assert_eq!(wish.question.q, "and\nwhy?");
        assert_eq!(wish.question.symbol.as_deref(), Some("AAPL"));
        assert_eq!((wish.question.k, wish.question.conversation.len()), (2, 1));
        assert!(wish.stream && wish.usage);
    }

    #[test]
    fn what_cannot_be_had_is_refused_by_name() {
        let asked = json!([user("why?")]);
        let cases = [
            (json!({}), "messages"),
            (json!({"messages": []}), "messages"),
            (
                json!({"messages": [{"role": "system", "content": "x"}]}),
                "messages",
            ),
            (json!({"messages": [user(" ")]}), "messages"),
            (
                json!({"messages": [{"role": "tool", "content": "x"}]}),
                "messages[0].role",
            ),
            (
                json!({"messages": [{"role": "user", "content": [{"type": "image_url"}]}]}),
                "messages[0].content",
            ),
            (json!({"messages": asked, "n": 2}), "n"),
            (
                json!({"messages": asked, "tools": [{"type": "function"}]}),
                "tools",
            ),
            (json!({"messages": asked, "stop": "x"}), "stop"),
            (json!({"messages": asked, "stream": "yes"}), "stream"),
            (
                json!({"messages": asked, "stream_options": {}}),
                "stream_options",
            ),
            (
                json!({"messages": asked, "response_format": {"type": "json_object"}}),
                "response_format",
            ),
            (json!({"messages": asked, "ouzel": {"as_off": 1}}), "ouzel"),
            (json!({"messages": asked, "colour": "red"}), "colour"),
        ];
        for (body, param) in cases {
            let problem = read(body).expect_err("refused");
            assert_eq!(problem["error"]["param"], param);
            assert_eq!(problem["error"]["type"], "invalid_request_error");
        }
    }
}
