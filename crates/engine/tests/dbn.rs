//! Databento's own test files, and Databento's own decoder beside ours: every field of every
//! record, and every header, must be the same.

use std::collections::BTreeMap;
use std::io::{BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use ::dbn::VersionUpgradePolicy;
use ::dbn::decode::{DbnMetadata, DbnRecordDecoder, DecodeRecordRef, DynDecoder};
use ::dbn::encode::{EncodeRecordRef, json};
use engine::capture::{DbnFault, DbnFile};
use serde_json::Value;
use wire::dbn::{self, Field, Metadata};

/// A record, flat: name (with the level) to value as text; `None` where nothing was sent.
type Flat = BTreeMap<String, Option<String>>;

fn shared(folder: &str) -> Option<PathBuf> {
    let root = match std::env::var_os("OUZEL_SHARED") {
        Some(root) => Some(PathBuf::from(root)),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|above| above.join("shared"))
            .find(|path| path.is_dir()),
    };
    let path = root.map(|root| root.join("data/market/dbn").join(folder));
    let path = path.filter(|path| path.is_dir());
    if path.is_none() {
        println!("skipped: no recording dbn/{folder}");
    }
    path
}

/// Every file below a folder whose name has `mark` in it.
fn files(folder: &Path, mark: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(files(&path, mark));
        } else if path.to_string_lossy().contains(mark) {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn ours(bytes: &[u8]) -> Flat {
    let (record, ts_out) = dbn::split(bytes).expect("a record that DBN knows");
    let header = record.header();
    let mut flat = Flat::new();
    let mut put = |name: String, value: Option<String>| {
        assert!(flat.insert(name.clone(), value).is_none(), "{name} twice");
    };
    put(
        "ts_event".to_owned(),
        header.ts_event.get().map(|ns| ns.to_string()),
    );
    put("rtype".to_owned(), Some(header.rtype.to_string()));
    put(
        "publisher_id".to_owned(),
        Some(header.publisher_id.get().to_string()),
    );
    put(
        "instrument_id".to_owned(),
        Some(header.instrument_id.get().to_string()),
    );
    record.fields(|name, level, value| {
        let name = level.map_or(name.to_owned(), |level| format!("{name}_{level:02}"));
        let value = match value {
            Field::Absent | Field::Code(0) => None,
            Field::Unsigned(number) => Some(number.to_string()),
            Field::Signed(number) => Some(number.to_string()),
            Field::Code(code) => Some(char::from(code).to_string()),
            Field::Text(text) => Some(text.to_owned()),
        };
        put(name, value);
    });
    if let Some(ns) = ts_out {
        put("ts_out".to_owned(), Some(ns.to_string()));
    }
    flat
}

/// What Databento's JSON writer makes of a record. Sentinels that it writes as numbers are absence.
fn theirs(json: &str) -> Flat {
    let mut flat = Flat::new();
    let mut put = |name: String, value: &Value| {
        let text = match value {
            Value::Null => None,
            Value::String(text) => Some(text.clone()),
            number => Some(number.to_string()),
        };
        flat.insert(name, text);
    };
    let Value::Object(fields) = serde_json::from_str(json).expect("their own JSON") else {
        panic!("a record is an object")
    };
    for (name, value) in &fields {
        match value {
            Value::Object(header) => header
                .iter()
                .for_each(|(name, value)| put(name.clone(), value)),
            Value::Array(levels) => {
                for (level, fields) in levels.iter().enumerate() {
                    for (name, value) in fields.as_object().expect("a level") {
                        put(format!("{name}_{level:02}"), value);
                    }
                }
            }
            value => put(name.clone(), value),
        }
    }
    flat
}

/// Equal, where our absence may be their sentinel in figures.
fn assert_same(file: &Path, ours: &Flat, theirs: &Flat) {
    let names = |flat: &Flat| flat.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(ours), names(theirs), "{}", file.display());
    for (name, ours) in ours {
        let theirs = &theirs[name];
        let sentinels = [
            i64::MAX as u64,
            u64::MAX,
            i32::MAX as u64,
            u32::MAX.into(),
            i16::MAX as u64,
            u16::MAX.into(),
            i8::MAX as u64,
            u8::MAX.into(),
        ];
        let is_sentinel = |text: &String| sentinels.iter().any(|max| *text == max.to_string());
        let same = match (ours, theirs) {
            (None, Some(text)) => is_sentinel(text),
            (ours, theirs) => ours == theirs,
        };
        assert!(same, "{} {name}: {ours:?} {theirs:?}", file.display());
    }
}

