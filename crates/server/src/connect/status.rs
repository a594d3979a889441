//! What a venue's connections have seen, for health, metrics and the feed's page.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use node::market::LinkView;

use crate::app::{Check, Probe};

/// The state of a venue's connections.
#[derive(Debug)]
pub struct Status {
    name: &'static str,
    links: Mutex<Vec<LinkView>>,
}

impl Status {
    /// Nothing is connected yet to any of `urls`.
    #[must_use]
    pub fn new(name: &'static str, urls: &[String]) -> Self {
        let of = |(idx, url): (usize, &String)| LinkView {
            name: match idx {
                0 => name.to_owned(),
                _ => format!("{name}-{}", idx + 1),
            },
            url: url.clone(),
            ..LinkView::default()
        };
        Self {
            name,
            links: Mutex::new(urls.iter().enumerate().map(of).collect()),
        }
    }

    /// Messages received on all connections.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.links().iter().map(|link| link.messages).sum()
    }

    /// Health of the connections.
    #[must_use]
    pub fn probe(self: &Arc<Self>) -> Probe {
        let status = Arc::clone(self);
        let read = Box::new(move || status.check());
        Probe {
            name: self.name,
            read,
        }
    }

    fn check(&self) -> Check {
        let links = self.links();
        let connected = links.iter().filter(|link| link.is_up).count();
        let messages: u64 = links.iter().map(|link| link.messages).sum();
        let trouble = links.iter().find_map(|link| link.trouble.as_ref());
        let why = trouble.map(|why| format!("; last trouble: {why}"));
        Check {
            ok: connected == links.len(),
            detail: format!(
                "{connected} of {} connections, {messages} messages{}",
                links.len(),
                why.unwrap_or_default()
            ),
        }
    }

    /// Changes one connection's state and returns it.
    pub(super) fn with(&self, idx: usize, change: impl FnOnce(&mut LinkView)) -> LinkView {
        let mut links = self.links();
        change(&mut links[idx]);
        links[idx].clone()
    }

    fn links(&self) -> MutexGuard<'_, Vec<LinkView>> {
        self.links.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
