//! A price that moves further in a short span than it usually does.
//!
//! Each instrument keeps the price in force at the start of each sixteenth of the span. A new price
//! is compared with the lowest and the highest of them. The bar to pass is the larger of a fixed
//! number of basis points and a multiple of recent volatility, so that a lively symbol does not cry
//! all day and a sleepy one is not silent.
//!
//! One move is one signal. It comes early, while most of the move may still lie ahead, so it is told
//! again, from where it began, each time it has grown to `growth_percent` of what was told last
//! (twice as far, unless set otherwise): of a fall by a half of its price at most seven signals are
//! told, not seven hundred. Such an update has the `from` of the first signal and a longer span. The
//! move lasts, however slowly it goes on, until the price has been calm for a whole span (hysteresis:
//! below `rearm_percent` of the bar); only then can there be another, in either direction, and not
//! before `cooldown_ns` have passed since the last signal.

use crate::event::{InstrumentId, Price};
use crate::publish::SignalKind;

const SAMPLES: usize = 16;
/// Volatility is kept in 1/256 of a basis point.
const FRACTION: i64 = 256;
/// Weight of a new sample in the volatility: 1/64, about four spans of memory.
const DECAY: i64 = 64;

/// What counts as a jump.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct JumpConfig {
    /// Over how long a move is measured, ns.
    pub span_ns: u64,
    /// Moves below this are never a jump, basis points.
    pub threshold_bp: u32,
    /// Moves below this multiple of the usual move in a span are no jump, in tenths: 60 is 6.
    pub volatility_tenths: u32,
    /// A move that goes on is told again when it has grown to this much of what was told last,
    /// percent; at least 101.
    pub growth_percent: u32,
    /// No other move is told for so long after a signal, ns.
    pub cooldown_ns: u64,
    /// A move is over when what moves within a span is below this share of the bar that it passed,
    /// percent.
    pub rearm_percent: u32,
}

impl Default for JumpConfig {
    fn default() -> Self {
        Self {
            span_ns: 1_000_000_000,
            threshold_bp: 50,
            volatility_tenths: 60,
            growth_percent: 200,
            cooldown_ns: 5_000_000_000,
            rearm_percent: 50,
        }
    }
}

#[derive(Clone, Copy, Debug)]
struct Track {
    /// Price at the start of sample period `n`, at `n % SAMPLES`.
    samples: [i64; SAMPLES],
    /// The current sample period; periods are numbered from the epoch.
    period: u64,
    last: i64,
    /// Mean absolute move a period.
    volatility: i64,
    quiet_until_ns: u64,
    /// The move that lasts: none other is told.
    told: Option<Told>,
}

#[derive(Clone, Copy, Debug)]
struct Told {
    from: i64,
    began_ns: u64,
    move_bp: i64,
    /// What it had to pass to be told, basis points.
    bar_bp: u64,
    /// A span after it was told: all samples are of later prices.
    settled_ns: u64,
}

/// Finds jumps for every instrument.
#[derive(Clone, Debug)]
pub struct JumpDetector {
    config: JumpConfig,
    period_ns: u64,
    tracks: Vec<Option<Track>>,
}

impl JumpDetector {
    /// A detector for instruments numbered below `instruments_limit`.
    #[must_use]
    pub fn new(instruments_limit: usize, config: JumpConfig) -> Self {
        Self {
            config,
            period_ns: (config.span_ns / SAMPLES as u64).max(1),
            tracks: vec![None; instruments_limit],
        }
    }

    /// Takes a price in event time. Prices at or below zero have no basis points and are skipped.
    pub fn update(
        &mut self,
        instrument: InstrumentId,
        ts_event: u64,
        price: Price,
    ) -> Option<SignalKind> {
        let track = self.tracks.get_mut(instrument.0 as usize)?;
        if price.0 <= 0 {
            return None;
        }
        let period = ts_event / self.period_ns;
        let Some(track) = track else {
            *track = Some(Track::new(price.0, period));
            return None;
        };
        track.roll(period);
        track.last = price.0;
        let (from, move_bp) = track.largest_move(price.0);
        let size = move_bp.unsigned_abs();
        let threshold = track.threshold_bp(&self.config);
        if let Some(told) = track.told {
            if let Some(grown) = track.grown(&told, &self.config) {
                return Some(track.tell(ts_event, grown, &self.config));
            }
            // By the bar that it passed: a slide that goes on becomes usual, and is no calm.
            let is_calm = size * 100 < told.bar_bp * u64::from(self.config.rearm_percent);
            if is_calm && ts_event >= told.settled_ns {
                track.told = None;
            }
            return None;
        }
        if size < threshold || ts_event < track.quiet_until_ns {
            return None;
        }
        let began = Told {
            from,
            began_ns: ts_event.saturating_sub(self.config.span_ns),
            move_bp,
            bar_bp: threshold,
            settled_ns: 0,
        };
        Some(track.tell(ts_event, began, &self.config))
    }

