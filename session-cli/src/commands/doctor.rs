//! `session doctor`: looks at everything that a session stands on, and says what to do about what is wrong.

mod leftovers;
mod programs;
mod supervisor;

use std::fs;
use std::io;
use std::num::NonZeroU32;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use serde::Serialize;
use session_core::{Damage, ErrorKind, Observer, Query, Scope, SessionStore};

use crate::backend;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::Style;
use crate::output::text::{number, shown};

#[derive(Serialize)]
struct Report {
    healthy: bool,
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Serialize)]
struct Check {
    name: &'static str,
    state: State,
    message: String,
    hint: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

pub(crate) fn run(invocation: &Invocation) -> Result<Code, CliError> {
    let mut checks = vec![versions(), configuration(invocation), data_directory(invocation)];
    checks.extend(store(invocation));
    checks.push(runtime_directory(invocation));
    let supervision = supervisor::checks(invocation);
    checks.extend(programs::checks(invocation, &supervision));
    checks.extend(supervision);
    checks.extend(leftovers::checks(invocation));
    checks.push(log(invocation));
    checks.push(terminal(invocation));
    checks.push(shell(invocation));
    let healthy = checks.iter().all(|check| check.state != State::Fail);
    let out = &invocation.out;
    if out.is_json() {
        out.object(&Report { healthy, checks })?;
    } else {
        for check in &checks {
            let (word, style) = match check.state {
                State::Ok => ("ok  ", Style::Good),
                State::Warn => ("warn", Style::Doubtful),
                State::Fail => ("fail", Style::Bad),
            };
            let word = out.paint(word, style);
            out.text(&format!("{word}  {:18} {}", check.name, shown(&check.message)))?;
            if let Some(hint) = &check.hint {
                out.text(&format!("      {:18} {}", "", shown(hint)))?;
            }
        }
    }
    Ok(if healthy { Code::Done } else { Code::Unwell })
}

impl Check {
    fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, state: State::Ok, message: message.into(), hint: None }
    }

    fn warn(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, state: State::Warn, message: message.into(), hint: Some(hint.into()) }
    }

    fn fail(name: &'static str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { name, state: State::Fail, message: message.into(), hint: Some(hint.into()) }
    }

    fn failed(name: &'static str, error: &CliError) -> Self {
        // Advice to ask the doctor is none here.
        let hint = error.advice().filter(|hint| !hint.contains("session doctor"));
        let hint = hint.unwrap_or(match error.is(ErrorKind::PermissionDenied) {
            true => "give this user permission for it, or choose another --data-dir",
            false => "see the message",
        });
        Self::fail(name, error.message(), hint)
    }
}

fn versions() -> Check {
    Check::ok("version", format!("session {}", env!("CARGO_PKG_VERSION")))
}

/// One that cannot be read has ended the command before this.
fn configuration(invocation: &Invocation) -> Check {
    match &invocation.plan.config {
        Some(path) if path.exists() => Check::ok("configuration", path.display().to_string()),
        Some(path) => Check::ok("configuration", format!("{} (not there)", path.display())),
        None => Check::ok("configuration", "none: there is no home directory"),
    }
}

fn data_directory(invocation: &Invocation) -> Check {
    const NAME: &str = "data directory";
    let path = &invocation.plan.data_dir;
    directory(NAME, path, invocation.plan.caller.uid)
        .unwrap_or_else(|| Check::ok(NAME, format!("{} (made when it is needed)", path.display())))
}

/// A directory that should be this user's alone; `None` when it is not there.
fn directory(name: &'static str, path: &Path, uid: u32) -> Option<Check> {
    let shown = path.display();
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return None,
        Err(error) => {
            return Some(Check::fail(
                name,
                format!("{shown}: {error}"),
                "choose another directory",
            ));
        }
    };
    let mode = metadata.permissions().mode() & 0o777;
    Some(if !metadata.is_dir() {
        Check::fail(name, format!("{shown} is not a directory"), "move it away")
    } else if metadata.uid() != uid {
        Check::fail(
            name,
            format!("{shown} belongs to user {}", metadata.uid()),
            "choose a directory of your own",
        )
    } else if mode & 0o077 != 0 {
        Check::warn(
            name,
            format!("{shown} is open to others (mode {mode:o})"),
            format!("chmod 700 {shown}"),
        )
    } else if rustix::fs::access(path, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK)
        .is_err()
    {
        Check::fail(name, format!("{shown} cannot be written"), format!("chmod 700 {shown}"))
    } else {
        Check::ok(name, format!("{shown} (mode {mode:o})"))
    })
}

