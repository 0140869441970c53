//! Records to test with.

use session_core::record::{
    Attachment, Block, Body, Checkpoint, Event, Image, Message, Meta, Note, Summary, Text,
    Thinking, Tokens, ToolResult, ToolUse, Usage,
};
use session_core::{Entry, MicroUsd, Record, RecordId, Role, Seq, Unknown};

use super::{at, raw, unknown};

/// The id of a record.
#[must_use]
pub fn record_id(text: &str) -> RecordId {
    RecordId::parse(text).unwrap()
}

/// The entry with this number in its id that happened so many seconds after the beginning.
#[must_use]
pub fn entry_of(number: u32, body: Body) -> Entry {
    Entry::new(record_id(&format!("r-{number}")), at(number.into()), body)
}

/// A user's message.
#[must_use]
pub fn said(number: u32, text: &str) -> Entry {
    by(number, Role::User, text)
}

/// A message of somebody.
#[must_use]
pub fn by(number: u32, role: Role, text: &str) -> Entry {
    entry_of(number, Body::Message(Message::text(role, text)))
}

/// A remark.
#[must_use]
pub fn noted(number: u32, text: &str) -> Entry {
    entry_of(number, Body::Note(Note::new(text)))
}

/// Something that happened.
#[must_use]
pub fn event(number: u32, kind: &str) -> Entry {
    entry_of(number, Body::Event(Event::new(kind)))
}

/// A checkpoint that covers the records up to one.
#[must_use]
pub fn checkpoint(number: u32, summary: Summary, covers: Option<u64>) -> Entry {
    let covers = covers.map(|covers| Seq::new(covers).unwrap());
    entry_of(number, Body::Checkpoint(Checkpoint::new(summary, covers)))
}

/// A call of a model that took these tokens and this money.
#[must_use]
pub fn spent(number: u32, input: Option<u64>, output: Option<u64>, cost: Option<u64>) -> Entry {
    let tokens = Tokens { input, output, ..Tokens::default() };
    let usage = Usage { tokens, cost_micros: cost.map(MicroUsd), ..Usage::default() };
    entry_of(number, Body::Usage(usage))
}

/// The record that a text of JSON is.
#[must_use]
pub fn record(text: &str) -> Record {
    serde_json::from_str(text).unwrap()
}

/// The canonical JSON of a record.
#[must_use]
pub fn record_json(record: &Record) -> String {
    serde_json::to_string(record).unwrap()
}

fn image(data: &str) -> Image {
    Image {
        mime: Some("image/png".to_owned()),
        data: Some(data.to_owned()),
        path: Some("/tmp/a b.png".to_owned()),
        unknown: Unknown::default(),
    }
}

