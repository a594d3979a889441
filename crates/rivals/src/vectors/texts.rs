//! Texts to search: the Reuters stories where the shared folder has them, else words drawn by rank.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use stdx::Rng;

/// Texts, questions, and what they are.
pub struct Texts {
    pub texts: Vec<String>,
    pub queries: Vec<String>,
    pub words: String,
}

const STORIES_LIMIT: usize = 19_000;
const QUERIES: usize = 100;

/// The texts of this run.
pub fn load(limit: usize) -> Texts {
    let limit = limit.min(STORIES_LIMIT);
    reuters(limit).unwrap_or_else(|| synthetic(limit))
}

/// The shared folder beside the checkout, or where `OUZEL_SHARED` says.
fn shared() -> Option<PathBuf> {
    if let Ok(path) = std::env::var("OUZEL_SHARED") {
        return Some(path.into());
    }
    let start = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    start
        .ancestors()
        .map(|dir| dir.join("shared/data"))
        .find(|dir| dir.is_dir())?
        .parent()
        .map(Into::into)
}

fn reuters(limit: usize) -> Option<Texts> {
    let folder = shared()?.join("data/text/reuters21578");
    // Unpacked by the system's gzip: this crate needs no decompressor for one file.
    let mut unpacked = Command::new("gzip")
        .arg("-dc")
        .arg(folder.join("stories.jsonl.gz"))
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .ok()?;
    let mut stories = String::new();
    unpacked.stdout.take()?.read_to_string(&mut stories).ok()?;
    unpacked.wait().ok()?;
    let field = |line: &str, key: &str| -> Option<String> {
        let value: serde_json::Value = serde_json::from_str(line).ok()?;
        value[key].as_str().map(str::to_owned)
    };
    let texts: Vec<String> = stories
        .lines()
        .filter_map(|line| field(line, "body"))
        .take(limit)
        .collect();
    let queries = std::fs::read_to_string(folder.join("headline_queries.jsonl")).ok()?;
    let queries: Vec<String> = queries
        .lines()
        .filter_map(|line| field(line, "text"))
        .take(QUERIES)
        .collect();
    let words = format!(
        "{} Reuters-21578 stories, {} headline queries",
        texts.len(),
        queries.len()
    );
    (!texts.is_empty() && !queries.is_empty()).then_some(Texts {
        texts,
        queries,
        words,
    })
}

/// Words by Zipf's law out of 30,000, 120 a text, five a query.
fn synthetic(limit: usize) -> Texts {
    let mut rng = Rng::new(11);
    let mut say = |count: usize| {
        let words = (0..count).map(|_| format!("w{}", (30_000f64.powf(rng.f64())) as u32));
        words.collect::<Vec<_>>().join(" ")
    };
    Texts {
        texts: (0..limit).map(|_| say(120)).collect(),
        queries: (0..QUERIES).map(|_| say(5)).collect(),
        words: format!(
            "SYNTHETIC: {limit} texts of 120 words by Zipf's law (no shared folder found)"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn synthetic_texts_say_that_they_are() {
        let texts = synthetic(20);
        assert_eq!((texts.texts.len(), texts.queries.len()), (20, QUERIES));
        assert!(texts.words.starts_with("SYNTHETIC"));
    }
}
