//! Completions: shells call the command again with what was typed so far, and values come from the store.

use std::ffi::OsString;

use clap::ValueEnum as _;
use clap_complete::engine::{ArgValueCandidates, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use session_core::{Query, Scope, Session};

use crate::args::{self, GlobalArgs};
use crate::backend;
use crate::error::CliError;
use crate::plan::{Caller, Plan, StoreKind};
use crate::system;

/// Set by the scripts that `session completions` prints.
pub(crate) const VARIABLE: &str = "_SESSION_COMPLETE";

/// Answers a shell that asks for completions; false when nobody has asked.
///
/// # Errors
/// What the answer failed on.
pub(crate) fn answer(words: &[OsString], caller: &Caller) -> Result<bool, CliError> {
    CompleteEnv::with_factory(args::definition)
        .var(VARIABLE)
        .try_complete(words.to_vec(), caller.directory.as_deref())
        .map_err(|error| CliError::usage(format!("completing failed: {error}")))
}

/// Names of sessions, those that run first, and ids of those that have no name.
pub(crate) fn sessions() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let mut candidates = Vec::new();
        for session in stored() {
            let value =
                session.name().map_or_else(|| session.id().to_string(), ToString::to_string);
            let help = format!("{} {}", session.status(), session.id().short());
            candidates.push(CompletionCandidate::new(value).help(Some(help.into())));
        }
        candidates
    })
}

/// Names of what is in the trash, and ids of what has none.
pub(crate) fn trashed() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        let named = |session: &Session| {
            session.name().map_or_else(|| session.id().to_string(), ToString::to_string)
        };
        distinct(listed(Scope::Trash).iter().map(named))
    })
}

/// Labels that sessions have, as `K=V`.
pub(crate) fn labels() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        distinct(stored().iter().flat_map(|session| {
            session.identity.labels.iter().map(|(key, value)| format!("{key}={value}"))
        }))
    })
}

/// Tools that sessions were started with.
pub(crate) fn tools() -> ArgValueCandidates {
    ArgValueCandidates::new(|| {
        distinct(stored().iter().filter_map(|session| session.launch.as_ref()?.tool.clone()))
    })
}

fn distinct(values: impl Iterator<Item = String>) -> Vec<CompletionCandidate> {
    let values: std::collections::BTreeSet<_> =
        values.filter(|value| !value.chars().any(char::is_control)).collect();
    values.into_iter().map(CompletionCandidate::new).collect()
}

/// Sessions outside the trash, the last changed first.
fn stored() -> Vec<Session> {
    listed(Scope::All)
}

/// Sessions, the last changed first. Somebody is typing: whatever is wrong is told elsewhere.
fn listed(scope: Scope) -> Vec<Session> {
    let Ok(plan) = Plan::new(&typed_so_far(std::env::args_os()), Caller::capture()) else {
        return Vec::new();
    };
    let Ok(store) = backend::open_read_only(&plan) else { return Vec::new() };
    let mut query = Query::new(session_core::Observer { now: system::now(), live_host: None });
    query.scope = scope;
    query.limit = std::num::NonZeroU32::new(MOST);
    store.list(&query).map(|page| page.sessions).unwrap_or_default()
}

/// The flags that say which store is meant, in a line that need not make sense yet.
fn typed_so_far(words: impl IntoIterator<Item = OsString>) -> GlobalArgs {
    let mut global = GlobalArgs::none();
    // After the first `--` come the words of the line that is being typed.
    let mut words = words.into_iter().skip_while(|word| word != "--").skip(1);
    while let Some(word) = words.next().filter(|word| word != "--") {
        let (flag, joined) = match word.to_str().and_then(|word| word.split_once('=')) {
            Some((flag, value)) => (flag.to_owned(), Some(OsString::from(value))),
            None => (word.to_string_lossy().into_owned(), None),
        };
        let mut value = || joined.clone().or_else(|| words.next());
        match flag.as_str() {
            "--data-dir" => global.data_dir = value().map(Into::into),
            "--store" => {
                let value = value().unwrap_or_default();
                global.store = StoreKind::from_str(&value.to_string_lossy(), false).ok();
            }
            _ => {}
        }
    }
    global
}

/// Nobody reads more candidates than this.
const MOST: u32 = 1000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_on_the_line_choose_the_store() {
        let line = ["session", "--", "session", "--store=jsonl", "show", "--data-dir", "/d", ""];
        let global = typed_so_far(line.map(OsString::from));
        assert_eq!(global.store, Some(StoreKind::Jsonl));
        assert_eq!(global.data_dir, Some("/d".into()));
        let unfinished = ["session", "--", "session", "--data-dir"].map(OsString::from);
        assert_eq!(typed_so_far(unfinished).data_dir, None);
    }
}
