//! The feed, its lines and the lane, as samples.

use market::publish::{FeedStatus, LineStatus};
use node::market::MarketView;

use super::page::Page;

/// Name, help and where the number is.
type Row<T> = (&'static str, &'static str, fn(&T) -> u64);

const FEED: &[Row<FeedStatus>] = &[
    (
        "ouzel_feed_gaps_total",
        "Gaps opened in the feed's sequence.",
        |f| f.gaps,
    ),
    (
        "ouzel_feed_requested_total",
        "Messages asked for again.",
        |f| f.requested,
    ),
    (
        "ouzel_feed_recovered_total",
        "Messages that came by retransmission.",
        |f| f.recovered,
    ),
    ("ouzel_feed_lost_total", "Messages given up.", |f| f.lost),
    (
        "ouzel_feed_rejected_total",
        "Messages that could not be decoded.",
        |f| f.rejected,
    ),
];

const VIEW: &[Row<MarketView>] = &[
    (
        "ouzel_frames_dropped_total",
        "Published frames dropped at a full ring.",
        |v| v.dropped(),
    ),
    ("ouzel_signals_total", "Signals raised.", |v| {
        v.signal_count()
    }),
    (
        "ouzel_book_checks_total",
        "Books compared with the venue's own.",
        |v| v.check.checked,
    ),
    (
        "ouzel_book_checks_unequal_total",
        "Comparisons that differed.",
        |v| v.check.unequal,
    ),
];

const LINE: &[Row<LineStatus>] = &[
    (
        "ouzel_line_packets_total",
        "Packets received on a line.",
        |l| l.packets,
    ),
    (
        "ouzel_line_wins_total",
        "Messages that this line brought first.",
        |l| l.wins,
    ),
    (
        "ouzel_line_missed_total",
        "Messages that this line never brought.",
        |l| l.missed,
    ),
    (
        "ouzel_line_malformed_total",
        "Packets that could not be decoded.",
        |l| l.malformed,
    ),
    (
        "ouzel_line_kernel_drops_total",
        "Packets that the kernel dropped.",
        |l| l.kernel_drops,
    ),
];

/// Everything about lanes.
pub fn lanes(view: &MarketView, page: &mut Page) {
    let status = view.feeds().first().copied().unwrap_or_default();
    counters(FEED, &status, page);
    counters(VIEW, view, page);
    for (name, help, read) in LINE {
        page.family(name, "counter", help);
        for (label, line) in ["A", "B"].into_iter().zip(&status.lines) {
            page.sample(name, &[("line", label)], read(line));
        }
    }
    page.family(
        "ouzel_feed_next_sequence",
        "gauge",
        "Next sequence number to apply.",
    );
    page.sample("ouzel_feed_next_sequence", &[], status.next_seq);
    page.family("ouzel_feed_symbols", "gauge", "Symbols seen.");
    page.sample("ouzel_feed_symbols", &[], view.symbols().len());
    latency(view, page);
}

fn counters<T>(rows: &[Row<T>], from: &T, page: &mut Page) {
    for (name, help, read) in rows {
        page.family(name, "counter", help);
        page.sample(name, &[], read(from));
    }
}

fn latency(view: &MarketView, page: &mut Page) {
    let name = "ouzel_wire_to_publish_seconds";
    let latency = view.report.latency;
    page.family(
        name,
        "summary",
        "Kernel receive stamp to publication, since the start.",
    );
    let quantiles = [
        ("0.5", latency.p50_ns),
        ("0.99", latency.p99_ns),
        ("0.999", latency.p999_ns),
    ];
    for (quantile, ns) in quantiles {
        page.sample(name, &[("quantile", quantile)], ns as f64 / 1e9);
    }
    page.sample(&format!("{name}_count"), &[], latency.count);
    stages(view, page);
}

/// How far this machine's clock may be off: what every receive stamp is worth.
pub fn clock(page: &mut Page) {
    let Ok((synchronised, error_us)) = engine::doctor::clock_error() else {
        return; // Not told here, so not said here.
    };
    let name = "ouzel_clock_synchronised";
    page.family(
        name,
        "gauge",
        "1 while chrony, ntpd or ptp4l keeps the clock.",
    );
    page.sample(name, &[], u8::from(synchronised));
    let name = "ouzel_clock_error_bound_seconds";
    page.family(
        name,
        "gauge",
        "Largest distance of the clock from UTC, by the account of whoever keeps it.",
    );
    page.sample(name, &[], error_us as f64 / 1e6);
}

fn stages(view: &MarketView, page: &mut Page) {
    let name = "ouzel_stage_seconds";
    page.family(
        name,
        "histogram",
        "Time that a packet (of the last stage: a frame) took in each stage of the first lane.",
    );
    let stages = &view.report.stages;
    for (stage, buckets) in [
        ("kernel_to_receive", &stages.kernel_to_receive),
        ("receive_to_applied", &stages.receive_to_applied),
        ("applied_to_published", &stages.applied_to_published),
        ("published_to_outlet", &stages.published_to_outlet),
    ] {
        page.buckets(name, &[("stage", stage)], buckets);
    }
}
