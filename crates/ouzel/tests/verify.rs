//! `ouzel verify`: by a server and against its data folder, with exit codes for scripts.

mod common;

use common::{Running, arg, ouzel};
use serde_json::{Value, json};

fn verify(file: &std::path::Path, target: &[&str]) -> (Option<i32>, Value) {
    let all = [&["verify", arg(file), "--json"][..], target].concat();
    let done = ouzel(&all);
    let out = String::from_utf8_lossy(&done.stdout).into_owned();
    let said = serde_json::from_str(out.trim()).unwrap_or(Value::Null);
    (done.status.code(), said)
}

#[test]
fn a_receipt_is_checked_by_a_server_and_offline() {
    let dir = tempfile::tempdir().expect("a folder");
    let (data, file) = (dir.path().join("data"), dir.path().join("answer.json"));
    let write = |told: &Value| std::fs::write(&file, told.to_string()).expect("writes");
    let server = Running::start(&["serve", "--data", arg(&data)]);
    let text = "The harbour of Ystad will be dredged in May.";
    server.post("/v1/documents", &json!({"id": "port", "text": text}));
    let q = "When will the harbour of Ystad be dredged?";
    let mut told = server.post("/v1/ask", &json!({"q": q}));
    assert_eq!(told["citations"][0]["quote"], text);
    write(&told);
    let by_server = verify(&file, &["--url", &server.url]);
    assert_eq!(
        (by_server.0, &by_server.1["outcome"]),
        (Some(0), &json!("verified"))
    );
    server.post(
        "/v1/documents",
        &json!({"id": "port", "text": "It was put off."}),
    );
    drop(server);

    let offline = || verify(&file, &["--data", arg(&data)]);
    assert_eq!(offline().0, Some(0), "{}", offline().1);
    told["receipt"]["stages_us"]["total"] = json!(1);
    write(&told);
    let (code, said) = offline();
    assert_eq!((code, &said["outcome"]), (Some(3), &json!("differs")));
    assert_eq!(said["checks"][0]["name"], "seal");
    told["receipt"]["version"] = json!(9);
    write(&told);
    assert_eq!(offline().0, Some(4));
    std::fs::write(&file, "no JSON").expect("writes");
    assert_eq!(offline().0, Some(1));
}
