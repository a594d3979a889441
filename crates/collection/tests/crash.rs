//! What survives: every acknowledged entry does, an unacknowledged one may, half of one never.

use std::sync::Arc;

use collection::disk::Fault;
use collection::log::{Entry, LocalLog, RECORD_HEADER_SIZE, SEGMENT_HEADER_SIZE};
use collection::{
    Ack, AsOf, Collection, Disk, Error, Log, MemDisk, Metric, Op, Point, Recovery, Settings,
    SyncPolicy,
};

const ALWAYS: Settings = Settings {
    dim: 2,
    metric: Metric::L2,
    sync: SyncPolicy::Always,
};
const NEVER: Settings = Settings {
    sync: SyncPolicy::Never,
    ..ALWAYS
};
const FILE: &str = "00000000000000000000.seg";

fn open(disk: &MemDisk, settings: Settings) -> (Collection, Recovery) {
    Collection::open_on(disk.clone(), settings).expect("open")
}

fn write(collection: &Collection, n: u64) -> Result<Ack, Error> {
    let text = format!("entry {n}");
    let vector = vec![n as f32, 1.0];
    collection.apply(vec![Op::Upsert(Point {
        id: format!("p{n}"),
        vector,
        text,
        known_at: n,
        ..Point::default()
    })])
}

fn ids(collection: &Collection) -> Vec<String> {
    let page = collection
        .scroll(None, &AsOf::Now, None, 1000)
        .expect("scroll");
    page.iter().map(|found| found.point.id.clone()).collect()
}

fn names(count: u64) -> Vec<String> {
    (0..count).map(|n| format!("p{n}")).collect()
}

#[test]
fn cut_at_every_byte_of_the_last_record() {
    let disk = MemDisk::new();
    let (first, _) = open(&disk, ALWAYS);
    for n in 0..3 {
        assert!(write(&first, n).expect("write").durable);
    }
    drop(first);
    let synced = disk.size(FILE).expect("size");
    let (second, _) = open(&disk, NEVER);
    assert!(!write(&second, 3).expect("write").durable);
    let unsynced = disk.size(FILE).expect("size") - synced;
    for keep in 0..=unsynced {
        let after = disk.crash(|_, _| keep as usize);
        let (c, recovery) = open(&after, ALWAYS);
        let whole = keep == unsynced;
        assert_eq!(
            ids(&c),
            names(if whole { 4 } else { 3 }),
            "{keep} bytes kept"
        );
        assert_eq!(recovery.records, if whole { 4 } else { 3 });
        assert_eq!(recovery.cut_bytes, if whole { 0 } else { keep });
        let reason = recovery.reason.unwrap_or_default();
        assert_eq!(
            reason.contains(&format!("{FILE} at byte {synced}")),
            !whole && keep > 0
        );
        // It goes on from there, and the next open finds nothing to cut.
        assert_eq!(write(&c, 9).expect("write").seq, if whole { 5 } else { 4 });
        drop(c);
        let (c, recovery) = open(&after, ALWAYS);
        assert_eq!(
            (recovery.cut_bytes, ids(&c).len()),
            (0, if whole { 5 } else { 4 })
        );
    }
}

#[test]
fn a_crash_while_the_collection_is_created() {
    let disk = MemDisk::new();
    drop(open(&disk, ALWAYS));
    let bytes = disk.read(FILE).expect("read");
    for keep in 0..bytes.len() {
        let half = MemDisk::new();
        half.put(FILE, bytes[..keep].to_vec());
        let (c, recovery) = open(&half, ALWAYS);
        let expected = if keep < SEGMENT_HEADER_SIZE {
            keep
        } else {
            keep - SEGMENT_HEADER_SIZE
        };
        assert_eq!(recovery.cut_bytes, expected as u64);
        write(&c, 0).expect("write");
        drop(c);
        assert_eq!(half.read(FILE).expect("read")[..bytes.len()], bytes);
    }
}

