//! BERT encoders: the packaged one, and any that a user has.

mod build;
mod model;
mod plain;
mod sizes;
mod source;

pub(crate) use build::build;
pub(crate) use model::{Model, Scratch, unit};
pub use source::{BertConfig, Pooling, Prefixes, Role, Tensor, Weights};
