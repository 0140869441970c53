//! `search`: which records, in which order, on which page.

use std::num::NonZeroU32;

use session_core::record::{
    Attachment, Block, Body, Message, Note, Summary, Text, Thinking, ToolResult, ToolUse,
};
use session_core::{
    Conversation, Entry, Hit, Hits, Role, Search, SearchCursor, SessionStore, StoreError,
    Timestamp, Unknown,
};

use crate::StoreFixture;
use crate::probe::{append, assert_refused, found, history, hits, number, search};
use crate::samples::{
    IDS, at, bare, by, checkpoint, entry_of, event, every_kind, id, label, launched, name, named,
    noted, observer, raw, said, spent, unheard_of,
};

fn with_session(fixture: &dyn StoreFixture, entries: &[Entry]) -> Box<dyn SessionStore> {
    let store = fixture.open();
    store.create(bare(1)).unwrap();
    append(&*store, 1, entries, 1);
    store
}

/// The numbers of the records of session 1 that are found, in their order.
fn numbers(store: &dyn SessionStore, query: &str) -> Vec<u64> {
    let mut numbers: Vec<_> =
        found(store, &search(query)).into_iter().map(|(_, seq)| seq).collect();
    numbers.sort_unstable();
    numbers
}

/// STORE-43: words, phrases, beginnings of words, alternatives and exclusions, as the core reads them.
pub fn finds_what_is_asked_for(fixture: &dyn StoreFixture) {
    let texts = [
        "The disk is full",
        "disk",
        "full of disks, a DISK-full error",
        "fu ll di sk",
        "日本語のテキスト",
        "don't_panic/src.main",
        "caf\u{e9} CAFE\u{301} STRASSE stra\u{df}e",
        "",
    ];
    let entries: Vec<_> = (1..).zip(texts).map(|(number, text)| said(number, text)).collect();
    let store = with_session(fixture, &entries);
    let asked: [(&str, &[u64]); 18] = [
        ("disk", &[1, 2, 3]),
        ("DISK full", &[1, 3]),
        ("\"disk full\"", &[3]),
        ("\"full disk\"", &[]),
        ("disk*", &[1, 2, 3]),
        ("di*", &[1, 2, 3, 4]),
        ("disks", &[3]),
        ("disk -full", &[2]),
        ("full OR sk", &[1, 3, 4]),
        ("(fu OR full) -(disks OR the)", &[4]),
        ("\"is fu\"*", &[1]),
        ("本", &[5]),
        ("本語", &[5]),
        ("日語", &[]),
        ("don't", &[6]),
        ("panic/src", &[6]),
        ("cafe", &[7]),
        ("strasse", &[7]),
    ];
    for (query, expected) in asked {
        assert_eq!(numbers(&*store, query), expected, "{query}");
    }
}

