//! Static token vectors: folders as model2vec lays them out, read, and made of an encoder.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use ::safetensors::tensor::TensorView;
use ::safetensors::{Dtype, serialize};
use anyhow::{Context, Result, bail, ensure};
use clap::Args as ClapArgs;
use embed::{Embedder, Prefixes, TableConfig, Tokenizer};
use half::f16;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::files::Folder;
use super::{Loaded, Wish, weights, words};
use crate::print;

const KIND: &str = "model2vec";
const ROWS: &str = "embeddings";
/// Of a word as likely as this half is left; likelier ones say less (Arora et al., "A simple but tough-to-beat baseline",
/// 2017; the value is model2vec's).
const HALF_AT: f64 = 1e-4;
/// Pieces that go through the encoder at a time.
const BATCH: usize = 256;

/// Arguments of `distil`.
#[derive(Debug, ClapArgs)]
pub struct DistilArgs {
    /// Where the new folder goes; it must not be there yet
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// The encoder: a folder with a BERT-family model [default: the packaged one]
    #[arg(long, value_name = "DIR")]
    embed_model: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

/// Whether a folder has static token vectors.
///
/// # Errors
/// When its configuration cannot be read.
pub fn is_table(folder: &Folder) -> Result<bool> {
    let config = folder.json("config.json")?.unwrap_or_default();
    Ok(config["model_type"] == KIND)
}

/// Reads them.
///
/// # Errors
/// Why they cannot be used.
pub fn load(folder: &Folder, wish: &Wish) -> Result<Loaded> {
    let (tokenizer, vocabulary, marks) = words::read_marked(folder)?;
    let weights = weights::open(folder)?;
    ensure!(
        weights.named("mapping").is_ok_and(|found| found.is_none()),
        "its tokens share rows (tensor `mapping`), which is not read here: distil it without quantising the vocabulary"
    );
    let Some(mut tensor) = weights.named(ROWS)? else {
        bail!("its weights have no tensor `{ROWS}`, as model2vec's have");
    };
    let [pieces, dim] = tensor.shape[..] else {
        bail!(
            "tensor `{ROWS}` has shape {:?}, and rows of components are wanted",
            tensor.shape
        );
    };
    if let Some(weights) = weights.named("weights")? {
        ensure!(
            weights.values.len() == pieces,
            "tensor `weights` has {} numbers for {pieces} rows",
            weights.values.len()
        );
        for (row, weight) in tensor
            .values
            .chunks_exact_mut(dim.max(1))
            .zip(&weights.values)
        {
            row.iter_mut().for_each(|value| *value *= weight);
        }
    }
    // Marks that the folder does without stand behind its pieces.
    tensor.values.resize((pieces + marks) * dim, 0.0);
    let prefixes = Prefixes {
        question: wish.question.clone().unwrap_or_default(),
        passage: wish.passage.clone().unwrap_or_default(),
    };
    let mut hash = Sha256::new();
    let habits = format!("{prefixes:?}");
    for part in [
        b"ouzel table 1".as_slice(),
        &vocabulary,
        habits.as_bytes(),
        weights.bytes(),
    ] {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    let config = TableConfig {
        name: folder.name().to_owned(),
        sha256: hash.finalize().into(),
        dim,
        rows: tensor.values,
        prefixes,
    };
    Ok(Loaded {
        embedder: Embedder::table(config, tokenizer)?,
        notes: Vec::new(),
    })
}

/// Makes static token vectors of an encoder: each piece of its vocabulary by itself, less the mean of all, and the less the more
/// common it is.
///
/// # Errors
/// When the encoder cannot be read or the folder not be written.
pub fn distil(args: &DistilArgs) -> Result<ExitCode> {
    let out = args.out.display();
    ensure!(
        !args.out.exists(),
        "--out: {out} is there already; name a new folder"
    );
    let encoder = match &args.embed_model {
        None => Embedder::packaged()?,
        Some(dir) => super::load(dir, &Wish::default())?.embedder,
    };
    let rows = rows(&encoder);
    write(&args.out, &encoder, &rows).with_context(|| format!("cannot write {out}"))?;
    let (pieces, dim) = (encoder.tokenizer().pieces(), encoder.dim());
    if args.json {
        print::json(
            &json!({"out": args.out, "model": encoder.model_id(), "pieces": pieces, "dim": dim}),
        );
    } else {
        print::line(format!(
            "{pieces} token vectors of {dim} components, made of {}, are in {out}; use them with --embed-model {out}",
            encoder.model_id()
        ));
    }
    Ok(ExitCode::SUCCESS)
}

/// `[pieces, dim]`.
fn rows(encoder: &Embedder) -> Vec<f32> {
    let (tokenizer, dim) = (encoder.tokenizer(), encoder.dim());
    let marks = encoder.tokens("");
    let texts: Vec<Vec<u32>> = (0..tokenizer.pieces() as u32)
        .map(|piece| vec![marks[0], piece, marks[marks.len() - 1]])
        .collect();
    let mut rows = Vec::with_capacity(texts.len() * dim);
    for batch in texts.chunks(BATCH) {
        let batch: Vec<&[u32]> = batch.iter().map(Vec::as_slice).collect();
        rows.extend(encoder.embed_tokens(&batch).concat());
    }
    let count = texts.len() as f64;
    let mut mean = vec![0.0f64; dim];
    for row in rows.chunks_exact(dim) {
        mean.iter_mut()
            .zip(row)
            .for_each(|(sum, value)| *sum += f64::from(*value) / count);
    }
    // Pieces stand in the order in which they were found, common ones first: their rank tells how likely they are (Zipf).
    let all: f64 = (0..texts.len()).map(|rank| 1.0 / (rank as f64 + 2.0)).sum();
    for (rank, row) in rows.chunks_exact_mut(dim).enumerate() {
        let likely = 1.0 / (rank as f64 + 2.0) / all;
        let weight = HALF_AT / (HALF_AT + likely);
        for (value, mean) in row.iter_mut().zip(&mean) {
            *value = ((f64::from(*value) - mean) * weight) as f32;
        }
    }
    rows
}

fn write(dir: &Path, encoder: &Embedder, rows: &[f32]) -> Result<()> {
    let (tokenizer, dim) = (encoder.tokenizer(), encoder.dim());
    std::fs::create_dir_all(dir)?;
    let numbers: Vec<u8> = rows
        .iter()
        .flat_map(|value| f16::from_f32(*value).to_le_bytes())
        .collect();
    let view = TensorView::new(Dtype::F16, vec![tokenizer.pieces(), dim], &numbers)?;
    let bytes = serialize([(ROWS, view)], None)?;
    std::fs::write(dir.join("model.safetensors"), bytes)?;
    let config = json!({
        "model_type": KIND, "architectures": ["StaticModel"], "tokenizer_name": encoder.model_id(), "hidden_dim": dim,
        "seq_length": 1_000_000, "normalize": true, "apply_zipf": true, "sif_coefficient": HALF_AT,
    });
    let put = |name: &str, value: &Value| {
        std::fs::write(dir.join(name), serde_json::to_vec_pretty(value)?).context(name.to_owned())
    };
    put("tokenizer.json", &tokenizer_json(tokenizer))?;
    // Last: without it the folder is no model.
    put("config.json", &config)
}

/// As the `tokenizers` library reads it.
fn tokenizer_json(tokenizer: &Tokenizer) -> Value {
    let rules = tokenizer.rules();
    let pieces = 0..tokenizer.pieces();
    let vocab: BTreeMap<&str, usize> = pieces
        .map(|number| (tokenizer.piece(number), number))
        .collect();
    json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": [],
        "normalizer": {
            "type": "BertNormalizer", "clean_text": true, "handle_chinese_chars": rules.ideographs,
            "strip_accents": rules.strip_accents, "lowercase": rules.lowercase,
        },
        "pre_tokenizer": {"type": "BertPreTokenizer"}, "post_processor": null, "decoder": {"type": "WordPiece", "prefix": "##", "cleanup": true},
        "model": {
            "type": "WordPiece", "unk_token": "[UNK]", "continuing_subword_prefix": "##", "max_input_chars_per_word": 100, "vocab": vocab,
        },
    })
}

