//! Captures built by hand in every variant, cut anywhere, and made of any bytes.

use std::vec;
use std::vec::Vec;

use proptest::prelude::*;

use super::*;

/// Writes the words of a capture in one byte order.
struct Words {
    bytes: Vec<u8>,
    order: Order,
}

impl Words {
    fn new(order: Order) -> Self {
        Self {
            bytes: Vec::new(),
            order,
        }
    }
    fn u16(&mut self, value: u16) {
        self.bytes.extend(match self.order {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        });
    }
    fn u32(&mut self, value: u32) {
        self.bytes.extend(match self.order {
            Order::Little => value.to_le_bytes(),
            Order::Big => value.to_be_bytes(),
        });
    }
    fn u32s<const N: usize>(&mut self, values: [u32; N]) {
        values.into_iter().for_each(|value| self.u32(value));
    }
    /// A pcapng block, padded and with its length at both ends.
    fn block(&mut self, kind: u32, body: impl FnOnce(&mut Self)) {
        self.u32(kind);
        let at = self.bytes.len();
        self.u32(0);
        body(self);
        self.bytes.resize(self.bytes.len().next_multiple_of(4), 0);
        let size = u32::try_from(self.bytes.len() - at + 8).expect("small");
        self.u32(size);
        let size = self.bytes[self.bytes.len() - 4..].to_vec();
        self.bytes[at..at + 4].copy_from_slice(&size);
    }
    fn section(&mut self) {
        self.block(0x0A0D_0D0A, |w| {
            w.u32s([0x1A2B_3C4D, 1, u32::MAX, u32::MAX])
        });
    }
    fn interface(&mut self, link: u16, options: &[(u16, &[u8])]) {
        self.block(1, |w| {
            w.u16(link);
            w.u16(0);
            w.u32(65_535);
            for (code, value) in options {
                w.u16(*code);
                w.u16(u16::try_from(value.len()).expect("short"));
                w.bytes.extend(*value);
                w.bytes.resize(w.bytes.len().next_multiple_of(4), 0);
            }
        });
    }
    fn packet(&mut self, interface: u32, time: u64, data: &[u8]) {
        let size = u32::try_from(data.len()).expect("small");
        self.block(6, |w| {
            w.u32s([interface, (time >> 32) as u32, time as u32, size, size]);
            w.bytes.extend(data);
        });
    }
}

fn classic(order: Order, magic: u32, link: u32) -> Vec<u8> {
    let mut words = Words::new(order);
    words.u32s([magic, 0x0002_0004, 0, 0, 65_535, link]);
    for (seconds, fraction, data) in [(1, 2, &b"one"[..]), (u32::MAX, 999_999, b"")] {
        words.u32s([seconds, fraction, data.len() as u32, 99]);
        words.bytes.extend(data);
    }
    words.bytes
}

#[test]
fn classic_in_both_orders_and_resolutions() {
    for order in [Order::Little, Order::Big] {
        for (magic, unit_ns) in [(0xA1B2_C3D4, 1_000), (0xA1B2_3C4D, 1)] {
            let bytes = classic(order, magic, 0x1000_0071);
            let records: Vec<_> = Reader::new(&bytes).expect("a header").collect();
            let first = Record {
                ts_ns: 1_000_000_000 + 2 * unit_ns,
                link: Link::LinuxCooked,
                data: b"one",
            };
            let last_ns = u64::from(u32::MAX) * 1_000_000_000 + 999_999 * unit_ns;
            assert_eq!(
                records,
                [
                    Ok(first),
                    Ok(Record {
                        ts_ns: last_ns,
                        data: b"",
                        ..first
                    })
                ]
            );
        }
    }
}

#[test]
fn other_files_are_refused() {
    let check = |bytes: &[u8], error| assert_eq!(Reader::new(bytes).err(), Some(error));
    check(b"", Error::Magic { found: 0 });
    check(b"\x1F\x8B", Error::Magic { found: 0x1F8B_0000 });
    check(
        &0xA1B2_CD34_u32.to_be_bytes(),
        Error::Magic { found: 0xA1B2_CD34 },
    );
    check(
        &0xA1B2_C3D4_u32.to_be_bytes(),
        Error::Cut {
            offset: 0,
            want: 24,
            have: 4,
        },
    );
}

