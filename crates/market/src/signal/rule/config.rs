//! A rule as a user writes it.

use std::str::FromStr;

use super::Rule;
use super::program::{Program, first_field};
use crate::publish::RuleName;

/// Rules that can be asked for by name alone.
pub const PRESETS: [(&str, &str); 3] = [
    (
        "spread-blowout",
        "spread > 3 * ema(spread) && ema(spread) > 0; clear spread < 1.5 * ema(spread); cooldown 10s",
    ),
    (
        "imbalance",
        "abs(imbalance) > 0.8; clear abs(imbalance) < 0.5; hold 2; cooldown 10s",
    ),
    (
        "volume-surge",
        "volume > 4 * ema(volume) && trades >= 10; clear volume < 2 * ema(volume); cooldown 10s",
    ),
];

const HOLD: u32 = 1;
const CALM: u32 = 4;
const COOLDOWN_NS: u64 = 5_000_000_000;

/// Why a rule was refused, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RuleError {
    /// No name before a colon, and not a preset.
    #[error(
        "rule `{0}` has no usable name: write `name: expression` (letters, digits, - and _, at \
         most 24), or one of spread-blowout, imbalance, volume-surge"
    )]
    Name(String),
    /// Something at a place in an expression.
    #[error("in `{text}` at character {at}: {why}")]
    At {
        /// The expression.
        text: String,
        /// Which character, from 1.
        at: usize,
        /// What is wrong.
        why: String,
    },
    /// The expression as a whole.
    #[error("`{text}` is no expression: {why}")]
    Expression {
        /// The expression.
        text: String,
        /// What is wrong.
        why: String,
    },
    /// A part after a semicolon.
    #[error(
        "`{0}` is not understood: after the expression come `; clear EXPRESSION`, `; cooldown 10s`, \
         `; hold STEPS` or `; calm STEPS`"
    )]
    Part(String),
}

/// `name: expression; clear expression; cooldown 10s; hold 2; calm 4`, checked. All but name and
/// expression may be left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RuleConfig {
    name: RuleName,
    raise: String,
    clear: Option<String>,
    hold: u32,
    calm: u32,
    cooldown_ns: u64,
}

impl FromStr for RuleConfig {
    type Err = RuleError;

    fn from_str(text: &str) -> Result<Self, RuleError> {
        let preset = PRESETS.iter().find(|(name, _)| *name == text.trim());
        let (name, body) = match preset {
            Some((name, body)) => (*name, *body),
            None => text
                .split_once(':')
                .ok_or_else(|| RuleError::Name(text.to_owned()))?,
        };
        let unnamed = || RuleError::Name(text.to_owned());
        let mut parts = body.split(';').map(str::trim);
        let mut config = Self {
            name: RuleName::new(name.trim()).ok_or_else(unnamed)?,
            raise: parts.next().unwrap_or_default().to_owned(),
            clear: None,
            hold: HOLD,
            calm: CALM,
            cooldown_ns: COOLDOWN_NS,
        };
        Program::compile(&config.raise)?;
        for part in parts.filter(|part| !part.is_empty()) {
            config.part(part)?;
        }
        Ok(config)
    }
}

impl RuleConfig {
    /// What it is called.
    #[must_use]
    pub fn name(&self) -> RuleName {
        self.name
    }

    fn part(&mut self, part: &str) -> Result<(), RuleError> {
        let bad = || RuleError::Part(part.to_owned());
        let (word, value) = part.split_once(char::is_whitespace).ok_or_else(bad)?;
        let value = value.trim();
        let count = || value.parse().ok().filter(|n| *n > 0).ok_or_else(bad);
        match word {
            "clear" => {
                Program::compile(value)?;
                self.clear = Some(value.to_owned());
            }
            "hold" => self.hold = count()?,
            "calm" => self.calm = count()?,
            "cooldown" => self.cooldown_ns = span_ns(value).ok_or_else(bad)?,
            _ => return Err(bad()),
        }
        Ok(())
    }

    pub(super) fn compile(&self) -> Rule {
        let program = |text: &str| Program::compile(text).expect("it compiled when it was read");
        Rule {
            name: self.name,
            raise: program(&self.raise),
            clear: self.clear.as_deref().map(program),
            shown: first_field(&self.raise).expect("an expression names a field"),
            hold: self.hold,
            calm: self.calm,
            cooldown_ns: self.cooldown_ns,
        }
    }
}

/// `250ms`, `10s`, `5m`.
fn span_ns(text: &str) -> Option<u64> {
    let split = text.find(|c: char| !c.is_ascii_digit())?;
    let unit: u64 = match &text[split..] {
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" => 60_000_000_000,
        _ => return None,
    };
    text[..split].parse::<u64>().ok()?.checked_mul(unit)
}
