//! The model: rows in a map, and the contract in its plainest form. Shares no rule with the core.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use session_core::{Scope, Sort, Status};

use super::operation::{Call, Cleanup, Edit, Expected, IDS, Listing, NAMES, Operation, Wanted};
use super::row::Row;

/// What the store must hold.
#[derive(Clone, Debug, Default)]
pub(super) struct Reference {
    pub(super) rows: BTreeMap<u32, Row>,
    /// When what was destroyed was destroyed.
    pub(super) graves: BTreeMap<u32, i64>,
}

/// What the store must answer. Sessions are given by the numbers of their ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    Stored(u32),
    Swept(BTreeSet<u32>),
    Buried,
    Appended {
        seqs: Vec<u64>,
        repeats: Vec<usize>,
        revision: u64,
        title: Option<String>,
    },
    /// Numbers of records.
    Read(Vec<u64>),
    Context {
        checkpoint: Option<u64>,
        /// The number of the last record; 0 for none.
        through: u64,
        /// The texts of the messages, with the numbers of their records.
        texts: Vec<(u64, String)>,
    },
    /// Sessions and numbers of records.
    Hits(Vec<(u32, u64)>),
    Listed(Vec<u32>),
    Found(u32),
    Reopened,
    Refused(Refusal),
}

/// How the store must refuse.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    NotFound,
    IdExists,
    Purged(i64),
    Invalid,
    Ended(Status),
    NotTrashed,
    NameHeld { holder: u32 },
    Trashed,
    Conflict { expected: u64, found: u64 },
    Immutable(&'static str),
    Transition { from: Status, to: Status },
    StillRunning,
    RunningChildren(BTreeSet<u32>),
    Ambiguous(Vec<u32>),
}

impl Reference {
    /// Does to the model what the operation does to the store.
    pub(super) fn perform(&mut self, operation: &Operation) -> Outcome {
        let now = operation.at;
        let outcome = match &operation.call {
            Call::Create(id, draft) => self.create(Row::new(*id, now, draft)),
            Call::Update(id, edit, expected) => self.update(*id, edit, *expected, now),
            Call::Remove(id, host) => self.remove(*id, now, *host),
            Call::RemoveAll(cleanup) => Ok(self.remove_all(cleanup, now)),
            Call::Restore(id) => self.restore(*id, now),
            Call::Purge(id) => self.purge(*id, now),
            Call::Sweep(host) => Ok(self.sweep(now, *host)),
            Call::Append(id, batch) => self.append(*id, batch, now),
            Call::Read(id, stretch) => self.read(*id, stretch),
            Call::Context(id) => self.context(*id),
            Call::Search(asked) => Ok(self.search(asked)),
            Call::FindTrashed(wanted) => self.find_trashed(*wanted).map(Outcome::Found),
            Call::List(listing) => Ok(Outcome::Listed(self.list(listing, now))),
            Call::Named(name) => Ok(Outcome::Listed(self.named(*name))),
            Call::Find(wanted) => self.find(*wanted).map(Outcome::Found),
            Call::Reopen | Call::ReopenAll | Call::DropAll => Ok(Outcome::Reopened),
        };
        outcome.unwrap_or_else(Outcome::Refused)
    }

    /// What a writer hands to the store: what it read, edited, and the revision that it claims to have read.
    pub(super) fn request(&self, id: u32, edit: &Edit, expected: Expected, now: i64) -> Row {
        let mut row = self.rows.get(&id).cloned().unwrap_or_else(|| Row::unknown(id));
        row.edit(edit, now);
        match expected {
            Expected::Stored => {}
            Expected::Older => row.revision -= 1,
            Expected::Newer => row.revision += 1,
        }
        row
    }

    /// Other sessions that have the name that a session claims, and claim it too.
    fn rivals(&self, row: &Row) -> impl Iterator<Item = &Row> {
        let (id, name) = (row.id, row.name.filter(|_| row.claims_name()));
        self.rows.values().filter(move |other| {
            name.is_some() && other.name == name && other.id != id && other.claims_name()
        })
    }

    /// Stores a row, whose name must be free or held by nobody but sessions past their deadline.
    fn store(&mut self, row: Row, now: i64) -> Result<Outcome, Refusal> {
        let id = row.id;
        let rivals: Vec<u32> = self.rivals(&row).map(|rival| rival.id).collect();
        if let Some(holder) = rivals.iter().find(|rival| !self.rows[rival].is_overdue(now)) {
            return Err(Refusal::NameHeld { holder: *holder });
        }
        for rival in self.rows.values_mut().filter(|row| rivals.contains(&row.id)) {
            rival.expire();
            rival.updated = now;
            rival.revision += 1;
        }
        self.rows.insert(id, row);
        Ok(Outcome::Stored(id))
    }

