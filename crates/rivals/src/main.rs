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
mod python;
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
       rivals day FILE [MESSAGES] [--as sparse|deep|stubs]
       rivals books FILE [--queues | --pipeline | --latency]
Prints one JSON object a figure and then a table. --quick takes a tenth of the input, to try it out.
--only takes one part of the stream suite: decode, books, latency, days, memory, hop, windows, receive,
wire_to_publish; of the vector suite: graph, filters, ivf, live, tail, threads, exact, shapes, rest;
of the answers suite: embed, queue, passages, standing, evidence, questions.
--peers installs engines from PyPI in target/peers-venv and measures `windows`, `graph`, `filters`, `ivf` and `embed` beside them, and builds
crates/rivals/books_peers and measures `books` beside those crates.
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
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["day", path, rest @ ..] => write_day(path, rest),
        ["books", path, rest @ ..] => read_day(path, rest),
        // The child of the memory figure: not for the command line.
        ["memory", path] => {
            println!("{}", stream::memory_of_day(path.as_ref())?);
            Ok(())
        }
        _ => suites(&words),
    }
}

fn write_day(path: &str, rest: &[&str]) -> Result<()> {
    let (count, day) = match rest {
        [] => (None, None),
        ["--as", day] => (None, Some(*day)),
        [count] => (Some(*count), None),
        [count, "--as", day] => (Some(*count), Some(*day)),
        _ => bail!("{USAGE}"),
    };
    let messages = match count {
        Some(count) => count.parse().context("the number of messages")?,
        None => DAY_MESSAGES,
    };
    let day = stream::Day::named(day.unwrap_or("plain")).context(USAGE)?;
    print!("{}", stream::write_day(path.as_ref(), messages, day)?);
    Ok(())
}

fn read_day(path: &str, rest: &[&str]) -> Result<()> {
    let how = match rest {
        [] => stream::How::Whole,
        ["--queues"] => stream::How::Queues,
        ["--pipeline"] => stream::How::Pipeline,
        ["--latency"] => stream::How::Latency,
        _ => bail!("{USAGE}"),
    };
    let books = stream::read_day(path.as_ref(), how)?;
    println!(
        "{} messages {:.2} ns/message checksum {:016x} levels {}",
        books.messages, books.ns_per_message, books.checksum, books.levels
    );
    if let Some(latency) = books.latency {
        println!("{latency}");
    }
    Ok(())
}

fn suites(words: &[&str]) -> Result<()> {
    let (mut suite, mut size) = (None, Size::default());
    let mut words = words.iter().copied();
    while let Some(argument) = words.next() {
        match argument {
            "--quick" => size.quick = true,
            "--peers" => size.peers = true,
            "--only" => size.only = Some(words.next().context(USAGE)?.to_owned()),
            "-h" | "--help" => {
                println!("{USAGE}");
                return Ok(());
            }
            name if !name.starts_with('-') && suite.is_none() => suite = Some(name),
            other => bail!("`{other}` is not understood; {USAGE}"),
        }
    }
    let mut report = Report::new(Machine::here());
    match suite {
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
