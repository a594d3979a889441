//! `POST /v1/verify`: a receipt checked again.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;

use super::error::{Refusal, refuse};
use super::extract::Body;
use crate::app::App;
use crate::json::from_object;
use crate::verify::{self, Verdict};

/// Largest answer with its receipt.
const BODY_LIMIT: usize = 4 << 20;

pub async fn verify(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<Verdict>, Refusal> {
    let told = from_object(&body).map_err(|why| {
        let hint = "send a receipt, or a whole answer of /v1/ask or /v1/search";
        Refusal::bad_request(format!("the body cannot be read: {why}"), hint)
    })?;
    let verdict = app
        .work(move |app| verify::verify(&app.node, &told))
        .await?;
    Ok(Json(verdict.map_err(refuse)?))
}
