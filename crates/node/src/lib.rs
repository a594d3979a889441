//! Lanes, log and collections composed on one machine, and the facts they give to answers.
//!
//! [`market`] keeps what the lanes publish, [`memory`] keeps documents and past moments,
//! [`Node`] joins both behind the traits that `rag` asks for. It owns no socket and knows neither
//! JSON nor HTTP.

mod backup;
mod embedding;
pub mod evidence;
mod generation;
pub mod lanes;
pub mod market;
pub mod memory;
pub mod moments;
mod names;
mod naming;
mod node;
pub mod outlet;
pub mod reference;
mod restore;
mod seal;
pub mod standing;

pub use backup::{Backup, BackupError};
pub use embedding::{
    Embedding, EmbeddingCounts, EmbeddingLimits, MadeBy, Maker, QueueCounts, TextModel,
};
pub use evidence::{Bundle, EvidenceCounts, EvidenceWorker};
pub use generation::{
    EarlierModel, ForgetError, Held, MODEL_FILE, ModelChange, Models, ReembedWorker, Reembedding,
    Stage, Turned, forget_model, held_models,
};
pub use lanes::{DepthLane, DigestCheck, Pump};
pub use names::Names;
pub use node::{Node, NodeError, Settings};
pub use reference::ReferenceStore;
pub use restore::restore;
pub use seal::{Fill, SEAL_FILE, Seal};
