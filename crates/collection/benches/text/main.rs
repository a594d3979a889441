//! The text index beside the plain one that it took the place of: searches now, as of an entry half
//! way, as known then, and under filters; bytes, and times to fill, freeze and open.
//!
//! `cargo bench -p collection --bench text [reuters|financebench|synthetic] [texts]`. Real texts
//! come from the shared folder beside the checkout. Synthetic ones (default, a million) are words drawn by
//! Zipf's law, independent of each other, which is hard on block bounds: nothing gathers in blocks.

mod corpus;
mod plain;

use std::hint::black_box;

use collection::text::{
    Analyser, Bm25, Slots, Statistics, TextIndex, TextQuery, TextScratch, TextSearch, TextSettings,
};
use corpus::{Corpus, Questions};
use plain::PlainIndex;
use stdx::{Clock, Histogram, Rng, SystemClock};

const K: usize = 10;
/// A query's time is the best of so many, because what else runs on the machine only adds to it.
const ROUNDS: usize = 5;

fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let count = args.iter().find_map(|arg| arg.parse().ok());
    let corpus = if args.iter().any(|arg| arg == "reuters") {
        corpus::reuters(count.unwrap_or(usize::MAX))
    } else if args.iter().any(|arg| arg == "financebench") {
        corpus::financebench(count.unwrap_or(usize::MAX))
    } else {
        corpus::synthetic(count.unwrap_or(1_000_000))
    };
    println!("{}", corpus.name);
    let filled = fill(&corpus);
    let bytes = timed("freeze", || filled.index.freeze());
    println!("  frozen     {:.1} MB", bytes.len() as f64 / 1e6);
    let frozen = timed("open", || {
        TextIndex::open(bytes.into(), TextSettings::default()).expect("it was just frozen")
    });
    for questions in &corpus.questions {
        search(&filled, &frozen, questions);
    }
}

struct Filled {
    plain: PlainIndex,
    index: TextIndex,
    /// Visible now, half way, and two shares of all at random.
    sets: [Set; 4],
    entries: u64,
}

/// One text an entry; every twentieth entry supersedes an earlier text.
fn fill(corpus: &Corpus) -> Filled {
    let analyser = Analyser::default();
    let (mut plain, mut index) = (PlainIndex::default(), TextIndex::default());
    let count = corpus.texts.len();
    let half = count as u64 / 2;
    let (mut now, mut then) = (Set::default(), Set::default());
    let mut spent_ns = [0; 3];
    let mut rng = Rng::new(1);
    let mut died = vec![false; count];
    for (slot, text) in corpus.texts.iter().enumerate() {
        let start = SystemClock.now_ns();
        let terms = analyser.read(text);
        let read = SystemClock.now_ns();
        index.push(slot as u32, slot as u64, &terms);
        let pushed = SystemClock.now_ns();
        plain.push(&terms);
        spent_ns[0] += read - start;
        spent_ns[1] += pushed - read;
        spent_ns[2] += SystemClock.now_ns() - pushed;
        now.insert(slot as u32);
        let old = rng.below(slot as u64 + 1) as usize;
        if slot % 20 == 0 && !died[old] {
            died[old] = true;
            index.supersede(old as u32, slot as u64, &analyser.read(&corpus.texts[old]));
            now.remove(old as u32);
        }
        if slot as u64 == half {
            then = now.clone();
        }
    }
    let us = |at: usize| spent_ns[at] as f64 / count as f64 / 1e3;
    println!(
        "  fill       {count} texts: read {:.1} us, push {:.1} us (plain {:.1} us) each",
        us(0),
        us(1),
        us(2)
    );
    println!(
        "  in memory  {:.1} MB (plain, without places, {:.1} MB)",
        index.size_bytes() as f64 / 1e6,
        plain.size_bytes() as f64 / 1e6
    );
    let mut share = |share: f64| {
        let mut set = Set::default();
        (0..count as u32)
            .filter(|_| rng.chance(share))
            .for_each(|slot| set.insert(slot));
        set
    };
    let sets = [now, then, share(0.1), share(0.01)];
    Filled {
        plain,
        index,
        sets,
        entries: half,
    }
}

