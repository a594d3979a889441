//! Ops as bytes: little endian, lengths before contents. Byte map: `docs/formats/collection-log.md`.
//!
//! The reader trusts nothing: any bytes give ops or an error, never a panic, and no length is
//! believed before the bytes are there.

use crate::{
    Condition, FILTER_DEPTH_LIMIT, Filter, Op, PAYLOAD_DEPTH_LIMIT, Payload, Place, Point, Shape,
    Value,
};

const OP_UPSERT: u8 = 1;
const OP_DELETE: u8 = 2;
const OP_DELETE_WHERE: u8 = 3;
const OP_TRIM: u8 = 4;

const VALUE_STR: u8 = 1;
const VALUE_INT: u8 = 2;
const VALUE_FLOAT: u8 = 3;
const VALUE_BOOL: u8 = 4;
const VALUE_LIST: u8 = 5;
const VALUE_GEO: u8 = 6;

const CONDITION_ANY: u8 = 1;
const CONDITION_RANGE: u8 = 2;
const CONDITION_EVENT_AT: u8 = 3;
const CONDITION_ID: u8 = 4;
const CONDITION_GEO: u8 = 5;
const CONDITION_EXISTS: u8 = 6;
const CONDITION_COUNT: u8 = 7;
const CONDITION_AT_LEAST: u8 = 8;
const CONDITION_FILTER: u8 = 9;

const SHAPE_CIRCLE: u8 = 1;
const SHAPE_BOX: u8 = 2;
const SHAPE_POLYGON: u8 = 3;

/// Bytes that are not ops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("byte {at} of the batch: {what}")]
pub(crate) struct Malformed {
    pub at: usize,
    pub what: &'static str,
}

/// Appends a batch to `out`.
pub(crate) fn write_batch(ops: &[Op], out: &mut Vec<u8>) {
    write_len(ops.len(), out);
    for op in ops {
        match op {
            Op::Upsert(point) => {
                out.push(OP_UPSERT);
                write_point(point, out);
            }
            Op::Delete { id, known_at } => {
                out.push(OP_DELETE);
                write_str(id, out);
                out.extend(known_at.to_le_bytes());
            }
            Op::DeleteWhere { filter, known_at } => {
                out.push(OP_DELETE_WHERE);
                write_filter(filter, out);
                out.extend(known_at.to_le_bytes());
            }
            Op::Trim { known_before } => {
                out.push(OP_TRIM);
                out.extend(known_before.to_le_bytes());
            }
        }
    }
}

/// Reads a batch, the whole of `bytes`.
pub(crate) fn read_batch(bytes: &[u8]) -> Result<Vec<Op>, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    let ops = reader.many(Reader::op)?;
    if reader.at != bytes.len() {
        return Err(reader.fault("bytes after the last op"));
    }
    Ok(ops)
}

/// Reads a point, the whole of `bytes`.
pub(crate) fn read_point(bytes: &[u8]) -> Result<Point, Malformed> {
    let mut reader = Reader { bytes, at: 0 };
    let point = reader.point()?;
    if reader.at != bytes.len() {
        return Err(reader.fault("bytes after the point"));
    }
    Ok(point)
}

/// The size of a payload as the log writes it.
pub(crate) fn payload_size(payload: &Payload) -> usize {
    let fields = payload.0.iter();
    4 + fields
        .map(|(name, value)| 4 + name.len() + value_size(value))
        .sum::<usize>()
}

/// Appends a payload to `out`.
pub(crate) fn write_payload(payload: &Payload, out: &mut Vec<u8>) {
    write_len(payload.0.len(), out);
    for (name, value) in &payload.0 {
        write_str(name, out);
        write_value(value, out);
    }
}

fn value_size(value: &Value) -> usize {
    1 + match value {
        Value::Str(text) => 4 + text.len(),
        Value::Int(_) | Value::Float(_) => 8,
        Value::Bool(_) => 1,
        Value::Geo(_) => 16,
        Value::List(values) => 4 + values.iter().map(value_size).sum::<usize>(),
    }
}

