//! One session as the model keeps it, and as the store is to have it.

use std::time::Duration;

use session_core::{
    Exit, Expiry, Host, Launch, Process, ProcessState, Revision, Session, Status, Unknown,
};

use super::operation::{Deadline, Draft, Edit, HOSTS, IDS, Launched, NAMES, State};
use crate::samples::{at, id, label, name};

/// Everything about a session that operations of the model can change, in the plainest form. Times are seconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) id: u32,
    pub(super) name: Option<usize>,
    pub(super) status: Status,
    pub(super) created: i64,
    pub(super) updated: i64,
    pub(super) active: i64,
    pub(super) deadline: Deadline,
    pub(super) ended: Option<i64>,
    pub(super) trashed: Option<i64>,
    pub(super) program: Option<(State, Option<usize>)>,
    pub(super) launch: Option<Launched>,
    pub(super) label: Option<bool>,
    pub(super) parent: Option<u32>,
    pub(super) revision: u64,
}

impl Row {
    pub(super) fn new(id: u32, now: i64, draft: &Draft) -> Self {
        Self {
            id,
            name: draft.name,
            status: draft.status,
            created: now,
            updated: now,
            active: draft.active,
            deadline: draft.deadline,
            ended: None,
            trashed: None,
            program: draft.program,
            launch: draft.launch,
            label: draft.label,
            parent: draft.parent.map(|further| (id + further) % IDS),
            revision: 1,
        }
    }

    /// A row for a session that is not stored.
    pub(super) fn unknown(id: u32) -> Self {
        let nothing = Draft {
            name: None,
            status: Status::Pending,
            deadline: Deadline::Never,
            active: 0,
            program: None,
            launch: None,
            label: None,
            parent: None,
        };
        Self::new(id, 0, &nothing)
    }

    pub(super) fn edit(&mut self, edit: &Edit, now: i64) {
        match *edit {
            Edit::Rename(name) => self.name = name,
            Edit::Status(status) => self.status = status,
            Edit::Start(host) => {
                self.program = Some((State::Running, host));
                self.status = Status::Running;
            }
            Edit::End(code) => {
                if let Some((state, _)) = &mut self.program {
                    *state = State::Exited(code);
                }
                self.status = if code == 0 { Status::Completed } else { Status::Failed };
                self.ended = Some(now);
            }
            Edit::Touch => self.active = now,
            Edit::Deadline(deadline) => self.deadline = deadline,
            Edit::Label(label) => self.label = label,
            Edit::CreatedAt => self.created += 1,
            Edit::TrashedAt => self.trashed = Some(now),
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.status == Status::Pending || self.status == Status::Running
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.program, Some((State::Starting | State::Running, _)))
    }

    pub(super) fn is_overdue(&self, now: i64) -> bool {
        let passed = match self.deadline {
            Deadline::Never => false,
            Deadline::At(at) => at < now,
            Deadline::Idle(idle) => self.active + idle.cast_signed() < now,
        };
        passed && !self.is_live() && self.status != Status::Closed && self.status != Status::Expired
    }

    /// Ends an overdue session at its deadline.
    pub(super) fn expire(&mut self) {
        self.status = Status::Expired;
        self.ended = match self.deadline {
            Deadline::Never => None,
            Deadline::At(at) => Some(at),
            Deadline::Idle(idle) => Some(self.active + idle.cast_signed()),
        };
    }

    /// The row as somebody sees it at `now`, when programs of `host` are alive.
    pub(super) fn observed(&self, now: i64, host: Option<usize>) -> Self {
        let mut seen = self.clone();
        if let Some((state, Some(owner))) = &mut seen.program
            && self.is_live()
            && Some(*owner) != host
        {
            *state = State::Lost;
            if self.is_open() {
                seen.status = Status::Failed;
            }
        }
        if seen.is_overdue(now) {
            seen.expire();
        }
        seen
    }

    pub(super) fn session(&self) -> Session {
        let mut session = Session::new(id(self.id), at(self.created));
        session.identity.name = self.name.map(|index| name(NAMES[index]));
        session.identity.labels =
            self.label.map(|value| (label("label"), value.to_string())).into_iter().collect();
        session.identity.parent = self.parent.map(id);
        session.lifecycle.status = self.status;
        session.lifecycle.updated_at = at(self.updated);
        session.lifecycle.last_active_at = at(self.active);
        session.lifecycle.expiry = match self.deadline {
            Deadline::Never => Expiry::Never,
            Deadline::At(seconds) => Expiry::At(at(seconds)),
            Deadline::Idle(seconds) => Expiry::Idle(Duration::from_secs(seconds)),
        };
        session.lifecycle.ended_at = self.ended.map(at);
        session.lifecycle.trashed_at = self.trashed.map(at);
        session.lifecycle.revision = Revision(self.revision);
        session.launch = self.launch.map(|launched| Launch {
            tool: launched.tooled.then(|| "claude".to_owned()),
            argv: vec!["true".to_owned()],
            workdir: workdir(launched.elsewhere).to_owned(),
            internal: launched.internal,
            ..Launch::default()
        });
        session.process = self.program.map(|(state, host)| {
            let host = host.map(|index| Host {
                instance: HOSTS[index].to_owned(),
                boot: "boot".to_owned(),
                unknown: Unknown::default(),
            });
            Process { state: process_state(state), ..Process::starting(at(0), host) }
        });
        session
    }
}

pub(super) const fn workdir(elsewhere: bool) -> &'static str {
    if elsewhere { "/elsewhere" } else { "/here" }
}

const fn process_state(state: State) -> ProcessState {
    match state {
        State::Starting => ProcessState::Starting,
        State::Running => ProcessState::Running,
        State::Exited(code) => ProcessState::Exited(Exit::Code(code)),
        State::Lost => ProcessState::Lost,
    }
}
