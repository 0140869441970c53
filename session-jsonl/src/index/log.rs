//! `index.jsonl`: read from wherever it was read to, appended to, and written anew when most of it is stale.

use std::io;

use super::group::{self, Entry, Group, Moment};
use crate::adopt::Draft;
use crate::directory::Directory;
use crate::disk::{Access, DiskFile, Stamp};
use crate::file;
use crate::line::MAX_LINE;
use crate::lines::{self, Lines, Raw};

/// The file's name.
pub(crate) const INDEX: &str = "index.jsonl";

/// How many sessions one line describes when all are written.
const TOGETHER: usize = 64;

/// So much may be stale in a small file.
const SLACK: u64 = 1 << 20;

/// The end of a line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Position {
    pub(super) inode: u64,
    pub(super) offset: u64,
    pub(super) sum: u64,
    /// How long the file was when it had nothing stale.
    pub(super) base: u64,
}

/// The file, left open after it was appended to.
#[derive(Debug, Default)]
pub(super) struct Kept(Option<(u64, Box<dyn DiskFile>)>);

impl Position {
    /// Whether it is time to write the file anew.
    pub(super) const fn is_mostly_stale(&self) -> bool {
        self.offset > 2 * self.base + SLACK
    }
}

/// Gives all groups behind `known` to `sink`, or all there are when the file is another one or was changed, and
/// returns the end of the last and whether they follow `known`. `None` when there is no file that can be read.
pub(super) fn read(
    directory: &Directory,
    known: Option<&Position>,
    mut sink: impl FnMut(Group),
) -> Option<(Position, bool)> {
    let (file, stamp) = open(directory)?;
    if let Some(known) = known
        && known.inode == stamp.inode
        && known.offset <= stamp.length
        && let Some(end) = read_on(&*file, &stamp, known, &mut sink).ok()?
    {
        return Some((end, true));
    }
    let mut lines = Lines::new(&*file, 0..stamp.length);
    let begin = match lines.next().ok()? {
        Some((Raw::Line(line), place)) if line == group::header().trim_end().as_bytes() => {
            place.end
        }
        _ => return None,
    };
    let begin = Position { inode: stamp.inode, offset: begin, sum: 0, base: 0 };
    let end = read_on(&*file, &stamp, &begin, &mut sink).ok()??;
    Some((end, false))
}

/// `None` when what stands behind `known` does not follow it.
fn read_on(
    file: &dyn DiskFile,
    stamp: &Stamp,
    known: &Position,
    sink: &mut impl FnMut(Group),
) -> io::Result<Option<Position>> {
    let mut end = known.clone();
    let mut lines = Lines::new(file, known.offset..stamp.length);
    while let Some((raw, place)) = lines.next()? {
        // A line that is no link of the chain ends it: what stands behind it was not said of this state.
        let Raw::Line(line) = raw else { break };
        let Some(sum) = group::checked(line) else { break };
        let Some((group, prev)) = group::read(line) else { break };
        if prev != end.sum {
            break;
        }
        end = Position { offset: place.end, sum, base: group.base, ..end };
        sink(group);
    }
    let is_first_broken = end == *known && stamp.length > known.offset && known.sum != 0;
    Ok((!is_first_broken).then_some(end))
}

/// The last line of the file, if it is whole, and the moment that it names.
pub(super) fn read_end(directory: &Directory) -> Option<(Position, Moment)> {
    let (file, stamp) = open(directory)?;
    let mut lines = lines::Backward::new(&*file, 0..stamp.length);
    let (raw, _) = lines.next().ok()??;
    let Raw::Line(line) = raw else { return None };
    let sum = group::checked(line)?;
    let (moment, base, _) = group::skim(line)?;
    let mut last = [0];
    let is_ended = lines::fill(&*file, &mut last, stamp.length - 1).is_ok() && last == *b"\n";
    let end = Position { inode: stamp.inode, offset: stamp.length, sum, base };
    is_ended.then_some((end, moment))
}

/// Whether the file ends there.
pub(super) fn is_end(directory: &Directory, end: &Position) -> bool {
    let stamp = file::stamp(directory.disk(), &directory.path().join(INDEX));
    stamp.is_ok_and(|stamp| {
        stamp.is_some_and(|stamp| stamp.inode == end.inode && stamp.length == end.offset)
    })
}

/// Adds a line behind `end`, which is the end of the file.
///
/// # Errors
/// What the disk reports; half a line may stand there then, which nobody believes.
pub(super) fn append(
    directory: &Directory,
    end: &Position,
    group: &Group,
    kept: &mut Kept,
) -> io::Result<Position> {
    let (line, sum) = group::write(group, end.sum).map_err(io::Error::other)?;
    if line.len() > MAX_LINE {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    // As long as it is open, no other file gets its number.
    let file = match kept.0.take().filter(|(inode, _)| *inode == end.inode) {
        Some((_, file)) => file,
        None => directory.disk().open(&directory.path().join(INDEX), Access::Append)?,
    };
    file.append(line.as_bytes())?;
    kept.0 = Some((end.inode, file));
    Ok(Position { offset: end.offset + line.len() as u64, sum, base: group.base, ..*end })
}

/// Puts a file in place that says all of this at this moment, and nothing else.
///
/// # Errors
/// What the disk reports.
pub(super) fn write_anew(
    directory: &Directory,
    moment: &Moment,
    mut entries: impl Iterator<Item = Entry>,
) -> io::Result<Position> {
    let fail = |error| io::Error::other(format!("{error}"));
    let disk = directory.disk();
    let mut draft = Draft::new(disk, directory.path(), INDEX).map_err(fail)?;
    let mut sum = 0;
    draft.add(&group::header()).map_err(fail)?;
    loop {
        let some: Vec<_> = entries.by_ref().take(TOGETHER).collect();
        let is_last = some.len() < TOGETHER;
        let moment = moment.clone();
        let group = Group { moment, base: draft.length, entries: some };
        let (line, next) = group::write(&group, sum).map_err(io::Error::other)?;
        draft.add(&line).map_err(fail)?;
        sum = next;
        if is_last {
            break;
        }
    }
    // What the last line says is looked at, so it says nothing.
    let group = Group { moment: moment.clone(), base: draft.length, entries: Vec::new() };
    let (line, sum) = group::write(&group, sum).map_err(io::Error::other)?;
    let base = draft.length;
    draft.add(&line).map_err(fail)?;
    draft.write_out().map_err(fail)?;
    let offset = draft.length;
    let inode = draft.stamp()?.inode;
    draft.name(&directory.path().join(INDEX))?;
    Ok(Position { inode, offset, sum, base })
}

fn open(directory: &Directory) -> Option<(Box<dyn DiskFile>, Stamp)> {
    let path = directory.path().join(INDEX);
    file::open_regular(directory.disk(), &path, Access::Read).ok()
}