    /// Forgets all prices, for a new session.
    pub fn clear(&mut self) {
        self.tracks.fill(None);
    }

    /// Makes room for one more instrument; true when that allocated.
    pub fn reserve(&mut self, instruments: usize) -> bool {
        let grows = instruments > self.tracks.len();
        if grows {
            self.tracks.resize(instruments, None);
        }
        grows
    }
}

impl Track {
    fn new(price: i64, period: u64) -> Self {
        Self {
            samples: [price; SAMPLES],
            period,
            last: price,
            volatility: 0,
            quiet_until_ns: 0,
            told: None,
        }
    }

    fn tell(&mut self, ts_event: u64, told: Told, config: &JumpConfig) -> SignalKind {
        self.told = Some(Told {
            settled_ns: ts_event.saturating_add(config.span_ns),
            ..told
        });
        self.quiet_until_ns = ts_event.saturating_add(config.cooldown_ns);
        self.samples = [self.last; SAMPLES];
        SignalKind::Jump {
            from: Price(told.from),
            to: Price(self.last),
            span_ns: ts_event.saturating_sub(told.began_ns),
            move_bp: i32::try_from(told.move_bp).unwrap_or(i32::MAX),
        }
    }

    /// The move told last, if the price has since gone so much further in the same direction that
    /// it is to be told again.
    fn grown(&self, told: &Told, config: &JumpConfig) -> Option<Told> {
        let move_bp = basis_points(told.from, self.last, 1);
        let is_same_way = (move_bp < 0) == (told.move_bp < 0);
        let percent = u64::from(config.growth_percent.max(101));
        let enough = told.move_bp.unsigned_abs().saturating_mul(percent);
        let has_grown = move_bp.unsigned_abs().saturating_mul(100) >= enough;
        (is_same_way && has_grown).then_some(Told { move_bp, ..*told })
    }

    /// Fills the periods that began since the last price with the price in force then.
    fn roll(&mut self, period: u64) {
        if period <= self.period {
            return;
        }
        let began = self.samples[(self.period % SAMPLES as u64) as usize];
        let moved = basis_points(began, self.last, FRACTION).saturating_abs();
        self.volatility += (moved - self.volatility) / DECAY;
        let quiet = (period - self.period - 1).min(DECAY as u64) as i64;
        self.volatility -= self.volatility * quiet / (2 * DECAY);
        let steps = (period - self.period).min(SAMPLES as u64);
        for back in 0..steps {
            self.samples[((period - back) % SAMPLES as u64) as usize] = self.last;
        }
        self.period = period;
    }

    /// The reference from which `price` is furthest, and the signed move in basis points.
    fn largest_move(&self, price: i64) -> (i64, i64) {
        let (mut low, mut high) = (i64::MAX, i64::MIN);
        for &sample in &self.samples {
            low = low.min(sample);
            high = high.max(sample);
        }
        let (rise, fall) = (basis_points(low, price, 1), basis_points(high, price, 1));
        if rise.saturating_abs() >= fall.saturating_abs() {
            (low, rise)
        } else {
            (high, fall)
        }
    }

    /// Moves add up like a random walk: a span of sixteen periods moves four times as far.
    fn threshold_bp(&self, config: &JumpConfig) -> u64 {
        let usual = self.volatility.unsigned_abs() * 4;
        let multiple = usual * u64::from(config.volatility_tenths) / (10 * FRACTION as u64);
        multiple.max(u64::from(config.threshold_bp)).max(1)
    }
}

