//! Back-pressure of an input over TCP: it reads no more while a blocking reader is full, and the
//! sender's own window fills.

use std::time::Duration;

use node::Node;
use tokio::time::Instant;

const LOOK: Duration = Duration::from_millis(1);
/// A venue hangs up on a client that does not read; before that its reader loses frames, marked.
const PATIENCE: Duration = Duration::from_secs(5);

/// How long one input has waited for blocking readers.
#[derive(Debug)]
pub struct Pressure {
    patience: Duration,
    /// The readers were waited for in vain: until they have caught up, the input goes on.
    is_given_up: bool,
}

impl Default for Pressure {
    fn default() -> Self {
        Self {
            patience: PATIENCE,
            is_given_up: false,
        }
    }
}

impl Pressure {
    /// Waits until no blocking reader is full, or five seconds; then not again before one has
    /// caught up. To be called before each read of an input that can wait; costs one load when
    /// nothing presses.
    pub async fn wait(&mut self, node: &Node) {
        if !node.outlets().is_pressed() {
            self.is_given_up = false;
            return;
        }
        if self.is_given_up {
            return;
        }
        let began = Instant::now();
        while node.outlets().is_pressed() && began.elapsed() < self.patience {
            tokio::time::sleep(LOOK).await;
        }
        self.is_given_up = node.outlets().is_pressed();
        let waited = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
        node.outlets().waited(waited);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::sync::Arc;

    use collection::SyncPolicy;
    use market::publish::Frame;
    use node::Settings;
    use node::outlet::SlowPolicy;
    use stdx::SystemClock;

    #[tokio::test]
    async fn a_reader_that_never_reads_is_waited_for_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let settings = Settings {
            dir: dir.path().to_owned(),
            sync: SyncPolicy::Never,
            limits: collection::Options::default(),
            embedding: node::EmbeddingLimits::default(),
        };
        let node = Node::open(&settings, Arc::new(SystemClock)).expect("a node");
        let mut stuck = node.outlets().open("stuck", SlowPolicy::Block, 4);
        let frame = Frame::Dropped { count: 1 };
        node.publish(0, &[frame; 8]);
        let patience = Duration::from_millis(40);
        let mut pressure = Pressure {
            patience,
            ..Pressure::default()
        };
        let took = async |pressure: &mut Pressure| {
            let began = Instant::now();
            pressure.wait(&node).await;
            began.elapsed()
        };
        assert!(took(&mut pressure).await >= patience);
        for _ in 0..10 {
            assert!(took(&mut pressure).await < patience, "given up");
        }
        // It has caught up: next time it is worth waiting for again.
        let mut frames = Vec::new();
        stuck.take(usize::MAX, &mut frames);
        pressure.wait(&node).await;
        node.publish(0, &[frame; 8]);
        assert!(took(&mut pressure).await >= patience);
        let blocked_ns = node.outlets().status()[0].totals.blocked_ns;
        assert!(blocked_ns >= 80_000_000, "{blocked_ns}");
    }
}
