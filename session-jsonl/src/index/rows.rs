//! What is known of all sessions, found by what is asked for.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use session_core::{SessionId, SessionName};

use super::group::{Entry, Row};

/// What is known of all sessions.
#[derive(Debug, Default)]
pub(super) struct Rows {
    rows: BTreeMap<SessionId, Row>,
    /// Files without a session that can be read.
    broken: BTreeSet<SessionId>,
    names: HashMap<SessionName, BTreeSet<SessionId>>,
    children: HashMap<SessionId, BTreeSet<SessionId>>,
}

impl Rows {
    pub(super) fn put(&mut self, entry: Entry) {
        self.take(entry.id());
        match entry {
            Entry::Gone(_) => {}
            Entry::Broken(id) => {
                self.broken.insert(id);
            }
            Entry::Row(id, row) => {
                if let Some(name) = row.session.name() {
                    self.names.entry(name.clone()).or_default().insert(id);
                }
                if let Some(parent) = row.session.identity.parent {
                    self.children.entry(parent).or_default().insert(id);
                }
                self.rows.insert(id, row);
            }
        }
    }

    fn take(&mut self, id: SessionId) {
        self.broken.remove(&id);
        let Some(row) = self.rows.remove(&id) else { return };
        if let Some(name) = row.session.name()
            && let Some(ids) = self.names.get_mut(name)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.names.remove(name);
            }
        }
        if let Some(parent) = row.session.identity.parent
            && let Some(ids) = self.children.get_mut(&parent)
        {
            ids.remove(&id);
            if ids.is_empty() {
                self.children.remove(&parent);
            }
        }
    }

    pub(super) const fn all(&self) -> &BTreeMap<SessionId, Row> {
        &self.rows
    }

    pub(super) const fn broken(&self) -> &BTreeSet<SessionId> {
        &self.broken
    }

    pub(super) fn named(&self, name: &SessionName) -> impl Iterator<Item = SessionId> {
        self.names.get(name).into_iter().flatten().copied()
    }

    pub(super) fn children(&self, parent: SessionId) -> impl Iterator<Item = SessionId> {
        self.children.get(&parent).into_iter().flatten().copied()
    }

    /// Everything, as it would be written anew.
    pub(super) fn entries(&self) -> impl Iterator<Item = Entry> {
        let rows = self.rows.iter().map(|(id, row)| Entry::Row(*id, row.clone()));
        rows.chain(self.broken.iter().map(|id| Entry::Broken(*id)))
    }
}
