//! What several tests share: the real data's place, and a generated ITCH stream.
#![allow(dead_code, reason = "each test uses its part")]

pub mod measures;
pub mod stream;
pub mod windows;

use std::path::PathBuf;

/// A file of the shared real data; prints why it is skipped when there is none.
pub fn shared(path: &str) -> Option<PathBuf> {
    let root = std::env::var_os("OUZEL_SHARED")
        .map(PathBuf::from)
        .or_else(|| {
            let start = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
            let beside = start.ancestors().map(|folder| folder.join("shared"));
            beside.into_iter().find(|folder| folder.is_dir())
        });
    let file = root.map(|root| root.join("data/market").join(path));
    match file {
        Some(file) if file.exists() => Some(file),
        _ => {
            println!("skipped: shared/data/market/{path} is not here");
            None
        }
    }
}