#[test]
fn a_failed_sync_poisons_until_reopened() {
    let disk = MemDisk::new();
    let (c, _) = open(&disk, ALWAYS);
    write(&c, 0).expect("write");
    disk.fail_next(Fault::Sync);
    for n in 1..3 {
        let error = write(&c, n).expect_err("poisoned");
        assert!(matches!(error, Error::Poisoned { .. }), "{error:?}");
        assert!(
            error.to_string().contains("until it is reopened"),
            "{error}"
        );
        assert!(
            error.to_string().contains("the disk failed to sync"),
            "{error}"
        );
    }
    assert!(c.poison().is_some());
    assert!(matches!(
        c.sync().map(|_| ()),
        Ok(()) | Err(Error::Poisoned { .. })
    ));
    assert_eq!(
        ids(&c),
        names(1),
        "reads go on, without what is not certain"
    );
    drop(c);
    for keep in [0, 10, usize::MAX] {
        let (c, _) = open(&disk.crash(|_, _| keep), ALWAYS);
        assert_eq!(ids(&c), names(if keep == usize::MAX { 2 } else { 1 }));
        write(&c, 5).expect("writes are taken again");
    }
}

#[test]
fn a_short_write_of_any_length() {
    for count in 0..60 {
        let disk = MemDisk::new();
        let (c, _) = open(&disk, ALWAYS);
        write(&c, 0).expect("write");
        disk.fail_next(Fault::ShortWrite(count));
        assert!(matches!(write(&c, 1), Err(Error::Poisoned { .. })));
        assert_eq!(ids(&c), names(1));
        drop(c);
        let (c, recovery) = open(&disk, ALWAYS);
        assert_eq!((ids(&c), recovery.cut_bytes), (names(1), count as u64));
        write(&c, 1).expect("write");
        assert_eq!(ids(&c), names(2));
    }
}

#[test]
fn damage_before_synced_entries_is_an_error_that_names_the_place() {
    let disk = MemDisk::new();
    let (c, _) = open(&disk, ALWAYS);
    (0..4).for_each(|n| {
        write(&c, n).expect("write");
    });
    drop(c);
    let bytes = disk.read(FILE).expect("read");
    let settings_end = SEGMENT_HEADER_SIZE + RECORD_HEADER_SIZE + 8;
    let record = (bytes.len() - settings_end) / 4;
    let last = settings_end + 3 * record;
    for at in 0..bytes.len() {
        let mut bad = bytes.clone();
        bad[at] ^= 0x10;
        let damaged = MemDisk::new();
        damaged.put(FILE, bad.clone());
        let opened = Collection::open_on(damaged.clone(), ALWAYS);
        if at >= last {
            // Not to be told from a torn write: cut, and said so.
            let (c, recovery) = opened.expect("the end is cut");
            assert_eq!((ids(&c), recovery.cut_bytes), (names(3), record as u64));
            continue;
        }
        let Some(Error::Corrupt { file, offset, .. }) = opened.err() else {
            panic!("byte {at}: damage must be seen");
        };
        let start = match at.checked_sub(SEGMENT_HEADER_SIZE) {
            None => 0,
            Some(_) if at < settings_end => SEGMENT_HEADER_SIZE,
            Some(_) => settings_end + (at - settings_end) / record * record,
        };
        assert_eq!((file.as_str(), offset), (FILE, start as u64), "byte {at}");
        assert_eq!(
            damaged.read(FILE).expect("read"),
            bad,
            "nothing was changed"
        );
    }
}

/// The system may write a later page before an earlier one. Without a sync between, that is a crash
/// and not damage: what was never durable is cut and the rest opens.
#[test]
fn unsynced_writes_that_reached_the_disk_out_of_order() {
    let disk = MemDisk::new();
    let (c, _) = open(&disk, ALWAYS);
    write(&c, 0).expect("write");
    drop(c);
    let synced = disk.size(FILE).expect("size") as usize;
    let (c, _) = open(&disk, NEVER);
    (1..4).for_each(|n| {
        write(&c, n).expect("write");
    });
    let mut bytes = disk.read(FILE).expect("read");
    bytes[synced..synced + 20].fill(0);
    let torn = MemDisk::new();
    torn.put(FILE, bytes);
    let (c, recovery) = open(&torn, ALWAYS);
    assert_eq!(ids(&c), names(1));
    assert!(recovery.cut_bytes > 0 && recovery.reason.is_some());
}

