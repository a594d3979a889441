//! Filters at the border, in the grammar that vector databases share: `must`, `should`, `must_not` and `min_should` of
//! conditions on a `key`.
//!
//! Source: Qdrant's filtering page. What we have not is named in the error: `match.text`, `nested`, `is_null`.

mod fields;
mod value;

use collection::{Condition, Filter, Place, Shape, Value as Stored};
use serde_json::{Map, Value};

pub use fields::{FieldsRow, fields};

use value::{instant_bounds, range, stored};

/// Conditions of one filter, at all depths.
const CONDITIONS_LIMIT: usize = 10_000;
/// Values that are compared with, of all conditions together.
const VALUES_LIMIT: usize = 100_000;

const CLAUSES: &str = "a filter has must, should, must_not and min_should";
const CONDITIONS: &str = "a condition has `key` with match, range, geo_bounding_box, geo_radius, geo_polygon or \
                          values_count, or it is is_empty, has_id or a filter itself";

/// Where in the filter we are, and what of it was read.
struct Reader {
    path: Vec<String>,
    conditions: usize,
    values: usize,
}

/// Reads a filter.
///
/// # Errors
/// A sentence that says where in the filter, what, and what is read there.
pub fn parse_filter(value: &Value) -> Result<Filter, String> {
    let mut reader = Reader {
        path: vec!["filter".to_owned()],
        conditions: 0,
        values: 0,
    };
    reader.filter(value)
}

type Read<T> = Result<T, String>;

impl Reader {
    fn wrong<T>(&self, what: impl std::fmt::Display) -> Read<T> {
        Err(format!("{}: {what}", self.path.join(".")))
    }

    /// Reads `value` a step further in.
    fn inside<T>(
        &mut self,
        step: impl Into<String>,
        read: impl FnOnce(&mut Self) -> Read<T>,
    ) -> Read<T> {
        self.path.push(step.into());
        let outcome = read(self)?;
        self.path.pop();
        Ok(outcome)
    }