#[cfg(test)]
mod tests {
    use embed::Role;

    use super::*;

    fn made(dir: &Path) -> PathBuf {
        let encoder =
            PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/models/heads-4");
        let out = dir.join("table");
        let args = DistilArgs {
            out: out.clone(),
            embed_model: Some(encoder),
            json: true,
        };
        distil(&args).expect("makes a table");
        out
    }

    fn json_of(path: &Path) -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("reads")).expect("JSON")
    }

    #[test]
    fn a_text_has_the_mean_of_its_tokens() {
        let dir = tempfile::tempdir().expect("a folder");
        let out = made(dir.path());
        let table = super::super::load(&out, &Wish::default())
            .expect("loads")
            .embedder;
        let pieces = (0..table.tokenizer().pieces()).map(|n| table.tokenizer().piece(n).to_owned());
        let words: Vec<String> = pieces
            .filter(|p| p.len() > 1 && p.chars().all(|c| c.is_ascii_lowercase()))
            .take(2)
            .collect();
        let [one, two] = &words[..] else {
            panic!("words: {words:?}")
        };
        // Rows as they are in the file, by a reader of its own.
        let bytes = std::fs::read(out.join("model.safetensors")).expect("reads");
        let found = ::safetensors::SafeTensors::deserialize(&bytes).expect("whole");
        let rows = found.tensor(ROWS).expect("rows");
        let dim = rows.shape()[1];
        let row = |word: &str| -> Vec<f32> {
            let number = (0..rows.shape()[0])
                .find(|n| table.tokenizer().piece(*n) == word)
                .expect("a piece");
            let bytes = &rows.data()[number * dim * 2..][..dim * 2];
            bytes
                .as_chunks::<2>()
                .0
                .iter()
                .map(|b| f16::from_le_bytes(*b).to_f32())
                .collect()
        };
        let sum: Vec<f32> = row(one).iter().zip(row(two)).map(|(a, b)| a + b).collect();
        let length = sum.iter().map(|v| v * v).sum::<f32>().sqrt();
        let told = table.embed(&format!("{one}, {two}")).expect("a vector");
        let without = table.embed(&format!("{two} {one}")).expect("a vector");
        for (n, sum) in sum.iter().enumerate() {
            assert!((without[n] - sum / length).abs() < 1e-5);
        }
        // A comma is a piece of its own, or an unknown one, which says nothing.
        assert_eq!(told.len(), dim);
        assert_ne!(
            table.tokens_as(Role::Passage, one),
            table.tokens_as(Role::Passage, two)
        );
        let nothing = table.embed("").expect("a vector");
        assert!((nothing.iter().map(|v| v * v).sum::<f32>() - 1.0).abs() < 1e-5);
    }

    #[test]
    fn marks_may_be_missing_and_rows_may_not() {
        let dir = tempfile::tempdir().expect("a folder");
        let out = made(dir.path());
        let before = super::super::load(&out, &Wish::default())
            .expect("loads")
            .embedder;
        let path = out.join("tokenizer.json");
        let mut tokenizer = json_of(&path);
        let vocab = tokenizer["model"]["vocab"].as_object_mut().expect("pieces");
        // As model2vec leaves them out, here without the numbers closing up.
        vocab.remove("[CLS]");
        vocab.remove("[SEP]");
        std::fs::write(&path, tokenizer.to_string()).expect("writes");
        let after = super::super::load(&out, &Wish::default())
            .expect("loads without marks")
            .embedder;
        let text = before
            .tokenizer()
            .piece(before.tokenizer().pieces() - 1)
            .to_owned();
        assert_eq!(
            before.embed(&text).expect("a vector"),
            after.embed(&text).expect("a vector")
        );
        assert_ne!(before.model_id(), after.model_id());

        let vocab = tokenizer["model"]["vocab"].as_object_mut().expect("pieces");
        let count = vocab.len() as u64;
        for extra in 0..5 {
            vocab.insert(format!("extra{extra}"), (count + 10 + extra).into());
        }
        std::fs::write(&path, tokenizer.to_string()).expect("writes");
        let refused = super::super::load(&out, &Wish::default())
            .err()
            .expect("refused");
        assert!(
            format!("{refused:#}").contains("belong to different models"),
            "{refused:#}"
        );
        let again = distil(&DistilArgs {
            out,
            embed_model: None,
            json: true,
        })
        .expect_err("is there");
        assert!(again.to_string().contains("is there already"), "{again}");
    }
}
