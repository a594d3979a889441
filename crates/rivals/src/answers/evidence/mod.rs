//! What the market finds when it asks by itself: causes found and invented, and how long it takes under load.
//!
//! Two worlds. In `reuters`, real stories of 1987 are the causes of moves that we plant, among all real stories of the hour;
//! their words are nobody's who works here. In `live`, the simulated venue plants moves and news at 500,000 messages a
//! second, through sockets, lane and node; its templates were known when the ranker was written.

mod labels;
mod live;
mod reuters;

use anyhow::Result;

use crate::Size;
use crate::report::Report;

/// All figures.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    report.step("evidence: real stories as causes of planted moves");
    match reuters::run(report)? {
        None => {
            report.step("evidence: skipped: no shared/data/text/reuters21578 beside the checkout")
        }
        Some(figures) => figures.into_iter().for_each(|figure| report.add(figure)),
    }
    report.step("evidence: shocks at 500,000 messages a second");
    live::run(size, report)
}
