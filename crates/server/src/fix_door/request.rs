//! What a counterparty may ask for, and why it is refused.

use wire::fix::{Message, tag};

/// Levels that are published.
const DEPTH_LIMIT: usize = market::publish::TOP_LEVELS;
/// Symbols in one request.
const SYMBOLS_LIMIT: usize = 1_000;

/// `NoMDEntryTypes` and its entries; `NoRelatedSym` ends before anything that is no instrument.
const ENTRY_MEMBERS: &[u32] = &[tag::MD_ENTRY_TYPE];

/// What is wanted of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wanted {
    /// One snapshot.
    Snapshot,
    /// A snapshot and then updates.
    Updates,
    /// No more updates.
    Nothing,
}

/// The entry types of a request: a bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kinds(u16);

/// The types that we have, in the order of their bits.
const KINDS: &[u8] = b"0124789B";

impl Kinds {
    /// Whether `kind` is among them.
    pub fn has(self, kind: u8) -> bool {
        let bit = KINDS.iter().position(|&known| known == kind);
        bit.is_some_and(|bit| self.0 & (1 << bit) != 0)
    }

    /// Whether any of the session's statistics is.
    pub fn has_statistics(self) -> bool {
        b"4789B".iter().any(|&kind| self.has(kind))
    }

    fn add(&mut self, kind: u8) -> bool {
        let bit = KINDS.iter().position(|&known| known == kind);
        self.0 |= bit.map_or(0, |bit| 1 << bit);
        bit.is_some()
    }
}

/// A market data request that can be served, but for its symbols.
#[derive(Clone, Debug)]
pub struct Request {
    /// `MDReqID`.
    pub id: Vec<u8>,
    /// What is wanted.
    pub wanted: Wanted,
    /// Levels on each side.
    pub depth: usize,
    /// Updates are whole snapshots.
    pub full_refresh: bool,
    /// Which entries.
    pub kinds: Kinds,
    /// Which symbols.
    pub symbols: Vec<String>,
}

/// Why a request is refused: `MDReqRejReason` where there is one, and words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// `MDReqRejReason` (281).
    pub reason: Option<u8>,
    /// `Text` (58).
    pub text: String,
}

/// A refusal.
pub fn refusal(reason: impl Into<Option<u8>>, text: impl Into<String>) -> Refusal {
    Refusal {
        reason: reason.into(),
        text: text.into(),
    }
}

impl Request {
    /// Reads a MarketDataRequest that the dictionary found good.
    pub fn read(message: &Message<'_>) -> Result<Self, Refusal> {
        let value = |tag| {
            message
                .get(tag)
                .map(|field| field.value)
                .unwrap_or_default()
        };
        let mut request = Self {
            id: value(tag::MD_REQ_ID).to_vec(),
            wanted: match value(tag::SUBSCRIPTION_REQUEST_TYPE) {
                b"0" => Wanted::Snapshot,
                b"1" => Wanted::Updates,
                b"2" => Wanted::Nothing,
                _ => return Err(refusal(b'4', "SubscriptionRequestType must be 0, 1 or 2")),
            },
            depth: DEPTH_LIMIT,
            full_refresh: value(tag::MD_UPDATE_TYPE) == b"0",
            kinds: Kinds::default(),
            symbols: Vec::new(),
        };
        if request.wanted == Wanted::Nothing {
            return Ok(request);
        }
        let depth = message.require(tag::MARKET_DEPTH).and_then(|f| f.uint());
        match depth.unwrap_or(u64::MAX) {
            0 => {}
            depth if depth <= DEPTH_LIMIT as u64 => request.depth = depth as usize,
            _ => {
                let text =
                    format!("MarketDepth must be 0 (all that is published) to {DEPTH_LIMIT}");
                return Err(refusal(b'5', text));
            }
        }
        if request.wanted == Wanted::Updates && value(tag::MD_UPDATE_TYPE).is_empty() {
            return Err(refusal(b'6', "MDUpdateType must be 0 or 1"));
        }
        if value(tag::AGGREGATED_BOOK) == b"N" {
            return Err(refusal(
                b'7',
                "books are by price: AggregatedBook must be Y",
            ));
        }
        request.groups(message)?;
        Ok(request)
    }

    fn groups(&mut self, message: &Message<'_>) -> Result<(), Refusal> {
        let mut fields = message.fields();
        while let Some(Ok(field)) = fields.next() {
            match field.tag {
                tag::NO_MD_ENTRY_TYPES => {
                    let group = fields.group(field, ENTRY_MEMBERS);
                    let group = group.map_err(|e| refusal(None, e.to_string()))?;
                    for entry in group.flatten() {
                        let kind = entry.get(tag::MD_ENTRY_TYPE).map(|f| f.value);
                        if !matches!(kind, Some(&[kind]) if self.kinds.add(kind)) {
                            let kind = kind.unwrap_or_default().escape_ascii();
                            let text =
                                format!("MDEntryType {kind}: 0 1 2 4 7 8 9 and B are served");
                            return Err(refusal(b'8', text));
                        }
                    }
                }
                // Each entry of NoRelatedSym has one, and nothing else in the message does.
                tag::SYMBOL => {
                    let symbol = String::from_utf8_lossy(field.value).into_owned();
                    if !self.symbols.contains(&symbol) {
                        self.symbols.push(symbol);
                    }
                }
                _ => {}
            }
        }
        if self.symbols.is_empty() || self.symbols.len() > SYMBOLS_LIMIT {
            let text = format!("1 to {SYMBOLS_LIMIT} symbols (55) a request");
            return Err(refusal(None, text));
        }
        Ok(())
    }
}
