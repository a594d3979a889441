//! The thread that makes vectors anew, at a pace that leaves the machine to those who ask.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::{Reembedding, Turned};
use crate::Node;

/// How long a turn waits for something to embed.
const TURN: Duration = Duration::from_millis(50);
/// Waits after a turn that failed: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// A rest is cut into looks at whether the end has come.
const LOOK: Duration = Duration::from_millis(50);

/// Embeds while it lives. Dropping it ends the thread; a later one goes on from there.
pub struct ReembedWorker {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ReembedWorker {
    /// Starts for a node. `told` is called with what a person should know: that it waits and why, and that a new model
    /// answers.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(node: Arc<Node>, told: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("reembed".to_owned());
        let thread = thread.spawn(move || run(&node, &stopped, &told))?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

impl Drop for ReembedWorker {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic there was already printed by its thread; there is nobody to tell.
            let _ended = thread.join();
        }
    }
}

fn run(node: &Arc<Node>, stop: &AtomicBool, told: &dyn Fn(&str)) {
    let mut work = Reembedding::new(Arc::clone(node));
    let (mut wait, mut said) = (RETRY.0, String::new());
    while !stop.load(Ordering::Acquire) {
        let begun = Instant::now();
        let rest = match work.turn(TURN) {
            Ok(Turned::Swapped) => {
                told(&format!("vectors of {} answer from here on", node.model()));
                Duration::ZERO
            }
            Ok(Turned::Idle) => TURN,
            // As long as it worked: it has half a processor at most. An endpoint works elsewhere.
            Ok(Turned::Told(_)) if node.reembeds_here() => begun.elapsed(),
            Ok(Turned::Told(_)) => Duration::ZERO,
            Err(fault) => {
                let why = fault.to_string();
                if why != said {
                    told(&format!("vectors are not made anew for now: {why}"));
                    said = why;
                }
                let rest = wait;
                wait = (wait * 2).min(RETRY.1);
                nap(rest, stop);
                continue;
            }
        };
        (wait, said) = (RETRY.0, String::new());
        nap(rest, stop);
    }
}

fn nap(rest: Duration, stop: &AtomicBool) {
    let end = Instant::now() + rest;
    while !stop.load(Ordering::Acquire) {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        std::thread::sleep(left.min(LOOK));
    }
}
