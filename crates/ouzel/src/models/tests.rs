//! Small synthetic models of many shapes against plain numpy, and folders that must be refused. Models that people use are
//! looked for in `OUZEL_MODELS`: folders with an `expected.json` beside the weights.

use std::fs;
use std::path::{Path, PathBuf};

use embed::{Kernel, Role};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::*;

const SHAPES: [&str; 6] = [
    "heads-4",
    "heads-16",
    "heads-26",
    "heads-32",
    "heads-64",
    "heads-100",
];

fn testdata() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../testdata/models")
}

fn cosine(a: &[f32], b: &[Value]) -> f64 {
    let b: Vec<f64> = b.iter().filter_map(Value::as_f64).collect();
    assert_eq!(a.len(), b.len());
    let length = b.iter().map(|b| b * b).sum::<f64>().sqrt();
    a.iter()
        .zip(&b)
        .map(|(a, b)| f64::from(*a) * b)
        .sum::<f64>()
        / length
}

/// The least cosine with the expected vectors, over all kernels.
fn least_cosine(dir: &Path) -> f64 {
    let expected: Value =
        serde_json::from_str(&fs::read_to_string(dir.join("expected.json")).expect("reads"))
            .expect("parses");
    let mut least = 1.0_f64;
    for kernel in Kernel::available() {
        let embedder = load(dir, &Wish::default())
            .expect("loads")
            .embedder
            .with_kernel(kernel);
        let texts = expected["texts"].as_array().expect("texts");
        let vectors = expected["vectors"].as_array().expect("vectors");
        for (text, wanted) in texts.iter().zip(vectors) {
            let text = text.as_str().expect("a text");
            let found = embedder.embed(text).expect("embeds");
            let cosine = cosine(&found, wanted.as_array().expect("numbers"));
            assert!(
                cosine > 0.99,
                "{}, {}: {text:?}: {cosine}",
                dir.display(),
                kernel.name()
            );
            least = least.min(cosine);
        }
    }
    least
}

#[test]
fn models_of_every_shape_give_the_vectors_of_plain_arithmetic() {
    for name in SHAPES {
        let least = least_cosine(&testdata().join(name));
        assert!(least > 0.995, "{name}: {least}");
    }
}

#[test]
fn models_that_people_use_give_the_vectors_of_their_own_runtime() {
    let Some(dir) = std::env::var_os("OUZEL_MODELS") else {
        return eprintln!("skipped: no folder of models in OUZEL_MODELS");
    };
    let mut count = 0;
    for entry in fs::read_dir(dir).expect("a folder") {
        let dir = entry.expect("an entry").path();
        if dir.join("expected.json").is_file() {
            eprintln!("{}: least cosine {:.5}", dir.display(), least_cosine(&dir));
            count += 1;
        }
    }
    assert!(count > 0);
}

#[test]
fn prefixes_are_the_folders_unless_the_user_says_otherwise() {
    let dir = testdata().join("heads-32");
    let embedder = load(&dir, &Wish::default()).expect("loads").embedder;
    let texts = ["query: the margin", "passage: the margin"].map(|text| embedder.tokens(text));
    let roles = [Role::Question, Role::Passage].map(|role| embedder.tokens_as(role, "the margin"));
    assert_eq!(texts, roles);
    let wish = Wish {
        question: Some(String::new()),
        passage: None,
    };
    let other = load(&dir, &wish).expect("loads").embedder;
    assert_eq!(
        other.tokens_as(Role::Question, "the margin"),
        embedder.tokens("the margin")
    );
    // Vectors of the two may not be compared.
    assert_ne!(other.model_id(), embedder.model_id());
    assert_eq!(
        load(&dir, &Wish::default())
            .expect("loads")
            .embedder
            .model_id(),
        embedder.model_id()
    );
}

#[test]
fn an_e5_is_told_by_its_name() {
    let copy = Copy::of("heads-4");
    let e5 = copy.0.path().join("my-e5-small");
    fs::create_dir(&e5).expect("a folder");
    for name in ["config.json", "tokenizer.json", "model.safetensors"] {
        fs::copy(copy.path(name), e5.join(name)).expect("copies");
    }
    let loaded = load(&e5, &Wish::default()).expect("loads");
    assert!(
        loaded.notes[0].contains("\"query: \""),
        "{:?}",
        loaded.notes
    );
    let tokens = loaded.embedder.tokens_as(Role::Passage, "the");
    assert_eq!(tokens, loaded.embedder.tokens("passage: the"));
    assert!(loaded.embedder.model_id().starts_with("my-e5-small@"));
}

