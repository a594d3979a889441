//! The feed as a state machine: what is delivered, when, and what is asked for.

use proptest::prelude::*;
use wire::moldudp64::{PacketWriter, end_of_session, heartbeat};

use super::*;

const A: usize = 0;
const B: usize = 1;
const S1: [u8; 10] = *b"SESSION001";
const S2: [u8; 10] = *b"SESSION002";
const MS: u64 = 1_000_000;

#[derive(Default)]
struct Log {
    seqs: Vec<u64>,
    notes: Vec<Note>,
}

impl Handler for Log {
    fn message(&mut self, seq: u64, _: u64, _: usize, bytes: &[u8]) {
        assert_eq!(bytes, seq.to_be_bytes(), "message {seq} has its own bytes");
        self.seqs.push(seq);
    }
    fn note(&mut self, note: Note) {
        self.notes.push(note);
    }
}

/// Messages `[from, to)`, each of which says its number.
fn data(session: [u8; 10], from: u64, to: u64) -> Vec<u8> {
    let mut buffer = vec![0; 2_000];
    let mut writer = PacketWriter::new(&mut buffer, session, from);
    for seq in from..to {
        assert!(writer.push(&seq.to_be_bytes()));
    }
    writer.finish().to_vec()
}

fn config() -> MoldConfig {
    MoldConfig {
        gap_wait_ns: 2 * MS,
        retransmit_timeout_ns: 10 * MS,
        retransmit_tries: 3,
        retransmit_chunk: 4,
        retransmit_in_flight: 8,
        reorder_packets: 8,
        packet_bytes_limit: 1_500,
        refute_ns: 50 * MS,
        ..MoldConfig::default()
    }
}

struct Bench {
    feed: MoldFeed,
    log: Log,
}

impl Bench {
    fn new(config: MoldConfig) -> Self {
        Self {
            feed: MoldFeed::new(config),
            log: Log::default(),
        }
    }

    fn data(&mut self, line: usize, ms: u64, from: u64, to: u64) {
        self.raw(line, ms, &data(S1, from, to))
            .expect("a good packet");
    }

    fn raw(&mut self, line: usize, ms: u64, bytes: &[u8]) -> Result<(), PacketFault> {
        self.feed.packet(line, ms * MS, bytes, &mut self.log)
    }

    fn tick(&mut self, ms: u64) {
        self.feed.tick(ms * MS, &mut self.log);
    }

    fn requests(&mut self) -> Vec<(u64, u16)> {
        let next = || self.feed.next_request().map(|r| (r.seq, r.count));
        std::iter::from_fn(next).collect()
    }
}

#[test]
fn the_first_arrival_wins_and_the_other_line_fills_holes() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 4);
    bench.data(B, 1, 1, 4);
    bench.data(A, 2, 6, 8);
    assert_eq!(bench.feed.status().state, FeedState::Recovering);
    bench.data(B, 3, 4, 6);
    bench.data(B, 3, 6, 8);
    assert_eq!(bench.log.seqs, [1, 2, 3, 4, 5, 6, 7]);
    let expected = [Note::Joined { seq: 1 }, Note::GapOpened, Note::GapClosed];
    assert_eq!(bench.log.notes, expected);
    let status = bench.feed.status();
    let [a, b] = status.lines;
    assert_eq!((a.wins, a.duplicates, a.missed), (5, 0, 2));
    assert_eq!((b.wins, b.duplicates, b.missed), (2, 5, 0));
    assert_eq!((status.gaps, status.requested, status.lost), (1, 0, 0));
    assert_eq!(bench.requests(), []);
}

#[test]
fn a_hole_is_asked_for_in_chunks_after_the_wait_and_again_on_time_out() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 3);
    bench.data(A, 1, 9, 10);
    bench.tick(2);
    assert_eq!(bench.requests(), []);
    bench.tick(4);
    assert_eq!(bench.requests(), [(3, 4), (7, 2)]);
    bench.tick(8);
    assert_eq!(bench.requests(), []);
    bench.tick(14);
    assert_eq!(bench.requests(), [(3, 4), (7, 2)]);
    // The server answers the first request in part: only the rest is asked for again.
    bench.data(LINE_RECOVERY, 15, 3, 5);
    bench.data(LINE_RECOVERY, 15, 7, 9);
    assert_eq!(bench.log.seqs, [1, 2, 3, 4]);
    bench.tick(16);
    bench.tick(17);
    assert_eq!(bench.requests(), [(5, 2)]);
    bench.data(LINE_RECOVERY, 26, 5, 7);
    assert_eq!(bench.log.seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    let status = bench.feed.status();
    assert_eq!((status.requested, status.recovered, status.lost), (6, 6, 0));
    assert_eq!(status.state, FeedState::Live);
}

