//! What windows and signals a pipeline is asked for on the command line.

use anyhow::{Context, Result, bail};
use clap::Args as ClapArgs;
use market::event::Qty;
use market::pipeline::PipelineConfig;
use market::publish::BarRule;
use market::signal::RuleConfig;
use market::window::MeasureConfig;

/// A state each so often.
const STATE_STEP_NS: u64 = 100_000_000;
/// What a server keeps of them where nothing else is said, MiB.
const STATES_MIB: u32 = 256;

/// Windows and signals beyond bars, VWAP, jumps and halts. What is not asked for costs nothing.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct WindowArgs {
    /// Measure a sliding window (spread, microprice, flow, volatility, ..): LENGTH/STEP [with
    /// --signal: 10s/500ms]
    #[arg(long, value_name = "LENGTH/STEP", value_parser = measures)]
    pub measures: Option<MeasureConfig>,
    /// A signal: `name: expression` over price, bid, ask, mid, spread, microprice, imbalance, vwap,
    /// twap, ema, volume, volatility, flow, .. with ema(FIELD), then `; clear EXPRESSION; cooldown
    /// 10s; hold STEPS`; or spread-blowout, imbalance, volume-surge. May be given more than once
    #[arg(long, value_name = "RULE")]
    pub signal: Vec<RuleConfig>,
    /// Bars closed by activity: ticks:100, volume:5000, notional:1000000 (both in the feed's units:
    /// shares, 1e-8 of a coin) or session:5s. May be given more than once
    #[arg(long, value_name = "RULE", value_parser = bar_rule)]
    pub activity_bars: Vec<BarRule>,
    /// Publish each print with the quote in force, if that is no older than this, and its reference
    /// data
    #[arg(long, value_name = "AGE", value_parser = span)]
    pub join: Option<u64>,
    /// MiB of market states to keep for `ouzel similar`, a state each 100 ms of each active symbol, some
    /// 69 bytes each; the oldest go first. 0: none are made [default: 256 of a server, none of a replay]
    #[arg(long, value_name = "MIB")]
    pub states: Option<u32>,
}

impl WindowArgs {
    /// Asks a pipeline for it.
    pub fn apply(&self, config: &mut PipelineConfig) {
        config.measure = self.measures;
        config.rules.clone_from(&self.signal);
        config.activity.clone_from(&self.activity_bars);
        config.join_tolerance_ns = self.join;
        let has_states = self.states.is_some_and(|mib| mib > 0);
        config.state_step_ns = has_states.then_some(STATE_STEP_NS);
        config.has_reference = self.join.is_some();
    }

    /// States are kept unless the user says otherwise; what they may take, in bytes.
    pub fn keep_states(&mut self) -> usize {
        let mib = *self.states.get_or_insert(STATES_MIB);
        usize::try_from(u64::from(mib) << 20).unwrap_or(usize::MAX)
    }

    /// A default pipeline with it.
    pub fn config(&self) -> PipelineConfig {
        let mut config = PipelineConfig::default();
        self.apply(&mut config);
        config
    }
}

fn measures(text: &str) -> Result<MeasureConfig> {
    let (length, step) = text
        .split_once('/')
        .context("write LENGTH/STEP, for instance 10s/500ms")?;
    let (length_ns, step_ns) = (span(length)?, span(step)?);
    if length_ns < step_ns || length_ns / step_ns > 10_000 {
        bail!("the length is 1 to 10000 steps");
    }
    Ok(MeasureConfig {
        length_ns,
        step_ns,
        ..MeasureConfig::default()
    })
}

fn bar_rule(text: &str) -> Result<BarRule> {
    let (kind, amount) = text
        .split_once(':')
        .context("write ticks:100, volume:5000, notional:1000000 or session:5s")?;
    let number = || amount.parse::<u32>().ok().filter(|n| *n > 0);
    let number = || number().with_context(|| format!("{amount:?} is no whole number above zero"));
    Ok(match kind {
        "ticks" => BarRule::Ticks(number()?),
        "volume" => BarRule::Volume(Qty(number()?.into())),
        "notional" => BarRule::Notional(i128::from(number()?) * 1_000_000_000),
        "session" => BarRule::Session(span(amount)?),
        _ => bail!("{kind:?} closes no bar: use ticks, volume, notional or session"),
    })
}

fn span(text: &str) -> Result<u64> {
    server::http::parse_span(text)
        .ok()
        .with_context(|| format!("{text:?} is no length: write 250ms, 10s or 1m"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_read_and_refuse_in_words() {
        let read = measures("10s/500ms").expect("sound");
        assert_eq!(
            (read.length_ns, read.step_ns),
            (10_000_000_000, 500_000_000)
        );
        assert_eq!(bar_rule("ticks:100").expect("sound"), BarRule::Ticks(100));
        assert_eq!(
            bar_rule("session:5s").expect("sound"),
            BarRule::Session(5_000_000_000)
        );
        for bad in ["10s", "1s/2s", "x/y"] {
            assert!(measures(bad).is_err(), "{bad}");
        }
        for bad in ["ticks:0", "ticks", "months:3", "volume:1.5"] {
            assert!(bar_rule(bad).is_err(), "{bad}");
        }
    }
}
