//! `ouzel models`: whose vectors a folder has, and dropping those of an earlier model.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Result;
use node::Stage;
use serde_json::{Value, json};
use server::client::Client;
use server::json::Instant;

use crate::args::ModelsArgs;
use crate::print;

/// Tells, or drops.
pub fn run(args: &ModelsArgs) -> Result<ExitCode> {
    match (&args.target.data, &args.forget) {
        (Some(dir), Some(id)) => forget(dir, id, args.json)?,
        (Some(dir), None) => held(dir, args.json)?,
        (None, _) => {
            let told = Client::new(&args.target.url).get("/v1/embedding")?;
            match args.json {
                true => print::json(&told),
                false => served(&told),
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn forget(dir: &Path, id: &str, is_json: bool) -> Result<()> {
    let bytes = node::forget_model(dir, id)?;
    match is_json {
        true => print::json(&json!({"model": id, "bytes": bytes})),
        false => print::line(format!("dropped {} of {id}", megabytes(bytes))),
    }
    Ok(())
}

fn held(dir: &Path, is_json: bool) -> Result<()> {
    let held = node::held_models(dir)?;
    if is_json {
        let rows = held.iter().map(|held| {
            json!({
                "model": held.made_by.id, "dimensions": held.made_by.dim,
                "stage": held.stage.word(), "from": Instant(held.from), "bytes": held.bytes,
            })
        });
        print::json(&json!({"models": rows.collect::<Vec<_>>()}));
        return Ok(());
    }
    for held in held {
        let about = match held.stage {
            Stage::Coming => "being made".to_owned(),
            Stage::Now if held.from == 0 => "answers".to_owned(),
            Stage::Now => format!(
                "answers about instants from {} on",
                json!(Instant(held.from))
            ),
            Stage::Past => "answers about instants before the next".to_owned(),
            Stage::Forgotten => "dropped".to_owned(),
        };
        print::line(format!(
            "{}: {about}, {}",
            held.made_by,
            megabytes(held.bytes)
        ));
    }
    Ok(())
}

fn served(told: &Value) {
    let model = |row: &Value| {
        let name = row["model"].as_str().unwrap_or_default();
        format!("{name} ({} dimensions)", row["dimensions"])
    };
    print::line(format!("{}: answers", model(told)));
    let change = &told["change"];
    if !change.is_null() {
        let to = model(&change["to"]);
        print::line(format!(
            "{to}: being made, {} of {} passages",
            change["done"], change["of"]
        ));
        if let Some(why) = change["waits"].as_str() {
            print::line(format!("  it waits: {why}"));
        }
    }
    for earlier in told["earlier"].as_array().into_iter().flatten() {
        let until = earlier["until"].as_str().unwrap_or_default();
        print::line(format!(
            "{}: answers about instants before {until}",
            model(earlier)
        ));
        if earlier["loaded"] == false {
            print::line("  by words alone: the server was not given this model");
        }
    }
}

fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