fn store(invocation: &Invocation) -> Vec<Check> {
    const NAME: &str = "store";
    let kind = invocation.plan.store.as_str();
    let location = backend::location(&invocation.plan);
    let store = match backend::look(&invocation.plan) {
        Ok(Some(store)) => store,
        Ok(None) => {
            return vec![Check::ok(
                NAME,
                format!("{kind}, {} (nothing stored yet)", location.display()),
            )];
        }
        Err(error) => return vec![Check::failed(NAME, &error)],
    };
    let looked = store
        .stats()
        .map_err(CliError::from)
        .and_then(|stats| Ok((stats, damage(&*store, invocation.observer()?)?)));
    let (stats, damaged) = match looked {
        Ok(looked) => looked,
        Err(error) => return vec![Check::failed(NAME, &error)],
    };
    let sessions: u64 = stats.sessions.values().sum();
    let bytes = stats.bytes.map(|bytes| format!(", {bytes} bytes")).unwrap_or_default();
    let mut checks = vec![Check::ok(
        NAME,
        format!(
            "{kind}, format {}, {}, {}, {}, {} in the trash{bytes}",
            store.info().schema_version,
            location.display(),
            number(sessions, "session"),
            number(stats.records, "record"),
            stats.trashed,
        ),
    )];
    checks.extend(damaged.iter().map(|damage| {
        Check::fail(
            "record",
            format!("{}: {}", damage.place, damage.reason),
            "everything else stays readable; `session store check` reads histories as well, --repair puts it in order",
        )
    }));
    checks
}

/// The damage that a listing meets. Histories are not read: they may be large.
fn damage(store: &dyn SessionStore, observer: Observer) -> Result<Vec<Damage>, CliError> {
    let mut query = Query::new(observer);
    (query.scope, query.limit) = (Scope::All, NonZeroU32::new(PAGE));
    let mut damaged: Vec<Damage> = Vec::new();
    loop {
        let page = store.list(&query)?;
        let news = page.damaged.into_iter().filter(|damage| !damaged.contains(damage));
        damaged = damaged.iter().cloned().chain(news).collect();
        query.cursor = page.next;
        if query.cursor.is_none() {
            return Ok(damaged);
        }
    }
}

/// So many sessions are in memory at once.
const PAGE: u32 = 1000;

fn runtime_directory(invocation: &Invocation) -> Check {
    const NAME: &str = "runtime directory";
    let path = &invocation.plan.runtime_dir;
    if let Err(error) = invocation.place.check_runtime_dir() {
        return Check::failed(NAME, &error.into());
    }
    directory(NAME, path, invocation.plan.caller.uid)
        .unwrap_or_else(|| Check::ok(NAME, format!("{} (made when it is needed)", path.display())))
}

fn log(invocation: &Invocation) -> Check {
    const NAME: &str = "supervisor log";
    let path = invocation.place.log();
    let shown = path.display();
    match fs::metadata(&path) {
        Ok(metadata) => Check::ok(NAME, format!("{shown} ({} bytes)", metadata.len())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            Check::ok(NAME, format!("{shown} (none yet)"))
        }
        Err(error) => Check::warn(NAME, format!("{shown}: {error}"), "check the permissions"),
    }
}

fn terminal(invocation: &Invocation) -> Check {
    const NAME: &str = "terminal";
    let caller = &invocation.plan.caller;
    match caller.variable("TERM").map(|term| term.to_string_lossy()) {
        Some(term) if term == "dumb" => Check::warn(
            NAME,
            "TERM is dumb: full-screen programs will not work in it",
            "attach from a terminal that sets TERM",
        ),
        Some(term) => Check::ok(NAME, format!("TERM is {term}")),
        None => Check::ok(NAME, "TERM is not set; programs get xterm-256color"),
    }
}

fn shell(invocation: &Invocation) -> Check {
    const NAME: &str = "shell";
    let shell = invocation.plan.caller.path("SHELL").unwrap_or_else(|| "/bin/sh".into());
    let shown = shell.display();
    match rustix::fs::access(&shell, rustix::fs::Access::EXEC_OK) {
        Ok(()) => Check::ok(NAME, shown.to_string()),
        Err(error) => Check::warn(
            NAME,
            format!("{shown} cannot be run: {}", io::Error::from(error)),
            "set SHELL to the program that new sessions should run",
        ),
    }
}
