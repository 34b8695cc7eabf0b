//! A table of text for a terminal: columns as wide as what is in them, the last one as it comes.

/// Rows of `N` cells below their headings.
#[derive(Debug)]
pub(super) struct Table<const N: usize> {
    rows: Vec<[String; N]>,
}

impl<const N: usize> Table<N> {
    pub(super) fn new(headings: [&str; N]) -> Self {
        Self { rows: vec![headings.map(str::to_owned)] }
    }

    pub(super) fn row(&mut self, cells: [String; N]) {
        self.rows.push(cells);
    }

    /// The lines, without blanks at their ends.
    pub(super) fn lines(&self) -> impl Iterator<Item = String> + '_ {
        let mut widths = [0; N];
        for row in &self.rows {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = cell.chars().count().max(*width);
            }
        }
        self.rows.iter().map(move |row| {
            let cells = row.iter().zip(widths).map(|(cell, width)| {
                let blanks = width.saturating_sub(cell.chars().count());
                format!("{cell}{}", " ".repeat(blanks))
            });
            cells.collect::<Vec<_>>().join("  ").trim_end().to_owned()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_stand_below_their_headings() {
        let mut table = Table::new(["A", "LONG", ""]);
        table.row(["größe".to_owned(), "x".to_owned(), "end".to_owned()]);
        table.row(["y".to_owned(), String::new(), String::new()]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines, ["A      LONG", "größe  x     end", "y"]);
    }
}
