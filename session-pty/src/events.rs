//! What happens to sessions, told to whoever asks: numbered, kept for a while, and never waited for.

mod cursor;
mod follower;
mod hub;

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use session_core::{Exit, SessionId, SessionName, TerminalSize, Timestamp};

pub use cursor::{Cursor, CursorError};
pub(crate) use follower::{Follower, Next};
pub(crate) use hub::Hub;

/// Something that happened, and where it stands among all that did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Event {
    /// Whoever has seen this one asks for what came after this cursor.
    pub cursor: Cursor,
    /// When.
    pub time: Timestamp,
    /// To which session; `None` in a gap of a reader that listens to all.
    pub session: Option<SessionId>,
    /// What.
    #[serde(flatten)]
    pub happening: Happening,
}

/// What happened. As JSON, a `type` in kebab case and its `data`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Happening {
    /// Its program was started, and that is recorded.
    Created {
        /// The name of the session at that time.
        name: Option<SessionName>,
    },
    /// A viewer came.
    Attached {
        /// It may not type.
        read_only: bool,
        /// The size of its terminal; `None` when it has none.
        size: Option<TerminalSize>,
        /// How many viewers there are with it.
        viewers: usize,
    },
    /// A viewer left, by itself or because it was sent away.
    Detached {
        /// How many viewers are left.
        viewers: usize,
    },
    /// Its terminal has another size.
    Resized(TerminalSize),
    /// The program gave its terminal another title. See [`Happening::title`].
    Title {
        /// The title; `None` when it took the old one away.
        title: Option<String>,
    },
    /// Its program has ended, and that is recorded, or never can be.
    Exited {
        /// How; `None` when nobody knows.
        exit: Option<Exit>,
    },
    /// Between the event before and the event after, others were left out: this reader was too slow, came too late,
    /// or has a cursor of a supervisor that is gone.
    Gap {
        /// How many, when that is known. It never is of one session alone.
        missed: Option<u64>,
    },
    /// What only a newer version knows.
    #[serde(untagged)]
    Other {
        /// Its type.
        #[serde(rename = "type")]
        kind: String,
        /// Its data.
        #[serde(default)]
        data: serde_json::Value,
    },
}

/// Who is told what happens to a session, from any thread. It takes no time worth mentioning and waits for no reader.
pub(crate) type Witness = Arc<dyn Fn(SessionId, Happening) + Send + Sync>;

/// Tells what happens to one session.
#[derive(Clone)]
pub(crate) struct News {
    session: SessionId,
    witness: Witness,
}

impl News {
    pub(crate) fn of(session: SessionId, witness: &Witness) -> Self {
        Self { session, witness: Arc::clone(witness) }
    }

    pub(crate) fn tell(&self, happening: Happening) {
        (self.witness)(self.session, happening);
    }
}

impl std::fmt::Debug for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("News").field("session", &self.session).finish_non_exhaustive()
    }
}

/// How many characters of a title are told.
const TITLE: usize = 256;

impl Happening {
    /// A new title, of which no more is told than fits: a flood of long ones must not fill the memory.
    #[must_use]
    pub fn title(title: Option<&str>) -> Self {
        let printable =
            |title: &str| title.chars().filter(|c| !c.is_control()).take(TITLE).collect();
        Self::Title { title: title.map(printable) }
    }

    /// The end of a program.
    #[must_use]
    pub fn exited(exit: Exit) -> Self {
        Self::Exited { exit: (exit != Exit::Unknown).then_some(exit) }
    }

    /// Its type, as in JSON.
    #[must_use]
    pub fn kind(&self) -> &str {
        match self {
            Self::Created { .. } => "created",
            Self::Attached { .. } => "attached",
            Self::Detached { .. } => "detached",
            Self::Resized(_) => "resized",
            Self::Title { .. } => "title",
            Self::Exited { .. } => "exited",
            Self::Gap { .. } => "gap",
            Self::Other { kind, .. } => kind,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn event(happening: Happening) -> Event {
        let time = Timestamp::from_millis(1);
        let session = Some(SessionId::from_parts(time, 1));
        let cursor = "00000000000000ff.7".parse().unwrap();
        Event { cursor, time, session, happening }
    }

    #[test]
    fn every_event_has_its_form_and_comes_back_from_it() {
        let size = TerminalSize::nearest(120, 40);
        let name = SessionName::parse("build").unwrap();
        for (happening, kind, data) in [
            (Happening::Created { name: Some(name) }, "created", json!({"name": "build"})),
            (
                Happening::Attached { read_only: true, size: Some(size), viewers: 2 },
                "attached",
                json!({"read_only": true, "size": {"cols": 120, "rows": 40}, "viewers": 2}),
            ),
            (Happening::Detached { viewers: 1 }, "detached", json!({"viewers": 1})),
            (Happening::Resized(size), "resized", json!({"cols": 120, "rows": 40})),
            (Happening::title(Some("a\x1bb")), "title", json!({"title": "ab"})),
            (Happening::title(None), "title", json!({"title": null})),
            (Happening::exited(Exit::Code(7)), "exited", json!({"exit": {"code": 7}})),
            (Happening::exited(Exit::Unknown), "exited", json!({"exit": null})),
            (Happening::Gap { missed: Some(3) }, "gap", json!({"missed": 3})),
        ] {
            assert_eq!(happening.kind(), kind);
            let event = event(happening);
            let text = serde_json::to_string(&event).unwrap();
            let value: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!((&value["type"], &value["data"]), (&json!(kind), &data), "{text}");
            assert_eq!(value["cursor"], "00000000000000ff.7");
            assert_eq!(value["time"], "1970-01-01T00:00:00.001Z");
            assert_eq!(serde_json::from_str::<Event>(&text).unwrap(), event);
        }
    }

    #[test]
    fn what_a_newer_version_tells_is_passed_on() {
        let known = serde_json::to_value(event(Happening::Gap { missed: None })).unwrap();
        let mut newer = known.clone();
        newer["type"] = json!("activity");
        newer["data"] = json!({"state": "working"});
        let event: Event = serde_json::from_value(newer.clone()).unwrap();
        assert_eq!(event.happening.kind(), "activity");
        assert_eq!(serde_json::to_value(&event).unwrap(), newer);
    }

    #[test]
    fn a_title_is_no_longer_than_it_may_be() {
        let Happening::Title { title } = Happening::title(Some(&"é".repeat(5000))) else {
            panic!("it is a title");
        };
        assert_eq!(title.map(|title| title.chars().count()), Some(TITLE));
    }
}
