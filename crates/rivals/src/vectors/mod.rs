//! Exact search, the graph, filters and the lists beside their peers, a collection in use, search as of an instant, search by words, and what an acknowledged write costs.

mod exact;
mod filters;
mod graph;
mod ivf;
mod live;
mod postings;
mod scan;
mod shapes;
mod store;
mod tail;
pub mod texts;
mod threads;

use anyhow::Result;

pub use graph::sets::{Set, find as find_set};
pub use texts::load as load_texts;

use crate::Size;
use crate::machine::held;
use crate::report::Report;

/// The last of two: the first usually serves the machine's interrupts.
const CORE: usize = 1;

/// All figures of the suite. Searches hold a core; writers wait for the disk and do not.
pub fn run(size: &Size, report: &mut Report) -> Result<()> {
    if size.wants("graph") {
        report.scheduled(false);
        graph::run(size, report)?;
    }
    if size.wants("filters") {
        report.scheduled(false);
        filters::run(size, report)?;
    }
    if size.wants("live") {
        report.scheduled(false);
        live::run(size, report)?;
    }
    if size.wants("ivf") {
        report.scheduled(false);
        ivf::run(size, report)?;
    }
    if size.wants("tail") {
        report
            .step("vector: the tail beside the exact scan of its rows, where the text set is here");
        let (is_held, figures) = held(CORE, || tail::measure(size));
        report.scheduled(is_held);
        figures?.into_iter().for_each(|figure| report.add(figure));
    }
    if size.wants("threads") {
        report.step("vector: two threads beside one, where the text set is here");
        report.scheduled(false);
        let figures = threads::measure(size)?;
        figures.into_iter().for_each(|figure| report.add(figure));
    }
    if size.wants("exact") {
        report.step("vector: exact search");
        let (is_held, figures) = held(CORE, || exact::measure(size));
        report.scheduled(is_held);
        figures?.into_iter().for_each(|figure| report.add(figure));
    }
    if size.wants("shapes") {
        report.step("vector: shapes in a long series");
        let (is_held, figures) = held(CORE, || shapes::measure(size));
        report.scheduled(is_held);
        figures?.into_iter().for_each(|figure| report.add(figure));
    }
    if !size.wants("rest") {
        return Ok(());
    }
    report.step("vector: a collection, now and as of an instant");
    let (_, figures) = held(CORE, || store::searches(size));
    figures?.into_iter().for_each(|figure| report.add(figure));
    report.step("vector: acknowledged writes");
    report.scheduled(false);
    store::writes(size)?
        .into_iter()
        .for_each(|figure| report.add(figure));
    Ok(())
}
