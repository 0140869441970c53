//! What an invocation works with: flags over environment over configuration over defaults, decided once.

mod caller;
mod config;
mod directories;

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use session_core::Durability;
use session_pty::client::DetachKey;
use session_pty::{Launcher, Place};

use crate::args::{Color, GlobalArgs};
use crate::error::CliError;
use crate::output::text::command_line;

pub(crate) use caller::Caller;
use config::Config;
use directories::{FromEnvironment, resolved};

/// The kinds of stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum StoreKind {
    /// A SQLite database.
    Sqlite,
    /// One file of JSON lines for each session.
    Jsonl,
}

/// How results are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// How much is told beside the results.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Loudness {
    /// Errors only.
    Quiet,
    /// Notes as well.
    Normal,
    /// Details as well.
    Verbose,
}

/// Everything that was decided before a command begins.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) store: StoreKind,
    /// What an acknowledged write survives.
    pub(crate) durability: Durability,
    /// Lines of history that a terminal gets when it attaches.
    pub(crate) scrollback: usize,
    /// Absolute, without symbolic links as far as it exists.
    pub(crate) data_dir: PathBuf,
    pub(crate) runtime_dir: PathBuf,
    /// The configuration file, whether or not it is there.
    pub(crate) config: Option<PathBuf>,
    pub(crate) detach_key: DetachKey,
    /// What was given with `-S`.
    pub(crate) session: Option<String>,
    /// The session that this program runs in.
    pub(crate) inside: Option<String>,
    pub(crate) format: Format,
    pub(crate) loudness: Loudness,
    pub(crate) color: bool,
    /// The flags that say which store is meant, as far as they were typed.
    flags: Vec<String>,
    pub(crate) caller: Caller,
}

/// The longest path that a socket can have: the kernel has room for 108 bytes with the NUL at the end.
const SOCKET_PATH_LIMIT: usize = 107;

impl StoreKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Sqlite => "sqlite",
            Self::Jsonl => "jsonl",
        }
    }

    /// The other kind.
    pub(crate) const fn other(self) -> Self {
        match self {
            Self::Sqlite => Self::Jsonl,
            Self::Jsonl => Self::Sqlite,
        }
    }

    fn parse(word: &str, origin: &str) -> Result<Self, CliError> {
        [Self::Sqlite, Self::Jsonl].into_iter().find(|kind| kind.as_str() == word).ok_or_else(
            || {
                CliError::usage(format!("{word:?} in {origin} is no kind of store"))
                    .hint("use sqlite or jsonl")
            },
        )
    }
}

/// So many lines of history a terminal gets, where the configuration says nothing else.
const SCROLLBACK: usize = 2000;

impl Plan {
    /// Decides, from what was typed and what the caller brought along.
    ///
    /// # Errors
    /// `usage` when something given makes no sense, a broken configuration file included.
    pub(crate) fn new(global: &GlobalArgs, caller: Caller) -> Result<Self, CliError> {
        let environment = FromEnvironment::new(&caller);
        let (config_path, config) = Config::load(&environment, &caller)?;
        let store = match (&global.store, caller.text("SESSION_STORE")?, &config.store) {
            (Some(kind), _, _) => *kind,
            (None, Some(word), _) => StoreKind::parse(&word, "SESSION_STORE")?,
            (None, None, Some(word)) => StoreKind::parse(word, "the configuration")?,
            (None, None, None) => StoreKind::Sqlite,
        };
        let data_dir =
            first([global.data_dir.clone(), caller.path("SESSION_DATA_DIR"), config.data_dir]);
        let default_data_dir =
            environment.data_dir().and_then(|default| resolved(&default, &caller));
        let (data_dir, is_default) = match (data_dir, default_data_dir) {
            (None, default) => (default?, true),
            (Some(given), default) => {
                let given = resolved(&given, &caller)?;
                let is_default = default.is_ok_and(|default| default == given);
                (given, is_default)
            }
        };
        let is_default = is_default && store == StoreKind::Sqlite;
        let given = first([
            global.runtime_dir.clone(),
            caller.path("SESSION_RUNTIME_DIR"),
            config.runtime_dir,
        ]);
        let runtime_dir = match given {
            Some(directory) => caller.absolute(&directory)?,
            None if is_default => environment.runtime_dir(None),
            None => environment.runtime_dir(Some(&store_hash(store, &data_dir))),
        };
        check_paths(&data_dir, &runtime_dir)?;
        let detach_key = match &config.detach_key {
            Some(text) => text.parse().map_err(|error| {
                CliError::usage(format!("detach_key in the configuration: {error}"))
            })?,
            None => DetachKey::default(),
        };
        let durability = match config.durability.as_deref() {
            None | Some("full") => Durability::Full,
            Some("normal") => Durability::Normal,
            Some(word) => {
                let message = format!("{word:?} in the configuration is no durability");
                return Err(CliError::usage(message).hint("use full or normal"));
            }
        };
        let mut flags = Vec::new();
        if global.store.is_some() {
            flags.extend(["--store", store.as_str()].map(str::to_owned));
        }
        for (flag, given, path) in [
            ("--data-dir", &global.data_dir, &data_dir),
            ("--runtime-dir", &global.runtime_dir, &runtime_dir),
        ] {
            if given.is_some() {
                flags.extend([flag.to_owned(), path.display().to_string()]);
            }
        }
        let loudness = match (global.quiet, global.verbose) {
            (true, _) => Loudness::Quiet,
            (false, false) => Loudness::Normal,
            (false, true) => Loudness::Verbose,
        };
        Ok(Self {
            store,
            durability,
            scrollback: config.scrollback.map_or(SCROLLBACK, |lines| lines as usize),
            data_dir,
            runtime_dir,
            config: config_path,
            detach_key,
            session: global.session.clone(),
            inside: caller.text("SESSION_ID")?,
            format: if global.json { Format::Json } else { Format::Text },
            loudness,
            color: wants_color(global.color, &caller),
            flags,
            caller,
        })
    }

