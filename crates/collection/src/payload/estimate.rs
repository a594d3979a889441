//! About how many slots pass, from counts that the indexes keep: microseconds, and no set is built.
//!
//! Bounds hold for any payloads; the likely number takes conditions to be independent of each other.

use super::bounds::{Between, times};
use super::cells::{Lies, cover};
use super::field::{Field, whole_key};
use super::key::{Number, is_long, key};
use super::{Damaged, PayloadIndex, Rows};
use crate::{Condition, Filter, Value};

/// Keys of a range, and ids of a prefix, that are counted one by one.
const COUNTED: usize = 1024;

/// Between which numbers lies how many pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// No fewer.
    pub low: u64,
    /// The best guess.
    pub likely: u64,
    /// No more.
    pub high: u64,
}

impl Estimate {
    /// A number that is known.
    #[must_use]
    pub fn exactly(count: u64) -> Self {
        Self {
            low: count,
            likely: count,
            high: count,
        }
    }

    fn between(low: u64, likely: u64, high: u64) -> Self {
        let likely = likely.clamp(low, high.max(low));
        Self { low, likely, high }
    }

    /// The others of `all`.
    fn complement(self, all: u64) -> Self {
        Self {
            low: all.saturating_sub(self.high),
            likely: all.saturating_sub(self.likely),
            high: all.saturating_sub(self.low),
        }
    }

    /// All of `parts` hold, of `all`.
    fn all_of(parts: &[Self], all: u64) -> Self {
        let missing: u64 = parts.iter().map(|part| all - part.low.min(all)).sum();
        let share: f64 = parts.iter().map(|part| part.share(all)).product();
        let high = parts.iter().map(|part| part.high).min().unwrap_or(all);
        Self::between(all.saturating_sub(missing), rounded(share, all), high)
    }

    /// At least `count` of `parts` hold, of `all`.
    fn at_least(count: usize, parts: &[Self], all: u64) -> Self {
        if count == 0 {
            return Self::exactly(all);
        }
        if count > parts.len() {
            return Self::exactly(0);
        }
        let sum = |bound: fn(&Self) -> u64| parts.iter().map(bound).fold(0, u64::saturating_add);
        // Slots below the count give at most `count - 1` each, others at most all.
        let spare = sum(|part| part.low).saturating_sub((count as u64 - 1).saturating_mul(all));
        let mut low = spare / (parts.len() - count + 1) as u64;
        if count == 1 {
            low = low.max(parts.iter().map(|part| part.low).max().unwrap_or(0));
        }
        let high = all.min(sum(|part| part.high) / count as u64);
        Self::between(low, rounded(some_hold(count, parts, all), all), high)
    }

    fn share(&self, all: u64) -> f64 {
        self.likely as f64 / all.max(1) as f64
    }
}

fn rounded(share: f64, all: u64) -> u64 {
    (share * all as f64).round() as u64
}

/// The chance that `count` of independent parts hold: `chance[n]` is that of exactly `n` so far, the
/// last one that of so many or more.
fn some_hold(count: usize, parts: &[Estimate], all: u64) -> f64 {
    let mut chance = vec![0.0; count + 1];
    chance[0] = 1.0;
    for part in parts {
        let share = part.share(all);
        chance[count] += chance[count - 1] * share;
        for n in (1..count).rev() {
            chance[n] = chance[n] * (1.0 - share) + chance[n - 1] * share;
        }
        chance[0] *= 1.0 - share;
    }
    chance[count]
}

impl PayloadIndex {
    /// How many of `visible` slots pass.
    #[must_use]
    pub fn estimate(&self, filter: &Filter, rows: &dyn Rows, visible: u64) -> Estimate {
        let all = u64::from(self.slots);
        let of_all = self.estimate_filter(filter, rows);
        let hidden = all.saturating_sub(visible);
        Estimate::between(
            of_all.low.saturating_sub(hidden),
            rounded(of_all.share(all), visible),
            of_all.high.min(visible),
        )
    }

    fn estimate_filter(&self, filter: &Filter, rows: &dyn Rows) -> Estimate {
        let all = u64::from(self.slots);
        let must = filter.must.iter().map(|c| self.estimate_condition(c, rows));
        let must_not = filter.must_not.iter();
        let must_not = must_not.map(|c| self.estimate_condition(c, rows).complement(all));
        Estimate::all_of(&must.chain(must_not).collect::<Vec<_>>(), all)
    }