/// `(to - from) / from` in 1/(10,000 * fraction), rounded towards zero; `from` is above zero.
fn basis_points(from: i64, to: i64, fraction: i64) -> i64 {
    let scale = 10_000 * fraction;
    match to
        .checked_sub(from)
        .and_then(|moved| moved.checked_mul(scale))
    {
        Some(scaled) => scaled / from,
        None => {
            let scaled = (i128::from(to) - i128::from(from)) * i128::from(scale);
            i64::try_from(scaled / i128::from(from)).unwrap_or(i64::MAX)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const ID: InstrumentId = InstrumentId(0);

    fn detector() -> JumpDetector {
        JumpDetector::new(1, JumpConfig::default())
    }

    fn moves(detector: &mut JumpDetector, prices: &[(u64, i64)]) -> Vec<i32> {
        let update = |&(ms, price): &(u64, i64)| match detector.update(
            ID,
            1_000_000 * MS + ms * MS,
            Price(price * Price::SCALE / 100),
        ) {
            Some(SignalKind::Jump { move_bp, .. }) => Some(move_bp),
            _ => None,
        };
        prices.iter().filter_map(update).collect()
    }

    #[test]
    fn a_move_that_goes_on_is_told_again_when_it_has_doubled() {
        let prices = [
            (0, 10_000),
            (100, 9_940),
            (200, 9_890),
            (400, 9_870),
            (1_500, 9_760),
            (2_000, 9_900),
            (2_500, 9_500),
            (2_600, 9_490),
        ];
        assert_eq!(moves(&mut detector(), &prices), [-60, -130, -500]);
    }

    /// Half a per cent a second for a minute: one move, told at 1, 2, 4, 8 and 16 per cent.
    #[test]
    fn a_slide_is_one_move_however_long_it_lasts() {
        let mut prices = vec![(0, 100_000), (100, 99_000)];
        prices.extend((1..120).map(|n| (100 + n * 500, 99_000 - 250 * n as i64)));
        let told = moves(&mut detector(), &prices);
        assert_eq!(told, [-100, -200, -400, -800, -1_600]);
        // Told at each half more, where the desk asks for that.
        let config = JumpConfig {
            growth_percent: 150,
            ..JumpConfig::default()
        };
        let told = moves(&mut JumpDetector::new(1, config), &prices);
        let grew = told.windows(2).all(|pair| pair[1] * 2 <= pair[0] * 3);
        assert!(told.len() == 9 && grew, "{told:?}");
    }

    /// A fall and its recovery at once are one signal; the next move is told after the calm.
    #[test]
    fn a_bounce_is_no_second_move() {
        let mut detector = detector();
        let bounce = [(0, 10_000), (100, 9_900), (600, 9_990), (900, 9_900)];
        assert_eq!(moves(&mut detector, &bounce), [-100]);
        let calm = [(2_500, 9_900), (4_000, 9_900)];
        assert_eq!(moves(&mut detector, &calm), []);
        // Calm, but within the cool-down: told as soon as that is over and the move still there.
        assert_eq!(moves(&mut detector, &[(4_900, 10_100)]), []);
        assert_eq!(moves(&mut detector, &[(5_200, 10_100)]), [202]);
    }

    #[test]
    fn a_sudden_move_is_told_once() {
        let prices = [
            (0, 10_000),
            (500, 10_010),
            (700, 10_100),
            (800, 10_120),
            (2_000, 10_130),
        ];
        assert_eq!(moves(&mut detector(), &prices), [100]);
        let falling = [(0, 10_000), (900, 9_940)];
        assert_eq!(moves(&mut detector(), &falling), [-60]);
    }

    #[test]
    fn a_slow_move_is_none() {
        let prices: Vec<_> = (0..100)
            .map(|n| (n * 1_000, 10_000 + 40 * n as i64))
            .collect();
        assert_eq!(moves(&mut detector(), &prices), []);
    }

    #[test]
    fn it_arms_again_after_calm() {
        let mut detector = detector();
        assert_eq!(moves(&mut detector, &[(0, 10_000), (100, 10_100)]), [100]);
        assert_eq!(moves(&mut detector, &[(3_000, 10_190)]), []);
        assert_eq!(
            moves(&mut detector, &[(9_000, 10_190), (10_500, 10_190)]),
            []
        );
        assert_eq!(moves(&mut detector, &[(10_900, 10_300)]), [107]);
    }

    #[test]
    fn a_lively_symbol_needs_more() {
        // Moves of 20 bp every 62.5 ms are the usual; a single one of 60 bp is none.
        let mut prices: Vec<_> = (0..2_000)
            .map(|n| (n * 63, 10_000 + 20 * (n as i64 % 2)))
            .collect();
        prices.push((126_010, 10_070));
        assert_eq!(moves(&mut detector(), &prices), []);
        prices.push((126_080, 12_000));
        assert_eq!(moves(&mut detector(), &prices).len(), 1);
    }

    #[test]
    fn extreme_prices_do_not_overflow() {
        let mut detector = detector();
        for price in [1, i64::MAX, 1, 0, -5, i64::MIN, i64::MAX] {
            let _ = detector.update(ID, 1, Price(price));
        }
    }
}
