//! Stores with so many sessions in them: filled once, opened to be read, copied to be written.

use std::cell::OnceCell;
use std::path::PathBuf;

use session_benches::{files, sessions};
use session_core::{MemoryStore, Session, SessionStore};
use tempfile::TempDir;

use crate::backend::{Backend, directory};

use crate::bare::BareSql;

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

/// Where stores are filled: in memory where there is such a place (Linux has one), as every creation is synced and
/// a hundred thousand syncs take a busy disk minutes. What is measured is copied to [`directory`] first.
fn scratch() -> TempDir {
    tempfile::tempdir_in("/dev/shm").unwrap_or_else(|_| directory())
}

impl Templates {
    /// Stores of this size.
    pub(crate) const fn new(size: usize) -> Self {
        Self { size, sqlite: OnceCell::new(), jsonl: OnceCell::new(), bare: OnceCell::new() }
    }

    /// A filled store, only to be read.
    pub(crate) fn open(&self, backend: Backend) -> Place {
        let store = match self.template(backend) {
            Some(directory) => backend.open(directory.path()),
            None => self.memory(),
        };
        Place { store, _directory: None }
    }

    /// A filled store of its own.
    pub(crate) fn copy(&self, backend: Backend) -> Place {
        let Some(template) = self.template(backend) else { return self.open(backend) };
        let directory = copy(template);
        Place { store: backend.open(directory.path()), _directory: Some(directory) }
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
            Backend::Sqlite => Some(self.sqlite.get_or_init(|| self.filled(backend))),
            Backend::Jsonl => Some(self.jsonl.get_or_init(|| self.filled(backend))),
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

    fn filled(&self, backend: Backend) -> TempDir {
        let scratch = scratch();
        let store = backend.open(scratch.path());
        fill(&*store, self.sessions());
        store.close().unwrap();
        let filled = copy(&scratch);
        // What is derived is made now, not in the middle of a bench.
        backend.open(filled.path()).reindex().unwrap();
        filled
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
    files::copy(from.path(), to.path()).unwrap();
    to
}
