//! Who may depend on whom. The table in docs/ARCHITECTURE.md, checked against the manifests.
//!
//! A crate uses lower layers only. Some lower crates are closed to it as well, because what a crate does not know
//! is what keeps it small; each closed edge gives its reason.

use crate::tidy::Finding;
use crate::workspace::{Dependency, Kind, Package};

/// Layer of each crate that ships; the ones marked `None` are for developers and nothing may depend on them.
const LAYERS: &[(&str, Option<u8>)] = &[
    ("stdx", Some(0)),
    ("wire", Some(1)),
    ("vector", Some(1)),
    ("embed", Some(1)),
    ("market", Some(2)),
    ("collection", Some(2)),
    ("fix", Some(2)),
    ("engine", Some(3)),
    ("venue", Some(3)),
    ("rag", Some(3)),
    ("node", Some(4)),
    ("cluster", Some(5)),
    ("server", Some(5)),
    ("ouzel", Some(6)),
    ("sim", None),
    ("rivals", None),
    ("xtask", None),
];

/// Lower crates that a crate must not see all the same.
const CLOSED: &[(&str, &[&str], &str)] = &[
    (
        "market",
        &["vector", "embed"],
        "facts about a market need no vectors",
    ),
    (
        "collection",
        &["wire", "embed"],
        "points come as vectors and values, from whomever",
    ),
    (
        "engine",
        &["vector", "embed", "collection"],
        "the hot path never calls the store",
    ),
    (
        "venue",
        &["vector", "embed", "collection"],
        "a venue speaks a protocol and knows no reader",
    ),
    (
        "rag",
        &["wire", "vector", "embed", "market", "collection"],
        "search, facts and models come in through its own traits",
    ),
    (
        "server",
        &["vector", "embed"],
        "the border asks the node, never an index",
    ),
];

/// Packages that only the outermost layers may use, with the lowest layer that may.
const OUTER_ONLY: &[(&[&str], u8, &str)] = &[
    (
        &[
            "tokio",
            "tokio-tungstenite",
            "async-std",
            "smol",
            "futures",
            "axum",
            "hyper",
            "ureq",
            "reqwest",
        ],
        5,
        "async and HTTP live at the border (server, cluster) so that everything below is testable without them",
    ),
    (
        &["serde", "serde_json", "toml", "serde_yaml"],
        5,
        "serialisation belongs to the border: convert by hand in server; inner types carry no wire derive",
    ),
    (
        &["anyhow", "eyre", "clap"],
        6,
        "a library names its errors in a small enum (thiserror); anyhow and clap are for binaries and tools",
    ),
    (
        &["rand", "fastrand", "getrandom", "uuid", "chrono", "time"],
        5,
        "time and randomness arrive as arguments: use stdx's seeded generator and u64 nanoseconds",
    ),
];

/// Checks every declared dependency against the tables.
pub fn check(packages: &[Package]) -> Vec<Finding> {
    packages
        .iter()
        .flat_map(|package| {
            let placed = LAYERS.iter().any(|(name, _)| *name == package.name);
            let unplaced = (!placed).then(|| {
                Finding::new(
                    &package.manifest,
                    1,
                    format!("crate `{}` has no layer", package.name),
                    "add it to the layer table of docs/ARCHITECTURE.md and to LAYERS in \
                     crates/xtask/src/tidy/layers.rs, in a change that says why a crate and not a folder",
                )
            });
            let edges = package.dependencies.iter().filter_map(|edge| check_edge(package, edge));
            unplaced.into_iter().chain(edges)
        })
        .collect()
}

fn check_edge(package: &Package, edge: &Dependency) -> Option<Finding> {
    let (what, advice) = forbidden(&package.name, edge)?;
    Some(Finding::new(&package.manifest, 1, what, advice))
}

/// What is wrong with `from` depending on `edge`, and what to do; none when it may.
fn forbidden(from: &str, edge: &Dependency) -> Option<(String, String)> {
    let to = edge.name.as_str();
    let target = layer(to);
    if let Some(None) = target {
        return Some((
            format!("`{from}` depends on `{to}`, a crate for developers"),
            "move what is shared into a crate that ships".to_string(),
        ));
    }
    let Some(Some(own)) = layer(from) else {
        return None;
    };
    if edge.kind == Kind::Dev {
        return None;
    }
    match target {
        Some(Some(theirs)) if theirs >= own => Some((
            format!("`{from}` (layer {own}) depends on `{to}` (layer {theirs})"),
            "a crate uses lower layers only: turn the edge round with a small trait or a value"
                .to_string(),
        )),
        Some(_) => closed(from, to),
        None => outer_only(from, own, to),
    }
}

fn layer(name: &str) -> Option<Option<u8>> {
    LAYERS
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, layer)| *layer)
}

fn closed(from: &str, to: &str) -> Option<(String, String)> {
    CLOSED
        .iter()
        .find(|(crate_name, closed, _)| *crate_name == from && closed.contains(&to))
        .map(|(_, _, why)| (format!("`{from}` must not know `{to}`"), (*why).to_string()))
}

fn outer_only(from: &str, own: u8, to: &str) -> Option<(String, String)> {
    OUTER_ONLY
        .iter()
        .find(|(names, lowest, _)| names.contains(&to) && own < *lowest)
        .map(|(_, lowest, why)| {
            (
                format!("`{from}` (layer {own}) depends on `{to}`, open from layer {lowest}"),
                (*why).to_string(),
            )
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(from: &str, to: &str, kind: Kind) -> bool {
        forbidden(
            from,
            &Dependency {
                name: to.to_string(),
                kind,
            },
        )
        .is_none()
    }

    #[test]
    fn edges_go_down_and_some_not_even_down() {
        let may = |from, to| {
            assert!(
                edge(from, to, Kind::Normal),
                "{from} -> {to} should be open"
            )
        };
        let may_not = |from, to| {
            assert!(
                !edge(from, to, Kind::Normal),
                "{from} -> {to} should be closed"
            )
        };
        may("market", "wire");
        may("node", "collection");
        may("ouzel", "server");
        may("rivals", "market");
        may_not("wire", "market");
        may_not("market", "collection");
        may_not("engine", "venue");
        may_not("market", "vector");
        may_not("rag", "collection");
        may_not("collection", "embed");
        may_not("server", "vector");
        may_not("ouzel", "rivals");
        may_not("node", "xtask");
    }

    #[test]
    fn border_packages_stay_at_the_border() {
        assert!(!edge("node", "serde_json", Kind::Normal));
        assert!(!edge("collection", "tokio", Kind::Build));
        assert!(edge("server", "tokio", Kind::Normal));
        assert!(!edge("server", "anyhow", Kind::Normal));
        assert!(edge("ouzel", "anyhow", Kind::Normal));
        assert!(edge("embed", "serde_json", Kind::Dev));
        assert!(edge("xtask", "serde_json", Kind::Normal));
        assert!(edge("wire", "zerocopy", Kind::Normal));
    }

    #[test]
    fn tests_may_look_up_but_not_at_developer_crates() {
        assert!(edge("market", "venue", Kind::Dev));
        assert!(!edge("market", "rivals", Kind::Dev));
    }

    #[test]
    fn a_crate_without_a_layer_is_found() {
        let package = Package {
            name: "helpers".to_string(),
            description: String::new(),
            manifest: "crates/helpers/Cargo.toml".into(),
            dependencies: Vec::new(),
        };
        assert!(check(&[package])[0].what.contains("no layer"));
    }
}
