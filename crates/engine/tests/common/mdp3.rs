//! A synthetic CME MDP 3.0 channel of books by price: increments, a loop of whole books, definitions.
//! By the compact schema of `testdata/sbe`; the exchange's own was never seen here.
#![allow(dead_code, reason = "each test binary uses its own part")]

use std::path::PathBuf;

use stdx::Rng;
use wire::sbe::{OwnedBlock, Schema, write};

const LEVELS: usize = 10;
const E9: i64 = 1_000_000_000;
/// Prices are in quarters.
const TICK: i64 = 250_000_000;

/// Where the schema is.
pub fn schema_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/sbe/mdp3.xml")
}

/// The venue's side of the channel.
pub struct Channel {
    schema: Schema,
    rng: Rng,
    seq: u32,
    now_ns: u64,
    /// Bids and asks of each instrument, best first: price and quantity.
    pub books: Vec<[Vec<(i64, i64)>; 2]>,
    rpt_seq: Vec<u64>,
}

fn block(fields: Vec<Vec<Option<u64>>>, groups: Vec<Vec<OwnedBlock>>) -> OwnedBlock {
    OwnedBlock {
        fields,
        groups,
        data: Vec::new(),
    }
}

fn bits(values: &[i64]) -> Vec<Vec<Option<u64>>> {
    let bits = values.iter().map(|value| vec![Some(*value as u64)]);
    bits.collect()
}

impl Channel {
    pub fn new(seed: u64, instruments: usize, start_ns: u64) -> Self {
        let xml = std::fs::read_to_string(schema_path()).expect("testdata");
        Self {
            schema: Schema::from_xml(&xml).expect("our schema"),
            rng: Rng::new(seed),
            seq: 0,
            now_ns: start_ns,
            books: vec![Default::default(); instruments],
            rpt_seq: vec![0; instruments],
        }
    }

    /// The number of the last packet of increments.
    pub fn seq(&self) -> u64 {
        self.seq.into()
    }

    fn packet(&self, seq: u32, id: u64, block: &OwnedBlock) -> Vec<u8> {
        let (mut packet, mut message) = (Vec::new(), Vec::new());
        wire::mdp3::begin(&mut packet, seq, self.now_ns);
        write(&self.schema, id, block, &mut message).expect("of its shape");
        assert!(wire::mdp3::push(&mut packet, &message));
        packet
    }

    /// The next packet of increments: one to four changes, now and then a trade.
    pub fn increment(&mut self) -> Vec<u8> {
        self.seq += 1;
        self.now_ns += 1_000_000;
        let time = self.now_ns as i64;
        if self.seq > 20 && self.rng.chance(0.1) {
            let at = self.rng.below(self.books.len() as u64) as usize;
            self.rpt_seq[at] += 1;
            let (id, rpt) = (at as i64 + 1, self.rpt_seq[at] as i64);
            let mut entry = bits(&[4_800 * E9, 3, id, rpt, 2, 1, 0]);
            // The constant type has no element.
            entry.extend([Vec::new(), vec![Some(u64::from(self.seq))]]);
            let trades = vec![vec![block(entry, Vec::new())], Vec::new()];
            return self.packet(self.seq, 48, &block(bits(&[time, 0]), trades));
        }
        let count = 1 + self.rng.below(4);
        let entries = (0..count).map(|_| self.change()).collect();
        let book = block(bits(&[time, 0]), vec![entries, Vec::new()]);
        self.packet(self.seq, 46, &book)
    }

    fn change(&mut self) -> OwnedBlock {
        let at = self.rng.below(self.books.len() as u64) as usize;
        let side = self.rng.below(2) as usize;
        self.rpt_seq[at] += 1;
        let levels = &mut self.books[at][side];
        let count = levels.len();
        let qty = 1 + self.rng.below(99) as i64;
        let (action, rank) = match self.rng.below(4) {
            0 if count > 3 => (2, self.rng.below(count as u64) as usize),
            1 if count > 0 => (1, self.rng.below(count as u64) as usize),
            _ if count < LEVELS => (0, count),
            _ => (1, count - 1),
        };
        let sign = if side == 0 { -1 } else { 1 };
        let price = match action {
            // Behind the last level there is.
            0 => {
                let last = levels.last().map_or(4_800 * E9, |(price, _)| *price);
                last + sign * TICK * (1 + self.rng.below(3) as i64)
            }
            _ => levels[rank].0,
        };
        match action {
            0 => levels.push((price, qty)),
            1 => levels[rank].1 = qty,
            _ => drop(levels.remove(rank)),
        }
        let (id, rpt) = (at as i64 + 1, self.rpt_seq[at] as i64);
        let kind = i64::from(b'0') + side as i64;
        let fields = bits(&[price, qty, id, rpt, 1, rank as i64 + 1, action, kind]);
        block(fields, Vec::new())
    }

    /// The whole book of one instrument, for the snapshot line.
    pub fn snapshot(&self, at: usize) -> Vec<u8> {
        let mut entries = Vec::new();
        for (side, levels) in self.books[at].iter().enumerate() {
            for (rank, (price, qty)) in levels.iter().enumerate() {
                let kind = i64::from(b'0') + side as i64;
                let fields = bits(&[*price, *qty, 1, rank as i64 + 1, 0, kind]);
                entries.push(block(fields, Vec::new()));
            }
        }
        let (seq, time) = (i64::from(self.seq), self.now_ns as i64);
        let (id, rpt) = (at as i64 + 1, self.rpt_seq[at] as i64);
        let mut fields = bits(&[seq, 1, id, rpt, time, time, 1, 17]);
        fields.extend([vec![None], vec![None], vec![None]]);
        self.packet(1, 52, &block(fields, vec![entries]))
    }

    /// The definition of one instrument, for the line of definitions.
    pub fn definition(&self, at: usize, name: &str) -> Vec<u8> {
        let mut fields = OwnedBlock::fill(&self.schema, 54, &mut || 1).expect("there");
        let text = |text: &str, size: usize| {
            let bytes = text.bytes().chain(std::iter::repeat(0)).take(size);
            bytes.map(|byte| Some(u64::from(byte))).collect()
        };
        fields.fields[5] = text(name, 20);
        fields.fields[6] = vec![Some(at as u64 + 1)];
        fields.fields[10] = text("USD", 3);
        fields.fields[11] = vec![Some(TICK as u64)];
        self.packet(1, 54, &fields)
    }
}
