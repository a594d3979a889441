//! What a text puts between quotation marks, of any kind.
//!
//! A reader takes words in marks for words of a source, whichever marks they are. Each family of
//! marks is read on its own, so that marks within marks stay part of the outer quote.

/// Families whose marks open and close in turn.
const FAMILIES: &[&[char]] = &[
    &['"', '“', '”', '„', '＂'],
    &['«', '»'],
    &['‹', '›'],
    &['「', '」', '『', '』'],
    &['`', '´'],
];

/// Every text between marks. A family with an odd number of marks leaves open what is quoted, so
/// all of the text is returned.
pub(super) fn quotes(text: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for family in FAMILIES {
        let parts: Vec<&str> = text.split(|c| family.contains(&c)).collect();
        let closed = parts.len() % 2 == 1;
        let quoted = parts
            .iter()
            .enumerate()
            .filter(|(n, _)| !closed || n % 2 == 1);
        if parts.len() > 1 {
            found.extend(quoted.map(|(_, part)| bare(part)));
        }
    }
    found.extend(single(text));
    found.retain(|quote| !quote.is_empty());
    found
}

/// The text with one kind of mark and single spaces: a model need not copy typography.
pub(super) fn levelled(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let level = |c: char| match c {
        '‘' | '’' | '‚' | '‹' | '›' | '`' | '´' => '\'',
        c if FAMILIES.iter().any(|f| f.contains(&c)) => '"',
        c => c,
    };
    words.join(" ").chars().map(level).collect()
}

/// Texts between single marks, which are apostrophes too: one opens before a word, one closes
/// after it. A mark within a word, or after one with none open, is an apostrophe.
fn single(text: &str) -> Vec<&str> {
    let is_mark = |c: char| matches!(c, '\'' | '‘' | '’' | '‚');
    let (mut opened, mut closed) = (Vec::new(), Vec::new());
    for (at, c) in text.char_indices().filter(|&(_, c)| is_mark(c)) {
        let end = at + c.len_utf8();
        let before = text[..at].chars().next_back();
        let after = text[end..].chars().next();
        let inside = before.is_some_and(char::is_alphanumeric);
        if !inside && after.is_some_and(|c| !c.is_whitespace()) {
            opened.push(end);
        } else if !after.is_some_and(char::is_alphanumeric) {
            closed.push(at);
        }
    }
    let Some(&first) = opened.first() else {
        return Vec::new();
    };
    closed.retain(|&at| at >= first);
    let paired = opened.len() == closed.len()
        && opened
            .iter()
            .zip(&closed)
            .all(|(open, close)| open <= close)
        && opened
            .iter()
            .skip(1)
            .zip(&closed)
            .all(|(open, close)| open > close);
    if paired {
        return opened
            .iter()
            .zip(&closed)
            .map(|(&o, &c)| bare(&text[o..c]))
            .collect();
    }
    // A possessive looks like a closing mark; the longest reading is the safe one.
    let last = closed
        .last()
        .copied()
        .filter(|_| closed.len() >= opened.len());
    vec![bare(&text[first..last.unwrap_or(text.len())])]
}

fn bare(quote: &str) -> &str {
    quote.trim_matches(|c: char| c.is_whitespace() || matches!(c, '\'' | '‘' | '’' | '.' | ','))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_mark_quotes() {
        let check = |text: &str, want: &[&str]| assert_eq!(quotes(text), want, "{text}");
        check(
            "It \"cut its forecast\" and “ran”.",
            &["cut its forecast", "ran"],
        );
        check("«flee now» and ‹hide›", &["flee now", "hide"]);
        check("'we will be delisted'", &["we will be delisted"]);
        check("‘we will’ or ‚we won’t’", &["we will", "we won’t"]);
        check("`run` and ''leave''", &["run", "leave"]);
        check("Acme's suppliers' orders didn't fall", &[]);
        check(
            "the 'suppliers' orders will burn'",
            &["suppliers' orders will burn"],
        );
        check("it said 'we are done", &["we are done"]);
        check("we are done» it said", &["we are done", "it said"]);
    }
}
