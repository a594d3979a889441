//! Depth snapshots over HTTP.

use std::time::Duration;

const LIMIT: u32 = 1_000;
const BYTES_LIMIT: u64 = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(10);

/// Fetches the depth of one symbol; blocks.
pub(super) fn depth(rest: &str, symbol: &str) -> Result<Vec<u8>, String> {
    let url = format!("{rest}?symbol={symbol}&limit={LIMIT}");
    get(&url).map_err(|why| format!("{url}: {why}"))
}

fn get(url: &str) -> Result<Vec<u8>, ureq::Error> {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(PATIENCE))
        .build();
    let mut response = ureq::Agent::new_with_config(config).get(url).call()?;
    response
        .body_mut()
        .with_config()
        .limit(BYTES_LIMIT)
        .read_to_vec()
}