    fn create(&mut self, row: Row) -> Result<Outcome, Refusal> {
        if row.is_misnamed() {
            return Err(Refusal::Invalid);
        }
        if let Some(at) = self.graves.get(&row.id) {
            return Err(Refusal::Purged(*at));
        }
        if self.rows.contains_key(&row.id) {
            return Err(Refusal::IdExists);
        }
        let now = row.created;
        self.store(row, now)
    }

    fn update(
        &mut self,
        id: u32,
        edit: &Edit,
        expected: Expected,
        now: i64,
    ) -> Result<Outcome, Refusal> {
        let mut row = self.request(id, edit, expected, now);
        let stored = self.rows.get(&id).ok_or(Refusal::NotFound)?;
        if row.is_misnamed() {
            return Err(Refusal::Invalid);
        }
        if stored.trashed.is_some() {
            return Err(Refusal::Trashed);
        }
        if row.revision != stored.revision {
            return Err(Refusal::Conflict { expected: row.revision, found: stored.revision });
        }
        if row.created != stored.created {
            return Err(Refusal::Immutable("created_at"));
        }
        if row.trashed.is_some() {
            return Err(Refusal::Immutable("trashed_at"));
        }
        if !may_become(stored.status, row.status) {
            return Err(Refusal::Transition { from: stored.status, to: row.status });
        }
        row.revision += 1;
        row.updated = now;
        self.store(row, now)
    }

    fn remove(&mut self, id: u32, now: i64, host: Option<usize>) -> Result<Outcome, Refusal> {
        let stored = self.rows.get(&id).ok_or(Refusal::NotFound)?;
        if stored.trashed.is_some() {
            return Err(Refusal::Trashed);
        }
        if stored.observed(now, host).is_live() {
            return Err(Refusal::StillRunning);
        }
        let running = self.running_children(id, now, host);
        if !running.is_empty() {
            return Err(Refusal::RunningChildren(running));
        }
        self.trash(id, now, host);
        Ok(Outcome::Stored(id))
    }

    fn running_children(&self, id: u32, now: i64, host: Option<usize>) -> BTreeSet<u32> {
        let children = self.rows.values().filter(|child| {
            child.parent == Some(id)
                && child.trashed.is_none()
                && child.observed(now, host).is_live()
        });
        children.map(|child| child.id).collect()
    }

    fn trash(&mut self, id: u32, now: i64, host: Option<usize>) {
        let mut row = self.rows[&id].observed(now, host);
        row.trashed = Some(now);
        row.updated = now;
        row.revision += 1;
        self.rows.insert(id, row);
    }

    fn remove_all(&mut self, cleanup: &Cleanup, now: i64) -> Outcome {
        let host = cleanup.host;
        let goes = |row: &&Row| {
            let seen = row.observed(now, host);
            row.trashed.is_none()
                && (cleanup.statuses.is_empty() || cleanup.statuses.contains(&seen.status))
                && cleanup.inactive_since.is_none_or(|since| seen.active < since)
                && (!cleanup.only_empty || seen.is_empty())
                && !seen.is_live()
                && self.running_children(row.id, now, host).is_empty()
        };
        let going: Vec<u32> = self.rows.values().filter(goes).map(|row| row.id).collect();
        going.iter().for_each(|id| self.trash(*id, now, host));
        Outcome::Listed(going)
    }

    fn trashed(&self, id: u32) -> Result<&Row, Refusal> {
        let row = self.rows.get(&id).ok_or(Refusal::NotFound)?;
        if row.trashed.is_some() { Ok(row) } else { Err(Refusal::NotTrashed) }
    }

    fn restore(&mut self, id: u32, now: i64) -> Result<Outcome, Refusal> {
        let mut row = self.trashed(id)?.clone();
        row.trashed = None;
        row.updated = now;
        row.revision += 1;
        self.store(row, now)
    }

    fn purge(&mut self, id: u32, now: i64) -> Result<Outcome, Refusal> {
        self.trashed(id)?;
        self.rows.remove(&id);
        self.graves.insert(id, now);
        Ok(Outcome::Buried)
    }

    fn sweep(&mut self, now: i64, host: Option<usize>) -> Outcome {
        let mut swept = BTreeSet::new();
        for row in self.rows.values_mut().filter(|row| row.trashed.is_none()) {
            let mut seen = row.observed(now, host);
            if seen != *row {
                seen.updated = now;
                seen.revision += 1;
                swept.insert(row.id);
                *row = seen;
            }
        }
        Outcome::Swept(swept)
    }

