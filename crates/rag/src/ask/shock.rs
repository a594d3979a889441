//! The market asks: why a move happened that a signal tells of, as of the signal's instant.
//!
//! The same evidence as for a person who asks why a symbol moved, but for the move that is told, however small beside an
//! earlier one, and with a stricter eye to time (`Settings::of_shock`). Where nothing states a cause, the symbol's own news of
//! the last minutes and news of its peers are shown beside "no cause found": they may be why, and are not said to be.

use crate::abstain::credible;
use crate::answer::quoted;
use crate::ask::run::Run;
use crate::ask::why::{Finding, cause_query, joined};
use crate::ask::{Answer, Asker, Citation, Question};
use crate::facts::{Jump, Move, moves};
use crate::fault::Fault;
use crate::fuse::Candidate;
use crate::memory::Search;
use crate::rank::{Evidence, Subject, causes, news};
use crate::search::Mode;

/// Peers whose news is shown at most.
const PEERS_SHOWN: usize = 2;
/// News of its own, at most, that states no cause, and how old it may be: of a company named a few times a day, a story this
/// fresh is rarely beside a move by chance.
const NEWS_SHOWN: usize = 2;
const NEWS_NS: u64 = 300_000_000_000;
/// Peers whose news is looked for at most.
const PEERS_LIMIT: usize = 128;

/// What a signal tells of.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Shock {
    /// Whose.
    pub symbol: String,
    /// The instant that it is explained as of, ns UTC: nothing known later is cited.
    pub at: u64,
    /// How far the price went; `None` for what is no jump: a halt, a rule of the user's.
    pub jump: Option<Jump>,
    /// Symbols whose news may matter to it: those of its sector.
    pub peers: Vec<String>,
}

/// An answer to a shock.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Explained {
    /// What was asked, in words: the receipt has their hash.
    pub q: String,
    /// Its cause, or that none was found. The receipt's spans are the citations, then those of `news` and of `peers`.
    pub answer: Answer,
    /// Its own news of the last five minutes, where no cause was found: it states none. The newest first.
    pub news: Vec<Citation>,
    /// News of peers that points the same way, where no cause was found; the strongest first.
    pub peers: Vec<PeerNews>,
}

/// What is told of a peer.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PeerNews {
    /// Whose news it is.
    pub symbol: String,
    /// Checked as any citation.
    pub citation: Citation,
}

impl Asker<'_> {
    /// Explains a shock as of its instant. Extractive: no model is asked.
    ///
    /// # Errors
    /// When no search at all could be made.
    pub fn explain(&self, shock: &Shock) -> Result<Explained, Fault> {
        let asker = Asker {
            model: None,
            settings: self.settings.of_shock(),
            ..*self
        };
        let question = Question {
            q: format!("Why is {} moving?", shock.symbol),
            symbol: Some(shock.symbol.clone()),
            as_of: Some(shock.at),
            ..Question::default()
        };
        let mut run = Run::start(&asker, &question)?;
        // The words are ours: a symbol that reads like a time or a direction is neither.
        (run.query.when, run.query.direction) = (None, None);
        let (found, m) = run.explain_shock(shock)?;
        let (news, peers) = match found.citations.is_empty() {
            true => (
                run.own_news(&shock.symbol, &m)?,
                run.peers(&shock.peers, &m)?,
            ),
            false => (Vec::new(), Vec::new()),
        };
        let mut draft = joined(vec![found]);
        draft.text.push_str(&own(&news, run.now_ns));
        draft
            .text
            .push_str(&told(&peers, news.len() + 1, run.now_ns));
        let of_peers = peers.iter().map(|peer| &peer.citation);
        let beside: Vec<Citation> = news.iter().chain(of_peers).cloned().collect();
        let text = draft.text.clone();
        let answer = run.finish(draft, text, &beside);
        Ok(Explained {
            q: question.q.clone(),
            answer,
            news,
            peers,
        })
    }
}

