//! Ouzel: what is moving, when did it move like this before, and why.
//!
//! This crate reads arguments, composes the other crates and prints. It decides nothing else.

#![allow(
    clippy::disallowed_methods,
    reason = "the outermost crate may read the clock"
)]

mod args;
mod ask;
mod brokers;
mod columns;
mod compose;
mod demo;
mod doctor;
mod eval;
mod evidence;
mod exchange;
mod explain;
mod generations;
mod ingest;
mod keep;
mod listen;
mod mcp;
mod models;
mod outputs;
mod print;
mod profile;
mod replay;
mod restore;
mod search;
mod serve;
mod session_day;
mod similar;
mod speaker;
mod standing;
mod verify;
mod windows;
mod words;

use std::process::ExitCode;

use clap::Parser;

use args::{Args, Command};
use engine::memory::HugeHeap;

/// Order tables and vector segments gain from huge pages; the hint belongs to the whole process.
#[global_allocator]
static HEAP: HugeHeap = HugeHeap;

fn main() -> ExitCode {
    let args = Args::parse();
    let json = args.json();
    let outcome = match args.command {
        Command::Demo(demo) => demo::run(*demo),
        Command::Serve(serve) => serve::run(serve),
        Command::Replay(replay) => replay::run(&replay),
        Command::Ask(ask) => ask::run(&ask),
        Command::Search(search) => search::run(&search),
        Command::Similar(similar) => similar::run(&similar),
        Command::Evidence(evidence) => evidence::run(&evidence),
        Command::Standing(standing) => standing::run(&standing),
        Command::Eval(eval) => eval::run(&eval),
        Command::Ingest(ingest) => ingest::run(&ingest),
        Command::Doctor(doctor) => doctor::run(&doctor),
        Command::Restore(restore) => restore::run(&restore),
        Command::Backup(backup) => keep::backup(&backup),
        Command::Trim(trim) => keep::trim(&trim),
        Command::Models(models) => generations::run(&models),
        Command::Distil(distil) => models::distil(&distil),
        Command::Verify(verify) => verify::run(&verify),
        Command::Mcp(mcp) => mcp::run(&mcp),
        Command::Listen(listen) => listen::run(&listen),
        Command::Venue(venue) => exchange::run(&venue),
        Command::Profile(profile) => profile::run(&profile),
    };
    match outcome {
        Ok(code) => code,
        Err(error) => {
            print::error(&error, json);
            ExitCode::FAILURE
        }
    }
}
