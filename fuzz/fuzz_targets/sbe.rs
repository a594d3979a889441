//! Any bytes by the MDP 3.0 schema, and any schema file: messages within their bytes, or refusals.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use wire::sbe::{Block, Schema};

static MDP3: LazyLock<Schema> = LazyLock::new(|| Schema::from_xml(include_str!("../../testdata/sbe/mdp3.xml")).expect("good"));

fuzz_target!(|bytes: &[u8]| {
    if bytes.first() != Some(&b'<') {
        return message(&MDP3, bytes);
    }
    let split = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let (xml, bytes) = bytes.split_at(split);
    if let Ok(xml) = std::str::from_utf8(xml)
        && let Ok(schema) = Schema::from_xml(xml)
    {
        message(&schema, bytes);
    }
});

fn message(schema: &Schema, bytes: &[u8]) {
    if let Ok(message) = schema.parse(bytes) {
        assert!(message.size() <= bytes.len());
        walk(&message.root());
    }
}

fn walk(block: &Block<'_>) {
    for field in block.shape().fields() {
        let _value = block.get(field.slot);
    }
    for (slot, _) in block.shape().groups() {
        let group = block.group(slot);
        assert_eq!(group.count(), group.len(), "parsed, so every entry is there");
        group.for_each(|entry| walk(&entry));
    }
    for (slot, _) in block.shape().data() {
        let _bytes = block.data(slot);
    }
}
