//! What a lane tells about itself, a few times a second, through a ring of its own.

use crate::pipeline::Late;
use stdx::{Buckets, Histogram};

/// Times from the kernel's receive stamp to publication, one value a payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Latency {
    /// How many payloads.
    pub count: u64,
    /// Half were faster, ns.
    pub p50_ns: u64,
    /// 99 in 100 were faster, ns.
    pub p99_ns: u64,
    /// 999 in 1,000 were faster, ns.
    pub p999_ns: u64,
    /// The slowest, ns.
    pub max_ns: u64,
}

impl Latency {
    /// The quantiles of a histogram of ns.
    #[must_use]
    pub fn of(histogram: &Histogram) -> Self {
        let quantile = |q| histogram.quantile(q).unwrap_or(0);
        Self {
            count: histogram.count(),
            p50_ns: quantile(0.5),
            p99_ns: quantile(0.99),
            p999_ns: quantile(0.999),
            max_ns: histogram.max().unwrap_or(0),
        }
    }
}

/// How long each stage took, in buckets, since the start. A payload's time in a stage is that of its
/// batch: all of a batch count as applied when its last one is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Stages {
    /// The kernel's receive stamp to our own look at the payload. None of a recording.
    pub kernel_to_receive: Buckets,
    /// From there until its messages are in the books and windows.
    pub receive_to_applied: Buckets,
    /// From there until what changed is in the ring.
    pub applied_to_published: Buckets,
    /// From there until the control side took it out for its outlets; one value a frame.
    pub published_to_outlet: Buckets,
}

/// Where a lane stands. Counters run since the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Report {
    /// When it was made, ns UTC; 0 before the first.
    pub at_ns: u64,
    /// The most that the lane's tables and its ring may hold, bytes: taken at the start, touched as they are used.
    /// 0 where the program's allocator is not [`HugeHeap`](crate::memory::HugeHeap).
    pub memory_bound: u64,
    /// Payloads received on all lines, retransmissions included.
    pub payloads: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Datagrams of lines A and B that the kernel dropped.
    pub kernel_drops: [u64; 2],
    /// Requests for lost messages sent.
    pub requests: u64,
    /// How often the machine's clock has jumped.
    pub clock_steps: u64,
    /// The lane's time minus UTC, ns: what is left of those jumps, drawn in slowly. Receive stamps
    /// are off by it meanwhile.
    pub clock_skew_ns: i64,
    /// What came behind the watermark.
    pub late: Late,
    /// Frames put into the ring.
    pub frames: u64,
    /// How often the ring was full.
    pub frames_refused: u64,
    /// Receive to publish since the start.
    pub latency: Latency,
    /// Receive to publish since the report before.
    pub latency_recent: Latency,
    /// By stage.
    pub stages: Stages,
}
