//! Databento files and fragments, any schema, plain or packed with zstd.

use anyhow::{Context, Result, ensure};
use engine::capture::DbnFile;
use market::pipeline::DbnPipeline;

use super::file::Capture;
use super::summary::Summary;
use crate::args::ReplayArgs;

/// Instruments expected where the header names fewer.
const INSTRUMENTS: usize = 16;
/// Records between two looks at whether anything is to be published.
const BATCH: u64 = 64;

/// Replays all records, or as many as `--until` says.
pub fn replay(args: &ReplayArgs, capture: &Capture) -> Result<Summary> {
    ensure!(
        args.lanes == 1 && args.tape.is_none(),
        "--lanes and --tape are for packets and ITCH messages, not for DBN records"
    );
    let named = || capture.path.display().to_string();
    let mut file = DbnFile::open(&capture.path).with_context(named)?;
    let mappings = file.metadata().map(|metadata| metadata.mappings().count());
    let mut config = capture.config();
    // A fragment does not say how many: more than this grow, which costs time once.
    config.instruments_limit = mappings.unwrap_or(0).max(INSTRUMENTS);
    let mut pipeline = DbnPipeline::new(&config);
    if let Some(metadata) = file.metadata() {
        pipeline.header(&metadata);
    }
    let mut summary = Summary::new(capture);
    let until = args.until.unwrap_or(u64::MAX);
    while pipeline.feed().records() < until {
        match file.next_record() {
            None => break,
            Some(Ok(record)) => pipeline.record(record),
            Some(Err(fault)) => {
                summary.note(Some(format!("{:#}", anyhow::Error::new(fault))));
                break;
            }
        }
        if pipeline.feed().records().is_multiple_of(BATCH) {
            pipeline.publish(&mut summary);
        }
    }
    pipeline.tick(pipeline.newest_ns());
    pipeline.publish(&mut summary);
    let (unread, not_found) = (pipeline.feed().unread(), pipeline.feed().not_found());
    summary.note((unread > 0).then(|| {
        format!("{unread} records (bars, statistics, messages) change no book and print nothing")
    }));
    summary.note((not_found > 0).then(|| format!("Databento did not find {not_found} symbols")));
    let events = pipeline.events();
    summary.finish(events.status(), events.book_digest(), events.rejected());
    Ok(summary)
}
