//! The answers are those of the store in memory, whatever came in which order and however far the index is.

use std::num::NonZeroU32;

use proptest::collection::vec;
use proptest::prelude::*;
use session_core::{
    Entry, Expression, Launch, MemoryStore, RecordStore as _, Search, SessionStore, Timestamp,
};
use session_testkit::samples;

use super::*;
use crate::{SqlOptions, SqlStore, index};

const SESSIONS: u32 = 4;

/// Something that is done to both stores.
#[derive(Clone, Debug)]
enum Step {
    Append(u32, Vec<Entry>),
    /// Only to the one with an index: a step of catching up, or all of it.
    CatchUp,
    Reindex,
    Remove(u32),
    Restore(u32),
}

fn entry() -> impl Strategy<Value = Entry> {
    let words = prop::sample::select(vec!["disk", "full", "Quota", "日本", "foo_bar", "x"]);
    let text = vec(words, 0..5).prop_map(|words| words.join(" "));
    let role = prop::sample::select(vec!["user", "assistant"]);
    // Many of one time, and times in no order, as imports have them.
    (any::<u32>(), -3..6_i64, text, role).prop_map(|(number, millis, text, role)| {
        let mut entry = samples::by(number, role.into(), &text);
        entry.at = Timestamp::from_millis(1_000_000 + millis);
        entry
    })
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (1..=SESSIONS, vec(entry(), 1..12)).prop_map(|(id, batch)| Step::Append(id, batch)),
        4 => Just(Step::CatchUp),
        1 => Just(Step::Reindex),
        1 => (1..=SESSIONS).prop_map(Step::Remove),
        1 => (1..=SESSIONS).prop_map(Step::Restore),
    ]
}

fn search() -> impl Strategy<Value = Search> {
    let queries = vec![
        "disk",
        "disk full",
        "disk OR quota",
        "full -disk",
        "\"disk full\"",
        "fo*",
        "日",
        "foo_bar",
        "(x OR disk) -(full quota)",
    ];
    let times = || prop::option::weighted(0.3, (-4..8_i64).prop_map(|millis| 1_000_000 + millis));
    (
        prop::sample::select(queries),
        prop::option::weighted(0.3, 1..=SESSIONS),
        times(),
        times(),
        prop::option::weighted(0.2, Just("user")),
        prop::option::weighted(0.2, Just("/a")),
        prop::option::of(1..7_u32),
    )
        .prop_map(|(query, session, since, until, role, workdir, limit)| {
            let mut search = Search::new(Expression::parse(query).unwrap());
            search.session = session.map(samples::id);
            search.since = since.map(Timestamp::from_millis);
            search.until = until.map(Timestamp::from_millis);
            search.role = role.map(Into::into);
            search.workdir = workdir.map(str::to_owned);
            search.limit = limit.and_then(NonZeroU32::new);
            search
        })
}

fn perform(store: &SqlStore, memory: &MemoryStore, step: &Step) {
    let both: [&dyn SessionStore; 2] = [store, memory];
    match step {
        Step::Append(id, batch) => {
            // A session in the trash refuses in both.
            let answers = both.map(|store| {
                store.append(samples::id(*id), batch, samples::at(1)).map_err(|error| error.kind())
            });
            assert_eq!(answers[0], answers[1]);
        }
        Step::CatchUp => {
            let scale = store.place.options.scale;
            store.on_writer("test", move |connection| index::step(connection, scale)).unwrap();
        }
        Step::Reindex => session_core::StoreUpkeep::reindex(store).unwrap(),
        Step::Remove(id) => both.iter().for_each(|store| {
            let _ = store.remove(samples::id(*id), &samples::observer(2));
        }),
        Step::Restore(id) => both.iter().for_each(|store| {
            let _ = store.restore(samples::id(*id), samples::at(3));
        }),
    }
}

/// All pages of an answer, each with where it goes on.
fn pages(store: &dyn SessionStore, search: &Search) -> Vec<String> {
    let mut search = search.clone();
    let mut pages = Vec::new();
    loop {
        let page = store.search(&search).unwrap();
        assert_eq!(page.damaged, []);
        // Generations differ between stores.
        let next = page.next.map(|cursor| cursor.place);
        pages.push(format!("{:?} {next:?}", page.hits));
        search.cursor = page.next;
        if search.cursor.is_none() {
            return pages;
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn answers_are_those_of_the_store_in_memory(
        bits in 1..4_u32,
        steps in vec(step(), 1..25),
        searches in vec(search(), 1..8),
    ) {
        let dir = tempfile::tempdir().unwrap();
        let options = SqlOptions { scale: Scale::of_bits(bits), ..SqlOptions::default() };
        let store = SqlStore::open_with(dir.path().join("session.db"), options).unwrap();
        let memory = MemoryStore::new();
        for number in 1..=SESSIONS {
            let mut session = samples::bare(number);
            session.launch = Some(Launch {
                argv: vec!["true".to_owned()],
                workdir: if number % 2 == 0 { "/a" } else { "/b" }.to_owned(),
                ..Launch::default()
            });
            memory.create(session.clone()).unwrap();
            store.create(session).unwrap();
        }
        for step in &steps {
            perform(&store, &memory, step);
        }
        for search in &searches {
            prop_assert_eq!(pages(&store, search), pages(&memory, search), "{:?}", search);
        }
        prop_assert_eq!(session_core::StoreUpkeep::check(&store).unwrap().damaged, []);
    }
}

#[test]
fn candidates_come_in_order_without_a_sort() {
    let connection = Connection::open_in_memory().unwrap();
    for step in crate::migrations() {
        connection.execute_batch(step.sql).unwrap();
    }
    let plan = |sql: &str| {
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let lines = statement.raw_query().mapped(|row| row.get::<_, String>(3));
        lines.map(Result::unwrap).collect::<Vec<_>>().join("\n")
    };
    let candidates = plan(CANDIDATES);
    assert!(candidates.contains("SCAN w VIRTUAL TABLE INDEX"), "{candidates}");
    assert!(candidates.contains("SEARCH d USING INTEGER PRIMARY KEY"), "{candidates}");
    assert!(candidates.contains("SEARCH r USING INTEGER PRIMARY KEY"), "{candidates}");
    assert!(!candidates.contains("TEMP B-TREE"), "{candidates}");
    assert!(plan(UNINDEXED).contains("USING INDEX sessions_unindexed (seq>?)"));
    assert!(plan(STRETCH).contains("SEARCH records USING INTEGER PRIMARY KEY"));
}

/// The newest of very many are found without looking at the others.
#[test]
fn a_page_of_many_hits_reads_no_more_than_a_page() {
    let dir = tempfile::tempdir().unwrap();
    let store = SqlStore::open(dir.path().join("session.db")).unwrap();
    store.create(samples::bare(1)).unwrap();
    let entries: Vec<_> = (1..=3_000).map(|number| samples::said(number, "common word")).collect();
    store.append(samples::id(1), &entries, samples::at(1)).unwrap();
    session_core::StoreUpkeep::reindex(&store).unwrap();
    let mut search = Search::new(Expression::parse("common").unwrap());
    search.limit = NonZeroU32::new(20);
    let hits = store
        .on_reader("test", |connection| {
            let hits = page(connection, &search, 1, Scale::default())?;
            let statement = connection.prepare_cached(CANDIDATES)?;
            let steps = statement.get_status(rusqlite::StatementStatus::VmStep);
            assert!(steps < 2_000, "{steps}");
            Ok(hits)
        })
        .unwrap();
    assert_eq!(hits.hits.len(), 20);
    assert_eq!(hits.hits[0].seq.get(), 3_000);
}
