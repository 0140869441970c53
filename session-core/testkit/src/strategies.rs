//! Sessions and records that are legal and as nasty as they can be, for property tests.
//!
//! All are boxed: their types, nested by value, would not fit the stack of a test.

mod records;

use std::time::Duration;

use proptest::collection::{btree_map, vec};
use proptest::option::of;
use proptest::prelude::*;
use session_core::{
    Binding, Conversation, Exchange, Exit, Expiry, Health, Host, LabelKey, Labels, Launch, Lease,
    Mode, NameRules, Origin, PermissionMode, Process, ProcessState, RawJson, RoleName, Session,
    SessionId, SessionName, Status, TerminalSize, Timestamp, Totals, Unknown,
};

pub use records::{block, body, entries, entry, message, record_id, role};

/// Any text: every plane of Unicode, control characters, quotes and backslashes, nothing at all, and 100 000
/// bytes of it now and then.
pub fn text() -> BoxedStrategy<String> {
    let hostile = [
        "",
        "\0",
        "\r\n",
        "\u{1b}]0;title\u{7}",
        "\"\\\\u0041\"",
        "'; DROP TABLE sessions; --",
        "%_*?[a]",
        "\u{202e}abc\u{2066}",
        "\u{feff}\u{2028}\u{2029}",
        "e\u{301}\u{1f468}\u{200d}\u{1f469}",
        "{\"v\":1}\n",
    ];
    prop_oneof![
        8 => proptest::collection::vec(any::<char>(), 0..20).prop_map(String::from_iter),
        4 => proptest::sample::select(hostile.to_vec()).prop_map(str::to_owned),
        4 => "[\\x00-\\x7f]{0,40}",
        1 => any::<char>().prop_map(|repeated| repeated.to_string().repeat(25_000)),
    ]
    .boxed()
}

/// Any name: one character, a hundred, and those that look like something else.
pub fn name() -> BoxedStrategy<SessionName> {
    let odd = ["0", "null", "true", "1e9", "a--", "A_-_", "con", "00000001", "-", "9999-12-31"];
    prop_oneof![
        4 => "[A-Za-z0-9][A-Za-z0-9_-]{0,12}",
        1 => "[A-Za-z0-9][A-Za-z0-9_-]{99}",
        2 => proptest::sample::select(odd.to_vec()).prop_map(str::to_owned),
    ]
    .prop_map(|text| SessionName::sanitised(&text))
    .boxed()
}

/// Any key of a label: one character or 63, with every character that is allowed inside.
pub fn label_key() -> BoxedStrategy<LabelKey> {
    prop_oneof!["[A-Za-z0-9]", "[A-Za-z0-9][A-Za-z0-9._/-]{0,61}[A-Za-z0-9]"]
        .prop_map(|text| LabelKey::parse(&text).unwrap())
        .boxed()
}

/// Any labels, with any values; hundreds of them now and then.
pub fn labels() -> BoxedStrategy<Labels> {
    prop_oneof![
        15 => btree_map(label_key(), text(), 0..4),
        1 => btree_map(label_key(), "[a-z]{0,3}", 200..300),
    ]
    .boxed()
}

/// Any JSON value: numbers that no type of ours holds, white space, members that stand twice, `null`.
pub fn raw_json() -> BoxedStrategy<RawJson> {
    let odd = [
        "0.10",
        "1e400",
        "-0.0",
        "12345678901234567890123",
        "{\"usd\":0.10,\"n\":1e2}",
        "[ 1 , [ ] ]",
        "{ \"b\" : 1,\n\"a\":\"\\u0041\\/\\ud800\",\"b\":null }",
        "null",
        "false",
        "{}",
    ];
    prop_oneof![
        proptest::sample::select(odd.to_vec()).prop_map(|text| RawJson::parse(text).unwrap()),
        text().prop_map(|text| RawJson::of(&text).unwrap()),
    ]
    .boxed()
}

