//! Stores on a disk that fails, one that bears it and others that do not.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use session_core::bundle::Line;
use session_core::{MemoryStore, SessionStore, StoreError, StoreStats, StoreUpkeep};
use session_testkit::fault::{Call, Failure, Fault, Lasting, cases};
use session_testkit::{FaultFixture, StoreFixture, content};

use super::delegate::{Faulty, Handle, Moment};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Quirk {
    None,
    AcknowledgesFirst,
    IgnoresSyncs,
    GoesOnAfterSyncs,
    WritesInPlace,
    MistakesNoRoom,
    MistakesReads,
    ShowsWhatFailed,
    SparesReadsOfPoison,
    StaysPoisoned,
}

/// One file, and another one that replaces it.
#[derive(Debug, Default)]
struct Disk {
    file: Vec<u8>,
    new: Vec<u8>,
    fault: Option<Fault>,
    failed: Vec<Call>,
}

impl Disk {
    /// Makes a call, or says how it fails.
    fn call(&mut self, call: Call) -> Result<(), Failure> {
        let Some(fault) = &mut self.fault else { return Ok(()) };
        if fault.call.is_some_and(|only| only != call) {
            return Ok(());
        }
        if fault.nth > 1 {
            fault.nth -= 1;
            return Ok(());
        }
        let failure = fault.failure;
        if fault.lasting == Lasting::Once {
            self.fault = None;
        }
        self.failed.push(call);
        Err(failure)
    }

    fn write(&mut self, bytes: &[u8], in_place: bool) -> Result<(), Failure> {
        let result = self.call(Call::Write);
        let written = match result {
            Ok(()) => bytes.len(),
            Err(Failure::Short) => bytes.len() / 2,
            Err(Failure::Io | Failure::NoRoom) => return result,
        };
        let file = if in_place { &mut self.file } else { &mut self.new };
        *file = bytes[..written].to_vec();
        result
    }

    fn rename(&mut self) -> Result<(), Failure> {
        self.call(Call::Write)?;
        self.file = std::mem::take(&mut self.new);
        Ok(())
    }
}

/// A store that reads all of its file before each call, and replaces it after each that changed something.
#[derive(Debug)]
struct OneFile {
    quirk: Quirk,
    disk: Arc<Mutex<Disk>>,
    content: Mutex<MemoryStore>,
    poisoned: AtomicBool,
    closed: AtomicBool,
}

impl OneFile {
    fn error(&self, failure: Failure) -> StoreError {
        let is_full = failure != Failure::Io && self.quirk != Quirk::MistakesNoRoom;
        let kind =
            if is_full { std::io::ErrorKind::StorageFull } else { std::io::ErrorKind::Other };
        StoreError::io("write", "/disk/file", kind.into())
    }

    fn load(&self) -> Result<(), StoreError> {
        let mut disk = self.disk.lock().unwrap();
        let read = disk.call(Call::Read);
        let bytes = match read {
            Err(_) if self.quirk == Quirk::MistakesReads => Vec::new(),
            read => read.map(|()| disk.file.clone()).map_err(|failure| self.error(failure))?,
        };
        *self.content.lock().unwrap() = parse(&bytes)?;
        Ok(())
    }

    fn save(&self) -> Result<(), StoreError> {
        let mut text = content(&self.store()).join("\n").into_bytes();
        text.push(b'\n');
        let mut disk = self.disk.lock().unwrap();
        if text == disk.file
            || disk.file.is_empty() && self.store().stats()? == StoreStats::default()
        {
            return Ok(());
        }
        let in_place = self.quirk == Quirk::WritesInPlace;
        disk.write(&text, in_place).map_err(|failure| self.error(failure))?;
        self.sync(&mut disk)?;
        if !in_place {
            disk.rename().map_err(|failure| self.error(failure))?;
            self.sync(&mut disk)?;
        }
        Ok(())
    }

    fn sync(&self, disk: &mut Disk) -> Result<(), StoreError> {
        match disk.call(Call::Sync) {
            Err(_) if self.quirk == Quirk::IgnoresSyncs => Ok(()),
            Err(failure) => {
                if self.quirk != Quirk::GoesOnAfterSyncs {
                    self.poisoned.store(true, Ordering::SeqCst);
                }
                Err(self.error(failure))
            }
            Ok(()) => Ok(()),
        }
    }
}

fn parse(bytes: &[u8]) -> Result<MemoryStore, StoreError> {
    let damaged =
        || StoreError::Corrupt { place: "/disk/file".to_owned(), reason: "torn".to_owned() };
    let text = std::str::from_utf8(bytes).map_err(|_| damaged())?;
    let store = MemoryStore::new();
    let mut lines = Vec::new();
    for line in text.lines() {
        lines.push(line.parse::<Line>().map_err(|_| damaged())?);
    }
    if !lines.is_empty() && !matches!(lines.last(), Some(Line::End(_))) {
        return Err(damaged());
    }
    let mut lines = lines.into_iter().peekable();
    while let Some(line) = lines.next() {
        match line {
            Line::Session(session) => {
                let mut records = std::iter::from_fn(|| {
                    match lines.next_if(|line| matches!(line, Line::Record(_))) {
                        Some(Line::Record(record)) => Some(Ok(*record)),
                        _ => None,
                    }
                });
                store.adopt(*session, &mut records)?;
            }
            Line::Tombstone(tombstone) => store.bury(&tombstone)?,
            Line::Bundle { .. } | Line::Record(_) | Line::End(_) => {}
        }
    }
    Ok(store)
}

