//! Arbitration, doubt and recovery on small streams; the captures are in `tests/golden_fast.rs`.

use super::*;

/// Keeps everything that a feed says.
#[derive(Default)]
struct Said {
    text: Vec<String>,
}

impl Said {
    fn take(&mut self) -> String {
        std::mem::take(&mut self.text).join(", ")
    }
}

impl Handler for Said {
    fn listed(&mut self, id: InstrumentId, security_id: u64) {
        self.text.push(format!("{} is {security_id}", id.0));
    }
    fn event(&mut self, id: InstrumentId, stamp: Stamp, event: &Event) {
        self.text.push(match event {
            Event::Level { price, qty, .. } => {
                format!("{}@{}: {}x{}", id.0, stamp.seq, qty.0, price.0)
            }
            Event::Clear => format!("{} clear", id.0),
            Event::Add { order_id, .. } => format!("{} order {}", id.0, order_id.0),
            other => format!("{} {other:?}", id.0),
        });
    }
    fn integrity(&mut self, id: InstrumentId, integrity: Integrity) {
        self.text.push(format!("{} {integrity:?}", id.0));
    }
    fn restarted(&mut self) {
        self.text.push("restart".to_string());
    }
}

fn level(rank: Rank, price: i64, qty: u64) -> Change {
    Change::Rank {
        action: Action::New,
        side: Side::Bid,
        rank,
        price: Price(price),
        qty: Qty(qty),
    }
}

fn entry(security_id: u64, rpt_seq: u64, change: Change) -> Entry {
    Entry {
        security_id,
        rpt_seq: Some(rpt_seq),
        ts_event: 0,
        change,
    }
}

fn snapshot(security_id: u64, rpt_seq: u64, last_seq: u64, changes: &[Change]) -> Snapshot<'_> {
    Snapshot {
        security_id,
        rpt_seq: Some(rpt_seq),
        last_seq,
        ts_event: 0,
        depth: Some(2),
        changes,
    }
}

/// A feed with instrument 7 (our 0) in step at its number 10 and channel sequence 100.
fn joined() -> (RefreshFeed, Said) {
    let mut feed = RefreshFeed::new(RefreshConfig {
        held_messages: 8,
        waiting_entries: 4,
        far_ahead: 1_000,
        ..RefreshConfig::default()
    });
    let mut said = Said::default();
    feed.message(0, 100, 1, &[], &mut said);
    feed.snapshot(2, &snapshot(7, 10, 100, &[level(1, 50, 5)]), &mut said);
    assert_eq!(
        said.take(),
        "0 is 7, 0 Recovering, 0 clear, 0@100: 5x50, 0 Ok"
    );
    (feed, said)
}

#[test]
fn the_first_arrival_wins_and_holes_wait_for_the_other_line() {
    let (mut feed, mut said) = joined();
    feed.message(0, 102, 10, &[entry(7, 12, level(1, 52, 1))], &mut said);
    assert!(feed.has_hole());
    assert_eq!(said.take(), "");
    feed.message(1, 101, 11, &[entry(7, 11, level(1, 51, 1))], &mut said);
    feed.message(1, 102, 12, &[entry(7, 12, level(1, 52, 1))], &mut said);
    // Depth is two: the third level is gone without a word from the venue.
    assert_eq!(said.take(), "0@101: 1x51, 0@102: 1x52, 0@102: 0x50");
    assert!(!feed.has_hole());
    let status = feed.status();
    assert_eq!((status.next_seq, status.gaps, status.lost), (103, 1, 0));
    assert_eq!((status.lines[0].wins, status.lines[1].wins), (2, 1));
    assert_eq!(status.lines[1].duplicates, 1);
}

/// A reader that is behind takes much of one line at a time: times that this line shows say nothing
/// of what waits in the other's socket.
#[test]
fn a_line_alone_gives_no_hole_up() {
    let (mut feed, mut said) = joined();
    for (seq, at) in [(102, 10), (103, 5_000_000), (104, 9_000_000)] {
        let rpt_seq = u32::try_from(seq).expect("small") - 90;
        feed.message(
            0,
            seq,
            at,
            &[entry(7, rpt_seq.into(), level(1, 51, 1))],
            &mut said,
        );
    }
    assert!(feed.has_hole());
    feed.message(1, 101, 5, &[entry(7, 11, level(1, 51, 1))], &mut said);
    assert!(!feed.has_hole());
    let status = feed.status();
    assert_eq!((status.next_seq, status.gaps, status.lost), (105, 1, 0));
}

