//! Rules of the contract that need no storage, so that every backend decides alike.
//!
//! Whoever writes a backend reads, decides and writes in one transaction, which no other writer of the store enters:
//!
//! | method | read in the transaction | rule | write |
//! |---|---|---|---|
//! | `create` | whether the id is stored or has a tombstone; if the result [claims its name](Session::claims_name), all others outside the trash with that name | [`created`], then [`contest`] with each of those | what `contest` returned, and the session |
//! | `update` | the stored session; if [`takes_name`], all others with the name | [`updated`], [`takes_name`], [`contest`] as above | what `contest` returned, and the session |
//! | `append` | the stored session; the numbers of those ids that its history has, as far as the backend declares | [`appended`] | nothing when its `session` is `None`; else the session and the records of `fresh` |
//! | `remove` | the stored session and its direct children | [`removed`] | the session |
//! | `remove_all` | all sessions outside the trash | [`removable`], then [`removed`] without children for each | all of them in one step |
//! | `restore` | the stored session; if the result claims its name, all others with it | [`restored`], [`contest`] as above | what `contest` returned, and the session |
//! | `sweep` | all sessions outside the trash | [`swept`] for each | each that it returned; they may be written one by one |
//! | `purge` | the stored session, which must be in the trash | [`Tombstone::new`] | the tombstone, and nothing else of the session |
//! | `adopt` | as `create` | [`in_order`] for each record, then [`adopted`] with their number; if it claims its name, [`unheld`] | the session and its records as they are |
//! | `bury` | whether the id is stored or has a tombstone | [`buried`] | the tombstone, unless one is there |
//!
//! `contest` and `unheld` may be given more sessions than those of the name. What is written has the revision and the
//! times that the rule gave it; a session that is not there is `NotFound`, a stored or buried id `IdExists` or `Purged`.

use std::collections::{BTreeMap, BTreeSet};

use crate::json::stray_reason;
use crate::record::{Body, Checkpoint};
use crate::title::title_of;
use crate::{
    Entry, Launch, Observer, Record, RecordId, Removal, Revision, Role, Seq, Session, SessionId,
    StoreError, Timestamp, Tombstone, Totals,
};

/// The session as `create` stores it.
///
/// # Errors
/// `Invalid` when it could not be read back.
pub fn created(session: Session) -> Result<Session, StoreError> {
    if session.is_trashed() {
        let reason = "it is in the trash, where only a removal puts it".into();
        return Err(StoreError::Invalid { id: session.id(), reason });
    }
    let mut session = storable(session)?;
    startable(&session)?;
    keep_totals(&mut session, Totals::default());
    session.lifecycle.revision = Revision(1);
    session.lifecycle.updated_at = session.lifecycle.created_at;
    Ok(session)
}

/// Totals are the store's: what anybody else says about them is put right.
fn keep_totals(session: &mut Session, totals: Totals) {
    match &mut session.conversation {
        Some(conversation) => conversation.totals = totals,
        None if totals == Totals::default() => {}
        None => session.conversation.get_or_insert_default().totals = totals,
    }
}

/// A session that every backend can write and read back as it is.
fn storable(mut session: Session) -> Result<Session, StoreError> {
    if let Some(reason) = session.fault() {
        return Err(StoreError::Invalid { id: session.id(), reason });
    }
    session.lifecycle.expiry = session.lifecycle.expiry.in_whole_millis();
    Ok(session)
}

/// Whether some system could start its program.
fn startable(session: &Session) -> Result<(), StoreError> {
    match session.launch.as_ref().and_then(Launch::fault) {
        Some(reason) => Err(StoreError::Invalid { id: session.id(), reason: reason.into() }),
        None => Ok(()),
    }
}

