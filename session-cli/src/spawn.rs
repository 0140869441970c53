//! A program to be started in a session: everything that it takes, checked before anybody is asked.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use session_core::{
    ErrorKind, Launch, NameRules, Session, SessionId, SessionName, SessionStore, Spawn,
    TerminalSize,
};
use session_pty::client::terminal_size;

use crate::args::{LabelPair, Variable};
use crate::error::{CliError, Kind};
use crate::invocation::Invocation;
use crate::plan::Caller;
use crate::system;

/// What a new session is to be.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(crate) name: Option<SessionName>,
    pub(crate) tool: Option<String>,
    pub(crate) parent: Option<SessionId>,
    pub(crate) command: Vec<OsString>,
    pub(crate) workdir: Option<PathBuf>,
    pub(crate) env: Vec<Variable>,
    pub(crate) labels: Vec<LabelPair>,
    pub(crate) size: Option<TerminalSize>,
}

impl Invocation {
    /// Everything that is needed to start the program.
    ///
    /// # Errors
    /// `invalid-workdir`, `tool-not-found`, `usage` for words that are no text, whatever the store reports.
    pub(crate) fn spawn_for(&self, wish: Wish) -> Result<Spawn, CliError> {
        let caller = &self.plan.caller;
        let now = system::now();
        let mut session = Session::new(system::new_id(now)?, now);
        session.identity.name = Some(match wish.name {
            Some(name) => name,
            None => generated_name(&*self.reading()?)?,
        });
        session.identity.parent = wish.parent;
        session.identity.labels = labels(wish.labels);
        let size = wish.size.or_else(terminal_size).unwrap_or(TerminalSize::DEFAULT);
        session.launch = Some(Launch {
            argv: argv(wish.command, wish.tool.as_deref(), caller)?,
            tool: wish.tool,
            workdir: workdir(wish.workdir.as_deref(), caller)?,
            env: wish.env.into_iter().map(|variable| (variable.name, variable.value)).collect(),
            size: Some(size),
            ..Launch::default()
        });
        let environment = caller.variables.clone();
        Ok(Spawn { session, environment, umask: Some(caller.umask) })
    }
}

/// A name that nothing has or had.
pub(crate) fn generated_name(store: &dyn SessionStore) -> Result<SessionName, CliError> {
    let mut failed = None;
    let mut random = || {
        system::random_bits().unwrap_or_else(|error| {
            failed.get_or_insert(error);
            0
        })
    };
    let is_unused = |name: &str| {
        SessionName::parse(name).is_ok_and(|name| {
            // A store that cannot answer will say so when the session is created.
            store.named(&name).is_ok_and(|found| found.is_empty())
        })
    };
    let name = NameRules::LABEL.generate(&mut random, &mut { is_unused });
    match failed {
        Some(error) => Err(error),
        None => Ok(SessionName::parse(&name)?),
    }
}

/// Labels by key; of two with one key the last counts.
pub(crate) fn labels(pairs: Vec<LabelPair>) -> session_core::Labels {
    pairs.into_iter().map(|pair| (pair.key, pair.value)).collect()
}

/// The words to be executed: those given, else the tool, else the shell.
fn argv(
    command: Vec<OsString>,
    tool: Option<&str>,
    caller: &Caller,
) -> Result<Vec<String>, CliError> {
    if !command.is_empty() {
        return command.into_iter().map(|word| utf8(word, "the command")).collect();
    }
    if let Some(tool) = tool {
        if !is_installed(tool, caller) {
            let message = format!("{tool} is not installed: nothing of that name is on PATH");
            return Err(CliError::new(Kind::ToolNotFound, message)
                .hint("install it, or give a command after --"));
        }
        return Ok(vec![tool.to_owned()]);
    }
    let shell = caller.variable("SHELL").map_or_else(|| "/bin/sh".into(), OsString::from);
    Ok(vec![utf8(shell, "SHELL")?])
}

fn utf8(word: OsString, origin: &str) -> Result<String, CliError> {
    word.into_string().map_err(|word| {
        let message = format!("{} in {origin} is not valid UTF-8", Path::new(&word).display());
        CliError::usage(message).hint("commands are recorded as text; wrap this one in a script")
    })
}

fn is_installed(tool: &str, caller: &Caller) -> bool {
    let path = caller.variable("PATH").unwrap_or_default();
    !tool.contains('/')
        && std::env::split_paths(path).any(|directory| {
            let file = std::fs::metadata(directory.join(tool));
            file.is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
        })
}

/// The directory to start in, absolute and without symbolic links.
///
/// # Errors
/// `invalid-workdir` when it is not there, is no directory, or has no name in UTF-8.
pub(crate) fn workdir(given: Option<&Path>, caller: &Caller) -> Result<String, CliError> {
    let refused = |path: &Path, reason: &str| {
        CliError::new(ErrorKind::InvalidWorkdir, format!("{}: {reason}", path.display()))
            .hint("choose a directory that exists")
    };
    let path = match (given, &caller.directory) {
        (Some(given), _) => caller.absolute(given)?,
        (None, Some(directory)) => directory.clone(),
        (None, None) => return Err(refused(Path::new("."), "the working directory is gone")),
    };
    let canonical = path.canonicalize().map_err(|error| refused(&path, &error.to_string()))?;
    if !canonical.is_dir() {
        return Err(refused(&path, "not a directory"));
    }
    match canonical.into_os_string().into_string() {
        Ok(text) => Ok(text),
        Err(text) => Err(refused(Path::new(&text), "the path is not valid UTF-8")),
    }
}
