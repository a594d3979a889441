//! What a capture file is, told by its first bytes.

use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use engine::tape::TapeReader;
use market::feed::iex::is_iex;
use market::pipeline::{DepthVenue, PipelineConfig};

use crate::windows::WindowArgs;
use crate::{compose, session_day};

const INSTRUMENTS_LIMIT: usize = 12_000;
const ORDERS_LIMIT: usize = 1 << 22;
/// The smallest messages that bring an instrument and an order.
const DIRECTORY_BYTES: usize = 39;
const ADD_ORDER_BYTES: usize = 36;

const PCAP_MAGICS: [[u8; 4]; 5] = [
    [0xd4, 0xc3, 0xb2, 0xa1],
    [0xa1, 0xb2, 0xc3, 0xd4],
    [0x4d, 0x3c, 0xb2, 0xa1],
    [0xa1, 0xb2, 0x3c, 0x4d],
    [0x0a, 0x0d, 0x0d, 0x0a],
];

/// Kinds of captures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// pcap or pcapng with MoldUDP64 packets.
    Pcap,
    /// pcap or pcapng with IEX-TP packets.
    Iex,
    /// Length-framed ITCH 5.0 messages.
    Itch,
    /// A folder that `ouzel serve --tape` filled.
    Tape,
    /// One line a message: receive time in ns, a space, JSON.
    BinanceLines,
    /// Databento's records, packed or not.
    Dbn,
    /// FAST datagrams end to end; told by `--templates`, not by its bytes.
    Fast,
    /// A log of WebSocket sessions of one venue.
    Recorded(DepthVenue),
}

/// A capture, unpacked if it was gzip.
pub struct Capture {
    /// What it is.
    pub kind: Kind,
    /// Where its bytes are.
    pub path: PathBuf,
    /// Midnight of the session's day, ns UTC, for ITCH.
    pub midnight_ns: u64,
    /// What its pipeline is asked for.
    pub windows: WindowArgs,
    bytes: u64,
    _unpacked: Option<Unpacked>,
}

impl Capture {
    /// A pipeline's configuration for it: memory for no more than so many bytes can say.
    pub fn config(&self) -> PipelineConfig {
        let bytes = usize::try_from(self.bytes).unwrap_or(usize::MAX);
        let mut config = PipelineConfig {
            midnight_ns: self.midnight_ns,
            instruments_limit: INSTRUMENTS_LIMIT.min(bytes / DIRECTORY_BYTES + 1),
            orders_limit: ORDERS_LIMIT.min(bytes / ADD_ORDER_BYTES + 1),
            levels_reserve: 64,
            ..PipelineConfig::default()
        };
        self.windows.apply(&mut config);
        // Nobody answers requests for the past.
        config.mold.has_retransmit = false;
        config.mold.doubt_ns = 0;
        config.mold.far_ahead = u64::MAX;
        config
    }
}

fn open_tape(path: &Path, day: Option<&str>) -> Result<Capture> {
    let named = || path.display().to_string();
    let mut reader = TapeReader::open(path).with_context(named)?;
    let first = reader.peek().map(|record| record.ts_recv);
    let first = first.with_context(|| format!("{} holds no whole record", path.display()))?;
    let mut bytes = 0;
    for entry in std::fs::read_dir(path).with_context(named)? {
        bytes += entry
            .and_then(|entry| entry.metadata())
            .with_context(named)?
            .len();
    }
    Ok(Capture {
        kind: Kind::Tape,
        path: path.to_path_buf(),
        midnight_ns: session_day::midnight_ns(day, first)?,
        windows: WindowArgs::default(),
        bytes,
        _unpacked: None,
    })
}

/// A temporary file that goes with its owner.
struct Unpacked(PathBuf);

impl Drop for Unpacked {
    fn drop(&mut self) {
        // A left-over temporary file is the system's to clear.
        let _cleared = std::fs::remove_file(&self.0);
    }
}

/// Recognises a capture.
pub fn open(path: &Path, day: Option<&str>) -> Result<Capture> {
    if path.is_dir() {
        return open_tape(path, day);
    }
    let named = || path.display().to_string();
    let (path_now, unpacked) = unpack(path)?;
    let mut start = Vec::new();
    File::open(&path_now)
        .and_then(|file| file.take(4_096).read_to_end(&mut start))
        .with_context(named)?;
    let kind = kind_of(&start).with_context(|| {
        format!(
            "{} is neither pcap, pcapng, length-framed ITCH 5.0, DBN, lines of `ns JSON` nor a \
             log of sessions of Binance, Kraken, Coinbase or OKX \
             (FAST needs --templates); \
             `ouzel replay --help` shows examples",
            path.display()
        )
    })?;
    let bytes = std::fs::metadata(&path_now).with_context(named)?.len();
    let (kind, first_ns) = match kind {
        Kind::Pcap => first_packet(&path_now).with_context(named)?,
        kind => (kind, 0),
    };
    let midnight_ns = match kind {
        Kind::Pcap => session_day::midnight_ns(day, first_ns)?,
        Kind::Itch => itch_midnight(path, day)?,
        // Their times are whole.
        Kind::Iex
        | Kind::BinanceLines
        | Kind::Recorded(_)
        | Kind::Dbn
        | Kind::Tape
        | Kind::Fast => 0,
    };
    Ok(Capture {
        kind,
        path: path_now,
        midnight_ns,
        windows: WindowArgs::default(),
        bytes,
        _unpacked: unpacked,
    })
}

