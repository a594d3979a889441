//! Simulated news: templates filled for a listing. Every headline says that it is simulated.

mod causes;
mod noise;

use crate::listing::{Listing, Sector};
use stdx::Rng;

/// Who is named as the source of every item.
pub const SOURCE: &str = "Simulated Newswire";

/// One published item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewsItem {
    /// Unique in a venue, rising with the order of planning.
    pub id: u64,
    /// When it was published, ns UTC.
    pub at_ns: u64,
    /// The company it is about; `None` for general news.
    pub symbol: Option<String>,
    /// One line, ends with `(simulated)`.
    pub headline: String,
    /// One to four sentences.
    pub body: String,
    /// True: the cause of a planted shock. False: decoy or noise.
    pub planted: bool,
}

/// Headline and body with `{placeholders}`; `sectors` empty means any company.
pub(crate) struct Template {
    sectors: &'static [Sector],
    headline: &'static str,
    body: &'static str,
}

/// What an item is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A cause that sends the price up or down.
    Cause { up: bool },
    /// The same company, no cause.
    Company,
    /// The company's sector, no cause.
    Sector,
    /// The world, no company.
    General,
}

/// Writes items: remembers which cause it used last, so that neighbours differ.
#[derive(Clone, Debug)]
pub(crate) struct Writer {
    last: usize,
}

impl Writer {
    pub(crate) fn new() -> Self {
        Self { last: usize::MAX }
    }

    /// Headline and body about `listings[idx]`.
    pub(crate) fn write(
        &mut self,
        kind: Kind,
        listings: &[Listing],
        idx: usize,
        rng: &mut Rng,
    ) -> (String, String) {
        let pool: &[Template] = match kind {
            Kind::Cause { up: true } => &causes::UP,
            Kind::Cause { up: false } => &causes::DOWN,
            Kind::Company => &noise::COMPANY,
            Kind::Sector => &noise::SECTOR,
            Kind::General => &noise::GENERAL,
        };
        let listing = &listings[idx];
        let fits: Vec<usize> = (0..pool.len())
            .filter(|&i| i != self.last)
            .filter(|&i| pool[i].sectors.is_empty() || pool[i].sectors.contains(&listing.sector))
            .collect();
        // A sector's own causes tell more than the general ones, so take them more often.
        let own: Vec<usize> = fits
            .iter()
            .copied()
            .filter(|&i| !pool[i].sectors.is_empty())
            .collect();
        let choice = if !own.is_empty() && rng.chance(0.7) {
            *rng.pick(&own)
        } else {
            *rng.pick(&fits)
        };
        self.last = choice;
        let words = Words::draw(listings, idx, rng);
        let mut headline = words.fill(pool[choice].headline);
        capitalise(&mut headline);
        headline.push_str(" (simulated)");
        (headline, words.fill(pool[choice].body))
    }
}

/// One drawing of everything a template may name; drawn once, so that headline and body agree.
struct Words<'a> {
    listing: &'a Listing,
    rival: &'a str,
    product: &'static str,
    city: &'static str,
    person: &'static str,
    pct: u64,
    pct2: u64,
    bn_tenths: u64,
    mm: u64,
    count: u64,
}

impl<'a> Words<'a> {
    fn draw(listings: &'a [Listing], idx: usize, rng: &mut Rng) -> Self {
        let listing = &listings[idx];
        let rivals: Vec<&Listing> = listings
            .iter()
            .enumerate()
            .filter(|&(i, other)| i != idx && other.sector == listing.sector)
            .map(|(_, other)| other)
            .collect();
        Self {
            listing,
            rival: if rivals.is_empty() {
                "a private fund"
            } else {
                &rng.pick(&rivals).name
            },
            product: *rng.pick(products(listing.sector)),
            city: *rng.pick(&CITIES),
            person: *rng.pick(&PEOPLE),
            pct: rng.range(5, 13),
            pct2: rng.range(18, 41),
            bn_tenths: rng.range(12, 96),
            mm: rng.range(4, 19) * 50,
            count: rng.range(12, 96) * 10,
        }
    }

    fn fill(&self, template: &str) -> String {
        let mut text = String::with_capacity(template.len() + 64);
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('{') {
            let (key, tail) = after.split_once('}').expect("templates close every brace");
            text.push_str(before);
            self.push(key, &mut text);
            rest = tail;
        }
        text.push_str(rest);
        text
    }

