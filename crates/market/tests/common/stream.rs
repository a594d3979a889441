//! A small generator of lawful ITCH streams: every reference exists, nothing is over-executed.

use stdx::rng::Rng;
use wire::itch50::{
    AddOrder, AddOrderMpid, CrossTrade, Header, IssueSubtype, Mpid, OrderCancel, OrderDelete,
    OrderExecuted, OrderExecutedWithPrice, OrderReplace, Reason, Side, Stock, StockDirectory,
    StockTradingAction, Trade,
};
use wire::moldudp64::PacketWriter;

pub const SESSION: [u8; 10] = *b"TEST000001";
/// 09:30, ns since midnight.
const OPEN_NS: u64 = 34_200_000_000_000;

struct Live {
    reference: u64,
    locate: u16,
    shares: u32,
}

/// A stream of messages: directory and trading states first, then orders and prints.
pub struct Stream {
    rng: Rng,
    symbols: u16,
    live: Vec<Live>,
    live_limit: usize,
    next_reference: u64,
    next_match: u64,
    now_ns: u64,
    mids: Vec<u32>,
    pub messages: Vec<Vec<u8>>,
}

impl Stream {
    pub fn new(seed: u64, symbols: u16, live_limit: usize) -> Self {
        let mut stream = Self {
            rng: Rng::new(seed),
            symbols,
            live: Vec::new(),
            live_limit,
            next_reference: 1,
            next_match: 1,
            now_ns: OPEN_NS,
            mids: vec![1_000_000; usize::from(symbols) + 1],
            messages: Vec::new(),
        };
        for locate in 1..=symbols {
            stream.list(locate);
        }
        stream
    }

    pub fn extend(&mut self, count: usize) {
        for _ in 0..count {
            self.step();
        }
    }

    /// Messages packed as datagrams of 1 to 38 messages: `(first number, bytes)`.
    pub fn packets(&self, seed: u64) -> Vec<(u64, Vec<u8>)> {
        let mut rng = Rng::new(seed);
        let mut packets = Vec::new();
        let mut at = 0;
        while at < self.messages.len() {
            let count = 1 + rng.below(38) as usize;
            let end = (at + count).min(self.messages.len());
            packets.push((
                at as u64 + 1,
                packet(at as u64 + 1, &self.messages[at..end]),
            ));
            at = end;
        }
        packets
    }

    fn header(&self, locate: u16) -> Header {
        Header {
            locate,
            tracking: 0,
            timestamp_ns: self.now_ns,
        }
    }

    fn stock(locate: u16) -> Stock {
        Stock::new(&format!("S{locate}")).expect("short enough")
    }

    fn list(&mut self, locate: u16) {
        let subtype = IssueSubtype::new("Z").expect("fits");
        let header = self.header(locate);
        let stock = Self::stock(locate);
        let listed = StockDirectory::new(
            header, stock, b'Q', b'N', 100, b'N', b'C', subtype, b'P', b'N', b'N', b'1', b'N', 0,
            b'N',
        );
        self.messages.push(listed.as_bytes().to_vec());
        let reason = Reason::new("").expect("fits");
        let action = StockTradingAction::new(header, stock, b'T', b' ', reason);
        self.messages.push(action.as_bytes().to_vec());
    }

    fn step(&mut self) {
        let pace = self.rng.exponential(20_000.0) as u64;
        self.now_ns += if self.rng.chance(0.0005) {
            120_000_000
        } else {
            pace
        };
        let roll = self.rng.below(100);
        if self.live.len() >= self.live_limit || (roll >= 46 && !self.live.is_empty()) {
            self.change(roll);
        } else if roll < 2 {
            self.print();
        } else {
            self.add();
        }
    }