#[test]
fn a_hole_that_stays_puts_everyone_in_doubt_until_it_is_disproved() {
    let (mut feed, mut said) = joined();
    feed.snapshot(2, &snapshot(8, 3, 100, &[]), &mut said);
    assert_eq!(said.take(), "1 is 8, 1 Recovering, 1 clear, 1 Ok");
    feed.message(0, 105, 10, &[entry(7, 11, level(1, 51, 1))], &mut said);
    feed.tick(10 + 2_000_000, &mut said);
    // Its next number proves that instrument 7 missed nothing; 8 stays in doubt.
    assert_eq!(said.take(), "0 Recovering, 1 Recovering, 0@105: 1x51, 0 Ok");
    assert_eq!(feed.status().lost, 4);
    feed.snapshot(2_000_020, &snapshot(8, 3, 103, &[]), &mut said);
    assert_eq!(said.take(), "", "older than the hole's end: no proof");
    feed.snapshot(2_000_030, &snapshot(8, 3, 104, &[]), &mut said);
    assert_eq!(said.take(), "1 Ok");
    assert!(!feed.needs_snapshots());
}

#[test]
fn what_came_meanwhile_goes_on_top_of_the_snapshot() {
    let (mut feed, mut said) = joined();
    feed.message(0, 101, 10, &[entry(7, 12, level(1, 52, 1))], &mut said);
    feed.message(0, 102, 11, &[entry(7, 13, level(2, 49, 9))], &mut said);
    assert_eq!(said.take(), "0 Recovering");
    feed.snapshot(12, &snapshot(7, 10, 100, &[level(1, 50, 5)]), &mut said);
    assert_eq!(said.take(), "", "the number that is missing is not in it");
    feed.snapshot(
        13,
        &snapshot(7, 12, 101, &[level(1, 52, 1), level(2, 51, 1)]),
        &mut said,
    );
    let want = "0 clear, 0@101: 1x52, 0@101: 1x51, 0@102: 9x49, 0@102: 0x51, 0 Ok";
    assert_eq!(said.take(), want);
    assert_eq!(feed.rpt_seq(InstrumentId(0)), Some(13));
}

/// More waits than there is room for: the oldest are gone, so a snapshot before them does not help.
#[test]
fn too_much_waiting_wants_a_later_snapshot() {
    let (mut feed, mut said) = joined();
    for n in 0..6 {
        feed.message(
            0,
            101 + n,
            10,
            &[entry(7, 12 + n, level(1, 60, 1))],
            &mut said,
        );
    }
    feed.snapshot(13, &snapshot(7, 12, 101, &[]), &mut said);
    assert_eq!(feed.integrity(InstrumentId(0)), Integrity::Recovering);
    feed.snapshot(14, &snapshot(7, 15, 104, &[]), &mut said);
    assert_eq!(feed.integrity(InstrumentId(0)), Integrity::Ok);
    assert_eq!(feed.rpt_seq(InstrumentId(0)), Some(17));
}

#[test]
fn an_instrument_that_nothing_mends_is_stale_after_a_while() {
    let (mut feed, mut said) = joined();
    feed.message(0, 101, 10, &[entry(7, 12, level(1, 52, 1))], &mut said);
    feed.tick(10 + 29_999_999_999, &mut said);
    assert_eq!(said.take(), "0 Recovering");
    feed.tick(10 + 30_000_000_000, &mut said);
    assert_eq!(said.take(), "0 Stale");
    feed.snapshot(40_000_000_000, &snapshot(7, 12, 101, &[]), &mut said);
    assert_eq!(said.take(), "0 clear, 0 Ok");
}

