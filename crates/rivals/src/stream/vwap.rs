//! The sliding 1 s VWAP every 100 ms of 2,000 symbols: our window beside a bare pane loop, and
//! engines from PyPI where `--peers` asks for them.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use market::event::{InstrumentId, Price, Qty};
use market::publish::{Integrity, Vwap};
use market::window::{Print, SlidingVwap};
use stdx::Rng;

use crate::measure::{Run, interleave, time_ns};
use crate::python;
use crate::report::{Better, Figure};

const SYMBOLS: usize = 2_000;
const STEP_NS: u64 = 100_000_000;
const STEPS: usize = 10;
const LENGTH_NS: u64 = STEP_NS * STEPS as u64;
/// Mean time between two prints: 400,000 a second.
const MEAN_NS: f64 = 2_500.0;
/// Instants begin here, a multiple of the step.
const START: u64 = 1_700_000_000_000_000_000;
const ROUNDS: usize = 7;
/// What the script of the peers lies in.
const SCRIPT: &str = "crates/rivals/python/vwap_peers.py";
/// What it imports.
const PACKAGES: [&str; 7] = [
    "numpy",
    "duckdb",
    "polars",
    "pyarrow",
    "nautilus_trader",
    "pathway",
    "bytewax",
];

/// One print as it lies in memory and in the peers' file.
#[derive(Clone, Copy)]
struct Tick {
    ts_event: u64,
    symbol: u32,
    price_e4: u32,
    qty: u32,
}

/// What a contestant emitted, so that all did the same work: how many windows, and one number over
/// the sums of each in order of time and symbol.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Emitted {
    windows: u64,
    checksum: u64,
}

impl Emitted {
    #[inline]
    fn add(&mut self, notional_e9: u64, volume: u64) {
        self.windows += 1;
        let mixed = self.checksum.rotate_left(5) ^ notional_e9;
        self.checksum = mixed.wrapping_add(volume);
    }
}

fn ticks(count: usize) -> Vec<Tick> {
    let mut rng = Rng::new(7);
    let mut prices: Vec<u32> = (0..SYMBOLS).map(|n| 100_000 + 500 * n as u32).collect();
    let mut at = 0.0;
    let mut one = || {
        at += rng.exponential(MEAN_NS);
        let symbol = rng.below(SYMBOLS as u64) as u32;
        let price = &mut prices[symbol as usize];
        *price = (*price + rng.below(201) as u32)
            .saturating_sub(100)
            .max(10_000);
        Tick {
            ts_event: START + at as u64,
            symbol,
            price_e4: *price,
            qty: 1 + rng.below(1_000) as u32,
        }
    };
    (0..count).map(|_| one()).collect()
}

/// Figures of the window; with `peers`, of every engine that can be installed too.
///
/// # Errors
/// When the peers' script cannot be started or says something else than figures.
pub fn measure(count: usize, peers: Option<&Path>) -> Result<Vec<Figure>> {
    let ticks = ticks(count);
    assert_eq!(
        ours(&ticks, |_| {}),
        bare(&ticks),
        "both emit the same windows"
    );
    let per_print = |ns: f64| ns / ticks.len() as f64;
    let mut contestants: [Run<'_>; 2] = [
        Box::new(|| per_print(time_ns(|| ours(&ticks, |_| {})))),
        Box::new(|| per_print(time_ns(|| bare(&ticks)))),
    ];
    let values = interleave(ROUNDS, &mut contestants);
    let [window, loop_alone] = values.as_slice() else {
        unreachable!("one list of values a contestant")
    };
    let emitted = bare(&ticks);
    let figure = Figure::new("stream.vwap_1s", "ns/print", Better::Less, window.clone());
    let mut figures = vec![figure.beside("bare pane loop", loop_alone).note(format!(
        "{count} prints of {SYMBOLS} symbols, 400,000 a second, 1 s window each 100 ms, one core: \
         {} windows, all equal; the loop adds 64-bit products, knows no lateness, flags or sessions",
        emitted.windows
    ))];
    if let Some(root) = peers {
        let prints_per_s: Vec<f64> = window.iter().map(|ns| 1e9 / ns).collect();
        figures.extend(beside_peers(root, &ticks, &prints_per_s)?);
    }
    Ok(figures)
}

/// The market crate's window, as a pipeline drives it.
fn ours(ticks: &[Tick], mut see: impl FnMut(&Vwap)) -> Emitted {
    let mut vwap = SlidingVwap::new(SYMBOLS, LENGTH_NS, STEP_NS, 0);
    let mut emitted = Emitted::default();
    for tick in ticks {
        vwap.advance(tick.ts_event, |window| {
            emitted.add(window.notional as u64, window.volume.0);
            see(&window);
        });
        let print = Print {
            instrument: InstrumentId(tick.symbol),
            ts_event: tick.ts_event,
            price: Price::from_e4(tick.price_e4),
            qty: Qty(u64::from(tick.qty)),
        };
        vwap.add(&print, Integrity::Ok);
    }
    emitted
}

