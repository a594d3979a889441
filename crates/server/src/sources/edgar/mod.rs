//! Filings at the SEC: the feed of current filings, and each filing's documents.
//!
//! One call a filing: the complete submission text file holds the form and its exhibits. Exhibits are stored first and
//! the form last, so that a stored form means a whole filing, and a filing that failed half-way is fetched again.

mod current;
mod submission;

use std::collections::{BTreeMap, HashMap, HashSet};
use std::time::{Duration, Instant};

use rag::settings::TITLE_BYTES_LIMIT;
use rag::{Draft, Field, Fields};

use super::feed::bounded;
use super::poll::Turn;
use super::{Conditions, Failure, Fetched, Fetcher, Intake, Manner, Took, html};
use current::Filing;
use submission::Part;

/// Entries of a page, the most that EDGAR gives.
const PAGE: usize = 100;
/// Pages that are looked through for the last filing that is known.
const PAGES: usize = 10;
/// A filing that cannot be read so often is given up.
const ATTEMPTS: u32 = 3;
/// Symbols of one filing.
const SYMBOLS: usize = 16;

/// What is stored beside the form itself: press releases and what goes with them.
const EXHIBITS: &str = "EX-99";

/// What somebody deleted stays deleted.
const FILING: Manner = Manner {
    stays_deleted: true,
    is_replay: false,
    is_news: false,
    trusts_known_at: false,
};

/// Where and what.
#[derive(Clone, Debug)]
pub struct EdgarSettings {
    /// `https://www.sec.gov`, or a mirror of it.
    pub base: String,
    /// Form types, exactly as EDGAR writes them.
    pub forms: Vec<String>,
    /// Between two calls.
    pub gap: Duration,
}

/// The feed of current filings and what it tells of.
pub struct Edgar {
    settings: EdgarSettings,
    fetcher: Fetcher,
    intake: Intake,
    /// Of the first page of each form.
    conditions: HashMap<String, Conditions>,
    last_call: Option<Instant>,
    /// Filings that could not be read, and how often.
    pending: BTreeMap<String, (Filing, u32)>,
    given_up: HashSet<String>,
}

impl Edgar {
    /// `fetcher` must call itself by a name and a contact, which the SEC asks for.
    #[must_use]
    pub fn new(settings: EdgarSettings, fetcher: Fetcher, intake: Intake) -> Self {
        Self {
            settings,
            fetcher,
            intake,
            conditions: HashMap::new(),
            last_call: None,
            pending: BTreeMap::new(),
            given_up: HashSet::new(),
        }
    }

    /// Calls no sooner than allowed.
    fn get(&mut self, url: &str, known: &Conditions) -> Result<Fetched, Failure> {
        if let Some(last) = self.last_call {
            std::thread::sleep(self.settings.gap.saturating_sub(last.elapsed()));
        }
        self.last_call = Some(Instant::now());
        self.fetcher.get(url, known)
    }

    /// Filings of a form that are not known, oldest first, and what to ask the next time with; nothing where nothing changed.
    fn fresh(&mut self, form: &str) -> Result<Option<(Vec<Filing>, Conditions)>, Failure> {
        let mut fresh: Vec<Filing> = Vec::new();
        let mut next = Conditions::default();
        for page in 0..PAGES {
            let known = match page {
                // The first call has no answer before it.
                0 => self.conditions.get(form).cloned().unwrap_or_default(),
                _ => Conditions::default(),
            };
            let url = format!(
                "{}/cgi-bin/browse-edgar?action=getcurrent&type={}&company=&dateb=&owner=include&start={}&count={PAGE}&output=atom",
                self.settings.base.trim_end_matches('/'),
                escaped(form),
                page * PAGE,
            );
            let Fetched::Body(body) = self.get(&url, &known)? else {
                self.intake.status().with(|counts| counts.unchanged += 1);
                return Ok(None);
            };
            if page == 0 {
                next = body.conditions;
            }
            let read = current::read(&body.bytes);
            let read = read.map_err(|why| Failure::new(format!("the feed {why}")))?;
            let mut met_known = false;
            for filing in read.filings.into_iter().filter(|f| f.form == form) {
                if self.is_known(&filing.accession)? {
                    met_known = true;
                } else if !fresh.iter().any(|f| f.accession == filing.accession) {
                    fresh.push(filing);
                }
            }
            if met_known || read.entries < PAGE {
                break;
            }
        }
        fresh.reverse();
        Ok(Some((fresh, next)))
    }

