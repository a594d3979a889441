use std::collections::HashMap;

use market::event::{Instrument, InstrumentId, Price, Qty, Stamp, TradingState};
use market::publish::{BookTop, FeedStatus, Integrity, Level, TOP_LEVELS, TradePrint};
use proptest::prelude::*;

use super::*;

pub(crate) fn print(id: u32, seq: u64) -> Frame {
    Frame::Trade(TradePrint {
        instrument: InstrumentId(id),
        stamp: Stamp {
            seq,
            ..Stamp::default()
        },
        price: Price(1),
        qty: Qty(1),
        aggressor: None,
        cross: false,
        match_id: seq,
        integrity: Integrity::Ok,
    })
}

pub(crate) fn book(id: u32, seq: u64) -> Frame {
    Frame::Book(BookTop {
        instrument: InstrumentId(id),
        stamp: Stamp {
            seq,
            ..Stamp::default()
        },
        bids: [Level::default(); TOP_LEVELS],
        asks: [Level::default(); TOP_LEVELS],
        bid_count: 0,
        ask_count: 0,
        locked: false,
        crossed: false,
        integrity: Integrity::Ok,
        state: TradingState::Trading,
        last: None,
    })
}

pub(crate) fn name(id: u32) -> Frame {
    Frame::Instrument(Instrument::new(InstrumentId(id), &format!("S{id}"), 0, 2))
}

fn drain(queue: &mut Queue) -> Vec<Laned> {
    std::iter::from_fn(|| queue.pop()).collect()
}

#[test]
fn a_book_is_replaced_by_a_newer_one_and_prints_are_kept() {
    let mut queue = Queue::new(SlowPolicy::Conflate, 8);
    for seq in 1..=3 {
        queue.push(0, &book(7, seq));
        queue.push(0, &print(7, seq));
    }
    queue.push(1, &book(7, 9));
    let want = vec![
        (0, book(7, 3)),
        (0, print(7, 1)),
        (0, print(7, 2)),
        (0, print(7, 3)),
        (1, book(7, 9)),
    ];
    assert_eq!(drain(&mut queue), want);
    assert_eq!(queue.counts.conflated, 2);
}

#[test]
fn the_newest_prints_beyond_the_bound_are_marked_where_they_are_missing() {
    let mut queue = Queue::new(SlowPolicy::Conflate, 3);
    (1..=5).for_each(|seq| queue.push(0, &print(0, seq)));
    assert_eq!(
        (queue.pop(), queue.pop()),
        (Some((0, print(0, 1))), Some((0, print(0, 2))))
    );
    queue.push(0, &print(0, 6));
    let mark = Frame::Dropped { count: 2 };
    let want = vec![(0, print(0, 3)), (0, mark), (0, print(0, 6))];
    assert_eq!(drain(&mut queue), want);
    assert_eq!((queue.counts.dropped, queue.counts.sent), (2, 5));
}

#[test]
fn the_oldest_go_but_no_name_does() {
    let mut queue = Queue::new(SlowPolicy::DropWithMark, 3);
    queue.push(0, &name(4));
    (1..=4).for_each(|seq| queue.push(0, &print(4, seq)));
    queue.push(1, &print(0, 7));
    let mark = Frame::Dropped { count: 2 };
    let want = vec![
        (0, name(4)),
        (0, mark),
        (0, print(4, 3)),
        (0, print(4, 4)),
        (1, print(0, 7)),
    ];
    assert_eq!(drain(&mut queue), want);
    assert_eq!(queue.counts.dropped, 2);
}

#[test]
fn a_lost_mark_stands_for_what_it_marked() {
    let mut queue = Queue::new(SlowPolicy::DropWithMark, 2);
    queue.push(0, &Frame::Dropped { count: 40 });
    (1..=3).for_each(|seq| queue.push(0, &print(0, seq)));
    assert_eq!(queue.pop(), Some((0, Frame::Dropped { count: 41 })));
    assert_eq!(
        queue.counts.dropped, 1,
        "only what this outlet itself lost is its own"
    );
}

#[test]
fn blocking_holds_twice_as_much_before_it_drops() {
    let mut queue = Queue::new(SlowPolicy::Block, 4);
    (0..8).for_each(|seq| queue.push(0, &print(0, seq)));
    assert!(queue.is_full() && queue.counts.dropped == 0);
    queue.push(0, &print(0, 8));
    assert_eq!(queue.counts.dropped, 1);
    let popped = (0..7).filter_map(|_| queue.pop()).count();
    assert_eq!(popped, 7);
    assert!(queue.is_half_free());
}

#[derive(Clone, Debug)]
enum Step {
    Push(usize, Box<Frame>),
    Pop,
}

fn step() -> impl Strategy<Value = Step> {
    let frame = (0u32..4, 1u64..1_000, 0usize..4).prop_map(|(id, seq, kind)| match kind {
        0 => book(id, seq),
        1 => Frame::Feed(FeedStatus {
            next_seq: seq,
            ..FeedStatus::default()
        }),
        _ => print(id, seq),
    });
    prop_oneof![
        3 => (0usize..2, frame).prop_map(|(lane, frame)| Step::Push(lane, Box::new(frame))),
        1 => Just(Step::Pop),
    ]
}

fn key(lane: usize, frame: &Frame) -> String {
    match frame {
        Frame::Book(book) => format!("{lane} book {}", book.instrument.0),
        _ => format!("{lane} feed"),
    }
}

proptest! {
    /// Against the plain account of what must have come out: every print is there in order or in a
    /// mark, in its lane; the last state of each key that came out is the last that went in; the
    /// number of waiting frames keeps its bound.
    #[test]
    fn nothing_is_lost_in_silence(
        policy in prop_oneof![
            Just(SlowPolicy::Conflate), Just(SlowPolicy::DropWithMark), Just(SlowPolicy::Block)
        ],
        capacity in 2usize..9,
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut queue = Queue::new(policy, capacity);
        let (mut pushed, mut popped) = (Vec::new(), Vec::new());
        for step in steps {
            match step {
                Step::Push(lane, frame) => {
                    queue.push(lane, &frame);
                    pushed.push((lane, *frame));
                }
                Step::Pop => popped.extend(queue.pop()),
            }
            prop_assert!(queue.len() <= 2 * capacity + 10);
        }
        popped.extend(drain(&mut queue));
        for lane in 0..2 {
            let counted = |all: &[Laned]| -> u64 {
                all.iter().filter(|(of, _)| *of == lane).map(|(_, frame)| match frame {
                    Frame::Dropped { count } => *count,
                    Frame::Trade(_) => 1,
                    _ => u64::from(policy != SlowPolicy::Conflate),
                }).sum()
            };
            prop_assert_eq!(counted(&pushed), counted(&popped));
        }
        let prints = |all: &[Laned]| -> Vec<Laned> {
            all.iter().filter(|(_, f)| matches!(f, Frame::Trade(_))).copied().collect()
        };
        let mut source = prints(&pushed).into_iter();
        for print in prints(&popped) {
            prop_assert!(source.any(|pushed| pushed == print), "out of order or invented");
        }
        if policy == SlowPolicy::Conflate {
            let newest = |all: &[Laned]| -> HashMap<String, Frame> {
                let states = all.iter().filter(|(_, f)| Key::of(0, f).is_some());
                states.map(|(lane, f)| (key(*lane, f), *f)).collect()
            };
            prop_assert_eq!(newest(&pushed), newest(&popped));
        }
    }
}