/// Members that this version does not know anywhere; mostly none.
pub fn unknown() -> BoxedStrategy<Unknown> {
    let names = ["zeta", "", "Type", "na\u{ef}ve \"key\"", "seq2"];
    let member = (proptest::sample::select(names.to_vec()), raw_json());
    let members = vec(member, 1..3).prop_map(|members| {
        let texts = members
            .into_iter()
            .map(|(name, value)| format!("{}:{value}", serde_json::to_string(name).unwrap()));
        let object = format!("{{{}}}", texts.collect::<Vec<_>>().join(","));
        serde_json::from_str(&object).unwrap()
    });
    prop_oneof![5 => Just(Unknown::default()), 1 => members].boxed()
}

/// Any time: today, any other day, the first and last ones, and those around 1970.
pub fn timestamp() -> BoxedStrategy<Timestamp> {
    prop_oneof![
        4 => 1_700_000_000_000_i64..1_800_000_000_000,
        2 => any::<i64>(),
        1 => proptest::sample::select(vec![i64::MIN, -1, 0, 1, i64::MAX]),
    ]
    .prop_map(Timestamp::from_millis)
    .boxed()
}

/// Any id, of a time before or after 1970 and of every pattern of bits.
pub fn session_id() -> BoxedStrategy<SessionId> {
    (timestamp(), any::<u128>()).prop_map(|(at, random)| SessionId::from_parts(at, random)).boxed()
}

/// Any deadline; idle times are whole milliseconds, as they are kept.
pub fn expiry() -> BoxedStrategy<Expiry> {
    let idle = prop_oneof![0..10_000_u64, any::<u64>()];
    prop_oneof![
        Just(Expiry::Never),
        timestamp().prop_map(Expiry::At),
        idle.prop_map(|millis| Expiry::Idle(Duration::from_millis(millis))),
    ]
    .boxed()
}

/// Any launch part that some system could start.
pub fn launch() -> BoxedStrategy<Launch> {
    let words = ["default", "plan", "auto", "acceptEdits", "dontAsk", "bypassPermissions"];
    let permission_mode = prop_oneof![
        proptest::sample::select(words.to_vec()).prop_map(PermissionMode::from),
        // Through the words, so that a foreign one is not one of ours.
        text().prop_map(|word| PermissionMode::from(word.as_str())),
    ];
    let size = any::<(u16, u16)>().prop_map(|(cols, rows)| TerminalSize::nearest(cols, rows));
    let free_of_nul = || text().prop_map(|text| text.replace('\0', "\u{1}"));
    let program =
        free_of_nul().prop_map(|text| if text.is_empty() { " ".to_owned() } else { text });
    let argv = (program, vec(free_of_nul(), 0..3))
        .prop_map(|(program, rest)| std::iter::once(program).chain(rest).collect());
    let variable = free_of_nul().prop_map(|text| format!("_{}", text.replace('=', "-")));
    (
        of(text()),
        argv,
        free_of_nul().prop_map(|text| format!("/{text}")),
        prop_oneof![Just(Mode::Safe), Just(Mode::Yolo)],
        btree_map(variable, free_of_nul(), 0..3),
        of(permission_mode),
        of(size),
        any::<bool>(),
    )
        .prop_map(|(tool, argv, workdir, mode, env, permission_mode, size, internal)| Launch {
            tool,
            argv,
            workdir,
            mode,
            env,
            permission_mode,
            size,
            internal,
            unknown: Unknown::default(),
        })
        .boxed()
}

/// Any process part.
pub fn process() -> BoxedStrategy<Process> {
    let state = prop_oneof![
        Just(ProcessState::Starting),
        Just(ProcessState::Running),
        any::<i32>().prop_map(|code| ProcessState::Exited(Exit::Code(code))),
        any::<i32>().prop_map(|signal| ProcessState::Exited(Exit::Signal(signal))),
        Just(ProcessState::Exited(Exit::Unknown)),
        Just(ProcessState::Lost),
    ];
    let host = (text(), text()).prop_map(|(instance, boot)| Host {
        instance,
        boot,
        unknown: Unknown::default(),
    });
    let health = (text(), timestamp()).prop_map(|(status, at)| Health {
        status,
        at,
        unknown: Unknown::default(),
    });
    (
        state,
        (any::<Option<u32>>(), any::<Option<u64>>()),
        timestamp(),
        of(host),
        (of(text()), of(text())),
        of(timestamp()),
        of(health),
    )
        .prop_map(|(state, (pid, pid_start), started_at, host, names, last_attached_at, health)| {
            Process {
                state,
                pid,
                pid_start,
                started_at,
                host,
                tool_session_id: names.0,
                tmux_name: names.1,
                last_attached_at,
                health,
                unknown: Unknown::default(),
            }
        })
        .boxed()
}