    fn object<'v>(&self, value: &'v Value, expecting: &str) -> Read<&'v Map<String, Value>> {
        match value.as_object() {
            Some(object) => Ok(object),
            None => self.wrong(format_args!("is not an object; {expecting}")),
        }
    }

    fn filter(&mut self, value: &Value) -> Read<Filter> {
        let object = self.object(value, CLAUSES)?;
        self.clauses(object)
    }

    fn clauses(&mut self, object: &Map<String, Value>) -> Read<Filter> {
        let mut filter = Filter::default();
        for (clause, value) in object {
            self.inside(clause, |this| this.clause(clause, value, &mut filter))?;
        }
        Ok(filter)
    }

    fn clause(&mut self, clause: &str, value: &Value, filter: &mut Filter) -> Read<()> {
        match clause {
            _ if value.is_null() => {}
            "must" => filter.must.extend(self.conditions(value)?),
            "must_not" => filter.must_not.extend(self.conditions(value)?),
            "should" => {
                let of = self.conditions(value)?;
                // None asked for is none missing.
                if !of.is_empty() {
                    filter.must.push(Condition::AtLeast { count: 1, of });
                }
            }
            "min_should" => {
                let asked = self.object(value, "min_should has conditions and min_count")?;
                let of = match asked.get("conditions") {
                    Some(value) => self.inside("conditions", |this| this.conditions(value))?,
                    None => return self.wrong("has no conditions"),
                };
                let count = asked.get("min_count").and_then(Value::as_u64);
                let Some(count) = count.and_then(|count| usize::try_from(count).ok()) else {
                    return self.wrong("min_count is no whole number, 0 or more");
                };
                filter.must.push(Condition::AtLeast { count, of });
            }
            _ => return self.wrong(format_args!("is not known; {CLAUSES}")),
        }
        Ok(())
    }

    /// One, or a list.
    fn conditions(&mut self, value: &Value) -> Read<Vec<Condition>> {
        let Some(list) = value.as_array() else {
            return Ok(vec![self.condition(value)?]);
        };
        let each = list.iter().enumerate();
        each.map(|(at, value)| self.inside(at.to_string(), |this| this.condition(value)))
            .collect()
    }

    fn condition(&mut self, value: &Value) -> Read<Condition> {
        self.conditions += 1;
        if self.conditions > CONDITIONS_LIMIT {
            return self.wrong(format_args!(
                "the filter has more than {CONDITIONS_LIMIT} conditions"
            ));
        }
        let object = self.object(value, CONDITIONS)?;
        if let Some(key) = object.get("key") {
            let Some(key) = key.as_str() else {
                return self.wrong("`key` is no text");
            };
            return self.keyed(key, object);
        }
        let [(kind, value)] = object.iter().collect::<Vec<_>>()[..] else {
            return Ok(Condition::Filter(self.clauses(object)?));
        };
        self.inside(kind, |this| match kind.as_str() {
            "is_empty" => Ok(none_of(Condition::Exists { field: this.key(value)? })),
            "has_id" => this.ids(value),
            "is_null" | "nested" | "has_vector" => this.wrong("we do not have this condition; is_empty says that a field has no value, and lists of values need no nesting"),
            _ => {
                this.path.pop();
                let filter = this.clauses(object);
                this.path.push(kind.clone());
                filter.map(Condition::Filter)
            }
        })
    }

    fn key(&self, value: &Value) -> Read<String> {
        match value.get("key").and_then(Value::as_str) {
            Some(key) => Ok(key.to_owned()),
            None => self.wrong("has no `key`, the name of a field"),
        }
    }

    fn ids(&mut self, value: &Value) -> Read<Condition> {
        let Some(ids) = value.as_array() else {
            return self.wrong("is no list of ids");
        };
        let values = ids.iter().map(|id| match id {
            Value::String(id) => Ok(Stored::Str(id.clone())),
            Value::Number(id) => Ok(Stored::Str(id.to_string())),
            _ => self.wrong("an id is a text or a whole number"),
        });
        let values: Vec<Stored> = values.collect::<Read<_>>()?;
        self.count(values.len())?;
        Ok(Condition::Any {
            field: "document_id".to_owned(),
            values,
        })
    }

    fn count(&mut self, values: usize) -> Read<()> {
        self.values += values;
        if self.values > VALUES_LIMIT {
            return self.wrong(format_args!(
                "the filter has more than {VALUES_LIMIT} values"
            ));
        }
        Ok(())
    }

    /// All that is said of one field.
    fn keyed(&mut self, key: &str, object: &Map<String, Value>) -> Read<Condition> {
        if key == "known_at" {
            return self.wrong("known_at is not filtered by: ask with `as_of`");
        }
        let mut all = Vec::new();
        for (kind, value) in object
            .iter()
            .filter(|(kind, value)| *kind != "key" && !value.is_null())
        {
            all.push(self.inside(kind, |this| this.one(key, kind, value))?);
        }
        match all.len() {
            0 => self.wrong(format_args!("nothing is asked of `{key}`; {CONDITIONS}")),
            1 => Ok(all.remove(0)),
            _ => Ok(Condition::Filter(Filter {
                must: all,
                must_not: Vec::new(),
            })),
        }
    }

    fn one(&mut self, key: &str, kind: &str, value: &Value) -> Read<Condition> {
        let field = key.to_owned();
        match kind {
            "match" => self.matched(field, value),
            "range" if key == "event_at" => instant_bounds(value).or_else(|why| self.wrong(why)),
            "range" => range(field, value).or_else(|why| self.wrong(why)),
            "geo_bounding_box" | "geo_radius" | "geo_polygon" => {
                let shape = shape(kind, value).or_else(|why| self.wrong(why))?;
                Ok(Condition::Geo { field, shape })
            }
            "values_count" => self.values_count(field, value),
            "is_empty" => match value.as_bool() {
                Some(true) => Ok(none_of(Condition::Exists { field })),
                Some(false) => Ok(Condition::Exists { field }),
                None => self.wrong("is neither true nor false"),
            },
            _ => self.wrong(format_args!("is not known; {CONDITIONS}")),
        }
    }

    fn matched(&mut self, field: String, value: &Value) -> Read<Condition> {
        const FORMS: &str = "match has value, any or except";
        let object = self.object(value, FORMS)?;
        let [(form, value)] = object.iter().collect::<Vec<_>>()[..] else {
            return self.wrong(FORMS);
        };
        let list = match (form.as_str(), value) {
            ("value", one) => std::slice::from_ref(one),
            ("any" | "except", Value::Array(list)) => list.as_slice(),
            ("any" | "except", _) => return self.wrong(format_args!("`{form}` is no list")),
            ("text" | "phrase" | "text_any", _) => {
                return self.wrong("we have no match on the words of a field; words are searched for by `q`, phrases in double quotes");
            }
            _ => return self.wrong(FORMS),
        };
        self.count(list.len())?;
        let mut values = Vec::with_capacity(list.len());
        for value in list {
            stored(value, &mut values).or_else(|why| self.wrong(why))?;
        }
        let any = Condition::Any { field, values };
        Ok(if form == "except" { none_of(any) } else { any })
    }

    fn values_count(&mut self, field: String, value: &Value) -> Read<Condition> {
        let object = self.object(value, "values_count has gt, gte, lt and lte")?;
        let (mut gte, mut lte) = (None::<u64>, None::<u64>);
        for (bound, value) in object {
            let Some(count) = value.as_u64() else {
                return self.wrong(format_args!("`{bound}` is no whole number, 0 or more"));
            };
            match bound.as_str() {
                "gte" => gte = gte.max(Some(count)),
                "gt" => gte = gte.max(Some(count.saturating_add(1))),
                "lte" => lte = Some(lte.map_or(count, |lte| lte.min(count))),
                "lt" if count == 0 => return Ok(nothing()),
                "lt" => lte = Some(lte.map_or(count - 1, |lte| lte.min(count - 1))),
                _ => {
                    return self.wrong(format_args!(
                        "`{bound}` is not known; it has gt, gte, lt and lte"
                    ));
                }
            }
        }
        Ok(Condition::Count { field, gte, lte })
    }
}

