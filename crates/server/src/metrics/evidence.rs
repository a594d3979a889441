//! What became of the signals that asked for evidence.

use super::page::Page;
use crate::app::App;

pub fn evidence(app: &App, page: &mut Page) {
    let counts = app.node.evidence_counts();
    let name = "ouzel_evidence_seconds";
    let what = "From a signal's arrival at the node until its bundle of evidence was there.";
    page.family(name, "histogram", what);
    page.buckets(name, &[], &counts.took_ns);
    let name = "ouzel_evidence_bundles_total";
    let what = "Bundles of evidence, by whether a cause was found.";
    page.family(name, "counter", what);
    let cited = counts.bundles - counts.no_cause;
    page.sample(name, &[("outcome", "cited")], cited);
    page.sample(name, &[("outcome", "no_cause")], counts.no_cause);
    for (name, what, count) in [
        (
            "ouzel_evidence_triggers_total",
            "Signals that asked for evidence.",
            counts.triggers,
        ),
        (
            "ouzel_evidence_dropped_total",
            "Signals whose evidence was not looked for because too many waited.",
            counts.dropped,
        ),
        (
            "ouzel_evidence_failed_total",
            "Signals whose evidence could not be looked for: no search could be made.",
            counts.failed,
        ),
    ] {
        page.family(name, "counter", what);
        page.sample(name, &[], count);
    }
}
