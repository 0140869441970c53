//! The store as a whole.

use std::path::Path;

use session_core::store::rules;
use session_core::{
    CheckReport, Record, Repair, Session, StoreError, StoreStats, StoreUpkeep, Timestamp, Tombstone,
};

use super::SqlStore;
use crate::error::SqlError;
use crate::{
    Depth, audit, backup, check, connection, index, mend, rescue, restore, schema, tombstone,
};

impl StoreUpkeep for SqlStore {
    fn stats(&self) -> Result<StoreStats, StoreError> {
        let mut stats = self.on_snapshot("count", |snapshot, _| audit::stats(snapshot))?;
        let length = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
        let log = connection::suffixed(&self.place.path, "-wal");
        stats.bytes = Some(length(&self.place.path) + length(&log));
        Ok(stats)
    }

    fn check(&self) -> Result<CheckReport, StoreError> {
        self.on_snapshot("check", |snapshot, _| check::report(snapshot, Depth::Full))
    }

    fn repair(&self, at: Timestamp) -> Result<Vec<Repair>, StoreError> {
        self.writer()?;
        let mut repairs = self.repair_structure()?;
        if self.check()?.damaged.is_empty() {
            // Nobody has to wait while there is nothing to do.
            return Ok(repairs);
        }
        let path = self.place.path.clone();
        let mended = self.on_writer("repair", move |connection| mend::mend(connection, &path, at));
        repairs.extend(mended?);
        Ok(repairs)
    }

    fn reindex(&self) -> Result<(), StoreError> {
        self.on_writer("reindex", index::clear)?;
        let scale = self.place.options.scale;
        while self.on_writer("reindex", move |connection| index::step(connection, scale))? {}
        Ok(())
    }

    fn backup(&self, target: &Path) -> Result<(), StoreError> {
        self.check_readable()?;
        backup::to(&self.place, target).map_err(|error| error.told("back up", &self.place.path))
    }

    fn restore_backup(&self, copy: &Path, kept: Option<&Path>) -> Result<(), StoreError> {
        self.writer()?;
        let source = restore::Source::open(&self.place, copy)
            .map_err(|error| error.told("restore", copy))?;
        let (place, target) = (self.place.clone(), kept.map(Path::to_owned));
        self.on_writer("restore", move |connection| {
            // Nobody writes as long as this transaction is open, and it has changed nothing yet.
            if let Some(kept) = &target {
                backup::to(&place, kept)?;
            }
            source.put_into(connection, &place.path)
        })
    }

    fn adopt(
        &self,
        session: Session,
        records: &mut dyn Iterator<Item = Result<Record, StoreError>>,
    ) -> Result<(), StoreError> {
        self.adopt_all(session, records)
    }

    fn tombstones(&self) -> Result<Vec<Tombstone>, StoreError> {
        self.on_reader("list tombstones", tombstone::all)
    }

    fn bury(&self, tombstone: &Tombstone) -> Result<(), StoreError> {
        rules::buried(tombstone)?;
        let tombstone = tombstone.clone();
        self.on_writer("bury", move |connection| {
            match tombstone::check_free(connection, tombstone.id) {
                Ok(()) => tombstone::insert(connection, &tombstone),
                Err(SqlError::Refused(StoreError::Purged { .. })) => Ok(()),
                Err(error) => Err(error),
            }
        })
    }
}

impl SqlStore {
    /// Puts pages and indexes in order. Other handles that are open write no more if pages were damaged.
    fn repair_structure(&self) -> Result<Vec<Repair>, StoreError> {
        let (damaged, of_index) = self.on_snapshot("check", |snapshot, _| {
            let damaged = check::structure(snapshot, Depth::Full)?;
            let of_index =
                if damaged.is_empty() { Vec::new() } else { check::text_index(snapshot)? };
            Ok((damaged, of_index))
        })?;
        let (index, pages): (Vec<_>, Vec<_>) =
            damaged.into_iter().partition(|damage| of_index.contains(damage));
        let mut repairs = Vec::new();
        if !pages.is_empty() {
            let rescued = rescue::rescue(&self.place, schema::migrations());
            let rescued = rescued.and_then(|rescued| self.reopen().map(|()| rescued));
            if let Some(rescued) =
                rescued.map_err(|error| error.told("repair", &self.place.path))?
            {
                let kept = |damage| Repair { damage, kept: Some(rescued.original.clone()) };
                repairs.extend(pages.into_iter().chain(rescued.damaged).map(kept));
            }
        } else if !index.is_empty() {
            self.on_writer("repair", index::clear)?;
        }
        repairs.extend(index.into_iter().map(|damage| Repair { damage, kept: None }));
        Ok(repairs)
    }
}
