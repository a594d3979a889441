//! The words of events, routine, good news and bad news, with weights.
//!
//! Single words are prefixes, lower case; one that ends in `.` is a whole word. Phrases are flat
//! text: single spaces, one at each end. A weight of 0.35 is enough for a cause on its own; a
//! sentence usually has two or three.

use std::sync::LazyLock;

/// A word table sorted into drawers by first letter: texts are read word by word, and most
/// entries begin with another letter.
pub(super) struct Lexicon {
    drawers: [Vec<Entry>; 26],
}

struct Entry {
    prefix: &'static str,
    whole: bool,
    weight: f32,
}

impl Lexicon {
    fn new(table: &[(&'static str, f32)]) -> Self {
        let mut drawers: [Vec<Entry>; 26] = std::array::from_fn(|_| Vec::new());
        for &(entry, weight) in table {
            let (prefix, whole) = entry
                .strip_suffix('.')
                .map_or((entry, false), |p| (p, true));
            if let Some(drawer) = drawer(prefix) {
                drawers[drawer].push(Entry {
                    prefix,
                    whole,
                    weight,
                });
            }
        }
        Self { drawers }
    }

    /// The weight of the longest entry that fits a lower-case word; 0 when none does.
    pub(super) fn weight(&self, word: &str) -> f32 {
        let Some(drawer) = drawer(word) else {
            return 0.0;
        };
        let fits = |e: &&Entry| {
            if e.whole {
                word == e.prefix
            } else {
                word.starts_with(e.prefix)
            }
        };
        let found = self.drawers[drawer].iter().filter(fits);
        found
            .max_by_key(|e| e.prefix.len())
            .map_or(0.0, |e| e.weight)
    }
}

fn drawer(word: &str) -> Option<usize> {
    let first = *word.as_bytes().first()?;
    first
        .is_ascii_lowercase()
        .then(|| usize::from(first - b'a'))
}

/// Words of events that move prices.
pub(super) static EVENTS: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(EVENT_WORDS));
/// Words of routine, advertising and chatter.
pub(super) static ROUTINE: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(ROUTINE_WORDS));
/// Words of good news.
pub(super) static GOOD: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(UP_WORDS));
/// Words of bad news.
pub(super) static BAD: LazyLock<Lexicon> = LazyLock::new(|| Lexicon::new(DOWN_WORDS));

