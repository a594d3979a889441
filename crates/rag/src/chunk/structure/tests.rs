use super::*;
use crate::chunk::chunks;

fn shown(text: &str) -> Vec<&str> {
    let units = units(text);
    units
        .iter()
        .map(|unit| text[unit.span.clone()].trim_end())
        .collect()
}

const ROWS: &str = " | 2024 | 2023\nSales | $293.6 | $303.5\nCosts | 153.5 | 156.2\n";

#[test]
fn text_without_structure_is_sentences() {
    let text = "One. Two | three\n\nFour #5.\n#tag\n# of shares\n";
    let plain: Vec<&str> = sentences(text)
        .into_iter()
        .map(|s| text[s].trim_end())
        .collect();
    assert_eq!(shown(text), plain);
}

#[test]
fn a_table_has_what_stands_above_it() {
    let text = format!(
        "Net income fell.\n\nTHE BUCKLE, INC.\n\nSTATEMENTS OF INCOME\n\n(Thousands)\n\n{ROWS}\nNotes follow."
    );
    let table = format!(
        "THE BUCKLE, INC.\n\nSTATEMENTS OF INCOME\n\n(Thousands)\n\n{}",
        ROWS.trim_end()
    );
    assert_eq!(shown(&text), ["Net income fell.", &table, "Notes follow."]);
    let text = format!("Intro.\n\n## Income\n\n{ROWS}");
    assert_eq!(
        shown(&text),
        ["Intro.", &format!("## Income\n\n{}", ROWS.trim_end())]
    );
}

#[test]
fn a_table_that_fits_no_chunk_stays_whole_in_its_own() {
    let before = "A sentence of seven plain words here. ".repeat(12);
    let rows: String = (0..60)
        .map(|n| format!("Line item {n} | 1,234 | 5,678\n"))
        .collect();
    let text = format!("{before}\n\nIncome statement\n\n | 2024 | 2023\n{rows}\nAfter it.");
    let found = chunks(&text);
    let table = found
        .iter()
        .find(|c| text[c.span.clone()].starts_with("Income statement"));
    let table = &text[table.expect("begins a chunk").span.clone()];
    assert!(table.contains("Line item 59 | 1,234 | 5,678"), "{table}");
    assert!(table.len() > 1_400);
}

#[test]
fn a_table_that_is_too_long_is_cut_between_rows_and_keeps_its_head() {
    let rows: String = (0..200)
        .map(|n| format!("Line item {n} | $1,234 | 5,678\n"))
        .collect();
    let text = format!("Income statement\n\n | 2024 | November 2, 2023\n{rows}");
    let found = chunks(&text);
    assert!(found.len() > 1 && found[0].lead.is_none());
    for chunk in &found[1..] {
        let lead = chunk.lead.clone().expect("a lead");
        assert_eq!(
            &text[lead],
            "Income statement\n\n | 2024 | November 2, 2023\n"
        );
        assert!(text[chunk.span.clone()].starts_with("Line item"));
        let embedded = crate::chunk::embedded_text(Some("Buckle"), &text, chunk);
        assert!(
            embedded.starts_with("Buckle\nIncome statement\n\n | 2024"),
            "{embedded}"
        );
    }
}

#[test]
fn a_heading_begins_a_chunk_and_never_ends_one() {
    let section = "A sentence of seven plain words here. ".repeat(10);
    let text = format!("# One\n\n{section}\n\n## Two\n\n### Three\n\n{section}\n\n# Last");
    let found = chunks(&text);
    let starts: Vec<&str> = found.iter().map(|c| &text[c.span.clone()][..5]).collect();
    assert_eq!(starts, ["# One", "## Tw", "# Las"]);
}