    /// The line that a person types for another command on the same store.
    pub(crate) fn again<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> String {
        let line = ["session"].into_iter().chain(words).map(str::to_owned);
        command_line(&line.chain(self.flags.iter().cloned()).collect::<Vec<_>>())
    }

    /// Where the supervisor of this store is found.
    pub(crate) fn place(&self) -> Place {
        Place::new(self.data_dir.clone(), self.runtime_dir.clone(), self.store.as_str())
    }

    /// How the keeper of this store is started, which starts its supervisor.
    pub(crate) fn launcher(&self) -> Launcher {
        self.keeping(false)
    }

    /// The same, which may stay when nothing runs.
    pub(crate) fn keeping(&self, stays: bool) -> Launcher {
        self.starting("run", stays)
    }

    /// How the keeper starts a supervisor.
    pub(crate) fn serving(&self, stays: bool) -> Launcher {
        self.starting("serve", stays)
    }

    /// This program as another process of the same store: everything decided is handed over.
    fn starting(&self, command: &str, stays: bool) -> Launcher {
        let mut args: Vec<OsString> = Vec::new();
        args.extend(["--data-dir".into(), self.data_dir.clone().into_os_string()]);
        args.extend(["--runtime-dir".into(), self.runtime_dir.clone().into_os_string()]);
        args.extend(["--store", self.store.as_str(), "supervisor", command].map(OsString::from));
        args.extend(stays.then(|| OsString::from("--stay")));
        Launcher { program: None, args }
    }
}

/// Whether colours are wanted on standard output.
pub(crate) fn wants_color(choice: Color, caller: &Caller) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        // https://no-color.org: any value that is not empty.
        Color::Auto => caller.stdout_is_terminal && caller.path("NO_COLOR").is_none(),
    }
}

fn first<T, const N: usize>(candidates: [Option<T>; N]) -> Option<T> {
    candidates.into_iter().flatten().next()
}

/// Eight hexadecimal digits that are the same for the same store on every run.
fn store_hash(store: StoreKind, data_dir: &Path) -> String {
    use std::os::unix::ffi::OsStrExt as _;
    let bytes =
        store.as_str().bytes().chain([0]).chain(data_dir.as_os_str().as_bytes().iter().copied());
    // FNV-1a, folded to 32 bits: stable over versions of the compiler, unlike the standard hasher.
    let hash = bytes.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    format!("{:08x}", (hash >> 32) ^ (hash & 0xffff_ffff))
}

fn check_paths(data_dir: &Path, runtime_dir: &Path) -> Result<(), CliError> {
    for (directory, flag) in [(data_dir, "--data-dir"), (runtime_dir, "--runtime-dir")] {
        if directory.to_str().is_none() {
            let message = format!("{} is not valid UTF-8", directory.display());
            return Err(CliError::usage(message).hint(format!("choose another {flag}")));
        }
    }
    let socket = runtime_dir.join("supervisor.sock");
    let len = socket.as_os_str().len();
    if len > SOCKET_PATH_LIMIT {
        let message = format!(
            "{} is too long for a socket: {len} bytes, and {SOCKET_PATH_LIMIT} are allowed",
            socket.display()
        );
        return Err(CliError::usage(message).hint("choose a shorter --runtime-dir"));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
