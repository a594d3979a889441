//! Standing questions and alerts at the border.

use collection::text::Analyser;
use collection::{Condition, Filter, TextQuery, Value as Stored};
use market::publish::STATE_DIM;
use node::Node;
use node::moments::MomentQuery;
use node::standing::{
    Alert, Arrival, DocumentArrival, Kept, Meaning, NewQuestion, Question, Standing, StateArrival,
    StateWish, Words,
};
use rag::Embed;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::filter::parse_filter;
use super::{Instant, from_object};
use crate::standing::{Secret, check_url};

const ID_BYTES_LIMIT: usize = 128;
const NAME_BYTES_LIMIT: usize = 256;
const TEXT_BYTES_LIMIT: usize = 4_096;
const LIST_LIMIT: usize = 64;
/// Bytes of a definition, at most.
const DEFINITION_BYTES_LIMIT: usize = 64 << 10;
/// The least cosine that a question is given which names none: what an answer of `/v1/ask` needs when few words agree.
const MIN_COSINE: f32 = 0.5;
const MAX_DISTANCE: f32 = 0.05;

/// A standing question as a client sends it, and as it is kept.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a standing question, which is a JSON object"
)]
pub struct Definition {
    id: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    text: Option<TextBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    meaning: Option<MeaningBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    filter: Option<Value>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    symbols: Vec<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sources: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateBody>,
    #[serde(skip_serializing_if = "Option::is_none")]
    webhook: Option<WebhookBody>,
    /// Ours: what the vector of its meaning was made by.
    #[serde(skip_serializing_if = "Option::is_none")]
    model: Option<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "`text` is a text, or {q, match: all / any / phrase}"
)]
enum TextBody {
    Plain(String),
    How {
        q: String,
        #[serde(rename = "match", default)]
        how: How,
    },
}

#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum How {
    #[default]
    All,
    Any,
    Phrase,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(
    untagged,
    deny_unknown_fields,
    expecting = "`meaning` is a text, or {text, min_cosine}, or {vector, min_cosine}"
)]
enum MeaningBody {
    Plain(String),
    Text {
        text: String,
        min_cosine: Option<f32>,
    },
    Vector {
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        vector: Vec<f32>,
        min_cosine: Option<f32>,
    },
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct StateBody {
    /// Whose state at `at` it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    symbol: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<Instant>,
    /// The state itself, where it is nobody's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    vector: Vec<f32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    max_distance: Option<f32>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct WebhookBody {
    url: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    secret: Option<String>,
}

impl Definition {
    /// Reads one from a client's JSON.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let text = value.to_string();
        if text.len() > DEFINITION_BYTES_LIMIT {
            return Err(format!(
                "has {} bytes, more than {DEFINITION_BYTES_LIMIT}",
                text.len()
            ));
        }
        from_object(text.as_bytes())
    }

    /// Checks it, gives it an id and its webhook a secret where they are wanting, and makes its vector.
    ///
    /// # Errors
    /// What is wrong with it, in a sentence; or why its meaning cannot be embedded.
    pub fn settle(mut self, node: &Node) -> Result<NewQuestion, String> {
        if self.id.is_empty() {
            self.id = format!("sq_{}", &Secret::new()?.token()[..16]);
        }
        self.model = None;
        self.check()?;
        if let Some(webhook) = &mut self.webhook {
            let secret = match &webhook.secret {
                None => Secret::new()?,
                Some(secret) => Secret::parse(secret).map_err(|w| format!("webhook.secret {w}"))?,
            };
            webhook.secret = Some(secret.shown());
        }
        let vector = match (&mut self.meaning, &mut self.state) {
            (Some(meaning), None) => {
                self.model = Some(node.model_id());
                meaning.vector(node)?
            }
            (None, Some(state)) => state.vector(node)?,
            _ => Vec::new(),
        };
        let collection = node.documents().collection();
        let analyser = Analyser::new(&collection.text_rules().reading);
        let question = self.question(vector, &analyser)?;
        let definition = serde_json::to_string(&self).map_err(|e| e.to_string())?;
        Ok(NewQuestion {
            question,
            definition,
        })
    }

