//! Acceptance definitions: what one side says and what the other must answer, field by field in order.
//!
//! The lines are those of QuickFIX's `test/definitions`: `iCONNECT`, `I8=..` is sent, `E8=..` is expected,
//! `eDISCONNECT`; `I2,` speaks on a second connection; `<TIME>` is now. Time is simulated, so that a
//! definition which waits for heartbeats takes no time. Our own definitions always run, with the
//! packaged dictionaries. `OUZEL_FIX_DEFINITIONS` (a folder of .def files) and `OUZEL_FIX_DICTIONARIES`
//! (a folder with FIX42.xml, FIX44.xml, FIXT11.xml and FIX50SP2.xml) run anybody's: QuickFIX's are
//! `fix42`, `fix44`, `fix50sp2` and `validate` in its `test/definitions/server`, and its `spec`.

#[path = "../../examples/echo/app.rs"]
mod app;
mod player;
#[path = "../../examples/echo/sessions.rs"]
mod sessions;

use std::path::{Path, PathBuf};

fn definitions(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = std::fs::read_dir(folder)
        .expect("a folder of definitions")
        .map(|entry| entry.expect("readable").path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "def"))
        .collect();
    files.sort();
    files
}

/// Plays all of them; each failure is told before the test fails.
fn play(folder: &Path, dictionaries: &Path) -> usize {
    let files = definitions(folder);
    let dictionaries = sessions::dictionaries(dictionaries);
    let mut failures = Vec::new();
    for file in &files {
        let text = std::fs::read(file).expect("a definition");
        if let Err(why) = player::play(&text, &sessions::places(&dictionaries)) {
            failures.push(format!("{}: {why}", file.display()));
        }
    }
    println!(
        "{} of {} definitions of {}",
        files.len() - failures.len(),
        files.len(),
        folder.display()
    );
    assert!(failures.is_empty(), "{}", failures.join("\n"));
    files.len()
}

#[test]
fn our_definitions() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let packaged = tempfile::tempdir().expect("a folder");
    for (name, file) in [
        ("FIX42", "fix42"),
        ("FIX44", "fix44"),
        ("FIXT11", "fixt11"),
        ("FIX50SP2", "fix50sp2"),
    ] {
        let from = root.join(format!("dictionaries/{file}.xml"));
        let to = packaged.path().join(format!("{name}.xml"));
        std::fs::copy(from, to).expect("a packaged dictionary");
    }
    let played = play(&root.join("../../testdata/fix"), packaged.path());
    assert!(played >= 10, "{played} definitions");
}

#[test]
fn definitions_from_elsewhere() {
    let folder = |name| std::env::var_os(name).map(PathBuf::from);
    let (Some(definitions), Some(dictionaries)) = (
        folder("OUZEL_FIX_DEFINITIONS"),
        folder("OUZEL_FIX_DICTIONARIES"),
    ) else {
        println!("skipped: no OUZEL_FIX_DEFINITIONS and OUZEL_FIX_DICTIONARIES");
        return;
    };
    for kind in ["fix42", "fix44", "fix50sp2", "validate"] {
        let below = definitions.join(kind);
        if below.is_dir() {
            play(&below, &dictionaries);
        }
    }
}