#[test]
fn a_silent_server_means_loss_told_before_what_follows() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 3);
    bench.data(A, 1, 5, 6);
    bench.data(B, 2, 5, 6);
    let mut asked = 0;
    for ms in 2..90 {
        bench.tick(ms);
        asked += bench.requests().len();
    }
    assert_eq!(asked, 3);
    assert_eq!(bench.log.seqs, [1, 2, 5]);
    let told = [
        Note::GapAged,
        Note::Lost { from: 3, to: 5 },
        Note::GapClosed,
    ];
    assert_eq!(bench.log.notes[2..], told);
    assert_eq!(bench.feed.status().lost, 2);
}

#[test]
fn without_a_server_the_wait_is_all() {
    let mut bench = Bench::new(MoldConfig {
        has_retransmit: false,
        ..config()
    });
    // Joined in the middle: what came before is not asked for.
    bench.data(A, 1, 100, 102);
    assert_eq!(bench.log.notes, [Note::Joined { seq: 100 }]);
    bench.data(A, 1, 104, 105);
    bench.tick(4);
    // One packet alone may be anyone's: a second says that there is more.
    assert_eq!(bench.log.seqs, [100, 101]);
    bench.data(B, 4, 104, 105);
    bench.tick(5);
    assert_eq!(bench.log.seqs, [100, 101, 104]);
    assert_eq!(bench.feed.status().lost, 2);
}

/// The lane is behind: line A is read to a late time before line B, which came at the same times.
#[test]
fn what_waits_unread_in_the_other_line_is_not_given_up() {
    let config = MoldConfig {
        has_retransmit: false,
        ..config()
    };
    let mut bench = Bench::new(config);
    bench.data(A, 1, 1, 3);
    bench.data(A, 3, 4, 5);
    for seq in 5..10 {
        bench.data(A, 100 * seq, seq, seq + 1);
    }
    assert_eq!(bench.log.seqs, [1, 2]);
    bench.tick(1);
    bench.data(B, 2, 3, 4);
    assert_eq!(bench.log.seqs, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
    assert_eq!(bench.feed.status().lost, 0);
}

#[test]
fn joining_late_asks_for_the_start_or_for_what_is_wanted() {
    for (join_from, first) in [(None, 1), (Some(5), 5)] {
        let mut bench = Bench::new(MoldConfig {
            join_from,
            ..config()
        });
        bench.data(A, 1, 9, 10);
        bench.tick(4);
        assert_eq!(bench.requests()[0], (first, 4));
        assert_eq!(bench.log.notes[0], Note::Joined { seq: first });
        (first..9).for_each(|seq| bench.data(LINE_RECOVERY, 5, seq, seq + 1));
        assert_eq!(bench.log.seqs, (first..10).collect::<Vec<_>>());
    }
}

#[test]
fn heartbeats_reveal_a_lost_tail_and_the_end_waits_for_it() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 3);
    bench.raw(A, 2, &heartbeat(S1, 3)).expect("good");
    assert_eq!(bench.feed.status().state, FeedState::Live);
    bench.raw(B, 3, &end_of_session(S1, 5)).expect("good");
    assert_eq!(bench.feed.status().state, FeedState::Recovering);
    bench.data(LINE_RECOVERY, 4, 3, 5);
    assert_eq!(bench.feed.status().state, FeedState::Ended);
    assert_eq!(bench.log.notes.last(), Some(&Note::Ended));
}

#[test]
fn a_new_session_starts_again_and_a_stray_packet_does_not() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 3);
    let stray = data(S2, 77, 78);
    for ms in 2..1_500 {
        // Neither a stray number nor a fresh start takes over a session that lives.
        assert_eq!(bench.raw(A, ms, &stray), Err(PacketFault::WrongSession));
        let fresh = data(S2, 1, 3);
        assert_eq!(bench.raw(A, ms, &fresh), Err(PacketFault::WrongSession));
        if ms % 500 == 0 {
            bench.raw(B, ms, &heartbeat(S1, 3)).expect("good");
        }
    }
    bench.data(A, 1_500, 3, 4);
    assert_eq!(
        bench.raw(A, 3_499, &data(S2, 1, 3)),
        Err(PacketFault::WrongSession)
    );
    assert_eq!(bench.raw(A, 3_500, &data(S2, 1, 3)), Ok(()));
    assert_eq!(bench.log.seqs, [1, 2, 3, 1, 2]);
    assert!(bench.log.notes.contains(&Note::Reset));
    assert_eq!(bench.feed.session(), Some(S2));
    // What is left of the old session is refused.
    assert_eq!(
        bench.raw(B, 3_501, &data(S1, 3, 4)),
        Err(PacketFault::WrongSession)
    );
}

