//! What a text is to the index: its terms, how often and where.

/// The terms of a text, sorted, with the places of each. One buffer holds all of them, because a
/// text has a hundred and an allocation for each was most of the cost of reading it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Terms {
    buffer: Box<str>,
    spans: Box<[Span]>,
    /// Ascending within a term.
    places: Box<[u32]>,
    /// All occurrences: the length that BM25 normalises by.
    pub(super) total: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: u32,
    end: u32,
    /// Where the places end.
    places: u32,
}

/// A term of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Term<'a> {
    /// The term.
    pub text: &'a str,
    /// How often it occurs; larger counts stay at the greatest number.
    pub count: u16,
    /// The words before each occurrence, stop words counted, ascending; as many as `count`.
    pub places: &'a [u32],
}

impl Terms {
    /// Each term once, ascending.
    pub fn iter(&self) -> impl Iterator<Item = Term<'_>> {
        let mut from = 0;
        self.spans.iter().map(move |span| {
            let places = &self.places[from as usize..span.places as usize];
            from = span.places;
            let count = places.len().min(usize::from(u16::MAX));
            Term {
                text: &self.buffer[span.start as usize..span.end as usize],
                count: count as u16,
                places: &places[..count],
            }
        })
    }

    /// All occurrences: the length that BM25 normalises by.
    #[must_use]
    #[expect(
        clippy::len_without_is_empty,
        reason = "a length in BM25's sense, not of a container"
    )]
    pub fn len(&self) -> u32 {
        self.total
    }

    /// The words before each occurrence of a term, ascending; `None` where it does not occur.
    #[must_use]
    pub fn places(&self, term: &str) -> Option<&[u32]> {
        let at = self.position(term)?;
        let from = at
            .checked_sub(1)
            .map_or(0, |before| self.spans[before].places);
        Some(&self.places[from as usize..self.spans[at].places as usize])
    }

    /// The term at a position.
    pub(super) fn text(&self, position: usize) -> &str {
        self.spans[position].of(&self.buffer)
    }

    /// Where `text` stands among the terms.
    pub(super) fn position(&self, text: &str) -> Option<usize> {
        let of = |span: &Span| &self.buffer[span.start as usize..span.end as usize];
        self.spans.binary_search_by(|span| of(span).cmp(text)).ok()
    }
}

/// Terms as they are found, in order of place.
#[derive(Default)]
pub(super) struct Gathered {
    buffer: String,
    found: Vec<Found>,
}

#[derive(Clone, Copy)]
struct Found {
    start: u32,
    end: u32,
    place: u32,
}

impl Gathered {
    pub(super) fn clear(&mut self) {
        self.buffer.clear();
        self.found.clear();
    }

    pub(super) fn push(&mut self, term: &str, place: u32) {
        let start = self.buffer.len() as u32;
        self.buffer.push_str(term);
        let end = self.buffer.len() as u32;
        self.found.push(Found { start, end, place });
    }

    /// In order of place, as they were pushed.
    pub(super) fn in_order(&self) -> impl Iterator<Item = (&str, u32)> {
        self.found
            .iter()
            .map(|found| (found.of(&self.buffer), found.place))
    }

    /// Sorts what was pushed and copies it out.
    pub(super) fn terms(&mut self) -> Terms {
        let Self { buffer, found } = self;
        found.sort_unstable_by(|a, b| a.of(buffer).cmp(b.of(buffer)).then(a.place.cmp(&b.place)));
        let mut spans: Vec<Span> = Vec::with_capacity(found.len());
        for (at, next) in found.iter().enumerate() {
            let places = at as u32 + 1;
            match spans.last_mut() {
                Some(last) if last.of(buffer) == next.of(buffer) => last.places = places,
                _ => spans.push(Span {
                    start: next.start,
                    end: next.end,
                    places,
                }),
            }
        }
        Terms {
            buffer: buffer.as_str().into(),
            spans: spans.into(),
            places: found.iter().map(|found| found.place).collect(),
            total: found.len() as u32,
        }
    }
}

impl Found {
    fn of<'a>(&self, buffer: &'a str) -> &'a str {
        &buffer[self.start as usize..self.end as usize]
    }
}

impl Span {
    fn of<'a>(&self, buffer: &'a str) -> &'a str {
        &buffer[self.start as usize..self.end as usize]
    }
}
