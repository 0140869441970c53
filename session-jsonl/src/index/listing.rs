//! All sessions at one moment, as the rows have them and as the files say that had to be looked at.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, RwLockReadGuard};

use session_core::{Damage, SessionId, SessionName};

use super::Index;
use super::group::{self, Entry, Row};
use super::state::State;
use crate::directory::{Loaded, View};
use crate::error::ReadError;

/// All sessions at one moment.
#[derive(Debug)]
pub(crate) struct Listing<'a> {
    pub(super) state: RwLockReadGuard<'a, State>,
    /// What was found in the files of sessions that were looked at.
    looked_at: BTreeMap<SessionId, Option<Row>>,
    /// Files that cannot be read.
    pub(crate) unreadable: Vec<ReadError>,
    /// Damage of files without a session that can be read.
    pub(crate) damaged: Vec<Damage>,
}

impl Index {
    /// Looks at the files of sessions of which the rows may not be true.
    pub(super) fn look<'a>(
        &'a self,
        view: &View<'_>,
        state: RwLockReadGuard<'a, State>,
        with_entries: bool,
    ) -> Result<(Listing<'a>, Vec<Entry>), ReadError> {
        let mut entries = Vec::new();
        let mut doubtful: BTreeSet<_> =
            state.doubtful.union(state.rows.broken()).copied().collect();
        if let Some(pending) = &view.pending {
            doubtful.extend(pending.appends.keys());
        }
        let mut listing = Listing {
            state,
            looked_at: BTreeMap::new(),
            unreadable: Vec::new(),
            damaged: Vec::new(),
        };
        for id in doubtful {
            let found = view.load(id);
            if with_entries {
                entries.push(entry(id, &found));
            }
            let row = match found {
                Ok(loaded) => {
                    let row = loaded.as_deref().and_then(Row::of);
                    if let (None, Some(loaded)) = (&row, &loaded) {
                        listing.damaged.extend(loaded.damage());
                    }
                    row
                }
                Err(error) => {
                    listing.unreadable.push(error);
                    None
                }
            };
            listing.looked_at.insert(id, row);
        }
        Ok((listing, entries))
    }
}

impl Row {
    pub(super) fn of(loaded: &Loaded) -> Option<Self> {
        let session = loaded.readable()?;
        Some(Self {
            whole: loaded.whole(),
            anchor: loaded.anchor()?,
            session: Arc::new(group::reduced(session)),
            spots: loaded.replay().spots(),
        })
    }

    /// Whether the session's file is as it was when this was learnt.
    pub(crate) fn is_of(&self, loaded: &Loaded) -> bool {
        self.whole == loaded.whole() && Some(self.anchor) == loaded.anchor()
    }
}

impl Listing<'_> {
    /// All sessions, by id, but those that were looked at come last.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (SessionId, &Row)> {
        let known = self.state.rows.all().iter();
        let known =
            known.filter(|(id, _)| self.looked_at.is_empty() || !self.looked_at.contains_key(id));
        let found = self.looked_at.iter().filter_map(|(id, row)| Some((id, row.as_ref()?)));
        known.chain(found).map(|(id, row)| (*id, row))
    }

    /// What is known of one.
    pub(crate) fn row(&self, id: SessionId) -> Option<&Row> {
        match self.looked_at.get(&id) {
            Some(found) => found.as_ref(),
            None => self.state.rows.all().get(&id),
        }
    }

    /// Whether anything is known of one, if only that its file was looked at.
    pub(super) fn knows(&self, id: SessionId) -> bool {
        self.looked_at.contains_key(&id) || self.state.rows.all().contains_key(&id)
    }

    /// Those with this name, and perhaps others.
    pub(crate) fn named(&self, name: &SessionName) -> Vec<SessionId> {
        let found = self.looked_at.keys().copied();
        self.unique(self.state.rows.named(name).chain(found))
    }

    /// Those that this session started, and perhaps others.
    pub(crate) fn children(&self, parent: SessionId) -> Vec<SessionId> {
        let found = self.looked_at.iter().filter(|(_, row)| {
            row.as_ref().is_some_and(|row| row.session.identity.parent == Some(parent))
        });
        let known = self.state.rows.children(parent);
        let known = known.filter(|id| !self.looked_at.contains_key(id));
        self.unique(known.chain(found.map(|(id, _)| *id)))
    }

    fn unique(&self, ids: impl Iterator<Item = SessionId>) -> Vec<SessionId> {
        ids.collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// Refuses to go on while what some file holds, a name for instance, is not known.
    ///
    /// # Errors
    /// What the disk said of such a file.
    pub(crate) fn known(mut self) -> Result<Self, ReadError> {
        match self.unreadable.iter().position(ReadError::is_io) {
            Some(at) => Err(self.unreadable.swap_remove(at)),
            None => Ok(self),
        }
    }
}

/// What was found in the file of a session.
pub(super) fn entry(id: SessionId, found: &Result<Option<Arc<Loaded>>, ReadError>) -> Entry {
    match found {
        Err(_) => Entry::Broken(id),
        Ok(None) => Entry::Gone(id),
        Ok(Some(loaded)) => match (Row::of(loaded), loaded.session()) {
            (Some(row), _) => Entry::Row(id, row),
            (None, Ok(None)) => Entry::Gone(id),
            (None, _) => Entry::Broken(id),
        },
    }
}
