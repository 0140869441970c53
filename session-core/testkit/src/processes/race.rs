//! Processes that want the same names.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use session_core::{ErrorKind, Query, Scope, Session, SessionId};

use super::{ProcessFixture, child, turn};
use crate::samples;

const RACERS: u32 = 8;
const NAMES: u32 = 25;

/// Eight processes create sessions of the same names. Of each name exactly one creation is made, and the others are
/// told that it is held. What each creates without a name is all there.
///
/// # Panics
/// When that is not so.
pub fn race<F: ProcessFixture>(fixture: &F) {
    let _turn = turn();
    let path = fixture.path();
    // Not even the store is there: the first ones race for it as well.
    let racers: Vec<_> = (0..RACERS)
        .map(|number| child::playing(&format!("race {number}"), &path).spawn().unwrap())
        .collect();
    let mut winners = BTreeMap::<String, Vec<String>>::new();
    let mut created = BTreeSet::new();
    for racer in racers {
        for answer in child::answers(&racer.wait_with_output().unwrap()) {
            match answer.split_once(' ') {
                Some((name, id)) => winners.entry(name.to_owned()).or_default().push(id.to_owned()),
                None => assert!(created.insert(answer)),
            }
        }
    }
    let store = F::open_read_only(&path);
    assert_eq!((winners.len(), created.len()), (NAMES as usize, (RACERS * NAMES) as usize));
    let mut query = Query::new(samples::observer(1));
    query.scope = Scope::All;
    let sessions = store.list(&query).unwrap().sessions;
    let unnamed = sessions.iter().filter(|session| session.name().is_none());
    assert_eq!(unnamed.map(|session| session.id().to_string()).collect::<BTreeSet<_>>(), created);
    for (name, ids) in winners {
        let stored = store.named(&samples::name(&name)).unwrap();
        let stored: Vec<_> = stored.iter().map(|session| session.id().to_string()).collect();
        assert_eq!(stored.len(), 1, "{name} has several holders");
        assert_eq!(stored, ids);
    }
    assert_eq!(store.check().unwrap().damaged, []);
}

/// What a racer does: it takes every name that it can get, and says which.
pub(super) fn take_names<F: ProcessFixture>(path: &Path, racer: u32) {
    let store = F::open(path);
    let session = |number: u32, series: u32| {
        let random = u128::from(racer) << 64 | u128::from(series) << 32 | u128::from(number);
        Session::new(SessionId::from_parts(samples::at(0), random), samples::at(0))
    };
    for number in 0..NAMES {
        let mut named = session(number, 0);
        let name = format!("wanted-{number}");
        named.identity.name = Some(samples::name(&name));
        match store.create(named) {
            Ok(created) => child::answer(format_args!("{name} {}", created.id())),
            Err(error) => assert_eq!(error.kind(), ErrorKind::Exists, "{error:?}"),
        }
        child::answer(store.create(session(number, 1)).unwrap().id());
    }
}
