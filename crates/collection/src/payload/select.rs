//! The slots that pass a filter, by algebra of sets.
//!
//! Conditions are taken from the rarest on. Each is answered by an index, exactly or with slots that
//! have to be looked at; when those left are so few that looking at them costs less than asking the
//! next index, they are looked at.

use roaring::{MultiOps, RoaringBitmap};

use super::bounds::{Between, times};
use super::cells::{Lies, Square, cover};
use super::field::{Field, whole_key};
use super::key::{Number, is_long, key};
use super::keys::Gather;
use super::set::{Set, gathered};
use super::{Damaged, PayloadIndex, Rows};
use crate::{Condition, Filter, Shape, Value};

/// What looking at a point costs, in slots taken out of an index one by one.
pub(super) const LOOK: u64 = 30;
/// A few slots that may hold are looked at on the spot, so that the rest is exact.
pub(super) const SPOT: u64 = 64;

/// No slot outside it holds, the invisible ones aside.
struct Upper<'a> {
    set: Set<'a>,
    /// Every visible slot inside it holds.
    is_exact: bool,
}

impl<'a> Upper<'a> {
    fn exact(set: Set<'a>) -> Self {
        Self {
            set,
            is_exact: true,
        }
    }

    fn made(set: RoaringBitmap) -> Self {
        Self::exact(Set::Made(set))
    }
}