#[rustfmt::skip]
const EVENT_WORDS: &[(&str, f32)] = &[
    // Deals and owners.
    ("acqui", 0.5), ("takeover", 0.6), ("merger", 0.5), ("merge", 0.4), ("buyout", 0.6),
    ("bid.", 0.2), ("bids.", 0.2), ("bidder", 0.4), ("premium", 0.3), ("offer.", 0.25),
    ("offers.", 0.2), ("offering", 0.35), ("stake", 0.4), ("activist", 0.45), ("spinoff", 0.5),
    ("divest", 0.4), ("ipo.", 0.3), ("dilut", 0.5), ("buyback", 0.45), ("repurchas", 0.45),
    ("dividend", 0.25), ("split.", 0.3), ("deal.", 0.3), ("partnership", 0.35), ("partner.", 0.2),
    ("contract", 0.35), ("joint.", 0.1), ("lockup", 0.45), ("insider", 0.3), ("stepping", 0.1),
    // Results and forecasts.
    ("guidance", 0.5), ("forecast", 0.4), ("outlook", 0.4), ("earnings", 0.4), ("results", 0.3),
    ("profit", 0.4), ("revenue", 0.3), ("sales.", 0.2), ("eps.", 0.4), ("ebitda", 0.3),
    ("margin", 0.2), ("quarterly", 0.15), ("loss.", 0.35), ("losses", 0.35), ("beat.", 0.35),
    ("beats.", 0.35), ("beating", 0.3), ("miss.", 0.4), ("misses", 0.4), ("missed", 0.4),
    ("expectation", 0.2), ("estimates", 0.15), ("exceed", 0.35), ("surpass", 0.3), ("warn", 0.45),
    ("slash", 0.45), ("cut.", 0.3), ("cuts.", 0.3), ("cutting", 0.25), ("lower.", 0.15),
    ("lowers", 0.3), ("lowered", 0.3), ("raise.", 0.2), ("raises", 0.3), ("raised", 0.3),
    ("boost", 0.3), ("halved", 0.4), ("doubled", 0.3), ("record.", 0.2), ("demand.", 0.2),
    ("order.", 0.1), ("orders.", 0.25), ("deliver", 0.25), ("subscriber", 0.25),
    ("shortage", 0.4), ("shortfall", 0.4), ("inventory", 0.2), ("slowdown", 0.4), ("weak.", 0.2),
    ("weaker", 0.3), ("weakness", 0.3), ("strong.", 0.1), ("stronger", 0.25), ("writedown", 0.5),
    ("writeoff", 0.5), ("impair", 0.5), ("restat", 0.5), ("layoff", 0.4), ("restructur", 0.35),
    ("jobs.", 0.1), ("debt.", 0.15), ("liquidity", 0.3), ("covenant", 0.4), ("bankrupt", 0.8),
    ("insolv", 0.8), ("default.", 0.5), ("defaults", 0.5), ("defaulted", 0.5), ("delist", 0.6),
    ("downgrad", 0.6), ("upgrad", 0.5),
    // Law and rules.
    ("regulator", 0.3), ("antitrust", 0.5), ("investigat", 0.5), ("probe", 0.5),
    ("subpoena", 0.5), ("lawsuit", 0.45), ("sue.", 0.4), ("sues", 0.45), ("sued", 0.45),
    ("suing", 0.4), ("suit.", 0.35), ("fraud", 0.6), ("alleg", 0.35), ("accus", 0.35),
    ("indict", 0.6), ("charged", 0.35), ("raid", 0.45), ("seiz", 0.45), ("fined", 0.5),
    ("penalt", 0.4), ("settle", 0.4), ("verdict", 0.45), ("ruling", 0.35), ("ruled", 0.3),
    ("injunction", 0.45), ("court", 0.25), ("judge", 0.2), ("patent", 0.3), ("sanction", 0.4),
    ("tariff", 0.45), ("embargo", 0.5), ("banned", 0.45), ("bans", 0.45), ("ban.", 0.4),
    ("bars.", 0.4), ("barred", 0.4), ("export", 0.2), ("licence", 0.2), ("license", 0.2),
    ("granted", 0.25), ("ftc.", 0.35), ("doj.", 0.4), ("sec.", 0.15), ("short-seller", 0.5),
    // Drugs.
    ("fda.", 0.4), ("approv", 0.4), ("reject", 0.45), ("trial", 0.3), ("phase.", 0.1),
    ("placebo", 0.3), ("therap", 0.1),
    // Accidents and operations.
    ("recall", 0.5), ("defect", 0.4), ("contaminat", 0.5), ("breach", 0.5), ("hack", 0.45),
    ("ransom", 0.5), ("cyberattack", 0.55), ("outage", 0.45), ("leak", 0.3), ("spill", 0.4),
    ("explosion", 0.5), ("explod", 0.5), ("fire.", 0.3), ("accident", 0.35), ("crash", 0.3),
    ("grounded", 0.45), ("grounds.", 0.3), ("strike", 0.3), ("walkout", 0.4), ("shutdown", 0.4),
    ("shut.", 0.3), ("halt", 0.3), ("stopped", 0.3), ("stops", 0.25), ("suspend", 0.4),
    ("delay", 0.35), ("postpon", 0.4), ("cancel", 0.4), ("terminat", 0.4), ("withdr", 0.4),
    ("disrupt", 0.35), ("flood", 0.3), ("earthquake", 0.4), ("hurricane", 0.35), ("attack", 0.35),
    ("war.", 0.3),
    // People.
    ("resign", 0.5), ("oust", 0.55), ("depart", 0.3), ("quit.", 0.4), ("quits", 0.45),
    ("fired", 0.4), ("dies", 0.45), ("died", 0.4), ("successor", 0.25), ("ceo.", 0.1),
    ("cfo.", 0.1),
    // Winning and losing.
    ("wins.", 0.3), ("won.", 0.25), ("win.", 0.2), ("loses", 0.4), ("lost.", 0.35),
    ("losing", 0.3), ("secures", 0.25), ("breakthrough", 0.4), ("discover", 0.35),
    ("finds.", 0.2), ("barrels", 0.15), ("launch", 0.15), ("unveil", 0.2), ("surpris", 0.3),
    ("unexpected", 0.35), ("sudden", 0.25), ("rumor", 0.35), ("speculat", 0.35),
    ("recommend", 0.35), ("unsolicited", 0.3), ("tender", 0.3), ("rumour", 0.3),
    ("immediate", 0.15), ("announc", 0.05), ("disclos", 0.1),
];