    fn list(&self, listing: &Listing, now: i64) -> Vec<u32> {
        let mut rows: Vec<&Row> = self
            .rows
            .values()
            .filter(|row| row.trashed.is_some() == (listing.scope == Scope::Trash))
            .filter(|row| listing.shows(&row.observed(now, listing.host)))
            .collect();
        match listing.sort {
            Sort::Updated => rows.sort_by_key(|row| Reverse((row.updated, row.id))),
            Sort::Created => rows.sort_by_key(|row| Reverse((row.created, row.id))),
            Sort::Name => {
                rows.sort_by_key(|row| (row.name.map_or("", |name| NAMES[name]), Reverse(row.id)));
            }
        }
        rows.into_iter().map(|row| row.id).collect()
    }

    /// Ids outside the trash, the last created first.
    fn newest(&self, filter: impl Fn(&Row) -> bool) -> Vec<u32> {
        let mut rows: Vec<&Row> =
            self.rows.values().filter(|row| row.trashed.is_none() && filter(row)).collect();
        rows.sort_by_key(|row| Reverse((row.created, row.id)));
        rows.into_iter().map(|row| row.id).collect()
    }

    fn named(&self, name: usize) -> Vec<u32> {
        self.newest(|row| row.name == Some(name))
    }

    fn find(&self, wanted: Wanted) -> Result<u32, Refusal> {
        let found = match wanted {
            Wanted::Id(id) => {
                let row = self.rows.get(&id).ok_or(Refusal::NotFound)?;
                return if row.trashed.is_some() { Err(Refusal::Trashed) } else { Ok(id) };
            }
            Wanted::Name(name) => {
                let named = self.named(name);
                let holder = named.iter().find(|id| self.rows[id].claims_name());
                if let Some(id) = holder.or(named.first()) {
                    return Ok(*id);
                }
                // Only the name that looks like the end of an id can still mean something.
                self.newest(|row| (0..IDS).contains(&row.id) && NAMES[name] == end(row.id))
            }
            // The end of an id is looked up as a name first.
            Wanted::End(id) => match NAMES.iter().position(|name| *name == end(id)) {
                Some(name) => return self.find(Wanted::Name(name)),
                None => self.newest(|row| row.id == id),
            },
            Wanted::Beginning => self.newest(|_| true),
        };
        one_of(found)
    }

    fn find_trashed(&self, wanted: Wanted) -> Result<u32, Refusal> {
        let mut trashed: Vec<&Row> =
            self.rows.values().filter(|row| row.trashed.is_some()).collect();
        trashed.sort_by_key(|row| Reverse((row.trashed, row.id)));
        let name = match wanted {
            Wanted::Name(name) => Some(name),
            Wanted::End(id) => NAMES.iter().position(|name| *name == end(id)),
            Wanted::Id(_) | Wanted::Beginning => None,
        };
        if let Some(row) = trashed.iter().find(|row| name.is_some() && row.name == name) {
            return Ok(row.id);
        }
        let is_wanted = |row: &&&Row| match wanted {
            Wanted::Id(id) => row.id == id,
            Wanted::Name(name) => NAMES[name] == end(row.id),
            Wanted::End(id) => row.id == id,
            Wanted::Beginning => true,
        };
        one_of(trashed.iter().filter(is_wanted).map(|row| row.id).collect())
    }
}

fn one_of(found: Vec<u32>) -> Result<u32, Refusal> {
    match found[..] {
        [] => Err(Refusal::NotFound),
        [id] => Ok(id),
        _ => Err(Refusal::Ambiguous(found)),
    }
}

impl Listing {
    fn shows(&self, row: &Row) -> bool {
        let hidden = row.launch.is_some_and(|launch| launch.internal) || row.is_empty();
        let is_current = if self.statuses.is_empty() {
            !row.is_final()
        } else {
            self.statuses.contains(&row.status)
        };
        let in_scope = match self.scope {
            Scope::All | Scope::Trash => {
                self.statuses.is_empty() || self.statuses.contains(&row.status)
            }
            Scope::Current => is_current && !hidden,
        };
        in_scope
            && (self.label.is_none() || self.label == row.label)
            && (self.parent.is_none() || self.parent == row.parent)
            && (self.elsewhere.is_none()
                || self.elsewhere == row.launch.map(|launch| launch.elsewhere))
            && (!self.tooled || row.launch.is_some_and(|launch| launch.tooled))
            && (!self.leased || row.lease.is_some_and(|lease| lease.role))
    }
}

/// The last eight characters of an id.
pub(super) fn end(id: u32) -> String {
    format!("{id:08}")
}

fn may_become(from: Status, to: Status) -> bool {
    from == to
        || match from {
            Status::Pending => true,
            Status::Running => to != Status::Pending,
            Status::Completed | Status::Failed => {
                matches!(to, Status::Running | Status::Closed | Status::Expired)
            }
            Status::Closed | Status::Expired => false,
        }
}
