//! What brings documents, by name.

use crate::app::App;
use crate::sources::Counts;

use super::page::Page;

/// Name, help and where the number is.
type Row = (&'static str, &'static str, fn(&Counts) -> u64);

const COUNTERS: &[Row] = &[
    (
        "ouzel_source_documents_total",
        "Documents of a source stored for the first time.",
        |c| c.documents,
    ),
    (
        "ouzel_source_revisions_total",
        "Documents of a source stored as another version.",
        |c| c.revisions,
    ),
    (
        "ouzel_source_duplicates_total",
        "Documents of a source that were there already.",
        |c| c.duplicates,
    ),
    (
        "ouzel_source_refused_total",
        "Documents of a source that cannot be stored as they are.",
        |c| c.refused,
    ),
    (
        "ouzel_source_deleted_total",
        "Documents deleted because their files were removed.",
        |c| c.deleted,
    ),
    (
        "ouzel_source_failures_total",
        "Times that a source did not work.",
        |c| c.failures,
    ),
];

/// Everything about sources.
pub fn sources(app: &App, page: &mut Page) {
    let all: Vec<_> = app.sources().iter().map(|s| (s, s.counts())).collect();
    if all.is_empty() {
        return;
    }
    for (name, help, read) in COUNTERS {
        page.family(name, "counter", help);
        for (source, counts) in &all {
            let labels = [("source", source.name.as_str()), ("kind", source.kind)];
            page.sample(name, &labels, read(counts));
        }
    }
    let name = "ouzel_source_up";
    page.family(name, "gauge", "1 unless a source is in trouble.");
    for (source, counts) in &all {
        let labels = [("source", source.name.as_str()), ("kind", source.kind)];
        page.sample(name, &labels, u8::from(counts.trouble.is_none()));
    }
    let name = "ouzel_source_last_success_timestamp_seconds";
    page.family(name, "gauge", "When a source last worked; absent before.");
    for (source, counts) in &all {
        if let Some(at) = counts.last_success {
            let labels = [("source", source.name.as_str()), ("kind", source.kind)];
            page.sample(name, &labels, at as f64 / 1e9);
        }
    }
}