/// Appends a point to `out`.
pub(crate) fn write_point(point: &Point, out: &mut Vec<u8>) {
    write_str(&point.id, out);
    out.extend(point.known_at.to_le_bytes());
    out.extend(point.event_at.to_le_bytes());
    write_len(point.vector.len(), out);
    out.reserve(point.vector.len() * 4);
    for value in &point.vector {
        out.extend(value.to_le_bytes());
    }
    write_str(&point.text, out);
    write_payload(&point.payload, out);
}

fn write_value(value: &Value, out: &mut Vec<u8>) {
    match value {
        Value::Str(text) => {
            out.push(VALUE_STR);
            write_str(text, out);
        }
        Value::Int(number) => {
            out.push(VALUE_INT);
            out.extend(number.to_le_bytes());
        }
        Value::Float(number) => {
            out.push(VALUE_FLOAT);
            out.extend(number.to_le_bytes());
        }
        Value::Bool(truth) => out.extend([VALUE_BOOL, u8::from(*truth)]),
        Value::Geo(place) => {
            out.push(VALUE_GEO);
            write_place(*place, out);
        }
        Value::List(values) => {
            out.push(VALUE_LIST);
            write_len(values.len(), out);
            values.iter().for_each(|value| write_value(value, out));
        }
    }
}

fn write_place(place: Place, out: &mut Vec<u8>) {
    write_floats(&[place.lat, place.lon], out);
}

fn write_floats(floats: &[f64], out: &mut Vec<u8>) {
    floats
        .iter()
        .for_each(|float| out.extend(float.to_le_bytes()));
}

fn write_shape(shape: &Shape, out: &mut Vec<u8>) {
    match shape {
        Shape::Circle { centre, radius_m } => {
            out.push(SHAPE_CIRCLE);
            write_place(*centre, out);
            write_floats(&[*radius_m], out);
        }
        Shape::Box {
            south,
            west,
            north,
            east,
        } => {
            out.push(SHAPE_BOX);
            write_floats(&[*south, *west, *north, *east], out);
        }
        Shape::Polygon(ring) => {
            out.push(SHAPE_POLYGON);
            write_len(ring.len(), out);
            ring.iter().for_each(|corner| write_place(*corner, out));
        }
    }
}

fn write_filter(filter: &Filter, out: &mut Vec<u8>) {
    write_conditions(&filter.must, out);
    write_conditions(&filter.must_not, out);
}

fn write_conditions(conditions: &[Condition], out: &mut Vec<u8>) {
    write_len(conditions.len(), out);
    for condition in conditions {
        match condition {
            Condition::Any { field, values } => {
                out.push(CONDITION_ANY);
                write_str(field, out);
                write_len(values.len(), out);
                values.iter().for_each(|value| write_value(value, out));
            }
            Condition::Range { field, gte, lte } => {
                out.push(CONDITION_RANGE);
                write_str(field, out);
                write_option(gte.as_ref(), out, write_value);
                write_option(lte.as_ref(), out, write_value);
            }
            Condition::EventAt { gte, lte } => {
                out.push(CONDITION_EVENT_AT);
                write_option(gte.as_ref(), out, |at, out| out.extend(at.to_le_bytes()));
                write_option(lte.as_ref(), out, |at, out| out.extend(at.to_le_bytes()));
            }
            Condition::Id(prefix) => {
                out.push(CONDITION_ID);
                write_str(prefix, out);
            }
            Condition::Geo { field, shape } => {
                out.push(CONDITION_GEO);
                write_str(field, out);
                write_shape(shape, out);
            }
            Condition::Exists { field } => {
                out.push(CONDITION_EXISTS);
                write_str(field, out);
            }
            Condition::Count { field, gte, lte } => {
                out.push(CONDITION_COUNT);
                write_str(field, out);
                write_option(gte.as_ref(), out, |count, out| {
                    out.extend(count.to_le_bytes())
                });
                write_option(lte.as_ref(), out, |count, out| {
                    out.extend(count.to_le_bytes())
                });
            }
            Condition::AtLeast { count, of } => {
                out.push(CONDITION_AT_LEAST);
                write_len(*count, out);
                write_conditions(of, out);
            }
            Condition::Filter(filter) => {
                out.push(CONDITION_FILTER);
                write_filter(filter, out);
            }
        }
    }
}

