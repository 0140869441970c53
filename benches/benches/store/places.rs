//! Stores with so many sessions in them: filled once, opened to be read, copied to be written.

use std::cell::OnceCell;
use std::fs;
use std::path::{Path, PathBuf};

use session_benches::sessions;
use session_core::{MemoryStore, Session, SessionStore};
use session_jsonl::JsonlStore;
use session_sql::SqlStore;
use tempfile::TempDir;

use crate::bare::BareSql;

/// Sessions that a JSONL store holds while it is filled. A creation there looks at every file that is, so that
/// filling a large one file by file would take its square.
const SHARD: usize = 100;

/// A backend of the store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Backend {
    Memory,
    Sqlite,
    Jsonl,
}

/// A store and, where it is on a disk and nobody else's, its directory.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) store: Box<dyn SessionStore>,
    _directory: Option<TempDir>,
}

/// Filled stores of one size, made when first asked for.
#[derive(Debug)]
pub(crate) struct Templates {
    /// How many sessions each holds.
    pub(crate) size: usize,
    sqlite: OnceCell<TempDir>,
    jsonl: OnceCell<TempDir>,
    bare: OnceCell<TempDir>,
}

/// A new directory on the disk that the build is on: a temporary file system would sync for nothing.
pub(crate) fn directory() -> TempDir {
    tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap()
}

/// Where stores are filled: in memory where there is such a place (Linux has one), as every creation is synced and
/// ten thousand syncs take a busy disk half a minute. What is measured is copied to [`directory`] first.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| directory())
}

impl Backend {
    /// Every backend.
    pub(crate) const ALL: [Self; 3] = [Self::Memory, Self::Sqlite, Self::Jsonl];

    /// The word for it in the name of a bench.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Memory => "memory",
            Self::Sqlite => "sqlite",
            Self::Jsonl => "jsonl",
        }
    }
}

impl Templates {
    /// Stores of this size.
    pub(crate) const fn new(size: usize) -> Self {
        Self { size, sqlite: OnceCell::new(), jsonl: OnceCell::new(), bare: OnceCell::new() }
    }

    /// A filled store, only to be read.
    pub(crate) fn open(&self, backend: Backend) -> Place {
        let store = match self.template(backend) {
            Some(directory) => open(backend, directory.path()),
            None => self.memory(),
        };
        Place { store, _directory: None }
    }

    /// A filled store of its own.
    pub(crate) fn copy(&self, backend: Backend) -> Place {
        let Some(template) = self.template(backend) else { return self.open(backend) };
        let directory = copy(template);
        Place { store: open(backend, directory.path()), _directory: Some(directory) }
    }

    /// The database without anything of ours, only to be read.
    pub(crate) fn bare(&self) -> PathBuf {
        bare_path(self.bare_template())
    }

    /// A copy of that database, with its directory.
    pub(crate) fn copy_bare(&self) -> (BareSql, TempDir) {
        let directory = copy(self.bare_template());
        (BareSql::open(&bare_path(&directory)), directory)
    }

    fn template(&self, backend: Backend) -> Option<&TempDir> {
        match backend {
            Backend::Memory => None,
            Backend::Sqlite => Some(self.sqlite.get_or_init(|| self.fill_sqlite())),
            Backend::Jsonl => Some(self.jsonl.get_or_init(|| self.fill_jsonl())),
        }
    }

    fn bare_template(&self) -> &TempDir {
        self.bare.get_or_init(|| {
            let directory = directory();
            BareSql::open(&bare_path(&directory)).fill(self.sessions());
            directory
        })
    }

    fn sessions(&self) -> impl Iterator<Item = Session> {
        (0..self.size).map(|number| sessions::session(number).unwrap())
    }

    fn memory(&self) -> Box<dyn SessionStore> {
        let store = MemoryStore::new();
        fill(&store, self.sessions());
        Box::new(store)
    }

    fn fill_sqlite(&self) -> TempDir {
        let scratch = scratch();
        let store = open(Backend::Sqlite, scratch.path());
        fill(&*store, self.sessions());
        store.close().unwrap();
        copy(&scratch)
    }

    fn fill_jsonl(&self) -> TempDir {
        let whole = directory();
        let mut sessions = self.sessions().peekable();
        while sessions.peek().is_some() {
            let shard = scratch();
            let store = open(Backend::Jsonl, shard.path());
            fill(&*store, sessions.by_ref().take(SHARD));
            store.close().unwrap();
            // A session is its file, in whatever store that is.
            copy_files(shard.path(), whole.path());
        }
        whole
    }
}

fn open(backend: Backend, directory: &Path) -> Box<dyn SessionStore> {
    match backend {
        Backend::Memory => Box::new(MemoryStore::new()),
        Backend::Sqlite => Box::new(SqlStore::open(directory.join("session.db")).unwrap()),
        Backend::Jsonl => Box::new(JsonlStore::open(directory).unwrap()),
    }
}

fn fill(store: &dyn SessionStore, sessions: impl Iterator<Item = Session>) {
    for session in sessions {
        store.create(session).unwrap();
    }
}

fn bare_path(directory: &TempDir) -> PathBuf {
    directory.path().join("bare.db")
}

fn copy(from: &TempDir) -> TempDir {
    let to = directory();
    copy_files(from.path(), to.path());
    to
}

fn copy_files(from: &Path, to: &Path) {
    for file in files(from) {
        fs::copy(&file, to.join(file.file_name().unwrap())).unwrap();
    }
}

fn files(directory: &Path) -> impl Iterator<Item = PathBuf> {
    fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path())
}
