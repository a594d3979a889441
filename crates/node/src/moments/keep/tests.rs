use market::event::{Instrument, InstrumentId, Price, Qty};
use market::publish::{Frame, MarketState};
use proptest::prelude::*;

use super::*;
use crate::moments::MomentQuery;
use crate::moments::block::{BLOCK_ROWS, Row, STATE_BYTES};

const STEP: u64 = 100_000_000;

fn rows(store: &MomentStore) -> Vec<(String, Row)> {
    let mut rows = Vec::new();
    store.rows(0, u64::MAX >> 1, |name, row| {
        // Places of names are each store's own.
        rows.push((name.to_owned(), Row { symbol: 0, ..*row }));
    });
    rows
}

fn publish(store: &MomentStore, steps: std::ops::Range<u64>) {
    let names = ["A", "Bé", ""].into_iter().zip(0..);
    let names =
        names.map(|(name, id)| Frame::Instrument(Instrument::new(InstrumentId(id), name, 0, 2)));
    store.take(0, &names.collect::<Vec<_>>(), |id| {
        Some(["A", "Bé", ""][id.0 as usize].to_owned())
    });
    let states = steps.map(|step| {
        Frame::State(MarketState {
            instrument: InstrumentId(step as u32 % 3),
            end_ns: step * STEP,
            known_ns: step * STEP + 7,
            mid: (step % 5 != 0).then_some(Price(1_000 + step as i64)),
            depths: [[step % 97, 50]; 4],
            volume: Qty(step),
            ..MarketState::default()
        })
    });
    store.take(0, &states.collect::<Vec<_>>(), |_| None);
}

fn store() -> MomentStore {
    MomentStore::new(64 << 20)
}

#[test]
fn the_next_run_has_what_was_kept_and_goes_on() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = store();
    let (mut files, kept) = StateFiles::open(dir.path(), &first).expect("opens");
    assert_eq!(kept, KeptStates::default());
    assert_eq!(files.save(&first).expect("saves"), 0);
    assert_eq!(
        fs::read_dir(dir.path()).expect("lists").count(),
        0,
        "no file of nothing"
    );
    publish(&first, 1..10_000);
    assert_eq!(files.save(&first).expect("saves"), 9_999);
    publish(&first, 10_000..10_010);
    assert_eq!(files.save(&first).expect("saves"), 10);
    drop(files);

    let second = store();
    let (mut files, kept) = StateFiles::open(dir.path(), &second).expect("opens");
    assert_eq!((kept.states, kept.files, kept.torn.len()), (10_009, 1, 0));
    assert_eq!(rows(&second), rows(&first));
    publish(&second, 10_010..10_020);
    // What is there already is not written again, nor what is published again.
    publish(&second, 10_000..10_020);
    assert_eq!(files.save(&second).expect("saves"), 10);

    let third = store();
    let (_, kept) = StateFiles::open(dir.path(), &third).expect("opens");
    assert_eq!((kept.states, kept.files), (10_019, 2));
    assert_eq!(rows(&third), rows(&second));
    let query = MomentQuery {
        symbol: "A".into(),
        at: Some(9_999 * STEP + 7),
        window_ns: STEP,
        k: 5,
        outcomes: vec![STEP * 30],
        shape: None,
        same_symbol: false,
    };
    let (before, after) = (first.similar(&query), third.similar(&query));
    assert!(before.is_ok() && before == after, "{before:?} {after:?}");
}

#[test]
fn files_go_when_their_states_have_left() {
    let dir = tempfile::tempdir().expect("a folder");
    let small = MomentStore::new(3 * BLOCK_ROWS * STATE_BYTES);
    let (mut files, _) = StateFiles::open(dir.path(), &small).expect("opens");
    for turn in 0..10u64 {
        publish(&small, 1 + turn * 30_000..1 + (turn + 1) * 30_000);
        files.save(&small).expect("saves");
    }
    let left = fs::read_dir(dir.path()).expect("lists").count();
    assert!((1..=2).contains(&left), "{left}");
    let again = MomentStore::new(3 * BLOCK_ROWS * STATE_BYTES);
    StateFiles::open(dir.path(), &again).expect("opens");
    let (all, kept) = (rows(&again), rows(&small));
    assert_eq!(all.last(), kept.last());
}

#[test]
fn the_thread_saves_at_the_end() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = Arc::new(store());
    let (files, _) = StateFiles::open(dir.path(), &first).expect("opens");
    let keeper = Keeper::start(files, Arc::clone(&first)).expect("a thread");
    publish(&first, 1..500);
    drop(keeper);
    let kept = first.kept();
    assert_eq!((kept.written, kept.lost, kept.failed), (499, 0, None));
    let second = store();
    StateFiles::open(dir.path(), &second).expect("opens");
    assert_eq!(rows(&second), rows(&first));
}

#[test]
fn a_disk_that_refuses_is_told_and_the_next_turn_writes_all_of_it() {
    let dir = tempfile::tempdir().expect("a folder");
    let first = store();
    let (mut files, _) = StateFiles::open(dir.path(), &first).expect("opens");
    publish(&first, 1..10);
    // The number of the file is taken by another, and stays so.
    fs::write(dir.path().join("0000000000.states"), b"another").expect("writes");
    assert!(files.save(&first).is_err());
    publish(&first, 10..20);
    assert_eq!(files.save(&first).expect("saves"), 19);
    let second = store();
    let (_, kept) = StateFiles::open(dir.path(), &second).expect("opens");
    assert_eq!(rows(&second), rows(&first));
    assert_eq!((kept.states, kept.torn.len()), (19, 1));
}

#[test]
fn states_that_left_before_they_were_written_are_counted() {
    let dir = tempfile::tempdir().expect("a folder");
    let small = MomentStore::new(2 * BLOCK_ROWS * STATE_BYTES);
    let (mut files, _) = StateFiles::open(dir.path(), &small).expect("opens");
    publish(&small, 1..30_001);
    let saved = files.save(&small).expect("saves");
    assert_eq!(files.counts.lost + saved, 30_000);
    assert!(files.counts.lost > 0 && files.counts.written == saved);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_torn_or_changed_file_gives_a_prefix_and_says_so(
        place in 0.0f64..1.0, change in any::<u8>(), is_cut in any::<bool>(),
    ) {
        let dir = tempfile::tempdir().expect("a folder");
        let first = store();
        let (mut files, _) = StateFiles::open(dir.path(), &first).expect("opens");
        for turn in 0..5 {
            publish(&first, 1 + turn * 20..1 + (turn + 1) * 20);
            files.save(&first).expect("saves");
        }
        drop(files);
        let path = dir.path().join("0000000000.states");
        let mut bytes = fs::read(&path).expect("reads");
        let at = (place * bytes.len() as f64) as usize;
        let was = bytes[at];
        if is_cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= change;
        }
        fs::write(&path, &bytes).expect("writes");
        let second = store();
        let (_, kept) = StateFiles::open(dir.path(), &second).expect("opens");
        let (got, all) = (rows(&second), rows(&first));
        prop_assert_eq!(&got[..], &all[..got.len()]);
        prop_assert_eq!(got.len() % 20, 0);
        let is_whole = !is_cut && bytes[at] == was;
        prop_assert_eq!(got.len() == 100, is_whole);
        if !is_cut && !is_whole {
            prop_assert_eq!(kept.torn.len(), 1);
        }
    }
}
