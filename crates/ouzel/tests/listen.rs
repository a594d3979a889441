//! `ouzel listen` beside a running demo: what the demo sends by its own frames arrives, named and whole.

mod common;

use std::net::UdpSocket;

use common::{Running, ouzel};
use serde_json::Value;

fn free_port() -> u16 {
    let socket = UdpSocket::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("bound").port()
}

#[test]
fn another_process_follows_the_demo() {
    let group = format!("127.0.0.1:{}", free_port());
    let server = format!("127.0.0.1:{}", free_port());
    let demo = Running::start(&[
        "demo",
        "--symbols",
        "8",
        "--rate",
        "2000",
        "--for",
        "60",
        "--multicast-out",
        &group,
        "--multicast-retransmit",
        &server,
    ]);
    let args = [
        "listen",
        "--group",
        &group,
        "--retransmit",
        &server,
        "--for",
        "8",
        "--json",
    ];
    let done = ouzel(&args);
    let out = String::from_utf8(done.stdout).expect("text");
    assert!(
        done.status.success(),
        "{}",
        String::from_utf8_lossy(&done.stderr)
    );
    let rows: Vec<Value> = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    let summary = rows.last().expect("a summary");
    assert_eq!(summary["type"], "summary");
    assert_eq!(summary["instruments"], 8);
    assert_eq!(
        (&summary["lost"], &summary["marked"]),
        (&0.into(), &0.into()),
        "{summary}"
    );
    for kind in ["book", "trade", "bar", "vwap"] {
        let of_kind: Vec<&Value> = rows.iter().filter(|row| row["type"] == kind).collect();
        assert!(!of_kind.is_empty(), "no {kind} in {summary}");
        assert!(
            of_kind
                .iter()
                .all(|row| row["symbol"].as_str().is_some_and(|s| !s.is_empty()))
        );
    }
    let outlets = demo.get("/v1/outlets");
    assert_eq!(outlets["outlets"][0]["name"], "multicast");
    assert_eq!(outlets["outlets"][0]["dropped"], 0);
}
