//! `ouzel replay`: a capture through the same books and windows as a live feed, as fast as it goes.

mod digest;
pub mod file;
mod summary;

use std::process::ExitCode;

use anyhow::{Context, Result};
use engine::capture::{ItchFileSource, PcapSource, Speed};
use engine::source::{Source, Unit};
use market::pipeline::{DepthPipeline, ItchPipeline, PipelineConfig};
use market::publish::{FeedStatus, Frame, Sink};

use crate::args::ReplayArgs;
use crate::print;
use file::{Capture, Kind};
use summary::Summary;

/// Replays and prints.
pub fn run(args: &ReplayArgs) -> Result<ExitCode> {
    let capture = file::open(&args.file, args.day.as_deref())?;
    let summary = match capture.kind {
        Kind::Pcap => {
            let mut source = PcapSource::open(&capture.path, &[], Speed::Max)?;
            let mut summary = itch(args, &capture, &mut source)?;
            summary.note(source.fault().map(|fault| fault.to_string()));
            summary.note((source.skipped() > 0).then(|| {
                format!(
                    "{} records were no packets of the feed's lines",
                    source.skipped()
                )
            }));
            summary
        }
        Kind::Itch => {
            let mut source = ItchFileSource::open(&capture.path, capture.midnight_ns, Speed::Max)?;
            let mut summary = itch(args, &capture, &mut source)?;
            summary.note(source.cut_at().map(|at| {
                format!("the file was cut: its last message begins at byte {at} and is not whole")
            }));
            summary
        }
        Kind::BinanceLines => depth(args, &capture)?,
    };
    print(args, &summary);
    Ok(ExitCode::SUCCESS)
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

fn itch(args: &ReplayArgs, capture: &Capture, source: &mut dyn Source) -> Result<Summary> {
    let config = capture.config();
    let mut pipeline = ItchPipeline::new(&config);
    let mut summary = Summary::new(capture);
    let unit = source.unit();
    let mut newest = 0;
    while !source.is_ended() {
        let until = args.until.unwrap_or(u64::MAX);
        source.poll(&mut |line, ts_recv, bytes| {
            if pipeline.status().next_seq > until {
                return;
            }
            match unit {
                Unit::Packet => pipeline.packet(line, ts_recv, bytes),
                Unit::Message => pipeline.message(ts_recv, bytes),
            }
            newest = ts_recv;
        })?;
        if newest > 0 {
            pipeline.tick(newest);
        }
        pipeline.publish(&mut summary);
        if pipeline.status().next_seq > until {
            break;
        }
    }
    // Nothing comes after the end: a hole that is still open there is given up.
    pipeline.tick(newest + 2 * config.mold.gap_wait_ns);
    pipeline.publish(&mut summary);
    let status = pipeline.status();
    if unit == Unit::Packet {
        summary.note(nothing_in(&status));
    }
    summary.finish(status, pipeline.book_digest(), pipeline.rejected());
    Ok(summary)
}

/// Says so when there were packets and none could be put in order.
fn nothing_in(status: &FeedStatus) -> Option<String> {
    let packets: u64 = status.lines.iter().map(|line| line.packets).sum();
    (packets > 0 && status.next_seq <= 1).then(|| {
        format!(
            "{packets} packets were read and none brought a message: a feed numbers its messages \
             from 1, and what has no number cannot be put in order"
        )
    })
}

fn depth(args: &ReplayArgs, capture: &Capture) -> Result<Summary> {
    let text = std::fs::read_to_string(&capture.path).context("the capture is not text")?;
    let mut pipeline = DepthPipeline::new(&PipelineConfig::default());
    let mut summary = Summary::new(capture);
    for (idx, line) in text.lines().enumerate() {
        if args.until.is_some_and(|until| idx as u64 >= until) {
            break;
        }
        let (ts_recv, json) = file::binance_line(line)
            .with_context(|| format!("line {}: no receive time before the JSON", idx + 1))?;
        // A refused message is counted and kept by the pipeline, and reported at the end.
        let _counted = pipeline.message(ts_recv, json.as_bytes());
        pipeline.publish(&mut summary);
    }
    let check = pipeline.check();
    summary.ticker_check(check.checked, check.equal);
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
