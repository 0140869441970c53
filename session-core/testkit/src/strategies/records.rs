//! Records that are legal and as nasty as they can be.

use std::collections::BTreeSet;
use std::ops::Range;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use session_core::record::{
    Attachment, Block, Body, Checkpoint, Event, Image, Lost, Message, Meta, Note, Summary, Text,
    Thinking, Tokens, ToolResult, ToolUse, Usage,
};
use session_core::{Entry, MicroUsd, RecordId, Role, Seq};

use super::{raw_json, text, timestamp, unknown};
use crate::samples::unheard_of;

/// Any id of a record: as other tools write them, as long as they may be, and two that look alike.
pub fn record_id() -> BoxedStrategy<RecordId> {
    let any_text = vec(any::<char>().prop_filter("no control", |c| !c.is_control()), 1..64);
    prop_oneof![
        4 => any_text.prop_map(String::from_iter),
        2 => "[a-c]{1,2}",
        1 => proptest::sample::select(vec!["1", "01", "null", "..", "e\u{301}", "\u{e9}", "a/b", "%"])
            .prop_map(str::to_owned),
        1 => "[ -~]{256}",
    ]
    .prop_map(|text| RecordId::parse(&text).unwrap())
    .boxed()
}

/// Any role, those of other tools too.
pub fn role() -> BoxedStrategy<Role> {
    let ours = vec![Role::User, Role::Assistant, Role::System, Role::Tool];
    // Through the words, so that a foreign one is not one of ours.
    prop_oneof![
        3 => proptest::sample::select(ours),
        1 => text().prop_map(|word| Role::from(word.as_str())),
    ]
    .boxed()
}

fn image() -> BoxedStrategy<Image> {
    (of(text()), of(text()), of(text()), unknown())
        .prop_map(|(mime, data, path, unknown)| Image { mime, data, path, unknown })
        .boxed()
}

/// Any part of a message that this version knows.
pub fn block() -> BoxedStrategy<Block> {
    let result = (text(), of(text()), text(), any::<bool>(), vec(image(), 0..2), unknown());
    prop_oneof![
        3 => (text(), unknown()).prop_map(|(text, unknown)| Block::Text(Text { text, unknown })),
        1 => (text(), of(text()), of(text()), unknown()).prop_map(
            |(text, signature, data, unknown)| {
                Block::Thinking(Thinking { text, signature, data, unknown })
            }
        ),
        1 => image().prop_map(Block::Image),
        1 => (text(), text(), of(raw_json()), unknown()).prop_map(|(id, name, input, unknown)| {
            Block::ToolUse(ToolUse { id, name, input, unknown })
        }),
        1 => result.prop_map(|(id, name, output, is_error, images, unknown)| {
            Block::ToolResult(ToolResult { id, name, output, is_error, images, unknown })
        }),
    ]
    .boxed()
}

/// Any message.
pub fn message() -> BoxedStrategy<Message> {
    (role(), vec(block(), 0..4), of(text()), unknown())
        .prop_map(|(role, content, summary, unknown)| Message { role, content, summary, unknown })
        .boxed()
}

fn checkpoint() -> BoxedStrategy<Checkpoint> {
    let summary = prop_oneof![
        text().prop_map(Summary::Text),
        vec(message(), 0..3).prop_map(Summary::Messages),
    ];
    (summary, any::<Option<u64>>(), unknown())
        .prop_map(|(summary, tokens, unknown)| Checkpoint {
            summary,
            covers: None,
            tokens,
            unknown,
        })
        .boxed()
}

fn usage() -> BoxedStrategy<Usage> {
    let number = || prop_oneof![any::<Option<u64>>(), (0..100_u64).prop_map(Some), Just(None)];
    let tokens = (number(), number(), number(), number(), unknown()).prop_map(
        |(input, output, cache_read, cache_write, unknown)| Tokens {
            input,
            output,
            cache_read,
            cache_write,
            unknown,
        },
    );
    let words = (of(text()), of(text()), of(text()), of(text()));
    (tokens, number(), of(raw_json()), words, number(), unknown())
        .prop_map(|(tokens, cost_micros, cost, words, turn, unknown)| Usage {
            tokens,
            cost_micros: cost_micros.map(MicroUsd),
            cost,
            vendor: words.0,
            endpoint: words.1,
            model: words.2,
            source: words.3,
            turn,
            unknown,
        })
        .boxed()
}

fn attachment() -> BoxedStrategy<Attachment> {
    let times = (of(timestamp()), of(timestamp()));
    (text(), of(text()), any::<Option<u64>>(), of(text()), times, unknown())
        .prop_map(|(path, name, size, mime, times, unknown)| Attachment {
            path,
            name,
            size,
            mime,
            created_at: times.0,
            modified_at: times.1,
            unknown,
        })
        .boxed()
}

/// Any body of a kind that this version knows.
pub fn body() -> BoxedStrategy<Body> {
    let event = (text(), of(text()), of(raw_json()), unknown())
        .prop_map(|(kind, stream, data, unknown)| Event { kind, stream, data, unknown });
    let note = (text(), unknown()).prop_map(|(text, unknown)| Note { text, unknown });
    let meta = (btree_map(text(), raw_json(), 0..3), unknown())
        .prop_map(|(set, unknown)| Meta { set, unknown });
    let lost = (text(), unknown()).prop_map(|(reason, unknown)| Lost { reason, unknown });
    prop_oneof![
        6 => message().prop_map(Body::Message),
        1 => checkpoint().prop_map(Body::Checkpoint),
        1 => event.prop_map(Body::Event),
        1 => usage().prop_map(Body::Usage),
        1 => attachment().prop_map(Body::Attachment),
        1 => note.prop_map(Body::Note),
        1 => meta.prop_map(Body::Meta),
        1 => lost.prop_map(Body::Lost),
    ]
    .boxed()
}

/// Any batch of so many entries with which a history begins: its checkpoints cover anything before them, or nothing.
pub fn entries(count: Range<usize>) -> BoxedStrategy<Vec<Entry>> {
    vec((entry(), any::<u64>()), count).prop_map(with_covers).boxed()
}

fn with_covers(drawn: Vec<(Entry, u64)>) -> Vec<Entry> {
    let mut there = BTreeSet::new();
    let mut entries = Vec::new();
    for (mut entry, number) in drawn {
        if let Body::Checkpoint(checkpoint) = &mut entry.body {
            checkpoint.covers = Seq::new(number % (there.len() as u64 + 1));
        }
        there.insert(entry.id.clone());
        entries.push(entry);
    }
    entries
}

/// Any entry, those of newer versions too. A checkpoint covers nothing.
pub fn entry() -> BoxedStrategy<Entry> {
    let known = (record_id(), timestamp(), body(), unknown())
        .prop_map(|(id, at, body, unknown)| Entry { id, at, body, unknown });
    let foreign = (record_id(), timestamp(), proptest::sample::select(unheard_of()))
        .prop_map(|(id, at, entry)| Entry { id, at, ..entry })
        .prop_map(|entry| with_covers(vec![(entry, 0)]).remove(0));
    prop_oneof![6 => known, 1 => foreign].boxed()
}
