//! What an operator must see of the first feed and does not ask for: one line on standard error when
//! a counter of trouble has grown, at most one in ten seconds for each.

use std::sync::Arc;
use std::time::{Duration, Instant};

use market::publish::FeedStatus;
use node::Node;
use node::market::MarketView;

use crate::print;

const LOOK: Duration = Duration::from_millis(250);
const QUIET: Duration = Duration::from_secs(10);

/// A counter and what its growth by so much means.
struct Worry {
    read: fn(&MarketView, &FeedStatus) -> u64,
    words: fn(u64) -> String,
}

const WORRIES: &[Worry] = &[
    Worry {
        read: |_, feed| feed.lost,
        words: |n| format!("{n} messages are lost for good: every book is flagged stale"),
    },
    Worry {
        read: |_, feed| feed.lines.iter().map(|line| line.kernel_drops).sum(),
        words: |n| {
            format!(
                "the kernel dropped {n} packets for want of buffer; `ouzel doctor` says how to raise it"
            )
        },
    },
    Worry {
        read: |_, feed| feed.rejected,
        words: |n| {
            format!(
                "{n} packets or messages could not be used; GET /v1/rejected shows the last of them"
            )
        },
    },
    Worry {
        read: |_, feed| feed.refuted,
        words: |n| {
            format!(
                "{n} messages that no line knows of were let go: does somebody else send to the group?"
            )
        },
    },
    Worry {
        read: |view, _| view.report.clock_steps,
        words: |n| {
            format!(
                "this machine's clock has jumped ({n} times); windows and timers go on without it"
            )
        },
    },
    Worry {
        read: |view, _| view.dropped(),
        words: |n| format!("{n} published frames were dropped at a full ring and marked"),
    },
];

/// Says once what the tables of `lanes` lanes may take, as soon as the first has taken them.
pub async fn say_bound(node: Arc<Node>, lanes: usize, is_prefaulted: bool) {
    loop {
        tokio::time::sleep(LOOK).await;
        let bound = node.market().report.memory_bound * lanes as u64;
        if bound > 0 {
            let mib = bound >> 20;
            let how = match is_prefaulted {
                true => "all taken at the start",
                false => "taken as the day fills them",
            };
            return print::line(format!("  tables   at most {mib} MiB, {how}"));
        }
    }
}

/// Follows the first feed until the runtime ends.
pub async fn follow(node: Arc<Node>) {
    let mut told: Vec<(u64, Option<Instant>)> = vec![(0, None); WORRIES.len()];
    loop {
        tokio::time::sleep(LOOK).await;
        let counts: Vec<u64> = {
            let view = node.market();
            let feed = view.feeds().first().copied().unwrap_or_default();
            WORRIES
                .iter()
                .map(|worry| (worry.read)(&view, &feed))
                .collect()
        };
        for ((worry, count), (before, at)) in WORRIES.iter().zip(counts).zip(&mut told) {
            let is_quiet = at.is_none_or(|at| at.elapsed() >= QUIET);
            if count > *before && is_quiet {
                print::warning(&(worry.words)(count - *before));
                (*before, *at) = (count, Some(Instant::now()));
            }
        }
    }
}
