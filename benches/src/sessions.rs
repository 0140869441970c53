//! Sessions as a store that is in use holds them: named, labelled, most of them over.

use std::time::Duration;

use session_core::{
    Exit, LabelError, LabelKey, Launch, NameError, Observer, Process, ProcessState, Session,
    SessionId, SessionName, Status, TerminalSize, Timestamp,
};

use crate::Random;

/// Sessions in a small store.
pub const FEW: usize = 1_000;

/// Sessions in a large store: a factor of 100, by which no operation on one session should grow.
pub const MANY: usize = 100_000;

/// Sessions on a page of a listing.
pub const PAGE: u32 = 50;

/// What makes a session impossible that is put together here: a mistake in the words below.
#[derive(Debug)]
pub enum Mistake {
    /// In a name.
    Name(NameError),
    /// In a label.
    Label(LabelError),
}

/// When the session with this number is created: one a minute.
#[must_use]
pub fn created_at(number: usize) -> Timestamp {
    let start = Timestamp::from_millis(1_750_000_000_000);
    start.plus(Duration::from_secs(60) * u32::try_from(number).unwrap_or(u32::MAX))
}

/// The id of the session with this number.
#[must_use]
pub fn id(number: usize) -> SessionId {
    let mut random = Random::new(number as u64);
    let low = u128::from(random.number()) | u128::from(random.number()) << 64;
    SessionId::from_parts(created_at(number), low)
}

/// The name of the session with this number, which no other has.
#[must_use]
pub fn name(number: usize) -> String {
    format!("build-{number}")
}

/// Somebody who looks after all these sessions were created.
#[must_use]
pub fn observer() -> Observer {
    Observer { now: created_at(10 * MANY), live_host: None }
}

/// The session with this number. Of ten, one is pending, seven are completed, one has failed, one is closed.
///
/// # Errors
/// A mistake in the words that it is put together of, which would be the same for every number.
pub fn session(number: usize) -> Result<Session, Mistake> {
    let mut random = Random::new(!(number as u64));
    let at = created_at(number);
    let mut session = Session::new(id(number), at);
    session.identity.name = Some(SessionName::parse(&name(number)).map_err(Mistake::Name)?);
    session.identity.title = Some(format!("Make target {number} pass again"));
    for (key, values) in [("team", ["core", "web", "data"]), ("kind", ["fix", "feature", "review"])]
    {
        let key = LabelKey::parse(key).map_err(Mistake::Label)?;
        session.identity.labels.insert(key, random.choose(&values).to_owned());
    }
    session.launch = Some(Launch {
        tool: Some(random.choose(&["claude", "codex", "sh"]).to_owned()),
        argv: ["make", "--jobs=2", random.choose(&["check", "test", "bench"])]
            .map(str::to_owned)
            .into(),
        workdir: format!("/srv/checkout/{}", random.below(20)),
        env: [("CI".to_owned(), "1".to_owned())].into(),
        size: Some(TerminalSize::nearest(120, 40)),
        ..Launch::default()
    });
    let exit = match number % 10 {
        0 => None,
        1 => Some((Status::Failed, Exit::Code(2))),
        2 => Some((Status::Closed, Exit::Code(0))),
        _ => Some((Status::Completed, Exit::Code(0))),
    };
    if let Some((status, exit)) = exit {
        session.lifecycle.status = status;
        session.lifecycle.ended_at = Some(at.plus(Duration::from_secs(45)));
        session.process = Some(Process {
            state: ProcessState::Exited(exit),
            pid: Some(4_000 + u32::try_from(random.below(20_000)).unwrap_or_default()),
            ..Process::starting(at, None)
        });
    }
    Ok(session)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn sessions_differ_and_a_small_store_fills_a_page() {
        let sessions: Vec<_> = (0..FEW).map(|number| session(number).unwrap()).collect();
        let ids: BTreeSet<_> = sessions.iter().map(Session::id).collect();
        let names: BTreeSet<_> = sessions.iter().map(|session| session.name().cloned()).collect();
        assert_eq!((ids.len(), names.len()), (FEW, FEW));
        let listed =
            sessions.iter().filter(|session| session_core::Query::new(observer()).matches(session));
        assert_eq!(listed.count(), 900);
    }

    #[test]
    fn a_number_gives_the_same_session_again() {
        assert_eq!(session(7).unwrap(), session(7).unwrap());
    }
}
