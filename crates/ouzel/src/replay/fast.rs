//! FAST captures: datagram payloads end to end, without lengths or receive stamps.
//!
//! Every datagram starts with a reset message where the templates have one; else each message is
//! taken as a datagram. The lines are put together by the venue's own sending time, which also
//! stands for the time of receipt.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use market::feed::fast::tags::VenueClock;
use market::feed::fast::{FastConfig, LINE_SNAPSHOT};
use market::feed::refresh::RefreshConfig;
use market::pipeline::{FastPipeline, PipelineConfig, SecurityNames};
use wire::fast11::{Decoder, Limits, Plan, Record};

use super::file::Capture;
use super::summary::Summary;
use crate::args::ReplayArgs;

/// FIX tag of the sending time.
const SENDING_TIME: u32 = 52;

struct Datagram<'a> {
    sent_ns: u64,
    line: usize,
    bytes: &'a [u8],
}

/// Replays lines A and B and the snapshot line, where they are given.
pub fn replay(args: &ReplayArgs, templates: &Path, capture: &Capture) -> Result<Summary> {
    let named = || templates.display().to_string();
    let xml = std::fs::read_to_string(templates).with_context(named)?;
    let plan = Arc::new(Plan::from_xml(&xml).with_context(named)?);
    let clock = VenueClock::new(args.utc_offset);
    let mut files = vec![(0, capture.path.clone())];
    files.extend(args.line_b.iter().map(|path| (1, path.clone())));
    files.extend(
        args.snapshots
            .iter()
            .map(|path| (LINE_SNAPSHOT, path.clone())),
    );
    let mut bytes = Vec::new();
    for (line, path) in &files {
        let read = std::fs::read(path).with_context(|| path.display().to_string())?;
        bytes.push((*line, read));
    }
    let mut summary = Summary::new(capture);
    let mut datagrams = Vec::new();
    for ((line, bytes), (_, path)) in bytes.iter().zip(&files) {
        let rest = split(&plan, &clock, *line, bytes, &mut datagrams);
        summary.note((rest > 0).then(|| {
            format!(
                "{}: the last {rest} bytes are no whole message by these templates",
                path.display()
            )
        }));
    }
    if datagrams.is_empty() {
        bail!(
            "no message of {} is by these templates",
            capture.path.display()
        );
    }
    datagrams.sort_by_key(|datagram| (datagram.sent_ns, datagram.line));
    let mut config = PipelineConfig::default();
    capture.windows.apply(&mut config);
    let mut pipeline = FastPipeline::new(
        plan,
        &FastConfig {
            refresh: RefreshConfig::default(),
            utc_offset_s: args.utc_offset,
            ..FastConfig::default()
        },
        names(args.names.as_deref())?,
        &config,
    );
    for datagram in &datagrams {
        pipeline.tick(datagram.sent_ns);
        // A refused datagram is counted and kept by the pipeline, and reported at the end.
        let _counted = pipeline.packet(datagram.line, datagram.sent_ns, datagram.bytes);
        pipeline.publish(&mut summary);
        let next_seq = pipeline.events().status().next_seq;
        if args.until.is_some_and(|until| next_seq > until) {
            break;
        }
    }
    pipeline.publish(&mut summary);
    let check = pipeline.feed().channel().refresh().check();
    summary.note((check.checked > 0).then(|| {
        format!(
            "{} of {} snapshots equal the book rebuilt from increments",
            check.equal, check.checked
        )
    }));
    let events = pipeline.events();
    summary.finish(events.status(), events.book_digest(), events.rejected());
    Ok(summary)
}

/// Appends a file's datagrams; returns how many bytes at its end are no whole message.
fn split<'a>(
    plan: &Arc<Plan>,
    clock: &VenueClock,
    line: usize,
    bytes: &'a [u8],
    datagrams: &mut Vec<Datagram<'a>>,
) -> usize {
    let has_reset = plan.templates().any(|(id, _)| plan.is_reset(id));
    let mut decoder = Decoder::new(Arc::clone(plan), Limits::default());
    let (mut start, mut at, mut sent_ns) = (0, 0, None);
    let mut newest_ns = 0;
    while let Ok((record, used)) = decoder.decode(&bytes[at..]) {
        let begins = at > start && (!has_reset || plan.is_reset(record.template_id()));
        if begins {
            newest_ns = sent_ns.take().unwrap_or(newest_ns);
            datagrams.push(Datagram {
                sent_ns: newest_ns,
                line,
                bytes: &bytes[start..at],
            });
            start = at;
        }
        sent_ns = sent_ns.or(sending_time(&record, clock));
        at += used;
    }
    if at > start {
        datagrams.push(Datagram {
            sent_ns: sent_ns.unwrap_or(newest_ns),
            line,
            bytes: &bytes[start..at],
        });
    }
    bytes.len() - at
}

/// `YYYYMMDDHHMMSSsss` of the venue's clock.
fn sending_time(record: &Record<'_>, clock: &VenueClock) -> Option<u64> {
    let value = record.u64(record.shape().slot_of_id(SENDING_TIME)?)?;
    let date = u32::try_from(value / 1_000_000_000).ok()?;
    let (time, date) = (
        value % 1_000_000_000,
        (date / 10_000, date / 100 % 100, date % 100),
    );
    let minutes = time / 10_000_000 * 60 + time / 100_000 % 100;
    Some(clock.utc_ns(date, (minutes * 60_000 + time % 100_000) * 1_000_000))
}

/// Lines of a venue's number and a name.
pub fn names(path: Option<&Path>) -> Result<SecurityNames> {
    let Some(path) = path else {
        return Ok(SecurityNames::new());
    };
    let named = || path.display().to_string();
    let text = std::fs::read_to_string(path).with_context(named)?;
    let lines = text
        .lines()
        .enumerate()
        .filter(|(_, line)| !line.trim().is_empty());
    lines
        .map(|(idx, line)| {
            let pair = line.split_once(char::is_whitespace);
            let pair =
                pair.and_then(|(id, name)| Some((id.parse().ok()?, name.trim().to_string())));
            pair.with_context(|| {
                format!(
                    "{} line {}: a number and a name are wanted",
                    path.display(),
                    idx + 1
                )
            })
        })
        .collect()
}
