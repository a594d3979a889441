//! A user's model: a folder as Hugging Face and sentence-transformers lay it out, read into plain data for `embed`.
//!
//! ```text
//! config.json, 1_Pooling/, modules.json ──> sizes and habits ─┐
//! tokenizer.json or vocab.txt ───────────> pieces and rules ──┼──> an embedder, or the reason why not
//! model.safetensors or model.onnx ───────> tensors by name ───┘
//! ```
//!
//! Where config.json says `model2vec` it is a table of static token vectors (`fixed`).

mod config;
mod files;
mod fixed;
mod onnx;
mod safetensors;
mod weights;
mod words;

pub use fixed::{DistilArgs, distil};

#[cfg(test)]
mod tests;

use std::path::Path;

use anyhow::{Context, Result, bail};
use embed::{Embedder, Prefixes};
use sha2::{Digest, Sha256};

use config::Config;
use files::Folder;

/// Least cosine of int8 vectors with those of the f32 weights below which a model is doubted, and refused.
const DOUBTED_BELOW: f32 = 0.995;
const REFUSED_BELOW: f32 = 0.95;

/// Words that the user has put before texts, in place of those that the folder names.
#[derive(Clone, Debug, Default)]
pub struct Wish {
    pub question: Option<String>,
    pub passage: Option<String>,
}

/// A model and what its user should know of it.
pub struct Loaded {
    pub embedder: Embedder,
    pub notes: Vec<String>,
}

/// Reads the model in `dir`.
///
/// # Errors
/// Why it cannot be used, and what to do.
pub fn load(dir: &Path, wish: &Wish) -> Result<Loaded> {
    let folder = Folder::open(dir)?;
    loaded(&folder, wish).with_context(|| format!("cannot use the model in {}", dir.display()))
}

fn loaded(folder: &Folder, wish: &Wish) -> Result<Loaded> {
    if fixed::is_table(folder)? {
        return fixed::load(folder, wish);
    }
    let mut notes = Vec::new();
    let config = Config::read(folder)?;
    let prefixes = prefixes(folder, &config, wish, &mut notes);
    let (tokenizer, vocabulary) = words::read(folder)?;
    let weights = weights::open(folder)?;
    // Whatever a vector depends on: a change of it makes another model.
    let mut hash = Sha256::new();
    for part in [
        b"ouzel int8 rows 1".as_slice(),
        &folder.bytes("config.json")?,
        &vocabulary,
        config.habits(&prefixes).as_bytes(),
        weights.bytes(),
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let bert = config.bert(folder.name(), hash.finalize().into(), prefixes);
    let (embedder, cosine) = Embedder::bert(&bert, tokenizer, &weights)?;
    if cosine < REFUSED_BELOW {
        bail!(
            "its weights do not survive as int8: a vector has cosine {cosine:.3} with that of the f32 weights (at least \
             {REFUSED_BELOW} is needed); have an endpoint serve it, with --embed-url"
        );
    }
    if cosine < DOUBTED_BELOW {
        notes.push(format!(
            "as int8 its vectors have cosine {cosine:.3} or more with those of the f32 weights, where {DOUBTED_BELOW} is \
             usual: measure with `ouzel eval retrieval`"
        ));
    }
    Ok(Loaded { embedder, notes })
}

/// What stands before texts: the user's word, then the folder's, then what E5 is known to want.
fn prefixes(folder: &Folder, config: &Config, wish: &Wish, notes: &mut Vec<String>) -> Prefixes {
    let mut found = config.prompts.clone();
    let nothing_said =
        found == Prefixes::default() && wish.question.is_none() && wish.passage.is_none();
    if nothing_said && config.is_e5(folder.name()) {
        found = Prefixes {
            question: "query: ".to_owned(),
            passage: "passage: ".to_owned(),
        };
        notes.push(
            "by its name an E5 model: \"query: \" and \"passage: \" stand before texts; --embed-query-prefix and \
             --embed-passage-prefix say otherwise"
                .to_owned(),
        );
    }
    Prefixes {
        question: wish.question.clone().unwrap_or(found.question),
        passage: wish.passage.clone().unwrap_or(found.passage),
    }
}