    fn add(&mut self) {
        let locate = 1 + self.rng.below(u64::from(self.symbols)) as u16;
        let mid = &mut self.mids[usize::from(locate)];
        *mid = (*mid + 99 + self.rng.below(3) as u32)
            .saturating_sub(100)
            .max(50_000);
        let (side, distance) = (self.rng.chance(0.5), 100 * (1 + self.rng.below(60) as u32));
        let price = if side {
            *mid - distance
        } else {
            *mid + distance
        } / 100
            * 100;
        let side = if side { Side::Buy } else { Side::Sell };
        let shares = 1 + self.rng.below(500) as u32;
        let reference = self.next_reference;
        self.next_reference += 1 + self.rng.below(3);
        let (header, stock) = (self.header(locate), Self::stock(locate));
        let bytes = if self.rng.chance(0.02) {
            let mpid = Mpid::new("ABCD").expect("fits");
            let add = AddOrderMpid::new(header, reference, side, shares, stock, price, mpid);
            add.as_bytes().to_vec()
        } else {
            let add = AddOrder::new(header, reference, side, shares, stock, price);
            add.as_bytes().to_vec()
        };
        self.messages.push(bytes);
        self.live.push(Live {
            reference,
            locate,
            shares,
        });
    }

    fn change(&mut self, roll: u64) {
        let idx = self.rng.below(self.live.len() as u64) as usize;
        let Live {
            reference,
            locate,
            shares,
        } = self.live[idx];
        let header = self.header(locate);
        let part = 1 + self.rng.below(u64::from(shares)) as u32;
        let bytes = match roll {
            0..82 => {
                self.live.swap_remove(idx);
                OrderDelete::new(header, reference).as_bytes().to_vec()
            }
            82..90 => {
                let new = self.next_reference;
                self.next_reference += 1;
                let price = self.mids[usize::from(locate)] / 100 * 100 + 700;
                self.live[idx].reference = new;
                self.live[idx].shares = part;
                let replace = OrderReplace::new(header, reference, new, part, price);
                replace.as_bytes().to_vec()
            }
            90..97 => {
                self.take(idx, part);
                let number = self.next_match();
                let executed = OrderExecuted::new(header, reference, part, number);
                executed.as_bytes().to_vec()
            }
            97..98 => {
                self.take(idx, part);
                let number = self.next_match();
                let price = self.mids[usize::from(locate)];
                let printable = if self.rng.chance(0.5) { b'Y' } else { b'N' };
                let executed =
                    OrderExecutedWithPrice::new(header, reference, part, number, printable, price);
                executed.as_bytes().to_vec()
            }
            _ => {
                self.take(idx, part);
                OrderCancel::new(header, reference, part)
                    .as_bytes()
                    .to_vec()
            }
        };
        self.messages.push(bytes);
    }

    fn print(&mut self) {
        let locate = 1 + self.rng.below(u64::from(self.symbols)) as u16;
        let (header, stock) = (self.header(locate), Self::stock(locate));
        let (price, number) = (self.mids[usize::from(locate)], self.next_match());
        let bytes = match self.rng.below(20) {
            0 => CrossTrade::new(header, 5_000, stock, price, number, b'O')
                .as_bytes()
                .to_vec(),
            1 => {
                let state = *self.rng.pick(b"HTTPQT");
                let reason = Reason::new("LUDP").expect("fits");
                let action = StockTradingAction::new(header, stock, state, b' ', reason);
                action.as_bytes().to_vec()
            }
            _ => Trade::new(header, 0, Side::Buy, 100, stock, price, number)
                .as_bytes()
                .to_vec(),
        };
        self.messages.push(bytes);
    }

    fn take(&mut self, idx: usize, part: u32) {
        self.live[idx].shares -= part;
        if self.live[idx].shares == 0 {
            self.live.swap_remove(idx);
        }
    }

    fn next_match(&mut self) -> u64 {
        self.next_match += 1;
        self.next_match
    }
}

/// One datagram whose first message has number `seq`.
pub fn packet(seq: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    packet_of(SESSION, seq, messages)
}

/// The same for any session.
pub fn packet_of(session: [u8; 10], seq: u64, messages: &[Vec<u8>]) -> Vec<u8> {
    let mut buffer = vec![0; 4_096];
    let mut writer = PacketWriter::new(&mut buffer, session, seq);
    for message in messages {
        assert!(writer.push(message), "the buffer holds 38 messages");
    }
    writer.finish().to_vec()
}
