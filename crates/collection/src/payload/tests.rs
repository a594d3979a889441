//! The index against looking at every point.

use bytes::Bytes;
use proptest::prelude::*;
use roaring::RoaringBitmap;

use super::{PayloadIndex, Rows};
use crate::{Condition, Filter, Payload, Place, Point, Shape, Value};

/// Points, each visible or not.
#[derive(Debug)]
struct Points(Vec<(Point, bool)>);

impl Rows for Points {
    fn is_visible(&self, slot: u32) -> bool {
        self.0[slot as usize].1
    }

    fn holds(&self, condition: &Condition, slot: u32) -> bool {
        assert!(self.is_visible(slot), "nobody looks at what cannot be seen");
        condition.holds(&self.0[slot as usize].0)
    }

    fn with_prefix(&self, prefix: &str) -> Box<dyn Iterator<Item = u32> + '_> {
        let prefix = prefix.to_owned();
        let slots = (0..).zip(&self.0);
        Box::new(
            slots.filter_map(move |(slot, (point, _))| {
                point.id.starts_with(&prefix).then_some(slot)
            }),
        )
    }
}

impl Points {
    /// An index of them, the first `frozen` of which were frozen.
    fn index(&self, frozen: usize) -> PayloadIndex {
        let mut index = PayloadIndex::default();
        for (slot, (point, _)) in (0..).zip(&self.0) {
            if slot as usize == frozen {
                index = PayloadIndex::open(index.freeze().expect("whole").into()).expect("own");
            }
            index.push(slot, &point.payload, point.event_at);
        }
        index
    }

    fn passing(&self, filter: &Filter) -> Vec<u32> {
        let slots = (0..).zip(&self.0);
        let passing = slots.filter(|(_, (point, is_visible))| *is_visible && filter.matches(point));
        passing.map(|(slot, _)| slot).collect()
    }

    fn selected(&self, index: &PayloadIndex, filter: &Filter) -> Vec<u32> {
        let set = index.select(filter, self);
        set.iter().filter(|&slot| self.is_visible(slot)).collect()
    }

    fn check(&self, index: &PayloadIndex, filter: &Filter) {
        let want = self.passing(filter);
        assert_eq!(self.selected(index, filter), want, "{filter:?}");
        let visible = self.0.iter().filter(|(_, is_visible)| *is_visible).count();
        let estimate = index.estimate(filter, self, visible as u64);
        let count = want.len() as u64;
        assert!(
            estimate.low <= count && count <= estimate.high,
            "{count} are not within {estimate:?}: {filter:?}"
        );
    }
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        (0i8..3, 0i8..3).prop_map(|(lat, lon)| Place {
            lat: f64::from(lat),
            lon: f64::from(lon),
        }),
        (-90f64..=90.0, -180f64..=180.0).prop_map(|(lat, lon)| Place { lat, lon }),
    ]
}

