//! Captures of IEX: real frames in number, and one that ends inside a record.

use wire::pcap::{self, Error, Reader};

use crate::recording_unpacked;

/// Packets that hold a whole datagram, and what stopped the reader.
fn datagrams(file: &[u8]) -> (usize, Option<Error>) {
    let (mut count, mut last_ns) = (0, 0);
    for record in Reader::new(file).expect("a capture") {
        let record = match record {
            Ok(record) => record,
            Err(error) => return (count, Some(error)),
        };
        assert!(
            pcap::udp(&record).is_some_and(|udp| udp.payload.len() >= 40),
            "IEX-TP has 40 bytes"
        );
        assert!(record.ts_ns / 1_000_000_000 >= 1_493_000_000 && record.ts_ns >= last_ns);
        last_ns = record.ts_ns - record.ts_ns % 1_000_000_000;
        count += 1;
    }
    (count, None)
}

#[test]
fn a_capture_that_ends_inside_a_record() {
    let Some(file) = recording_unpacked("iex/DEEP10.pcap.gz") else {
        return;
    };
    let (count, error) = datagrams(&file);
    assert_eq!(count, 121_314);
    let Some(Error::Cut { offset, want, have }) = error else {
        panic!("{error:?}")
    };
    // 16 bytes of record header, then 460 of a longer packet.
    assert_eq!((offset + have, have), (file.len(), 16 + 460));
    assert!(want > have);
}

#[test]
fn a_capture_that_is_whole() {
    let Some(file) = recording_unpacked("iex/TOPS16.pcapng.gz") else {
        return;
    };
    assert_eq!(datagrams(&file), (13_022, None));
}
