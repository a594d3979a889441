//! Signals that users write: expressions over the fields of a window's measures.
//!
//! A rule is compiled once and looked at when a step of the measures ends, and only where one of
//! the fields that it names has changed. It is told when it has been true for `hold` steps on end,
//! at most once a `cooldown`; after that it is armed again by its `clear` expression, or, without
//! one, when it has been false for `calm` steps on end. Fields that are not known yet (no quote, no
//! print, a mean without its first steps) make every comparison false.
//!
//! This is the one place before the border with floats: what they decide is yes or no, and the
//! prices in what is published stay integers.

mod config;
mod field;
mod program;
#[cfg(test)]
mod tests;

pub use config::{PRESETS, RuleConfig, RuleError};
pub use field::{FIELDS, fields_text};

use crate::publish::{Measure, RuleName};
use crate::reference::Row;
use field::{FIELD_COUNT, Field};
use program::{Input, Program};

/// One rule, compiled.
#[derive(Clone, Debug)]
struct Rule {
    name: RuleName,
    raise: Program,
    clear: Option<Program>,
    /// The first field that the expression names.
    shown: Field,
    hold: u32,
    calm: u32,
    cooldown_ns: u64,
}

/// What a rule remembers of an instrument.
#[derive(Clone, Copy, Debug)]
struct Memory {
    is_true: bool,
    is_clear: bool,
    is_armed: bool,
    /// Steps on end.
    held: u32,
    calm: u32,
    quiet_until_ns: u64,
}

impl Memory {
    const NEW: Self = Self {
        is_true: false,
        is_clear: false,
        is_armed: true,
        held: 0,
        calm: 0,
        quiet_until_ns: 0,
    };
}

/// What all rules share of an instrument.
#[derive(Clone, Copy, Debug)]
struct Values {
    now: [f64; FIELD_COUNT],
    /// Exponential means as of the step before.
    means: [f64; FIELD_COUNT],
    /// Steps in each mean.
    counts: [u32; FIELD_COUNT],
}

impl Values {
    const NEW: Self = Self {
        now: [f64::NAN; FIELD_COUNT],
        means: [f64::NAN; FIELD_COUNT],
        counts: [0; FIELD_COUNT],
    };
}

/// All rules over all instruments.
#[derive(Clone, Debug)]
pub struct Rules {
    rules: Vec<Rule>,
    ema_steps: u32,
    values: Vec<Values>,
    /// One an instrument and rule.
    memories: Vec<Memory>,
}

impl Rules {
    /// Compiles `configs` for instruments numbered below `instruments_limit`. `ema(..)` takes
    /// `2 / (ema_steps + 1)` of each step and is known after `ema_steps` steps.
    #[must_use]
    pub fn new(configs: &[RuleConfig], instruments_limit: usize, ema_steps: u32) -> Self {
        let mut rules = Self {
            rules: configs.iter().map(RuleConfig::compile).collect(),
            ema_steps: ema_steps.max(1),
            values: Vec::new(),
            memories: Vec::new(),
        };
        rules.reserve(instruments_limit);
        rules
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let grows = instruments > self.values.len();
        if grows {
            self.values.resize(instruments, Values::NEW);
            let count = instruments * self.rules.len();
            self.memories.resize(count, Memory::NEW);
        }
        grows
    }

    /// Forgets all instruments, for a new session.
    pub fn clear(&mut self) {
        self.values.fill(Values::NEW);
        self.memories.fill(Memory::NEW);
    }

    /// Looks at the rules of one instrument, of which `row` is known; gives the names of those to be told and the values
    /// that they show, in 1e-9, to `emit`.
    pub fn update(
        &mut self,
        measure: &Measure,
        row: Option<&Row>,
        mut emit: impl FnMut(RuleName, i64),
    ) {
        let idx = measure.instrument.0 as usize;
        let count = self.rules.len();
        let Some(values) = self.values.get_mut(idx) else {
            return;
        };
        let changed = values.take(field::values(measure, row), self.ema_steps);
        let memories = &mut self.memories[idx * count..(idx + 1) * count];
        for (rule, memory) in self.rules.iter().zip(memories) {
            rule.look(values, changed, self.ema_steps, memory);
            if rule.is_told(memory, measure.end_ns) {
                let shown = values.now[rule.shown as usize];
                emit(rule.name, (shown * 1e9) as i64);
            }
        }
        values.learn(self.ema_steps);
    }
}

impl Values {
    /// Which inputs differ from before, a bit each.
    fn take(&mut self, now: [f64; FIELD_COUNT], ema_steps: u32) -> u64 {
        let mut changed = 0;
        for (place, (old, new)) in self.now.iter().zip(&now).enumerate() {
            let is_new = old.to_bits() != new.to_bits();
            changed |= u64::from(is_new) << place;
            // A mean moves while its field is away from it.
            let is_mean_new = self.counts[place] <= ema_steps || self.means[place] != *old;
            changed |= u64::from(is_mean_new) << (place + FIELD_COUNT);
        }
        self.now = now;
        changed
    }

    /// Takes this step into the means, for the next.
    fn learn(&mut self, ema_steps: u32) {
        let share = 2.0 / (f64::from(ema_steps) + 1.0);
        for place in 0..FIELD_COUNT {
            let now = self.now[place];
            if now.is_nan() {
                continue;
            }
            let mean = &mut self.means[place];
            *mean = if self.counts[place] == 0 {
                now
            } else {
                *mean + (now - *mean) * share
            };
            self.counts[place] = self.counts[place].saturating_add(1);
        }
    }

    fn input(&self, input: Input, ema_steps: u32) -> f64 {
        match input {
            Input::Now(field) => self.now[field as usize],
            Input::Mean(field) if self.counts[field as usize] >= ema_steps => {
                self.means[field as usize]
            }
            Input::Mean(_) => f64::NAN,
        }
    }
}

impl Rule {
    /// Evaluates what may have changed.
    fn look(&self, values: &Values, changed: u64, ema_steps: u32, memory: &mut Memory) {
        let read = |input| values.input(input, ema_steps);
        if self.raise.needs() & changed != 0 {
            memory.is_true = self.raise.is_true(read);
        }
        if let Some(clear) = &self.clear
            && clear.needs() & changed != 0
        {
            memory.is_clear = clear.is_true(read);
        }
    }

    fn is_told(&self, memory: &mut Memory, at_ns: u64) -> bool {
        (memory.held, memory.calm) = if memory.is_true {
            (memory.held.saturating_add(1), 0)
        } else {
            (0, memory.calm.saturating_add(1))
        };
        let is_calm = match self.clear {
            Some(_) => memory.is_clear && !memory.is_true,
            None => memory.calm >= self.calm,
        };
        memory.is_armed |= is_calm;
        let is_due = memory.held >= self.hold && at_ns >= memory.quiet_until_ns;
        let is_told = memory.is_armed && is_due;
        if is_told {
            memory.is_armed = false;
            memory.quiet_until_ns = at_ns.saturating_add(self.cooldown_ns);
        }
        is_told
    }
}
