//! The index against a twin that keeps every text as a list of words and reads all of them for
//! every answer, over random histories, cut into parts in every way that there is.

use bytes::Bytes;
use proptest::prelude::*;
use stdx::Rng;
use vector::Hit;

use super::score::{Texts, weights};
use super::*;
use crate::state::Bits;

/// Stands for a word of any kind in phrases and counts nowhere.
const STOP: &str = "of";

fn settings() -> TextSettings {
    TextSettings {
        stemming: None,
        stop_words: StopWords::list([STOP]),
    }
}

struct Text {
    born: u64,
    died: Option<u64>,
    words: Vec<String>,
}

/// An index and its twin.
struct Pair {
    rng: Rng,
    analyser: Analyser,
    index: TextIndex,
    seq: u64,
    texts: Vec<Text>,
    vocabulary: u64,
}

impl Pair {
    fn new(seed: u64, vocabulary: u64) -> Self {
        Self {
            rng: Rng::new(seed),
            analyser: Analyser::new(&settings()),
            index: TextIndex::new(settings()),
            seq: 0,
            texts: Vec::new(),
            vocabulary,
        }
    }

    /// Low numbers are common.
    fn word(&mut self) -> String {
        if self.rng.chance(0.1) {
            return STOP.to_owned();
        }
        let rank = self.rng.f64().powi(3) * self.vocabulary as f64;
        format!("w{}", rank as u64)
    }

    /// Most texts are short and some are long, as in life.
    fn words(&mut self) -> Vec<String> {
        let count = 1 + self.rng.below(6) * self.rng.below(4);
        (0..count).map(|_| self.word()).collect()
    }

    fn push(&mut self) {
        self.seq += self.rng.below(2);
        let words = self.words();
        let slot = self.texts.len() as u32;
        let terms = self.analyser.read(&words.join(" "));
        self.index.push(slot, self.seq, &terms);
        self.texts.push(Text {
            born: self.seq,
            died: None,
            words,
        });
        if self.rng.chance(0.1) {
            self.supersede(slot); // It came late.
        }
    }

    fn supersede(&mut self, slot: u32) {
        let text = &mut self.texts[slot as usize];
        if text.died.is_none() {
            text.died = Some(self.seq);
            let terms = self.analyser.read(&text.words.join(" "));
            self.index.supersede(slot, self.seq, &terms);
        }
    }

    fn step(&mut self) {
        match self.rng.below(100) {
            0..25 if !self.texts.is_empty() => {
                self.seq += self.rng.below(2);
                let slot = self.rng.below(self.texts.len() as u64);
                self.supersede(slot as u32);
            }
            25 => self.index.roll(),
            26 => {
                let bytes = self.index.freeze();
                self.index = open(bytes).expect("what was frozen opens");
            }
            27 => {
                self.index.roll();
                let sealed = self.index.sealed();
                self.push();
                let frozen = open(sealed.freeze()).expect("what was frozen opens");
                assert!(self.index.adopt(frozen));
            }
            _ => self.push(),
        }
    }

    fn visible(&self, seq: u64) -> Bits {
        let mut bits = Bits::default();
        bits.fill(self.texts.len(), |slot| {
            let text = &self.texts[slot];
            text.born <= seq && text.died.is_none_or(|died| seq < died)
        });
        bits
    }

    /// A query as it is typed: words, and phrases taken from texts.
    fn query(&mut self) -> String {
        let count = 1 + self.rng.below(6);
        let mut words: Vec<String> = (0..count).map(|_| self.word()).collect();
        if self.rng.chance(0.3) && !self.texts.is_empty() {
            let text = self.rng.below(self.texts.len() as u64) as usize;
            let words_of = &self.texts[text].words;
            let start = self.rng.below(words_of.len() as u64) as usize;
            let len = 1 + self.rng.below(3) as usize;
            let end = (start + len).min(words_of.len());
            words.push(format!("\"{}\"", words_of[start..end].join(" ")));
        }
        words.join(" ")
    }

    fn check(&mut self) {
        let seq = self.rng.below(self.seq + 2);
        let seq = if self.rng.chance(0.3) { u64::MAX } else { seq };
        let visible = self.visible(seq);
        let mut some = Bits::default();
        let share = self.rng.f64().powi(4);
        let let_through: Vec<bool> = self.texts.iter().map(|_| self.rng.chance(share)).collect();
        some.fill(self.texts.len(), |slot| let_through[slot]);
        let typed = self.query();
        let query = TextQuery::parse(&typed, &self.analyser);
        let bm25 = match self.rng.below(4) {
            0 => Bm25 { k1: 0.0, b: 1.0 },
            1 => Bm25 { k1: 2.0, b: 0.0 },
            _ => Bm25::default(),
        };
        let count = |of: &dyn Fn(&Text) -> bool| self.texts.iter().filter(|t| of(t)).count() as u32;
        let prefix = Statistics::Prefix {
            births: count(&|text| text.born <= seq),
            deaths: count(&|text| text.died.is_some_and(|died| died <= seq)),
        };
        for statistics in [Statistics::Entry(seq), prefix, Statistics::Counted] {
            let search = TextSearch {
                query: &query,
                k: self.rng.below(20) as usize,
                bm25,
                statistics,
                visible: &visible,
                allowed: self.rng.chance(0.4).then_some(&some),
            };
            let got = self.index.search(&search, &mut TextScratch::default());
            assert_eq!(
                got,
                self.naive(&typed, &search),
                "{typed:?} as of {seq}, {statistics:?}"
            );
            self.check_told(&search, &got);
        }
    }

