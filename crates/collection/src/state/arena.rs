//! All vectors, by slot, in pieces that never move: growth allocates and copies nothing old.

/// Rows of one piece.
const PIECE_ROWS: usize = 4096;

/// Rows of `dim` floats.
pub(crate) struct Arena {
    dim: usize,
    count: usize,
    pieces: Vec<Box<[f32]>>,
}

impl Arena {
    /// An empty arena.
    pub(crate) fn new(dim: usize) -> Self {
        Self {
            dim,
            count: 0,
            pieces: Vec::new(),
        }
    }

    /// Stores the row of the next slot.
    pub(crate) fn push(&mut self, row: &[f32]) {
        assert_eq!(row.len(), self.dim, "the door checks the length");
        let at = self.count % PIECE_ROWS;
        if at == 0 {
            // Zeroed memory is not touched before it is written, so a small collection stays small.
            self.pieces
                .push(vec![0.0; PIECE_ROWS * self.dim].into_boxed_slice());
        }
        let piece = self
            .pieces
            .last_mut()
            .expect("one was pushed with the first row");
        piece[at * self.dim..(at + 1) * self.dim].copy_from_slice(row);
        self.count += 1;
    }

    /// The row at `slot`.
    #[inline]
    pub(crate) fn row(&self, slot: u32) -> &[f32] {
        let at = slot as usize % PIECE_ROWS * self.dim;
        &self.pieces[slot as usize / PIECE_ROWS][at..at + self.dim]
    }

    /// Bytes of all rows.
    pub(crate) fn size_bytes(&self) -> u64 {
        (self.count * self.dim * 4) as u64
    }
}
