//! Stores with one session of a long history: filled once, opened to be read, copied to be written.

use std::cell::OnceCell;
use std::path::PathBuf;

use session_benches::{files, records, sessions};
use session_core::{Entry, MemoryStore, Seq, SessionStore};
use tempfile::TempDir;

use crate::backend::{Backend, directory};

/// Records that are appended together while a store is filled.
const BATCH: usize = 500;

/// Records after the checkpoint near the end.
pub(crate) const TAIL: u32 = 100;

/// Bytes of one record on average.
const RECORD: u64 = 840;

/// A store and, where it is on a disk and nobody else's, its directory.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) store: Box<dyn SessionStore>,
    _directory: Option<TempDir>,
}

/// Filled stores with a history of one size, made when first asked for.
#[derive(Debug)]
pub(crate) struct Templates {
    /// Bytes of the history.
    pub(crate) bytes: u64,
    memory: OnceCell<MemoryStore>,
    sqlite: OnceCell<TempDir>,
    jsonl: OnceCell<TempDir>,
}

impl Place {
    /// A store with so many sessions and nothing in them.
    pub(crate) fn with_sessions(backend: Backend, count: u64) -> Self {
        let directory = directory();
        let store = backend.open(directory.path());
        for number in 0..count {
            let number = usize::try_from(number).unwrap();
            store.create(sessions::session(number * 10).unwrap()).unwrap();
            let mut session = sessions::session(number * 10).unwrap();
            session.identity.id = sessions::id(number);
            session.identity.name = None;
            if number % 10 != 0 {
                store.create(session).unwrap();
            }
        }
        Self { store, _directory: Some(directory) }
    }
}

impl Templates {
    /// Histories of this size.
    pub(crate) const fn new(bytes: u64) -> Self {
        Self { bytes, memory: OnceCell::new(), sqlite: OnceCell::new(), jsonl: OnceCell::new() }
    }

    /// How many records a history has.
    pub(crate) const fn records(&self) -> u64 {
        self.bytes / RECORD
    }

    /// A filled store, only to be read.
    pub(crate) fn open(&self, backend: Backend) -> Place {
        let store = match self.template(backend) {
            Some(directory) => backend.open(directory.path()),
            None => Box::new(self.memory().reopen()),
        };
        Place { store, _directory: None }
    }

    /// A filled store of its own.
    pub(crate) fn copy(&self, backend: Backend) -> Place {
        let Some(template) = self.template(backend) else {
            let store = MemoryStore::new();
            self.fill(&store);
            return Place { store: Box::new(store), _directory: None };
        };
        let directory = directory();
        files::copy(template.path(), directory.path()).unwrap();
        Place { store: backend.open(directory.path()), _directory: Some(directory) }
    }

    /// The file with the history in the JSONL store.
    pub(crate) fn session_file(&self) -> PathBuf {
        let template = self.template(Backend::Jsonl).unwrap();
        template.path().join("jsonl").join(format!("{}.jsonl", sessions::id(0)))
    }

    fn template(&self, backend: Backend) -> Option<&TempDir> {
        match backend {
            Backend::Memory => None,
            Backend::Sqlite => Some(self.sqlite.get_or_init(|| self.filled(backend))),
            Backend::Jsonl => Some(self.jsonl.get_or_init(|| self.filled(backend))),
        }
    }

    fn memory(&self) -> &MemoryStore {
        self.memory.get_or_init(|| {
            let store = MemoryStore::new();
            self.fill(&store);
            store
        })
    }

    fn filled(&self, backend: Backend) -> TempDir {
        let directory = directory();
        let store = backend.open(directory.path());
        self.fill(&*store);
        // What is derived is made now, not in the middle of a bench.
        store.reindex().unwrap();
        store.close().unwrap();
        directory
    }

    fn fill(&self, store: &dyn SessionStore) {
        let id = sessions::id(0);
        store.create(sessions::session(0).unwrap()).unwrap();
        let append = |batch: &[Entry]| {
            store.append(id, batch, sessions::created_at(1_000_000)).unwrap();
        };
        let tail = self.records() - u64::from(TAIL);
        for first in (0..tail).step_by(BATCH) {
            let numbers = first..tail.min(first + BATCH as u64);
            append(&numbers.map(|number| records::entry(number).unwrap()).collect::<Vec<_>>());
        }
        // The end is the same whatever went before: one append each.
        append(&[records::checkpoint(Seq::new(tail).unwrap()).unwrap()]);
        for number in tail..self.records() {
            append(&[records::entry(number).unwrap()]);
        }
    }
}