impl Faulty for OneFile {
    type Fault = Quirk;

    fn new(quirk: Quirk, _: MemoryStore) -> Self {
        Self {
            quirk,
            disk: Arc::default(),
            content: Mutex::default(),
            poisoned: AtomicBool::new(false),
            closed: AtomicBool::new(false),
        }
    }

    fn store(&self) -> MemoryStore {
        self.content.lock().unwrap().reopen()
    }

    fn around(&self, call: &str, moment: Moment) -> Result<(), StoreError> {
        let spares = self.quirk == Quirk::SparesReadsOfPoison && call == "read";
        match (call, moment) {
            ("close", _) => Ok(()),
            (_, Moment::Before) if self.closed.load(Ordering::SeqCst) => {
                Err(StoreError::StoreClosed)
            }
            (_, Moment::Before) if self.poisoned.load(Ordering::SeqCst) && !spares => {
                Err(StoreError::Poisoned)
            }
            (_, Moment::Before) if self.quirk == Quirk::ShowsWhatFailed => Ok(()),
            (_, Moment::Before) => self.load(),
            (_, Moment::After) => match self.save() {
                Err(_) if self.quirk == Quirk::AcknowledgesFirst => Ok(()),
                saved => saved,
            },
        }
    }

    fn close(&self) -> Result<(), StoreError> {
        if self.quirk == Quirk::StaysPoisoned && self.poisoned.load(Ordering::SeqCst) {
            return Err(StoreError::Poisoned);
        }
        self.closed.store(true, Ordering::SeqCst);
        Ok(())
    }
}

struct Place {
    quirk: Quirk,
    disk: Arc<Mutex<Disk>>,
}

impl Place {
    fn new(quirk: Quirk) -> Self {
        Self { quirk, disk: Arc::default() }
    }
}

impl StoreFixture for Place {
    fn open(&self) -> Box<dyn SessionStore> {
        self.try_open().unwrap()
    }

    fn other(&self) -> Box<dyn SessionStore> {
        Self::new(self.quirk).open()
    }
}

impl FaultFixture for Place {
    fn try_open(&self) -> Result<Box<dyn SessionStore>, StoreError> {
        let mut store = OneFile::new(self.quirk, MemoryStore::new());
        store.disk = Arc::clone(&self.disk);
        store.load()?;
        store.sync(&mut self.disk.lock().unwrap())?;
        Ok(Box::new(Handle::alone(store)))
    }

    fn arm(&self, fault: Fault) {
        let mut disk = self.disk.lock().unwrap();
        disk.fault = Some(fault);
        disk.failed.clear();
    }

    fn disarm(&self) -> Vec<Call> {
        let mut disk = self.disk.lock().unwrap();
        disk.fault = None;
        std::mem::take(&mut disk.failed)
    }
}

mod sound {
    use super::{Place, Quirk};

    session_testkit::store_fault_conformance!(Place::new(Quirk::None));
}

fn assert_noticed(quirk: Quirk, by: &[&str]) {
    for wanted in by {
        let case = cases::ALL.iter().find(|(name, _)| name == wanted);
        let (_, case) = case.unwrap_or_else(|| panic!("there is no case {wanted}"));
        let run = || case(&|| Box::new(Place::new(quirk)));
        assert!(catch_unwind(AssertUnwindSafe(run)).is_err(), "{quirk:?} must fail {wanted}");
    }
}

#[test]
fn lost_writes_are_noticed() {
    assert_noticed(Quirk::AcknowledgesFirst, &["create_is_whole", "append_is_whole"]);
    assert_noticed(Quirk::IgnoresSyncs, &["create_is_whole", "purge_is_whole"]);
}

#[test]
fn going_on_after_a_failed_sync_is_noticed() {
    assert_noticed(Quirk::GoesOnAfterSyncs, &["update_is_whole", "bury_is_whole"]);
    assert_noticed(Quirk::SparesReadsOfPoison, &["sweep_is_whole", "remove_is_whole"]);
    assert_noticed(Quirk::StaysPoisoned, &["restore_is_whole"]);
}

#[test]
fn halves_of_writes_are_noticed() {
    assert_noticed(
        Quirk::WritesInPlace,
        &["append_is_whole", "adopt_is_whole", "remove_all_is_whole"],
    );
    assert_noticed(Quirk::ShowsWhatFailed, &["takeover_is_whole"]);
}

#[test]
fn wrong_errors_are_noticed() {
    assert_noticed(Quirk::MistakesNoRoom, &["create_is_whole"]);
}

#[test]
fn reads_that_count_as_damage_are_noticed() {
    assert_noticed(
        Quirk::MistakesReads,
        &["reading_finds_no_damage", "update_is_whole", "upkeep_takes_nothing_for_damage"],
    );
}
