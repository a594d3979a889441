//! How a search was done, a line a part. Writing to a text does not fail, so what `write!` answers is let go.

use std::fmt::Write as _;

use serde_json::Value;

/// Both lists of a search, in words.
#[must_use]
pub fn told(explain: &Value) -> String {
    let mut text = String::from("how it was searched:");
    dense(&mut text, &explain["dense"]);
    words(&mut text, &explain["text"]);
    text
}

fn dense(text: &mut String, told: &Value) {
    if !told.is_object() {
        return;
    }
    let _ = write!(text, "\n  by meaning: {}", name(&told["plan"]));
    if let Some(ef) = told["plan"]["ef"].as_u64() {
        let _ = write!(text, " (beam {ef})");
    }
    let _ = match told["matched"].as_u64() {
        Some(matched) => write!(text, ", {matched} versions pass"),
        None => write!(text, ", about {} pass", told["estimate"]["likely"]),
    };
    for part in list(&told["parts"]) {
        let _ = write!(
            text,
            "\n    {}: {} rows, {} estimated, {} compared, {} us",
            name(part),
            part["rows"],
            part["estimates"],
            part["distances"],
            part["us"],
        );
    }
    steps(text, told);
}

fn words(text: &mut String, told: &Value) {
    if !told.is_object() {
        return;
    }
    let _ = write!(
        text,
        "\n  by words: {} texts, {} phrases",
        told["texts"], told["phrases"]
    );
    if let Some(matched) = told["matched"].as_u64() {
        let _ = write!(text, ", {matched} pass");
    }
    let terms = list(&told["terms"]).iter();
    let terms = terms.map(|term| {
        let word = term["term"].as_str().unwrap_or_default();
        format!("{word} ({})", term["texts"])
    });
    let terms = terms.collect::<Vec<_>>().join(", ");
    let _ = write!(text, "\n    words with the texts that have them: {terms}");
    for part in list(&told["parts"]) {
        let _ = write!(
            text,
            "\n    {}: {} texts, {} windows read, {} passed over, {} texts looked at",
            name(part),
            part["texts"],
            part["windows_read"],
            part["windows_skipped"],
            part["candidates"],
        );
    }
    steps(text, told);
}

fn steps(text: &mut String, told: &Value) {
    let steps = list(&told["steps"]).iter();
    let steps = steps.map(|step| format!("{} {} us", name(step), step["us"]));
    let steps = steps.collect::<Vec<_>>().join(", ");
    let _ = write!(text, "\n    steps: {steps}");
}

fn name(of: &Value) -> &str {
    of["name"].as_str().unwrap_or_default()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}