/// A FAST capture: nothing in its bytes says so.
pub fn fast(path: &Path) -> Result<Capture> {
    let (path_now, unpacked) = unpack(path)?;
    let bytes = std::fs::metadata(&path_now)
        .with_context(|| path.display().to_string())?
        .len();
    Ok(Capture {
        kind: Kind::Fast,
        path: path_now,
        midnight_ns: 0,
        windows: WindowArgs::default(),
        bytes,
        _unpacked: unpacked,
    })
}

fn unpack(path: &Path) -> Result<(PathBuf, Option<Unpacked>)> {
    let mut magic = [0; 2];
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let packed = file.read_exact(&mut magic).is_ok() && magic == [0x1f, 0x8b];
    if !packed {
        return Ok((path.to_path_buf(), None));
    }
    let name = format!(
        "ouzel-{}-{}",
        std::process::id(),
        path.file_stem().unwrap_or_default().to_string_lossy()
    );
    let target = std::env::temp_dir().join(name);
    let unpacked = Unpacked(target.clone());
    let mut reader = compose::open_maybe_gzip(path)?;
    let mut writer = io::BufWriter::new(File::create(&target)?);
    io::copy(&mut reader, &mut writer)
        .and_then(|_| writer.flush())
        .with_context(|| format!("cannot unpack {} to {}", path.display(), target.display()))?;
    Ok((target, Some(unpacked)))
}

fn kind_of(start: &[u8]) -> Option<Kind> {
    if PCAP_MAGICS.iter().any(|magic| start.starts_with(magic)) {
        return Some(Kind::Pcap);
    }
    let first_line = start.split(|b| *b == b'\n').next().unwrap_or_default();
    let is_line = first_line.first().is_some_and(u8::is_ascii_digit)
        && first_line.windows(2).any(|pair| pair == b" {");
    if is_line {
        return Some(Kind::BinanceLines);
    }
    let said = std::str::from_utf8(&first_line[..first_line.len().min(512)]);
    if let Some(venue) = said.ok().and_then(super::recorded::venue_of) {
        return Some(Kind::Recorded(venue));
    }
    let length = usize::from(u16::from_be_bytes([*start.first()?, *start.get(1)?]));
    if wire::itch50::length_of(*start.get(2)?) == Some(length) {
        return Some(Kind::Itch);
    }
    engine::capture::looks_like_dbn(start).then_some(Kind::Dbn)
}

/// When the first packet came, and whose packets they are: the first datagram tells.
fn first_packet(path: &Path) -> Result<(Kind, u64)> {
    let bytes = std::fs::read(path)?;
    let mut reader = wire::pcap::Reader::new(&bytes).context("the capture's header")?;
    let first = reader.next().context("the capture holds no packet")?;
    let first = first.context("the first packet")?;
    let mut datagrams = std::iter::once(first).chain(reader.map_while(Result::ok));
    let is_iex = datagrams
        .find_map(|record| Some(is_iex(wire::pcap::udp(&record)?.payload)))
        .unwrap_or(false);
    let kind = if is_iex { Kind::Iex } else { Kind::Pcap };
    Ok((kind, first.ts_ns))
}

fn itch_midnight(path: &Path, day: Option<&str>) -> Result<u64> {
    let day = day
        .map(str::to_owned)
        .or_else(|| session_day::in_name(path))
        .with_context(|| {
            format!(
                "the day of {} is not in its name; give it with --day YYYY-MM-DD",
                path.display()
            )
        })?;
    session_day::midnight_ns(Some(&day), 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_by_the_first_bytes() {
        assert_eq!(kind_of(&[0x4d, 0x3c, 0xb2, 0xa1, 2, 0]), Some(Kind::Pcap));
        assert_eq!(
            kind_of(b"1723161600001658384 {\"stream\""),
            Some(Kind::BinanceLines)
        );
        assert_eq!(kind_of(&[0, 12, b'S', 0]), Some(Kind::Itch));
        assert_eq!(kind_of(&[0, 13, b'S', 0]), None);
        assert_eq!(
            kind_of(b"wss://ws.okx.com:8443/ws/v5/public <-> 1652459224.5300605\n"),
            Some(Kind::Recorded(DepthVenue::Okx))
        );
        assert_eq!(kind_of(b"DBN\x03\x70\0\0\0"), Some(Kind::Dbn));
        assert_eq!(kind_of(&[0x28, 0xb5, 0x2f, 0xfd, 0]), Some(Kind::Dbn));
        assert_eq!(kind_of(b""), None);
        assert_eq!(kind_of(b"hello world"), None);
    }
}
