//! Messages re-encoded from the FAST recording of an exchange: derived, but prices, sizes and order
//! are the exchange's. The figures were taken with simplefix, an independent decoder.

use wire::fix::{Frames, tag};

use crate::{Counts, recording};

/// What one file holds, walked field by field and once more as groups.
struct Content {
    messages: usize,
    entries: Counts,
    /// The sum of all `MDEntryPx` in units of 1e-9, and of all `MDEntrySize`.
    sums: (i128, i128),
    seq: (u64, u64),
    sent: (u64, u64),
}

fn content(name: &str) -> Option<Content> {
    let bytes = recording(name)?;
    let mut content = Content {
        messages: 0,
        entries: Counts::default(),
        sums: (0, 0),
        seq: (u64::MAX, 0),
        sent: (u64::MAX, 0),
    };
    let mut in_groups = 0;
    let mut frames = Frames::new(&bytes, 65_536);
    for message in frames.by_ref() {
        let message = message.expect("length and checksum were verified");
        content.messages += 1;
        assert_eq!(message.begin_string(), b"FIXT.1.1");
        let mut fields = message.fields();
        while let Some(field) = fields.next() {
            let field = field.expect("a good field");
            match field.tag {
                tag::MSG_SEQ_NUM => {
                    let seq = field.uint().expect("a number");
                    content.seq = (content.seq.0.min(seq), content.seq.1.max(seq));
                }
                tag::SENDING_TIME => {
                    let sent = field.timestamp().expect("a time");
                    content.sent = (content.sent.0.min(sent), content.sent.1.max(sent));
                }
                tag::NO_MD_ENTRIES => {
                    for entry in fields.group(field, &[]).expect("a count") {
                        let entry = entry.expect("a whole entry");
                        let kind = entry.require(tag::MD_ENTRY_TYPE).expect("each has one");
                        content.entries.add(kind.value.escape_ascii().to_string());
                        if let Some(time) = entry.get(tag::MD_ENTRY_TIME) {
                            time.time_of_day().expect("a time");
                        }
                        let price = entry.get(tag::MD_ENTRY_PX);
                        let price = price.map_or(0, |field| field.price().expect("a price"));
                        in_groups += i128::from(price);
                    }
                }
                tag::MD_ENTRY_PX => content.sums.0 += i128::from(field.price().expect("a price")),
                tag::MD_ENTRY_SIZE => content.sums.1 += i128::from(field.int().expect("whole")),
                _ => {}
            }
        }
    }
    assert_eq!(frames.offset(), bytes.len());
    assert_eq!(content.sums.0, in_groups);
    Some(content)
}

#[test]
fn forts_incremental() {
    let Some(content) = content("fix/forts_20130801_incremental_a_first3000.fix") else {
        return;
    };
    assert_eq!(content.messages, 3000);
    assert_eq!(content.entries.text(), "0 4591, 1 3591");
    assert_eq!(content.sums, (499_113_116_000_000_000, 1_186_122));
    assert_eq!(content.seq, (482_727, 485_726));
    assert_eq!(
        content.sent,
        (1_375_367_077_941_000_000, 1_375_367_209_105_000_000)
    );
}

#[test]
fn forts_snapshot() {
    let Some(content) = content("fix/forts_20130801_snapshot_first1000.fix") else {
        return;
    };
    assert_eq!(content.messages, 1000);
    assert_eq!(content.entries.text(), "0 3359, 1 3593, J 1");
    assert_eq!(content.sums, (445_640_168_000_000_000, 1_174_921));
    assert_eq!(content.seq, (1, 11));
    assert_eq!(
        content.sent,
        (1_375_367_080_110_000_000, 1_375_367_128_038_000_000)
    );
}
