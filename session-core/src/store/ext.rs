//! What every store can do by means of its few methods.

use std::collections::VecDeque;

use crate::record::{Body, Message};
use crate::{
    Damage, Page, Query, Reading, Record, Removal, Scope, Selector, Seq, Session, SessionId,
    SessionStore, StoreError, Timestamp,
};

/// What every store can do by means of its few methods.
pub trait SessionStoreExt: SessionStore {
    /// The one session that the selector means, never one in the trash.
    ///
    /// # Errors
    /// `NotFound`; `Ambiguous`, which lists candidates; whatever the backend reports.
    fn find(&self, selector: &Selector) -> Result<Session, StoreError> {
        if let Some(id) = selector.as_id() {
            match self.get(id) {
                Ok(session) if session.is_trashed() => return Err(StoreError::Trashed { id }),
                Err(StoreError::NotFound { .. }) => {}
                found => return found,
            }
        }
        if let Some(name) = selector.as_name() {
            let named = self.named(&name)?;
            let holder = named.iter().position(Session::claims_name);
            if let Some(session) = named.into_iter().nth(holder.unwrap_or(0)) {
                return Ok(session);
            }
        }
        let found = match selector.as_fragment() {
            Some(fragment) => self.matching(&fragment)?,
            None => Vec::new(),
        };
        one_of(found, selector)
    }

    /// The one session in the trash that the selector means: by id, by name (the last removed one), or by a unique
    /// beginning or end of its id.
    ///
    /// # Errors
    /// `NotFound`, also when the session is not in the trash; `Corrupt` when it may be one in the trash that cannot
    /// be read; `Ambiguous`; whatever the backend reports.
    fn find_trashed(&self, selector: &Selector) -> Result<Session, StoreError> {
        // Nothing that is asked for depends on who looks.
        let observer = crate::Observer { now: Timestamp::from_millis(0), live_host: None };
        let mut query = Query::new(observer);
        query.scope = Scope::Trash;
        let Page { sessions: mut trashed, damaged, .. } = self.list(&query)?;
        trashed.sort_by_key(|session| std::cmp::Reverse(session.lifecycle.trashed_at));
        let (name, fragment) = (selector.as_name(), selector.as_fragment());
        let by_name = |session: &Session| name.is_some() && session.name() == name.as_ref();
        let by_part = |session: &Session| {
            fragment.as_ref().is_some_and(|fragment| fragment.matches(session.id()))
        };
        if let Some(index) = trashed
            .iter()
            .position(|session| Some(session.id()) == selector.as_id() || by_name(session))
        {
            return Ok(trashed.swap_remove(index));
        }
        trashed.retain(by_part);
        one_of(trashed, selector).map_err(|error| match (error, damaged.into_iter().next()) {
            (StoreError::NotFound { .. }, Some(Damage { place, reason })) => {
                StoreError::Corrupt { place, reason }
            }
            (error, _) => error,
        })
    }

    /// The sessions that [`remove_all`](SessionStore::remove_all) would move to the trash now, by id, on one page, with
    /// what could not be read.
    ///
    /// # Errors
    /// Whatever the backend reports.
    fn removable(&self, removal: &Removal) -> Result<Page, StoreError> {
        let mut query = Query::new(removal.observer.clone());
        query.scope = Scope::All;
        let Page { mut sessions, damaged, .. } = self.list(&query)?;
        sessions.sort_by_key(Session::id);
        let sessions = super::rules::removable(&sessions, removal).into_iter().cloned().collect();
        Ok(Page { sessions, next: None, damaged })
    }

    /// Reads a session, lets `change` edit it, and stores it; when somebody else was faster, all over again.
    ///
    /// # Errors
    /// What `change` returns; what `get` and `update` return, a conflict excepted.
    fn update_with<E: From<StoreError>>(
        &self,
        id: SessionId,
        at: Timestamp,
        mut change: impl FnMut(&mut Session) -> Result<(), E>,
    ) -> Result<Session, E> {
        loop {
            let mut session = self.get(id)?;
            change(&mut session)?;
            match self.update(session, at) {
                Err(StoreError::Conflict { .. }) => {}
                stored => return Ok(stored?),
            }
        }
    }