/// As little as can be done: an array of panes, sums in 64 bits, everything known beforehand.
fn bare(ticks: &[Tick]) -> Emitted {
    let mut panes = vec![[(0u64, 0u64); SYMBOLS]; STEPS + 1];
    let mut windows = vec![(0u64, 0u64); SYMBOLS];
    let mut emitted = Emitted::default();
    let (mut step, mut end_ns) = (0usize, START + STEP_NS);
    for tick in ticks {
        while tick.ts_event >= end_ns {
            let entering = step % (STEPS + 1);
            let leaving = (step + 1) % (STEPS + 1);
            for symbol in 0..SYMBOLS {
                let window = &mut windows[symbol];
                let (came, went) = (panes[entering][symbol], panes[leaving][symbol]);
                window.0 = window.0 + came.0 - went.0;
                window.1 = window.1 + came.1 - went.1;
                panes[leaving][symbol] = (0, 0);
                if window.1 > 0 {
                    emitted.add(window.0.wrapping_mul(100_000), window.1);
                }
            }
            step += 1;
            end_ns += STEP_NS;
        }
        let pane = &mut panes[step % (STEPS + 1)][tick.symbol as usize];
        pane.0 += u64::from(tick.price_e4) * u64::from(tick.qty);
        pane.1 += u64::from(tick.qty);
    }
    emitted
}

/// What the script says of one engine.
fn beside_peers(root: &Path, ticks: &[Tick], ours_per_s: &[f64]) -> Result<Vec<Figure>> {
    let folder = tempfile::tempdir().context("a folder for the peers' input")?;
    write_input(folder.path(), ticks)?;
    let python = python::venv(root, &PACKAGES)?;
    let mut command = Command::new(python);
    command.arg(root.join(SCRIPT)).arg(folder.path());
    let output = command.stderr(Stdio::inherit()).output();
    let output = output.context("cannot start the peers' script")?;
    if !output.status.success() {
        bail!("the peers' script failed: {}", output.status);
    }
    let text = String::from_utf8(output.stdout).context("the script writes text")?;
    let mut figures = Vec::new();
    for line in text.lines() {
        let said: serde_json::Value =
            serde_json::from_str(line).with_context(|| format!("the script said {line:?}"))?;
        let name = said["peer"].as_str().unwrap_or_default();
        let note = said["note"].as_str().unwrap_or_default();
        let rates: Vec<f64> = said["prints_per_s"]
            .as_array()
            .map_or_else(Vec::new, |rates| {
                rates.iter().filter_map(serde_json::Value::as_f64).collect()
            });
        if rates.is_empty() {
            eprintln!("no figure of {name}: {note}");
            continue;
        }
        // As many runs of ours as the peer has: a ratio is of pairs.
        let own: Vec<f64> = ours_per_s
            .iter()
            .copied()
            .cycle()
            .take(rates.len())
            .collect();
        let figure = Figure::new(
            format!("stream.vwap_1s_{name}"),
            "prints/s",
            Better::More,
            own,
        );
        let version = said["version"].as_str().unwrap_or_default();
        figures.push(
            figure
                .beside(format!("{name} {version}"), &rates)
                .note(note),
        );
    }
    Ok(figures)
}

/// The prints, and our windows over them, as little-endian records.
fn write_input(folder: &Path, ticks: &[Tick]) -> Result<()> {
    let mut prints = std::io::BufWriter::new(std::fs::File::create(folder.join("prints.bin"))?);
    for tick in ticks {
        prints.write_all(&tick.ts_event.to_le_bytes())?;
        for field in [tick.symbol, tick.price_e4, tick.qty] {
            prints.write_all(&field.to_le_bytes())?;
        }
    }
    prints.flush()?;
    let mut windows = std::io::BufWriter::new(std::fs::File::create(folder.join("windows.bin"))?);
    let mut failed = None;
    ours(ticks, |window| {
        let notional_e4 = (window.notional / 100_000) as u64;
        let fields = [
            window.end_ns,
            u64::from(window.instrument.0),
            notional_e4,
            window.volume.0,
        ];
        for field in fields {
            failed = windows
                .write_all(&field.to_le_bytes())
                .err()
                .or(failed.take());
        }
    });
    failed.map_or(Ok(()), Err)?;
    Ok(windows.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn window_and_loop_emit_the_same() {
        let ticks = ticks(200_000);
        let emitted = bare(&ticks);
        assert_eq!(ours(&ticks, |_| {}), emitted);
        assert!(emitted.windows > 5_000, "{emitted:?}");
    }
}
