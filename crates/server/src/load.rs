//! Many documents into memory: two at a time, since one embeds while the other waits for the disk.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Mutex;
use std::sync::PoisonError;

use node::Node;
use rag::Draft;
use serde::{Deserialize, Serialize};

use crate::json::document::{Parsed, Unreadable};

const WORKERS: usize = 2;
/// Refused documents that are named; the rest are counted.
const NAMED_LIMIT: usize = 100;

/// What became of a bulk.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// Documents stored.
    pub stored: usize,
    /// Chunks written.
    pub chunks: usize,
    /// The memory's sequence after the last write.
    pub seq: u64,
    /// Whether all of it is on disk.
    pub durable: bool,
    /// How many documents were refused.
    #[serde(default)]
    pub rejected_count: usize,
    /// The first of them, and why each was.
    pub rejected: Vec<Unreadable>,
}

/// Stores every readable document. Versions of one id are stored in the order given.
#[must_use]
pub fn documents(node: &Node, parsed: Vec<Parsed>) -> Report {
    let mut lanes: [Vec<(usize, Draft)>; WORKERS] = Default::default();
    let mut report = Report {
        durable: true,
        ..Report::default()
    };
    for (index, parsed) in parsed.into_iter().enumerate() {
        match parsed {
            Ok(draft) => lanes[lane_of(&draft.id)].push((index, draft)),
            Err(unreadable) => report.rejected.push(unreadable),
        }
    }
    let shared = Mutex::new(report);
    std::thread::scope(|scope| {
        for lane in lanes {
            scope.spawn(|| {
                lane.into_iter()
                    .for_each(|(index, draft)| one(node, index, draft, &shared))
            });
        }
    });
    let mut report = shared.into_inner().unwrap_or_else(PoisonError::into_inner);
    report.rejected.sort_by_key(|r| r.index);
    report.rejected_count = report.rejected.len();
    report.rejected.truncate(NAMED_LIMIT);
    report
}

fn one(node: &Node, index: usize, draft: Draft, shared: &Mutex<Report>) {
    let id = draft.id.clone();
    let document = draft.settle(node.clock().now_ns());
    let outcome = node.asker(None).ingest(&document);
    let mut report = shared.lock().unwrap_or_else(PoisonError::into_inner);
    match outcome {
        Ok(stored) => {
            report.stored += 1;
            report.chunks += stored.chunks;
            report.seq = report.seq.max(stored.seq);
            report.durable &= stored.durable;
        }
        Err(fault) => {
            let refused = Unreadable::new(index, Some(id), fault.to_string());
            report.rejected.push(refused);
        }
    }
}

fn lane_of(id: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    id.hash(&mut hasher);
    (hasher.finish() % WORKERS as u64) as usize
}
