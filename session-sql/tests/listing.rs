//! Listings that columns and side tables narrow follow what was written last.

use session_core::{Query, Scope, Session, SessionId, SessionStore};
use session_sql::SqlStore;
use session_testkit::samples;

#[test]
fn filters_follow_an_update() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(dir.path().join("session.db")).unwrap();
    let mut session = samples::launched(1);
    session.identity.labels =
        [(samples::label("team"), "a".to_owned()), (samples::label("kept"), "x".to_owned())].into();
    session.identity.parent = Some(samples::id(2));
    let mut session = store.create(session).unwrap();
    session.identity.labels =
        [(samples::label("team"), "b".to_owned()), (samples::label("new"), "y".to_owned())].into();
    session.identity.parent = Some(samples::id(3));
    let launch = session.launch.as_mut().unwrap();
    launch.workdir = "/elsewhere".to_owned();
    launch.tool = Some("other".to_owned());
    let session = store.update(session, samples::at(1)).unwrap();

    let everything = || {
        let mut query = Query::new(samples::observer(1));
        query.scope = Scope::All;
        query
    };
    let found = |query: Query| -> Vec<SessionId> {
        store.list(&query).unwrap().sessions.iter().map(Session::id).collect()
    };
    let labelled = |key, value: &str| {
        found(Query { labels: vec![(samples::label(key), value.to_owned())], ..everything() })
    };
    let child_of = |parent| found(Query { parent: Some(samples::id(parent)), ..everything() });
    let in_workdir = |dir: &str| found(Query { workdir: Some(dir.to_owned()), ..everything() });
    let of_tool = |tool: &str| found(Query { tool: Some(tool.to_owned()), ..everything() });

    let (it, nothing) = (vec![session.id()], Vec::new());
    for now in [labelled("team", "b"), labelled("new", "y"), child_of(3)] {
        assert_eq!(now, it);
    }
    assert_eq!((in_workdir("/elsewhere"), of_tool("other")), (it.clone(), it));
    for before in [labelled("team", "a"), labelled("kept", "x"), child_of(2), in_workdir("/")] {
        assert_eq!(before, nothing);
    }
}
