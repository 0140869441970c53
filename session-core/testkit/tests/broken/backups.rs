//! Stores in memory that can be backed up, one soundly and others not.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use session_core::bundle::{self, Counts, Line};
use session_core::{
    Hits, MemoryStore, Page, Query, Record, RecordStore, Search, Session, SessionStore, StoreError,
    StoreInfo, StoreUpkeep,
};
use session_testkit::{StoreFixture, cases};
use tempfile::TempDir;

use super::delegate::{Faulty, Handle};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    None,
    DeclaresNothing,
    Overwrites,
    LeavesTombstonesOut,
    KeepsTheGeneration,
    TakesAnything,
    PutsHalfBack,
    ForgetsToReplace,
    ForgetsToKeep,
}

/// What all handles share: the content, and how often it was replaced.
type Shared = Arc<Mutex<(MemoryStore, u64)>>;

#[derive(Debug)]
struct Backed {
    fault: Fault,
    shared: Shared,
    closed: AtomicBool,
}

impl Faulty for Backed {
    type Fault = Fault;

    fn new(fault: Fault, store: MemoryStore) -> Self {
        Self { fault, shared: Arc::new(Mutex::new((store, 0))), closed: AtomicBool::new(false) }
    }

    fn store(&self) -> MemoryStore {
        let store = self.shared.lock().unwrap().0.reopen();
        if self.closed.load(Ordering::SeqCst) {
            store.close().unwrap();
        }
        store
    }

    fn info(&self) -> StoreInfo {
        let mut info = self.store().info();
        info.has_backups = self.fault != Fault::DeclaresNothing;
        info.generation = self.shared.lock().unwrap().1;
        info
    }

    fn close(&self) -> Result<(), StoreError> {
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }

    fn list(&self, query: &Query) -> Result<Page, StoreError> {
        let generation = self.info().generation;
        query.check_cursor(generation)?;
        let mut query = query.clone();
        if let Some(cursor) = &mut query.cursor {
            cursor.generation = 0;
        }
        let mut page = self.store().list(&query)?;
        if let Some(next) = &mut page.next {
            next.generation = generation;
        }
        Ok(page)
    }

    fn search(&self, search: &Search) -> Result<Hits, StoreError> {
        let generation = self.info().generation;
        search.check_cursor(generation)?;
        let mut search = search.clone();
        if let Some(cursor) = &mut search.cursor {
            cursor.generation = 0;
        }
        let mut hits = self.store().search(&search)?;
        if let Some(next) = &mut hits.next {
            next.generation = generation;
        }
        Ok(hits)
    }

    fn backup(&self, target: &Path) -> Result<(), StoreError> {
        if target.symlink_metadata().is_ok() && self.fault != Fault::Overwrites {
            return Err(StoreError::TargetExists { path: target.to_owned() });
        }
        let mut text = String::new();
        bundle::dump(&self.store(), |line| {
            let line = match line {
                Line::Tombstone(_) if self.fault == Fault::LeavesTombstonesOut => return Ok(()),
                Line::End(counts) if self.fault == Fault::LeavesTombstonesOut => {
                    Line::End(Counts { tombstones: 0, ..counts })
                }
                line => line,
            };
            text.push_str(&format!("{line}\n"));
            Ok::<_, StoreError>(())
        })?;
        let written = fs::File::create(target).and_then(|mut file| file.write_all(text.as_bytes()));
        written.map_err(|error| StoreError::io("backup", target, error))
    }

    fn restore_backup(&self, copy: &Path, kept: Option<&Path>) -> Result<(), StoreError> {
        self.store().flush()?;
        let found = match read(copy) {
            Err(_) if self.fault == Fault::TakesAnything => MemoryStore::new(),
            found => found?,
        };
        if let Some(kept) = kept.filter(|_| self.fault != Fault::ForgetsToKeep) {
            self.backup(kept)?;
        }
        let mut shared = self.shared.lock().unwrap();
        match self.fault {
            Fault::PutsHalfBack => {
                bundle::copy(&found, &shared.0, |_| {}).ok();
            }
            Fault::ForgetsToReplace => {}
            _ => shared.0 = found,
        }
        if self.fault != Fault::KeepsTheGeneration {
            shared.1 += 1;
        }
        Ok(())
    }
}

