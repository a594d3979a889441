//! Back-pressure of an input over TCP: it reads no more while a blocking reader is full, and the
//! sender's own window fills.

use std::time::Duration;

use node::Node;
use tokio::time::Instant;

const LOOK: Duration = Duration::from_millis(1);
/// A venue hangs up on a client that does not read; before that its reader loses frames, marked.
const PATIENCE: Duration = Duration::from_secs(5);

/// Waits until no blocking reader is full, or five seconds. To be called before each read of an
/// input that can wait; costs one load when nothing presses.
pub async fn wait_for_readers(node: &Node) {
    if !node.outlets().is_pressed() {
        return;
    }
    let began = Instant::now();
    while node.outlets().is_pressed() && began.elapsed() < PATIENCE {
        tokio::time::sleep(LOOK).await;
    }
    let waited = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
    node.outlets().waited(waited);
}
