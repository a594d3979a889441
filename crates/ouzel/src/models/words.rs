//! The tokenizer: WordPiece by `tokenizer.json`, or `vocab.txt` with `tokenizer_config.json`.

use anyhow::{Context, Result, bail, ensure};
use embed::{Tokenizer, WordRules};
use serde_json::Value;

use super::files::Folder;

/// Characters of a word beyond which it is unknown as a whole: in all of BERT's.
const WORD_CHARS: u64 = 100;
/// More than any vocabulary has.
const PIECES_LIMIT: u64 = 4 << 20;

/// The tokenizer, and the bytes that it was read from.
///
/// # Errors
/// When there is none, or another kind than BERT's.
pub fn read(folder: &Folder) -> Result<(Tokenizer, Vec<u8>)> {
    read_with(folder, |pieces| pieces)
}

/// As [`read`], and a `tokenizer.json` without marks gets them behind its pieces, which is counted: tables of static vectors
/// need none.
///
/// # Errors
/// As `read`.
pub fn read_marked(folder: &Folder) -> Result<(Tokenizer, Vec<u8>, usize)> {
    let mut added = 0;
    let (tokenizer, bytes) = read_with(folder, |mut pieces| {
        for mark in ["[CLS]", "[SEP]"] {
            if !pieces.split('\n').any(|piece| piece == mark) {
                pieces.push('\n');
                pieces.push_str(mark);
                added += 1;
            }
        }
        pieces
    })?;
    Ok((tokenizer, bytes, added))
}

fn read_with(
    folder: &Folder,
    marked: impl FnOnce(String) -> String,
) -> Result<(Tokenizer, Vec<u8>)> {
    if let Some(json) = folder.json("tokenizer.json")? {
        let tokenizer = whole(&json, marked).context("tokenizer.json")?;
        return Ok((tokenizer, folder.bytes("tokenizer.json")?));
    }
    ensure!(
        folder.has("vocab.txt"),
        "there is neither tokenizer.json nor vocab.txt{}",
        other_kind(folder)
    );
    let bytes = folder.bytes("vocab.txt")?;
    let text = std::str::from_utf8(&bytes).context("vocab.txt is no UTF-8")?;
    let lines: Vec<&str> = text.trim_end_matches(['\r', '\n']).lines().collect();
    let config = folder.json("tokenizer_config.json")?.unwrap_or_default();
    let rules = rules(
        &config,
        ["do_lower_case", "strip_accents", "tokenize_chinese_chars"],
    );
    let tokenizer = Tokenizer::from_vocabulary(&lines.join("\n")).context("vocab.txt")?;
    let hashed = format!("{rules:?}\n{}", lines.join("\n"));
    Ok((tokenizer.with_rules(rules), hashed.into_bytes()))
}

fn other_kind(folder: &Folder) -> &'static str {
    let has = |name| folder.has(name);
    if has("sentencepiece.bpe.model")
        || has("spiece.model")
        || has("tokenizer.model")
        || has("merges.txt")
    {
        return "; what is there is no WordPiece, so the model is none of the BERT family";
    }
    ""
}

/// What is not said is as in the uncased models; accents go with the case.
fn rules(json: &Value, [lowercase, accents, ideographs]: [&str; 3]) -> WordRules {
    let lowercase = json[lowercase].as_bool().unwrap_or(true);
    WordRules {
        lowercase,
        strip_accents: json[accents].as_bool().unwrap_or(lowercase),
        ideographs: json[ideographs].as_bool().unwrap_or(true),
    }
}

fn whole(json: &Value, marked: impl FnOnce(String) -> String) -> Result<Tokenizer> {
    let kind = |part: &str| json[part]["type"].as_str().unwrap_or("none").to_owned();
    let model = &json["model"];
    // Older files do not name the kind of their model.
    let model_kind = model["type"].as_str().unwrap_or("WordPiece");
    ensure!(
        model_kind == "WordPiece",
        "its model is {model_kind}, and only WordPiece is read here"
    );
    for (part, wanted) in [
        ("normalizer", "BertNormalizer"),
        ("pre_tokenizer", "BertPreTokenizer"),
    ] {
        let found = kind(part);
        ensure!(
            found == wanted,
            "its {part} is {found}, and only {wanted} is read here"
        );
    }
    let prefix = model["continuing_subword_prefix"].as_str().unwrap_or("##");
    ensure!(
        prefix == "##",
        "pieces within a word begin with {prefix:?}, not with \"##\""
    );
    let longest = model["max_input_chars_per_word"]
        .as_u64()
        .unwrap_or(WORD_CHARS);
    ensure!(
        longest == WORD_CHARS,
        "max_input_chars_per_word is {longest}, not {WORD_CHARS}"
    );
    ensure!(
        json["normalizer"]["clean_text"].as_bool().unwrap_or(true),
        "its normalizer does not clean texts, as all of BERT's do"
    );
    let rules = rules(
        &json["normalizer"],
        ["lowercase", "strip_accents", "handle_chinese_chars"],
    );
    let tokenizer = Tokenizer::from_vocabulary(&marked(vocabulary(&model["vocab"])?))?;
    Ok(tokenizer.with_rules(rules))
}

/// A piece a line; numbers that no piece has get one that no text can have.
fn vocabulary(json: &Value) -> Result<String> {
    let Some(pieces) = json.as_object() else {
        bail!("`model.vocab` is not an object of pieces and their numbers");
    };
    let mut lines: Vec<Option<&str>> = Vec::new();
    for (piece, number) in pieces {
        let number = number.as_u64().filter(|number| *number < PIECES_LIMIT);
        let Some(number) = number.and_then(|number| usize::try_from(number).ok()) else {
            bail!("piece {piece:?} has no number below {PIECES_LIMIT}");
        };
        ensure!(
            !piece.contains('\n'),
            "piece {piece:?} has a line feed in it"
        );
        if lines.len() <= number {
            lines.resize(number + 1, None);
        }
        let before = lines[number].replace(piece);
        ensure!(before.is_none(), "two pieces have the number {number}");
    }
    let unused = |number| format!("[no piece {number}]");
    let lines = lines.into_iter().enumerate();
    let lines: Vec<String> = lines
        .map(|(number, line)| line.map_or_else(|| unused(number), str::to_owned))
        .collect();
    Ok(lines.join("\n"))
}
