//! A scripted endpoint: slow, cut off, malformed, busy, gone.

use super::super::endpoint::RETRIES;
use super::scripted::{HEAD, endpoint, said};
use super::*;
use stdx::SystemClock;

const GOOD: &str =
    "data: {\"choices\":[{\"delta\":{\"content\":\"It fell.\"}}]}\n\ndata: [DONE]\n\n";
const BUSY: &str = "HTTP/1.1 503 Busy\r\nconnection: close\r\n\r\nbusy";

fn model(script: Vec<Vec<String>>) -> ChatModel {
    let settings = ChatSettings {
        url: endpoint(script),
        model: "scripted".into(),
        key: None,
    };
    ChatModel::new(settings, Arc::new(SystemClock))
}

fn ask(model: &ChatModel, deadline_ns: Option<u64>) -> (Result<String, Fault>, Vec<String>) {
    let mut pieces = Vec::new();
    let done = model.complete(&Prompt::default(), deadline_ns, &mut |text| {
        pieces.push(text.to_owned());
        true
    });
    (done, pieces)
}

/// The same reply however often it is asked for.
fn complete(reply: &'static str) -> (Result<String, Fault>, Vec<String>) {
    let script = vec![vec![reply.to_owned()]; RETRIES.len() + 1];
    ask(&model(script), None)
}

#[test]
fn a_call_that_failed_before_it_said_anything_is_made_again() {
    let cut = said(&[HEAD, "data: {\"choices\":"]);
    let model = model(vec![said(&[BUSY]), cut, said(&[HEAD, GOOD])]);
    let (done, pieces) = ask(&model, None);
    assert_eq!((done, pieces.len()), (Ok("It fell.".to_owned()), 1));
}

#[test]
fn what_was_shown_is_not_asked_for_again() {
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"It \"}}]}\n\n";
    let model = model(vec![said(&[HEAD, half]), said(&[HEAD, GOOD])]);
    let (done, pieces) = ask(&model, None);
    assert!(done.is_err());
    assert_eq!(pieces, ["It "]);
}

#[test]
fn a_refusal_is_not_asked_again() {
    let refusal = "HTTP/1.1 401 No\r\nconnection: close\r\n\r\nno such key";
    let model = model(vec![said(&[refusal]), said(&[HEAD, GOOD])]);
    let why = ask(&model, None).0.expect_err("refused").to_string();
    assert!(why.contains("no such key"), "{why}");
    let busy = "HTTP/1.1 429 Slow\r\nretry-after: 60\r\nconnection: close\r\n\r\nslow down";
    let model = self::model(vec![said(&[busy]), said(&[HEAD, GOOD])]);
    let why = ask(&model, None)
        .0
        .expect_err("too long a wait")
        .to_string();
    assert!(why.contains("429"), "{why}");
}

#[test]
fn a_slow_endpoint_is_left_at_the_deadline() {
    let half = "data: {\"choices\":[{\"delta\":{\"content\":\"It \"}}]}\n\n";
    let slow = vec![HEAD.to_owned(), half.to_owned(), String::new()];
    let model = model(vec![slow]);
    let deadline = SystemClock.now_ns() + 200_000_000;
    let (done, pieces) = ask(&model, Some(deadline));
    assert_eq!(done, Err(Fault::Deadline { part: PART }));
    assert_eq!(pieces, ["It "]);
}

#[test]
fn an_endpoint_that_keeps_failing_is_left_alone() {
    let refusal = "HTTP/1.1 400 Bad\r\nconnection: close\r\n\r\nbad";
    let model = model(vec![said(&[refusal]); 5]);
    for _ in 0..5 {
        let why = ask(&model, None).0.expect_err("refused").to_string();
        assert!(why.contains("400"), "{why}");
    }
    let why = ask(&model, None).0.expect_err("left alone").to_string();
    assert!(why.contains("left alone"), "{why}");
}

#[test]
fn a_stream_arrives_in_pieces() {
    let (done, pieces) = complete(concat!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"role\":\"assistant\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"It \"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"fell [1].\"}}]}\n\ndata: [DONE]\n\n",
    ));
    assert_eq!(done, Ok("It fell [1].".to_owned()));
    assert_eq!(pieces, ["It ", "fell [1]."]);
}

#[test]
fn a_whole_object_and_a_stream_without_done_are_read() {
    let (done, pieces) = complete(concat!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        "{\n \"choices\": [{\"message\":\n {\"content\": \"It fell [1].\"}}]\n}\n",
    ));
    assert_eq!((done, pieces.len()), (Ok("It fell [1].".to_owned()), 1));
    let (done, _) = complete(concat!(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n",
        "data: {\"choices\":[{\"delta\":{\"content\":\"It fell.\"}}]}\n\n",
        "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n",
    ));
    assert_eq!(done, Ok("It fell.".to_owned()));
}

#[test]
fn the_key_is_not_shown() {
    let settings = ChatSettings {
        url: "http://x".into(),
        model: "m".into(),
        key: Some("s3cret".into()),
    };
    let shown = format!("{settings:?}");
    assert!(
        shown.contains("http://x") && !shown.contains("s3cret"),
        "{shown}"
    );
}

#[test]
fn faults_are_told_apart() {
    let check = |reply, word: &str| {
        let (done, _) = complete(reply);
        let why = done.expect_err("fails").to_string();
        assert!(why.contains(word), "{why}");
    };
    check(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\ndata: {oops\n\n",
        "malformed",
    );
    check(
        "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n: ping\n\n",
        "without [DONE]",
    );
    check(
        "HTTP/1.1 429 Slow\r\nconnection: close\r\n\r\nslow down",
        "429",
    );
}