impl Run<'_> {
    fn explain_shock(&mut self, shock: &Shock) -> Result<(Finding, Move), Fault> {
        let subject = Subject {
            symbol: Some(shock.symbol.clone()),
            entities: Vec::new(),
        };
        let market = self.market(&shock.symbol);
        let m = moves::told(market.as_ref(), shock.at, shock.jump);
        if let Some(facts) = &market {
            self.flag_book(facts);
        }
        let facts = market.as_ref().map(|f| self.sentences(f, Some(&m)));
        // A symbol without market data has no facts to say.
        let known = (market.as_ref(), facts.unwrap_or_default());
        let found = self.explain_move(&subject, &shock.symbol, known, &m, 1)?;
        Ok((found, m))
    }

    /// What is told of it in the last minutes, whatever it says.
    fn own_news(&mut self, symbol: &str, m: &Move) -> Result<Vec<Citation>, Fault> {
        let since = m.start.saturating_sub(NEWS_NS);
        let search = Search {
            k: self.asker.settings.candidates_limit,
            as_of: self.searched_at,
            symbols: vec![symbol.to_owned()],
            event_from: Some(since),
            event_to: Some(m.end),
            ..Search::default()
        };
        let subject = Subject {
            symbol: Some(symbol.to_owned()),
            entities: Vec::new(),
        };
        let query = cause_query(&subject, self.name_of(&subject, None), m.direction());
        let vector = self.vector(&query)?;
        let found = self.retrieve(vector.as_deref(), &query, &search, Mode::Hybrid)?;
        let mut fresh = news(&found, symbol, since);
        fresh.truncate(NEWS_SHOWN);
        Ok(self.proven(fresh).1)
    }

    /// What is told of peers around a move that could have caused one of theirs.
    fn peers(&mut self, peers: &[String], m: &Move) -> Result<Vec<PeerNews>, Fault> {
        if peers.is_empty() {
            return Ok(Vec::new());
        }
        let settings = self.asker.settings;
        let query = cause_query(&Subject::default(), "", m.direction());
        let vector = self.vector(&query)?;
        let search = Search {
            k: settings.candidates_limit,
            as_of: self.searched_at,
            symbols: peers.iter().take(PEERS_LIMIT).cloned().collect(),
            event_from: Some(m.start.saturating_sub(settings.jump_lookback_ns)),
            event_to: Some(m.end),
            ..Search::default()
        };
        let found = self.retrieve(vector.as_deref(), &query, &search, Mode::Hybrid)?;
        let mut news: Vec<(&String, Evidence)> = peers
            .iter()
            .filter_map(|peer| Some((peer, self.strongest(peer, &found, m)?)))
            .collect();
        news.sort_by(|a, b| b.1.score.total_cmp(&a.1.score).then_with(|| a.0.cmp(b.0)));
        news.truncate(PEERS_SHOWN);
        let mut shown = Vec::with_capacity(news.len());
        for (peer, evidence) in news {
            let (_, citations) = self.proven(vec![evidence]);
            shown.extend(citations.into_iter().map(|citation| PeerNews {
                symbol: peer.clone(),
                citation,
            }));
        }
        Ok(shown)
    }

    /// The strongest cause that is told of one peer.
    fn strongest(&self, peer: &str, found: &[Candidate], m: &Move) -> Option<Evidence> {
        let is_of = |c: &&Candidate| c.passage.symbols.iter().any(|s| s == peer);
        let of_peer: Vec<Candidate> = found.iter().filter(is_of).cloned().collect();
        let subject = Subject {
            symbol: Some(peer.to_owned()),
            entities: Vec::new(),
        };
        let settings = &self.asker.settings;
        let ranked = causes(&of_peer, m, None, &subject, &self.names, settings);
        credible(ranked).into_iter().next()
    }
}

/// Its own news in words, after an answer without a cause.
fn own(news: &[Citation], now_ns: u64) -> String {
    if news.is_empty() {
        return String::new();
    }
    let quotes = news
        .iter()
        .zip(1..)
        .map(|(citation, number)| quoted(citation, number, now_ns));
    let quotes: Vec<String> = quotes.collect();
    format!(
        " Its own news just before, which states no cause: {}",
        quotes.join(" ")
    )
}

/// News of peers in words, after an answer without a cause; the first has `number`.
fn told(peers: &[PeerNews], number: usize, now_ns: u64) -> String {
    if peers.is_empty() {
        return String::new();
    }
    let quotes = peers.iter().enumerate().map(|(idx, peer)| {
        let quote = quoted(&peer.citation, number + idx, now_ns);
        format!("{}: {quote}", peer.symbol)
    });
    let quotes: Vec<String> = quotes.collect();
    format!(" News of its sector, not of it: {}", quotes.join(" "))
}
