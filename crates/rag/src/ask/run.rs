//! One question on its way: what was understood, the time left, the receipt so far.

use std::sync::Arc;

use crate::ask::why::Draft;
use crate::ask::{Answer, Asker, Citation, Question};
use crate::cite::cite;
use crate::fault::Fault;
use crate::query::{Class, Names, Query};
use crate::rank::Evidence;
use crate::receipt::watch::Watch;
use crate::receipt::{MemorySeen, Receipt, SpanSeen, StreamSeen, sha256};
use crate::semantic::Earlier;
use crate::settings::{K_LIMIT, QUESTION_BYTES_LIMIT};

/// The clock and a feed's time may differ this much and still be one day's business.
const SAME_TIME_NS: u64 = 7 * 86_400_000_000_000;

/// The state of one call.
pub(crate) struct Run<'a> {
    pub(crate) asker: &'a Asker<'a>,
    pub(crate) question: &'a Question,
    pub(crate) names: Arc<Names>,
    pub(crate) query: Query,
    /// The instant that "now" means: `as_of`, or the present while that has not come.
    pub(crate) now_ns: u64,
    /// The instant at which memory is searched: `as_of`, or what the memory calls the present.
    pub(crate) searched_at: Option<u64>,
    /// Whose vectors the question's is compared with.
    pub(crate) generation: Option<u32>,
    pub(crate) deadline_ns: Option<u64>,
    pub(crate) receipt: Receipt,
    pub(crate) watch: Watch<'a>,
    /// Sentences that stand before the answer, whoever writes it.
    pub(crate) notices: Vec<String>,
    /// Whether an earlier question was looked for, and the one that is searched in place of this one.
    pub(crate) earlier: Option<Option<Arc<Earlier>>>,
}

impl<'a> Run<'a> {
    pub(crate) fn start(asker: &'a Asker<'a>, question: &'a Question) -> Result<Self, Fault> {
        let limited = |what: String, hint: &str| Err(Fault::invalid(what, hint));
        if question.q.trim().is_empty() {
            return limited(
                "`q` is empty".into(),
                "ask something, e.g. why did AAPL move?",
            );
        }
        if question.q.len() > QUESTION_BYTES_LIMIT {
            let what = format!(
                "`q` has {} bytes, more than {QUESTION_BYTES_LIMIT}",
                question.q.len()
            );
            return limited(what, "ask a shorter question");
        }
        if question.k > K_LIMIT {
            return limited(
                format!("`k` is {}, more than {K_LIMIT}", question.k),
                "ask for fewer",
            );
        }
        let mut watch = Watch::start(asker.clock);
        let asked_at = watch.started_ns();
        let mut receipt = Receipt {
            as_of: question.as_of,
            asked_at,
            ..Receipt::default()
        };
        receipt.question_sha256 = sha256(question.q.as_bytes());
        receipt.stream = stream(asker, asked_at);
        let searched_at = question.as_of.or_else(|| asker.memory.instant());
        receipt.memory = memory(asker, question.as_of, asked_at);
        receipt.memory.instant = searched_at;
        let present = now_of(&receipt, asked_at);
        let now_ns = match (question.as_of, searched_at) {
            (Some(as_of), _) => as_of.min(present.max(asked_at)),
            // The instant by which the same question can be asked again, unless the feed replays another time.
            (None, Some(at)) if present.abs_diff(at) < SAME_TIME_NS => at,
            (None, _) => present,
        };
        let names = asker.facts.names();
        let query = Query::read(&question.q, question.symbol.as_deref(), &names, now_ns);
        watch.lap(&mut receipt.stages_us.facts);
        Ok(Self {
            asker,
            question,
            names,
            query,
            now_ns,
            searched_at,
            generation: None,
            deadline_ns: question
                .deadline_ms
                .map(|ms| asked_at.saturating_add(ms.saturating_mul(1_000_000))),
            receipt,
            watch,
            notices: Vec::new(),
            earlier: None,
        })
    }

    /// Answers; `on_text` gets only text that passed its checks.
    pub(crate) fn answer(mut self, on_text: &mut dyn FnMut(&str) -> bool) -> Result<Answer, Fault> {
        self.name_unknown();
        let mut draft = match self.query.class {
            Class::WhyMoved => self.why()?,
            Class::Moving => self.moving()?,
            Class::Lookup | Class::General => self.plain()?,
        };
        self.watch.lap(&mut self.receipt.stages_us.assemble);
        let written = self.write(&mut draft, on_text)?;
        Ok(self.finish(draft, written, &[]))
    }

    /// The answer with its receipt, whose spans are the citations and those shown beside them.
    pub(crate) fn finish(mut self, draft: Draft, written: String, beside: &[Citation]) -> Answer {
        let shown = draft.citations.iter().chain(beside);
        self.seal(shown.map(SpanSeen::from).collect());
        self.receipt.answer_sha256 = Some(sha256(written.as_bytes()));
        let facts: Vec<&str> = draft.facts.iter().map(|f| f.text.as_str()).collect();
        self.receipt.facts_sha256 = Some(sha256(facts.join("\n").as_bytes()));
        self.receipt.stages_us.total = self.watch.total_us();
        Answer {
            answer: written,
            abstained: draft.abstained,
            citations: draft.citations,
            facts: draft.facts,
            receipt: self.receipt,
        }
    }

