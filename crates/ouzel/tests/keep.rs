//! Fields, filters, phrases, `explain`, copies of a server in use and trimming, as a client meets them.

mod common;

use common::{Running, arg};
use serde_json::{Value, json};

fn ids(found: &Value) -> Vec<&str> {
    let hits = found["hits"].as_array().expect("hits");
    hits.iter()
        .map(|hit| hit["document_id"].as_str().expect("an id"))
        .collect()
}

fn news() -> Value {
    json!([
        {"id": "a", "text": "The bank cut its rate by 25 basis points.", "known_at": "2026-01-02T00:00:00Z",
         "fields": {"sector": "banks", "pages": 3, "office": {"lat": 40.7, "lon": -74.0}}},
        {"id": "b", "text": "Points on a chart are no basis for a rate.", "known_at": "2026-01-03T00:00:00Z",
         "fields": {"sector": "charts", "pages": 12, "tags": ["x", "y"]}},
        {"id": "c", "text": "The mill raised its rate for flour.", "known_at": "2026-01-04T00:00:00Z",
         "fields": {"sector": "food"}},
    ])
}

#[test]
fn searches_are_narrowed_by_fields_and_told_step_by_step() {
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = Running::start(&["serve", "--data", arg(dir.path())]);
    assert_eq!(ouzel.post("/v1/documents", &news())["stored"], 3);
    let search = |body: Value| ouzel.post("/v1/search", &body);
    let among = |filter: Value| {
        let found = search(json!({"q": "rate", "filter": filter}));
        let mut ids: Vec<String> = ids(&found).into_iter().map(str::to_owned).collect();
        ids.sort();
        ids.concat()
    };
    assert_eq!(among(json!({})), "abc");
    let pages = |range: Value| json!({"must": [{"key": "pages", "range": range}]});
    assert_eq!(among(pages(json!({"gt": 3}))), "b");
    assert_eq!(among(pages(json!({"gte": 3}))), "ab");
    let near = json!({"center": {"lat": 40.0, "lon": -74.0}, "radius": 100_000});
    assert_eq!(
        among(json!({"must": {"key": "office", "geo_radius": near}})),
        "a"
    );
    assert_eq!(
        among(json!({"must_not": {"key": "tags", "match": {"value": "y"}}})),
        "ac"
    );
    assert_eq!(
        among(json!({"must": {"key": "event_at", "range": {"lt": "2026-01-04"}}})),
        "ab"
    );
    let found = search(json!({"q": "rate", "event_from": "2026-01-03", "event_to": "2026-01-03"}));
    assert_eq!(ids(&found), ["b"]);
    assert_eq!(
        found["hits"][0]["fields"],
        json!({"sector": "charts", "pages": 12, "tags": ["x", "y"]})
    );
    assert_eq!(found["explain"], Value::Null);

    let phrase = json!({"q": "\"basis points\" rate", "mode": "text", "explain": true,
        "filter": {"must_not": [{"key": "sector", "match": {"value": "food"}}]}});
    let found = search(phrase);
    assert_eq!(ids(&found), ["a"]);
    let told = &found["explain"]["text"];
    assert_eq!(
        (&told["phrases"], &told["texts"], &told["matched"]),
        (&1.into(), &3.into(), &2.into())
    );
    let rate = told["terms"]
        .as_array()
        .expect("terms")
        .iter()
        .find(|term| term["term"] == "rate");
    assert_eq!(rate.expect("told")["texts"], 3);
    let steps = told["steps"].as_array().expect("steps");
    let names: Vec<&str> = steps
        .iter()
        .filter_map(|step| step["name"].as_str())
        .collect();
    assert_eq!(names, ["select", "statistics", "search"]);

    let found = search(
        json!({"q": "rate", "mode": "dense", "explain": true, "filter": pages(json!({"lte": 3}))}),
    );
    let told = &found["explain"]["dense"];
    assert_eq!(
        (ids(&found), &told["plan"]["name"]),
        (vec!["a"], &"among".into())
    );
    assert_eq!(told["parts"][0]["distances"], 1, "{told}");

    let refused = |body: Value, word: &str| {
        let said = ouzel.refused("POST", "/v1/search", &body.to_string(), 400);
        assert!(said.to_string().contains(word), "{said}");
    };
    refused(
        json!({"q": "rate", "filter": {"must": [{"key": "a", "range": {"over": 1}}]}}),
        "filter.must.0.range",
    );
    let taken = json!({"id": "z", "text": "x", "fields": {"chunk": 1}});
    let said = ouzel.refused("POST", "/v1/documents", &taken.to_string(), 400);
    assert!(said.to_string().contains("`chunk`"), "{said}");
}

#[test]
fn a_server_in_use_is_copied_and_its_past_forgotten() {
    let dir = tempfile::tempdir().expect("a folder");
    let ouzel = Running::start(&["serve", "--data", arg(dir.path())]);
    ouzel.post("/v1/documents", &news());
    let later =
        json!({"id": "a", "text": "The bank kept its rate.", "known_at": "2026-01-06T00:00:00Z"});
    ouzel.post("/v1/documents", &later);

    let copied = ouzel.post("/v1/backups", &json!({"name": "monday"}));
    assert_eq!(ouzel.get("/v1/backups"), json!({"backups": ["monday"]}));
    let again = json!({"name": "monday"}).to_string();
    let said = ouzel.refused("POST", "/v1/backups", &again, 400);
    assert!(said.to_string().contains("already"), "{said}");
    for bad in ["../x", "", ".x"] {
        ouzel.refused(
            "POST",
            "/v1/backups",
            &json!({"name": bad}).to_string(),
            400,
        );
    }

    let then = json!({"q": "\"basis points\"", "mode": "text", "as_of": "2026-01-05"});
    assert_eq!(ids(&ouzel.post("/v1/search", &then)).first(), Some(&"a"));
    ouzel.refused(
        "POST",
        "/v1/trim",
        &json!({"known_before": "2999-01-01"}).to_string(),
        400,
    );
    ouzel.post("/v1/trim", &json!({"known_before": "2026-01-06T00:00:00Z"}));
    let said = ouzel.refused("POST", "/v1/search", &then.to_string(), 400);
    assert!(said.to_string().contains("trimmed"), "{said}");
    let now = ouzel.post("/v1/search", &json!({"q": "rate", "mode": "text"}));
    assert_eq!(ids(&now).len(), 3);
    drop(ouzel);

    // The copy still knows what the server forgot.
    let copy = copied["dir"].as_str().expect("a folder");
    let ouzel = Running::start(&["serve", "--data", copy]);
    assert_eq!(ids(&ouzel.post("/v1/search", &then)).first(), Some(&"a"));
}
