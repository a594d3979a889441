//! The first of a list, put in the order of a cross-encoder.
//!
//! A model that reads question and passage together tells good passages from near ones better than two lists do, and
//! costs a hundred times as much: it gets the first passages of a list, within the deadline, and is the first thing that
//! is left out. Passages that it did not read come after those that it did, in the order that they had.

use crate::ask::Run;
use crate::fault::Fault;
use crate::memory::Passage;
use crate::model::Rerank;
use crate::receipt::Reranked;
use crate::settings::RERANK_LIMIT;

/// Bytes of a passage that are sent: more than cross-encoders read.
const TEXT_BYTES_LIMIT: usize = 4_000;
/// Kept of a deadline for what comes after, where no model writes, ns.
const AFTERWARDS_NS: u64 = 10_000_000;

impl Run<'_> {
    /// The list with what the model said of each; as it was where there is no model, no time, or no answer, and the
    /// receipt says why.
    pub(crate) fn reranked<T>(
        &mut self,
        list: Vec<T>,
        passage: impl Fn(&T) -> &Passage,
    ) -> Vec<(T, Option<f32>)> {
        let unread = |list: Vec<T>| list.into_iter().map(|item| (item, None)).collect();
        let Some(model) = self.asker.rerank.filter(|_| list.len() > 1) else {
            return unread(list);
        };
        self.watch.lap(&mut self.receipt.stages_us.fuse);
        let first = list.len().min(model.limit()).min(RERANK_LIMIT);
        let passages: Vec<&Passage> = list[..first].iter().map(&passage).collect();
        let scores = self.scores(model, &passages);
        self.watch.lap(&mut self.receipt.stages_us.rerank);
        let scores = match scores {
            Ok(scores) => scores,
            Err(Fault::Deadline { .. }) => {
                self.skip("rerank: deadline".to_owned());
                return unread(list);
            }
            Err(fault) => {
                self.skip(format!("rerank: {fault}"));
                return unread(list);
            }
        };
        self.receipt.models.rerank = Some(model.id().to_owned());
        let scores = scores.into_iter().map(Some);
        let scores = scores.chain(std::iter::repeat(None));
        let mut list: Vec<(T, Option<f32>)> = list.into_iter().zip(scores).collect();
        // Equal ones stay as they were.
        list[..first].sort_by(|(_, a), (_, b)| b.unwrap_or(0.0).total_cmp(&a.unwrap_or(0.0)));
        let read = list.iter().filter_map(|(item, score)| {
            Some(Reranked {
                chunk_id: passage(item).id.clone(),
                score: (*score)?,
            })
        });
        self.receipt.reranked = read.collect();
        list
    }

    fn scores(&self, model: &dyn Rerank, passages: &[&Passage]) -> Result<Vec<f32>, Fault> {
        let texts: Vec<String> = passages.iter().copied().map(text).collect();
        let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
        let scores = model.scores(&self.question.q, &texts, self.rerank_until()?)?;
        if scores.len() != texts.len() || !scores.iter().all(|score| score.is_finite()) {
            let what = format!("{} scores for {} texts", scores.len(), texts.len());
            return Err(Fault::unavailable("rerank", what));
        }
        Ok(scores)
    }

    /// By when the scores must be there: what is left after it is for the model that writes, or for quotes.
    fn rerank_until(&self) -> Result<u64, Fault> {
        let settings = &self.asker.settings;
        let until = self.watch.now_ns().saturating_add(settings.rerank_wait_ns);
        let (Some(left), Some(deadline)) = (self.left_ns(), self.deadline_ns) else {
            return Ok(until);
        };
        let afterwards = match self.asker.model {
            Some(_) => settings.model_reserve_ns,
            None => AFTERWARDS_NS,
        };
        if left < afterwards.saturating_add(settings.rerank_reserve_ns) {
            return Err(Fault::Deadline { part: "rerank" });
        }
        Ok(until.min(deadline - afterwards))
    }
}

/// What the model reads of a passage: as the embedder does, its headline first.
fn text(passage: &Passage) -> String {
    let title = passage.title.as_deref().unwrap_or_default();
    let mut text = match title {
        "" => passage.text.clone(),
        title => format!("{title}\n{}", passage.text),
    };
    text.truncate(text.floor_char_boundary(TEXT_BYTES_LIMIT));
    text
}