/// The session as `update` stores it in place of `stored`.
///
/// # Errors
/// `Trashed`, `Conflict`, `Immutable` or `Transition`, as the contract says; `Invalid` as for [`created`].
pub fn updated(stored: &Session, changed: Session, at: Timestamp) -> Result<Session, StoreError> {
    let mut changed = storable(changed)?;
    let id = stored.id();
    let (expected, found) = (changed.lifecycle.revision, stored.lifecycle.revision);
    if stored.is_trashed() {
        return Err(StoreError::Trashed { id });
    }
    if expected != found {
        return Err(StoreError::Conflict { id, expected, found });
    }
    if changed.lifecycle.created_at != stored.lifecycle.created_at {
        return Err(StoreError::Immutable { id, field: "created_at" });
    }
    if changed.is_trashed() {
        return Err(StoreError::Immutable { id, field: "trashed_at" });
    }
    (stored.status().to(changed.status()))
        .map_err(|source| StoreError::Transition { id, source })?;
    // What an older version stored must not stand in the way of another change.
    if changed.launch != stored.launch {
        startable(&changed)?;
    }
    keep_totals(&mut changed, stored.totals());
    changed.lifecycle.revision = found.next();
    changed.lifecycle.updated_at = at;
    Ok(changed)
}

/// Whether `update` of `stored` into `changed` takes a name that may have to be fought for.
#[must_use]
pub fn takes_name(stored: &Session, changed: &Session) -> bool {
    changed.claims_name() && !(stored.claims_name() && stored.name() == changed.name())
}

/// What to do about `other`, which has the name that `taker` wants at `at`: `None` when it does not hold the
/// name, the record of its expiry when its deadline has passed.
///
/// # Errors
/// `NameHeld` when it holds the name.
pub fn contest(
    taker: SessionId,
    other: &Session,
    at: Timestamp,
) -> Result<Option<Session>, StoreError> {
    let Some(name) = other.name() else { return Ok(None) };
    if other.id() == taker || !other.claims_name() {
        return Ok(None);
    }
    if other.is_overdue(at) {
        let mut expired = other.clone();
        expired.record_expired();
        expired.lifecycle.revision = expired.lifecycle.revision.next();
        expired.lifecycle.updated_at = at;
        return Ok(Some(expired));
    }
    Err(StoreError::NameHeld { name: name.clone(), holder: other.id() })
}

/// The session as `remove` stores it, given its direct children.
///
/// # Errors
/// `Trashed`, `StillRunning` or `RunningChildren`, as the contract says.
pub fn removed<'a>(
    stored: &Session,
    children: impl IntoIterator<Item = &'a Session>,
    observer: &Observer,
) -> Result<Session, StoreError> {
    let id = stored.id();
    if stored.is_trashed() {
        return Err(StoreError::Trashed { id });
    }
    let mut removed = stored.observed_by(observer).into_owned();
    if removed.has_live_process() {
        return Err(StoreError::StillRunning { id });
    }
    let running: Vec<_> = children
        .into_iter()
        .filter(|child| !child.is_trashed() && child.observed_by(observer).has_live_process())
        .map(Session::id)
        .collect();
    if !running.is_empty() {
        return Err(StoreError::RunningChildren { id, children: running });
    }
    removed.lifecycle.trashed_at = Some(observer.now);
    removed.lifecycle.updated_at = observer.now;
    removed.lifecycle.revision = removed.lifecycle.revision.next();
    Ok(removed)
}

/// Those of `sessions`, which are all outside the trash, that a removal of many moves to it, in the same order.
#[must_use]
pub fn removable<'a>(sessions: &'a [Session], removal: &Removal) -> Vec<&'a Session> {
    let observer = &removal.observer;
    let is_live = |session: &Session| session.observed_by(observer).has_live_process();
    let busy_parents: BTreeSet<SessionId> = (sessions.iter())
        .filter(|session| is_live(session))
        .filter_map(|session| session.identity.parent)
        .collect();
    let can_go = |session: &&Session| {
        removal.takes(session) && !is_live(session) && !busy_parents.contains(&session.id())
    };
    sessions.iter().filter(can_go).collect()
}

