//! The feed, its lines and the lane, as samples.

use engine::glimpse::GlimpseView;
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
    (
        "ouzel_feed_refuted_total",
        "Messages held back and let go, since no line knows of them.",
        |f| f.refuted,
    ),
    (
        "ouzel_feed_snapshots_asked_total",
        "Snapshots that the first lane asked for.",
        |f| f.snapshots_asked,
    ),
    (
        "ouzel_feed_snapshots_failed_total",
        "Of them, those that did not come or were of no use.",
        |f| f.snapshots_failed,
    ),
    (
        "ouzel_feed_refreshed_total",
        "Times that all books were loaded from a snapshot.",
        |f| f.refreshed,
    ),
    (
        "ouzel_feed_unresolved_total",
        "Messages that stale books could not follow.",
        |f| f.unresolved,
    ),
];

const SNAPSHOTS: &[Row<GlimpseView>] = &[
    (
        "ouzel_glimpse_fetches_total",
        "Connections made to the snapshot server.",
        |v| v.fetches,
    ),
    (
        "ouzel_glimpse_failures_total",
        "Of them, those without a whole snapshot.",
        |v| v.failures,
    ),
    (
        "ouzel_glimpse_loaded_total",
        "Snapshots that lanes have loaded.",
        |v| v.loaded,
    ),
    (
        "ouzel_glimpse_refused_total",
        "Snapshots that were too old for a lane.",
        |v| v.refused,
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
    snapshots(view, page);
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
    let name = "ouzel_lane_clock_steps_total";
    page.family(
        name,
        "counter",
        "Jumps of the machine's clock that the lane kept out of its own time.",
    );
    page.sample(name, &[], view.report.clock_steps);
    let name = "ouzel_lane_clock_skew_seconds";
    page.family(
        name,
        "gauge",
        "The lane's time and receive stamps minus UTC: what is left of those jumps.",
    );
    page.sample(name, &[], view.report.clock_skew_ns as f64 / 1e9);
    memory(view, page);
    late(view, page);
    latency(view, page);
}

/// What the process holds, beside what the tables of the first lane may.
fn memory(view: &MarketView, page: &mut Page) {
    let name = "ouzel_lane_memory_bound_bytes";
    page.family(
        name,
        "gauge",
        "The most that the tables of the first lane may hold, known when it starts.",
    );
    page.sample(name, &[], view.report.memory_bound);
    let Some(resident) = engine::memory::resident() else {
        return; // Not told here, so not said here.
    };
    let name = "ouzel_process_resident_bytes";
    page.family(name, "gauge", "Memory that the process has now.");
    page.sample(name, &[], resident.now);
    let name = "ouzel_process_resident_peak_bytes";
    page.family(name, "gauge", "The most memory that the process has had.");
    page.sample(name, &[], resident.peak);
}

/// Of all lanes, of packets and of venues that speak WebSocket.
fn late(view: &MarketView, page: &mut Page) {
    let name = "ouzel_late_events_total";
    page.family(
        name,
        "counter",
        "Prints (and quotes, of measures) behind the watermark: still counted in, or dropped.",
    );
    let late = view.late();
    for (window, count) in [
        ("bars", late.bars),
        ("vwap", late.vwap),
        ("measures", late.measures),
    ] {
        for (outcome, value) in [("applied", count.applied), ("dropped", count.dropped)] {
            page.sample(name, &[("window", window), ("outcome", outcome)], value);
        }
    }
}

fn counters<T>(rows: &[Row<T>], from: &T, page: &mut Page) {
    for (name, help, read) in rows {
        page.family(name, "counter", help);
        page.sample(name, &[], read(from));
    }
}

fn snapshots(view: &MarketView, page: &mut Page) {
    let Some(status) = &view.snapshots else {
        return;
    };
    let now = status.view();
    counters(SNAPSHOTS, &now, page);
    let name = "ouzel_glimpse_snapshot_bytes";
    page.family(name, "gauge", "Size of the newest snapshot.");
    page.sample(name, &[], now.bytes);
    let name = "ouzel_glimpse_snapshot_seconds";
    page.family(name, "gauge", "How long the newest snapshot took to fetch.");
    page.sample(name, &[], now.took_ns as f64 / 1e9);
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