/// Phrases of events.
#[rustfmt::skip]
pub(super) const EVENT_PHRASES: &[(&str, f32)] = &[
    (" steps down ", 0.5), (" takeover bid ", 0.2), (" bid for ", 0.3),
    (" in the wake of ", 0.25), (" today on ", 0.15), (" stepped down ", 0.5),
    (" stepping down ", 0.5), (" price target ", 0.3), (" share sale ", 0.5),
    (" new shares ", 0.35), (" capital raise ", 0.5), (" short seller ", 0.5),
    (" side effects ", 0.5), (" chapter 11 ", 0.7), (" going concern ", 0.6),
    (" write down ", 0.4), (" written off ", 0.4), (" write off ", 0.4), (" same store ", 0.25),
    (" met the main goal ", 0.6), (" meets main goal ", 0.6), (" main goal ", 0.3),
    (" primary endpoint ", 0.5), (" ahead of schedule ", 0.35),
    (" complete response letter ", 0.5), (" break up ", 0.4), (" spin off ", 0.5),
    (" joins the s p 500 ", 0.5), (" added to the s p 500 ", 0.5),
    (" removed from the index ", 0.5), (" added to the index ", 0.5), (" because of ", 0.2),
    (" due to ", 0.2), (" after the company ", 0.15), (" on news ", 0.3), (" in talks ", 0.4),
    (" to buy ", 0.2), (" sold out ", 0.3), (" throws out ", 0.4), (" threw out ", 0.4),
    (" gas field ", 0.35), (" oil field ", 0.35), (" large find ", 0.3), (" has found ", 0.25),
    (" have found ", 0.25), (" largest customer ", 0.3), (" largest contract ", 0.3),
    (" rate hike ", 0.35), (" oil prices ", 0.25), (" guidance light ", 0.3),
    (" worst since ", 0.2), (" data breach ", 0.2), (" better than ", 0.2),
    (" worse than ", 0.25), (" above forecasts ", 0.3), (" below forecasts ", 0.3),
    (" vs est ", 0.3), (" vs estimates ", 0.3), (" halts production ", 0.3), (" q1 ", 0.1),
    (" q2 ", 0.1), (" q3 ", 0.1), (" q4 ", 0.1), (" miss on ", 0.2), (" beat on ", 0.2),
];

#[rustfmt::skip]
const ROUTINE_WORDS: &[(&str, f32)] = &[
    ("conference", 0.4), ("webcast", 0.4), ("webinar", 0.6), ("sponsor", 0.6), ("volunteer", 0.6),
    ("charit", 0.6), ("donat", 0.5), ("sustainab", 0.5), ("anniversary", 0.4), ("museum", 0.6),
    ("exhibition", 0.5), ("podcast", 0.5), ("logo", 0.5), ("lease", 0.3), ("usual", 0.4),
    ("regular.", 0.35), ("unchanged", 0.6), ("reiterat", 0.5), ("maintain", 0.25),
    ("neutral", 0.3), ("unaffected", 0.7), ("immaterial", 0.7), ("remind", 0.5),
    ("scheduled", 0.3), ("survey", 0.3), ("newsletter", 0.4), ("glossary", 0.5),
    ("festival", 0.5), ("marathon", 0.5), ("league", 0.4), ("school", 0.3), ("tree", 0.4),
    ("picnic", 0.6), ("cafeteria", 0.6), ("internship", 0.5), ("alumni", 0.4), ("ranked", 0.4),
    ("ranks.", 0.4), ("interview", 0.3), ("biography", 0.5), ("documentary", 0.4),
    ("founding", 0.3), ("watchlist", 0.6), ("chart", 0.4), ("resistance", 0.4),
    ("bollinger", 0.5), ("fibonacci", 0.5), ("giveaway", 0.6), ("tutorial", 0.5),
    ("subscribe.", 0.4), ("signup", 0.4), ("preview", 0.3), ("upcoming", 0.2), ("routine", 0.5),
    ("ceremon", 0.4), ("celebrat", 0.4), ("recipe", 0.5), ("refurbish", 0.3), ("uniforms", 0.4),
    ("wallpaper", 0.5), ("communications", 0.1), ("trivia", 0.5), ("scholarship", 0.5),
    ("panel.", 0.2), ("hypothetical", 0.5), ("history", 0.3), ("historic.", 0.2),
    ("rebrand", 0.2), ("hobby", 0.4), ("typo", 0.4), ("i.", 0.3), ("my.", 0.2), ("me.", 0.2),
    ("lol", 0.4), ("imo.", 0.2), ("wish.", 0.2), ("phew", 0.3), ("wow.", 0.1),
    ("newsletter", 0.4), ("congrats", 0.3), ("bulls.", 0.1), ("alerts.", 0.2), ("picks.", 0.3),
    ("webcast", 0.4), ("marketclub", 0.6), ("optionstrading", 0.3), ("daytrad", 0.3),
    ("freestocktips", 0.6), ("chatroom", 0.5),
];

