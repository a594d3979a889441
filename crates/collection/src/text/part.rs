//! What the index is made of: stretches that follow each other, sealed or still growing.

use super::cursor::List;
use super::delta::{Delta, DeltaList};
use super::events::Events;
use super::segment::{Entries, Entry, Segment};

/// A stretch of the index, for reading.
#[derive(Clone, Copy, Debug)]
pub(super) enum PartRef<'a> {
    Segment(&'a Segment),
    Delta(&'a Delta),
}

impl<'a> PartRef<'a> {
    pub(super) fn births(self) -> Events<'a> {
        match self {
            Self::Segment(segment) => segment.births(),
            Self::Delta(delta) => delta.births.view(),
        }
    }

    pub(super) fn deaths(self) -> Events<'a> {
        match self {
            Self::Segment(segment) => segment.deaths(),
            Self::Delta(delta) => delta.deaths.view(),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Segment(_) => "segment",
            Self::Delta(_) => "delta",
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self.births().len() == 0 && self.deaths().len() == 0
    }

    /// Bytes as a segment, about.
    pub(super) fn size_estimate(self) -> u64 {
        match self {
            Self::Segment(segment) => segment.bytes().len() as u64,
            // Measured on prose: a segment takes two to four times less.
            Self::Delta(delta) => delta.size_bytes() as u64 / 3,
        }
    }

    pub(super) fn find(self, term: &str) -> Option<List<'a>> {
        Some(match self {
            Self::Segment(segment) => List::Segment(segment.find(term)?),
            Self::Delta(delta) => List::Delta(delta.find(term)?),
        })
    }
}

/// The terms of a part with their lists, ascending.
pub(super) enum SortedTerms<'a> {
    Segment {
        segment: &'a Segment,
        rest: Entries<'a>,
        current: Option<(Vec<u8>, Entry)>,
    },
    Delta {
        terms: Vec<(&'a str, &'a DeltaList)>,
        at: usize,
    },
}

impl<'a> SortedTerms<'a> {
    pub(super) fn new(part: PartRef<'a>) -> Self {
        match part {
            PartRef::Segment(segment) => {
                let mut walk = Self::Segment {
                    segment,
                    rest: segment.entries().walk(),
                    current: None,
                };
                walk.advance();
                walk
            }
            PartRef::Delta(delta) => Self::Delta {
                terms: delta.sorted(),
                at: 0,
            },
        }
    }

    pub(super) fn term(&self) -> Option<&[u8]> {
        match self {
            Self::Segment { current, .. } => current.as_ref().map(|(term, _)| term.as_slice()),
            Self::Delta { terms, at } => terms.get(*at).map(|(term, _)| term.as_bytes()),
        }
    }

    /// The list of the term; `None` where damage hides it.
    pub(super) fn list(&self) -> Option<List<'a>> {
        match self {
            Self::Segment {
                segment, current, ..
            } => Some(List::Segment(segment.list(&current.as_ref()?.1)?)),
            Self::Delta { terms, at } => terms.get(*at).map(|(_, list)| List::Delta(list)),
        }
    }

    pub(super) fn advance(&mut self) {
        match self {
            Self::Segment { rest, current, .. } => {
                let mut buffer = current.take().map(|(term, _)| term).unwrap_or_default();
                *current = rest.next().map(|(term, entry)| {
                    buffer.clear();
                    buffer.extend_from_slice(term);
                    (buffer, entry)
                });
            }
            Self::Delta { at, .. } => *at += 1,
        }
    }
}
