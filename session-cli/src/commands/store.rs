//! `session store`: what it is, whether it is sound, and its copies.

mod check;
mod convert;
mod info;
mod restore;

use std::path::Path;

use serde::Serialize;

use crate::args::StoreCommand;
use crate::backend;
use crate::backups;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::plan::StoreKind;
use crate::progress::during;
use crate::replacing;
use crate::system;

#[derive(Serialize)]
struct BackupObject<'a> {
    kind: &'a str,
    path: &'a Path,
}

#[derive(Serialize)]
struct ReindexObject {
    reindexed: bool,
}

pub(crate) fn run(invocation: &Invocation, command: &StoreCommand) -> Result<Code, CliError> {
    match command {
        StoreCommand::Info => info::run(invocation),
        StoreCommand::Check { repair: false } => check::run(invocation),
        StoreCommand::Check { repair: true } => check::repair(invocation),
        StoreCommand::Backup { file } => backup(invocation, file.as_deref()),
        StoreCommand::Restore { file, yes } => restore::run(invocation, file, *yes),
        StoreCommand::Convert { to } => convert::run(invocation, *to),
        StoreCommand::Reindex => reindex(invocation),
    }
}

fn backup(invocation: &Invocation, file: Option<&Path>) -> Result<Code, CliError> {
    let store = existing(invocation)?;
    let path = match file {
        Some(file) => {
            let path = invocation.plan.caller.absolute(file)?;
            let directory = path.parent().unwrap_or(&path);
            if !directory.is_dir() {
                let message = format!("there is no directory {}", directory.display());
                return Err(CliError::new(session_core::ErrorKind::Io, message)
                    .hint("make it first, or choose another place"));
            }
            check_outside(invocation, &path)?;
            during(invocation, "copying the store", || store.backup(&path))?;
            path
        }
        None => backups::make(invocation, &*store, system::now())?,
    };
    let out = &invocation.out;
    if out.is_json() {
        out.object(&BackupObject { kind: invocation.plan.store.as_str(), path: &path })?;
    } else {
        out.text(&path.display().to_string())?;
    }
    Ok(Code::Done)
}

/// Refuses a place that belongs to a store: there a copy would be taken for a part of it.
fn check_outside(invocation: &Invocation, path: &Path) -> Result<(), CliError> {
    const TAKEN: [&str; 5] = ["-", ".lock", ".new", ".restoring", ".replaced-"];
    let data_dir = &invocation.plan.data_dir;
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let Ok(path) = directory.canonicalize().map(|directory| directory.join(name)) else {
        return Ok(());
    };
    let Some(first) = path.strip_prefix(data_dir).ok().and_then(|below| below.iter().next()) else {
        return Ok(());
    };
    let first = first.to_string_lossy();
    let belongs = [StoreKind::Sqlite, StoreKind::Jsonl].into_iter().any(|kind| {
        let rest = first.strip_prefix(backend::file_name(kind));
        rest.is_some_and(|rest| {
            rest.is_empty() || TAKEN.iter().any(|taken| rest.starts_with(taken))
        }) || replacing::workshop(data_dir, kind) == data_dir.join(&*first)
    });
    if !belongs {
        return Ok(());
    }
    let message = format!("{} would be a part of the store", path.display());
    Err(CliError::usage(message)
        .hint("choose another directory, or none: backups/ in the data directory is the default"))
}

fn reindex(invocation: &Invocation) -> Result<Code, CliError> {
    existing(invocation)?;
    let writing = invocation.writing()?;
    during(invocation, "deriving indexes anew", || writing.store.reindex())?;
    writing.close()?;
    if invocation.out.is_json() {
        invocation.out.object(&ReindexObject { reindexed: true })?;
    }
    Ok(Code::Done)
}

/// The store, for reading, where there is one.
///
/// # Errors
/// `not-found` where there is none.
fn existing(invocation: &Invocation) -> Result<Box<dyn session_core::SessionStore>, CliError> {
    backend::look(&invocation.plan)?.ok_or_else(|| {
        let (kind, location) = (invocation.plan.store.as_str(), backend::location(&invocation.plan));
        let message = format!("there is no {kind} store at {} yet", location.display());
        CliError::new(session_core::ErrorKind::NotFound, message)
            .hint("`session store info` tells where it is looked for; --store and --data-dir choose another")
    })
}