/// The session as `sweep` stores it, when the observer sees it otherwise than it is recorded.
#[must_use]
pub fn swept(stored: &Session, observer: &Observer) -> Option<Session> {
    if stored.is_trashed() {
        return None;
    }
    let mut seen = stored.observed_by(observer).into_owned();
    if seen == *stored {
        return None;
    }
    seen.lifecycle.updated_at = observer.now;
    seen.lifecycle.revision = seen.lifecycle.revision.next();
    Some(seen)
}

/// The session as `restore` stores it.
///
/// # Errors
/// `NotTrashed`, as the contract says.
pub fn restored(stored: &Session, at: Timestamp) -> Result<Session, StoreError> {
    if !stored.is_trashed() {
        return Err(StoreError::NotTrashed { id: stored.id() });
    }
    let mut restored = stored.clone();
    restored.lifecycle.trashed_at = None;
    restored.lifecycle.updated_at = at;
    restored.lifecycle.revision = restored.lifecycle.revision.next();
    Ok(restored)
}

/// A session that `adopt` may store as it is, with so many records.
///
/// # Errors
/// `Invalid`, as the contract says.
pub fn adopted(session: &Session, records: u64) -> Result<(), StoreError> {
    let invalid = |reason| Err(StoreError::Invalid { id: session.id(), reason });
    let (expiry, revision) = (session.lifecycle.expiry, session.lifecycle.revision);
    let totals = session.totals();
    match session.fault() {
        Some(reason) => invalid(reason),
        None if expiry != expiry.in_whole_millis() => {
            invalid("its idle time is not in whole milliseconds".into())
        }
        None if !(Revision(1)..=Revision::LARGEST).contains(&revision) => {
            invalid("no store gave it its revision".into())
        }
        None if totals.records != records => invalid("its totals count other records".into()),
        None if totals.messages > records => {
            invalid("its totals count more messages than records".into())
        }
        None if totals.last_checkpoint.is_some_and(|last| last.get() > records) => {
            invalid("its totals have a checkpoint behind its records".into())
        }
        None => Ok(()),
    }
}

/// A tombstone that `bury` may store as it is.
///
/// # Errors
/// `Invalid`, as the contract says.
pub fn buried(tombstone: &Tombstone) -> Result<(), StoreError> {
    match tombstone.unknown.stray::<Tombstone>() {
        Some(name) => Err(StoreError::Invalid { id: tombstone.id, reason: stray_reason(name) }),
        None => Ok(()),
    }
}

/// Whether nobody among `others` holds the name of a session that is adopted. Nobody loses a name to it, however
/// overdue.
///
/// # Errors
/// `NameHeld`, as the contract says.
pub fn unheld<'a>(
    session: &Session,
    others: impl IntoIterator<Item = &'a Session>,
) -> Result<(), StoreError> {
    let holds = |other: &&Session| other.claims_name() && other.name() == session.name();
    match (session.name(), others.into_iter().find(holds)) {
        (Some(name), Some(holder)) => {
            Err(StoreError::NameHeld { name: name.clone(), holder: holder.id() })
        }
        _ => Ok(()),
    }
}

/// What an append stores.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Append {
    /// The session as it is to be stored; `None` when nothing is new.
    pub session: Option<Session>,
    /// The entries that are new, by their index in the batch, with the numbers that they get.
    pub fresh: Vec<(usize, Seq)>,
    /// The number of each entry of the batch.
    pub seqs: Vec<Seq>,
    /// The entries that are not new, by their index in the batch, in order.
    pub repeats: Vec<usize>,
}

