//! `session store info`: what kind of store it is, where, and how much it holds.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde::Serialize;
use session_core::{Deduplication, Durability, Status, StoreInfo, StoreStats, Timestamp};

use crate::backend;
use crate::backups::{self, Kept};
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::text::{ago, fields};
use crate::system;

#[derive(Serialize)]
struct Report {
    store: Object,
    backups: Vec<Kept>,
}

/// A store, for programs. What nothing is known of, because there is no store yet, is null.
#[derive(Default, Serialize)]
struct Object {
    kind: &'static str,
    location: PathBuf,
    exists: bool,
    format_version: Option<i64>,
    generation: Option<u64>,
    durability: Option<&'static str>,
    /// `history`, or the number of bytes at the end of one.
    deduplication: Option<Reach>,
    bytes: Option<u64>,
    sessions: Option<BTreeMap<Status, u64>>,
    trashed: Option<u64>,
    tombstones: Option<u64>,
    records: Option<u64>,
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum Reach {
    /// The whole history.
    History,
    /// So many bytes at its end.
    RecentBytes(u64),
}

pub(super) fn run(invocation: &Invocation) -> Result<Code, CliError> {
    let plan = &invocation.plan;
    let mut object = Object {
        kind: plan.store.as_str(),
        location: backend::location(plan),
        ..Object::default()
    };
    if let Some(store) = backend::look(plan)? {
        object.fill(&store.info(), store.stats()?, plan.durability);
    }
    let backups = backups::kept(&plan.data_dir)?;
    if invocation.out.is_json() {
        invocation.out.object(&Report { store: object, backups })?;
        return Ok(Code::Done);
    }
    let mut lines = object.described();
    lines.extend(described(&backups, system::now()));
    invocation.out.text(&fields(lines))?;
    if !backups.is_empty() {
        invocation.out.note("backups stay until you remove them, as any file: `rm -r`");
    }
    Ok(Code::Done)
}

/// How many there are, and each of them.
fn described(backups: &[Kept], now: Timestamp) -> Vec<(&'static str, String)> {
    let bytes: u64 = backups.iter().map(|kept| kept.bytes).sum();
    let mut lines = Vec::new();
    if !backups.is_empty() {
        lines.push(("backups", format!("{}, {bytes} bytes", backups.len())));
    }
    lines.extend(backups.iter().map(|Kept { path, bytes, modified_at }| {
        ("", format!("{}, {bytes} bytes, {}", path.display(), ago(*modified_at, now)))
    }));
    lines
}

impl Object {
    /// Durability is that of what this command would write: the store itself has none.
    fn fill(&mut self, info: &StoreInfo, stats: StoreStats, durability: Durability) {
        self.exists = true;
        self.format_version = Some(info.schema_version);
        self.generation = Some(info.generation);
        self.durability = Some(match durability {
            Durability::Full => "full",
            Durability::Normal => "normal",
        });
        self.deduplication = match info.deduplication {
            Deduplication::History => Some(Reach::History),
            Deduplication::Recent { bytes } => Some(Reach::RecentBytes(bytes)),
            _ => None,
        };
        self.bytes = stats.bytes;
        self.sessions = Some(stats.sessions);
        self.trashed = Some(stats.trashed);
        self.tombstones = Some(stats.tombstones);
        self.records = Some(stats.records);
    }

    fn described(&self) -> Vec<(&'static str, String)> {
        let mut lines =
            vec![("kind", self.kind.to_owned()), ("location", self.location.display().to_string())];
        if !self.exists {
            lines.push(("sessions", "nothing stored yet".to_owned()));
        }
        let mut add = |name, value: Option<String>| lines.extend(value.map(|value| (name, value)));
        add("format", self.format_version.map(|version| version.to_string()));
        add("generation", self.generation.map(|number| number.to_string()));
        add("durability", self.durability.map(str::to_owned));
        add(
            "duplicates",
            self.deduplication.as_ref().map(|reach| match reach {
                Reach::History => "found in the whole history".to_owned(),
                Reach::RecentBytes(bytes) => format!("found in the last {bytes} bytes at least"),
            }),
        );
        add("bytes", self.bytes.map(|bytes| bytes.to_string()));
        add("sessions", self.sessions.as_ref().map(counted));
        add("in the trash", self.trashed.map(|number| number.to_string()));
        add("destroyed", self.tombstones.map(|number| number.to_string()));
        add("records", self.records.map(|number| number.to_string()));
        lines
    }
}

fn counted(sessions: &BTreeMap<Status, u64>) -> String {
    let all: u64 = sessions.values().sum();
    let each: Vec<_> =
        sessions.iter().map(|(status, number)| format!("{number} {status}")).collect();
    if each.is_empty() { all.to_string() } else { format!("{all} ({})", each.join(", ")) }
}
