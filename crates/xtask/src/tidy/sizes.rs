//! File and function sizes.
//!
//! A file wants to be under 400 lines, is questioned at 600 and refused at 800. A function wants to fit a screen;
//! how many pass 70 lines is counted crate by crate and may only fall. Tests do not count. A table or generated
//! file says so near its top with `tidy: table` or `tidy: generated`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::tidy::{CrateFile, Finding, Report};
use crate::workspace::Workspace;

const FILE_LINES_QUESTIONED: usize = 600;
const FILE_LINES_LIMIT: usize = 800;
const FUNCTION_LINES_LIMIT: usize = 70;
const RATCHET: &str = "crates/xtask/ratchet.toml";
const RATCHET_HEADER: &str = "\
# Functions longer than 70 lines that each crate still has (tests and tables apart). Numbers only fall:
# `cargo xtask tidy --update` lowers them after a split. A crate that is not listed has none.
";

/// A function past the limit.
struct Long<'a> {
    path: &'a Path,
    line: usize,
    name: String,
    line_count: usize,
}

/// Checks sizes against the limits and the ratchet.
pub fn check(workspace: &Workspace, files: &[CrateFile], report: &mut Report) -> Result<()> {
    for file in files.iter().filter(|file| !is_exempt(file)) {
        check_length(&file.path, file.source.line_count(), report);
    }
    for path in workspace.files("crates", &["js", "css", "html", "py"]) {
        let text = workspace.read(&path)?;
        if !is_table(&text) {
            check_length(&path, text.lines().count(), report);
        }
    }
    check_ratchet(&read_ratchet(workspace)?, &long_functions(files), report);
    Ok(())
}

/// Rewrites the ratchet with the lower of its numbers and today's.
pub fn lower_ratchet(workspace: &Workspace, files: &[CrateFile]) -> Result<()> {
    let lowered = lowered(&read_ratchet(workspace)?, &long_functions(files));
    let mut text = RATCHET_HEADER.to_string();
    for (package, count) in lowered {
        text.push_str(&format!("{package} = {count}\n"));
    }
    std::fs::write(workspace.root.join(RATCHET), text).with_context(|| format!("writing {RATCHET}"))
}

fn check_length(path: &Path, line_count: usize, report: &mut Report) {
    if line_count > FILE_LINES_LIMIT {
        report.findings.push(Finding::new(
            path,
            FILE_LINES_LIMIT,
            format!("{line_count} lines, the limit is {FILE_LINES_LIMIT}"),
            "split by what changes together: a folder per step, a file per idea",
        ));
    } else if line_count > FILE_LINES_QUESTIONED {
        report.notes.push(format!(
            "{}: {line_count} lines; does it hold one idea?",
            path.display()
        ));
    }
}

fn check_ratchet(
    ratchet: &BTreeMap<String, usize>,
    long: &BTreeMap<String, Vec<Long>>,
    report: &mut Report,
) {
    for (package, functions) in long {
        let allowed = ratchet.get(package).copied().unwrap_or(0);
        if functions.len() <= allowed {
            continue;
        }
        for function in functions {
            report.findings.push(Finding::new(
                function.path,
                function.line,
                format!(
                    "`{}` is {} lines; `{package}` has {} functions over {FUNCTION_LINES_LIMIT}, {allowed} allowed",
                    function.name,
                    function.line_count,
                    functions.len()
                ),
                "decide above, work below: move the branches or the loop body into functions with a name",
            ));
        }
    }
    for (package, allowed) in ratchet {
        let count = long.get(package).map_or(0, Vec::len);
        if count < *allowed {
            report.notes.push(format!(
                "{RATCHET}: `{package}` is down to {count} long functions from {allowed}; keep it: cargo xtask tidy --update"
            ));
        }
    }
}

