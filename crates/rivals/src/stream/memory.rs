//! What a whole day takes in memory, beside the bound that is known before its first message.
//!
//! A process of its own reads the day from a file packet by packet, with everything behind the
//! books on: its peak is the day's. The bound is what the process had when it started and all that
//! the pipeline's tables may hold, used or not.

use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use engine::memory::{held_here, resident};
use market::pipeline::ItchPipeline;
use serde_json::json;
use wire::moldudp64::PacketWriter;

use super::books::{Counted, PER_PACKET, config};
use super::input::Input;
use crate::report::{Better, Figure};

const MIB: f64 = (1 << 20) as f64;

/// Runs a process over the day and puts its peak beside its bound.
///
/// # Errors
/// When the process cannot be run, or its books differ from the venue's.
pub fn measure(input: &Input) -> Result<Figure> {
    let folder = tempfile::tempdir().context("a folder for the day")?;
    let day = folder.path().join("day.itch");
    std::fs::write(&day, &input.file).context("cannot write the day")?;
    let program = std::env::current_exe().context("where this program lies")?;
    let output = Command::new(program).arg("memory").arg(&day).output();
    let output = output.context("cannot start the process")?;
    ensure!(
        output.status.success(),
        "the process failed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said: serde_json::Value =
        serde_json::from_slice(&output.stdout).context("the process writes JSON")?;
    let number = |name: &str| said[name].as_u64().unwrap_or(0);
    ensure!(
        number("digest") == input.digest,
        "the books of the process differ from the venue's"
    );
    let mib = |name: &str| number(name) as f64 / MIB;
    Ok(Figure::new("stream.memory", "MiB", Better::Less, vec![mib("peak")])
        .beside("its bound, computed at start", &[mib("bound")])
        .note(format!(
            "peak of the whole process over {}; bound: {:.0} MiB of tables and {:.0} MiB that the process had before",
            input.words(),
            mib("tables"),
            mib("before"),
        )))
}

/// The process: reads a day and says what it took, as one JSON object.
///
/// # Errors
/// When the day cannot be read.
pub fn child(path: &Path) -> Result<String> {
    let file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let mut reader = BufReader::with_capacity(1 << 20, file);
    let before = resident().context("the kernel's own account")?.now;
    let held = held_here();
    let mut pipeline = ItchPipeline::new(&config());
    let tables = held_here().saturating_sub(held);
    let mut frames = Counted::default();
    let mut seq = 1;
    let mut buffer = [0; 2_048];
    loop {
        let mut writer = PacketWriter::new(&mut buffer, *b"BENCH00001", seq);
        let (count, now_ns) = fill(&mut reader, &mut writer)?;
        if count == 0 {
            break;
        }
        pipeline.packet(0, now_ns, writer.finish());
        pipeline.tick(now_ns);
        pipeline.publish(&mut frames);
        seq += count;
    }
    let peak = resident().context("the kernel's own account")?.peak;
    Ok(json!({
        "before": before,
        "tables": tables,
        "bound": before + tables,
        "peak": peak,
        "digest": pipeline.book_digest(),
    })
    .to_string())
}

/// The next messages as one packet: how many, and when the last of them was.
fn fill(reader: &mut impl Read, writer: &mut PacketWriter<'_>) -> Result<(u64, u64)> {
    let (mut count, mut now_ns) = (0, 0);
    let (mut length, mut message) = ([0; 2], [0; 256]);
    while count < PER_PACKET as u64 {
        match reader.read_exact(&mut length) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => break,
            Err(error) => return Err(error).context("reading the day"),
        }
        let message = message
            .get_mut(..usize::from(u16::from_be_bytes(length)))
            .context("an ITCH message is short")?;
        reader
            .read_exact(message)
            .context("the day ends within a message")?;
        ensure!(writer.push(message), "so many messages fit a packet");
        now_ns = super::books::now_ns(message);
        count += 1;
    }
    Ok((count, now_ns))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_read_packet_by_packet_ends_with_the_venues_books_within_the_bound() {
        let input = Input::generate(200_000);
        let folder = tempfile::tempdir().expect("a folder");
        let day = folder.path().join("day.itch");
        std::fs::write(&day, &input.file).expect("written");
        let said: serde_json::Value =
            serde_json::from_str(&child(&day).expect("read")).expect("JSON");
        assert_eq!(said["digest"].as_u64(), Some(input.digest));
        assert!(
            said["tables"]
                .as_u64()
                .is_some_and(|bytes| bytes > 100 << 20)
        );
    }
}