fn write_option<T>(value: Option<&T>, out: &mut Vec<u8>, write: impl Fn(&T, &mut Vec<u8>)) {
    out.push(u8::from(value.is_some()));
    if let Some(value) = value {
        write(value, out);
    }
}

fn write_str(text: &str, out: &mut Vec<u8>) {
    write_len(text.len(), out);
    out.extend_from_slice(text.as_bytes());
}

fn write_len(len: usize, out: &mut Vec<u8>) {
    // A length past u32 belongs to a batch far over the size limit, which is checked on the bytes
    // written and refuses it; the saturated prefix is never stored.
    out.extend(u32::try_from(len).unwrap_or(u32::MAX).to_le_bytes());
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn fault(&self, what: &'static str) -> Malformed {
        Malformed { at: self.at, what }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], Malformed> {
        let rest = &self.bytes[self.at..];
        let taken = rest.get(..count).ok_or(self.fault("it ends too early"))?;
        self.at += count;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        Ok(self
            .take(N)?
            .try_into()
            .expect("take gives as many bytes as asked"))
    }

    fn u8(&mut self) -> Result<u8, Malformed> {
        Ok(self.array::<1>()?[0])
    }

    fn u64(&mut self) -> Result<u64, Malformed> {
        self.array().map(u64::from_le_bytes)
    }

    fn len(&mut self) -> Result<usize, Malformed> {
        self.array().map(|bytes| u32::from_le_bytes(bytes) as usize)
    }

    fn str(&mut self) -> Result<String, Malformed> {
        let len = self.len()?;
        let bytes = self.take(len)?;
        let text = std::str::from_utf8(bytes).map_err(|_| self.fault("a text is not UTF-8"))?;
        Ok(text.to_owned())
    }

    /// Every item takes at least a byte, so a false count ends at the end of the bytes.
    fn many<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Vec<T>, Malformed> {
        let count = self.len()?;
        let mut items = Vec::with_capacity(count.min(1024));
        for _ in 0..count {
            items.push(item(self)?);
        }
        Ok(items)
    }

    fn option<T>(
        &mut self,
        item: impl Fn(&mut Self) -> Result<T, Malformed>,
    ) -> Result<Option<T>, Malformed> {
        match self.u8()? {
            0 => Ok(None),
            1 => item(self).map(Some),
            _ => Err(self.fault("neither present nor absent")),
        }
    }

    fn op(&mut self) -> Result<Op, Malformed> {
        match self.u8()? {
            OP_UPSERT => self.point().map(Op::Upsert),
            OP_DELETE => Ok(Op::Delete {
                id: self.str()?,
                known_at: self.u64()?,
            }),
            OP_DELETE_WHERE => Ok(Op::DeleteWhere {
                filter: self.filter(FILTER_DEPTH_LIMIT)?,
                known_at: self.u64()?,
            }),
            OP_TRIM => Ok(Op::Trim {
                known_before: self.u64()?,
            }),
            _ => Err(self.fault("unknown op")),
        }
    }

    fn point(&mut self) -> Result<Point, Malformed> {
        let id = self.str()?;
        let known_at = self.u64()?;
        let event_at = self.u64()?;
        let dim = self.len()?;
        let size = dim
            .checked_mul(4)
            .ok_or(self.fault("the vector is too long"))?;
        let floats = self.take(size)?.chunks_exact(4);
        let vector = floats
            .map(|bytes| f32::from_le_bytes(bytes.try_into().expect("chunks of four")))
            .collect();
        Ok(Point {
            id,
            vector,
            text: self.str()?,
            payload: self.payload()?,
            event_at,
            known_at,
        })
    }

    fn payload(&mut self) -> Result<Payload, Malformed> {
        let fields = self.many(|reader| Ok((reader.str()?, reader.value(PAYLOAD_DEPTH_LIMIT)?)))?;
        Ok(Payload(fields.into_iter().collect()))
    }

    fn value(&mut self, depth: usize) -> Result<Value, Malformed> {
        Ok(match self.u8()? {
            VALUE_STR => Value::Str(self.str()?),
            VALUE_INT => Value::Int(i64::from_le_bytes(self.array()?)),
            VALUE_FLOAT => Value::Float(f64::from_le_bytes(self.array()?)),
            VALUE_BOOL => Value::Bool(self.u8()? != 0),
            VALUE_GEO => Value::Geo(self.place()?),
            VALUE_LIST if depth > 0 => Value::List(self.many(|reader| reader.value(depth - 1))?),
            VALUE_LIST => return Err(self.fault("lists nest too deep")),
            _ => return Err(self.fault("unknown type of value")),
        })
    }

    fn f64(&mut self) -> Result<f64, Malformed> {
        self.array().map(f64::from_le_bytes)
    }

    fn place(&mut self) -> Result<Place, Malformed> {
        Ok(Place {
            lat: self.f64()?,
            lon: self.f64()?,
        })
    }

    fn shape(&mut self) -> Result<Shape, Malformed> {
        Ok(match self.u8()? {
            SHAPE_CIRCLE => Shape::Circle {
                centre: self.place()?,
                radius_m: self.f64()?,
            },
            SHAPE_BOX => Shape::Box {
                south: self.f64()?,
                west: self.f64()?,
                north: self.f64()?,
                east: self.f64()?,
            },
            SHAPE_POLYGON => Shape::Polygon(self.many(Self::place)?),
            _ => return Err(self.fault("unknown shape")),
        })
    }

    fn filter(&mut self, depth: usize) -> Result<Filter, Malformed> {
        Ok(Filter {
            must: self.conditions(depth)?,
            must_not: self.conditions(depth)?,
        })
    }

    fn conditions(&mut self, depth: usize) -> Result<Vec<Condition>, Malformed> {
        self.many(|reader| reader.condition(depth))
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, Malformed> {
        let value = |reader: &mut Self| reader.value(PAYLOAD_DEPTH_LIMIT);
        let inner = depth.checked_sub(1);
        let inner = inner.ok_or(self.fault("conditions nest too deep"))?;
        Ok(match self.u8()? {
            CONDITION_ANY => Condition::Any {
                field: self.str()?,
                values: self.many(value)?,
            },
            CONDITION_RANGE => Condition::Range {
                field: self.str()?,
                gte: self.option(value)?,
                lte: self.option(value)?,
            },
            CONDITION_EVENT_AT => Condition::EventAt {
                gte: self.option(Self::u64)?,
                lte: self.option(Self::u64)?,
            },
            CONDITION_ID => Condition::Id(self.str()?),
            CONDITION_GEO => Condition::Geo {
                field: self.str()?,
                shape: self.shape()?,
            },
            CONDITION_EXISTS => Condition::Exists { field: self.str()? },
            CONDITION_COUNT => Condition::Count {
                field: self.str()?,
                gte: self.option(Self::u64)?,
                lte: self.option(Self::u64)?,
            },
            CONDITION_AT_LEAST => Condition::AtLeast {
                count: self.len()?,
                of: self.conditions(inner)?,
            },
            CONDITION_FILTER => Condition::Filter(self.filter(inner)?),
            _ => return Err(self.fault("unknown condition")),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place() -> impl Strategy<Value = Place> {
        (-90f64..90.0, -180f64..180.0).prop_map(|(lat, lon)| Place { lat, lon })
    }

    fn shape() -> impl Strategy<Value = Shape> {
        let corners = prop::collection::vec(place(), 3..5);
        prop_oneof![
            (place(), 0f64..1e7).prop_map(|(centre, radius_m)| Shape::Circle { centre, radius_m }),
            (place(), place()).prop_map(|(a, b)| Shape::Box {
                south: a.lat,
                west: a.lon,
                north: b.lat,
                east: b.lon,
            }),
            corners.prop_map(Shape::Polygon),
        ]
    }

    fn value() -> impl Strategy<Value = Value> {
        let plain = prop_oneof![
            ".{0,8}".prop_map(Value::Str),
            any::<i64>().prop_map(Value::Int),
            (-1e9f64..1e9).prop_map(Value::Float),
            any::<bool>().prop_map(Value::Bool),
            place().prop_map(Value::Geo),
        ];
        plain.prop_recursive(3, 8, 3, |inner| {
            prop::collection::vec(inner, 0..3).prop_map(Value::List)
        })
    }

    fn condition() -> impl Strategy<Value = Condition> {
        let at = || prop::option::of(any::<u64>());
        let plain = prop_oneof![
            (".{0,4}", prop::collection::vec(value(), 0..3))
                .prop_map(|(field, values)| Condition::Any { field, values }),
            (
                ".{0,4}",
                prop::option::of(value()),
                prop::option::of(value())
            )
                .prop_map(|(field, gte, lte)| Condition::Range { field, gte, lte }),
            (at(), at()).prop_map(|(gte, lte)| Condition::EventAt { gte, lte }),
            ".{0,4}".prop_map(Condition::Id),
            (".{0,4}", shape()).prop_map(|(field, shape)| Condition::Geo { field, shape }),
            ".{0,4}".prop_map(|field| Condition::Exists { field }),
            (".{0,4}", at(), at()).prop_map(|(field, gte, lte)| Condition::Count {
                field,
                gte,
                lte
            }),
        ];
        plain.prop_recursive(3, 8, 3, |inner| {
            let many = || prop::collection::vec(inner.clone(), 0..3);
            prop_oneof![
                (0usize..4, many()).prop_map(|(count, of)| Condition::AtLeast { count, of }),
                (many(), many())
                    .prop_map(|(must, must_not)| Condition::Filter(Filter { must, must_not })),
            ]
        })
    }

    fn op() -> impl Strategy<Value = Op> {
        let conditions = || prop::collection::vec(condition(), 0..3);
        let payload = prop::collection::btree_map(".{0,4}", value(), 0..3);
        let vector = prop::collection::vec(-1e9f32..1e9, 0..5);
        prop_oneof![
            (
                ".{0,9}",
                vector,
                ".{0,20}",
                payload,
                any::<u64>(),
                any::<u64>()
            )
                .prop_map(|(id, vector, text, payload, event_at, known_at)| {
                    let payload = Payload(payload);
                    Op::Upsert(Point {
                        id,
                        vector,
                        text,
                        payload,
                        event_at,
                        known_at,
                    })
                }),
            (".{0,9}", any::<u64>()).prop_map(|(id, known_at)| Op::Delete { id, known_at }),
            (conditions(), conditions(), any::<u64>()).prop_map(|(must, must_not, known_at)| {
                Op::DeleteWhere {
                    filter: Filter { must, must_not },
                    known_at,
                }
            }),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(ops in prop::collection::vec(op(), 0..4)) {
            let mut bytes = Vec::new();
            write_batch(&ops, &mut bytes);
            prop_assert_eq!(read_batch(&bytes).expect("own bytes"), ops.clone());
            for cut in 0..bytes.len() {
                prop_assert!(read_batch(&bytes[..cut]).is_err());
            }
            for op in &ops {
                if let Op::Upsert(point) = op {
                    let mut payload = Vec::new();
                    write_payload(&point.payload, &mut payload);
                    prop_assert_eq!(payload.len(), payload_size(&point.payload));
                }
            }
        }

        #[test]
        fn any_bytes_are_ops_or_an_error(bytes in prop::collection::vec(0u8..6, 0..200)) {
            let _ = read_batch(&bytes);
        }
    }

    #[test]
    fn depth_is_limited() {
        let mut bytes = vec![1, 0, 0, 0, OP_UPSERT];
        bytes.extend([0; 4 + 8 + 8 + 4 + 4]);
        bytes.extend([1, 0, 0, 0, 0, 0, 0, 0]);
        bytes.extend([VALUE_LIST, 1, 0, 0, 0].repeat(100_000));
        assert_eq!(
            read_batch(&bytes).expect_err("deep").what,
            "lists nest too deep"
        );
        let mut bytes = vec![1, 0, 0, 0, OP_DELETE_WHERE, 1, 0, 0, 0];
        bytes.extend([CONDITION_FILTER, 1, 0, 0, 0].repeat(100_000));
        assert_eq!(
            read_batch(&bytes).expect_err("deep").what,
            "conditions nest too deep"
        );
    }
}
