//! Changes of several files: written down, done, and struck out.

use std::io;

use session_core::StoreError;

use super::{Change, Place, Writer};
use crate::disk::{Access, Stamp};
use crate::error::ReadError;
use crate::file::{self, AppendError};
use crate::index::Touch;
use crate::lines;
use crate::pending::{Append, PENDING, Pending};
use crate::quarantine;

impl Writer<'_> {
    /// Writes down what is to be done, does it, and strikes it out.
    pub(super) fn write_all(
        &self,
        changes: &[Change],
        places: &[Place],
        touch: &mut Touch<'_>,
    ) -> Result<(), AppendError> {
        let directory = self.directory();
        let appends = (places.iter())
            .map(|place| {
                (place.id, Append { offset: place.whole, text: place.text.as_str().into() })
            })
            .collect();
        let pending = Pending { appends };
        let path = directory.path().join(PENDING);
        let bytes = pending
            .bytes()
            .map_err(|error| AppendError::refused(StoreError::backend("writing JSON", error)))?;
        file::create(directory.disk(), &path, bytes.as_bytes(), || touch.again())?;
        // From here on it counts, whatever happens; unless there is no room for it, when all of it is taken back.
        let stamps = match self.apply(&pending, touch) {
            Ok(stamps) => stamps,
            Err(failed) if failed.touched => return Err(failed),
            Err(failed) => {
                let taken_back = self.take_back(changes, places, touch);
                return Err(AppendError { touched: taken_back.is_err(), ..failed });
            }
        };
        self.remove_pending(touch)?;
        for ((change, place), stamp) in changes.iter().zip(places).zip(stamps) {
            self.remember(change, place, stamp);
        }
        Ok(())
    }

    /// Puts pending lines where they belong, whether or not some of them are there already.
    ///
    /// # Errors
    /// What the disk reports. It is not "touched" when bytes were not taken, and all that were can be taken back.
    pub(super) fn apply(
        &self,
        pending: &Pending,
        touch: &mut Touch<'_>,
    ) -> Result<Vec<Stamp>, AppendError> {
        let directory = self.directory();
        let disk = directory.disk();
        let mut stamps = Vec::new();
        for (id, append) in &pending.appends {
            let path = directory.file_of(*id);
            let text = append.text.as_bytes();
            let fail = |error| AppendError::uncertain(&path, error);
            let file = match file::open_regular(disk, &path, Access::Append) {
                Err(ReadError::Io { source, .. })
                    if source.kind() == io::ErrorKind::NotFound && append.offset == 0 =>
                {
                    let file = disk.create(&path).map_err(fail)?;
                    touch.again().map_err(fail)?;
                    file
                }
                Err(error) => return Err(AppendError::touched(error.into())),
                Ok((file, stamp)) => {
                    let end = append.offset + text.len() as u64;
                    let is_there = stamp.length >= end && {
                        let opened = file::open_regular(disk, &path, Access::Read);
                        let (file, _) =
                            opened.map_err(|error| AppendError::touched(error.into()))?;
                        lines::span(&*file, append.offset..end).map_err(fail)? == text
                    };
                    if stamp.length < append.offset {
                        let place = path.display().to_string();
                        let reason = "shorter than a pending change expects".to_owned();
                        return Err(AppendError::touched(StoreError::Corrupt { place, reason }));
                    }
                    if is_there {
                        file.sync().map_err(fail)?;
                        stamps.push(file.stamp().map_err(fail)?);
                        continue;
                    }
                    if stamp.length > append.offset {
                        file.set_length(append.offset).and_then(|()| file.sync()).map_err(fail)?;
                    }
                    file
                }
            };
            file.append(text)
                .map_err(|error| AppendError::refused(StoreError::io("writing", &path, error)))?;
            file.sync().map_err(fail)?;
            stamps.push(file.stamp().map_err(fail)?);
        }
        disk.sync_directory(directory.path())
            .map_err(|error| AppendError::uncertain(directory.path(), error))?;
        Ok(stamps)
    }

    /// Does what a dead writer left to be done, as far as its files are still what it found, and strikes it out. Text
    /// that has lost its place is kept aside: nobody can work on a store that waits for it.
    ///
    /// # Errors
    /// What the disk reports.
    pub(super) fn finish_pending(
        &self,
        pending: &Pending,
        touch: &mut Touch<'_>,
    ) -> Result<(), AppendError> {
        let directory = self.directory();
        let mut possible = Pending::default();
        for (id, append) in &pending.appends {
            directory.forget(*id);
            let path = directory.file_of(*id);
            let found = append.obstacle(directory.disk(), &path);
            match found.map_err(|error| AppendError::refused(error.into()))? {
                None => _ = possible.appends.insert(*id, append.clone()),
                Some(reason) => {
                    let name = id.to_string();
                    let lost = quarantine::Lost { name: &name, source: &path, append, reason };
                    quarantine::keep_lost(directory.disk(), directory.path(), &lost)?;
                    touch.again().map_err(|error| AppendError::uncertain(&path, error))?;
                }
            }
        }
        self.apply(&possible, touch).map(drop)
    }

    /// Undoes what was done of a pending change, and strikes it out at last.
    fn take_back(
        &self,
        changes: &[Change],
        places: &[Place],
        touch: &mut Touch<'_>,
    ) -> Result<(), AppendError> {
        let directory = self.directory();
        let disk = directory.disk();
        for (change, place) in changes.iter().zip(places) {
            let path = directory.file_of(place.id);
            let fail = |error| AppendError::uncertain(&path, error);
            match disk.open(&path, Access::Append) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(fail(error)),
                Ok(_) if change.before.is_none() => {
                    disk.remove(&path).and_then(|()| touch.again()).map_err(fail)?;
                }
                Ok(file) => {
                    file.set_length(place.whole).and_then(|()| file.sync()).map_err(fail)?;
                }
            }
        }
        self.remove_pending(touch)
    }

    pub(super) fn remove_pending(&self, touch: &mut Touch<'_>) -> Result<(), AppendError> {
        let directory = self.directory();
        let path = directory.path().join(PENDING);
        directory.forget_pending();
        (directory.disk().remove(&path))
            .and_then(|()| touch.again())
            .and_then(|()| directory.disk().sync_directory(directory.path()))
            .map_err(|error| AppendError::uncertain(&path, error))
    }
}
