//! The calls of OpenAI's API that make sense here, as its own clients make them: `/v1/models`,
//! `/v1/embeddings`, `/v1/chat/completions`. What a call asks for and cannot have is refused by
//! name; nothing that would change the answer is silently left out.

mod chat;
mod embeddings;
mod fields;
mod problem;

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use serde_json::{Value, json};

use super::error::Refusal;
use super::extract::{Body, Path};
use crate::app::App;

pub use chat::complete;
pub use embeddings::embed;
use fields::Fields;
use problem::Problem;

/// The model that answers: our own reading of market and documents, and the writer behind it.
const ANSWERER: &str = "ouzel";

/// The models that may be named: who answers, the writer behind it, the embedder.
fn model_names(app: &App) -> Vec<String> {
    let mut names = vec![ANSWERER.to_owned()];
    names.extend(app.model.as_ref().map(|model| model.id().to_owned()));
    names.push(app.node.embedding().model_id().to_owned());
    names
}

fn model_row(name: &str) -> Value {
    // When a packaged model was made is not known, and clients want a number.
    json!({"id": name, "object": "model", "created": 0, "owned_by": "ouzel"})
}

pub async fn models(State(app): State<Arc<App>>) -> Json<Value> {
    let names = model_names(&app);
    let rows: Vec<Value> = names.iter().map(|name| model_row(name)).collect();
    Json(json!({"object": "list", "data": rows}))
}

pub async fn model(
    State(app): State<Arc<App>>,
    name: Result<Path<String>, Refusal>,
) -> Result<Json<Value>, Problem> {
    let Path(name) = name?;
    let names = model_names(&app);
    match names.contains(&name) {
        true => Ok(Json(model_row(&name))),
        false => Err(Problem::no_model(&name, &names)),
    }
}

/// The model a call names, which must be one of `names`.
fn named_model(fields: &mut Fields, names: &[String]) -> Result<String, Problem> {
    let name = fields.text("model")?;
    let name = name.ok_or_else(|| Problem::missing("model"))?;
    match names.contains(&name) {
        true => Ok(name),
        false => Err(Problem::no_model(&name, names)),
    }
}

/// A body of at most `LIMIT` bytes as its fields.
fn read<const LIMIT: usize>(body: Result<Body<LIMIT>, Refusal>) -> Result<Fields, Problem> {
    let Body(body) = body?;
    Fields::read(&body)
}
