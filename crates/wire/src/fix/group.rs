//! Repeating groups: a count, then entries that each start with the same tag.

use core::iter::FusedIterator;

use super::{FieldError, Fields};

/// Why a group cannot be read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// Its count and its entries do not agree.
    #[error("FIX group {tag} says {told} entries and has {found}")]
    Count {
        /// The tag of the count.
        tag: u32,
        /// What the count says.
        told: u64,
        /// Entries that are there; one more may not have been looked at.
        found: u64,
    },
    /// A field in it cannot be read.
    #[error(transparent)]
    Field(#[from] FieldError),
}

/// The entries of a group, each as [`Fields`]. The first tag behind the count starts each entry.
///
/// The count is not trusted: it bounds nothing, and a reader must not make room for it in advance.
/// When it is wrong, the last item says so and the entries before it are what the message has.
#[derive(Clone, Copy, Debug)]
pub struct Group<'a> {
    rest: Fields<'a>,
    tag: u32,
    told: u64,
    found: u64,
    /// The tag that starts each entry; `None` when the group is empty.
    delimiter: Option<u32>,
    members: &'a [u32],
    ended: bool,
}

impl<'a> Group<'a> {
    pub(super) fn new(rest: Fields<'a>, tag: u32, told: u64, members: &'a [u32]) -> Self {
        let mut group = Self {
            rest,
            tag,
            told,
            found: 0,
            delimiter: None,
            members,
            ended: false,
        };
        if told > 0
            && let Some(Ok(first)) = rest.clone().next()
            && group.is_member(first.tag)
        {
            group.delimiter = Some(first.tag);
        }
        group
    }

    /// How many entries the message says it has.
    #[must_use]
    pub const fn told(&self) -> u64 {
        self.told
    }

    /// The fields behind the entries read so far; behind the group once it has ended.
    #[must_use]
    pub const fn rest(&self) -> Fields<'a> {
        self.rest
    }

    fn is_member(&self, tag: u32) -> bool {
        self.members.is_empty() || self.members.contains(&tag)
    }

    /// Ends the group; `Some` when the count was wrong.
    fn end(&mut self, found: u64) -> Option<Result<Fields<'a>, GroupError>> {
        self.ended = true;
        (found != self.told).then_some(Err(GroupError::Count {
            tag: self.tag,
            told: self.told,
            found,
        }))
    }
}

impl<'a> Iterator for Group<'a> {
    type Item = Result<Fields<'a>, GroupError>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let start = self.rest;
        match self.rest.next() {
            Some(Ok(first)) if Some(first.tag) == self.delimiter => {}
            _ => {
                self.rest = start;
                return self.end(self.found);
            }
        }
        if self.found == self.told {
            self.rest = start;
            return self.end(self.found + 1);
        }
        loop {
            let before = self.rest;
            match self.rest.next() {
                None => break,
                Some(Err(error)) => {
                    self.ended = true;
                    return Some(Err(error.into()));
                }
                Some(Ok(field)) => {
                    if Some(field.tag) == self.delimiter || !self.is_member(field.tag) {
                        self.rest = before;
                        break;
                    }
                }
            }
        }
        self.found += 1;
        Some(Ok(start.until(&self.rest)))
    }
}

impl FusedIterator for Group<'_> {}
