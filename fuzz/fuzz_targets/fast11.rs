//! Any bytes after a rich plan, and any template file: messages or refusals, within the limits; what was read can be
//! written and reads the same.
#![no_main]

use std::sync::{Arc, LazyLock};

use libfuzzer_sys::fuzz_target;
use wire::fast11::{Decoder, Limits, OwnedValue, Plan, Writer};

const TEMPLATES: &str = r#"<templates>
<template name="All" id="1">
  <uInt32 name="a"><increment/></uInt32><int32 name="b" presence="optional"><delta/></int32>
  <uInt64 name="c" presence="optional"><copy value="5"/></uInt64><int64 name="d"><default value="-1"/></int64>
  <decimal name="e" presence="optional"/><decimal name="f"><delta/></decimal>
  <decimal name="g" presence="optional"><exponent><default value="-2"/></exponent><mantissa><delta/></mantissa></decimal>
  <string name="h" presence="optional"><tail/></string><string name="i" charset="unicode"><delta/></string>
  <byteVector name="j" presence="optional"><tail value="CAFE"/></byteVector>
  <string name="k"><constant value="X"/></string>
  <group name="l" presence="optional"><string name="m"><copy/></string>
    <sequence name="n" presence="optional"><length name="o"><copy/></length>
      <uInt32 name="p"><delta dictionary="type"/></uInt32><string name="q" presence="optional"/></sequence></group>
</template>
<template name="Any" id="2"><uInt32 name="r"><copy key="s"/></uInt32><int32 name="t"><copy key="s"/></int32><templateRef/></template>
<template name="Reset" id="3" reset="Y"/><template name="Both" id="4"><templateRef name="All"/><templateRef name="Any"/></template>
</templates>"#;

static PLAN: LazyLock<Arc<Plan>> =
    LazyLock::new(|| Plan::from_xml(TEMPLATES).expect("good").into());

fuzz_target!(|bytes: &[u8]| {
    if bytes.first() != Some(&b'<') {
        return messages(&PLAN, bytes);
    }
    let split = bytes
        .iter()
        .position(|byte| *byte == 0)
        .unwrap_or(bytes.len());
    let (xml, bytes) = bytes.split_at(split);
    if let Ok(xml) = std::str::from_utf8(xml)
        && let Ok(plan) = Plan::from_xml(xml)
    {
        messages(&Arc::new(plan), bytes);
    }
});

fn messages(plan: &Arc<Plan>, mut rest: &[u8]) {
    let limits = Limits {
        values: 2_048,
        sequence_length: 64,
        arena_bytes: 4_096,
        text_bytes: 1_024,
        is_strict: false,
    };
    let mut decoder = Decoder::new(Arc::clone(plan), limits);
    let mut writer = Writer::new(Arc::clone(plan));
    let mut again = Decoder::new(Arc::clone(plan), limits);
    while let Ok((record, used)) = decoder.decode(rest) {
        assert!(used <= rest.len() && used > 0);
        let mut written = Vec::new();
        let fields = OwnedValue::fields_of(&record);
        // Some forms that can be read have no shortest form in the same place: the two start again.
        match writer.write(record.template_id(), &fields, &mut written) {
            Ok(()) => {
                let (copy, copy_used) = again.decode(&written).expect("just written");
                assert_eq!(
                    (OwnedValue::fields_of(&copy), copy_used),
                    (fields, written.len())
                );
            }
            Err(_) => {
                writer.reset();
                again.reset();
            }
        }
        rest = &rest[used..];
    }
}
