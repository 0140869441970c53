//! What a writer does until it is killed: everything that a store can do, again and again, and it says what was
//! acknowledged.

use session_core::{Entry, Expiry, Session, SessionId, SessionStore, StoreError};

use super::child;
use crate::samples;

/// How many sessions are changed again and again by all.
const TURNS: u32 = 3;

/// The session that all append to.
pub(super) fn shared() -> Session {
    samples::named(1, "shared")
}

/// Those that all writers find.
pub(super) fn prepare(store: &dyn SessionStore) {
    store.create(shared()).unwrap();
    for number in 0..TURNS {
        store.create(samples::named(10 + number, &format!("turn-{number}"))).unwrap();
    }
}

/// The work of a writer called `ROUND-NUMBER`.
pub(super) fn write(store: &dyn SessionStore, name: &str) {
    for step in 0_u32.. {
        append(store, shared().id(), &format!("{name}-{step}"), 1 + step % 3);
        update(store, samples::id(10 + step % TURNS), &format!("{name}-{step}"));
        if step % 3 != 2 {
            continue;
        }
        let session = own(name, step);
        let id = store.create(session).unwrap().id();
        child::answer(format_args!("created {id}"));
        append(store, id, &format!("{name}-{step}-own"), 3);
        // Takes the name of the one before, whose deadline has passed: both change in one step.
        let heir = store.create(own(name, step + 1)).unwrap();
        child::answer(format_args!("created {}", heir.id()));
        let holders = store.named(heir.name().unwrap()).unwrap();
        assert!(holders.iter().any(|holder| holder.id() == heir.id()), "{holders:?}");
        if step % 2 == 0 {
            store.remove(id, &samples::observer(30)).unwrap();
            if step % 4 == 0 {
                child::answer(format_args!("removed {id}"));
                store.purge(id, samples::at(31)).unwrap();
                child::answer(format_args!("purged {id}"));
            } else {
                store.restore(id, samples::at(31)).unwrap();
                child::answer(format_args!("restored {id}"));
            }
        }
        if step % 30 == 29 {
            store.sweep(&samples::observer(40)).unwrap();
        }
    }
}

/// Gives a session another title, whoever else does.
fn update(store: &dyn SessionStore, id: SessionId, title: &str) {
    loop {
        let mut session = store.get(id).unwrap();
        session.identity.title = Some(title.to_owned());
        match store.update(session, samples::at(3)) {
            Ok(stored) => {
                let revision = stored.lifecycle.revision.0;
                return child::answer(format_args!("updated {id} {revision}"));
            }
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn append(store: &dyn SessionStore, id: SessionId, name: &str, count: u32) {
    let entries: Vec<_> = (0..count)
        .map(|number| {
            let id = samples::record_id(&format!("{name}-{number}"));
            Entry { id, ..samples::said(number, "word") }
        })
        .collect();
    let appended = match store.append(id, &entries, samples::at(1)) {
        // Another one swept it away in this moment.
        Err(StoreError::Ended { .. }) if id != shared().id() => return,
        appended => appended.unwrap(),
    };
    let numbers = entries.iter().zip(appended.seqs);
    // One answer for one batch.
    let numbers: Vec<_> = numbers.map(|(entry, seq)| format!("{}={seq}", entry.id)).collect();
    child::answer(format_args!("appended {id} {}", numbers.join(" ")));
}

/// A session that no other writer of any round makes. Every third one gives its name to the one after it.
fn own(name: &str, step: u32) -> Session {
    let (round, writer) = name.split_once('-').unwrap();
    let number = |text: &str| u128::from(text.parse::<u32>().unwrap());
    let random = number(round) << 48 | number(writer) << 32 | u128::from(step);
    let at = samples::at(5 + 20 * i64::from(step.is_multiple_of(3)));
    let mut session = Session::new(SessionId::from_parts(at, random), at);
    session.identity.name = Some(samples::name(&format!("w-{name}-{}", (step + 1) / 3)));
    if step % 3 == 2 {
        session.lifecycle.expiry = Expiry::At(samples::at(10));
    }
    session
}
