//! From bytes to books to frames: decoding, books, and the way over a socket.

mod books;
mod decode;
mod fields;
mod input;
mod naive;
mod plan;
mod receive;
mod wire_to_publish;

use anyhow::Result;

use crate::Size;
use crate::machine::held;
use crate::report::Report;
use input::Input;

/// Messages of the decode and book figures.
const MESSAGES: usize = 10_000_000;

/// The figures of receiving alone.
pub fn receiving(size: Size, report: &mut Report) -> Result<()> {
    receive::run(size, report)
}

/// All figures of the suite.
pub fn run(size: Size, report: &mut Report) -> Result<()> {
    let messages = size.of(MESSAGES);
    report.step(&format!("stream: generating {messages} ITCH messages"));
    let input = Input::generate(messages);
    let (held, (decoded, booked)) = held(0, || (decode::measure(&input), books::measure(&input)));
    report.scheduled(held);
    decoded
        .into_iter()
        .chain(booked)
        .for_each(|figure| report.add(figure));
    drop(input);
    receive::run(size, report)?;
    wire_to_publish::run(size, report)
}
