//! The captures that IEX published, from its test system, through the command.

mod common;

use common::{arg, ouzel_json, shared};

#[test]
fn deep_and_tops_are_told_from_itch_and_played() {
    for (name, messages, prints) in [
        ("market/iex/DEEP10.pcap.gz", 391_999, 83_343),
        ("market/iex/TOPS16.pcapng.gz", 57_674, 6_390),
    ] {
        let Some(path) = shared(name) else { return };
        let said = ouzel_json(&["replay", arg(&path), "--json"]);
        assert_eq!(said["kind"], "iex", "{name}");
        assert_eq!(
            (&said["messages"], &said["prints"]),
            (&messages.into(), &prints.into()),
            "{name}"
        );
        let losses = (&said["lost"], &said["rejected"]);
        assert_eq!(
            losses,
            (&0.into(), &0.into()),
            "{name} {}",
            said["rejected_last"]
        );
        let again = ouzel_json(&["replay", arg(&path), "--json"]);
        assert_eq!(said["digest"], again["digest"]);
    }
}
