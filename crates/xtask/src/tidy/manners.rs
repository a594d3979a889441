//! What every crate owes its readers: a description, a module doc, the shared lints, no `unwrap`, and `unsafe`
//! only where it was opened.

use anyhow::Result;

use crate::tidy::{CrateFile, Finding};
use crate::workspace::Workspace;

/// Where `unsafe` may stand, as `crate/path` prefixes. A new one is discussed first: it needs a safe wrapper, a
/// `SAFETY:` proof for each block, a naive twin and a benchmark that shows it pays.
const UNSAFE_OPEN: &[&str] = &[
    "stdx/src/hint.rs",
    "vector/src/arch",
    "collection/src/disk/map.rs",
    "embed/src/arch",
    "engine/src/sys",
];

/// Checks manifests and sources.
pub fn check(workspace: &Workspace, files: &[CrateFile]) -> Result<Vec<Finding>> {
    let mut findings = Vec::new();
    for package in &workspace.packages {
        if package.description.is_empty() {
            let advice = "add `description = \"...\"`: one sentence, what it is for";
            findings.push(Finding::new(&package.manifest, 1, "no description", advice));
        }
        if !inherits_lints(&workspace.read(&package.manifest)?) {
            let advice = "add `[lints]` with `workspace = true`";
            findings.push(Finding::new(
                &package.manifest,
                1,
                "does not share the workspace's lints",
                advice,
            ));
        }
    }
    for file in files {
        check_file(file, &mut findings);
    }
    Ok(findings)
}

fn inherits_lints(manifest: &str) -> bool {
    let mut lines = manifest
        .lines()
        .map(str::trim)
        .skip_while(|line| *line != "[lints]")
        .skip(1);
    lines.find(|line| !line.is_empty() && !line.starts_with('#')) == Some("workspace = true")
        || manifest
            .lines()
            .any(|line| line.trim() == "lints.workspace = true")
}

fn check_file(file: &CrateFile, findings: &mut Vec<Finding>) {
    let is_root = matches!(file.inside.as_str(), "src/lib.rs" | "src/main.rs");
    if is_root && !file.text.starts_with("//!") {
        let advice = "open with `//!`: one paragraph, what the crate is and what it does not know";
        findings.push(Finding::new(
            &file.path,
            1,
            "no crate documentation",
            advice,
        ));
    }
    if file.is_test {
        return;
    }
    for line in file.source.lines_with(".unwrap()") {
        let advice = "return an error, or `expect(\"why it holds\")` when it cannot fail";
        findings.push(Finding::new(
            &file.path,
            line,
            "`unwrap()` outside tests",
            advice,
        ));
    }
    let place = format!("{}/{}", file.package, file.inside);
    if !UNSAFE_OPEN.iter().any(|open| place.starts_with(open)) {
        for line in file.source.lines_with("unsafe") {
            let advice = "unsafe is open in stdx/src/hint.rs, vector/src/arch, collection/src/disk/map.rs, embed/src/arch and engine/src/sys only: use a safe API of \
                          those, or open a place in crates/xtask/src/tidy/manners.rs with a reason";
            findings.push(Finding::new(
                &file.path,
                line,
                "`unsafe` where it is not open",
                advice,
            ));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixtures::file;

    fn found(package: &str, inside: &str, text: &str) -> Vec<String> {
        let mut findings = Vec::new();
        check_file(&file(package, inside, text), &mut findings);
        findings.into_iter().map(|finding| finding.what).collect()
    }

    #[test]
    fn a_crate_opens_with_its_documentation() {
        assert_eq!(
            found("node", "src/lib.rs", "mod a;"),
            ["no crate documentation"]
        );
        assert!(found("node", "src/lib.rs", "//! Bytes.\nmod a;").is_empty());
        assert!(found("wire", "src/a.rs", "struct A;").is_empty());
    }

    #[test]
    fn unwrap_is_for_tests() {
        assert_eq!(
            found("wire", "src/a.rs", "fn f() { g().unwrap() }"),
            ["`unwrap()` outside tests"]
        );
        assert!(found("wire", "src/a.rs", "fn f() { g().unwrap_or(1) }").is_empty());
        assert!(found("wire", "tests/a.rs", "fn f() { g().unwrap() }").is_empty());
    }

    #[test]
    fn unsafe_stays_where_it_was_opened() {
        let text = "fn f() { unsafe { g() } }";
        assert_eq!(
            found("market", "src/a.rs", text),
            ["`unsafe` where it is not open"]
        );
        assert!(found("vector", "src/arch/avx2.rs", text).is_empty());
        assert!(found("market", "src/a.rs", "#![deny(unsafe_code)]").is_empty());
    }

    #[test]
    fn lints_are_shared() {
        assert!(inherits_lints("[package]\n\n[lints]\nworkspace = true\n"));
        assert!(!inherits_lints(
            "[package]\n[lints.rust]\nunsafe_code = \"allow\"\n"
        ));
    }
}