/// What nothing passes.
fn nothing() -> Condition {
    Condition::AtLeast {
        count: 1,
        of: Vec::new(),
    }
}

fn none_of(condition: Condition) -> Condition {
    Condition::Filter(Filter {
        must: Vec::new(),
        must_not: vec![condition],
    })
}

fn shape(kind: &str, value: &Value) -> Result<Shape, String> {
    let part = |name: &str| value.get(name).ok_or_else(|| format!("has no {name}"));
    match kind {
        "geo_bounding_box" => {
            let (north_west, south_east) =
                (place(part("top_left")?)?, place(part("bottom_right")?)?);
            Ok(Shape::Box {
                south: south_east.lat,
                west: north_west.lon,
                north: north_west.lat,
                east: south_east.lon,
            })
        }
        "geo_radius" => {
            let radius_m = part("radius")?
                .as_f64()
                .ok_or("radius is no number of metres")?;
            Ok(Shape::Circle {
                centre: place(part("center")?)?,
                radius_m,
            })
        }
        _ => {
            if value.get("interiors").is_some_and(|holes| {
                !holes.is_null() && holes.as_array().is_none_or(|holes| !holes.is_empty())
            }) {
                return Err(
                    "we have no polygons with holes; add the hole under must_not".to_owned(),
                );
            }
            let points = part("exterior")?.get("points").and_then(Value::as_array);
            let points = points.ok_or("exterior has no list of points")?;
            Ok(Shape::Polygon(
                points.iter().map(place).collect::<Result<_, _>>()?,
            ))
        }
    }
}

/// `{"lat": .., "lon": ..}`.
fn place(value: &Value) -> Result<Place, String> {
    let degrees = |name: &str| value.get(name).and_then(Value::as_f64);
    let (Some(lat), Some(lon)) = (degrees("lat"), degrees("lon")) else {
        return Err("a place is {\"lat\": degrees north, \"lon\": degrees east}".to_owned());
    };
    let place = Place { lat, lon };
    if place.is_on_earth() {
        return Ok(place);
    }
    Err(format!(
        "lat {lat}, lon {lon} is no place on the Earth: lat goes from -90 to 90, lon from -180 to 180"
    ))
}

#[cfg(test)]
mod tests {
    use collection::{Payload, Point};
    use serde_json::json;

    use super::*;