/// The records of a decoder of theirs, as JSON lines.
fn lines(decoder: &mut dyn FnMut(&mut json::Encoder<&mut Vec<u8>>) -> bool) -> Vec<String> {
    let mut text = Vec::new();
    let mut encoder = json::Encoder::new(&mut text, false, false, false);
    while decoder(&mut encoder) {}
    drop(encoder);
    let text = String::from_utf8(text).expect("JSON");
    text.lines().map(str::to_owned).collect()
}

fn read_by_us(path: &Path) -> (Option<String>, Vec<Flat>) {
    let mut file = DbnFile::open(path).expect("a DBN file");
    let metadata = file.metadata().map(|metadata| show(&metadata));
    let mut records = Vec::new();
    while let Some(record) = file.next_record() {
        records.push(ours(record.expect("whole records")));
    }
    (metadata, records)
}

/// A header as text, to be compared with theirs.
fn show(metadata: &Metadata<'_>) -> String {
    let mut mappings = Vec::new();
    for mapping in metadata.mappings() {
        for at in mapping.intervals {
            mappings.push((mapping.raw_symbol, at.start_date, at.end_date, at.symbol));
        }
    }
    let lists = [metadata.symbols(), metadata.partial(), metadata.not_found()];
    let lists = lists.map(|list| list.collect::<Vec<_>>());
    format!(
        "{} {} {:?} {} {:?} {:?} {:?} {} {} {lists:?} {mappings:?}",
        metadata.version,
        metadata.dataset,
        metadata.schema_name(),
        metadata.start,
        metadata.end,
        metadata.limit,
        metadata.stype_in,
        metadata.stype_out,
        metadata.ts_out,
    )
}

fn show_theirs(metadata: &::dbn::Metadata) -> String {
    let day = |date: time::Date| {
        date.year() as u32 * 10_000
            + u32::from(u8::from(date.month())) * 100
            + u32::from(date.day())
    };
    let mut mappings = Vec::new();
    for mapping in &metadata.mappings {
        for at in &mapping.intervals {
            mappings.push((
                mapping.raw_symbol.as_str(),
                day(at.start_date),
                day(at.end_date),
                at.symbol.as_str(),
            ));
        }
    }
    let lists = [&metadata.symbols, &metadata.partial, &metadata.not_found];
    format!(
        "{} {} {:?} {} {:?} {:?} {:?} {} {} {lists:?} {mappings:?}",
        metadata.version,
        metadata.dataset,
        metadata.schema.map(|schema| schema.as_str()),
        metadata.start,
        metadata.end,
        metadata.limit,
        metadata.stype_in.map(|stype| stype as u8),
        metadata.stype_out as u8,
        metadata.ts_out,
    )
}

#[test]
fn every_file_is_read_as_databento_reads_it() {
    let (mut checked, mut records) = (0, 0);
    for folder in ["databento_dbn", "databento_python"] {
        let Some(folder) = shared(folder) else { return };
        for path in files(&folder, ".dbn") {
            if path.to_string_lossy().contains(".frag") {
                continue;
            }
            let bytes = std::fs::read(&path).expect("it exists");
            let policy = VersionUpgradePolicy::AsIs;
            let mut decoder = DynDecoder::new_inferred(Cursor::new(bytes), policy).expect("theirs");
            let their_header = show_theirs(decoder.metadata());
            let theirs_read = lines(&mut |encoder| {
                let Some(record) = decoder.decode_record_ref().expect("theirs") else {
                    return false;
                };
                encoder.encode_record_ref(record).expect("memory");
                true
            });
            let (header, ours_read) = read_by_us(&path);
            assert_eq!(header, Some(their_header), "{}", path.display());
            assert_eq!(ours_read.len(), theirs_read.len(), "{}", path.display());
            for (ours, json) in ours_read.iter().zip(&theirs_read) {
                assert_same(&path, ours, &theirs(json));
            }
            (checked, records) = (checked + 1, records + ours_read.len());
        }
    }
    assert!(checked > 80, "{checked} files");
    println!("{checked} files, {records} records");
}

