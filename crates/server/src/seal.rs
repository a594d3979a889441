//! The key that receipts are sealed with, made with the machine's randomness where a data folder has none.

use std::io;

use node::{Node, SEAL_FILE, Seal};
use rag::Fault;

/// The seal of a node's data folder.
///
/// # Errors
/// When its key cannot be read or made.
pub fn seal(node: &Node) -> Result<&Seal, Fault> {
    let fill = |key: &mut [u8]| getrandom::fill(key).map_err(|e| io::Error::other(e.to_string()));
    let what = |e: io::Error| {
        let path = node.dir().join(SEAL_FILE);
        Fault::unavailable("seal", format!("{}: {e}", path.display()))
    };
    node.seal(fill).map_err(what)
}
