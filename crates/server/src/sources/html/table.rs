//! A table's rows as lines.

use super::squeezed;

/// A cell counts for at most so many columns, and a row has at most so many: what a page says is not trusted.
const SPAN_LIMIT: usize = 64;
const COLUMNS_LIMIT: usize = 512;
/// Cells of a table, those beyond a cell's own included; what stands behind them joins the last.
const CELLS_LIMIT: usize = 1 << 18;
/// Written in a cell of their own in front of a number.
const BEFORE: [&str; 6] = ["$", "€", "£", "¥", "(", "$("];
/// Written in a cell of their own behind a number.
const BEHIND: [&str; 5] = ["%", ")", ")%", "bps", "x"];

/// How many columns a cell takes.
pub fn spans(colspan: Option<&str>) -> usize {
    let columns = colspan.and_then(|text| text.trim().parse().ok());
    columns.unwrap_or(1).clamp(1, SPAN_LIMIT)
}

/// Rows of cells by column; a cell that takes several stands in the first.
#[derive(Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    /// In all rows.
    cells: usize,
    /// Columns that the open cell takes beyond its own.
    more: usize,
    is_open: bool,
    /// Text outside of cells: a caption.
    caption: String,
}

impl Table {
    /// Where characters go.
    pub fn cell(&mut self) -> &mut String {
        if self.is_open
            && let Some(cell) = self.rows.last_mut().and_then(|row| row.last_mut())
        {
            return cell;
        }
        &mut self.caption
    }

    /// A row begins or ends.
    pub fn row(&mut self) {
        self.close();
        let is_begun = self.rows.last().is_none_or(|row| !row.is_empty());
        if is_begun && self.cells < CELLS_LIMIT {
            self.rows.push(Vec::new());
        }
    }

    /// A cell begins.
    pub fn open(&mut self, columns: usize) {
        self.close();
        if self.rows.is_empty() {
            self.rows.push(Vec::new());
        }
        let Some(row) = self.rows.last_mut() else {
            return;
        };
        self.is_open = true;
        if self.cells < CELLS_LIMIT && row.len() < COLUMNS_LIMIT {
            row.push(String::new());
            self.more = columns - 1;
            self.cells += columns;
        } else if let Some(last) = row.last_mut() {
            last.push(' ');
            self.more = 0;
        }
    }

    /// A cell ends.
    pub fn close(&mut self) {
        if std::mem::take(&mut self.is_open)
            && let Some(row) = self.rows.last_mut()
        {
            row.extend((0..self.more).map(|_| String::new()));
        }
    }

    /// Its caption and its rows, one a line; paragraphs where no row has two cells with text.
    pub fn finish(mut self) -> String {
        self.close();
        let caption = squeezed(&self.caption);
        let mut rows: Vec<Vec<String>> = self.rows.iter().map(|row| joined(row)).collect();
        rows.retain(|row| row.iter().any(|cell| !cell.is_empty()));
        let filled = |row: &Vec<String>| row.iter().filter(|cell| !cell.is_empty()).count();
        let only_places = rows.iter().all(|row| filled(row) < 2);
        let lines: Vec<String> = if only_places {
            rows.iter().map(|row| row.concat()).collect()
        } else {
            narrow(&mut rows);
            rows.iter().map(|row| line(row)).collect()
        };
        let between = if only_places { "\n\n" } else { "\n" };
        let text = lines.join(between);
        match (caption.is_empty(), text.is_empty()) {
            (true, _) => text,
            (false, true) => caption,
            (false, false) => format!("{caption}\n{text}"),
        }
    }
}

fn line(row: &[String]) -> String {
    let end = row.iter().rposition(|cell| !cell.is_empty());
    row[..end.map_or(0, |end| end + 1)].join(" | ")
}

/// A currency sign, a bracket and a per cent sign beside their number.
fn joined(row: &[String]) -> Vec<String> {
    let mut out: Vec<String> = row.iter().map(|cell| squeezed(cell)).collect();
    for at in 0..out.len() {
        if BEFORE.contains(&out[at].as_str())
            && let Some(number) = out.get(at + 1).filter(|cell| starts_number(cell)).cloned()
        {
            out[at].push_str(&number);
            out[at + 1].clear();
        }
    }
    for at in 1..out.len() {
        if BEHIND.contains(&out[at].as_str())
            && let Some(before) = out[..at].iter().rposition(|cell| !cell.is_empty())
            && out[before].ends_with(|c: char| c.is_ascii_digit() || c == ')')
        {
            let sign = std::mem::take(&mut out[at]);
            out[before].push_str(&sign);
        }
    }
    out
}

fn starts_number(cell: &str) -> bool {
    cell.starts_with(|c: char| c.is_ascii_digit() || "(-.—–".contains(c))
}

/// Makes one column of neighbours of which no row uses two: columns that only leave room, and those
/// that exist for signs.
fn narrow(rows: &mut [Vec<String>]) {
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    let mut kept = 0;
    for column in 1..width {
        let is_used = |row: &Vec<String>, at: usize| row.get(at).is_some_and(|c| !c.is_empty());
        let clash = rows
            .iter()
            .any(|row| is_used(row, kept) && is_used(row, column));
        kept += usize::from(clash);
        if kept != column {
            // A row that has this column has those before it.
            for row in rows.iter_mut().filter(|row| is_used(row, column)) {
                row[kept] = std::mem::take(&mut row[column]);
            }
        }
    }
    for row in rows.iter_mut() {
        row.truncate(kept + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wide_row_widens_no_other() {
        let mut rows = vec![vec!["x".to_owned(); COLUMNS_LIMIT]; 8];
        rows.extend(vec![vec!["y".to_owned()]; 10_000]);
        let cells = |rows: &[Vec<String>]| rows.iter().map(Vec::capacity).sum::<usize>();
        let before = cells(&rows);
        narrow(&mut rows);
        assert!(cells(&rows) <= before);
    }

    #[test]
    fn cells_beyond_the_limit_join_the_last() {
        let mut table = Table::default();
        for _ in 0..CELLS_LIMIT / 32 {
            table.row();
            table.open(SPAN_LIMIT);
            table.cell().push_str("cell");
        }
        let cells: usize = table.rows.iter().map(Vec::len).sum();
        assert!(cells <= CELLS_LIMIT + SPAN_LIMIT, "{cells} cells");
        assert!(table.caption.is_empty());
        assert!(table.finish().ends_with("cell cell"));
    }
}
