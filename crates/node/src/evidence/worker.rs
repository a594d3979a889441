//! The one thread that answers triggers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use market::publish::SignalKind;
use rag::{Explained, Fault, Jump, Memory, Shock};

use super::bundle::Bundle;
use super::trigger::Trigger;
use crate::moments::MomentQuery;
use crate::node::Node;

/// Between two looks at whether the end has come.
const PATIENCE: Duration = Duration::from_millis(200);
/// A jump told again within this of the last telling is of the same move.
const SAME_MOVE_NS: u64 = 30_000_000_000;
const MOMENTS: usize = 5;
const WINDOW_NS: u64 = 10_000_000_000;
const MINUTE_NS: u64 = 60_000_000_000;
const OUTCOMES_NS: [u64; 3] = [MINUTE_NS, 5 * MINUTE_NS, 30 * MINUTE_NS];

/// Turns signals into bundles while it lives. Dropping it ends the thread; signals then go by unanswered.
pub struct EvidenceWorker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl EvidenceWorker {
    /// Starts answering the signals of `node`, from now on.
    ///
    /// # Errors
    /// When the system gives no thread, or the node has a worker already.
    pub fn spawn(node: Arc<Node>) -> std::io::Result<Self> {
        if !node.triggers().begin_reading() {
            return Err(std::io::Error::other(
                "the node's signals are answered already",
            ));
        }
        let reading = Reading(node);
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new()
            .name("evidence".to_owned())
            .spawn(move || {
                let Reading(node) = &reading;
                while !stopped.load(Ordering::Acquire) {
                    if let Some(trigger) = node.triggers().take(PATIENCE) {
                        node.answer_trigger(trigger);
                    }
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

/// Signals are queued while it lives, however its owner ends.
struct Reading(Arc<Node>);

impl Drop for Reading {
    fn drop(&mut self) {
        self.0.triggers().end_reading();
    }
}

impl Drop for EvidenceWorker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic in the worker was already printed by its thread; there is nobody to tell.
            let _ended = thread.join();
        }
    }
}

impl Node {
    fn answer_trigger(&self, trigger: Trigger) {
        let taken_ns = self.clock().now_ns();
        let waited_ns = taken_ns.saturating_sub(trigger.had_ns);
        // Not later than the present as the memory sees it: what is stored from here on becomes known after it.
        let now = self.instant().unwrap_or(taken_ns);
        let at = trigger.signal.stamp.ts_event.min(now);
        let moments = || {
            self.moments().similar(&MomentQuery {
                symbol: trigger.symbol.clone(),
                at: Some(at),
                window_ns: WINDOW_NS,
                k: MOMENTS,
                outcomes: OUTCOMES_NS.to_vec(),
                shape: None,
                same_symbol: false,
            })
        };
        let (similar, explained) = collection::at_once(moments, || self.explain(&trigger, at));
        let Ok(explained) = explained else {
            self.bundles().fail();
            return;
        };
        let follows = self.follows(&trigger);
        let took_ns = self.clock().now_ns().saturating_sub(trigger.had_ns);
        self.bundles().push(Bundle {
            number: 0,
            at,
            follows,
            explained,
            similar,
            window_ns: WINDOW_NS,
            waited_ns,
            took_ns,
            trigger,
        });
    }

    fn explain(&self, trigger: &Trigger, at: u64) -> Result<Explained, Fault> {
        let stamp = trigger.signal.stamp;
        let jump = match trigger.signal.kind {
            SignalKind::Jump {
                from, to, span_ns, ..
            } => Some(Jump {
                at: stamp.ts_event,
                span_ns,
                from: from.to_f64(),
                to: to.to_f64(),
                seq: stamp.seq,
            }),
            _ => None,
        };
        self.asker(None).explain(&Shock {
            symbol: trigger.symbol.clone(),
            at,
            jump,
            peers: self.reference().peers(&trigger.symbol),
        })
    }

    /// The newest bundle of the same symbol, where it tells of the same move.
    fn follows(&self, trigger: &Trigger) -> Option<u64> {
        let last = self.bundles().newest(Some(&trigger.symbol), 1).pop()?;
        let age_ns = trigger
            .signal
            .stamp
            .ts_event
            .checked_sub(last.trigger.signal.stamp.ts_event)?;
        let way = |trigger: &Trigger| match trigger.signal.kind {
            SignalKind::Jump { move_bp, .. } => Some(move_bp > 0),
            _ => None,
        };
        let is_same = way(trigger) == way(&last.trigger) && age_ns <= SAME_MOVE_NS;
        is_same.then_some(last.number)
    }
}
