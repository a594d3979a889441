//! Figures as they leave: one JSON object a line while they are measured, one table at the end.

use serde_json::json;

use crate::machine::Machine;
use crate::measure::{least, median, most};

/// Which direction is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Better {
    /// Times, losses.
    Less,
    /// Rates.
    More,
}

/// What a figure is held against, measured in the same run on the same input.
#[derive(Clone, Debug)]
pub struct Beside {
    /// Who or what.
    pub name: String,
    /// Its values, one a run, in the figure's unit.
    pub values: Vec<f64>,
}

/// One measured quantity.
#[derive(Clone, Debug)]
pub struct Figure {
    /// `suite.what`.
    pub name: String,
    /// One a run.
    pub values: Vec<f64>,
    /// Of the values.
    pub unit: &'static str,
    /// Which direction is better.
    pub better: Better,
    /// The peer or limit.
    pub beside: Option<Beside>,
    /// Share of the exact answer that was found, where approximation is possible.
    pub recall: Option<f64>,
    /// Input, conditions, and what the peer does not do.
    pub note: String,
}

impl Figure {
    /// A figure with nothing beside it yet.
    pub fn new(
        name: impl Into<String>,
        unit: &'static str,
        better: Better,
        values: Vec<f64>,
    ) -> Self {
        let (beside, recall, note) = (None, None, String::new());
        Self {
            name: name.into(),
            values,
            unit,
            better,
            beside,
            recall,
            note,
        }
    }

    /// Holds it against something.
    #[must_use]
    pub fn beside(mut self, name: impl Into<String>, values: &[f64]) -> Self {
        self.beside = Some(Beside {
            name: name.into(),
            values: values.to_vec(),
        });
        self
    }

    /// Says how much of the exact answer was found.
    #[must_use]
    pub fn recall(mut self, recall: f64) -> Self {
        self.recall = Some(recall);
        self
    }

    /// Adds what a reader must know.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.note = note.into();
        self
    }

    /// Median of the ratios of runs that followed each other; above 1 where ours is better.
    pub fn ratio(&self) -> Option<f64> {
        let beside = self.beside.as_ref()?;
        let pairs = self.values.iter().zip(&beside.values);
        let ratios: Vec<f64> = pairs
            .map(|(ours, theirs)| match self.better {
                Better::Less => theirs / ours,
                Better::More => ours / theirs,
            })
            .filter(|ratio| ratio.is_finite())
            .collect();
        (!ratios.is_empty()).then(|| median(&ratios))
    }

    fn json(&self, machine: &Machine) -> serde_json::Value {
        let beside = self.beside.as_ref();
        json!({
            "name": self.name,
            "value": rounded(median(&self.values)),
            "unit": self.unit,
            "beside": beside.map(|b| b.name.clone()),
            "beside_value": beside.map(|b| rounded(median(&b.values))),
            "beside_min": beside.map(|b| rounded(least(&b.values))),
            "beside_max": beside.map(|b| rounded(most(&b.values))),
            "ratio": self.ratio().map(rounded),
            "recall": self.recall,
            "median": rounded(median(&self.values)),
            "min": rounded(least(&self.values)),
            "max": rounded(most(&self.values)),
            "runs": self.values.len(),
            "machine": machine.name,
            "scheduling": machine.scheduling,
            "load": Machine::load(),
            "commit": machine.commit,
            "note": self.note,
        })
    }
}

/// Prints figures as they come and remembers them for the table.
pub struct Report {
    machine: Machine,
    figures: Vec<Figure>,
}

impl Report {
    /// An empty report of this machine.
    pub fn new(machine: Machine) -> Self {
        Self {
            machine,
            figures: Vec::new(),
        }
    }

    /// Says how the threads of the figures to come are scheduled.
    pub fn scheduled(&mut self, held: bool) {
        self.machine.scheduling = if held {
            "fifo 50, fixed core"
        } else {
            "normal"
        };
    }

