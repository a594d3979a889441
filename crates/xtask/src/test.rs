//! `cargo xtask test`: everything that says whether Ouzel works, on one machine, from a clean checkout.

mod cargo_test;
mod fuzz;
mod miri;
mod outlets;
mod outside;

use std::cell::RefCell;

use anyhow::{Context, Result, bail, ensure};

use crate::check;
use crate::demo::Demo;
use crate::steps::{self, Step};
use crate::tools::Tools;
use crate::workspace::Workspace;

/// What the command line asks for.
#[derive(Default, PartialEq, Eq, Debug)]
struct Wish {
    only: Vec<String>,
    list: bool,
    no_install: bool,
}

/// Steps that run where they are named only: Miri takes longer than all the others.
const ON_REQUEST: [&str; 1] = ["miri"];

/// Runs the steps that were asked for; false when one failed.
pub fn run(workspace: &Workspace, arguments: &[String]) -> Result<bool> {
    let wish = parse(arguments)?;
    let tools = Tools::new(&workspace.root, !wish.no_install);
    let demo = RefCell::new(None);
    let mut steps = plan(workspace, &tools, &demo);
    if !wish.only.is_empty() {
        for name in &wish.only {
            let known = steps.iter().any(|step| step.is_selected(name));
            ensure!(
                known,
                "no step named `{name}`; `cargo xtask test --list` names them"
            );
        }
        steps.retain(|step| wish.only.iter().any(|name| step.is_selected(name)));
    } else if !wish.list {
        steps.retain(|step| !ON_REQUEST.contains(&step.name.as_str()));
    }
    if wish.list {
        for step in &steps {
            println!("{:28} {}", step.name, step.about);
        }
        return Ok(true);
    }
    println!(
        "{} steps. Python packages go into .venv, programs into .tools, Debian packages are installed where this \
         user may; a step that lacks its tool says skipped and why.",
        steps.len()
    );
    Ok(steps::run(steps))
}

fn plan<'a>(
    workspace: &'a Workspace,
    tools: &'a Tools,
    demo: &'a RefCell<Option<Demo>>,
) -> Vec<Step<'a>> {
    let mut steps = check::checks(workspace, tools);
    steps.push(Step::new("unit", "cargo test, the whole workspace", || {
        cargo_test::run(workspace)
    }));
    steps.push(miri::step(workspace));
    steps.push(Step::new(
        "models",
        "every order in which a collection's threads may meet, by loom",
        || cargo_test::models(workspace),
    ));
    steps.extend(fuzz::steps(workspace, tools));
    steps.extend(outside::steps(workspace, tools, demo));
    steps.extend(outlets::steps(workspace, tools));
    steps
}

fn parse(arguments: &[String]) -> Result<Wish> {
    let mut wish = Wish::default();
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--only" => {
                let names = arguments
                    .next()
                    .context("`--only` wants the name of a step")?;
                wish.only.extend(names.split(',').map(str::to_string));
            }
            "--list" => wish.list = true,
            "--no-install" => wish.no_install = true,
            other => bail!("`{other}` is not known here: --only NAME, --list, --no-install"),
        }
    }
    Ok(wish)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wishes_are_read() {
        let words = |line: &str| {
            line.split_whitespace()
                .map(str::to_string)
                .collect::<Vec<_>>()
        };
        let wish = parse(&words("--only fuzz,unit --only tidy --list")).unwrap();
        assert_eq!(wish.only, ["fuzz", "unit", "tidy"]);
        assert!(wish.list && !wish.no_install);
        assert!(parse(&words("--only")).is_err());
        assert!(parse(&words("fuzz")).is_err());
    }
}
