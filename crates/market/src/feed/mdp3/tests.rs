//! A simulated channel that loses packets on both lines: books are equal after recovery, and whatever
//! is called good in between is right. The stream is synthetic.

use std::collections::BTreeMap;

use stdx::Rng;
use wire::sbe::{OwnedBlock, write};

use super::*;
use crate::event::{InstrumentId, Stamp};
use crate::feed::refresh::RankedBook;
use crate::publish::Integrity;

const XML: &str = include_str!("../../../../../testdata/sbe/mdp3.xml");
const INSTRUMENTS: u64 = 4;

type Order = (Side, Price, Qty);

/// What a handler of books by order keeps.
#[derive(Default)]
struct Keeper {
    orders: Vec<BTreeMap<u64, Order>>,
    flagged: u64,
    trades: u64,
    names: Vec<(u64, String)>,
    terms: Vec<(u64, Terms)>,
    said: Vec<Event>,
}

impl Handler for Keeper {
    fn listed(&mut self, _: InstrumentId, _: u64) {
        self.orders.push(BTreeMap::new());
    }
    fn named(&mut self, security_id: u64, name: &str) {
        self.names.push((security_id, name.to_string()));
    }
    fn terms(&mut self, security_id: u64, terms: &Terms) {
        self.terms.push((security_id, *terms));
    }
    fn event(&mut self, id: InstrumentId, _: Stamp, event: &Event) {
        let orders = &mut self.orders[id.0 as usize];
        match *event {
            Event::Clear => orders.clear(),
            Event::Add {
                order_id,
                side,
                price,
                qty,
            } => {
                orders.insert(order_id.0, (side, price, qty));
            }
            Event::Delete { order_id } => {
                orders.remove(&order_id.0);
            }
            Event::Trade { .. } => self.trades += 1,
            _ => {}
        }
        self.said.push(*event);
    }
    fn integrity(&mut self, _: InstrumentId, integrity: Integrity) {
        self.flagged += u64::from(integrity != Integrity::Ok);
    }
}

fn bits(values: &[i64]) -> Vec<Vec<Option<u64>>> {
    values
        .iter()
        .map(|value| vec![Some(*value as u64)])
        .collect()
}

/// The venue: its true books, and what it sends.
struct Venue {
    schema: Schema,
    rng: Rng,
    seq: u64,
    levels: Vec<RankedBook>,
    rpt_seq: Vec<u64>,
    orders: Vec<BTreeMap<u64, Order>>,
    next_id: i64,
    /// True books by instrument and number, and by channel sequence.
    by_number: BTreeMap<(u64, u64), RankedBook>,
    number_at: Vec<Vec<u64>>,
    orders_at: Vec<Vec<BTreeMap<u64, Order>>>,
}

impl Venue {
    fn new(seed: u64) -> Self {
        let count = INSTRUMENTS as usize;
        Self {
            schema: Schema::from_xml(XML).expect("our schema"),
            rng: Rng::new(seed),
            seq: 0,
            levels: vec![RankedBook::new(10); count],
            rpt_seq: vec![0; count],
            orders: vec![BTreeMap::new(); count],
            next_id: 1,
            by_number: BTreeMap::new(),
            number_at: vec![vec![0; count]],
            orders_at: vec![vec![BTreeMap::new(); count]],
        }
    }

    fn message(&self, id: u64, block: &OwnedBlock, packet: &mut Vec<u8>) {
        let mut message = Vec::new();
        write(&self.schema, id, block, &mut message).expect("of its shape");
        assert!(wire::mdp3::push(packet, &message));
    }

