//! Aligned columns.

/// Rows under headings.
#[derive(Clone, Debug)]
pub(crate) struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    /// A table with these headings.
    pub(crate) fn new(headings: &[&str]) -> Self {
        Self { rows: vec![headings.iter().map(|heading| heading.to_uppercase()).collect()] }
    }

    /// A table of names and values, without headings.
    pub(crate) fn of_pairs() -> Self {
        Self { rows: Vec::new() }
    }

    /// Adds a row.
    pub(crate) fn row(&mut self, cells: impl IntoIterator<Item = String>) {
        // A cell is one line, whatever is in it.
        let cells = cells.into_iter().map(|cell| cell.replace(['\n', '\r', '\t'], " "));
        self.rows.push(cells.collect());
    }

    /// The text, each row one line.
    pub(crate) fn render(&self) -> String {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let width = |column: usize| {
            let cells = self.rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
        };
        let widths: Vec<usize> = (0..columns).map(width).collect();
        let mut text = String::new();
        for row in &self.rows {
            let mut line = String::new();
            for (cell, width) in row.iter().zip(&widths) {
                line.push_str(cell);
                let missing = width.saturating_sub(cell.chars().count()) + 2;
                line.extend(std::iter::repeat_n(' ', missing));
            }
            text.push_str(line.trim_end());
            text.push('\n');
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up() {
        let mut table = Table::new(&["name", "state"]);
        table.row(["a".into(), "b\nc".into()]);
        table.row(["longer name".into(), "d".into()]);
        assert_eq!(table.render(), "NAME         STATE\na            b c\nlonger name  d\n");
    }
}