#[test]
fn ng_times_of_every_resolution() {
    let check = |resolution: &[u8], offset_s: i64, time, want: Result<u64, ()>| {
        for order in [Order::Little, Order::Big] {
            let offset = match order {
                Order::Little => offset_s.to_le_bytes(),
                Order::Big => offset_s.to_be_bytes(),
            };
            let mut words = Words::new(order);
            words.section();
            words.interface(1, &[(2, b"eth0"), (9, resolution), (14, &offset), (0, b"")]);
            words.packet(0, time, b"x");
            let record = Reader::new(&words.bytes)
                .expect("a section")
                .next()
                .expect("a packet");
            let got = record.map(|record| record.ts_ns).map_err(|error| {
                assert!(matches!(error, Error::Time { .. }), "{error}");
            });
            assert_eq!(got, want, "{resolution:?} {offset_s} {time}");
        }
    };
    let time = 1_692_696_600_123_456;
    check(&[], 0, time, Ok(time * 1_000));
    check(&[6], 0, time, Ok(time * 1_000));
    check(&[9], 0, time * 1_000 + 789, Ok(time * 1_000 + 789));
    check(&[0], 0, 5, Ok(5_000_000_000));
    check(&[12], 0, 5_999, Ok(5));
    check(&[127], 0, u64::MAX, Ok(0));
    check(&[0x80 | 10], 0, 1_536, Ok(1_500_000_000));
    check(&[0x80 | 127], 0, u64::MAX, Ok(0));
    check(&[9], 3, 4, Ok(3_000_000_004));
    check(&[9], -1, 1_000_000_004, Ok(4));
    check(&[9], -2, 1_000_000_004, Err(()));
    check(&[0], 0, u64::MAX, Err(()));
    check(&[9], i64::MIN, 0, Err(()));
}

#[test]
fn ng_sections_interfaces_and_bad_packets() {
    let mut words = Words::new(Order::Little);
    words.section();
    words.block(0xBAD, |w| w.u32(1));
    words.interface(101, &[]);
    words.interface(1, &[(9, &[9])]);
    words.packet(1, 7, b"ethernet");
    words.packet(2, 7, b"nobody's");
    words.block(3, |w| w.u32(0));
    words.block(2, |w| {
        w.u16(0);
        w.u16(0);
        w.u32s([0, 7, 2, 2]);
        w.bytes.extend(b"ip");
    });
    // A new section may have the other byte order, and forgets the interfaces of the old one.
    words.order = Order::Big;
    words.section();
    words.packet(0, 7, b"too soon");
    words.interface(1, &[]);
    words.packet(0, 8, b"");
    let read: Vec<_> = Reader::new(&words.bytes).expect("a section").collect();
    assert_eq!(read.len(), 6);
    assert_eq!(
        read[0],
        Ok(Record {
            ts_ns: 7,
            link: Link::Ethernet,
            data: b"ethernet"
        })
    );
    assert!(matches!(read[1], Err(Error::Interface { .. })));
    assert!(matches!(read[2], Err(Error::Untimed { .. })));
    assert_eq!(
        read[3],
        Ok(Record {
            ts_ns: 7_000,
            link: Link::Ip,
            data: b"ip"
        })
    );
    assert!(matches!(read[4], Err(Error::Interface { .. })));
    assert_eq!(
        read[5],
        Ok(Record {
            ts_ns: 8_000,
            link: Link::Ethernet,
            data: b""
        })
    );
}

#[test]
fn ng_limits_and_lies() {
    let mut words = Words::new(Order::Little);
    words.section();
    (0..=INTERFACES_LIMIT).for_each(|_| words.interface(1, &[]));
    words.packet(0, 7, b"never reached");
    let read: Vec<_> = Reader::new(&words.bytes).expect("a section").collect();
    assert!(
        matches!(read[..], [Err(Error::Interfaces { .. })]),
        "{read:?}"
    );

    let mut words = Words::new(Order::Little);
    words.section();
    let start = words.bytes.len();
    for size in [0, 8, 11, 13, 14] {
        words.bytes.truncate(start);
        words.u32s([6, size, 0, 0, 0]);
        let read: Vec<_> = Reader::new(&words.bytes).expect("a section").collect();
        assert_eq!(read, [Err(Error::Block { offset: start })], "size {size}");
    }
    words.bytes.truncate(start);
    words.u32s([6, 16, 0, 12]);
    let read: Vec<_> = Reader::new(&words.bytes).expect("a section").collect();
    assert_eq!(
        read,
        [Err(Error::Block { offset: start })],
        "the two lengths differ"
    );
}

fn ipv4(payload: &[u8], flags: u16) -> Vec<u8> {
    let mut words = Words::new(Order::Big);
    let size = u16::try_from(payload.len()).expect("small");
    words.bytes.extend([0x45, 0]);
    words.u16(28 + size);
    words.u16(0);
    words.u16(flags);
    words
        .bytes
        .extend([64, 17, 0, 0, 10, 0, 0, 1, 233, 54, 12, 111]);
    words.u16(1_000);
    words.u16(26_477);
    words.u16(8 + size);
    words.u16(0);
    words.bytes.extend(payload);
    words.bytes
}

fn ipv6(payload: &[u8], extension: Option<u8>) -> Vec<u8> {
    let mut words = Words::new(Order::Big);
    let size = u16::try_from(payload.len()).expect("small");
    let extra = if extension.is_some() { 16 } else { 0 };
    words.u32(0x6000_0000);
    words.u16(8 + size + extra);
    words.bytes.extend([extension.unwrap_or(17), 64]);
    words.bytes.extend([0; 15]);
    words.bytes.extend([1, 0xFF, 2]);
    words.bytes.extend([0; 13]);
    words.bytes.push(9);
    if extension.is_some() {
        words.bytes.extend([17, 1]);
        words.bytes.extend([0; 14]);
    }
    words.u16(1_000);
    words.u16(26_477);
    words.u16(8 + size);
    words.u16(0);
    words.bytes.extend(payload);
    words.bytes
}