    /// One packet: levels with their orders, orders by themselves, now and then a trade.
    fn packet(&mut self) -> Vec<u8> {
        self.seq += 1;
        let mut packet = Vec::new();
        wire::mdp3::begin(&mut packet, self.seq as u32, self.seq);
        let mut book = OwnedBlock {
            fields: bits(&[self.seq as i64, 0]),
            groups: vec![Vec::new(), Vec::new()],
            data: Vec::new(),
        };
        for reference in 1..=self.rng.range(1, 3) {
            let at = self.rng.below(INSTRUMENTS) as usize;
            let (entry, side) = self.level(at);
            book.groups[0].push(entry);
            let (id, price, qty, action) = self.order(at, side);
            // The level's price is the order's here: the order says none itself.
            book.groups[0].last_mut().expect("just put").fields[0] = vec![Some(price as u64)];
            book.groups[1].push(OwnedBlock {
                fields: bits(&[id, id, qty, reference as i64, action]),
                ..OwnedBlock::default()
            });
        }
        self.fix_levels(&book);
        self.message(46, &book, &mut packet);
        let at = self.rng.below(INSTRUMENTS) as usize;
        let side = if self.rng.chance(0.5) {
            Side::Bid
        } else {
            Side::Ask
        };
        let (id, price, qty, action) = self.order(at, side);
        let kind = if side == Side::Bid { b'0' } else { b'1' };
        let entry = bits(&[id, id, price, qty, at as i64 + 1, action, i64::from(kind)]);
        let orders = OwnedBlock {
            fields: bits(&[self.seq as i64, 0]),
            groups: vec![vec![OwnedBlock {
                fields: entry,
                ..OwnedBlock::default()
            }]],
            data: Vec::new(),
        };
        self.message(47, &orders, &mut packet);
        if self.rng.chance(0.2) {
            self.trade(at, &mut packet);
        }
        self.number_at.push(self.rpt_seq.clone());
        self.orders_at.push(self.orders.clone());
        packet
    }

    /// A level's change, without its price yet: rank, action and kind are decided here.
    fn level(&mut self, at: usize) -> (OwnedBlock, Side) {
        let side = if self.rng.chance(0.5) {
            Side::Bid
        } else {
            Side::Ask
        };
        let kind = if side == Side::Bid { b'0' } else { b'1' };
        // How many levels there will be is known by replaying what this packet did so far.
        let count = self.levels[at].levels(side).len() as u64;
        let action = match self.rng.below(5) {
            0 if count > 0 => 1,
            1 if count > 2 => 2,
            _ => 0,
        };
        let most = if action == 0 {
            (count + 1).min(10)
        } else {
            count
        };
        let rank = self.rng.range(1, most.max(1));
        self.rpt_seq[at] += 1;
        let (rpt_seq, size) = (self.rpt_seq[at] as i64, self.rng.range(1, 99) as i64);
        let price = self.next_id * 1_000_000_000;
        self.next_id += 1;
        let fields = bits(&[
            price,
            size,
            at as i64 + 1,
            rpt_seq,
            1,
            rank as i64,
            action,
            i64::from(kind),
        ]);
        // The true book moves at once; its price is put right in `fix_levels`.
        let action = [Action::New, Action::Change, Action::Delete][action as usize];
        let told = self.levels[at].apply(
            action,
            side,
            rank as Rank,
            Price(price),
            Qty(size as u64),
            |_| {},
        );
        assert!(told, "the venue's own ranks are right");
        (
            OwnedBlock {
                fields,
                ..OwnedBlock::default()
            },
            side,
        )
    }

    /// Puts the prices as sent into the true books, by replaying the packet on the books before it.
    fn fix_levels(&mut self, book: &OwnedBlock) {
        let before: Vec<u64> = self.number_at.last().expect("the start").clone();
        for (at, number) in before.into_iter().enumerate() {
            let empty = RankedBook::new(10);
            let known = self.by_number.get(&(at as u64 + 1, number));
            self.levels[at] = known.cloned().unwrap_or(empty);
        }
        for entry in &book.groups[0] {
            let value = |slot: usize| entry.fields[slot][0].expect("not null");
            let at = value(2) as usize - 1;
            let side = if value(7) == u64::from(b'0') {
                Side::Bid
            } else {
                Side::Ask
            };
            let action = [Action::New, Action::Change, Action::Delete][value(6) as usize];
            let (price, qty) = (Price(value(0) as i64), Qty(value(1)));
            self.levels[at].apply(action, side, value(5) as Rank, price, qty, |_| {});
            self.by_number
                .insert((value(2), value(3)), self.levels[at].clone());
        }
    }

