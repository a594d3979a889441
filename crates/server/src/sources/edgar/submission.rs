//! A complete submission text file: header, then each document between tags of SGML.

/// A document of a submission.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// `8-K`, `EX-99.1`, `GRAPHIC`.
    pub kind: &'a str,
    /// Its name in the filing's folder.
    pub file: &'a str,
    /// In the filer's words, where there are any.
    pub description: Option<&'a str>,
    /// Its text: HTML, plain, or packed.
    pub body: &'a str,
}

impl Part<'_> {
    /// Whether it is a PDF, which stands in a submission as uuencoded text.
    #[must_use]
    pub fn is_pdf(&self) -> bool {
        self.file.to_lowercase().ends_with(".pdf") || self.body.trim_start().starts_with("<PDF>")
    }
}

/// The documents of a submission.
///
/// # Errors
/// In words, when it is none, or ends before its end.
pub fn parts(text: &str) -> Result<Vec<Part<'_>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find("<DOCUMENT>") {
        let begins = &rest[at + "<DOCUMENT>".len()..];
        let end = begins.find("</DOCUMENT>");
        let end = end.ok_or("ends within a document: it was cut off")?;
        parts.extend(part(&begins[..end]));
        rest = &begins[end..];
    }
    if parts.is_empty() {
        let start = &text[..text.floor_char_boundary(60)];
        return Err(format!("is no submission; it begins with {start:?}"));
    }
    Ok(parts)
}

fn part(text: &str) -> Option<Part<'_>> {
    let (head, body) = text.split_once("<TEXT>")?;
    let said = |tag: &str| {
        let lines = head.lines();
        let value = lines
            .filter_map(|line| line.trim().strip_prefix(tag))
            .next()?;
        Some(value.trim()).filter(|value| !value.is_empty())
    };
    Some(Part {
        kind: said("<TYPE>")?,
        file: said("<FILENAME>").unwrap_or_default(),
        description: said("<DESCRIPTION>"),
        body: body.rsplit_once("</TEXT>").map_or(body, |(body, _)| body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_stand_between_tags() {
        let text = "<SEC-DOCUMENT>x.txt\n<DOCUMENT>\n<TYPE>8-K\n<SEQUENCE>1\n<FILENAME>a.htm\n<DESCRIPTION>8-K\n<TEXT>\n\
            <XBRL><p>Hello</p></XBRL>\n</TEXT>\n</DOCUMENT>\n<DOCUMENT>\n<TYPE>EX-99.1\n<FILENAME>b.htm\n<TEXT>B</TEXT>\n\
            </DOCUMENT>\n</SEC-DOCUMENT>";
        let found = parts(text).expect("a submission");
        let shown: Vec<_> = found
            .iter()
            .map(|p| (p.kind, p.file, p.description))
            .collect();
        assert_eq!(
            shown,
            [("8-K", "a.htm", Some("8-K")), ("EX-99.1", "b.htm", None)]
        );
        assert!(found[0].body.contains("<p>Hello</p>"));
        let cut = parts(&text[..text.len() - 30]).expect_err("cut off");
        assert!(cut.contains("cut off"), "{cut}");
        assert!(parts("<html>Sorry").is_err());
    }
}