/// A message with a block of every kind that this version knows, each of which has all of its fields.
fn every_block() -> Message {
    let content = vec![
        Block::Text(Text { text: "said \u{1f9ea}\n\0".to_owned(), unknown: Unknown::default() }),
        Block::Thinking(Thinking {
            text: "thought".to_owned(),
            signature: Some("c2ln".to_owned()),
            data: Some(String::new()),
            unknown: Unknown::default(),
        }),
        Block::Image(image("cGljdHVyZQ==")),
        Block::ToolUse(ToolUse {
            id: "call-1".to_owned(),
            name: "Bash".to_owned(),
            input: Some(raw(r#"{ "command":"ls -l", "timeout":0.10, "n":1e400 }"#)),
            unknown: Unknown::default(),
        }),
        Block::ToolResult(ToolResult {
            id: "call-1".to_owned(),
            name: Some("Bash".to_owned()),
            output: "total 0\r\n".to_owned(),
            is_error: true,
            images: vec![image(""), Image::default()],
            unknown: Unknown::default(),
        }),
    ];
    let summary = Some("in short".to_owned());
    Message { role: Role::Assistant, content, summary, unknown: Unknown::default() }
}

/// One entry of every kind that this version knows, with all of its fields and with none, their times far from each
/// other and in no order.
#[must_use]
pub fn every_kind() -> Vec<Entry> {
    let everything = Usage {
        tokens: Tokens {
            input: Some(u64::MAX),
            output: Some(0),
            cache_read: Some(1),
            cache_write: Some(u64::MAX - 1),
            unknown: Unknown::default(),
        },
        cost_micros: Some(MicroUsd(u64::MAX)),
        cost: Some(raw(r#"{"usd":0.10,"n":1e2}"#)),
        vendor: Some("vendor".to_owned()),
        endpoint: Some("https://example.invalid".to_owned()),
        model: Some("model".to_owned()),
        source: Some("agent".to_owned()),
        turn: Some(u64::MAX),
        unknown: Unknown::default(),
    };
    let silent = Message::new(Role::from("narrator"), Vec::new());
    let happened = Event {
        kind: "run \"started\"".to_owned(),
        stream: Some("stream/1".to_owned()),
        data: Some(raw(r#"[ {"a":0.10 } , "\u0041" ]"#)),
        unknown: Unknown::default(),
    };
    let file = Attachment {
        path: "/srv/report \u{e9}.pdf".to_owned(),
        name: Some("report".to_owned()),
        size: Some(u64::MAX),
        mime: Some("application/pdf".to_owned()),
        created_at: Some(at(-1)),
        modified_at: Some(at(1)),
        unknown: Unknown::default(),
    };
    let nameless = Attachment::new("");
    let changed = Meta {
        set: [("title".to_owned(), raw("null")), (String::new(), raw("[0.10]"))].into(),
        unknown: Unknown::default(),
    };
    let told = vec![Message::text(Role::System, "before"), every_block()];
    let mut entries = vec![
        entry_of(1, Body::Message(every_block())),
        entry_of(2, Body::Message(silent)),
        checkpoint(3, Summary::Text("so far".to_owned()), Some(2)),
        checkpoint(4, Summary::Messages(told), Some(3)),
        checkpoint(5, Summary::Messages(Vec::new()), None),
        entry_of(6, Body::Event(happened)),
        event(7, ""),
        entry_of(8, Body::Usage(everything)),
        entry_of(9, Body::Usage(Usage::default())),
        entry_of(10, Body::Attachment(file)),
        entry_of(11, Body::Attachment(nameless)),
        noted(12, "remark"),
        entry_of(13, Body::Meta(changed)),
        entry_of(14, Body::Meta(Meta::default())),
        Entry::lost(Seq::after(14), at(15), "not \"JSON\""),
    ];
    for (entry, seconds) in entries.iter_mut().zip([9, -9, i64::from(i32::MAX), 0]) {
        entry.at = at(seconds);
    }
    entries
}

/// Entries as a newer version may have written them: kinds, blocks, roles and members that this one does not know,
/// at every level, with values that survive only as raw text.
#[must_use]
pub fn unheard_of() -> Vec<Entry> {
    let odd =
        r#"{ "b" : 1e400,"a":[0.10 , -0.0,12345678901234567890123 ],  "b":"\u0041\/\ud800" }"#;
    let (block, image) = (r#""type":"#, format!(r#"{{"depth":{odd},"mime":"image/png"}}"#));
    let bodies = [
        format!(r#""type":"vote","vote":{odd},"for":[1,2 , 3],"":0.10"#),
        format!(r#""type":"","note":{odd},"message":null"#),
        format!(
            r#""top":{odd},"type":"message","message":{{"role":"critic","mood":0.10,"content":[
            {{{block}"text","text":"t","lang":"\u2028"}},{{{block}"thinking","text":"h","effort":1E+2}},
            {{{block}"image","mime":"image/png","zoom":0.10}},
            {{{block}"tool_use","id":"i","name":"n","input":{odd},"cache":{odd}}},
            {{{block}"tool_result","id":"i","output":"o","images":[{image}],"took":1.50}},
            {{{block}"hologram","voxels":{odd}," ":[]}},{{{block}"Text","text":"not a text"}}],"zz":1}}"#
        ),
        format!(
            r#""type":"checkpoint","checkpoint":{{"messages":[{{"role":"user","content":[
            {{{block}"hologram"}}],"x":0.10}}],"covers":1,"kept":{odd}}},"after":true"#
        ),
        format!(r#""type":"event","event":{{"kind":"k","data":{odd},"span":0.10}}"#),
        format!(
            r#""type":"usage","usage":{{"tokens":{{"input":1,"audio":{odd}}},"cost":{odd},"q":[]}}"#
        ),
        format!(r#""type":"attachment","attachment":{{"path":"p","sha":{odd}}},"Type":"note""#),
        format!(
            r#""type":"note","note":{{"text":"n","by":{odd},"by":2}},"naïve \"key\"\t":"\u00e9""#
        ),
        format!(r#""type":"meta","meta":{{"set":{{"a":{odd}}},"unset":["b"]}}"#),
    ];
    let entry = |(number, body): (u32, String)| {
        record(&format!(r#"{{"seq":1,"id":"f-{number}","at":"{}",{body}}}"#, at(number.into())))
            .entry
    };
    (1..).zip(bodies).map(entry).collect()
}

/// Entries with ids as other tools write them, each of which another way of comparing takes for another one.
#[must_use]
pub fn of_other_tools() -> Vec<Entry> {
    let ids = [
        "msg_01XFDUDYJgAACzvnptvVoYEL",
        "MSG_01XFDUDYJgAACzvnptvVoYEL",
        "7f0c9b2e-3f51-4c47-9d8f-6b1f0e4c1a11",
        "1",
        "01",
        "1.0",
        " 1",
        "1 ",
        "null",
        "../../etc/passwd",
        "a/b",
        "a\\b",
        "'; DROP TABLE records; --",
        "\"quoted\"",
        "%",
        "_",
        "*",
        "e\u{301}",
        "\u{e9}",
        "\u{202e}rtl",
        "\u{1f468}\u{200d}\u{1f469}",
        "\u{feff}",
        "{\"seq\":1}",
    ];
    let ids = ids.into_iter().map(str::to_owned);
    let entry = |(number, id): (u32, String)| Entry { id: record_id(&id), ..said(number, &id) };
    (1..).zip(ids.chain(["x".repeat(256), "\u{10ffff}".repeat(64)])).map(entry).collect()
}

/// An entry that could not be read back: a member that belongs elsewhere was put into it.
#[must_use]
pub fn stray(number: u32) -> Entry {
    Entry { unknown: unknown(r#"{"id":"another"}"#), ..said(number, "stray") }
}

/// Entries that could not be read back, each with the member that is at fault.
#[must_use]
pub fn stray_entries(number: u32) -> Vec<(Entry, &'static str)> {
    let with = |body: Body| entry_of(number, body);
    let said_with = |edit: &dyn Fn(&mut Message)| {
        let mut message = every_block();
        edit(&mut message);
        with(Body::Message(message))
    };
    let in_text = |block: &mut Block, name: &str| {
        if let Block::Text(text) = block {
            text.unknown = unknown(&format!(r#"{{"{name}":"x"}}"#));
        }
    };
    let mut told = every_block();
    told.unknown = unknown(r#"{"role":"assistant"}"#);
    let covering = Checkpoint {
        unknown: unknown(r#"{"messages":[]}"#),
        ..Checkpoint::new(Summary::Text("so far".to_owned()), None)
    };
    let tokens = Tokens { unknown: unknown(r#"{"input":1}"#), ..Tokens::default() };
    let happened = Event { unknown: unknown(r#"{"data":null}"#), ..Event::new("k") };
    let image = Image { unknown: unknown(r#"{"mime":""}"#), ..Image::default() };
    let answered = ToolResult { images: vec![image], ..ToolResult::default() };
    let foreign = Entry { unknown: unknown(r#"{"seq":7}"#), ..unheard_of().remove(0) };
    vec![
        (stray(number), "id"),
        (Entry { unknown: unknown(r#"{"note":{"text":"n"}}"#), ..noted(number, "n") }, "note"),
        (foreign, "seq"),
        (said_with(&|message| message.unknown = unknown(r#"{"role":"tool"}"#)), "message.role"),
        (said_with(&|message| in_text(&mut message.content[0], "text")), "message.content.text"),
        (said_with(&|message| in_text(&mut message.content[0], "type")), "message.content.type"),
        (
            said_with(&|message| message.content.push(Block::ToolResult(answered.clone()))),
            "message.content.images.mime",
        ),
        (with(Body::Checkpoint(covering)), "checkpoint.messages"),
        (checkpoint(number, Summary::Messages(vec![told]), None), "checkpoint.messages.role"),
        (with(Body::Usage(Usage { tokens, ..Usage::default() })), "usage.tokens.input"),
        (with(Body::Event(happened)), "event.data"),
    ]
}
