//! The sample files that IEX published, from its test system.

use wire::iextp::{Packet, protocol};
use wire::pcap::{self, Reader};

use crate::{Counts, recording_unpacked};

#[derive(Debug, Default, PartialEq, Eq)]
struct Seen {
    packets: usize,
    restarts: usize,
    symbols: usize,
    left_over: usize,
}

/// Counts a capture; every message must be one that the specification knows.
fn count(name: &str, kind: u16) -> Option<(String, Seen)> {
    let file = recording_unpacked(name)?;
    let (mut counts, mut seen) = (Counts::default(), Seen::default());
    let mut symbols = std::collections::BTreeSet::new();
    let (mut next, mut offset) = (None, 0);
    for record in Reader::new(&file).expect("a capture") {
        let record = match record {
            Ok(record) => record,
            Err(_) => {
                seen.left_over += 1;
                continue;
            }
        };
        let udp = pcap::udp(&record).expect("UDP only");
        let packet = Packet::parse(udp.payload).expect("IEX-TP only");
        seen.packets += 1;
        assert_eq!(packet.protocol(), kind);
        if next.is_some_and(|next| next != packet.first_seq()) {
            assert_eq!((packet.first_seq(), packet.stream_offset()), (1, 0));
            seen.restarts += 1;
        } else if next.is_some() {
            assert_eq!(packet.stream_offset(), offset);
        }
        next = Some(packet.next_seq());
        offset = packet.stream_offset() + packet.payload().len() as u64;
        for message in packet.messages() {
            let message = message.expect("a message of the specification");
            counts.add(char::from(message.kind()));
            message.fields(|name, value| {
                if let ("symbol", wire::iextp::Field::Text(symbol)) = (name, value) {
                    symbols.insert(symbol.to_owned());
                }
            });
        }
    }
    seen.symbols = symbols.len();
    Some((counts.text(), seen))
}

#[test]
fn deep_has_twelve_runs_and_a_cut_end() {
    let Some((counts, seen)) = count("iex/DEEP10.pcap.gz", protocol::DEEP) else {
        return;
    };
    assert_eq!(
        counts,
        "5 14627, 8 12941, B 73, E 59, H 93638, O 93638, P 93636, S 44, T 83343"
    );
    let expected = Seen {
        packets: 121_314,
        restarts: 11,
        symbols: 7_802,
        left_over: 1,
    };
    assert_eq!(seen, expected);
}

#[test]
fn tops_is_whole() {
    let Some((counts, seen)) = count("iex/TOPS16.pcapng.gz", protocol::TOPS) else {
        return;
    };
    assert_eq!(
        counts,
        "A 642, B 3, D 10, H 7803, O 7801, P 7802, Q 27217, S 6, T 6390"
    );
    let expected = Seen {
        packets: 13_022,
        restarts: 0,
        symbols: 7_799,
        left_over: 0,
    };
    assert_eq!(seen, expected);
}