/// STORE-43: everything that people search for in a record, and nothing of what has no text.
pub fn looks_at_every_part(fixture: &dyn StoreFixture) {
    let unknown = Unknown::default;
    let text = |word: &str| word.to_owned();
    let blocks = vec![
        Block::Text(Text { text: text("ash"), unknown: unknown() }),
        Block::Thinking(Thinking { text: text("birch"), ..Thinking::default() }),
        Block::ToolUse(ToolUse {
            id: text("absent"),
            name: text("cedar"),
            input: Some(raw(r#"{"absent":["elm",{"absent":"f\u0069r"}],"n":1}"#)),
            unknown: unknown(),
        }),
        Block::ToolResult(ToolResult {
            id: text("absent"),
            output: text("hazel"),
            ..ToolResult::default()
        }),
    ];
    let message = Message {
        role: Role::Tool,
        content: blocks,
        summary: Some(text("larch")),
        unknown: unknown(),
    };
    let file = Attachment {
        path: text("/srv/maple.txt"),
        name: Some(text("oak")),
        size: None,
        mime: Some(text("absent/absent")),
        created_at: None,
        modified_at: None,
        unknown: unknown(),
    };
    let mut entries = vec![
        entry_of(1, Body::Message(message)),
        entry_of(2, Body::Note(Note { text: text("pine"), unknown: unknown() })),
        entry_of(3, Body::Attachment(file)),
        event(4, "absent"),
        checkpoint(5, Summary::Text(text("absent")), None),
        spent(6, Some(1), None, None),
    ];
    entries.extend(
        every_kind().into_iter().map(|entry| Entry {
            id: crate::samples::record_id(&format!("k-{}", entry.id)),
            ..entry
        }),
    );
    entries.extend(unheard_of());
    let store = with_session(fixture, &entries);
    for word in ["ash", "birch", "cedar", "elm", "fir", "hazel", "larch"] {
        assert_eq!(numbers(&*store, word), [1], "{word}");
    }
    assert_eq!(numbers(&*store, "pine"), [2]);
    assert_eq!(numbers(&*store, "maple"), [3]);
    assert_eq!(numbers(&*store, "oak"), [3]);
    assert_eq!(numbers(&*store, "absent"), [0; 0]);
    // Words of different parts are in one text, but no phrase goes on into the next part by chance alone.
    assert_eq!(numbers(&*store, "ash hazel"), [1]);
}

/// STORE-43: the input of a tool has its strings whatever else is in it: numbers of any size, half of a pair of
/// surrogates, members that stand twice, any depth.
pub fn looks_at_any_input_of_a_tool(fixture: &dyn StoreFixture) {
    let deep = format!(r#"{}"elm"{}"#, r#"{"a":["#.repeat(5000), "]}".repeat(5000));
    let inputs =
        [r#"{"n":1e400,"p":"ash"}"#, r#"["\ud83e birch"]"#, r#"{"a":"cedar","a":1}"#, &deep];
    let calls = inputs.map(|input| {
        let (id, name) = ("t".to_owned(), "n".to_owned());
        let call = ToolUse { id, name, input: Some(raw(input)), unknown: Unknown::default() };
        let content = vec![Block::ToolUse(call)];
        Body::Message(Message { content, ..Message::text(Role::Assistant, "") })
    });
    let entries: Vec<_> = (1..).zip(calls).map(|(number, body)| entry_of(number, body)).collect();
    let store = with_session(fixture, &entries);
    for (word, number) in [("ash", 1), ("birch", 2), ("cedar", 3), ("elm", 4)] {
        assert_eq!(numbers(&*store, word), [number], "{word}");
    }
}

/// Three sessions whose records interleave in time, with times that repeat and go back.
fn crowd(store: &dyn SessionStore) {
    for number in 1..4 {
        store.create(launched(number)).unwrap();
    }
    for (session, count, seconds) in
        [(2, 1, 5), (1, 1, 5), (3, 1, -7), (1, 2, 5), (2, 2, 0), (3, 2, 9), (1, 3, 2), (2, 3, 5)]
    {
        append(store, session, &[Entry { at: at(seconds), ..said(count, "word") }], 20);
    }
}

const NEWEST_FIRST: [(u32, u64); 8] =
    [(3, 2), (2, 3), (2, 1), (1, 2), (1, 1), (1, 3), (2, 2), (3, 1)];

/// STORE-43: the newest by the time of the record first, then by the larger id of the session, then by the larger
/// number, however they were appended.
pub fn orders_by_time(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    assert_eq!(found(&*store, &search("word")), NEWEST_FIRST);
    let times = [0, i64::MIN, i64::MAX, -1];
    store.create(bare(4)).unwrap();
    for (number, time) in (1..).zip(times) {
        let entry = Entry { at: Timestamp::from_millis(time), ..said(number, "extreme") };
        append(&*store, 4, &[entry], 20);
    }
    assert_eq!(found(&*store, &search("extreme")), [(4, 3), (4, 1), (4, 4), (4, 2)]);
}

/// STORE-43: a hit says where the record is, whose it is, and what to show of it.
pub fn shows_what_was_found(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    store.create(named(1, "before")).unwrap();
    let long = format!("{} needle\u{1b}[31m \n in the\thay {}", "x ".repeat(500), "y ".repeat(500));
    append(&*store, 1, &[by(1, Role::from("critic"), &long), noted(2, "needle")], 1);
    let asked = search("needle -absent");
    let expected: Vec<_> = {
        let session = store.get(id(1)).unwrap();
        history(&*store, 1).iter().rev().map(|record| Hit::of(&asked, &session, record)).collect()
    };
    assert_eq!(hits(&*store, &asked), Hits { hits: expected, ..Hits::default() });
    assert_eq!(hits(&*store, &asked).hits[1].role, Some(Role::from("critic")));
    let mut renamed = store.get(id(1)).unwrap();
    renamed.identity.name = Some(name("after"));
    store.update(renamed, at(2)).unwrap();
    assert!(hits(&*store, &asked).hits.iter().all(|hit| hit.name == Some(name("after"))));
}

/// STORE-43: only the session, the role and the time that were asked for.
pub fn keeps_to_session_role_and_time(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    let asked = |edit: &dyn Fn(&mut Search)| {
        let mut search = search("word");
        edit(&mut search);
        found(&*store, &search)
    };
    assert_eq!(asked(&|search| search.session = Some(id(2))), [(2, 3), (2, 1), (2, 2)]);
    assert_eq!(asked(&|search| search.session = Some(id(9))), []);
    assert_eq!(asked(&|search| search.role = Some(Role::User)), NEWEST_FIRST);
    assert_eq!(asked(&|search| search.role = Some(Role::Tool)), []);
    assert_eq!(asked(&|search| search.since = Some(at(5))), NEWEST_FIRST[..5]);
    assert_eq!(asked(&|search| search.until = Some(at(5))), NEWEST_FIRST[5..]);
    assert_eq!(
        asked(&|search| (search.since, search.until) = (Some(at(0)), Some(at(3)))),
        [(1, 3), (2, 2)]
    );
    assert_eq!(asked(&|search| (search.since, search.until) = (Some(at(5)), Some(at(5)))), []);
    let entries = [
        by(9, Role::from("critic"), "word"),
        noted(10, "word"),
        by(11, Role::from("Critic"), "word"),
    ];
    append(&*store, 3, &entries, 20);
    assert_eq!(asked(&|search| search.role = Some(Role::from("critic"))), [(3, 3)]);
}

/// STORE-43: only sessions of the directory, the tool and the labels that were asked for, as they are now.
pub fn keeps_to_sessions_as_they_are(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    for number in 1..5 {
        store.create(bare(number)).unwrap();
        append(&*store, number, &[said(1, "word")], 1);
    }
    let edit = |number: u32, edit: &dyn Fn(&mut session_core::Session)| {
        let mut session = store.get(id(number)).unwrap();
        edit(&mut session);
        store.update(session, at(2)).unwrap();
    };
    edit(1, &|session| {
        session.launch = launched(1).launch;
        let launch = session.launch.as_mut().unwrap();
        (launch.workdir, launch.tool) = ("/a".to_owned(), Some("claude".to_owned()));
    });
    edit(2, &|session| {
        let workspace = Some("/a".to_owned());
        session.conversation.get_or_insert_default().workspace = workspace;
        session.identity.labels = [(label("team"), "core".to_owned())].into();
    });
    edit(3, &|session| {
        let workspace = Some("/a/b".to_owned());
        session.conversation = Some(Conversation { workspace, ..Conversation::default() });
        session.identity.labels =
            [(label("team"), "core".to_owned()), (label("tier"), "1".to_owned())].into();
    });
    let asked = |edit: &dyn Fn(&mut Search)| {
        let mut search = search("word");
        edit(&mut search);
        found(&*store, &search).into_iter().map(|(session, _)| session).collect::<Vec<_>>()
    };
    let in_a = |search: &mut Search| search.workdir = Some("/a".to_owned());
    let core = |search: &mut Search| search.labels = vec![(label("team"), "core".to_owned())];
    assert_eq!(asked(&in_a), [2, 1]);
    assert_eq!(asked(&|search| search.tool = Some("claude".to_owned())), [1]);
    assert_eq!(asked(&core), [3, 2]);
    assert_eq!(
        asked(&|search| {
            core(search);
            search.labels.push((label("tier"), "1".to_owned()));
        }),
        [3]
    );
    edit(1, &|session| session.launch = None);
    edit(2, &|session| session.identity.labels.clear());
    assert_eq!(asked(&in_a), [2]);
    assert_eq!(asked(&core), [3]);
}

/// STORE-43: nothing of a session in the trash, and all of it once it is restored.
pub fn leaves_out_the_trash(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    store.remove(id(2), &observer(30)).unwrap();
    let rest: Vec<_> = NEWEST_FIRST.into_iter().filter(|(session, _)| *session != 2).collect();
    assert_eq!(found(&*store, &search("word")), rest);
    let mut in_trash = search("word");
    in_trash.session = Some(id(2));
    assert_eq!(found(&*store, &in_trash), []);
    store.restore(id(2), at(31)).unwrap();
    assert_eq!(found(&*store, &search("word")), NEWEST_FIRST);
}

/// STORE-43: what was just appended is found, by whatever handle, and in whatever part of a long history.
pub fn finds_what_was_just_appended(fixture: &dyn StoreFixture) {
    let (one, other) = (with_session(fixture, &[said(1, "w0")]), fixture.open());
    for turn in 1..12_u32 {
        let (writer, reader) = if turn % 2 == 0 { (&one, &other) } else { (&other, &one) };
        let text = format!("w{turn} turn");
        append(&**writer, 1, &[said(turn + 1, &text)], 1);
        assert_eq!(numbers(&**reader, &format!("w{turn}")), [u64::from(turn) + 1]);
        assert_eq!(numbers(&**reader, "turn").len(), turn as usize);
    }
    assert_eq!(numbers(&*fixture.open(), "w0 OR w11"), [1, 12]);
    other.close().unwrap();
    one.close().unwrap();
    drop((one, other));
    assert_eq!(numbers(&*fixture.open(), "w0 OR w11"), [1, 12]);
}

/// STORE-43: of many records and questions, each answer is what looking at every record gives.
pub fn agrees_with_looking_at_everything(fixture: &dyn StoreFixture) {
    const WORDS: [&str; 7] = ["ash", "birch", "Ash", "ashen", "oak-ash", "日本", ""];
    let store = fixture.open();
    for number in 1..5_u32 {
        store.create(named(number, &format!("n-{number}"))).unwrap();
        let entry = |count: u32| {
            let pick =
                |by: u32| WORDS[(number * 31 + count * by + count / 3) as usize % WORDS.len()];
            let text = format!("{} {}. {}", pick(1), pick(2), pick(5));
            let role = if count.is_multiple_of(2) { Role::User } else { Role::Assistant };
            Entry { at: at(i64::from(count * 7 % 5)), ..by(count, role, &text) }
        };
        append(&*store, number, &(1..30).map(entry).collect::<Vec<_>>(), 1);
    }
    store.remove(id(3), &observer(2)).unwrap();
    let queries = [
        "ash",
        "ash*",
        "\"ash birch\"",
        "oak -birch",
        "\"ash oak\" OR \"日本\"",
        "日 (birch OR ashen)",
    ];
    for query in queries {
        for role in [None, Some(Role::User)] {
            let mut asked = search(query);
            (asked.role, asked.since) = (role, Some(at(1)));
            let mut expected = Vec::new();
            for session in (0..IDS).filter_map(|number| store.get(id(number)).ok()) {
                let records = history(&*store, number(session.id()));
                let matching = records.iter().filter(|record| asked.matches(&session, record));
                expected.extend(matching.map(|record| Hit::of(&asked, &session, record)));
            }
            assert!(!expected.is_empty(), "{query} finds something");
            expected.sort_by_key(|hit| std::cmp::Reverse(hit.place()));
            assert_eq!(hits(&*store, &asked).hits, expected, "{query}");
        }
    }
}

fn sized(mut search: Search, limit: u32) -> Search {
    search.limit = NonZeroU32::new(limit);
    search
}

/// STORE-44: pages of any size join to the whole answer; cursors survive as text; the last page has none, also when it
/// is full.
pub fn pages_join_to_the_whole(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    for limit in [1, 2, 3, 7, 8, 9, u32::MAX] {
        let mut asked = sized(search("word"), limit);
        let mut joined = Vec::new();
        loop {
            let page = hits(&*store, &asked);
            assert!(page.hits.len() <= limit as usize);
            joined.extend(page.hits.iter().map(|hit| (number(hit.session), hit.seq.get())));
            let Some(next) = page.next else { break };
            assert!(joined.len() < NEWEST_FIRST.len(), "a cursor must lead to something");
            asked.cursor = Some(next.to_string().parse().unwrap());
        }
        assert_eq!(joined, NEWEST_FIRST, "in pages of {limit}");
    }
}

/// STORE-44: a cursor is a place: it goes on where it was when records were appended meanwhile, newer and older ones,
/// and when its own record is gone, in another size too.
pub fn pages_go_on_meanwhile(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    let mut asked = sized(search("word"), 3);
    asked.cursor = hits(&*store, &asked).next;
    assert!(asked.cursor.is_some());
    let newer = Entry { at: at(99), ..said(8, "word") };
    let older = Entry { at: at(-99), ..said(9, "word") };
    append(&*store, 1, &[newer, older], 30);
    asked.limit = None;
    let mut rest = NEWEST_FIRST[3..].to_vec();
    rest.push((1, 5));
    assert_eq!(found(&*store, &asked), rest);
    store.remove(id(2), &observer(40)).unwrap();
    rest.retain(|(session, _)| *session != 2);
    assert_eq!(found(&*store, &asked), rest);
}

/// STORE-44: the cursor of another search is refused.
pub fn refuses_the_cursor_of_another_search(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    let mut asked = sized(search("word"), 2);
    asked.cursor = hits(&*store, &asked).next;
    let edits: [fn(&mut Search); 8] = [
        |search| search.expression = "word*".parse().unwrap(),
        |search| search.session = Some(id(1)),
        |search| search.role = Some(Role::User),
        |search| search.since = Some(at(-99)),
        |search| search.until = Some(at(99)),
        |search| search.workdir = Some("/".to_owned()),
        |search| search.tool = Some("t".to_owned()),
        |search| search.labels = vec![(label("a"), "b".to_owned())],
    ];
    for edit in edits {
        let mut other = asked.clone();
        edit(&mut other);
        assert_refused!(&*store, |store| store.search(&other), StoreError::StaleCursor);
    }
    assert_eq!(hits(&*store, &asked).hits.len(), 2);
}

/// STORE-44: the cursor of another generation is refused; opening anew makes no other generation.
pub fn refuses_the_cursor_of_another_generation(fixture: &dyn StoreFixture) {
    let store = fixture.open();
    crowd(&*store);
    let mut asked = sized(search("word"), 2);
    let cursor = hits(&*store, &asked).next.expect("there is more than one page");
    assert_eq!(cursor.generation, store.info().generation);
    let generation = cursor.generation.wrapping_add(1);
    asked.cursor = Some(SearchCursor { generation, ..cursor });
    assert_refused!(&*store, |store| store.search(&asked), StoreError::StaleCursor);
    store.close().unwrap();
    asked.cursor = Some(cursor);
    assert_eq!(found(&*fixture.open(), &asked), NEWEST_FIRST[2..4]);
}