    /// An order comes, changes or goes.
    fn order(&mut self, at: usize, side: Side) -> (i64, i64, i64, i64) {
        let price = self.rng.range(1, 500) as i64 * 1_000_000_000;
        let qty = self.rng.range(1, 50) as i64;
        let known: Vec<u64> = self.orders[at]
            .iter()
            .filter(|(_, order)| order.0 == side)
            .map(|(id, _)| *id)
            .collect();
        let action = self.rng.below(3) as i64;
        if action == 0 || known.len() < 3 {
            let id = self.next_id;
            self.next_id += 1;
            self.orders[at].insert(id as u64, (side, Price(price), Qty(qty as u64)));
            return (id, price, qty, 0);
        }
        let id = *self.rng.pick(&known);
        if action == 1 {
            self.orders[at].insert(id, (side, Price(price), Qty(qty as u64)));
        } else {
            self.orders[at].remove(&id);
        }
        (id as i64, price, qty, action)
    }

    fn trade(&mut self, at: usize, packet: &mut Vec<u8>) {
        self.rpt_seq[at] += 1;
        let number = (at as u64 + 1, self.rpt_seq[at]);
        self.by_number.insert(number, self.levels[at].clone());
        // The constant entry type has no element.
        let mut entry = bits(&[5_000_000_000, 3, at as i64 + 1, number.1 as i64, 2, 1, 0]);
        entry.extend([Vec::new(), vec![Some(77)]]);
        let trade = OwnedBlock {
            fields: bits(&[self.seq as i64, 0]),
            groups: vec![
                vec![OwnedBlock {
                    fields: entry,
                    ..OwnedBlock::default()
                }],
                Vec::new(),
            ],
            data: Vec::new(),
        };
        self.message(48, &trade, packet);
    }

    /// The whole books of one instrument, by price and by order in chunks of five.
    fn snapshots(&self, at: usize) -> Vec<Vec<u8>> {
        let begun = || {
            let mut packet = Vec::new();
            wire::mdp3::begin(&mut packet, 1, self.seq);
            packet
        };
        let sides = [(Side::Bid, b'0'), (Side::Ask, b'1')];
        let mut entries = Vec::new();
        for (side, kind) in sides {
            for (idx, (price, qty)) in self.levels[at].levels(side).iter().enumerate() {
                let fields = bits(&[price.0, qty.0 as i64, 1, idx as i64 + 1, 0, i64::from(kind)]);
                entries.push(OwnedBlock {
                    fields,
                    ..OwnedBlock::default()
                });
            }
        }
        let (seq, id) = (self.seq as i64, at as i64 + 1);
        let null = vec![None];
        let mut fields = bits(&[seq, 1, id, self.rpt_seq[at] as i64, seq, seq, 1, 17]);
        fields.extend([null.clone(), null.clone(), null]);
        let mut by_price = begun();
        self.message(
            52,
            &OwnedBlock {
                fields,
                groups: vec![entries],
                data: Vec::new(),
            },
            &mut by_price,
        );
        let mut packets = vec![by_price];
        let orders: Vec<_> = self.orders[at].iter().collect();
        let chunks = orders.len().div_ceil(5).max(1);
        for chunk in 0..chunks {
            let mut packet = begun();
            let entries = orders.iter().skip(chunk * 5).take(5).map(|(id, order)| {
                let kind = if order.0 == Side::Bid { b'0' } else { b'1' };
                let fields = bits(&[**id as i64, 1, order.1.0, order.2.0 as i64, i64::from(kind)]);
                OwnedBlock {
                    fields,
                    ..OwnedBlock::default()
                }
            });
            let whole = OwnedBlock {
                fields: bits(&[seq, 1, id, chunks as i64, chunk as i64 + 1, seq]),
                groups: vec![entries.collect()],
                data: Vec::new(),
            };
            self.message(53, &whole, &mut packet);
            packets.push(packet);
        }
        packets
    }
}