fn lowered(
    ratchet: &BTreeMap<String, usize>,
    long: &BTreeMap<String, Vec<Long>>,
) -> BTreeMap<String, usize> {
    ratchet
        .iter()
        .map(|(package, allowed)| {
            (
                package.clone(),
                long.get(package).map_or(0, Vec::len).min(*allowed),
            )
        })
        .filter(|(_, count)| *count > 0)
        .collect()
}

fn long_functions(files: &[CrateFile]) -> BTreeMap<String, Vec<Long<'_>>> {
    let mut long: BTreeMap<String, Vec<Long>> = BTreeMap::new();
    for file in files.iter().filter(|file| !is_exempt(file)) {
        for function in file.source.functions() {
            if function.line_count > FUNCTION_LINES_LIMIT {
                long.entry(file.package.clone()).or_default().push(Long {
                    path: &file.path,
                    line: function.line,
                    name: function.name,
                    line_count: function.line_count,
                });
            }
        }
    }
    long
}

fn is_exempt(file: &CrateFile) -> bool {
    file.is_test || is_table(&file.text)
}

fn is_table(text: &str) -> bool {
    text.lines()
        .take(20)
        .any(|line| line.contains("tidy: table") || line.contains("tidy: generated"))
}

fn read_ratchet(workspace: &Workspace) -> Result<BTreeMap<String, usize>> {
    let path = PathBuf::from(RATCHET);
    if !workspace.root.join(&path).exists() {
        return Ok(BTreeMap::new());
    }
    parse_ratchet(&workspace.read(&path)?)
}

fn parse_ratchet(text: &str) -> Result<BTreeMap<String, usize>> {
    text.lines()
        .map(str::trim)
        .filter(|line| !line.is_empty() && !line.starts_with('#'))
        .map(|line| {
            let (package, count) = line
                .split_once('=')
                .with_context(|| format!("{RATCHET}: `{line}` is not `crate = number`"))?;
            let count = count
                .trim()
                .parse()
                .with_context(|| format!("{RATCHET}: `{line}` has no number"))?;
            Ok((package.trim().to_string(), count))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::fixtures::file;

    fn long_file(package: &str) -> CrateFile {
        file(
            package,
            "src/a.rs",
            &format!("fn f() {{\n{}}}\n", "    g();\n".repeat(80)),
        )
    }

    fn findings(ratchet: &str, files: &[CrateFile]) -> Report {
        let mut report = Report::default();
        check_ratchet(
            &parse_ratchet(ratchet).unwrap(),
            &long_functions(files),
            &mut report,
        );
        report
    }

    #[test]
    fn long_functions_may_not_grow_in_number() {
        let files = [long_file("wire")];
        assert_eq!(findings("", &files).findings.len(), 1);
        assert!(findings("wire = 1\n", &files).findings.is_empty());
        assert_eq!(findings("wire = 2\n", &files).notes.len(), 1);
    }

    #[test]
    fn an_update_only_lowers() {
        let files = [long_file("wire"), long_file("market")];
        let lowered = lowered(
            &parse_ratchet("wire = 3\nrag = 2\n").unwrap(),
            &long_functions(&files),
        );
        assert_eq!(lowered, parse_ratchet("wire = 1\n").unwrap());
    }

    #[test]
    fn tests_and_tables_are_exempt() {
        let body = format!("// tidy: table\nfn f() {{\n{}}}\n", "    g();\n".repeat(80));
        assert!(long_functions(&[file("wire", "src/a.rs", &body)]).is_empty());
        let text = long_file("wire").text;
        assert!(long_functions(&[file("wire", "tests/a.rs", &text)]).is_empty());
    }

    #[test]
    fn a_file_is_questioned_and_then_refused() {
        let mut report = Report::default();
        check_length(Path::new("a.rs"), 600, &mut report);
        assert!(report.notes.is_empty());
        check_length(Path::new("a.rs"), 601, &mut report);
        assert_eq!((report.notes.len(), report.findings.len()), (1, 0));
        check_length(Path::new("a.rs"), 801, &mut report);
        assert_eq!(report.findings.len(), 1);
    }
}
