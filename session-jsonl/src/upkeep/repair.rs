//! Putting in order what an audit found: a file is written anew without what does not count, which is kept aside.

use std::io;
use std::ops::{Range, RangeInclusive};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use session_core::{Damage, Entry, Repair, Seq, SessionId, StoreError, Timestamp};

use super::audit::{self, Finding, Nothing, Sink};
use crate::adopt::Draft;
use crate::directory::Loaded;
use crate::disk::{Access, Disk, DiskFile};
use crate::error::ReadError;
use crate::line;
use crate::quarantine::{self, Cut};
use crate::replay::Spot;
use crate::tombs::TOMBSTONES;
use crate::writer::{Change, Writer};
use crate::{tail, tombs};

/// More records are never missing from a file that this program wrote: its totals are what is wrong.
const MOST_MISSING: u64 = 1 << 20;

/// Puts every file in order, and says what was done.
///
/// # Errors
/// What the disk reports. Files that were put in order before stay so.
pub(crate) fn repair(writer: &Writer<'_>, at: Timestamp) -> Result<Vec<Repair>, StoreError> {
    let mut repairs = Vec::new();
    for id in writer.view.directory.ids()? {
        if !writer.view.tombs.by_id.contains_key(&id) {
            session(writer, id, at, &mut repairs)?;
        }
    }
    tombstones(writer, at, &mut repairs)?;
    Ok(repairs)
}

/// Puts the file of one session in order.
fn session(
    writer: &Writer<'_>,
    id: SessionId,
    at: Timestamp,
    repairs: &mut Vec<Repair>,
) -> Result<(), StoreError> {
    let directory = writer.view.directory;
    let path = directory.file_of(id);
    let fail = |error| StoreError::io("reading", &path, error);
    let loaded = match writer.view.load(id) {
        Ok(None) => return Ok(()),
        Ok(Some(loaded)) => loaded,
        Err(ReadError::NotAFile { .. }) => {
            let damage = ReadError::NotAFile { path: path.clone() }.into_damage();
            let kept = writer.set_aside(&path, id, &damage.reason, at)?;
            repairs.push(Repair { damage, kept: Some(kept) });
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    };
    let session = match loaded.session() {
        // The file of a newer version is nobody's to change here, and an unfinished creation is no damage.
        Err(ReadError::Newer { .. }) | Ok(None) => return Ok(()),
        Err(_) => {
            let damage = loaded.damage().into_iter().next();
            let damage = damage.unwrap_or_else(|| loaded.damage_at(&no_session()));
            let kept = writer.set_aside(&path, id, &damage.reason, at)?;
            repairs.push(Repair { damage, kept: Some(kept) });
            return Ok(());
        }
        Ok(Some(session)) => Arc::clone(session),
    };
    let file = directory.disk().open(&path, Access::Read).map_err(fail)?;
    let found = audit::audit(&*file, &session, loaded.whole(), &mut Nothing).map_err(fail)?;
    let tail = loaded.replay().tail_spots();
    if found.spots.is_empty() && tail.is_empty() && found.mended.is_none() {
        return Ok(());
    }
    for fault in &found.faults {
        let damage = Damage { place: path.display().to_string(), reason: fault.clone() };
        repairs.push(Repair { damage, kept: None });
    }
    let missing: u64 =
        found.missing.iter().map(|numbers| numbers.end() - numbers.start() + 1).sum();
    if missing > MOST_MISSING {
        return Err(StoreError::Unsupported { what: "be repaired: too much is lost" });
    }
    if found.spots.is_empty() && tail.is_empty() && found.missing.is_empty() {
        if let Some((line, session)) = mended(&found, at)? {
            writer.commit(&[Change::with_lines(session, loaded, line)])?;
        }
        return Ok(());
    }
    rewrite(writer, &loaded, &*file, &found, at, repairs)
}

fn no_session() -> Spot {
    Spot { offset: 0, reason: "no session record".to_owned() }
}

/// The line that puts the totals right, and the session as it is then; `None` when they are.
fn mended(
    found: &Finding,
    at: Timestamp,
) -> Result<Option<(String, session_core::Session)>, StoreError> {
    let Some(session) = &found.mended else { return Ok(None) };
    let mut session = session.clone();
    session.lifecycle.revision = session.lifecycle.revision.next();
    session.lifecycle.updated_at = at;
    let mut line = String::new();
    line::push_session(&mut line, (1, 1), &session)?;
    Ok(Some((line, session)))
}

/// Writes the file anew without the lines that do not count.
fn rewrite(
    writer: &Writer<'_>,
    loaded: &Loaded,
    file: &dyn DiskFile,
    found: &Finding,
    at: Timestamp,
    repairs: &mut Vec<Repair>,
) -> Result<(), StoreError> {
    let directory = writer.view.directory;
    let disk = directory.disk();
    let path = &loaded.path;
    let fail = |error| StoreError::io("writing", path, error);
    let Some(session) = loaded.readable() else { return Ok(()) };
    let id = session.id();
    let draft = Draft::new(disk, directory.path(), &id.to_string())?;
    let cuts =
        Cuts { disk, store: directory.path(), source: path, id, at, open: None, done: Vec::new() };
    let mut anew = Anew { draft, cuts };
    audit::audit(file, session, loaded.whole(), &mut anew).map_err(fail)?;
    if let Some((lines, _)) = mended(found, at)? {
        anew.draft.add(&lines)?;
    }
    let Anew { mut draft, mut cuts } = anew;
    let tail = loaded.replay().tail_spots();
    if let Some(first) = tail.first()
        && loaded.replay().has_strange_tail()
    {
        cuts.add(loaded.whole()..loaded.stamp.length, &first.reason).map_err(fail)?;
    }
    repairs.extend(cuts.finish().map_err(fail)?);
    draft.copy_mode(path)?;
    draft.sync().map_err(|failed| writer.failed(failed))?;
    // What takes the place of somebody's file is read once more before it does.
    let opened = disk.open(&draft.path, Access::Read).map_err(fail)?;
    let replay = tail::read(&*opened, id, draft.length).map_err(fail)?;
    let is_sound = replay.spots().is_empty() && replay.whole() == draft.length;
    let (true, Some(anchor), Some(session)) = (is_sound, replay.anchor(), replay.session()) else {
        let refused = io::Error::other("what was written anew cannot be read");
        return Err(fail(refused));
    };
    writer.put_in_place(&Arc::clone(session), draft, anchor)
}

/// A file that is written anew.
struct Anew<'a> {
    draft: Draft<'a>,
    cuts: Cuts<'a>,
}

