//! The node's embedder with a memory: texts that were embedded before are looked up, by a file where
//! the caller asked for one.
//!
//! The file is named after the model and holds records of one text's sha256 (its first 16 bytes) and one
//! vector of little-endian f32; a record that a crash cut short is dropped.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{BufWriter, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError, RwLock};

use anyhow::{Context, Result};
use embed::Role;
use rag::{Embed, Fault};
use sha2::{Digest, Sha256};

const KEY: usize = 16;
/// Texts that a thread takes at a time: of about one length, so that short ones share passes.
const BATCH: usize = 64;

type Key = [u8; KEY];

/// An embedder that remembers.
pub struct Vectors<'a> {
    embed: &'a (dyn Embed + Sync),
    known: RwLock<HashMap<Key, Vec<f32>>>,
    file: Option<Mutex<BufWriter<File>>>,
}

impl<'a> Vectors<'a> {
    /// Reads what `dir` has of the embedder's model; without a folder nothing is kept.
    ///
    /// # Errors
    /// When the folder or the file cannot be made, read or mended.
    pub fn open(embed: &'a (dyn Embed + Sync), dim: usize, dir: Option<&Path>) -> Result<Self> {
        let Some(dir) = dir else {
            return Ok(Self {
                embed,
                known: RwLock::default(),
                file: None,
            });
        };
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let model = embed.model_id().replace(['/', ':', ' '], "-");
        let path = dir.join(format!("{model}.vectors"));
        let context = || format!("cannot use the cache {}", path.display());
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(&path)
            .with_context(context)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).with_context(context)?;
        let size = KEY + dim * size_of::<f32>();
        let whole = bytes.len() / size * size;
        file.set_len(whole as u64).with_context(context)?;
        let known = bytes.chunks_exact(size).map(record).collect();
        Ok(Self {
            embed,
            known: RwLock::new(known),
            file: Some(Mutex::new(BufWriter::new(file))),
        })
    }

    /// Embeds those of `texts` that are not known yet, on all cores; `told` hears how many are done.
    ///
    /// # Errors
    /// When the embedder or the file fails.
    pub fn learn(
        &self,
        role: Role,
        texts: &[String],
        told: &(dyn Fn(usize, usize) + Sync),
    ) -> Result<()> {
        let mut missing: Vec<(Key, &str)> = {
            let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
            let keyed = texts.iter().map(|text| (key(role, text), text.as_str()));
            keyed.filter(|(key, _)| !known.contains_key(key)).collect()
        };
        missing.sort_by_key(|(key, text)| (text.len(), *key));
        missing.dedup_by_key(|(key, _)| *key);
        let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let work = || -> Result<()> {
            loop {
                let start = next.fetch_add(BATCH, Ordering::Relaxed);
                let Some(batch) = missing.get(start..(start + BATCH).min(missing.len())) else {
                    return Ok(());
                };
                let found: Vec<&str> = batch.iter().map(|(_, text)| *text).collect();
                let vectors = match role {
                    Role::Passage => self.embed.embed_batch(&found)?,
                    Role::Question => {
                        let each = found.iter().map(|text| self.embed.embed(text));
                        each.collect::<Result<_, _>>()?
                    }
                };
                self.keep(batch.iter().map(|(key, _)| *key).zip(vectors))?;
                let done = done.fetch_add(batch.len(), Ordering::Relaxed) + batch.len();
                told(done, missing.len());
            }
        };
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..threads).map(|_| scope.spawn(work)).collect();
            threads
                .into_iter()
                .try_for_each(|thread| match thread.join() {
                    Ok(outcome) => outcome,
                    Err(_) => anyhow::bail!("a thread that embeds died"),
                })
        })?;
        self.flush()
    }

    fn keep(&self, found: impl Iterator<Item = (Key, Vec<f32>)>) -> Result<()> {
        let found: Vec<(Key, Vec<f32>)> = found.collect();
        if let Some(file) = &self.file {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            for (key, vector) in &found {
                let values = vector.iter().flat_map(|v| v.to_le_bytes());
                let record: Vec<u8> = key.iter().copied().chain(values).collect();
                file.write_all(&record).context("cannot write the cache")?;
            }
        }
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        known.extend(found);
        Ok(())
    }

    fn flush(&self) -> Result<()> {
        let Some(file) = &self.file else {
            return Ok(());
        };
        let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
        file.flush().context("cannot write the cache")
    }

    fn look_up(&self, role: Role, text: &str) -> Option<Vec<f32>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        known.get(&key(role, text)).cloned()
    }
}