    fn point() -> Point {
        let fields = json!({
            "sector": "tech", "pages": 12, "rate": 2.5, "big": 9_007_199_254_740_993_i64, "is_new": true,
            "tags": ["a", "b"], "office": {"lat": 37.3, "lon": -122.0}, "inner": {"deep": 1}, "none": null,
        });
        let Value::Object(object) = fields else {
            unreachable!("an object")
        };
        let read = fields::fields(&object).expect("readable");
        let mut payload = Payload::default();
        payload
            .0
            .insert("document_id".into(), Stored::Str("d1".into()));
        for (name, field) in &read {
            payload.0.insert(name.clone(), as_stored(field));
        }
        Point {
            event_at: 1_388_534_400_000_000_000,
            payload,
            ..Point::default()
        }
    }

    fn as_stored(field: &rag::Field) -> Stored {
        match field {
            rag::Field::Text(text) => Stored::Str(text.clone()),
            rag::Field::Whole(whole) => Stored::Int(*whole),
            rag::Field::Number(number) => Stored::Float(*number),
            rag::Field::Flag(flag) => Stored::Bool(*flag),
            rag::Field::Place { lat, lon } => Stored::Geo(Place {
                lat: *lat,
                lon: *lon,
            }),
            rag::Field::List(list) => Stored::List(list.iter().map(as_stored).collect()),
        }
    }