    /// How many of all slots.
    pub(super) fn estimate_condition(&self, condition: &Condition, rows: &dyn Rows) -> Estimate {
        let all = u64::from(self.slots);
        let of = |field: &str, estimate: &dyn Fn(&Field) -> Result<Estimate, Damaged>| {
            match self.fields.get(field) {
                None => Estimate::exactly(0),
                // A damaged index knows nothing.
                Some(field) => estimate(field).unwrap_or(Estimate::between(0, all / 2, all)),
            }
        };
        match condition {
            Condition::Any { field, values } => of(field, &|field| field.estimate_any(values)),
            Condition::Range { field, gte, lte } => of(field, &|field| {
                field.estimate_range((gte.as_ref(), lte.as_ref()))
            }),
            Condition::EventAt { gte, lte } => {
                Estimate::exactly(self.event_at.count(&times(*gte, *lte)))
            }
            Condition::Id(prefix) if prefix.is_empty() => Estimate::exactly(all),
            Condition::Id(prefix) => {
                let counted = rows.with_prefix(prefix).take(COUNTED + 1).count() as u64;
                if counted <= COUNTED as u64 {
                    Estimate::exactly(counted)
                } else {
                    Estimate::between(counted, all / 2, all)
                }
            }
            Condition::Geo { field, shape } => of(field, &|field| {
                let (mut inside, mut across) = (0, 0);
                for (square, is_inside) in cover(shape) {
                    let count = field.places.count(&square.range());
                    if is_inside {
                        inside += count;
                    } else if square.lies(shape) == Lies::Across {
                        across += count;
                    }
                }
                let extra = field.places.len().saturating_sub(field.present.len());
                let most = (inside + across).min(field.present.len());
                let low = inside.saturating_sub(extra);
                Ok(Estimate::between(low, inside + across / 2, most))
            }),
            Condition::Exists { field } => {
                of(field, &|field| Ok(Estimate::exactly(field.present.len())))
            }
            Condition::Count { field, gte, lte } => {
                let bounds = (gte.unwrap_or(0), lte.unwrap_or(u64::MAX));
                self.estimate_count(self.fields.get(field.as_str()), bounds)
            }
            Condition::AtLeast { count, of } => {
                let parts = of.iter().map(|c| self.estimate_condition(c, rows));
                Estimate::at_least(*count, &parts.collect::<Vec<_>>(), all)
            }
            Condition::Filter(filter) => self.estimate_filter(filter, rows),
        }
    }

    fn estimate_count(&self, field: Option<&Field>, (from, to): (u64, u64)) -> Estimate {
        let all = u64::from(self.slots);
        let (present, several) = field.map_or((0, 0), |f| (f.present.len(), f.several.len()));
        let holds = |count: u64| from <= count && count <= to;
        let mut known = 0;
        if holds(0) {
            known += all.saturating_sub(present);
        }
        if holds(1) {
            known += present.saturating_sub(several);
        }
        if from <= 2 && to == u64::MAX {
            return Estimate::exactly(known + several);
        }
        let may = if to >= from.max(2) { several } else { 0 };
        Estimate::between(known, known + may / 2, known + may)
    }
}

impl Field {
    fn estimate_any(&self, values: &[Value]) -> Result<Estimate, Damaged> {
        let (mut sum, mut most, mut unsure) = (0u64, 0u64, 0u64);
        for value in values {
            let count = match (key(value), value, &self.wholes) {
                (Some(key), ..) => self.texts.count(&key)?,
                (_, Value::Int(whole), Some(wholes)) => wholes.count(&whole_key(*whole))?,
                (_, Value::Geo(place), _) => {
                    let square = super::cells::Square::of_place(*place);
                    unsure += self.places.count(&square.range());
                    0
                }
                _ => match Number::of(value) {
                    Some(number) => self.numbers.count(&number.equal()).min(self.present.len()),
                    None => {
                        unsure += if is_long(value) { self.long.len() } else { 0 };
                        0
                    }
                },
            };
            (sum, most) = (sum.saturating_add(count), most.max(count));
        }
        // One number may stand in a list several times.
        let extra = self.numbers.len().saturating_sub(self.present.len());
        let low = if values.iter().any(|v| Number::of(v).is_some()) {
            most.saturating_sub(extra)
        } else {
            most
        };
        let high = self.present.len().min(sum.saturating_add(unsure));
        Ok(Estimate::between(
            low.min(high),
            sum.saturating_add(unsure / 2),
            high,
        ))
    }

    fn estimate_range(
        &self,
        bounds: (Option<&Value>, Option<&Value>),
    ) -> Result<Estimate, Damaged> {
        let present = self.present.len();
        Ok(match Between::of(bounds) {
            Between::Anything => Estimate::exactly(present),
            Between::Nothing => Estimate::exactly(0),
            Between::Numbers(range) => {
                let count = self.numbers.count(&range);
                let extra = self.numbers.len().saturating_sub(present);
                let high = count.min(present);
                Estimate::between(count.saturating_sub(extra).min(high), count, high)
            }
            Between::Texts(from, to) => {
                let (mut sum, mut most) = (0, 0);
                let to = to.as_ref().map(|to| &to[..]);
                let is_all = self.texts.counts((&from, to), COUNTED, |count| {
                    sum += count;
                    most = most.max(count);
                })?;
                let high = if is_all {
                    present.min(sum + self.long.len())
                } else {
                    present
                };
                let likely = if is_all { sum } else { sum.max(present / 2) };
                Estimate::between(most.min(high), likely, high)
            }
        })
    }
}
