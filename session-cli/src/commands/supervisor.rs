//! `session supervisor`: the process that holds the terminals, seen, ended, and begun.

use std::path::Path;

use serde::Serialize;
use session_core::{ErrorKind, Timestamp};
use session_pty::{KeeperOptions, Limits, SupervisorOptions, SupervisorStatus, keep, supervise};

use crate::args::SupervisorCommand;
use crate::backend;
use crate::error::CliError;
use crate::exit::Code;
use crate::invocation::Invocation;
use crate::output::text::{fields, number};
use crate::system;

#[derive(Serialize)]
struct StatusObject<'a> {
    running: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[serde(flatten)]
    supervisor: Option<Running<'a>>,
}

#[derive(Serialize)]
struct Running<'a> {
    supervisor_pid: u32,
    keeper_pid: Option<u32>,
    version: &'a str,
    protocol: u32,
    socket: &'a Path,
    store: Store<'a>,
    sessions: usize,
    viewers: usize,
    started_at: Timestamp,
}

#[derive(Serialize)]
struct Store<'a> {
    kind: &'a str,
    data_dir: &'a Path,
}

#[derive(Serialize)]
struct UpgradeObject<'a> {
    supervisor_pid: u32,
    version: &'a str,
    sessions: usize,
}

#[derive(Serialize)]
struct StopObject {
    stopped: bool,
}

pub(crate) fn run(invocation: &Invocation, command: &SupervisorCommand) -> Result<Code, CliError> {
    match command {
        SupervisorCommand::Status => status(invocation),
        SupervisorCommand::Stop { force } => stop(invocation, *force),
        SupervisorCommand::Upgrade => upgrade(invocation),
        SupervisorCommand::Run { stay } => {
            backend::make_data_dir(&invocation.plan)?;
            let plan = &invocation.plan;
            let options =
                KeeperOptions { place: invocation.place.clone(), supervisor: plan.serving(*stay) };
            keep(options, system::now)?;
            Ok(Code::Done)
        }
        SupervisorCommand::Serve { stay } => {
            let plan = invocation.plan.clone();
            let options = SupervisorOptions {
                place: invocation.place.clone(),
                limits: Limits::default(),
                keeper: plan.keeping(*stay),
                stays: *stay,
            };
            supervise(options, system::now, move || backend::open(&plan))?;
            Ok(Code::Done)
        }
    }
}

fn status(invocation: &Invocation) -> Result<Code, CliError> {
    let status = match invocation.supervisor()? {
        Some(mut client) => Some(client.status()?),
        None => None,
    };
    let out = &invocation.out;
    match (&status, out.is_json()) {
        (status, true) => out.object(&StatusObject {
            running: status.is_some(),
            supervisor: status.as_ref().map(Running::new),
        })?,
        (Some(status), false) => out.text(&described(status))?,
        (None, false) => out.text("not running")?,
    }
    Ok(Code::Done)
}

impl<'a> Running<'a> {
    fn new(status: &'a SupervisorStatus) -> Self {
        Self {
            supervisor_pid: status.pid,
            keeper_pid: status.keeper,
            version: &status.version,
            protocol: status.protocol,
            socket: &status.socket,
            store: Store { kind: &status.store_kind, data_dir: &status.data_dir },
            sessions: status.sessions,
            viewers: status.viewers,
            started_at: status.started_at,
        }
    }
}

fn described(status: &SupervisorStatus) -> String {
    fields([
        ("process", status.pid.to_string()),
        ("keeper", status.keeper.map_or_else(|| "-".to_owned(), |keeper| keeper.to_string())),
        ("version", format!("{} (protocol {})", status.version, status.protocol)),
        ("socket", status.socket.display().to_string()),
        ("store", format!("{} in {}", status.store_kind, status.data_dir.display())),
        ("sessions", status.sessions.to_string()),
        ("viewers", status.viewers.to_string()),
        ("started", status.started_at.to_string()),
    ])
}

fn stop(invocation: &Invocation, force: bool) -> Result<Code, CliError> {
    let stopped = invocation.end_supervisor(force)?;
    if invocation.out.is_json() {
        invocation.out.object(&StopObject { stopped })?;
    } else if !stopped {
        invocation.out.note("no supervisor is running");
    }
    Ok(Code::Done)
}

/// Hands over to the program that is on the disk now, and waits until it serves.
fn upgrade(invocation: &Invocation) -> Result<Code, CliError> {
    let Some(client) = invocation.supervisor()? else {
        return Err(CliError::new(ErrorKind::NotRunning, "no supervisor is running").hint(
            "the next `session new` or `session attach` starts the program that is on the disk",
        ));
    };
    let status = client.upgrade()?;
    if invocation.out.is_json() {
        let (supervisor_pid, sessions) = (status.pid, status.sessions);
        invocation.out.object(&UpgradeObject {
            supervisor_pid,
            version: &status.version,
            sessions,
        })?;
    } else {
        let went_on = number(status.sessions as u64, "session");
        invocation.out.text(&format!("version {} serves; {went_on} went on", status.version))?;
    }
    Ok(Code::Done)
}