    #[test]
    fn conditions_say_what_they_say() {
        let near = json!({"lat": 37.0, "lon": -122.0});
        let cases = [
            (json!({"key": "sector", "match": {"value": "tech"}}), true),
            (
                json!({"key": "sector", "match": {"any": ["oil", "tech"]}}),
                true,
            ),
            (json!({"key": "sector", "match": {"except": ["oil"]}}), true),
            (
                json!({"key": "sector", "match": {"except": ["tech"]}}),
                false,
            ),
            (json!({"key": "pages", "match": {"value": 12.0}}), true),
            (json!({"key": "is_new", "match": {"value": true}}), true),
            (json!({"key": "tags", "match": {"value": "b"}}), true),
            (json!({"key": "inner.deep", "match": {"value": 1}}), true),
            (json!({"key": "pages", "range": {"gt": 12}}), false),
            (
                json!({"key": "pages", "range": {"gt": 11.5, "lt": 12.5}}),
                true,
            ),
            (
                json!({"key": "pages", "range": {"gte": 12, "lte": 12}}),
                true,
            ),
            (json!({"key": "pages", "range": {"lt": 12}}), false),
            (json!({"key": "rate", "range": {"gt": 2.5}}), false),
            (json!({"key": "rate", "range": {"gt": 2}}), true),
            (
                json!({"key": "big", "range": {"gt": 9_007_199_254_740_992_i64}}),
                true,
            ),
            (
                json!({"key": "big", "range": {"gt": 9_007_199_254_740_993_i64}}),
                false,
            ),
            (json!({"key": "sector", "range": {"gt": "tech"}}), false),
            (json!({"key": "sector", "range": {"gte": "tech"}}), true),
            (
                json!({"key": "event_at", "range": {"gte": "2014-01-01T00:00:00Z"}}),
                true,
            ),
            (
                json!({"key": "event_at", "range": {"gt": "2014-01-01T00:00:00Z"}}),
                false,
            ),
            (
                json!({"key": "event_at", "range": {"lt": "2014-01-01T00:00:00Z"}}),
                false,
            ),
            (
                json!({"key": "office", "geo_radius": {"center": near, "radius": 40_000}}),
                true,
            ),
            (
                json!({"key": "office", "geo_radius": {"center": near, "radius": 30_000}}),
                false,
            ),
            (
                json!({"key": "office", "geo_bounding_box": {"top_left": {"lat": 38, "lon": -123}, "bottom_right": {"lat": 37, "lon": -121}}}),
                true,
            ),
            (
                json!({"key": "office", "geo_polygon": {"exterior": {"points": [{"lat": 36, "lon": -123}, {"lat": 39, "lon": -123}, {"lat": 37, "lon": -120}]}}}),
                true,
            ),
            (json!({"key": "tags", "values_count": {"gt": 1}}), true),
            (json!({"key": "tags", "values_count": {"lt": 0}}), false),
            (json!({"is_empty": {"key": "none"}}), true),
            (json!({"key": "sector", "is_empty": true}), false),
            (json!({"has_id": ["d1", 7]}), true),
            (
                json!({"key": "pages", "range": {"gte": 1}, "match": {"value": 13}}),
                false,
            ),
            (
                json!({"must_not": {"key": "sector", "match": {"value": "oil"}}}),
                true,
            ),
        ];
        for (condition, want) in cases {
            for (clause, want) in [("must", want), ("must_not", !want), ("should", want)] {
                let filter = parse_filter(&json!({clause: [condition]})).expect("readable");
                assert_eq!(filter.matches(&point()), want, "{clause} {condition}");
            }
        }
        let few = json!({"min_should": {"min_count": 2, "conditions": [
            {"key": "pages", "match": {"value": 12}}, {"key": "sector", "match": {"value": "oil"}}]}});
        assert!(!parse_filter(&few).expect("readable").matches(&point()));
        assert!(
            parse_filter(&json!({}))
                .expect("readable")
                .matches(&point())
        );
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_place() {
        let cases = [
            (json!([]), "filter: is not an object"),
            (json!({"most": []}), "filter.most: is not known"),
            (
                json!({"must": [{"key": "a", "match": {"value": 1}}, 3]}),
                "filter.must.1: is not an object",
            ),
            (json!({"must": {"key": "a"}}), "nothing is asked of `a`"),
            (
                json!({"must": {"key": "a", "match": {"text": "x"}}}),
                "filter.must.match: we have no match on the words",
            ),
            (
                json!({"must": {"key": "a", "range": {"over": 1}}}),
                "`over` is not known",
            ),
            (
                json!({"must": {"key": "a", "range": {"lt": "x"}}}),
                "use lte",
            ),
            (
                json!({"must": {"key": "a", "range": {"gt": 1, "gte": 1}}}),
                "send one",
            ),
            (
                json!({"must": {"key": "event_at", "range": {"gte": "soon"}}}),
                "filter.must.range",
            ),
            (
                json!({"must": {"key": "known_at", "range": {"gte": 1}}}),
                "as_of",
            ),
            (
                json!({"must": {"nested": {"key": "a"}}}),
                "filter.must.nested: we do not have",
            ),
            (
                json!({"must": {"key": "a", "geo_radius": {"center": {"lat": 91, "lon": 0}, "radius": 1}}}),
                "no place on the Earth",
            ),
            (
                json!({"must": {"key": "a", "geo_polygon": {"exterior": {"points": []}, "interiors": [1]}}}),
                "holes",
            ),
            (
                json!({"must": {"key": "a", "match": {"value": {"x": 1}}}}),
                "is no text, number or flag",
            ),
        ];
        for (filter, want) in cases {
            let why = parse_filter(&filter).expect_err("refused");
            assert!(why.contains(want), "{filter}: {why}");
        }
        let many: Vec<Value> = (0..=CONDITIONS_LIMIT)
            .map(|n| json!({"key": "a", "match": {"value": n}}))
            .collect();
        let why = parse_filter(&json!({"should": many})).expect_err("refused");
        assert!(why.contains("more than 10000 conditions"), "{why}");
    }

    #[test]
    fn fields_are_read_and_written_back() {
        let read = |value: Value| match value {
            Value::Object(object) => fields::fields(&object),
            _ => unreachable!("an object"),
        };
        let good = json!({"a": {"b": [1, 2.5, "x", true]}, "c": {"lat": 1.5, "lon": 2.5}});
        let row = FieldsRow(read(good).expect("readable"));
        let back = serde_json::to_value(row).expect("JSON");
        assert_eq!(
            back,
            json!({"a.b": [1, 2.5, "x", true], "c": {"lat": 1.5, "lon": 2.5}})
        );
        for (bad, want) in [
            (json!({"a": [{"b": 1}]}), "`fields.a` is a list of objects"),
            (json!({"a.b": 1, "a": {"b": 2}}), "twice"),
            (json!({"p": {"lat": 200, "lon": 0}}), "`fields.p` lat 200"),
        ] {
            let why = read(bad).expect_err("refused");
            assert!(why.contains(want), "{why}");
        }
    }
}
