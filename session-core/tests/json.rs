//! The canonical JSON of a session, to the byte.

use proptest::prelude::*;
use serde_json::Value;
use session_core::{Exit, Expiry, PermissionMode, ProcessState, Session};
use session_testkit::samples::{at, bare, from_the_future, full, json};
use session_testkit::strategies;

fn read(text: &str) -> Result<Session, String> {
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// The canonical text of the smallest session, without its closing brace.
const SMALLEST: &str = concat!(
    r#"{"id":"01JXT21Q000000000000000001","name":null,"title":null,"labels":{},"origins":[],"parent":null,"#,
    r#""status":"pending","created_at":"2025-06-15T15:06:40.000Z","updated_at":"2025-06-15T15:06:40.000Z","#,
    r#""last_active_at":"2025-06-15T15:06:40.000Z","expires_at":null,"ended_at":null,"revision":1"#,
);

const FULL: &str = concat!(
    r#"{"id":"01JXT21Q000000000000000001","name":"full-1","#,
    r#""title":"What \"it\" is about 🧪\nsecond line","#,
    r#""labels":{"k8s.io/role":"","team":"core"},"#,
    r#""origins":[{"tool":"claude","id":"a/b c"},{"tool":"tkt","id":"17"}],"#,
    r#""parent":"01JXT21Q00000000000000001Z","#,
    r#""status":"running","created_at":"2025-06-15T15:06:40.000Z","#,
    r#""updated_at":"2025-06-15T15:06:40.000Z","last_active_at":"2025-06-15T15:06:35.000Z","#,
    r#""expires_at":"2025-06-16T16:07:36.001Z","idle_timeout_ms":90061001,"#,
    r#""ended_at":"2025-06-15T15:06:37.000Z","trashed_at":"2025-06-15T15:06:49.000Z","revision":1,"#,
    r#""lease":{"role":"implementer","binding":{"chat":"chat:-100","agent":"🤖","project":"a/b c"},"#,
    r#""ended_at":"2025-06-15T15:06:38.000Z"},"#,
    r#""launch":{"tool":"claude","argv":["claude","--print",""],"workdir":"/srv/a b","mode":"yolo","#,
    r#""env":{"A":"1","B":"x=y"},"permission_mode":"whatever","size":{"cols":120,"rows":40},"#,
    r#""internal":true},"#,
    r#""process":{"state":"running","pid":4294967295,"pid_start":18446744073709551615,"#,
    r#""started_at":"2025-06-15T15:06:41.000Z","exit":null,"#,
    r#""host":{"instance":"host-a","boot":"boot"},"tool_session_id":"tool-session","#,
    r#""tmux_name":"tmux","last_attached_at":"2025-06-15T15:06:42.000Z","#,
    r#""health":{"status":"recovered","at":"2025-06-15T15:06:43.000Z"}},"#,
    r#""conversation":{"vendor":"vendor","endpoint":"https://example.invalid","model":"model","#,
    r#""workspace":"/srv","events_complete":true,"cost":{"usd":0.10,"n":1e2}},"#,
    r#""exchange":{"request":"why?","response":"","error":"line one\nline two","#,
    r#""context":{"":null,"n":[ 0.10, 1E2 ]}}}"#,
);

#[test]
fn the_smallest_session_has_this_text() {
    let text = format!("{SMALLEST}}}");
    assert_eq!(json(&bare(1)), text);
    assert_eq!(read(&text).unwrap(), bare(1));
}

#[test]
fn a_full_session_has_this_text() {
    let mut session = full(1);
    session.lifecycle.trashed_at = Some(at(9));
    assert_eq!(json(&session), FULL);
    assert_eq!(read(FULL).unwrap(), session);
}

/// Each member that may be missing, with what it means then.
#[test]
fn optional_members_may_be_absent_or_null() {
    let whole: Value = serde_json::from_str(FULL).unwrap();
    // A JSON value changes the numbers that are kept as they are.
    let unedited = json(&read(&whole.to_string()).unwrap());
    let optional: [(&str, &[&str]); 6] = [
        (
            "",
            &[
                "name",
                "title",
                "labels",
                "origins",
                "parent",
                "ended_at",
                "trashed_at",
                "lease",
                "launch",
                "process",
                "conversation",
                "exchange",
            ],
        ),
        ("launch", &["tool", "mode", "env", "permission_mode", "size", "internal"]),
        (
            "process",
            &[
                "pid",
                "pid_start",
                "exit",
                "host",
                "tool_session_id",
                "tmux_name",
                "last_attached_at",
                "health",
            ],
        ),
        ("lease", &["role", "binding", "ended_at"]),
        ("conversation", &["vendor", "endpoint", "model", "workspace", "events_complete"]),
        ("exchange", &["request", "response", "error", "context"]),
    ];
    for (part, members) in optional {
        for member in members {
            let edited = |edit: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut value = whole.clone();
                let object = if part.is_empty() { &mut value } else { &mut value[part] };
                edit(object.as_object_mut().unwrap());
                read(&value.to_string()).unwrap_or_else(|error| panic!("{member}: {error}"))
            };
            let absent = edited(&|object| drop(object.remove(*member)));
            let null = edited(&|object| drop(object.insert((*member).to_owned(), Value::Null)));
            assert_eq!(absent, null, "{part}.{member}");
            if *member != "exit" {
                assert_ne!(json(&absent), unedited, "{part}.{member}");
            }
            assert_eq!(read(&json(&absent)).unwrap(), absent, "{part}.{member}");
        }
    }
}

