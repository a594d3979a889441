use rag::Mode;

use super::world::{World, ask, by, ids, same, store, turn_to_the_end};

#[test]
fn without_the_old_model_words_alone_answer_until_the_new_one_does() {
    let world = World::new();
    let node = world.open(&[("gone", 16)], false).expect("opens");
    store(&node, "one", "copper strike at the mine", world.now());
    drop(node);
    world.clock.advance(1_000);
    let node = world.open(&[("b", 16)], true).expect("opens");
    let words = ask(&node, "copper strike", Mode::Hybrid, None).expect("finds");
    assert_eq!((by(&words), ids(&words)), (None, vec!["one"]));
    let skipped = words.1.receipt.skipped.join(" ");
    assert!(skipped.contains("gone (16 dimensions)"), "{skipped}");
    assert!(ask(&node, "copper strike", Mode::Dense, None).is_err());
    // What is stored meanwhile is found by its words at once, and by its meaning from the border on.
    world.clock.advance(1_000);
    store(&node, "two", "zinc smelter closed", world.now());
    world.clock.advance(1_000);
    let also = ask(&node, "zinc", Mode::Hybrid, None).expect("finds");
    assert_eq!(ids(&also), ["two"]);
    assert!(turn_to_the_end(&node));
    world.clock.advance(1_000);
    let after = ask(&node, "zinc smelter", Mode::Dense, None).expect("finds");
    assert_eq!((by(&after), ids(&after)[0]), (Some("b"), "two"));
    for asked in [&words, &also, &after] {
        same(&node, asked);
    }
}
