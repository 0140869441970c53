//! What a store is after everything that can go wrong below it: tests on disks that fail and lose their power.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{Damage, Query, Scope, Session, SessionId, SessionStore, StoreError};
use session_testkit::samples;
use tempfile::TempDir;

use crate::disk::Disk;
use crate::{JsonlOptions, JsonlStore};

mod believed;
mod conformance;
mod faults;
mod left;
mod power;
mod replaced;

/// What a store is asked to do.
type Act = fn(&JsonlStore) -> Result<(), StoreError>;

/// The sessions of a store.
type Content = BTreeMap<SessionId, Session>;

/// A place for a store, on whatever disk; its lock is here.
struct Place(TempDir);

impl Place {
    /// A place where nothing is yet, on the real disk.
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// A place where nothing is, for a store on another disk: only the lock needs the real one.
    fn for_lock() -> Self {
        let place = Self::new();
        std::fs::create_dir_all(place.store()).unwrap();
        place
    }

    /// What exists before the store does.
    fn root(&self) -> &Path {
        self.0.path()
    }

    fn store(&self) -> PathBuf {
        self.root().join("above/store")
    }

    fn open(&self, disk: Arc<dyn Disk>) -> Result<JsonlStore, StoreError> {
        JsonlStore::open_on(disk, &self.store(), JsonlOptions::new())
    }

    fn read(&self, disk: Arc<dyn Disk>) -> Result<JsonlStore, StoreError> {
        JsonlStore::read_on(disk, &self.store())
    }
}

/// Everything that a store holds, and what of it cannot be read.
fn listed(store: &JsonlStore) -> (Content, Vec<Damage>) {
    let query = Query { scope: Scope::All, ..Query::new(samples::observer(0)) };
    let page = store.list(&query).unwrap();
    (page.sessions.into_iter().map(|session| (session.id(), session)).collect(), page.damaged)
}

/// Gives a session another title, of so many bytes.
fn retitle(store: &JsonlStore, number: u32, length: usize) -> Result<(), StoreError> {
    let mut session = store.get(samples::id(number))?;
    session.identity.title = Some("t".repeat(length));
    store.update(session, samples::at(7)).map(drop)
}

/// A session whose record takes three blocks of a disk, and whose deadline comes.
fn long(number: u32, name: &str) -> Session {
    let mut session = samples::until(number, name, 5);
    session.identity.title = Some("long".repeat(2_500));
    session
}

/// A session that is created when the deadlines of the others have passed.
fn late(number: u32, name: &str) -> Session {
    let mut session = samples::named(number, name);
    session.lifecycle.created_at = samples::at(6);
    session
}
