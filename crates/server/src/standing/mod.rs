//! Standing questions at work: who matches, and who is told outside of this process.
//!
//! ```text
//!  log of documents --watcher thread--+--> alerts kept: HTTP, WebSocket
//!  market states ----states thread----+--> outbox: webhooks, signed, retried
//!                                     +--> NATS
//! ```

mod address;
mod outbox;
mod sign;
mod webhook;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use node::Node;
use node::standing::{Kept, Sink, StandingError, StateWatcher, Watcher};

use crate::json::standing::Definition;
use crate::out::Thread;

pub use outbox::{DeadLetter, Outbox, OutboxCounts};
pub use sign::Secret;
pub use webhook::{Deliverers, check_url};

/// A turn waits so long for something to match, and an idle watcher between two looks.
const TURN: Duration = Duration::from_millis(50);
/// Between two looks at market states, which come each 100 ms.
const STATES: Duration = Duration::from_millis(20);
/// After a log that could not be read.
const TROUBLE: Duration = Duration::from_secs(1);

/// What is decided on the command line.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Whether webhooks may go to addresses of this machine and of the site's own network.
    pub private_webhooks: bool,
}

/// Why nobody watches.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// What earlier runs kept cannot be used.
    #[error(transparent)]
    Standing(#[from] StandingError),
    /// The mark of an earlier run cannot be read, or the system gave no thread.
    #[error("standing questions: cannot begin to watch")]
    Thread(#[from] io::Error),
}

/// The threads. Dropping it ends them: how far matching got stays on disk.
pub struct Watch {
    // In this order: who matches leaves its mark before what was on its way is let go.
    _watcher: Thread,
    _states: Thread,
    _deliverers: Deliverers,
    outbox: Arc<Outbox>,
}

impl Watch {
    /// Reads what earlier runs kept and begins, telling `others` too.
    ///
    /// # Errors
    /// When that cannot be read, or there is no thread.
    pub fn start(
        node: &Arc<Node>,
        settings: Settings,
        others: Vec<Arc<dyn Sink>>,
    ) -> Result<Self, StartError> {
        let collection = node.documents().collection();
        let read = |kept: &Kept| Definition::read(kept, node);
        node.standing().open(collection.head_seq(), &read)?;
        let outbox = Arc::new(Outbox::default());
        let deliverers = Deliverers::start(&outbox, settings)?;
        let mut sinks = others;
        sinks.push(Arc::clone(&outbox) as Arc<dyn Sink>);
        let asker = Arc::clone(node);
        let renew = Box::new(move |kept: &Kept| Definition::renew(kept, &asker));
        let watcher = Watcher::new(Arc::clone(node), sinks.clone(), renew)?;
        let states = StateWatcher::new(Arc::clone(node), sinks);
        let (stop, ended) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let (told, also_told) = (Arc::clone(&stop), Arc::clone(&ended));
        Ok(Self {
            _watcher: Thread::spawn("standing", stop, move || watch(watcher, &told))?,
            _states: Thread::spawn("standing-states", ended, move || {
                follow(states, &also_told);
            })?,
            _deliverers: deliverers,
            outbox,
        })
    }

    /// Webhooks on their way.
    #[must_use]
    pub fn outbox(&self) -> Arc<Outbox> {
        Arc::clone(&self.outbox)
    }
}

fn watch(mut watcher: Watcher, stop: &AtomicBool) {
    let mut trouble = String::new();
    while !stop.load(Ordering::Acquire) {
        match watcher.turn(TURN) {
            Ok(true) => trouble.clear(),
            Ok(false) => std::thread::sleep(TURN),
            Err(error) => {
                // Said once, not each second.
                let said = error.to_string();
                if said != trouble {
                    eprintln!("warning: standing questions are not matched: {said}");
                    trouble = said;
                }
                std::thread::sleep(TROUBLE);
            }
        }
    }
    watcher.finish();
}

fn follow(mut states: StateWatcher, stop: &AtomicBool) {
    while !stop.load(Ordering::Acquire) {
        states.turn();
        std::thread::sleep(STATES);
    }
}