/// The content of a backup, if it is whole.
fn read(copy: &Path) -> Result<MemoryStore, StoreError> {
    let damaged = |reason: &dyn ToString| StoreError::Corrupt {
        place: copy.display().to_string(),
        reason: reason.to_string(),
    };
    let text = fs::read_to_string(copy).map_err(|error| damaged(&error))?;
    let lines = text.lines().map(|line| line.parse::<Line>().map_err(|error| damaged(&error)));
    let store = MemoryStore::new();
    let mut pending: Option<(Session, Vec<Record>)> = None;
    let adopt = |pending: Option<(Session, Vec<Record>)>| match pending {
        Some((session, records)) => store.adopt(session, &mut records.into_iter().map(Ok)),
        None => Ok(()),
    };
    let mut is_whole = false;
    for line in lines {
        match line? {
            Line::Bundle { .. } => {}
            Line::Session(session) => adopt(pending.replace((*session, Vec::new())))?,
            Line::Record(record) => {
                if let Some((_, records)) = &mut pending {
                    records.push(*record);
                }
            }
            Line::Tombstone(tombstone) => store.bury(&tombstone)?,
            Line::End(_) => is_whole = true,
        }
    }
    adopt(pending)?;
    if is_whole { Ok(store) } else { Err(damaged(&"it has no end")) }
}

struct Place {
    fault: Fault,
    shared: Shared,
    scratch: TempDir,
}

impl Place {
    fn new(fault: Fault) -> Self {
        Self { fault, shared: Shared::default(), scratch: tempfile::tempdir().unwrap() }
    }

    fn on(&self, shared: Shared) -> Box<dyn SessionStore> {
        let closed = AtomicBool::new(false);
        Box::new(Handle::alone(Backed { fault: self.fault, shared, closed }))
    }
}

impl StoreFixture for Place {
    fn open(&self) -> Box<dyn SessionStore> {
        self.on(Arc::clone(&self.shared))
    }

    fn other(&self) -> Box<dyn SessionStore> {
        self.on(Shared::default())
    }

    fn scratch(&self) -> Option<PathBuf> {
        Some(self.scratch.path().to_owned())
    }

    fn open_copy(&self, copy: &Path) -> Box<dyn SessionStore> {
        self.on(Arc::new(Mutex::new((read(copy).unwrap(), 0))))
    }
}

fn failing(fault: Fault) -> Vec<&'static str> {
    let fails = |case: cases::StoreCase| {
        let run = std::panic::AssertUnwindSafe(|| case(&Place::new(fault)));
        std::panic::catch_unwind(run).is_err()
    };
    let of_backups = cases::ALL.iter().filter(|(name, _)| name.starts_with("backup::"));
    of_backups.filter(|(_, case)| fails(*case)).map(|(name, _)| *name).collect()
}

#[test]
fn a_sound_store_passes() {
    let all = cases::ALL.iter().map(|(_, case)| case(&Place::new(Fault::None)));
    assert!(all.count() > 200);
}

#[test]
fn wrong_backups_are_noticed() {
    let overwriting = ["backup::overwrites_nothing", "backup::keeps_what_was_there_before"];
    assert_eq!(failing(Fault::Overwrites), overwriting);
    let copies = failing(Fault::LeavesTombstonesOut);
    assert!(copies.contains(&"backup::is_a_store_of_its_own"), "{copies:?}");
    assert_eq!(failing(Fault::DeclaresNothing).len(), 7);
}

#[test]
fn wrong_restorations_are_noticed() {
    let cases = [
        (Fault::KeepsTheGeneration, "backup::is_put_back_for_everybody"),
        (Fault::KeepsTheGeneration, "backup::is_put_into_another_store"),
        (Fault::TakesAnything, "backup::is_refused_when_damaged"),
        (Fault::PutsHalfBack, "backup::is_put_back_for_everybody"),
        (Fault::ForgetsToReplace, "backup::is_put_into_another_store"),
        (Fault::ForgetsToKeep, "backup::keeps_what_was_there_before"),
    ];
    for (fault, case) in cases {
        assert!(failing(fault).contains(&case), "{fault:?} must fail {case}");
    }
}
