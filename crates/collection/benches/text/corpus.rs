//! Texts to search and questions to ask of them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use stdx::Rng;

pub struct Corpus {
    pub name: String,
    pub texts: Vec<String>,
    pub questions: Vec<Questions>,
}

pub struct Questions {
    pub name: &'static str,
    pub texts: Vec<String>,
    /// Whether quotes are marks of phrases.
    pub phrases: bool,
}

/// News stories, with their headlines as questions.
pub fn reuters(limit: usize) -> Corpus {
    let folder = shared().join("reuters21578");
    let texts = column(&unpack(&folder.join("stories.jsonl.gz")), "body", limit);
    let headlines = read(&folder.join("headline_queries.jsonl"));
    real(
        "Reuters stories",
        texts,
        "headlines",
        column(&headlines, "text", 500),
    )
}

/// Pages of filings, with analysts' questions.
pub fn financebench(limit: usize) -> Corpus {
    let folder = shared().join("financebench");
    let texts = column(&unpack(&folder.join("corpus.jsonl.gz")), "text", limit);
    let asked = read(&folder.join("queries.jsonl"));
    real(
        "FinanceBench pages",
        texts,
        "questions",
        column(&asked, "text", 500),
    )
}

fn real(what: &str, texts: Vec<String>, name: &'static str, asked: Vec<String>) -> Corpus {
    let common = [
        "company year",
        "million dollars share",
        "bank rate",
        "net income",
        "new",
    ];
    let phrases = [
        "\"cash flow\"",
        "\"net income\" quarter",
        "\"the end of the year\"",
        "\"interest rates\"",
    ];
    let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
    Corpus {
        name: format!("{what} ({} texts)", texts.len()),
        texts,
        questions: vec![
            Questions {
                name,
                texts: asked,
                phrases: false,
            },
            Questions {
                name: "common words",
                texts: owned(&common),
                phrases: false,
            },
            Questions {
                name: "phrases",
                texts: owned(&phrases),
                phrases: true,
            },
        ],
    }
}

const VOCABULARY: usize = 200_000;

/// Words by Zipf's law, lengths log-normal about 45.
pub fn synthetic(count: usize) -> Corpus {
    let mut rng = Rng::new(4);
    let mut total = 0.0;
    let sums: Vec<f64> = (0..VOCABULARY)
        .map(|rank| {
            total += 1.0 / (rank as f64 + 2.7).powf(1.05);
            total
        })
        .collect();
    let draw = |rng: &mut Rng| {
        let at = rng.f64() * total;
        sums.partition_point(|sum| *sum < at).min(VOCABULARY - 1)
    };
    let texts = (0..count)
        .map(|_| {
            let length = (3.8 + 0.6 * rng.normal()).exp().clamp(3.0, 600.0) as usize;
            let words: Vec<String> = (0..length)
                .map(|_| format!("w{}", draw(&mut rng)))
                .collect();
            words.join(" ")
        })
        .collect();
    let mut ask = |name, words: usize, word: &dyn Fn(&mut Rng) -> usize| {
        let texts = (0..60).map(|_| {
            let words: Vec<String> = (0..words).map(|_| format!("w{}", word(&mut rng))).collect();
            words.join(" ")
        });
        Questions {
            name,
            texts: texts.collect(),
            phrases: false,
        }
    };
    let common = |rng: &mut Rng| rng.below(60) as usize;
    let rare = |rng: &mut Rng| 5_000 + rng.below(50_000) as usize;
    let questions = vec![
        ask("one of the 60 commonest words", 1, &common),
        ask("two of the 60 commonest words", 2, &common),
        ask("four of the 60 commonest words", 4, &common),
        ask("four words drawn like those of texts", 4, &draw),
        ask("ten words drawn like those of texts", 10, &draw),
        ask("two rare words", 2, &rare),
    ];
    Corpus {
        name: format!("synthetic: {count} texts of words by Zipf's law"),
        texts,
        questions,
    }
}

/// Where the shared data lies: beside the checkout or above it.
fn shared() -> PathBuf {
    let start = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    let mut places = start.ancestors().map(|dir| dir.join("shared/data/text"));
    places
        .find(|dir| dir.is_dir())
        .expect("the shared folder beside the checkout")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).expect("the file is in the shared folder")
}

fn unpack(path: &Path) -> String {
    let mut unpacked = Command::new("gzip")
        .arg("-dc")
        .arg(path)
        .stdout(Stdio::piped())
        .spawn()
        .expect("gzip is installed");
    let mut text = String::new();
    let mut out = unpacked.stdout.take().expect("it was asked for");
    out.read_to_string(&mut text).expect("texts are UTF-8");
    unpacked.wait().expect("it has ended");
    text
}

fn column(lines: &str, key: &str, limit: usize) -> Vec<String> {
    let field = |line: &str| -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value[key].as_str().map(str::to_owned)
    };
    lines.lines().filter_map(field).take(limit).collect()
}