/// A snapshot that differs from a book in step replaces it, and is counted.
#[test]
fn a_snapshot_that_differs_is_believed_and_counted() {
    let (mut feed, mut said) = joined();
    feed.snapshot(3, &snapshot(7, 10, 100, &[level(1, 50, 5)]), &mut said);
    feed.snapshot(4, &snapshot(7, 10, 100, &[level(1, 50, 6)]), &mut said);
    assert_eq!(
        feed.check(),
        SnapshotCheck {
            checked: 2,
            equal: 1
        }
    );
    assert_eq!(said.take(), "0 clear, 0@100: 6x50");
}

/// A rank that the book does not have: venue and we disagree, only a snapshot helps.
#[test]
fn an_impossible_rank_voids_the_book() {
    let (mut feed, mut said) = joined();
    let change = Change::Rank {
        action: Action::Delete,
        side: Side::Ask,
        rank: 1,
        price: Price(0),
        qty: Qty(0),
    };
    feed.message(0, 101, 10, &[entry(7, 11, change)], &mut said);
    assert_eq!(said.take(), "0 Recovering");
    feed.snapshot(11, &snapshot(7, 11, 101, &[level(1, 50, 5)]), &mut said);
    assert_eq!(said.take(), "0 clear, 0@101: 5x50, 0 Ok");
}

#[test]
fn restarts_are_taken_when_said_and_when_they_show() {
    let (mut feed, mut said) = joined();
    feed.restart(1, &mut said);
    assert_eq!(said.take(), "restart, 0 clear, 0 Recovering, 0 Recovering");
    feed.message(0, 1, 20, &[entry(7, 1, level(1, 50, 5))], &mut said);
    assert_eq!(said.take(), "0@1: 5x50, 0 Ok");

    let (mut feed, mut said) = joined();
    let quiet = 10_000_000_001;
    for (n, want) in [
        (1, ""),
        (2, ""),
        (3, "restart, 0 clear, 0 Recovering, 0 Recovering"),
    ] {
        feed.message(0, n, quiet + n, &[], &mut said);
        assert_eq!(said.take(), want, "message {n}");
    }
    assert_eq!(feed.status().next_seq, 4);
}

#[test]
fn one_number_far_ahead_is_not_believed() {
    let (mut feed, mut said) = joined();
    feed.message(0, 50_000, 10, &[], &mut said);
    assert_eq!((feed.status().rejected, feed.status().next_seq), (1, 101));
    feed.message(0, 101, 11, &[entry(7, 11, level(1, 51, 1))], &mut said);
    assert_eq!(said.take(), "0@101: 1x51");
    feed.message(0, 60_000, 12, &[], &mut said);
    feed.message(1, 60_001, 13, &[], &mut said);
    feed.tick(10_000_000, &mut said);
    assert_eq!(feed.status().next_seq, 60_002);
}

/// Books by order have no number of their own: in doubt, events are applied and kept as well, and go
/// on top of the snapshot that is beyond the hole.
#[test]
fn books_by_order_are_proven_by_the_channel_alone() {
    let mut feed = RefreshFeed::new(RefreshConfig::default());
    let mut said = Said::default();
    let add = |id: u64| {
        Change::Event(Event::Add {
            order_id: crate::event::OrderId(id),
            side: Side::Bid,
            price: Price(1),
            qty: Qty(1),
        })
    };
    let by_order = |change| Entry {
        rpt_seq: None,
        ..entry(7, 0, change)
    };
    fn whole(last_seq: u64, changes: &[Change]) -> Snapshot<'_> {
        Snapshot {
            rpt_seq: None,
            ..snapshot(7, 0, last_seq, changes)
        }
    }
    feed.message(0, 10, 1, &[by_order(add(1))], &mut said);
    feed.snapshot(2, &whole(9, &[add(90)]), &mut said);
    let want = "0 is 7, 0 Recovering, 0 clear, 0 order 90, 0 order 1, 0 Ok";
    assert_eq!(said.take(), want);
    feed.message(0, 12, 3, &[by_order(add(2))], &mut said);
    feed.tick(10_000_000, &mut said);
    assert_eq!(said.take(), "0 Recovering, 0 order 2");
    feed.snapshot(
        10_000_001,
        &whole(11, &[add(90), add(1), add(91)]),
        &mut said,
    );
    assert_eq!(
        said.take(),
        "0 clear, 0 order 90, 0 order 1, 0 order 91, 0 order 2, 0 Ok"
    );
}
