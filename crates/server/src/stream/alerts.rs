//! One client's place among the alerts of standing questions, which are never conflated.

use std::collections::HashSet;

use node::standing::{Alert, AlertLog};
use serde_json::{Value, json};

use super::topic::Topic;
use crate::json::standing::AlertRow;

/// Alerts sent in one turn; what waits comes with the next.
const BATCH: usize = 1_024;

/// Where the client is, and which questions it follows.
#[derive(Default)]
pub struct Alerts {
    /// The number of the last that it has; `None` while it follows none.
    after: Option<u64>,
    all: bool,
    some: HashSet<String>,
}

impl Alerts {
    /// Follows `topic` from now on, if it is one of alerts.
    pub fn follow(&mut self, topic: &Topic, log: &AlertLog) {
        match topic {
            Topic::Alerts(None) => self.all = true,
            Topic::Alerts(Some(id)) => drop(self.some.insert(id.clone())),
            _ => return,
        }
        self.after.get_or_insert_with(|| log.last());
    }

    /// Follows `topic` no more.
    pub fn leave(&mut self, topic: &Topic) {
        match topic {
            Topic::Alerts(None) => self.all = false,
            Topic::Alerts(Some(id)) => drop(self.some.remove(id)),
            _ => return,
        }
        if !self.all && self.some.is_empty() {
            self.after = None;
        }
    }

    /// What is new to the client.
    pub fn news(&mut self, log: &AlertLog) -> Vec<Value> {
        let Some(after) = self.after else {
            return Vec::new();
        };
        let since = log.since(after, BATCH);
        self.after = Some(since.last);
        let mut rows = Vec::new();
        if since.missed > 0 {
            let why = "more alerts came than are kept";
            rows.push(json!({"type": "alerts_missed", "count": since.missed, "why": why}));
        }
        let is_asked = |alert: &&std::sync::Arc<Alert>| {
            self.all || self.some.contains(&alert.standing.question.id)
        };
        let asked = since.alerts.iter().filter(is_asked);
        // Rows of ours have no map keys or numbers that JSON cannot hold.
        rows.extend(asked.map(|alert| json!(AlertRow::of(alert))));
        rows
    }
}
