//! The outlets, by name: readers of one name are summed, and the counts of closed ones stay.

use std::collections::BTreeMap;

use node::Node;
use node::outlet::{FarSide, OutletTotals};

use super::page::Page;

/// Name, help and where the number is.
type Row = (&'static str, &'static str, fn(&OutletTotals) -> u64);

const COUNTERS: &[Row] = &[
    (
        "ouzel_outlet_sent_total",
        "Frames handed to the readers of an outlet.",
        |t| t.sent,
    ),
    (
        "ouzel_outlet_conflated_total",
        "States replaced by newer ones before a reader took them.",
        |t| t.conflated,
    ),
    (
        "ouzel_outlet_dropped_total",
        "Frames dropped at an outlet's bound; each is counted by a mark.",
        |t| t.dropped,
    ),
    (
        "ouzel_outlet_spilled_total",
        "Frames written to disk for a reader that was slow.",
        |t| t.spilled,
    ),
];

/// The same of the part behind an outlet, for those that have one which says.
type FarRow = (&'static str, &'static str, fn(&FarSide) -> u64);

const FAR_COUNTERS: &[FarRow] = &[
    (
        "ouzel_outlet_confirmed_total",
        "Frames that the part behind an outlet has for certain.",
        |f| f.confirmed,
    ),
    (
        "ouzel_outlet_uncertain_total",
        "Frames under way when a connection broke; each is counted by a mark.",
        |f| f.uncertain,
    ),
    (
        "ouzel_outlet_refused_total",
        "Frames that the part behind an outlet refused, or that its format cannot say.",
        |f| f.refused,
    ),
    (
        "ouzel_outlet_connects_total",
        "Connections made to the part behind an outlet.",
        |f| f.connects,
    ),
];

/// Everything about outlets.
pub fn outlets(node: &Node, page: &mut Page) {
    let totals = node.outlets().totals();
    for (name, help, read) in COUNTERS {
        page.family(name, "counter", help);
        for (outlet, total) in &totals {
            page.sample(name, &[("outlet", outlet)], read(total));
        }
    }
    for (name, help, read) in FAR_COUNTERS {
        let mut far = totals
            .iter()
            .filter_map(|(outlet, total)| Some((outlet, total.far?)))
            .peekable();
        if far.peek().is_some() {
            page.family(name, "counter", help);
        }
        for (outlet, far) in far {
            page.sample(name, &[("outlet", outlet)], read(&far));
        }
    }
    let name = "ouzel_outlet_blocked_seconds_total";
    page.family(
        name,
        "counter",
        "How long inputs over TCP waited for an outlet.",
    );
    for (outlet, total) in &totals {
        page.sample(name, &[("outlet", outlet)], total.blocked_ns as f64 / 1e9);
    }
    let mut open: BTreeMap<String, (usize, bool)> = BTreeMap::new();
    for outlet in node.outlets().status() {
        let entry = open.entry(outlet.name).or_insert((0, true));
        entry.0 += outlet.waiting;
        entry.1 &= outlet.trouble.is_none();
    }
    let name = "ouzel_outlet_waiting";
    page.family(
        name,
        "gauge",
        "Frames that wait for the readers of an outlet.",
    );
    for (outlet, (waiting, _)) in &open {
        page.sample(name, &[("outlet", outlet)], waiting);
    }
    let name = "ouzel_outlet_up";
    page.family(
        name,
        "gauge",
        "1 unless what is behind an outlet is in trouble.",
    );
    for (outlet, (_, is_up)) in &open {
        page.sample(name, &[("outlet", outlet)], u8::from(*is_up));
    }
}
