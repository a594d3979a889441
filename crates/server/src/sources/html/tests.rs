use super::*;

fn text(html: &str) -> String {
    read(html).expect("a page").text
}

#[test]
fn structure_becomes_lines() {
    let html = "<html><head><title> A\n page </title><style>p{}</style></head><body><h2>Results</h2>\
        <p>Sales   rose&nbsp;5&#37;.<br>Costs fell.<p>Next.<ul><li>one<li>two</ul><script>if (a<b) x()</script>\
        <div style=\"Display : none\">gone <div>too</div> gone</div>end";
    let page = read(html).expect("a page");
    assert_eq!(page.title.as_deref(), Some("A page"));
    let want = "## Results\n\nSales rose 5%.\nCosts fell.\n\nNext.\n\n- one\n- two\n\nend";
    assert_eq!(page.text, want);
}

#[test]
fn a_table_keeps_its_rows_and_columns() {
    let html = "<table><caption>In millions</caption><tr><td></td><td colspan=3>2024</td><td colspan=3>2023</td></tr>\
        <tr><td>Sales<td>$<td>293.6<td><td>$<td>303.5<td></tr>\
        <tr><td>Margin</td><td colspan=2>6.4</td><td>%</td><td></td><td>(3.2</td><td>)%</td></tr></table>";
    let want = "In millions\n | 2024 | 2023\nSales | $293.6 | $303.5\nMargin | 6.4% | (3.2)%";
    assert_eq!(text(html), want);
}

#[test]
fn a_table_that_only_places_text_is_text() {
    let html = "<table><tr><td>One.<tr><td><table><tr><td>a<td>b</table>Two.</table>Three.";
    assert_eq!(text(html), "One.\n\na | b\n\nTwo.\n\nThree.");
}

#[test]
fn what_a_page_claims_costs_no_more_than_its_size() {
    let html = format!("<table>{}", "<td colspan=99999999>x".repeat(2_000));
    assert!(text(&html).len() < 10_000);
    let deep = "<div><table><tr><td>".repeat(20_000);
    assert_eq!(text(&deep), "");
    assert_eq!(text("<title>never closed"), "");
    assert_eq!(text("a<!-- never closed"), "a");
}

/// The tokenizer compares each attribute with all before it: a million would take hours.
#[test]
fn a_tag_with_too_many_attributes_and_a_page_too_long_are_refused() {
    let many: String = (0..1_000_000).map(|n| format!(" a{n}")).collect();
    for begin in [
        "<p",
        "x</p",
        "a &am<p",
        "<!-- <b c=\" --><p",
        "<script>x<b c='</script><p",
        "<textarea></t</textarea",
        "<p title='<b'",
    ] {
        let why = read(&format!("{begin}{many}>text")).expect_err("refused");
        assert!(why.contains("attributes"), "{begin}: {why}");
    }
    let few = "<p a b c d>text ".repeat(2_000);
    assert!(read(&few).is_ok());
    for harmless in ["<!--", "<script>a<b;", "<p title='"] {
        assert!(read(&format!("{harmless}{many}")).is_ok(), "{harmless}");
    }
    let why = read(&"x".repeat(BYTES_LIMIT + 1)).expect_err("refused");
    assert!(why.contains("8 MiB"), "{why}");
}

#[test]
fn facts_of_inline_xbrl_are_found_where_nothing_is_shown() {
    let html = "<div style='display:none'><ix:header><ix:hidden><ix:nonNumeric name='dei:EntityCentralIndexKey'>\
        0000072333</ix:nonNumeric></ix:hidden></ix:header></div><p><ix:nonNumeric name=\"dei:TradingSymbol\"> JWN\n\
        </ix:nonNumeric></p>";
    let page = read(html).expect("a page");
    let fact = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let want = [
        fact("dei:EntityCentralIndexKey", "0000072333"),
        fact("dei:TradingSymbol", "JWN"),
    ];
    assert_eq!(page.facts, want);
    assert_eq!(page.text, "JWN");
}

#[test]
fn bytes_are_read_by_the_encoding_they_name() {
    assert_eq!(decode(b"caf\xe9", None), "café");
    assert_eq!(decode("café".as_bytes(), None), "café");
    assert_eq!(
        decode(b"\xe4\xbd\xa0", Some("text/html; charset=\"utf-8\"")),
        "你"
    );
    assert_eq!(
        decode(b"<meta charset='shift_jis'>\x83A", None),
        "<meta charset='shift_jis'>ア"
    );
    assert_eq!(
        decode(b"\x93x\x94", Some("text/html; charset=utf-8")),
        "“x”"
    );
}

/// Real filings: every figure of a table stands in one line with its label.
#[test]
fn real_filings_keep_their_tables_whole() {
    let Some(html) = crate::sources::tests::filing("Buckle.8-K.EX99.1.html") else {
        return;
    };
    let text = text(&html);
    let has = |line: &str| assert!(text.lines().any(|l| l == line), "{line}\n{text}");
    has("SALES, Net of returns and allowances | $293,618 | $303,457 | $838,490 | $878,719");
    has("Basic | $0.89 | $1.05 | $2.37 | $2.83");
    has(" | Thirteen Weeks Ended |  | Thirty-Nine Weeks Ended");
}