    fn push(&self, key: &str, text: &mut String) {
        use std::fmt::Write as _;
        let number = |text: &mut String, n: u64| {
            write!(text, "{n}").expect("writing to a string cannot fail");
        };
        match key {
            "name" => text.push_str(&self.listing.name),
            "symbol" => text.push_str(&self.listing.symbol),
            "sector" => text.push_str(self.listing.sector.name()),
            "rival" => text.push_str(self.rival),
            "product" => text.push_str(self.product),
            "city" => text.push_str(self.city),
            "person" => text.push_str(self.person),
            "pct" => number(text, self.pct),
            "pct2" => number(text, self.pct2),
            "mm" => number(text, self.mm),
            "count" => number(text, self.count),
            "bn" => {
                number(text, self.bn_tenths / 10);
                text.push('.');
                number(text, self.bn_tenths % 10);
            }
            _ => unreachable!("a test fills every template, so no key is unknown"),
        }
    }
}

fn capitalise(text: &mut str) {
    if let Some(first) = text.get_mut(0..1) {
        first.make_ascii_uppercase();
    }
}

fn products(sector: Sector) -> &'static [&'static str] {
    match sector {
        Sector::Fund => &["index products"],
        Sector::Software => &["cloud services", "advertising tools", "AI assistants"],
        Sector::Semiconductors => &["AI accelerators", "memory chips", "data-centre processors"],
        Sector::Hardware => &["AI servers", "laptops", "network switches"],
        Sector::Health => &[
            "Oncotrex cancer therapy",
            "Neurovane Alzheimer's therapy",
            "Lipoxan weight-loss pill",
        ],
        Sector::Auto => &["electric pickups", "family SUVs", "battery packs"],
        Sector::Consumer => &["cold drinks", "snacks", "children's products"],
        Sector::Retail => &["own-brand groceries", "online orders", "household goods"],
        Sector::Finance => &[
            "consumer credit",
            "payment terminals",
            "commercial property loans",
        ],
        Sector::Energy => &["liquefied gas", "shale oil", "drilling services"],
        Sector::Industrial => &["jet engines", "excavators", "delivery drones"],
        Sector::Media => &["streaming", "mobile contracts", "theme parks"],
    }
}

const CITIES: [&str; 10] = [
    "Austin", "Dresden", "Columbus", "Leeds", "Phoenix", "Osaka", "Lyon", "Denver", "Porto",
    "Tampa",
];

const PEOPLE: [&str; 8] = [
    "Marta Lindqvist",
    "Owen Adeyemi",
    "Priya Castellan",
    "Jonas Whitfield",
    "Helene Marchetti",
    "Samuel Okafor",
    "Ruth Vandermeer",
    "Daniel Sorensen",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::listings;

    #[test]
    fn every_template_fills_for_every_listing() {
        let all = listings(120);
        let mut rng = Rng::new(1);
        let pools: [&[Template]; 5] = [
            &causes::UP,
            &causes::DOWN,
            &noise::COMPANY,
            &noise::SECTOR,
            &noise::GENERAL,
        ];
        for idx in 0..all.len() {
            let words = Words::draw(&all, idx, &mut rng);
            for template in pools.iter().copied().flatten() {
                let text = words.fill(template.headline) + &words.fill(template.body);
                assert!(!text.contains(['{', '}']), "{text}");
            }
        }
    }

    #[test]
    fn causes_name_the_company_and_are_labelled() {
        let all = listings(100);
        let mut rng = Rng::new(2);
        let mut writer = Writer::new();
        for idx in (0..100).filter(|&i| all[i].sector != Sector::Fund) {
            for up in [false, true] {
                let (headline, body) = writer.write(Kind::Cause { up }, &all, idx, &mut rng);
                assert!(headline.contains(&*all[idx].name) && headline.ends_with("(simulated)"));
                assert!(body.contains(&format!("({})", all[idx].symbol)), "{body}");
                assert!(
                    (2..=4).contains(&body.matches(['.']).count().min(4)),
                    "{body}"
                );
            }
        }
    }

    #[test]
    fn there_are_enough_causes() {
        assert!(causes::UP.len() + causes::DOWN.len() >= 14);
    }
}
