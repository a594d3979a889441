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

use anyhow::{Context, Result, bail};

use engine::memory::HugeHeap;
use machine::Machine;
use report::Report;

/// As the binary has it, for ours and for every rival in this process.
#[global_allocator]
static HEAP: HugeHeap = HugeHeap;

const USAGE: &str = "usage: rivals [stream|receive|vector|answers] [--quick] [--only NAME] [--peers]
       rivals day FILE [MESSAGES]
       rivals books FILE [--queues]
Prints one JSON object a figure and then a table. --quick takes a tenth of the input, to try it out.
--only takes one part of the stream suite: decode, books, windows, receive, wire_to_publish.
--peers installs engines from PyPI in target/peers-venv and measures `windows` beside them.
`day` writes the generated ITCH day of the stream suite, for engines that are run outside this program;
`books` reads it as they do: from memory, one core, decoding and books of all symbols.";

/// Messages of a day that is written for others.
const DAY_MESSAGES: usize = 20_000_000;

/// How much input a run takes, and which figures it is for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Size {
    quick: bool,
    only: Option<String>,
    peers: bool,
}

impl Size {
    /// `full`, or a tenth of it.
    fn of(&self, full: usize) -> usize {
        if self.quick { full / 10 } else { full }
    }

    /// Whether engines from PyPI are to be installed and measured.
    fn peers(&self) -> bool {
        self.peers
    }

    /// Whether the figures of this name are asked for.
    fn wants(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only == name)
    }
}

fn main() -> Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    if let [command, path, rest @ ..] = words.as_slice()
        && command == "day"
    {
        let messages = match rest {
            [] => DAY_MESSAGES,
            [count] => count.parse().context("the number of messages")?,
            _ => bail!("{USAGE}"),
        };
        print!("{}", stream::write_day(path.as_ref(), messages)?);
        return Ok(());
    }
    if let [command, path, rest @ ..] = words.as_slice()
        && command == "books"
    {
        let books = stream::read_day(path.as_ref(), rest.first().is_some_and(|w| w == "--queues"))?;
        println!(
            "{} messages {:.2} ns/message checksum {:016x} levels {}",
            books.messages, books.ns_per_message, books.checksum, books.levels
        );
        return Ok(());
    }
    let (mut suite, mut size) = (None, Size::default());
    let mut words = words.into_iter();
    while let Some(argument) = words.next() {
        match argument.as_str() {
            "--quick" => size.quick = true,
            "--peers" => size.peers = true,
            "--only" => size.only = Some(words.next().context(USAGE)?),
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            name if !name.starts_with('-') && suite.is_none() => suite = Some(argument),
            other => bail!("`{other}` is not understood; {USAGE}"),
        }
    }
    let mut report = Report::new(Machine::here());
    match suite.as_deref() {
        None => {
            stream::run(&size, &mut report)?;
            vectors::run(&size, &mut report)?;
            answers::run(&size, &mut report)?;
        }
        Some("stream") => stream::run(&size, &mut report)?,
        Some("receive") => stream::receiving(&size, &mut report)?,
        Some("vector") => vectors::run(&size, &mut report)?,
        Some("answers") => answers::run(&size, &mut report)?,
        Some(other) => bail!("no suite named `{other}`; {USAGE}"),
    }
    println!("\n{}", report.table());
    Ok(())
}
