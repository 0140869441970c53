//! `session store restore`: puts the content of a backup in the place of everything that there is.

use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::Serialize;
use session_core::{ErrorKind, SessionStore, StoreError};

use crate::backend;
use crate::backups;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::plan::Plan;
use crate::staging::Staging;
use crate::system;

#[derive(Serialize)]
struct Report<'a> {
    restored: &'a Path,
    /// Where the content from before is.
    before: Option<&'a Path>,
    /// The command that brings it back, unless it was damaged.
    undo: Option<String>,
}

/// What became of the content from before.
enum Before {
    /// There was none.
    Nothing,
    /// It is in this backup.
    Backup(PathBuf),
    /// It could not be read, and is here as it was.
    Damaged(PathBuf),
}

pub(super) fn run(invocation: &Invocation, file: &Path, yes: bool) -> Result<Code, CliError> {
    let copy = invocation.plan.caller.absolute(file)?;
    match copy.symlink_metadata() {
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let message = format!("there is no backup {}", copy.display());
            return Err(CliError::new(ErrorKind::NotFound, message)
                .hint("`session store backup` makes one; those made by themselves are in backups/ of the data directory"));
        }
        Err(source) => {
            return Err(CliError::io(&format!("looking for {}", copy.display()), &source));
        }
    }
    let location = backend::location(&invocation.plan);
    check_copy(&invocation.plan, &copy, &location)?;
    invocation.refuse_while_running()?;
    if !matches!(backend::look(&invocation.plan), Ok(None)) {
        let question = format!(
            "Replace everything in {} by what {} holds?",
            location.display(),
            copy.display()
        );
        invocation.confirm(&question, yes)?;
    }
    let _alone = invocation.alone()?;
    // Whoever only looked has let go of the store before anything happens to it.
    let before = match backend::look(&invocation.plan).map(|found| found.is_some()) {
        Ok(false) if !backend::is_there(&invocation.plan)? => {
            build(invocation, &copy)?.install(&location)?;
            Before::Nothing
        }
        Err(error) if error.is(ErrorKind::Corrupt) => set_aside(invocation, &copy)?,
        // One of an older format is brought up to date on the way.
        Err(error) if !error.is(ErrorKind::Unsupported) => return Err(error),
        Ok(_) | Err(_) => put_into(invocation, &copy)?,
    };
    report(invocation, &copy, &before)
}

/// Refuses what is no backup of this kind, before anybody is asked whether it may replace anything.
fn check_copy(plan: &Plan, copy: &Path, location: &Path) -> Result<(), CliError> {
    let refused =
        |reason: &str| StoreError::NotAStore { path: copy.to_owned(), reason: reason.to_owned() };
    let found = |path: &Path| path.metadata().map(|found| (found.dev(), found.ino())).ok();
    let is_the_store = found(location).is_some() && found(copy) == found(location);
    let is_in_it = copy.canonicalize().is_ok_and(|copy| copy.starts_with(location));
    if is_the_store || is_in_it {
        return Err(CliError::from(refused("it is the store itself"))
            .hint("choose a backup: `session store info` lists them"));
    }
    match backend::look_in(plan.store, copy) {
        Ok(Some(_)) => Ok(()),
        Ok(None) => Err(not_restored(copy, refused("there is nothing in it"))),
        // One of an older format is brought up to date on the way.
        Err(error) if error.kind() == ErrorKind::Unsupported => Ok(()),
        Err(error) => Err(not_restored(copy, error)),
    }
}

/// Replaces the content, having made a backup of it.
fn put_into(invocation: &Invocation, copy: &Path) -> Result<Before, CliError> {
    let store = backend::open(&invocation.plan)?;
    let generation = store.info().generation;
    let kept = free_target(&invocation.plan)?;
    // Nobody writes between the copy of what is there and its replacement.
    match replace(&store, copy, Some(&kept)) {
        Ok(()) => Ok(Before::Backup(kept)),
        Err(error) if error.is(ErrorKind::Corrupt) && is_damaged(invocation) => {
            drop(store);
            set_aside(invocation, copy)
        }
        Err(error) => {
            // A copy of what is still there helps nobody; if nobody can say, it stays.
            let found = backend::look(&invocation.plan).ok().flatten();
            if found.is_some_and(|found| found.info().generation == generation) {
                let _still_listed = backups::remove(&kept);
            }
            Err(error)
        }
    }
}

/// Whether it is the store that is damaged, and not the copy.
fn is_damaged(invocation: &Invocation) -> bool {
    match backend::look(&invocation.plan) {
        Ok(Some(store)) => store.check().map_or(true, |report| !report.damaged.is_empty()),
        Ok(None) => false,
        Err(error) => error.is(ErrorKind::Corrupt),
    }
}

fn replace(
    store: &Arc<dyn SessionStore>,
    copy: &Path,
    kept: Option<&Path>,
) -> Result<(), CliError> {
    let replaced = store.restore_backup(copy, kept);
    let closed = store.close();
    replaced.map_err(|error| not_restored(copy, error))?;
    Ok(closed?)
}

fn not_restored(copy: &Path, error: StoreError) -> CliError {
    let is_bad = matches!(error.kind(), ErrorKind::Corrupt);
    let error = CliError::from(error);
    if is_bad {
        let hint = format!(
            "nothing was changed; {} is no sound backup of this kind of store: give --store for one of the other kind",
            copy.display()
        );
        return error.hint(hint);
    }
    error
}

fn free_target(plan: &Plan) -> Result<PathBuf, CliError> {
    backups::free_target(&plan.data_dir, plan.store, system::now())
}

/// Builds a new store of the copy, beside the place of the present one.
fn build(invocation: &Invocation, copy: &Path) -> Result<Staging, CliError> {
    let plan = &invocation.plan;
    let staging = Staging::begin(&plan.data_dir, plan.store)?;
    replace(&staging.open(plan.durability)?, copy, None)?;
    Ok(staging)
}

/// Moves the damaged store away as it is, and a new one of the copy into its place.
fn set_aside(invocation: &Invocation, copy: &Path) -> Result<Before, CliError> {
    let plan = &invocation.plan;
    let staging = build(invocation, copy)?;
    let (location, kept) = (backend::location(plan), free_target(plan)?);
    staging.replace(&location, &kept)?;
    Ok(Before::Damaged(kept))
}

fn report(invocation: &Invocation, copy: &Path, before: &Before) -> Result<Code, CliError> {
    let out = &invocation.out;
    let (kept, undo) = match before {
        Before::Nothing => (None, None),
        Before::Damaged(path) => (Some(path.as_path()), None),
        Before::Backup(path) => {
            let backup = path.display().to_string();
            let undo = invocation.plan.again(["store", "restore", &backup, "--yes"]);
            (Some(path.as_path()), Some(undo))
        }
    };
    if out.is_json() {
        out.object(&Report { restored: copy, before: kept, undo })?;
        return Ok(Code::Done);
    }
    out.note(&format!("the store holds now what {} holds", copy.display()));
    match before {
        Before::Nothing => {}
        Before::Backup(path) => {
            out.note(&format!("what was there before is in {}", path.display()));
        }
        Before::Damaged(path) => {
            out.note(&format!(
                "what was there before is in {}, as damaged as it was",
                path.display()
            ));
        }
    }
    if let Some(undo) = undo {
        out.note(&format!("to undo it: {undo}"));
    }
    Ok(Code::Done)
}
