//! Real recordings: the same bytes must always give the same messages.
//!
//! The recordings are not part of the repository. Without them each test says `skipped` and passes.

mod captures;
mod crypto;
mod cryptofeed;
mod fix;
mod forts;
mod iex;
mod nasdaq;

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A recording: from `OUZEL_SHARED`, or a folder `shared` here or in any folder above.
fn recording(name: &str) -> Option<Vec<u8>> {
    let below = Path::new("data/market").join(name);
    let path = match std::env::var_os("OUZEL_SHARED") {
        Some(shared) => Some(PathBuf::from(shared).join(&below)),
        None => Path::new(env!("CARGO_MANIFEST_DIR"))
            .ancestors()
            .map(|folder| folder.join("shared").join(&below))
            .find(|path| path.exists()),
    };
    let bytes = path.and_then(|path| std::fs::read(path).ok());
    if bytes.is_none() {
        println!("skipped: no recording {name}");
    }
    bytes
}

/// An unpacked recording.
fn recording_unpacked(name: &str) -> Option<Vec<u8>> {
    let packed = recording(name)?;
    let mut bytes = Vec::new();
    flate2::read::MultiGzDecoder::new(&packed[..])
        .read_to_end(&mut bytes)
        .expect("good gzip");
    Some(bytes)
}

/// How often each kind came, as text: `A 36, D 1`.
#[derive(Default)]
struct Counts(BTreeMap<String, usize>);

impl Counts {
    fn add(&mut self, kind: impl Into<String>) {
        self.add_many(kind, 1);
    }

    fn add_many(&mut self, kind: impl Into<String>, count: usize) {
        *self.0.entry(kind.into()).or_default() += count;
    }

    fn text(&self) -> String {
        let counts: Vec<_> = self
            .0
            .iter()
            .map(|(kind, count)| format!("{kind} {count}"))
            .collect();
        counts.join(", ")
    }
}