fn assert_true(feed: &Mdp3Feed, keeper: &Keeper, venue: &Venue, books: Mdp3Books) -> usize {
    let refresh = feed.refresh();
    if refresh.has_hole() {
        return 1;
    }
    let seen = refresh.status().next_seq.saturating_sub(1) as usize;
    let mut flagged = 0;
    for id in (0..refresh.len()).map(|id| InstrumentId(id as u32)) {
        if refresh.integrity(id) != Integrity::Ok {
            flagged += 1;
            continue;
        }
        let security_id = refresh.security_id(id).expect("listed");
        let at = security_id as usize - 1;
        match books {
            Mdp3Books::ByPrice => {
                let rpt_seq = refresh.rpt_seq(id).expect("good");
                assert!(
                    rpt_seq >= venue.number_at[seen][at],
                    "behind at packet {seen}"
                );
                let empty = RankedBook::new(10);
                let truth = venue
                    .by_number
                    .get(&(security_id, rpt_seq))
                    .unwrap_or(&empty);
                let ours = refresh.ranked(id).expect("good");
                for side in [Side::Bid, Side::Ask] {
                    assert_eq!(
                        ours.levels(side),
                        truth.levels(side),
                        "{security_id} at {rpt_seq}"
                    );
                }
            }
            Mdp3Books::ByOrder => {
                // A snapshot may be ahead of packets that were lost and are not missed yet.
                let ours = &keeper.orders[id.0 as usize];
                let mut truths = venue.orders_at[seen..].iter();
                assert!(truths.any(|truth| truth[at] == *ours), "packet {seen}");
            }
        }
    }
    flagged
}

fn run(seed: u64, books: Mdp3Books, loss: f64) -> (u64, usize, Keeper) {
    let mut venue = Venue::new(seed);
    let schema = Arc::new(Schema::from_xml(XML).expect("our schema"));
    let config = Mdp3Config {
        books,
        ..Mdp3Config::default()
    };
    let mut feed = Mdp3Feed::new(schema, &config).expect("it has all");
    let (mut keeper, mut bursts, mut flagged) = (Keeper::default(), [0_u64; 2], 0);
    let mut rng = Rng::new(seed).fork(9);
    for step in 0..1_500_u64 {
        let now_ns = step * 1_000_000;
        let packet = venue.packet();
        // The last packets all come, so that recovery has something to end with.
        let is_calm = step > 1_400;
        let is_cut = (700..730).contains(&step);
        for (line, burst) in bursts.iter_mut().enumerate() {
            if rng.chance(loss / 40.0) {
                *burst = rng.range(1, 60);
            }
            let is_lost = *burst > 0 || is_cut || rng.chance(loss);
            *burst = burst.saturating_sub(1);
            if !is_lost || is_calm {
                feed.packet(line, now_ns, &packet, &mut keeper)
                    .expect("good");
            }
        }
        feed.tick(now_ns, &mut keeper);
        flagged += assert_true(&feed, &keeper, &venue, books);
        if step % 10 == 5 {
            for snapshot in venue.snapshots((step / 10 % INSTRUMENTS) as usize) {
                if is_calm || !rng.chance(loss) {
                    feed.packet(LINE_SNAPSHOT, now_ns, &snapshot, &mut keeper)
                        .expect("good");
                }
            }
            assert_true(&feed, &keeper, &venue, books);
        }
    }
    assert_eq!(
        assert_true(&feed, &keeper, &venue, books),
        0,
        "all are good again"
    );
    assert_eq!(feed.refresh().len(), INSTRUMENTS as usize);
    let check = feed.refresh().check();
    assert_eq!(check.checked, check.equal);
    assert!(check.checked > 0 || books == Mdp3Books::ByOrder);
    (feed.refresh().status().lost, flagged, keeper)
}

