//! Databento files through the command.

mod common;

use common::{arg, ouzel_fails, ouzel_json, shared};

#[test]
fn every_order_of_es_over_christmas() {
    let Some(path) = shared("market/dbn/nautilus/esh4-glbx-mdp3-20231225.mbo.dbn.zst") else {
        return;
    };
    let said = ouzel_json(&["replay", arg(&path), "--json"]);
    assert_eq!(said["kind"], "dbn");
    assert_eq!(
        (&said["messages"], &said["instruments"]),
        (&68_792.into(), &1.into())
    );
    assert_eq!((&said["rejected"], &said["lost"]), (&0.into(), &0.into()));
    assert_eq!(said["prints"], 2_973);
    let row = &said["symbols"][0];
    assert_eq!(
        (&row["symbol"], &row["integrity"]),
        (&"ESH4".into(), &"ok".into())
    );
    assert_eq!(
        (&row["bid"], &row["ask"]),
        (&4_810.0.into(), &4_810.25.into()),
        "{row}"
    );
    let again = ouzel_json(&["replay", arg(&path), "--json"]);
    assert_eq!(said["digest"], again["digest"]);
    let part = ouzel_json(&["replay", arg(&path), "--json", "--until", "8725"]);
    assert_eq!(
        (&part["messages"], &part["prints"]),
        (&8_725.into(), &0.into())
    );
}

#[test]
fn a_mixed_stream_and_a_legacy_file() {
    let Some(live) = shared("market/dbn/databento_python/LIVE/test_data.live.dbn.zst") else {
        return;
    };
    let said = ouzel_json(&["replay", arg(&live), "--json"]);
    assert_eq!(said["messages"], 46, "{said}");
    let Some(legacy) = shared("market/dbn/databento_dbn/test_data.mbo.dbz") else {
        return;
    };
    let told = ouzel_fails(&["replay", arg(&legacy)]);
    assert!(told.contains("legacy DBZ"), "{told}");
}