    /// Reads one that an earlier run kept.
    ///
    /// # Errors
    /// What of it this version does not understand, in a sentence.
    pub fn read(kept: &Kept, node: &Node) -> Result<Question, String> {
        let definition: Self = from_object(kept.definition.as_bytes())?;
        let vector = definition.vector_of_now(kept, node)?;
        let collection = node.documents().collection();
        definition.question(vector, &Analyser::new(&collection.text_rules().reading))
    }

    /// As [`read`](Self::read), with a definition that names the model whose vector its meaning has.
    ///
    /// # Errors
    /// As `read`.
    pub fn renew(kept: &Kept, node: &Node) -> Result<NewQuestion, String> {
        let model = node.model_id();
        let question = Self::read(kept, node)?;
        let mut definition = kept.definition.clone();
        let mut known: Self = from_object(definition.as_bytes())?;
        if known.meaning_text().is_some() && known.model.as_ref() != Some(&model) {
            known.model = Some(model);
            definition = serde_json::to_string(&known).map_err(|e| e.to_string())?;
        }
        Ok(NewQuestion {
            question,
            definition,
        })
    }

    /// What its meaning, or its state, is compared by. A direction that was sent, and not embedded here, is of the model of
    /// then: nothing is near to it when that answers no more.
    fn vector_of_now(&self, kept: &Kept, node: &Node) -> Result<Vec<f32>, String> {
        let now = node.model();
        let is_of_now = match &self.model {
            Some(model) => *model == now.id,
            None => kept.vector.len() == now.dim,
        };
        match &self.meaning {
            None => Ok(kept.vector.clone()),
            Some(_) if is_of_now && kept.vector.len() == now.dim => Ok(kept.vector.clone()),
            Some(meaning) => match meaning.text() {
                Some(text) => {
                    let mut vector = node.embed(text).map_err(|fault| fault.to_string())?;
                    node::standing::unit(&mut vector)?;
                    Ok(vector)
                }
                None => Ok(Vec::new()),
            },
        }
    }

    /// Where alerts of a kept definition go, and what they are signed with; `None` of one without a webhook. A definition is
    /// kept after it was read and its secret made, so that both can be read again.
    #[must_use]
    pub fn webhook_of(definition: &str) -> Option<(String, Secret)> {
        let definition: Self = from_object(definition.as_bytes()).ok()?;
        let webhook = definition.webhook?;
        Some((webhook.url, Secret::parse(&webhook.secret?).ok()?))
    }

    fn meaning_text(&self) -> Option<&str> {
        self.meaning.as_ref()?.text()
    }

    fn check(&self) -> Result<(), String> {
        let long = |what: &str, size: usize, limit: usize| match size > limit {
            true => Err(format!("{what} has {size} bytes, more than {limit}")),
            false => Ok(()),
        };
        long("id", self.id.len(), ID_BYTES_LIMIT)?;
        long("name", self.name.len(), NAME_BYTES_LIMIT)?;
        if self.id.chars().any(char::is_control) {
            return Err("id has a character that cannot be shown".to_owned());
        }
        long(
            "text",
            self.text.as_ref().map_or(0, |t| t.q().len()),
            TEXT_BYTES_LIMIT,
        )?;
        long(
            "meaning",
            self.meaning_text().map_or(0, str::len),
            TEXT_BYTES_LIMIT,
        )?;
        for (what, list) in [("symbols", &self.symbols), ("sources", &self.sources)] {
            if list.len() > LIST_LIMIT {
                return Err(format!(
                    "{what} has {} entries, more than {LIST_LIMIT}",
                    list.len()
                ));
            }
        }
        if let Some(webhook) = &self.webhook {
            check_url(&webhook.url).map_err(|why| format!("webhook.url {why}"))?;
        }
        let of_documents = self.text.is_some() || self.meaning.is_some() || self.filter.is_some();
        let of_either = !self.symbols.is_empty() || !self.sources.is_empty();
        match &self.state {
            Some(_) if of_documents || !self.sources.is_empty() => {
                Err("it asks for a market state and for documents; put two questions".to_owned())
            }
            None if !of_documents && !of_either => Err(
                "it asks nothing; give it text, meaning, filter, symbols, sources or state"
                    .to_owned(),
            ),
            _ => Ok(()),
        }
    }