#[test]
fn every_fragment_is_read_as_databento_reads_it() {
    let Some(folder) = shared("databento_dbn") else {
        return;
    };
    let fragments = files(&folder, ".frag");
    assert_eq!(fragments.len(), 7);
    for path in fragments {
        let bytes = std::fs::read(&path).expect("it exists");
        let reader: Box<dyn Read> = if bytes.starts_with(&[0x28, 0xb5, 0x2f, 0xfd]) {
            Box::new(zstd::stream::read::Decoder::new(Cursor::new(bytes)).expect("zstd"))
        } else {
            Box::new(Cursor::new(bytes))
        };
        let mut decoder = DbnRecordDecoder::new(BufReader::new(reader));
        decoder
            .set_upgrade_policy(VersionUpgradePolicy::AsIs)
            .expect("any version");
        let theirs_read = lines(&mut |encoder| {
            let Some(record) = decoder.decode_record_ref().expect("theirs") else {
                return false;
            };
            encoder.encode_record_ref(record).expect("memory");
            true
        });
        let (header, ours_read) = read_by_us(&path);
        assert_eq!(header, None);
        let wanted = if path.to_string_lossy().contains("multi-frame") {
            8
        } else {
            2
        };
        assert_eq!(
            (ours_read.len(), theirs_read.len()),
            (wanted, wanted),
            "{}",
            path.display()
        );
        for (ours, json) in ours_read.iter().zip(&theirs_read) {
            assert_same(&path, ours, &theirs(json));
        }
    }
}

#[test]
fn legacy_files_and_strangers_are_named() {
    let stranger = DbnFile::over(Cursor::new(b"hello world, this is no market data".to_vec()));
    let is_stranger = matches!(stranger, Err(DbnFault::Format(dbn::Error::NotDbn)));
    assert!(is_stranger);
    let Some(folder) = shared("databento_dbn") else {
        return;
    };
    let legacy = files(&folder, ".dbz");
    assert_eq!(legacy.len(), 10);
    for path in legacy {
        let fault = DbnFile::open(&path).err().expect("refused");
        assert!(fault.to_string().contains("legacy DBZ"), "{fault}");
    }
}

/// Reads that bring one byte at a time, and a file cut anywhere: the records before are good.
#[test]
fn a_cut_file_gives_what_came_before() {
    let Some(folder) = shared("databento_dbn") else {
        return;
    };
    let whole = std::fs::read(folder.join("test_data.mbo.v3.dbn")).expect("it exists");
    for cut in 0..=whole.len() {
        let bytes = whole[..cut].to_vec();
        let reader = OneByOne(Cursor::new(bytes));
        let Ok(mut file) = DbnFile::over(reader) else {
            assert!(cut < whole.len() - 112);
            continue;
        };
        if cut == 0 {
            // Nothing at all is an empty fragment.
            assert!(file.next_record().is_none());
            continue;
        }
        let (mut good, mut faults) = (0, 0);
        while let Some(record) = file.next_record() {
            match record {
                Ok(_) => good += 1,
                Err(_) => faults += 1,
            }
        }
        let records = cut - (whole.len() - 112);
        assert_eq!(
            (good, faults),
            (records / 56, usize::from(records % 56 > 0)),
            "{cut}"
        );
    }
}

struct OneByOne(Cursor<Vec<u8>>);

impl Read for OneByOne {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let end = buffer.len().min(1);
        self.0.read(&mut buffer[..end])
    }
}
