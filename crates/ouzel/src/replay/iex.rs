//! Captures of IEX-TP: DEEP or TOPS.

use anyhow::{Result, ensure};
use engine::capture::{PcapSource, Speed};
use engine::source::Source;
use market::pipeline::IexPipeline;

use super::file::Capture;
use super::summary::Summary;
use crate::args::ReplayArgs;

/// Replays all packets, or as many messages as `--until` says.
pub fn replay(args: &ReplayArgs, capture: &Capture) -> Result<Summary> {
    ensure!(
        args.lanes == 1 && args.tape.is_none(),
        "--lanes and --tape are for packets and messages of ITCH, not for IEX"
    );
    let mut source = PcapSource::open(&capture.path, &[], Speed::Max)?;
    let mut pipeline = IexPipeline::new(&capture.config());
    let mut summary = Summary::new(capture);
    let (until, mut newest_ns) = (args.until.unwrap_or(u64::MAX), 0);
    while !source.is_ended() && pipeline.feed().messages() < until {
        // Copies of one stream on two addresses are both taken: the first of each number wins.
        source.poll(&mut |line, ts_recv, bytes| {
            if pipeline.feed().messages() < until {
                newest_ns = ts_recv.max(newest_ns);
                pipeline.packet(line, ts_recv, bytes);
            }
        })?;
        pipeline.tick(newest_ns);
        pipeline.publish(&mut summary);
    }
    pipeline.finish();
    pipeline.publish(&mut summary);
    summary.note(source.fault().map(|fault| fault.to_string()));
    let feed = pipeline.feed();
    for (count, what) in [
        (source.skipped(), "records were no packets of the feed"),
        (
            feed.restarts(),
            "times a new session began; books and prints of before are void",
        ),
        (
            feed.unread(),
            "messages (ends of auctions, retail interest) say nothing of books or states",
        ),
        (
            feed.strangers(),
            "packets were of another stream than the first",
        ),
    ] {
        summary.note((count > 0).then(|| format!("{count} {what}")));
    }
    summary.took(feed.messages());
    let events = pipeline.events();
    summary.finish(events.status(), events.book_digest(), events.rejected());
    Ok(summary)
}
