//! Objects as programs read them: the canonical JSON of the core, with what only the command knows added.

use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::ser::SerializeMap as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use session_core::{Damage, Exit, Session};
use session_pty::LiveSession;

use crate::error::CliError;

/// An error for programs.
#[derive(Debug, Serialize)]
pub(crate) struct ErrorObject<'a> {
    error: ErrorBody<'a>,
}

#[derive(Debug, Serialize)]
pub(crate) struct ErrorBody<'a> {
    kind: &'static str,
    message: &'a str,
    hint: Option<&'a str>,
    retryable: bool,
}

/// A session for programs: canonical JSON, absent parts as `null`, and whether and how it lives.
///
/// Values pass through as the text that the core wrote, so that numbers of a newer version keep their form.
#[derive(Debug)]
pub(crate) struct SessionObject(Members);

/// `{"session": …}`.
#[derive(Debug, Serialize)]
pub(crate) struct OneSession {
    session: SessionObject,
}

/// How a program ended, as in the record: `null` when nobody knows.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct ExitValue(pub(crate) Option<Exit>);

/// A record that cannot be read.
#[derive(Debug, Serialize)]
pub(crate) struct DamageObject<'a> {
    place: &'a str,
    reason: &'a str,
}

/// What is known of a running session beside its record.
#[derive(Debug, Serialize)]
struct LiveObject<'a> {
    activity: &'static str,
    viewers: usize,
    title: Option<&'a str>,
    approval: Option<()>,
}

/// The members of an object, each value as its text.
#[derive(Debug, Default)]
struct Members(Vec<(String, Box<RawValue>)>);

/// Parts that every session object has in the command's output.
const PARTS: [&str; 5] = ["lease", "launch", "process", "conversation", "exchange"];

impl<'a> ErrorBody<'a> {
    pub(crate) fn new(error: &'a CliError) -> Self {
        Self {
            kind: error.kind().as_str(),
            message: error.message(),
            hint: error.advice(),
            retryable: error.is_retryable(),
        }
    }
}

impl<'a> ErrorObject<'a> {
    pub(crate) fn new(error: &'a CliError) -> Self {
        Self { error: ErrorBody::new(error) }
    }
}

impl OneSession {
    pub(crate) fn new(session: &Session, live: Option<&LiveSession>) -> Result<Self, CliError> {
        Ok(Self { session: SessionObject::new(session, live)? })
    }
}

impl SessionObject {
    pub(crate) fn new(session: &Session, live: Option<&LiveSession>) -> Result<Self, CliError> {
        Self::build(session, live).map(Self).map_err(|error| {
            let message = format!("writing session {} as JSON: {error}", session.id());
            CliError::new(session_core::ErrorKind::Internal, message)
        })
    }

    fn build(session: &Session, live: Option<&LiveSession>) -> serde_json::Result<Members> {
        let mut members: Members = serde_json::from_str(&serde_json::to_string(session)?)?;
        for part in PARTS {
            members.add_missing(part)?;
        }
        if let Some(launch) = members.get_mut("launch") {
            *launch = without_values(launch)?;
        }
        let live = live.map(|live| LiveObject {
            activity: "unknown",
            viewers: live.viewers,
            title: live.title.as_deref(),
            approval: None,
        });
        members.0.push(("live".to_owned(), to_raw_value(&live)?));
        Ok(members)
    }
}

/// The launch part with the names of its variables only: values may be secrets.
fn without_values(launch: &RawValue) -> serde_json::Result<Box<RawValue>> {
    let Some(mut launch) = serde_json::from_str::<Option<Members>>(launch.get())? else {
        return Ok(RawValue::NULL.to_owned());
    };
    if let Some(env) = launch.get_mut("env") {
        let mut names: Members = serde_json::from_str(env.get())?;
        for (_, value) in &mut names.0 {
            *value = RawValue::NULL.to_owned();
        }
        *env = to_raw_value(&names)?;
    }
    to_raw_value(&launch)
}

impl<'a> From<&'a Damage> for DamageObject<'a> {
    fn from(damage: &'a Damage) -> Self {
        Self { place: &damage.place, reason: &damage.reason }
    }
}

impl Members {
    fn get_mut(&mut self, name: &str) -> Option<&mut Box<RawValue>> {
        self.0.iter_mut().find(|(known, _)| known == name).map(|(_, value)| value)
    }

    fn add_missing(&mut self, name: &str) -> serde_json::Result<()> {
        if self.get_mut(name).is_none() {
            self.0.push((name.to_owned(), to_raw_value(&())?));
        }
        Ok(())
    }
}

impl Serialize for SessionObject {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl Serialize for Members {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.0.len()))?;
        self.0.iter().try_for_each(|(name, value)| map.serialize_entry(name, value))?;
        map.end()
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;

        impl<'de> Visitor<'de> for InOrder {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = Members::default();
                while let Some(entry) = map.next_entry()? {
                    members.0.push(entry);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(InOrder)
    }
}

#[cfg(test)]
mod tests {
    use session_core::{Launch, SessionId, Timestamp};

    use super::*;

    #[test]
    fn what_a_newer_version_stored_keeps_its_form_and_variables_lose_their_values() {
        let now = Timestamp::from_millis(1);
        let mut session = Session::new(SessionId::from_parts(now, 1), now);
        session.launch = Some(Launch {
            argv: vec!["sh".to_owned()],
            workdir: "/".to_owned(),
            env: [("TOKEN".to_owned(), "secret".to_owned())].into(),
            ..Launch::default()
        });
        let text = serde_json::to_string(&session).unwrap();
        let newer = format!("{},\"cost\":1.10e2}}", text.strip_suffix('}').unwrap());
        let session: Session = serde_json::from_str(&newer).unwrap();

        let written = serde_json::to_string(&OneSession::new(&session, None).unwrap()).unwrap();
        assert!(written.contains("\"cost\":1.10e2"), "{written}");
        assert!(written.contains("\"env\":{\"TOKEN\":null}"), "{written}");
        assert!(!written.contains("secret"), "{written}");
        for part in ["lease", "process", "conversation", "exchange", "live"] {
            assert!(written.contains(&format!("\"{part}\":null")), "{written}");
        }
    }
}