    /// Prints one figure.
    pub fn add(&mut self, figure: Figure) {
        println!("{}", figure.json(&self.machine));
        self.figures.push(figure);
    }

    /// Says on the error stream what happens now, so that the lines stay JSON.
    pub fn step(&self, what: &str) {
        eprintln!("... {what}");
    }

    /// The table of all figures, in Markdown.
    pub fn table(&self) -> String {
        let header = [
            "figure",
            "median [min-max]",
            "unit",
            "beside",
            "median [min-max]",
            "ratio",
            "recall",
        ];
        let mut rows = vec![header.map(str::to_owned)];
        rows.extend(self.figures.iter().map(row));
        let width = |column: usize| {
            rows.iter()
                .map(|r| r[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths: Vec<usize> = (0..header.len()).map(width).collect();
        let mut text = String::new();
        for (idx, row) in rows.iter().enumerate() {
            let cells = row
                .iter()
                .zip(&widths)
                .map(|(cell, &w)| format!(" {cell:<w$} "));
            text.push_str(&format!("|{}|\n", cells.collect::<Vec<_>>().join("|")));
            if idx == 0 {
                let rule: Vec<String> = widths.iter().map(|w| "-".repeat(w + 2)).collect();
                text.push_str(&format!("|{}|\n", rule.join("|")));
            }
        }
        let Machine { name, commit, .. } = &self.machine;
        text.push_str(&format!(
            "\n{name}; commit {commit}; load {}; a ratio above 1 means ours is better.\n",
            Machine::load()
        ));
        text
    }
}

fn row(figure: &Figure) -> [String; 7] {
    let spread = |values: &[f64]| {
        format!(
            "{} [{}-{}]",
            short(median(values)),
            short(least(values)),
            short(most(values))
        )
    };
    let beside = figure.beside.as_ref();
    [
        figure.name.clone(),
        spread(&figure.values),
        figure.unit.to_owned(),
        beside.map(|b| b.name.clone()).unwrap_or_default(),
        beside.map(|b| spread(&b.values)).unwrap_or_default(),
        figure
            .ratio()
            .map(|ratio| {
                if ratio < 0.01 {
                    format!("{ratio:.4}")
                } else {
                    format!("{ratio:.2}")
                }
            })
            .unwrap_or_default(),
        figure
            .recall
            .map(|recall| format!("{recall:.3}"))
            .unwrap_or_default(),
    ]
}

/// Three or four digits, which is more than the noise leaves.
fn short(value: f64) -> String {
    match value.abs() {
        v if v >= 100.0 || v == 0.0 => format!("{value:.0}"),
        v if v >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn rounded(value: f64) -> f64 {
    (value * 1e3).round() / 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_above_one_where_ours_is_better() {
        let figure = |better, ours: f64, theirs: f64| {
            Figure::new("a", "ns", better, vec![ours; 3])
                .beside("b", &[theirs; 3])
                .ratio()
        };
        assert_eq!(figure(Better::Less, 2.0, 6.0), Some(3.0));
        assert_eq!(figure(Better::More, 6.0, 2.0), Some(3.0));
        assert_eq!(figure(Better::Less, 0.0, 0.0), None);
        assert_eq!(
            Figure::new("a", "ns", Better::Less, vec![1.0]).ratio(),
            None
        );
    }

    #[test]
    fn the_table_lines_up() {
        let mut report = Report::new(Machine::here());
        report.figures.push(Figure::new(
            "x.y",
            "ns",
            Better::Less,
            vec![1.0, 12.34, 200.0],
        ));
        let table = report.table();
        let lines: Vec<&str> = table.lines().take(3).collect();
        assert!(lines[2].contains("12.3 [1.00-200]"), "{table}");
        assert!(
            lines.iter().all(|line| line.len() == lines[0].len()),
            "{table}"
        );
    }
}