    fn is_known(&self, accession: &str) -> Result<bool, Failure> {
        if self.given_up.contains(accession) || self.pending.contains_key(accession) {
            return Ok(true);
        }
        let id = form_id(accession);
        let documents = self.intake.node().documents();
        let fault = |fault: rag::Fault| Failure::new(fault.to_string());
        let is_stored = documents.get(&id, None).map_err(fault)?.is_some();
        Ok(is_stored || documents.is_deleted(&id).map_err(fault)?)
    }

    /// Fetches a filing and stores its documents.
    fn store(&mut self, filing: &Filing) -> Result<(), Failure> {
        let url = format!("{}.txt", self.folder(filing, &filing.accession));
        let Fetched::Body(body) = self.get(&url, &Conditions::default())? else {
            return Err(Failure::its_own(format!("{url}: nothing came")));
        };
        let text = html::decode(&body.bytes, body.content_type.as_deref());
        let parts = submission::parts(&text);
        let parts = parts.map_err(|why| Failure::its_own(format!("{url} {why}")))?;
        let Some(form) = parts.iter().find(|part| part.kind == filing.form) else {
            let why = format!("{url} holds no document of type {}", filing.form);
            return Err(Failure::its_own(why));
        };
        let id = form_id(&filing.accession);
        let page = match shown(form) {
            Ok(page) => page,
            Err(why) => {
                self.intake.refuse(&id, &why);
                self.given_up.insert(filing.accession.clone());
                return Ok(());
            }
        };
        let about = About {
            filing,
            symbols: self.symbols(filing, &page),
            items: items(filing, &page.text),
            folder: self.folder(filing, &filing.accession.replace('-', "")),
        };
        let exhibits = parts
            .iter()
            .filter(|part| part.kind.starts_with(EXHIBITS) && !part.is_pdf());
        let mut drafts = Vec::new();
        for part in exhibits {
            match shown(part) {
                Ok(page) => drafts.push(about.draft(part, page.text, false)),
                Err(why) => self.intake.refuse(&format!("{id}/{}", part.file), &why),
            }
        }
        drafts.push(about.draft(form, page.text, true));
        let mut last = Took::Duplicate;
        for draft in drafts {
            let place = draft.id.clone();
            let took = self.intake.take(&place, draft, FILING);
            last = took.map_err(|fault| Failure::new(fault.to_string()))?;
        }
        // Nothing of it will be stored by which it would be known the next time.
        if last == Took::Refused {
            self.given_up.insert(filing.accession.clone());
        }
        Ok(())
    }

    /// Below a filing's registrant.
    fn folder(&self, filing: &Filing, name: &str) -> String {
        let cik = filing.ciks.first().copied().unwrap_or_default();
        let base = self.settings.base.trim_end_matches('/');
        format!("{base}/Archives/edgar/data/{cik}/{name}")
    }

    /// By the reference data, or else by what the form says of itself.
    fn symbols(&self, filing: &Filing, page: &html::Page) -> Vec<String> {
        let mut symbols = Vec::new();
        self.intake.node().reference().for_each(|listing| {
            let cik = listing
                .cik
                .as_deref()
                .and_then(|cik| cik.trim().parse().ok());
            if cik.is_some_and(|cik: u64| filing.ciks.contains(&cik)) {
                symbols.push(listing.symbol.clone());
            }
        });
        if symbols.is_empty() {
            let said = page
                .facts
                .iter()
                .filter(|(name, _)| name == "dei:TradingSymbol");
            let said = said.map(|(_, symbol)| symbol.to_uppercase());
            symbols.extend(said.filter(|symbol| is_symbol(symbol)));
        }
        symbols.sort();
        symbols.dedup();
        symbols.truncate(SYMBOLS);
        symbols
    }

    /// Tries a filing; `false` where it will be tried again.
    fn attempt(&mut self, filing: Filing) -> Result<bool, Failure> {
        let Err(failure) = self.store(&filing) else {
            self.pending.remove(&filing.accession);
            return Ok(true);
        };
        // The server, the way to it or our own memory is unwell: no use in asking for the next one.
        if !failure.is_its_own {
            return Err(failure);
        }
        let accession = filing.accession.clone();
        let tried = self.pending.get(&accession).map_or(0, |(_, tried)| *tried) + 1;
        if tried < ATTEMPTS {
            self.pending.insert(accession, (filing, tried));
            self.intake.status().fails(&failure.why);
            return Ok(false);
        }
        self.pending.remove(&accession);
        self.intake
            .refuse(&form_id(&accession), &format!("given up: {}", failure.why));
        self.given_up.insert(accession);
        Ok(true)
    }
}

