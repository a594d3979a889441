//! Just enough of a Rust lexer to ask questions of source text.
//!
//! A rule that greps raw text finds its own words in comments and strings. So a [`Source`] keeps a second copy in
//! which comments, strings and character literals are blanked (every byte stays at its place, so line numbers
//! hold), knows which spans are compiled for tests only, and can measure functions by matching braces. No syntax
//! tree: the rules here need none, and a parser would be most of the build time.

use std::ops::Range;

/// One Rust file, with its comments and literals blanked and its test-only spans known.
pub struct Source {
    code: String,
    test_spans: Vec<Range<usize>>,
    test_modules: Vec<String>,
    line_starts: Vec<usize>,
}

/// A function as the ratchet sees it.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Line of the `fn` word, 1-based.
    pub line: usize,
    /// Lines from the `fn` word to the closing brace, both counted.
    pub line_count: usize,
}

impl Source {
    /// Lexes `text`. Broken source is not an error: the compiler says that better.
    pub fn new(text: &str) -> Self {
        let code = blank(text);
        let mut line_starts = vec![0];
        line_starts.extend(
            code.bytes()
                .enumerate()
                .filter(|(_, b)| *b == b'\n')
                .map(|(at, _)| at + 1),
        );
        let mut source = Self {
            code,
            test_spans: Vec::new(),
            test_modules: Vec::new(),
            line_starts,
        };
        source.find_tests();
        source
    }

    /// 1-based line of a byte offset.
    pub fn line_of(&self, offset: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= offset)
    }

    /// Number of lines that are not inside a test-only span.
    pub fn line_count(&self) -> usize {
        let lines = self.code.lines().count();
        let in_tests: usize = self
            .test_spans
            .iter()
            .map(|span| self.line_of(span.end.saturating_sub(1)) - self.line_of(span.start) + 1)
            .sum();
        lines.saturating_sub(in_tests)
    }

    /// Modules declared `#[cfg(test)] mod name;`: their files are tests as well.
    pub fn test_modules(&self) -> &[String] {
        &self.test_modules
    }

    /// Lines where `needle` stands in code that is not test-only, as a whole word: `print!` is not found in
    /// `eprint!`, nor `rand::` in `operand::`.
    pub fn lines_with(&self, needle: &str) -> Vec<usize> {
        let mut lines: Vec<usize> = self
            .code
            .match_indices(needle)
            .filter(|(at, _)| !self.in_test(*at) && is_whole(&self.code, *at, needle))
            .map(|(at, _)| self.line_of(at))
            .collect();
        lines.dedup();
        lines
    }

    /// Every function with a body outside test-only spans, in order.
    pub fn functions(&self) -> Vec<Function> {
        let mut functions = Vec::new();
        for (at, _) in self.code.match_indices("fn ") {
            if self.in_test(at) || !is_whole(&self.code, at, "fn") {
                continue;
            }
            let name: String = self.code[at + 3..]
                .trim_start()
                .chars()
                .take_while(|c| is_word(*c))
                .collect();
            let Some(body) = self.item_end(at).filter(|_| !name.is_empty()) else {
                continue;
            };
            if !body.has_braces {
                continue;
            }
            let line = self.line_of(at);
            functions.push(Function {
                name,
                line,
                line_count: self.line_of(body.end - 1) - line + 1,
            });
        }
        functions
    }

    fn in_test(&self, offset: usize) -> bool {
        self.test_spans.iter().any(|span| span.contains(&offset))
    }

    fn find_tests(&mut self) {
        if self.code.contains("#![cfg(test)]") {
            self.test_spans.push(0..self.code.len());
            return;
        }
        let mut from = 0;
        while let Some(at) = next_test_attribute(&self.code, from) {
            let item = skip_attributes(&self.code, at);
            let Some(body) = self.item_end(item) else {
                break;
            };
            if let Some(name) = module_name(&self.code[item..body.end]) {
                self.test_modules.push(name);
            }
            self.test_spans.push(at..body.end);
            from = body.end;
        }
    }

    /// End of the item that starts at `from`: past its `;`, or past the brace that closes its first block.
    fn item_end(&self, from: usize) -> Option<ItemEnd> {
        let bytes = self.code.as_bytes();
        let (mut round, mut curly) = (0_i32, 0_i32);
        for (at, byte) in bytes.iter().enumerate().skip(from) {
            match byte {
                b'(' | b'[' => round += 1,
                b')' | b']' => round -= 1,
                b'{' => curly += 1,
                b'}' => {
                    curly -= 1;
                    if curly <= 0 && round <= 0 {
                        return Some(ItemEnd {
                            end: at + 1,
                            has_braces: true,
                        });
                    }
                }
                b';' if round <= 0 && curly == 0 => {
                    return Some(ItemEnd {
                        end: at + 1,
                        has_braces: false,
                    });
                }
                _ => {}
            }
        }
        None
    }
}

struct ItemEnd {
    end: usize,
    has_braces: bool,
}

fn next_test_attribute(code: &str, from: usize) -> Option<usize> {
    ["#[cfg(test)]", "#[cfg(all(test", "#[test]"]
        .iter()
        .filter_map(|attribute| code[from..].find(attribute).map(|at| at + from))
        .min()
}

/// Offset of the item after the attributes that start at `at`.
fn skip_attributes(code: &str, mut at: usize) -> usize {
    loop {
        at += code[at..].len() - code[at..].trim_start().len();
        if !code[at..].starts_with("#[") {
            return at;
        }
        let mut depth = 0;
        let length = code[at..].bytes().position(|byte| {
            depth += i32::from(byte == b'[') - i32::from(byte == b']');
            byte == b']' && depth == 0
        });
        match length {
            Some(length) => at += length + 1,
            None => return code.len(),
        }
    }
}

