//! The thread that makes vectors anew, at a pace that leaves the machine to those who ask.

use std::io;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use super::{Reembedding, Turned};
use crate::Node;

/// How long a turn waits for something to embed.
const TURN: Duration = Duration::from_millis(50);
/// Waits after a turn that failed: the first, and the longest.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));
/// The end that is waited for while it rests.
#[derive(Default)]
struct End {
    has_come: Mutex<bool>,
    changed: Condvar,
}

/// Embeds while it lives. Dropping it ends the thread; a later one goes on from there.
pub struct ReembedWorker {
    end: Arc<End>,
    thread: Option<JoinHandle<()>>,
}

impl ReembedWorker {
    /// Starts for a node. `told` is called with what a person should know: that it waits and why, and that a new model
    /// answers.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(node: Arc<Node>, told: impl Fn(&str) + Send + 'static) -> io::Result<Self> {
        let end = Arc::new(End::default());
        let ends = Arc::clone(&end);
        let thread = std::thread::Builder::new().name("reembed".to_owned());
        let thread = thread.spawn(move || run(&node, &ends, &told))?;
        Ok(Self {
            end,
            thread: Some(thread),
        })
    }
}

impl Drop for ReembedWorker {
    fn drop(&mut self) {
        self.end.come();
        if let Some(thread) = self.thread.take() {
            // A panic there was already printed by its thread; there is nobody to tell.
            let _ended = thread.join();
        }
    }
}

fn run(node: &Arc<Node>, end: &End, told: &dyn Fn(&str)) {
    let mut work = Reembedding::new(Arc::clone(node));
    let (mut wait, mut said) = (RETRY.0, String::new());
    let mut rest = Duration::ZERO;
    while !end.came_within(rest) {
        let begun = node.clock().now_ns();
        rest = match work.turn(TURN) {
            Ok(Turned::Swapped) => {
                told(&format!("vectors of {} answer from here on", node.model()));
                Duration::ZERO
            }
            Ok(Turned::Idle) => TURN,
            // As long as it worked: it has half a processor at most. An endpoint works elsewhere.
            Ok(Turned::Told(_)) if node.reembeds_here() => {
                Duration::from_nanos(node.clock().now_ns().saturating_sub(begun))
            }
            Ok(Turned::Told(_)) => Duration::ZERO,
            Err(fault) => {
                let why = fault.to_string();
                if why != said {
                    told(&format!("vectors are not made anew for now: {why}"));
                    said = why;
                }
                rest = wait;
                wait = (wait * 2).min(RETRY.1);
                continue;
            }
        };
        (wait, said) = (RETRY.0, String::new());
    }
}

impl End {
    fn come(&self) {
        *self.has_come.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_all();
    }

    /// Whether it has, after a wait of at most `rest`.
    fn came_within(&self, rest: Duration) -> bool {
        let has_come = self.has_come.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(has_come, rest, |has_come| !*has_come);
        *waited.unwrap_or_else(PoisonError::into_inner).0
    }
}
