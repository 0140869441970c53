//! Keeper, supervisor and socket: who lives, who serves, and whether clients find the way.
//!
//! Nobody is asked to do anything here: whoever connects to a keeper without a supervisor has it start one, and whoever
//! finds no socket has it bound again.

use session_pty::{Client, Instance};

use super::Check;
use crate::invocation::Invocation;
use crate::output::text::number;
use crate::system;

const NAME: &str = "supervisor";

pub(super) fn checks(invocation: &Invocation) -> Vec<Check> {
    let lock = invocation.place.instance_lock();
    match Instance::alive(&lock) {
        Ok(Some(instance)) => living(invocation, &instance),
        Ok(None) => vec![absent(invocation)],
        Err(error) => vec![Check::fail(
            NAME,
            format!("{}: {error}", lock.display()),
            "check the permissions of the data directory",
        )],
    }
}

fn living(invocation: &Invocation, instance: &Instance) -> Vec<Check> {
    let stopped: Vec<_> = [("keeper", Some(instance.pid)), (NAME, instance.supervisor)]
        .into_iter()
        .filter_map(|(name, pid)| Some((name, pid?)))
        .filter(|(_, pid)| system::process(*pid).is_some_and(|it| matches!(it.state, b'T' | b't')))
        .map(|(name, pid)| {
            let message = format!("the {name} (process {pid}) is stopped and answers nobody");
            Check::fail(NAME, message, format!("`kill -CONT {pid}` lets it go on"))
        })
        .collect();
    if !stopped.is_empty() {
        return stopped;
    }
    if instance.given_up.is_some() {
        let hint = format!(
            "programs go on; {} says why, and once that is put right any command that needs a supervisor starts one",
            invocation.place.log().display()
        );
        return vec![Check::failed(NAME, &invocation.unreachable(instance).hint(hint))];
    }
    if instance.supervisor.is_none() {
        let message =
            format!("the keeper (process {}) is about to start the next one", instance.pid);
        return vec![Check::warn(
            NAME,
            message,
            "programs go on meanwhile; look again in a moment",
        )];
    }
    if let Some(socket) = instance.socket.as_ref().filter(|_| !invocation.place.socket().exists())
        && socket.path == invocation.place.socket()
    {
        let message =
            format!("{} was removed while process {} serves", socket.path.display(), instance.pid);
        let hint = "the next command that needs it has it made again, for example `session list`";
        return vec![Check::fail("socket", message, hint)];
    }
    if let Some(socket) = instance.socket.as_ref().filter(|socket| !socket.is_in_place())
        && socket.path == invocation.place.socket()
    {
        let message = format!("{} is not the supervisor's any more", socket.path.display());
        let hint = format!(
            "remove it; the next command that needs it has it made again: rm {}",
            socket.path.display()
        );
        return vec![Check::fail("socket", message, hint)];
    }
    vec![match asked(invocation) {
        Ok(Some(check)) => check,
        Ok(None) => Check::failed(NAME, &invocation.unreachable(instance)),
        Err(check) => check,
    }]
}

fn absent(invocation: &Invocation) -> Check {
    let socket = invocation.place.socket();
    match asked(invocation) {
        // Of another store, for instance.
        Ok(Some(check)) | Err(check) => check,
        Ok(None) if socket.exists() => Check::warn(
            NAME,
            format!("not running; {} is left of a dead one", socket.display()),
            "the next one takes it over",
        ),
        Ok(None) => Check::ok(NAME, "not running (started when it is needed)"),
    }
}

/// What the supervisor says of itself, or what is wrong with it; `None` when nobody listens.
fn asked(invocation: &Invocation) -> Result<Option<Check>, Check> {
    let status = Client::connect(&invocation.place)
        .and_then(|client| client.map(|mut client| client.status()).transpose())
        .map_err(|error| Check::failed(NAME, &error.into()))?;
    Ok(status.map(|status| {
        Check::ok(
            NAME,
            format!(
                "process {}, version {}, {}, {}",
                status.pid,
                status.version,
                number(status.sessions as u64, "session"),
                number(status.viewers as u64, "viewer")
            ),
        )
    }))
}
