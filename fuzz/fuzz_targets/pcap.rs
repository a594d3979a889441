//! Any file is records and errors, in a number that its size bounds; datagrams lie in their record.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wire::pcap::{Link, Reader, Record, udp};

fuzz_target!(|bytes: &[u8]| {
    // The same bytes as a frame of every link type, so that `udp` is reached without a file header.
    for link in [
        Link::Ethernet,
        Link::Ip,
        Link::LinuxCooked,
        Link::LinuxCooked2,
        Link::Other(9),
    ] {
        datagram(&Record {
            ts_ns: 0,
            link,
            data: bytes,
        });
    }
    let Ok(mut reader) = Reader::new(bytes) else {
        return;
    };
    let mut count = 0;
    while let Some(record) = reader.next() {
        count += 1;
        assert!(count <= bytes.len() / 12 + 1, "records without bytes");
        assert!(reader.offset() <= bytes.len());
        if let Ok(record) = record {
            assert!(bytes.as_ptr_range().contains(&record.data.as_ptr()) || record.data.is_empty());
            datagram(&record);
        }
    }
    assert!(reader.next().is_none());
});

fn datagram(record: &Record<'_>) {
    if let Some(udp) = udp(record) {
        assert!(udp.payload.len() + 28 <= record.data.len());
        assert_eq!(udp.src.is_ipv4(), udp.dst.is_ipv4());
    }
}
