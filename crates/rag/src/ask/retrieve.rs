//! Both lists for one search, checked against the instant asked about, joined.

use crate::ask::run::Run;
use crate::fault::Fault;
use crate::fuse::{Candidate, fuse};
use crate::memory::{Passage, Search};
use crate::search::Mode;

impl Run<'_> {
    /// The question's vector; `None` when search by meaning is left out, and why is in the receipt.
    pub(crate) fn vector(&mut self, text: &str) -> Option<Vec<f32>> {
        if self
            .left_ns()
            .is_some_and(|left| left < self.asker.settings.dense_reserve_ns)
        {
            self.skip("dense: deadline".to_owned());
            return None;
        }
        let embedded = self.asker.embed.embed(text);
        self.watch.lap(&mut self.receipt.stages_us.embed);
        match embedded {
            Ok(vector) => {
                self.receipt.models.embed = Some(self.asker.embed.model_id().to_owned());
                Some(vector)
            }
            Err(fault) => {
                self.skip(format!("dense: {fault}"));
                None
            }
        }
    }

    /// Searches by meaning (given a vector) and by words, and joins the lists. One list that fails
    /// is skipped and said so; the call fails only when both do.
    pub(crate) fn retrieve(
        &mut self,
        vector: Option<&[f32]>,
        query: &str,
        search: &Search,
        mode: Mode,
    ) -> Result<Vec<Candidate>, Fault> {
        let mut fault = None;
        let memory = self.asker.memory;
        let dense = match vector.filter(|_| mode != Mode::Text) {
            Some(vector) => {
                let found = memory.dense(vector, search);
                self.watch.lap(&mut self.receipt.stages_us.dense);
                self.taken("dense", found, &mut fault)
            }
            None => None,
        };
        let text = if mode == Mode::Dense {
            None
        } else {
            let found = memory.text(query, search);
            self.watch.lap(&mut self.receipt.stages_us.text);
            self.taken("text", found, &mut fault)
        };
        if let (None, None, Some(fault)) = (&dense, &text, fault) {
            return Err(fault);
        }
        let (dense, text) = (dense.unwrap_or_default(), text.unwrap_or_default());
        self.receipt.candidates.dense += dense.len();
        self.receipt.candidates.text += text.len();
        let settings = &self.asker.settings;
        let weights = (settings.weight_dense, settings.weight_text);
        // What the list by meaning left out is no nearer than its last entry.
        let cosine_bound = dense.iter().map(|p| p.score).reduce(f32::min);
        let mut fused = fuse(dense, text, weights, settings.rank_constant);
        for candidate in &mut fused {
            candidate.cosine = candidate.cosine.or(cosine_bound);
        }
        self.receipt.candidates.fused += fused.len();
        self.watch.lap(&mut self.receipt.stages_us.fuse);
        Ok(fused)
    }

    fn taken(
        &mut self,
        list: &str,
        found: Result<Vec<Passage>, Fault>,
        fault: &mut Option<Fault>,
    ) -> Option<Vec<Passage>> {
        match found {
            Ok(passages) => Some(self.known_by_then(passages)),
            Err(failed) => {
                self.skip(format!("{list}: {failed}"));
                *fault = Some(failed);
                None
            }
        }
    }

    /// The memory was told `as_of`; this makes sure that it listened. A passage from after the
    /// instant is dropped, and the receipt says that one was there.
    fn known_by_then(&mut self, mut passages: Vec<Passage>) -> Vec<Passage> {
        let Some(as_of) = self.question.as_of else {
            return passages;
        };
        let before = passages.len();
        passages.retain(|p| p.known_at <= as_of);
        if passages.len() < before {
            self.flag("passage-after-as-of-dropped".to_owned());
        }
        passages
    }
}
