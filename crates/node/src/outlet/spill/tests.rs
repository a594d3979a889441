//! The spilling outlet against a plain unbounded queue; the thread's step is called by hand, so that every order
//! of publisher, thread and reader can be tried.

use std::collections::BTreeMap;

use market::event::{Instrument, InstrumentId, Price, Qty, Stamp};
use market::publish::{Integrity, TradePrint, VenueStatus};
use proptest::prelude::*;

use super::*;

fn name(id: u32) -> Frame {
    Frame::Instrument(Instrument::new(InstrumentId(id), &format!("S{id}"), 0, 2))
}

fn print(seq: u64) -> Frame {
    Frame::Trade(TradePrint {
        instrument: InstrumentId(0),
        stamp: Stamp {
            seq,
            ts_event: seq,
            ts_recv: seq,
        },
        price: Price(100),
        qty: Qty(1),
        aggressor: None,
        cross: false,
        match_id: seq,
        integrity: Integrity::Ok,
    })
}

fn venue(seq: u64) -> Frame {
    let mut status = VenueStatus::default();
    status.stamp.seq = seq;
    Frame::Venue(status)
}

/// An outlet whose thread does nothing by itself.
struct Rig {
    shared: Arc<Shared>,
    _dir: tempfile::TempDir,
}

impl Rig {
    fn new(capacity: usize, limit: u64) -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let (spill, left) = Spill::open(dir.path(), limit).expect("a folder");
        assert_eq!(left, 0);
        Self {
            shared: Arc::new(Shared::spilling(capacity, spill)),
            _dir: dir,
        }
    }

    fn spill(&self) -> &Spill {
        self.shared.spill.as_ref().expect("it spills")
    }

    fn shift(&self) {
        self.spill().shift(&self.shared, &mut Vec::new());
    }

    fn take(&self, limit: usize) -> Vec<Laned> {
        let mut frames = Vec::new();
        self.spill().take(&self.shared, limit, &mut frames);
        frames
    }

    fn waiting(&self) -> usize {
        self.shared.waiting(&self.shared.lock())
    }

    fn totals(&self) -> super::super::OutletTotals {
        self.shared.totals(&self.shared.lock())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Publish(usize, usize),
    Shift,
    Take(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        3 => (0usize..2, 1usize..6).prop_map(|(lane, count)| Step::Publish(lane, count)),
        1 => Just(Step::Shift),
        2 => (1usize..8).prop_map(Step::Take),
    ];
    prop::collection::vec(step, 0..120)
}

/// Runs the steps; what was published and what was taken.
fn play(rig: &Rig, steps: &[Step]) -> (Vec<Laned>, Vec<Laned>) {
    let (mut published, mut taken, mut seq) = (Vec::new(), Vec::new(), 0);
    for step in steps {
        match *step {
            Step::Publish(lane, count) => {
                let frames: Vec<Frame> = (seq..seq + count as u64).map(print).collect();
                seq += count as u64;
                rig.shared.push(lane, &frames);
                published.extend(frames.into_iter().map(|frame| (lane, frame)));
            }
            Step::Shift => rig.shift(),
            Step::Take(limit) => taken.extend(rig.take(limit)),
        }
    }
    while rig.waiting() > 0 {
        let more = rig.take(7);
        assert!(!more.is_empty(), "waits, and does not come");
        taken.extend(more);
    }
    (published, taken)
}

proptest! {
    /// With room enough it is an unbounded queue: the same frames in the same order, nothing dropped.
    #[test]
    fn it_is_an_unbounded_queue_while_there_is_room(steps in steps()) {
        let rig = Rig::new(100_000, 1 << 24);
        let (published, taken) = play(&rig, &steps);
        prop_assert_eq!(taken, published);
        prop_assert_eq!(rig.totals().dropped, 0);
    }

    /// Beyond the limits of memory and disk: in order, each frame is there or in a mark of its lane, and
    /// the counters say the same.
    #[test]
    fn beyond_the_limits_nothing_is_lost_in_silence(
        steps in steps(), capacity in 2usize..20, limit in 100u64..3_000,
    ) {
        let rig = Rig::new(capacity, limit);
        let (published, taken) = play(&rig, &steps);
        let mut told: BTreeMap<usize, u64> = BTreeMap::new();
        let mut rest = published.iter();
        let mut dropped = 0;
        for (lane, frame) in &taken {
            match frame {
                Frame::Dropped { count } => {
                    *told.entry(*lane).or_default() += count;
                    dropped += count;
                }
                _ => {
                    *told.entry(*lane).or_default() += 1;
                    prop_assert!(rest.any(|of| of == &(*lane, *frame)), "out of order or invented");
                }
            }
        }
        for lane in 0..2 {
            let count = published.iter().filter(|(of, _)| *of == lane).count() as u64;
            prop_assert_eq!(told.get(&lane).copied().unwrap_or(0), count);
        }
        prop_assert_eq!(rig.totals().dropped, dropped);
        prop_assert_eq!(rig.totals().sent, taken.len() as u64);
    }
}

#[test]
fn a_name_outlives_a_full_disk() {
    let rig = Rig::new(100, 150);
    rig.shared
        .push(0, &[print(1), print(2), print(3), name(4), print(5)]);
    rig.shift();
    let taken = rig.take(100);
    assert_eq!(taken[..2], [(0, print(1)), (0, print(2))]);
    assert_eq!(taken[2..], [(0, name(4)), (0, Frame::Dropped { count: 2 })]);
}

#[test]
fn states_that_the_file_does_not_carry_come_as_their_newest() {
    let rig = Rig::new(100, 1 << 20);
    rig.shared.push(0, &[venue(1), print(2), venue(3)]);
    rig.shift();
    rig.shared.push(0, &[print(4)]);
    let taken = rig.take(100);
    assert_eq!(taken, [(0, print(2)), (0, venue(3)), (0, print(4))]);
    assert_eq!(rig.waiting(), 0);
}

#[test]
fn a_disk_that_refuses_is_told_and_costs_marks() {
    let rig = Rig::new(100, 1 << 20);
    // The folder vanishes under it: new segments cannot be made.
    std::fs::remove_dir_all(rig._dir.path()).expect("removed");
    rig.shared.push(0, &[print(1), print(2)]);
    rig.shift();
    let trouble = rig.shared.lock().spill_trouble.clone();
    assert!(trouble.is_some_and(|why| why.contains("cannot spill")));
    assert_eq!(rig.take(9), [(0, Frame::Dropped { count: 2 })]);
    assert_eq!(rig.totals().dropped, 2);
}
