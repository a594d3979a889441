//! Points on one machine: a log that is the database, dense and text search as of any instant.
//!
//! A change is one entry of the log; the state is what the entries, applied in order, say. An entry
//! is written and synced before it is applied, and applied before it is acknowledged, so what a
//! caller was told survives and is seen by the next query. Knows nothing of replication, JSON or
//! clocks: instants arrive as arguments.
//!
//! ```
//! use collection::{AsOf, Collection, MemDisk, Metric, Op, Payload, Point, Settings, SyncPolicy};
//!
//! let settings = Settings { dim: 2, metric: Metric::Cosine, sync: SyncPolicy::Always };
//! let (news, _) = Collection::open_on(MemDisk::new(), settings)?;
//! news.apply(vec![Op::Upsert(Point {
//!     id: "n1".into(),
//!     vector: vec![1.0, 0.0],
//!     text: "Halt lifted after news".into(),
//!     payload: Payload::default(),
//!     event_at: 90,
//!     known_at: 100,
//! })])?;
//! assert_eq!(news.search_text("halted", 5, &AsOf::Now, None)?[0].id, "n1");
//! assert!(news.search_text("halted", 5, &AsOf::Known(99), None)?.is_empty());
//! # Ok::<(), collection::Error>(())
//! ```

mod beside;
mod checkpoint;
mod codec;
mod collection;
mod commit;
mod dense;
pub mod disk;
mod error;
mod filter;
mod follow;
mod geo;
pub mod log;
mod open;
pub mod payload;
pub mod plan;
mod point;
mod snapshot;
mod state;
mod sync;
pub mod text;

#[cfg(all(test, loom))]
mod models;

pub use beside::at_once;
pub use collection::{Collection, Found, Options, Recovery, Scored, Settings, Stats, Wanted};
pub use commit::{Ack, SyncPolicy};
pub use dense::{Effort, RecallEstimate};
pub use disk::{Disk, FsDisk, MemDisk};
pub use error::{Error, Refusal};
pub use filter::{Condition, Filter};
pub use follow::Follower;
pub use geo::{Place, Shape};
pub use log::{Log, LogReader, LogTail};
pub use point::{
    BATCH_BYTES_LIMIT, FILTER_DEPTH_LIMIT, ID_BYTES_LIMIT, Op, PAYLOAD_BYTES_LIMIT,
    PAYLOAD_DEPTH_LIMIT, Payload, Point, TEXT_BYTES_LIMIT, Value,
};
pub use snapshot::{Restored, Snapshot, Until, restore};
pub use state::{AsOf, Version};
pub use text::{Bm25, TextQuery, TextRules};
pub use vector::Metric;