/// What joins a move to its cause in one sentence: "shares fell after ...".
#[rustfmt::skip]
pub(super) const CONNECTIVES: &[&str] = &[
    " after ", " because ", " following ", " amid ", " due to ", " in response to ", " on news ",
    " on speculation ", " on rumors ", " on rumours ", " on reports ", " in the wake of ",
    " as a result ", " boosted by ", " driven by ", " helped by ", " hurt by ", " hit by ",
    " weighed ", " sparked ", " sent ",
];

/// Phrases of routine.
#[rustfmt::skip]
pub(super) const ROUTINE_PHRASES: &[(&str, f32)] = &[
    (" annual meeting ", 0.6), (" annual report ", 0.3), (" trade group ", 0.4),
    (" no new ", 0.6), (" not affect ", 0.7), (" not affected ", 0.7), (" no impact ", 0.7),
    (" no effect ", 0.7), (" no change ", 0.6), (" not material ", 0.7),
    (" did not differ ", 0.5), (" stay the same ", 0.5), (" will present ", 0.6),
    (" to present ", 0.5), (" to speak ", 0.5), (" will speak ", 0.5), (" take part ", 0.4),
    (" takes part ", 0.4), (" will attend ", 0.4), (" will report ", 0.5), (" to report ", 0.3),
    (" expected to report ", 0.5), (" what to expect ", 0.5), (" ahead of earnings ", 0.4),
    (" before earnings ", 0.4), (" looks back ", 0.6), (" years ago ", 0.4),
    (" a year ago ", 0.3), (" last year ", 0.25), (" was founded ", 0.4),
    (" announced last ", 0.5), (" previously announced ", 0.4), (" already announced ", 0.4),
    (" as expected ", 0.3), (" in line with ", 0.3), (" design award ", 0.6),
    (" best places ", 0.6), (" opens new store ", 0.3), (" new store ", 0.2),
    (" new office ", 0.3), (" stocks to watch ", 0.6), (" watch list ", 0.6),
    (" moving average ", 0.6), (" technical analysis ", 0.6), (" support at ", 0.4),
    (" price action ", 0.4), (" took profit ", 0.6), (" trade idea ", 0.5), (" trade ideas ", 0.5),
    (" should you buy ", 0.6), (" is it time ", 0.5), (" how to ", 0.5), (" check out ", 0.4),
    (" check it out ", 0.5), (" the fact that ", 0.2), (" sign up ", 0.3), (" free trial ", 0.6),
    (" join us ", 0.5), (" our members ", 0.4), (" most active ", 0.3), (" top 10 ", 0.3),
    (" top 5 ", 0.3), (" joined the company ", 0.3), (" internal communications ", 0.5),
    (" dress code ", 0.5), (" open house ", 0.5), (" stock market today ", 0.2),
    (" no plans ", 0.3), (" opinion ", 0.2), (" next earnings date ", 0.5),
    (" earnings date ", 0.4), (" earnings preview ", 0.5), (" open interest ", 0.5),
    (" put options ", 0.3), (" call options ", 0.3), (" unusual options ", 0.4),
    (" short interest ", 0.3),
];

