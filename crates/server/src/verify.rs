//! A receipt checked again: its seal, its entries, and each span byte for byte against the version that it names.

use node::{Node, Seal};
use rag::Fault;
use rag::receipt::sha256;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::Instant;
use crate::json::receipt::{SEAL, SpanRow, VERSION, canonical};
use crate::seal::seal;

/// What a check says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// As it was.
    Verified,
    /// What it rests on is not kept here (trimmed, or another folder): nothing can be said.
    Unknown,
    /// It is not what was answered.
    Differs,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Checked {
    /// `shape`, `seal`, `sequence`, `instants`, `span 1`, `citation 1`, `answer`, `facts`, `question`.
    pub name: String,
    /// What was found.
    pub outcome: Outcome,
    /// In words.
    pub detail: String,
}

/// All that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// The worst outcome.
    pub outcome: Outcome,
    /// Each check.
    pub checks: Vec<Checked>,
}

/// What of a receipt is checked by itself; the seal covers the rest.
#[derive(Deserialize)]
struct Claims {
    version: u32,
    asked_at: Instant,
    as_of: Option<Instant>,
    memory: MemoryClaims,
    spans: Vec<SpanRow>,
    question_sha256: String,
    answer_sha256: Option<String>,
    facts_sha256: Option<String>,
}

#[derive(Deserialize)]
struct MemoryClaims {
    seq: u64,
    seq_end: u64,
    instant: Option<Instant>,
}

/// Checks a receipt, or a whole answer or search with its receipt.
///
/// # Errors
/// When the store cannot answer.
pub fn verify(node: &Node, told: &Value) -> Result<Verdict, Fault> {
    let receipt = match &told["receipt"] {
        Value::Null => told,
        receipt => receipt,
    };
    let mut checks = Checks::default();
    match serde_json::from_value::<Claims>(receipt.clone()) {
        Ok(claims) if claims.version == VERSION => {
            checks.seal(seal(node)?, receipt);
            checks.sequence(node, &claims);
            checks.instants(&claims);
            for (idx, span) in claims.spans.iter().enumerate() {
                checks.span(node, idx + 1, span)?;
            }
            checks.words(told, &claims);
        }
        Ok(claims) => {
            let what = format!("version {} is none that is known here", claims.version);
            checks.add("shape", Outcome::Unknown, what);
        }
        Err(e) => checks.add("shape", Outcome::Differs, format!("not a receipt: {e}")),
    }
    Ok(checks.verdict())
}

#[derive(Default)]
struct Checks(Vec<Checked>);

impl Checks {
    fn add(&mut self, name: impl Into<String>, outcome: Outcome, detail: impl Into<String>) {
        self.0.push(Checked {
            name: name.into(),
            outcome,
            detail: detail.into(),
        });
    }

    fn holds(&mut self, name: impl Into<String>, holds: bool, good: String, bad: String) {
        match holds {
            true => self.add(name, Outcome::Verified, good),
            false => self.add(name, Outcome::Differs, bad),
        }
    }

    fn seal(&mut self, seal: &Seal, receipt: &Value) {
        let ours = seal.of(canonical(receipt).as_bytes());
        let holds = receipt[SEAL].as_str() == Some(ours.as_str());
        let bad = "the receipt was changed since, or another data folder gave it";
        self.holds("seal", holds, "of this data folder".into(), bad.into());
    }

    fn sequence(&mut self, node: &Node, claims: &Claims) {
        let head = node.documents().head().seq;
        let MemoryClaims { seq, seq_end, .. } = claims.memory;
        let last = claims.spans.iter().map(|s| s.seq).max().unwrap_or(0);
        let bad = format!(
            "searched from entry {seq} to {seq_end}, spans of up to {last}, while the log ends at {head}"
        );
        let good = format!("entries up to {last} of {seq_end}; the log is at {head}");
        let in_order = seq <= seq_end && last <= seq_end && seq_end <= head;
        self.holds("sequence", in_order, good, bad);
    }

    fn instants(&mut self, claims: &Claims) {
        let instant = claims.memory.instant.or(claims.as_of);
        let at = instant.unwrap_or(claims.asked_at);
        let late = claims.spans.iter().position(|s| s.known_at > at);
        let agree = claims
            .as_of
            .is_none_or(|as_of| claims.memory.instant == Some(as_of));
        let bad = match late {
            Some(idx) => format!("span {} became known after {at}", idx + 1),
            None => format!("`as_of` is not the instant searched at, {at}"),
        };
        let good = format!("all was known by {at}");
        self.holds("instants", late.is_none() && agree, good, bad);
    }

