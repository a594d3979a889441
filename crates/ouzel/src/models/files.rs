//! The files of a model's folder.

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

/// Configurations and vocabularies.
const TEXT_BYTES_LIMIT: u64 = 64 << 20;
/// Weights: the largest BERTs have 1.4 GB.
const WEIGHTS_BYTES_LIMIT: u64 = 4 << 30;
/// Characters of a model's name that are kept.
const NAME_LIMIT: usize = 64;

/// What a folder of weights in a store of large files has in their place.
const POINTER: &[u8] = b"version https://git-lfs";

/// A folder that may hold a model.
pub struct Folder {
    dir: PathBuf,
    name: String,
}

impl Folder {
    /// # Errors
    /// When it is no folder with a configuration.
    pub fn open(dir: &Path) -> Result<Self> {
        let shown = dir.display();
        let meta = std::fs::metadata(dir).with_context(|| {
            format!("--embed-model: cannot read {shown}; name the folder of a model")
        })?;
        if meta.is_file() {
            let parent = dir.parent().filter(|parent| !parent.as_os_str().is_empty());
            let parent = parent.unwrap_or(Path::new(".")).display();
            bail!(
                "--embed-model: {shown} is a file; name the folder that it is in: --embed-model {parent}"
            );
        }
        let folder = Self {
            dir: dir.to_path_buf(),
            name: name_of(dir),
        };
        if !folder.has("config.json") {
            bail!(
                "--embed-model: {shown} has no config.json{}; a model's folder has config.json, tokenizer.json or vocab.txt, \
                 and model.safetensors or model.onnx",
                folder.hint()
            );
        }
        Ok(folder)
    }

    /// What people call it: the folder's name, or the repository's in a cache of Hugging Face.
    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn has(&self, name: &str) -> bool {
        self.dir.join(name).is_file()
    }

    /// Names of files here that end so, in order.
    pub fn ending(&self, ending: &str) -> Vec<String> {
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(ending)).collect();
        names.sort();
        names
    }

    /// A whole file of text.
    ///
    /// # Errors
    /// When it cannot be read or is too long.
    pub fn bytes(&self, name: &str) -> Result<Vec<u8>> {
        self.read(name, TEXT_BYTES_LIMIT)
    }

    /// A whole file of weights.
    ///
    /// # Errors
    /// When it cannot be read, is too long, or is a pointer to what should be here.
    pub fn weights(&self, name: &str) -> Result<Vec<u8>> {
        self.read(name, WEIGHTS_BYTES_LIMIT)
    }

    /// A JSON object; `None` where there is no such file.
    ///
    /// # Errors
    /// When it cannot be read or is none.
    pub fn json(&self, name: &str) -> Result<Option<Value>> {
        if !self.has(name) {
            return Ok(None);
        }
        let value = serde_json::from_slice(&self.bytes(name)?);
        value
            .map(Some)
            .with_context(|| format!("{name} is no JSON"))
    }

    fn read(&self, name: &str, limit: u64) -> Result<Vec<u8>> {
        let path = self.dir.join(name);
        let file = std::fs::File::open(&path).with_context(|| format!("cannot open {name}"))?;
        let mut bytes = Vec::new();
        let mut reader = file.take(limit + 1);
        reader
            .read_to_end(&mut bytes)
            .with_context(|| format!("cannot read {name}"))?;
        ensure!(bytes.len() as u64 <= limit, "{name} has over {limit} bytes");
        ensure!(
            !bytes.starts_with(POINTER),
            "{name} is a pointer of Git LFS, not the file itself: run `git lfs pull` in the folder"
        );
        Ok(bytes)
    }

    /// What is here instead.
    fn hint(&self) -> String {
        if !self.ending(".gguf").is_empty() {
            return " but GGUF files, which an endpoint can serve (--embed-url)".to_owned();
        }
        let entries = std::fs::read_dir(&self.dir).into_iter().flatten().flatten();
        let inner = entries
            .map(|entry| entry.path())
            .find(|path| path.join("config.json").is_file());
        inner.map_or(String::new(), |path| {
            format!(", but {} has", path.display())
        })
    }
}

/// `.../models--BAAI--bge-small/snapshots/0123abcd` is called `BAAI--bge-small`.
fn name_of(dir: &Path) -> String {
    let whole = dir.canonicalize().unwrap_or_else(|_| dir.to_path_buf());
    let named = |path: &Path| {
        path.file_name()
            .map(|name| name.to_string_lossy().into_owned())
    };
    let parts: Vec<String> = whole.ancestors().take(3).filter_map(named).collect();
    let name = match parts.as_slice() {
        [_, snapshots, cached] if snapshots == "snapshots" => {
            cached.strip_prefix("models--").unwrap_or(cached).to_owned()
        }
        [name, ..] => name.clone(),
        [] => "model".to_owned(),
    };
    let harmless = |c: char| {
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            c
        } else {
            '-'
        }
    };
    name.chars().take(NAME_LIMIT).map(harmless).collect()
}
