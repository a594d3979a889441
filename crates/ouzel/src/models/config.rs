//! Sizes and habits: `config.json`, and what sentence-transformers puts beside it.

use anyhow::{Result, bail, ensure};
use embed::{Activation, BertConfig, Pooling, Prefixes};
use serde_json::Value;

use super::files::Folder;

/// What the files say, checked.
pub struct Config {
    hidden: usize,
    layers: usize,
    heads: usize,
    intermediate: usize,
    positions: usize,
    epsilon: f32,
    activation: Activation,
    pooling: Pooling,
    max_tokens: usize,
    /// What the folder says stands before texts.
    pub prompts: Prefixes,
    /// Which model it was made from, if it says.
    origin: String,
}

impl Config {
    /// # Errors
    /// When it is no BERT encoder that makes vectors of texts, or has habits that are not computed here.
    pub fn read(folder: &Folder) -> Result<Self> {
        let Some(json) = folder.json("config.json")? else {
            bail!("there is no config.json");
        };
        check_kind(&json)?;
        let positions = size(&json, "max_position_embeddings")?;
        Ok(Self {
            hidden: size(&json, "hidden_size")?,
            layers: size(&json, "num_hidden_layers")?,
            heads: size(&json, "num_attention_heads")?,
            intermediate: size(&json, "intermediate_size")?,
            positions,
            epsilon: epsilon(&json)?,
            activation: activation(&json)?,
            pooling: pooling(folder)?,
            max_tokens: max_tokens(folder, positions)?,
            prompts: prompts(folder)?,
            origin: text(&json, "_name_or_path").to_owned(),
        })
    }

    /// Whether its name is that of an E5, which was trained with prefixes.
    pub fn is_e5(&self, name: &str) -> bool {
        let names = [name, &self.origin];
        let mut parts = names
            .iter()
            .flat_map(|name| name.split(['-', '_', '/', '.']));
        parts.any(|part| part.eq_ignore_ascii_case("e5"))
    }

    /// What vectors depend on beyond the files that are hashed whole.
    pub fn habits(&self, prefixes: &Prefixes) -> String {
        format!("{:?} {} {:?}", self.pooling, self.max_tokens, prefixes)
    }

    pub fn bert(&self, name: &str, sha256: [u8; 32], prefixes: Prefixes) -> BertConfig {
        BertConfig {
            name: name.to_owned(),
            sha256,
            hidden: self.hidden,
            layers: self.layers,
            heads: self.heads,
            intermediate: self.intermediate,
            positions: self.positions,
            epsilon: self.epsilon,
            activation: self.activation,
            pooling: self.pooling,
            max_tokens: self.max_tokens,
            prefixes,
        }
    }
}

fn text<'a>(json: &'a Value, name: &str) -> &'a str {
    json[name].as_str().unwrap_or_default()
}

fn size(json: &Value, name: &str) -> Result<usize> {
    let found = json[name]
        .as_u64()
        .and_then(|size| usize::try_from(size).ok());
    let Some(found) = found.filter(|size| *size > 0) else {
        bail!(
            "config.json: `{name}` is {}, not a number above zero",
            json[name]
        );
    };
    Ok(found)
}

