//! `ouzel replay`: a capture through the same books and windows as a live feed, as fast as it goes.

mod dbn;
mod digest;
mod fast;
pub mod file;
mod iex;
mod lanes;
pub mod recorded;
mod summary;

pub use fast::names;
use std::process::ExitCode;

use anyhow::{Context, Result};
use engine::capture::{ItchFileSource, PcapSource, Speed};
use engine::source::Source;
use engine::tape::{Recorder, TapeConfig, TapeSource};
use market::pipeline::DepthVenue;
use market::publish::{Frame, Sink};

use crate::args::ReplayArgs;
use crate::print;
use file::{Capture, Kind};
use summary::Summary;

/// Replays and prints.
pub fn run(args: &ReplayArgs) -> Result<ExitCode> {
    if let Some(templates) = &args.templates {
        let mut capture = file::fast(&args.file)?;
        capture.windows = args.windows.clone();
        print(args, &fast::replay(args, templates, &capture)?);
        return Ok(ExitCode::SUCCESS);
    }
    let mut capture = file::open(&args.file, args.day.as_deref())?;
    capture.windows = args.windows.clone();
    let summary = match capture.kind {
        Kind::Fast => anyhow::bail!("a FAST capture needs its --templates"),
        Kind::Pcap => {
            let source = PcapSource::open(&capture.path, &[], Speed::Max)?;
            let (mut summary, source) = itch(args, &capture, source)?;
            summary.note(source.fault().map(|fault| fault.to_string()));
            summary.note((source.skipped() > 0).then(|| {
                format!(
                    "{} records were no packets of the feed's lines",
                    source.skipped()
                )
            }));
            summary
        }
        Kind::Tape => {
            let source = TapeSource::open(&capture.path, Speed::Max)?;
            let (mut summary, source) = itch(args, &capture, source)?;
            summary.note((source.lost() > 0).then(|| {
                format!(
                    "{} packets were left out of the tape when it was recorded",
                    source.lost()
                )
            }));
            source
                .faults()
                .iter()
                .for_each(|fault| summary.note(Some(fault.to_string())));
            summary
        }
        Kind::Itch => {
            let source = ItchFileSource::open(&capture.path, capture.midnight_ns, Speed::Max)?;
            let (mut summary, source) = itch(args, &capture, source)?;
            summary.note(source.cut_at().map(|at| {
                format!("the file was cut: its last message begins at byte {at} and is not whole")
            }));
            summary
        }
        Kind::BinanceLines | Kind::Recorded(_) => depth(args, &capture)?,
        Kind::Dbn => dbn::replay(args, &capture)?,
        Kind::Iex => iex::replay(args, &capture)?,
    };
    print(args, &summary);
    Ok(ExitCode::SUCCESS)
}

/// Replays, and writes a tape on the way if one is asked for.
fn itch<S: Source>(args: &ReplayArgs, capture: &Capture, mut source: S) -> Result<(Summary, S)> {
    let until = args.until.unwrap_or(u64::MAX);
    let Some(dir) = &args.tape else {
        let summary = lanes::replay(capture, &mut source, args.lanes, until)?;
        return Ok((summary, source));
    };
    let config = TapeConfig {
        is_patient: true,
        ..TapeConfig::new(dir)
    };
    let (mut taped, recorder) = Recorder::start(config, source)?;
    let summary = lanes::replay(capture, &mut taped, args.lanes, until)?;
    let source = taped.into_source();
    if let Some(why) = recorder.failure() {
        anyhow::bail!("{why}");
    }
    Ok((summary, source))
}

fn print(args: &ReplayArgs, summary: &Summary) {
    if args.json {
        print::line(summary.json(args.top));
    } else if args.digest {
        print::line(format!("{:016x}", summary.digest()));
    } else {
        print::line(summary.text(args.top));
    }
}

fn depth(args: &ReplayArgs, capture: &Capture) -> Result<Summary> {
    anyhow::ensure!(
        args.lanes == 1 && args.tape.is_none(),
        "--lanes and --tape are for packets and ITCH messages, not for recorded JSON"
    );
    let text = std::fs::read_to_string(&capture.path).context("the capture is not text")?;
    let mut pipeline = recorded::pipeline(capture.kind, &args.windows.config());
    let mut summary = Summary::new(capture);
    let (said, bad) = recorded::read(capture.kind, &text);
    let until = args.until.map_or(usize::MAX, |until| until as usize);
    for said in said.iter().take(until) {
        recorded::feed(&mut pipeline, said, &mut summary);
    }
    summary.note((bad > 0).then(|| format!("{bad} lines were no line of a recording")));
    let check = pipeline.check();
    if matches!(recorded::venue(capture.kind), DepthVenue::Binance) {
        summary.ticker_check(check.checked, check.equal);
    }
    summary.depth_check(pipeline.depth_check());
    summary.finish(
        pipeline.status(),
        pipeline.book_digest(),
        pipeline.rejected(),
    );
    Ok(summary)
}

impl Sink for Summary {
    fn offer(&mut self, frame: &Frame) -> bool {
        self.apply(frame);
        true
    }
}
