//! Text to unit vectors with a packaged int8 sentence model, or one of a user's.
//!
//! The model is all-MiniLM-L6-v2 (384 dimensions), its weights one file in `assets/` that is compiled into the binary,
//! so an embedder needs no download, no Python and no second process. The forward pass is our own because the general
//! runtimes spend two to three times as long on it: linear layers multiply u8 activations (one scale a token) by
//! int8 weights (one scale an output channel) into exact i32 sums, everything between them is f32.
//!
//! A user's own BERT encoder is computed the same way: [`Embedder::bert`] takes its sizes and weights as plain data.
//! [`Embedder::table`] takes static token vectors, of which a text has the mean.
//!
//! ```
//! let embedder = embed::Embedder::packaged()?;
//! let vector = embedder.embed("Why did gross margin fall in the second quarter?")?;
//! assert_eq!(vector.len(), embedder.dim());
//! # Ok::<(), embed::Error>(())
//! ```

mod error;
mod identity;

mod asset;
mod vocabulary;

mod tokenizer;

mod arch;
mod bert;

mod embedder;
mod fixed;

pub use arch::{Activation, Kernel};
pub use bert::{BertConfig, Pooling, Prefixes, Role, Tensor, Weights};
pub use embedder::Embedder;
pub use error::Error;
pub use fixed::TableConfig;
pub use identity::ModelId;
pub use tokenizer::{Tokenizer, WordRules};
