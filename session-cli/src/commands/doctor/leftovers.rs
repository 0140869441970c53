//! Output that was kept for sessions that no store knows.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use session_core::{ErrorKind, SessionId, SessionStore};

use super::Check;
use crate::backend;
use crate::error::CliError;
use crate::invocation::Invocation;
use crate::output::text::number;

/// None when a store cannot be asked: then what looks left over may be needed.
pub(super) fn checks(invocation: &Invocation) -> Option<Check> {
    let strays = strays(invocation).ok()?;
    let first = strays.values().flatten().next()?;
    let (files, directory) = (strays.values().flatten().count(), invocation.place.output_dir());
    let message = format!(
        "{} of {} that no store has, in {}",
        number(files as u64, "file"),
        number(strays.len() as u64, "session"),
        directory.display()
    );
    Some(Check::warn(
        "kept output",
        message,
        format!("remove what nobody needs: rm {}", first.display()),
    ))
}

/// Files of sessions that neither kind of store in this directory knows.
fn strays(invocation: &Invocation) -> Result<BTreeMap<SessionId, Vec<PathBuf>>, CliError> {
    let mut other = invocation.plan.clone();
    other.store = other.store.other();
    let stores = [backend::look(&invocation.plan)?, backend::look(&other)?];
    let mut strays = BTreeMap::<_, Vec<_>>::new();
    // No directory has no files.
    let entries = fs::read_dir(invocation.place.output_dir()).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        let stem = name.split_once('.').map_or(name, |(stem, _)| stem);
        let Ok(id) = SessionId::parse(stem) else { continue };
        let is_stray = |store: &dyn SessionStore| matches!(store.get(id), Err(error) if error.kind() == ErrorKind::NotFound);
        if stores.iter().flatten().all(|store| is_stray(&**store)) {
            strays.entry(id).or_default().push(path);
        }
    }
    Ok(strays)
}