#[test]
fn the_barrier_makes_any_policy_durable() {
    let disk = MemDisk::new();
    let (c, _) = open(&disk, NEVER);
    write(&c, 0).expect("write");
    assert_eq!(c.stats().durable_seq, 0);
    assert_eq!(c.sync().expect("sync"), 1);
    assert_eq!(c.stats().durable_seq, 1);
    write(&c, 1).expect("write");
    let (after, _) = open(&disk.crash(|_, _| 0), ALWAYS);
    assert_eq!(ids(&after), names(1));
}

#[test]
fn the_interval_policy_syncs_by_itself() {
    let disk = MemDisk::new();
    let interval = Settings {
        sync: SyncPolicy::IntervalMs(1),
        ..ALWAYS
    };
    let (c, _) = open(&disk, interval);
    write(&c, 0).expect("write");
    while c.stats().durable_seq < 1 {
        std::thread::yield_now();
    }
    let after = disk.crash(|_, _| 0);
    assert_eq!(ids(&open(&after, ALWAYS).0), names(1));
    // What is written last is synced when the collection is closed.
    let (c, _) = open(
        &after,
        Settings {
            sync: SyncPolicy::IntervalMs(60_000),
            ..ALWAYS
        },
    );
    write(&c, 1).expect("write");
    drop(c);
    assert_eq!(ids(&open(&after.crash(|_, _| 0), ALWAYS).0), names(2));
}

#[test]
fn segments_roll_and_are_read_truncated_and_missed() {
    let disk = MemDisk::new();
    let sized = |disk: &MemDisk| LocalLog::open_sized(Arc::new(disk.clone()), 100);
    let (log, _) = sized(&disk).expect("open");
    let (c, _) = Collection::open_log(Box::new(log), ALWAYS).expect("open");
    (0..20).for_each(|n| {
        write(&c, n).expect("write");
    });
    let digest = c.digest().expect("digest");
    drop(c);
    let files = disk.list().expect("list");
    assert!(files.len() > 5, "{files:?}");
    let (c, recovery) = open(&disk, ALWAYS);
    assert_eq!(
        (c.digest().expect("digest"), recovery.records),
        (digest, 20)
    );
    drop(c);

    let (mut log, _) = sized(&disk).expect("open");
    let mut tail = Vec::new();
    let mut visit = |entry: Entry<'_>| -> Result<(), Error> {
        tail.push(entry.seq);
        Ok(())
    };
    log.read(17, &mut visit).expect("read");
    assert_eq!(tail, [17, 18, 19, 20]);
    for next_seq in [19, 12, 11, 2] {
        log.truncate_to(next_seq).expect("truncate");
        assert_eq!(log.next_seq(), next_seq);
        log.append(
            0,
            &[Entry {
                seq: next_seq,
                kind: 2,
                body: &[0; 4],
            }],
        )
        .expect("append");
        log.sync().expect("sync");
        log.truncate_to(next_seq).expect("truncate");
        let (c, _) = open(&disk.crash(|_, _| 0), ALWAYS);
        assert_eq!(c.head_seq(), next_seq - 1);
    }
    drop(log);

    let (log, _) = sized(&disk).expect("open");
    let (c, _) = Collection::open_log(Box::new(log), ALWAYS).expect("open");
    (0..9).for_each(|n| {
        write(&c, n).expect("write");
    });
    drop(c);
    let files = disk.list().expect("list");
    for missing in &files[..files.len() - 1] {
        let holed = disk.crash(|_, _| 0);
        holed.remove(missing).expect("remove");
        let opened = Collection::open_on(holed, ALWAYS);
        assert!(
            matches!(opened.err(), Some(Error::Corrupt { .. })),
            "without {missing}"
        );
    }
}

#[test]
fn other_settings_are_refused() {
    let disk = MemDisk::new();
    drop(open(&disk, ALWAYS));
    let other = Settings {
        dim: 3,
        metric: Metric::Cosine,
        ..ALWAYS
    };
    let error = Collection::open_on(disk, other)
        .err()
        .expect("other settings");
    let want = "the collection was created with 2 dimensions and L2, not 3 dimensions and Cosine";
    assert_eq!(error.to_string(), want);
}
