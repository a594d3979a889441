//! A scripted endpoint: whole, busy, malformed, of another length, gone.

use stdx::SystemClock;

use super::super::openai::scripted::{HEAD, endpoint, said};
use super::*;

const BUSY: &str = "HTTP/1.1 503 Busy\r\nconnection: close\r\n\r\nbusy";
const ONE: &str = r#"{"data":[{"index":0,"embedding":[3,0,4]}]}"#;

fn connect(script: Vec<Vec<String>>) -> Result<EmbeddingModel, Fault> {
    let settings = ChatSettings {
        url: endpoint(script),
        model: "scripted".into(),
        key: None,
    };
    EmbeddingModel::connect(settings, Arc::new(SystemClock))
}

fn reply(body: &str) -> Vec<String> {
    said(&[HEAD, body])
}

#[test]
fn the_dimension_is_learnt_and_vectors_come_in_order_and_of_unit_length() {
    let two = r#"{"data":[{"index":1,"embedding":[0,2,0]},{"index":0,"embedding":[-5,0,0]}]}"#;
    let model = connect(vec![said(&[BUSY]), reply(ONE), reply(two)]).unwrap();
    assert_eq!((model.dim(), model.id()), (3, "endpoint:scripted"));
    let vectors = model.embed(&["a", "b"]).unwrap();
    assert_eq!(vectors, [[-1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]);
}

#[test]
fn what_is_no_vector_is_refused_with_the_reason() {
    for (body, why) in [
        (r#"{"error":{"message":"no such model"}}"#, "no such model"),
        (r#"{"data":[]}"#, "0 numbers"),
        (r#"{"data":[{"embedding":[0,0]}]}"#, "no direction"),
        ("<html>", "no JSON"),
        (
            r#"{"data":[{"embedding":[1]},{"embedding":[1]}]}"#,
            "vector 1",
        ),
    ] {
        let refused = connect(vec![reply(body)]).err().unwrap().to_string();
        assert!(refused.contains(why), "{refused}");
    }
    let other = r#"{"data":[{"index":0,"embedding":[1,0]}]}"#;
    let model = connect(vec![reply(ONE), reply(other)]).unwrap();
    let refused = model.embed(&["a"]).err().unwrap().to_string();
    assert!(refused.contains("2 numbers, not 3"), "{refused}");
}

#[test]
fn an_endpoint_that_is_not_there_is_named() {
    let settings = ChatSettings {
        url: "http://127.0.0.1:1".into(),
        model: "m".into(),
        key: None,
    };
    let refused = EmbeddingModel::connect(settings, Arc::new(SystemClock));
    let refused = refused.err().unwrap().to_string();
    assert!(refused.contains("127.0.0.1:1/v1/embeddings"), "{refused}");
}
