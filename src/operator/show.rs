//! How commands show counts, instants and tables to people.

use std::fmt::{self, Write as _};
use std::io::Write as _;

use jiff::Timestamp;

/// Prints a text to standard output. A reader that has gone away changes nothing about what was done.
pub fn say(text: &str) {
    let _ = std::io::stdout().lock().write_all(text.as_bytes());
}

/// Prints one JSON document and a line break.
pub fn say_json(document: &impl serde::Serialize) {
    let text = serde_json::to_string_pretty(document).expect("texts, numbers and lists are always JSON");
    say(&(text + "\n"));
}

/// A number with its thousands apart: `1,260,000`.
pub fn count(number: impl Into<i128>) -> String {
    let number = number.into();
    let digits = number.unsigned_abs().to_string();
    let mut text = String::from(if number < 0 { "-" } else { "" });
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// An instant in UTC, from milliseconds since 1970.
pub fn instant(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| format!("{ms} ms"), |instant| instant.to_string())
}

/// Bytes as lower-case hexadecimal digits.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Rows under a heading; columns are aligned, those of numbers to the right.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Vec<String>>,
    headed: bool,
}

impl Table {
    /// A table whose first row names the columns.
    pub fn headed<const N: usize>(names: [&str; N]) -> Table {
        Table { rows: vec![names.map(str::to_owned).to_vec()], headed: true }
    }

    /// Appends a row.
    pub fn row<const N: usize>(&mut self, cells: [String; N]) {
        self.rows.push(cells.to_vec());
    }

    /// Appends a name and its value.
    pub fn pair(&mut self, name: &str, value: impl Into<String>) {
        self.row([name.to_owned(), value.into()]);
    }

    /// Whether it has no rows but its heading.
    pub fn is_empty(&self) -> bool {
        self.rows.len() <= usize::from(self.headed)
    }

    fn width(&self, column: usize) -> usize {
        self.rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
    }

    fn is_numbers(&self, column: usize) -> bool {
        let cells = self.rows.iter().skip(usize::from(self.headed)).filter_map(|row| row.get(column));
        self.headed && cells.clone().count() > 0 && cells.into_iter().all(|cell| is_number(cell))
    }
}

fn is_number(cell: &str) -> bool {
    !cell.is_empty() && cell.chars().all(|c| c.is_ascii_digit() || ",.-%∞".contains(c))
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let columns = self.rows.iter().map(Vec::len).max().unwrap_or(0);
        let columns: Vec<_> = (0..columns).map(|column| (self.width(column), self.is_numbers(column))).collect();
        for row in &self.rows {
            let mut line = String::from(" ");
            for (cell, (width, right)) in row.iter().zip(&columns) {
                let gap = " ".repeat(width - cell.chars().count());
                let (before, behind) = if *right { (gap.as_str(), "") } else { ("", gap.as_str()) };
                write!(line, " {before}{cell}{behind} ")?;
            }
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_instants_read_well() {
        assert_eq!([0, 999, 1_000, -1_260_000].map(count), ["0", "999", "1,000", "-1,260,000"]);
        assert_eq!(instant(1_795_140_000_000), "2026-11-20T02:00:00Z");
        assert_eq!(instant(i64::MAX), format!("{} ms", i64::MAX));
    }

    #[test]
    fn columns_of_numbers_stand_to_the_right() {
        let mut table = Table::headed(["offer", "used"]);
        assert!(table.is_empty());
        table.row(["A".into(), count(7)]);
        table.row(["LONG".into(), count(1_200)]);
        assert_eq!(table.to_string(), "  offer   used\n  A          7\n  LONG   1,200\n");
    }
}
