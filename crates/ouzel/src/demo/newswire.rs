//! Simulated news into memory, beside the market's thread.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use ::venue::{NewsItem, SOURCE};
use anyhow::Result;
use node::Node;
use rag::Draft;

const WAITING_LIMIT: usize = 1_024;

/// The running newswire. Dropping it stores what was sent and ends.
pub struct Newswire {
    sender: Option<SyncSender<NewsItem>>,
    thread: Option<JoinHandle<()>>,
}

impl Newswire {
    /// Starts storing.
    pub fn spawn(node: Arc<Node>) -> Result<Self> {
        let (sender, items) = sync_channel(WAITING_LIMIT);
        let thread = std::thread::Builder::new()
            .name("newswire".to_owned())
            .spawn(move || run(&node, &items))?;
        Ok(Self {
            sender: Some(sender),
            thread: Some(thread),
        })
    }

    /// Where items are sent.
    pub fn sender(&self) -> SyncSender<NewsItem> {
        self.sender.clone().expect("there until dropped")
    }
}

impl Drop for Newswire {
    fn drop(&mut self) {
        self.sender.take();
        if let Some(thread) = self.thread.take() {
            // A panic in the newswire was already printed by its thread.
            let _ended = thread.join();
        }
    }
}

fn run(node: &Node, items: &Receiver<NewsItem>) {
    while let Ok(item) = items.recv() {
        let known_at = node.clock().now_ns();
        let draft = Draft {
            id: format!("sim-news-{}", item.id),
            title: Some(item.headline),
            text: item.body,
            source: Some(SOURCE.to_owned()),
            symbols: item.symbol.into_iter().collect(),
            url: None,
            fields: rag::Fields::default(),
            event_at: Some(item.at_ns),
            known_at: Some(known_at),
        };
        if let Err(fault) = node.asker(None).ingest(&draft.settle(known_at)) {
            crate::print::warning(&format!("simulated news was not stored: {fault}"));
        }
    }
}
