//! Paths and links in the prose must lead somewhere: a heading that outlived its code teaches the wrong map.

use std::path::{Component, Path, PathBuf};

use anyhow::Result;

use crate::tidy::Finding;
use crate::workspace::Workspace;

/// A code span that begins with one of these is a path from the root.
const ROOTS: &[&str] = &[
    "crates/",
    "docs/",
    "testdata/",
    "assets/",
    "fuzz/",
    ".ci/",
    ".cargo/",
];
/// Pages that speak of what is still to come.
const EXEMPT: &[&str] = &["docs/plan.md"];

/// A path that prose points at.
#[derive(Debug, PartialEq, Eq)]
struct Pointer {
    line: usize,
    target: String,
    /// A link is relative to its page, a code span to the root.
    is_link: bool,
}

/// Checks the pages at the root and everything below docs/.
pub fn check(workspace: &Workspace) -> Result<Vec<Finding>> {
    let mut pages = workspace.files("docs", &["md"]);
    for page in [
        "README.md",
        "CHANGELOG.md",
        "CONTRIBUTING.md",
        "fuzz/README.md",
        "testdata/README.md",
    ] {
        if workspace.root.join(page).is_file() {
            pages.push(PathBuf::from(page));
        }
    }
    let mut findings = Vec::new();
    for page in pages
        .iter()
        .filter(|page| !EXEMPT.iter().any(|exempt| *page == Path::new(exempt)))
    {
        for pointer in pointers(&workspace.read(page)?) {
            let missing = targets(page, &pointer)
                .into_iter()
                .find(|target| !workspace.root.join(target).exists());
            if let Some(target) = missing {
                findings.push(Finding::new(
                    page,
                    pointer.line,
                    format!(
                        "`{}` leads nowhere ({} does not exist)",
                        pointer.target,
                        target.display()
                    ),
                    "say where it lives now, or take the sentence out",
                ));
            }
        }
    }
    Ok(findings)
}

/// The code spans that look like paths and the relative links of a page, outside fenced blocks.
fn pointers(text: &str) -> Vec<Pointer> {
    let mut pointers = Vec::new();
    let mut fenced = false;
    for (at, line) in text.lines().enumerate() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            let spans = line.split('`').skip(1).step_by(2);
            pointers.extend(spans.filter(|span| is_path(span)).map(|span| Pointer {
                line: at + 1,
                target: span.to_string(),
                is_link: false,
            }));
            pointers.extend(links(line).map(|target| Pointer {
                line: at + 1,
                target,
                is_link: true,
            }));
        }
    }
    pointers
}

fn is_path(span: &str) -> bool {
    ROOTS.iter().any(|root| span.starts_with(root)) && !span.contains([' ', '<', '…'])
}

/// Targets of `[text](target)` that stay inside the repository.
fn links(line: &str) -> impl Iterator<Item = String> + '_ {
    line.match_indices("](").filter_map(|(at, _)| {
        let target = line[at + 2..]
            .split(')')
            .next()?
            .split_whitespace()
            .next()?;
        let target = target.split('#').next().unwrap_or_default();
        let outside = target.is_empty() || target.contains("://") || target.starts_with("mailto:");
        (!outside).then(|| target.to_string())
    })
}

/// The files a pointer stands for, relative to the root: braces are expanded, a glob stands for its folder, a line
/// number is dropped.
fn targets(page: &Path, pointer: &Pointer) -> Vec<PathBuf> {
    let base = if pointer.is_link {
        page.parent().unwrap_or(Path::new(""))
    } else {
        Path::new("")
    };
    expand(&pointer.target)
        .iter()
        .map(|target| {
            let target = target.split(':').next().unwrap_or_default();
            let upto_glob: PathBuf = Path::new(target)
                .components()
                .take_while(|part| !part.as_os_str().to_string_lossy().contains('*'))
                .collect();
            normal(&base.join(upto_glob))
        })
        .collect()
}

fn expand(target: &str) -> Vec<String> {
    match (target.find('{'), target.find('}')) {
        (Some(open), Some(close)) if open < close => target[open + 1..close]
            .split(',')
            .flat_map(|part| {
                expand(&format!(
                    "{}{}{}",
                    &target[..open],
                    part.trim(),
                    &target[close + 1..]
                ))
            })
            .collect(),
        _ => vec![target.to_string()],
    }
}

fn normal(path: &Path) -> PathBuf {
    let mut normal = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                normal.pop();
            }
            Component::CurDir => {}
            part => normal.push(part),
        }
    }
    normal
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_links_are_read_outside_fences() {
        let text = "See `crates/wire` and `cargo test`.\n```\n`crates/no`\n```\n[a](ARCHITECTURE.md#x) [b](https://c.d) [e](#f)\n";
        let found: Vec<(usize, String)> = pointers(text)
            .into_iter()
            .map(|p| (p.line, p.target))
            .collect();
        assert_eq!(
            found,
            [
                (1, "crates/wire".to_string()),
                (5, "ARCHITECTURE.md".to_string())
            ]
        );
    }

    #[test]
    fn a_target_is_relative_to_the_page_or_the_root() {
        let check = |page: &str, target: &str, is_link: bool, expected: &[&str]| {
            let pointer = Pointer {
                line: 1,
                target: target.to_string(),
                is_link,
            };
            let expected: Vec<PathBuf> = expected.iter().map(PathBuf::from).collect();
            assert_eq!(targets(Path::new(page), &pointer), expected, "{target}");
        };
        check("docs/formats/log.md", "../api.md", true, &["docs/api.md"]);
        check(
            "docs/api.md",
            "crates/wire/src/lib.rs:12",
            false,
            &["crates/wire/src/lib.rs"],
        );
        check(
            "README.md",
            "crates/{wire,market}/src",
            false,
            &["crates/wire/src", "crates/market/src"],
        );
        check("README.md", "testdata/*.toml", false, &["testdata"]);
    }
}
