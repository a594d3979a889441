use std::sync::atomic::Ordering;
use std::time::Duration;

use collection::Until;
use node::{ForgetError, MadeBy, NodeError, Reembedding, Stage, Turned};
use rag::{Embed, Memory, Mode};

use super::world::{World, ask, by, ids, same, store, turn_to_the_end};

const A: (&str, usize) = ("a", 32);
const B: (&str, usize) = ("b", 48);
const C: (&str, usize) = ("c", 32);

fn filled(world: &World) -> std::sync::Arc<node::Node> {
    let node = world.open(&[A], false).expect("opens");
    for n in 0..90 {
        world.clock.advance(1_000);
        store(
            &node,
            &format!("d{n}"),
            &format!("copper {n} strike"),
            world.now(),
        );
    }
    node
}

#[test]
fn a_new_model_answers_from_one_instant_on_and_the_old_one_about_what_was_before() {
    let world = World::new();
    let node = filled(&world);
    let before = ask(&node, "copper 7", Mode::Dense, None).expect("finds");
    assert_eq!(by(&before), Some("a"));
    drop(node);
    let refused = world.open(&[B], false).err();
    assert!(
        matches!(refused, Some(NodeError::OtherModel { .. })),
        "{refused:?}"
    );

    let node = world.open(&[B, A], true).expect("opens");
    let change = node.model_change().expect("has begun");
    assert_eq!(
        (change.to.id.as_str(), change.done, change.of),
        ("b", 0, 90)
    );
    // Meanwhile the old one answers, and what is stored is embedded by both.
    let meanwhile = ask(&node, "copper 8", Mode::Hybrid, None).expect("finds");
    assert_eq!(by(&meanwhile), Some("a"));
    let mut work = Reembedding::new(node.clone());
    assert!(matches!(work.turn(Duration::ZERO), Ok(Turned::Told(32..))));
    store(&node, "late", "tariff on drugs", world.now());
    world.clock.advance(10);
    let last = ask(&node, "About late tariff on drugs", Mode::Dense, None).expect("finds");
    assert_eq!((by(&last), ids(&last)[0]), (Some("a"), "late"));
    assert!(turn_to_the_end(&node));
    assert_eq!(node.model_change(), None);
    assert_eq!(node.model_id(), "b");
    world.clock.advance(10);
    let after = ask(&node, "About late tariff on drugs", Mode::Dense, None).expect("finds");
    assert_eq!((by(&after), ids(&after)[0]), (Some("b"), "late"));
    assert_ne!(after.1.hits[0].passage.score, last.1.hits[0].passage.score);
    store(&node, "later", "tariff on tariffs", world.now());
    world.clock.advance(10);

    for asked in [&before, &meanwhile, &last, &after] {
        same(&node, asked);
    }
    drop((work, node));
    let node = world.open(&[B, A], false).expect("opens");
    for asked in [&before, &meanwhile, &last, &after] {
        same(&node, asked);
    }
    drop(node);
    // Without the old model its instants are answered by words, and the receipt says why.
    let node = world.open(&[B], false).expect("opens");
    let at = meanwhile.1.receipt.memory.instant;
    let words = ask(&node, "copper 8", Mode::Hybrid, at).expect("finds");
    assert_eq!(by(&words), None);
    let skipped = words.1.receipt.skipped.join(" ");
    assert!(skipped.contains("a (32 dimensions)"), "{skipped}");
    same(&node, &after);
}

#[test]
fn history_that_comes_late_is_found_by_the_model_of_its_time() {
    let world = World::new();
    drop(filled(&world));
    let node = world.open(&[B, A], true).expect("opens");
    assert!(turn_to_the_end(&node));
    let past = world.now() - 50;
    world.clock.advance(1_000_000_000_000);
    store(&node, "fresh", "zinc is new", world.now());
    store(&node, "old", "zinc was old", past - 10);
    store(&node, "d3", "zinc stands in a later version", world.now());
    let head = node.head().seq;
    assert!(node.earlier_models()[0].behind > 0);
    let mut work = Reembedding::new(node.clone());
    // A passage, and the end of those of its document that it replaces.
    assert_eq!(work.turn(Duration::ZERO), Ok(Turned::Told(2)));
    assert_eq!(node.earlier_models()[0].behind, 0);
    assert_eq!(work.turn(Duration::ZERO), Ok(Turned::Idle));
    let then = ask(&node, "zinc was old", Mode::Dense, Some(past)).expect("finds");
    assert_eq!((by(&then), ids(&then)[0]), (Some("a"), "old"));
    assert_eq!(then.1.hits[0].passage.seq, head - 1);
    assert!(!ids(&then).contains(&"fresh"));
    world.clock.advance(10);
    for (q, id) in [
        ("About fresh zinc is new", "fresh"),
        ("About old zinc was old", "old"),
    ] {
        let now = ask(&node, q, Mode::Dense, None).expect("finds");
        assert_eq!((by(&now), ids(&now)[0]), (Some("b"), id));
    }
    drop(work);
    drop(node);
    let node = world.open(&[B, A], false).expect("opens");
    turn_to_the_end(&node);
    same(&node, &then);
}

