//! Goal: on a real newswire without tags, "why did the shares rise?" cites a story of that day about
//! that company, or declines. Method: all 13,000 Reuters stories of early 1987 in a fake memory
//! (words only), the 101 derived why-questions, no market data. Judgements were made by rules, so
//! the share over the set counts, not a single one.

mod support;

use std::collections::HashMap;
use std::io::Read;
use std::path::Path;

use rag::*;
use serde_json::Value;
use stdx::ManualClock;
use support::*;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

fn instant(text: &str) -> u64 {
    let at: jiff::Timestamp = format!("{text}Z").parse().expect("an instant");
    u64::try_from(at.as_nanosecond()).expect("after 1970")
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).expect("readable");
    text.lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect()
}

fn load(asker: &Asker<'_>, path: &Path) {
    let mut jsonl = String::new();
    let file = std::fs::File::open(path).expect("opens");
    flate2::read::GzDecoder::new(file)
        .read_to_string(&mut jsonl)
        .expect("inflates");
    for line in jsonl.lines() {
        let story: Value = serde_json::from_str(line).expect("a JSON line");
        let at = instant(text(&story, "ts"));
        let document = Document {
            id: story["id"].to_string().trim_matches('"').to_owned(),
            title: Some(text(&story, "title").to_owned()),
            text: text(&story, "body").to_owned(),
            source: Some("newswire".into()),
            event_at: at,
            known_at: at,
            ..Document::default()
        };
        if !document.text.trim().is_empty() {
            asker.ingest(&document).expect("stored");
        }
    }
}

#[test]
fn why_questions_cite_the_story_of_the_day() {
    let Some(dir) = shared()
        .map(|d| d.join("data/text/reuters21578"))
        .filter(|d| d.is_dir())
    else {
        println!("skipped: no shared/data/text/reuters21578 beside the checkout");
        return;
    };
    let questions = lines(&dir.join("why_queries.jsonl"));
    let names: Vec<(&str, &str)> = questions
        .iter()
        .map(|q| (text(q, "ticker"), text(q, "name")))
        .collect();
    let (memory, facts, clock) = (
        FakeMemory::default(),
        FakeFacts::with(&names),
        ManualClock::at(NOW),
    );
    load(
        &Asker::new(&memory, &facts, &FlatEmbedder, None, &clock),
        &dir.join("stories.jsonl.gz"),
    );
    let qrels = std::fs::read_to_string(dir.join("why_qrels.tsv")).expect("readable");
    let judged: HashMap<(&str, &str), &str> = qrels
        .lines()
        .filter_map(|line| line.split_once('\t'))
        .filter_map(|(q, rest)| rest.split_once('\t').map(|(doc, grade)| ((q, doc), grade)))
        .collect();
    let (mut cited, mut right, mut best) = (0, 0, 0);
    for q in &questions {
        let asker = Asker::new(&memory, &facts, &NoEmbedder, None, &clock);
        let as_of = Some(instant(text(q, "as_of")));
        let question = Question {
            as_of,
            ..Question::new(text(q, "text"))
        };
        let answer = asker.ask(&question, &mut |_| true).expect("answers");
        assert!(answer.citations.iter().all(|c| Some(c.known_at) <= as_of));
        let Some(first) = answer.citations.first() else {
            continue;
        };
        let grade = judged.get(&(text(q, "id"), first.document_id.as_str()));
        println!(
            "{:4} {} | {}",
            grade.unwrap_or(&"-"),
            question.q,
            first.quote.replace('\n', " ")
        );
        cited += 1;
        right += usize::from(grade.is_some());
        best += usize::from(grade == Some(&"2"));
    }
    println!(
        "{cited} of {} answered, first citation judged right {right}, best {best}",
        questions.len()
    );
    assert!(cited >= 45, "only {cited} answered");
    assert!(
        right * 10 >= cited * 8,
        "only {right} of {cited} first citations are right"
    );
}
