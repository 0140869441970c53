//! A member among the unknown ones of an object is refused exactly when the object could not be read back with it.

use proptest::prelude::*;
use proptest::sample::{Index, select};
use session_core::record::{Block, Body};
use session_core::{
    Entry, MemoryStore, Record, RecordStore, Session, SessionStore, StoreError, StoreUpkeep,
    Unknown,
};
use session_testkit::{samples, strategies};

/// Members by names that objects know, and by some that none does.
fn member() -> impl Strategy<Value = Unknown> {
    let names = [
        "id",
        "at",
        "seq",
        "type",
        "name",
        "status",
        "lease",
        "launch",
        "process",
        "conversation",
        "exchange",
        "expires_at",
        "idle_timeout_ms",
        "trashed_at",
        "message",
        "note",
        "event",
        "usage",
        "checkpoint",
        "role",
        "content",
        "text",
        "summary",
        "messages",
        "covers",
        "tokens",
        "cost",
        "data",
        "input",
        "output",
        "images",
        "mime",
        "path",
        "kind",
        "set",
        "reason",
        "state",
        "exit",
        "host",
        "instance",
        "health",
        "totals",
        "records",
        "argv",
        "context",
        "binding",
        "chat",
        "tool",
        "live",
        "Status",
        "",
        "zeta",
    ];
    let values = ["null", "1", "\"x\"", "[]", "{}"];
    (select(names.to_vec()), select(values.to_vec()))
        .prop_map(|(name, value)| samples::unknown(&format!("{{{name:?}:{value}}}")))
}

/// Every place of an entry for members that are unknown.
fn places(entry: &mut Entry) -> Vec<&mut Unknown> {
    let mut places = vec![&mut entry.unknown];
    match &mut entry.body {
        Body::Message(message) => {
            places.push(&mut message.unknown);
            for block in &mut message.content {
                match block {
                    Block::Text(block) => places.push(&mut block.unknown),
                    Block::Thinking(block) => places.push(&mut block.unknown),
                    Block::Image(block) => places.push(&mut block.unknown),
                    Block::ToolUse(block) => places.push(&mut block.unknown),
                    Block::ToolResult(block) => {
                        places.push(&mut block.unknown);
                        places.extend(block.images.iter_mut().map(|image| &mut image.unknown));
                    }
                    Block::Foreign(block) => places.push(&mut block.unknown),
                }
            }
        }
        Body::Checkpoint(body) => places.push(&mut body.unknown),
        Body::Usage(body) => places.extend([&mut body.unknown, &mut body.tokens.unknown]),
        Body::Event(body) => places.push(&mut body.unknown),
        Body::Attachment(body) => places.push(&mut body.unknown),
        Body::Note(body) => places.push(&mut body.unknown),
        Body::Meta(body) => places.push(&mut body.unknown),
        Body::Lost(body) => places.push(&mut body.unknown),
        Body::Foreign(_) => {}
    }
    places
}

/// Every place of a session for members that are unknown.
fn places_of(session: &mut Session) -> Vec<&mut Unknown> {
    let mut places = vec![&mut session.unknown];
    places.extend(session.identity.origins.iter_mut().map(|origin| &mut origin.unknown));
    places.extend(session.launch.iter_mut().map(|part| &mut part.unknown));
    places.extend(session.exchange.iter_mut().map(|part| &mut part.unknown));
    if let Some(lease) = &mut session.lease {
        places.push(&mut lease.unknown);
        places.extend(lease.binding.iter_mut().map(|binding| &mut binding.unknown));
    }
    if let Some(process) = &mut session.process {
        places.push(&mut process.unknown);
        places.extend(process.host.iter_mut().map(|host| &mut host.unknown));
        places.extend(process.health.iter_mut().map(|health| &mut health.unknown));
    }
    if let Some(conversation) = &mut session.conversation {
        places.push(&mut conversation.unknown);
        places.push(&mut conversation.totals.unknown);
        places.push(&mut conversation.totals.tokens.unknown);
    }
    places
}

/// What came of storing, which must be success or a refusal as invalid.
fn is_stored<T>(outcome: Result<T, StoreError>) -> bool {
    match outcome {
        Ok(_) => true,
        Err(StoreError::Invalid { .. }) => false,
        Err(error) => panic!("{error:?}"),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn an_entry_is_stored_if_it_comes_back(
        mut entry in strategies::entry(),
        member in member(),
        place in any::<Index>(),
    ) {
        let mut places = places(&mut entry);
        let index = place.index(places.len());
        *places.swap_remove(index) = member;
        let record = entry.clone().at(session_core::Seq::FIRST);
        let read = serde_json::from_str::<Record>(&samples::record_json(&record)).ok();

        let store = MemoryStore::new();
        store.create(samples::bare(1)).unwrap();
        let stored = is_stored(store.append(samples::id(1), &[entry], samples::at(1)));
        prop_assert_eq!(stored, read.as_ref() == Some(&record), "{:?}", record);
    }

    #[test]
    fn a_session_is_stored_if_it_comes_back(
        mut session in strategies::session(),
        member in member(),
        place in any::<Index>(),
    ) {
        let mut places = places_of(&mut session);
        let index = place.index(places.len());
        *places.swap_remove(index) = member;
        let read = serde_json::from_str::<Session>(&samples::json(&session)).ok();
        let adopted = MemoryStore::new().adopt(session.clone(), &mut std::iter::empty());
        prop_assert_eq!(is_stored(adopted), read.as_ref() == Some(&session), "{:?}", session);
    }
}
