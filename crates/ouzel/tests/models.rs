//! `--embed-model`: a server with vectors of 64 dimensions by a (synthetic) model from a folder, from the first document to a
//! receipt that is checked, and what a user is told who points at something else.

mod common;

use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Running, arg, ouzel, ouzel_fails};
use serde_json::json;

fn model(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../testdata/models")
        .join(name)
}

#[test]
fn a_folder_of_another_dimension_goes_all_the_way() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, file, model) = (
        dir.path().join("data"),
        dir.path().join("answer.json"),
        model("heads-32"),
    );
    let server = Running::start(&["serve", "--data", arg(&data), "--embed-model", arg(&model)]);
    let standing = json!({"id": "same", "meaning": {"text": "margin fell", "min_cosine": -1.0}});
    server.post("/v1/standing", &standing);
    let text = "The copper margin fell to 42% in May.";
    server.post("/v1/documents", &json!({"id": "margin", "text": text}));
    server.post("/v1/documents", &json!({"id": "rose", "text": "The rose."}));
    let alert = server.get("/v1/alerts?wait_ms=5000");
    assert_eq!(alert["alerts"][0]["question_id"], "same", "{alert}");
    let hits = server.post(
        "/v1/search",
        &json!({"q": "copper margin", "mode": "dense"}),
    );
    assert_eq!(hits["hits"].as_array().map(Vec::len), Some(2), "{hits}");
    let told = server.post(
        "/v1/ask",
        &json!({"q": "What did the copper margin do in May?"}),
    );
    assert_eq!(told["citations"][0]["quote"], text, "{told}");
    let made_by = told["receipt"]["models"]["embed"]
        .as_str()
        .expect("a model")
        .to_owned();
    assert!(made_by.starts_with("heads-32@"), "{made_by}");
    let wish = json!({"model": made_by, "input": "the rose"});
    let made = server.post("/v1/embeddings", &wish);
    let vector = made["data"][0]["embedding"].as_array();
    assert_eq!(vector.map(Vec::len), Some(64), "{made}");
    std::fs::write(&file, told.to_string()).expect("writes");
    drop(server);

    let verified = Command::new(env!("CARGO_BIN_EXE_ouzel"))
        .args(["verify", arg(&file), "--data", arg(&data)])
        .env("OUZEL_EMBED_MODEL", &model)
        .output()
        .expect("runs");
    assert!(verified.status.success(), "{verified:?}");
    for other in [None, Some(self::model("heads-26"))] {
        let mut args = vec!["serve", "--listen", "127.0.0.1:0", "--data", arg(&data)];
        args.extend(other.iter().flat_map(|other| ["--embed-model", arg(other)]));
        let why = ouzel_fails(&args);
        assert!(why.contains(&format!("{made_by} (64 dimensions)")), "{why}");
    }
}

/// Vectors are made anew by another model of another number of dimensions; questions about instants before the change
/// are answered by the old one's, also after the next start.
#[test]
fn after_a_change_of_model_the_past_answers_as_it_did() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let (old, new) = (model("heads-32"), model("heads-26"));
    let server = Running::start(&["serve", "--data", arg(&data), "--embed-model", arg(&old)]);
    for (id, text) in [
        ("margin", "The copper margin fell to 42% in May."),
        ("rose", "The rose."),
        ("price", "Copper prices rose in June, and margins fell."),
    ] {
        server.post("/v1/documents", &json!({"id": id, "text": text}));
    }
    let ask = json!({"q": "margins of copper", "mode": "dense"});
    let before = server.post("/v1/search", &ask);
    let then = before["receipt"]["memory"]["instant"].clone();
    assert!(then.is_string(), "{before}");
    let as_of = json!({"q": "margins of copper", "mode": "dense", "as_of": then});
    drop(server);

    let both = [
        "--embed-model",
        arg(&new),
        "--embed-before-model",
        arg(&old),
    ];
    let serve = [&["serve", "--data", arg(&data)][..], &both].concat();
    let server = Running::start(&[&serve[..], &["--reembed"]].concat());
    let is_new = |said: &serde_json::Value| {
        // A server that is not ready yet names none.
        let model = said["model"].as_str().unwrap_or_default();
        model.starts_with("heads-26@") && said["change"].is_null()
    };
    let said = server.until("/v1/embedding", is_new);
    assert_eq!(said["earlier"][0]["loaded"], true, "{said}");
    let late = json!({"id": "late", "text": "Copper margins, in July."});
    server.post("/v1/documents", &late);
    assert_same(&before, &server.post("/v1/search", &as_of));
    let now = server.post("/v1/search", &ask);
    let made_by = now["receipt"]["models"]["embed"].as_str().expect("a model");
    assert!(made_by.starts_with("heads-26@"), "{now}");
    assert_eq!(now["hits"].as_array().map(Vec::len), Some(4), "{now}");
    drop(server);

    let server = Running::start(&serve);
    assert_same(&before, &server.post("/v1/search", &as_of));
    drop(server);
    let listed = ouzel(&["models", "--data", arg(&data)]);
    let listed = String::from_utf8_lossy(&listed.stdout).into_owned();
    assert!(
        listed.contains("heads-32@") && listed.contains("heads-26@"),
        "{listed}"
    );
}

/// The same passages with the same scores, by the same model.
fn assert_same(before: &serde_json::Value, after: &serde_json::Value) {
    let seen = |answer: &serde_json::Value| -> Vec<(String, String)> {
        let hits = answer["hits"].as_array().expect("hits");
        let pair = |hit: &serde_json::Value| (hit["id"].to_string(), hit["score"].to_string());
        hits.iter().map(pair).collect()
    };
    assert_eq!(seen(before), seen(after));
    let by = |answer: &serde_json::Value| answer["receipt"]["models"]["embed"].clone();
    assert_eq!(by(before), by(after));
}

#[test]
fn what_is_no_model_is_refused_before_anything_is_stored() {
    let dir = tempfile::tempdir().expect("a folder");
    let data = dir.path().join("data");
    let weights = model("heads-26").join("model.safetensors");
    for (path, told) in [
        (
            weights.as_path(),
            "is a file; name the folder that it is in",
        ),
        (dir.path(), "has no config.json"),
        (&dir.path().join("none"), "name the folder of a model"),
    ] {
        let serve = ["serve", "--listen", "127.0.0.1:0", "--data", arg(&data)];
        let why = ouzel_fails(&[&serve[..], &["--embed-model", arg(path)]].concat());
        assert!(why.contains(told), "{why}");
        assert!(!data.exists());
    }
    let both = [
        "--embed-model",
        arg(dir.path()),
        "--embed-url",
        "http://127.0.0.1:1",
    ];
    let done = ouzel(&[&["serve"][..], &both].concat());
    assert_eq!(done.status.code(), Some(2));
}