fn search(filled: &Filled, frozen: &TextIndex, questions: &Questions) {
    let analyser = Analyser::default();
    let queries: Vec<TextQuery> = questions
        .texts
        .iter()
        .map(|text| match questions.phrases {
            true => TextQuery::parse(text, &analyser),
            false => TextQuery::plain(text, &analyser),
        })
        .collect();
    let read: Vec<_> = questions.texts.iter().map(|t| analyser.read(t)).collect();
    let [now, then, tenth, hundredth] = &filled.sets;
    println!("  {} ({} queries)", questions.name, queries.len());
    let mut scratch = TextScratch::default();
    let head = Statistics::Entry(u64::MAX);
    let cases: [(&str, &TextIndex, Statistics, &Set, Option<&Set>); 6] = [
        ("memory, now", &filled.index, head, now, None),
        ("frozen, now", frozen, head, now, None),
        (
            "frozen, entry",
            frozen,
            Statistics::Entry(filled.entries),
            then,
            None,
        ),
        ("frozen, counted", frozen, Statistics::Counted, then, None),
        ("frozen, 10 %", frozen, head, now, Some(tenth)),
        ("frozen, 1 %", frozen, head, now, Some(hundredth)),
    ];
    for (name, index, statistics, visible, allowed) in cases {
        let (mut ours, mut theirs) = (Histogram::new(), Histogram::new());
        for (query, terms) in queries.iter().zip(&read) {
            let mut best_ns = [u64::MAX; 2];
            for _ in 0..ROUNDS {
                let search = TextSearch {
                    query,
                    k: K,
                    bm25: Bm25::default(),
                    statistics,
                    visible,
                    allowed,
                };
                let start = SystemClock.now_ns();
                let hits = black_box(index.search(&search, &mut scratch));
                best_ns[0] = best_ns[0].min(SystemClock.now_ns() - start);
                if questions.phrases {
                    continue;
                }
                let start = SystemClock.now_ns();
                let plain = black_box(filled.plain.search(terms, K, visible, allowed));
                best_ns[1] = best_ns[1].min(SystemClock.now_ns() - start);
                assert_eq!(hits.len(), plain.len());
                for (hit, score) in hits.iter().zip(plain) {
                    assert!((hit.score - score).abs() <= 1e-4 * score, "{hit:?} {score}");
                }
            }
            ours.record(best_ns[0]);
            if !questions.phrases {
                theirs.record(best_ns[1]);
            }
        }
        let us = |h: &Histogram, q| h.quantile(q).unwrap_or(0) as f64 / 1e3;
        let mean = |h: &Histogram| h.sum() as f64 / h.count().max(1) as f64 / 1e3;
        let figures = |h: &Histogram| {
            let [half, most] = [us(h, 0.5), us(h, 0.99)];
            format!("mean {:>8.1} p50 {half:>8.1} p99 {most:>8.1} us", mean(h))
        };
        println!(
            "    {name:<16} {}   plain {}",
            figures(&ours),
            figures(&theirs)
        );
    }
}

fn timed<T>(what: &str, work: impl FnOnce() -> T) -> T {
    let start = SystemClock.now_ns();
    let done = work();
    let ms = (SystemClock.now_ns() - start) as f64 / 1e6;
    println!("  {what:<10} {ms:.2} ms");
    done
}

/// A bit a slot.
#[derive(Clone, Default)]
pub struct Set(Vec<u64>);

impl Set {
    fn insert(&mut self, slot: u32) {
        let at = slot as usize / 64;
        self.0.resize(self.0.len().max(at + 1), 0);
        self.0[at] |= 1 << (slot % 64);
    }

    fn remove(&mut self, slot: u32) {
        self.0[slot as usize / 64] &= !(1 << (slot % 64));
    }
}

impl Slots for Set {
    #[inline]
    fn has(&self, slot: u32) -> bool {
        let word = self.0.get(slot as usize / 64).copied().unwrap_or(0);
        word >> (slot % 64) & 1 == 1
    }

    fn next(&self, slot: u32) -> Option<u32> {
        let mut at = slot as usize / 64;
        let mut word = self.0.get(at)? & (u64::MAX << (slot % 64));
        while word == 0 {
            at += 1;
            word = *self.0.get(at)?;
        }
        Some(at as u32 * 64 + word.trailing_zeros())
    }
}
