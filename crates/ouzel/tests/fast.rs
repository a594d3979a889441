//! FORTS FAST captures through `ouzel replay`: three lines, one market.

mod common;

use std::path::PathBuf;

use common::{arg, ouzel_fails, ouzel_json, shared};
use serde_json::Value;

fn forts(name: &str) -> Option<PathBuf> {
    shared(&format!("market/fast/forts_20130801/{name}"))
}

#[test]
fn three_lines_are_replayed_as_one_market() {
    let files = [
        "increment_a.dat",
        "increment_b.dat",
        "snapshot.dat",
        "templates.xml",
    ];
    let [Some(a), Some(b), Some(snapshots), Some(templates)] = files.map(forts) else {
        return;
    };
    let names = std::env::temp_dir().join(format!("ouzel-forts-names-{}", std::process::id()));
    std::fs::write(&names, "49634118 RIU3\n49630790\tLKU3\n").expect("a temporary file");
    let replay = |line_a: &PathBuf, line_b: &PathBuf| -> Value {
        ouzel_json(&[
            "replay",
            arg(line_a),
            "--line-b",
            arg(line_b),
            "--snapshots",
            arg(&snapshots),
            "--templates",
            arg(&templates),
            "--utc-offset",
            "14400",
            "--names",
            arg(&names),
            "--json",
            "--top",
            "20",
        ])
    };
    let said = replay(&a, &b);
    assert_eq!(said["kind"], "fast", "{said}");
    assert_eq!(
        (&said["instruments"], &said["rejected"], &said["lost"]),
        (&11.into(), &0.into(), &0.into()),
        "{said}"
    );
    let rows = said["symbols"].as_array().expect("symbols");
    assert!(rows.iter().all(|row| row["integrity"] == "ok"), "{said}");
    let row = rows
        .iter()
        .find(|row| row["symbol"] == "RIU3")
        .expect("named");
    assert!(
        row["ts_event"].as_str() > Some("2013-08-01T10:30"),
        "UTC, not Moscow: {row}"
    );
    assert!(
        row["bid"].as_f64() > Some(130_000.0) && row["bid"].as_f64() < row["ask"].as_f64(),
        "{row}"
    );
    let note = |said: &Value| {
        said["notes"].as_array().expect("notes").iter().any(|note| {
            note.as_str()
                .is_some_and(|note| note.contains("snapshots equal the book rebuilt"))
        })
    };
    assert!(note(&said), "{said}");
    // The same bytes, the same result; and either line may be the first.
    assert_eq!(said["digest"], replay(&a, &b)["digest"]);
    assert_eq!(said["books"], replay(&b, &a)["books"]);
    // Without snapshots nothing is called good.
    let alone = ouzel_json(&["replay", arg(&a), "--templates", arg(&templates), "--json"]);
    let rows = alone["symbols"].as_array().expect("symbols");
    assert!(
        !rows.is_empty() && rows.iter().all(|row| row["integrity"] == "stale"),
        "{alone}"
    );
    // Another feed's bytes are refused in plain words.
    let refused = ouzel_fails(&["replay", arg(&templates), "--templates", arg(&templates)]);
    assert!(refused.contains("no message of"), "{refused}");
    std::fs::remove_file(&names).expect("it was there");
}
