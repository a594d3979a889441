//! FORTS FAST: all three captures decode to the last byte, and lines A and B say the same.

use std::collections::BTreeMap;
use std::sync::Arc;

use wire::fast11::{Decoder, Limits, OwnedValue, Plan, Writer};

use crate::{Counts, recording};

type Fields = Vec<Option<OwnedValue>>;

fn forts(name: &str) -> Option<Vec<u8>> {
    recording(&format!("fast/forts_20130801/{name}"))
}

fn plan() -> Option<Arc<Plan>> {
    let xml = forts("templates.xml")?;
    let xml = std::str::from_utf8(&xml).expect("text");
    Some(Plan::from_xml(xml).expect("the venue's templates").into())
}

/// Every message of a capture, by template name; the bytes as the writer would have sent them must
/// give the same messages again.
fn messages(plan: &Arc<Plan>, bytes: &[u8]) -> Vec<(String, Fields)> {
    let mut decoder = Decoder::new(Arc::clone(plan), Limits::default());
    let (mut rest, mut messages) = (bytes, Vec::new());
    let mut writer = Writer::new(Arc::clone(plan));
    let mut again = Decoder::new(Arc::clone(plan), Limits::default());
    while !rest.is_empty() {
        let (record, used) = decoder.decode(rest).expect("a message");
        let fields = OwnedValue::fields_of(&record);
        let mut written = Vec::new();
        let id = record.template_id();
        writer.write(id, &fields, &mut written).expect("a message");
        let (copy, copy_used) = again.decode(&written).expect("just written");
        assert_eq!((copy, copy_used), (record, written.len()));
        messages.push((record.template_name().to_string(), fields));
        rest = &rest[used..];
    }
    messages
}

fn counts(messages: &[(String, Fields)]) -> String {
    let mut counts = Counts::default();
    messages
        .iter()
        .for_each(|(name, _)| counts.add(name.as_str()));
    counts.text()
}

#[test]
fn captures_decode_to_the_last_byte_and_lines_agree() {
    let (Some(plan), Some(a), Some(b)) =
        (plan(), forts("increment_a.dat"), forts("increment_b.dat"))
    else {
        return;
    };
    let (a, b) = (messages(&plan, &a), messages(&plan, &b));
    assert_eq!(
        counts(&a),
        "DefaultIncrementalRefreshMessage 8101, Reset 8101"
    );
    assert_eq!(
        counts(&b),
        "DefaultIncrementalRefreshMessage 8088, Reset 8088"
    );
    let shape = plan.template(74).expect("increments");
    let seq = shape.slot_of_id(34).expect("MsgSeqNum");
    let seq = shape.fields().position(|field| field.slot == seq);
    let by_seq = |messages: Vec<(String, Fields)>| -> BTreeMap<u64, Fields> {
        let increments = messages
            .into_iter()
            .filter(|(_, fields)| !fields.is_empty());
        increments
            .map(|(_, fields)| match fields[seq.expect("in the shape")] {
                Some(OwnedValue::Unsigned(seq)) => (seq, fields),
                ref other => panic!("MsgSeqNum {other:?}"),
            })
            .collect()
    };
    let (a, b) = (by_seq(a), by_seq(b));
    let both = a.iter().filter(|(seq, _)| b.contains_key(seq));
    assert_eq!(both.clone().count(), 8_077);
    assert!(both.clone().all(|(seq, fields)| b[seq] == *fields));
    let span = |seqs: &BTreeMap<u64, Fields>| {
        let (first, last) = (seqs.keys().next(), seqs.keys().last());
        last.expect("some") - first.expect("some") + 1
    };
    // Nothing is missing within either line.
    assert_eq!((span(&a), span(&b)), (8_101, 8_088));
}

#[test]
fn snapshots_decode_to_the_last_byte() {
    let (Some(plan), Some(snapshots)) = (plan(), forts("snapshot.dat")) else {
        return;
    };
    let messages = messages(&plan, &snapshots);
    assert_eq!(
        counts(&messages),
        "DefaultSnapshotMessage 7848, Reset 9314, SequenceReset 733, TradingSessionStatus 733"
    );
    let shape = plan.template(75).expect("snapshots");
    let entries = shape.slot_of_id(268).expect("NoMDEntries");
    let at = shape.fields().position(|field| field.slot == entries);
    let ty = shape.inner(entries).and_then(|inner| inner.slot_of_id(269));
    let ty = shape
        .inner(entries)
        .and_then(|inner| inner.fields().position(|field| Some(field.slot) == ty));
    let mut kinds = Counts::default();
    for (_, fields) in messages
        .iter()
        .filter(|(name, _)| name.starts_with("DefaultS"))
    {
        let Some(OwnedValue::Sequence(entries)) = &fields[at.expect("in the shape")] else {
            panic!("a snapshot without entries");
        };
        for entry in entries {
            match &entry[ty.expect("in the shape")] {
                Some(OwnedValue::Text(text)) => kinds.add(String::from_utf8_lossy(text)),
                other => panic!("MDEntryType {other:?}"),
            }
        }
    }
    assert_eq!(kinds.text(), "0 26686, 1 28723, J 8");
}
