//! Where engines from PyPI run: an environment of their own, made when first asked for.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

/// The interpreter of the peers' environment below `root`, with `packages` installed. They are
/// installed one at a time: one that cannot be had costs only its own figure. One may have options of pip before it.
pub fn venv(root: &Path, packages: &[&str]) -> Result<PathBuf> {
    let folder = root.join("target/peers-venv");
    let python = folder.join("bin/python");
    if !python.is_file() {
        let made = Command::new("python3")
            .args(["-m", "venv"])
            .arg(&folder)
            .status();
        let made = made.context("cannot start python3; install it to run the peers")?;
        ensure!(
            made.success(),
            "python3 -m venv failed; install python3-venv"
        );
    }
    for package in packages {
        let installed = Command::new(&python)
            .args(["-m", "pip", "install", "--quiet"])
            .args(package.split(' '))
            .stdout(Stdio::null())
            .status();
        if !installed.is_ok_and(|status| status.success()) {
            eprintln!("{package} cannot be installed here: its figure is left out");
        }
    }
    Ok(python)
}
