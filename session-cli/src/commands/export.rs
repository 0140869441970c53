//! `session export`: sessions with everything in them, to be kept elsewhere.

use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde::Serialize;
use session_core::bundle::{self, Counts, Line};
use session_core::{Damage, ErrorKind, SessionId, SessionStore};

use crate::args::{ExportArgs, ExportFormat};
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::outcomes::Outcomes;
use crate::output::text::number;
use crate::select::check_several;
use crate::system;

/// What was written to a file, for programs.
#[derive(Serialize)]
struct Report<'a> {
    path: &'a Path,
    sessions: u64,
    records: u64,
    tombstones: u64,
}

/// What is exported.
enum Choice {
    All,
    Sessions(Vec<SessionId>),
}

pub(crate) fn run(invocation: &Invocation, args: &ExportArgs) -> Result<Code, CliError> {
    let ExportFormat::Jsonl = args.format;
    let store = invocation.reading()?;
    let choice = choice(invocation, &*store, args)?;
    let damaged = match &args.output {
        None => {
            let mut out = invocation.out.stream();
            let damaged = write(&*store, &choice, |line| out.put(&format!("{line}\n")))?;
            out.finish()?;
            damaged
        }
        Some(path) => {
            let path = invocation.plan.caller.absolute(path)?;
            to_file(invocation, &*store, &choice, &path, args.force)?
        }
    };
    finish(invocation, &damaged)
}

fn choice(
    invocation: &Invocation,
    store: &dyn SessionStore,
    args: &ExportArgs,
) -> Result<Choice, CliError> {
    if args.all {
        return Ok(Choice::All);
    }
    if args.sessions.is_empty() {
        return Ok(Choice::Sessions(vec![invocation.session_in(store, None)?.id()]));
    }
    check_several(&invocation.plan, &args.sessions)?;
    let mut outcomes = Outcomes::default();
    for text in &args.sessions {
        outcomes.note(text, invocation.session_in(store, Some(text)));
    }
    let ids = outcomes.done.iter().map(session_core::Session::id).collect();
    outcomes.finish(&invocation.out)?;
    Ok(Choice::Sessions(ids))
}

fn write(
    store: &dyn SessionStore,
    choice: &Choice,
    sink: impl FnMut(Line) -> Result<(), CliError>,
) -> Result<Vec<Damage>, CliError> {
    match choice {
        Choice::All => bundle::dump(store, sink),
        Choice::Sessions(ids) => bundle::dump_sessions(store, ids.iter().copied(), sink),
    }
}

/// Writes a file beside its place, for this user alone, and moves it there when it is whole.
fn to_file(
    invocation: &Invocation,
    store: &dyn SessionStore,
    choice: &Choice,
    path: &Path,
    force: bool,
) -> Result<Vec<Damage>, CliError> {
    if path.is_dir() {
        let message = format!("{} is a directory", path.display());
        return Err(CliError::new(ErrorKind::Exists, message).hint("choose a file"));
    }
    if !force && path.symlink_metadata().is_ok() {
        return Err(exists(path));
    }
    let failed = |source| CliError::io(&format!("writing {}", path.display()), &source);
    let draft = Draft::new(path)?;
    let mut file = BufWriter::new(draft.create().map_err(failed)?);
    let mut counts = Counts::default();
    let damaged = write(store, choice, |line| {
        if let Line::End(all) = &line {
            counts = *all;
        }
        writeln!(file, "{line}").map_err(failed)
    })?;
    let file = file.into_inner().map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)?;
    draft.publish(path, force).map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => exists(path),
        _ => failed(error),
    })?;
    let out = &invocation.out;
    let Counts { sessions, records, tombstones } = counts;
    if out.is_json() {
        out.object(&Report { path, sessions, records, tombstones })?;
    } else {
        let (sessions, records) = (number(sessions, "session"), number(records, "record"));
        out.note(&format!("{sessions} with {records} in {}", path.display()));
    }
    Ok(damaged)
}

fn exists(path: &Path) -> CliError {
    CliError::new(ErrorKind::Exists, format!("{} exists already", path.display()))
        .hint("choose another file, or give --force to replace it")
}

/// What could not be read is missing in what was written, which must not pass unseen.
fn finish(invocation: &Invocation, damaged: &[Damage]) -> Result<Code, CliError> {
    if damaged.is_empty() {
        return Ok(Code::Done);
    }
    for damage in damaged {
        invocation.out.note(&format!("damaged: {}: {}", damage.place, damage.reason));
    }
    let places = number(damaged.len() as u64, "damaged place");
    let message = format!("{places} could not be exported");
    Err(CliError::new(ErrorKind::Corrupt, message)
        .hint("everything else is in it; `session store check` tells what is damaged"))
}

/// A file that is not finished. It is removed when it never is.
struct Draft {
    path: PathBuf,
}

impl Draft {
    fn new(target: &Path) -> Result<Self, CliError> {
        let mut name = target.as_os_str().to_owned();
        name.push(format!(".{}.part", system::new_id(system::now())?));
        Ok(Self { path: name.into() })
    }

    fn create(&self) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(&self.path)
    }

    /// Gives the file its name, in place of another one only when told so.
    fn publish(&self, target: &Path, replace: bool) -> io::Result<()> {
        if replace {
            fs::rename(&self.path, target)?;
        } else {
            match fs::hard_link(&self.path, target) {
                // A file system without hard links.
                Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
                    fs::rename(&self.path, target)?;
                }
                linked => linked?,
            }
        }
        let directory = target.parent().filter(|parent| !parent.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all())
    }
}

impl Drop for Draft {
    fn drop(&mut self) {
        // Gone by now when it was renamed.
        let _gone = fs::remove_file(&self.path);
    }
}
