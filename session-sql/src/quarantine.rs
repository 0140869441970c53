//! Quarantine: where rows go that cannot be read, before they leave the database.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rusqlite::Row;
use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};
use session_core::StoreError;

use crate::backup;
use crate::error::SqlError;

/// A file of rows, made when there is a first one.
///
/// One JSON object a line: `table`, `key` (the number of the row, or its id), `reason`, and `columns`, in which a text
/// that is not UTF-8, and a blob, is `{"hex": …}`.
#[derive(Debug)]
pub(crate) struct Quarantine {
    database: PathBuf,
    file: Option<(PathBuf, BufWriter<File>)>,
}

impl Quarantine {
    /// The quarantine of the database at `database`: a directory beside it.
    pub(crate) fn beside(database: &Path) -> Self {
        Self { database: database.to_owned(), file: None }
    }

    /// Writes a row down, with all of its columns, and says where.
    pub(crate) fn take(
        &mut self,
        table: &str,
        key: Value,
        reason: &str,
        row: &Row<'_>,
    ) -> Result<PathBuf, SqlError> {
        let mut columns = Map::new();
        for (index, name) in row.as_ref().column_names().enumerate() {
            columns.insert(name.to_owned(), value(row.get_ref(index)?));
        }
        let line = json!({ "table": table, "key": key, "reason": reason, "columns": columns });
        let told = |source| StoreError::io("quarantine", &self.database, source);
        let (path, file) = match &mut self.file {
            Some(open) => open,
            None => self.file.insert(create(&self.database).map_err(told)?),
        };
        writeln!(file, "{line}").map_err(told)?;
        Ok(path.clone())
    }

    /// Puts on the medium what was written down. Only then the rows may go.
    pub(crate) fn finish(self) -> Result<(), SqlError> {
        let told = |source| StoreError::io("quarantine", &self.database, source);
        let Some((path, file)) = self.file else { return Ok(()) };
        let synced = file.into_inner().map_err(io::IntoInnerError::into_error);
        synced.and_then(|file| file.sync_all()).map_err(told)?;
        for entry in [Some(path.as_path()), path.parent()].into_iter().flatten() {
            backup::sync_directory(entry).map_err(told)?;
        }
        Ok(())
    }
}

/// A new file; one that is there is never written to.
fn create(database: &Path) -> io::Result<(PathBuf, BufWriter<File>)> {
    let beside = database.parent().unwrap_or(Path::new("."));
    let directory = beside.join("quarantine");
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let name = database.file_name().unwrap_or_default().to_string_lossy();
    let mut number = 1;
    loop {
        let path = directory.join(format!("{name}-{number}.jsonl"));
        match OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            file => return file.map(|file| (path, BufWriter::new(file))),
        }
    }
}

fn value(value: ValueRef<'_>) -> Value {
    let hex = |bytes: &[u8]| {
        let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
        json!({ "hex": hex })
    };
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => std::str::from_utf8(text).map_or_else(|_| hex(text), Value::from),
        ValueRef::Blob(bytes) => hex(bytes),
    }
}