impl Sink for Anew<'_> {
    fn good(&mut self, bytes: &[u8]) -> io::Result<()> {
        let text = std::str::from_utf8(bytes).map_err(io::Error::other)?;
        // The header is no part of a batch. Of any other line, those beside it may be the ones that do not count.
        let text = if self.draft.length == 0 {
            text.into()
        } else {
            line::alone(text).map_err(io::Error::other)?
        };
        self.draft.add(&text).and_then(|()| self.draft.add("\n")).map_err(io::Error::other)
    }

    fn bad(&mut self, place: Range<u64>, reason: &str) -> io::Result<()> {
        if self.draft.length == 0 {
            self.draft.add(&line::header(self.cuts.id)).map_err(io::Error::other)?;
        }
        self.cuts.add(place, reason)
    }

    fn missing(&mut self, numbers: RangeInclusive<u64>, reason: &str) -> io::Result<()> {
        for seq in numbers.filter_map(Seq::new) {
            let lost = Entry::lost(seq, self.cuts.at, reason);
            self.draft
                .push(|lines| line::push_record(lines, (1, 1), seq, &lost))
                .map_err(io::Error::other)?;
        }
        Ok(())
    }

    fn revoke(&mut self, mark: u64, place: Range<u64>, reason: &str) -> io::Result<()> {
        self.draft.truncate(mark).map_err(io::Error::other)?;
        self.cuts.add(place, reason)
    }

    fn mark(&self) -> u64 {
        self.draft.length
    }

    fn split(&mut self, place: Range<u64>) -> io::Result<()> {
        let offset = place.start;
        let reason = "several lines stood glued together".to_owned();
        let damage = Spot { offset, reason }.in_file(self.cuts.source);
        self.cuts.done.push(Repair { damage, kept: None });
        Ok(())
    }
}

/// What is cut out of a file and kept: neighbours in one piece.
struct Cuts<'a> {
    disk: &'a dyn Disk,
    store: &'a Path,
    source: &'a Path,
    id: SessionId,
    at: Timestamp,
    open: Option<(Range<u64>, String)>,
    done: Vec<Repair>,
}

impl Cuts<'_> {
    fn add(&mut self, place: Range<u64>, reason: &str) -> io::Result<()> {
        match &mut self.open {
            Some((open, _)) if open.end == place.start => open.end = place.end,
            _ => {
                self.close()?;
                self.open = Some((place, reason.to_owned()));
            }
        }
        Ok(())
    }

    fn close(&mut self) -> io::Result<()> {
        let Some((place, reason)) = self.open.take() else { return Ok(()) };
        let cut = Cut { source: self.source, name: self.id.to_string(), place: place.clone() };
        let kept = quarantine::keep_explained(self.disk, self.store, &cut, &reason, self.at)
            .map_err(|failed| io::Error::other(failed.error))?;
        let damage = Spot { offset: place.start, reason }.in_file(self.source);
        self.done.push(Repair { damage, kept: Some(kept) });
        Ok(())
    }

    fn finish(mut self) -> io::Result<Vec<Repair>> {
        self.close()?;
        Ok(self.done)
    }
}

/// Puts the file of tombstones in order.
fn tombstones(
    writer: &Writer<'_>,
    at: Timestamp,
    repairs: &mut Vec<Repair>,
) -> Result<(), StoreError> {
    let tombs = &writer.view.tombs;
    if tombs.spots.is_empty() {
        return Ok(());
    }
    let directory = writer.view.directory;
    let disk = directory.disk();
    let path: PathBuf = directory.path().join(TOMBSTONES);
    let length = tombs.stamp.map_or(0, |stamp| stamp.length);
    let cut = Cut { source: &path, name: "tombstones".to_owned(), place: 0..length };
    let reason = "some of its lines cannot be read";
    let kept = quarantine::keep_explained(disk, directory.path(), &cut, reason, at)
        .map_err(|failed| failed.error)?;
    let mut draft = Draft::new(disk, directory.path(), TOMBSTONES)?;
    for tombstone in tombs.by_id.values() {
        let line = tombs::line(tombstone)
            .map_err(|error| StoreError::backend("writing a tombstone as JSON", error))?;
        draft.add(&line)?;
    }
    draft.copy_mode(&path)?;
    draft.sync().map_err(|failed| writer.failed(failed))?;
    writer.replace_file(draft, &path)?;
    for spot in tombs.spots.clone().into_vec() {
        repairs.push(Repair { damage: spot.in_file(&path), kept: Some(kept.clone()) });
    }
    Ok(())
}
