//! Which packets a line loses: single ones at random, and runs of them.

use stdx::Rng;

/// How often, and how many in a row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LossConfig {
    /// Chance that a packet is lost alone.
    pub random: f64,
    /// Chance that a run of losses begins at a packet.
    pub burst: f64,
    /// Mean length of a run, packets.
    pub burst_mean: f64,
}

impl LossConfig {
    /// Nothing is lost.
    pub const NONE: Self = Self {
        random: 0.0,
        burst: 0.0,
        burst_mean: 0.0,
    };
}

impl Default for LossConfig {
    /// About one packet in a hundred in all, most of them alone.
    fn default() -> Self {
        Self {
            random: 0.007,
            burst: 0.000_3,
            burst_mean: 10.0,
        }
    }
}

/// One line's losses. Give each line its own seed.
#[derive(Clone, Debug)]
pub struct Loss {
    config: LossConfig,
    rng: Rng,
    left_in_burst: u32,
    lost: u64,
    seen: u64,
}

impl Loss {
    /// Losses fixed by `seed`.
    #[must_use]
    pub fn new(config: LossConfig, seed: u64) -> Self {
        Self {
            config,
            rng: Rng::new(seed),
            left_in_burst: 0,
            lost: 0,
            seen: 0,
        }
    }

    /// Whether the next packet of this line is lost.
    #[must_use]
    pub fn loses(&mut self) -> bool {
        self.seen += 1;
        if self.left_in_burst == 0 && self.config.burst > 0.0 && self.rng.chance(self.config.burst)
        {
            self.left_in_burst =
                self.rng.exponential(self.config.burst_mean).ceil().max(1.0) as u32;
        }
        let lost = if self.left_in_burst > 0 {
            self.left_in_burst -= 1;
            true
        } else {
            self.config.random > 0.0 && self.rng.chance(self.config.random)
        };
        self.lost += u64::from(lost);
        lost
    }

    /// Packets lost so far.
    #[must_use]
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// Packets asked about so far.
    #[must_use]
    pub fn seen(&self) -> u64 {
        self.seen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_in_a_hundred_and_in_runs() {
        let mut loss = Loss::new(LossConfig::default(), 4);
        let lost: Vec<bool> = (0..400_000).map(|_| loss.loses()).collect();
        let share = loss.lost() as f64 / loss.seen() as f64;
        assert!((0.007..0.013).contains(&share), "{share}");
        let longest = lost
            .split(|l| !l)
            .map(<[bool]>::len)
            .max()
            .expect("not empty");
        assert!(longest >= 8, "{longest}");
    }

    #[test]
    fn seeds_fix_the_losses_and_none_loses_nothing() {
        let run = |config, seed| {
            let mut loss = Loss::new(config, seed);
            (0..10_000).map(|_| loss.loses()).collect::<Vec<_>>()
        };
        assert_eq!(run(LossConfig::default(), 1), run(LossConfig::default(), 1));
        assert_ne!(run(LossConfig::default(), 1), run(LossConfig::default(), 2));
        assert!(!run(LossConfig::NONE, 1).contains(&true));
    }
}
