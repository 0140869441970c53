//! The store as a whole: counted, checked, put in order, copied, and filled from others.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use session_core::store::rules;
use session_core::{
    CheckReport, Damage, Record, Repair, Session, SessionId, StoreError, StoreStats, StoreUpkeep,
    Timestamp, Tombstone,
};

use super::JsonlStore;
use crate::directory::View;
use crate::index::INDEX;
use crate::pending::PENDING;
use crate::tombs::TOMBSTONES;
use crate::writer::Concerns;
use crate::{adopt, upkeep};

/// How often a file is opened again that was replaced by another in between.
const ATTEMPTS: u32 = 8;

impl StoreUpkeep for JsonlStore {
    fn stats(&self) -> Result<StoreStats, StoreError> {
        let view = self.reading()?;
        let listing = self.index.listing(&view, &self.lock)?.known()?;
        let mut stats =
            StoreStats { tombstones: view.tombs.by_id.len() as u64, ..StoreStats::default() };
        for (_, row) in listing.rows() {
            stats.records += row.session.totals().records;
            if row.session.is_trashed() {
                stats.trashed += 1;
            } else {
                *stats.sessions.entry(row.session.status()).or_default() += 1;
            }
        }
        let disk = self.directory.disk();
        let fail = |error| StoreError::io("listing", self.directory.path(), error);
        let mut bytes = 0;
        for name in disk.names(self.directory.path()).map_err(fail)? {
            let stamp = disk.stamp(&self.directory.path().join(name)).map_err(fail)?;
            bytes += stamp.map_or(0, |stamp| stamp.length);
        }
        stats.bytes = Some(bytes);
        Ok(stats)
    }

    fn check(&self) -> Result<CheckReport, StoreError> {
        let view = self.reading()?;
        let mut report = CheckReport::default();
        let mut ids = self.directory.ids()?;
        if let Some(pending) = &view.pending {
            ids.extend(pending.appends.keys());
            ids.sort_unstable();
            ids.dedup();
        }
        for id in ids {
            self.check_session(&view, id, &mut report)?;
        }
        let appends = view.pending.iter().flat_map(|pending| &pending.appends);
        for (id, append) in appends {
            let found = append.obstacle(self.directory.disk(), &self.directory.file_of(*id))?;
            if let Some(obstacle) = found {
                let place = self.directory.path().join(PENDING).display().to_string();
                let reason = format!("what it says of session {id} has no place: {obstacle}");
                report.damaged.push(Damage { place, reason });
            }
        }
        let path = self.directory.path().join(TOMBSTONES);
        let spots = view.tombs.spots.clone().into_vec();
        report.damaged.extend(spots.iter().map(|spot| spot.in_file(&path)));
        let path = self.directory.path().join(INDEX);
        for id in self.index.contradictions(&view, &self.lock)? {
            let reason = format!("it does not say what the file of session {id} says");
            report.damaged.push(Damage { place: path.display().to_string(), reason });
        }
        Ok(report)
    }

    fn repair(&self, at: Timestamp) -> Result<Vec<Repair>, StoreError> {
        let writer = self.writing(Concerns::Others)?;
        adopt::remove_dead(self.directory.disk(), self.directory.path());
        let mut repairs = upkeep::repair(&writer, at)?;
        let path = self.directory.path().join(INDEX);
        for id in self.index.contradictions(&writer.view, &self.lock)? {
            let reason = format!("it did not say what the file of session {id} says");
            let damage = Damage { place: path.display().to_string(), reason };
            repairs.push(Repair { damage, kept: None });
        }
        if !repairs.is_empty() {
            self.index.rebuild(&writer.view)?;
        }
        Ok(repairs)
    }

    fn reindex(&self) -> Result<(), StoreError> {
        let writer = self.writing(Concerns::Others)?;
        self.index.rebuild(&writer.view)
    }

    fn backup(&self, target: &Path) -> Result<(), StoreError> {
        let target = super::absolute(target)?;
        // Reading it is enough where nobody may write; otherwise nobody does meanwhile.
        let _writer = match &self.access {
            super::Access::Read => None,
            super::Access::Write(_) => Some(self.writing(Concerns::Others)?),
        };
        self.reading()?;
        upkeep::back_up(&self.disk, self, self.directory.path(), &target)
    }