#[test]
fn a_wild_number_needs_a_second_packet_that_agrees() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 3);
    assert_eq!(
        bench.raw(A, 2, &data(S1, u64::MAX - 9, u64::MAX - 8)),
        Err(PacketFault::FarAhead)
    );
    bench.data(A, 2, 3, 4);
    let far = FAR_AHEAD * 5;
    for ms in [2, 3, 2_001] {
        // Two that agree are not enough while the feed lives.
        for seq in [far, far + 1] {
            let got = bench.raw(A, ms, &data(S1, seq, seq + 1));
            assert_eq!(got, Err(PacketFault::FarAhead));
        }
    }
    assert_eq!(bench.raw(A, 2_002, &data(S1, far + 1, far + 2)), Ok(()));
    assert_eq!(bench.feed.status().head_seq, far + 2);
}

/// Someone on the group sends one number that is near enough to be believed and does not exist.
#[test]
fn what_no_line_confirms_is_let_go_and_nothing_is_passed_over() {
    for has_retransmit in [true, false] {
        bogus_number(MoldConfig {
            has_retransmit,
            join_from: Some(1),
            ..config()
        });
    }
}

fn bogus_number(config: MoldConfig) {
    let mut bench = Bench::new(config);
    bench.data(A, 1, 1, 3);
    bench.data(A, 2, 500_000, 500_001);
    let mut next = 3;
    for ms in 3..2_000 {
        bench.tick(ms);
        bench.requests();
        if ms % 30 == 0 {
            bench.data(A, ms, next, next + 2);
            bench.data(B, ms, next, next + 2);
            next += 2;
        }
    }
    assert_eq!(bench.log.seqs, (1..next).collect::<Vec<_>>());
    let status = bench.feed.status();
    assert_eq!((status.refuted, status.lost), (1, 0), "{status:?}");
    assert_eq!((status.state, status.head_seq), (FeedState::Live, next));
}

#[test]
fn an_end_that_was_none_is_forgotten_when_the_session_goes_on() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 3);
    bench.raw(A, 2, &end_of_session(S1, 3)).expect("good");
    assert_eq!(bench.feed.status().state, FeedState::Ended);
    let fresh = data(S2, 1, 2);
    assert_eq!(bench.raw(A, 3, &fresh), Err(PacketFault::WrongSession));
    bench.data(B, 4, 3, 5);
    assert_eq!(bench.feed.status().state, FeedState::Live);
    assert_eq!(bench.log.seqs, [1, 2, 3, 4]);
}

#[test]
fn with_snapshots_a_gap_too_large_or_too_old_is_given_up_early() {
    let config = MoldConfig {
        has_snapshot: true,
        retransmit_span_limit: 50,
        retransmit_age_limit_ns: 30 * MS,
        retransmit_tries: 1_000,
        ..config()
    };
    let mut bench = Bench::new(config);
    bench.data(A, 1, 1, 3);
    bench.data(A, 1, 54, 55);
    bench.data(B, 4, 54, 55);
    bench.tick(4);
    assert_eq!(bench.requests(), []);
    assert!(bench.log.notes.contains(&Note::Lost { from: 3, to: 54 }));
    bench.data(A, 10, 60, 61);
    bench.data(B, 12, 60, 61);
    let mut asked = 0;
    for ms in 11..39 {
        bench.tick(ms);
        asked += bench.requests().len();
    }
    assert!(asked >= 4, "{asked}");
    assert_eq!(bench.feed.status().lost, 51);
    bench.tick(41);
    assert_eq!(bench.feed.status().lost, 56);
    // Joining late: near enough to ask for, or not.
    for (seq, first) in [(51, 51), (50, 1)] {
        let mut bench = Bench::new(config);
        bench.data(A, 1, seq, seq + 1);
        assert_eq!(bench.log.notes[0], Note::Joined { seq: first });
    }
}

#[test]
fn malformed_packets_are_counted_by_line() {
    let mut bench = Bench::new(config());
    let mut cut = data(S1, 1, 3);
    cut.pop();
    for bytes in [&cut[..], b"short", b""] {
        assert!(matches!(
            bench.raw(B, 1, bytes),
            Err(PacketFault::Malformed(_))
        ));
    }
    assert_eq!(bench.feed.status().lines[1].malformed, 3);
    assert_eq!(bench.log.seqs, []);
}