/// What `append` stores, given the number that each id of a record has, as far as the backend reaches.
///
/// # Errors
/// `Trashed`, `Ended` or `Invalid`, as the contract says; what `known` returns.
pub fn appended<E: From<StoreError>>(
    stored: &Session,
    entries: &[Entry],
    mut known: impl FnMut(&RecordId) -> Result<Option<Seq>, E>,
    at: Timestamp,
) -> Result<Append, E> {
    takes_records(stored, at)?;
    let mut totals = stored.totals();
    let mut append = Append::default();
    let mut batch = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        if let Some(reason) = entry.fault() {
            return Err(StoreError::Invalid { id: stored.id(), reason }.into());
        }
        let there = match batch.get(&entry.id) {
            Some(seq) => Some(*seq),
            None => known(&entry.id)?,
        };
        let seq = match there {
            Some(seq) => {
                append.repeats.push(index);
                seq
            }
            None => {
                let seq = Seq::after(totals.records);
                covers_what_is_there(stored.id(), seq, &entry.body)?;
                count(&mut totals, seq, &entry.body);
                append.fresh.push((index, seq));
                seq
            }
        };
        batch.insert(&entry.id, seq);
        append.seqs.push(seq);
    }
    if !append.fresh.is_empty() {
        let mut session = stored.clone();
        session.identity.title = (session.identity.title)
            .or_else(|| append.fresh.iter().find_map(|(index, _)| title_from(&entries[*index])));
        session.conversation.get_or_insert_default().totals = totals;
        session.lifecycle.last_active_at = session.lifecycle.last_active_at.max(at);
        session.lifecycle.updated_at = at;
        session.lifecycle.revision = session.lifecycle.revision.next();
        append.session = Some(session);
    }
    Ok(append)
}

/// Whether records may be added to the session at `at`.
fn takes_records(session: &Session, at: Timestamp) -> Result<(), StoreError> {
    let id = session.id();
    if session.is_trashed() {
        return Err(StoreError::Trashed { id });
    }
    if session.is_overdue(at) {
        return Err(StoreError::Ended { id, status: crate::Status::Expired });
    }
    match session.status() {
        status if status.is_final() => Err(StoreError::Ended { id, status }),
        _ => Ok(()),
    }
}

/// Whether a checkpoint that becomes the record `seq` stands for none but earlier ones.
fn covers_what_is_there(session: SessionId, seq: Seq, body: &Body) -> Result<(), StoreError> {
    match body {
        Body::Checkpoint(Checkpoint { covers: Some(covers), .. }) if *covers >= seq => {
            let reason = format!("checkpoint {seq} covers record {covers}, which comes later");
            let reason =
                if *covers == seq { format!("checkpoint {seq} covers itself") } else { reason };
            Err(StoreError::Invalid { id: session, reason: reason.into() })
        }
        _ => Ok(()),
    }
}

fn count(totals: &mut Totals, seq: Seq, body: &Body) {
    totals.records = seq.get();
    match body {
        Body::Message(_) => totals.messages = totals.messages.saturating_add(1),
        Body::Checkpoint(_) => totals.last_checkpoint = Some(seq),
        Body::Usage(usage) => {
            totals.tokens.add(&usage.tokens);
            if let Some(cost) = usage.cost_micros {
                let sum = totals.cost_micros.unwrap_or_default().0.saturating_add(cost.0);
                totals.cost_micros = Some(crate::MicroUsd(sum));
            }
        }
        _ => {}
    }
}

/// What a conversation is called after this entry, if it is a user's and says something.
fn title_from(entry: &Entry) -> Option<String> {
    match &entry.body {
        Body::Message(message) if message.role == Role::User => message.texts().find_map(title_of),
        _ => None,
    }
}

/// The next record of a history that is adopted, if it is the one that has to come and can be read back.
///
/// # Errors
/// `Invalid` when it has another number, or is none that could be read back.
pub fn in_order(session: SessionId, record: Record, expected: Seq) -> Result<Record, StoreError> {
    let reason = match record.entry.fault() {
        None if record.seq == expected => return Ok(record),
        None => "its records are not numbered in order".into(),
        Some(reason) => reason,
    };
    Err(StoreError::Invalid { id: session, reason })
}
