//! `session store convert`: the same content in the other kind of store, beside the one that there is.

use std::path::{Path, PathBuf};
use std::sync::mpsc::sync_channel;

use serde::Serialize;
use session_core::bundle::{self, Counts};
use session_core::{Damage, ErrorKind, SessionStore};
use session_pty::{Place, Presence};

use super::existing;
use crate::backend;
use crate::backups;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::text::number;
use crate::plan::{Plan, StoreKind};
use crate::progress::Progress;
use crate::staging::Staging;
use crate::system;

#[derive(Serialize)]
struct Report<'a> {
    from: StoreObject<'a>,
    to: StoreObject<'a>,
    sessions: u64,
    records: u64,
    tombstones: u64,
}

#[derive(Serialize)]
struct StoreObject<'a> {
    kind: &'static str,
    location: &'a Path,
}

/// So many lines of one store may wait for those of the other.
const AHEAD: usize = 8;

pub(super) fn run(invocation: &Invocation, kind: StoreKind) -> Result<Code, CliError> {
    let plan = &invocation.plan;
    if kind == plan.store {
        return Err(CliError::usage(format!("this is a {} store already", kind.as_str()))
            .hint("choose the other kind with --to, or the store to convert with --store"));
    }
    let source = existing(invocation)?;
    let mut target = plan.clone();
    target.store = kind;
    let _alone = invocation.alone()?;
    let _target_alone = alone(&target)?;
    check_free(&target)?;
    let (staging, counts) = once_more(|| {
        let staging = Staging::begin(&plan.data_dir, kind)?;
        let counts = build(invocation, &*source, &staging)?;
        Ok((staging, counts))
    })?;
    let location = backend::location(&target);
    // Somebody may have written to it all the while.
    match check_free(&target)? {
        Target::Nothing => staging.install(&location)?,
        Target::HoldsNothing => {
            let store = backend::open(&target)?;
            let kept = backups::free_target(&plan.data_dir, kind, system::now())?;
            let filled = fill(kind, &*store, &staging.built(), &kept);
            filled.and(Ok(store.close()?))?;
        }
    }
    report(invocation, &location, kind, counts)
}

/// Whoever writes now and then is no reason to give up.
fn once_more<T>(mut work: impl FnMut() -> Result<T, CliError>) -> Result<T, CliError> {
    match work() {
        Err(error) if error.is(ErrorKind::Conflict) => work(),
        worked => worked,
    }
}

/// Keeps programs from beginning in the target.
fn alone(target: &Plan) -> Result<Presence, CliError> {
    let place =
        Place::new(target.data_dir.clone(), target.runtime_dir.clone(), target.store.as_str());
    let presence = Presence::hold(&place.instance_lock())
        .map_err(|source| crate::invocation::presence_unknown(&place, &source))?;
    match presence {
        Presence::Absent(_) => Ok(presence),
        Presence::Alive(_) => {
            let kind = target.store.as_str();
            let message = format!("a supervisor of the {kind} store is running");
            let hint = format!("`session --store {kind} supervisor stop` ends it");
            Err(CliError::new(ErrorKind::StillRunning, message).hint(hint))
        }
    }
}

/// What stands where the converted store is to be.
enum Target {
    Nothing,
    /// A store without sessions, trash and tombstones, or the beginning of one.
    HoldsNothing,
}

/// A store that holds nothing may be filled, everything else is somebody's.
fn check_free(target: &Plan) -> Result<Target, CliError> {
    let Some(store) = backend::look(target)? else {
        let is_begun = backend::is_there(target)?;
        return Ok(if is_begun { Target::HoldsNothing } else { Target::Nothing });
    };
    if holds_nothing(&*store)? {
        return Ok(Target::HoldsNothing);
    }
    let (kind, location) = (target.store.as_str(), backend::location(target));
    let message =
        format!("there is a {kind} store already, and it holds something: {}", location.display());
    let hint = format!("move {} away, or use it as it is with --store {kind}", location.display());
    Err(CliError::new(ErrorKind::Exists, message).hint(hint))
}

fn holds_nothing(store: &dyn SessionStore) -> Result<bool, CliError> {
    let stats = store.stats()?;
    Ok(stats.sessions.is_empty() && stats.trashed == 0 && stats.tombstones == 0)
}

