//! Blocks of text as they are read.

use super::table::{Table, spans};

/// Most spaces and marks in front of a line: list items in lists.
const LISTS: usize = 8;

/// Text under construction.
#[derive(Default)]
pub struct Writer {
    out: String,
    /// The block that is being written.
    block: String,
    /// What the next block begins with.
    mark: String,
    /// Open lists.
    lists: usize,
    /// Open `<pre>`: white space is kept.
    kept: usize,
    /// The table that is open; those around it only place text.
    table: Option<Table>,
    /// Tables around the open one, or after it.
    around: usize,
}

impl Writer {
    /// Characters, white space in runs as one space.
    pub fn text(&mut self, text: &str) {
        if self.kept > 0 && self.table.is_none() {
            self.block.push_str(text);
            return;
        }
        for character in text.chars() {
            match character {
                '\u{200b}' | '\u{feff}' | '\u{ad}' => {}
                c if c.is_whitespace() => self.space(),
                c => self.target().push(c),
            }
        }
    }

    fn target(&mut self) -> &mut String {
        match &mut self.table {
            Some(table) => table.cell(),
            None => &mut self.block,
        }
    }

    fn space(&mut self) {
        let target = self.target();
        if !target.is_empty() && !target.ends_with([' ', '\n']) {
            target.push(' ');
        }
    }

    /// An element begins.
    pub fn start<'a>(&mut self, name: &str, attribute: impl Fn(&str) -> Option<&'a str>) {
        match name {
            "br" => self.line_break(),
            "table" => self.open_table(),
            "tr" => self.with_table(Table::row),
            "td" | "th" => {
                let columns = spans(attribute("colspan"));
                self.with_table(|table| table.open(columns));
            }
            "li" => {
                self.close_block();
                let depth = self.lists.clamp(1, LISTS) - 1;
                self.mark = format!("{}- ", "  ".repeat(depth));
            }
            "ul" | "ol" => {
                self.close_block();
                self.lists += 1;
            }
            "pre" => {
                self.close_block();
                self.kept += 1;
            }
            _ => {
                if let Some(level) = heading(name) {
                    self.close_block();
                    self.mark = format!("{} ", "#".repeat(level));
                } else if is_block(name) {
                    self.close_block();
                }
            }
        }
    }

    /// An element ends.
    pub fn end(&mut self, name: &str) {
        match name {
            "table" => self.close_table(),
            "tr" => self.with_table(Table::row),
            "td" | "th" => self.with_table(Table::close),
            "ul" | "ol" => {
                self.close_block();
                self.lists = self.lists.saturating_sub(1);
            }
            "pre" => {
                self.close_block();
                self.kept = self.kept.saturating_sub(1);
            }
            _ if heading(name).is_some() || is_block(name) || name == "li" => self.close_block(),
            _ => {}
        }
    }

    /// Rows and cells of a table that only places text are blocks.
    fn with_table(&mut self, change: impl FnOnce(&mut Table)) {
        match &mut self.table {
            Some(table) => change(table),
            None => self.close_block(),
        }
    }

    fn line_break(&mut self) {
        if self.table.is_some() {
            self.space();
        } else {
            self.block.truncate(self.block.trim_end_matches(' ').len());
            self.block.push('\n');
        }
    }

    fn open_table(&mut self) {
        self.close_block();
        if let Some(outer) = self.table.take() {
            self.around += 1;
            self.push(&outer.finish());
        }
        self.table = Some(Table::default());
    }

    fn close_table(&mut self) {
        match self.table.take() {
            Some(table) => self.push(&table.finish()),
            None => {
                self.around = self.around.saturating_sub(1);
                self.close_block();
            }
        }
    }

    fn close_block(&mut self) {
        if self.table.is_some() {
            self.space();
            return;
        }
        let block = std::mem::take(&mut self.block);
        if block.trim().is_empty() {
            return;
        }
        let mark = std::mem::take(&mut self.mark);
        let is_item = mark.trim_start().starts_with('-');
        let before = self.out.lines().next_back().unwrap_or_default();
        let follows_item = is_item && before.trim_start().starts_with("- ");
        let lines = block.trim_matches([' ', '\n']).lines().map(str::trim_end);
        let lines = lines.collect::<Vec<_>>().join("\n");
        let text = format!("{mark}{}", fewer_breaks(&lines));
        if follows_item {
            self.out.push('\n');
            self.out.push_str(&text);
        } else {
            self.push(&text);
        }
    }

    /// A block of its own.
    fn push(&mut self, text: &str) {
        if text.trim().is_empty() {
            return;
        }
        if !self.out.is_empty() {
            self.out.push_str("\n\n");
        }
        self.out.push_str(text);
    }

    /// All of it.
    pub fn finish(mut self) -> String {
        if let Some(table) = self.table.take() {
            self.push(&table.finish());
        }
        self.close_block();
        self.out
    }
}

/// At most one blank line in a row.
fn fewer_breaks(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut breaks = 0;
    for c in text.chars() {
        breaks = if c == '\n' { breaks + 1 } else { 0 };
        if breaks <= 2 {
            out.push(c);
        }
    }
    out
}

fn heading(name: &str) -> Option<usize> {
    let level = name.strip_prefix('h')?.parse().ok()?;
    (1..=6).contains(&level).then_some(level)
}

fn is_block(name: &str) -> bool {
    const BLOCKS: [&str; 28] = [
        "address",
        "article",
        "aside",
        "blockquote",
        "body",
        "caption",
        "center",
        "dd",
        "details",
        "dialog",
        "div",
        "dl",
        "dt",
        "fieldset",
        "figcaption",
        "figure",
        "footer",
        "form",
        "header",
        "hr",
        "html",
        "main",
        "nav",
        "p",
        "section",
        "summary",
        "tbody",
        "thead",
    ];
    BLOCKS.contains(&name)
}