    /// What it asks; `vector` is that of its meaning or its state.
    fn question(&self, vector: Vec<f32>, analyser: &Analyser) -> Result<Question, String> {
        let words = self
            .text
            .as_ref()
            .map(|text| text.words(analyser))
            .transpose()?;
        let (mut meaning, mut state) = (None, None);
        if let Some(asked) = &self.meaning {
            let cosine_min = asked.min_cosine().unwrap_or(MIN_COSINE);
            if !(-1.0..=1.0).contains(&cosine_min) {
                return Err("meaning.min_cosine is not within -1 and 1".to_owned());
            }
            meaning = Some(Meaning { vector, cosine_min });
        } else if let Some(asked) = &self.state {
            let distance_max = asked.max_distance.unwrap_or(MAX_DISTANCE);
            if !(0.0..=2.0).contains(&distance_max) {
                return Err("state.max_distance is not within 0 and 2".to_owned());
            }
            state = Some(StateWish {
                vector,
                distance_max,
                symbols: self.symbols.clone(),
            });
        }
        Ok(Question {
            id: self.id.clone(),
            name: self.name.clone(),
            words,
            meaning,
            filter: match state {
                None => self.whole_filter()?,
                Some(_) => None,
            },
            state,
        })
    }

    /// The filter with symbols and sources in it.
    fn whole_filter(&self) -> Result<Option<Filter>, String> {
        let any = |field: &str, values: Vec<String>| {
            let values: Vec<Stored> = values.into_iter().map(Stored::Str).collect();
            (!values.is_empty()).then(|| Condition::Any {
                field: field.to_owned(),
                values,
            })
        };
        let symbols = self
            .symbols
            .iter()
            .map(|s| s.trim().to_uppercase())
            .collect();
        let mut filter = match &self.filter {
            None => Filter::default(),
            Some(given) => parse_filter(given)?,
        };
        filter.must.extend(any("symbols", symbols));
        filter.must.extend(any("source", self.sources.clone()));
        filter.check().map_err(|why| format!("filter: {why}"))?;
        Ok((filter != Filter::default()).then_some(filter))
    }
}

impl TextBody {
    fn q(&self) -> &str {
        match self {
            Self::Plain(q) | Self::How { q, .. } => q,
        }
    }

    fn words(&self, analyser: &Analyser) -> Result<Words, String> {
        let how = match self {
            Self::Plain(_) => How::All,
            Self::How { how, .. } => *how,
        };
        let query = match how {
            How::Phrase => TextQuery::phrase(self.q(), analyser),
            How::All | How::Any => TextQuery::parse(self.q(), analyser),
        };
        if query.terms().len() == 0 {
            return Err(format!(
                "text {:?} has nothing but words that are not indexed",
                self.q()
            ));
        }
        let any = matches!(how, How::Any);
        Ok(Words { query, any })
    }
}

impl MeaningBody {
    fn text(&self) -> Option<&str> {
        match self {
            Self::Plain(text) | Self::Text { text, .. } => Some(text),
            Self::Vector { .. } => None,
        }
    }

    fn min_cosine(&self) -> Option<f32> {
        match self {
            Self::Plain(_) => None,
            Self::Text { min_cosine, .. } | Self::Vector { min_cosine, .. } => *min_cosine,
        }
    }

    /// Of unit length. One that was sent is kept once, beside the definition.
    fn vector(&mut self, node: &Node) -> Result<Vec<f32>, String> {
        let mut found = match self {
            Self::Plain(text) | Self::Text { text, .. } => {
                if text.trim().is_empty() {
                    return Err("meaning has no text".to_owned());
                }
                node.embed(text)
                    .map_err(|fault| format!("meaning: {fault}"))?
            }
            Self::Vector { vector, .. } => {
                let wanted = node.model().dim;
                if vector.len() != wanted {
                    let found = vector.len();
                    return Err(format!(
                        "meaning.vector has {found} components, not {wanted}"
                    ));
                }
                std::mem::take(vector)
            }
        };
        node::standing::unit(&mut found).map_err(|why| format!("meaning.vector: {why}"))?;
        Ok(found)
    }
}

