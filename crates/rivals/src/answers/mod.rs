//! Text to vector, and questions answered while the market flows through the same process.

mod embedding;
mod evidence;
mod load;
mod memory;
mod passages;
mod questions;
mod queue;
mod standing;

use anyhow::Result;

use crate::Size;
use crate::machine::held;
use crate::report::Report;

/// All figures of the suite.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    if size.wants("passages") {
        passages::run(size, report)?;
    }
    if size.wants("embed") {
        report.step("answers: embedding");
        let (is_held, figures) = held(1, || embedding::measure(size));
        report.scheduled(is_held);
        figures?.into_iter().for_each(|figure| report.add(figure));
        report.scheduled(false);
    }
    if size.wants("queue") {
        report.step("answers: the embedder's queue under 200 clients");
        let figures = queue::measure(size)?;
        figures.into_iter().for_each(|figure| report.add(figure));
    }
    if size.wants("evidence") {
        evidence::run(size, report)?;
    }
    if size.wants("questions") {
        questions::run(size, report)?;
    }
    if size.wants("standing") {
        standing::run(size, report)?;
    }
    Ok(())
}