/// Fills a store that held nothing a moment ago, in its own turn. What somebody wrote to it since then is brought back
/// beside what was built.
fn fill(
    kind: StoreKind,
    store: &dyn SessionStore,
    built: &Path,
    kept: &Path,
) -> Result<(), CliError> {
    store.restore_backup(built, Some(kept))?;
    let before = backend::look_in(kind, kept)?;
    let Some(before) = before else { return Ok(()) };
    if holds_nothing(&*before)? {
        drop(before);
        return backups::remove(kept);
    }
    let brought_back = bundle::copy(&*before, store, |_| {});
    let location = kept.display();
    let word = kind.as_str();
    let message =
        format!("somebody wrote to the {word} store in the moment in which it was filled");
    let error = CliError::new(ErrorKind::Conflict, message);
    Err(match brought_back {
        Ok((_, damaged)) if damaged.is_empty() => error.hint(format!(
            "nothing is lost: it holds what was written as well as what was converted; {location} holds what was written alone"
        )),
        _ => error.hint(format!(
            "it holds what was converted, and {location} what was written: `session store restore {location} --store {word}` goes back to that"
        )),
    })
}

/// Fills the new store and compares it with the old one, line by line.
fn build(
    invocation: &Invocation,
    source: &dyn SessionStore,
    staging: &Staging,
) -> Result<Counts, CliError> {
    let built = staging.open(invocation.plan.durability)?;
    let mut progress = Progress::new(invocation);
    let (counts, damaged) = bundle::copy(source, &*built, |counts| {
        progress
            .tell(|| format!("{} sessions, {} records copied", counts.sessions, counts.records));
    })?;
    refuse_damage(invocation, &damaged)?;
    let mut compared = 0_u64;
    same(source, &*built, || {
        compared += 1;
        progress.tell(|| format!("{compared} of {} compared", counts.sessions + counts.records));
    })?;
    built.close()?;
    Ok(counts)
}

fn refuse_damage(invocation: &Invocation, damaged: &[Damage]) -> Result<(), CliError> {
    let Some(first) = damaged.first() else { return Ok(()) };
    for damage in &damaged[1..] {
        invocation.out.note(&format!("damaged: {}: {}", damage.place, damage.reason));
    }
    let message = format!("{} is damaged: {}", first.place, first.reason);
    Err(CliError::new(ErrorKind::Corrupt, message)
        .hint("nothing was converted; `session store check --repair` puts what is damaged into quarantine"))
}

/// Whether the canonical dumps of both stores are the same, a few lines of them in memory at a time.
fn same(
    left: &dyn SessionStore,
    right: &dyn SessionStore,
    mut tick: impl FnMut(),
) -> Result<(), CliError> {
    let differs = |line: u64| {
        let message =
            format!("the converted store differs from the original in line {line} of its dump");
        CliError::new(ErrorKind::Conflict, message).hint(
            "nothing was converted: somebody wrote meanwhile; try again when nobody does, and tell us if nobody did",
        )
    };
    std::thread::scope(|scope| {
        let (sender, lines) = sync_channel::<String>(AHEAD);
        let other = scope.spawn(move || {
            bundle::dump(right, |line| {
                sender.send(line.to_string()).map_err(|_| differs(0))?;
                Ok::<_, CliError>(())
            })
        });
        let mut number = 0;
        let compared = bundle::dump(left, |line| {
            number += 1;
            tick();
            match lines.recv() {
                Ok(found) if found == line.to_string() => Ok(()),
                _ => Err(differs(number)),
            }
        });
        let is_longer = lines.recv().is_ok();
        drop(lines);
        let other = other.join().unwrap_or_else(|_| Err(differs(number)));
        match (compared, other) {
            (Err(error), Err(cause)) => {
                Err(if cause.is(ErrorKind::Conflict) { error } else { cause })
            }
            (Err(error), Ok(_)) => Err(error),
            (Ok(_), _) if is_longer => Err(differs(number + 1)),
            (Ok(_), Err(error)) => Err(error),
            (Ok(left), Ok(right)) if left.is_empty() && right.is_empty() => Ok(()),
            (Ok(_), Ok(_)) => Err(differs(number)),
        }
    })
}

