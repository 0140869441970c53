//! What a page costs, and that it is the right one, whichever way it goes.

use std::num::NonZeroU32;

use rusqlite::StatementStatus;
use session_core::{
    Binding, Expiry, Host, LabelKey, Lease, Observer, Process, ProcessState, RoleName, Session,
    SessionId, SessionName, Status, Timestamp,
};

use super::*;
use crate::list::page;
use crate::list::tests::{empty, insert, launched, observer};

const FEW: i64 = 500;
const MANY: i64 = 16_000;

/// How many sessions have what is rare, wherever they stand.
const RARE: i64 = 20;

/// Steps of SQLite's machine that any page may take: to look at each of so many sessions would take more than 100,000.
const STEPS: i32 = 30_000;

const HOST: &str = "here";

fn rarely(rare: bool) -> String {
    if rare { "rare" } else { "common" }.to_owned()
}

fn label(key: &str, value: &str) -> (LabelKey, String) {
    (LabelKey::parse(key).unwrap(), value.to_owned())
}

/// Everything that can be asked for is there twice: in nearly all sessions, and in few.
fn session(number: i64, count: i64) -> Session {
    let rare = number % (count / RARE) == 3;
    let even = number % 2 == 0;
    let mut session = launched(number);
    session.identity.name = SessionName::parse(&format!("name-{}", number * 7_919 % count)).ok();
    session.identity.parent =
        Some(SessionId::from_parts(Timestamp::from_millis(-1), u128::from(rare)));
    session.identity.labels =
        [label("team", &rarely(rare)), label("half", &rarely(even))].into_iter().collect();
    let launch = session.launch.as_mut().unwrap();
    (launch.workdir, launch.tool) = (rarely(rare), Some(rarely(rare)));
    session.lease = Some(Lease {
        role: RoleName::parse(&rarely(rare)).ok(),
        binding: Some(Binding {
            chat: rarely(rare),
            agent: rarely(rare),
            project: rarely(even),
            ..Binding::default()
        }),
        ..Lease::default()
    });
    session.lifecycle.status = match number % (count / RARE) {
        3 => Status::Closed,
        4 | 5 => Status::Running,
        6 => Status::Failed,
        _ => Status::Completed,
    };
    // Seen as expired, and seen as failed.
    match number % (count / RARE) {
        4 => session.lifecycle.expiry = Expiry::At(Timestamp::from_millis(-1)),
        5 => {
            let host = Host {
                instance: "gone".to_owned(),
                boot: "boot".to_owned(),
                unknown: session_core::Unknown::default(),
            };
            let mut process = Process::starting(Timestamp::default(), Some(host));
            process.state = ProcessState::Running;
            session.process = Some(process);
        }
        _ => {}
    }
    session
}

fn database(count: i64) -> Connection {
    let connection = empty();
    connection.execute_batch("BEGIN").unwrap();
    for number in 0..count {
        insert(&connection, &session(number, count));
    }
    connection.execute_batch("COMMIT").unwrap();
    connection
}

fn everything() -> Query {
    let mut query = Query::new(Observer { live_host: Some(HOST.to_owned()), ..observer(0) });
    (query.scope, query.limit) = (Scope::All, NonZeroU32::new(50));
    query
}

/// Every filter, each with what is rare, common and absent, and some of them together.
fn filters() -> Vec<(String, Query)> {
    let mut filters = Vec::new();
    for wanted in ["rare", "common", "absent"] {
        let text = || Some(wanted.to_owned());
        let number = ["common", "rare", "absent"].iter().position(|it| *it == wanted).unwrap();
        let parent =
            SessionId::from_parts(Timestamp::from_millis(-1), u128::try_from(number).unwrap());
        let of = |filter: &str, query: Query| (format!("{filter} {wanted}"), query);
        filters.extend([
            of("workdir", Query { workdir: text(), ..everything() }),
            of("tool", Query { tool: text(), ..everything() }),
            of("role", Query { role: RoleName::parse(wanted).ok(), ..everything() }),
            of("chat", Query { chat: text(), ..everything() }),
            of("agent", Query { agent: text(), ..everything() }),
            of("project", Query { project: text(), ..everything() }),
            of("parent", Query { parent: Some(parent), ..everything() }),
            of("label", Query { labels: vec![label("team", wanted)], ..everything() }),
            of(
                "label of half and",
                Query {
                    labels: vec![label("half", "common"), label("team", wanted)],
                    ..everything()
                },
            ),
            of(
                "common tool and workdir",
                Query { tool: Some("common".to_owned()), workdir: text(), ..everything() },
            ),
            of(
                "rare tool and chat",
                Query { tool: Some("rare".to_owned()), chat: text(), ..everything() },
            ),
            of(
                "running with agent",
                Query { statuses: [Status::Running].into(), agent: text(), ..everything() },
            ),
        ]);
    }
    for status in Status::ALL {
        filters.push((status.to_string(), Query { statuses: [status].into(), ..everything() }));
    }
    let unusual = [Status::Failed, Status::Closed].into();
    filters.push(("unusual".to_owned(), Query { statuses: unusual, ..everything() }));
    filters.push(("current".to_owned(), Query { scope: Scope::Current, ..everything() }));
    filters
}

