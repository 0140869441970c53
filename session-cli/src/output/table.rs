//! Rows for people on a terminal, and for programs everywhere else.

use comfy_table::{ContentArrangement, Row, Table, presets};

use super::Output;
use super::text::shown;
use crate::error::CliError;

impl Output {
    /// Rows under headings on a terminal, cut to its width; else a line each, fields separated by tabs.
    pub(crate) fn rows<const N: usize>(
        &self,
        headings: [&str; N],
        rows: Vec<[String; N]>,
    ) -> Result<(), CliError> {
        if rows.is_empty() {
            return Ok(());
        }
        let rows = rows.into_iter().map(|row| row.map(|field| shown(&field).into_owned()));
        if !self.is_terminal {
            let lines: Vec<_> = rows.map(|row| row.join("\t")).collect();
            return self.text(&lines.join("\n"));
        }
        let mut table = Table::new();
        table.load_style(presets::NOTHING).set_header(headings);
        if let Some(size) = session_pty::client::terminal_size() {
            table.set_width(size.cols()).set_content_arrangement(ContentArrangement::Dynamic);
        }
        for row in rows {
            let mut row = Row::from(row);
            row.max_height(1);
            table.add_row(row);
        }
        let lines: Vec<_> = table.lines().map(|line| line.trim_end().to_owned()).collect();
        self.text(&lines.join("\n"))
    }
}
