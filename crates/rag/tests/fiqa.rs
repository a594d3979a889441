//! Goal: plain questions are answered when the passages hold an answer and declined when not.
//! Method: the financial part of MTRAG-UN with the packaged model, all reference passages in one
//! memory. Each last turn is asked alone, so that follow-ups that lean on earlier turns may be declined,
//! and with the earlier questions; and by thresholds around those in force, for whoever moves them.

mod support;

use std::collections::HashMap;
use std::sync::Mutex;

use rag::*;
use serde_json::Value;
use stdx::ManualClock;
use support::*;

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("a string")
}

#[test]
fn answerable_questions_are_answered_and_others_declined() {
    let path = shared().map(|dir| dir.join("data/text/mtrag_fiqa/tasks.jsonl"));
    let Some(tasks) = path.and_then(|path| std::fs::read_to_string(path).ok()) else {
        println!("skipped: no shared/data/text/mtrag_fiqa beside the checkout");
        return;
    };
    let tasks: Vec<Value> = tasks
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON line"))
        .collect();
    let (memory, facts, clock) = (
        FakeMemory::default(),
        FakeFacts::default(),
        ManualClock::at(NOW),
    );
    let model = Remembering(MiniLm::packaged(), Mutex::default());
    let asker = Asker::new(&memory, &facts, &model, None, &clock);
    let contexts = |task: &Value| task["contexts"].as_array().cloned().unwrap_or_default();
    for context in tasks.iter().flat_map(contexts) {
        let document = Document {
            id: text(&context, "document_id").to_owned(),
            text: text(&context, "text").to_owned(),
            event_at: NOW,
            known_at: NOW,
            ..Document::default()
        };
        asker.ingest(&document).expect("stored");
    }
    for is_conversation in [false, true] {
        for margin in [-0.1, -0.05, 0.0, 0.05, 0.1] {
            let mut asker = asker;
            asker.settings.abstain_margin = margin;
            let counts = Counts::of(&asker, &tasks, is_conversation);
            println!("conversation {is_conversation}, margin {margin:5.2}: {counts}");
            if margin == Settings::default().abstain_margin {
                counts.hold();
            }
        }
    }
}

/// The model, asked once for each text.
struct Remembering(MiniLm, Mutex<HashMap<String, Vec<f32>>>);

impl Embed for Remembering {
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
        if let Some(vector) = self.1.lock().expect("not poisoned").get(text) {
            return Ok(vector.clone());
        }
        let vector = self.0.embed(text)?;
        let mut known = self.1.lock().expect("not poisoned");
        known.insert(text.to_owned(), vector.clone());
        Ok(vector)
    }

    fn model_id(&self) -> String {
        self.0.model_id().to_owned()
    }
}

/// How questions fared.
#[derive(Default)]
struct Counts {
    answerable: usize,
    answered: usize,
    on_gold: usize,
    others: usize,
    declined: usize,
}

impl Counts {
    fn of(asker: &Asker<'_>, tasks: &[Value], is_conversation: bool) -> Self {
        let contexts = |task: &Value| task["contexts"].as_array().cloned().unwrap_or_default();
        let (mut answered, mut on_gold, mut answerable, mut declined, mut others) = (0, 0, 0, 0, 0);
        for task in tasks {
            let turns = task["input"].as_array().expect("turns").iter();
            let mut asked: Vec<String> = turns
                .filter(|turn| turn["speaker"] == "user")
                .map(|turn| text(turn, "text").to_owned())
                .collect();
            let mut question = Question::new(asked.pop().expect("a turn"));
            if is_conversation {
                question.conversation = asked;
            }
            let answer = asker.ask(&question, &mut |_| true).expect("answers");
            let gold: Vec<String> = contexts(task)
                .iter()
                .map(|c| text(c, "document_id").to_owned())
                .collect();
            match task["answerability"][0].as_str() {
                Some("ANSWERABLE") => {
                    answerable += 1;
                    answered += usize::from(!answer.abstained);
                    on_gold += usize::from(
                        answer
                            .citations
                            .iter()
                            .any(|c| gold.contains(&c.document_id)),
                    );
                }
                Some("UNANSWERABLE" | "UNDERSPECIFIED") => {
                    others += 1;
                    declined += usize::from(answer.abstained);
                }
                _ => {}
            }
        }
        Self {
            answerable,
            answered,
            on_gold,
            others,
            declined,
        }
    }

    fn hold(&self) {
        assert!(self.on_gold * 10 >= self.answerable * 6, "{self}");
        assert!(self.declined * 10 >= self.others * 8, "{self}");
    }
}

/// Precision: of those declined, how many had no answer. Recall: of those without one, how many were declined.
impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all_declined = self.declined + self.answerable - self.answered;
        write!(
            f,
            "answered {} of {} ({} from a reference passage), declined {} of {}; abstains with precision {:.2}, recall {:.2}",
            self.answered,
            self.answerable,
            self.on_gold,
            self.declined,
            self.others,
            self.declined as f64 / all_declined.max(1) as f64,
            self.declined as f64 / self.others.max(1) as f64,
        )
    }
}
