//! Goal: a planted cause is cited, a decoy never. Method: a market of twelve companies with
//! shocks; for each, its cause among news of the same company without content, news of rivals,
//! and causes from another day. The cases are data: add one line to add a case.

mod support;

use rag::*;
use stdx::ManualClock;
use support::*;

const COMPANIES: &[(&str, &str)] = &[
    ("ACME", "Acme Industries Inc."),
    ("BRVO", "Bravo Therapeutics Inc."),
    ("CRDN", "Cardinal Motors Co."),
    ("DLTA", "Deltawave Software Corp."),
    ("EKHO", "Ekho Retail Group"),
    ("FLCN", "Falcon Aerospace Corp."),
    ("GRPH", "Graphite Semiconductor Inc."),
    ("HRBR", "Harborline Bank Corp."),
    ("IRIS", "Iris Networks Inc."),
    ("ALL", "Allbright Insurance Co."),
    ("KLVN", "Kelvin Energy plc"),
    ("NOW", "Nowcast Media Inc."),
];

/// Companies with real news of their own that do not move.
const QUIET: &[(&str, &str)] = &[
    ("RVLA", "Rivalon Corp."),
    ("PEER", "Peerless Holdings"),
    ("OTHR", "Otherton plc"),
];

/// Symbol, basis points, headline (may be empty), text.
type Cause = (&'static str, f64, &'static str, &'static str);

#[rustfmt::skip]
const CAUSES: &[Cause] = &[
    ("ACME", -620.0, "Acme Industries warns on profit", "Acme Industries said third-quarter profit would fall well short of its earlier forecast. Orders from its two biggest customers dried up in September. A call with analysts starts at noon."),
    ("BRVO", 1450.0, "", "Regulators cleared Bravo Therapeutics' lead drug for sale, six weeks before the expected date. The treatment is for a rare blood disease."),
    ("CRDN", -480.0, "Cardinal Motors recalls 310,000 trucks", "Brakes may fail in cold weather, the company said. Dealers were told to stop sales of the affected models."),
    ("DLTA", -390.0, "Hackers steal customer records at Deltawave", "Deltawave Software confirmed a breach of its billing system. The intruders copied data of nine million users."),
    ("EKHO", 710.0, "Ekho lifts outlook after strong holiday season", "Comparable sales rose 9 percent in December. Ekho Retail now sees full-year earnings of $4.10 to $4.20 a share, above analysts' estimates."),
    ("FLCN", 560.0, "", "Falcon Aerospace has won a contract worth $6.2 billion to build patrol aircraft for the navy."),
    ("GRPH", -830.0, "Graphite hit by new export curbs", "New rules ban sales of Graphite Semiconductor's fastest chips to several countries. They made up a fifth of its revenue last year."),
    ("HRBR", -910.0, "Harborline Bank suspends dividend", "The bank suspended its dividend and will raise $2 billion in new shares after losses on office loans. The chief risk officer resigned."),
    ("IRIS", 1900.0, "Iris Networks to be acquired", "A consortium agreed to acquire Iris Networks for $48 a share in cash, a premium of 35 percent. The board supports the offer."),
    ("KLVN", -350.0, "", "Kelvin Energy shut its Norden platform after an explosion. Output will be lost for at least two months."),
    ("ALL", 330.0, "", "Allbright Insurance said catastrophe losses were half of what it had feared and raised its profit forecast."),
    ("NOW", -540.0, "Short seller targets Nowcast", "A short seller accused Nowcast Media of inflating its subscriber numbers. The company said that it would respond."),
];

/// `{name}` and `{symbol}` of the company that moved: true news, no cause.
#[rustfmt::skip]
const EMPTY: &[(&str, &str)] = &[
    ("{name} to present at growth conference", "{name} will present at a growth conference next week. A replay will be on its website."),
    ("{name} names new head of facilities", "{name} ({symbol}) named a new head of facilities. She joined the company in 2009."),
    ("{name} marks 50th anniversary", "{name} celebrates its anniversary with a picnic for employees and their families."),
    ("", "{name} ({symbol}) publishes its sustainability report. Paper use fell by a tenth."),
    ("Analyst reiterates hold on {name}", "An analyst reiterated a hold rating on {name}. Estimates are unchanged."),
    ("{symbol} shares on the move", "Shares of {name} ({symbol}) moved sharply in heavy trading today. Traders were watching the tape."),
    ("{name} sets date for quarterly report", "{name} will report quarterly results on the 28th after the close, as scheduled."),
    ("", "stocks to watch today : $ {symbol} $ aaa $ bbb $ ccc"),
    ("", "$ {symbol} testing resistance at the 50 day moving average , chart looks interesting"),
    ("{name} sponsors city marathon", "{name} is again the sponsor of the city marathon. Runners start at eight."),
    ("{name} confirms dividend date", "{name} confirmed the payment date of its regular quarterly dividend. The amount is unchanged."),
    ("Fire drill at {name} campus", "A scheduled fire drill took place at the {name} campus. Everyone was back at work by noon."),
];

/// `{rival}` is another company of the list: a real cause, of somebody else's move.
#[rustfmt::skip]
const RIVALS: &[(&str, &str)] = &[
    ("{rival} cuts forecast", "{rival} cut its full-year forecast because of weak demand. Peers such as {name} are due to report later this month."),
    ("{rival} under investigation", "Prosecutors opened an investigation into {rival}. {name} is not involved."),
    ("", "{rival} agreed to buy a supplier for $3 billion."),
];

struct World {
    memory: FakeMemory,
    facts: FakeFacts,
    clock: ManualClock,
}

impl World {
    fn new() -> Self {
        Self {
            memory: FakeMemory::default(),
            facts: FakeFacts::with(&[COMPANIES, QUIET].concat()),
            clock: ManualClock::at(NOW),
        }
    }

    fn asker<'a>(&'a self, embed: &'a dyn Embed) -> Asker<'a> {
        Asker::new(&self.memory, &self.facts, embed, None, &self.clock)
    }

    fn publish(&self, embed: &dyn Embed, id: &str, at: u64, tags: &[&str], item: (&str, &str)) {
        let document = Document {
            id: id.into(),
            title: (!item.0.is_empty()).then(|| item.0.to_owned()),
            text: item.1.into(),
            source: Some("newswire".into()),
            symbols: tags.iter().map(|s| (*s).to_owned()).collect(),
            url: None,
            event_at: at,
            fields: rag::Fields::default(),
            known_at: at,
        };
        self.asker(embed).ingest(&document).expect("stored");
    }
}

fn filled(item: &(&str, &str), idx: usize) -> (String, String) {
    let (symbol, name) = COMPANIES[idx];
    let rival = QUIET[idx % QUIET.len()].1;
    let fill = |s: &str| {
        s.replace("{name}", name)
            .replace("{symbol}", symbol)
            .replace("{rival}", rival)
    };
    (fill(item.0), fill(item.1))
}

/// All noise around a shock of company `idx` at `at`.
fn surround(world: &World, embed: &dyn Embed, idx: usize, at: u64) {
    let symbol = COMPANIES[idx].0;
    for (n, item) in EMPTY.iter().enumerate() {
        let (title, text) = filled(item, idx);
        let when = at - 3 * SECOND - n as u64 * 20 * SECOND;
        world.publish(
            embed,
            &format!("empty-{symbol}-{n}"),
            when,
            &[symbol],
            (&title, &text),
        );
    }
    let rival = QUIET[idx % QUIET.len()].0;
    for (n, item) in RIVALS.iter().enumerate() {
        let (title, text) = filled(item, idx);
        let tags: &[&str] = if n == 0 { &[rival, symbol] } else { &[rival] };
        let when = at - 5 * SECOND - n as u64 * 15 * SECOND;
        world.publish(
            embed,
            &format!("rival-{symbol}-{n}"),
            when,
            tags,
            (&title, &text),
        );
    }
    // The same cause, long before and after: priced in, or a report of what happened.
    if let Some((_, _, title, text)) = CAUSES.iter().find(|c| c.0 == symbol) {
        world.publish(
            embed,
            &format!("old-{symbol}"),
            at - 5 * HOUR,
            &[symbol],
            (title, text),
        );
        world.publish(
            embed,
            &format!("older-{symbol}"),
            at - 40 * DAY,
            &[symbol],
            (title, text),
        );
        world.publish(
            embed,
            &format!("late-{symbol}"),
            at + 20 * MINUTE,
            &[symbol],
            (title, text),
        );
    }
}

fn ask(world: &World, embed: &dyn Embed, q: &str, as_of: Option<u64>) -> Answer {
    let question = Question {
        as_of,
        ..Question::new(q)
    };
    world
        .asker(embed)
        .ask(&question, &mut |_| true)
        .expect("answers")
}

fn shock_of(idx: usize) -> u64 {
    NOW - 10 * MINUTE - idx as u64 * MINUTE
}

/// One market with all shocks; `caused` decides which have their cause published.
fn world(embed: &dyn Embed, caused: bool) -> World {
    let mut world = World::new();
    for (idx, (symbol, _)) in COMPANIES.iter().enumerate() {
        let at = shock_of(idx);
        let bp = CAUSES
            .iter()
            .find(|c| c.0 == *symbol)
            .map_or(500.0, |c| c.1);
        world.facts.jump(symbol, at + 2 * SECOND, bp);
        surround(&world, embed, idx, at);
        if let Some((_, _, title, text)) = CAUSES.iter().find(|c| caused && c.0 == *symbol) {
            world.publish(
                embed,
                &format!("cause-{symbol}"),
                at - SECOND,
                &[symbol],
                (title, text),
            );
        }
    }
    world
}

fn causes_are_cited(embed: &dyn Embed) {
    let world = world(embed, true);
    for (symbol, ..) in CAUSES {
        let answer = ask(&world, embed, &format!("Why did ${symbol} move?"), None);
        let cited: Vec<&str> = answer
            .citations
            .iter()
            .map(|c| c.document_id.as_str())
            .collect();
        assert_eq!(cited, [format!("cause-{symbol}")], "{}", answer.answer);
        assert!(answer.answer.contains("[1]") && !answer.abstained);
    }
}

fn decoys_are_not(embed: &dyn Embed) {
    let world = world(embed, false);
    for (symbol, _) in COMPANIES {
        let answer = ask(&world, embed, &format!("Why did ${symbol} move?"), None);
        assert!(
            answer.abstained && answer.citations.is_empty(),
            "{symbol}: {}",
            answer.answer
        );
        assert!(
            answer.answer.starts_with("No cause found"),
            "{}",
            answer.answer
        );
        assert!(answer.answer.contains(symbol) && !answer.facts.is_empty());
    }
}

#[test]
fn planted_causes_are_cited_and_nothing_else() {
    causes_are_cited(&HashEmbedder);
}

#[test]
fn without_the_cause_there_is_no_cause() {
    decoys_are_not(&HashEmbedder);
}

#[test]
fn a_cause_is_found_by_words_alone_and_without_tags() {
    let mut world = World::new();
    world.facts.jump("IRIS", NOW - MINUTE, 1_900.0);
    let item = (
        "",
        "A consortium agreed to acquire Iris Networks for $48 a share in cash.",
    );
    world.publish(
        &HashEmbedder,
        "untagged",
        NOW - MINUTE - 20 * SECOND,
        &[],
        item,
    );
    let answer = ask(&world, &NoEmbedder, "why is Iris Networks up?", None);
    assert_eq!(answer.citations.len(), 1, "{}", answer.answer);
    assert!(
        answer.receipt.skipped[0].starts_with("dense: "),
        "{:?}",
        answer.receipt.skipped
    );
}

#[test]
fn what_is_moving_answers_for_each_mover() {
    let mut world = world(&HashEmbedder, true);
    world
        .facts
        .movers
        .sort_by(|a, b| b.move_bp.abs().total_cmp(&a.move_bp.abs()));
    let answer = ask(&world, &HashEmbedder, "what is moving and why?", None);
    let cited: Vec<&str> = answer
        .citations
        .iter()
        .map(|c| c.document_id.as_str())
        .collect();
    assert_eq!(
        cited,
        ["cause-IRIS", "cause-BRVO", "cause-HRBR"],
        "{}",
        answer.answer
    );
    assert!(
        ["[1]", "[2]", "[3]"]
            .iter()
            .all(|n| answer.answer.contains(n))
    );
    let losers = ask(&world, &HashEmbedder, "top losers?", None);
    assert_eq!(losers.citations[0].document_id, "cause-HRBR");
}

#[test]
fn nothing_from_after_the_instant_is_used() {
    let world = world(&HashEmbedder, true);
    let symbol = "ACME";
    let before = ask(
        &world,
        &HashEmbedder,
        "why did ACME fall?",
        Some(shock_of(0) - 2 * SECOND),
    );
    assert!(before.abstained, "{}", before.answer);
    let after = ask(
        &world,
        &HashEmbedder,
        "why did ACME fall?",
        Some(shock_of(0) + 5 * SECOND),
    );
    assert_eq!(after.citations[0].document_id, format!("cause-{symbol}"));
}

#[test]
fn the_packaged_model_finds_the_same_causes() {
    let model = MiniLm::packaged();
    causes_are_cited(&model);
    decoys_are_not(&model);
}