impl Turn for Edgar {
    fn turn(&mut self) -> Result<(), Failure> {
        let waiting: Vec<Filing> = self.pending.values().map(|(f, _)| f.clone()).collect();
        for filing in waiting {
            self.attempt(filing)?;
        }
        for form in self.settings.forms.clone() {
            let Some((fresh, next)) = self.fresh(&form)? else {
                continue;
            };
            for filing in fresh {
                self.attempt(filing)?;
            }
            self.conditions.insert(form, next);
        }
        match self.pending.len() {
            0 => Ok(()),
            n => Err(Failure::new(format!(
                "{n} filings could not be read and are tried again"
            ))),
        }
    }

    fn intake(&self) -> &Intake {
        &self.intake
    }
}

/// What the documents of a filing share.
struct About<'a> {
    filing: &'a Filing,
    symbols: Vec<String>,
    items: Vec<(String, String)>,
    /// Where its files are, by an accession number without dashes.
    folder: String,
}

impl About<'_> {
    fn draft(&self, part: &Part<'_>, text: String, is_form: bool) -> Draft {
        let filing = self.filing;
        let words = |text: &str| Field::Text(text.to_owned());
        let numbers = self.items.iter().map(|(number, _)| words(number));
        let fields = Fields::from([
            ("form".to_owned(), words(&filing.form)),
            ("type".to_owned(), words(part.kind)),
            ("accession".to_owned(), words(&filing.accession)),
            ("company".to_owned(), words(&filing.company)),
            ("cik".to_owned(), whole_numbers(&filing.ciks)),
            ("items".to_owned(), Field::List(numbers.collect())),
        ]);
        let id = form_id(&filing.accession);
        let title = bounded(self.title(part, is_form), TITLE_BYTES_LIMIT);
        Draft {
            id: if is_form {
                id
            } else {
                format!("{id}/{}", part.file)
            },
            title: Some(title),
            text,
            source: Some("edgar".to_owned()),
            symbols: self.symbols.clone(),
            url: Some(format!("{}/{}", self.folder, part.file)),
            fields,
            event_at: filing.accepted_at,
            known_at: None,
        }
    }

    /// `Apple Inc. 8-K: Results of Operations and Financial Condition`. The item of exhibits is in nearly every filing.
    fn title(&self, part: &Part<'_>, is_form: bool) -> String {
        let names = self.items.iter().filter(|(number, _)| number != "9.01");
        let names: Vec<&str> = names
            .map(|(_, name)| name.as_str())
            .filter(|name| !name.is_empty())
            .collect();
        let company = &self.filing.company;
        let head = if is_form {
            format!("{company} {}", self.filing.form)
        } else {
            format!("{company} {} to {}", part.kind, self.filing.form)
        };
        match names.as_slice() {
            [] => head,
            names => format!("{head}: {}", names.join("; ")),
        }
    }
}

fn form_id(accession: &str) -> String {
    format!("edgar:{accession}")
}

fn whole_numbers(numbers: &[u64]) -> Field {
    let numbers = numbers.iter().filter_map(|&n| i64::try_from(n).ok());
    Field::List(numbers.map(Field::Whole).collect())
}

/// A part's text: HTML, or a text file as it is.
///
/// # Errors
/// In words, when the HTML is none that is read.
fn shown(part: &Part<'_>) -> Result<html::Page, String> {
    if part.file.to_lowercase().ends_with(".txt") && !part.body.contains("</") {
        return Ok(html::Page {
            text: part.body.trim().to_owned(),
            ..html::Page::default()
        });
    }
    html::read(part.body)
}

/// The items that the feed names, or else those that begin a line of the form.
fn items(filing: &Filing, text: &str) -> Vec<(String, String)> {
    if !filing.items.is_empty() {
        return filing.items.clone();
    }
    let mut items: Vec<(String, String)> = Vec::new();
    for found in text.lines().filter_map(current::item) {
        if !items.iter().any(|(number, _)| *number == found.0) {
            items.push(found);
        }
    }
    items
}

/// `N/A` and a dash are no symbols, and stand where one would.
fn is_symbol(text: &str) -> bool {
    let plain = text
        .bytes()
        .all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b));
    let has_letter = text.bytes().any(|b| b.is_ascii_uppercase());
    plain && has_letter && text.len() <= 10 && !["NONE", "NA"].contains(&text)
}

/// A form type in an address: `8-K/A` as `8-K%2FA`.
fn escaped(form: &str) -> String {
    let escape = |byte: u8| {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        if plain {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    form.bytes().map(escape).collect()
}

#[cfg(test)]
mod tests;