fn plain() -> impl Strategy<Value = Value> {
    prop_oneof![
        4 => "[ab]{0,2}".prop_map(Value::Str),
        1 => "[ab]".prop_map(|text| Value::Str(text.repeat(300))),
        4 => (-2i64..3).prop_map(Value::Int),
        1 => (i64::MAX - 2..=i64::MAX).prop_map(Value::Int),
        1 => ((1i64 << 53) - 2..(1 << 53) + 2).prop_map(Value::Int),
        1 => Just(Value::Float((1i64 << 53) as f64)),
        2 => (-4i8..6).prop_map(|n| Value::Float(f64::from(n) / 2.0)),
        2 => any::<bool>().prop_map(Value::Bool),
        2 => place().prop_map(Value::Geo),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    plain().prop_recursive(2, 6, 3, |inner| {
        prop::collection::vec(inner, 0..4).prop_map(Value::List)
    })
}

fn field() -> impl Strategy<Value = String> {
    "[uvw]".prop_map(String::from)
}

fn points(count: std::ops::Range<usize>) -> impl Strategy<Value = Points> {
    let payload = prop::collection::btree_map(field(), value(), 0..3).prop_map(Payload);
    let point = ("[ab]{1,3}", payload, 0u64..20).prop_map(|(id, payload, event_at)| Point {
        id,
        payload,
        event_at,
        ..Point::default()
    });
    prop::collection::vec((point, any::<bool>()), count).prop_map(Points)
}

fn shape() -> impl Strategy<Value = Shape> {
    prop_oneof![
        (place(), prop_oneof![0f64..1.0, 1e5..4e5, 0f64..2.1e7])
            .prop_map(|(centre, radius_m)| Shape::Circle { centre, radius_m }),
        (place(), place()).prop_map(|(a, b)| Shape::Box {
            south: a.lat,
            west: a.lon,
            north: b.lat,
            east: b.lon,
        }),
        prop::collection::vec(place(), 3..6).prop_map(Shape::Polygon),
    ]
}

fn condition() -> impl Strategy<Value = Condition> {
    let bound = || prop::option::of(prop_oneof![9 => plain(), 1 => Just(Value::Float(f64::NAN))]);
    let time = || prop::option::of(0u64..20);
    let count = || prop::option::of(0u64..4);
    let leaf = prop_oneof![
        (field(), prop::collection::vec(value(), 0..4))
            .prop_map(|(field, values)| Condition::Any { field, values }),
        (field(), bound(), bound()).prop_map(|(field, gte, lte)| Condition::Range {
            field,
            gte,
            lte
        }),
        (time(), time()).prop_map(|(gte, lte)| Condition::EventAt { gte, lte }),
        "[ab]{0,2}".prop_map(Condition::Id),
        (field(), shape()).prop_map(|(field, shape)| Condition::Geo { field, shape }),
        field().prop_map(|field| Condition::Exists { field }),
        (field(), count(), count()).prop_map(|(field, gte, lte)| Condition::Count {
            field,
            gte,
            lte
        }),
    ];
    leaf.prop_recursive(3, 10, 4, |inner| {
        let many = || prop::collection::vec(inner.clone(), 0..4);
        prop_oneof![
            (0usize..4, many()).prop_map(|(count, of)| Condition::AtLeast { count, of }),
            (many(), many())
                .prop_map(|(must, must_not)| Condition::Filter(Filter { must, must_not })),
        ]
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let many = |most| prop::collection::vec(condition(), 0..most);
    (many(4), many(3)).prop_map(|(must, must_not)| Filter { must, must_not })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn equals_looking_at_every_point(
        points in points(0..80),
        frozen in 0usize..80,
        filters in prop::collection::vec(filter(), 1..6),
    ) {
        let index = points.index(frozen);
        let again = PayloadIndex::open(index.freeze().expect("whole").into()).expect("own bytes");
        again.verify().expect("own bytes");
        for filter in &filters {
            points.check(&index, filter);
            points.check(&again, filter);
        }
        let twice = again.freeze().expect("whole");
        prop_assert_eq!(twice, index.freeze().expect("whole"), "freezing has one outcome");
    }

    #[test]
    fn damaged_bytes_never_panic(
        points in points(20..60),
        filters in prop::collection::vec(filter(), 1..4),
        damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cut in prop::option::of(any::<prop::sample::Index>()),
    ) {
        let whole = points.index(usize::MAX).freeze().expect("whole");
        let mut bytes = whole.clone();
        for (at, byte) in damage {
            bytes[at.index(whole.len())] = byte;
        }
        if let Some(cut) = cut {
            bytes.truncate(cut.index(whole.len()));
        }
        let is_same = bytes == whole;
        match PayloadIndex::open(Bytes::from(bytes)) {
            Err(_) => prop_assert!(!is_same),
            Ok(index) => {
                prop_assert_eq!(index.verify().is_ok(), is_same);
                for filter in &filters {
                    let _ = points.selected(&index, filter);
                    let _ = index.estimate(filter, &points, 10);
                }
                let _ = index.freeze();
            }
        }
    }
}

fn numbered(count: u32, payload: impl Fn(u32) -> Vec<(&'static str, Value)>) -> Points {
    let point = |n| {
        let fields = payload(n).into_iter();
        Point {
            id: format!("id{n}"),
            payload: Payload(fields.map(|(name, value)| (name.into(), value)).collect()),
            event_at: u64::from(n),
            ..Point::default()
        }
    };
    Points((0..count).map(|n| (point(n), n % 7 != 0)).collect())
}

fn must(must: Vec<Condition>) -> Filter {
    Filter {
        must,
        must_not: Vec::new(),
    }
}

#[test]
fn ten_thousand_values_and_more_numbers_than_have_sets() {
    let points = numbered(30_000, |n| {
        vec![
            ("name", Value::Str(format!("name{n}"))),
            ("unique", Value::Int(i64::from(n))),
            ("tenth", Value::Int(i64::from(n % 10))),
            ("ratio", Value::Float(f64::from(n) / 7.0)),
        ]
    });
    let any = |field: &str, values: &dyn Fn(i64) -> Value| Condition::Any {
        field: field.into(),
        values: (0..10_000).map(values).collect(),
    };
    for index in [points.index(usize::MAX), points.index(17_000)] {
        assert!(index.fields["unique"].wholes.is_none() && index.fields["tenth"].wholes.is_some());
        for condition in [
            any("name", &|n| Value::Str(format!("name{}", n * 3))),
            any("unique", &|n| Value::Int(n * 5)),
            any("tenth", &|n| Value::Int(n * 3)),
            any("ratio", &|n| Value::Float(n as f64 / 7.0)),
            Condition::Range {
                field: "ratio".into(),
                gte: Some(Value::Int(100)),
                lte: Some(Value::Float(2_000.5)),
            },
            Condition::Range {
                field: "name".into(),
                gte: Some("name2".into()),
                lte: None,
            },
            Condition::Id("id2".into()),
        ] {
            points.check(&index, &must(vec![condition]));
        }
    }
}

#[test]
fn few_points_are_looked_at_and_only_where_that_is_less() {
    let points = numbered(20_000, |n| {
        let text = if n % 2 == 0 {
            "long".repeat(100)
        } else {
            "short".into()
        };
        vec![
            ("rare", Value::Bool(n % 2_000 == 1)),
            ("text", Value::Str(text)),
            ("n", Value::Int(i64::from(n))),
        ]
    });
    let index = points.index(10_000);
    let rare = Condition::Any {
        field: "rare".into(),
        values: vec![Value::Bool(true)],
    };
    let long = Condition::Any {
        field: "text".into(),
        values: vec!["x".repeat(300).as_str().into(), "short".into()],
    };
    let upper_half = Condition::Range {
        field: "n".into(),
        gte: Some(Value::Int(10_000)),
        lte: None,
    };
    let looks = |must: Vec<Condition>| {
        let filter = Filter {
            must,
            must_not: Vec::new(),
        };
        points.check(&index, &filter);
        index.select_counted(&filter, &points).1
    };
    assert_eq!(looks(vec![upper_half.clone()]), 0);
    assert!((1..=10).contains(&looks(vec![upper_half, rare.clone()])));
    assert!((1..=10).contains(&looks(vec![long.clone(), rare])));
    assert!(looks(vec![long]) > 10_000);
}

#[test]
fn a_value_that_many_hold_is_not_copied() {
    let points = numbered(1_000, |n| vec![("half", Value::Bool(n % 2 == 0))]);
    let half = must(vec![Condition::Any {
        field: "half".into(),
        values: vec![Value::Bool(true)],
    }]);
    let index = points.index(usize::MAX);
    assert!(matches!(index.select(&half, &points), super::Set::Held(_)));
    let frozen = PayloadIndex::open(index.freeze().expect("whole").into()).expect("own");
    assert!(matches!(frozen.select(&half, &points), super::Set::Kept(_)));
    let even: RoaringBitmap = (0..500).map(|n| n * 2).collect();
    assert_eq!(*frozen.select(&half, &points), even);
}
