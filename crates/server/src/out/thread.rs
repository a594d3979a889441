//! The thread behind a way out.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// A thread that is told to stop, and waited for, when this is dropped.
pub struct Thread {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Thread {
    /// Runs `work` until it sees `stop` set.
    ///
    /// # Errors
    /// When the system gives no thread.
    pub fn spawn(
        name: &str,
        stop: Arc<AtomicBool>,
        work: impl FnOnce() + Send + 'static,
    ) -> io::Result<Self> {
        let thread = std::thread::Builder::new().name(name.to_owned());
        Ok(Self {
            stop,
            thread: Some(thread.spawn(work)?),
        })
    }
}

impl Drop for Thread {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        if let Some(thread) = self.thread.take() {
            // A panic was already printed by its thread.
            let _ended = thread.join();
        }
    }
}
