//! Static token vectors: each token has a vector, whatever stands around it, and a text has the mean of its tokens'.
//!
//! The smallest and quickest kind of model, for machines or loads that an encoder is too much for: a text costs one row of
//! a table a token. What a word means in its sentence is lost. Source of the layout and of how such tables are made from
//! an encoder: MinishLab, "Model2Vec" (2024).

use std::ops::Range;

use crate::bert::{Prefixes, unit};
use crate::error::Error;
use crate::identity::ModelId;
use crate::tokenizer::Tokenizer;

/// Tokens of a text that are read unless another limit is set.
const TOKENS_DEFAULT: usize = 512;
/// Tokens of a text that may be read: nothing but patience bounds them.
const TOKENS_MAX: usize = 1 << 16;

/// A table of token vectors, as plain data.
#[derive(Clone, Debug)]
pub struct TableConfig {
    /// What people call it; part of the identity.
    pub name: String,
    /// Over everything that a vector depends on.
    pub sha256: [u8; 32],
    /// Components of a vector.
    pub dim: usize,
    /// `[pieces, dim]`, row-major: a row for each piece of the tokenizer, weighted as it is to be summed.
    pub rows: Vec<f32>,
    /// What the model wants to stand before a text.
    pub prefixes: Prefixes,
}

/// Token vectors, ready to be summed.
#[derive(Debug)]
pub(crate) struct Table {
    id: ModelId,
    dim: usize,
    rows: Vec<f32>,
}

impl Table {
    /// Checks a table. Marks and unknown words say nothing of a text: their rows become zeros.
    pub fn new(config: TableConfig, tokenizer: &Tokenizer) -> Result<Self, Error> {
        let (dim, mut rows) = (config.dim, config.rows);
        if dim == 0 || !rows.len().is_multiple_of(dim) {
            let what = format!("{} numbers are no rows of {dim} components", rows.len());
            return Err(Error::Unsupported { what });
        }
        if rows.len() / dim != tokenizer.pieces() {
            return Err(Error::Vocabulary {
                pieces: tokenizer.pieces(),
                rows: rows.len() / dim,
            });
        }
        if let Some(at) = rows.iter().position(|value| !value.is_finite()) {
            return Err(Error::Tensor {
                name: "embeddings".to_owned(),
                why: format!("row {} has a number that is not finite", at / dim),
            });
        }
        for mark in tokenizer.marks() {
            rows[mark as usize * dim..][..dim].fill(0.0);
        }
        Ok(Self {
            id: ModelId::new(&config.name, &config.sha256),
            dim,
            rows,
        })
    }

    pub fn id(&self) -> &ModelId {
        &self.id
    }

    pub fn dim(&self) -> usize {
        self.dim
    }

    pub fn tokens_default(&self) -> usize {
        TOKENS_DEFAULT
    }

    pub fn tokens_max(&self) -> usize {
        TOKENS_MAX
    }

    /// Unit vectors of texts whose tokens are the consecutive `texts` of `tokens`, each given to `give` in order. A text
    /// of which nothing is known has the vector of equal components.
    pub fn forward(&self, tokens: &[u32], texts: &[Range<usize>], mut give: impl FnMut(Vec<f32>)) {
        for text in texts {
            let mut vector = vec![0.0f32; self.dim];
            for token in &tokens[text.clone()] {
                let row = &self.rows[*token as usize * self.dim..][..self.dim];
                for (sum, value) in vector.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            if vector.iter().all(|value| *value == 0.0) {
                vector.fill(1.0);
            }
            unit(&mut vector);
            give(vector);
        }
    }
}