    fn restore_backup(&self, copy: &Path, kept: Option<&Path>) -> Result<(), StoreError> {
        let copy = super::absolute(copy)?;
        let kept = kept.map(super::absolute).transpose()?;
        let writer = self.writing(Concerns::Others)?;
        let replaced =
            upkeep::replace(&self.disk, self, self.directory.path(), &copy, kept.as_deref());
        writer.done();
        drop(writer);
        self.directory.forget_all();
        self.index.forget();
        replaced
    }

    fn adopt(
        &self,
        session: Session,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError> {
        self.may_write()?;
        let disk = self.directory.disk();
        // Nobody has to wait for a history to be written, however long it is.
        let (draft, anchor) = adopt::write(disk, self.directory.path(), &session, records)
            .map_err(|failed| {
                // Which bytes that the kernel held it has dropped, nobody knows.
                self.poisoned.fetch_or(failed.touched, Ordering::AcqRel);
                failed.error
            })?;
        let writer = self.writing(Concerns::Others)?;
        self.check_free(&writer, session.id())?;
        if session.claims_name()
            && let Some(name) = session.name()
        {
            let mut others = Vec::new();
            for id in self.index.listing_to_write(&writer.view)?.known()?.named(name) {
                others.extend(writer.view.load(id)?.and_then(|it| it.readable().cloned()));
            }
            rules::unheld(&session, others.iter().map(|other| &**other))?;
        } else {
            self.index.ensure(&writer.view)?;
        }
        writer.put_in_place(&Arc::new(session), draft, anchor)
    }

    fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        Ok(self.reading()?.tombs.by_id.values().cloned().collect())
    }

    fn bury(&self, tombstone: &Tombstone) -> Result<(), StoreError> {
        rules::buried(tombstone)?;
        let writer = self.writing(Concerns::Others)?;
        match self.check_free(&writer, tombstone.id) {
            Ok(()) => {}
            Err(StoreError::Purged { .. }) => return Ok(()),
            Err(error) => return Err(error),
        }
        writer.bury(tombstone)?.finish();
        writer.done();
        Ok(())
    }
}

impl JsonlStore {
    /// Reads all of a session's file.
    fn check_session(
        &self,
        view: &View<'_>,
        id: SessionId,
        report: &mut CheckReport,
    ) -> Result<(), StoreError> {
        for attempt in 1.. {
            let loaded = match view.load(id) {
                Ok(None) => return Ok(()),
                Ok(Some(loaded)) => loaded,
                // What is only unreadable now is no damage.
                Err(error) if error.is_io() => return Err(error.into()),
                Err(error) => {
                    report.damaged.push(error.into_damage());
                    return Ok(());
                }
            };
            let Some(session) = loaded.readable() else {
                report.damaged.extend(loaded.damage());
                return Ok(());
            };
            let Some(file) = view.open_loaded(id, &loaded)? else {
                if attempt == ATTEMPTS {
                    return Ok(());
                }
                continue;
            };
            let found = upkeep::audit(&*file, session, loaded.whole(), &mut upkeep::Nothing)
                .map_err(|error| StoreError::io("reading", &loaded.path, error))?;
            report.sessions += 1;
            report.records += found.records;
            let tail = loaded.replay().tail_spots();
            let spots = found.spots.iter().chain(&tail);
            report.damaged.extend(spots.map(|spot| loaded.damage_at(spot)));
            let place = loaded.path.display().to_string();
            let faults = found.faults.into_iter();
            report.damaged.extend(faults.map(|reason| Damage { place: place.clone(), reason }));
            return Ok(());
        }
        Ok(())
    }

    fn may_write(&self) -> Result<(), StoreError> {
        self.usable()?;
        match self.access {
            super::Access::Write(_) => Ok(()),
            super::Access::Read => {
                Err(StoreError::ReadOnly { path: self.directory.path().to_owned(), source: None })
            }
        }
    }
}
