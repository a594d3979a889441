//! A scripted endpoint: both forms of an answer, slow, cut off, malformed, of another length, busy, broken.

use std::time::Instant;

use stdx::SystemClock;

use super::super::openai::scripted::{HEAD, endpoint, said};
use super::*;

const BUSY: &str = "HTTP/1.1 429 Too Many\r\nretry-after: 0\r\nconnection: close\r\n\r\nbusy";
const BROKEN: &str = "HTTP/1.1 500 Oh\r\nconnection: close\r\n\r\nout of memory";
const GOOD: &str =
    r#"{"results":[{"index":1,"relevance_score":0.9},{"index":0,"relevance_score":-2.5}]}"#;

fn model(url: String, body: RerankBody) -> RerankModel {
    let settings = RerankSettings {
        endpoint: ChatSettings {
            url,
            model: "scripted".into(),
            key: None,
        },
        body,
        limit: 50,
    };
    RerankModel::new(settings, Arc::new(SystemClock))
}

fn of(script: Vec<Vec<String>>) -> RerankModel {
    model(endpoint(script), RerankBody::Documents)
}

fn reply(body: &str) -> Vec<String> {
    said(&[HEAD, body])
}

fn ask(model: &RerankModel, within_ms: u64) -> Result<Vec<f32>, Fault> {
    let until = SystemClock.now_ns() + within_ms * 1_000_000;
    model.scores("why?", &["a", "b"], until)
}

#[test]
fn both_forms_of_an_answer_are_put_in_the_order_of_the_texts() {
    for form in [
        GOOD,
        r#"{"data":[{"index":0,"score":-2.5},{"index":1,"score":0.9}]}"#,
        r#"[{"index":1,"score":0.9,"text":"b"},{"index":0,"score":-2.5}]"#,
    ] {
        assert_eq!(ask(&of(vec![reply(form)]), 5_000), Ok(vec![-2.5, 0.9]));
    }
}

#[test]
fn each_kind_of_server_is_asked_as_it_expects() {
    let at = |url: &str, body| model(url.into(), body);
    let documents = at("http://h:1", RerankBody::Documents);
    assert_eq!(documents.endpoint.address, "http://h:1/v1/rerank");
    let asked = documents.request("q", &["a", "b"]);
    assert_eq!(asked["documents"], json!(["a", "b"]));
    assert_eq!(
        (&asked["top_n"], &asked["model"]),
        (&json!(2), &json!("scripted"))
    );
    let whole = at("http://h:1/v2/rerank/", RerankBody::Documents);
    assert_eq!(whole.endpoint.address, "http://h:1/v2/rerank");
    let texts = at("http://h:1/", RerankBody::Texts);
    assert_eq!(texts.endpoint.address, "http://h:1/rerank");
    let asked = texts.request("q", &["a"]);
    assert_eq!(
        (&asked["texts"], &asked["truncate"]),
        (&json!(["a"]), &json!(true))
    );
    assert!(asked["documents"].is_null());
}

#[test]
fn a_call_that_fails_in_passing_is_made_again() {
    let model = of(vec![said(&[BUSY]), said(&[BROKEN]), reply(GOOD)]);
    assert_eq!(ask(&model, 5_000), Ok(vec![-2.5, 0.9]));
    let cut = "HTTP/1.1 200 OK\r\ncontent-length: 900\r\nconnection: close\r\n\r\n{\"res";
    let model = of(vec![said(&[cut]), reply(GOOD)]);
    assert_eq!(ask(&model, 5_000), Ok(vec![-2.5, 0.9]));
}

#[test]
fn what_is_no_answer_is_refused_with_the_reason() {
    for (body, why) in [
        ("<html>", "no JSON"),
        (
            r#"{"results":[{"index":0,"score":NaN},{"index":1,"score":1}]}"#,
            "no JSON",
        ),
        (
            r#"{"results":[{"index":0,"score":"NaN"},{"index":1,"score":1}]}"#,
            "result 0 has no score",
        ),
        (
            r#"{"results":[{"index":0,"score":null},{"index":1,"score":1}]}"#,
            "result 0 has no score",
        ),
        (
            r#"{"results":[{"index":0,"score":1e300},{"index":1,"score":1}]}"#,
            "result 0 has no score",
        ),
        (r#"{"results":[{"index":0,"score":1}]}"#, "1 of 2 texts"),
        (r#"{"results":[]}"#, "0 of 2 texts"),
        (
            r#"[{"index":0,"score":1},{"index":0,"score":2}]"#,
            "text 0 has two results",
        ),
        (
            r#"[{"index":0,"score":1},{"index":1,"score":2},{"index":2,"score":2}]"#,
            "a result for text 2",
        ),
        (r#"[{"score":1},{"score":2}]"#, "without an `index`"),
        (r#"[{"index":-1,"score":1}]"#, "without an `index`"),
        (r#"{"error":{"message":"no such model"}}"#, "no such model"),
        (r#"{"message":"invalid api token"}"#, "invalid api token"),
        ("{}", "no `results`"),
    ] {
        let refused = ask(&of(vec![reply(body)]), 5_000).unwrap_err().to_string();
        assert!(refused.contains(why), "{body}: {refused}");
    }
    let refusal = "HTTP/1.1 401 No\r\nconnection: close\r\n\r\nno such key";
    let refused = ask(&of(vec![said(&[refusal])]), 5_000).unwrap_err();
    assert!(refused.to_string().contains("401"), "{refused}");
}

#[test]
fn a_slow_endpoint_is_not_waited_for() {
    for pieces in [vec![String::new()], vec![HEAD.to_owned(), String::new()]] {
        let started = Instant::now();
        let late = ask(&of(vec![pieces]), 200);
        assert_eq!(late, Err(Fault::Deadline { part: "rerank" }));
        assert!(started.elapsed() < Duration::from_secs(5));
    }
    let model = of(vec![said(&[BROKEN]); 3]);
    let refused = ask(&model, 50).unwrap_err().to_string();
    assert!(
        refused.contains("out of memory"),
        "no time for a second call: {refused}"
    );
}

#[test]
fn one_that_keeps_failing_is_left_alone() {
    let model = of(vec![reply("{}"); 5]);
    for _ in 0..5 {
        ask(&model, 5_000).unwrap_err();
    }
    let resting = ask(&model, 5_000).unwrap_err().to_string();
    assert!(resting.contains("left alone"), "{resting}");
}

#[test]
fn a_client_in_a_hurry_does_not_shut_it_for_others() {
    let mut script = vec![vec![String::new()]; 5];
    script.push(reply(GOOD));
    let model = of(script);
    for _ in 0..5 {
        ask(&model, 30).unwrap_err();
    }
    assert_eq!(ask(&model, 5_000), Ok(vec![-2.5, 0.9]));
}
