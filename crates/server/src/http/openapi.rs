//! The API's own description, kept by hand beside the routes and checked against them.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// The document that `/openapi.json` serves.
pub const OPENAPI: &str = include_str!("openapi.json");

pub async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], OPENAPI).into_response()
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    #[test]
    fn every_route_is_described() {
        let document: Value = serde_json::from_str(super::OPENAPI).expect("valid JSON");
        let routes = include_str!("mod.rs");
        for line in routes.lines().filter(|line| line.contains(".route(\"")) {
            let path = line.split('"').nth(1).expect("a path").replace("{*", "{");
            if path.starts_with("/v1") || path.ends_with('z') || path == "/metrics" {
                assert!(
                    document["paths"].get(&path).is_some(),
                    "{path} is not described"
                );
            }
        }
    }
}
