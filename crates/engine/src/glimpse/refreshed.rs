//! A pipeline that asks for snapshots, joined to the thread that fetches them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::Snapshot;
use super::client::SnapshotLink;
use crate::pipeline::{Late, Pipeline};
use crate::ring::FrameSender;
use market::pipeline::{ItchPipeline, Offered, RejectRing};
use market::reference::Table;
use wire::moldudp64::Request;

/// A pipeline whose books can be loaded anew.
pub trait Refreshable: Pipeline {
    /// True when a snapshot is to be asked for now; asked until false.
    fn next_snapshot_request(&mut self) -> bool;

    /// Offers a whole snapshot.
    fn snapshot(&mut self, now_ns: u64, snapshot: &Snapshot) -> Offered;

    /// The snapshot that was asked for will not come.
    fn snapshot_failed(&mut self, now_ns: u64);
}

impl Refreshable for ItchPipeline {
    fn next_snapshot_request(&mut self) -> bool {
        Self::next_snapshot_request(self)
    }

    fn snapshot(&mut self, now_ns: u64, snapshot: &Snapshot) -> Offered {
        Self::snapshot(self, now_ns, snapshot.next_seq, &snapshot.frames)
    }

    fn snapshot_failed(&mut self, now_ns: u64) {
        Self::snapshot_failed(self, now_ns);
    }
}

/// Gives the pipeline's requests to the fetching thread and its answers to the pipeline, at each
/// tick. Packets pass through as they are.
pub struct Refreshed<P> {
    pipeline: P,
    link: SnapshotLink,
    /// Numbers requests, so that an answer to an earlier one, perhaps of another session, is known.
    request: u64,
    /// Ahead of the feed: offered until the feed has got there.
    early: Option<Arc<Snapshot>>,
}

impl<P: Refreshable> Refreshed<P> {
    /// Joins both.
    #[must_use]
    pub fn new(pipeline: P, link: SnapshotLink) -> Self {
        Self {
            pipeline,
            link,
            request: 0,
            early: None,
        }
    }

    fn exchange(&mut self, now_ns: u64) {
        while self.pipeline.next_snapshot_request() {
            self.request += 1;
            self.early = None;
            if self.link.wanted.push(self.request).is_err() {
                // The thread has been in one fetch for sixteen requests: ask again later.
                self.pipeline.snapshot_failed(now_ns);
            }
        }
        while let Ok(answer) = self.link.answers.pop() {
            if answer.request == self.request {
                self.early = answer.snapshot;
                if self.early.is_none() {
                    self.pipeline.snapshot_failed(now_ns);
                }
            }
        }
        if let Some(snapshot) = &self.early {
            let status = &self.link.status;
            match self.pipeline.snapshot(now_ns, snapshot) {
                Offered::Early => return,
                Offered::Taken => status.loaded.fetch_add(1, Ordering::Relaxed),
                Offered::Refused => status.refused.fetch_add(1, Ordering::Relaxed),
            };
            // The thread holds it too, so nothing is freed here.
            self.early = None;
        }
    }
}

impl<P: Refreshable> Pipeline for Refreshed<P> {
    #[inline]
    fn packet(&mut self, line: usize, ts_recv: u64, bytes: &[u8]) {
        self.pipeline.packet(line, ts_recv, bytes);
    }

    #[inline]
    fn message(&mut self, ts_recv: u64, bytes: &[u8]) {
        self.pipeline.message(ts_recv, bytes);
    }

    fn tick(&mut self, now_ns: u64) {
        self.pipeline.tick(now_ns);
        self.exchange(now_ns);
    }

    fn next_request(&mut self) -> Option<Request> {
        self.pipeline.next_request()
    }

    fn publish(&mut self, sink: &mut FrameSender) {
        self.pipeline.publish(sink);
    }

    fn kernel_drops(&mut self, line: usize, total: u64) {
        self.pipeline.kernel_drops(line, total);
    }

    fn digest_at(&mut self, seq: u64) {
        self.pipeline.digest_at(seq);
    }

    fn take_digest(&mut self) -> Option<(u64, u64)> {
        self.pipeline.take_digest()
    }

    fn swap_reference(&mut self, table: Arc<Table>) {
        self.pipeline.swap_reference(table);
    }

    fn late(&self) -> Late {
        self.pipeline.late()
    }

    fn rejected(&self) -> Option<&RejectRing> {
        self.pipeline.rejected()
    }
}
