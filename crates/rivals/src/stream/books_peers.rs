//! Decode and books beside order-by-order books of other crates, which have a workspace of their own
//! (`crates/rivals/books_peers`): asked for with `--peers`, built then.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use wire::itchfile::Frames;

use super::input::Input;
use crate::report::{Better, Figure};

const FOLDER: &str = "crates/rivals/books_peers";
/// Messages from the first order on: theirs take long.
const MESSAGES: usize = 4_000_000;

/// Builds the program of the peers; to be done before a core is held, since what a thread starts
/// stays on its core.
///
/// # Errors
/// When it cannot be built, for want of a registry for one.
pub fn build(root: &Path) -> Result<PathBuf> {
    let target = root.join("target/books_peers");
    let built = Command::new("cargo")
        .args([
            "build",
            "--release",
            "--locked",
            "--quiet",
            "--manifest-path",
        ])
        .arg(root.join(FOLDER).join("Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .status()
        .context("cannot start cargo")?;
    ensure!(built.success(), "{FOLDER} cannot be built: {built}");
    Ok(target.join("release/books_peers"))
}

/// Runs it over the start of the day.
///
/// # Errors
/// When it fails, for a book that differs from ours for one, or says something else than figures.
pub fn measure(program: &Path, input: &Input) -> Result<Figure> {
    let folder = tempfile::tempdir().context("a folder for the peers' input")?;
    let day = folder.path().join("day.itch");
    let wanted = input.listed + MESSAGES;
    let bytes: usize = Frames::new(&input.file)
        .flatten()
        .take(wanted)
        .map(|frame| 2 + frame.len())
        .sum();
    std::fs::write(&day, &input.file[..bytes]).context("cannot write the peers' input")?;
    let output = Command::new(program)
        .arg(&day)
        .arg(MESSAGES.to_string())
        .stderr(Stdio::inherit())
        .output()
        .context("cannot start the peers")?;
    ensure!(
        output.status.success(),
        "the peers failed: {}",
        output.status
    );
    figure(&output.stdout)
}

fn figure(said: &[u8]) -> Result<Figure> {
    let said: serde_json::Value = serde_json::from_slice(said).context("the peers write JSON")?;
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let values = |name: &str| -> Vec<f64> {
        let list = said[name].as_array().into_iter().flatten();
        list.filter_map(serde_json::Value::as_f64).collect()
    };
    let (peer, ours) = (text("peer"), values("ours_ns"));
    ensure!(
        !ours.is_empty() && !peer.is_empty(),
        "the peers said nothing"
    );
    let crate_name = peer.split(' ').next().unwrap_or_default();
    let name = format!("stream.decode_book_to_{crate_name}");
    let figure = Figure::new(name, "ns/message", Better::Less, ours);
    Ok(figure
        .beside(format!("{peer}, L3"), &values("theirs_ns"))
        .note(text("note")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_peer_says_becomes_a_figure() {
        let said = br#"{"peer":"other 1.2","ours_ns":[2.0,2.0],"theirs_ns":[8.0,6.0],"note":"n"}"#;
        let figure = figure(said).expect("a figure");
        assert_eq!(figure.name, "stream.decode_book_to_other");
        assert_eq!(figure.ratio(), Some(3.5));
        assert!(super::figure(b"{}").is_err());
        assert!(super::figure(b"nothing").is_err());
    }
}
