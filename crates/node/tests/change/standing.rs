//! Standing questions over a change of model.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use node::Node;
use node::standing::{
    Alert, Hold, Kept, Meaning, NewQuestion, Question, RenewQuestion, Sink, Watcher,
};
use rag::Embed;

use super::world::{World, store, turn_to_the_end};

const ASKED: &str = "About it: copper strike at the mine";

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Sink for Told {
    fn take(&self, alert: &Arc<Alert>, _: Option<Hold>) {
        self.0
            .lock()
            .expect("whole")
            .push(alert.standing.question.id.clone());
    }
}

/// Asked by the model of now, whose name is the definition.
fn question(node: &Node, id: &str) -> NewQuestion {
    let vector = node.embed(ASKED).expect("embeds");
    let meaning = Meaning {
        vector,
        cosine_min: 0.8,
    };
    NewQuestion {
        question: Question {
            id: id.to_owned(),
            meaning: Some(meaning),
            ..Question::default()
        },
        definition: node.model_id(),
    }
}

fn renewal(node: &Arc<Node>) -> RenewQuestion {
    let node = Arc::clone(node);
    Box::new(move |kept: &Kept| Ok(question(&node, &kept.id)))
}

#[test]
fn a_question_by_meaning_is_asked_by_the_model_that_answers() {
    let world = World::new();
    drop(world.open(&[("a", 64)], false).expect("opens"));
    let node = world.open(&[("b", 96), ("a", 64)], true).expect("opens");
    let read = |kept: &Kept| Ok(question(&node, &kept.id).question);
    node.standing().open(0, &read).expect("opens");
    node.standing()
        .put(vec![question(&node, "q")], 0)
        .expect("keeps");
    let told = Arc::new(Told::default());
    let sinks: Vec<Arc<dyn Sink>> = vec![told.clone()];
    let mut watcher = Watcher::new(node.clone(), sinks, renewal(&node)).expect("starts");
    let count = || told.0.lock().expect("whole").len();

    store(&node, "it", "copper strike at the mine", world.now());
    world.clock.advance(10);
    watcher.turn(Duration::ZERO).expect("matches");
    assert_eq!(count(), 1);
    // One that is not matched before the border, one that becomes known behind it, and one that is stored behind it.
    store(&node, "it", "copper strike at a mine", world.now());
    store(
        &node,
        "it",
        "copper strike at my mine",
        world.now() + 1_000_000,
    );
    watcher.turn(Duration::ZERO).expect("matches");
    store(
        &node,
        "other",
        "zinc, zinc and nothing but zinc",
        world.now(),
    );
    assert!(turn_to_the_end(&node));
    world.clock.advance(10);
    let before = count();
    watcher.turn(Duration::ZERO).expect("matches");
    let renewed = node.standing().get("q").expect("waits");
    assert_eq!(&*renewed.definition, "b");
    assert_eq!(count(), before, "zinc is no copper");
    world.clock.advance(2_000_000);
    watcher.turn(Duration::ZERO).expect("matches");
    assert_eq!(
        count(),
        before + 1,
        "what was ahead of its time has its new vector"
    );
    store(&node, "it", "copper strike at the mine again", world.now());
    world.clock.advance(10);
    watcher.turn(Duration::ZERO).expect("matches");
    assert_eq!(count(), before + 2);
}