impl StateBody {
    fn vector(&mut self, node: &Node) -> Result<Vec<f32>, String> {
        if !self.vector.is_empty() {
            let found = std::mem::take(&mut self.vector);
            let is_state = found.len() == STATE_DIM && found.iter().all(|v| v.abs() <= 1.0);
            return match is_state {
                true => Ok(found),
                false => Err(format!(
                    "state.vector is not {STATE_DIM} numbers of -1 to 1"
                )),
            };
        }
        let Some(symbol) = &self.symbol else {
            return Err("state names neither a symbol nor a vector".to_owned());
        };
        let found = node.moments().similar(&MomentQuery {
            symbol: symbol.clone(),
            at: self.at.map(|at| at.0),
            window_ns: 0,
            k: 1,
            outcomes: Vec::new(),
            shape: None,
            same_symbol: true,
        });
        let found = found.map_err(|why| format!("state: {why}"))?;
        // What is kept says which moment it is, also where now was meant.
        self.at = Some(Instant(found.at));
        Ok(found.vector)
    }
}

/// A standing question as a client is shown it.
#[derive(Clone, Debug, Serialize)]
pub struct StandingRow {
    #[serde(flatten)]
    definition: Value,
    after_seq: u64,
}

impl StandingRow {
    /// With the webhook's secret, which is for the one who put it.
    #[must_use]
    pub fn whole(standing: &Standing) -> Self {
        // A definition is what this crate wrote after it had read it; null would be shown for another's.
        let definition = serde_json::from_str(&standing.definition).unwrap_or_default();
        Self {
            definition,
            after_seq: standing.after_seq,
        }
    }

    /// Without the webhook's secret.
    #[must_use]
    pub fn open(standing: &Standing) -> Self {
        let mut row = Self::whole(standing);
        if let Some(webhook) = row
            .definition
            .get_mut("webhook")
            .and_then(Value::as_object_mut)
        {
            webhook.remove("secret");
        }
        row
    }
}

/// An alert: `GET /v1/alerts`, the topic `alerts` of `/v1/stream`, webhooks and NATS.
#[derive(Clone, Debug, Serialize)]
pub struct AlertRow {
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    n: u64,
    question_id: String,
    name: String,
    at: Instant,
    #[serde(skip_serializing_if = "Option::is_none")]
    document: Option<DocumentRow>,
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<StateRow>,
}

#[derive(Clone, Debug, Serialize)]
struct DocumentRow {
    document_id: String,
    chunk_id: String,
    title: Option<String>,
    source: Option<String>,
    url: Option<String>,
    symbols: Vec<String>,
    start: usize,
    end: usize,
    text: String,
    score: f32,
    passages: usize,
    event_at: Instant,
    known_at: Instant,
    seq: u64,
}

#[derive(Clone, Debug, Serialize)]
struct StateRow {
    symbol: String,
    at: Instant,
    known_at: Instant,
    distance: f32,
}

impl AlertRow {
    /// Whether it is of the question of that id.
    #[must_use]
    pub fn is_of(&self, question_id: &str) -> bool {
        self.question_id == question_id
    }

    /// The row of an alert.
    #[must_use]
    pub fn of(alert: &Alert) -> Self {
        let question = &alert.standing.question;
        let (document, state) = match &alert.of {
            Arrival::Document(document) => (Some(DocumentRow::of(document)), None),
            Arrival::State(state) => (None, Some(StateRow::of(state))),
        };
        Self {
            kind: "alert",
            id: alert.id.clone(),
            n: alert.n,
            question_id: question.id.clone(),
            name: question.name.clone(),
            at: Instant(alert.at),
            document,
            state,
        }
    }
}

impl DocumentRow {
    fn of(document: &DocumentArrival) -> Self {
        let document = document.clone();
        Self {
            document_id: document.document_id,
            chunk_id: document.chunk_id,
            title: document.title,
            source: document.source,
            url: document.url,
            symbols: document.symbols,
            start: document.start,
            end: document.end,
            text: document.quote,
            score: document.score,
            passages: document.passages,
            event_at: Instant(document.event_at),
            known_at: Instant(document.known_at),
            seq: document.seq,
        }
    }
}