fn framed(link: Link, tags: usize, ether: u16, packet: &[u8]) -> Vec<u8> {
    let mut words = Words::new(Order::Big);
    match link {
        Link::Ethernet => words.bytes.extend([0; 12]),
        Link::LinuxCooked => words.bytes.extend([0; 14]),
        _ => {}
    }
    if link != Link::Ip {
        for _ in 0..tags {
            words.u16(0x8100);
            words.u16(42);
        }
        words.u16(ether);
    }
    if link == Link::LinuxCooked2 {
        words.bytes.extend([0; 18]);
    }
    words.bytes.extend(packet);
    words.bytes
}

#[test]
fn datagrams_on_every_link() {
    let links = [
        (Link::Ethernet, 0),
        (Link::Ethernet, 2),
        (Link::Ip, 0),
        (Link::LinuxCooked, 0),
        (Link::LinuxCooked2, 0),
    ];
    for (link, tags) in links {
        let check = |ether, packet: &[u8], want: Option<(&str, &str)>| {
            let mut data = framed(link, tags, ether, packet);
            for padding in 0..3 {
                let udp = udp(&Record {
                    ts_ns: 0,
                    link,
                    data: &data,
                });
                assert_eq!(
                    udp.map(|udp| udp.payload),
                    want.map(|_| &b"mold"[..]),
                    "{link:?}"
                );
                let ends = udp.map(|udp| (udp.src, udp.dst));
                let want =
                    want.map(|(src, dst)| (src.parse().expect("ok"), dst.parse().expect("ok")));
                assert_eq!(ends, want, "{link:?} {tags} padding {padding}");
                data.push(0);
            }
        };
        let v4 = Some(("10.0.0.1:1000", "233.54.12.111:26477"));
        let v6 = Some(("[::1]:1000", "[ff02::9]:26477"));
        check(0x0800, &ipv4(b"mold", 0), v4);
        check(0x0800, &ipv4(b"mold", 0x4000), v4);
        check(0x0800, &ipv4(b"mold", 0x2000), None);
        check(0x0800, &ipv4(b"mold", 0x0001), None);
        check(0x86DD, &ipv6(b"mold", None), v6);
        check(0x86DD, &ipv6(b"mold", Some(60)), v6);
        check(0x86DD, &ipv6(b"mold", Some(44)), None);
        check(0x86DD, &ipv6(b"mold", Some(6)), None);
        if link != Link::Ip {
            check(0x0806, &ipv4(b"mold", 0), None);
        }
    }
    let data = ipv4(b"mold", 0);
    assert_eq!(
        udp(&Record {
            ts_ns: 0,
            link: Link::Other(147),
            data: &data
        }),
        None
    );
}

#[test]
fn a_datagram_that_is_not_whole_is_none() {
    for packet in [ipv4(b"mold", 0), ipv6(b"mold", Some(0))] {
        for cut in 0..packet.len() {
            assert_eq!(
                udp(&Record {
                    ts_ns: 0,
                    link: Link::Ip,
                    data: &packet[..cut]
                }),
                None
            );
        }
    }
}

proptest! {
    #[test]
    fn a_capture_cut_anywhere_ends_with_one_error_or_none(ng: bool, cut in 0usize..400) {
        let bytes = if ng {
            let mut words = Words::new(Order::Big);
            words.section();
            words.interface(1, &[(9, &[9])]);
            words.packet(0, 7, b"first");
            words.packet(0, 8, b"second packet");
            words.bytes
        } else {
            classic(Order::Little, 0xA1B2_C3D4, 1)
        };
        let bytes = &bytes[..bytes.len().saturating_sub(cut)];
        if let Ok(mut reader) = Reader::new(bytes) {
            let errors: Vec<_> = reader.by_ref().filter_map(Result::err).collect();
            prop_assert!(errors.len() <= 1);
            if let [Error::Cut { offset, want, have }] = errors[..] {
                prop_assert!(want > have);
                prop_assert_eq!(offset + have, bytes.len());
            } else {
                prop_assert_eq!(reader.offset(), bytes.len());
            }
            prop_assert_eq!(reader.next(), None);
        }
    }

    #[test]
    fn no_bytes_panic(start in 0usize..5, rest in prop::collection::vec(any::<u8>(), 0..300), link in 0u16..300) {
        let starts: [&[u8]; 5] = [
            b"", b"\xD4\xC3\xB2\xA1", b"\xA1\xB2\x3C\x4D",
            b"\x0A\x0D\x0D\x0A\x1C\0\0\0\x4D\x3C\x2B\x1A", b"\x0A\x0D\x0D\x0A\0\0\0\x1C\x1A\x2B\x3C\x4D",
        ];
        let mut bytes = vec![];
        bytes.extend(starts[start]);
        bytes.extend(&rest);
        if let Ok(reader) = Reader::new(&bytes) {
            prop_assert!(reader.count() <= bytes.len() / 12 + 1);
        }
        let _ = udp(&Record { ts_ns: 0, link: Link::from_number(link), data: &rest });
    }
}