    /// Telling changes nothing, and what is told of words and texts is what counting finds.
    fn check_told(&self, search: &TextSearch<'_, Bits>, got: &[Hit]) {
        let mut told = TextExplain::default();
        let mut scratch = TextScratch::default();
        let again = self
            .index
            .search_told(search, &mut scratch, Some(&mut told));
        assert_eq!(again, got);
        let visible = |slot: &usize| search.visible.has(*slot as u32);
        let visible: Vec<&Text> = (0..self.texts.len())
            .filter(visible)
            .map(|slot| &self.texts[slot])
            .collect();
        assert_eq!(told.texts, visible.len() as u64);
        for term in &told.terms {
            let has = |text: &&&Text| text.words.contains(&term.text);
            let texts = visible.iter().filter(has).count();
            assert_eq!(term.texts, texts as u64, "{:?}", term.text);
        }
        let parts = told.parts.iter();
        let (texts, candidates) = parts.fold((0, 0), |(texts, candidates), part| {
            (texts + part.texts, candidates + part.work.candidates)
        });
        assert_eq!(texts, self.texts.len() as u64);
        assert!(candidates >= got.len() as u64 && candidates <= texts);
    }

    fn naive(&self, typed: &str, search: &TextSearch<'_, Bits>) -> Vec<Hit> {
        let visible = |slot: &usize| search.visible.has(*slot as u32);
        let visible: Vec<usize> = (0..self.texts.len()).filter(visible).collect();
        let plain = typed.replace('"', " ");
        let mut terms: Vec<&str> = plain.split_whitespace().filter(|w| *w != STOP).collect();
        terms.sort_unstable();
        let times = terms.chunk_by(|a, b| a == b).map(<[&str]>::len);
        let times: Vec<u16> = times.map(|times| times as u16).collect();
        terms.dedup();
        let length = |slot: usize| self.texts[slot].words.iter().filter(|w| *w != STOP).count();
        let count = |slot: usize, term: &str| {
            let words = self.texts[slot].words.iter();
            words.filter(|word| *word == term).count()
        };
        let df = terms.iter().map(|term| {
            let holders = visible.iter().filter(|slot| count(**slot, term) > 0);
            holders.count() as u64
        });
        let texts = Texts {
            count: visible.len() as u64,
            length_total: visible.iter().map(|slot| length(*slot) as u64).sum(),
        };
        let (weights, scale) = weights(times.into_iter().zip(df), texts, &search.bm25);
        let mut hits = Vec::new();
        for &slot in &visible {
            let matches = terms.iter().any(|term| count(slot, term) > 0);
            let let_through = search
                .allowed
                .is_none_or(|allowed| allowed.has(slot as u32));
            if matches && let_through && phrases_occur(typed, &self.texts[slot].words) {
                let held = terms.iter().zip(&weights);
                let held = held.filter(|(term, _)| count(slot, term) > 0);
                let scores = held.map(|(term, weight)| {
                    weight.score(count(slot, term) as u32, length(slot) as u32)
                });
                hits.push(Hit {
                    slot: slot as u32,
                    score: scale.score(scores.sum()),
                });
            }
        }
        hits.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.slot.cmp(&b.slot)));
        hits.truncate(search.k);
        hits
    }
}

fn open(bytes: Vec<u8>) -> Result<TextIndex, BadText> {
    TextIndex::open(Bytes::from(bytes), settings())
}