#[rustfmt::skip]
const UP_WORDS: &[(&str, f32)] = &[
    ("beat.", 1.0), ("beats.", 1.0), ("beating", 0.8), ("exceed", 0.8), ("surpass", 0.8),
    ("raises", 0.8), ("raised", 0.8), ("boost", 0.8), ("upgrad", 1.0), ("approv", 0.9),
    ("granted", 0.7), ("wins.", 0.8), ("won.", 0.7), ("win.", 0.6), ("award", 0.4),
    ("takeover", 0.8), ("buyout", 0.8), ("bid.", 0.6), ("premium", 0.7), ("acquired", 0.3),
    ("buyback", 0.8), ("repurchas", 0.7), ("special.", 0.3), ("record.", 0.6), ("strong", 0.6),
    ("soar", 0.8), ("surg", 0.8), ("jump", 0.7), ("rall", 0.6), ("rise", 0.5), ("rose.", 0.5),
    ("rising", 0.4), ("climb", 0.5), ("gain", 0.5), ("higher", 0.5), ("grew", 0.6),
    ("growth", 0.4), ("double", 0.6), ("partnership", 0.6), ("activist", 0.6), ("stake", 0.4),
    ("breakthrough", 0.9), ("ahead.", 0.4), ("success", 0.6), ("better", 0.6), ("above.", 0.5),
    ("discover", 0.5), ("finds.", 0.5), ("secures", 0.6), ("profitab", 0.5), ("bullish", 0.8),
    ("outperform", 0.7), ("cleared", 0.6), ("threw", 0.7), ("throws", 0.7), ("dismiss", 0.5),
    ("accepted", 0.3), ("up.", 0.3), ("goal", 0.5), ("met.", 0.4), ("meets", 0.4),
    ("expands", 0.3), ("sold.", 0.1), ("recover", 0.4), ("resum", 0.5),
];

#[rustfmt::skip]
const DOWN_WORDS: &[(&str, f32)] = &[
    ("cut.", 0.7), ("cuts.", 0.7), ("cutting", 0.6), ("slash", 0.9), ("lower", 0.6),
    ("halved", 0.8), ("halves", 0.8), ("miss.", 1.0), ("misses", 1.0), ("missed", 1.0),
    ("warn", 0.9), ("weak", 0.8), ("slow", 0.5), ("shortage", 0.6), ("shortfall", 0.8),
    ("loss", 0.7), ("loses", 0.8), ("lost.", 0.8), ("losing", 0.6), ("downgrad", 1.0),
    ("recall", 0.9), ("defect", 0.7), ("contaminat", 0.8), ("breach", 0.9), ("hack", 0.7),
    ("ransom", 0.8), ("cyberattack", 0.8), ("outage", 0.8), ("leak", 0.4), ("spill", 0.7),
    ("explosion", 0.8), ("explod", 0.8), ("fire.", 0.7), ("accident", 0.6), ("crash", 0.7),
    ("grounded", 0.8), ("strike", 0.4), ("walkout", 0.5), ("shutdown", 0.6), ("halt", 0.5),
    ("stopped", 0.6), ("stops", 0.5), ("suspend", 0.7), ("delay", 0.6), ("postpon", 0.7),
    ("cancel", 0.7), ("terminat", 0.6), ("withdr", 0.8), ("disrupt", 0.6), ("investigat", 0.8),
    ("probe", 0.8), ("subpoena", 0.8), ("lawsuit", 0.7), ("sue.", 0.7), ("sues", 0.7),
    ("sued", 0.7), ("suit.", 0.6), ("fraud", 1.0), ("alleg", 0.6), ("accus", 0.6),
    ("indict", 1.0), ("charged", 0.6), ("raid", 0.7), ("seiz", 0.6), ("fined", 0.7),
    ("penalt", 0.6), ("sanction", 0.6), ("tariff", 0.7), ("banned", 0.8), ("bans", 0.8),
    ("ban.", 0.7), ("bars.", 0.8), ("barred", 0.8), ("reject", 0.9), ("resign", 0.7),
    ("oust", 0.6), ("quit.", 0.6), ("quits", 0.6), ("dies", 0.6), ("died", 0.6),
    ("bankrupt", 1.2), ("insolv", 1.2), ("default", 0.9), ("delist", 0.9), ("restat", 0.7),
    ("writedown", 0.8), ("writeoff", 0.8), ("impair", 0.7), ("layoff", 0.4), ("dilut", 0.8),
    ("antitrust", 0.6), ("disappoint", 0.9), ("fall", 0.5), ("fell.", 0.5), ("drop", 0.5),
    ("plung", 0.9), ("sink", 0.6), ("sank", 0.6), ("tumbl", 0.7), ("slump", 0.7), ("slid", 0.5),
    ("declin", 0.5), ("worse", 0.6), ("below.", 0.5), ("bearish", 0.8), ("underperform", 0.7),
    ("light.", 0.4), ("down.", 0.3), ("adverse", 0.6), ("serious", 0.3), ("offering", 0.4),
    ("concern", 0.4), ("risk", 0.2), ("damag", 0.5), ("shut.", 0.5), ("tax.", 0.1),
    ("fails.", 0.6), ("failed", 0.6), ("failure", 0.6),
];