#[test]
fn a_null_cost_is_a_cost() {
    let null = FULL.replace(r#"{"usd":0.10,"n":1e2}"#, "null");
    let cost = read(&null).unwrap().conversation.unwrap().cost.unwrap();
    assert_eq!((cost.as_str(), json(&read(&null).unwrap())), ("null", null.clone()));
    let none = null.replace(r#","cost":null"#, "");
    assert_eq!(read(&none).unwrap().conversation.unwrap().cost, None);
}

#[test]
fn required_members_are_required() {
    let whole: Value = serde_json::from_str(FULL).unwrap();
    let required = [
        ("", "id"),
        ("", "status"),
        ("", "created_at"),
        ("", "updated_at"),
        ("", "last_active_at"),
        ("", "revision"),
        ("launch", "argv"),
        ("launch", "workdir"),
        ("process", "state"),
        ("process", "started_at"),
    ];
    for (part, member) in required {
        let mut value = whole.clone();
        let object = if part.is_empty() { &mut value } else { &mut value[part] };
        object.as_object_mut().unwrap().remove(member);
        let error = read(&value.to_string()).unwrap_err();
        assert!(error.contains(&format!("`{member}`")), "{part}.{member}: {error}");
        assert!(error.contains(part), "{part}.{member}: {error}");
    }
}

#[test]
fn a_deadline_is_fixed_or_counts_from_the_last_activity() {
    let text =
        |members: &str| format!("{},{members}}}", SMALLEST.replace(r#","expires_at":null"#, ""));
    let expiry = |members: &str| read(&text(members)).unwrap().lifecycle.expiry;
    let fixed = r#""expires_at":"2025-06-15T15:06:50.000Z""#;
    assert_eq!(expiry(fixed), Expiry::At(at(10)));
    let idle = r#""idle_timeout_ms":7"#;
    assert_eq!(expiry(idle), Expiry::Idle(std::time::Duration::from_millis(7)));
    // The deadline beside an idle time is derived from it, for readers that do not compute.
    assert_eq!(expiry(&format!("{fixed},{idle}")), expiry(idle));
    assert_eq!(expiry(r#""expires_at":null"#), Expiry::Never);
}

#[test]
fn the_end_of_a_program_is_a_code_a_signal_or_unknown() {
    let cases = [
        (ProcessState::Exited(Exit::Code(-1)), r#""state":"exited""#, r#""exit":{"code":-1}"#),
        (ProcessState::Exited(Exit::Signal(9)), r#""state":"exited""#, r#""exit":{"signal":9}"#),
        (ProcessState::Exited(Exit::Unknown), r#""state":"exited""#, r#""exit":null"#),
        (ProcessState::Starting, r#""state":"starting""#, r#""exit":null"#),
        (ProcessState::Lost, r#""state":"lost""#, r#""exit":null"#),
    ];
    for (state, word, exit) in cases {
        let mut session = full(1);
        session.process.as_mut().unwrap().state = state;
        let text = json(&session);
        assert!(text.contains(word) && text.contains(exit), "{text}");
        assert_eq!(read(&text).unwrap(), session);
    }
    for wrong in [r#""exit":{}"#, r#""exit":{"code":1,"signal":2}"#] {
        let error = read(&FULL.replace(r#""exit":null"#, wrong)).unwrap_err();
        assert!(error.contains("an exit has either a code or a signal"), "{error}");
    }
}

#[test]
fn permission_modes_are_the_words_of_the_tools() {
    let words = ["default", "plan", "auto", "acceptEdits", "dontAsk", "bypassPermissions", "Plan"];
    for word in words {
        let text = FULL.replace("whatever", word);
        let session = read(&text).unwrap();
        let mode = session.launch.as_ref().unwrap().permission_mode.clone().unwrap();
        assert_eq!(matches!(mode, PermissionMode::Foreign(_)), word == "Plan");
        assert_eq!(json(&session), text);
    }
}

#[test]
fn unknown_members_stay_as_they_are_behind_the_known_ones() {
    let unknown =
        r#""zeta":{ "n" : 1e400 },"alpha":[0.10,12345678901234567890123],"zeta":"\ud800""#;
    let known = &SMALLEST[1..];
    let session = read(&format!("{{ {unknown}, {known} }}")).unwrap();
    assert_eq!(json(&session), format!("{SMALLEST},{unknown}}}"));
    let names: Vec<_> = session.unknown.iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["zeta", "alpha", "zeta"]);
}

#[test]
fn unknown_members_stay_at_every_level() {
    let session = from_the_future(1);
    let text = json(&session);
    let launch = session.launch.as_ref().unwrap();
    let process = session.process.as_ref().unwrap();
    let levels = [
        &session.unknown,
        &session.identity.origins[0].unknown,
        &launch.unknown,
        &process.unknown,
        &process.host.as_ref().unwrap().unknown,
        &process.health.as_ref().unwrap().unknown,
        &session.conversation.as_ref().unwrap().unknown,
    ];
    for unknown in levels {
        assert!(!unknown.is_empty());
        for (_, value) in unknown.iter() {
            assert!(text.contains(value), "{value}");
        }
    }
    assert_eq!(read(&text).unwrap(), session);
    assert_eq!(json(&read(&text).unwrap()), text);
}

#[test]
fn a_record_stays_on_one_line() {
    let session = read(&format!("{SMALLEST},\"new\":[1,\r\n2,\"a\\nb\"]\n}}\n")).unwrap();
    assert_eq!(json(&session), format!("{SMALLEST},\"new\":[1,  2,\"a\\nb\"]}}"));
}

#[test]
fn wrong_values_are_refused_by_the_name_of_their_field() {
    let wrong = [
        (r#""id":"01JXT21Q000000000000000001""#, r#""id":"01""#, "id"),
        (r#""name":"full-1""#, r#""name":"no name""#, "name"),
        (r#""name":"full-1""#, r#""name":7"#, "name"),
        (r#""labels":{"k8s.io/role":"","#, r#""labels":{"-":"","#, "labels"),
        (r#""labels":{"k8s.io/role":"","#, r#""labels":{"a":1,"#, "labels"),
        (r#""origins":["#, r#""origins":[{"tool":"t"},"#, "origins"),
        (r#""status":"running""#, r#""status":"Running""#, "status"),
        (r#""created_at":"2025-06-15T15:06:40.000Z""#, r#""created_at":1"#, "created_at"),
        (r#""ended_at":"2025-06-15T"#, r#""ended_at":"2025-06-15 "#, ""),
        (r#""idle_timeout_ms":90061001"#, r#""idle_timeout_ms":-1"#, "idle_timeout_ms"),
        (r#""revision":1,"#, r#""revision":1.5,"#, "revision"),
        (r#""mode":"yolo""#, r#""mode":"YOLO""#, "mode"),
        (r#""size":{"cols":120"#, r#""size":{"cols":70000"#, "size"),
        (r#""internal":true"#, r#""internal":"true""#, "internal"),
        (r#""state":"running""#, r#""state":"walking""#, "process"),
        (r#""pid":4294967295"#, r#""pid":4294967296"#, "pid"),
        (r#""boot":"boot""#, r#""boot":null"#, "host"),
        (r#""model":"model""#, r#""model":{}"#, "model"),
    ];
    for (right, wrong, field) in wrong {
        let text = FULL.replace(right, wrong);
        assert_ne!(text, FULL, "{right} is no part of the text");
        match read(&text) {
            // RFC 3339 allows a space between date and time.
            Ok(session) => assert_eq!((field, json(&session).as_str()), ("", FULL)),
            Err(error) => {
                assert!(
                    !field.is_empty() && error.contains(&format!("{field:?}")),
                    "{wrong}: {error}"
                );
            }
        }
    }
}

#[test]
fn no_known_member_comes_twice() {
    let twice = [
        ("id", r#""id":"01JXT21Q000000000000000001","#),
        ("title", r#""title":null,"#),
        ("revision", r#""revision":1,"#),
    ];
    for (field, member) in twice {
        let error = read(&FULL.replacen('{', &format!("{{{member}"), 1)).unwrap_err();
        assert!(error.contains("duplicate field") && error.contains(field), "{error}");
    }
    let error = read(&FULL.replace(r#""argv""#, r#""argv":["a"],"argv""#)).unwrap_err();
    assert!(error.contains("duplicate field") && error.contains("argv"), "{error}");
}

#[test]
fn a_launch_names_a_program() {
    let none = FULL.replace(r#""argv":["claude","--print",""]"#, r#""argv":[]"#);
    assert!(read(&none).unwrap_err().contains("names no program"));
}

#[test]
fn a_name_under_a_role_is_a_slug() {
    let role = |name: &str| {
        let named = SMALLEST.replace(r#""name":null"#, &format!(r#""name":"{name}""#));
        read(&format!(r#"{named},"lease":{{"role":"monitor"}}}}"#))
    };
    assert!(role("monitor-1a2b").is_ok());
    assert!(role("Monitor").unwrap_err().contains("under a role"));
}

#[test]
fn a_session_is_not_its_own_parent() {
    let own = FULL.replace("00000000000000001Z", "000000000000000001");
    assert_ne!(own, FULL);
    assert!(read(&own).unwrap_err().contains("its own parent"));
}

#[test]
fn only_an_object_is_a_session() {
    for text in ["", "null", "[]", "7", "{}", r#""session""#, &FULL[..FULL.len() - 1]] {
        assert!(read(text).is_err(), "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn every_legal_session_comes_back(session in strategies::session()) {
        let text = json(&session);
        prop_assert!(!text.contains(['\n', '\r']));
        let back = read(&text).unwrap();
        prop_assert_eq!(&back, &session);
        prop_assert_eq!(json(&back), text);
    }
}

#[test]
fn a_key_of_labels_or_environment_stands_once() {
    for (text, named) in [
        (r#"{"labels":{"a":"1","a":"2"}}"#, r#"the key "a" stands twice"#),
        (
            r#"{"launch":{"argv":["x"],"workdir":"/","env":{"A":"1","B":"2","A":"2"}}}"#,
            r#"the key "A" stands twice"#,
        ),
    ] {
        let members = &text[1..];
        let session = format!(
            r#"{{"id":"01JD0000000000000000000000","status":"pending","created_at":"2026-01-31T08:15:00.000Z","updated_at":"2026-01-31T08:15:00.000Z","last_active_at":"2026-01-31T08:15:00.000Z","revision":1,{members}"#
        );
        let error = serde_json::from_str::<session_core::Session>(&session).unwrap_err();
        assert!(error.to_string().contains(named), "{error}");
    }
}

#[test]
fn half_a_surrogate_pair_is_kept_where_nothing_is_read() {
    let with = |member: &str| read(&format!("{SMALLEST},{member}}}"));
    let kept = r#""zeta":"\ud800""#;
    assert_eq!(json(&with(kept).unwrap()), format!("{SMALLEST},{kept}}}"));
    assert!(with(r#""\ud800":1"#).is_err());
    let titled = SMALLEST.replace(r#""title":null"#, r#""title":"\ud800""#);
    assert!(read(&format!("{titled}}}")).unwrap_err().contains("title"));
    let escaped = with(r#""\u0061b\/":1"#).unwrap();
    assert_eq!(json(&escaped), format!(r#"{SMALLEST},"ab/":1}}"#));
}

#[test]
fn a_new_word_is_refused_where_everything_else_depends_on_it() {
    for (member, word) in [("status", "running"), ("mode", "yolo"), ("state", "running")] {
        let text =
            FULL.replace(&format!(r#""{member}":"{word}""#), &format!(r#""{member}":"new""#));
        assert_ne!(text, FULL);
        assert!(read(&text).unwrap_err().contains("new"), "{member}");
    }
}
