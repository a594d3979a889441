//! The text format: families, samples, histograms.

use std::fmt::{Display, Write as _};

use stdx::{Buckets, Histogram};

/// A page under construction.
#[derive(Default)]
pub struct Page(String);

impl Page {
    /// Begins a family; its samples follow.
    pub fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    /// One sample.
    pub fn sample(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        self.labels(labels, None);
        let _ = writeln!(self.0, " {value}");
    }

    /// A histogram of nanoseconds, shown in seconds.
    pub fn histogram(
        &mut self,
        name: &str,
        labels: &[(&str, &str)],
        histogram: &Histogram,
        bounds_s: &[f64],
    ) {
        for bound in bounds_s {
            let below = histogram.count_at_most((bound * 1e9) as u64);
            self.bucket(name, labels, &bound.to_string(), below);
        }
        self.bucket(name, labels, "+Inf", histogram.count());
        self.sample(&format!("{name}_sum"), labels, histogram.sum() as f64 / 1e9);
        self.sample(&format!("{name}_count"), labels, histogram.count());
    }

    /// Durations that were counted in fixed buckets, shown in seconds.
    pub fn buckets(&mut self, name: &str, labels: &[(&str, &str)], buckets: &Buckets) {
        for (bound_ns, below) in buckets.cumulative() {
            let bound = (bound_ns as f64 / 1e9).to_string();
            self.bucket(name, labels, &bound, below);
        }
        self.bucket(name, labels, "+Inf", buckets.count());
        let sum_s = buckets.sum_ns() as f64 / 1e9;
        self.sample(&format!("{name}_sum"), labels, sum_s);
        self.sample(&format!("{name}_count"), labels, buckets.count());
    }

    fn bucket(&mut self, name: &str, labels: &[(&str, &str)], bound: &str, count: u64) {
        let _ = write!(self.0, "{name}_bucket");
        self.labels(labels, Some(bound));
        let _ = writeln!(self.0, " {count}");
    }

    fn labels(&mut self, labels: &[(&str, &str)], le: Option<&str>) {
        if labels.is_empty() && le.is_none() {
            return;
        }
        let all = labels.iter().copied().chain(le.map(|bound| ("le", bound)));
        let text: Vec<String> = all.map(|(k, v)| format!("{k}=\"{}\"", escape(v))).collect();
        let _ = write!(self.0, "{{{}}}", text.join(","));
    }

    /// The page's text.
    pub fn finish(self) -> String {
        self.0
    }
}

fn escape(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn histograms_are_cumulative_and_labels_escaped() {
        let mut histogram = Histogram::new();
        [10, 60_000, 2_000_000]
            .into_iter()
            .for_each(|ns| histogram.record(ns));
        let mut page = Page::default();
        page.histogram(
            "x_seconds",
            &[("route", "a\"b")],
            &histogram,
            &[0.000_05, 0.001],
        );
        let text = page.finish();
        let want = "x_seconds_bucket{route=\"a\\\"b\",le=\"0.00005\"} 1\n\
            x_seconds_bucket{route=\"a\\\"b\",le=\"0.001\"} 2\n\
            x_seconds_bucket{route=\"a\\\"b\",le=\"+Inf\"} 3\n";
        assert!(text.starts_with(want), "{text}");
    }
}
