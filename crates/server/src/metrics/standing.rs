//! Standing questions: what was matched, what was told, and what became of webhooks.

use node::standing::StandingCounts;

use super::{BOUNDS_S, Page};
use crate::app::App;
use crate::standing::OutboxCounts;

pub(super) fn standing(app: &App, page: &mut Page) {
    let counts = app.node.standing().counts();
    let head = app.node.documents().collection().head_seq();
    let waits = if counts.questions > 0 {
        head
    } else {
        counts.settled_seq
    };
    for (name, what, value) in [
        (
            "ouzel_standing_questions",
            "Questions that wait for their answers.",
            counts.questions,
        ),
        (
            "ouzel_standing_lag_entries",
            "Entries of the log that are not matched yet, or whose alerts are not all delivered or given up.",
            waits.saturating_sub(counts.settled_seq),
        ),
        (
            "ouzel_standing_ahead",
            "Documents stored ahead of their time that wait to become known.",
            counts.ahead,
        ),
        (
            "ouzel_standing_scanned_bytes",
            "Bytes of directions that each passage is compared with.",
            counts.scanned_bytes,
        ),
    ] {
        page.family(name, "gauge", what);
        page.sample(name, &[], value);
    }
    for (name, what, value) in [
        (
            "ouzel_standing_documents_total",
            "Documents matched.",
            counts.arrivals,
        ),
        (
            "ouzel_standing_states_total",
            "Market states matched.",
            counts.states,
        ),
        ("ouzel_standing_alerts_total", "Alerts told.", counts.alerts),
        (
            "ouzel_standing_missed_total",
            "Entries and documents that went unmatched: the log no longer had them, or too many were ahead of their time.",
            counts.missed,
        ),
        (
            "ouzel_standing_untidied_total",
            "Times the file of the questions could not be written anew and grew on; is the disk full?",
            counts.untidied,
        ),
    ] {
        page.family(name, "counter", what);
        page.sample(name, &[], value);
    }
    broker(&counts, page);
    let name = "ouzel_standing_match_seconds";
    let what = "Time to match a document with all questions.";
    page.family(name, "histogram", what);
    page.histogram(name, &[], &counts.match_ns, &BOUNDS_S);
    if let Some(outbox) = app.outbox() {
        webhooks(outbox.counts(), page);
    }
}

fn broker(counts: &StandingCounts, page: &mut Page) {
    let name = "ouzel_standing_broker_lost_total";
    let what = "Alerts that the broker did not get: too many waited, or it does not take such.";
    page.family(name, "counter", what);
    page.sample(name, &[("why", "dropped")], counts.broker_dropped);
    page.sample(name, &[("why", "refused")], counts.broker_refused);
}

fn webhooks(counts: OutboxCounts, page: &mut Page) {
    let name = "ouzel_webhooks_waiting";
    page.family(name, "gauge", "Webhooks on their way.");
    page.sample(name, &[], counts.waiting);
    let name = "ouzel_webhooks_total";
    let what = "Webhooks delivered, attempts that failed, and webhooks given up.";
    page.family(name, "counter", what);
    for (outcome, count) in [
        ("delivered", counts.delivered),
        ("failed", counts.failed),
        ("dead", counts.dead),
    ] {
        page.sample(name, &[("outcome", outcome)], count);
    }
}
