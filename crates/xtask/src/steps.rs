//! Steps with a name, run one after another, timed and counted.

use std::time::{Duration, Instant};

use anyhow::Result;

/// How a step ended.
pub enum Outcome {
    /// It held; with the tests inside it, when it knows.
    Passed(Count),
    /// It ran and something is wrong: what, in a line. With the tests inside it, when it knows.
    Failed(String, Count),
    /// It did not run: why, and how to make it run.
    Skipped(String),
}

/// How many tests a step ran. A step that is one test counts as one.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Count {
    /// Held.
    pub passed: usize,
    /// Did not hold.
    pub failed: usize,
    /// Did not run.
    pub skipped: usize,
}

impl Count {
    /// The count of a step that is one test which held.
    pub const ONE: Self = Self {
        passed: 1,
        failed: 0,
        skipped: 0,
    };

    /// Adds another count to this one.
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

impl Outcome {
    /// One test that held, or the reason why not.
    pub fn of(success: bool, reason: impl Into<String>) -> Self {
        if success {
            Self::Passed(Count::ONE)
        } else {
            Self::Failed(reason.into(), Count::default())
        }
    }
}

/// One step: a name to select it by, what it does, and the work.
pub struct Step<'a> {
    /// Shown and selected by; `group:item` is selected by `group` as well.
    pub name: String,
    /// One line for a reader.
    pub about: String,
    work: Box<dyn FnMut() -> Result<Outcome> + 'a>,
}

impl<'a> Step<'a> {
    /// Makes a step.
    pub fn new(
        name: impl Into<String>,
        about: impl Into<String>,
        work: impl FnMut() -> Result<Outcome> + 'a,
    ) -> Self {
        Self {
            name: name.into(),
            about: about.into(),
            work: Box::new(work),
        }
    }

    /// Whether `--only selection` means this step.
    pub fn is_selected(&self, selection: &str) -> bool {
        self.name == selection || self.name.split(':').next() == Some(selection)
    }
}

/// Runs the steps in order, says how each went, and closes with one line that sums them. False when any failed.
pub fn run(steps: Vec<Step<'_>>) -> bool {
    let started = Instant::now();
    let mut total = Count::default();
    let mut remarks = Vec::new();
    for mut step in steps {
        println!("\n== {}: {}", step.name, step.about);
        let step_started = Instant::now();
        let outcome = (step.work)()
            .unwrap_or_else(|error| Outcome::Failed(format!("{error:#}"), Count::default()));
        let (count, remark) = settle(&step.name, outcome);
        println!("-- {} ({})", remark, seconds(step_started.elapsed()));
        total.add(count);
        if count.failed > 0 || count.skipped > 0 {
            remarks.push(remark);
        }
    }
    println!("\n== summary, {} in all", seconds(started.elapsed()));
    for remark in remarks {
        println!("{remark}");
    }
    println!(
        "{} passed, {} failed, {} skipped",
        total.passed, total.failed, total.skipped
    );
    total.failed == 0
}

/// The count of a finished step and a line about it. A failure counts at least once, whatever its tests said.
fn settle(name: &str, outcome: Outcome) -> (Count, String) {
    match outcome {
        Outcome::Passed(count) if count.skipped > 0 => (
            count,
            format!(
                "passed: {name}, with {} of its tests skipped (named above)",
                count.skipped
            ),
        ),
        Outcome::Passed(count) => (count, format!("passed: {name}")),
        Outcome::Failed(reason, mut count) => {
            count.failed = count.failed.max(1);
            (count, format!("failed: {name}: {reason}"))
        }
        Outcome::Skipped(reason) => (
            Count {
                skipped: 1,
                ..Count::default()
            },
            format!("skipped: {name}: {reason}"),
        ),
    }
}

fn seconds(elapsed: Duration) -> String {
    format!("{:.1} s", elapsed.as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_counts_at_least_once() {
        let (count, remark) = settle("a", Outcome::Failed("b".into(), Count::default()));
        assert_eq!((count.failed, remark.as_str()), (1, "failed: a: b"));
        let inner = Count {
            passed: 4,
            failed: 2,
            skipped: 1,
        };
        assert_eq!(settle("a", Outcome::Failed("b".into(), inner)).0, inner);
    }

    #[test]
    fn a_group_selects_its_items() {
        let step = Step::new("fuzz:itch50", "", || Ok(Outcome::Passed(Count::ONE)));
        assert!(step.is_selected("fuzz") && step.is_selected("fuzz:itch50"));
        assert!(!step.is_selected("itch50"));
    }

    #[test]
    fn one_failure_fails_the_run() {
        let ok = || Step::new("a", "", || Ok(Outcome::Passed(Count::ONE)));
        assert!(run(vec![
            ok(),
            Step::new("b", "", || Ok(Outcome::Skipped("no network".into())))
        ]));
        assert!(!run(vec![
            ok(),
            Step::new("b", "", || anyhow::bail!("broken"))
        ]));
    }
}
