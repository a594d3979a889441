//! `ouzel restore`: a copy of what a data folder remembers.

use std::process::ExitCode;

use anyhow::Result;
use collection::Until;
use serde_json::{Value, json};
use server::json::parse_instant;

use crate::args::RestoreArgs;
use crate::print;

/// Copies, and says what was copied.
pub fn run(args: &RestoreArgs) -> Result<ExitCode> {
    let as_of = args.as_of.as_deref().map(parse_instant).transpose();
    let as_of = as_of.map_err(|why| anyhow::anyhow!("--as-of: {why}"))?;
    let until = as_of.map_or(Until::Head, Until::Known);
    let stores = node::restore(&args.data, &args.to, until)?;
    if args.json {
        let stores = stores.iter().map(|(name, restored)| {
            let digest = format!("{:016x}", restored.digest);
            let said = json!({"entry": restored.seq, "digest": digest});
            ((*name).to_owned(), said)
        });
        print::json(&Value::Object(stores.collect()));
        return Ok(ExitCode::SUCCESS);
    }
    for (name, restored) in stores {
        let (seq, digest) = (restored.seq, restored.digest);
        print::line(format!("{name}: up to entry {seq}, digest {digest:016x}"));
    }
    print::line(format!("the copy is in {}", args.to.display()));
    Ok(ExitCode::SUCCESS)
}
