//! What a search did, for whoever asks why it took so long or found so little.

use super::Plan;
use crate::payload::Estimate;

/// One search, told step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Explain {
    /// What gave the answer.
    pub plan: Plan,
    /// What was tried before it and given up: a walk that was bounded, or found too few.
    pub tried: Vec<Plan>,
    /// How many were thought to pass.
    pub estimate: Estimate,
    /// How many slots pass, superseded ones included; `None` when nothing was selected.
    pub matched: Option<u64>,
    /// Points whose payload was looked at.
    pub looked: u64,
    /// What was searched.
    pub parts: Vec<Part>,
    /// What was done, in order.
    pub steps: Vec<Step>,
}

impl Explain {
    /// Of a plan that needed no filter, over so many rows.
    pub(crate) fn new(plan: Plan, rows: u64) -> Self {
        Self::of(plan, Estimate::exactly(rows))
    }

    /// Nothing done yet.
    pub(super) fn of(plan: Plan, estimate: Estimate) -> Self {
        Self {
            plan,
            tried: Vec::new(),
            estimate,
            matched: None,
            looked: 0,
            parts: Vec::new(),
            steps: Vec::new(),
        }
    }
}

/// One structure that was searched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// `graph`, `cold`, `tail`; `codes` or `rows` where all were compared, by their codes first or whole.
    pub name: &'static str,
    /// Rows in it.
    pub rows: u64,
    /// Rows that were compared and may be in the answer.
    pub candidates: u64,
    /// Distances computed from whole rows.
    pub distances: u64,
    /// Distances estimated from codes.
    pub estimates: u64,
    /// Time in it.
    pub ns: u64,
}

/// One step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Step {
    /// `estimate`, `select`, `prepare`, `walk`, `check`, `compare`, `cold` or `tail`.
    pub name: &'static str,
    /// Time it took.
    pub ns: u64,
}

/// Times steps.
pub(crate) struct Watch<'a> {
    now: &'a dyn Fn() -> u64,
    last: u64,
    pub steps: Vec<Step>,
}

impl<'a> Watch<'a> {
    pub(crate) fn new(now: &'a dyn Fn() -> u64) -> Self {
        Self {
            last: now(),
            now,
            steps: Vec::with_capacity(5),
        }
    }

    /// Says what was done since the last time, and how long that took.
    pub(crate) fn step(&mut self, name: &'static str) -> u64 {
        let now = (self.now)();
        let ns = now.saturating_sub(self.last);
        self.last = now;
        self.steps.push(Step { name, ns });
        ns
    }
}
