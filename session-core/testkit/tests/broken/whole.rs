//! Stores that treat the whole of themselves, or what comes from others, wrongly.

use session_core::{
    CheckReport, MemoryStore, Observer, Record, Removal, Repair, Revision, Session, SessionStore,
    StoreError, StoreStats, StoreUpkeep, Timestamp, Tombstone,
};

use super::assert_noticed;
use super::delegate::{Faulty, Given};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    CountsTheTrash,
    CheckRecords,
    CheckOverlooks,
    RepairSweeps,
    ReindexTidies,
    AdoptRenumbers,
    AdoptDropsMembers,
    AdoptsHalf,
    AdoptsUncounted,
    AdoptEvicts,
    AdoptsTwice,
    AdoptCutsIdleTimes,
    AdoptDropsStrays,
    AdoptPutsNumbersRight,
    BuriesTheLiving,
    BuryDropsStrays,
    DropsTombstoneMembers,
}

#[derive(Debug)]
struct Broken {
    fault: Fault,
    store: MemoryStore,
}

impl Broken {
    fn observer() -> Observer {
        Observer { now: Timestamp::from_millis(i64::MAX), live_host: None }
    }

    fn adopt_broken(
        &self,
        mut session: Session,
        records: &mut Given<'_>,
    ) -> Result<(), StoreError> {
        let id = session.id();
        match self.fault {
            Fault::AdoptRenumbers => session.lifecycle.revision = Revision(1),
            Fault::AdoptDropsMembers => session.unknown = session_core::Unknown::default(),
            Fault::AdoptsHalf => {
                let mut good = Vec::new();
                let mut error = None;
                for record in records {
                    match record {
                        Ok(record) => good.push(record),
                        Err(found) => error = Some(found),
                    }
                }
                let Some(error) = error else {
                    return self.store.adopt(session, &mut good.into_iter().map(Ok));
                };
                session.conversation.get_or_insert_default().totals.records = good.len() as u64;
                self.store.adopt(session, &mut good.into_iter().map(Ok))?;
                return Err(error);
            }
            Fault::AdoptsUncounted => {
                let records: Vec<Record> = records.collect::<Result<_, _>>()?;
                session.conversation.get_or_insert_default().totals.records = records.len() as u64;
                return self.store.adopt(session, &mut records.into_iter().map(Ok));
            }
            Fault::AdoptEvicts => {
                if let Some(name) = session.name().filter(|_| session.claims_name()) {
                    for holder in self.store.named(name)? {
                        self.store.remove(holder.id(), &Self::observer())?;
                    }
                }
            }
            Fault::AdoptCutsIdleTimes => {
                session.lifecycle.expiry = session.lifecycle.expiry.in_whole_millis();
            }
            Fault::AdoptDropsStrays => {
                let clean = |record: Result<Record, StoreError>| {
                    record.map(|mut record| {
                        record.entry.unknown = session_core::Unknown::default();
                        record
                    })
                };
                return self.store.adopt(session, &mut records.map(clean));
            }
            Fault::AdoptPutsNumbersRight => {
                let revision = session.lifecycle.revision.clamp(Revision(1), Revision::LARGEST);
                session.lifecycle.revision = revision;
                let totals = &mut session.conversation.get_or_insert_default().totals;
                totals.messages = totals.messages.min(totals.records);
                totals.last_checkpoint =
                    totals.last_checkpoint.filter(|last| last.get() <= totals.records);
            }
            Fault::AdoptsTwice if self.store.get(id).is_ok() => return Ok(()),
            _ => {}
        }
        self.store.adopt(session, records)
    }
}

impl Faulty for Broken {
    type Fault = Fault;

    fn new(fault: Fault, store: MemoryStore) -> Self {
        Self { fault, store }
    }

    fn store(&self) -> MemoryStore {
        self.store.clone()
    }

    fn stats(&self) -> Result<StoreStats, StoreError> {
        let mut stats = self.store.stats()?;
        if self.fault == Fault::CountsTheTrash {
            *stats.sessions.entry(session_core::Status::Pending).or_default() += stats.trashed;
        }
        Ok(stats)
    }

