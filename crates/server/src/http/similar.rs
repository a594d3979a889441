//! `/v1/similar`: past moments like one, and what followed.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use node::moments::{MomentQuery, Unanswered};

use super::error::Refusal;
use super::extract::Body;
use super::market::parse_span;
use crate::app::App;
use crate::json::from_object;
use crate::json::state::{ShapeName, SimilarBody, SimilarRow};

const BODY_LIMIT: usize = 16 << 10;
const WINDOW: &str = "10s";
const OUTCOMES: [&str; 3] = ["1m", "5m", "30m"];
const K: usize = 10;
/// Moments, horizons and a window's length at most.
const K_MAX: usize = 200;
const OUTCOMES_MAX: usize = 10;
const WINDOW_MAX_NS: u64 = 24 * 3_600_000_000_000;
/// A shape needs some points, which are states.
const SHAPE_MIN_NS: u64 = 800_000_000;

/// Finds them.
pub async fn similar(
    State(app): State<Arc<App>>,
    Body(body): Body<BODY_LIMIT>,
) -> Result<Json<SimilarRow>, Refusal> {
    let body: SimilarBody = from_object(&body).map_err(|why| {
        let hint = "send JSON such as {\"symbol\": \"AAPL\", \"window\": \"10s\"}; see docs/api.md";
        Refusal::bad_request(format!("the body cannot be read: {why}"), hint)
    })?;
    let query = query(body)?;
    let (window_ns, shape) = (query.window_ns, query.shape);
    let found = app.work(move |app| app.node.moments().similar(&query));
    let found = found.await?.map_err(|why| refuse(&why))?;
    Ok(Json(SimilarRow::new(found, window_ns, shape)))
}

fn query(body: SimilarBody) -> Result<MomentQuery, Refusal> {
    let refuse = |what: String, hint: &str| Refusal::bad_request(what, hint);
    let window_ns = parse_span(body.window.as_deref().unwrap_or(WINDOW))?;
    let outcomes = body
        .outcomes
        .unwrap_or_else(|| OUTCOMES.map(str::to_owned).to_vec());
    let shape = body.shape.map(|name| name.parse::<ShapeName>());
    let shape = shape
        .transpose()
        .map_err(|why| refuse(why, "leave shape out to compare states"))?;
    let shape = shape.map(|name| name.0);
    if window_ns > WINDOW_MAX_NS || (shape.is_some() && window_ns < SHAPE_MIN_NS) {
        let what = "the window is too long or too short".to_owned();
        return Err(refuse(
            what,
            "a window is at most 24h, and of a shape at least 800ms",
        ));
    }
    let k = body.k.unwrap_or(K);
    if !(1..=K_MAX).contains(&k) || outcomes.len() > OUTCOMES_MAX {
        let what = format!("{k} moments with {} outcomes are asked for", outcomes.len());
        return Err(refuse(what, "k is 1 to 200, outcomes are at most 10"));
    }
    Ok(MomentQuery {
        symbol: body.symbol,
        at: body.at.map(|at| at.0),
        window_ns,
        k,
        outcomes: outcomes
            .iter()
            .map(|span| parse_span(span))
            .collect::<Result<_, _>>()?,
        shape,
        same_symbol: body.same_symbol,
    })
}

fn refuse(why: &Unanswered) -> Refusal {
    let hint = match why {
        Unanswered::UnknownSymbol(_) => {
            "GET /v1/symbols lists symbols; market states are kept unless the server was started with --states 0"
        }
        Unanswered::Quiet { .. } => "ask about an instant at which it traded or was quoted",
        Unanswered::Short { .. } => "ask with a shorter window, or about a later instant",
    };
    Refusal::not_found(why.to_string(), hint)
}
