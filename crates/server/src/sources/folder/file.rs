//! A file's bytes as a document.

use rag::settings::TITLE_BYTES_LIMIT;
use rag::{Draft, Field, Fields};

use crate::sources::feed::{bounded, bounded_id};
use crate::sources::html;

/// The field that says which file a document is.
pub const FILE: &str = "file";

/// What a file is, by the end of its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Documents, one a line.
    Lines,
    /// Text, or Markdown: the same to us but for the title.
    Text,
    /// Markdown.
    Markdown,
    /// HTML.
    Html,
}

impl Kind {
    /// By the name; `None` for files that are none of ours, and for hidden ones.
    #[must_use]
    pub fn of(name: &str) -> Option<Self> {
        let (stem, end) = name.rsplit_once('.')?;
        if stem.is_empty() || name.starts_with('.') {
            return None;
        }
        Some(match end.to_ascii_lowercase().as_str() {
            "jsonl" | "ndjson" => Self::Lines,
            "txt" => Self::Text,
            "md" | "markdown" => Self::Markdown,
            "html" | "htm" => Self::Html,
            _ => return None,
        })
    }
}

/// The document that a file is. `path` is relative to the folder, `source` the folder's name.
///
/// # Errors
/// In words, when the bytes are not text.
pub fn draft(
    kind: Kind,
    bytes: &[u8],
    (source, path): (&str, &str),
    event_at: Option<u64>,
) -> Result<Draft, String> {
    let (title, text) = match kind {
        Kind::Html => {
            let page = html::read(&html::decode(bytes, None))?;
            (page.title, page.text)
        }
        Kind::Lines | Kind::Text | Kind::Markdown => {
            let text = std::str::from_utf8(bytes)
                .map_err(|e| format!("is not UTF-8 at byte {}", e.valid_up_to()))?;
            let text = text.strip_prefix('\u{feff}').unwrap_or(text);
            let title = (kind == Kind::Markdown).then(|| heading(text)).flatten();
            (title, text.to_owned())
        }
    };
    let name = path.rsplit('/').next().unwrap_or(path);
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let title = title.unwrap_or_else(|| stem.to_owned());
    Ok(Draft {
        id: bounded_id(source, path),
        title: Some(bounded(title, TITLE_BYTES_LIMIT)),
        text,
        source: Some(source.to_owned()),
        fields: Fields::from([(FILE.to_owned(), Field::Text(path.to_owned()))]),
        event_at,
        ..Draft::default()
    })
}

/// The first heading of a Markdown text.
fn heading(text: &str) -> Option<String> {
    let lines = text.lines().map(str::trim);
    let found = lines.filter_map(|line| line.strip_prefix("# ")).next()?;
    let title = found.trim_matches(['#', ' ']);
    (!title.is_empty()).then(|| title.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_known_by_their_names() {
        for (name, kind) in [
            ("a.jsonl", Some(Kind::Lines)),
            ("a.b.MD", Some(Kind::Markdown)),
            ("a.HTM", Some(Kind::Html)),
            (".a.txt", None),
            ("a.txt.part", None),
            ("a.txt~", None),
            (".txt", None),
            ("txt", None),
        ] {
            assert_eq!(Kind::of(name), kind, "{name}");
        }
    }

    #[test]
    fn a_title_is_what_the_file_says_or_its_name() {
        let title = |kind, text: &str| {
            let draft = draft(kind, text.as_bytes(), ("notes", "q3/my file.md"), None);
            let draft = draft.expect("text");
            assert_eq!(draft.id, "notes:q3/my file.md");
            draft.title.expect("always")
        };
        assert_eq!(
            title(Kind::Markdown, "text\n# Third quarter #\n"),
            "Third quarter"
        );
        assert_eq!(title(Kind::Text, "# Third quarter"), "my file");
        assert_eq!(title(Kind::Html, "<title>T</title><p>x"), "T");
        let why = draft(Kind::Text, b"ab\xff", ("n", "a.txt"), None).expect_err("no text");
        assert_eq!(why, "is not UTF-8 at byte 2");
    }
}