#[test]
fn a_model_that_is_down_is_waited_for_and_nothing_is_lost() {
    let world = World::new();
    drop(filled(&world));
    let node = world.open(&[B, A], true).expect("opens");
    let mut work = Reembedding::new(node.clone());
    assert!(work.turn(Duration::ZERO).is_ok());
    world.is_down.store(true, Ordering::Relaxed);
    for _ in 0..3 {
        let refused = work.turn(Duration::ZERO).expect_err("is down");
        assert!(refused.to_string().contains("it is down"), "{refused}");
    }
    let waits = node.model_change().expect("is under way").waits;
    assert!(waits.is_some_and(|why| why.contains("it is down")));
    world.is_down.store(false, Ordering::Relaxed);
    assert!(turn_to_the_end(&node));
    world.clock.advance(10);
    let found = ask(&node, "About d77 copper 77 strike", Mode::Dense, None).expect("finds");
    assert_eq!((by(&found), ids(&found)[0]), (Some("b"), "d77"));
    assert_eq!(node.documents().collection().stats().points, 90);
}

#[test]
fn one_change_at_a_time_and_three_models_after_each_other() {
    let world = World::new();
    let node = filled(&world);
    let by_a = ask(&node, "copper 5", Mode::Dense, None).expect("finds");
    drop(node);
    drop(world.open(&[B, A], true).expect("opens"));
    let refused = world.open(&[C, A], true).err();
    let is_told =
        matches!(&refused, Some(NodeError::ChangeUnderWay { coming, .. }) if coming.id == "b");
    assert!(is_told, "{refused:?}");
    // By the old one it is opened as ever, and the change waits for its model.
    let node = world.open(&[A], false).expect("opens");
    let mut work = Reembedding::new(node.clone());
    let waits = work.turn(Duration::ZERO).expect_err("waits").to_string();
    assert!(
        waits.contains("b (48 dimensions) was not opened"),
        "{waits}"
    );
    drop((work, node));
    let node = world.open(&[B, A], false).expect("opens");
    assert!(turn_to_the_end(&node));
    world.clock.advance(10);
    let by_b = ask(&node, "copper 6", Mode::Dense, None).expect("finds");
    drop(node);
    let node = world.open(&[A, B], true).expect("opens");
    assert!(turn_to_the_end(&node));
    world.clock.advance(10);
    let by_a_again = ask(&node, "copper 6", Mode::Dense, None).expect("finds");
    assert_eq!((by(&by_b), by(&by_a_again)), (Some("b"), Some("a")));
    store(&node, "more", "copper 6", world.now());
    for asked in [&by_a, &by_b, &by_a_again] {
        same(&node, asked);
    }
    drop(node);

    // The vectors of an earlier model can be dropped; its instants are then refused in words, and no others are.
    let dir = world.dir.path();
    let held = node::held_models(dir).expect("reads");
    let stages: Vec<Stage> = held.iter().map(|held| held.stage).collect();
    assert_eq!(stages, [Stage::Past, Stage::Past, Stage::Now]);
    assert!(held.iter().all(|held| held.bytes > 0));
    let unknown = node::forget_model(dir, "nobody");
    assert!(
        matches!(unknown, Err(ForgetError::Unknown { .. })),
        "{unknown:?}"
    );
    assert!(node::forget_model(dir, "b").expect("drops") > 0);
    let node = world.open(&[A], false).expect("opens");
    same(&node, &by_a);
    same(&node, &by_a_again);
    let at = by_b.1.receipt.memory.instant;
    for mode in [Mode::Dense, Mode::Hybrid] {
        let gone = ask(&node, "copper 6", mode, at)
            .err()
            .expect("is gone")
            .to_string();
        assert!(gone.contains("vectors of b, which were dropped"), "{gone}");
    }
    assert!(ask(&node, "copper 6", Mode::Text, at).is_ok());
    // Trimming drops those of which no instant is left.
    node.trim(world.now()).expect("trims");
    assert!(node.earlier_models().is_empty());
    assert!(!dir.join("documents").exists());
    drop(node);
    let node = world.open(&[A], false).expect("opens");
    same(&node, &by_a_again_now(&node));
    let refused = node::forget_model(dir, "a").err().map(|e| e.to_string());
    assert!(refused.is_some_and(|why| why.contains("in use")));
}

fn by_a_again_now(node: &node::Node) -> super::world::Asked {
    ask(node, "copper 6", Mode::Dense, None).expect("finds")
}

#[test]
fn copies_have_all_vectors_but_those_on_their_way() {
    let world = World::new();
    let node = filled(&world);
    let by_a = ask(&node, "copper 5", Mode::Dense, None).expect("finds");
    drop(node);
    let node = world.open(&[B, A], true).expect("opens");
    let copy = node.backup("early").expect("copies");
    assert_eq!(copy.stores.len(), 2);
    let early = world.open_in(&copy.dir, &[A], false).expect("opens");
    assert_eq!(early.model_change(), None);
    same(&early, &by_a);
    assert!(turn_to_the_end(&node));
    world.clock.advance(10);
    let border = world.now();
    let by_b = ask(&node, "copper 6", Mode::Dense, None).expect("finds");
    store(&node, "after", "copper 6 again", world.now());
    world.clock.advance(10);
    let copy = node.backup("late").expect("copies");
    assert_eq!(copy.stores.len(), 3);
    drop(node);
    for until in [Until::Head, Until::Known(border)] {
        for from in [world.dir.path(), &copy.dir] {
            let to = tempfile::tempdir().expect("a folder");
            node::restore(from, to.path(), until).expect("restores");
            assert_eq!(MadeBy::of(to.path()).expect("reads").expect("said").id, "b");
            let copied = world.open_in(to.path(), &[B, A], false).expect("opens");
            for asked in [&by_a, &by_b] {
                same(&copied, asked);
            }
            let is_whole = copied
                .documents()
                .get("after", None)
                .expect("reads")
                .is_some();
            assert_eq!(is_whole, until == Until::Head);
        }
    }
}
