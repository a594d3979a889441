//! `POST /v1/embeddings`: texts to vectors of the packaged model.

use std::sync::Arc;
use std::time::Instant;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use serde_json::Value;

use super::fields::{Fields, wrong};
use super::{Body, Problem, Refusal, named_model, read};
use crate::app::App;
use crate::http::error::refuse;
use crate::http::timing::Timing;

/// Largest body: as many texts as may be sent, each of a page.
const BODY_LIMIT: usize = 8 << 20;
/// Texts of one call; OpenAI's own limit.
const TEXTS_LIMIT: usize = 2_048;
/// Longest text in bytes where cutting was asked for: what lies beyond the model's tokens is not read.
const TEXT_BYTES_LIMIT: usize = 1 << 20;

struct Wish {
    model: String,
    texts: Vec<String>,
    is_base64: bool,
    /// Read as much of a text as the model can, instead of refusing it.
    cuts: bool,
}

#[derive(Serialize)]
struct Reply {
    object: &'static str,
    data: Vec<Row>,
    model: String,
    usage: Usage,
}

#[derive(Serialize)]
struct Row {
    object: &'static str,
    index: usize,
    embedding: Vector,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Vector {
    Floats(Vec<f32>),
    Base64(String),
}

#[derive(Serialize)]
struct Usage {
    prompt_tokens: usize,
    total_tokens: usize,
}

pub async fn embed(
    State(app): State<Arc<App>>,
    body: Result<Body<BODY_LIMIT>, Refusal>,
) -> Result<Response, Problem> {
    let wish = wish(&app, read(body)?)?;
    let done = app.work(move |app| embedded(app, wish)).await??;
    Ok(done.into_response())
}

fn embedded(app: &App, wish: Wish) -> Result<(Timing, Json<Reply>), Problem> {
    let started = Instant::now();
    let prompt_tokens = counted(app, &wish)?;
    let texts: Vec<&str> = wish.texts.iter().map(String::as_str).collect();
    let vectors = app.node.embedding().documents(&texts).map_err(refuse)?;
    let spent = started.elapsed();
    app.metrics.stage("embeddings", "embed", spent);
    let rows = vectors.into_iter().enumerate().map(|(index, vector)| Row {
        object: "embedding",
        index,
        embedding: match wish.is_base64 {
            true => Vector::Base64(base64(&vector)),
            false => Vector::Floats(vector),
        },
    });
    let reply = Reply {
        object: "list",
        data: rows.collect(),
        model: wish.model,
        usage: Usage {
            prompt_tokens,
            total_tokens: prompt_tokens,
        },
    };
    Ok((Timing::of_embedding(spent), Json(reply)))
}

/// Little-endian floats, as OpenAI's clients read them.
fn base64(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    BASE64.encode(bytes)
}

/// The tokens of all texts; one that the model cannot read whole is refused unless cutting was
/// asked for.
fn counted(app: &App, wish: &Wish) -> Result<usize, Problem> {
    let embedder = app.node.embedder();
    // A model elsewhere has limits that only it knows; the count is the packaged tokenizer's.
    let limit = app.node.embedding().max_tokens().unwrap_or(usize::MAX);
    let mut sum = 0;
    for (index, text) in wish.texts.iter().enumerate() {
        let count = embedder.token_count(text);
        if count > limit && !wish.cuts {
            let what = format!(
                "input {index} has {count} tokens, more than the {limit} that the model reads"
            );
            let hint = "split it, or send \"truncate\": true to have its beginning read";
            return Err(Problem::of("input", what, hint));
        }
        sum += count.min(limit);
    }
    Ok(sum)
}

fn wish(app: &App, mut fields: Fields) -> Result<Wish, Problem> {
    let model = named_model(&mut fields, &[app.node.embedding().model_id().to_owned()])?;
    let texts = texts(fields.take("input"))?;
    let format = fields.text("encoding_format")?;
    let is_base64 = match format.as_deref() {
        None | Some("float") => false,
        Some("base64") => true,
        Some(_) => return Err(wrong("encoding_format", "'float' or 'base64'")),
    };
    let dim = app.node.embedding().dim();
    if let Some(asked) = fields.take("dimensions")
        && asked.as_u64() != Some(dim as u64)
    {
        let what = format!("'dimensions' is {asked}, and {model} makes vectors of {dim} only");
        return Err(Problem::unsupported("dimensions", what));
    }
    let cuts = fields.flag("truncate")?;
    fields.forget(&["user"]);
    fields.end()?;
    Ok(Wish {
        model,
        texts,
        is_base64,
        cuts,
    })
}

/// One text or several.
fn texts(input: Option<Value>) -> Result<Vec<String>, Problem> {
    let texts = match input {
        None => return Err(Problem::missing("input")),
        Some(Value::String(text)) => vec![text],
        Some(Value::Array(items)) => items.into_iter().map(text).collect::<Result<_, _>>()?,
        Some(_) => return Err(wrong("input", "a text or an array of texts")),
    };
    if texts.is_empty() || texts.len() > TEXTS_LIMIT {
        let what = format!("'input' has {} texts, not 1 to {TEXTS_LIMIT}", texts.len());
        return Err(Problem::of("input", what, "send them in several calls"));
    }
    for (index, text) in texts.iter().enumerate() {
        if text.trim().is_empty() {
            let what = format!("input {index} is empty");
            return Err(Problem::of("input", what, "leave it out"));
        }
        if text.len() > TEXT_BYTES_LIMIT {
            let what = format!("input {index} has more than {TEXT_BYTES_LIMIT} bytes");
            return Err(Problem::of("input", what, "split it"));
        }
    }
    Ok(texts)
}

fn text(item: Value) -> Result<String, Problem> {
    match item {
        Value::String(text) => Ok(text),
        Value::Number(_) | Value::Array(_) => {
            let what = "'input' holds tokens, and only texts are read here";
            let hint = "send texts; in LangChain set check_embedding_ctx_length=False";
            Err(Problem::of("input", what, hint))
        }
        _ => Err(wrong("input", "a text or an array of texts")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn inputs_are_texts() {
        assert_eq!(texts(Some(json!("a"))).ok(), Some(vec!["a".to_owned()]));
        assert_eq!(
            texts(Some(json!(["a", "b"]))).map(|t| t.len()).ok(),
            Some(2)
        );
        let many = vec!["x"; TEXTS_LIMIT + 1];
        let bad = [
            json!([]),
            json!([1, 2]),
            json!([[1]]),
            json!(3),
            json!(["a", " "]),
            json!(many),
        ];
        for input in bad {
            let problem = texts(Some(input)).expect_err("refused").body();
            assert_eq!(problem["error"]["param"], "input");
        }
    }

    #[test]
    fn base64_is_little_endian() {
        assert_eq!(base64(&[1.0]), "AACAPw==");
    }
}
