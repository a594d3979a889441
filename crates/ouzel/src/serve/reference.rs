//! `--reference`: loaded at start, and again at each hang-up signal.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result};
use node::Node;
use tokio::signal::unix::{SignalKind, signal};

use crate::{compose, print};

/// Loads a file of CSV or JSON lines. Returns the number of the table and of its symbols.
///
/// # Errors
/// When it cannot be read; what was in force stays.
pub fn load(path: &Path, node: &Node) -> Result<(u32, usize)> {
    let text = compose::read_text(path)?;
    let listings = server::json::reference::parse(text.as_bytes())
        .map_err(|why| anyhow::anyhow!("{}: {why}", path.display()))?;
    let count = listings.len();
    Ok((node.reference().load(listings, 0), count))
}

/// Loads again at each hang-up. A file that cannot be read is told, and changes nothing.
///
/// # Errors
/// When the signal cannot be waited for.
pub fn follow(path: &Path, node: &Arc<Node>) -> Result<()> {
    let mut hang_up = signal(SignalKind::hangup()).context("cannot wait for SIGHUP")?;
    let (path, node) = (path.to_owned(), Arc::clone(node));
    tokio::spawn(async move {
        while hang_up.recv().await.is_some() {
            match load(&path, &node) {
                Ok((revision, count)) => print::line(format!(
                    "reference data {revision}: {count} symbols of {}",
                    path.display()
                )),
                Err(why) => print::warning(&format!("reference data unchanged: {why:#}")),
            }
        }
    });
    Ok(())
}