    fn span(&mut self, node: &Node, number: usize, span: &SpanRow) -> Result<(), Fault> {
        let name = format!("span {number}");
        let version = (span.seq, span.known_at.0);
        let stored = node
            .documents()
            .span(&span.chunk_id, version, (span.start, span.end))?;
        let place = format!("{} bytes {}..{}", span.document_id, span.start, span.end);
        let Some(stored) = stored else {
            let why = format!(
                "{place}: no version of entry {} is kept here: trimmed, or never stored",
                span.seq
            );
            self.add(name, Outcome::Unknown, why);
            return Ok(());
        };
        let found = sha256(stored.text.as_bytes());
        let difference = if stored.document_id != span.document_id {
            Some(format!("the chunk is of {}", stored.document_id))
        } else if found != span.sha256 {
            Some(format!("the stored bytes hash to {found}"))
        } else if stored.event_at != span.event_at.0 {
            Some(format!("stored with event_at {}", Instant(stored.event_at)))
        } else {
            None
        };
        let bad = format!("{place}: {}", difference.as_deref().unwrap_or_default());
        self.holds(name, difference.is_none(), place, bad);
        Ok(())
    }

    /// The words that came with the receipt, as far as they did.
    fn words(&mut self, told: &Value, claims: &Claims) {
        let facts = told["facts"].as_array().map(|facts| {
            let texts: Vec<&str> = facts.iter().filter_map(|f| f["text"].as_str()).collect();
            texts.join("\n")
        });
        let said = [
            (
                "question",
                told["q"].as_str(),
                Some(&claims.question_sha256),
            ),
            (
                "answer",
                told["answer"].as_str(),
                claims.answer_sha256.as_ref(),
            ),
            ("facts", facts.as_deref(), claims.facts_sha256.as_ref()),
        ];
        for (name, text, hash) in said {
            if let Some(text) = text {
                let holds = hash.is_some_and(|hash| *hash == sha256(text.as_bytes()));
                let bad = format!("the {name} is not the one that was answered");
                self.holds(name, holds, "as answered".into(), bad);
            }
        }
        for (list, words) in [("citations", "quote"), ("hits", "text")] {
            if let Some(shown) = told[list].as_array() {
                // News that states no cause stands beside the citations of a bundle of evidence.
                let beside = ["news", "peers"].map(|of| told[of].as_array());
                let beside = beside.into_iter().flatten().flatten();
                let beside = beside.filter(|_| list == "citations");
                let shown: Vec<&Value> = shown.iter().chain(beside).collect();
                self.shown(list, words, &shown, &claims.spans);
            }
        }
    }

    /// What is shown beside the receipt is what its spans are of.
    fn shown(&mut self, list: &str, words: &str, shown: &[&Value], spans: &[SpanRow]) {
        let counts = (shown.len(), spans.len());
        let bad = format!("{} are shown, {} are in the receipt", counts.0, counts.1);
        self.holds(list, counts.0 == counts.1, counts.0.to_string(), bad);
        for (idx, (one, span)) in shown.iter().zip(spans).enumerate() {
            let at = |name: &str| serde_json::from_value::<Instant>(one[name].clone()).ok();
            let same = one["document_id"] == span.document_id.as_str()
                && one["start"] == span.start
                && one["end"] == span.end
                && at("event_at") == Some(span.event_at)
                && at("known_at") == Some(span.known_at)
                && sha256(one[words].as_str().unwrap_or_default().as_bytes()) == span.sha256;
            let name = format!("{list} {}", idx + 1);
            let bad = "not the span in the receipt".to_owned();
            self.holds(name, same, span.document_id.clone(), bad);
        }
    }

    fn verdict(self) -> Verdict {
        let worst = |one: &Checked| match one.outcome {
            Outcome::Verified => 0,
            Outcome::Unknown => 1,
            Outcome::Differs => 2,
        };
        let outcome = self.0.iter().max_by_key(|one| worst(one));
        Verdict {
            outcome: outcome.map_or(Outcome::Unknown, |one| one.outcome),
            checks: self.0,
        }
    }
}

#[cfg(test)]
mod tests;