#[test]
fn books_survive_loss_on_both_lines() {
    for books in [Mdp3Books::ByPrice, Mdp3Books::ByOrder] {
        let (lost, _, keeper) = run(1, books, 0.0);
        assert_eq!(lost, 30, "the cut alone");
        assert!(keeper.trades > 100);
        for seed in 2..5 {
            let (lost, flagged, keeper) = run(seed, books, 0.08);
            assert!(lost > 30, "{lost} lost");
            assert!(flagged > 30 && keeper.flagged > 4, "{flagged} flagged");
        }
    }
}

#[test]
fn definitions_states_and_resets_are_read() {
    let mut venue = Venue::new(7);
    let schema = Arc::new(Schema::from_xml(XML).expect("our schema"));
    let mut feed = Mdp3Feed::new(schema, &Mdp3Config::default()).expect("it has all");
    let mut keeper = Keeper::default();
    let packet = venue.packet();
    feed.packet(0, 1, &packet, &mut keeper).expect("good");
    let mut definition = OwnedBlock::fill(&venue.schema, 54, &mut || 1).expect("there");
    definition.fields[5] = b"ESU6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"
        .iter()
        .map(|byte| Some(u64::from(*byte)))
        .collect();
    definition.fields[6] = vec![Some(3)];
    let currency = b"USD".iter().map(|byte| Some(u64::from(*byte)));
    definition.fields[10] = currency.collect();
    definition.fields[11] = vec![Some(250_000_000)];
    let mut other = Vec::new();
    wire::mdp3::begin(&mut other, 1, 1);
    venue.message(54, &definition, &mut other);
    feed.packet(LINE_SNAPSHOT, 2, &other, &mut keeper)
        .expect("good");
    assert_eq!(keeper.names, [(3, "ESU6".to_string())]);
    let terms = Terms {
        tick_size: Some(Price(250_000_000)),
        currency: Some(*b"USD "),
        ..Terms::default()
    };
    assert_eq!(keeper.terms, [(3, terms)]);

    keeper.said.clear();
    let mut state = OwnedBlock::fill(&venue.schema, 30, &mut || 1).expect("there");
    state.fields[3] = vec![Some(3)];
    state.fields[6] = vec![Some(2)];
    let mut halt = Vec::new();
    wire::mdp3::begin(&mut halt, 2, 1);
    venue.message(30, &state, &mut halt);
    feed.packet(1, 3, &halt, &mut keeper).expect("good");
    let reason = *b"002 ";
    assert_eq!(
        keeper.said,
        [Event::State {
            state: TradingState::Halted,
            reason
        }]
    );

    let reset = OwnedBlock {
        fields: bits(&[1, 0]),
        groups: vec![Vec::new()],
        data: Vec::new(),
    };
    let mut packet = Vec::new();
    wire::mdp3::begin(&mut packet, 3, 1);
    venue.message(4, &reset, &mut packet);
    keeper.said.clear();
    feed.packet(0, 4, &packet, &mut keeper).expect("good");
    assert!(keeper.said.iter().all(|event| *event == Event::Clear) && !keeper.said.is_empty());
    assert!(
        (0..feed.refresh().len())
            .all(|id| feed.refresh().integrity(InstrumentId(id as u32)) == Integrity::Ok)
    );

    assert_eq!(
        feed.packet(0, 5, &[1, 2], &mut keeper),
        Err(Mdp3Fault::Packet(wire::mdp3::Error::Short { have: 2 }))
    );
    let old = Schema::from_xml(&XML.replace("id=\"53\"", "id=\"99\"")).expect("good");
    let fault = Mdp3Feed::new(old.into(), &Mdp3Config::default()).err();
    assert_eq!(fault, Some(LayoutFault::Message(53)));
}