/// Any conversation part of a session without a history.
pub fn conversation() -> BoxedStrategy<Conversation> {
    let names = (of(text()), of(text()), of(text()), of(text()));
    (names, any::<bool>(), of(raw_json()), unknown())
        .prop_map(|(names, events_complete, cost, unknown)| Conversation {
            vendor: names.0,
            endpoint: names.1,
            model: names.2,
            workspace: names.3,
            events_complete,
            cost,
            totals: Totals::default(),
            unknown,
        })
        .boxed()
}

/// Any lease, standing or given back.
pub fn lease() -> BoxedStrategy<Lease> {
    let role = prop_oneof!["[a-z0-9]", "[a-z][a-z0-9]{30}[a-z]", Just("a-b-c".to_owned())]
        .prop_map(|text| RoleName::parse(&text).unwrap());
    let binding = (text(), text(), text(), unknown())
        .prop_map(|(chat, agent, project, unknown)| Binding { chat, agent, project, unknown });
    (of(role), of(binding), of(timestamp()), unknown())
        .prop_map(|(role, binding, ended_at, unknown)| Lease { role, binding, ended_at, unknown })
        .boxed()
}

/// Any exchange part.
pub fn exchange() -> BoxedStrategy<Exchange> {
    (of(text()), of(text()), of(text()), btree_map(text(), raw_json(), 0..3), unknown())
        .prop_map(|(request, response, error, context, unknown)| Exchange {
            request,
            response,
            error,
            context,
            unknown,
        })
        .boxed()
}

/// Any session outside the trash, of any status, with or without each part. It is as a store returns it when it
/// was just created: at revision 1, updated when created.
pub fn session() -> BoxedStrategy<Session> {
    let origin =
        (text(), text()).prop_map(|(tool, id)| Origin { tool, id, unknown: Unknown::default() });
    let identity = (of(name()), of(text()), labels(), vec(origin, 0..3), of(session_id()));
    let lifecycle =
        (proptest::sample::select(Status::ALL.to_vec()), timestamp(), expiry(), of(timestamp()));
    let parts = (of(lease()), of(launch()), of(process()), of(conversation()), of(exchange()));
    ((session_id(), timestamp()), identity, lifecycle, parts, unknown())
        .prop_map(|((id, created_at), identity, lifecycle, parts, unknown)| {
            let mut session = Session::new(id, created_at);
            let (name, title, labels, origins, parent) = identity;
            session.identity.name = name;
            session.identity.title = title;
            session.identity.labels = labels;
            session.identity.origins = origins;
            // A session is never its own parent.
            session.identity.parent = parent.filter(|parent| *parent != id);
            let (status, last_active_at, expiry, ended_at) = lifecycle;
            session.lifecycle.status = status;
            session.lifecycle.last_active_at = last_active_at;
            session.lifecycle.expiry = expiry;
            session.lifecycle.ended_at = ended_at;
            (
                session.lease,
                session.launch,
                session.process,
                session.conversation,
                session.exchange,
            ) = parts;
            session.unknown = unknown;
            without_illegal_role(&mut session);
            session
        })
        .boxed()
}

/// Takes the role away from a session whose name breaks the rules of roles.
pub(crate) fn without_illegal_role(session: &mut Session) {
    let is_slug = |name: &SessionName| NameRules::SLUG.validate(name.as_str()).is_ok();
    if let Some(lease) = &mut session.lease
        && !session.identity.name.as_ref().is_none_or(is_slug)
    {
        lease.role = None;
    }
}
