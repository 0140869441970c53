//! Sessions and records to test with: few, fixed, and between them using every field.

mod records;

use std::time::Duration;

use session_core::{
    Binding, Conversation, Exchange, Expiry, Health, Host, LabelKey, Launch, Lease, Mode, Observer,
    Origin, PermissionMode, Process, ProcessState, RawJson, RoleName, Session, SessionId,
    SessionName, Status, TerminalSize, Timestamp, Totals, Unknown,
};

pub use records::{
    by, checkpoint, entry_of, event, every_kind, noted, of_other_tools, record, record_id,
    record_json, said, spent, stray, stray_entries, unheard_of,
};

/// How many ids [`id`] gives that the suite looks at when it compares all of a store.
pub const IDS: u32 = 64;

/// The instance that hosts programs in [`observer`]'s eyes.
pub const HOST: &str = "host-a";

/// A time so many seconds after the beginning of a test.
#[must_use]
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(1_750_000_000_000 + seconds * 1000)
}

/// The id with this number; below [`IDS`].
#[must_use]
pub fn id(number: u32) -> SessionId {
    assert!(number < IDS, "id {number} is beyond those that are compared");
    SessionId::from_parts(at(0), u128::from(number))
}

/// A name.
#[must_use]
pub fn name(text: &str) -> SessionName {
    SessionName::parse(text).unwrap()
}

/// The key of a label.
#[must_use]
pub fn label(text: &str) -> LabelKey {
    LabelKey::parse(text).unwrap()
}

/// The name of a role.
#[must_use]
pub fn role(text: &str) -> RoleName {
    RoleName::parse(text).unwrap()
}

/// A JSON value.
#[must_use]
pub fn raw(text: &str) -> RawJson {
    RawJson::parse(text).unwrap()
}

/// Somebody who looks `seconds` after the beginning, while [`HOST`] lives.
#[must_use]
pub fn observer(seconds: i64) -> Observer {
    Observer { now: at(seconds), live_host: Some(HOST.to_owned()) }
}

/// A session with nothing but its number as an id, created at the beginning.
#[must_use]
pub fn bare(number: u32) -> Session {
    Session::new(id(number), at(0))
}

/// A bare session with a name.
#[must_use]
pub fn named(number: u32, text: &str) -> Session {
    let mut session = bare(number);
    session.identity.name = Some(name(text));
    session
}

/// A named session of a status.
#[must_use]
pub fn with_status(number: u32, text: &str, status: Status) -> Session {
    let mut session = named(number, text);
    session.lifecycle.status = status;
    session
}

/// A named session whose deadline is `seconds` after the beginning.
#[must_use]
pub fn until(number: u32, text: &str, seconds: i64) -> Session {
    let mut session = named(number, text);
    session.lifecycle.expiry = Expiry::At(at(seconds));
    session
}

/// A named session with a lease of this role, which stands.
#[must_use]
pub fn leased(number: u32, text: &str, work: &str) -> Session {
    let mut session = named(number, text);
    session.lease = Some(Lease { role: Some(role(work)), ..Lease::default() });
    session
}

/// A session with a launch part, which listings of what is current show.
#[must_use]
pub fn launched(number: u32) -> Session {
    let mut session = bare(number);
    session.launch = Some(Launch {
        argv: vec!["true".to_owned()],
        workdir: "/".to_owned(),
        ..Launch::default()
    });
    session
}

/// A launched session whose program runs under `instance`, or under no host that is known.
#[must_use]
pub fn running(number: u32, instance: Option<&str>) -> Session {
    let mut session = launched(number);
    session.lifecycle.status = Status::Running;
    let host = instance.map(|instance| Host {
        instance: instance.to_owned(),
        boot: "boot".to_owned(),
        unknown: Unknown::default(),
    });
    session.process =
        Some(Process { state: ProcessState::Running, ..Process::starting(at(0), host) });
    session
}

