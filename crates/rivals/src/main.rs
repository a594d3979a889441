//! Our parts beside a peer or a physical limit, on the same input and in the same run.
//!
//! `cargo xtask bench [stream|vector|answers]` prints one JSON object a figure and then a table;
//! docs/benchmarks.md says how each figure is made and what it is worth. Peers are dependencies of
//! this crate and of no other.
#![allow(clippy::disallowed_methods, reason = "benchmarks read the clock")]
#![forbid(unsafe_code)]

mod answers;
mod machine;
mod measure;
mod report;
mod stream;
mod vectors;

use anyhow::{Result, bail};

use engine::memory::HugeHeap;
use machine::Machine;
use report::Report;

/// As the binary has it, for ours and for every rival in this process.
#[global_allocator]
static HEAP: HugeHeap = HugeHeap;

const USAGE: &str = "usage: rivals [stream|receive|vector|answers] [--quick]
Prints one JSON object a figure and then a table. --quick takes a tenth of the input, to try it out.";

/// How much input a run takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    quick: bool,
}

impl Size {
    /// `full`, or a tenth of it.
    fn of(self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }
}

fn main() -> Result<()> {
    let (mut suite, mut quick) = (None, false);
    for argument in std::env::args().skip(1) {
        match argument.as_str() {
            "--quick" => quick = true,
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            name if !name.starts_with('-') && suite.is_none() => suite = Some(argument),
            other => bail!("`{other}` is not understood; {USAGE}"),
        }
    }
    let size = Size { quick };
    let mut report = Report::new(Machine::here());
    match suite.as_deref() {
        None => {
            stream::run(size, &mut report)?;
            vectors::run(size, &mut report)?;
            answers::run(size, &mut report)?;
        }
        Some("stream") => stream::run(size, &mut report)?,
        Some("receive") => stream::receiving(size, &mut report)?,
        Some("vector") => vectors::run(size, &mut report)?,
        Some("answers") => answers::run(size, &mut report)?,
        Some(other) => bail!("no suite named `{other}`; {USAGE}"),
    }
    println!("\n{}", report.table());
    Ok(())
}