    /// The records of a stretch one after the other, read page by page: as much memory as one page takes.
    fn history(&self, id: SessionId, reading: Reading) -> History<'_, Self> {
        let left = reading.limit.map(|limit| limit.get());
        History {
            store: self,
            id,
            next: Some(reading),
            left,
            page: VecDeque::new(),
            damaged: Vec::new(),
        }
    }

    /// What a model is handed: the last checkpoint's messages, and all messages after what it covers.
    ///
    /// Whoever sums it up appends a checkpoint that covers [`Context::through`]. A checkpoint that was adopted counts as
    /// covering no more than what is before it, whatever it says.
    ///
    /// # Errors
    /// As [`RecordStore::read`](super::RecordStore::read).
    fn context(&self, id: SessionId) -> Result<Context, StoreError> {
        let mut context = Context::default();
        let mut from = Seq::FIRST;
        if let Some(last) = self.get(id)?.totals().last_checkpoint {
            let page = self.read(id, &Reading { from: last, to: last, ..Reading::ALL })?;
            context.damaged.extend(page.damaged);
            for record in page.records {
                if let Body::Checkpoint(checkpoint) = record.entry.body {
                    let messages = checkpoint.messages();
                    context.messages = messages.into_iter().map(|it| (last, it)).collect();
                    context.checkpoint = Some(last);
                    let covers = checkpoint.covers.and_then(|it| Some(it.min(last.previous()?)));
                    from = covers.map_or(from, Seq::next);
                }
            }
        }
        let mut history = self.history(id, Reading::from(from));
        for record in history.by_ref() {
            let record = record?;
            context.through = Some(record.seq);
            if let Body::Message(message) = record.entry.body {
                context.messages.push((record.seq, message));
            }
        }
        context.damaged.append(&mut history.damaged);
        Ok(context)
    }
}

impl<S: SessionStore + ?Sized> SessionStoreExt for S {}

/// What a model is handed of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Context {
    /// The checkpoint that stands for the beginning, if there is one.
    pub checkpoint: Option<Seq>,
    /// The last record that was looked at, whether or not it is a message: all of this stands for what is up to it.
    pub through: Option<Seq>,
    /// The messages, in order, each with the number of its record: for those that a checkpoint hands on, its own.
    pub messages: Vec<(Seq, Message)>,
    /// Records that could not be read and therefore may be missing above.
    pub damaged: Vec<Damage>,
}

/// The records of a stretch, one after the other.
#[derive(Debug)]
pub struct History<'a, S: ?Sized> {
    store: &'a S,
    id: SessionId,
    next: Option<Reading>,
    left: Option<u32>,
    page: VecDeque<Record>,
    damaged: Vec<Damage>,
}

impl<S: ?Sized> History<'_, S> {
    /// Records that could not be read so far and therefore were left out.
    #[must_use]
    pub fn damaged(&self) -> &[Damage] {
        &self.damaged
    }
}

impl<S: SessionStore + ?Sized> History<'_, S> {
    /// Reads the first page now, where nothing was read yet, so that what is wrong is known before any record is given.
    pub(crate) fn begin(&mut self) -> Result<(), StoreError> {
        self.turn().unwrap_or(Ok(()))
    }

    /// Reads the next page, unless the last one was read.
    fn turn(&mut self) -> Option<Result<(), StoreError>> {
        let reading = self.next.take()?;
        Some(self.store.read(self.id, &reading).map(|page| {
            self.page.extend(page.records);
            self.damaged.extend(page.damaged);
            self.next = page.next;
        }))
    }
}

impl<S: SessionStore + ?Sized> Iterator for History<'_, S> {
    type Item = Result<Record, StoreError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left == Some(0) {
            return None;
        }
        loop {
            if let Some(record) = self.page.pop_front() {
                self.left = self.left.map(|left| left - 1);
                return Some(Ok(record));
            }
            if let Err(error) = self.turn()? {
                return Some(Err(error));
            }
        }
    }
}

fn one_of(mut found: Vec<Session>, selector: &Selector) -> Result<Session, StoreError> {
    match found.len() {
        0 => Err(StoreError::NotFound { selector: selector.as_str().to_owned() }),
        1 => Ok(found.remove(0)),
        _ => Err(StoreError::Ambiguous {
            selector: selector.as_str().to_owned(),
            candidates: found
                .into_iter()
                .map(|session| (session.id(), session.identity.name))
                .collect(),
        }),
    }
}