    /// Notes what is shown, and how far the memory had got when all of it was found.
    pub(crate) fn seal(&mut self, spans: Vec<SpanSeen>) {
        self.receipt.memory.seq_end = self.asker.memory.head().seq;
        self.receipt.spans = spans;
    }

    /// Says which symbols of the question nobody here knows, so that an answer without them is not
    /// taken for one about them.
    fn name_unknown(&mut self) {
        let unknown: Vec<String> = self
            .query
            .symbols
            .iter()
            .filter(|symbol| !self.names.is_symbol(symbol))
            .filter(|symbol| self.asker.facts.as_of_facts(symbol, None).is_none())
            .cloned()
            .chain(self.query.tickers.clone())
            .collect();
        for symbol in unknown {
            self.flag(format!("unknown-symbol:{symbol}"));
            self.notices
                .push(format!("The symbol {symbol} is unknown here."));
        }
    }

    /// Whether the time for the answer was over before anything was searched; says so.
    pub(crate) fn too_late(&mut self) -> bool {
        let late = self.left_ns() == Some(0);
        if late {
            self.skip("search: deadline".to_owned());
            self.flag("not-searched".to_owned());
        }
        late
    }

    /// What keeps "nothing found" from meaning that nothing is there; empty when nothing does.
    pub(crate) fn reservation(&self) -> &'static str {
        let skipped = |what| self.receipt.skipped.iter().any(|s| s == what);
        match skipped("dense: deadline") {
            true => " Search by meaning was left out: deadline.",
            false => "",
        }
    }

    /// Citations of the evidence, and the evidence that could be cited. What cannot be proven
    /// verbatim is dropped and flagged.
    pub(crate) fn proven(&mut self, evidence: Vec<Evidence>) -> (Vec<Evidence>, Vec<Citation>) {
        self.watch.lap(&mut self.receipt.stages_us.assemble);
        let all = evidence.len();
        let proven: Vec<_> = evidence
            .into_iter()
            .filter_map(|e| cite(&e).map(|citation| (e, citation)))
            .collect();
        if proven.len() < all {
            self.flag("unverified-quote-dropped".to_owned());
        }
        self.watch.lap(&mut self.receipt.stages_us.verify);
        proven.into_iter().unzip()
    }

    /// How many citations the answer may have.
    pub(crate) fn citations_limit(&self) -> usize {
        match self.question.k {
            0 => self.asker.settings.citations_limit,
            k => k,
        }
    }

    /// Time left, ns; `None` without a deadline.
    pub(crate) fn left_ns(&self) -> Option<u64> {
        self.deadline_ns
            .map(|deadline| deadline.saturating_sub(self.watch.now_ns()))
    }

    /// Adds a flag once.
    pub(crate) fn flag(&mut self, flag: String) {
        if !self.receipt.flags.contains(&flag) {
            self.receipt.flags.push(flag);
        }
    }

    /// Notes once what was left out.
    pub(crate) fn skip(&mut self, what: String) {
        if !self.receipt.skipped.contains(&what) {
            self.receipt.skipped.push(what);
        }
    }
}

/// The present: the clock's, unless the feed replays another time altogether.
fn now_of(receipt: &Receipt, clock_ns: u64) -> u64 {
    let head = receipt.stream.as_ref().map_or(clock_ns, |s| s.ts_event);
    if head.abs_diff(clock_ns) > SAME_TIME_NS {
        head
    } else {
        clock_ns.max(head)
    }
}

fn stream(asker: &Asker<'_>, asked_at: u64) -> Option<StreamSeen> {
    asker.facts.stream_head().map(|head| StreamSeen {
        seq: head.seq,
        ts_event: head.ts_event,
        freshness_ms: age_ms(head.ts_event, asked_at),
        integrity: head.integrity,
        feed_state: head.feed_state,
    })
}

/// As of an instant, nothing later is shown; how old the newest was then is not known when newer
/// documents have come since.
fn memory(asker: &Asker<'_>, as_of: Option<u64>, asked_at: u64) -> MemorySeen {
    let head = asker.memory.head();
    let seen_at = as_of.map_or(asked_at, |as_of| as_of.min(asked_at));
    let later = head
        .newest_known_at
        .filter(|&at| as_of.is_some_and(|t| at > t));
    MemorySeen {
        seq: head.seq,
        seq_end: head.seq,
        instant: as_of,
        newest_known_at: head.newest_known_at.map(|at| at.min(as_of.unwrap_or(at))),
        freshness_ms: head
            .newest_known_at
            .filter(|_| later.is_none())
            .map(|at| age_ms(at, seen_at).max(0.0)),
    }
}

fn age_ms(at_ns: u64, now_ns: u64) -> f64 {
    (i128::from(now_ns) - i128::from(at_ns)) as f64 / 1e6
}
