//! `ouzel doctor`: what limits speed here.

use std::process::ExitCode;

use anyhow::Result;
use engine::doctor::{Check, Status, Wanted, checks_for};
use serde_json::json;

use crate::args::DoctorArgs;
use crate::print;

/// Runs every check and prints it. The exit code says whether anything fails.
pub fn run(args: &DoctorArgs) -> Result<ExitCode> {
    let wanted = Wanted::default();
    let checks = checks_for(&Wanted {
        interface: args.interface.unwrap_or(wanted.interface),
        core: args.core,
        ..wanted
    });
    if args.json {
        let rows: Vec<_> = checks
            .iter()
            .map(|c| {
                json!({
                    "name": c.name, "status": word(c.status), "found": c.found, "advice": c.advice,
                })
            })
            .collect();
        print::json(&json!({ "checks": rows }));
    } else {
        let width = checks.iter().map(|c| c.name.len()).max().unwrap_or(0);
        checks.iter().for_each(|check| show(check, width));
    }
    let failed = checks.iter().any(|c| c.status == Status::Fail);
    Ok(if failed {
        ExitCode::FAILURE
    } else {
        ExitCode::SUCCESS
    })
}

fn show(check: &Check, width: usize) {
    let mark = match check.status {
        Status::Ok => "  ok ",
        Status::Warn => " warn",
        Status::Fail => " FAIL",
    };
    print::line(format!("{mark}  {:width$}  {}", check.name, check.found));
    if check.status != Status::Ok && !check.advice.is_empty() {
        print::line(format!("       {:width$}  -> {}", "", check.advice));
    }
}

fn word(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Warn => "warn",
        Status::Fail => "fail",
    }
}