    fn check(&self) -> Result<CheckReport, StoreError> {
        if self.fault == Fault::CheckRecords {
            self.store.sweep(&Self::observer())?;
        }
        let mut report = self.store.check()?;
        if self.fault == Fault::CheckOverlooks {
            report.records = 0;
        }
        Ok(report)
    }

    fn repair(&self, at: Timestamp) -> Result<Vec<Repair>, StoreError> {
        if self.fault == Fault::RepairSweeps {
            self.store.sweep(&Self::observer())?;
        }
        self.store.repair(at)
    }

    fn reindex(&self) -> Result<(), StoreError> {
        if self.fault == Fault::ReindexTidies {
            self.store.remove_all(&Removal {
                only_empty: true,
                ..Removal::everything(Self::observer())
            })?;
        }
        self.store.reindex()
    }

    fn adopt(&self, session: Session, records: &mut Given<'_>) -> Result<(), StoreError> {
        self.adopt_broken(session, records)
    }

    fn bury(&self, tombstone: &Tombstone) -> Result<(), StoreError> {
        let (id, at) = (tombstone.id, tombstone.at);
        match self.fault {
            Fault::BuriesTheLiving if self.store.get(id).is_ok() => {
                self.store.remove(id, &Self::observer()).ok();
                self.store.purge(id, at).map(drop)
            }
            Fault::BuryDropsStrays => match self.store.bury(tombstone) {
                Err(StoreError::Invalid { .. }) => self.store.bury(&Tombstone::new(id, at)),
                outcome => outcome,
            },
            Fault::DropsTombstoneMembers => self.store.bury(&Tombstone::new(id, at)),
            _ => self.store.bury(tombstone),
        }
    }
}

#[test]
fn wrong_numbers_are_noticed() {
    assert_noticed::<Broken>(Fault::CountsTheTrash, &["upkeep::is_counted"]);
    assert_noticed::<Broken>(Fault::CheckOverlooks, &["upkeep::is_checked"]);
}

#[test]
fn upkeep_that_changes_something_is_noticed() {
    assert_noticed::<Broken>(Fault::CheckRecords, &["upkeep::is_checked"]);
    assert_noticed::<Broken>(Fault::RepairSweeps, &["upkeep::is_repaired"]);
    assert_noticed::<Broken>(Fault::ReindexTidies, &["upkeep::is_reindexed"]);
}

#[test]
fn changed_sessions_of_other_stores_are_noticed() {
    assert_noticed::<Broken>(
        Fault::AdoptRenumbers,
        &["adopt::keeps_everything", "bundle::copies_to_another_store"],
    );
    assert_noticed::<Broken>(
        Fault::AdoptDropsMembers,
        &["adopt::keeps_what_is_unheard_of", "bundle::copies_to_another_store"],
    );
}

#[test]
fn half_adopted_histories_are_noticed() {
    assert_noticed::<Broken>(Fault::AdoptsHalf, &["adopt::stops_at_an_error"]);
    assert_noticed::<Broken>(Fault::AdoptsUncounted, &["adopt::refuses_another_number_of_records"]);
}

#[test]
fn adoption_over_others_is_noticed() {
    assert_noticed::<Broken>(Fault::AdoptEvicts, &["adopt::refuses_a_held_name"]);
    assert_noticed::<Broken>(
        Fault::AdoptsTwice,
        &["adopt::refuses_an_id_that_was_used", "bundle::copies_nothing_twice"],
    );
}

#[test]
fn adoption_that_puts_things_right_is_noticed() {
    assert_noticed::<Broken>(
        Fault::AdoptCutsIdleTimes,
        &["adopt::refuses_an_idle_time_between_milliseconds"],
    );
    assert_noticed::<Broken>(Fault::AdoptDropsStrays, &["adopt::refuses_stray_entries"]);
    assert_noticed::<Broken>(
        Fault::AdoptPutsNumbersRight,
        &["adopt::refuses_numbers_that_cannot_be"],
    );
}

#[test]
fn wrong_tombstones_are_noticed() {
    assert_noticed::<Broken>(Fault::BuryDropsStrays, &["upkeep::buries_nothing_stray"]);
    assert_noticed::<Broken>(Fault::BuriesTheLiving, &["upkeep::buries_nothing_that_is_stored"]);
    assert_noticed::<Broken>(Fault::DropsTombstoneMembers, &["upkeep::takes_over_a_tombstone"]);
}
