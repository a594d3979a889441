//! What selecting takes, foreseen: the steps of `select`, with counts in place of sets.

use super::key::{is_long, key};
use super::select::{LOOK, SPOT};
use super::{PayloadIndex, Rows};
use crate::{Condition, Filter, Value};

impl PayloadIndex {
    /// What [`select`](Self::select) takes, in slots taken out of an index one by one, about.
    #[must_use]
    pub fn select_slots(&self, filter: &Filter, rows: &dyn Rows) -> u64 {
        let (taken, left, is_exact) = self.effort(filter, rows);
        taken + if is_exact { 0 } else { left * LOOK }
    }

    /// Slots taken, slots left, and whether nothing has to be looked at, as `select` goes about it.
    fn effort(&self, filter: &Filter, rows: &dyn Rows) -> (u64, u64, bool) {
        let (mut taken, mut left, mut is_exact) = (0, u64::from(self.slots), true);
        let high = |condition| self.estimate_condition(condition, rows).high;
        let mut must: Vec<_> = filter.must.iter().map(|c| (high(c), c)).collect();
        must.sort_by_key(|(high, _)| *high);
        for (n, (high, condition)) in must.into_iter().enumerate() {
            if n > 0 && left * LOOK < high {
                is_exact = false;
                continue;
            }
            let (slots, answers) = self.condition_effort(condition, high, rows);
            (taken, is_exact) = (taken + slots, is_exact && answers);
            left = left.min(high);
        }
        for condition in &filter.must_not {
            let high = high(condition);
            if left * LOOK < high {
                is_exact = false;
                continue;
            }
            let (slots, answers) = self.condition_effort(condition, high, rows);
            (taken, is_exact) = (taken + slots, is_exact && answers);
        }
        (taken, left, is_exact)
    }

    /// Slots taken for a condition, and whether an index answers it exactly.
    fn condition_effort(&self, condition: &Condition, high: u64, rows: &dyn Rows) -> (u64, bool) {
        // Whole sets are joined 64 slots at a time.
        let words = u64::from(self.slots) / 64;
        let few_long = |field: &str| self.fields.get(field).is_none_or(|f| f.long.len() <= SPOT);
        match condition {
            Condition::Any { field, values } => {
                let is_key = |v: &Value| matches!(v, Value::Int(_)) || key(v).is_some();
                let taken = if values.iter().all(is_key) {
                    words + values.len() as u64
                } else {
                    high
                };
                (taken, few_long(field) || !values.iter().any(is_long))
            }
            Condition::Range { field, gte, lte } => {
                let is_text = |v: &Option<Value>| matches!(v, Some(Value::Str(_)));
                let answers = few_long(field) || !is_text(gte) && !is_text(lte);
                (high, answers)
            }
            Condition::Exists { .. } => (words, true),
            Condition::Count { gte, lte, .. } => {
                let answers = gte.is_none_or(|gte| gte <= 2) && lte.is_none_or(|lte| lte < 2);
                (words * 4, answers)
            }
            Condition::AtLeast { of, .. } => {
                let parts = of.iter().map(|c| {
                    let high = self.estimate_condition(c, rows).high;
                    self.condition_effort(c, high, rows)
                });
                parts.fold((words, true), |(taken, answers), part| {
                    (taken + part.0, answers && part.1)
                })
            }
            Condition::Filter(filter) => {
                let (taken, _, is_exact) = self.effort(filter, rows);
                (taken + words, is_exact)
            }
            Condition::EventAt { .. } | Condition::Id(_) | Condition::Geo { .. } => (high, true),
        }
    }
}
