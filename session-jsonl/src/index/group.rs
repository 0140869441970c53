//! The lines of `index.jsonl`: one for each change of the store, chained by their sums.
//!
//! A line counts only when its own sum is right and it names that of the line before it: what was cut out, put in or
//! changed anywhere makes all that follows worthless, and nothing else.

use std::borrow::Cow;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use session_core::{Launch, Session, SessionId};

use crate::disk::{Modified, Stamp};
use crate::replay::{Anchor, Spot};
use crate::{FORMAT, SCHEMA_VERSION};

/// When the directory is as the lines up to this one say: in this boot of the machine, while it has this time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Moment {
    pub(super) boot: String,
    pub(super) inode: u64,
    pub(super) modified: Modified,
}

/// What a change makes of one session, or what is known of it.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Row(SessionId, Row),
    /// There is a file, and no session that can be read.
    Broken(SessionId),
    /// There is nothing any more.
    Gone(SessionId),
}

/// What is known of one session: true of its file as long as that ends with this line.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) whole: u64,
    pub(crate) anchor: Anchor,
    /// What listings ask for; the rest is left out.
    pub(crate) session: Arc<Session>,
    /// Lines that cannot be read.
    pub(crate) spots: Vec<Spot>,
}

/// One line.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) moment: Moment,
    /// How long the file was when it had nothing stale.
    pub(super) base: u64,
    pub(super) entries: Vec<Entry>,
}

/// How a line is written: the sum of what follows it, and that.
const SUM: &str = "{\"sum\":\"";

#[derive(Deserialize, Serialize)]
struct Line<'a, E> {
    #[serde(borrow)]
    prev: Cow<'a, str>,
    #[serde(borrow)]
    boot: Cow<'a, str>,
    directory: u64,
    seconds: i64,
    nanoseconds: u32,
    base: u64,
    entries: Vec<E>,
}

