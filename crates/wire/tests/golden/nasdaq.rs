//! NASDAQ TotalView-ITCH 5.0 as NASDAQ sent it, and a MoldUDP64 stream of another venue.

use wire::itch50::{self, Message};
use wire::itchfile::{CutTail, Frames};
use wire::moldudp64::{Error, Kind, Packet};
use wire::pcap::{self, Link, Reader};

use crate::{Counts, recording};

#[test]
fn start_of_day_file_with_its_cut_tail() {
    let Some(file) = recording("itch/nasdaq_20190130_sod_101msg.itch") else {
        return;
    };
    let (mut counts, mut symbols, mut cuts) = (Counts::default(), Vec::new(), Vec::new());
    let mut first_ns = None;
    for frame in Frames::new(&file) {
        match frame {
            Ok(frame) => {
                let message = itch50::decode(frame).expect("whole messages only");
                first_ns = first_ns.or(Some(message.timestamp_ns()));
                counts.add(char::from(message.kind()));
                if let Message::StockDirectory(directory) = message {
                    symbols.push((directory.locate(), directory.stock()));
                }
            }
            Err(tail) => cuts.push(tail),
        }
    }
    assert_eq!(counts.text(), "H 1, R 98, S 1, Y 1");
    assert_eq!(first_ns, Some(11_039_687_760_787));
    assert_eq!(
        cuts,
        [CutTail {
            offset: 4096 - 15,
            want: 41,
            have: 15
        }]
    );
    assert_eq!(symbols[..3], [(1, "A"), (2, "AA"), (3, "AAAU")]);
    assert!(
        symbols
            .iter()
            .zip(1..)
            .all(|((locate, _), place)| *locate == place)
    );
}

struct Captured {
    counts: String,
    packets: usize,
    first_ns: u64,
    last_ns: u64,
}

/// Every message of a capture; `session` is what every packet must carry.
fn captured(name: &str, session: [u8; 10]) -> Option<Captured> {
    let file = recording(name)?;
    let (mut counts, mut times) = (Counts::default(), Vec::new());
    let mut packets = 0;
    for record in Reader::new(&file).expect("a capture") {
        let record = record.expect("whole records");
        assert_eq!(record.link, Link::Ethernet);
        let udp = pcap::udp(&record).expect("a datagram");
        let packet = Packet::parse(udp.payload).expect("a packet");
        assert_eq!(
            (packet.session(), packet.kind()),
            (session, Kind::Data),
            "{name}"
        );
        packets += 1;
        let mut messages = packet.messages();
        for message in messages.by_ref() {
            let message = itch50::decode(message.expect("whole messages")).expect("ITCH 5.0");
            counts.add(char::from(message.kind()));
            times.push(message.timestamp_ns());
        }
        assert!(messages.rest().is_empty(), "{name}");
    }
    let (first_ns, last_ns) = (*times.first()?, *times.last()?);
    Some(Captured {
        counts: counts.text(),
        packets,
        first_ns,
        last_ns,
    })
}

/// A time of day to the microsecond, as the list of the recordings writes it.
fn clock(time_ns: u64) -> String {
    let us = time_ns / 1_000;
    let (seconds, us) = (us / 1_000_000, us % 1_000_000);
    format!(
        "{:02}:{:02}:{:02}.{us:06}",
        seconds / 3_600,
        seconds / 60 % 60,
        seconds % 60
    )
}

#[test]
fn live_captures() {
    let files = [
        (
            "AddOrderNoMpidAttributionMessage",
            1,
            "A 1",
            "09:29:59.999894",
        ),
        (
            "MarketParticipantPositionMessage",
            1,
            "L 1",
            "09:30:24.494802",
        ),
        ("Multiple.Packets", 2, "A 36, D 1, F 2", "09:30:00.007495"),
        (
            "NetOrderImbalanceIndicatorMessage",
            1,
            "I 1",
            "09:30:00.000268",
        ),
        ("OrderDeleteMessage", 1, "D 1", "09:29:59.999896"),
        ("OrderExecutedMessage", 1, "E 1", "09:29:59.999934"),
        ("OrderReplaceMessage", 1, "U 1", "09:29:59.999836"),
        ("StockTradingActionMessage", 1, "H 1", "09:39:23.322465"),
    ];
    for (name, packets, counts, first) in files {
        let path = format!("itch/omi_nasdaq_live_20230822/{name}.pcap");
        let Some(capture) = captured(&path, *b"000010059B") else {
            return;
        };
        assert_eq!(
            (capture.packets, &capture.counts[..]),
            (packets, counts),
            "{name}"
        );
        let (earlier, later) = (capture.first_ns, capture.last_ns);
        assert_eq!(clock(earlier.min(later)), first, "{name}");
    }
}

#[test]
fn rewrapped_captures() {
    let files = [
        ("AddOrderNoMPID", "A 5", "09:29:59.999894"),
        ("AddOrderWithMPID", "F 5", "09:29:59.999977"),
        ("CrossTrade", "Q 5", "09:30:00.000483"),
        ("LULDAuctionCollar", "J 5", "09:30:15.592415"),
        ("MarketParticipantPosition", "L 5", "09:30:24.468064"),
        ("NetOrderImbalanceIndicator", "I 5", "09:30:00.000087"),
        ("NonCrossTrade", "P 5", "09:30:00.000684"),
        ("OrderCancel", "X 5", "09:30:00.002394"),
        ("OrderDelete", "D 5", "09:29:59.999889"),
        ("OrderExecuted", "E 5", "09:29:59.999934"),
        ("OrderExecutedWithPrice", "C 5", "09:30:00.001163"),
        ("OrderReplace", "U 5", "09:29:59.999836"),
        ("RegSHORestriction", "Y 5", "09:30:00.116533"),
        ("StockTradingAction", "H 5", "09:30:15.592125"),
        ("SystemEvent", "S 1", "09:30:00.000070"),
    ];
    for (name, counts, first) in files {
        let path = format!("itch/omi_nasdaq_rewrapped_20230822/{name}.pcap");
        let Some(capture) = captured(&path, [0; 10]) else {
            return;
        };
        assert_eq!(capture.counts, counts, "{name}");
        assert_eq!(
            clock(capture.first_ns.min(capture.last_ns)),
            first,
            "{name}"
        );
    }
}

/// Another venue's dialect in the same framing: packets are numbered without a hole, the last
/// message is cut, and what looks like ITCH 5.0 by its type byte is refused by its length.
#[test]
fn packets_of_another_venue() {
    let Some(file) = recording("moldudp/mold.sample.dat") else {
        return;
    };
    let (mut rest, mut next_seq) = (&file[..], 1);
    let (mut heads, mut counts, mut cuts) = (Vec::new(), Counts::default(), Vec::new());
    while !rest.is_empty() {
        let packet = Packet::parse(rest).expect("a header");
        assert_eq!((packet.session(), packet.seq()), ([0; 10], next_seq));
        next_seq = packet.next_seq();
        heads.push((packet.seq(), packet.count()));
        let mut messages = packet.messages();
        for message in messages.by_ref() {
            match message {
                Ok(message) => {
                    counts.add(char::from(message[0]));
                    assert!(itch50::decode(message).is_err());
                }
                Err(error) => cuts.push(error),
            }
        }
        rest = if cuts.is_empty() {
            messages.rest()
        } else {
            &[]
        };
    }
    assert_eq!(heads, [(1, 15), (16, 13), (29, 13)]);
    assert_eq!(counts.text(), "L 18, R 19, S 1, T 2");
    assert_eq!(
        cuts,
        [Error::Cut {
            index: 12,
            want: 27,
            have: 22
        }]
    );
}