impl PayloadIndex {
    /// The slots that pass: all visible ones that do, none that does not; invisible ones may be among
    /// them or not.
    #[must_use]
    pub fn select<'a>(&'a self, filter: &Filter, rows: &dyn Rows) -> Set<'a> {
        self.select_counted(filter, rows).0
    }

    /// As [`select`](Self::select), and how many points were looked at.
    #[must_use]
    pub fn select_counted<'a>(&'a self, filter: &Filter, rows: &dyn Rows) -> (Set<'a>, u64) {
        let mut looks = Vec::new();
        let set = self.filter_upper(filter, rows, Some(&mut looks));
        if looks.is_empty() {
            return (set.set, 0);
        }
        let mut looked = 0;
        let passes = |slot: &u32| {
            rows.is_visible(*slot) && {
                looked += 1;
                looks
                    .iter()
                    .all(|&(condition, wanted)| rows.holds(condition, *slot) == wanted)
            }
        };
        let passing = set.set.iter().filter(passes);
        let passing = RoaringBitmap::from_sorted_iter(passing).expect("a subset in order");
        (Set::Made(passing), looked)
    }

    fn everything(&self) -> RoaringBitmap {
        let mut all = RoaringBitmap::new();
        all.insert_range(0..self.slots);
        all
    }

    /// What passes a filter. With `looks`, conditions that are left for looking at the points go
    /// there; without, the answer says whether it is exact.
    fn filter_upper<'a, 'f>(
        &'a self,
        filter: &'f Filter,
        rows: &dyn Rows,
        mut looks: Option<&mut Vec<(&'f Condition, bool)>>,
    ) -> Upper<'a> {
        let mut set: Option<Set<'a>> = None;
        let mut is_exact = true;
        let mut leave = |condition, wanted| match &mut looks {
            Some(looks) => looks.push((condition, wanted)),
            None => is_exact = false,
        };
        for (cost, condition) in self.by_cost(&filter.must, rows) {
            if set.as_ref().is_some_and(|set| set.len() * LOOK < cost) {
                leave(condition, true);
                continue;
            }
            let upper = self.upper(condition, rows);
            if !upper.is_exact {
                leave(condition, true);
            }
            set = Some(match set {
                None => upper.set,
                Some(set) => Set::Made(&*set & &*upper.set),
            });
        }
        for (cost, condition) in self.by_cost(&filter.must_not, rows) {
            let left = set.as_ref().map_or(u64::from(self.slots), |set| set.len());
            if left * LOOK < cost {
                leave(condition, false);
                continue;
            }
            let upper = self.upper(condition, rows);
            if upper.is_exact {
                let from = set.unwrap_or_else(|| Set::Made(self.everything()));
                set = Some(Set::Made(&*from - &*upper.set));
            } else {
                leave(condition, false);
            }
        }
        let set = set.unwrap_or_else(|| Set::Made(self.everything()));
        Upper { set, is_exact }
    }

    /// Slots that an index gives out for each condition, about, the cheapest first.
    fn by_cost<'f>(
        &self,
        conditions: &'f [Condition],
        rows: &dyn Rows,
    ) -> Vec<(u64, &'f Condition)> {
        if let [condition] = conditions {
            return vec![(0, condition)];
        }
        let cost = |condition| self.estimate_condition(condition, rows).high;
        let mut sorted: Vec<_> = conditions.iter().map(|c| (cost(c), c)).collect();
        sorted.sort_by_key(|(cost, _)| *cost);
        sorted
    }

    fn upper<'a>(&'a self, condition: &Condition, rows: &dyn Rows) -> Upper<'a> {
        // What a damaged index cannot say is found by looking at the points.
        self.try_upper(condition, rows)
            .unwrap_or_else(|Damaged| Upper {
                set: Set::Made(self.everything()),
                is_exact: false,
            })
    }

    fn try_upper<'a>(
        &'a self,
        condition: &Condition,
        rows: &dyn Rows,
    ) -> Result<Upper<'a>, Damaged> {
        let field = |name: &str| self.fields.get(name);
        let nothing = || Upper::made(RoaringBitmap::new());
        Ok(match condition {
            Condition::Any {
                field: name,
                values,
            } => match field(name) {
                Some(field) => self.any(field, values, condition, rows)?,
                None => nothing(),
            },
            Condition::Range {
                field: name,
                gte,
                lte,
            } => match field(name) {
                Some(field) => self.range(field, (gte.as_ref(), lte.as_ref()), condition, rows)?,
                None => nothing(),
            },
            Condition::EventAt { gte, lte } => {
                let mut slots = Vec::new();
                let range = times(*gte, *lte);
                self.event_at
                    .each(&range, |(_, slot)| slots.push(slot as u32));
                Upper::made(gathered(slots, self.slots))
            }
            Condition::Id(prefix) if prefix.is_empty() => Upper::made(self.everything()),
            Condition::Id(prefix) => {
                let slots = rows.with_prefix(prefix).collect();
                Upper::made(gathered(slots, self.slots))
            }
            Condition::Geo { field: name, shape } => match field(name) {
                Some(field) => self.geo(field, shape, condition, rows),
                None => nothing(),
            },
            Condition::Exists { field: name } => match field(name) {
                Some(field) => Upper::exact(field.present.all()?),
                None => nothing(),
            },
            Condition::Count {
                field: name,
                gte,
                lte,
            } => self.count(field(name), (gte.unwrap_or(0), lte.unwrap_or(u64::MAX)))?,
            Condition::AtLeast { count, of } => self.at_least(*count, of, rows),
            Condition::Filter(filter) => self.filter_upper(filter, rows, None),
        })
    }

    fn any<'a>(
        &'a self,
        field: &'a Field,
        values: &[Value],
        condition: &Condition,
        rows: &dyn Rows,
    ) -> Result<Upper<'a>, Damaged> {
        let (mut gather, mut has_long, mut near) = (Gather::default(), false, Vec::new());
        for value in values {
            has_long |= is_long(value);
            if let Some(key) = key(value) {
                field.texts.gather(&key, &mut gather)?;
            } else if let (Value::Int(whole), Some(wholes)) = (value, &field.wholes) {
                wholes.gather(&whole_key(*whole), &mut gather)?;
            } else if let Some(number) = Number::of(value) {
                let found = |(_, slot)| gather.few.push(slot as u32);
                field.numbers.each(&number.equal(), found);
            } else if let Value::Geo(place) = value {
                let range = Square::of_place(*place).range();
                field
                    .places
                    .each(&range, |(_, slot)| near.push(slot as u32));
            }
        }
        let mut maybe = gathered(near, self.slots);
        if has_long {
            maybe |= &*field.long.all()?;
        }
        Ok(with_maybe(self.joined(gather), &maybe, condition, rows))
    }

    fn range<'a>(
        &'a self,
        field: &'a Field,
        bounds: (Option<&Value>, Option<&Value>),
        condition: &Condition,
        rows: &dyn Rows,
    ) -> Result<Upper<'a>, Damaged> {
        match Between::of(bounds) {
            Between::Anything => Ok(Upper::exact(field.present.all()?)),
            Between::Nothing => Ok(Upper::made(RoaringBitmap::new())),
            Between::Numbers(range) => {
                let mut slots = Vec::new();
                field
                    .numbers
                    .each(&range, |(_, slot)| slots.push(slot as u32));
                Ok(Upper::made(gathered(slots, self.slots)))
            }
            Between::Texts(from, to) => {
                let mut gather = Gather::default();
                let to = to.as_ref().map(|to| &to[..]);
                field.texts.gather_range((&from, to), &mut gather)?;
                let exact = self.joined(gather);
                Ok(with_maybe(exact, &*field.long.all()?, condition, rows))
            }
        }
    }

    fn joined<'a>(&self, mut gather: Gather<'a>) -> Set<'a> {
        if gather.many.len() == 1 && gather.few.is_empty() {
            return gather.many.remove(0);
        }
        let mut set = gathered(gather.few, self.slots);
        match &gather.many[..] {
            [] => {}
            [one] => set |= &**one,
            many => set |= many.iter().map(|set| &**set).union(),
        }
        Set::Made(set)
    }

    fn geo<'a>(
        &self,
        field: &Field,
        shape: &Shape,
        condition: &Condition,
        rows: &dyn Rows,
    ) -> Upper<'a> {
        let (mut inside, mut across) = (Vec::new(), Vec::new());
        for (square, is_inside) in cover(shape) {
            field.places.each(&square.range(), |(cell, slot)| {
                let lies = if is_inside {
                    Lies::Inside
                } else {
                    Square::of_cell(cell).lies(shape)
                };
                match lies {
                    Lies::Inside => inside.push(slot as u32),
                    Lies::Across => across.push(slot as u32),
                    Lies::Outside => {}
                }
            });
        }
        let inside = gathered(inside, self.slots);
        let across = gathered(across, self.slots);
        with_maybe(Set::Made(inside), &across, condition, rows)
    }

    fn count<'a>(
        &'a self,
        field: Option<&'a Field>,
        (from, to): (u64, u64),
    ) -> Result<Upper<'a>, Damaged> {
        let holds = |count: u64| from <= count && count <= to;
        let mut set = RoaringBitmap::new();
        let Some(field) = field else {
            return Ok(Upper::made(if holds(0) { self.everything() } else { set }));
        };
        let (present, several) = (field.present.all()?, field.several.all()?);
        if holds(0) {
            set |= self.everything() - &*present;
        }
        if holds(1) {
            set |= &*present - &*several;
        }
        let (some, all) = (to >= 2.max(from), from <= 2 && to == u64::MAX);
        if some {
            set |= &*several;
        }
        Ok(Upper {
            set: Set::Made(set),
            is_exact: !some || all || several.is_empty(),
        })
    }

    /// `at[n]` are the slots for which more than `n` of the conditions so far hold.
    fn at_least<'a>(&'a self, count: usize, of: &[Condition], rows: &dyn Rows) -> Upper<'a> {
        if count == 0 {
            return Upper::made(self.everything());
        }
        if count > of.len() {
            return Upper::made(RoaringBitmap::new());
        }
        let uppers: Vec<Upper<'a>> = of.iter().map(|c| self.upper(c, rows)).collect();
        let is_exact = uppers.iter().all(|upper| upper.is_exact);
        let set = if count == 1 {
            uppers.iter().map(|upper| &*upper.set).union()
        } else {
            let mut at = vec![RoaringBitmap::new(); count];
            for upper in &uppers {
                for n in (1..count).rev() {
                    let more = &at[n - 1] & &*upper.set;
                    at[n] |= more;
                }
                at[0] |= &*upper.set;
            }
            at.pop().unwrap_or_default()
        };
        Upper {
            set: Set::Made(set),
            is_exact,
        }
    }
}

/// Adds slots that may hold: those that do when they are few, or else all.
fn with_maybe<'a>(
    exact: Set<'a>,
    maybe: &RoaringBitmap,
    condition: &Condition,
    rows: &dyn Rows,
) -> Upper<'a> {
    let maybe = maybe - &*exact;
    if maybe.is_empty() {
        return Upper::exact(exact);
    }
    let mut set = exact.into_owned();
    if maybe.len() > SPOT {
        set |= maybe;
        return Upper {
            set: Set::Made(set),
            is_exact: false,
        };
    }
    let holds = |slot: &u32| rows.is_visible(*slot) && rows.holds(condition, *slot);
    set.extend(maybe.iter().filter(holds));
    Upper::made(set)
}