#[test]
fn a_full_arena_loses_nothing_that_the_server_has() {
    let mut bench = Bench::new(config());
    bench.data(A, 1, 1, 2);
    (3..60).for_each(|seq| bench.data(A, 1, seq, seq + 1));
    for ms in 2..400 {
        bench.tick(ms);
        for (seq, count) in bench.requests() {
            bench.data(LINE_RECOVERY, ms, seq, seq + u64::from(count));
        }
    }
    assert_eq!(bench.log.seqs, (1..60).collect::<Vec<_>>());
    assert_eq!((bench.feed.status().lost, bench.feed.growths()), (0, 0));
}

/// An evicted packet `[50, 57)` was covered up to 56 by one that started earlier; looking only at
/// its neighbour `[50, 51)`, the feed once told 51 to 55 both lost and delivered.
#[test]
fn what_another_packet_holds_is_not_missing_after_an_eviction() {
    let mut bench = Bench::new(MoldConfig {
        has_retransmit: false,
        ..config()
    });
    bench.data(A, 1, 1, 2);
    for (from, count) in [
        (50, 1),
        (12, 1),
        (49, 7),
        (50, 7),
        (11, 1),
        (3, 1),
        (3, 2),
        (20, 1),
        (3, 3),
        (4, 3),
        (3, 5),
    ] {
        bench.data(A, 1, from, from + count);
    }
    bench.raw(B, 2, &heartbeat(S1, 57)).expect("good");
    bench.tick(4);
    let lost = bench.log.notes.iter().filter_map(|note| match note {
        Note::Lost { from, to } => Some(*from..*to),
        _ => None,
    });
    let mut all: Vec<u64> = lost
        .flatten()
        .chain(bench.log.seqs.iter().copied())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (1..57).collect::<Vec<_>>());
}

#[derive(Clone, Debug)]
enum Step {
    Data(usize, u64, u64),
    Heartbeat(u64),
    Tick(u64),
    Answer(bool),
    Garbage(Vec<u8>),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (0usize..3, 1u64..60, 1u64..9).prop_map(|(line, seq, n)| Step::Data(line, seq, n)),
        1 => (1u64..70).prop_map(Step::Heartbeat),
        4 => (0u64..9).prop_map(Step::Tick),
        3 => any::<bool>().prop_map(Step::Answer),
        1 => prop::collection::vec(any::<u8>(), 0..40).prop_map(Step::Garbage),
    ]
}

proptest! {
    /// Whatever comes in whatever order: numbers rise by one except over what was told lost,
    /// counters add up, and memory stays within its limits.
    #[test]
    fn delivery_is_in_order_and_complete_but_for_told_losses(
        has_retransmit in any::<bool>(),
        steps in prop::collection::vec(step(), 0..200),
    ) {
        let mut bench = Bench::new(MoldConfig { has_retransmit, ..config() });
        let mut ms = 1;
        bench.data(A, ms, 1, 2);
        for step in steps {
            match step {
                Step::Data(line, seq, n) => bench.data(line, ms, seq, seq + n),
                Step::Heartbeat(seq) => bench.raw(A, ms, &heartbeat(S1, seq)).expect("good"),
                Step::Tick(n) => { ms += n; bench.tick(ms); }
                Step::Answer(is_answered) => for (seq, count) in bench.requests() {
                    if is_answered {
                        bench.data(LINE_RECOVERY, ms, seq, seq + u64::from(count));
                    }
                },
                Step::Garbage(bytes) => { let _ = bench.raw(B, ms, &bytes); }
            }
        }
        let lost: Vec<u64> = bench.log.notes.iter().filter_map(|note| match note {
            Note::Lost { from, to } => Some(*from..*to),
            _ => None,
        }).flatten().collect();
        let mut all: Vec<u64> = bench.log.seqs.iter().chain(&lost).copied().collect();
        prop_assert!(bench.log.seqs.is_sorted());
        all.sort_unstable();
        let status = bench.feed.status();
        prop_assert_eq!(all, (1..status.next_seq).collect::<Vec<_>>());
        prop_assert_eq!(status.lost, lost.len() as u64);
        prop_assert_eq!(bench.feed.has_gap(), status.state == FeedState::Recovering);
        prop_assert_eq!(bench.feed.growths(), 0);
    }
}
