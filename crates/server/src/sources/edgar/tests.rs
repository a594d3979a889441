//! Filings from a server that is not the SEC's.

use std::sync::Arc;

use node::Node;
use node::reference::Listing;
use rag::Field;

use super::*;
use crate::sources::stand_in::{Answer, StandIn};
use crate::sources::tests::{filing, node};
use crate::sources::{Limits, Status};

const LIST: &str = "/cgi-bin/browse-edgar";

fn entry(accession: &str, company: &str, cik: u64, items: &str) -> String {
    format!(
        "<entry><title>8-K - {company} ({cik:010}) (Filer)</title><summary type=\"html\">{items}</summary>\
         <updated>2024-11-22T06:50:04-05:00</updated><category term=\"8-K\"/>\
         <id>urn:tag:sec.gov,2008:accession-number={accession}</id></entry>"
    )
}

fn feed(entries: &[String]) -> Answer {
    let head = "<feed xmlns=\"http://www.w3.org/2005/Atom\"><title>Latest</title><id>x</id>";
    let headers = vec![("ETag", "\"1\"".to_owned())];
    let body = format!("{head}{}</feed>", entries.concat());
    Answer::Plain(200, headers, body.into_bytes())
}

fn submission(parts: &[(&str, &str, &str)]) -> String {
    let parts = parts.iter().map(|(kind, file, body)| {
        format!(
            "<DOCUMENT>\n<TYPE>{kind}\n<FILENAME>{file}\n<TEXT>\n{body}\n</TEXT>\n</DOCUMENT>\n"
        )
    });
    format!(
        "<SEC-DOCUMENT>\n{}</SEC-DOCUMENT>",
        parts.collect::<String>()
    )
}

fn edgar(server: &StandIn, node: &Arc<Node>) -> Edgar {
    let settings = EdgarSettings {
        base: format!("{}/", server.url),
        forms: vec!["8-K".to_owned()],
        gap: Duration::from_millis(1),
    };
    let limits = Limits {
        time: Duration::from_millis(500),
        bytes: 1 << 20,
    };
    let fetcher = Fetcher::new("ouzel test@example.org", limits);
    let status = Arc::new(Status::new("edgar", "edgar", ""));
    Edgar::new(settings, fetcher, Intake::new(Arc::clone(node), status))
}

const FORM: &str = "<p>FORM 8-K</p><p>Trading: <ix:nonNumeric name='dei:TradingSymbol'>bke</ix:nonNumeric></p>\
    <p>Item 2.02. Results of Operations</p><table><tr><td>Sales<td>$<td>5</table>";

#[test]
fn a_filing_is_stored_with_its_press_release_once() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), StandIn::start());
    let node = node(dir.path());
    let items = "&lt;br&gt;Item 2.02: Results of Operations&lt;br&gt;Item 9.01: Exhibits";
    let entries = [entry("0000885245-24-000101", "BUCKLE INC", 885_245, items)];
    server.at(LIST, vec![feed(&entries), Answer::status(304, &[])]);
    let text = submission(&[
        ("8-K", "form.htm", FORM),
        ("EX-10.1", "contract.htm", "<p>no</p>"),
        (
            "EX-99.1",
            "release.htm",
            "<h1>Results</h1><p>Net income fell.</p>",
        ),
        ("GRAPHIC", "logo.jpg", "begin 644"),
    ]);
    server.at(
        "/Archives/edgar/data/885245/0000885245-24-000101.txt",
        vec![Answer::ok(text)],
    );
    let mut edgar = edgar(&server, &node);
    edgar.turn().expect("works");
    edgar.turn().expect("works");
    let counts = edgar.intake().status().counts();
    assert_eq!((counts.documents, counts.unchanged), (2, 1), "{counts:?}");
    let get = |id: &str| {
        node.documents()
            .get(id, None)
            .expect("answers")
            .expect("stored")
    };
    let form = get("edgar:0000885245-24-000101");
    assert_eq!(
        form.summary.title.as_deref(),
        Some("BUCKLE INC 8-K: Results of Operations")
    );
    assert_eq!(form.summary.symbols, ["BKE"], "as the form says");
    assert!(
        form.text
            .ends_with("Item 2.02. Results of Operations\n\nSales | $5"),
        "{}",
        form.text
    );
    let numbers = ["2.02", "9.01"].map(|n| Field::Text(n.to_owned()));
    assert_eq!(form.summary.fields["items"], Field::List(numbers.to_vec()));
    assert_eq!(
        form.summary.fields["cik"],
        Field::List(vec![Field::Whole(885_245)])
    );
    assert_eq!(form.summary.event_at, 1_732_276_204_000_000_000);
    let release = get("edgar:0000885245-24-000101/release.htm");
    let url = format!(
        "{}/Archives/edgar/data/885245/000088524524000101/release.htm",
        server.url
    );
    assert_eq!(release.summary.url, Some(url));
    assert_eq!(release.text, "# Results\n\nNet income fell.");
    let asked = server.requests();
    assert!(
        asked
            .iter()
            .all(|(_, head)| head.contains("user-agent: ouzel test@example.org"))
    );
    // A restart asks for the list, and for nothing that is stored.
    server.at(LIST, vec![feed(&entries)]);
    let mut again = super::tests::edgar(&server, &node);
    again.turn().expect("works");
    assert_eq!(server.requests().len(), 1);
}

