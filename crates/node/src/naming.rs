//! Symbols and company names in the form in which questions are read, built again only when one of their sources changed.

use std::sync::{Arc, PoisonError, RwLock};

use rag::query::Names;

/// What the names were built from: counts that grow with every change of a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sources {
    /// Symbols that lanes carry, and bytes of their names.
    pub(crate) carried: (usize, usize),
    /// The reference table in force.
    pub(crate) revision: u32,
    /// Symbols of past days.
    pub(crate) days: usize,
}

/// The names as last built.
#[derive(Default)]
pub(crate) struct Naming(RwLock<Option<(Sources, Arc<Names>)>>);

impl Naming {
    /// The names of these sources; `build` makes them where others were kept.
    pub(crate) fn of(&self, sources: Sources, build: impl FnOnce() -> Names) -> Arc<Names> {
        let kept = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, names)) = kept.as_ref().filter(|(of, _)| *of == sources) {
            return Arc::clone(names);
        }
        drop(kept);
        let names = Arc::new(build());
        let mut kept = self.0.write().unwrap_or_else(PoisonError::into_inner);
        *kept = Some((sources, Arc::clone(&names)));
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_built_once_for_the_same_sources() {
        let naming = Naming::default();
        let first = naming.of(Sources::default(), Names::default);
        let again = naming.of(Sources::default(), || unreachable!("they are kept"));
        assert!(Arc::ptr_eq(&first, &again));
        let other = Sources {
            revision: 1,
            ..Sources::default()
        };
        assert!(!Arc::ptr_eq(&first, &naming.of(other, Names::default)));
    }
}
