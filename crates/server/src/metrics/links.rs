//! Connections to venues that speak WebSocket, as samples.

use node::market::{LinkView, MarketView};

use super::page::Page;

/// Name, help and where the number is.
type Row = (&'static str, &'static str, fn(&LinkView) -> u64);

const COUNTERS: &[Row] = &[
    (
        "ouzel_connector_messages_total",
        "Messages received on a venue's connection.",
        |link| link.messages,
    ),
    (
        "ouzel_connector_failures_total",
        "Times a venue's connection was lost or could not be made; each is followed by another attempt.",
        |link| link.failures,
    ),
    (
        "ouzel_connector_checksums_total",
        "Checksums of the venue compared with our books.",
        |link| link.check.checksums,
    ),
    (
        "ouzel_connector_checksum_failures_total",
        "Checksums that differed: each voids a book until its next snapshot.",
        |link| link.check.checksums_unequal,
    ),
    (
        "ouzel_connector_breaks_total",
        "Breaks found in a venue's books: of a checksum, a chain of numbers, an order of times.",
        |link| link.check.breaks,
    ),
    (
        "ouzel_connector_resubscribes_total",
        "Symbols subscribed again for their snapshot.",
        |link| link.check.resubscribes,
    ),
];

/// Everything about connections; nothing where there is none.
pub fn links(view: &MarketView, now_ns: u64, page: &mut Page) {
    let links = view.links();
    if links.is_empty() {
        return;
    }
    for (name, help, read) in COUNTERS {
        page.family(name, "counter", help);
        for link in links {
            page.sample(name, &[("connector", &link.name)], read(link));
        }
    }
    let name = "ouzel_connector_up";
    page.family(name, "gauge", "1 while a venue's connection is up.");
    for link in links {
        page.sample(name, &[("connector", &link.name)], u8::from(link.is_up));
    }
    let name = "ouzel_connector_age_seconds";
    page.family(name, "gauge", "Time since the newest message.");
    for link in links {
        if let Some(at) = link.last_recv_ns {
            let age_s = now_ns.saturating_sub(at) as f64 / 1e9;
            page.sample(name, &[("connector", &link.name)], age_s);
        }
    }
}
