//! FIX tags of FAST records: each tag's slot is looked up once for each template.

use wire::fast11::{Plan, Record, Records, Shape, Slot};

use super::tags::{TAGS, Tag, TagFault, TagFields};

/// Slots of the tags that are read here, for one template or one group.
type Slots = [Option<Slot>; TAGS.len()];

#[derive(Debug)]
pub(super) struct Layout {
    /// By template id.
    templates: Vec<(u32, Slots, Slots)>,
}

impl Layout {
    pub(super) fn new(plan: &Plan) -> Self {
        let slots = |shape: Shape<'_>| TAGS.map(|tag| shape.slot_of_id(tag));
        let templates = plan.templates().filter_map(|(id, _)| {
            let shape = plan.template(id)?;
            let outer = slots(shape);
            let entries = outer[Tag::NoMdEntries as usize].and_then(|slot| shape.inner(slot));
            Some((id, outer, entries.map_or([None; TAGS.len()], slots)))
        });
        Self {
            templates: templates.collect(),
        }
    }
}

/// A record seen by its tags.
#[derive(Clone, Copy)]
pub(super) struct FastFields<'a> {
    record: Record<'a>,
    slots: &'a Slots,
    inner: &'a Slots,
}

const NONE: &Slots = &[None; TAGS.len()];

impl<'a> FastFields<'a> {
    pub(super) fn new(record: Record<'a>, layout: &'a Layout) -> Self {
        let id = record.template_id();
        let found = layout.templates.binary_search_by_key(&id, |entry| entry.0);
        let (slots, inner) = match found {
            Ok(at) => (&layout.templates[at].1, &layout.templates[at].2),
            Err(_) => (NONE, NONE),
        };
        Self {
            record,
            slots,
            inner,
        }
    }
}

impl TagFields for FastFields<'_> {
    fn uint(self, tag: Tag) -> Option<u64> {
        self.record.u64(self.slots[tag as usize]?)
    }

    fn text(&self, tag: Tag) -> Option<&[u8]> {
        self.record.bytes(self.slots[tag as usize]?)
    }

    fn decimal(self, tag: Tag) -> Option<(i8, i64)> {
        let slot = self.slots[tag as usize]?;
        let whole = || self.record.i64(slot).map(|value| (0, value));
        self.record.decimal(slot).or_else(whole)
    }

    /// `HHMMSSsss` as a number.
    fn time_ns(self, tag: Tag) -> Option<u64> {
        let value = self.uint(tag)?;
        let (hours, minutes) = (value / 10_000_000, value / 100_000 % 100);
        let millis = value % 100_000;
        (hours < 24 && minutes < 60 && millis <= 60_999)
            .then_some((hours * 3_600 + minutes * 60) * 1_000_000_000 + millis * 1_000_000)
    }

    /// `YYYYMMDD` as a number.
    fn date(self, tag: Tag) -> Option<(u32, u32, u32)> {
        let value = u32::try_from(self.uint(tag)?).ok()?;
        Some((value / 10_000, value / 100 % 100, value % 100))
    }

    /// `YYYYMMDDHHMMSSsss` as a number.
    fn date_time(self, tag: Tag) -> Option<((u32, u32, u32), u64)> {
        let value = self.uint(tag)?;
        let date = u32::try_from(value / 1_000_000_000).ok()?;
        let time = value % 1_000_000_000;
        let (hours, minutes, millis) = (time / 10_000_000, time / 100_000 % 100, time % 100_000);
        let date = (date / 10_000, date / 100 % 100, date % 100);
        let time_ns = (hours * 3_600 + minutes * 60) * 1_000_000_000 + millis * 1_000_000;
        Some((date, time_ns))
    }

    fn entries(self) -> impl Iterator<Item = Result<Self, TagFault>> {
        let slot = self.slots[Tag::NoMdEntries as usize];
        let records: Option<Records<'_>> = slot.map(|slot| self.record.records(slot));
        records.into_iter().flatten().map(move |record| {
            Ok(Self {
                record,
                slots: self.inner,
                inner: NONE,
            })
        })
    }
}