fn report(
    invocation: &Invocation,
    location: &Path,
    kind: StoreKind,
    counts: Counts,
) -> Result<Code, CliError> {
    let (plan, out) = (&invocation.plan, &invocation.out);
    let source: PathBuf = backend::location(plan);
    let Counts { sessions, records, tombstones } = counts;
    if out.is_json() {
        out.object(&Report {
            from: StoreObject { kind: plan.store.as_str(), location: &source },
            to: StoreObject { kind: kind.as_str(), location },
            sessions,
            records,
            tombstones,
        })?;
        return Ok(Code::Done);
    }
    out.text(&location.display().to_string())?;
    out.note(&format!(
        "{}, {} and {} converted and compared; {} stays as it is",
        number(sessions, "session"),
        number(records, "record"),
        number(tombstones, "tombstone"),
        source.display()
    ));
    let word = kind.as_str();
    let config = match &plan.config {
        Some(path) => format!(", or write store = \"{word}\" into {}", path.display()),
        None => String::new(),
    };
    out.note(&format!("to use it: give --store {word}, or set SESSION_STORE={word}{config}"));
    Ok(Code::Done)
}

#[cfg(test)]
mod tests {
    use session_core::{Durability, MemoryStore, Session, SessionId, SessionStore as _, Timestamp};

    use super::*;

    fn store(numbers: &[u128]) -> MemoryStore {
        let store = MemoryStore::new();
        let now = Timestamp::from_millis(5);
        for number in numbers {
            store.create(Session::new(SessionId::from_parts(now, *number), now)).unwrap();
        }
        store
    }

    #[test]
    fn what_differs_is_told() {
        let many: Vec<_> = (1..100).collect();
        let compare = |left: &[u128], right: &[u128]| same(&store(left), &store(right), || {});
        assert!(compare(&many, &many).is_ok());
        assert!(compare(&[], &[]).is_ok());
        for (left, right) in [(&many[..], &many[1..]), (&many[..98], &many), (&[1], &[2])] {
            let error = compare(left, right).unwrap_err();
            assert!(error.message().contains("differs"), "{error:?}");
            assert!(error.is(ErrorKind::Conflict), "{error:?}");
            assert!(error.advice().unwrap().contains("try again"), "{error:?}");
        }
    }

    #[test]
    fn what_conflicts_is_tried_once_more() {
        let mut answers = vec![Ok(7), Err(ErrorKind::Conflict)];
        let mut next = || answers.pop().unwrap().map_err(|kind: ErrorKind| CliError::new(kind, ""));
        assert_eq!(once_more(&mut next).unwrap(), 7);
        for kind in [ErrorKind::Conflict, ErrorKind::Corrupt] {
            let mut times = 0;
            let error = once_more::<()>(|| {
                times += 1;
                Err(CliError::new(kind, ""))
            });
            assert!(error.unwrap_err().is(kind));
            assert_eq!(times, if kind == ErrorKind::Conflict { 2 } else { 1 });
        }
    }

    #[test]
    fn what_is_written_while_a_store_is_filled_stays() {
        for kind in [StoreKind::Sqlite, StoreKind::Jsonl] {
            let directory = tempfile::tempdir().unwrap();
            let at = |name: &str| directory.path().join(name);
            let make = |name: &str, numbers: &[u128]| {
                let store = backend::open_at(kind, &at(name), Durability::Full).unwrap();
                let now = Timestamp::from_millis(5);
                for number in numbers {
                    store.create(Session::new(SessionId::from_parts(now, *number), now)).unwrap();
                }
                store
            };
            make("built", &[1, 2]).close().unwrap();
            let empty = make("empty", &[]);
            fill(kind, &*empty, &at("built"), &at("kept")).unwrap();
            assert_eq!(empty.stats().unwrap().sessions.values().sum::<u64>(), 2);
            assert!(!at("kept").exists());

            let written = make("written", &[3]);
            let error = fill(kind, &*written, &at("built"), &at("kept")).unwrap_err();
            assert!(error.is(ErrorKind::Conflict), "{error:?}");
            assert!(error.advice().unwrap().contains("nothing is lost"), "{error:?}");
            assert_eq!(written.stats().unwrap().sessions.values().sum::<u64>(), 3);
            assert!(at("kept").exists());
        }
    }
}
