//! HTTP: routes and what they refuse. Shapes are in docs/api.md and `/openapi.json`.

mod arrow;
mod ask;
mod assets;
mod documents;
mod error;
mod evidence;
mod extract;
mod health;
mod keep;
mod market;
mod openai;
mod openapi;
mod origin;
mod outlets;
mod reference;
mod risk;
mod similar;
mod sources;
mod standing;
mod timing;
mod vectors;
mod verify;
mod wider;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};

use crate::app::App;
use crate::mcp::{self, Inside};
use crate::stream;

pub use error::Refusal;
pub use keep::{backup_row, trim_row};
pub use market::{known, parse_span, sort_by_move, span_name};
pub use vectors::embedding_row;

/// How long requests in flight may take to finish once the server is told to stop.
const GRACE: Duration = Duration::from_secs(3);

/// Every route, guarded as for a server that listens on `address`.
fn router(app: Arc<App>, address: SocketAddr) -> Router {
    let api = routes(Arc::clone(&app));
    let agents = mcp::service(Inside::new(api.clone()));
    api.route_service("/mcp", agents)
        .fallback(unknown)
        .method_not_allowed_fallback(wrong_method)
        .layer(axum::middleware::from_fn_with_state(
            origin::Door::new(address),
            origin::guard,
        ))
        .layer(axum::middleware::from_fn_with_state(app, timing::record))
}

/// The API of `app` without a socket, for tools of the same process.
#[must_use]
pub fn inside(app: Arc<App>) -> Inside {
    Inside::new(routes(app))
}

fn routes(app: Arc<App>) -> Router {
    Router::new()
        .route("/v1/symbols", get(market::symbols))
        .route("/v1/book/{symbol}", get(market::book))
        .route("/v1/bars/{symbol}", get(market::bars))
        .route("/v1/vwap", get(market::vwap))
        .route("/v1/measures", get(wider::measures))
        .route("/v1/activity/{symbol}", get(wider::activity))
        .route("/v1/joined/{symbol}", get(wider::joined))
        .route("/v1/reference", get(reference::state).post(reference::load))
        .route("/v1/reference/{symbol}", get(reference::find))
        .route("/v1/risk", get(risk::state))
        .route("/v1/risk/check", post(risk::check))
        .route("/v1/risk/fill", post(risk::fill))
        .route("/v1/risk/cancel", post(risk::cancel))
        .route("/v1/risk/kill", post(risk::kill))
        .route("/v1/risk/limits", post(risk::set_limits))
        .route("/v1/risk/verdicts", get(risk::verdicts))
        .route("/v1/signals", get(market::signals))
        .route("/v1/evidence", get(evidence::evidence))
        .route("/v1/feed", get(market::feed))
        .route("/v1/rejected", get(market::rejected))
        .route("/v1/outlets", get(outlets::list))
        .route("/v1/sources", get(sources::list))
        .route("/v1/arrow/{table}", get(arrow::table))
        .route("/v1/documents", get(documents::list).post(documents::store))
        .route(
            "/v1/documents/{*id}",
            get(documents::get).delete(documents::delete),
        )
        .route("/v1/days", post(documents::store_days))
        .route("/v1/backups", get(keep::backups).post(keep::backup))
        .route("/v1/trim", post(keep::trim))
        .route("/v1/embedding", get(vectors::embedding))
        .route("/v1/search", post(ask::search))
        .route("/v1/ask", post(ask::ask))
        .route("/v1/verify", post(verify::verify))
        .route("/v1/models", get(openai::models))
        .route("/v1/models/{*model}", get(openai::model))
        .route("/v1/embeddings", post(openai::embed))
        .route("/v1/chat/completions", post(openai::complete))
        .route("/v1/similar", post(similar::similar))
        .route("/v1/standing", get(standing::list).post(standing::put))
        .route(
            "/v1/standing/{*id}",
            get(standing::get).delete(standing::delete),
        )
        .route("/v1/alerts", get(standing::alerts))
        .route("/v1/stream", get(stream::upgrade))
        .route("/healthz", get(health::healthz))
        .route("/livez", get(health::livez))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics))
        .route("/openapi.json", get(openapi::document))
        .route("/", get(assets::index))
        .route("/favicon.ico", get(assets::favicon))
        .route("/favicon.svg", get(assets::favicon))
        .route("/assets/{*path}", get(assets::asset))
        .with_state(app)
}

/// Listens on `address`; port 0 picks a free one. The second value is the address got.
///
/// # Errors
/// When the address cannot be bound, in words that say what to do.
pub async fn bind(address: SocketAddr) -> io::Result<(tokio::net::TcpListener, SocketAddr)> {
    let listener = tokio::net::TcpListener::bind(address).await.map_err(|e| {
        let what = format!("cannot listen on {address}: {e}; choose another address with --listen");
        io::Error::new(e.kind(), what)
    })?;
    let got = listener.local_addr()?;
    Ok((listener, got))
}

/// Serves until `stop` resolves, then gives requests in flight a few seconds to finish. What is
/// not finished then, such as a request of which half was sent, is left where it is.
///
/// # Errors
/// When accepting connections fails for good.
pub async fn serve(
    listener: tokio::net::TcpListener,
    app: Arc<App>,
    stop: impl Future<Output = ()> + Send + 'static,
) -> io::Result<()> {
    let history = stream::history::follow(Arc::clone(&app.history), Arc::clone(&app.node));
    let history = tokio::spawn(history);
    let router = router(app, listener.local_addr()?);
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let stopped = async move {
        stop.await;
        // Dropping it is the word.
        drop(tell);
    };
    let grace = async {
        let _dropped = told.await;
        tokio::time::sleep(GRACE).await;
    };
    let server = axum::serve(listener, router).with_graceful_shutdown(stopped);
    let done = tokio::select! {
        done = server => done,
        () = grace => Ok(()),
    };
    history.abort();
    done
}

/// `text` as a part of a path or of a query.
#[must_use]
pub fn path_segment(text: &str) -> String {
    crate::out::broker::token(text)
}

async fn unknown(uri: axum::http::Uri) -> Refusal {
    Refusal::not_found(format!("no page {}", uri.path()), extract::see_openapi())
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Refusal {
    Refusal::new(
        axum::http::StatusCode::METHOD_NOT_ALLOWED,
        "method_not_allowed",
        format!("{} does not take {method}", uri.path()),
        extract::see_openapi(),
    )
}
