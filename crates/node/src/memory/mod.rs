//! What was written down: documents as searchable chunks, and past days of the market.

mod arrivals;
mod both;
mod days;
mod documents;
mod fields;
mod paths;
mod present;
mod view;

use collection::{Metric, Options, Settings, SyncPolicy};

pub(crate) use both::both;

pub use arrivals::{Arrival, Arrivals, Arrived};
pub use days::{DayBar, Days, read_csv};
pub use documents::{DocumentSummary, Documents, SpanStored, StoredDocument};
pub(crate) use documents::{document_of, own_text, span_of};
pub(crate) use fields::OWN;
pub use fields::{INSTANTS, RESERVED};
pub use view::{Told, View};

/// Settings of the documents' collection.
#[must_use]
pub fn document_settings(dim: usize, sync: SyncPolicy) -> Settings {
    Settings {
        dim,
        metric: Metric::Cosine,
        sync,
    }
}

/// Passages up to which a search by meaning is exact, and the same when it is asked again as of then: to compare
/// as many takes two processors about as long as a walk for lists as long.
pub const EXACT_PASSAGES: u64 = 1_000_000;

/// Limits of the documents' collection where nobody sets others.
#[must_use]
pub fn document_limits() -> Options {
    Options {
        exact_rows: EXACT_PASSAGES,
        ..Options::default()
    }
}

/// Settings of the days' collection.
#[must_use]
pub fn day_settings(sync: SyncPolicy) -> Settings {
    Settings {
        dim: days::SHAPE_DIM,
        metric: Metric::L2,
        sync,
    }
}