/// A session in which every field that this version knows has a value of its own, but for the totals of its history,
/// which are the store's.
#[must_use]
pub fn full(number: u32) -> Session {
    let mut session = running(number, Some(HOST));
    session.identity.name = Some(name(&format!("full-{number}")));
    session.identity.title = Some("What \"it\" is about \u{1f9ea}\nsecond line".to_owned());
    session.identity.labels =
        [(label("team"), "core".to_owned()), (label("k8s.io/role"), String::new())].into();
    session.identity.origins = vec![
        Origin { tool: "claude".to_owned(), id: "a/b c".to_owned(), unknown: Unknown::default() },
        Origin { tool: "tkt".to_owned(), id: "17".to_owned(), unknown: Unknown::default() },
    ];
    session.identity.parent = Some(id(IDS - 1));
    session.lifecycle.last_active_at = at(-5);
    session.lifecycle.expiry = Expiry::Idle(Duration::from_millis(90_061_001));
    session.lifecycle.ended_at = Some(at(-3));
    session.launch = Some(Launch {
        tool: Some("claude".to_owned()),
        argv: vec!["claude".to_owned(), "--print".to_owned(), String::new()],
        workdir: "/srv/a b".to_owned(),
        mode: Mode::Yolo,
        env: [("A".to_owned(), "1".to_owned()), ("B".to_owned(), "x=y".to_owned())].into(),
        permission_mode: Some(PermissionMode::from("whatever")),
        size: Some(TerminalSize::nearest(120, 40)),
        internal: true,
        unknown: Unknown::default(),
    });
    if let Some(process) = &mut session.process {
        process.pid = Some(u32::MAX);
        process.pid_start = Some(u64::MAX);
        process.started_at = at(1);
        process.tool_session_id = Some("tool-session".to_owned());
        process.tmux_name = Some("tmux".to_owned());
        process.last_attached_at = Some(at(2));
        process.health =
            Some(Health { status: "recovered".to_owned(), at: at(3), unknown: Unknown::default() });
    }
    session.conversation = Some(Conversation {
        vendor: Some("vendor".to_owned()),
        endpoint: Some("https://example.invalid".to_owned()),
        model: Some("model".to_owned()),
        workspace: Some("/srv".to_owned()),
        events_complete: true,
        cost: Some(raw(r#"{"usd":0.10,"n":1e2}"#)),
        totals: Totals::default(),
        unknown: Unknown::default(),
    });
    session.lease = Some(Lease {
        role: Some(role("implementer")),
        binding: Some(Binding {
            chat: "chat:-100".to_owned(),
            agent: "\u{1f916}".to_owned(),
            project: "a/b c".to_owned(),
            unknown: Unknown::default(),
        }),
        ended_at: Some(at(-2)),
        unknown: Unknown::default(),
    });
    session.exchange = Some(Exchange {
        request: Some("why?".to_owned()),
        response: Some(String::new()),
        error: Some("line one\nline two".to_owned()),
        context: [("".to_owned(), raw("null")), ("n".to_owned(), raw("[ 0.10, 1E2 ]"))].into(),
        unknown: Unknown::default(),
    });
    session
}

/// A session as a newer version may have written it: members that this one does not know at every level, with
/// values that survive only as raw text. [`HOST`] runs its program.
#[must_use]
pub fn from_the_future(number: u32) -> Session {
    let odd =
        r#"{ "b" : 1e400,"a":[0.10 , -0.0,12345678901234567890123 ],  "b":"\u0041\/\ud800" }"#;
    let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
    let text = format!(
        r#"{{"zeta":{odd}, "revision":1,"id":"{id}","name":"future-{number}","created_at":"{at}",
        "updated_at":"{at}","last_active_at":"{at}","alpha": 1E+2 ,"status":"running",
        "origins":[{{"new":0.10,"tool":"t","id":"o","older":null}}],
        "launch":{{"argv":["a"],"workdir":"/","mode2":{odd},"":{{}},"argv2":[ ]}},
        "process":{{"state":"running","started_at":"{at}","pids":[1,2 , 3],
            "host":{{"boot":"b","zone":12345678901234567890123,"instance":"{HOST}"}},
            "health":{{"x":1.0,"status":"ok","at":"{at}","a":true}}}},
        "conversation":{{"temperature":0.10,"model":"m","stop":["\u2028"],"cost":{odd}}},
        "lease":{{"role":"r","until":1e400,"binding":{{"chat":"c","thread":0.10,"Chat":""}},"a":[]}},
        "exchange":{{"request":"q","took":1.50,"context":{{"k":{odd},"":0.10}}}},
        "records":{deep},"naïve \"key\"\t":"\u00e9","Revision":"not the revision"}}"#,
        id = id(number),
        at = at(0),
    );
    serde_json::from_str(&text).unwrap()
}

/// Members that this version does not know, by their JSON object.
#[must_use]
pub fn unknown(text: &str) -> Unknown {
    serde_json::from_str(text).unwrap()
}

/// Copies of [`full`] that could not be read back, each with the member that is at fault: one that its object knows
/// stands among the unknown ones, as only whoever moves members from one place to another can bring about.
#[must_use]
pub fn strays(number: u32) -> Vec<(Session, &'static str)> {
    type Edit = fn(&mut Session, Unknown);
    let edits: [(&'static str, Edit); 16] = [
        ("status", |it, stray| it.unknown = stray),
        ("id", |it, stray| it.unknown = stray),
        ("expires_at", |it, stray| it.unknown = stray),
        ("trashed_at", |it, stray| it.unknown = stray),
        ("exchange", |it, stray| it.unknown = stray),
        ("origins.tool", |it, stray| it.identity.origins[1].unknown = stray),
        ("lease.role", |it, stray| it.lease.as_mut().unwrap().unknown = stray),
        ("lease.binding.chat", |it, stray| {
            it.lease.as_mut().unwrap().binding.as_mut().unwrap().unknown = stray;
        }),
        ("launch.argv", |it, stray| it.launch.as_mut().unwrap().unknown = stray),
        ("process.exit", |it, stray| it.process.as_mut().unwrap().unknown = stray),
        ("process.host.boot", |it, stray| {
            it.process.as_mut().unwrap().host.as_mut().unwrap().unknown = stray;
        }),
        ("process.health.at", |it, stray| {
            it.process.as_mut().unwrap().health.as_mut().unwrap().unknown = stray;
        }),
        ("conversation.cost", |it, stray| it.conversation.as_mut().unwrap().unknown = stray),
        ("conversation.totals.records", |it, stray| {
            it.conversation.as_mut().unwrap().totals.unknown = stray;
        }),
        ("conversation.totals.tokens.input", |it, stray| {
            it.conversation.as_mut().unwrap().totals.tokens.unknown = stray;
        }),
        ("exchange.context", |it, stray| it.exchange.as_mut().unwrap().unknown = stray),
    ];
    let session = |(place, edit): (&'static str, Edit)| {
        let name = place.rsplit('.').next().unwrap_or(place);
        let mut session = full(number);
        edit(&mut session, unknown(&format!(r#"{{"new":0.10,"{name}":null}}"#)));
        (session, place)
    };
    edits.into_iter().map(session).collect()
}

/// The canonical JSON of a session.
#[must_use]
pub fn json(session: &Session) -> String {
    serde_json::to_string(session).unwrap()
}