/// A folder of one of the models, to be damaged.
struct Copy(TempDir);

impl Copy {
    fn of(name: &str) -> Self {
        let copy = Self(tempfile::tempdir().expect("a folder"));
        for inner in ["", "1_Pooling", "onnx"] {
            let from = testdata().join(name).join(inner);
            fs::create_dir_all(copy.path(inner)).expect("a folder");
            for entry in fs::read_dir(from).into_iter().flatten().flatten() {
                if entry.path().is_file() {
                    fs::copy(entry.path(), copy.path(inner).join(entry.file_name()))
                        .expect("copies");
                }
            }
        }
        copy
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn set(&self, file: &str, name: &str, value: Value) {
        let mut json: Value =
            serde_json::from_slice(&fs::read(self.path(file)).expect("reads")).expect("parses");
        json[name] = value;
        fs::write(self.path(file), json.to_string()).expect("writes");
    }

    fn why(&self) -> String {
        let outcome = load(self.0.path(), &Wish::default());
        format!("{:#}", outcome.err().expect("is refused"))
    }
}

fn refused(file: &str, name: &str, value: Value) -> String {
    let copy = Copy::of("heads-4");
    copy.set(file, name, value);
    copy.why()
}

#[test]
fn other_architectures_are_refused_with_the_reason() {
    let cases = [
        ("model_type", json!("roberta"), "\"roberta\""),
        ("model_type", json!(null), "only `bert`"),
        (
            "architectures",
            json!(["BertForSequenceClassification"]),
            "re-rankers",
        ),
        ("architectures", json!(["JinaBertModel"]), "variant"),
        ("position_embedding_type", json!("relative_key"), "absolute"),
        (
            "quantization_config",
            json!({"bits": 4}),
            "quantised already",
        ),
        ("is_decoder", json!(true), "decoder"),
        ("hidden_act", json!("swish"), "gelu_new"),
        ("hidden_size", json!(-1), "not a number above zero"),
        ("hidden_size", json!(1_u64 << 60), "allowed are"),
        (
            "num_hidden_layers",
            json!(2_000_000_000_u64),
            "layers, allowed",
        ),
        (
            "num_hidden_layers",
            json!(7),
            "encoder.layer.1.attention.self.query.weight",
        ),
        ("num_attention_heads", json!(7), "do not divide"),
        (
            "intermediate_size",
            json!(33),
            "encoder.layer.0.intermediate.dense.weight",
        ),
        ("layer_norm_eps", json!(-1.0), "layer_norm_eps"),
        (
            "max_position_embeddings",
            json!(25),
            "position_embeddings.weight",
        ),
    ];
    for (name, value, told) in cases {
        let why = refused("config.json", name, value);
        assert!(why.contains(told), "{name}: {why}");
    }
    let why = refused(
        "1_Pooling/config.json",
        "pooling_mode_max_tokens",
        json!(true),
    );
    assert!(why.contains("pooling_mode_max_tokens"), "{why}");
    let why = refused("tokenizer.json", "normalizer", json!({"type": "NFC"}));
    assert!(why.contains("its normalizer is NFC"), "{why}");
    let why = refused("tokenizer.json", "model", json!({"type": "Unigram"}));
    assert!(why.contains("Unigram"), "{why}");
    let copy = Copy::of("heads-4");
    let steps = json!([{"type": "sentence_transformers.models.Dense", "path": "2_Dense"}]);
    fs::write(copy.path("modules.json"), steps.to_string()).expect("writes");
    assert!(copy.why().contains("kind `Dense`"), "{}", copy.why());
}

#[test]
fn folders_without_a_model_say_what_to_do() {
    let empty = tempfile::tempdir().expect("a folder");
    let why = |dir: &Path| {
        format!(
            "{:#}",
            load(dir, &Wish::default()).err().expect("is refused")
        )
    };
    assert!(why(empty.path()).contains("has no config.json"));
    assert!(why(&empty.path().join("none")).contains("name the folder of a model"));
    let file = testdata().join("heads-4/model.safetensors");
    assert!(
        why(&file).contains("is a file; name the folder"),
        "{}",
        why(&file)
    );
    let above = why(&testdata());
    assert!(above.contains("has no config.json, but "), "{above}");

    for (file, told) in [
        ("model.safetensors.index.json", "several files"),
        ("pytorch_model.bin", "a pickle"),
        ("onnx/model_quantized.onnx", "quantised already"),
        ("mine.onnx", "call it model.onnx"),
        ("README.md", "neither model.safetensors"),
    ] {
        let copy = Copy::of("heads-4");
        fs::remove_file(copy.path("model.safetensors")).expect("removes");
        fs::write(copy.path(file), "{}").expect("writes");
        assert!(copy.why().contains(told), "{file}: {}", copy.why());
    }
    let copy = Copy::of("heads-4");
    fs::remove_file(copy.path("tokenizer.json")).expect("removes");
    assert!(copy.why().contains("neither tokenizer.json nor vocab.txt"));
    let copy = Copy::of("heads-4");
    fs::write(
        copy.path("model.safetensors"),
        "version https://git-lfs.github.com/spec/v1\n",
    )
    .expect("writes");
    assert!(copy.why().contains("git lfs pull"));
}

/// No cut, size or offset makes the reader panic, or read what is not there.
#[test]
fn damaged_weights_are_refused() {
    let copy = Copy::of("heads-4");
    let path = copy.path("model.safetensors");
    let whole = fs::read(&path).expect("reads");
    for cut in [0, 7, 8, 100, whole.len() / 2, whole.len() - 1] {
        fs::write(&path, &whole[..cut]).expect("writes");
        assert!(
            copy.why().contains("cut short or damaged"),
            "{cut}: {}",
            copy.why()
        );
    }
    for size in [u64::MAX, 1 << 40, whole.len() as u64] {
        let mut hostile = whole.clone();
        hostile[..8].copy_from_slice(&size.to_le_bytes());
        fs::write(&path, hostile).expect("writes");
        assert!(
            copy.why().contains("cut short or damaged"),
            "{size}: {}",
            copy.why()
        );
    }
    let text = String::from_utf8_lossy(&whole[8..]).into_owned();
    let shape = text.find("\"shape\": [").expect("a shape") + 8 + 10;
    let mut hostile = whole.clone();
    hostile[shape] = b'7';
    fs::write(&path, hostile).expect("writes");
    assert!(
        copy.why().contains("cut short or damaged"),
        "{}",
        copy.why()
    );
    let mut holed = whole;
    let end = holed.len();
    holed[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    fs::write(&path, holed).expect("writes");
    assert!(copy.why().contains("NaN"), "{}", copy.why());
}

#[test]
fn damaged_onnx_is_refused() {
    let copy = Copy::of("heads-64");
    let path = copy.path("onnx/model.onnx");
    let whole = fs::read(&path).expect("reads");
    for cut in (0..whole.len()).step_by(997).chain([whole.len() - 1]) {
        fs::write(&path, &whole[..cut]).expect("writes");
        copy.why();
    }
    let find = |name: &str| {
        whole
            .windows(name.len())
            .position(|part| part == name.as_bytes())
            .expect("is there")
    };
    let mut other = whole.clone();
    other[find("MatMul_")..][..6].copy_from_slice(b"MutMal");
    fs::write(&path, other).expect("writes");
    assert!(!copy.why().is_empty());
    fs::write(&path, vec![0xff; 64]).expect("writes");
    assert!(copy.why().contains("no ONNX"), "{}", copy.why());
}

#[test]
fn a_tokenizer_of_another_model_is_refused() {
    let copy = Copy::of("heads-16");
    let mut pieces = fs::read_to_string(copy.path("vocab.txt")).expect("reads");
    pieces.push_str("onemore\n");
    fs::write(copy.path("vocab.txt"), &pieces).expect("writes");
    assert!(
        copy.why().contains("belong to different models"),
        "{}",
        copy.why()
    );
    fs::write(copy.path("vocab.txt"), pieces.replace("[CLS]", "<s>")).expect("writes");
    assert!(copy.why().contains("has no `[CLS]`"), "{}", copy.why());
}