fn sorted() -> impl Iterator<Item = (String, Query)> {
    filters().into_iter().flat_map(|(name, query)| {
        [Sort::Updated, Sort::Created, Sort::Name]
            .map(|sort| (format!("{name} by {sort:?}"), Query { sort, ..query.clone() }))
    })
}

/// All steps of SQLite's machine for a page, but for looking up by their numbers the sessions that are in it.
fn steps(connection: &Connection, query: &Query) -> i32 {
    let candidates = Candidates::of(query).unwrap();
    let (Way::Ordered(sql) | Way::Sorted(sql)) = Way::of(connection, query, &candidates).unwrap();
    let bound = candidates.values.len() + 1;
    let counts = candidates.few.iter().map(|Few(few)| counting(few, bound));
    let statements: Vec<_> = counts.chain([sql]).collect();
    for sql in &statements {
        connection.prepare_cached(sql).unwrap().reset_status(StatementStatus::VmStep);
    }
    page(connection, query, 1).unwrap();
    let taken =
        |sql: &String| connection.prepare_cached(sql).unwrap().get_status(StatementStatus::VmStep);
    statements.iter().map(taken).sum()
}

#[test]
fn no_filter_makes_a_page_read_the_store() {
    let (few, many) = (database(FEW), database(MANY));
    let mut slow = Vec::new();
    for (name, query) in sorted() {
        let (first, second) = (steps(&few, &query), steps(&many, &query));
        if second > STEPS || name.contains("absent") && second > first + 100 {
            slow.push(format!("{name}: {first} and {second}"));
        }
    }
    assert!(slow.is_empty(), "{slow:#?}");
}

/// The sessions that match are the same, and stand in the same order, on one page or on several.
#[test]
fn every_way_leads_to_the_same_sessions() {
    let connection = database(FEW);
    let mut all: Vec<_> = (0..FEW).map(|number| session(number, FEW)).collect();
    for (name, query) in sorted() {
        all.sort_by_key(|session| match query.sort {
            Sort::Name => (session.name().cloned(), std::cmp::Reverse(session.id())),
            _ => (None, std::cmp::Reverse(session.id())),
        });
        let expected: Vec<_> =
            all.iter().filter(|session| query.matches(session)).map(Session::id).collect();
        let (mut found, mut next) = (Vec::new(), None);
        loop {
            let page = page(&connection, &Query { cursor: next, ..query.clone() }, 1).unwrap();
            found.extend(page.sessions.iter().map(Session::id));
            next = page.next;
            if next.is_none() {
                break;
            }
        }
        assert_eq!(found, expected, "{name}");
        let whole = page(&connection, &Query { limit: None, ..query }, 1).unwrap();
        assert!(whole.sessions.iter().map(Session::id).eq(expected), "{name}");
    }
}

/// What was destroyed or trashed counts for no listing but that of the trash.
#[test]
fn the_trash_is_filtered_along_the_same_indexes() {
    let connection = database(FEW);
    let sql = "UPDATE sessions SET trashed_at = 5 WHERE workdir = 'rare'";
    connection.execute(sql, []).unwrap();
    let query = Query { workdir: Some("rare".to_owned()), ..everything() };
    let way = |query: &Query| {
        let candidates = Candidates::of(query).unwrap();
        let counted = count(&connection, &candidates.few[0], &candidates, i64::MAX).unwrap();
        (counted, matches!(Way::of(&connection, query, &candidates), Ok(Way::Sorted(_))))
    };
    assert_eq!(way(&query), (0, true));
    assert_eq!(way(&Query { scope: Scope::Trash, ..query }), (RARE, true));
}

/// What an append changes of a session stands in no key of an index that a filter has.
#[test]
fn an_append_touches_no_index_of_a_filter() {
    let connection = empty();
    let sql = "EXPLAIN UPDATE sessions SET revision = ?2, updated_at = ?3, deadline = ?4, is_empty = ?5, \
        records = ?6, record = ?7 WHERE seq = ?1";
    let mut statement = connection.prepare(sql).unwrap();
    let written = statement
        .raw_query()
        .mapped(|row| Ok((row.get::<_, String>("opcode")?, row.get::<_, i64>("p2")?)));
    let roots: Vec<_> = written
        .map(Result::unwrap)
        .filter_map(|(code, root)| (code == "OpenWrite").then_some(root))
        .collect();
    let mut named =
        connection.prepare("SELECT name FROM sqlite_schema WHERE rootpage = ?1").unwrap();
    let mut name = |root: i64| named.query_row([root], |row| row.get::<_, String>(0)).unwrap();
    let mut names: Vec<_> = roots.into_iter().map(&mut name).collect();
    names.sort();
    let expected = [
        "sessions",
        "sessions_by_deadline",
        "sessions_by_updated",
        "sessions_current",
        "sessions_trashed",
        "sessions_unindexed",
    ];
    assert_eq!(names, expected);
}
