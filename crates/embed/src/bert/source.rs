//! What a user's model is made of, as plain data: read from files by whoever knows their formats.

use crate::arch::Activation;

/// A BERT encoder's sizes and habits, as its `config.json` and the files beside it state them.
#[derive(Clone, Debug)]
pub struct BertConfig {
    /// What people call it; part of the identity.
    pub name: String,
    /// Over everything that a vector depends on.
    pub sha256: [u8; 32],
    /// Components of a token, and of a vector.
    pub hidden: usize,
    /// Encoder layers.
    pub layers: usize,
    /// Attention heads; they divide `hidden`.
    pub heads: usize,
    /// Width between the two layers of a feed-forward step.
    pub intermediate: usize,
    /// Tokens of a text for which there are positions.
    pub positions: usize,
    /// `layer_norm_eps`.
    pub epsilon: f32,
    /// What stands between these two layers.
    pub activation: Activation,
    /// How tokens become one vector.
    pub pooling: Pooling,
    /// Tokens of a text that are read unless another limit is set, both marks included.
    pub max_tokens: usize,
    /// What the model wants to stand before a text.
    pub prefixes: Prefixes,
}

/// How the tokens of a text become its vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pooling {
    /// The mean of all tokens, marks included.
    Mean,
    /// The first token, `[CLS]`.
    First,
}

/// Words that a model was trained to find before a text; empty where it was not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Prefixes {
    /// Before what is looked for.
    pub question: String,
    /// Before what is found.
    pub passage: String,
}

/// What a text is to the one who asks for its vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It is looked for.
    Question,
    /// It is stored, and found.
    Passage,
}

impl Prefixes {
    /// The one of a role.
    pub fn of(&self, role: Role) -> &str {
        match role {
            Role::Question => &self.question,
            Role::Passage => &self.passage,
        }
    }
}

/// A tensor of f32, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Tensor {
    /// Sizes, outermost first.
    pub shape: Vec<usize>,
    /// As many as the sizes' product.
    pub values: Vec<f32>,
}

/// A model's weights by the names that Hugging Face's `BertModel` gives them, without a prefix: `embeddings.word_embeddings.weight`.
pub trait Weights {
    /// The tensor; `None` where there is none of that name.
    ///
    /// # Errors
    /// Why it is there and cannot be read.
    fn tensor(&self, name: &str) -> Result<Option<Tensor>, String>;
}