fn phrases_occur(typed: &str, words: &[String]) -> bool {
    let phrases = typed.split('"').skip(1).step_by(2);
    phrases.into_iter().all(|phrase| {
        let phrase: Vec<&str> = phrase.split_whitespace().collect();
        let first = phrase.iter().position(|word| *word != STOP);
        let last = phrase.iter().rposition(|word| *word != STOP);
        let (Some(first), Some(last)) = (first, last) else {
            return true;
        };
        let phrase = &phrase[first..=last];
        let fits = |window: &[String]| {
            let mut pairs = window.iter().zip(phrase);
            pairs.all(|(word, asked)| *asked == STOP || word == asked)
        };
        words.windows(phrase.len()).any(fits)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn equals_its_twin(seed in any::<u64>(), steps in 0usize..900, vocabulary in 1u64..60) {
        let mut pair = Pair::new(seed, vocabulary);
        for _ in 0..steps {
            pair.step();
            if pair.rng.chance(0.05) {
                pair.check();
            }
        }
        for _ in 0..10 {
            pair.check();
        }
    }
}

/// Large enough for many blocks and windows, and for most of them to be skipped.
#[test]
fn equals_its_twin_when_large() {
    let mut pair = Pair::new(11, 3000);
    for round in 0..4 {
        for _ in 0..5000 {
            pair.push();
            if pair.rng.chance(0.2) {
                let slot = pair.rng.below(pair.texts.len() as u64);
                pair.supersede(slot as u32);
            }
        }
        if round < 3 {
            pair.index.roll();
            let frozen = open(pair.index.sealed().freeze()).expect("what was frozen opens");
            assert!(pair.index.adopt(frozen));
        }
        for _ in 0..10 {
            pair.check();
        }
    }
    assert!(pair.index.parts.len() <= 3, "sealed parts are merged");
}

/// However the parts were cut, the same block comes out in the end.
#[test]
fn freezing_in_steps_and_at_once_is_the_same() {
    let (mut once, mut steps) = (Pair::new(5, 40), Pair::new(5, 40));
    for n in 0..2000 {
        once.push();
        steps.push();
        if n % 70 == 0 {
            once.supersede(n / 2);
            steps.supersede(n / 2);
        }
        if n % 300 == 0 {
            steps.index.roll();
        }
    }
    let parts: Vec<_> = steps.index.part_refs().collect();
    assert!(parts.len() > 5);
    let print = settings().fingerprint();
    let merged = segment::write(&parts, print);
    let parts: Vec<_> = once.index.part_refs().collect();
    assert!(merged == segment::write(&parts, print));
}

fn frozen(texts: u32) -> (Vec<u8>, Pair) {
    let mut pair = Pair::new(3, 30);
    for n in 0..texts {
        pair.push();
        if n % 3 == 0 {
            pair.supersede(n / 2);
        }
    }
    pair.index.roll();
    (pair.index.freeze(), pair)
}

/// Searches, freezes and merges whatever opened: anything but a panic or a hang will do.
fn use_all(index: &TextIndex, pair: &mut Pair) {
    let visible = pair.visible(u64::MAX);
    for _ in 0..4 {
        let query = TextQuery::parse(&pair.query(), &pair.analyser);
        for statistics in [Statistics::Entry(pair.seq / 2), Statistics::Counted] {
            let search = TextSearch {
                query: &query,
                k: 5,
                bm25: Bm25::default(),
                statistics,
                visible: &visible,
                allowed: None::<&Bits>,
            };
            index.search(&search, &mut TextScratch::default());
        }
    }
    let parts: Vec<_> = index.part_refs().collect();
    segment::write(&parts, 0);
}

#[test]
fn damaged_bytes_never_panic() {
    let (bytes, mut pair) = frozen(700);
    let mut rng = Rng::new(8);
    let mut opened = 0;
    for round in 0..400 {
        let mut bad = bytes.clone();
        for _ in 0..=round % 4 {
            // The head and the directories are few among many bytes.
            let end = if rng.chance(0.5) {
                400
            } else {
                bad.len() as u64
            };
            let at = rng.below(end) as usize;
            bad[at] = match rng.below(3) {
                0 => 0xff,
                1 => bad[at] ^ 1 << rng.below(8),
                _ => rng.below(256) as u8,
            };
        }
        if rng.chance(0.1) {
            bad.truncate(rng.below(bad.len() as u64) as usize);
        }
        if let Ok(index) = open(bad) {
            opened += 1;
            use_all(&index, &mut pair);
        }
    }
    assert!(
        opened > 100,
        "damage inside must get past the door: {opened}"
    );
}

#[test]
fn what_is_no_index_is_refused() {
    let (bytes, pair) = frozen(20);
    let changed = |at: usize, to: u8| {
        let mut bytes = bytes.clone();
        bytes[at] = to;
        open(bytes).map(|_| ()).expect_err("it was changed")
    };
    assert_eq!(changed(0, b'X'), BadText::Magic);
    assert_eq!(changed(8, 9), BadText::Version(9));
    assert_eq!(changed(12, 60), BadText::Damaged("its directory is cut"));
    let segment = 16 + 16;
    assert_eq!(changed(segment, 0), BadSegment::Magic.into());
    assert_eq!(changed(segment + 8, 7), BadSegment::Version(7).into());
    assert_eq!(changed(segment + 12, 0), BadSegment::Settings.into());
    assert_eq!(
        changed(segment + 16, 1),
        BadText::Damaged("its segments do not follow each other")
    );
    let other = TextIndex::open(Bytes::from(bytes.clone()), TextSettings::default());
    assert_eq!(other.map(|_| ()), Err(BadSegment::Settings.into()));
    let cut = Bytes::from(bytes).slice(..40);
    assert!(TextIndex::open(cut, settings()).is_err());
    drop(pair);
}

#[test]
fn only_its_own_parts_are_adopted() {
    let (bytes, mut pair) = frozen(50);
    pair.push();
    pair.index.roll();
    let (other, _) = frozen(20);
    assert!(!pair.index.adopt(open(other).expect("it is good")));
    assert!(pair.index.adopt(open(bytes).expect("it is good")));
    assert_eq!(pair.index.next_slot(), 51);
    pair.check();
}