fn check_kind(json: &Value) -> Result<()> {
    let kind = text(json, "model_type");
    ensure!(
        kind == "bert",
        "config.json: model_type is {}, and only `bert` is computed here (MiniLM, BGE, E5, GTE small to large in English are); \
         another kind can be served by an endpoint: --embed-url",
        json["model_type"]
    );
    let architectures = json["architectures"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    for architecture in architectures.iter().filter_map(Value::as_str) {
        ensure!(
            !architecture.ends_with("Classification") && !architecture.ends_with("Answering"),
            "config.json: {architecture} judges texts, as re-rankers do, and makes no vectors of them"
        );
        ensure!(
            architecture.starts_with("Bert"),
            "config.json: architecture {architecture} is a variant of BERT that is not computed here; an endpoint can serve it: --embed-url"
        );
    }
    let positions = &json["position_embedding_type"];
    ensure!(
        positions.is_null() || positions == "absolute",
        "config.json: position_embedding_type is {positions}, and only \"absolute\" is computed here"
    );
    ensure!(
        json["is_decoder"] != true && json["add_cross_attention"] != true,
        "config.json: it is a decoder, which makes no vectors of texts"
    );
    ensure!(
        json["quantization_config"].is_null(),
        "config.json: its weights are quantised already; take the original, Ouzel makes its own int8 weights of it"
    );
    Ok(())
}

fn epsilon(json: &Value) -> Result<f32> {
    let found = &json["layer_norm_eps"];
    let epsilon = if found.is_null() {
        Some(1e-12)
    } else {
        found.as_f64()
    };
    match epsilon.filter(|epsilon| (0.0..1.0).contains(epsilon)) {
        Some(epsilon) => Ok(epsilon as f32),
        None => bail!("config.json: `layer_norm_eps` is {found}, not a number of 0 to 1"),
    }
}

fn activation(json: &Value) -> Result<Activation> {
    Ok(match text(json, "hidden_act") {
        "" if json["hidden_act"].is_null() => Activation::Gelu,
        "gelu" | "gelu_python" => Activation::Gelu,
        "gelu_new" | "gelu_fast" | "gelu_pytorch_tanh" => Activation::GeluTanh,
        "relu" => Activation::Relu,
        _ => bail!(
            "config.json: `hidden_act` is {}; gelu, gelu_new and relu are computed here",
            json["hidden_act"]
        ),
    })
}

/// By `modules.json` and the folder of its pooling step; the mean, where nothing is said.
fn pooling(folder: &Folder) -> Result<Pooling> {
    let mut at = "1_Pooling".to_owned();
    let modules = folder.json("modules.json")?.unwrap_or_default();
    for module in modules.as_array().map_or(&[][..], Vec::as_slice) {
        let kind = text(module, "type").rsplit('.').next().unwrap_or_default();
        match kind {
            "Transformer" | "Normalize" => {}
            "Pooling" => at = text(module, "path").to_owned(),
            _ => bail!(
                "modules.json: a step of kind `{kind}` follows the encoder, which is not computed here; an endpoint can serve it: --embed-url"
            ),
        }
    }
    ensure!(
        !at.contains("..") && !at.starts_with('/'),
        "modules.json: the path {at:?} leads out of the folder"
    );
    let name = format!("{at}/config.json");
    let json = folder.json(&name)?.unwrap_or_default();
    if let Some(mode) = json["pooling_mode"].as_str() {
        return match mode {
            "mean" => Ok(Pooling::Mean),
            "cls" => Ok(Pooling::First),
            _ => bail!("{name}: pooling_mode is {mode:?}; mean and cls are computed here"),
        };
    }
    let modes = json.as_object().into_iter().flatten();
    let modes: Vec<&str> = modes
        .filter(|(name, on)| name.starts_with("pooling_mode_") && **on == true)
        .map(|(name, _)| name.as_str())
        .collect();
    match modes.as_slice() {
        [] if json.is_null() => Ok(Pooling::Mean),
        ["pooling_mode_mean_tokens"] => Ok(Pooling::Mean),
        ["pooling_mode_cls_token"] => Ok(Pooling::First),
        _ => bail!(
            "{name}: pools by [{}]; one of pooling_mode_mean_tokens and pooling_mode_cls_token is computed here",
            modes.join(", ")
        ),
    }
}

/// What sentence-transformers would cut texts at.
fn max_tokens(folder: &Folder, positions: usize) -> Result<usize> {
    let named = |file: &str, name: &str| -> Result<Option<usize>> {
        let json = folder.json(file)?.unwrap_or_default();
        // Some write 1e30 for no limit.
        Ok(json[name]
            .as_u64()
            .and_then(|limit| usize::try_from(limit).ok()))
    };
    let limit = match named("sentence_bert_config.json", "max_seq_length")? {
        Some(limit) => limit,
        None => named("tokenizer_config.json", "model_max_length")?.unwrap_or(positions),
    };
    Ok(limit.min(positions))
}

/// `prompts` of config_sentence_transformers.json, by the names in use.
fn prompts(folder: &Folder) -> Result<Prefixes> {
    let json = folder
        .json("config_sentence_transformers.json")?
        .unwrap_or_default();
    let prompts = &json["prompts"];
    let first = |names: &[&str]| {
        let found = names.iter().find_map(|name| prompts[*name].as_str());
        found.unwrap_or_default().to_owned()
    };
    Ok(Prefixes {
        question: first(&["query", "search_query", "question"]),
        passage: first(&["document", "passage", "search_document", "corpus"]),
    })
}