impl StateRow {
    fn of(state: &StateArrival) -> Self {
        Self {
            symbol: state.symbol.clone(),
            at: Instant(state.end_ns),
            known_at: Instant(state.known_ns),
            distance: state.distance,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn question(definition: Value) -> Result<Question, String> {
        let definition = Definition::parse(&definition)?;
        definition.check()?;
        definition.question(vec![1.0], &Analyser::default())
    }

    #[test]
    fn questions_are_read() {
        let asked = question(json!({
            "id": "q", "text": {"q": "rate \"basis points\"", "match": "any"},
            "meaning": {"text": "the bank cut its rates", "min_cosine": 0.6},
            "filter": {"must": {"key": "pages", "range": {"gte": 5}}},
            "symbols": ["acm"], "sources": ["wire"],
            "webhook": {"url": "https://a/hook"},
        }));
        let asked = asked.expect("reads");
        assert!(asked.words.is_some_and(|w| w.any && w.query.has_phrases()));
        assert_eq!(asked.meaning.map(|m| m.cosine_min), Some(0.6));
        let must = asked.filter.expect("a filter").must;
        assert_eq!(must.len(), 3);
        assert!(format!("{must:?}").contains("ACM"));
        let plain = question(json!({"id": "q", "text": "halted"})).expect("reads");
        assert!(plain.words.is_some_and(|words| !words.any));
        let phrase = json!({"id": "q", "text": {"q": "halted \"trading", "match": "phrase"}});
        let phrase = question(phrase).expect("reads").words.expect("words");
        assert_eq!(phrase.query.words_of_phrases().count(), 2);
    }

    #[test]
    fn what_makes_no_question_is_refused_with_the_reason() {
        for (bad, word) in [
            (json!({"id": "q"}), "asks nothing"),
            (json!({"id": "q", "txt": "a"}), "txt"),
            (json!({"id": "q", "text": "of the"}), "not indexed"),
            (
                json!({"id": "q", "meaning": {"text": "a", "cosine": 0.9}}),
                "min_cosine",
            ),
            (
                json!({"id": "q", "text": {"q": "a1", "how": "any"}}),
                "match: all",
            ),
            (
                json!({"id": "q", "text": {"q": "a1", "match": "some"}}),
                "all / any / phrase",
            ),
            (
                json!({"id": "q", "meaning": {"text": "a", "min_cosine": 2.0}}),
                "-1 and 1",
            ),
            (
                json!({"id": "q", "state": {"symbol": "A"}, "text": "a1"}),
                "two questions",
            ),
            (
                json!({"id": "q", "state": {"symbol": "A", "max_distance": -1}}),
                "0 and 2",
            ),
            (json!({"id": "q", "filter": {"most": []}}), "most"),
            (json!({"id": "q\n", "text": "a1"}), "cannot be shown"),
            (
                json!({"id": "x".repeat(200), "text": "a1"}),
                "more than 128",
            ),
            (
                json!({"id": "q", "text": "a1", "webhook": {"url": "ftp://a"}}),
                "webhook.url",
            ),
            (
                json!({"id": "q", "text": "x".repeat(70_000)}),
                "more than 65536",
            ),
            (json!([]), "a list"),
        ] {
            let why = question(bad.clone()).expect_err("refused");
            assert!(why.contains(word), "{why} of {bad:.80}");
        }
    }

    #[test]
    fn a_secret_is_shown_to_the_one_who_put_it_alone() {
        let definition = json!({"id": "q", "text": "a1",
            "webhook": {"url": "http://a", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}});
        let standing = Standing {
            question: Question::default(),
            after_seq: 3,
            definition: definition.to_string().into(),
        };
        let shown = |row: StandingRow| serde_json::to_value(row).expect("JSON");
        let whole = shown(StandingRow::whole(&standing));
        assert_eq!(whole["webhook"]["secret"], definition["webhook"]["secret"]);
        let open = shown(StandingRow::open(&standing));
        assert_eq!(open["webhook"], json!({"url": "http://a"}));
        assert_eq!(open["after_seq"], 3);
    }
}