impl Embed for Vectors<'_> {
    fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
        self.look_up(Role::Question, text)
            .map_or_else(|| self.embed.embed(text), Ok)
    }

    fn embed_batch(&self, texts: &[&str]) -> Result<Vec<Vec<f32>>, Fault> {
        let known = texts.iter().map(|text| self.look_up(Role::Passage, text));
        match known.collect::<Option<Vec<_>>>() {
            Some(vectors) => Ok(vectors),
            None => self.embed.embed_batch(texts),
        }
    }

    fn model_id(&self) -> String {
        self.embed.model_id()
    }
}

/// A model may want other words before a question than before a passage, so their vectors are not the same.
fn key(role: Role, text: &str) -> Key {
    let mut hash = Sha256::new();
    if role == Role::Question {
        hash.update(b"question\0");
    }
    hash.update(text.as_bytes());
    let mut key = [0; KEY];
    key.copy_from_slice(&hash.finalize()[..KEY]);
    key
}

fn record(bytes: &[u8]) -> (Key, Vec<f32>) {
    let (head, values) = bytes.split_at(KEY);
    let mut key = [0; KEY];
    key.copy_from_slice(head);
    let values = values.as_chunks::<4>().0.iter();
    (key, values.map(|four| f32::from_le_bytes(*four)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Counts what it is asked.
    #[derive(Default)]
    struct Lengths(AtomicUsize);

    impl Embed for Lengths {
        fn embed(&self, text: &str) -> Result<Vec<f32>, Fault> {
            self.0.fetch_add(1, Ordering::Relaxed);
            Ok(vec![text.len() as f32, 1.0])
        }

        fn model_id(&self) -> String {
            "a/model".to_owned()
        }
    }

    #[test]
    fn a_text_is_embedded_once_and_kept_over_runs() {
        let dir = tempfile::tempdir().expect("a folder");
        let texts: Vec<String> = (0..200).map(|n| "x".repeat(n % 150)).collect();
        for (run, asked) in [(0, 150), (1, 0)] {
            let lengths = Lengths::default();
            let vectors = Vectors::open(&lengths, 2, Some(dir.path())).expect("opens");
            vectors
                .learn(Role::Question, &texts, &|_, _| {})
                .expect("learns");
            assert_eq!(lengths.0.load(Ordering::Relaxed), asked, "run {run}");
            assert_eq!(vectors.embed("xxx"), Ok(vec![3.0, 1.0]));
        }
    }

    #[test]
    fn a_record_cut_short_is_dropped() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("a-model.vectors");
        let lengths = Lengths::default();
        let learn = |texts: &[&str]| {
            let texts: Vec<String> = texts.iter().map(|t| (*t).to_owned()).collect();
            let vectors = Vectors::open(&lengths, 2, Some(dir.path())).expect("opens");
            vectors
                .learn(Role::Question, &texts, &|_, _| {})
                .expect("learns");
            lengths.0.swap(0, Ordering::Relaxed)
        };
        assert_eq!(learn(&["a", "bb"]), 2);
        let bytes = std::fs::read(&path).expect("was written");
        std::fs::write(&path, &bytes[..bytes.len() - 3]).expect("writes");
        assert_eq!(learn(&["a", "bb"]), 1);
        assert_eq!(learn(&["a", "bb"]), 0);
    }
}
