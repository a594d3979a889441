//! The draft put into words: by a model when there is one and time for it, by us otherwise.

use crate::answer::check::Gate;
use crate::answer::prompt::{NOT_FOUND, prompt};
use crate::ask::run::Run;
use crate::ask::why::Draft;
use crate::context::within_budget;
use crate::fault::Fault;
use crate::model::Model;
use crate::rank::Evidence;

impl Run<'_> {
    /// The answer's text. Without evidence no model is asked: there is nothing it could rest on.
    pub(crate) fn write(
        &mut self,
        draft: &mut Draft,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<String, Fault> {
        let mut notices = self.notices.join(" ");
        if !notices.is_empty() {
            notices.push(' ');
            if !on_text(&notices) {
                return Err(Fault::Stopped);
            }
        }
        let written = match self.asker.model {
            Some(model) if !draft.abstained => self.written_by(model, draft, on_text)?,
            _ => None,
        };
        let text = match written {
            Some(text) => text,
            None if on_text(&draft.text) => draft.text.clone(),
            None => return Err(Fault::Stopped),
        };
        self.watch.lap(&mut self.receipt.stages_us.answer);
        Ok(notices + &text)
    }

    /// The model's text as far as it holds; `None` when our own words must do, with the reason in
    /// the receipt. Nothing has been shown then.
    fn written_by(
        &mut self,
        model: &dyn Model,
        draft: &mut Draft,
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Option<String>, Fault> {
        let settings = self.asker.settings;
        if self
            .left_ns()
            .is_some_and(|left| left < settings.model_reserve_ns)
        {
            self.skip("model: deadline".to_owned());
            return Ok(None);
        }
        let fits = within_budget(&draft.evidence, settings.context_tokens_limit);
        let (evidence, citations) = (&draft.evidence[..fits], &draft.citations[..fits]);
        let question = &self.question.q;
        let limit = settings.answer_tokens_limit;
        let prompt = prompt(
            question,
            &draft.facts,
            evidence,
            citations,
            self.now_ns,
            limit,
        );
        let known: Vec<String> = draft.facts.iter().map(|f| f.text.clone()).collect();
        let passages: Vec<String> = evidence.iter().map(titled).collect();
        let mut gate = Gate::new(&known.join(" "), question, &passages, limit);
        let mut gone = false;
        let mut show = |text: &str, on_text: &mut dyn FnMut(&str) -> bool| {
            gone = gone || (!text.is_empty() && !on_text(text));
            !gone
        };
        let done = model.complete(&prompt, self.deadline_ns, &mut |piece| {
            let text = gate.push(piece);
            show(&text, on_text) && !gate.is_full()
        });
        let done = match done {
            Err(Fault::Stopped) if gate.is_full() => {
                let what = format!("it wrote more than {limit} tokens");
                Err(Fault::unavailable("model", what))
            }
            done => done,
        };
        // A break in mid-sentence must not become a sentence.
        let tail = if done.is_ok() {
            gate.finish()
        } else {
            gate.settle()
        };
        if !show(&tail, on_text) {
            return Err(Fault::Stopped);
        }
        self.watch.lap(&mut self.receipt.stages_us.answer);
        if gate.removed() > 0 {
            self.flag("model-sentences-removed".to_owned());
        }
        let shown = gate.shown().to_owned();
        let used = gate.used().to_vec();
        self.judge(model, draft, done, shown, &used, on_text)
    }

    fn judge(
        &mut self,
        model: &dyn Model,
        draft: &mut Draft,
        done: Result<String, Fault>,
        shown: String,
        used: &[usize],
        on_text: &mut dyn FnMut(&str) -> bool,
    ) -> Result<Option<String>, Fault> {
        let cited = !used.is_empty();
        if cited {
            draft.citations = used.iter().map(|&n| draft.citations[n].clone()).collect();
            self.receipt.models.answer = Some(model.id().to_owned());
            if let Err(fault) = done {
                // What was shown holds, and its numbers with it: the answer ends there.
                self.skip(format!("model, the rest of its answer: {fault}"));
                self.flag("answer-cut-short".to_owned());
            }
            return Ok(Some(shown));
        }
        let reason = match &done {
            Ok(text) if text.contains(NOT_FOUND) => "it found no answer in the passages".to_owned(),
            Ok(_) => "nothing it wrote was supported".to_owned(),
            Err(fault) => fault.to_string(),
        };
        self.skip(format!("model: {reason}"));
        self.flag("answer-extractive".to_owned());
        if shown.is_empty() {
            return Ok(None);
        }
        // The reader has seen sentences about the market; our words follow them.
        let ours = format!("\n{}", draft.text);
        if !on_text(&ours) {
            return Err(Fault::Stopped);
        }
        Ok(Some(format!("{shown}{ours}")))
    }
}

/// A passage with its document's headline, as the gate compares sentences with it.
fn titled(evidence: &Evidence) -> String {
    let title = evidence.passage.title.as_deref().unwrap_or("");
    format!("{title}\n\n{}", evidence.passage.text)
}