/// The name in `mod name;`, `pub(crate) mod name;`; none for an inline module or another item.
fn module_name(item: &str) -> Option<String> {
    let declaration = item.strip_suffix(';')?;
    let (before, name) = declaration.split_once("mod ")?;
    let name = name.trim();
    (before.trim().is_empty() || before.trim_start().starts_with("pub"))
        .then(|| name.to_string())
        .filter(|name| name.chars().all(is_word))
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

fn is_whole(code: &str, at: usize, needle: &str) -> bool {
    let starts_word = needle.chars().next().is_some_and(is_word);
    let ends_word = needle.chars().next_back().is_some_and(is_word);
    let before = code[..at].chars().next_back().is_some_and(is_word);
    let after = code[at + needle.len()..]
        .chars()
        .next()
        .is_some_and(is_word);
    !(starts_word && before || ends_word && after)
}

/// A copy of `text` with comments and literals replaced by spaces, byte for byte; newlines stay.
fn blank(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = literal_end(text, at);
        if end == at {
            at += text[at..].chars().next().map_or(1, char::len_utf8);
            continue;
        }
        for byte in &mut out[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end;
    }
    String::from_utf8_lossy(&out).into_owned()
}

/// End of the comment or literal that starts at `at`, or `at` when none does.
fn literal_end(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    let length = if rest.starts_with("//") {
        rest.find('\n').unwrap_or(rest.len())
    } else if rest.starts_with("/*") {
        block_comment_length(rest)
    } else if rest.starts_with('"') {
        quoted_length(rest)
    } else if rest.starts_with('\'') {
        char_length(rest)
    } else if rest.starts_with('r') && !text[..at].chars().next_back().is_some_and(is_prefix_end) {
        raw_length(rest)
    } else {
        0
    };
    at + length
}

/// A raw string may follow `b` or `c` (as in `br"..."`) but not the end of another word.
fn is_prefix_end(c: char) -> bool {
    is_word(c) && c != 'b' && c != 'c'
}

fn block_comment_length(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        if rest[at..].starts_with("/*") {
            depth += 1;
            at += 2;
        } else if rest[at..].starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            at += rest[at..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted_length(rest: &str) -> usize {
    let bytes = rest.as_bytes();
    let mut at = 1;
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a character literal; 0 for a lifetime or a label.
fn char_length(rest: &str) -> usize {
    let mut chars = rest.char_indices().skip(1);
    match chars.next() {
        Some((_, '\\')) => {
            let escaped = rest[3..].find('\'').map(|end| end + 4);
            escaped.unwrap_or(rest.len())
        }
        Some(_) => match chars.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

fn raw_length(rest: &str) -> usize {
    let hashes = rest[1..].bytes().take_while(|byte| *byte == b'#').count();
    if !rest[1 + hashes..].starts_with('"') {
        return 0;
    }
    let close = format!("\"{}", "#".repeat(hashes));
    let body = 2 + hashes;
    rest[body..]
        .find(&close)
        .map_or(rest.len(), |end| body + end + close.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_in_place() {
        let check = |text: &str, expected: &str| assert_eq!(blank(text), expected, "{text}");
        check("a // b\nc", "a     \nc");
        check("a /* b /* c */ d */ e", "a                   e");
        check(r#"f("x // y") + 1"#, "f(        ) + 1");
        check(
            r#"f("\"", 'x', '\'', '\u{1}')"#,
            "f(    ,    ,     ,        )",
        );
        check("fn f<'a>(x: &'a str)", "fn f<'a>(x: &'a str)");
        check("r#\"a \" b\"# + br\"c\" + bar", "           + b     + bar");
        check("'é' + \"é\"", "     +     ");
    }

    #[test]
    fn a_word_is_found_whole_and_outside_tests_only() {
        let source = Source::new(
            "fn f() { print!(); eprint!(); }\n// print!\n#[cfg(test)]\nmod tests {\n    fn g() { print!(); }\n}\nfn h() { print!(); }\n",
        );
        assert_eq!(source.lines_with("print!"), [1, 7]);
        assert_eq!(source.line_count(), 3);
        assert_eq!(
            Source::new("operand::x(); rand::y();\n").lines_with("rand::"),
            [1]
        );
        assert!(
            Source::new("operand::x();\n")
                .lines_with("rand::")
                .is_empty()
        );
    }

    #[test]
    fn a_test_module_in_its_own_file_is_named() {
        let source = Source::new(
            "#[cfg(test)]\nmod layout_tests;\n#[cfg(test)]\n#[path = \"x.rs\"]\nmod b;\nmod c;\n",
        );
        assert_eq!(source.test_modules(), ["layout_tests", "b"]);
    }

    #[test]
    fn functions_are_measured_by_their_braces() {
        let source = Source::new(
            "fn one() {}\nfn two(x: [u8; 2])\nwhere\n    X: Y,\n{\n    let z = \"}\";\n}\ntrait T { fn three(); }\nfn outer() {\n    fn inner() {\n    }\n}\n#[test]\nfn tested() {\n\n}\nlet f: fn (u8) = g;\n",
        );
        let functions = source.functions();
        let sizes: Vec<(&str, usize, usize)> = functions
            .iter()
            .map(|f| (f.name.as_str(), f.line, f.line_count))
            .collect();
        assert_eq!(
            sizes,
            [
                ("one", 1, 1),
                ("two", 2, 6),
                ("outer", 9, 4),
                ("inner", 10, 2)
            ]
        );
    }
}
