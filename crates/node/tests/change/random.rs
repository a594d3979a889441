//! Writes, replacements, deletions, late history and questions at random, while the model changes twice and the process
//! is closed and opened in between; then every question is asked again as of its instant.
//!
//! `OUZEL_CHANGE_SEED` asks for other runs than the first three.

use std::sync::Arc;
use std::time::Duration;

use node::{Node, Reembedding, Turned};
use rag::Mode;
use stdx::Rng;

use super::world::{Asked, MINUTE, World, ask, by, same, sentence, store, turn_to_the_end};

const MODELS: [(&str, usize); 3] = [("a", 24), ("b", 24), ("c", 40)];
const STEPS: usize = 700;

struct Run {
    world: World,
    rng: Rng,
    node: Option<Arc<Node>>,
    /// The model that is to answer in the end.
    wanted: usize,
    swaps: usize,
    asked: Vec<Asked>,
}

impl Run {
    fn new(seed: u64) -> Self {
        let world = World::new();
        let node = world.open(&MODELS[..1], false).expect("opens");
        Self {
            world,
            rng: Rng::new(seed),
            node: Some(node),
            wanted: 0,
            swaps: 0,
            asked: Vec::new(),
        }
    }

    fn node(&self) -> Arc<Node> {
        Arc::clone(self.node.as_ref().expect("is open"))
    }

    fn open(&mut self, reembed: bool) {
        self.node = None;
        let mut models = vec![MODELS[self.wanted]];
        models.extend(MODELS.iter().filter(|m| **m != MODELS[self.wanted]));
        self.node = Some(self.world.open(&models, reembed).expect("opens"));
    }

    fn step(&mut self) {
        let node = self.node();
        self.world.clock.advance(self.rng.range(1, 5_000_000));
        let (now, id) = (self.world.now(), format!("d{}", self.rng.below(120)));
        match self.rng.below(20) {
            0..=6 => {
                let text = sentence(&mut self.rng);
                let ahead = if self.rng.chance(0.1) {
                    self.rng.below(MINUTE)
                } else {
                    0
                };
                store(&node, &id, &text, now + ahead);
            }
            7 => drop(node.documents().delete(&id, now).expect("deletes")),
            8..=15 => {
                let q = sentence(&mut self.rng);
                let mode = *self.rng.pick(&[Mode::Hybrid, Mode::Dense, Mode::Text]);
                self.asked.push(ask(&node, &q, mode, None).expect("finds"));
            }
            16..=18 => {
                let mut work = Reembedding::new(node);
                match work.turn(Duration::ZERO).expect("gets on") {
                    Turned::Swapped => self.swaps += 1,
                    Turned::Idle | Turned::Told(_) => {}
                }
            }
            _ => {
                drop(node);
                let may_begin = self.swaps == self.wanted && self.wanted + 1 < MODELS.len();
                let begins = may_begin && self.rng.chance(0.3);
                self.wanted += usize::from(begins);
                self.open(begins);
            }
        }
    }
}

fn run(seed: u64) {
    println!("OUZEL_CHANGE_SEED={seed}");
    let mut run = Run::new(seed);
    for _ in 0..STEPS {
        run.step();
    }
    while run.wanted + 1 < MODELS.len() || run.swaps < run.wanted {
        run.swaps += usize::from(turn_to_the_end(&run.node()));
        if run.wanted + 1 < MODELS.len() {
            run.wanted += 1;
            run.open(true);
        }
        let q = sentence(&mut run.rng);
        run.asked
            .push(ask(&run.node(), &q, Mode::Dense, None).expect("finds"));
    }
    run.world.clock.advance(MINUTE);
    for model in MODELS {
        let is_by = |asked: &&Asked| by(asked) == Some(model.0);
        assert!(
            run.asked.iter().any(|asked| is_by(&asked)),
            "none by {model:?}"
        );
    }
    let asked = std::mem::take(&mut run.asked);
    for _ in 0..2 {
        let node = run.node();
        for asked in &asked {
            same(&node, asked);
        }
        let known = node.documents().collection().digest().expect("reads");
        drop(node);
        run.open(false);
        let again = run.node().documents().collection().digest().expect("reads");
        assert_eq!(known, again);
    }
}

#[test]
fn what_was_answered_by_any_model_is_answered_again_as_of_then() {
    let seed = std::env::var("OUZEL_CHANGE_SEED");
    match seed.ok().and_then(|seed| seed.parse().ok()) {
        Some(seed) => run(seed),
        None => (1..4).for_each(run),
    }
}
