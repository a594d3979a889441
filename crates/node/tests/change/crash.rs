//! The folder is copied after each step of a change, as a power cut would leave it, and each copy is opened: it is on the
//! old model with the work to be gone on with, or on the new one, and answers as before in either case.

use std::fs;
use std::path::Path;
use std::time::Duration;

use node::{Reembedding, Turned};
use rag::{Embed, Mode};

use super::world::{World, ask, by, same, store, turn_to_the_end};

fn copied(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("makes");
    for entry in fs::read_dir(from).expect("lists") {
        let entry = entry.expect("lists");
        let to = to.join(entry.file_name());
        if entry.file_type().expect("knows").is_dir() {
            copied(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).expect("copies");
        }
    }
}

#[test]
fn a_cut_anywhere_leaves_the_old_model_or_the_new_one() {
    let world = World::new();
    let node = world.open(&[("a", 16)], false).expect("opens");
    for n in 0..150 {
        world.clock.advance(1_000);
        store(&node, &format!("d{n}"), &format!("copper {n}"), world.now());
    }
    let before = ask(&node, "copper 9", Mode::Dense, None).expect("finds");
    drop(node);
    let cuts = tempfile::tempdir().expect("a folder");
    let mut count = 0;
    let mut cut = || {
        copied(world.dir.path(), &cuts.path().join(count.to_string()));
        count += 1;
    };
    let node = world.open(&[("b", 24), ("a", 16)], true).expect("opens");
    cut();
    let mut work = Reembedding::new(node.clone());
    let mut swapped = false;
    while !swapped {
        swapped = work.turn(Duration::ZERO).expect("gets on") == Turned::Swapped;
        cut();
    }
    world.clock.advance(1_000);
    store(&node, "after", "copper after", world.now());
    drop((work, node));
    cut();
    // Between the word and the deed: what was being made is not there, or the new file was not renamed yet.
    let torn = cuts.path().join("torn");
    copied(&cuts.path().join("1"), &torn);
    fs::remove_dir_all(torn.join("documents.1")).expect("was there");
    fs::write(torn.join("model.new"), "models 1\npast 0").expect("writes");

    assert!(count > 4, "{count}");
    let mut stages = [0, 0];
    let names: Vec<String> = (0..count)
        .map(|n| n.to_string())
        .chain(["torn".to_owned()])
        .collect();
    for name in names {
        let dir = cuts.path().join(&name);
        let node = world
            .open_in(&dir, &[("b", 24), ("a", 16)], false)
            .expect("opens");
        same(&node, &before);
        let is_new = node.model_id() == "b";
        stages[usize::from(is_new)] += 1;
        assert_eq!(node.model_change().is_none(), is_new, "cut {name}");
        assert_eq!(turn_to_the_end(&node), !is_new, "cut {name}");
        world.clock.advance(1_000);
        let after = ask(&node, "copper 149", Mode::Dense, None).expect("finds");
        assert_eq!(by(&after), Some("b"));
        assert_eq!(after.1.hits[0].passage.document_id, "d149");
        same(&node, &before);
    }
    assert!(stages[0] > 2 && stages[1] > 1, "{stages:?}");
}