#[test]
fn a_form_that_is_refused_is_fetched_once_and_a_pdf_is_no_text() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), StandIn::start());
    let node = node(dir.path());
    let entries = [entry("0000885245-24-000101", "BUCKLE INC", 885_245, "")];
    server.at(LIST, vec![feed(&entries)]);
    let text = submission(&[
        ("8-K", "form.htm", "<p> </p>"),
        ("EX-99.1", "release.htm", "<p>Net income fell.</p>"),
        ("EX-99.2", "slides.PDF", "begin 644 slides.pdf"),
        ("EX-99.3", "more", "<PDF>\nbegin 644 more.pdf\n</PDF>"),
    ]);
    server.at(
        "/Archives/edgar/data/885245/0000885245-24-000101.txt",
        vec![Answer::ok(text)],
    );
    let mut edgar = edgar(&server, &node);
    edgar.turn().expect("works");
    edgar.turn().expect("works");
    let counts = edgar.intake().status().counts();
    assert_eq!((counts.documents, counts.refused), (1, 1), "{counts:?}");
    assert_eq!(server.requests().len(), 3, "two lists and one filing");
}

#[test]
fn reference_data_gives_the_symbols() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), StandIn::start());
    let node = node(dir.path());
    let listing = Listing {
        symbol: "BKE.N".to_owned(),
        cik: Some("0000885245".to_owned()),
        ..Listing::default()
    };
    node.reference().load(vec![listing], 0);
    let entries = [entry("0000885245-24-000101", "BUCKLE INC", 885_245, "")];
    server.at(LIST, vec![feed(&entries)]);
    let text = submission(&[("8-K", "form.htm", FORM)]);
    server.at(
        "/Archives/edgar/data/885245/0000885245-24-000101.txt",
        vec![Answer::ok(text)],
    );
    edgar(&server, &node).turn().expect("works");
    let form = node.documents().get("edgar:0000885245-24-000101", None);
    let form = form.expect("answers").expect("stored").summary;
    assert_eq!(form.symbols, ["BKE.N"]);
    assert_eq!(
        form.title.as_deref(),
        Some("BUCKLE INC 8-K: Results of Operations")
    );
}

#[test]
fn a_filing_that_fails_is_tried_again_and_given_up_at_last() {
    let (dir, server) = (tempfile::tempdir().expect("dir"), StandIn::start());
    let node = node(dir.path());
    let bad = "0000000001-24-000001";
    let good = "0000000002-24-000002";
    let entries = [entry(good, "Good", 2, ""), entry(bad, "Bad", 1, "")];
    let path = |accession: &str, cik: u64| format!("/Archives/edgar/data/{cik}/{accession}.txt");
    let whole = submission(&[("8-K", "a.htm", FORM)]);
    server.at(LIST, vec![feed(&entries)]);
    server.at(
        &path(bad, 1),
        vec![
            Answer::CutOff(whole.as_bytes()[..90].to_vec()),
            Answer::Slow,
            Answer::Slow,
            Answer::Slow,
            Answer::status(404, &[]),
            Answer::ok("<html>"),
        ],
    );
    let busy = Answer::status(429, &[("Retry-After", "9")]);
    server.at(
        &path(good, 2),
        vec![Answer::status(500, &[]), busy, Answer::ok(whole)],
    );
    let mut edgar = edgar(&server, &node);
    let why = edgar.turn().expect_err("the server is unwell");
    assert_eq!(why.status, Some(500));
    for _ in 0..3 {
        let why = edgar.turn().expect_err("no answer in time").why;
        assert!(why.contains("longer than"), "{why}");
    }
    let why = edgar.turn().expect_err("too many calls");
    assert_eq!(why.retry_after, Some(Duration::from_secs(9)));
    edgar
        .turn()
        .expect("the good one is stored, the bad one given up");
    let counts = edgar.intake().status().counts();
    assert_eq!((counts.documents, counts.refused), (1, 1), "{counts:?}");
    let refusal = &counts.refusals[0];
    assert!(
        refusal.place.contains(bad) && refusal.reason.contains("is no submission"),
        "{refusal:?}"
    );
    server.requests();
    edgar.turn().expect("works");
    assert_eq!(server.requests().len(), 1, "neither is asked for again");
}

#[test]
fn real_filings_are_read() {
    let names = [
        "Nordstrom.8-K.html",
        "1800Flowers.8-K.html",
        "Blackrock.8-K.html",
        "0000887919-21-000012.html",
    ];
    let wanted = [
        ("JWN", "5.02"),
        ("FLWS", "5.07"),
        ("BLK", "5.02"),
        ("PFBI", "8.01"),
    ];
    for (name, (symbol, item)) in names.into_iter().zip(wanted) {
        let Some(html) = filing(name) else { return };
        let page = html::read(&html).expect("a page");
        let found = items(&Filing::default(), &page.text);
        assert!(
            found.iter().any(|(n, name)| n == item && !name.is_empty()),
            "{name} {found:?}"
        );
        let has_symbol = page
            .facts
            .iter()
            .any(|(n, v)| n == "dei:TradingSymbol" && v == symbol);
        assert!(has_symbol, "{name} {:?}", page.facts);
    }
}