#[derive(Deserialize, Serialize)]
struct Item<S> {
    id: SessionId,
    #[serde(default, skip_serializing_if = "is_false")]
    gone: bool,
    #[serde(default, skip_serializing_if = "is_false")]
    broken: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    whole: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    line: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hash: Option<u64>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    damaged: Vec<(u64, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<S>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_false(value: &bool) -> bool {
    !*value
}

impl Moment {
    pub(super) fn of(boot: Option<&str>, directory: &Stamp) -> Option<Self> {
        let (inode, modified) = (directory.inode, directory.modified);
        Some(Self { boot: boot?.to_owned(), inode, modified })
    }
}

/// The first line of the file, with its line feed.
pub(super) fn header() -> String {
    format!("{{\"format\":\"{FORMAT}\",\"version\":{SCHEMA_VERSION},\"file\":\"index\"}}\n")
}

/// What of a session listings ask for.
pub(super) fn reduced(session: &Session) -> Session {
    let mut reduced = Session::new(session.id(), session.lifecycle.created_at);
    reduced.identity.name.clone_from(&session.identity.name);
    // Whether there is one is all that is asked for.
    reduced.identity.title = session.identity.title.as_ref().map(|_| String::new());
    reduced.identity.labels.clone_from(&session.identity.labels);
    reduced.identity.parent = session.identity.parent;
    reduced.lifecycle = session.lifecycle.clone();
    if let Some(lease) = &session.lease {
        let mut lease = lease.clone();
        lease.unknown = Default::default();
        if let Some(binding) = &mut lease.binding {
            binding.unknown = Default::default();
        }
        reduced.lease = Some(lease);
    }
    if let Some(launch) = &session.launch {
        reduced.launch = Some(Launch {
            tool: launch.tool.clone(),
            argv: vec![String::new()],
            workdir: launch.workdir.clone(),
            internal: launch.internal,
            ..Launch::default()
        });
    }
    if let Some(process) = &session.process {
        let mut host = process.host.clone();
        if let Some(host) = &mut host {
            host.unknown = Default::default();
        }
        let mut known = session_core::Process::starting(process.started_at, host);
        known.state = process.state;
        reduced.process = Some(known);
    }
    if let Some(conversation) = &session.conversation {
        let known = reduced.conversation.get_or_insert_default();
        known.workspace.clone_from(&conversation.workspace);
        known.totals.records = conversation.totals.records;
    }
    reduced
}

/// A line and its sum, after a line of the sum `prev`.
///
/// # Errors
/// Those of JSON, which none of these values meets.
pub(super) fn write(group: &Group, prev: u64) -> serde_json::Result<(String, u64)> {
    let entries = group.entries.iter().map(Item::of).collect();
    let rest = serde_json::to_string(&Line {
        prev: format!("{prev:016x}").into(),
        boot: group.moment.boot.as_str().into(),
        directory: group.moment.inode,
        seconds: group.moment.modified.seconds,
        nanoseconds: group.moment.modified.nanoseconds,
        base: group.base,
        entries,
    })?;
    let rest = rest.strip_prefix('{').unwrap_or(&rest);
    let sum = sum(rest.as_bytes());
    Ok((format!("{SUM}{sum:016x}\",{rest}\n"), sum))
}

/// The sum of a line, if it is the one that it says.
pub(super) fn checked(line: &[u8]) -> Option<u64> {
    let (digits, rest) = line.strip_prefix(SUM.as_bytes())?.split_at_checked(16)?;
    let said = u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?;
    let rest = rest.strip_prefix(b"\",")?;
    (sum(rest) == said).then_some(said)
}

/// What a line says that was checked, and the sum of the line before it. The sessions are read only if wanted.
pub(super) fn read(line: &[u8]) -> Option<(Group, u64)> {
    let line: Line<'_, Item<&RawValue>> = serde_json::from_slice(line).ok()?;
    let prev = u64::from_str_radix(&line.prev, 16).ok()?;
    let moment = Moment {
        boot: line.boot.into_owned(),
        inode: line.directory,
        modified: Modified { seconds: line.seconds, nanoseconds: line.nanoseconds },
    };
    let entries = line.entries.into_iter().map(Item::into_entry).collect::<Option<_>>()?;
    Some((Group { moment, base: line.base, entries }, prev))
}

/// The moment, base and sum before of a line that was checked, without its entries.
pub(super) fn skim(line: &[u8]) -> Option<(Moment, u64, u64)> {
    let line: Line<'_, serde::de::IgnoredAny> = serde_json::from_slice(line).ok()?;
    let prev = u64::from_str_radix(&line.prev, 16).ok()?;
    let modified = Modified { seconds: line.seconds, nanoseconds: line.nanoseconds };
    let moment = Moment { boot: line.boot.into_owned(), inode: line.directory, modified };
    Some((moment, line.base, prev))
}

impl Entry {
    pub(super) const fn id(&self) -> SessionId {
        match self {
            Self::Row(id, _) | Self::Broken(id) | Self::Gone(id) => *id,
        }
    }
}

impl<'a> Item<&'a Session> {
    fn of(entry: &'a Entry) -> Self {
        let nothing = |id| Self {
            id,
            gone: false,
            broken: false,
            whole: None,
            line: None,
            hash: None,
            damaged: Vec::new(),
            session: None,
        };
        match entry {
            Entry::Gone(id) => Self { gone: true, ..nothing(*id) },
            Entry::Broken(id) => Self { broken: true, ..nothing(*id) },
            Entry::Row(id, row) => Self {
                whole: Some(row.whole),
                line: Some(row.anchor.offset),
                hash: Some(row.anchor.hash),
                damaged: (row.spots.iter())
                    .map(|spot| (spot.offset, spot.reason.clone()))
                    .collect(),
                session: Some(&row.session),
                ..nothing(*id)
            },
        }
    }
}

impl Item<&RawValue> {
    fn into_entry(self) -> Option<Entry> {
        if self.gone {
            return Some(Entry::Gone(self.id));
        }
        if self.broken {
            return Some(Entry::Broken(self.id));
        }
        let session: Session = serde_json::from_str(self.session?.get()).ok()?;
        let spots = self.damaged.into_iter().map(|(offset, reason)| Spot { offset, reason });
        let row = Row {
            whole: self.whole?,
            anchor: Anchor { offset: self.line?, hash: self.hash? },
            session: Arc::new(session),
            spots: spots.collect(),
        };
        Some(Entry::Row(self.id, row))
    }
}

/// Words of eight bytes, one after the other: every change of one of them changes the sum.
fn sum(bytes: &[u8]) -> u64 {
    let mix =
        |sum: u64, word: u64| (sum ^ word).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29);
    let (words, rest) = bytes.as_chunks::<8>();
    let sum =
        words.iter().fold(bytes.len() as u64, |sum, word| mix(sum, u64::from_le_bytes(*word)));
    rest.iter().fold(sum, |sum, byte| mix(sum, u64::from(*byte)))
}
