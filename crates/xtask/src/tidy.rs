//! `cargo xtask tidy`: the house rules that a machine can check.
//!
//! A rule that matters runs. Each rule is a function from the workspace to findings; a finding says where, what,
//! and what to do. Rules about existing debt are ratchets: they only stop things getting worse.

mod bans;
mod docs;
mod layers;
mod manners;
mod sizes;

use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use crate::source::Source;
use crate::workspace::Workspace;

/// One thing that breaks a rule.
#[derive(Debug, PartialEq, Eq, Clone)]
pub struct Finding {
    /// File, relative to the root.
    pub path: PathBuf,
    /// 1-based line.
    pub line: usize,
    /// What is wrong there.
    pub what: String,
    /// What to do about it.
    pub advice: String,
}

impl Finding {
    fn new(path: &Path, line: usize, what: impl Into<String>, advice: impl Into<String>) -> Self {
        Self {
            path: path.to_path_buf(),
            line,
            what: what.into(),
            advice: advice.into(),
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            path,
            line,
            what,
            advice,
        } = self;
        write!(f, "{}:{line}: {what}\n    {advice}", path.display())
    }
}

/// A Rust file of a crate, read and lexed once for all rules.
pub struct CrateFile {
    /// The crate's name.
    pub package: String,
    /// Path relative to the root.
    pub path: PathBuf,
    /// Path relative to the crate's folder, with `/`.
    pub inside: String,
    /// The lexed text.
    pub source: Source,
    /// The first lines as written, where a marker or the module doc stands.
    pub text: String,
    /// In `tests/`, `benches/` or `examples/`, or a module compiled for tests only.
    pub is_test: bool,
}

/// Runs every rule and prints what it found; false when anything was.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let update = match arguments {
        [] => false,
        [flag] if flag == "--update" => true,
        _ => bail!("`cargo xtask tidy` takes `--update` and nothing else"),
    };
    let files = read_crates(workspace)?;
    if update {
        sizes::lower_ratchet(workspace, &files)?;
    }
    let report = inspect(workspace, &files)?;
    for note in &report.notes {
        println!("note: {note}");
    }
    for finding in &report.findings {
        println!("{finding}");
    }
    println!(
        "tidy: {} crates, {} Rust files, {} findings, {} notes",
        workspace.packages.len(),
        files.len(),
        report.findings.len(),
        report.notes.len()
    );
    Ok(report.findings.is_empty())
}

/// What the rules found: findings fail, notes only inform.
#[derive(Default)]
pub struct Report {
    /// Broken rules.
    pub findings: Vec<Finding>,
    /// Things worth a look that break nothing.
    pub notes: Vec<String>,
}

fn inspect(workspace: &Workspace, files: &[CrateFile]) -> Result<Report> {
    let mut report = Report::default();
    report.findings.extend(layers::check(&workspace.packages));
    report.findings.extend(bans::check(files));
    report.findings.extend(manners::check(workspace, files)?);
    sizes::check(workspace, files, &mut report)?;
    report.findings.extend(docs::check(workspace)?);
    report
        .findings
        .sort_by(|a, b| (&a.path, a.line).cmp(&(&b.path, b.line)));
    report.findings.dedup();
    Ok(report)
}

/// Reads and lexes every Rust file below `crates/`.
fn read_crates(workspace: &Workspace) -> Result<Vec<CrateFile>> {
    let mut files = Vec::new();
    for package in &workspace.packages {
        let folder = package
            .manifest
            .parent()
            .unwrap_or(Path::new(""))
            .to_path_buf();
        for path in workspace.files(&folder.to_string_lossy(), &["rs"]) {
            let text = workspace.read(&path)?;
            let inside = path
                .strip_prefix(&folder)
                .unwrap_or(&path)
                .to_string_lossy()
                .into_owned();
            files.push(CrateFile {
                package: package.name.clone(),
                is_test: is_test_folder(&inside),
                source: Source::new(&text),
                inside,
                path,
                text,
            });
        }
    }
    mark_test_modules(&mut files);
    Ok(files)
}

fn is_test_folder(inside: &str) -> bool {
    ["tests/", "benches/", "examples/"]
        .iter()
        .any(|folder| inside.starts_with(folder))
}

/// Marks the files of modules declared `#[cfg(test)] mod name;`, and everything below them.
fn mark_test_modules(files: &mut [CrateFile]) {
    let mut bases: Vec<PathBuf> = Vec::new();
    for file in files.iter() {
        let folder = file.path.parent().unwrap_or(Path::new(""));
        let stem = file.path.file_stem().unwrap_or_default().to_string_lossy();
        let home = match &*stem {
            "lib" | "main" | "mod" => folder.to_path_buf(),
            stem => folder.join(stem),
        };
        bases.extend(
            file.source
                .test_modules()
                .iter()
                .map(|name| home.join(name)),
        );
    }
    for file in files.iter_mut() {
        let without_extension = file.path.with_extension("");
        file.is_test |= bases.iter().any(|base| without_extension.starts_with(base));
    }
}

#[cfg(test)]
pub mod fixtures {
    //! Small inputs for the rules' tests.

    use super::*;

    /// A file of a crate with the given text.
    pub fn file(package: &str, inside: &str, text: &str) -> CrateFile {
        CrateFile {
            package: package.to_string(),
            path: Path::new("crates").join(package).join(inside),
            inside: inside.to_string(),
            source: Source::new(text),
            text: text.to_string(),
            is_test: is_test_folder(inside),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_says_where_what_and_what_to_do() {
        let finding = Finding::new(
            Path::new("crates/a/src/lib.rs"),
            7,
            "sleeps",
            "wait on a value",
        );
        assert_eq!(
            finding.to_string(),
            "crates/a/src/lib.rs:7: sleeps\n    wait on a value"
        );
    }

    #[test]
    fn files_of_test_modules_are_tests() {
        let mut files = vec![
            fixtures::file(
                "wire",
                "src/lib.rs",
                "#[cfg(test)]\nmod prop;\nmod itch50;\n",
            ),
            fixtures::file("wire", "src/itch50.rs", "#[cfg(test)]\nmod layout;\n"),
            fixtures::file("wire", "src/prop.rs", ""),
            fixtures::file("wire", "src/prop/deep.rs", ""),
            fixtures::file("wire", "src/itch50/layout.rs", ""),
            fixtures::file("wire", "src/layout.rs", ""),
            fixtures::file("wire", "tests/golden.rs", ""),
        ];
        mark_test_modules(&mut files);
        let tests: Vec<bool> = files.iter().map(|file| file.is_test).collect();
        assert_eq!(tests, [false, false, true, true, true, false, true]);
    }
}
