//! Which way a search took, in a word or two, for receipts.

use collection::plan::{Explain, Plan};
use collection::text::TextExplain;

/// `among (codes)`, `walk ef 128 (graph, tail)`.
pub(super) fn dense(explain: &Explain) -> String {
    let plan = match explain.plan {
        Plan::Among => "among".to_owned(),
        Plan::Walk { ef, .. } => format!("walk ef {ef}"),
        Plan::WalkThenCheck { ef } => format!("walk then check ef {ef}"),
    };
    with_parts(&plan, explain.parts.iter().map(|part| part.name))
}

/// `statistics by entry (segment, delta)`.
pub(super) fn text(explain: &TextExplain) -> String {
    let plan = format!("statistics by {}", explain.statistics);
    with_parts(&plan, explain.parts.iter().map(|part| part.name))
}

fn with_parts<'a>(plan: &str, parts: impl Iterator<Item = &'a str>) -> String {
    let mut names: Vec<&str> = Vec::new();
    for part in parts {
        if !names.contains(&part) {
            names.push(part);
        }
    }
    format!("{plan} ({})", names.join(", "))
}
